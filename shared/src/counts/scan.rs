//! Counting with a scanner: a cell, then item by item, each of them one more. Every counter stands at a cell of their own.

use serde::{Deserialize, Serialize};

use super::tally::{self, Found, Place};
use super::{TallyKind, store};
use crate::db::EnterpriseTx;
use crate::ids::{CountId, CountLineId, ProductId};
use crate::inventory::{Item, LotName, Mode};
use crate::{Error, Refusal, Result, products, warehouses};

/// What was scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case", rename = "CountScanKind"))]
pub enum ScanKind {
    /// The code of a cell.
    Cell,
    /// A barcode of a product.
    Item,
}

/// One scan.
#[derive(Clone, Debug)]
pub struct Scan {
    /// What.
    pub kind: ScanKind,
    /// As the scanner read it.
    pub code: String,
    /// Of which lot, where several lie there.
    pub lot: Option<LotName>,
}

/// What a scan did.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// The code of the cell where the counter stands.
    pub cell: String,
    /// The line to which an item was added.
    pub count_line_id: Option<CountLineId>,
    /// The item.
    pub product_id: Option<ProductId>,
    /// Its SKU.
    pub sku: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Units that this counter has counted of it here by now.
    pub counted: Option<i32>,
}

/// Takes a scan in.
pub async fn scan(tx: &mut EnterpriseTx, id: CountId, scan: &Scan) -> Result<Scanned> {
    let count = store::join(tx, id).await?;
    let code = scan.code.trim();
    if !(1..=128).contains(&code.chars().count()) {
        return Err(Error::invalid("code", "must have 1 to 128 characters"));
    }
    match scan.kind {
        ScanKind::Cell => stand(tx, &count, code).await,
        ScanKind::Item => add(tx, &count, code, scan.lot.clone()).await,
    }
}

async fn stand(tx: &mut EnterpriseTx, count: &store::Held, code: &str) -> Result<Scanned> {
    let cell = warehouses::find_cell(tx, count.warehouse_id, code)
        .await?
        .ok_or_else(|| Error::refused(Refusal::CellUnknown, format!("the warehouse has no cell {code}")))?;
    let extent = store::extent(tx, count, &[cell.id]).await?;
    if extent.products.is_none() && !extent.cells.contains(&cell.id) {
        return Err(Error::refused(Refusal::CountOutside, format!("cell {code} is none of the count's")));
    }
    let (enterprise_id, actor) = (tx.enterprise_id(), tx.actor().to_string());
    sqlx::query!(
        "INSERT INTO count_stands (enterprise_id, count_id, actor, cell_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (enterprise_id, count_id, actor) DO UPDATE SET cell_id = EXCLUDED.cell_id",
        enterprise_id as _,
        count.id as _,
        actor,
        cell.id as _,
    )
    .execute(tx.conn())
    .await?;
    Ok(Scanned { cell: cell.code, count_line_id: None, product_id: None, sku: None, name: None, counted: None })
}

async fn add(tx: &mut EnterpriseTx, count: &store::Held, barcode: &str, lot: Option<LotName>) -> Result<Scanned> {
    let actor = tx.actor().to_string();
    let cell = sqlx::query_scalar!(
        "SELECT c.code FROM count_stands AS s JOIN cells AS c ON c.id = s.cell_id WHERE s.count_id = $1 AND s.actor = $2",
        count.id as _,
        actor,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::refused(Refusal::CellNotScanned, "scan the cell you stand at first"))?;
    let item = Item { barcode: Some(barcode.to_owned()), product_id: None, lot };
    let judged = tally::judge(tx, count, Mode::AllOrNothing, &[(&item, &cell)]).await?.pop();
    let place = match judged {
        Some(Ok(place)) => place,
        Some(Err((refusal, detail))) => return Err(Error::refused(refusal, detail)),
        None => return Err(Error::Inconsistent("a scan was not judged".to_owned())),
    };
    let quantity = so_far(tx, count, place).await? + 1;
    let found = Found { place, quantity, counted_at: None };
    let lines = tally::keep(tx, count, TallyKind::Scanned, &[found]).await?;
    let product = products::show(tx, place.product_id).await?;
    Ok(Scanned {
        cell,
        count_line_id: lines.get(&place).copied(),
        product_id: Some(place.product_id),
        sku: Some(product.sku),
        name: Some(product.name),
        counted: Some(quantity),
    })
}

/// Units that the actor has counted there in this round.
async fn so_far(tx: &mut EnterpriseTx, count: &store::Held, place: Place) -> Result<i32> {
    let (actor, person) = (tx.actor().to_string(), store::person(tx).await?);
    let quantity = sqlx::query_scalar!(
        "SELECT t.quantity FROM count_lines AS l JOIN count_tallies AS t ON t.count_line_id = l.id AND t.round = l.round
         WHERE l.count_id = $1 AND l.cell_id = $2 AND l.lot_id = $3 AND (t.person_id = $5 OR t.actor = $4)
         ORDER BY t.number DESC LIMIT 1",
        count.id as _,
        place.cell_id as _,
        place.lot_id as _,
        actor,
        person as _,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(quantity.unwrap_or(0))
}
