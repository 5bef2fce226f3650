//! The units of orders on their way: picked, shipped, delivered, returned. Whoever calls these has lined up at the
//! orders' products.

use super::allot::{Allotted, reserve};
use super::write::{By, Moved, Place, write};
use super::{EntryKind, Outside};
use crate::db::EnterpriseTx;
use crate::ids::{CellId, LotId, OrderId, ProductId, StockEntryId};
use crate::{Error, Result};

/// How a reservation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Moved,
    Consumed,
    Released,
}

impl Ending {
    fn status(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Consumed => "consumed",
            Self::Released => "released",
        }
    }
}

/// An order's reservation as it stood when it ended.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// For which order.
    pub order_id: OrderId,
    /// Of what.
    pub product_id: ProductId,
    /// Where.
    pub cell_id: CellId,
    /// Of which lot.
    pub lot_id: LotId,
}

async fn end(tx: &mut EnterpriseTx, orders: &[OrderId], ending: Ending) -> Result<Vec<Held>> {
    let now = tx.now().await?;
    Ok(sqlx::query_as!(
        Held,
        r#"UPDATE reservations SET status = $2, ended_at = $3
           WHERE order_id = ANY($1) AND status = 'active'
           RETURNING order_id AS "order_id!: OrderId", product_id, cell_id, lot_id"#,
        &orders.iter().map(|order| order.0).collect::<Vec<_>>(),
        ending.status(),
        now,
    )
    .fetch_all(tx.conn())
    .await?)
}

fn unit(
    order_id: OrderId,
    product_id: ProductId,
    lot_id: LotId,
    from: impl Into<Place>,
    to: impl Into<Place>,
) -> Moved {
    Moved {
        id: StockEntryId::new(),
        product_id,
        lot_id,
        from: from.into(),
        to: to.into(),
        quantity: 1,
        order_id: Some(order_id),
        reason: None,
    }
}

/// Gives reserved stock back. Orders without a reservation are passed over.
pub async fn release(tx: &mut EnterpriseTx, orders: &[OrderId]) -> Result<Vec<Held>> {
    end(tx, orders, Ending::Released).await
}

/// Takes the order's unit out of its cell into the packing cell; the reservation moves with it.
pub async fn pick(tx: &mut EnterpriseTx, order_id: OrderId, packing: CellId) -> Result<()> {
    let held = end(tx, &[order_id], Ending::Moved).await?;
    let &[Held { product_id, cell_id, lot_id, .. }] = held.as_slice() else {
        return Err(Error::Inconsistent(format!("order {order_id} is picked without a reservation")));
    };
    let picked = unit(order_id, product_id, lot_id, cell_id, packing);
    write(tx, EntryKind::Pick, By::default(), &[picked]).await?;
    reserve(tx, &[Allotted { order_id, product_id, cell_id: packing, lot_id }]).await
}

/// Hands the orders' units over to Wildberries, from wherever they are held.
pub async fn ship(tx: &mut EnterpriseTx, orders: &[OrderId]) -> Result<()> {
    let held = end(tx, orders, Ending::Consumed).await?;
    let leave = |held: &Held| unit(held.order_id, held.product_id, held.lot_id, held.cell_id, Outside::InDelivery);
    write(tx, EntryKind::Ship, By::default(), &held.iter().map(leave).collect::<Vec<_>>()).await
}

/// The buyer has it. Units that did not leave through this ledger are not in it.
pub async fn deliver(tx: &mut EnterpriseTx, order_id: OrderId) -> Result<()> {
    on_from_delivery(tx, order_id, EntryKind::Deliver, Outside::Customer).await
}

/// It was cancelled after hand-over: it is expected back.
pub async fn expect_return(tx: &mut EnterpriseTx, order_id: OrderId) -> Result<()> {
    on_from_delivery(tx, order_id, EntryKind::ReturnExpected, Outside::Returning).await
}

async fn on_from_delivery(tx: &mut EnterpriseTx, order_id: OrderId, kind: EntryKind, to: Outside) -> Result<()> {
    let shipped = sqlx::query!(
        "SELECT product_id, lot_id FROM stock_entries WHERE order_id = $1 AND kind = 'ship'",
        order_id as _
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(shipped) = shipped else { return Ok(()) };
    let gone = unit(order_id, shipped.product_id, shipped.lot_id, Outside::InDelivery, to);
    write(tx, kind, By::default(), &[gone]).await
}

/// Puts a picked unit of a cancelled order back into a cell.
pub async fn put_back(
    tx: &mut EnterpriseTx,
    order_id: OrderId,
    product_id: ProductId,
    from: CellId,
    to: CellId,
) -> Result<()> {
    let lot_id = sqlx::query_scalar!(
        "SELECT lot_id FROM stock_entries WHERE order_id = $1 AND kind = 'pick' ORDER BY id DESC LIMIT 1",
        order_id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::Inconsistent(format!("order {order_id} was never picked")))?;
    write(tx, EntryKind::PutBack, By::default(), &[unit(order_id, product_id, lot_id, from, to)]).await
}
