//! Putting back what was picked for orders that were cancelled since: the cell first, then each item that is laid into it.
//! Any cell for goods will do; the one it came from is what is proposed.

use chrono::{DateTime, Utc};

use super::look::get;
use super::scan::Next;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, LotId, MoveLineId, OrderId, ProductId, RequestId, WbOrderId};
use crate::inventory::Held;
use crate::warehouses::{Found, Purpose};
use crate::{Error, Refusal, Result, inventory, orders, products};

/// A unit to put back.
#[derive(Clone, Debug)]
pub struct MoveLine {
    /// Ours.
    pub id: MoveLineId,
    /// For which order it was picked.
    pub order_id: Option<OrderId>,
    /// Its number at Wildberries.
    pub wb_order_id: Option<WbOrderId>,
    /// What.
    pub product_id: ProductId,
    /// Its SKU.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// Any of these proves it.
    pub barcodes: Vec<String>,
    /// Of which lot.
    pub lot_id: LotId,
    /// The code of the cell where it lies.
    pub from: String,
    /// The code of the cell where it came from; once it is put back, where it was put.
    pub to: String,
    /// Units.
    pub quantity: i32,
    /// When it was put back.
    pub moved_at: Option<DateTime<Utc>>,
}

/// What a put-back request asks for, in walking order.
pub async fn moves(tx: &mut EnterpriseTx, id: RequestId) -> Result<Vec<MoveLine>> {
    get(tx, id).await?;
    Ok(sqlx::query_as!(
        MoveLine,
        r#"SELECT m.id, m.order_id, o.wb_order_id AS "wb_order_id?", m.product_id, p.sku, p.name,
                  ARRAY(SELECT b.barcode FROM barcodes AS b WHERE b.product_id = p.id ORDER BY b.barcode) AS "barcodes!",
                  m.lot_id, f.code AS "from", t.code AS "to", m.quantity, m.moved_at
           FROM move_lines AS m
           JOIN products AS p ON p.id = m.product_id
           JOIN cells AS f ON f.id = m.from_cell_id
           JOIN cells AS t ON t.id = m.to_cell_id
           LEFT JOIN orders AS o ON o.id = m.order_id
           WHERE m.request_id = $1 ORDER BY t.pick_sequence, t.code, m.part, m.id"#,
        id as _
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Refuses cells that are for picked goods only.
pub(super) fn check_cell(cell: &Found) -> Result<()> {
    match cell.purpose {
        Purpose::Receiving | Purpose::Storage | Purpose::Picking | Purpose::Quarantine => Ok(()),
        Purpose::Packing | Purpose::Shipping => Err(Error::refused(
            Refusal::CellOfPacking,
            format!("{} takes picked goods only: scan the cell where you put it back", cell.code),
        )),
    }
}

/// Lays a unit of this product into the cell; orders that wait for it are served at once.
pub(super) async fn put(
    tx: &mut EnterpriseTx,
    id: RequestId,
    cell: CellId,
    product_id: ProductId,
) -> Result<MoveLineId> {
    inventory::line_up(tx, &[product_id]).await?;
    let line = sqlx::query!(
        r#"SELECT id AS "id: MoveLineId", order_id AS "order_id!: OrderId", part, lot_id, from_cell_id FROM move_lines
           WHERE request_id = $1 AND product_id = $2 AND moved_at IS NULL AND order_id IS NOT NULL
           ORDER BY part, id LIMIT 1"#,
        id as _,
        product_id as _,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(line) = line else { return Err(nothing_of(tx, id, product_id).await?) };
    let picked =
        Held { order_id: line.order_id, part: line.part, product_id, cell_id: line.from_cell_id, lot_id: line.lot_id };
    inventory::put_back(tx, &picked, cell).await?;
    let now = tx.now().await?;
    sqlx::query!("UPDATE move_lines SET moved_at = $2, to_cell_id = $3 WHERE id = $1", line.id as _, now, cell as _)
        .execute(tx.conn())
        .await?;
    orders::reserve_waiting(tx, &[product_id]).await?;
    Ok(line.id)
}

/// Says what was scanned and what is to be put back instead.
async fn nothing_of(tx: &mut EnterpriseTx, id: RequestId, product_id: ProductId) -> Result<Error> {
    let scanned = products::show(tx, product_id).await?;
    let expected = next(tx, id)
        .await?
        .map_or_else(|| "everything is put back".to_owned(), |next| format!("put back {} «{}»", next.sku, next.name));
    Ok(Error::refused(Refusal::WrongItem, format!("this is {} «{}»: {expected}", scanned.sku, scanned.name)))
}

/// The next thing to put back, and the cell it came from.
pub(super) async fn next(tx: &mut EnterpriseTx, id: RequestId) -> Result<Option<Next>> {
    Ok(sqlx::query_as!(
        Next,
        r#"SELECT (SELECT count(*) FROM move_lines AS done WHERE done.request_id = $1 AND done.moved_at IS NOT NULL)::int + 1 AS "position!",
                  c.code AS cell, p.sku, p.name
           FROM move_lines AS m JOIN cells AS c ON c.id = m.to_cell_id JOIN products AS p ON p.id = m.product_id
           WHERE m.request_id = $1 AND m.moved_at IS NULL
           ORDER BY c.pick_sequence, c.code, m.part, m.id LIMIT 1"#,
        id as _
    )
    .fetch_optional(tx.conn())
    .await?)
}
