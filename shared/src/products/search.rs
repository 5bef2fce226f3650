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
use crate::{Error, Result};

/// What is less like a word's stem than this is not even looked at: the letters are counted of the rest.
const ALIKE: &str = "0.3";
/// Words of a question that are looked at.
const WORDS: usize = 10;
/// Fewer letters than this are in no index by themselves.
const SHORT: usize = 3;
/// A code that fewer products have is worth asking the index for before any word.
const RARE: i64 = 1000;

/// One word of the question.
struct Word {
    /// What other forms of it and misspelt ones are like. A code has none: of a row of numbers all would be alike.
    stem: Option<String>,
    /// For `LIKE`: the word as it is written, anywhere.
    part: String,
    written: String,
    /// How many products have the code, up to [`RARE`]; absent where nobody has counted.
    found: Option<i64>,
}

/// The word for which the index is asked; the others are looked for in what it finds. A code that few have costs least. A
/// word costs more, as everything like it is looked at, but less than reading a code that all of them have (a year, say);
/// for one or two letters everything is read, so they are asked for only where there is nothing else.
fn rarest(words: &[Word]) -> Option<&Word> {
    let rank = |word: &&Word| {
        let letters = word.written.chars().filter(|letter| letter.is_alphanumeric()).count();
        match (&word.stem, word.found.unwrap_or(RARE)) {
            _ if letters < SHORT => (0, letters, 0),
            (None, found) if found < RARE => (3, 0, RARE - found),
            (Some(_), _) => (2, letters, 0),
            (None, _) => (1, letters, 0),
        }
    };
    words.iter().max_by_key(rank)
}

/// The best first. Every word of the question must be there in some form.
pub(super) async fn search(
    tx: &mut EnterpriseTx,
    text: &str,
    filter: &ProductFilter,
    query: &PageQuery,
) -> Result<Page<Product>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let after: Option<(i32, ProductId)> = query.key()?;
    let (score, id) = after.unzip();
    let written: Vec<_> = text.split_whitespace().take(WORDS).map(str::to_owned).collect();
    if written.is_empty() || text.chars().count() > 200 {
        return Err(Error::invalid("text", "must have 1 to 200 characters"));
    }
    let words = words(tx, &written).await?;
    let Some(rarest) = rarest(&words) else {
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
                 AND (NOT $14::boolean OR p.min_stock > (
                     SELECT coalesce(sum(free_units(b)) FILTER (WHERE serves_orders(l)), 0) FROM balances AS b JOIN cells AS l ON l.id = b.cell_id
                     WHERE b.product_id = p.id AND ($15::uuid[] IS NULL OR l.warehouse_id = ANY($15))))
           )
           SELECT id AS "id!: ProductId", score AS "score!" FROM found
           WHERE $16::integer IS NULL OR score < $16 OR (score = $16 AND id > $17::uuid)
           ORDER BY score DESC, id LIMIT $18"#,
        enterprise_id as _,
        all,
        words.iter().map(|word| word.stem.as_deref().unwrap_or(&word.written)).collect::<Vec<_>>().join(" "),
        rarest.stem,
        rarest.part,
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
    )
    .fetch_all(tx.conn())
    .await?;
    let page = query.page(found, |row| (row.score, row.id));
    let ids: Vec<_> = page.items.iter().map(|row| row.id).collect();
    Ok(Page { items: look::show_all(tx, &ids).await?, next: page.next })
}

/// The words with their stems. Words that say nothing (и, для) are left out, unless there is no other.
async fn words(tx: &mut EnterpriseTx, written: &[String]) -> Result<Vec<Word>> {
    let enterprise_id = tx.enterprise_id();
    // In the same round trip, and for this transaction alone, the likeness is set that the operator goes by. Codes are
    // counted where there is a choice.
    let rows = sqlx::query!(
        r#"SELECT w.written AS "written!", w.stem AS "stem!", w.plain AS "plain!", w.part AS "part!", w.is_code AS "is_code!",
                  CASE WHEN w.is_code AND char_length(w.plain) >= $4 AND cardinality($1::text[]) > 1 THEN (
                      SELECT count(*) FROM (
                          SELECT FROM product_search AS s WHERE s.enterprise_id = $3 AND s.terms LIKE w.part LIMIT $5
                      ) AS few
                  ) END AS found,
                  set_config('pg_trgm.word_similarity_threshold', $2, true) AS alike
           FROM (
               SELECT a.written, a.position, search_stems(search_text(a.written)) AS stem, search_text(a.written) AS plain,
                      search_text(a.written) ~ '[[:digit:]]' AS is_code,
                      '%' || regexp_replace(search_text(a.written), '([\\%_])', '\\\1', 'g') || '%' AS part
               FROM unnest($1::text[]) WITH ORDINALITY AS a (written, position)
           ) AS w ORDER BY w.position"#,
        written,
        ALIKE,
        enterprise_id as _,
        i32::try_from(SHORT).unwrap_or(i32::MAX),
        RARE,
    )
    .fetch_all(tx.conn())
    .await?;
    let only = rows.iter().all(|row| row.stem.is_empty());
    let words = rows.into_iter().filter(|row| only || !row.stem.is_empty()).map(|row| {
        let stem = if row.stem.is_empty() { row.plain } else { row.stem };
        Word { stem: (!row.is_code).then_some(stem), part: row.part, written: row.written, found: row.found }
    });
    Ok(words.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &[(&str, Option<i64>)]) -> String {
        let word = |(written, found): &(&str, Option<i64>)| {
            let is_code = written.contains(char::is_numeric);
            let (part, written) = (format!("%{written}%"), (*written).to_owned());
            Word { stem: (!is_code).then(|| written.clone()), part, written, found: *found }
        };
        let words: Vec<_> = words.iter().map(word).collect();
        rarest(&words).map(|word| word.written.clone()).unwrap_or_default()
    }

    #[test]
    fn the_index_is_asked_for_what_the_fewest_have() {
        assert_eq!(asked(&[("футболка", None), ("42", None)]), "футболка", "two letters are in no index");
        assert_eq!(asked(&[("футболка", None), ("12345", Some(12))]), "12345");
        assert_eq!(asked(&[("футболка", None), ("2024", Some(RARE))]), "футболка", "all of them are of this year");
        assert_eq!(asked(&[("2024", Some(RARE)), ("12345", Some(700)), ("777", Some(3))]), "777");
        assert_eq!(asked(&[("синяя", None), ("футболка", None), ("xl", None)]), "футболка");
        assert_eq!(asked(&[("2024", Some(RARE)), ("42", None)]), "2024");
        assert_eq!((asked(&[("42", None)]), asked(&[])), ("42".to_owned(), String::new()));
    }
}
