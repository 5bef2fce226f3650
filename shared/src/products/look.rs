//! Reading products.

use std::collections::HashMap;

use sqlx::types::Json;

use super::{Component, Product, ProductFilter, search};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::ProductId;
use crate::page::{Page, PageQuery};
use crate::{Error, Refusal, Result, enterprises};

/// One product.
pub async fn get(tx: &mut EnterpriseTx, id: ProductId) -> Result<Product> {
    tx.require(Permission::ReadStock)?;
    show(tx, id).await
}

/// The product that a scanner read, whichever of its barcodes it was. Archived ones have none.
pub async fn lookup(tx: &mut EnterpriseTx, barcode: &str) -> Result<Product> {
    tx.require(Permission::ReadStock)?;
    let id = find_barcode(tx, barcode).await?.ok_or(Error::NotFound("product"))?;
    show(tx, id).await
}

/// One product, for a verb that has asked for its own permission.
pub(crate) async fn show(tx: &mut EnterpriseTx, id: ProductId) -> Result<Product> {
    show_all(tx, &[id]).await?.pop().ok_or(Error::NotFound("product"))
}

/// These products, in this order; one that is not there is left out.
pub(super) async fn show_all(tx: &mut EnterpriseTx, ids: &[ProductId]) -> Result<Vec<Product>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    Ok(sqlx::query_as!(
        Product,
        r#"SELECT p.id, p.sku, p.name, p.size, p.vendor_code, p.brand, p.category_id,
                  CASE WHEN p.category_id IS NOT NULL THEN category_path(p.category_id) END AS category, c.subject AS "subject?", p.account_id, p.nm_id, p.chrt_id,
                  ARRAY(SELECT b.barcode FROM barcodes AS b WHERE b.product_id = p.id ORDER BY b.barcode) AS "barcodes!",
                  c.photo_url AS "card_photo_url?", p.photos, p.length_mm, p.width_mm, p.height_mm, p.weight_g, p.min_stock, p.safety_stock,
                  p.expiry_control, p.marking_required OR coalesce(c.needs_marking, false) AS "marking_required!",
                  CASE WHEN p.is_bundle THEN (
                      SELECT jsonb_agg(jsonb_build_object('productId', k.component_id, 'sku', s.sku, 'quantity', k.quantity) ORDER BY s.sku, s.id)
                      FROM bundle_components AS k JOIN products AS s ON s.id = k.component_id WHERE k.bundle_id = p.id
                  ) ELSE '[]' END AS "components!: Json<Vec<Component>>",
                  p.created_at, p.changed_at, p.archived_at, p.version
           FROM unnest($1::uuid[]) WITH ORDINALITY AS asked (id, position)
           JOIN products AS p ON p.id = asked.id
           LEFT JOIN cards AS c ON c.account_id = p.account_id AND c.nm_id = p.nm_id
           ORDER BY asked.position"#,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Products by name, or the best first where words are looked for.
pub async fn list(tx: &mut EnterpriseTx, filter: &ProductFilter, query: &PageQuery) -> Result<Page<Product>> {
    if let Some(text) = &filter.text {
        return search::search(tx, text, filter, query).await;
    }
    let (bounds, today) = (tx.bounds(Permission::ReadStock)?, enterprises::today(tx).await?);
    let after: Option<(String, ProductId)> = query.key()?;
    let (name, id) = after.unzip();
    let rows = sqlx::query_as!(
        Product,
        r#"SELECT p.id, p.sku, p.name, p.size, p.vendor_code, p.brand, p.category_id,
                  CASE WHEN p.category_id IS NOT NULL THEN category_path(p.category_id) END AS category, c.subject AS "subject?", p.account_id, p.nm_id, p.chrt_id,
                  ARRAY(SELECT b.barcode FROM barcodes AS b WHERE b.product_id = p.id ORDER BY b.barcode) AS "barcodes!",
                  c.photo_url AS "card_photo_url?", p.photos, p.length_mm, p.width_mm, p.height_mm, p.weight_g, p.min_stock, p.safety_stock,
                  p.expiry_control, p.marking_required OR coalesce(c.needs_marking, false) AS "marking_required!",
                  CASE WHEN p.is_bundle THEN (
                      SELECT jsonb_agg(jsonb_build_object('productId', k.component_id, 'sku', s.sku, 'quantity', k.quantity) ORDER BY s.sku, s.id)
                      FROM bundle_components AS k JOIN products AS s ON s.id = k.component_id WHERE k.bundle_id = p.id
                  ) ELSE '[]' END AS "components!: Json<Vec<Component>>",
                  p.created_at, p.changed_at, p.archived_at, p.version
           FROM products AS p
           LEFT JOIN cards AS c ON c.account_id = p.account_id AND c.nm_id = p.nm_id
           WHERE ($1::text IS NULL OR p.id = (SELECT b.product_id FROM barcodes AS b WHERE b.barcode = $1 AND b.active))
             AND ($2::bigint IS NULL OR p.nm_id = $2) AND ($3::text IS NULL OR p.brand = $3)
             AND ($4::uuid IS NULL OR p.category_id IN (
                 WITH RECURSIVE below AS (
                     SELECT $4::uuid AS id UNION SELECT k.id FROM categories AS k JOIN below ON k.parent_id = below.id
                 ) SELECT below.id FROM below))
             AND (p.archived_at IS NOT NULL) = $5::boolean AND ($6::boolean IS NULL OR p.is_bundle = $6)
             AND (NOT $7::boolean OR (p.min_stock > 0 AND p.min_stock > product_available(p.id, $8::uuid[], $12)))
             AND ($9::text IS NULL OR (p.name, p.id) > ($9, $10::uuid))
           ORDER BY p.name, p.id LIMIT $11"#,
        filter.barcode,
        filter.nm_id as _,
        filter.brand,
        filter.category_id as _,
        filter.archived,
        filter.bundle,
        filter.below_minimum,
        bounds.warehouses.as_deref(),
        name,
        id as _,
        query.limit + 1,
        today,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |product| (product.name.clone(), product.id)))
}

/// The product with this barcode, or the refusal that names the barcode.
pub async fn by_barcode(tx: &mut EnterpriseTx, barcode: &str) -> Result<ProductId> {
    find_barcode(tx, barcode)
        .await?
        .ok_or_else(|| Error::refused(Refusal::BarcodeUnknown, format!("no product has the barcode {barcode}")))
}

/// Those of these products that no cell keeps, each with the reason: bundles and what is archived. Whoever puts goods away
/// asks this once it has lined up at them: then it stays so.
pub(crate) async fn not_kept(
    tx: &mut EnterpriseTx,
    ids: &[ProductId],
) -> Result<HashMap<ProductId, (Refusal, String)>> {
    let rows = sqlx::query!(
        "SELECT id, sku, is_bundle FROM products WHERE id = ANY($1) AND (is_bundle OR archived_at IS NOT NULL)",
        &ids.iter().map(|id| id.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    let why = |is_bundle: bool, sku: &str| {
        if is_bundle {
            (Refusal::ProductNotStored, format!("{sku} is a bundle: what it is made of is stored"))
        } else {
            (Refusal::ProductArchived, format!("{sku} is archived: restore it first"))
        }
    };
    Ok(rows.into_iter().map(|row| (row.id, why(row.is_bundle, &row.sku))).collect())
}

async fn find_barcode(tx: &mut EnterpriseTx, barcode: &str) -> Result<Option<ProductId>> {
    Ok(sqlx::query_scalar!("SELECT product_id FROM barcodes WHERE barcode = $1 AND active", barcode)
        .fetch_optional(tx.conn())
        .await?)
}

/// The products with these barcodes.
pub async fn by_barcodes(tx: &mut EnterpriseTx, barcodes: &[String]) -> Result<HashMap<String, ProductId>> {
    let rows = sqlx::query!("SELECT barcode, product_id FROM barcodes WHERE barcode = ANY($1) AND active", barcodes)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(|row| (row.barcode, row.product_id)).collect())
}
