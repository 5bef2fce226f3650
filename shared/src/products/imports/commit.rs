//! Writing what the dry run found right. Every page is judged once more against the products as they are by now, under
//! their locks: what somebody changed in between is left to them.

use serde_json::Value;

use super::super::store;
use super::check::{Judged, judge};
use super::columns;
use super::{Counted, ImportStatus, Progress, RowVerdict, hold, paths};
use crate::db::EnterpriseTx;
use crate::ids::{ProductId, ProductImportId};
use crate::versions::Version;
use crate::{Error, Result};

/// Rows of one transaction.
const PAGE: usize = 500;

/// What became of a row.
struct Written {
    number: i32,
    outcome: &'static str,
    reason: Option<String>,
    product_id: Option<ProductId>,
    version: Option<Version>,
    before: Option<Value>,
    barcodes: Vec<String>,
}

impl Written {
    fn skipped(number: i32, reason: impl Into<String>) -> Self {
        let reason = Some(reason.into());
        Self { number, outcome: "skipped", reason, product_id: None, version: None, before: None, barcodes: Vec::new() }
    }
}

/// The next page. Fails with [`Error::Refused`] where somebody took a SKU or a barcode in the very moment: asked again, it
/// finds that out and leaves the row to them.
pub async fn commit_page(tx: &mut EnterpriseTx, id: ProductImportId) -> Result<Progress> {
    let import = hold(tx, id).await?;
    if import.status != ImportStatus::Committing {
        return Ok(Progress { percent: 100, ended: true });
    }
    let rows = sqlx::query!(
        r#"SELECT number, cells, product_id, seen_version, verdict IN ('create', 'change') AS "to_write!"
           FROM product_import_rows WHERE import_id = $1 AND number > $2 ORDER BY number LIMIT $3"#,
        id as _,
        import.at_row,
        i64::try_from(PAGE).unwrap_or(i64::MAX),
    )
    .fetch_all(tx.conn())
    .await?;
    let numbers: Vec<_> = rows.iter().map(|row| row.number).collect();
    let rows: Vec<_> = rows.into_iter().filter(|row| row.to_write).collect();
    let categories = paths(tx).await?;
    let said = rows.iter().map(|row| columns::said(&import.columns, &row.cells, &categories)).collect();
    let judged = judge(tx, said).await?;
    let (mut written, mut plan) = (Vec::with_capacity(rows.len()), Vec::new());
    for (row, judged) in rows.iter().zip(judged) {
        let seen = row.product_id.zip(row.seen_version.map(Version));
        match late(seen, &judged) {
            Some(reason) => written.push(Written::skipped(row.number, reason)),
            None => plan.push((row.number, judged.product.map_or_else(ProductId::new, |(id, _)| id), judged)),
        }
    }
    written.extend(write(tx, plan).await?);
    note(tx, id, &written).await?;
    let skipped = i64::try_from(written.iter().filter(|row| row.outcome == "skipped").count()).unwrap_or(0);
    let written = i64::try_from(written.len()).unwrap_or(0) - skipped;
    let counted = Counted { written, skipped, ..Counted::default() };
    import.page_done(tx, &numbers, PAGE, ImportStatus::Committed, counted).await
}

/// Why a row is not written any more, if so.
fn late(seen: Option<(ProductId, Version)>, now: &Judged) -> Option<String> {
    match (now.verdict, seen, now.product) {
        (RowVerdict::Wrong, _, _) => now.reason.clone().or_else(|| Some("it is wrong by now".to_owned())),
        (RowVerdict::Same, _, _) => Some("somebody wrote the same meanwhile".to_owned()),
        (RowVerdict::Create, Some(_), _) => Some("its product is gone or archived by now".to_owned()),
        (RowVerdict::Change, None, _) => Some("somebody made a product with this SKU meanwhile".to_owned()),
        (RowVerdict::Change, seen, now) if seen != now => Some("somebody changed the product meanwhile".to_owned()),
        (RowVerdict::Create | RowVerdict::Change, _, _) => None,
    }
}

async fn write(tx: &mut EnterpriseTx, plan: Vec<(i32, ProductId, Judged)>) -> Result<Vec<Written>> {
    let ids: Vec<_> = plan.iter().map(|(_, id, _)| *id).collect();
    let before = store::hold(tx, &ids).await?;
    let facts: Vec<_> = plan.iter().map(|(_, id, judged)| (*id, judged.facts.clone())).collect();
    let versions = store::write(tx, &facts).await?;
    let barcodes: Vec<_> =
        plan.iter().flat_map(|(_, id, judged)| judged.barcodes.iter().map(|barcode| (*id, barcode.clone()))).collect();
    store::add_barcodes(tx, &barcodes).await?;
    plan.into_iter()
        .map(|(number, id, judged)| {
            let before = before.get(&id).map(|held| serde_json::to_value(&held.facts)).transpose();
            Ok(Written {
                number,
                outcome: if judged.verdict == RowVerdict::Create { "created" } else { "changed" },
                reason: None,
                product_id: Some(id),
                version: versions.get(&id).copied(),
                before: before.map_err(|error| Error::Inconsistent(error.to_string()))?,
                barcodes: judged.barcodes,
            })
        })
        .collect()
}

async fn note(tx: &mut EnterpriseTx, id: ProductImportId, written: &[Written]) -> Result<()> {
    let barcodes: Vec<_> = written.iter().map(|row| serde_json::json!(row.barcodes)).collect();
    sqlx::query!(
        "UPDATE product_import_rows AS r
         SET outcome = w.outcome, reason = w.reason, product_id = coalesce(w.product_id, r.product_id), made_version = w.version,
             before = w.before, added_barcodes = ARRAY(SELECT jsonb_array_elements_text(w.barcodes))
         FROM unnest($2::int[], $3::text[], $4::text[], $5::uuid[], $6::int[], $7::jsonb[], $8::jsonb[])
              AS w (number, outcome, reason, product_id, version, before, barcodes)
         WHERE r.import_id = $1 AND r.number = w.number",
        id as _,
        &written.iter().map(|row| row.number).collect::<Vec<_>>(),
        &written.iter().map(|row| row.outcome.to_owned()).collect::<Vec<_>>(),
        &written.iter().map(|row| row.reason.clone()).collect::<Vec<_>>() as &[Option<String>],
        &written.iter().map(|row| row.product_id.map(|id| id.0)).collect::<Vec<_>>() as &[Option<uuid::Uuid>],
        &written.iter().map(|row| row.version.map(|version| version.0)).collect::<Vec<_>>() as &[Option<i32>],
        &written.iter().map(|row| row.before.clone()).collect::<Vec<_>>() as &[Option<Value>],
        &barcodes,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
