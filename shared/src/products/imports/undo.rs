//! Taking an import back: what it made is archived, what it changed is as it was. What somebody touched since stays. A
//! category that somebody removed meanwhile does not come back: its products have none then, and their rows say so.

use std::collections::HashSet;

use super::super::facts::Facts;
use super::super::{store, uses};
use super::{Counted, ImportStatus, Progress, hold};
use crate::db::EnterpriseTx;
use crate::ids::{CategoryId, ProductId, ProductImportId};
use crate::versions::Version;
use crate::{Error, Result, inventory};

/// Rows of one transaction.
const PAGE: usize = 500;

/// The next page.
pub async fn undo_page(tx: &mut EnterpriseTx, id: ProductImportId) -> Result<Progress> {
    let import = hold(tx, id).await?;
    if import.status != ImportStatus::Undoing {
        return Ok(Progress { percent: 100, ended: true });
    }
    let rows = sqlx::query!(
        r#"SELECT number, product_id AS "product_id: ProductId", made_version, before, added_barcodes FROM product_import_rows
           WHERE import_id = $1 AND number > $2 ORDER BY number LIMIT $3"#,
        id as _,
        import.at_row,
        i64::try_from(PAGE).unwrap_or(i64::MAX),
    )
    .fetch_all(tx.conn())
    .await?;
    let numbers: Vec<_> = rows.iter().map(|row| row.number).collect();
    // Rows that were not written have no version that they made.
    let written = rows.into_iter().filter_map(|row| Some((row.product_id?, Version(row.made_version?), row)));
    let written: Vec<_> = written.collect();
    let ids: Vec<_> = written.iter().map(|(id, _, _)| *id).collect();
    let new: Vec<_> = written.iter().filter(|(_, _, row)| row.before.is_none()).map(|(id, _, _)| *id).collect();
    let held = store::hold(tx, &ids).await?;
    inventory::line_up(tx, &new).await?;
    let uses = uses::of(tx, &new, None).await?;
    let mut before = Vec::with_capacity(written.len());
    for (_, _, row) in &written {
        let was = row.before.clone().map(serde_json::from_value::<Facts>).transpose();
        before.push(was.map_err(|error| Error::Inconsistent(format!("what a product was cannot be read: {error}")))?);
    }
    let categories = there(tx, before.iter().flatten().filter_map(|was| was.category_id)).await?;
    let (mut archived, mut facts, mut barcodes, mut outcomes) = (vec![], vec![], vec![], vec![]);
    for ((id, version, row), before) in written.into_iter().zip(before) {
        let touched = held.get(&id).is_none_or(|product| product.version != version || product.is_archived);
        let reason = match uses.get(&id) {
            _ if touched => Some("somebody changed it since".to_owned()),
            Some(what) => Some(format!("it is used: {}", uses::words(what))),
            None => None,
        };
        if reason.is_some() {
            outcomes.push((row.number, "kept", reason));
            continue;
        }
        let mut without = None;
        match before {
            None => archived.push(id.0),
            Some(mut before) => {
                if before.category_id.is_some_and(|category| !categories.contains(&category)) {
                    before.category_id = None;
                    without = Some("its category was removed since: it has none now".to_owned());
                }
                facts.push((id, before));
                barcodes.extend(row.added_barcodes.unwrap_or_default().into_iter().map(|barcode| (id, barcode)));
            }
        }
        outcomes.push((row.number, "undone", without));
    }
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE products SET archived_at = $2, changed_at = $2, edits = edits + 1 WHERE id = ANY($1)",
        &archived,
        now
    )
    .execute(tx.conn())
    .await?;
    store::remove_barcodes(tx, &barcodes).await?;
    store::write(tx, &facts).await?;
    sqlx::query!(
        "UPDATE product_import_rows AS r
         SET undo = u.outcome, reason = u.reason
         FROM unnest($2::int[], $3::text[], $4::text[]) AS u (number, outcome, reason) WHERE r.import_id = $1 AND r.number = u.number",
        id as _,
        &outcomes.iter().map(|(number, _, _)| *number).collect::<Vec<_>>(),
        &outcomes.iter().map(|(_, outcome, _)| (*outcome).to_owned()).collect::<Vec<_>>(),
        &outcomes.iter().map(|(_, _, reason)| reason.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .execute(tx.conn())
    .await?;
    let count =
        |word: &str| i64::try_from(outcomes.iter().filter(|(_, outcome, _)| *outcome == word).count()).unwrap_or(0);
    let counted = Counted { undone: count("undone"), kept: count("kept"), ..Counted::default() };
    import.page_done(tx, &numbers, PAGE, ImportStatus::Undone, counted).await
}

/// Those of these categories that are there, and stay so until the transaction ends.
async fn there(tx: &mut EnterpriseTx, ids: impl Iterator<Item = CategoryId>) -> Result<HashSet<CategoryId>> {
    let ids: Vec<_> = ids.map(|id| id.0).collect();
    let there = sqlx::query_scalar!(
        r#"SELECT id AS "id: CategoryId" FROM categories WHERE id = ANY($1) ORDER BY id FOR KEY SHARE"#,
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(there.into_iter().collect())
}
