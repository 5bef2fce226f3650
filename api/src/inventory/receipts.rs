//! Goods receipts as they come about: expected, counted, explained, posted; and where to put what came.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{
    CellId, GoodsReceiptId, LotId, ProductId, ReceiptCountId, ReceiptSheetId, ReceiptSheetLineId, WarehouseId,
};
use shared::inventory::{self, DiscrepancyReason, SheetFilter, SheetStatus};
use shared::page::PageQuery;
use shared::sync;

use super::GoodsReceipt;
use super::rows::{LotName, item};
use crate::Tag;
use crate::answers::{Created, Ending, List, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;

shown! {
    /// A lot of a product on a receipt sheet.
    ReceiptSheetLine from inventory::SheetLine {
        /// Which one.
        id: ReceiptSheetLineId,
        /// Of what.
        product_id: ProductId,
        /// Of which lot.
        lot_id: LotId,
        /// The lot's code.
        lot: Option<String>,
        /// Units that should come; none for what nobody expected.
        expected: i32,
        /// Units that were counted.
        counted: i64,
        /// Of these, to be put on hold.
        quarantined: i64,
        /// Why the two differ.
        reason: Option<DiscrepancyReason>,
    }
}

/// What is expected, what was counted, and why the two differ.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct ReceiptSheet {
    /// Which one.
    pub id: ReceiptSheetId,
    /// Where it is unloaded.
    pub warehouse_id: WarehouseId,
    /// The number of the goods receipt that comes of it.
    pub number: String,
    /// In words.
    pub comment: Option<String>,
    /// Where it is.
    pub status: SheetStatus,
    /// What came of it.
    pub receipt_id: Option<GoodsReceiptId>,
    /// Who opened it.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Lot by lot; empty in lists.
    pub lines: Vec<ReceiptSheetLine>,
}

impl From<inventory::Sheet> for ReceiptSheet {
    fn from(sheet: inventory::Sheet) -> Self {
        let inventory::Sheet { id, warehouse_id, number, comment, status, receipt_id, actor, created_at, lines } =
            sheet;
        let lines = lines.into_iter().map(Into::into).collect();
        Self { id, warehouse_id, number, comment, status, receipt_id, actor, created_at, lines }
    }
}

shown! {
    /// What somebody counted.
    CountedLine from inventory::Counted {
        /// Which count.
        id: ReceiptCountId,
        /// Of which line of the sheet.
        line_id: ReceiptSheetLineId,
        /// Of what.
        product_id: ProductId,
        /// In which cell.
        cell_id: CellId,
        /// Units; negative where somebody took back what was counted too often.
        quantity: i32,
        /// Whether they are put on hold.
        quarantine: bool,
        /// Who: `user:<id>` or `key:<id>`.
        actor: String,
        /// When.
        counted_at: DateTime<Utc>,
    }
}

shown! {
    /// A cell to put goods into.
    PutAwaySuggestion from inventory::Suggestion {
        /// Which one.
        cell_id: CellId,
        /// Its code.
        cell: String,
        /// Units of the product that lie there; none in an empty cell.
        of_product: i64,
        /// How many more units fit; absent where nothing limits them.
        room: Option<i64>,
    }
}

/// So many units are expected.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectedLine {
    /// Any barcode of the product,
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: Option<String>,
    /// or the product.
    pub product_id: Option<ProductId>,
    /// Of this lot; one that nobody has heard of is made.
    pub lot: Option<LotName>,
    /// Units, from 1.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub quantity: i32,
}

/// A receipt sheet to be opened.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenReceiptSheet {
    /// Where it will be unloaded.
    pub warehouse_id: WarehouseId,
    /// The number of the goods receipt that will come of it, unique in the enterprise.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub number: String,
    /// In words.
    #[oai(validator(min_length = 1, max_length = 1000))]
    pub comment: Option<String>,
    /// What is expected, at most 1000; nothing where goods are counted blindly.
    #[oai(validator(max_items = 1000))]
    pub lines: Vec<ExpectedLine>,
}

/// So many units were counted.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceiptCount {
    /// Any barcode of the product,
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: Option<String>,
    /// or the product.
    pub product_id: Option<ProductId>,
    /// Of this lot; one that nobody has heard of is made.
    pub lot: Option<LotName>,
    /// The code of the cell where they were put.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub cell: String,
    /// Units; negative to take back what was counted too often.
    #[oai(validator(minimum(value = "-1000000"), maximum(value = "1000000")))]
    pub quantity: i32,
    /// Whether they are put on hold until somebody has looked at them; `false` if absent.
    pub quarantine: Option<bool>,
}

/// What was counted.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CountReceipt {
    /// At most 1000; they add to what was counted before.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub lines: Vec<ReceiptCount>,
}

/// Why a line differs.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct Discrepancy {
    /// Which line.
    pub line_id: ReceiptSheetLineId,
    /// Why.
    pub reason: DiscrepancyReason,
}

