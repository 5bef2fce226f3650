//! Own warehouses over HTTP: what they are, how full they are, and a map of each. Their parts stand in files of their own.

mod batches;
mod cells;
mod map;
mod rows;
mod zones;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{Json, PlainText};
use poem_openapi::{ApiResponse, Object, OpenApi};
use shared::db::Db;
use shared::ids::{WarehouseId, ZoneId};
use shared::versions::Version;
use shared::warehouses::{self, Purpose, UseKind, WarehouseChange};

use crate::Tag;
use crate::answers::{Current, Ending, Fresh, List, shown};
use crate::auth::Caller;
use crate::clearable::Clearable;
use crate::problem::ApiError;
use crate::versions::versioned;

pub use cells::Cell;
pub use zones::Zone;

/// Everything about warehouses that is served.
pub type Apis = (Api, zones::Api, cells::Api, rows::Api, batches::Api);
/// One of each.
pub const APIS: Apis = (Api, zones::Api, cells::Api, rows::Api, batches::Api);

shown! {
    /// An own warehouse.
    Warehouse from warehouses::Warehouse {
        /// Which one.
        id: WarehouseId,
        /// Unique in the enterprise.
        name: String,
        /// Where it is.
        address: Option<String>,
        /// Since when.
        created_at: DateTime<Utc>,
        /// Since when nothing happens there any more.
        archived_at: Option<DateTime<Utc>>,
        /// How often it was changed: `If-Match` compares it.
        version: Version,
    }
}

versioned!(Warehouse);

shown! {
    /// Something that still uses a warehouse.
    WarehouseUse from warehouses::Use {
        /// What.
        kind: UseKind,
        /// How much of it.
        count: i64,
        /// The first ten: codes of cells, numbers of orders at Wildberries, ids of requests, names of warehouses.
        names: Vec<String>,
    }
}

/// How full some cells are together.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Fill {
    /// Cells in use.
    pub cells: i64,
    /// Of these, blocked.
    pub blocked_cells: i64,
    /// Of these, with something in them.
    pub occupied_cells: i64,
    /// Units that lie there.
    pub units: i64,
    /// Of these, held for orders.
    pub reserved: i64,
    /// What they take up, in millilitres, as far as it is known.
    pub volume_ml: i64,
    /// What they weigh, in grams, as far as it is known.
    pub weight_g: i64,
    /// Units of which size or weight is not known.
    pub unmeasured_units: i64,
    /// How many units the cells take that count them.
    pub capacity_units: Option<i64>,
    /// How much room the cells have that measure it, in millilitres.
    pub capacity_volume_ml: Option<i64>,
    /// How much the cells carry that weigh it, in grams.
    pub capacity_weight_g: Option<i64>,
    /// How full they are, in percent, by whichever limit is nearest; absent where no cell has one.
    pub fill_percent: Option<i64>,
}

impl From<warehouses::Fill> for Fill {
    fn from(fill: warehouses::Fill) -> Self {
        Self {
            cells: fill.cells,
            blocked_cells: fill.blocked_cells,
            occupied_cells: fill.occupied_cells,
            units: fill.units,
            reserved: fill.reserved,
            volume_ml: fill.volume_ml,
            weight_g: fill.weight_g,
            unmeasured_units: fill.unmeasured_units,
            capacity_units: fill.units_of.limit(),
            capacity_volume_ml: fill.volume_of.limit(),
            capacity_weight_g: fill.weight_of.limit(),
            fill_percent: fill.percent(),
        }
    }
}

shown! {
    /// How full a zone is.
    ZoneFill from warehouses::ZoneFill {
        /// Which one; absent: the cells in no zone.
        zone_id: Option<ZoneId>,
        /// Its name.
        name: Option<String>,
        /// What it is for.
        purpose: Option<Purpose>,
        /// How full it is.
        fill: Fill,
    }
}

/// How full a warehouse is, as a whole and by zones.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct WarehouseFill {
    /// Which one.
    pub warehouse_id: WarehouseId,
    /// All of its cells.
    pub fill: Fill,
    /// By zones in their order, then what lies in none.
    pub zones: Vec<ZoneFill>,
}

