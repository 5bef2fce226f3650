//! What a stock count corrects: under one document, however many pages it takes, and past what the cells take, because it lies
//! there already. Whoever calls these has lined up at the products.

use super::batch::insert_document;
use super::write::{By, Moved, write};
use super::{DocumentKind, EntryKind, Outside};
use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, LotId, OrderId, ProductId, StockDocumentId, StockEntryId, WarehouseId};

/// So many units more or less of a lot in a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Correction {
    /// The entry that it will be.
    pub id: StockEntryId,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot.
    pub lot_id: LotId,
    /// Where.
    pub cell_id: CellId,
    /// Units, negative where there are fewer; never zero.
    pub change: i32,
    /// Why.
    pub reason: &'static str,
}

/// What the ledger says of a lot in a cell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lying {
    /// Units there.
    pub on_hand: i32,
    /// Of these, neither reserved nor on hold.
    pub free: i32,
    /// Of these, held for orders.
    pub of_orders: i32,
}

/// The document under which a count corrects.
pub(crate) async fn open_correction(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    comment: &str,
) -> Result<StockDocumentId> {
    Ok(insert_document(tx, DocumentKind::Adjust, warehouse_id, None, Some(comment)).await?.id)
}

/// What lies in these places, in their order.
pub(crate) async fn lying(tx: &mut EnterpriseTx, places: &[(CellId, ProductId, LotId)]) -> Result<Vec<Lying>> {
    Ok(sqlx::query_as!(
        Lying,
        r#"SELECT coalesce(b.on_hand, 0) AS "on_hand!", coalesce(free_units(b), 0) AS "free!",
                  (SELECT coalesce(sum(r.quantity), 0)::int FROM reservations AS r
                   WHERE r.cell_id = p.cell_id AND r.product_id = p.product_id AND r.lot_id = p.lot_id
                     AND r.status = 'active' AND r.order_id IS NOT NULL) AS "of_orders!"
           FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) WITH ORDINALITY AS p (cell_id, product_id, lot_id, position)
           LEFT JOIN balances AS b USING (cell_id, product_id, lot_id)
           ORDER BY p.position"#,
        &places.iter().map(|(cell, ..)| cell.0).collect::<Vec<_>>(),
        &places.iter().map(|(_, product, _)| product.0).collect::<Vec<_>>(),
        &places.iter().map(|(.., lot)| lot.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The orders that have to give back so many units of these places: those that are in no supply yet first, the youngest first.
pub(crate) async fn youngest(tx: &mut EnterpriseTx, short: &[(CellId, ProductId, LotId, i32)]) -> Result<Vec<OrderId>> {
    if short.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_scalar!(
        r#"SELECT DISTINCT a.order_id AS "order_id!: OrderId"
           FROM (SELECT r.order_id, s.units,
                        row_number() OVER (PARTITION BY r.cell_id, r.lot_id
                                           ORDER BY (o.supply_id IS NOT NULL), o.placed_at DESC, o.wb_order_id DESC) AS nth
                 FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[]) AS s (cell_id, product_id, lot_id, units)
                 JOIN reservations AS r USING (cell_id, product_id, lot_id)
                 JOIN orders AS o ON o.id = r.order_id
                 WHERE r.status = 'active') AS a
           WHERE a.nth <= a.units
           ORDER BY 1"#,
        &short.iter().map(|(cell, ..)| cell.0).collect::<Vec<_>>(),
        &short.iter().map(|(_, product, ..)| product.0).collect::<Vec<_>>(),
        &short.iter().map(|(_, _, lot, _)| lot.0).collect::<Vec<_>>(),
        &short.iter().map(|(.., units)| *units).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What else those orders hold that hold something in these places: they are bundles.
pub(crate) async fn held_beside(
    tx: &mut EnterpriseTx,
    places: &[(CellId, ProductId, LotId)],
) -> Result<Vec<ProductId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT DISTINCT beside.product_id AS "product_id!: ProductId"
           FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS p (cell_id, product_id, lot_id)
           JOIN reservations AS r USING (cell_id, product_id, lot_id)
           JOIN reservations AS beside ON beside.order_id = r.order_id AND beside.status = 'active' AND beside.part <> r.part
           WHERE r.status = 'active' AND r.order_id IS NOT NULL"#,
        &places.iter().map(|(cell, ..)| cell.0).collect::<Vec<_>>(),
        &places.iter().map(|(_, product, _)| product.0).collect::<Vec<_>>(),
        &places.iter().map(|(.., lot)| lot.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Writes corrections under their document, all in one statement.
pub(crate) async fn correct(
    tx: &mut EnterpriseTx,
    document: StockDocumentId,
    corrections: &[Correction],
) -> Result<()> {
    let moved = |correction: &Correction| {
        let &Correction { id, product_id, lot_id, cell_id, change, reason } = correction;
        let (there, outside) = (cell_id.into(), Outside::Adjustment.into());
        let (from, to) = if change < 0 { (there, outside) } else { (outside, there) };
        let quantity = change.saturating_abs();
        Moved { id, product_id, lot_id, from, to, quantity, order: None, reason: Some(reason) }
    };
    let by = By { document: Some(document), ..By::default() };
    write(tx, EntryKind::Adjust, by, &corrections.iter().map(moved).collect::<Vec<_>>()).await
}