/// The reasons of what differs.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostReceiptSheet {
    /// One for each line whose count is not what was expected.
    #[oai(validator(max_items = 1000))]
    pub discrepancies: Vec<Discrepancy>,
}

/// Goods receipts under way.
pub struct Api;

#[OpenApi(tag = "Tag::Inventory")]
impl Api {
    /// List receipt sheets, newest first
    #[oai(path = "/inventory/receipt-sheets", method = "get", operation_id = "list_receipt_sheets")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// In this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// In this status.
        status: Query<Option<SheetStatus>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<ReceiptSheet>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = SheetFilter { warehouse_id: warehouse_id.0, status: status.0 };
        let mut tx = db.begin(&actor).await?;
        let page = inventory::sheets(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Open a receipt sheet with what is expected
    #[oai(path = "/inventory/receipt-sheets", method = "post", operation_id = "open_receipt_sheet")]
    async fn open(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<OpenReceiptSheet>,
    ) -> Result<Created<ReceiptSheet>, ApiError> {
        let OpenReceiptSheet { warehouse_id, number, comment, lines } = body.0;
        let line = |ExpectedLine { barcode, product_id, lot, quantity }| inventory::ExpectedLine {
            item: item(barcode, product_id, lot),
            quantity,
        };
        let lines = lines.into_iter().map(line).collect();
        let mut tx = db.begin(&actor).await?;
        let new = inventory::NewSheet { warehouse_id, number, comment, lines };
        let sheet = inventory::open_sheet(&mut tx, &new).await?;
        tx.answer(Created::of(sheet)).await
    }

    /// Get a receipt sheet with its lines
    #[oai(path = "/inventory/receipt-sheets/:id", method = "get", operation_id = "get_receipt_sheet")]
    async fn get(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ReceiptSheetId>,
    ) -> Result<Json<ReceiptSheet>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let sheet = inventory::sheet(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(sheet.into()))
    }

    /// List who counted what on a receipt sheet, oldest first
    #[oai(path = "/inventory/receipt-sheets/:id/counts", method = "get", operation_id = "list_receipt_counts")]
    async fn counts(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ReceiptSheetId>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<CountedLine>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = inventory::counts(&mut tx, id.0, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Add to what was counted; what was not expected gets a line of its own
    #[oai(path = "/inventory/receipt-sheets/:id/counts", method = "post", operation_id = "count_receipt")]
    async fn count(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ReceiptSheetId>,
        body: Json<CountReceipt>,
    ) -> Result<Json<ReceiptSheet>, ApiError> {
        let line = |ReceiptCount { barcode, product_id, lot, cell, quantity, quarantine }| inventory::CountLine {
            item: item(barcode, product_id, lot),
            cell,
            quantity,
            quarantine: quarantine.unwrap_or(false),
        };
        let lines: Vec<_> = body.0.lines.into_iter().map(line).collect();
        let mut tx = db.begin(&actor).await?;
        let sheet = inventory::count(&mut tx, id.0, &lines).await?;
        tx.answer(Json(sheet.into())).await
    }

    /// Post what was counted as a goods receipt; every difference needs its reason
    #[oai(path = "/inventory/receipt-sheets/:id/post", method = "post", operation_id = "post_receipt_sheet")]
    async fn post(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ReceiptSheetId>,
        body: Json<PostReceiptSheet>,
    ) -> Result<Created<GoodsReceipt>, ApiError> {
        let reasons: Vec<_> = body.0.discrepancies.into_iter().map(|told| (told.line_id, told.reason)).collect();
        let mut tx = db.begin(&actor).await?;
        let receipt = sync::post_receipt_sheet(&mut tx, id.0, &reasons).await?;
        tx.answer(Created::of(receipt)).await
    }

    /// Close a receipt sheet of which nothing comes
    #[oai(path = "/inventory/receipt-sheets/:id/cancel", method = "post", operation_id = "cancel_receipt_sheet")]
    async fn cancel(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ReceiptSheetId>,
    ) -> Result<Json<ReceiptSheet>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let sheet = inventory::cancel_sheet(&mut tx, id.0).await?;
        tx.answer(Json(sheet.into())).await
    }

    /// Suggest cells to put a product into: beside the same product first, then empty ones, along the walking path; only where it fits
    #[oai(path = "/warehouses/:id/products/:product_id/put-away", method = "get", operation_id = "suggest_put_away")]
    async fn suggest(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        product_id: Path<ProductId>,
        /// So many units, 1 to 1000000; cells that take all of them come first. 1 if absent.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
        quantity: Query<Option<i64>>,
    ) -> Result<Json<List<PutAwaySuggestion>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let cells = inventory::suggest(&mut tx, id.0, product_id.0, quantity.0.unwrap_or(1)).await?;
        tx.commit().await?;
        Ok(Json(List::of(cells)))
    }
}
