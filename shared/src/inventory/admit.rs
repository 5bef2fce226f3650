//! Judging the rows of a batch one after the other: each sees what the rows before it took and put. What a cell with limits
//! takes is known to the database alone, which sees what everybody puts into it: where each row stands for itself, rows are
//! tried one by one before any of them is written, and what is refused hinders no other.

use std::collections::HashSet;

use uuid::Uuid;

use super::EntryKind;
use super::batch::{Batch, Mode, Verdict, settle};
use super::shelf::Shelf;
use super::write::{By, Moved, write};
use crate::db::EnterpriseTx;
use crate::error::RowRefused;
use crate::ids::LotId;
use crate::{Error, Result};

/// What a row wants to write, or why it is refused.
pub(super) type Judged<T> = std::result::Result<Vec<T>, RowRefused>;

/// The rows of a batch.
pub(super) struct Rows {
    pub count: usize,
    pub mode: Mode,
    pub kind: EntryKind,
    /// The cells with limits into which any of them puts something.
    pub limited: Vec<Uuid>,
}

/// Judges the rows. A batch that is done whole is refused whole; by cells, when it is written.
pub(super) async fn judge_rows<T>(
    tx: &mut EnterpriseTx,
    batch: &mut Batch,
    shelf: &mut Shelf,
    rows: Rows,
    mut judge: impl FnMut(&mut Batch, &mut Shelf, usize) -> Verdict<Vec<T>>,
    moved: impl Fn(&T) -> Moved,
) -> Result<Vec<Judged<T>>> {
    let Rows { count, mode, kind, limited } = rows;
    if mode == Mode::AllOrNothing || limited.is_empty() {
        let verdicts = (0..count).map(|row| {
            let before = batch.product(row).ok().map(|product| shelf.of(product));
            let verdict = judge(batch, shelf, row);
            undo(shelf, verdict, before)
        });
        return settle(mode, verdicts.collect());
    }
    // As whoever writes a batch in one statement does: its warehouse first, then whatever it touches, then what has limits,
    // each in one order.
    let touched: Vec<_> = batch.cells().iter().map(|cell| cell.0).collect();
    sqlx::query!(
        "SELECT id FROM warehouses WHERE id IN (SELECT warehouse_id FROM cells WHERE id = ANY($1)) ORDER BY id FOR KEY SHARE",
        &touched
    )
    .fetch_all(tx.conn())
    .await?;
    sqlx::query!("SELECT id FROM cells WHERE id = ANY($1) ORDER BY id FOR KEY SHARE", &touched)
        .fetch_all(tx.conn())
        .await?;
    sqlx::query!("SELECT id FROM cells WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", &limited)
        .fetch_all(tx.conn())
        .await?;
    sqlx::query("SAVEPOINT batch").execute(tx.conn()).await?;
    let (mut verdicts, mut made) = (Vec::with_capacity(count), HashSet::new());
    for row in 0..count {
        let before = batch.product(row).ok().map(|product| shelf.of(product));
        let verdict = match judge(batch, shelf, row) {
            Ok(parts) => attempt(tx, batch, kind, parts, &moved, &mut made).await?,
            Err(refused) => Err(refused),
        };
        verdicts.push(undo(shelf, verdict, before));
    }
    sqlx::query("ROLLBACK TO SAVEPOINT batch").execute(tx.conn()).await?;
    settle(mode, verdicts)
}

/// After a row that is refused its goods lie as they lay before it.
fn undo<T>(shelf: &mut Shelf, verdict: Verdict<T>, before: Option<super::shelf::Lies>) -> Verdict<T> {
    if let (Err(_), Some(before)) = (&verdict, before) {
        shelf.put_back(before);
    }
    verdict
}

async fn attempt<T>(
    tx: &mut EnterpriseTx,
    batch: &Batch,
    kind: EntryKind,
    parts: Vec<T>,
    moved: impl Fn(&T) -> Moved,
    made: &mut HashSet<LotId>,
) -> Result<Verdict<Vec<T>>> {
    let entries: Vec<_> = parts.iter().map(moved).collect();
    let lots: HashSet<_> = entries.iter().map(|entry| entry.lot_id).filter(|lot| !made.contains(lot)).collect();
    sqlx::query("SAVEPOINT row_of_batch").execute(tx.conn()).await?;
    batch.make_lots(tx, lots.iter().copied()).await?;
    match write(tx, kind, By::default(), &entries).await {
        Ok(()) => {
            sqlx::query("RELEASE SAVEPOINT row_of_batch").execute(tx.conn()).await?;
            made.extend(lots);
            Ok(Ok(parts))
        }
        Err(Error::Refused { refusal, detail, .. }) => {
            sqlx::query("ROLLBACK TO SAVEPOINT row_of_batch").execute(tx.conn()).await?;
            Ok(Err((refusal, detail)))
        }
        Err(other) => Err(other),
    }
}
