//! Finding products by words, in Cyrillic and Latin: other forms of a word by text search, parts of codes by
//! trigrams, and misspelt words by trigrams and by how many letters are wrong.
//!
//! The table of words stands outside row security, whose policies would keep these operators from their index. This is the
//! one place that reads it: by its enterprise first, and joined back to `products`, where row security is.

use super::{Product, ProductFilter, look};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::ProductId;
use crate::page::{Page, PageQuery};
use crate::{Error, Result, enterprises};

/// What is less like a word's stem than this is not even looked at: the letters are counted of the rest.
const ALIKE: &str = "0.3";
/// Words of a question that are looked at.
const WORDS: usize = 10;

/// One word of the question.
struct Word {
    /// What other forms of it and misspelt ones are like. A code has none: of a row of numbers all would be alike.
    stem: Option<String>,
    /// For `LIKE`: the word as it is written, anywhere.
    part: String,
    written: String,
}

/// The best first. Every word of the question must be there in some form.
pub(super) async fn search(
    tx: &mut EnterpriseTx,
    text: &str,
    filter: &ProductFilter,
    query: &PageQuery,
) -> Result<Page<Product>> {
    let (bounds, today) = (tx.bounds(Permission::ReadStock)?, enterprises::today(tx).await?);
    let after: Option<(i32, ProductId)> = query.key()?;
    let (score, id) = after.unzip();
    let written: Vec<_> = text.split_whitespace().take(WORDS).map(str::to_owned).collect();
    if written.is_empty() || text.chars().count() > 200 {
        return Err(Error::invalid("text", "must have 1 to 200 characters"));
    }
    let words = words(tx, &written).await?;
    // The index is asked for a code, or else for the longest word: the fewest products have it.
    let weight = |word: &&Word| (word.stem.is_none(), word.written.chars().count());
    let Some(longest) = words.iter().max_by_key(weight) else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let all = words.iter().map(|word| word.written.as_str()).collect::<Vec<_>>().join(" ");
    let enterprise_id = tx.enterprise_id();
    let found = sqlx::query!(
        r#"WITH question AS MATERIALIZED (
               SELECT plainto_tsquery('russian', $2) AS whole, search_text($2) AS written
           ), found AS (
               SELECT p.id,
                      CASE WHEN search_text(p.sku) = q.written OR search_text(p.vendor_code) = q.written
                                OR p.id = (SELECT b.product_id FROM barcodes AS b WHERE b.barcode = $2 AND b.active) THEN 10000
                           WHEN s.words @@ q.whole THEN 5000 + (1000 * ts_rank(s.words, q.whole))::integer
                           ELSE (1000 * word_similarity($3, s.terms))::integer END AS score
               FROM question AS q, product_search AS s
               JOIN products AS p ON p.enterprise_id = s.enterprise_id AND p.id = s.product_id
               WHERE s.enterprise_id = $1
                 AND (s.terms %> $4 OR s.terms LIKE $5
                      OR s.product_id = (SELECT b.product_id FROM barcodes AS b WHERE b.barcode = $2 AND b.active))
                 AND (s.words @@ q.whole
                      OR s.product_id = (SELECT b.product_id FROM barcodes AS b WHERE b.barcode = $2 AND b.active)
                      OR NOT EXISTS (SELECT FROM unnest($6::text[], $7::text[]) AS word (stem, part)
                                     WHERE NOT (s.terms LIKE word.part OR coalesce(s.terms %> word.stem AND search_alike(s.words, word.stem), false))))
                 AND ($8::text IS NULL OR p.id = (SELECT b.product_id FROM barcodes AS b WHERE b.barcode = $8 AND b.active))
                 AND ($9::bigint IS NULL OR p.nm_id = $9) AND ($10::text IS NULL OR p.brand = $10)
                 AND ($11::uuid IS NULL OR p.category_id IN (
                     WITH RECURSIVE below AS (
                         SELECT $11::uuid AS id UNION SELECT k.id FROM categories AS k JOIN below ON k.parent_id = below.id
                     ) SELECT below.id FROM below))
                 AND (p.archived_at IS NOT NULL) = $12::boolean AND ($13::boolean IS NULL OR p.is_bundle = $13)
                 AND (NOT $14::boolean OR (p.min_stock > 0 AND p.min_stock > product_available(p.id, $15::uuid[], $19)))
           )
           SELECT id AS "id!: ProductId", score AS "score!" FROM found
           WHERE $16::integer IS NULL OR score < $16 OR (score = $16 AND id > $17::uuid)
           ORDER BY score DESC, id LIMIT $18"#,
        enterprise_id as _,
        all,
        words.iter().map(|word| word.stem.as_deref().unwrap_or(&word.written)).collect::<Vec<_>>().join(" "),
        longest.stem,
        longest.part,
        &words.iter().map(|word| word.stem.clone()).collect::<Vec<_>>() as &[Option<String>],
        &words.iter().map(|word| word.part.clone()).collect::<Vec<_>>(),
        filter.barcode,
        filter.nm_id as _,
        filter.brand,
        filter.category_id as _,
        filter.archived,
        filter.bundle,
        filter.below_minimum,
        bounds.warehouses.as_deref(),
        score,
        id as _,
        query.limit + 1,
        today,
    )
    .fetch_all(tx.conn())
    .await?;
    let page = query.page(found, |row| (row.score, row.id));
    let ids: Vec<_> = page.items.iter().map(|row| row.id).collect();
    Ok(Page { items: look::show_all(tx, &ids).await?, next: page.next })
}

/// The words with their stems. Words that say nothing (и, для) are left out, unless there is no other.
async fn words(tx: &mut EnterpriseTx, written: &[String]) -> Result<Vec<Word>> {
    // In the same round trip, and for this transaction alone, the likeness is set that the operator goes by.
    let rows = sqlx::query!(
        r#"SELECT w.written AS "written!", search_stems(search_text(w.written)) AS "stem!", search_text(w.written) AS "plain!",
                  set_config('pg_trgm.word_similarity_threshold', $2, true) AS alike
           FROM unnest($1::text[]) WITH ORDINALITY AS w (written, position) ORDER BY w.position"#,
        written,
        ALIKE,
    )
    .fetch_all(tx.conn())
    .await?;
    let only = rows.iter().all(|row| row.stem.is_empty());
    let words = rows.into_iter().filter(|row| only || !row.stem.is_empty()).map(|row| {
        let part = row.plain.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let is_code = row.plain.contains(|letter: char| letter.is_numeric());
        let stem = if row.stem.is_empty() { row.plain } else { row.stem };
        Word { stem: (!is_code).then_some(stem), part: format!("%{part}%"), written: row.written }
    });
    Ok(words.collect())
}
