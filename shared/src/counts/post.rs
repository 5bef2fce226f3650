//! Correcting the ledger by what was counted: differences, each written once, under one document. What is missing and was held
//! for orders is given back by the youngest of them; they get other stock, or wait for it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::store::{self, Held};
use super::{CountReason, CountStatus, freeze};
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RowRefused;
use crate::ids::{CellId, CountId, CountLineId, LotId, ProductId, StockDocumentId, StockEntryId};
use crate::inventory::{self, Correction, Lying};
use crate::jobs::{Job, Queue};
use crate::{Error, Refusal, Result, orders, requests};

/// Lines of one transaction.
const PAGE: i64 = 500;

/// Writes the corrections of a count that is approved.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PostCount {
    /// Which count.
    pub count_id: CountId,
}

impl Job for PostCount {
    const KIND: &'static str = "counts.post_count";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(self.count_id.to_string())
    }
}

/// How far the corrections are.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Of the lines with a difference.
    pub percent: i32,
    /// Whether nothing is left to be done.
    pub ended: bool,
}

/// A line with a difference that is not corrected yet.
struct Line {
    id: CountLineId,
    cell_id: CellId,
    cell: String,
    product_id: ProductId,
    sku: String,
    lot_id: LotId,
    difference: i32,
    reason: CountReason,
    blocked_reason: Option<String>,
    is_archived: bool,
}

/// Approved: what one page holds is corrected at once or not at all; more is promised.
pub(super) async fn begin(tx: &mut EnterpriseTx, count: &Held, comment: Option<&str>) -> Result<()> {
    sqlx::query!("UPDATE count_lines SET problem = NULL WHERE count_id = $1 AND problem IS NOT NULL", count.id as _)
        .execute(tx.conn())
        .await?;
    let open = sqlx::query_scalar!(
        r#"SELECT count(*) AS "open!" FROM count_lines WHERE count_id = $1 AND difference <> 0 AND entry_id IS NULL"#,
        count.id as _
    )
    .fetch_one(tx.conn())
    .await?;
    if open == 0 {
        return finish(tx, count, comment).await;
    }
    let document = match count.document_id {
        Some(document) => document,
        None => open_document(tx, count).await?,
    };
    if open <= PAGE {
        let refused = judge_and_write(tx, count, document).await?;
        if !refused.is_empty() {
            return Err(Error::RowsRefused(refused));
        }
        return finish(tx, count, comment).await;
    }
    store::step(tx, count, CountStatus::Posting, comment).await?;
    tx.enqueue(&PostCount { count_id: count.id }).await?;
    Ok(())
}

/// The next page of a count that is being posted. Lines that cannot be corrected are left with their problem, and the count
/// comes back to review with them.
pub async fn post_page(tx: &mut EnterpriseTx, id: CountId) -> Result<Progress> {
    let count = store::lock(tx, id).await?;
    let (CountStatus::Posting, Some(document)) = (count.status, count.document_id) else {
        return Ok(Progress { percent: 100, ended: true });
    };
    judge_and_write(tx, &count, document).await?;
    let left = sqlx::query!(
        r#"SELECT count(*) AS "all!", count(*) FILTER (WHERE entry_id IS NULL AND problem IS NULL) AS "open!",
                  count(*) FILTER (WHERE problem IS NOT NULL) AS "problems!"
           FROM count_lines WHERE count_id = $1 AND difference <> 0"#,
        id as _
    )
    .fetch_one(tx.conn())
    .await?;
    if left.open > 0 {
        let percent = (left.all - left.open) * 100 / left.all.max(1);
        return Ok(Progress { percent: i32::try_from(percent).unwrap_or(0), ended: false });
    }
    if left.problems > 0 {
        let words = format!("{} lines could not be corrected", left.problems);
        store::step(tx, &count, CountStatus::Review, Some(&words)).await?;
    } else {
        finish(tx, &count, None).await?;
    }
    Ok(Progress { percent: 100, ended: true })
}

async fn open_document(tx: &mut EnterpriseTx, count: &Held) -> Result<StockDocumentId> {
    let document = inventory::open_correction(tx, count.warehouse_id, &count.name).await?;
    sqlx::query!("UPDATE counts SET document_id = $2 WHERE id = $1", count.id as _, document as _)
        .execute(tx.conn())
        .await?;
    Ok(document)
}

async fn finish(tx: &mut EnterpriseTx, count: &Held, comment: Option<&str>) -> Result<()> {
    store::step(tx, count, CountStatus::Posted, comment).await?;
    freeze::thaw_all(tx, count.id).await?;
    let facts = sqlx::query!(
        r#"SELECT count(*) AS "lines!", coalesce(sum(difference) FILTER (WHERE difference > 0), 0) AS "plus!",
                  coalesce(-sum(difference) FILTER (WHERE difference < 0), 0) AS "minus!"
           FROM count_lines WHERE count_id = $1 AND entry_id IS NOT NULL"#,
        count.id as _
    )
    .fetch_one(tx.conn())
    .await?;
    let facts = json!({ "lines": facts.lines, "unitsPlus": facts.plus, "unitsMinus": facts.minus });
    audit::noted(tx, Action::CountPosted, Object::of("count", count.id), &facts).await
}

