//! Stock counts over HTTP: planned and started here, counted in `counting`, looked at and approved in `review`.

mod answers;
pub mod counting;
mod plans;
pub mod review;

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use shared::counts::{self, CountFilter, CountStatus, LineFilter, LineState};
use shared::db::Db;
use shared::ids::{CellId, CountId, ProductId, WarehouseId};
use shared::page::PageQuery;

use crate::Tag;
use crate::answers::{Current, Ending, Fresh, List, Page};
use crate::auth::Caller;
use crate::problem::ApiError;

pub use answers::{Count, CountCell, CountHistoryLine, CountLine, CountTally, CountTotals};
pub use plans::{ChangeCount, CountStep, PlanCount};

/// Everything about counts that is served.
pub type Apis = (Api, counting::Api, review::Api);

/// Everything about counts that is served.
pub const APIS: Apis = (Api, counting::Api, review::Api);

/// Counts.
pub struct Api;

#[OpenApi(tag = "Tag::Counts")]
impl Api {
    /// List counts, newest first
    #[oai(path = "/counts", method = "get", operation_id = "list_counts")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// In this status.
        status: Query<Option<CountStatus>>,
        /// In this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Count>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = CountFilter { status: status.0, warehouse_id: warehouse_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = counts::list(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Plan a count of a warehouse, or of zones, cells or products there
    #[oai(path = "/counts", method = "post", operation_id = "plan_count")]
    async fn plan(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<PlanCount>,
    ) -> Result<Fresh<Count>, ApiError> {
        let new = body.0.read()?;
        let mut tx = db.begin(&actor).await?;
        let count = counts::plan(&mut tx, &new).await?;
        tx.answer(Fresh::of(count)).await
    }

    /// Get a count and how far it is
    #[oai(path = "/counts/:id", method = "get", operation_id = "get_count")]
    async fn get(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<CountId>) -> Result<Current<Count>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let count = counts::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Current::of(count))
    }

    /// Change the plan of a count that has not started
    #[oai(path = "/counts/:id", method = "patch", operation_id = "change_count")]
    async fn change(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        body: Json<ChangeCount>,
    ) -> Result<Current<Count>, ApiError> {
        let change = body.0.read()?;
        let mut tx = db.begin(&actor).await?;
        let count = counts::change(&mut tx, id.0, change).await?;
        tx.answer(Current::of(count)).await
    }

    /// Start a count: what lies there now is to be counted, and its cells are frozen if that is planned
    #[oai(path = "/counts/:id/start", method = "post", operation_id = "start_count")]
    async fn start(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        body: Json<CountStep>,
    ) -> Result<Current<Count>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let count = counts::start(&mut tx, id.0, body.comment.as_deref()).await?;
        tx.answer(Current::of(count)).await
    }

    /// Call a count off; the ledger stays as it is, and its cells are let go
    #[oai(path = "/counts/:id/cancel", method = "post", operation_id = "cancel_count")]
    async fn cancel(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        body: Json<CountStep>,
    ) -> Result<Current<Count>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let count = counts::cancel(&mut tx, id.0, body.comment.as_deref()).await?;
        tx.answer(Current::of(count)).await
    }

    /// List the cells of a count along the walking path
    #[oai(path = "/counts/:id/cells", method = "get", operation_id = "list_count_cells")]
    async fn cells(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<CountCell>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = counts::cells(&mut tx, id.0, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// List the lines of a count along the walking path; what was found besides comes at the end
    #[oai(path = "/counts/:id/lines", method = "get", operation_id = "list_count_lines")]
    async fn lines(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        /// In this state.
        state: Query<Option<LineState>>,
        /// In this cell.
        #[oai(name = "cellId")]
        cell_id: Query<Option<CellId>>,
        /// Of this product.
        #[oai(name = "productId")]
        product_id: Query<Option<ProductId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<CountLine>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = LineFilter { state: state.0, cell_id: cell_id.0, product_id: product_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = counts::lines(&mut tx, id.0, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// See what happened to a count
    #[oai(path = "/counts/:id/history", method = "get", operation_id = "get_count_history")]
    async fn history(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
    ) -> Result<Json<List<CountHistoryLine>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let history = counts::history(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(List::of(history)))
    }
}
