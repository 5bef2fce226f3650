//! Cells that give and take nothing while they are counted, and who is served when they are let go.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::store::Held;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, CountId};
use crate::jobs::{Job, Queue};
use crate::{Error, Result, inventory, orders};

/// Cells of one page of serving.
const PAGE: i64 = 50;

/// Serves the orders that waited for what lies in cells that a count has let go.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ServeThawed {
    /// Which count.
    pub count_id: CountId,
}

/// Without a key: a run that is under way may have passed by the cells that are let go now.
impl Job for ServeThawed {
    const KIND: &'static str = "counts.serve_thawed";
    const QUEUE: Queue = Queue::Default;
}

/// Freezes cells, and waits for everybody who is just moving something there. Whoever moves between several of them may wait
/// for us in turn: then it is we who give up, before the database chooses one.
pub(super) async fn freeze(tx: &mut EnterpriseTx, id: CountId, cells: &[CellId]) -> Result<()> {
    let cells: Vec<_> = cells.iter().map(|cell| cell.0).collect();
    sqlx::query("SET LOCAL lock_timeout = '500ms'").execute(tx.conn()).await?;
    sqlx::query!("SELECT id FROM cells WHERE id = ANY($1) ORDER BY id FOR UPDATE", &cells)
        .fetch_all(tx.conn())
        .await
        .map_err(busy)?;
    sqlx::query("SET LOCAL lock_timeout TO DEFAULT").execute(tx.conn()).await?;
    sqlx::query!("UPDATE cells SET frozen_count_id = $2 WHERE id = ANY($1)", &cells, id as _)
        .execute(tx.conn())
        .await?;
    Ok(())
}

fn busy(error: sqlx::Error) -> Error {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
        Some(code) if code == "55P03" => Error::Unavailable {
            what: "a cell in which somebody is just working",
            retry_after: Some(Duration::from_secs(1)),
            source: Some(error.into()),
        },
        _ => error.into(),
    }
}

/// Lets those of these cells go that are counted and hold what was known.
pub(super) async fn thaw_settled(tx: &mut EnterpriseTx, count: &Held, cells: &[CellId]) -> Result<()> {
    if !count.freeze {
        return Ok(());
    }
    let settled: Vec<CellId> = sqlx::query_scalar!(
        r#"SELECT c.id FROM cells AS c
           WHERE c.id = ANY($2) AND c.frozen_count_id = $1
             AND NOT EXISTS (SELECT FROM count_lines AS l
                             WHERE l.count_id = $1 AND l.cell_id = c.id
                               AND ((l.counted IS NULL AND NOT l.kept) OR l.difference <> 0 OR l.disputed))
           ORDER BY c.id FOR NO KEY UPDATE"#,
        count.id as _,
        &cells.iter().map(|cell| cell.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    thaw(tx, count.id, &settled).await
}

/// Ends the count of its cells, and lets all go that are still frozen.
pub(super) async fn thaw_all(tx: &mut EnterpriseTx, id: CountId) -> Result<()> {
    let frozen =
        sqlx::query_scalar!("SELECT id FROM cells WHERE frozen_count_id = $1 ORDER BY id FOR NO KEY UPDATE", id as _)
            .fetch_all(tx.conn())
            .await?;
    thaw(tx, id, &frozen).await?;
    let now = tx.now().await?;
    sqlx::query!("UPDATE count_cells SET ended_at = $2 WHERE count_id = $1 AND ended_at IS NULL", id as _, now)
        .execute(tx.conn())
        .await?;
    Ok(())
}

async fn thaw(tx: &mut EnterpriseTx, id: CountId, cells: &[CellId]) -> Result<()> {
    if cells.is_empty() {
        return Ok(());
    }
    let (cells, now): (Vec<_>, _) = (cells.iter().map(|cell| cell.0).collect(), tx.now().await?);
    sqlx::query!("UPDATE cells SET frozen_count_id = NULL WHERE id = ANY($1)", &cells).execute(tx.conn()).await?;
    sqlx::query!(
        "UPDATE count_cells SET thawed_at = $3 WHERE count_id = $1 AND cell_id = ANY($2) AND thawed_at IS NULL",
        id as _,
        &cells,
        now,
    )
    .execute(tx.conn())
    .await?;
    // Whoever counts has their turn at some products already; those who waited are served by a job, which lines up by itself.
    tx.enqueue(&ServeThawed { count_id: id }).await?;
    Ok(())
}

/// Serves who waited for what lies in some of the cells that were let go; false when there are none left.
pub async fn serve_thawed_page(tx: &mut EnterpriseTx, id: CountId) -> Result<bool> {
    let cells = sqlx::query_scalar!(
        "SELECT cell_id FROM count_cells WHERE count_id = $1 AND thawed_at IS NOT NULL AND served_at IS NULL
         ORDER BY cell_id LIMIT $2",
        id as _,
        PAGE,
    )
    .fetch_all(tx.conn())
    .await?;
    if cells.is_empty() {
        return Ok(false);
    }
    let lie = inventory::line_up_at(tx, &cells).await?;
    let mut free = inventory::free_in(tx, &cells).await?;
    free.retain(|product| lie.contains(product));
    orders::reserve_waiting(tx, &free).await?;
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE count_cells SET served_at = $3 WHERE count_id = $1 AND cell_id = ANY($2)",
        id as _,
        &cells.iter().map(|cell| cell.0).collect::<Vec<_>>(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(true)
}
