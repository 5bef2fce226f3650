//! Stock counts: what the ledger says, what people find, and the correction of one by the other.
//!
//! ```text
//!  planned ─▶ counting ─▶ review ─▶ posting ─▶ posted         planned · counting · review ─▶ cancelled
//!                 ▲─────────┘  ▲───────┘
//! ```
//!
//! A tally keeps what the ledger said at the moment of counting, and a line the difference between the two. Posting writes the
//! difference, never an absolute: what moves before the counting and after it, until the posting and meanwhile, stays right
//! without anybody waiting. Frozen cells give and take nothing until they are counted.
//!
//! Of several tallies of one line the last one counts. What two people counted differently is disputed and is recounted: a
//! round of its own. Of a blind count nothing that is expected is shown while it is counted, to nobody.

mod approve;
mod freeze;
mod look;
mod plan;
mod post;
mod review;
mod scan;
mod start;
mod store;
mod tallies;
mod tally;
mod words;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use crate::ids::{
    CellId, CountId, CountLineId, CountTallyId, LotId, ProductId, RequestId, StockDocumentId, StockEntryId,
    WarehouseId, ZoneId,
};
use crate::versions::Version;
use crate::{Error, Result};

pub use approve::{approve, cancel, move_request, reject};
pub use freeze::{ServeThawed, serve_thawed_page};
pub use look::{CountFilter, LineFilter, LineState, TallyFilter, cells, get, history, lines, list, tallies};
pub use plan::{change, plan};
pub use post::{PostCount, Progress, post_page};
pub use review::{Explanation, Recount, Uncounted, explain, recount, review};
pub use scan::{Scan, ScanKind, Scanned, scan};
pub use start::start;
pub use tallies::{Counted, count_rows, empty_cell};
pub use words::{CountReason, CountScope, CountStatus, TallyKind};

/// What a count is about, by ids of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Everything that lies in the warehouse and is not picked.
    Warehouse,
    /// These zones.
    Zones(Vec<ZoneId>),
    /// These cells.
    Cells(Vec<CellId>),
    /// These products, wherever they lie in the warehouse.
    Products(Vec<ProductId>),
}

/// A count to be planned.
#[derive(Clone, Debug)]
pub struct NewCount {
    /// In which warehouse.
    pub warehouse_id: WarehouseId,
    /// What people will call it.
    pub name: String,
    /// In words.
    pub comment: Option<String>,
    /// What is to be counted.
    pub targets: Targets,
    /// Whether those who count are kept from knowing what is expected.
    pub blind: bool,
    /// Whether nothing goes in or out of its cells until they are counted.
    pub freeze: bool,
    /// Who is asked to.
    pub assignee_id: Option<crate::ids::UserId>,
    /// By when.
    pub due_at: Option<DateTime<Utc>>,
}

/// What is changed of a plan.
#[derive(Clone, Debug, Default)]
pub struct CountChange {
    /// What people call it.
    pub name: Option<String>,
    /// In words.
    pub comment: crate::warehouses::Edit<String>,
    /// What is to be counted.
    pub targets: Option<Targets>,
    /// Whether those who count are kept from knowing what is expected.
    pub blind: Option<bool>,
    /// Whether nothing goes in or out of its cells until they are counted.
    pub freeze: Option<bool>,
}

/// A count as clients see it.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// Ours.
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
    /// Under which it corrected the ledger.
    pub document_id: Option<StockDocumentId>,
    /// Who planned it.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When the ledger was corrected.
    pub posted_at: Option<DateTime<Utc>>,
    /// How often the plan or the status was changed.
    pub version: Version,
    /// How far it is; lists do not say.
    #[serde(skip)]
    #[sqlx(skip)]
    pub totals: Option<Totals>,
}

