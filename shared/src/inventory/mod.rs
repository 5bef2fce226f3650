//! The stock ledger and what stands on it: append-only entries with two sides, balances that are their sums,
//! reservations as rows. Triggers keep the balances; constraints keep `0 ≤ reserved ≤ on hand` at every commit.

mod look;
mod receive;

use serde::{Deserialize, Serialize};

use crate::db::EnterpriseTx;
use crate::ids::{CellId, OrderId, ProductId, ReservationId, StockEntryId, WarehouseId};
use crate::warehouses::AdmittedByCells;
use crate::{Error, Result};

pub(crate) use look::free_in;
pub use look::{Balance, BalanceFilter, Consistency, Difference, Entry, EntryFilter, balances, consistency, entries};
pub use receive::{GoodsReceipt, ReceiptLine, Received, receive};

/// The places outside the cells. The outside world is a place too: what an entry takes it takes from somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Outside {
    /// Where goods come from.
    Supplier,
    /// Handed over to Wildberries, not yet with the buyer.
    InDelivery,
    /// The buyer has it.
    Customer,
    /// Cancelled after hand-over: expected back.
    Returning,
    /// Corrections.
    Adjustment,
    /// Broken or lost.
    Loss,
}

/// Why an entry was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EntryKind {
    /// Goods came in.
    Receipt,
    /// Out of its cell, towards packing.
    Pick,
    /// Back from packing.
    PutBack,
    /// Handed over to Wildberries.
    Ship,
    /// The buyer took it.
    Deliver,
    /// Cancelled on its way.
    ReturnExpected,
    /// It came back.
    ReturnReceived,
    /// From cell to cell.
    Move,
    /// Broken or lost.
    WriteOff,
    /// Corrected.
    Adjust,
}

/// One unit that an order wants, and where from.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The order.
    pub order_id: OrderId,
    /// What it wants.
    pub product_id: ProductId,
    /// From this warehouse.
    pub warehouse_id: WarehouseId,
}

/// A unit found for an order.
#[derive(Clone, Copy, Debug)]
pub struct Allotted {
    /// The order.
    pub order_id: OrderId,
    /// What it gets.
    pub product_id: ProductId,
    /// Out of this cell.
    pub cell_id: CellId,
}

/// Finds free units for orders, in the order given, along the walking path, and holds the balances against everybody
/// else until the transaction ends. Orders that find nothing are not in the answer.
pub async fn allot(tx: &mut EnterpriseTx, wanted: &[Wanted]) -> Result<Vec<Allotted>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let orders: Vec<_> = wanted.iter().map(|want| want.order_id.0).collect();
    let products: Vec<_> = wanted.iter().map(|want| want.product_id.0).collect();
    let warehouses: Vec<_> = wanted.iter().map(|want| want.warehouse_id.0).collect();
    // The k-th order for a product takes the cell in which the running sum of free units reaches k.
    let rows = sqlx::query!(
        r#"WITH wanted AS (
               SELECT w.order_id, w.product_id, w.warehouse_id,
                      row_number() OVER (PARTITION BY w.warehouse_id, w.product_id ORDER BY w.place) AS n
               FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) WITH ORDINALITY AS w (order_id, product_id, warehouse_id, place)
           ), locked AS MATERIALIZED (
               SELECT b.cell_id, b.product_id, b.on_hand - b.reserved AS free
               FROM balances AS b
               WHERE b.product_id = ANY($2) AND b.on_hand > b.reserved
               ORDER BY b.cell_id, b.product_id
               FOR NO KEY UPDATE
           ), free AS (
               SELECT l.cell_id, l.product_id, c.warehouse_id, l.free,
                      sum(l.free) OVER (PARTITION BY c.warehouse_id, l.product_id ORDER BY c.pick_sequence, c.code) AS upto
               FROM locked AS l JOIN cells AS c ON c.id = l.cell_id
               WHERE c.purpose IN ('storage', 'picking') AND c.blocked_at IS NULL AND c.archived_at IS NULL AND l.free > 0
           )
           SELECT w.order_id AS "order_id!", w.product_id AS "product_id!", f.cell_id
           FROM wanted AS w
           JOIN free AS f ON f.warehouse_id = w.warehouse_id AND f.product_id = w.product_id AND w.n > f.upto - f.free AND w.n <= f.upto"#,
        &orders,
        &products,
        &warehouses,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Allotted {
            order_id: OrderId(row.order_id),
            product_id: ProductId(row.product_id),
            cell_id: row.cell_id,
        })
        .collect())
}

/// Reserves what was allotted.
pub async fn reserve(tx: &mut EnterpriseTx, allotted: &[Allotted]) -> Result<()> {
    if allotted.is_empty() {
        return Ok(());
    }
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO reservations (enterprise_id, id, order_id, product_id, cell_id, quantity, created_at)
         SELECT $1, r.id, r.order_id, r.product_id, r.cell_id, 1, $2
         FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[]) AS r (id, order_id, product_id, cell_id)",
        enterprise_id as _,
        now,
        &allotted.iter().map(|_| ReservationId::new().0).collect::<Vec<_>>(),
        &allotted.iter().map(|unit| unit.order_id.0).collect::<Vec<_>>(),
        &allotted.iter().map(|unit| unit.product_id.0).collect::<Vec<_>>(),
        &allotted.iter().map(|unit| unit.cell_id.0).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

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

/// A reservation as it stood when it ended.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// For which order.
    pub order_id: OrderId,
    /// Of what.
    pub product_id: ProductId,
    /// Where.
    pub cell_id: CellId,
}

