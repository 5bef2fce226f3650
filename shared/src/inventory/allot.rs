//! Reserving for orders: which units of what lies free each of them gets.

use std::collections::HashMap;

use super::shelf::{Shelf, Taken, Want};
use super::turn::line_up;
use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, LotId, OrderId, ProductId, ReservationId, WarehouseId};
use crate::products::{self, Part};

/// What an order wants, and where from: one unit, or the parts of one bundle.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The order.
    pub order_id: OrderId,
    /// What was ordered: a stored product or a bundle.
    pub product_id: ProductId,
    /// From this warehouse.
    pub warehouse_id: WarehouseId,
}

/// A unit found for an order.
#[derive(Clone, Copy, Debug)]
pub struct Allotted {
    /// The order.
    pub order_id: OrderId,
    /// Which of its units, from 0.
    pub part: i32,
    /// What it gets.
    pub product_id: ProductId,
    /// Out of this cell.
    pub cell_id: CellId,
    /// Of this lot.
    pub lot_id: LotId,
}

/// Finds free units for orders, in the order given, by the enterprise's strategy, and holds the products against everybody
/// else until the transaction ends. An order of a bundle gets all of its parts or none. Orders that find nothing are not
/// in the answer.
pub async fn allot(tx: &mut EnterpriseTx, wanted: &[Wanted]) -> Result<Vec<Allotted>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut ordered: Vec<_> = wanted.iter().map(|want| want.product_id).collect();
    let mut warehouses: Vec<_> = wanted.iter().map(|want| want.warehouse_id).collect();
    ordered.sort_unstable();
    ordered.dedup();
    warehouses.sort_unstable();
    warehouses.dedup();
    let (bundles, products) = line_up_with_parts(tx, &ordered).await?;
    let mut shelf = Shelf::in_storage(tx, &warehouses, &products).await?;
    let mut allotted = Vec::new();
    for want in wanted {
        let one = [Part { product_id: want.product_id, quantity: 1 }];
        let parts = bundles.get(&want.product_id).map_or(&one[..], Vec::as_slice);
        let found = take_all(&mut shelf, want, parts).unwrap_or_default();
        allotted.extend((0..).zip(found).map(|(part, (product_id, unit))| Allotted {
            order_id: want.order_id,
            part,
            product_id,
            cell_id: unit.cell_id,
            lot_id: unit.lot_id,
        }));
    }
    Ok(allotted)
}

/// Lines up at these products and at the parts of those that are bundles; what the bundles are made of stands still from
/// then on.
pub(crate) async fn line_up_with_parts(
    tx: &mut EnterpriseTx,
    ordered: &[ProductId],
) -> Result<(HashMap<ProductId, Vec<Part>>, Vec<ProductId>)> {
    let with_parts = |bundles: &HashMap<ProductId, Vec<Part>>| -> Vec<ProductId> {
        let parts = bundles.values().flatten().map(|part| part.product_id);
        ordered.iter().copied().chain(parts).collect()
    };
    let bundles = products::parts_of(tx, ordered).await?;
    let products = with_parts(&bundles);
    line_up(tx, &products).await?;
    if bundles.is_empty() {
        return Ok((bundles, products));
    }
    // Whoever changes a bundle lines up at it: before it was our turn it may have got other parts.
    let bundles = products::parts_of(tx, ordered).await?;
    let products = with_parts(&bundles);
    line_up(tx, &products).await?;
    Ok((bundles, products))
}

/// Unit by unit, what an order is made of; nothing if anything is missing.
fn take_all(shelf: &mut Shelf, want: &Wanted, parts: &[Part]) -> Option<Vec<(ProductId, Taken)>> {
    let mut found: Vec<(ProductId, Taken)> = Vec::new();
    for &Part { product_id, quantity } in parts {
        let want = Want { product_id, warehouse_id: want.warehouse_id, cell_id: None, lot_id: None, quantity };
        let Ok(taken) = shelf.take(want) else {
            for (product_id, taken) in found {
                shelf.put(want.warehouse_id, product_id, taken).ok()?;
            }
            return None;
        };
        found.extend(taken.into_iter().map(|taken| (product_id, taken)));
    }
    let units = |(product_id, taken): (ProductId, Taken)| {
        (0..taken.quantity).map(move |_| (product_id, Taken { quantity: 1, ..taken }))
    };
    Some(found.into_iter().flat_map(units).collect())
}

/// Reserves what was allotted; cells are referred to in the order of their ids, as whoever blocks or archives them holds them.
pub async fn reserve(tx: &mut EnterpriseTx, allotted: &[Allotted]) -> Result<()> {
    if allotted.is_empty() {
        return Ok(());
    }
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO reservations (enterprise_id, id, order_id, part, product_id, cell_id, lot_id, quantity, created_at)
         SELECT $1, r.id, r.order_id, r.part, r.product_id, r.cell_id, r.lot_id, 1, $2
         FROM unnest($3::uuid[], $4::uuid[], $5::int[], $6::uuid[], $7::uuid[], $8::uuid[])
              AS r (id, order_id, part, product_id, cell_id, lot_id)
         ORDER BY r.cell_id",
        enterprise_id as _,
        now,
        &allotted.iter().map(|_| ReservationId::new().0).collect::<Vec<_>>(),
        &allotted.iter().map(|unit| unit.order_id.0).collect::<Vec<_>>(),
        &allotted.iter().map(|unit| unit.part).collect::<Vec<_>>(),
        &allotted.iter().map(|unit| unit.product_id.0).collect::<Vec<_>>(),
        &allotted.iter().map(|unit| unit.cell_id.0).collect::<Vec<_>>(),
        &allotted.iter().map(|unit| unit.lot_id.0).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many orders got something.
pub fn served(allotted: &[Allotted]) -> usize {
    allotted.iter().filter(|unit| unit.part == 0).count()
}
