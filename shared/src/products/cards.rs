//! What Wildberries says of its cards becomes products. The sync owns SKU, name, size, vendor code, brand and numbers of a
//! card's product, and the barcodes that it brought; whatever else a product has is people's, and stays as they left it.

use std::collections::HashSet;

use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, ChrtId, NmId, ProductId};

/// A card of Wildberries' catalogue, in our words.
#[derive(Clone, Debug)]
pub struct CardFacts {
    /// Its number.
    pub nm_id: NmId,
    /// The seller's article code.
    pub vendor_code: String,
    /// What it is.
    pub title: String,
    /// Its brand.
    pub brand: Option<String>,
    /// Its category.
    pub subject: Option<String>,
    /// Its first picture.
    pub photo_url: Option<String>,
    /// Whether its units carry marking codes.
    pub needs_marking: bool,
    /// Its sizes.
    pub sizes: Vec<SizeFacts>,
}

/// A size of a card.
#[derive(Clone, Debug)]
pub struct SizeFacts {
    /// Its number.
    pub chrt_id: ChrtId,
    /// As the seller calls it; "0" for goods without sizes.
    pub name: Option<String>,
    /// Its barcodes.
    pub barcodes: Vec<String>,
}

/// What recording a page of cards changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// New products.
    pub added: i64,
    /// Products whose name, size or code changed.
    pub changed: i64,
    /// Barcodes that another product of the enterprise already has.
    pub barcode_conflicts: i64,
}

/// Keeps a page of cards: cards and sizes are upserted by their numbers, new barcodes are added. Barcodes that the card
/// lost stay: goods in the cells still carry them.
pub async fn record_cards(tx: &mut EnterpriseTx, account_id: AccountId, cards: &[CardFacts]) -> Result<Recorded> {
    upsert_cards(tx, account_id, cards).await?;
    let (added, changed) = upsert_products(tx, account_id, cards).await?;
    let barcode_conflicts = add_barcodes(tx, account_id, cards).await?;
    Ok(Recorded { added, changed, barcode_conflicts })
}

async fn upsert_cards(tx: &mut EnterpriseTx, account_id: AccountId, cards: &[CardFacts]) -> Result<()> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let column = |value: fn(&CardFacts) -> Option<String>| cards.iter().map(value).collect::<Vec<_>>();
    sqlx::query!(
        "INSERT INTO cards (enterprise_id, account_id, nm_id, vendor_code, title, brand, subject, photo_url, needs_marking, changed_at)
         SELECT $1, $2, c.nm_id, c.vendor_code, c.title, c.brand, c.subject, c.photo_url, c.needs_marking, $3
         FROM unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::boolean[])
              AS c (nm_id, vendor_code, title, brand, subject, photo_url, needs_marking)
         ON CONFLICT (enterprise_id, account_id, nm_id) DO UPDATE
         SET vendor_code = EXCLUDED.vendor_code, title = EXCLUDED.title, brand = EXCLUDED.brand, subject = EXCLUDED.subject,
             photo_url = EXCLUDED.photo_url, needs_marking = EXCLUDED.needs_marking, changed_at = EXCLUDED.changed_at, trashed_at = NULL
         WHERE (cards.vendor_code, cards.title, cards.brand, cards.subject, cards.photo_url, cards.needs_marking, cards.trashed_at)
               IS DISTINCT FROM (EXCLUDED.vendor_code, EXCLUDED.title, EXCLUDED.brand, EXCLUDED.subject, EXCLUDED.photo_url,
                                 EXCLUDED.needs_marking, NULL::timestamptz)",
        enterprise_id as _,
        account_id as _,
        now,
        &cards.iter().map(|card| card.nm_id.0).collect::<Vec<_>>(),
        &cards.iter().map(|card| card.vendor_code.clone()).collect::<Vec<_>>(),
        &cards.iter().map(|card| card.title.clone()).collect::<Vec<_>>(),
        &column(|card| card.brand.clone()) as &[Option<String>],
        &column(|card| card.subject.clone()) as &[Option<String>],
        &column(|card| card.photo_url.clone()) as &[Option<String>],
        &cards.iter().map(|card| card.needs_marking).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A size as a product: its article code carries the size where there is more than one.
fn sku_and_size(card: &CardFacts, size: &SizeFacts) -> (String, Option<String>) {
    let name = size.name.clone().filter(|name| name != "0" && !name.is_empty());
    match &name {
        Some(name) => (format!("{}-{name}", card.vendor_code), Some(name.clone())),
        None => (card.vendor_code.clone(), None),
    }
}

