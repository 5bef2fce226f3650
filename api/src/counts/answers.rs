//! How counts look.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::Object;
use shared::counts::{self, CountReason, CountScope, CountStatus, TallyKind};
use shared::ids::{
    CellId, CountId, CountLineId, CountTallyId, LotId, ProductId, RequestId, StockDocumentId, StockEntryId,
    WarehouseId, ZoneId,
};
use shared::versions::Version;

use crate::answers::shown;
use crate::versions::versioned;

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
