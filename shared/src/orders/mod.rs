//! Assembly orders: one unit or one bundle for one buyer, with its own fulfilment status beside Wildberries' two.
//!
//! ```text
//!  new ─┬─▶ reserved ─▶ picking ─▶ picked ─▶ packed ─▶ shipped ─▶ delivered
//!       └─▶ out_of_stock ◀─▶ reserved         any but the last row ─▶ cancelled · impossible · returned
//! ```

mod follow;
mod import;
mod look;
mod store;

use serde::{Deserialize, Serialize};

use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, OrderId, ProductId, WarehouseId, WbWarehouseId};
use crate::inventory::{self, Allotted, Frees, Heading, Held, Posted, ReturnLine, Wanted};
use crate::jobs::{Job, Queue};
use crate::{Error, Refusal, Result};

pub use follow::{Changed, StatusFacts, followed, record_statuses};
pub use import::{Imported, OrderFacts, import};
pub(crate) use look::enter;
pub use look::{HistoryLine, Order, OrderFilter, get, history, list};

/// Where an order is in our own warehouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum OrderStatus {
    /// It arrived; its warehouse is not linked or its product not known yet.
    New,
    /// Nothing was free; it becomes reserved by itself when stock arrives.
    OutOfStock,
    /// What it needs is held for it.
    Reserved,
    /// It is in a picking request.
    Picking,
    /// Everything of it was scanned out of its cell.
    Picked,
    /// Its sticker was scanned onto it.
    Packed,
    /// The supply was delivered to Wildberries.
    Shipped,
    /// Wildberries says `sold`.
    Delivered,
    /// The picker could not find it.
    Impossible,
    /// By the buyer, the seller or Wildberries.
    Cancelled,
    /// It came back.
    Returned,
}

impl OrderStatus {
    /// Every status.
    pub const ALL: [Self; 11] = [
        Self::New,
        Self::OutOfStock,
        Self::Reserved,
        Self::Picking,
        Self::Picked,
        Self::Packed,
        Self::Shipped,
        Self::Delivered,
        Self::Impossible,
        Self::Cancelled,
        Self::Returned,
    ];

    /// Where it may go from here.
    pub fn next(self) -> &'static [Self] {
        use OrderStatus::{
            Cancelled, Delivered, Impossible, New, OutOfStock, Packed, Picked, Picking, Reserved, Returned, Shipped,
        };
        match self {
            New => &[Reserved, OutOfStock, Impossible, Cancelled],
            OutOfStock => &[Reserved, Impossible, Cancelled],
            Reserved => &[OutOfStock, Picking, Shipped, Impossible, Cancelled],
            Picking => &[Reserved, Picked, Shipped, Impossible, Cancelled],
            Picked => &[Packed, Shipped, Cancelled],
            Packed => &[Shipped, Cancelled],
            Shipped => &[Delivered, Cancelled],
            Delivered | Cancelled => &[Returned],
            Impossible => &[Cancelled],
            Returned => &[],
        }
    }

    /// The word of the API and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::OutOfStock => "out_of_stock",
            Self::Reserved => "reserved",
            Self::Picking => "picking",
            Self::Picked => "picked",
            Self::Packed => "packed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Impossible => "impossible",
            Self::Cancelled => "cancelled",
            Self::Returned => "returned",
        }
    }

    /// Refuses a step that the machine above does not have.
    pub fn check(self, to: Self) -> Result<()> {
        if self.next().contains(&to) {
            return Ok(());
        }
        Err(Error::Refused {
            refusal: if self == Self::Cancelled { Refusal::OrderCancelled } else { Refusal::OrderTransition },
            detail: format!("the order is {}, it cannot become {}", self.name(), to.name()),
            allowed: self.next().iter().map(|status| status.name().to_owned()).collect(),
        })
    }
}

/// Serves the orders that wait for these bundles.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReserveBundles {
    /// Which bundles.
    pub bundle_ids: Vec<ProductId>,
}

impl Job for ReserveBundles {
    const KIND: &'static str = "orders.reserve_bundles";
    const QUEUE: Queue = Queue::Import;
    // No unique key: a job that has just looked must not swallow the promise to look again.
}

/// Moves orders from one status to another and writes their history lines. Fails if one of them is not there any more.
pub async fn step(
    tx: &mut EnterpriseTx,
    orders: &[OrderId],
    from: OrderStatus,
    to: OrderStatus,
    comment: Option<&str>,
) -> Result<()> {
    from.check(to)?;
    store::step(tx, orders, from, to, comment).await
}

/// Marks the order of this sticker as packed: the sticker was scanned onto its item. Scanning it again changes nothing.
pub async fn pack(tx: &mut EnterpriseTx, sticker: &str) -> Result<Order> {
    tx.require(Permission::WorkRequests)?;
    let unknown = || Error::refused(Refusal::StickerUnknown, "no order has this sticker");
    let id = sqlx::query_scalar!("SELECT order_id FROM stickers WHERE barcode = $1", sticker.trim())
        .fetch_optional(tx.conn())
        .await?
        .ok_or_else(unknown)?;
    enter(tx, id, Permission::WorkRequests).await.map_err(|error| match error {
        Error::NotFound(_) => unknown(),
        other => other,
    })?;
    let order = store::lock(tx, id).await?.ok_or(Error::NotFound("order"))?;
    if order.status != OrderStatus::Packed {
        step(tx, &[id], order.status, OrderStatus::Packed, None).await?;
    }
    look::show(tx, id).await
}

