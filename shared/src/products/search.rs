//! Finding products by words, in Cyrillic and Latin. What is certain comes first: a code or barcode that is the whole
//! question, then products that have every word in some form of it. Only where these do not fill a page, what is alike is
//! looked for: parts of words and codes, and misspelt words.
//!
//! However many products a question fits, no step reads them all: the certain ones are taken in the order of their ids,
//! and of what is alike so many are looked at.
//!
//! The table of words stands outside row security, whose policies would keep these operators from their index. This is the
//! one place that reads it: by its enterprise first, and joined back to `products`, where row security is.

use chrono::NaiveDate;
use sqlx::{Postgres, QueryBuilder, Row};

use super::{Product, ProductFilter, look};
use crate::access::{Bounds, Permission};
use crate::db::EnterpriseTx;
use crate::ids::ProductId;
use crate::page::{Page, PageQuery};
use crate::{Error, Result, enterprises};

/// What is less like a word's stem than this is not even looked at: the letters are counted of the rest.
const ALIKE: &str = "0.3";
/// Words of a question that are looked at.
const WORDS: usize = 10;
/// Letters that a part of a word must have: fewer are in no index by themselves.
const PART: usize = 3;
/// The question is the product's own code.
const EXACT: i32 = 10_000;
/// Every word is there in some form; what is only alike has up to 1000.
const FORMS: i32 = 5_000;
/// So many that are alike are weighed against each other.
const WEIGHED: i64 = 1_000;

/// One word of the question.
struct Word {
    written: String,
    /// What other forms of it and misspelt ones are like. A code has none: of a row of numbers all would be alike.
    stem: Option<String>,
    /// For `LIKE`: the word as it is written, anywhere; absent where it is too short.
    part: Option<String>,
}

/// Where the last page ended.
type After = Option<(i32, ProductId)>;

/// The best first. Every word of the question must be there in some form.
pub(super) async fn search(
    tx: &mut EnterpriseTx,
    text: &str,
    filter: &ProductFilter,
    query: &PageQuery,
) -> Result<Page<Product>> {
    let (bounds, today) = (tx.bounds(Permission::ReadStock)?, enterprises::today(tx).await?);
    let after: After = query.key()?;
    let written: Vec<_> = text.split_whitespace().take(WORDS).map(str::to_owned).collect();
    if written.is_empty() || text.chars().count() > 200 {
        return Err(Error::invalid("text", "must have 1 to 200 characters"));
    }
    let words = words(tx, &written).await?;
    if words.is_empty() {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let question = Question { words, filter, bounds: &bounds, today };
    let most = query.limit + 1;
    let mut found = Vec::new();
    if after.is_none_or(|(score, _)| score >= FORMS) {
        found = question.certain(tx, after, most).await?;
    }
    let open = most - i64::try_from(found.len()).unwrap_or(most);
    if open > 0 {
        found.extend(question.alike(tx, after, open).await?);
    }
    let page = query.page(found, |found| *found);
    let ids: Vec<_> = page.items.iter().map(|(_, id)| *id).collect();
    Ok(Page { items: look::show_all(tx, &ids).await?, next: page.next })
}

struct Question<'a> {
    words: Vec<Word>,
    filter: &'a ProductFilter,
    bounds: &'a Bounds,
    today: NaiveDate,
}

