//! What people say of products: own items with everything that they have, and their part of what Wildberries brought.

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::ProductId;
use crate::{Error, Refusal, Result, inventory};

use super::facts::{Change, Facts, Owner, checked_barcodes};
use super::store::{self, Held};
use super::{Product, look, uses};

/// The largest bundle, in units: each of them is picked by a scan of its own.
pub const MAX_UNITS: i64 = 1000;

/// So many of a stored product in a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which one.
    pub product_id: ProductId,
    /// 1 to 1000.
    pub quantity: i32,
}

/// An own item to make.
#[derive(Clone, Debug, Default)]
pub struct NewProduct {
    /// Unique among the own items that are not archived.
    pub sku: String,
    /// What it is.
    pub name: String,
    /// Everything else.
    pub rest: Change,
}

/// Makes an own item.
pub async fn create(tx: &mut EnterpriseTx, new: &NewProduct) -> Result<Product> {
    tx.require_everywhere(Permission::ManageProducts)?;
    let change = Change { sku: Some(new.sku.clone()), name: Some(new.name.clone()), ..new.rest.clone() };
    let facts = change.applied(&Facts::default(), Owner::People)?;
    let barcodes = change.barcodes.clone().unwrap_or_default();
    checked_barcodes(&barcodes)?;
    let id = ProductId::new();
    store::write(tx, &[(id, facts)]).await?;
    store::add_barcodes(tx, &barcodes.into_iter().map(|barcode| (id, barcode)).collect::<Vec<_>>()).await?;
    if let Some(parts) = change.components.as_deref().filter(|parts| !parts.is_empty()) {
        make_bundle(tx, id, false, parts).await?;
    }
    let product = look::show(tx, id).await?;
    audit::created(tx, Action::ProductCreated, Object::of("product", id), &product).await?;
    Ok(product)
}

/// Changes what people own of a product: everything of an own item, less of what belongs to a card.
pub async fn change(tx: &mut EnterpriseTx, id: ProductId, change: &Change) -> Result<Product> {
    tx.require_everywhere(Permission::ManageProducts)?;
    let held = hold(tx, id).await?;
    tx.expect(held.version)?;
    if held.is_archived {
        return Err(Error::refused(
            Refusal::ProductArchived,
            format!("{} is archived: restore it first", held.facts.sku),
        ));
    }
    let before = look::show(tx, id).await?;
    let facts = change.applied(&held.facts, held.owner)?;
    store::write(tx, &[(id, facts)]).await?;
    if let Some(barcodes) = &change.barcodes {
        set_barcodes(tx, id, &held, barcodes).await?;
    }
    if let Some(parts) = &change.components {
        // Nobody reserves for an order of it meanwhile. Behind the rows and not before them: so does the sync.
        hold_parts(tx, parts).await?;
        inventory::line_up(tx, &parts.iter().map(|part| part.product_id).chain([id]).collect::<Vec<_>>()).await?;
        make_bundle(tx, id, held.is_bundle, parts).await?;
    }
    let product = look::show(tx, id).await?;
    audit::changed(tx, Action::ProductChanged, Object::of("product", id), &before, &product).await?;
    Ok(product)
}

/// The one product, until the transaction ends.
pub(super) async fn hold(tx: &mut EnterpriseTx, id: ProductId) -> Result<Held> {
    store::hold(tx, &[id]).await?.remove(&id).ok_or(Error::NotFound("product"))
}

async fn set_barcodes(tx: &mut EnterpriseTx, id: ProductId, held: &Held, barcodes: &[String]) -> Result<()> {
    checked_barcodes(barcodes)?;
    let gone: Vec<_> = held.barcodes.iter().filter(|(barcode, _)| !barcodes.contains(barcode)).collect();
    if let Some((barcode, _)) = gone.iter().find(|(_, theirs)| *theirs) {
        return Err(Error::refused(
            Refusal::KeptByWildberries,
            format!("barcodes: {barcode} comes from the card, and goods in the cells carry it"),
        ));
    }
    let gone: Vec<_> = gone.into_iter().map(|(barcode, _)| (id, barcode.clone())).collect();
    let is_there = |barcode: &String| held.barcodes.iter().any(|(there, _)| there == barcode);
    let new: Vec<_> =
        barcodes.iter().filter(|barcode| !is_there(barcode)).map(|barcode| (id, barcode.clone())).collect();
    store::remove_barcodes(tx, &gone).await?;
    store::add_barcodes(tx, &new).await
}