/// Reserves for the orders that wait for these products, oldest first; what finds nothing says so. Orders of bundles are
/// served after that, by a job: they need other products too, and whose turn it is at them has its own order.
pub async fn reserve_waiting(tx: &mut EnterpriseTx, products: &[ProductId]) -> Result<usize> {
    inventory::line_up(tx, products).await?;
    let bundle_ids = store::awaited_bundles(tx, products).await?;
    let stored: Vec<_> = products.iter().copied().filter(|product| !bundle_ids.contains(product)).collect();
    if !bundle_ids.is_empty() {
        tx.enqueue(&ReserveBundles { bundle_ids }).await?;
    }
    let waiting = store::lock_waiting(tx, &stored).await?;
    reserve_for(tx, &waiting).await
}

/// Reserves for the orders that wait for a bundle, oldest first: all of its parts for an order, or none.
pub async fn reserve_bundle(tx: &mut EnterpriseTx, bundle_id: ProductId) -> Result<usize> {
    inventory::line_up_with_parts(tx, &[bundle_id]).await?;
    let waiting = store::lock_waiting(tx, &[bundle_id]).await?;
    reserve_for(tx, &waiting).await
}

async fn reserve_for(tx: &mut EnterpriseTx, waiting: &[store::Locked]) -> Result<usize> {
    let mut wanted = Vec::new();
    for order in waiting {
        if let (Some(product_id), Some(warehouse_id)) = (order.product_id, order.warehouse_id) {
            wanted.push(Wanted { order_id: order.id, product_id, warehouse_id });
        }
    }
    let allotted = inventory::allot(tx, &wanted).await?;
    inventory::reserve(tx, &allotted).await?;
    let found: std::collections::HashSet<_> = allotted.iter().map(|unit: &Allotted| unit.order_id).collect();
    for from in [OrderStatus::New, OrderStatus::OutOfStock] {
        let ids = |found_ones: bool| -> Vec<OrderId> {
            waiting
                .iter()
                .filter(|order| order.status == from && wanted.iter().any(|want| want.order_id == order.id))
                .filter(|order| found.contains(&order.id) == found_ones)
                .map(|order| order.id)
                .collect()
        };
        step(tx, &ids(true), from, OrderStatus::Reserved, None).await?;
        if from == OrderStatus::New {
            step(tx, &ids(false), from, OrderStatus::OutOfStock, None).await?;
        }
    }
    Ok(found.len())
}

/// Takes back what is held for orders because some of it is not there: they wait again. What they held is answered. Whoever calls this has lined up at their products, and
/// calls back who is on the way to pick for them.
pub async fn run_short(tx: &mut EnterpriseTx, orders: &[OrderId], comment: &str) -> Result<Vec<Held>> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let locked = store::lock_all(tx, orders).await?;
    let held = inventory::release(tx, orders).await?;
    let picking: Vec<_> =
        locked.iter().filter(|order| order.status == OrderStatus::Picking).map(|order| order.id).collect();
    step(tx, &picking, OrderStatus::Picking, OrderStatus::Reserved, Some(comment)).await?;
    step(tx, orders, OrderStatus::Reserved, OrderStatus::OutOfStock, Some(comment)).await?;
    Ok(held)
}

/// Serves the orders that waited for what an act on stock has freed.
pub async fn serve<T: Frees>(tx: &mut EnterpriseTx, done: T) -> Result<T> {
    if !done.freed().is_empty() {
        reserve_waiting(tx, done.freed()).await?;
    }
    Ok(done)
}

/// Takes goods of cancelled and of delivered orders back into the warehouse, and serves who waited for them.
pub async fn receive_returns(tx: &mut EnterpriseTx, heading: &Heading, lines: &[ReturnLine]) -> Result<Posted> {
    let returned = inventory::receive_returns(tx, heading, lines).await?;
    for from in [OrderStatus::Cancelled, OrderStatus::Delivered] {
        let orders: Vec<_> =
            returned.orders.iter().filter(|(_, status)| *status == from).map(|(order, _)| *order).collect();
        step(tx, &orders, from, OrderStatus::Returned, heading.comment.as_deref()).await?;
    }
    serve(tx, returned.posted).await
}

/// Gives orders that were not known to belong anywhere their product and own warehouse, and reserves for them: after a
/// catalogue sync or when a warehouse was linked.
pub async fn adopt(tx: &mut EnterpriseTx) -> Result<usize> {
    let wanted = store::wanted_by_strays(tx).await?;
    inventory::line_up(tx, &wanted).await?;
    let products = store::adopt(tx).await?;
    reserve_waiting(tx, &products).await
}

/// Orders of a Wildberries warehouse for which nothing is held go over to another own warehouse, and are served from it;
/// likewise `adopt`. One step, because one lines up once for all that one does.
pub async fn hand_over(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    wb_warehouse_id: WbWarehouseId,
    to: WarehouseId,
) -> Result<usize> {
    let mut wanted = store::wanted_by_unserved(tx, account_id, wb_warehouse_id).await?;
    wanted.extend(store::wanted_by_strays(tx).await?);
    inventory::line_up(tx, &wanted).await?;
    let mut products = store::hand_over(tx, account_id, wb_warehouse_id, to).await?;
    products.extend(store::adopt(tx).await?);
    reserve_waiting(tx, &products).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_steps_are_allowed_and_the_refusal_lists_them() {
        for from in OrderStatus::ALL {
            for to in OrderStatus::ALL {
                match from.check(to) {
                    Ok(()) => assert!(from.next().contains(&to)),
                    Err(Error::Refused { allowed, .. }) => assert_eq!(allowed.len(), from.next().len()),
                    Err(other) => panic!("{other}"),
                }
            }
        }
        assert!(OrderStatus::Returned.next().is_empty());
    }
}
