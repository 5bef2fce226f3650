//! Corrections: adjustments up and down, and write-offs, each with its reason. What is reserved or on hold is not taken.

use serde::{Deserialize, Serialize};

use super::admit::{Judged, Rows, judge_rows};
use super::batch::{Batch, DocumentKind, Heading, Item, Posted, Row, Verdict, check_quantity, document, touched};
use super::moves::{too_little, too_much};
use super::shelf::{Shelf, Taken, Want};
use super::write::{By, Moved, write};
use super::{EntryKind, Outside};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::error::RowRefused;
use crate::ids::{ProductId, StockEntryId};
use crate::{Error, Result};

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
        #[serde(rename_all = "snake_case")]
        #[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

reasons! {
    /// Why a balance is corrected.
    AdjustReason {
        /// More is there than was known.
        Found = "found",
        /// Less is there than was known.
        Missing = "missing",
        /// It was counted or written down wrongly.
        Miscounted = "miscounted",
        /// It was there before this ledger.
        Opening = "opening",
        /// The comment says.
        Other = "other",
    }
}

reasons! {
    /// Why goods are written off.
    WriteOffReason {
        /// Broken in the warehouse.
        Damaged = "damaged",
        /// Came as it cannot be sold.
        Defective = "defective",
        /// Its last day of sale has passed.
        Expired = "expired",
        /// Cannot be found.
        Lost = "lost",
        /// Taken for the enterprise's own needs.
        Used = "used",
        /// The comment says.
        Other = "other",
    }
}

/// So many units more or less in a cell.
#[derive(Clone, Debug)]
pub struct AdjustLine {
    /// What. A lot that nobody has heard of is made where there is more.
    pub item: Item,
    /// The code of the cell.
    pub cell: String,
    /// Units, negative where there are fewer.
    pub change: i32,
    /// Why.
    pub reason: AdjustReason,
}

/// So many units out of a cell for good.
#[derive(Clone, Debug)]
pub struct WriteOffLine {
    /// What.
    pub item: Item,
    /// The code of the cell.
    pub cell: String,
    /// Units.
    pub quantity: i32,
    /// Why.
    pub reason: WriteOffReason,
}

/// Corrects balances by what a person found.
pub async fn adjust(tx: &mut EnterpriseTx, heading: &Heading, lines: &[AdjustLine]) -> Result<Posted> {
    for (row, line) in lines.iter().enumerate() {
        if line.change == 0 || line.change.unsigned_abs() > 1_000_000 {
            let field = format!("lines.{row}.change");
            return Err(Error::invalid(field, "must be between -1000000 and 1000000, and not 0"));
        }
        check_words(heading, row, line.reason == AdjustReason::Other)?;
    }
    let (items, codes) = (lines.iter().map(|line| &line.item), lines.iter().map(|line| &line.cell));
    let mut batch = Batch::open(tx, heading, Permission::AdjustStock, items, codes).await?;
    let mut shelf = Shelf::in_cells(tx, &batch.cells(), &batch.products()).await?;
    let judge = |batch: &mut Batch, shelf: &mut Shelf, row: usize| {
        let line = &lines[row];
        let (reason, quantity) = (line.reason.name(), line.change.saturating_abs());
        batch.check_uncounted(&line.cell)?;
        if line.change > 0 {
            bring(batch, shelf, heading, row, &line.cell, quantity, reason)
        } else {
            remove(batch, shelf, heading, row, (&line.cell, quantity), (Outside::Adjustment, reason))
        }
    };
    let rows = Rows {
        count: lines.len(),
        mode: heading.mode,
        kind: EntryKind::Adjust,
        limited: batch.limited(lines.iter().filter(|line| line.change > 0).map(|line| &line.cell)),
    };
    let judged = judge_rows(tx, &mut batch, &mut shelf, rows, judge, |moved| *moved).await?;
    post(tx, heading, &batch, (DocumentKind::Adjust, EntryKind::Adjust), judged).await
}

