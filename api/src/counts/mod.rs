//! Stock counts over HTTP: planned and started here, counted in `counting`, looked at and approved in `review`.

pub mod counting;
pub mod review;

use chrono::{DateTime, NaiveDate, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::counts::{
    self, CountChange, CountFilter, CountReason, CountScope, CountStatus, LineFilter, LineState, NewCount, TallyFilter,
    TallyKind, Targets,
};
use shared::db::Db;
use shared::ids::{
    CellId, CountId, CountLineId, CountTallyId, LotId, ProductId, RequestId, StockDocumentId, StockEntryId, UserId,
    WarehouseId, ZoneId,
};
use shared::page::PageQuery;
use shared::versions::Version;
use shared::{Error, Result};

use crate::Tag;
use crate::answers::{Current, Ending, Fresh, List, Page, shown};
use crate::auth::Caller;
use crate::clearable::Clearable;
use crate::problem::ApiError;
use crate::versions::versioned;

/// Everything about counts that is served.
pub type Apis = (Api, counting::Api, review::Api);

/// Everything about counts that is served.
pub const APIS: Apis = (Api, counting::Api, review::Api);

shown! {
    /// How far a count is, and what it found. What is expected of a blind one is absent while it is counted.
    CountTotals from counts::Totals {
        /// Cells to be counted.
        cells: i64,
        /// Of these, frozen at this moment.
        frozen_cells: i64,
        /// Lots in cells to be counted.
        lines: i64,
        /// Of these, counted or left as they are known.
        counted: i64,
        /// Percent of the lines.
        progress: i32,
        /// Lines that two people counted differently.
        disputed: i64,
        /// Lines with a difference.
        different: Option<i64>,
        /// Of these, without a reason.
        unexplained: Option<i64>,
        /// Units more than were known.
        units_plus: Option<i64>,
        /// Units fewer.
        units_minus: Option<i64>,
        /// Lines that are corrected.
        posted: Option<i64>,
        /// Lines that could not be corrected.
        problems: Option<i64>,
    }
}

/// A stock count.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Count {
    /// Which one.
    pub id: CountId,
    /// In which warehouse.
    pub warehouse_id: WarehouseId,
    /// What people call it.
    pub name: String,
    /// In words.
    pub comment: Option<String>,
    /// What it is about.
    pub scope: CountScope,
    /// The zones, if it is about zones.
    pub zone_ids: Vec<ZoneId>,
    /// The cells, if it is about cells.
    pub cell_ids: Vec<CellId>,
    /// The products, if it is about products.
    pub product_ids: Vec<ProductId>,
    /// Whether those who count are kept from knowing what is expected.
    pub blind: bool,
    /// Whether nothing goes in or out of its cells until they are counted.
    pub freeze: bool,
    /// Where it is.
    pub status: CountStatus,
    /// How often it was counted; 0 before it starts.
    pub round: i32,
    /// The request that asks somebody to count.
    pub request_id: RequestId,
    /// The document under which it corrected the ledger.
    pub document_id: Option<StockDocumentId>,
    /// Who planned it: `user:<id>` or `key:<id>`.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When the ledger was corrected.
    pub posted_at: Option<DateTime<Utc>>,
    /// How far it is; absent in lists.
    pub totals: Option<CountTotals>,
    /// How often the plan or the status was changed: `If-Match` compares it.
    pub version: Version,
}

versioned!(Count);

impl From<counts::Count> for Count {
    fn from(count: counts::Count) -> Self {
        Self {
            id: count.id,
            warehouse_id: count.warehouse_id,
            name: count.name,
            comment: count.comment,
            scope: count.scope,
            zone_ids: count.zone_ids,
            cell_ids: count.cell_ids,
            product_ids: count.product_ids,
            blind: count.blind,
            freeze: count.freeze,
            status: count.status,
            round: count.round,
            request_id: count.request_id,
            document_id: count.document_id,
            actor: count.actor,
            created_at: count.created_at,
            started_at: count.started_at,
            posted_at: count.posted_at,
            totals: count.totals.map(Into::into),
            version: count.version,
        }
    }
}

shown! {
    /// A cell of a count.
    CountCell from counts::CountCell {
        /// Which one.
        cell_id: CellId,
        /// The cell's code.
        cell: String,
        /// Its place on the walking path.
        pick_sequence: i32,
        /// Whether nothing goes in or out of it, because of this count.
        frozen: bool,
        /// Lines there.
        lines: i64,
        /// Of these, counted or left as they are known.
        counted: i64,
    }
}

shown! {
    /// One lot of a product in a cell. What is expected of a blind count is absent while it is counted.
    CountLine from counts::CountLine {
        /// Which one.
        id: CountLineId,
        /// Where.
        cell_id: CellId,
        /// The cell's code.
        cell: String,
        /// What.
        product_id: ProductId,
        /// Its SKU.
        sku: String,
        /// Its name.
        name: String,
        /// Of which lot; the one without a code has the product's id.
        lot_id: LotId,
        /// The lot's code.
        lot: Option<String>,
        /// The last day on which the lot may be sold.
        expires_on: Option<NaiveDate>,
        /// In which round it is, or was, to be counted.
        round: i32,
        /// Whether only somebody may count it who has not before.
        by_another: bool,
        /// Units that the ledger said were there when the count began; 0 for what was found besides.
        expected_at_start: Option<i32>,
        /// The same at the moment of counting: what moved between the two is no difference.
        expected: Option<i32>,
        /// Units that were counted.
        counted: Option<i32>,
        /// Units more, or fewer.
        difference: Option<i32>,
        /// When it was counted.
        counted_at: Option<DateTime<Utc>>,
        /// By whom.
        counted_by: Option<String>,
        /// Whether two people counted differently in this round.
        disputed: bool,
        /// Whether the review left it as it is known.
        kept: bool,
        /// Why the two differ.
        reason: Option<CountReason>,
        /// In words.
        comment: Option<String>,
        /// The entry that corrected it.
        entry_id: Option<StockEntryId>,
        /// Why it could not be corrected.
        problem: Option<String>,
    }
}