/// Corrects the next lines, as far as they can be; those that cannot are noted on their lines and answered.
async fn judge_and_write(tx: &mut EnterpriseTx, count: &Held, document: StockDocumentId) -> Result<Vec<RowRefused>> {
    let lines = open_lines(tx, count).await?;
    let places: Vec<_> = lines.iter().map(|line| (line.cell_id, line.product_id, line.lot_id)).collect();
    let mut products = inventory::held_beside(tx, &places).await?;
    products.extend(lines.iter().map(|line| line.product_id));
    inventory::line_up(tx, &products).await?;
    let lying = inventory::lying(tx, &places).await?;
    let (mut corrections, mut short, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (row, (line, lying)) in lines.iter().zip(lying).enumerate() {
        match judge(line, lying) {
            Ok(units) => {
                if units > 0 {
                    short.push((line.cell_id, line.product_id, line.lot_id, units));
                }
                corrections.push((line, StockEntryId::new()));
            }
            Err((refusal, detail)) => refused.push(RowRefused { row, refusal, detail }),
        }
    }
    let orders = inventory::youngest(tx, &short).await?;
    let held = orders::run_short(tx, &orders, &format!("«{}» found fewer than were known", count.name)).await?;
    // After the orders are ours: whoever was just put on the way to one of them is called back, too.
    requests::close_lines(tx, &orders).await?;
    requests::undo_picks(tx, &orders).await?;
    let why = "Остального для заказа нет: верните товар в ячейку";
    let freed = requests::call_back(tx, count.warehouse_id, held, why).await?;
    let written: Vec<_> = corrections.iter().map(|(line, id)| line.correction(*id)).collect();
    inventory::correct(tx, document, &written).await?;
    note(tx, &lines, &corrections, &refused).await?;
    let mut wanted: Vec<_> = short.iter().map(|(_, product, ..)| *product).chain(freed).collect();
    wanted.extend(written.iter().filter(|correction| correction.change > 0).map(|correction| correction.product_id));
    orders::reserve_waiting(tx, &wanted).await?;
    Ok(refused)
}

impl Line {
    fn correction(&self, id: StockEntryId) -> Correction {
        let &Self { product_id, lot_id, cell_id, difference: change, reason, .. } = self;
        Correction { id, product_id, lot_id, cell_id, change, reason: reason.name() }
    }
}

/// How many units orders have to give back, or why the line cannot be corrected.
fn judge(line: &Line, lying: Lying) -> std::result::Result<i32, (Refusal, String)> {
    let (cell, sku) = (&line.cell, &line.sku);
    if let Some(reason) = &line.blocked_reason {
        return Err((Refusal::CellBlocked, format!("cell {cell} is blocked: {reason}")));
    }
    if line.is_archived {
        return Err((Refusal::CellArchived, format!("cell {cell} is out of use")));
    }
    if line.difference > 0 {
        return Ok(0);
    }
    let fewer = line.difference.saturating_abs();
    if fewer > lying.on_hand {
        let there = lying.on_hand;
        let words =
            format!("{cell}: {fewer} of {sku} are missing, and only {there} are known by now: have it recounted");
        return Err((Refusal::NotEnoughStock, words));
    }
    let short = fewer.saturating_sub(lying.free).max(0);
    if short > lying.of_orders {
        let kept = short - lying.of_orders;
        let words = format!(
            "{cell}: {fewer} of {sku} are missing, and {kept} of them are on hold or reserved by hand: release them"
        );
        return Err((Refusal::NotEnoughStock, words));
    }
    Ok(short)
}

async fn open_lines(tx: &mut EnterpriseTx, count: &Held) -> Result<Vec<Line>> {
    Ok(sqlx::query_as!(
        Line,
        r#"SELECT l.id, l.cell_id, c.code AS cell, l.product_id, p.sku, l.lot_id, l.difference AS "difference!",
                  l.reason AS "reason!: CountReason", c.blocked_reason, c.archived_at IS NOT NULL AS "is_archived!"
           FROM count_lines AS l JOIN cells AS c ON c.id = l.cell_id JOIN products AS p ON p.id = l.product_id
           WHERE l.count_id = $1 AND l.difference <> 0 AND l.entry_id IS NULL AND l.problem IS NULL
           ORDER BY l.id LIMIT $2
           FOR NO KEY UPDATE OF l"#,
        count.id as _,
        PAGE,
    )
    .fetch_all(tx.conn())
    .await?)
}

async fn note(
    tx: &mut EnterpriseTx,
    lines: &[Line],
    corrections: &[(&Line, StockEntryId)],
    refused: &[RowRefused],
) -> Result<()> {
    sqlx::query!(
        "UPDATE count_lines AS l SET entry_id = n.entry_id, problem = n.problem
         FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS n (id, entry_id, problem) WHERE l.id = n.id",
        &corrections
            .iter()
            .map(|(line, _)| line.id.0)
            .chain(refused.iter().map(|row| lines[row.row].id.0))
            .collect::<Vec<_>>(),
        &corrections.iter().map(|(_, entry)| Some(entry.0)).chain(refused.iter().map(|_| None)).collect::<Vec<_>>()
            as &[Option<uuid::Uuid>],
        &corrections.iter().map(|_| None).chain(refused.iter().map(|row| Some(row.detail.clone()))).collect::<Vec<_>>()
            as &[Option<String>],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
