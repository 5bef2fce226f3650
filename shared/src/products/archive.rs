//! Taking products out of the catalogue and back.

use serde_json::json;

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::ProductId;
use crate::{Error, Refusal, Result};

use super::{Product, look, own, uses};

/// Takes a product out of the catalogue; its SKU and its barcodes are free again. Refused, with the list, while anything
/// uses it.
pub async fn archive(tx: &mut EnterpriseTx, id: ProductId) -> Result<Product> {
    tx.require_everywhere(Permission::ManageProducts)?;
    let held = own::hold(tx, id).await?;
    tx.expect(held.version)?;
    if held.is_archived {
        return look::show(tx, id).await;
    }
    uses::refuse_used(tx, id).await?;
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

/// Brings a product back, with its barcodes; a bundle only with everything that it is made of.
pub async fn restore(tx: &mut EnterpriseTx, id: ProductId) -> Result<Product> {
    tx.require_everywhere(Permission::ManageProducts)?;
    let held = own::hold(tx, id).await?;
    tx.expect(held.version)?;
    if !held.is_archived {
        return look::show(tx, id).await;
    }
    refuse_without_parts(tx, id).await?;
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

/// Fails while anything is archived of which the bundle is made. What is not stays so until this transaction ends.
async fn refuse_without_parts(tx: &mut EnterpriseTx, id: ProductId) -> Result<()> {
    let parts = sqlx::query!(
        r#"SELECT p.sku, p.archived_at IS NOT NULL AS "is_archived!" FROM products AS p
           WHERE p.id IN (SELECT k.component_id FROM bundle_components AS k WHERE k.bundle_id = $1) ORDER BY p.id FOR SHARE OF p"#,
        id as _
    )
    .fetch_all(tx.conn())
    .await?;
    let archived: Vec<_> = parts.into_iter().filter(|part| part.is_archived).map(|part| part.sku).collect();
    if archived.is_empty() {
        return Ok(());
    }
    let detail = format!("it is made of what is archived: restore {} first", archived.join(", "));
    Err(Error::refused(Refusal::ComponentNotStored, detail))
}
