//! The dry run: what each row would do, and whether it may.

use std::collections::HashMap;

use futures::TryStreamExt;

use super::super::facts::{Facts, Owner, checked_barcodes};
use super::super::look;
use super::super::store::{self, Held as Product};
use super::columns::{self, Said};
use super::{Counted, ImportStatus, Progress, RowVerdict, by_sku, hold, paths};
use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::{ProductId, ProductImportId};
use crate::versions::Version;

/// Rows of one transaction.
const PAGE: usize = 1000;

/// What the rows before have named: a file says of a product or a barcode once. By the row that named it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    skus: HashMap<String, i32>,
    barcodes: HashMap<String, i32>,
}

impl Seen {
    /// What is named twice, if anything is.
    fn note(&mut self, said: &Said, number: i32) -> std::result::Result<(), String> {
        if let Some(first) = self.skus.get(&said.sku) {
            return Err(format!("sku: row {first} already says something of {}", said.sku));
        }
        for barcode in &said.barcodes {
            if let Some(first) = self.barcodes.get(barcode) {
                return Err(format!("barcodes: row {first} already has {barcode}"));
            }
        }
        self.skus.insert(said.sku.clone(), number);
        self.barcodes.extend(said.barcodes.iter().map(|barcode| (barcode.clone(), number)));
        Ok(())
    }
}

/// What is to be written of a row, as it was found.
#[derive(Debug)]
pub(super) struct Judged {
    pub verdict: RowVerdict,
    pub reason: Option<String>,
    pub product: Option<(ProductId, Version)>,
    /// As it will be.
    pub facts: Facts,
    /// That it does not have yet.
    pub barcodes: Vec<String>,
}

impl Judged {
    fn wrong(reason: String) -> Self {
        Self {
            verdict: RowVerdict::Wrong,
            reason: Some(reason),
            product: None,
            facts: Facts::default(),
            barcodes: Vec::new(),
        }
    }
}

/// The next page of the dry run. `seen` is what this run of the job has read so far; a run that goes on behind another
/// reads it again first.
pub async fn check_page(tx: &mut EnterpriseTx, id: ProductImportId, seen: &mut Option<Seen>) -> Result<Progress> {
    let import = hold(tx, id).await?;
    if import.status != ImportStatus::Checking {
        return Ok(Progress { percent: 100, ended: true });
    }
    let categories = paths(tx).await?;
    if seen.is_none() {
        let mut read = Seen::default();
        // One by one: of a file that is almost done these are all rows, with everything that stands in them.
        let mut rows = sqlx::query!(
            "SELECT number, cells FROM product_import_rows WHERE import_id = $1 AND number <= $2 AND verdict <> 'wrong' ORDER BY number",
            id as _,
            import.at_row
        )
        .fetch(tx.conn());
        while let Some(row) = rows.try_next().await? {
            if let Ok(said) = columns::said(&import.columns, &row.cells, &categories) {
                drop(read.note(&said, row.number));
            }
        }
        drop(rows);
        *seen = Some(read);
    }
    let rows = sqlx::query!(
        "SELECT number, cells FROM product_import_rows WHERE import_id = $1 AND number > $2 ORDER BY number LIMIT $3",
        id as _,
        import.at_row,
        i64::try_from(PAGE).unwrap_or(i64::MAX),
    )
    .fetch_all(tx.conn())
    .await?;
    let numbers: Vec<_> = rows.iter().map(|row| row.number).collect();
    let said: Vec<_> = rows
        .iter()
        .map(|row| {
            let said = columns::said(&import.columns, &row.cells, &categories)?;
            seen.get_or_insert_default().note(&said, row.number)?;
            Ok(said)
        })
        .collect();
    let judged = judge(tx, said).await?;
    sqlx::query!(
        "UPDATE product_import_rows AS r
         SET verdict = j.verdict, reason = j.reason, product_id = j.product_id, seen_version = j.version
         FROM unnest($2::int[], $3::text[], $4::text[], $5::uuid[], $6::int[]) AS j (number, verdict, reason, product_id, version)
         WHERE r.import_id = $1 AND r.number = j.number",
        id as _,
        &numbers,
        &judged.iter().map(|row| word(row.verdict).to_owned()).collect::<Vec<_>>(),
        &judged.iter().map(|row| row.reason.clone()).collect::<Vec<_>>() as &[Option<String>],
        &judged.iter().map(|row| row.product.map(|(id, _)| id.0)).collect::<Vec<_>>() as &[Option<uuid::Uuid>],
        &judged.iter().map(|row| row.product.map(|(_, version)| version.0)).collect::<Vec<_>>() as &[Option<i32>],
    )
    .execute(tx.conn())
    .await?;
    let count = |verdict| i64::try_from(judged.iter().filter(|row| row.verdict == verdict).count()).unwrap_or(0);
    let counted = Counted {
        to_create: count(RowVerdict::Create),
        to_change: count(RowVerdict::Change),
        same: count(RowVerdict::Same),
        wrong: count(RowVerdict::Wrong),
        ..Counted::default()
    };
    import.page_done(tx, &numbers, PAGE, ImportStatus::Checked, counted).await
}

