//! Counting over HTTP: rows, single scans, and cells that are empty.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::counts::{self, ScanKind, TallyFilter};
use shared::db::Db;
use shared::error::RowRefused;
use shared::ids::{CountId, CountLineId, ProductId};
use shared::inventory::{Item, Mode};
use shared::page::PageQuery;

use super::CountTally;
use crate::Tag;
use crate::answers::{Ending, Page, shown};
use crate::auth::Caller;
use crate::inventory::LotName;
use crate::problem::{ApiError, Code};

/// So many units were found.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct TalliedLine {
    /// Any barcode of the product,
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: Option<String>,
    /// or the product.
    pub product_id: Option<ProductId>,
    /// Of this lot. If absent, of the one that is known in the cell; one that nobody has heard of is made.
    pub lot: Option<LotName>,
    /// The code of the cell.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub cell: String,
    /// Units; 0 where there is none.
    #[oai(validator(minimum(value = "0"), maximum(value = "1000000")))]
    pub quantity: i32,
    /// When it lay so, if not just now, since the start of the count: what moved since is no difference.
    pub counted_at: Option<DateTime<Utc>>,
}

/// What was counted. Of several tallies of one line the last one counts; what two people counted differently is disputed, until
/// they agree or it is recounted.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CountGoods {
    /// What becomes of the others when one is refused; `each_row` if absent.
    pub mode: Option<Mode>,
    /// At most 1000.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub lines: Vec<TalliedLine>,
}

/// What became of a row.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct CountedRow {
    /// Whether it was taken in.
    pub done: bool,
    /// The line that it is about.
    pub count_line_id: Option<CountLineId>,
    /// Which rule said no.
    pub problem: Option<Code>,
    /// The facts of the case.
    pub detail: Option<String>,
}

impl From<std::result::Result<CountLineId, RowRefused>> for CountedRow {
    fn from(row: std::result::Result<CountLineId, RowRefused>) -> Self {
        match row {
            Ok(line) => Self { done: true, count_line_id: Some(line), problem: None, detail: None },
            Err(refused) => Self {
                done: false,
                count_line_id: None,
                problem: Some(refused.refusal.into()),
                detail: Some(refused.detail),
            },
        }
    }
}

/// What became of what was counted.
#[derive(Debug, Object)]
pub struct CountedRows {
    /// Row by row, in the order of the request.
    pub rows: Vec<CountedRow>,
}

/// A cell in which nothing lies.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmptyCell {
    /// What a scanner reads off it, or its code.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub cell: String,
}

/// What that said.
#[derive(Debug, Object)]
pub struct EmptiedCell {
    /// Lines of which there is none.
    pub lines: u64,
}

/// One scan.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct CountScan {
    /// A cell, or an item in the cell that was scanned last.
    pub kind: ScanKind,
    /// As the scanner read it.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub code: String,
    /// Of which lot, where several lie there.
    pub lot: Option<LotName>,
}

shown! {
    /// What a scan did.
    CountScanned from counts::Scanned {
        /// The code of the cell where the counter stands.
        cell: String,
        /// The line to which an item was added.
        count_line_id: Option<CountLineId>,
        /// The item.
        product_id: Option<ProductId>,
        /// Its SKU.
        sku: Option<String>,
        /// Its name.
        name: Option<String>,
        /// Units that this counter has counted of it here by now.
        counted: Option<i32>,
    }
}

/// Counting.
pub struct Api;

#[OpenApi(tag = "Tag::Counts")]
impl Api {
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

    /// Send what was counted, row by row; what was not expected gets a line of its own
    #[oai(path = "/counts/:id/tallies", method = "post", operation_id = "count_goods")]
    async fn count(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        body: Json<CountGoods>,
    ) -> Result<Json<CountedRows>, ApiError> {
        let CountGoods { mode, lines } = body.0;
        let row = |line: TalliedLine| {
            let TalliedLine { barcode, product_id, lot, cell, quantity, counted_at } = line;
            let item = Item { barcode, product_id, lot: lot.map(Into::into) };
            counts::Counted { item, cell, quantity, counted_at }
        };
        let rows: Vec<_> = lines.into_iter().map(row).collect();
        let mut tx = db.begin(&actor).await?;
        let rows = counts::count_rows(&mut tx, id.0, mode.unwrap_or(Mode::EachRow), &rows).await?;
        tx.answer(Json(CountedRows { rows: rows.into_iter().map(Into::into).collect() })).await
    }

    /// Say that a cell is empty: all that is known there and not counted yet is none
    #[oai(path = "/counts/:id/empty-cells", method = "post", operation_id = "count_empty_cell")]
    async fn empty(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        body: Json<EmptyCell>,
    ) -> Result<Json<EmptiedCell>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let lines = counts::empty_cell(&mut tx, id.0, &body.cell).await?;
        tx.answer(Json(EmptiedCell { lines: lines as u64 })).await
    }

    /// Scan a cell, then the items in it one by one: each is one more
    #[oai(path = "/counts/:id/scans", method = "post", operation_id = "scan_count")]
    async fn scan(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        body: Json<CountScan>,
    ) -> Result<Json<CountScanned>, ApiError> {
        let CountScan { kind, code, lot } = body.0;
        let scan = counts::Scan { kind, code, lot: lot.map(Into::into) };
        let mut tx = db.begin(&actor).await?;
        let scanned = counts::scan(&mut tx, id.0, &scan).await?;
        tx.answer(Json(scanned.into())).await
    }
}