impl From<warehouses::WarehouseFill> for WarehouseFill {
    fn from(fill: warehouses::WarehouseFill) -> Self {
        let zones = fill.zones.into_iter().map(ZoneFill::from).collect();
        Self { warehouse_id: fill.warehouse_id, fill: fill.fill.into(), zones }
    }
}

/// A warehouse to open.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateWarehouse {
    /// Unique in the enterprise, 1 to 200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
    /// Where it is.
    #[oai(validator(max_length = 500))]
    pub address: Option<String>,
}

/// What is changed of a warehouse; what is not named stays.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeWarehouse {
    /// Unique in the enterprise, 1 to 200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: Option<String>,
    /// Where it is; null takes it away.
    #[oai(validator(max_length = 500))]
    pub address: Clearable<String>,
}

/// A picture.
#[derive(Debug, ApiResponse)]
pub enum Picture {
    /// As it is now
    #[oai(status = 200, content_type = "image/svg+xml")]
    Svg(PlainText<String>),
}

/// Warehouses.
pub struct Api;

#[OpenApi(tag = "Tag::Warehouses")]
impl Api {
    /// List own warehouses
    #[oai(path = "/warehouses", method = "get", operation_id = "list_warehouses")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Archived ones instead of those in use.
        archived: Query<Option<bool>>,
    ) -> Result<Json<List<Warehouse>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let warehouses = warehouses::list(&mut tx, archived.0.unwrap_or(false)).await?;
        tx.commit().await?;
        Ok(Json(List::of(warehouses)))
    }

    /// Open a warehouse with its packing cell
    #[oai(path = "/warehouses", method = "post", operation_id = "create_warehouse")]
    async fn create(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<CreateWarehouse>,
    ) -> Result<Fresh<Warehouse>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let warehouse = warehouses::create(&mut tx, &body.name, body.address.as_deref()).await?;
        tx.answer(Fresh::of(warehouse)).await
    }

    /// Get a warehouse
    #[oai(path = "/warehouses/:id", method = "get", operation_id = "get_warehouse")]
    async fn get(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
    ) -> Result<Current<Warehouse>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let warehouse = warehouses::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Current::of(warehouse))
    }

    /// Change name and address of a warehouse
    #[oai(path = "/warehouses/:id", method = "patch", operation_id = "change_warehouse")]
    async fn change(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        body: Json<ChangeWarehouse>,
    ) -> Result<Current<Warehouse>, ApiError> {
        let change = WarehouseChange { name: body.0.name, address: body.0.address.0 };
        let mut tx = db.begin(&actor).await?;
        let warehouse = warehouses::change(&mut tx, id.0, change).await?;
        tx.answer(Current::of(warehouse)).await
    }

    /// See what still uses a warehouse; while there is something, it cannot be archived
    #[oai(path = "/warehouses/:id/uses", method = "get", operation_id = "list_warehouse_uses")]
    async fn uses(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
    ) -> Result<Json<List<WarehouseUse>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let uses = warehouses::uses(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(List::of(uses)))
    }

    /// Archive a warehouse that nothing uses any more
    #[oai(path = "/warehouses/:id/archive", method = "post", operation_id = "archive_warehouse")]
    async fn archive(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
    ) -> Result<Current<Warehouse>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let warehouse = warehouses::archive(&mut tx, id.0).await?;
        tx.answer(Current::of(warehouse)).await
    }

    /// Open an archived warehouse again
    #[oai(path = "/warehouses/:id/restore", method = "post", operation_id = "restore_warehouse")]
    async fn restore(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
    ) -> Result<Current<Warehouse>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let warehouse = warehouses::restore(&mut tx, id.0).await?;
        tx.answer(Current::of(warehouse)).await
    }

    /// See how full a warehouse and its zones are
    #[oai(path = "/warehouses/:id/fill", method = "get", operation_id = "get_warehouse_fill")]
    async fn fill(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
    ) -> Result<Json<WarehouseFill>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let fill = warehouses::fill(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(fill.into()))
    }

    /// Get a map of a warehouse: zones, rows of cells, how full they are and what is blocked, as a picture in the language of
    /// the enterprise
    #[oai(path = "/warehouses/:id/map.svg", method = "get", operation_id = "get_warehouse_map")]
    async fn map(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<WarehouseId>) -> Result<Picture, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let plan = warehouses::floor_plan(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Picture::Svg(PlainText(map::draw(&plan))))
    }
}