/// How far a count is, and what it found.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// Cells to be counted.
    pub cells: i64,
    /// Of these, frozen at this moment.
    pub frozen_cells: i64,
    /// Lots in cells to be counted.
    pub lines: i64,
    /// Of these, counted or left as they are known.
    pub counted: i64,
    /// Percent of the lines.
    pub progress: i32,
    /// Lines that two people counted differently.
    pub disputed: i64,
    /// Lines with a difference; absent where nothing that is expected may be seen, as what follows.
    pub different: Option<i64>,
    /// Of these, without a reason.
    pub unexplained: Option<i64>,
    /// Units more than were known.
    pub units_plus: Option<i64>,
    /// Units fewer.
    pub units_minus: Option<i64>,
    /// Lines that are corrected.
    pub posted: Option<i64>,
    /// Lines that could not be corrected.
    pub problems: Option<i64>,
}

/// A cell of a count.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct CountCell {
    /// Which one.
    pub cell_id: CellId,
    /// The cell's code.
    pub cell: String,
    /// Its place on the walking path.
    pub pick_sequence: i32,
    /// Whether nothing goes in or out of it, because of this count.
    pub frozen: bool,
    /// Lines there.
    pub lines: i64,
    /// Of these, counted or left as they are known.
    pub counted: i64,
}

/// One lot of a product in a cell.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct CountLine {
    /// Ours; along the walking path, what was found besides at the end.
    pub id: CountLineId,
    /// Where.
    pub cell_id: CellId,
    /// The cell's code.
    pub cell: String,
    /// What.
    pub product_id: ProductId,
    /// Its SKU.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// Of which lot.
    pub lot_id: LotId,
    /// The lot's code.
    pub lot: Option<String>,
    /// The last day on which the lot may be sold.
    pub expires_on: Option<NaiveDate>,
    /// In which round it is, or was, to be counted.
    pub round: i32,
    /// Whether only somebody may count it who has not before.
    pub by_another: bool,
    /// Units that the ledger said were there when the count began.
    pub expected_at_start: Option<i32>,
    /// The same at the moment of counting.
    pub expected: Option<i32>,
    /// Units that were counted.
    pub counted: Option<i32>,
    /// Units more, or fewer.
    pub difference: Option<i32>,
    /// When it was counted.
    pub counted_at: Option<DateTime<Utc>>,
    /// By whom.
    pub counted_by: Option<String>,
    /// Whether two people counted differently in this round.
    pub disputed: bool,
    /// Whether the review left it as it is known.
    pub kept: bool,
    /// Why the two differ.
    pub reason: Option<CountReason>,
    /// In words.
    pub comment: Option<String>,
    /// The entry that corrected it.
    pub entry_id: Option<StockEntryId>,
    /// Why it could not be corrected.
    pub problem: Option<String>,
}

/// What somebody counted.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Tally {
    /// Ours.
    pub id: CountTallyId,
    /// Which line.
    pub count_line_id: CountLineId,
    /// In which round.
    pub round: i32,
    /// How.
    pub kind: TallyKind,
    /// Units.
    pub quantity: i32,
    /// Units that the ledger said were there at that moment.
    pub expected: Option<i32>,
    /// Who.
    pub actor: String,
    /// At which moment it lay so.
    pub counted_at: DateTime<Utc>,
    /// When it was sent.
    pub recorded_at: DateTime<Utc>,
}

/// One line of a count's history.
#[derive(Clone, Debug)]
pub struct HistoryLine {
    /// From where; absent when it was planned.
    pub from_status: Option<CountStatus>,
    /// To where.
    pub to_status: CountStatus,
    /// Who.
    pub actor: String,
    /// Why.
    pub comment: Option<String>,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

/// The comment of a step, if there is one.
fn checked_comment(comment: Option<&str>) -> Result<Option<&str>> {
    let comment = comment.map(str::trim);
    if comment.is_some_and(|comment| !(1..=1000).contains(&comment.chars().count())) {
        return Err(Error::invalid("comment", "must have 1 to 1000 characters"));
    }
    Ok(comment)
}
