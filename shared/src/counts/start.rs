//! Starting a count fixes what is to be counted: its cells, and every lot that lies there, as the ledger has it at this moment.

use super::store::{self, Held};
use super::{Count, CountScope, CountStatus, checked_comment, freeze, look};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{CellId, CountId, CountLineId};
use crate::{Error, Refusal, Result, warehouses};

/// Starts a count.
pub async fn start(tx: &mut EnterpriseTx, id: CountId, comment: Option<&str>) -> Result<Count> {
    let comment = checked_comment(comment)?;
    let held = store::hold(tx, id, Permission::ManageCounts).await?;
    held.status.require(CountStatus::Planned)?;
    warehouses::enter_open(tx, held.warehouse_id, Permission::ManageCounts).await?;
    let cells = cells_of(tx, &held).await?;
    if cells.is_empty() && held.scope != CountScope::Products {
        return Err(Error::refused(Refusal::CountEmpty, "no cell of it holds what is counted"));
    }
    check_alone(tx, &cells).await?;
    take_cells(tx, &held, &cells).await?;
    if held.freeze {
        freeze::freeze(tx, id, &cells).await?;
    }
    let now = tx.now().await?;
    sqlx::query!("UPDATE counts SET round = 1, started_at = $2 WHERE id = $1", id as _, now).execute(tx.conn()).await?;
    take_lines(tx, &held).await?;
    store::step(tx, &held, CountStatus::Counting, comment).await?;
    let count = look::show(tx, id).await?;
    audit::noted(tx, Action::CountStarted, Object::of("count", id), &count).await?;
    Ok(count)
}

/// Of a count of products, the cells in which they lie.
async fn cells_of(tx: &mut EnterpriseTx, count: &Held) -> Result<Vec<CellId>> {
    Ok(sqlx::query_scalar!(
        "SELECT c.id FROM cells AS c
         WHERE c.warehouse_id = $1 AND c.archived_at IS NULL AND c.purpose IN ('receiving', 'storage', 'picking', 'quarantine')
           AND CASE $3
               WHEN 'warehouse' THEN true
               WHEN 'zones' THEN c.zone_id IN (SELECT t.zone_id FROM count_targets AS t WHERE t.count_id = $2)
               WHEN 'cells' THEN c.id IN (SELECT t.cell_id FROM count_targets AS t WHERE t.count_id = $2)
               ELSE c.id IN (SELECT b.cell_id FROM balances AS b JOIN count_targets AS t ON t.product_id = b.product_id
                             WHERE t.count_id = $2 AND b.on_hand > 0)
               END
         ORDER BY c.id",
        count.warehouse_id as _,
        count.id as _,
        count.scope as CountScope,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Refuses cells that another count has, in words.
pub(super) async fn check_alone(tx: &mut EnterpriseTx, cells: &[CellId]) -> Result<()> {
    let other = sqlx::query!(
        "SELECT c.code, k.name FROM count_cells AS o JOIN cells AS c ON c.id = o.cell_id JOIN counts AS k ON k.id = o.count_id
         WHERE o.cell_id = ANY($1) AND o.ended_at IS NULL ORDER BY c.code LIMIT 1",
        &cells.iter().map(|cell| cell.0).collect::<Vec<_>>(),
    )
    .fetch_optional(tx.conn())
    .await?;
    match other {
        None => Ok(()),
        Some(other) => Err(Error::refused(
            Refusal::CellUnderCount,
            format!("cell {} is being counted by «{}»: two would correct the same twice", other.code, other.name),
        )),
    }
}

/// Makes the cells the count's, as long as no other count has them.
pub(super) async fn take_cells(tx: &mut EnterpriseTx, count: &Held, cells: &[CellId]) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    sqlx::query!(
        "INSERT INTO count_cells (enterprise_id, count_id, cell_id)
         SELECT $1, $2, c.id FROM unnest($3::uuid[]) AS c (id) ON CONFLICT (enterprise_id, count_id, cell_id) DO NOTHING",
        enterprise_id as _,
        count.id as _,
        &cells.iter().map(|cell| cell.0).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await
    .refused_on("count_cells_open_key", Refusal::CellUnderCount, || "another count has just taken a cell of it".to_owned())?;
    Ok(())
}

/// A line for each lot that lies there, along the walking path: their ids rise with it.
async fn take_lines(tx: &mut EnterpriseTx, count: &Held) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    let lying = sqlx::query!(
        "SELECT b.cell_id, b.product_id, b.lot_id, b.on_hand
         FROM count_cells AS o
         JOIN cells AS c ON c.id = o.cell_id
         JOIN balances AS b ON b.cell_id = o.cell_id AND b.on_hand > 0
         JOIN products AS p ON p.id = b.product_id
         JOIN lots AS l ON l.id = b.lot_id
         WHERE o.count_id = $1
           AND ($2 <> 'products' OR b.product_id IN (SELECT t.product_id FROM count_targets AS t WHERE t.count_id = $1))
         ORDER BY c.pick_sequence, c.code, p.sku, p.id, l.expires_on, l.code, l.id",
        count.id as _,
        count.scope as CountScope,
    )
    .fetch_all(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO count_lines (enterprise_id, id, count_id, cell_id, product_id, lot_id, round, expected_at_start, expected)
         SELECT $1, l.id, $2, l.cell_id, l.product_id, l.lot_id, 1, l.on_hand, l.on_hand
         FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::int[]) AS l (id, cell_id, product_id, lot_id, on_hand)",
        enterprise_id as _,
        count.id as _,
        &lying.iter().map(|_| CountLineId::new().0).collect::<Vec<_>>(),
        &lying.iter().map(|row| row.cell_id.0).collect::<Vec<_>>(),
        &lying.iter().map(|row| row.product_id.0).collect::<Vec<_>>(),
        &lying.iter().map(|row| row.lot_id.0).collect::<Vec<_>>(),
        &lying.iter().map(|row| row.on_hand).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
