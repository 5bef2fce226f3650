//! What jobs saw of a supply at Wildberries.

use super::{Supply, SupplyStatus, show, write_history};
use crate::db::EnterpriseTx;
use crate::ids::{OrderId, SupplyId, WbOrderId, WbSupplyId};
use crate::orders::{self, OrderStatus};
use crate::{Error, Result, inventory, requests};

/// What a job needs to know before it calls.
#[derive(Clone, Debug)]
pub struct Task {
    /// As it stands.
    pub supply: Supply,
    /// The orders that should be in it, by their numbers.
    pub orders: Vec<WbOrderId>,
}

/// Reads the supply for a job.
pub async fn open_task(tx: &mut EnterpriseTx, id: SupplyId) -> Result<Task> {
    let supply = show(tx, id).await?;
    let orders = sqlx::query_scalar!(
        "SELECT wb_order_id FROM orders WHERE supply_id = $1 AND status NOT IN ('cancelled', 'impossible') ORDER BY wb_order_id",
        id as _
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Task { supply, orders })
}

async fn status(tx: &mut EnterpriseTx, id: SupplyId) -> Result<SupplyStatus> {
    sqlx::query_scalar!("SELECT status FROM supplies WHERE id = $1 FOR NO KEY UPDATE", id as _)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(Error::NotFound("supply"))
}

/// It exists at Wildberries under this number.
pub async fn record_published(tx: &mut EnterpriseTx, id: SupplyId, wb_supply_id: &WbSupplyId) -> Result<()> {
    let from = status(tx, id).await?;
    if from == SupplyStatus::Draft {
        sqlx::query!(
            "UPDATE supplies SET status = 'open', wb_supply_id = $2, problem_code = NULL, problem_detail = NULL WHERE id = $1",
            id as _,
            wb_supply_id.0
        )
        .execute(tx.conn())
        .await?;
        write_history(tx, id, Some(from), SupplyStatus::Open, Some(&wb_supply_id.0)).await?;
    }
    Ok(())
}

/// Wildberries showed these orders in it.
pub async fn record_orders(tx: &mut EnterpriseTx, id: SupplyId, seen: &[WbOrderId]) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE orders SET in_supply_at = coalesce(in_supply_at, $3), changed_at = $3,
                supplier_status = CASE WHEN supplier_status = 'new' THEN 'confirm' ELSE supplier_status END
         WHERE supply_id = $1 AND wb_order_id = ANY($2) AND in_supply_at IS NULL",
        id as _,
        &seen.iter().map(|order| order.0).collect::<Vec<_>>(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Wildberries shows the shipping parameters that were wished for.
pub async fn record_shipping(tx: &mut EnterpriseTx, id: SupplyId) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE supplies SET shipping_set_at = $2, problem_code = NULL, problem_detail = NULL WHERE id = $1",
        id as _,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Wildberries shows it as handed to delivery: its orders leave the warehouse.
pub async fn record_delivered(tx: &mut EnterpriseTx, id: SupplyId) -> Result<()> {
    let from = status(tx, id).await?;
    if from == SupplyStatus::Delivering || from == SupplyStatus::Accepted {
        return Ok(());
    }
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE supplies SET status = 'delivering', delivered_at = $2, problem_code = NULL, problem_detail = NULL WHERE id = $1",
        id as _,
        now
    )
    .execute(tx.conn())
    .await?;
    write_history(tx, id, Some(from), SupplyStatus::Delivering, None).await?;
    ship(tx, id).await?;
    Ok(())
}

/// Wildberries scanned it.
pub async fn record_accepted(tx: &mut EnterpriseTx, id: SupplyId) -> Result<()> {
    record_delivered(tx, id).await?;
    let from = status(tx, id).await?;
    if from != SupplyStatus::Accepted {
        let now = tx.now().await?;
        sqlx::query!("UPDATE supplies SET status = 'accepted', accepted_at = $2 WHERE id = $1", id as _, now)
            .execute(tx.conn())
            .await?;
        write_history(tx, id, Some(from), SupplyStatus::Accepted, None).await?;
    }
    Ok(())
}

/// A job ended without having done it: the supply says why.
pub async fn note_problem(tx: &mut EnterpriseTx, id: SupplyId, code: &str, detail: &str) -> Result<()> {
    sqlx::query!(
        "UPDATE supplies SET problem_code = $2, problem_detail = $3, deliver_asked_at = NULL WHERE id = $1",
        id as _,
        code,
        detail
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn clear_problem(tx: &mut EnterpriseTx, id: SupplyId) -> Result<()> {
    sqlx::query!("UPDATE supplies SET problem_code = NULL, problem_detail = NULL WHERE id = $1", id as _)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The orders of a supply that was delivered leave the warehouse.
pub async fn ship(tx: &mut EnterpriseTx, supply_id: SupplyId) -> Result<usize> {
    let orders =
        sqlx::query_scalar!("SELECT id FROM orders WHERE supply_id = $1", supply_id as _).fetch_all(tx.conn()).await?;
    inventory::line_up_for(tx, &orders).await?;
    let rows = sqlx::query!(
        "SELECT id, status FROM orders WHERE supply_id = $1 ORDER BY id FOR NO KEY UPDATE",
        supply_id as _
    )
    .fetch_all(tx.conn())
    .await?;
    let mut shipped = 0;
    for from in OrderStatus::ALL.into_iter().filter(|status| status.next().contains(&OrderStatus::Shipped)) {
        let orders: Vec<_> = rows.iter().filter(|row| row.status == from).map(|row| row.id).collect();
        ship_from(tx, &orders, from).await?;
        shipped += orders.len();
    }
    Ok(shipped)
}

/// These orders, all in one status, leave the warehouse. Whoever calls has lined up at their products.
pub async fn ship_from(tx: &mut EnterpriseTx, orders: &[OrderId], from: OrderStatus) -> Result<()> {
    inventory::ship(tx, orders).await?;
    requests::close_lines(tx, orders).await?;
    orders::step(tx, orders, from, OrderStatus::Shipped, None).await
}
