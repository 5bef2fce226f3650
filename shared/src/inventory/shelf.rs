//! What lies where, read while its products are ours alone (`turn`), and taken line by line: each line of a batch sees
//! what the lines before it took and put.

use std::collections::HashMap;

use crate::Result;
use crate::db::EnterpriseTx;
use crate::enterprises::ReservationStrategy;
use crate::ids::{CellId, LotId, ProductId, WarehouseId};

/// One lot in one cell.
#[derive(Clone, Copy, Debug)]
struct Slot {
    warehouse_id: WarehouseId,
    cell_id: CellId,
    lot_id: LotId,
    on_hand: i32,
    free: i32,
}

/// What is wanted from the shelf.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    pub product_id: ProductId,
    /// Out of any cell of the warehouse, unless one is named.
    pub warehouse_id: WarehouseId,
    pub cell_id: Option<CellId>,
    /// Of any lot, unless one is named.
    pub lot_id: Option<LotId>,
    pub quantity: i32,
}

/// So many of one lot out of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub cell_id: CellId,
    pub lot_id: LotId,
    pub quantity: i32,
}

/// There is less than was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    pub on_hand: i32,
    pub free: i32,
}

/// Slots by product, each product's in the order in which they are taken from.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    slots: HashMap<ProductId, Vec<Slot>>,
    fewest_cells: bool,
}

impl Shelf {
    /// All that lies in these cells of these products, whatever the cells are for; what expires first comes first.
    pub async fn in_cells(tx: &mut EnterpriseTx, cells: &[CellId], products: &[ProductId]) -> Result<Self> {
        let rows = sqlx::query!(
            r#"SELECT b.product_id, c.warehouse_id, b.cell_id, b.lot_id, b.on_hand,
                      b.on_hand - b.reserved - b.on_hold AS "free!"
               FROM balances AS b JOIN cells AS c ON c.id = b.cell_id JOIN lots AS l ON l.id = b.lot_id
               WHERE b.cell_id = ANY($1) AND b.product_id = ANY($2) AND b.on_hand > 0
               ORDER BY l.expires_on, l.created_at, b.lot_id"#,
            &cells.iter().map(|cell| cell.0).collect::<Vec<_>>(),
            &products.iter().map(|product| product.0).collect::<Vec<_>>(),
        )
        .fetch_all(tx.conn())
        .await?;
        let mut shelf = Self::default();
        for row in rows {
            shelf.slots.entry(row.product_id).or_default().push(Slot {
                warehouse_id: row.warehouse_id,
                cell_id: row.cell_id,
                lot_id: row.lot_id,
                on_hand: row.on_hand,
                free: row.free,
            });
        }
        Ok(shelf)
    }

    /// What may be reserved of these products in these warehouses, as the enterprise's strategy orders it.
    pub async fn in_storage(tx: &mut EnterpriseTx, warehouses: &[WarehouseId], products: &[ProductId]) -> Result<Self> {
        let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
        let rows = sqlx::query!(
            r#"SELECT b.product_id, c.warehouse_id, b.cell_id, b.lot_id, b.on_hand,
                      b.on_hand - b.reserved - b.on_hold AS "free!",
                      e.reservation_strategy
               FROM balances AS b
               JOIN cells AS c ON c.id = b.cell_id
               JOIN lots AS l ON l.id = b.lot_id
               JOIN enterprises AS e ON e.id = $3
               WHERE b.product_id = ANY($2) AND b.on_hand > b.reserved + b.on_hold
                 AND c.warehouse_id = ANY($1) AND c.purpose IN ('storage', 'picking')
                 AND c.blocked_at IS NULL AND c.archived_at IS NULL AND c.frozen_count_id IS NULL
                 AND (l.expires_on IS NULL OR l.expires_on >= ($4::timestamptz AT TIME ZONE e.time_zone)::date)
               ORDER BY CASE WHEN e.reservation_strategy = 'first_expired' THEN l.expires_on END,
                        CASE WHEN e.reservation_strategy = 'first_in' THEN l.created_at END,
                        CASE WHEN e.reservation_strategy = 'first_in' THEN b.since END,
                        c.pick_sequence, c.code, l.expires_on, l.created_at, b.lot_id"#,
            &warehouses.iter().map(|warehouse| warehouse.0).collect::<Vec<_>>(),
            &products.iter().map(|product| product.0).collect::<Vec<_>>(),
            enterprise_id as _,
            now,
        )
        .fetch_all(tx.conn())
        .await?;
        let fewest_cells = rows.first().is_some_and(|row| row.reservation_strategy == ReservationStrategy::FewestCells);
        let mut shelf = Self { slots: HashMap::new(), fewest_cells };
        for row in rows {
            shelf.slots.entry(row.product_id).or_default().push(Slot {
                warehouse_id: row.warehouse_id,
                cell_id: row.cell_id,
                lot_id: row.lot_id,
                on_hand: row.on_hand,
                free: row.free,
            });
        }
        Ok(shelf)
    }

