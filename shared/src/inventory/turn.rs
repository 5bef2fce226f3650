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
use crate::ids::ProductId;

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

/// By the random half of the id.
fn line(product: &ProductId) -> i32 {
    i32::try_from(product.0.as_u64_pair().1 % LINES).expect("there are few lines")
}
