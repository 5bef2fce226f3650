//! What bundles are made of, for whoever fulfils them.

use std::collections::HashMap;

use super::Part;
use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::ProductId;

/// The parts of those of these products that are bundles.
pub async fn parts_of(tx: &mut EnterpriseTx, products: &[ProductId]) -> Result<HashMap<ProductId, Vec<Part>>> {
    let rows = sqlx::query!(
        "SELECT bundle_id, component_id, quantity FROM bundle_components WHERE bundle_id = ANY($1)
         ORDER BY bundle_id, component_id",
        &products.iter().map(|product| product.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    let mut parts: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        let part = Part { product_id: row.component_id, quantity: row.quantity };
        parts.entry(row.bundle_id).or_default().push(part);
    }
    Ok(parts)
}
