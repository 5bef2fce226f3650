//! Taking products out of the catalogue and back. What still uses one is said by name.

use serde_json::json;

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::ProductId;
use crate::{Error, Refusal, Result};

use super::{Product, look, own};

/// Takes a product out of the catalogue; its SKU and its barcodes are free again. Refused, with the list, while anything
/// uses it.
pub async fn archive(tx: &mut EnterpriseTx, id: ProductId) -> Result<Product> {
    tx.require_everywhere(Permission::ManageProducts)?;
    let held = own::hold(tx, id).await?;
    tx.expect(held.version)?;
    if held.is_archived {
        return look::show(tx, id).await;
    }
    refuse_used(tx, id).await?;
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE products SET archived_at = $2, changed_at = $2, edits = edits + 1 WHERE id = $1",
        id as _,
        now
    )
    .execute(tx.conn())
    .await?;
    audit::noted(tx, Action::ProductArchived, Object::of("product", id), &json!({ "sku": held.facts.sku })).await?;
    look::show(tx, id).await
}

/// Brings a product back, with its barcodes.
pub async fn restore(tx: &mut EnterpriseTx, id: ProductId) -> Result<Product> {
    tx.require_everywhere(Permission::ManageProducts)?;
    let held = own::hold(tx, id).await?;
    tx.expect(held.version)?;
    if !held.is_archived {
        return look::show(tx, id).await;
    }
    let now = tx.now().await?;
    let sku = &held.facts.sku;
    sqlx::query!(
        "UPDATE products SET archived_at = NULL, changed_at = $2, edits = edits + 1 WHERE id = $1",
        id as _,
        now
    )
    .execute(tx.conn())
    .await
    .refused_on("products_own_sku_key", Refusal::SkuTaken, || format!("another product has the SKU {sku} now"))
    .refused_on("barcodes_active_key", Refusal::BarcodeTaken, || {
        format!("another product has one of the barcodes of {sku} now")
    })?;
    audit::noted(tx, Action::ProductRestored, Object::of("product", id), &json!({ "sku": sku })).await?;
    look::show(tx, id).await
}

/// Fails with the list of what uses the product, if anything does.
pub(super) async fn refuse_used(tx: &mut EnterpriseTx, id: ProductId) -> Result<()> {
    let uses: Vec<_> = uses(tx, &[id], 100).await?.into_iter().map(|(_, what)| what).collect();
    if uses.is_empty() {
        return Ok(());
    }
    Err(Error::refused(Refusal::ProductInUse, format!("it is still used: {}", uses.join("; "))))
}

/// The same for a product that becomes a bundle: orders that only wait for it are served with its parts.
pub(super) async fn refuse_kept(tx: &mut EnterpriseTx, id: ProductId) -> Result<()> {
    let waits = |what: &String| what.ends_with("(new)") || what.ends_with("(out_of_stock)");
    let uses: Vec<_> =
        uses(tx, &[id], 100).await?.into_iter().map(|(_, what)| what).filter(|what| !waits(what)).collect();
    if uses.is_empty() {
        return Ok(());
    }
    Err(Error::refused(Refusal::ProductInUse, format!("it is still used: {}", uses.join("; "))))
}

/// What uses these products, each in words: stock, reservations, orders that are not through, requests that are open,
/// bundles. At most so many.
pub(super) async fn uses(tx: &mut EnterpriseTx, ids: &[ProductId], most: i64) -> Result<Vec<(ProductId, String)>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT product_id AS "product_id!: ProductId", what AS "what!" FROM (
               SELECT b.product_id, format('stock: %s in cell %s of warehouse %s', sum(b.on_hand), c.code, w.name) AS what
               FROM balances AS b JOIN cells AS c ON c.id = b.cell_id JOIN warehouses AS w ON w.id = c.warehouse_id
               WHERE b.product_id = ANY($1) AND b.on_hand > 0 GROUP BY b.product_id, c.code, w.name
               UNION ALL
               SELECT r.product_id, format('reservations: %s', count(*)) FROM reservations AS r
               WHERE r.product_id = ANY($1) AND r.status = 'active' GROUP BY r.product_id
               UNION ALL
               SELECT o.product_id, format('order %s (%s)', o.wb_order_id, o.status) FROM orders AS o
               WHERE o.product_id = ANY($1) AND o.status IN ('new', 'out_of_stock', 'reserved', 'picking', 'picked', 'packed')
               UNION ALL
               SELECT DISTINCT l.product_id, format('request %s (%s)', r.id, r.status) FROM requests AS r
               JOIN (SELECT request_id, product_id FROM pick_lines WHERE product_id = ANY($1)
                     UNION SELECT request_id, product_id FROM move_lines WHERE product_id = ANY($1)) AS l ON l.request_id = r.id
               WHERE r.status NOT IN ('completed', 'cancelled')
               UNION ALL
               SELECT k.component_id, format('bundle %s', p.sku)
               FROM bundle_components AS k JOIN products AS p ON p.id = k.bundle_id
               WHERE k.component_id = ANY($1) AND p.archived_at IS NULL
           ) AS uses
           ORDER BY 1, 2 LIMIT $2"#,
        &ids,
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.product_id, row.what)).collect())
}
