//! Receipt sheets: what is expected, what was counted and why the two differ, until the goods receipt is posted.
//!
//! ```text
//!  expected ─▶ counting ─▶ posted          expected · counting ─▶ cancelled
//! ```

mod count;
mod look;
mod post;
mod put_away;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::batch::{Batch, Heading, Item, MAX_LINES, Mode, Verdict, settle};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{GoodsReceiptId, LotId, ProductId, ReceiptSheetId, ReceiptSheetLineId, WarehouseId};
use crate::{Error, Refusal, Result, warehouses};

pub use count::{CountLine, count};
pub use look::{Counted, SheetFilter, counts, sheet, sheets};
pub use post::{cancel_sheet, explain_and_post};
pub use put_away::{Suggestion, suggest};

/// Where a receipt sheet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum SheetStatus {
    /// Nothing was counted yet.
    Expected,
    /// Somebody counts.
    Counting,
    /// What was counted lies in the cells.
    Posted,
    /// Nothing came of it.
    Cancelled,
}

impl SheetStatus {
    fn name(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Counting => "counting",
            Self::Posted => "posted",
            Self::Cancelled => "cancelled",
        }
    }

    /// Refuses to go on from where there is no way.
    fn check_open(self) -> Result<()> {
        match self {
            Self::Expected | Self::Counting => Ok(()),
            Self::Posted | Self::Cancelled => {
                Err(Error::refused(Refusal::ReceiptSheetClosed, format!("the receipt sheet is {}", self.name())))
            }
        }
    }
}

/// Why another quantity came than was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DiscrepancyReason {
    /// The supplier sent fewer.
    Short,
    /// The supplier sent more.
    Surplus,
    /// Broken on the way and sent back.
    Damaged,
    /// Something else was sent.
    WrongItem,
    /// It carries another product's barcode.
    Mislabelled,
    /// The comment says.
    Other,
}

impl DiscrepancyReason {
    fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Surplus => "surplus",
            Self::Damaged => "damaged",
            Self::WrongItem => "wrong_item",
            Self::Mislabelled => "mislabelled",
            Self::Other => "other",
        }
    }
}

/// A receipt sheet with its lines.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sheet {
    /// Ours.
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
    /// Lot by lot.
    #[serde(skip)]
    pub lines: Vec<SheetLine>,
}

/// A lot of a product on a sheet.
#[derive(Clone, Debug)]
pub struct SheetLine {
    /// Ours.
    pub id: ReceiptSheetLineId,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot.
    pub lot_id: LotId,
    /// The lot's code.
    pub lot: Option<String>,
    /// Units that should come; none for what nobody expected.
    pub expected: i32,
    /// Units that were counted.
    pub counted: i64,
    /// Of these, to be put on hold.
    pub quarantined: i64,
    /// Why the two differ.
    pub reason: Option<DiscrepancyReason>,
}

/// A receipt sheet to be opened.
#[derive(Clone, Debug)]
pub struct NewSheet {
    /// Where it will be unloaded.
    pub warehouse_id: WarehouseId,
    /// The number of the goods receipt that will come of it, unique in the enterprise.
    pub number: String,
    /// In words.
    pub comment: Option<String>,
    /// What is expected; nothing where goods are counted blindly.
    pub lines: Vec<ExpectedLine>,
}

/// So many units are expected.
#[derive(Clone, Debug)]
pub struct ExpectedLine {
    /// Of what.
    pub item: Item,
    /// Units.
    pub quantity: i32,
}

/// Opens a receipt sheet.
pub async fn open_sheet(tx: &mut EnterpriseTx, new: &NewSheet) -> Result<Sheet> {
    warehouses::enter_open(tx, new.warehouse_id, Permission::ReceiveGoods).await?;
    let number = new.number.trim();
    if number.is_empty() || number.chars().count() > 100 {
        return Err(Error::invalid("number", "must have 1 to 100 characters"));
    }
    let comment = new.comment.as_deref().map(str::trim);
    if comment.is_some_and(|comment| !(1..=1000).contains(&comment.chars().count())) {
        return Err(Error::invalid("comment", "must have 1 to 1000 characters"));
    }
    if new.lines.len() > MAX_LINES {
        return Err(Error::invalid("lines", format!("must be at most {MAX_LINES}")));
    }
    let lots = expected_lots(tx, new).await?;
    let (id, enterprise_id, now, actor) =
        (ReceiptSheetId::new(), tx.enterprise_id(), tx.now().await?, tx.actor().to_string());
    sqlx::query!(
        "INSERT INTO receipt_sheets (enterprise_id, id, warehouse_id, number, comment, actor, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        enterprise_id as _,
        id as _,
        new.warehouse_id as _,
        number,
        comment,
        actor,
        now,
    )
    .execute(tx.conn())
    .await
    .refused_on("receipt_sheets_number_key", Refusal::ReceiptSheetNumberTaken, || {
        format!("there is already a receipt sheet {number}")
    })?;
    insert_lines(tx, id, &lots).await?;
    let sheet = look::show(tx, id).await?;
    audit::created(tx, Action::ReceiptSheetOpened, Object::of("receipt_sheet", id), &sheet).await?;
    Ok(sheet)
}

/// What is expected, each lot once.
async fn expected_lots(tx: &mut EnterpriseTx, new: &NewSheet) -> Result<Vec<(ProductId, LotId, i32)>> {
    for (row, line) in new.lines.iter().enumerate() {
        super::batch::check_quantity(row, line.quantity)?;
    }
    if new.lines.is_empty() {
        return Ok(Vec::new());
    }
    let heading = Heading { warehouse_id: new.warehouse_id, number: None, comment: None, mode: Mode::AllOrNothing };
    let items = new.lines.iter().map(|line| &line.item);
    let mut batch = Batch::open(tx, &heading, Permission::ReceiveGoods, items, std::iter::empty()).await?;
    let judge = |row| -> Verdict<(ProductId, LotId)> { Ok((batch.incoming(row)?, batch.own_lot(row)?)) };
    let verdicts = (0..new.lines.len()).map(judge).collect();
    let found: Vec<_> = settle(heading.mode, verdicts)?.into_iter().flatten().collect();
    batch.make_lots(tx, found.iter().map(|(_, lot)| *lot)).await?;
    let mut lots: Vec<(ProductId, LotId, i32)> = Vec::new();
    for (found, line) in found.into_iter().zip(&new.lines) {
        match lots.iter_mut().find(|(_, lot, _)| *lot == found.1) {
            Some((_, _, quantity)) => *quantity = quantity.saturating_add(line.quantity),
            None => lots.push((found.0, found.1, line.quantity)),
        }
    }
    Ok(lots)
}

/// Adds lines; a lot that has one keeps it.
async fn insert_lines(tx: &mut EnterpriseTx, sheet_id: ReceiptSheetId, lots: &[(ProductId, LotId, i32)]) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    sqlx::query!(
        "INSERT INTO receipt_sheet_lines (enterprise_id, id, sheet_id, product_id, lot_id, expected)
         SELECT $1, l.id, $2, l.product_id, l.lot_id, l.expected
         FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::int[]) AS l (id, product_id, lot_id, expected)
         ON CONFLICT (enterprise_id, sheet_id, lot_id) DO NOTHING",
        enterprise_id as _,
        sheet_id as _,
        &lots.iter().map(|_| ReceiptSheetLineId::new().0).collect::<Vec<_>>(),
        &lots.iter().map(|(product, ..)| product.0).collect::<Vec<_>>(),
        &lots.iter().map(|(_, lot, _)| lot.0).collect::<Vec<_>>(),
        &lots.iter().map(|(.., expected)| *expected).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
