//! Rows that cells do not admit, where each row stands for itself. What a cell takes is known to the database alone, which
//! sees what everybody puts into it: the rows are tried one by one before any of them is written.

use super::EntryKind;
use super::batch::{Batch, Mode};
use super::write::{By, Moved, write};
use crate::db::EnterpriseTx;
use crate::error::RowRefused;
use crate::{Error, Result};

/// What a row wants to write, or why it is refused already.
pub(super) type Judged<T> = std::result::Result<Vec<T>, RowRefused>;

/// Refuses rows that put goods where they are not taken. A batch that is done whole is refused whole, when it is written.
pub(super) async fn admit<T>(
    tx: &mut EnterpriseTx,
    batch: &Batch,
    mode: Mode,
    kind: EntryKind,
    rows: Vec<Judged<T>>,
    moved: impl Fn(&T) -> Moved,
) -> Result<Vec<Judged<T>>> {
    let all = rows.iter().flatten().flatten();
    let limited: Vec<_> = all
        .filter_map(|part| moved(part).to.cell_id())
        .filter(|cell| batch.is_limited(*cell))
        .map(|cell| cell.0)
        .collect();
    if mode == Mode::AllOrNothing || limited.is_empty() {
        return Ok(rows);
    }
    // Its warehouse before them, as whoever writes a document first.
    sqlx::query!(
        "SELECT id FROM warehouses WHERE id IN (SELECT warehouse_id FROM cells WHERE id = ANY($1)) ORDER BY id FOR KEY SHARE",
        &limited
    )
    .fetch_all(tx.conn())
    .await?;
    // All of them at once and in the order of their ids, as whoever writes a batch in one statement does.
    sqlx::query!("SELECT id FROM cells WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", &limited)
        .fetch_all(tx.conn())
        .await?;
    sqlx::query("SAVEPOINT batch").execute(tx.conn()).await?;
    let mut admitted = Vec::with_capacity(rows.len());
    for (row, judged) in rows.into_iter().enumerate() {
        admitted.push(match judged {
            Ok(parts) => attempt(tx, kind, row, parts, &moved).await?,
            Err(refused) => Err(refused),
        });
    }
    sqlx::query("ROLLBACK TO SAVEPOINT batch").execute(tx.conn()).await?;
    Ok(admitted)
}

async fn attempt<T>(
    tx: &mut EnterpriseTx,
    kind: EntryKind,
    row: usize,
    parts: Vec<T>,
    moved: impl Fn(&T) -> Moved,
) -> Result<Judged<T>> {
    let entries: Vec<_> = parts.iter().map(moved).collect();
    sqlx::query("SAVEPOINT row_of_batch").execute(tx.conn()).await?;
    match write(tx, kind, By::default(), &entries).await {
        Ok(()) => {
            sqlx::query("RELEASE SAVEPOINT row_of_batch").execute(tx.conn()).await?;
            Ok(Ok(parts))
        }
        Err(Error::Refused { refusal, detail, .. }) => {
            sqlx::query("ROLLBACK TO SAVEPOINT row_of_batch").execute(tx.conn()).await?;
            Ok(Err(RowRefused { row, refusal, detail }))
        }
        Err(other) => Err(other),
    }
}
