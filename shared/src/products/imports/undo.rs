//! Taking an import back: what it made is archived, what it changed is as it was. What somebody touched since stays.

use std::collections::HashMap;

use super::super::facts::Facts;
use super::super::{archive, store};
use super::{ImportStatus, Progress, hold};
use crate::db::EnterpriseTx;
use crate::ids::{ProductId, ProductImportId};
use crate::versions::Version;
use crate::{Error, Result};

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
    let held = store::hold(tx, &ids).await?;
    let new: Vec<_> = written.iter().filter(|(_, _, row)| row.before.is_none()).map(|(id, _, _)| *id).collect();
    let uses: HashMap<_, _> = archive::uses(tx, &new, i64::MAX).await?.into_iter().collect();
    let (mut archived, mut facts, mut barcodes, mut outcomes) = (vec![], vec![], vec![], vec![]);
    for (id, version, row) in written {
        let touched = held.get(&id).is_none_or(|product| product.version != version || product.is_archived);
        let reason = match uses.get(&id) {
            _ if touched => Some("somebody changed it since".to_owned()),
            Some(what) => Some(format!("it is used: {what}")),
            None => None,
        };
        outcomes.push((row.number, reason.clone()));
        if reason.is_some() {
            continue;
        }
        match row.before {
            None => archived.push(id.0),
            Some(before) => {
                let before: Facts = serde_json::from_value(before)
                    .map_err(|error| Error::Inconsistent(format!("what a product was cannot be read: {error}")))?;
                facts.push((id, before));
                barcodes.extend(row.added_barcodes.unwrap_or_default().into_iter().map(|barcode| (id, barcode)));
            }
        }
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
         SET undo = CASE WHEN u.reason IS NULL THEN 'undone' ELSE 'kept' END, reason = u.reason
         FROM unnest($2::int[], $3::text[]) AS u (number, reason) WHERE r.import_id = $1 AND r.number = u.number",
        id as _,
        &outcomes.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        &outcomes.iter().map(|(_, reason)| reason.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .execute(tx.conn())
    .await?;
    import.page_done(tx, &numbers, PAGE, ImportStatus::Undone).await
}
