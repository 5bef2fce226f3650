//! Moves from cell to cell of one warehouse, put-away among them. What is reserved or on hold stays where it is.

use super::EntryKind;
use super::admit::{Rows, judge_rows};
use super::batch::{Batch, DocumentKind, Heading, Item, Part, Posted, Verdict, check_quantity, document, touched};
use super::shelf::{Full, Shelf, Short, Taken, Want};
use super::write::{By, Moved, write};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::StockEntryId;
use crate::{Refusal, Result};

/// So many units from one cell into another.
#[derive(Clone, Debug)]
pub struct MoveLine {
    /// What.
    pub item: Item,
    /// The code of the cell where it lies.
    pub from: String,
    /// The code of the cell where it shall lie.
    pub to: String,
    /// Units.
    pub quantity: i32,
}

/// Moves goods. A line may move on what a line before it has brought.
pub async fn move_stock(tx: &mut EnterpriseTx, heading: &Heading, lines: &[MoveLine]) -> Result<Posted> {
    for (row, line) in lines.iter().enumerate() {
        check_quantity(row, line.quantity)?;
    }
    let codes = lines.iter().flat_map(|line| [&line.from, &line.to]);
    let mut batch = Batch::open(tx, heading, Permission::MoveStock, lines.iter().map(|line| &line.item), codes).await?;
    let mut shelf = Shelf::in_cells(tx, &batch.cells(), &batch.products()).await?;
    let rows = Rows {
        count: lines.len(),
        mode: heading.mode,
        kind: EntryKind::Move,
        limited: batch.limited(lines.iter().map(|line| &line.to)),
    };
    let judge = |batch: &mut Batch, shelf: &mut Shelf, row: usize| judge(batch, shelf, heading, row, &lines[row]);
    let rows = judge_rows(tx, &mut batch, &mut shelf, rows, judge, |(_, moved)| *moved).await?;
    let moved: Vec<_> = rows.iter().flatten().flatten().map(|(_, moved)| *moved).collect();
    let rows: Vec<_> =
        rows.into_iter().map(|row| row.map(|parts| parts.into_iter().map(|(part, _)| part).collect())).collect();
    let document = document(tx, heading, DocumentKind::Move, &rows).await?;
    let by = By { document: document.as_ref().map(|document| document.id), ..By::default() };
    write(tx, EntryKind::Move, by, &moved).await?;
    let freed = touched(&rows);
    Ok(Posted { document, rows, freed })
}

fn judge(
    batch: &Batch,
    shelf: &mut Shelf,
    heading: &Heading,
    row: usize,
    line: &MoveLine,
) -> Verdict<Vec<(Part, Moved)>> {
    let product_id = batch.product(row)?;
    let lot_id = batch.lot(row)?;
    let (from, to) = (batch.giving_cell(&line.from)?, batch.taking_cell(&line.to)?);
    if from == to {
        return Err((Refusal::SameCell, format!("it already lies in {}", line.to)));
    }
    let warehouse_id = heading.warehouse_id;
    let want = Want { product_id, warehouse_id, cell_id: Some(from), lot_id, quantity: line.quantity };
    let taken = shelf.take(want).map_err(|short| too_little(&line.from, line.quantity, short))?;
    let part = |Taken { cell_id, lot_id, quantity }: Taken| {
        let id = StockEntryId::new();
        let part = Part { id: id.0, product_id, lot_id, cell_id, quantity };
        let (from, to) = (cell_id.into(), to.into());
        (part, Moved { id, product_id, lot_id, from, to, quantity, order: None, reason: None })
    };
    for taken in &taken {
        let put = shelf.put(warehouse_id, product_id, Taken { cell_id: to, ..*taken });
        put.map_err(|full| too_much(&line.to, full))?;
    }
    Ok(taken.into_iter().map(part).collect())
}

/// Says that nobody could count what would lie there.
pub(super) fn too_much(place: &str, Full { on_hand }: Full) -> (Refusal, String) {
    (Refusal::CellFull, format!("{place} holds {on_hand} of it: no cell holds more than {} units of a lot", i32::MAX))
}

/// Says what is there instead of what was wanted.
pub(super) fn too_little(place: &str, wanted: i32, short: Short) -> (Refusal, String) {
    let Short { on_hand, free } = short;
    let detail = if free == on_hand {
        format!("{place} holds {on_hand}, not {wanted}")
    } else {
        format!("{place} holds {on_hand}, {free} of them free: {wanted} are too many")
    };
    (Refusal::NotEnoughStock, detail)
}