async fn upsert_products(tx: &mut EnterpriseTx, account_id: AccountId, cards: &[CardFacts]) -> Result<(i64, i64)> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let (mut ids, mut skus, mut names, mut sizes, mut nm_ids, mut chrt_ids) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    let (mut vendor_codes, mut brands) = (vec![], vec![]);
    for card in cards {
        for size in &card.sizes {
            let (sku, name) = sku_and_size(card, size);
            ids.push(ProductId::new().0);
            skus.push(sku.chars().take(200).collect::<String>());
            names.push(card.title.chars().take(500).collect::<String>());
            sizes.push(name);
            nm_ids.push(card.nm_id.0);
            chrt_ids.push(size.chrt_id.0);
            vendor_codes.push(card.vendor_code.chars().take(200).collect::<String>());
            let brand = card.brand.as_ref().map(|brand| brand.chars().take(200).collect::<String>());
            brands.push(brand.filter(|brand| !brand.is_empty()));
        }
    }
    let rows = sqlx::query_scalar!(
        "INSERT INTO products (enterprise_id, id, sku, name, size, vendor_code, brand, account_id, nm_id, chrt_id, created_at, changed_at)
         SELECT $1, p.id, p.sku, p.name, p.size, p.vendor_code, p.brand, $2, p.nm_id, p.chrt_id, $3, $3
         FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::text[], $11::text[])
              AS p (id, sku, name, size, nm_id, chrt_id, vendor_code, brand)
         ON CONFLICT (enterprise_id, account_id, chrt_id) DO UPDATE
         SET sku = EXCLUDED.sku, name = EXCLUDED.name, size = EXCLUDED.size, vendor_code = EXCLUDED.vendor_code, brand = EXCLUDED.brand,
             nm_id = EXCLUDED.nm_id, changed_at = EXCLUDED.changed_at
         WHERE (products.sku, products.name, products.size, products.vendor_code, products.brand, products.nm_id)
               IS DISTINCT FROM (EXCLUDED.sku, EXCLUDED.name, EXCLUDED.size, EXCLUDED.vendor_code, EXCLUDED.brand, EXCLUDED.nm_id)
         RETURNING id",
        enterprise_id as _,
        account_id as _,
        now,
        &ids,
        &skus,
        &names,
        &sizes as &[Option<String>],
        &nm_ids,
        &chrt_ids,
        &vendor_codes,
        &brands as &[Option<String>],
    )
    .fetch_all(tx.conn())
    .await?;
    // A row that was there has kept the id that it had.
    let proposed: HashSet<_> = ids.into_iter().collect();
    let added = rows.iter().filter(|id| proposed.contains(&id.0)).count();
    Ok((count(added), count(rows.len() - added)))
}

async fn add_barcodes(tx: &mut EnterpriseTx, account_id: AccountId, cards: &[CardFacts]) -> Result<i64> {
    let enterprise_id = tx.enterprise_id();
    let (mut barcodes, mut chrt_ids) = (vec![], vec![]);
    for size in cards.iter().flat_map(|card| &card.sizes) {
        for barcode in size.barcodes.iter().filter(|barcode| (1..=128).contains(&barcode.chars().count())) {
            barcodes.push(barcode.clone());
            chrt_ids.push(size.chrt_id.0);
        }
    }
    sqlx::query!(
        "INSERT INTO barcodes (enterprise_id, barcode, product_id, source, active)
         SELECT $1, b.barcode, p.id, 'wildberries', p.archived_at IS NULL FROM unnest($3::text[], $4::bigint[]) AS b (barcode, chrt_id)
         JOIN products AS p ON p.account_id = $2 AND p.chrt_id = b.chrt_id
         ON CONFLICT DO NOTHING",
        enterprise_id as _,
        account_id as _,
        &barcodes,
        &chrt_ids,
    )
    .execute(tx.conn())
    .await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM unnest($2::text[], $3::bigint[]) AS b (barcode, chrt_id)
           JOIN products AS p ON p.account_id = $1 AND p.chrt_id = b.chrt_id
           JOIN barcodes AS taken ON taken.barcode = b.barcode AND taken.active AND taken.product_id <> p.id
           WHERE p.archived_at IS NULL"#,
        account_id as _,
        &barcodes,
        &chrt_ids,
    )
    .fetch_one(tx.conn())
    .await?)
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).expect("a page has few rows")
}