fn word(verdict: RowVerdict) -> &'static str {
    match verdict {
        RowVerdict::Create => "create",
        RowVerdict::Change => "change",
        RowVerdict::Same => "same",
        RowVerdict::Wrong => "wrong",
    }
}

/// What each of these rows would do to the products as they are now, which stay so until the transaction ends.
pub(super) async fn judge(tx: &mut EnterpriseTx, rows: Vec<std::result::Result<Said, String>>) -> Result<Vec<Judged>> {
    let skus: Vec<_> = rows.iter().flatten().map(|said| said.sku.clone()).collect();
    let found = by_sku(tx, &skus).await?;
    let ids: Vec<_> = found.values().flatten().copied().collect();
    let held = store::hold(tx, &ids).await?;
    let barcodes: Vec<_> = rows.iter().flatten().flat_map(|said| said.barcodes.iter().cloned()).collect();
    let taken = look::by_barcodes(tx, &barcodes).await?;
    let judge = |row: std::result::Result<Said, String>| {
        let said = row?;
        let product = match found.get(&said.sku).map(Vec::as_slice).unwrap_or_default() {
            [] => None,
            [id] => held.get(id).map(|product| (*id, product)),
            [..] => return Err(format!("sku: several products have the SKU {}", said.sku)),
        };
        judge_one(&said, product, &taken)
    };
    Ok(rows.into_iter().map(|row| judge(row).unwrap_or_else(Judged::wrong)).collect())
}

fn judge_one(
    said: &Said,
    product: Option<(ProductId, &Product)>,
    taken: &HashMap<String, ProductId>,
) -> std::result::Result<Judged, String> {
    let id = product.map(|(id, _)| id);
    if let Some(barcode) = said.barcodes.iter().find(|barcode| taken.get(*barcode).is_some_and(|at| Some(*at) != id)) {
        return Err(format!("barcodes: another product already has {barcode}"));
    }
    let has =
        |barcode: &String| product.is_some_and(|(_, held)| held.barcodes.iter().any(|(there, _)| there == barcode));
    let barcodes: Vec<_> = said.barcodes.iter().filter(|barcode| !has(barcode)).cloned().collect();
    checked_barcodes(&barcodes).map_err(|error| error.to_string())?;
    let Some((id, held)) = product else {
        if said.change.name.is_none() {
            return Err("name: is needed for a new product".to_owned());
        }
        let facts = said.change.applied(&Facts::default(), Owner::People).map_err(|error| error.to_string())?;
        return Ok(Judged { verdict: RowVerdict::Create, reason: None, product: None, facts, barcodes });
    };
    let facts = said.change.applied(&held.facts, held.owner).map_err(|error| error.to_string())?;
    let verdict = if facts == held.facts && barcodes.is_empty() { RowVerdict::Same } else { RowVerdict::Change };
    Ok(Judged { verdict, reason: None, product: Some((id, held.version)), facts, barcodes })
}
