//! Reserving for orders: which unit of what lies free each of them gets.

use super::shelf::{Shelf, Want};
use super::turn::line_up;
use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, LotId, OrderId, ProductId, ReservationId, WarehouseId};

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
    /// Of this lot.
    pub lot_id: LotId,
}

/// Finds free units for orders, in the order given, by the enterprise's strategy, and holds the products against everybody
/// else until the transaction ends. Orders that find nothing are not in the answer.
pub async fn allot(tx: &mut EnterpriseTx, wanted: &[Wanted]) -> Result<Vec<Allotted>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut products: Vec<_> = wanted.iter().map(|want| want.product_id).collect();
    let mut warehouses: Vec<_> = wanted.iter().map(|want| want.warehouse_id).collect();
    products.sort_unstable();
    products.dedup();
    warehouses.sort_unstable();
    warehouses.dedup();
    line_up(tx, &products).await?;
    let mut shelf = Shelf::in_storage(tx, &warehouses, &products).await?;
    let mut allotted = Vec::new();
    for &Wanted { order_id, product_id, warehouse_id } in wanted {
        let want = Want { product_id, warehouse_id, cell_id: None, lot_id: None, quantity: 1 };
        for unit in shelf.take(want).unwrap_or_default() {
            allotted.push(Allotted { order_id, product_id, cell_id: unit.cell_id, lot_id: unit.lot_id });
        }
    }
    Ok(allotted)
}

/// Reserves what was allotted; cells are referred to in the order of their ids, as whoever blocks or archives them holds them.
pub async fn reserve(tx: &mut EnterpriseTx, allotted: &[Allotted]) -> Result<()> {
    if allotted.is_empty() {
        return Ok(());
    }
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO reservations (enterprise_id, id, order_id, product_id, cell_id, lot_id, quantity, created_at)
         SELECT $1, r.id, r.order_id, r.product_id, r.cell_id, r.lot_id, 1, $2
         FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[]) AS r (id, order_id, product_id, cell_id, lot_id)
         ORDER BY r.cell_id",
        enterprise_id as _,
        now,
        &allotted.iter().map(|_| ReservationId::new().0).collect::<Vec<_>>(),
        &allotted.iter().map(|unit| unit.order_id.0).collect::<Vec<_>>(),
        &allotted.iter().map(|unit| unit.product_id.0).collect::<Vec<_>>(),
        &allotted.iter().map(|unit| unit.cell_id.0).collect::<Vec<_>>(),
        &allotted.iter().map(|unit| unit.lot_id.0).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
