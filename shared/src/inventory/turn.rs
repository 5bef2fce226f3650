//! Whose turn it is at a product.
//!
//! Every verb of the ledger lines up at its products first, in one order for all, before it reads a balance and before it
//! locks an order: so what it reads stands still until it commits, and no two of them wait for each other in a ring. Who
//! takes several steps in one transaction lines up for all of them at once.
//!
//! The products of an enterprise stand in so many lines, not one each: the server's table of locks is shared by everybody
//! and has room for some thousands. Whoever waits behind another product of the same line waits in vain, and not for long.

use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::{OrderId, ProductId};

/// Lines of an enterprise: the most locks that a transaction takes.
const LINES: u64 = 1024;

/// Waits until nobody else works on these products; holds them until the transaction ends. Again for the same ones is free.
pub async fn line_up(tx: &mut EnterpriseTx, products: &[ProductId]) -> Result<()> {
    let mut lines: Vec<_> = products.iter().map(line).collect();
    lines.sort_unstable();
    lines.dedup();
    if lines.is_empty() {
        return Ok(());
    }
    let enterprise_id = tx.enterprise_id();
    // Taken in the order of the list: it is what keeps two batches out of a ring. Two enterprises that by chance have the
    // same number have the same lines, in the same order.
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtext($1::uuid::text), line) FROM unnest($2::int[]) AS lines (line)",
        enterprise_id as _,
        &lines,
    )
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

/// By the random half of the id.
fn line(product: &ProductId) -> i32 {
    i32::try_from(product.0.as_u64_pair().1 % LINES).expect("there are few lines")
}
