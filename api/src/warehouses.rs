//! Own warehouses and cells over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{CellId, WarehouseId};
use shared::page::PageQuery;
use shared::versions::Version;
use shared::warehouses::{self, CellPurpose, NewCell};

use crate::Tag;
use crate::answers::{Created, Current, Ending, Fresh, List, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::versions::versioned;

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
        /// How often it was changed: `If-Match` compares it.
        version: Version,
    }
}

versioned!(Warehouse);

shown! {
    /// A storage place with a code that a scanner reads.
    Cell from warehouses::Cell {
        /// Which one.
        id: CellId,
        /// What the scanner reads off it.
        code: String,
        /// What it is for.
        purpose: CellPurpose,
        /// Its place on the walking path; smaller is earlier.
        pick_sequence: i32,
        /// How often it was changed: `If-Match` compares it.
        version: Version,
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

/// A cell to add.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateCell {
    /// What the scanner will read, 1 to 60 characters.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub code: String,
    /// Its place on the walking path.
    pub pick_sequence: i32,
}

/// Cells to add, all of them or none.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddCells {
    /// At most 1000.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub cells: Vec<CreateCell>,
}

/// Warehouses.
pub struct Api;

#[OpenApi(tag = "Tag::Warehouses")]
impl Api {
    /// List own warehouses
    #[oai(path = "/warehouses", method = "get", operation_id = "list_warehouses")]
    async fn list(&self, Caller(actor): Caller, db: Data<&Db>) -> Result<Json<List<Warehouse>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let warehouses = warehouses::list(&mut tx).await?;
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

    /// List the cells of a warehouse along the walking path
    #[oai(path = "/warehouses/:id/cells", method = "get", operation_id = "list_cells")]
    async fn cells(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Cell>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = warehouses::cells(&mut tx, id.0, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Add storage cells
    #[oai(path = "/warehouses/:id/cells", method = "post", operation_id = "add_cells")]
    async fn add_cells(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        body: Json<AddCells>,
    ) -> Result<Created<List<Cell>>, ApiError> {
        let cells: Vec<_> = body
            .0
            .cells
            .into_iter()
            .map(|CreateCell { code, pick_sequence }| NewCell { code, pick_sequence })
            .collect();
        let mut tx = db.begin(&actor).await?;
        let cells = warehouses::add_cells(&mut tx, id.0, &cells).await?;
        tx.answer(Created::New(Json(List::of(cells)))).await
    }
}