impl Question<'_> {
    /// As it was written, without words that say nothing.
    fn whole(&self) -> String {
        self.words.iter().map(|word| word.written.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Products whose code it is, and those that have every word in some form.
    async fn certain(&self, tx: &mut EnterpriseTx, after: After, most: i64) -> Result<Vec<(i32, ProductId)>> {
        let enterprise_id = tx.enterprise_id();
        let mut sql = QueryBuilder::new(
            "WITH exact AS MATERIALIZED (SELECT s.product_id FROM product_search AS s WHERE s.enterprise_id = ",
        );
        sql.push_bind(enterprise_id).push(" AND s.codes @> ARRAY[").push_bind(self.whole());
        sql.push("]::text[] UNION SELECT b.product_id FROM barcodes AS b WHERE b.active AND b.barcode = ")
            .push_bind(self.whole());
        sql.push(") (SELECT s.product_id, ").push_bind(EXACT).push("::integer AS score FROM exact AS s");
        self.join(&mut sql, enterprise_id);
        self.narrow(&mut sql);
        match after {
            Some((EXACT, id)) => sql.push(" AND s.product_id > ").push_bind(id),
            Some(_) => sql.push(" AND false"),
            None => &mut sql,
        };
        sql.push(" ORDER BY s.product_id LIMIT ").push_bind(most);
        sql.push(") UNION ALL (SELECT s.product_id, ").push_bind(FORMS).push("::integer FROM product_search AS s");
        self.join(&mut sql, enterprise_id);
        sql.push(" AND s.enterprise_id = ")
            .push_bind(enterprise_id)
            .push(" AND s.words @@ plainto_tsquery('russian', ")
            .push_bind(self.whole());
        sql.push(") AND s.product_id NOT IN (SELECT e.product_id FROM exact AS e)");
        if let Some((FORMS, id)) = after {
            sql.push(" AND s.product_id > ").push_bind(id);
        }
        sql.push(" ORDER BY s.product_id LIMIT ")
            .push_bind(most)
            .push(") ORDER BY score DESC, product_id LIMIT ")
            .push_bind(most);
        rows(tx, sql).await
    }

    /// What has a part of a word, or a word that is misspelt.
    async fn alike(&self, tx: &mut EnterpriseTx, after: After, most: i64) -> Result<Vec<(i32, ProductId)>> {
        let enterprise_id = tx.enterprise_id();
        let stems = self.words.iter().map(|word| word.stem.as_ref().unwrap_or(&word.written).as_str());
        if after.is_some_and(|(score, _)| score >= FORMS) && self.are_many(tx).await? {
            return Ok(Vec::new());
        }
        let mut sql = QueryBuilder::new("SELECT product_id, score FROM (SELECT s.product_id, (1000 * word_similarity(");
        sql.push_bind(stems.collect::<Vec<_>>().join(" "))
            .push(", s.terms))::integer AS score FROM product_search AS s");
        self.join(&mut sql, enterprise_id);
        sql.push(" AND s.enterprise_id = ").push_bind(enterprise_id);
        for word in &self.words {
            match (&word.part, &word.stem) {
                (Some(_), Some(stem)) => {
                    sql.push(" AND s.terms %> ").push_bind(stem.clone());
                    sql.push(" AND search_alike(s.words, ").push_bind(stem.clone()).push(")")
                }
                (Some(part), None) => sql.push(" AND s.terms LIKE ").push_bind(part.clone()),
                (None, _) => {
                    sql.push(" AND s.words @@ plainto_tsquery('russian', ").push_bind(word.written.clone()).push(")")
                }
            };
        }
        sql.push(" AND NOT s.words @@ plainto_tsquery('russian', ").push_bind(self.whole());
        sql.push(") AND NOT s.codes @> ARRAY[").push_bind(self.whole()).push("]::text[] LIMIT ").push_bind(WEIGHED);
        sql.push(") AS weighed WHERE true");
        if let Some((score, id)) = after.filter(|(score, _)| *score < FORMS) {
            sql.push(" AND (score < ").push_bind(score).push(" OR (score = ").push_bind(score);
            sql.push(" AND product_id > ").push_bind(id).push("))");
        }
        sql.push(" ORDER BY score DESC, product_id LIMIT ").push_bind(most);
        rows(tx, sql).await
    }

    /// Whether so many have every word that nobody looks for more.
    async fn are_many(&self, tx: &mut EnterpriseTx) -> Result<bool> {
        let enterprise_id = tx.enterprise_id();
        let found = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM (
                   SELECT FROM product_search AS s
                   WHERE s.enterprise_id = $1 AND s.words @@ plainto_tsquery('russian', $2) LIMIT $3
               ) AS found"#,
            enterprise_id as _,
            self.whole(),
            WEIGHED,
        )
        .fetch_one(tx.conn())
        .await?;
        Ok(found == WEIGHED)
    }

    /// The products behind the words `s`, of one enterprise and as the filter wants them.
    fn join(&self, sql: &mut QueryBuilder<Postgres>, enterprise_id: crate::ids::EnterpriseId) {
        sql.push(" JOIN products AS p ON p.id = s.product_id WHERE p.enterprise_id = ");
        sql.push_bind(enterprise_id);
        self.narrow(sql);
    }

    fn narrow(&self, sql: &mut QueryBuilder<Postgres>) {
        let ProductFilter { barcode, nm_id, brand, category_id, archived, bundle, below_minimum, .. } = self.filter;
        sql.push(if *archived { " AND p.archived_at IS NOT NULL" } else { " AND p.archived_at IS NULL" });
        if let Some(barcode) = barcode {
            sql.push(" AND p.id = (SELECT b.product_id FROM barcodes AS b WHERE b.active AND b.barcode = ");
            sql.push_bind(barcode.clone()).push(")");
        }
        if let Some(nm_id) = nm_id {
            sql.push(" AND p.nm_id = ").push_bind(*nm_id);
        }
        if let Some(brand) = brand {
            sql.push(" AND p.brand = ").push_bind(brand.clone());
        }
        if let Some(category) = category_id {
            sql.push(
                " AND p.category_id IN (WITH RECURSIVE below AS (
                      SELECT k.id FROM categories AS k WHERE k.id = ",
            );
            sql.push_bind(*category);
            sql.push(" UNION SELECT k.id FROM categories AS k JOIN below ON k.parent_id = below.id) SELECT below.id FROM below)");
        }
        if let Some(bundle) = bundle {
            sql.push(" AND p.is_bundle = ").push_bind(*bundle);
        }
        if *below_minimum {
            sql.push(" AND p.min_stock > 0 AND p.min_stock > product_available(p.id, ");
            sql.push_bind(self.bounds.warehouses.clone()).push("::uuid[], ").push_bind(self.today).push(")");
        }
    }
}

