//! What Wildberries and the buyer did with an order, and what it means for our stock and our people.

use crate::db::EnterpriseTx;
use crate::ids::AccountId;
use crate::orders::{self, Changed, OrderStatus, StatusFacts};
use crate::{Result, inventory, requests, supplies};

/// What a page of statuses changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Orders whose statuses differ from what was known.
    pub changed: i64,
    /// Of these, cancelled now.
    pub cancelled: i64,
    /// Of these, received by the buyer now.
    pub delivered: i64,
}

/// Takes over statuses: a cancellation frees or calls back the unit wherever it is, `sold` closes the order, and a
/// supply that Wildberries closed by itself counts as shipped. Orders whose statuses are as known are not touched.
pub async fn apply_statuses(tx: &mut EnterpriseTx, account_id: AccountId, facts: &[StatusFacts]) -> Result<Followed> {
    let changed = orders::record_statuses(tx, account_id, facts).await?;
    let mut followed =
        Followed { changed: i64::try_from(changed.len()).expect("a page is small"), ..Followed::default() };
    for order in &changed {
        let Some(fact) = facts.iter().find(|fact| fact.wb_order_id == order.wb_order_id) else { continue };
        if fact.is_cancelled() {
            if cancel(tx, order, &format!("supplierStatus {}, wbStatus {}", fact.supplier_status, fact.wb_status))
                .await?
            {
                followed.cancelled += 1;
            }
        } else {
            let mut status = order.status;
            if fact.is_shipped() && status.next().contains(&OrderStatus::Shipped) {
                supplies::ship_from(tx, &[order.id], status).await?;
                status = OrderStatus::Shipped;
            }
            if fact.wb_status == "sold" && status == OrderStatus::Shipped {
                inventory::deliver(tx, order.id).await?;
                orders::step(tx, &[order.id], status, OrderStatus::Delivered, None).await?;
                followed.delivered += 1;
            }
        }
    }
    Ok(followed)
}

/// Cancelled by anybody. What was reserved is free again; what was picked must go back to its cell; what was handed
/// over is expected back.
async fn cancel(tx: &mut EnterpriseTx, order: &Changed, why: &str) -> Result<bool> {
    match order.status {
        OrderStatus::New | OrderStatus::OutOfStock | OrderStatus::Impossible => {}
        OrderStatus::Reserved | OrderStatus::Picking | OrderStatus::Picked | OrderStatus::Packed => {
            give_back(tx, order).await?;
        }
        OrderStatus::Shipped => inventory::expect_return(tx, order.id).await?,
        OrderStatus::Delivered | OrderStatus::Cancelled | OrderStatus::Returned => return Ok(false),
    }
    orders::step(tx, &[order.id], order.status, OrderStatus::Cancelled, Some(why)).await?;
    Ok(true)
}

/// Of a bundle some units may be picked and others not.
async fn give_back(tx: &mut EnterpriseTx, order: &Changed) -> Result<()> {
    let held = inventory::release(tx, &[order.id]).await?;
    requests::close_lines(tx, &[order.id]).await?;
    let Some(warehouse_id) = order.warehouse_id else { return Ok(()) };
    let freed = requests::call_back(tx, warehouse_id, held, "Заказ отменён: верните товар в ячейку").await?;
    orders::reserve_waiting(tx, &freed).await?;
    Ok(())
}
