//! The units of orders on their way: picked, shipped, delivered, returned. Whoever calls these has lined up at the
//! orders' products.

use super::allot::{Allotted, reserve};
use super::write::{By, Moved, Place, UnitOfOrder, write};
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
    /// Which of its units, from 0.
    pub part: i32,
    /// Of what.
    pub product_id: ProductId,
    /// Where.
    pub cell_id: CellId,
    /// Of which lot.
    pub lot_id: LotId,
}

/// Ends what these orders hold, or one part of it.
async fn end(tx: &mut EnterpriseTx, orders: &[OrderId], part: Option<i32>, ending: Ending) -> Result<Vec<Held>> {
    let now = tx.now().await?;
    Ok(sqlx::query_as!(
        Held,
        r#"UPDATE reservations SET status = $2, ended_at = $3
           WHERE order_id = ANY($1) AND status = 'active' AND ($4::int IS NULL OR part = $4)
           RETURNING order_id AS "order_id!: OrderId", part, product_id, cell_id, lot_id"#,
        &orders.iter().map(|order| order.0).collect::<Vec<_>>(),
        ending.status(),
        now,
        part,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// One unit of an order on its way.
pub(super) fn moved(
    order: UnitOfOrder,
    (product_id, lot_id): (ProductId, LotId),
    from: impl Into<Place>,
    to: impl Into<Place>,
) -> Moved {
    let (id, from, to) = (StockEntryId::new(), from.into(), to.into());
    Moved { id, product_id, lot_id, from, to, quantity: 1, order: Some(order), reason: None }
}

impl Held {
    fn moved(&self, to: impl Into<Place>) -> Moved {
        let &Self { order_id, part, product_id, lot_id, cell_id } = self;
        moved(UnitOfOrder { order_id, part }, (product_id, lot_id), cell_id, to)
    }
}

/// Gives reserved stock back. Orders without a reservation are passed over.
pub async fn release(tx: &mut EnterpriseTx, orders: &[OrderId]) -> Result<Vec<Held>> {
    end(tx, orders, None, Ending::Released).await
}

/// Takes a unit of the order out of its cell into the packing cell; the reservation moves with it.
pub async fn pick(tx: &mut EnterpriseTx, order_id: OrderId, part: i32, packing: CellId) -> Result<()> {
    let held = end(tx, &[order_id], Some(part), Ending::Moved).await?;
    let [unit] = held.as_slice() else {
        return Err(Error::Inconsistent(format!("part {part} of order {order_id} is picked without a reservation")));
    };
    write(tx, EntryKind::Pick, By::default(), &[unit.moved(packing)]).await?;
    let &Held { order_id, part, product_id, lot_id, .. } = unit;
    reserve(tx, &[Allotted { order_id, part, product_id, cell_id: packing, lot_id }]).await
}

/// Hands the orders' units over to Wildberries, from wherever they are held.
pub async fn ship(tx: &mut EnterpriseTx, orders: &[OrderId]) -> Result<()> {
    let held = end(tx, orders, None, Ending::Consumed).await?;
    let gone: Vec<_> = held.iter().map(|unit| unit.moved(Outside::InDelivery)).collect();
    write(tx, EntryKind::Ship, By::default(), &gone).await
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
    let shipped = shipped(tx, &[order_id]).await?;
    let gone: Vec<_> = shipped.iter().map(|(order, goods)| moved(*order, *goods, Outside::InDelivery, to)).collect();
    write(tx, kind, By::default(), &gone).await
}

/// Every unit with which these orders have left.
pub(super) async fn shipped(
    tx: &mut EnterpriseTx,
    orders: &[OrderId],
) -> Result<Vec<(UnitOfOrder, (ProductId, LotId))>> {
    let rows = sqlx::query!(
        r#"SELECT order_id AS "order_id!: OrderId", part, product_id, lot_id FROM stock_entries
           WHERE order_id = ANY($1) AND kind = 'ship' ORDER BY order_id, part"#,
        &orders.iter().map(|order| order.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (UnitOfOrder { order_id: row.order_id, part: row.part }, (row.product_id, row.lot_id)))
        .collect())
}

/// Puts a picked unit of a cancelled order back into a cell.
pub async fn put_back(tx: &mut EnterpriseTx, picked: &Held, to: CellId) -> Result<()> {
    write(tx, EntryKind::PutBack, By::default(), &[picked.moved(to)]).await
}
