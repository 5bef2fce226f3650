//! The SQL of order steps.

use super::OrderStatus;
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, HistoryId, OrderId, ProductId, WarehouseId, WbWarehouseId};
use crate::{Error, Result};

/// What a verb needs to know of an order that it holds.
#[derive(Clone, Debug)]
pub(super) struct Locked {
    pub id: OrderId,
    pub status: OrderStatus,
    pub product_id: Option<ProductId>,
    pub warehouse_id: Option<WarehouseId>,
}

pub(super) async fn lock(tx: &mut EnterpriseTx, id: OrderId) -> Result<Option<Locked>> {
    Ok(sqlx::query_as!(
        Locked,
        "SELECT id, status, product_id, warehouse_id FROM orders WHERE id = $1 FOR NO KEY UPDATE",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?)
}

pub(super) async fn lock_all(tx: &mut EnterpriseTx, ids: &[OrderId]) -> Result<Vec<Locked>> {
    Ok(sqlx::query_as!(
        Locked,
        "SELECT id, status, product_id, warehouse_id FROM orders WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
        &ids.iter().map(|id| id.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The orders that wait for exactly these products, the longest waiting first; held in the order of their ids, as everybody
/// holds orders.
pub(super) async fn lock_waiting(tx: &mut EnterpriseTx, products: &[ProductId]) -> Result<Vec<Locked>> {
    Ok(sqlx::query_as!(
        Locked,
        "WITH held AS MATERIALIZED (
             SELECT id, status, product_id, warehouse_id, placed_at, wb_order_id FROM orders
             WHERE product_id = ANY($1) AND status IN ('new', 'out_of_stock') AND warehouse_id IS NOT NULL
             ORDER BY id FOR NO KEY UPDATE
         )
         SELECT id, status, product_id, warehouse_id FROM held ORDER BY placed_at, wb_order_id",
        &products.iter().map(|product| product.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Those of these products that are bundles, and the bundles that have one of them as a part; as far as orders wait for
/// them.
pub(super) async fn awaited_bundles(tx: &mut EnterpriseTx, products: &[ProductId]) -> Result<Vec<ProductId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT DISTINCT k.bundle_id AS "bundle_id!: ProductId" FROM bundle_components AS k
           WHERE (k.bundle_id = ANY($1) OR k.component_id = ANY($1))
             AND EXISTS (SELECT FROM orders AS o WHERE o.product_id = k.bundle_id AND o.status IN ('new', 'out_of_stock')
                                                   AND o.warehouse_id IS NOT NULL)"#,
        &products.iter().map(|product| product.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?)
}

pub(super) async fn step(
    tx: &mut EnterpriseTx,
    orders: &[OrderId],
    from: OrderStatus,
    to: OrderStatus,
    comment: Option<&str>,
) -> Result<()> {
    if orders.is_empty() {
        return Ok(());
    }
    let now = tx.now().await?;
    let moved = sqlx::query!(
        "UPDATE orders SET status = $2, changed_at = $4 WHERE id = ANY($1) AND status = $3",
        &orders.iter().map(|order| order.0).collect::<Vec<_>>(),
        to as OrderStatus,
        from as OrderStatus,
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if usize::try_from(moved) != Ok(orders.len()) {
        return Err(Error::Inconsistent(format!(
            "{moved} of {} orders went from {} to {}",
            orders.len(),
            from.name(),
            to.name()
        )));
    }
    write_history(tx, orders, Some(from), to, comment).await
}

pub(super) async fn write_history(
    tx: &mut EnterpriseTx,
    orders: &[OrderId],
    from: Option<OrderStatus>,
    to: OrderStatus,
    comment: Option<&str>,
) -> Result<()> {
    let (enterprise_id, actor, now) = (tx.enterprise_id(), tx.actor().to_string(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO order_history (enterprise_id, id, order_id, from_status, to_status, actor, comment, occurred_at)
         SELECT $1, h.id, h.order_id, $2, $3, $4, $5, $6 FROM unnest($7::uuid[], $8::uuid[]) AS h (id, order_id)",
        enterprise_id as _,
        from as Option<OrderStatus>,
        to as OrderStatus,
        actor,
        comment,
        now,
        &orders.iter().map(|_| HistoryId::new().0).collect::<Vec<_>>(),
        &orders.iter().map(|order| order.0).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The products that orders will want which belong nowhere yet.
pub(super) async fn wanted_by_strays(tx: &mut EnterpriseTx) -> Result<Vec<ProductId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT DISTINCT coalesce(o.product_id, p.id) AS "product_id!: ProductId"
           FROM orders AS o
           LEFT JOIN products AS p ON p.account_id = o.account_id AND p.chrt_id = o.chrt_id
           WHERE o.status = 'new' AND coalesce(o.product_id, p.id) IS NOT NULL"#
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Fills in what orders lacked; returns the products that now have somebody waiting.
pub(super) async fn adopt(tx: &mut EnterpriseTx) -> Result<Vec<ProductId>> {
    let now = tx.now().await?;
    let rows = sqlx::query_scalar!(
        r#"UPDATE orders AS o
           SET product_id = coalesce(o.product_id, p.id), warehouse_id = coalesce(o.warehouse_id, w.warehouse_id), changed_at = $1
           FROM orders AS waiting
           LEFT JOIN products AS p ON p.account_id = waiting.account_id AND p.chrt_id = waiting.chrt_id
           LEFT JOIN wildberries_warehouses AS w ON w.account_id = waiting.account_id AND w.wb_warehouse_id = waiting.wb_warehouse_id
           WHERE o.id = waiting.id AND o.enterprise_id = waiting.enterprise_id AND waiting.status = 'new'
             AND ((waiting.product_id IS NULL AND p.id IS NOT NULL) OR (waiting.warehouse_id IS NULL AND w.warehouse_id IS NOT NULL))
           RETURNING o.product_id"#,
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut products: Vec<_> = rows.into_iter().flatten().collect();
    products.sort_unstable();
    products.dedup();
    Ok(products)
}

/// The products that orders of a Wildberries warehouse want for which nothing is held.
pub(super) async fn wanted_by_unserved(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    wb_warehouse_id: WbWarehouseId,
) -> Result<Vec<ProductId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT DISTINCT product_id AS "product_id!: ProductId" FROM orders
           WHERE account_id = $1 AND wb_warehouse_id = $2 AND status IN ('new', 'out_of_stock') AND product_id IS NOT NULL"#,
        account_id as _,
        wb_warehouse_id as _,
    )
    .fetch_all(tx.conn())
    .await?)
}

pub(super) async fn hand_over(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    wb_warehouse_id: WbWarehouseId,
    to: WarehouseId,
) -> Result<Vec<ProductId>> {
    let now = tx.now().await?;
    let products = sqlx::query_scalar!(
        "UPDATE orders SET warehouse_id = $3, changed_at = $4
         WHERE account_id = $1 AND wb_warehouse_id = $2 AND status IN ('new', 'out_of_stock') AND warehouse_id <> $3
         RETURNING product_id",
        account_id as _,
        wb_warehouse_id as _,
        to as _,
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(products.into_iter().flatten().collect())
}