async fn end(tx: &mut EnterpriseTx, orders: &[OrderId], ending: Ending) -> Result<Vec<Held>> {
    let now = tx.now().await?;
    Ok(sqlx::query_as!(
        Held,
        "UPDATE reservations SET status = $2, ended_at = $3
         WHERE order_id = ANY($1) AND status = 'active'
         RETURNING order_id, product_id, cell_id",
        &orders.iter().map(|order| order.0).collect::<Vec<_>>(),
        ending.status(),
        now,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Gives reserved stock back. Orders without a reservation are passed over.
pub async fn release(tx: &mut EnterpriseTx, orders: &[OrderId]) -> Result<Vec<Held>> {
    end(tx, orders, Ending::Released).await
}

/// Takes the order's unit out of its cell into the packing cell; the reservation moves with it.
pub async fn pick(tx: &mut EnterpriseTx, order_id: OrderId, packing: CellId) -> Result<()> {
    let held = end(tx, &[order_id], Ending::Moved).await?;
    let [unit] = held.as_slice() else {
        return Err(Error::Inconsistent(format!("order {order_id} is picked without a reservation")));
    };
    write(
        tx,
        EntryKind::Pick,
        &[Moved { order_id, product_id: unit.product_id, from: unit.cell_id.into(), to: packing.into() }],
    )
    .await?;
    reserve(tx, &[Allotted { order_id, product_id: unit.product_id, cell_id: packing }]).await
}

/// Hands the orders' units over to Wildberries, from wherever they are held.
pub async fn ship(tx: &mut EnterpriseTx, orders: &[OrderId]) -> Result<()> {
    let held = end(tx, orders, Ending::Consumed).await?;
    let moved: Vec<_> = held
        .iter()
        .map(|unit| Moved {
            order_id: unit.order_id,
            product_id: unit.product_id,
            from: unit.cell_id.into(),
            to: Outside::InDelivery.into(),
        })
        .collect();
    write(tx, EntryKind::Ship, &moved).await
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
    let shipped = sqlx::query_scalar!(
        "SELECT product_id FROM stock_entries WHERE order_id = $1 AND kind = 'ship'",
        order_id as _
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(product_id) = shipped else { return Ok(()) };
    write(tx, kind, &[Moved { order_id, product_id, from: Outside::InDelivery.into(), to: to.into() }]).await
}

/// Puts a picked unit of a cancelled order back into a cell.
pub async fn put_back(
    tx: &mut EnterpriseTx,
    order_id: OrderId,
    product_id: ProductId,
    from: CellId,
    to: CellId,
) -> Result<()> {
    write(tx, EntryKind::PutBack, &[Moved { order_id, product_id, from: from.into(), to: to.into() }]).await
}

/// A cell or a place outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Cell(CellId),
    Outside(Outside),
}

impl From<CellId> for Place {
    fn from(cell: CellId) -> Self {
        Self::Cell(cell)
    }
}

impl From<Outside> for Place {
    fn from(outside: Outside) -> Self {
        Self::Outside(outside)
    }
}

impl Place {
    fn cell(self) -> Option<uuid::Uuid> {
        match self {
            Self::Cell(cell) => Some(cell.0),
            Self::Outside(_) => None,
        }
    }

    fn outside(self) -> Option<String> {
        match self {
            Self::Cell(_) => None,
            Self::Outside(outside) => Some(outside.name().to_owned()),
        }
    }
}

impl Outside {
    /// Its name in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Supplier => "supplier",
            Self::InDelivery => "in_delivery",
            Self::Customer => "customer",
            Self::Returning => "returning",
            Self::Adjustment => "adjustment",
            Self::Loss => "loss",
        }
    }
}

struct Moved {
    order_id: OrderId,
    product_id: ProductId,
    from: Place,
    to: Place,
}

/// Writes entries of single units of orders, all in one statement.
async fn write(tx: &mut EnterpriseTx, kind: EntryKind, moved: &[Moved]) -> Result<()> {
    if moved.is_empty() {
        return Ok(());
    }
    let (enterprise_id, actor, now) = (tx.enterprise_id(), tx.actor().to_string(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO stock_entries (enterprise_id, id, product_id, from_cell_id, from_outside, to_cell_id, to_outside,
                                    quantity, kind, order_id, actor, occurred_at)
         SELECT $1, e.id, e.product_id, e.from_cell_id, e.from_outside, e.to_cell_id, e.to_outside, 1, $2, e.order_id, $3, $4
         FROM unnest($5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::uuid[], $10::text[], $11::uuid[])
              AS e (id, product_id, from_cell_id, from_outside, to_cell_id, to_outside, order_id)",
        enterprise_id as _,
        kind as EntryKind,
        actor,
        now,
        &moved.iter().map(|_| StockEntryId::new().0).collect::<Vec<_>>(),
        &moved.iter().map(|unit| unit.product_id.0).collect::<Vec<_>>(),
        &moved.iter().map(|unit| unit.from.cell()).collect::<Vec<_>>() as &[Option<uuid::Uuid>],
        &moved.iter().map(|unit| unit.from.outside()).collect::<Vec<_>>() as &[Option<String>],
        &moved.iter().map(|unit| unit.to.cell()).collect::<Vec<_>>() as &[Option<uuid::Uuid>],
        &moved.iter().map(|unit| unit.to.outside()).collect::<Vec<_>>() as &[Option<String>],
        &moved.iter().map(|unit| unit.order_id.0).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await
    .admitted_by_cells()?;
    Ok(())
}
