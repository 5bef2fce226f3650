//! Cells over HTTP, one by one and in lists.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{Json, PlainText};
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{CellId, CountId, PrinterId, WarehouseId, ZoneId};
use shared::page::PageQuery;
use shared::versions::Version;
use shared::warehouses::{self, CellChange, CellFilter, CellLimits, CellState, Mixing, NewCell, Purpose};
use shared::{printing, sync};

use super::Picture;
use crate::Tag;
use crate::answers::{Created, Current, Ending, List, Page};
use crate::auth::Caller;
use crate::clearable::Clearable;
use crate::problem::ApiError;
use crate::versions::versioned;

/// A place for stock, and what lies there.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Cell {
    /// Which one.
    pub id: CellId,
    /// Where.
    pub warehouse_id: WarehouseId,
    /// In which zone.
    pub zone_id: Option<ZoneId>,
    /// What people call it; unique in the warehouse. A scanner may read it too.
    pub code: String,
    /// What the scanner reads off it, unique in the enterprise; absent: the code.
    pub barcode: Option<String>,
    /// What it is for: what its zone is for.
    pub purpose: Purpose,
    /// Its place on the walking path; smaller is earlier.
    pub pick_sequence: i32,
    /// What may lie together in it.
    pub mixing: Mixing,
    /// How many units it takes.
    pub capacity_units: Option<i32>,
    /// How much space it has, in millilitres.
    pub capacity_volume_ml: Option<i64>,
    /// How much it carries, in grams.
    pub capacity_weight_g: Option<i64>,
    /// Since when it takes nothing in and gives nothing out.
    pub blocked_at: Option<DateTime<Utc>>,
    /// Why.
    pub blocked_reason: Option<String>,
    /// Who blocked it: `user:<id>` or `key:<id>`.
    pub blocked_by: Option<String>,
    /// The count that has frozen it: nothing goes in or out until it is counted.
    pub frozen_count_id: Option<CountId>,
    /// Since when it is out of use.
    pub archived_at: Option<DateTime<Utc>>,
    /// Units that lie there.
    pub units: i64,
    /// Of these, held for orders.
    pub reserved: i64,
    /// Different products that lie there.
    pub products: i64,
    /// What they take up, in millilitres, as far as it is known.
    pub volume_ml: i64,
    /// What they weigh, in grams, as far as it is known.
    pub weight_g: i64,
    /// Units of which size or weight is not known.
    pub unmeasured_units: i64,
    /// How full it is, in percent, by whichever limit is nearest; absent where it has none.
    pub fill_percent: Option<i64>,
    /// How often it was changed: `If-Match` compares it.
    pub version: Version,
}

versioned!(Cell);

impl From<warehouses::Cell> for Cell {
    fn from(cell: warehouses::Cell) -> Self {
        Self {
            fill_percent: cell.fill_percent(),
            id: cell.id,
            warehouse_id: cell.warehouse_id,
            zone_id: cell.zone_id,
            code: cell.code,
            barcode: cell.barcode,
            purpose: cell.purpose,
            pick_sequence: cell.pick_sequence,
            mixing: cell.mixing,
            capacity_units: cell.capacity_units,
            capacity_volume_ml: cell.capacity_volume_ml,
            capacity_weight_g: cell.capacity_weight_g,
            blocked_at: cell.blocked_at,
            blocked_reason: cell.blocked_reason,
            blocked_by: cell.blocked_by,
            frozen_count_id: cell.frozen_count_id,
            archived_at: cell.archived_at,
            units: cell.units,
            reserved: cell.reserved,
            products: cell.products,
            volume_ml: cell.volume_ml,
            weight_g: cell.weight_g,
            unmeasured_units: cell.unmeasured_units,
            version: cell.version,
        }
    }
}

/// A cell to add.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateCell {
    /// What people will call it, 1 to 60 characters.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub code: String,
    /// What the scanner will read, unique in the enterprise; absent: the code.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: Option<String>,
    /// In which zone.
    pub zone_id: Option<ZoneId>,
    /// What it is for, if it lies in no zone; absent: storage.
    pub purpose: Option<Purpose>,
    /// Its place on the walking path.
    pub pick_sequence: i32,
    /// What may lie together in it; absent: anything.
    pub mixing: Option<Mixing>,
    /// How many units it takes.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub capacity_units: Option<i32>,
    /// How much space it has, in millilitres.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000000")))]
    pub capacity_volume_ml: Option<i64>,
    /// How much it carries, in grams.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000000")))]
    pub capacity_weight_g: Option<i64>,
}

impl From<CreateCell> for NewCell {
    fn from(cell: CreateCell) -> Self {
        Self {
            code: cell.code,
            barcode: cell.barcode,
            zone_id: cell.zone_id,
            purpose: cell.purpose,
            pick_sequence: cell.pick_sequence,
            mixing: cell.mixing.unwrap_or_default(),
            capacity_units: cell.capacity_units,
            capacity_volume_ml: cell.capacity_volume_ml,
            capacity_weight_g: cell.capacity_weight_g,
        }
    }
}