    /// Takes all of it or nothing. What is reserved or on hold is not given.
    pub fn take(&mut self, want: Want) -> std::result::Result<Vec<Taken>, Short> {
        let slots = self.slots.get_mut(&want.product_id).map_or(&mut [][..], Vec::as_mut_slice);
        let mut fitting: Vec<_> = slots
            .iter_mut()
            .filter(|slot| slot.warehouse_id == want.warehouse_id)
            .filter(|slot| want.cell_id.is_none_or(|cell| slot.cell_id == cell))
            .filter(|slot| want.lot_id.is_none_or(|lot| slot.lot_id == lot))
            .collect();
        let (on_hand, free) =
            fitting.iter().fold((0, 0), |(on_hand, free), slot| (on_hand + slot.on_hand, free + slot.free));
        if free < want.quantity {
            return Err(Short { on_hand, free });
        }
        if self.fewest_cells {
            // The smallest that is enough by itself, else the largest first.
            fitting.sort_by_key(|slot| if slot.free >= want.quantity { (0, slot.free) } else { (1, -slot.free) });
        }
        let (mut open, mut taken) = (want.quantity, Vec::new());
        for slot in fitting {
            let quantity = open.min(slot.free);
            if quantity > 0 {
                slot.free -= quantity;
                slot.on_hand -= quantity;
                open -= quantity;
                taken.push(Taken { cell_id: slot.cell_id, lot_id: slot.lot_id, quantity });
            }
        }
        Ok(taken)
    }

    /// Puts goods that a later line may take.
    pub fn put(&mut self, warehouse_id: WarehouseId, product_id: ProductId, put: Taken) {
        let Taken { cell_id, lot_id, quantity } = put;
        let slots = self.slots.entry(product_id).or_default();
        match slots.iter_mut().find(|slot| slot.cell_id == cell_id && slot.lot_id == lot_id) {
            Some(slot) => {
                slot.on_hand += quantity;
                slot.free += quantity;
            }
            None => slots.push(Slot { warehouse_id, cell_id, lot_id, on_hand: quantity, free: quantity }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(free: &[i32], fewest_cells: bool) -> (Shelf, Want, Vec<CellId>) {
        let (product_id, warehouse_id) = (ProductId::new(), WarehouseId::new());
        let cells: Vec<_> = free.iter().map(|_| CellId::new()).collect();
        let slot = |(free, cell_id): (&i32, &CellId)| Slot {
            warehouse_id,
            cell_id: *cell_id,
            lot_id: LotId(product_id.0),
            on_hand: free + 1,
            free: *free,
        };
        let slots = HashMap::from([(product_id, free.iter().zip(&cells).map(slot).collect())]);
        let want = Want { product_id, warehouse_id, cell_id: None, lot_id: None, quantity: 0 };
        (Shelf { slots, fewest_cells }, want, cells)
    }

    fn quantities(taken: &[Taken]) -> Vec<i32> {
        taken.iter().map(|taken| taken.quantity).collect()
    }

    #[test]
    fn two_lines_never_get_the_same_unit_and_what_is_short_takes_nothing() {
        let (mut shelf, want, _) = shelf(&[2, 3], false);
        assert_eq!(quantities(&shelf.take(Want { quantity: 4, ..want }).unwrap()), [2, 2]);
        assert_eq!(shelf.take(Want { quantity: 2, ..want }), Err(Short { on_hand: 3, free: 1 }));
        assert_eq!(quantities(&shelf.take(Want { quantity: 1, ..want }).unwrap()), [1]);
        assert_eq!(shelf.take(Want { quantity: 1, ..want }), Err(Short { on_hand: 2, free: 0 }));
    }

    #[test]
    fn the_fewest_cells_are_the_smallest_that_is_enough_or_the_largest_ones() {
        let (mut one, want, cells) = shelf(&[2, 9, 5], true);
        let taken = one.take(Want { quantity: 4, ..want }).unwrap();
        assert_eq!(taken.iter().map(|taken| taken.cell_id).collect::<Vec<_>>(), [cells[2]]);
        let (mut several, want, cells) = shelf(&[2, 9, 5], true);
        let taken = several.take(Want { quantity: 12, ..want }).unwrap();
        assert_eq!(taken.iter().map(|taken| taken.cell_id).collect::<Vec<_>>(), [cells[1], cells[2]]);
    }

    #[test]
    fn what_a_line_put_the_next_one_may_take() {
        let (mut shelf, want, _) = shelf(&[0], false);
        let cell_id = CellId::new();
        let there = Want { cell_id: Some(cell_id), quantity: 3, ..want };
        assert_eq!(shelf.take(there), Err(Short { on_hand: 0, free: 0 }));
        let put = Taken { cell_id, lot_id: LotId(want.product_id.0), quantity: 3 };
        shelf.put(want.warehouse_id, want.product_id, put);
        assert_eq!(shelf.take(there), Ok(vec![put]));
    }
}