/// Writes goods off.
pub async fn write_off(tx: &mut EnterpriseTx, heading: &Heading, lines: &[WriteOffLine]) -> Result<Posted> {
    for (row, line) in lines.iter().enumerate() {
        check_quantity(row, line.quantity)?;
        check_words(heading, row, line.reason == WriteOffReason::Other)?;
    }
    let (items, codes) = (lines.iter().map(|line| &line.item), lines.iter().map(|line| &line.cell));
    let mut batch = Batch::open(tx, heading, Permission::AdjustStock, items, codes).await?;
    let mut shelf = Shelf::in_cells(tx, &batch.cells(), &batch.products()).await?;
    let judge = |batch: &mut Batch, shelf: &mut Shelf, row: usize| {
        let line = &lines[row];
        remove(batch, shelf, heading, row, (&line.cell, line.quantity), (Outside::Loss, line.reason.name()))
    };
    let rows = Rows { count: lines.len(), mode: heading.mode, kind: EntryKind::WriteOff, limited: Vec::new() };
    let judged = judge_rows(tx, &mut batch, &mut shelf, rows, judge, |moved| *moved).await?;
    post(tx, heading, &batch, (DocumentKind::WriteOff, EntryKind::WriteOff), judged).await
}

/// Another reason than those of the list is told in words.
fn check_words(heading: &Heading, row: usize, is_other: bool) -> Result<()> {
    if is_other && heading.comment.is_none() {
        return Err(Error::invalid("comment", format!("must say why, as line {} names no reason", row + 1)));
    }
    Ok(())
}

fn bring(
    batch: &mut Batch,
    shelf: &mut Shelf,
    heading: &Heading,
    row: usize,
    cell: &str,
    quantity: i32,
    reason: &'static str,
) -> Verdict<Vec<Moved>> {
    let (product_id, cell_id) = (batch.incoming(row)?, batch.taking_cell(cell)?);
    let lot_id = batch.own_lot(row)?;
    shelf
        .put(heading.warehouse_id, product_id, Taken { cell_id, lot_id, quantity })
        .map_err(|full| too_much(cell, full))?;
    let (from, to) = (Outside::Adjustment.into(), cell_id.into());
    let id = StockEntryId::new();
    Ok(vec![Moved { id, product_id, lot_id, from, to, quantity, order: None, reason: Some(reason) }])
}

fn remove(
    batch: &Batch,
    shelf: &mut Shelf,
    heading: &Heading,
    row: usize,
    (cell, quantity): (&str, i32),
    (to, reason): (Outside, &'static str),
) -> Verdict<Vec<Moved>> {
    let (product_id, lot_id, cell_id) = (batch.product(row)?, batch.lot(row)?, batch.giving_cell(cell)?);
    let want = Want { product_id, warehouse_id: heading.warehouse_id, cell_id: Some(cell_id), lot_id, quantity };
    let taken = shelf.take(want).map_err(|short| too_little(cell, quantity, short))?;
    let moved = |Taken { cell_id, lot_id, quantity }: Taken| Moved {
        id: StockEntryId::new(),
        product_id,
        lot_id,
        from: cell_id.into(),
        to: to.into(),
        quantity,
        order: None,
        reason: Some(reason),
    };
    Ok(taken.into_iter().map(moved).collect())
}

async fn post(
    tx: &mut EnterpriseTx,
    heading: &Heading,
    batch: &Batch,
    (document_kind, kind): (DocumentKind, EntryKind),
    judged: Vec<Judged<Moved>>,
) -> Result<Posted> {
    let moved: Vec<_> = judged.iter().flatten().flatten().copied().collect();
    batch.make_lots(tx, moved.iter().map(|moved| moved.lot_id)).await?;
    let freed: Vec<ProductId> =
        moved.iter().filter(|moved| moved.to.cell_id().is_some()).map(|moved| moved.product_id).collect();
    let shown = |row: std::result::Result<Vec<Moved>, RowRefused>| -> Row {
        row.map(|moved| moved.iter().filter_map(Moved::part).collect())
    };
    let rows: Vec<_> = judged.into_iter().map(shown).collect();
    let document = document(tx, heading, document_kind, &rows).await?;
    let by = By { document: document.as_ref().map(|document| document.id), ..By::default() };
    write(tx, kind, by, &moved).await?;
    let freed = touched(&rows).into_iter().filter(|product| freed.contains(product)).collect();
    Ok(Posted { document, rows, freed })
}