/// Cells to add, all of them or none.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddCells {
    /// At most 1000.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub cells: Vec<CreateCell>,
}

/// What is changed of a cell; what is not named stays.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeCell {
    /// What people call it, 1 to 60 characters.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub code: Option<String>,
    /// What the scanner reads off it; null: the code.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: Clearable<String>,
    /// Its place on the walking path.
    pub pick_sequence: Option<i32>,
    /// In another zone; null: in none.
    pub zone_id: Clearable<ZoneId>,
    /// What it is for, if it lies in no zone.
    pub purpose: Option<Purpose>,
    /// What may lie together in it.
    pub mixing: Option<Mixing>,
    /// How many units it takes; null: it is not limited.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub capacity_units: Clearable<i32>,
    /// How much space it has, in millilitres; null: it is not limited.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000000")))]
    pub capacity_volume_ml: Clearable<i64>,
    /// How much it carries, in grams; null: it is not limited.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000000")))]
    pub capacity_weight_g: Clearable<i64>,
}

/// Cells.
pub struct Api;

#[OpenApi(tag = "Tag::Warehouses")]
impl Api {
    /// List the cells of a warehouse along the walking path
    #[oai(path = "/warehouses/:id/cells", method = "get", operation_id = "list_cells")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        /// In this zone.
        #[oai(name = "zoneId")]
        zone_id: Query<Option<ZoneId>>,
        /// With this text in the code, whatever the case.
        #[oai(validator(max_length = 60))]
        search: Query<Option<String>>,
        /// In this state; absent: in use, whatever lies in them.
        state: Query<Option<CellState>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Cell>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = CellFilter { zone_id: zone_id.0, text: search.0, state: state.0, ..CellFilter::default() };
        let mut tx = db.begin(&actor).await?;
        let page = warehouses::cells(&mut tx, id.0, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Find cells of all warehouses, for example the one that a scanner reads
    #[oai(path = "/cells", method = "get", operation_id = "search_cells")]
    async fn search(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Off which exactly this is read: barcode or code.
        #[oai(validator(max_length = 128))]
        code: Query<Option<String>>,
        /// With this text in the code, whatever the case.
        #[oai(validator(max_length = 60))]
        search: Query<Option<String>>,
        /// For this.
        purpose: Query<Option<Purpose>>,
        /// In this state; absent: in use, whatever lies in them.
        state: Query<Option<CellState>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Cell>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter =
            CellFilter { read_as: code.0, text: search.0, purpose: purpose.0, state: state.0, ..CellFilter::default() };
        let mut tx = db.begin(&actor).await?;
        let page = warehouses::search_cells(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Get a cell with what lies in it
    #[oai(path = "/cells/:id", method = "get", operation_id = "get_cell")]
    async fn get(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<CellId>) -> Result<Current<Cell>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let cell = warehouses::get_cell(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Current::of(cell))
    }

    /// Add cells
    #[oai(path = "/warehouses/:id/cells", method = "post", operation_id = "add_cells")]
    async fn add(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        body: Json<AddCells>,
    ) -> Result<Created<List<Cell>>, ApiError> {
        let cells: Vec<_> = body.0.cells.into_iter().map(NewCell::from).collect();
        let mut tx = db.begin(&actor).await?;
        let cells = warehouses::add_cells(&mut tx, id.0, &cells).await?;
        tx.answer(Created::New(Json(List::of(cells)))).await
    }

    /// Change a cell; what lies in it stays, whatever it takes from now on
    #[oai(path = "/cells/:id", method = "patch", operation_id = "change_cell")]
    async fn change(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CellId>,
        body: Json<ChangeCell>,
    ) -> Result<Current<Cell>, ApiError> {
        let body = body.0;
        let limits = CellLimits {
            zone_id: body.zone_id.0,
            purpose: body.purpose,
            mixing: body.mixing,
            capacity_units: body.capacity_units.0,
            capacity_volume_ml: body.capacity_volume_ml.0,
            capacity_weight_g: body.capacity_weight_g.0,
        };
        let change = CellChange { code: body.code, barcode: body.barcode.0, pick_sequence: body.pick_sequence, limits };
        let mut tx = db.begin(&actor).await?;
        let cell = sync::change_cell(&mut tx, id.0, change).await?;
        tx.answer(Current::of(cell)).await
    }

    /// See the label of a cell as it will be printed
    #[oai(path = "/cells/:id/label.svg", method = "get", operation_id = "get_cell_label")]
    async fn label(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CellId>,
        /// As it comes out of this printer; absent: as the enterprise's labels are.
        #[oai(name = "printerId")]
        printer_id: Query<Option<PrinterId>>,
    ) -> Result<Picture, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let label = printing::preview_cell_label(&mut tx, id.0, printer_id.0).await?;
        tx.commit().await?;
        Ok(Picture::Svg(PlainText(label)))
    }
}