shown! {
    /// What somebody counted.
    CountTally from counts::Tally {
        /// Which one.
        id: CountTallyId,
        /// About which line.
        count_line_id: CountLineId,
        /// In which round.
        round: i32,
        /// How.
        kind: TallyKind,
        /// Units.
        quantity: i32,
        /// Units that the ledger said were there at that moment; of a blind count absent while it is counted.
        expected: Option<i32>,
        /// Who: `user:<id>` or `key:<id>`.
        actor: String,
        /// At which moment it lay so.
        counted_at: DateTime<Utc>,
        /// When it was sent.
        recorded_at: DateTime<Utc>,
    }
}

shown! {
    /// One line of a count's history.
    CountHistoryLine from counts::HistoryLine {
        /// From where; absent when it was planned.
        from_status: Option<CountStatus>,
        /// To where.
        to_status: CountStatus,
        /// Who: `user:<id>`, `key:<id>` or `job:<kind>`.
        actor: String,
        /// Why.
        comment: Option<String>,
        /// When.
        occurred_at: DateTime<Utc>,
    }
}

/// A count to plan. Of zones, cells and products at most one is named; with none it is about the whole warehouse. What is picked
/// and on its way out is never counted.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanCount {
    /// In which warehouse.
    pub warehouse_id: WarehouseId,
    /// What people will call it.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    /// In words.
    #[oai(validator(min_length = 1, max_length = 1000))]
    pub comment: Option<String>,
    /// Of these zones.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub zone_ids: Option<Vec<ZoneId>>,
    /// Of these cells.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub cell_ids: Option<Vec<CellId>>,
    /// Of these products, wherever they lie in the warehouse.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub product_ids: Option<Vec<ProductId>>,
    /// Whether those who count are kept from knowing what is expected.
    #[oai(default)]
    pub blind: bool,
    /// Whether nothing goes in or out of its cells until they are counted.
    #[oai(default)]
    pub freeze: bool,
    /// Who is asked to count.
    pub assignee_id: Option<UserId>,
    /// By when.
    pub due_at: Option<DateTime<Utc>>,
}

/// What is changed of a plan; what is not named stays.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeCount {
    /// What people call it.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: Option<String>,
    /// In words; null: none.
    #[oai(validator(min_length = 1, max_length = 1000))]
    pub comment: Clearable<String>,
    /// Of these zones instead.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub zone_ids: Option<Vec<ZoneId>>,
    /// Of these cells instead.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub cell_ids: Option<Vec<CellId>>,
    /// Of these products instead.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub product_ids: Option<Vec<ProductId>>,
    /// Whether those who count are kept from knowing what is expected.
    pub blind: Option<bool>,
    /// Whether nothing goes in or out of its cells until they are counted.
    pub freeze: Option<bool>,
}

/// Why a step is taken.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CountStep {
    /// In words.
    #[oai(validator(min_length = 1, max_length = 1000))]
    pub comment: Option<String>,
}

fn targets(
    zones: Option<Vec<ZoneId>>,
    cells: Option<Vec<CellId>>,
    products: Option<Vec<ProductId>>,
) -> Result<Option<Targets>> {
    match (zones, cells, products) {
        (None, None, None) => Ok(None),
        (Some(zones), None, None) => Ok(Some(Targets::Zones(zones))),
        (None, Some(cells), None) => Ok(Some(Targets::Cells(cells))),
        (None, None, Some(products)) => Ok(Some(Targets::Products(products))),
        (_, _, _) => Err(Error::invalid("zoneIds", "name zones, cells or products, one kind of them")),
    }
}

impl PlanCount {
    fn read(self) -> Result<NewCount> {
        let targets = targets(self.zone_ids, self.cell_ids, self.product_ids)?.unwrap_or(Targets::Warehouse);
        let Self { warehouse_id, name, comment, blind, freeze, assignee_id, due_at, .. } = self;
        Ok(NewCount { warehouse_id, name, comment, targets, blind, freeze, assignee_id, due_at })
    }
}

impl ChangeCount {
    fn read(self) -> Result<CountChange> {
        let targets = targets(self.zone_ids, self.cell_ids, self.product_ids)?;
        let Self { name, comment, blind, freeze, .. } = self;
        Ok(CountChange { name, comment: comment.0, targets, blind, freeze })
    }
}

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

    /// List who counted what and when, oldest first
    #[oai(path = "/counts/:id/tallies", method = "get", operation_id = "list_count_tallies")]
    async fn tallies(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        /// Of this line.
        #[oai(name = "countLineId")]
        count_line_id: Query<Option<CountLineId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<CountTally>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = TallyFilter { count_line_id: count_line_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = counts::tallies(&mut tx, id.0, &filter, &query).await?;
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
