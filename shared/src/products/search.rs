//! Finding products by words, in Cyrillic and Latin. What is certain comes first: a code or barcode that is the whole
//! question, then products that have every word in some form of it. Only where these do not fill a page, what is alike is
//! looked for: parts of words and codes, and misspelt words.
//!
//! However many products a question fits, no step reads them all: the certain ones are taken in the order of their ids,
//! and of what is alike so many are looked at.
//!
//! The table of words stands outside row security, whose policies would keep these operators from their index. This is the
//! one place that reads it, by its enterprise first, and never in one query with a table that has policies; what it finds is
//! then looked for in `products`, where row security is.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Product, ProductFilter, look};
use crate::access::{Bounds, Permission};
use crate::db::EnterpriseTx;
use crate::ids::{EnterpriseId, ProductId};
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
/// Products with every word that are looked at before the filter is asked.
const AT_ONCE: usize = 200;

/// One word of the question.
struct Word {
    written: String,
    alike: Alike,
}

/// What has a word without having it as it is written.
enum Alike {
    /// What has it anywhere, for `LIKE`: a code. Of a row of numbers all would be alike.
    Part(String),
    /// What has a word that begins with this stem, or is it misspelt.
    Stem(String),
    /// Nothing: it is too short.
    Nothing,
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
    let enterprise_id = tx.enterprise_id();
    let question = Question { enterprise_id, code: written.join(" "), words, filter, bounds: &bounds, today };
    let most = usize::try_from(query.limit + 1).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    if after.is_none_or(|(score, _)| score >= FORMS) {
        found = question.certain(tx, after, most).await?;
    }
    if found.len() < most {
        found.extend(question.alike(tx, after).await?);
        found.truncate(most);
    }
    let page = query.page(found, |found| *found);
    let ids: Vec<_> = page.items.iter().map(|(_, id)| *id).collect();
    Ok(Page { items: look::show_all(tx, &ids).await?, next: page.next })
}

struct Question<'a> {
    enterprise_id: EnterpriseId,
    /// As it was written: codes have every letter of it.
    code: String,
    words: Vec<Word>,
    filter: &'a ProductFilter,
    bounds: &'a Bounds,
    today: NaiveDate,
}

