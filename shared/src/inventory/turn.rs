//! Whose turn it is at a product.
//!
//! Every verb of the ledger lines up at its products first, in one order for all, before it reads a balance and before it
//! locks an order: so what it reads stands still until it commits, and no two of them wait for each other in a ring. Who
//! takes several steps in one transaction lines up for all of them at once.

use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::{OrderId, ProductId};

/// Waits until nobody else works on these products; holds them until the transaction ends. Again for the same ones is free.
pub async fn line_up(tx: &mut EnterpriseTx, products: &[ProductId]) -> Result<()> {
    // The random half of the id.
    let mut keys: Vec<_> = products.iter().map(|product| product.0.as_u64_pair().1.cast_signed()).collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Ok(());
    }
    // Taken in the order of the list: it is what keeps two batches out of a ring.
    sqlx::query!("SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS keys (key)", &keys)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Lines up at whatever these orders want or hold; with a bundle, at what it is made of.
pub async fn line_up_for(tx: &mut EnterpriseTx, orders: &[OrderId]) -> Result<()> {
    if orders.is_empty() {
        return Ok(());
    }
    let products = sqlx::query_scalar!(
        r#"SELECT o.product_id AS "product_id!: ProductId" FROM orders AS o WHERE o.id = ANY($1) AND o.product_id IS NOT NULL
           UNION
           SELECT k.component_id FROM orders AS o JOIN bundle_components AS k ON k.bundle_id = o.product_id WHERE o.id = ANY($1)
           UNION
           SELECT r.product_id FROM reservations AS r WHERE r.order_id = ANY($1) AND r.status = 'active'"#,
        &orders.iter().map(|order| order.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    line_up(tx, &products).await
}
