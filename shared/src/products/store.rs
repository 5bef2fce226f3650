//! The product rows that people write, many at once: one person's edit and a page of an import take the same road.

use std::collections::HashMap;

use super::facts::{Facts, Owner};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{CategoryId, ProductId};
use crate::versions::Version;
use crate::{Error, Refusal, Result};

/// A product that nobody else changes before this transaction ends.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub facts: Facts,
    pub owner: Owner,
    pub is_bundle: bool,
    pub is_archived: bool,
    pub version: Version,
    /// With whether Wildberries brought it.
    pub barcodes: Vec<(String, bool)>,
}

/// Locks these products, always in the same order, and reads them. One that is not there is left out.
pub(super) async fn hold(tx: &mut EnterpriseTx, ids: &[ProductId]) -> Result<HashMap<ProductId, Held>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT p.id, p.sku, p.name, p.size, p.vendor_code, p.brand, p.category_id, p.length_mm, p.width_mm, p.height_mm, p.weight_g,
                  p.photos, p.min_stock, p.safety_stock, p.expiry_control, p.marking_required, p.is_bundle, p.version,
                  p.archived_at IS NOT NULL AS "is_archived!", p.account_id IS NOT NULL AS "is_of_card!",
                  (SELECT c.needs_marking FROM cards AS c WHERE c.account_id = p.account_id AND c.nm_id = p.nm_id) AS needs_marking
           FROM products AS p WHERE p.id = ANY($1) ORDER BY p.id FOR NO KEY UPDATE OF p"#,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let barcodes = sqlx::query!(
        r#"SELECT product_id, barcode, source = 'wildberries' AS "theirs!" FROM barcodes WHERE product_id = ANY($1) ORDER BY barcode"#,
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    let held = rows.into_iter().map(|row| {
        let owner = if row.is_of_card {
            Owner::Card { needs_marking: row.needs_marking.unwrap_or(false) }
        } else {
            Owner::People
        };
        let facts = Facts {
            sku: row.sku,
            name: row.name,
            size: row.size,
            vendor_code: row.vendor_code,
            brand: row.brand,
            category_id: row.category_id,
            length_mm: row.length_mm,
            width_mm: row.width_mm,
            height_mm: row.height_mm,
            weight_g: row.weight_g,
            photos: row.photos,
            min_stock: row.min_stock,
            safety_stock: row.safety_stock,
            expiry_control: row.expiry_control,
            marking_required: row.marking_required,
        };
        let (is_bundle, is_archived, version) = (row.is_bundle, row.is_archived, row.version);
        (row.id, Held { facts, owner, is_bundle, is_archived, version, barcodes: Vec::new() })
    });
    let mut held: HashMap<_, _> = held.collect();
    for row in barcodes {
        if let Some(product) = held.get_mut(&row.product_id) {
            product.barcodes.push((row.barcode, row.theirs));
        }
    }
    Ok(held)
}