impl Question<'_> {
    /// Without words that say nothing.
    fn whole(&self) -> String {
        self.words.iter().map(|word| word.written.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Products whose code it is, and those that have every word in some form.
    async fn certain(&self, tx: &mut EnterpriseTx, after: After, most: usize) -> Result<Vec<(i32, ProductId)>> {
        let exact = self.exact(tx).await?;
        let (mut found, mut behind) = (Vec::new(), Uuid::nil());
        match after {
            Some((FORMS, id)) => behind = id.0,
            Some((_, id)) => found.extend(exact.iter().filter(|exact| **exact > id).map(|id| (EXACT, *id))),
            None => found.extend(exact.iter().map(|id| (EXACT, *id))),
        }
        // Whatever a filter leaves of them: there are more and more at once, so that a page asks a few times at most.
        let mut at_once = most.max(AT_ONCE);
        while found.len() < most {
            let some = self.with_forms(tx, behind, at_once).await?;
            let kept = self.kept(tx, &some).await?;
            found.extend(kept.into_iter().filter(|id| !exact.contains(id)).map(|id| (FORMS, id)));
            match some.last() {
                Some(last) if some.len() == at_once => behind = last.0,
                Some(_) | None => break,
            }
            at_once = at_once.saturating_mul(4);
        }
        found.truncate(most);
        Ok(found)
    }

    /// Products whose code or barcode it is, in the order of their ids.
    async fn exact(&self, tx: &mut EnterpriseTx) -> Result<Vec<ProductId>> {
        let some = sqlx::query_scalar!(
            r#"SELECT s.product_id AS "id!: ProductId" FROM product_search AS s
               WHERE s.enterprise_id = $1 AND s.codes @> ARRAY[search_text($2)]
               UNION SELECT b.product_id FROM barcodes AS b WHERE b.active AND b.barcode = $2"#,
            self.enterprise_id as _,
            self.code,
        )
        .fetch_all(tx.conn())
        .await?;
        self.kept(tx, &some).await
    }

    /// So many products behind this one that have every word in some form, in the order of their ids.
    async fn with_forms(&self, tx: &mut EnterpriseTx, behind: Uuid, at_once: usize) -> Result<Vec<ProductId>> {
        let mut sql = QueryBuilder::new("SELECT s.product_id FROM product_search AS s WHERE s.enterprise_id = ");
        sql.push_bind(self.enterprise_id).push(" AND s.words @@ plainto_tsquery('russian', ").push_bind(self.whole());
        sql.push(") AND s.product_id > ").push_bind(behind).push(" ORDER BY s.product_id LIMIT ");
        sql.push_bind(i64::try_from(at_once).unwrap_or(i64::MAX));
        rows(tx, sql).await?.iter().map(|row| Ok(row.try_get("product_id")?)).collect()
    }

    /// What has a part of a code, or a word that goes on or is misspelt; behind the last page.
    async fn alike(&self, tx: &mut EnterpriseTx, after: After) -> Result<Vec<(i32, ProductId)>> {
        if after.is_some_and(|(score, _)| score >= FORMS) && self.are_many(tx).await? {
            return Ok(Vec::new());
        }
        let stem = |word: &Word| match &word.alike {
            Alike::Stem(stem) => stem.clone(),
            Alike::Part(_) | Alike::Nothing => word.written.clone(),
        };
        let mut sql = QueryBuilder::new("SELECT s.product_id, (1000 * word_similarity(");
        sql.push_bind(self.words.iter().map(stem).collect::<Vec<_>>().join(" "));
        sql.push(", s.terms))::integer AS score FROM product_search AS s WHERE s.enterprise_id = ");
        sql.push_bind(self.enterprise_id);
        for Word { written, alike } in &self.words {
            match alike {
                Alike::Part(part) => sql.push(" AND s.terms LIKE ").push_bind(part.clone()),
                Alike::Stem(stem) => {
                    sql.push(" AND s.terms %> ").push_bind(stem.clone());
                    sql.push(" AND search_alike(s.words, ").push_bind(stem.clone()).push(")")
                }
                Alike::Nothing => {
                    sql.push(" AND s.words @@ plainto_tsquery('russian', ").push_bind(written.clone()).push(")")
                }
            };
        }
        sql.push(" AND NOT s.words @@ plainto_tsquery('russian', ").push_bind(self.whole());
        sql.push(") AND NOT s.codes @> ARRAY[search_text(").push_bind(self.code.clone()).push(")] LIMIT ");
        sql.push_bind(WEIGHED);
        let mut scores = HashMap::new();
        for row in rows(tx, sql).await? {
            scores.insert(row.try_get::<ProductId, _>("product_id")?, row.try_get::<i32, _>("score")?);
        }
        let kept = self.kept(tx, &scores.keys().copied().collect::<Vec<_>>()).await?;
        let mut found: Vec<_> = kept.into_iter().filter_map(|id| Some((*scores.get(&id)?, id))).collect();
        found.sort_unstable_by_key(|(score, id)| (std::cmp::Reverse(*score), *id));
        if let Some((score, id)) = after.filter(|(score, _)| *score < FORMS) {
            found.retain(|(its, its_id)| *its < score || (*its == score && *its_id > id));
        }
        Ok(found)
    }

    /// Whether so many have every word that nobody looks for more.
    async fn are_many(&self, tx: &mut EnterpriseTx) -> Result<bool> {
        let found = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM (
                   SELECT FROM product_search AS s
                   WHERE s.enterprise_id = $1 AND s.words @@ plainto_tsquery('russian', $2) LIMIT $3
               ) AS found"#,
            self.enterprise_id as _,
            self.whole(),
            WEIGHED,
        )
        .fetch_one(tx.conn())
        .await?;
        Ok(found == WEIGHED)
    }

    /// Those of these products that are as the filter wants them, in the order of their ids.
    ///
    /// Asked by itself: row security on `products` would keep the words from their index in one query with it.
    async fn kept(&self, tx: &mut EnterpriseTx, ids: &[ProductId]) -> Result<Vec<ProductId>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = QueryBuilder::new("SELECT p.id FROM products AS p WHERE p.id = ANY(");
        sql.push_bind(ids.iter().map(|id| id.0).collect::<Vec<_>>()).push(")");
        self.narrow(&mut sql);
        sql.push(" ORDER BY p.id");
        rows(tx, sql).await?.iter().map(|row| Ok(row.try_get("id")?)).collect()
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
async fn rows(tx: &mut EnterpriseTx, mut sql: QueryBuilder<Postgres>) -> Result<Vec<PgRow>> {
    Ok(sql.build().persistent(false).fetch_all(tx.conn()).await?)
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
        let letters = row.written.chars().filter(|letter| letter.is_alphanumeric()).count();
        let stem = if row.stem.is_empty() { row.written.clone() } else { row.stem };
        let alike = match (letters, row.is_code) {
            (0..PART, _) if !only => Alike::Nothing,
            (_, true) => Alike::Part(row.part),
            (_, false) => Alike::Stem(stem),
        };
        Word { written: row.written, alike }
    });
    Ok(words.collect())
}