/// Planned for these very words: what many products have is read in another way than what few have.
async fn rows(tx: &mut EnterpriseTx, mut sql: QueryBuilder<Postgres>) -> Result<Vec<(i32, ProductId)>> {
    let rows = sql.build().persistent(false).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| Ok((row.try_get("score")?, row.try_get("product_id")?))).collect()
}

/// The words with their stems. Words that say nothing (и, для) are left out, unless there is no other.
async fn words(tx: &mut EnterpriseTx, written: &[String]) -> Result<Vec<Word>> {
    // In the same round trip, and for this transaction alone, the likeness is set that the operator goes by. How many are
    // alike nobody can know before; a plan that guesses many reads the whole table for them, which an index never has to.
    let rows = sqlx::query!(
        r#"SELECT search_text(a.written) AS "written!", search_stems(search_text(a.written)) AS "stem!",
                  search_text(a.written) ~ '[[:digit:]]' AS "is_code!",
                  '%' || regexp_replace(search_text(a.written), '([\\%_])', '\\\1', 'g') || '%' AS "part!",
                  set_config('pg_trgm.word_similarity_threshold', $2, true) AS alike, set_config('enable_seqscan', 'off', true) AS indexed
           FROM unnest($1::text[]) WITH ORDINALITY AS a (written, position) ORDER BY a.position"#,
        written,
        ALIKE,
    )
    .fetch_all(tx.conn())
    .await?;
    let only = rows.iter().all(|row| row.stem.is_empty());
    let words = rows.into_iter().filter(|row| only || !row.stem.is_empty()).map(|row| {
        let stem = if row.stem.is_empty() { row.written.clone() } else { row.stem };
        let letters = row.written.chars().filter(|letter| letter.is_alphanumeric()).count();
        let part = (letters >= PART || only).then_some(row.part);
        Word { stem: (!row.is_code).then_some(stem), part, written: row.written }
    });
    Ok(words.collect())
}