/// New own items, or people's part of those that are there. Says each one's version.
pub(super) async fn write(tx: &mut EnterpriseTx, rows: &[(ProductId, Facts)]) -> Result<HashMap<ProductId, Version>> {
    #[derive(serde::Serialize)]
    struct Row<'a> {
        id: ProductId,
        #[serde(flatten)]
        facts: &'a Facts,
    }
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let mut categories: Vec<_> = rows.iter().filter_map(|(_, facts)| facts.category_id).map(|id| id.0).collect();
    categories.sort_unstable();
    categories.dedup();
    // So that a category that is not there is told as such, and not found out by a constraint that names nothing.
    let there: Vec<CategoryId> =
        sqlx::query_scalar!("SELECT id FROM categories WHERE id = ANY($1) ORDER BY id FOR KEY SHARE", &categories)
            .fetch_all(tx.conn())
            .await?;
    if there.len() < categories.len() {
        return Err(Error::invalid("categoryId", "is no category of the enterprise"));
    }
    let json: Vec<_> = rows.iter().map(|(id, facts)| Row { id: *id, facts }).collect();
    let json = serde_json::to_value(json).map_err(|error| Error::Inconsistent(error.to_string()))?;
    let written = sqlx::query!(
        "INSERT INTO products (enterprise_id, id, sku, name, size, vendor_code, brand, category_id, length_mm, width_mm, height_mm, weight_g,
                               photos, min_stock, safety_stock, expiry_control, marking_required, created_at, changed_at)
         SELECT $1, f.id, f.sku, f.name, f.size, f.vendor_code, f.brand, f.category_id, f.length_mm, f.width_mm, f.height_mm, f.weight_g,
                f.photos, f.min_stock, f.safety_stock, f.expiry_control, f.marking_required, $2, $2
         FROM jsonb_to_recordset($3) AS f (id uuid, sku text, name text, size text, vendor_code text, brand text, category_id uuid,
              length_mm integer, width_mm integer, height_mm integer, weight_g integer, photos text[], min_stock integer,
              safety_stock integer, expiry_control boolean, marking_required boolean)
         ON CONFLICT (enterprise_id, id) DO UPDATE
         SET sku = EXCLUDED.sku, name = EXCLUDED.name, size = EXCLUDED.size, vendor_code = EXCLUDED.vendor_code, brand = EXCLUDED.brand,
             category_id = EXCLUDED.category_id, length_mm = EXCLUDED.length_mm, width_mm = EXCLUDED.width_mm,
             height_mm = EXCLUDED.height_mm, weight_g = EXCLUDED.weight_g, photos = EXCLUDED.photos, min_stock = EXCLUDED.min_stock,
             safety_stock = EXCLUDED.safety_stock, expiry_control = EXCLUDED.expiry_control,
             marking_required = EXCLUDED.marking_required, changed_at = EXCLUDED.changed_at, edits = products.edits + 1
         RETURNING id, version",
        enterprise_id as _,
        now,
        json,
    )
    .fetch_all(tx.conn())
    .await
    .refused_on("products_own_sku_key", Refusal::SkuTaken, || match rows {
        [(_, facts)] => format!("there is already a product with the SKU {}", facts.sku),
        _ => "one of the SKUs is already taken".to_owned(),
    })?;
    Ok(written.into_iter().map(|row| (row.id, row.version)).collect())
}

/// Further barcodes that people gave.
pub(super) async fn add_barcodes(tx: &mut EnterpriseTx, barcodes: &[(ProductId, String)]) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    sqlx::query!(
        "INSERT INTO barcodes (enterprise_id, product_id, barcode, source)
         SELECT $1, b.product_id, b.barcode, 'own' FROM unnest($2::uuid[], $3::text[]) AS b (product_id, barcode)",
        enterprise_id as _,
        &barcodes.iter().map(|(id, _)| id.0).collect::<Vec<_>>(),
        &barcodes.iter().map(|(_, barcode)| barcode.clone()).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await
    .refused_on("barcodes_active_key", Refusal::BarcodeTaken, || {
        let named: Vec<_> = barcodes.iter().take(5).map(|(_, barcode)| barcode.as_str()).collect();
        format!("another product already has one of these barcodes: {}", named.join(", "))
    })?;
    Ok(())
}

/// Takes barcodes off again that people gave.
pub(super) async fn remove_barcodes(tx: &mut EnterpriseTx, barcodes: &[(ProductId, String)]) -> Result<()> {
    sqlx::query!(
        "DELETE FROM barcodes AS b USING unnest($1::uuid[], $2::text[]) AS gone (product_id, barcode)
         WHERE b.product_id = gone.product_id AND b.barcode = gone.barcode AND b.source = 'own'",
        &barcodes.iter().map(|(id, _)| id.0).collect::<Vec<_>>(),
        &barcodes.iter().map(|(_, barcode)| barcode.clone()).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