/// Replaces what a bundle is made of. What is stored itself, or part of another bundle, becomes none.
async fn make_bundle(tx: &mut EnterpriseTx, id: ProductId, was_bundle: bool, parts: &[Part]) -> Result<()> {
    if parts.len() > 100 {
        return Err(Error::invalid("components", "must be at most 100"));
    }
    for (index, part) in parts.iter().enumerate() {
        if !(1..=1000).contains(&part.quantity) {
            return Err(Error::invalid(format!("components.{index}.quantity"), "must be between 1 and 1000"));
        }
        if parts[..index].iter().any(|other| other.product_id == part.product_id) {
            return Err(Error::invalid(format!("components.{index}.productId"), "is named twice"));
        }
        if part.product_id == id {
            return Err(not_stored(index));
        }
    }
    let is_bundle = !parts.is_empty();
    let units: i64 = parts.iter().map(|part| i64::from(part.quantity)).sum();
    if units > MAX_UNITS {
        return Err(Error::invalid("components", format!("must be at most {MAX_UNITS} units together")));
    }
    if is_bundle && !was_bundle {
        uses::refuse_kept(tx, id).await?;
    }
    sqlx::query!("DELETE FROM bundle_components WHERE bundle_id = $1", id as _).execute(tx.conn()).await?;
    if is_bundle != was_bundle {
        // Archived bundles use nothing, and can be brought back.
        sqlx::query!("UPDATE products SET is_bundle = $2 WHERE id = $1", id as _, is_bundle)
            .execute(tx.conn())
            .await
            .refused_on("bundle_components_component_fkey", Refusal::ProductInUse, || {
            "it is still used: an archived bundle is made of it".to_owned()
        })?;
    }
    insert_parts(tx, id, parts).await
}

/// Against being archived or becoming bundles themselves; the references hold them once more.
async fn hold_parts(tx: &mut EnterpriseTx, parts: &[Part]) -> Result<()> {
    let ids: Vec<_> = parts.iter().map(|part| part.product_id.0).collect();
    sqlx::query!("SELECT id FROM products WHERE id = ANY($1) ORDER BY id FOR SHARE", &ids).fetch_all(tx.conn()).await?;
    Ok(())
}

async fn insert_parts(tx: &mut EnterpriseTx, id: ProductId, parts: &[Part]) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    let ids: Vec<_> = parts.iter().map(|part| part.product_id.0).collect();
    let there = sqlx::query!(
        r#"SELECT id, archived_at IS NULL AND NOT is_bundle AS "stored!" FROM products WHERE id = ANY($1) ORDER BY id FOR SHARE"#,
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    for (index, part) in parts.iter().enumerate() {
        match there.iter().find(|row| row.id == part.product_id) {
            Some(row) if row.stored => {}
            Some(_) => return Err(not_stored(index)),
            None => {
                return Err(Error::invalid(format!("components.{index}.productId"), "is no product of the enterprise"));
            }
        }
    }
    sqlx::query!(
        "INSERT INTO bundle_components (enterprise_id, bundle_id, component_id, quantity)
         SELECT $1, $2, c.id, c.quantity FROM unnest($3::uuid[], $4::int[]) AS c (id, quantity)",
        enterprise_id as _,
        id as _,
        &ids,
        &parts.iter().map(|part| part.quantity).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await
    .refused_on("bundle_components_component_fkey", Refusal::ComponentNotStored, || {
        "one of the components became a bundle meanwhile".to_owned()
    })?;
    Ok(())
}

fn not_stored(index: usize) -> Error {
    Error::refused(
        Refusal::ComponentNotStored,
        format!("components.{index}: a bundle is made of products that are stored, not of bundles or archived ones"),
    )
}
