//! A printer's lane as the job that runs it needs it. One printer is one serial lane, print jobs are never mixed, and an
//! uncertain label stops it, because the order of labels matters.

use sqlx::PgConnection;

use super::label::CellLabel;
use super::{ItemStatus, PrintStatus, Printer, Proof, get_printer};
use crate::db::{Db, EnterpriseTx};
use crate::ids::{AccountId, OrderId, PrintItemId, PrintJobId, PrinterId, SupplyId, WbOrderId, WbSupplyId};
use crate::{Error, Result};

/// What a label shows.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The sticker of an order.
    Order {
        /// Ours.
        id: OrderId,
        /// Wildberries' number.
        wb_order_id: WbOrderId,
        /// Of which account.
        account_id: AccountId,
        /// As it was fetched, if it was.
        sticker: Option<Sticker>,
    },
    /// The QR code of a supply.
    Supply {
        /// Ours.
        id: SupplyId,
        /// Wildberries' number.
        wb_supply_id: WbSupplyId,
        /// Of which account.
        account_id: AccountId,
    },
    /// The label of a cell.
    Cell(CellLabel),
}

/// A fetched sticker.
#[derive(Clone, Debug)]
pub struct Sticker {
    /// First half of the human code.
    pub part_a: String,
    /// Second half.
    pub part_b: String,
    /// What its code reads as.
    pub barcode: String,
    /// The picture.
    pub svg: Vec<u8>,
}

/// A label that waits.
#[derive(Clone, Debug)]
pub struct LaneItem {
    /// Ours.
    pub id: PrintItemId,
    /// Its place.
    pub position: i32,
    /// What it shows.
    pub subject: Subject,
}

/// The print job whose turn it is, with the labels that wait.
#[derive(Clone, Debug)]
pub struct Lane {
    /// The printer.
    pub printer: Printer,
    /// Whose turn it is.
    pub print_job_id: PrintJobId,
    /// In their order.
    pub items: Vec<LaneItem>,
}

/// The lane is ours as long as this lives: a session lock on a connection of its own, gone with the process.
#[derive(Debug)]
pub struct LaneHold(#[expect(dead_code, reason = "the lock ends with the connection")] PgConnection);

/// Takes the lane of a printer, unless another worker has it.
pub async fn hold_lane(db: &Db, printer_id: PrinterId) -> Result<Option<LaneHold>> {
    let mut connection = db.detached().await?;
    let held = sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_lock(hashtextextended($1, 9100)) AS "held!""#,
        format!("printing.run_lane/{printer_id}")
    )
    .fetch_one(&mut connection)
    .await?;
    Ok(held.then_some(LaneHold(connection)))
}

/// Labels that were `sending` when their worker died become uncertain. Called by the one who now runs the lane.
pub async fn sweep_lane(tx: &mut EnterpriseTx, printer_id: PrinterId) -> Result<usize> {
    let rows = sqlx::query!(
        "UPDATE print_items AS i SET status = 'uncertain', reason = 'the worker died while the label was being sent: look at the printer'
         FROM print_jobs AS j
         WHERE j.id = i.print_job_id AND j.printer_id = $1 AND i.status = 'sending'
         RETURNING i.print_job_id",
        printer_id as _
    )
    .fetch_all(tx.conn())
    .await?;
    for row in &rows {
        settle_job(tx, row.print_job_id).await?;
    }
    Ok(rows.len())
}

/// The oldest print job of the lane; nothing if none waits or an uncertain one stands in front.
pub async fn open_lane(tx: &mut EnterpriseTx, printer_id: PrinterId) -> Result<Option<Lane>> {
    let printer = get_printer(tx, printer_id).await?;
    let first = sqlx::query!(
        "SELECT id, status FROM print_jobs WHERE printer_id = $1 AND status IN ('queued', 'rendering', 'sending', 'uncertain') ORDER BY id LIMIT 1",
        printer_id as _
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(job) = first.filter(|job| job.status != PrintStatus::Uncertain) else { return Ok(None) };
    let rows = sqlx::query!(
        r#"SELECT i.id, i.position, i.order_id, i.supply_id, o.wb_order_id AS "wb_order_id?", o.account_id AS "order_account?",
                  s.wb_supply_id AS "wb_supply_id?", s.account_id AS "supply_account?",
                  c.code AS "code?", c.barcode AS "cell_barcode?", w.name AS "warehouse?", z.name AS "zone?",
                  t.part_a AS "part_a?", t.part_b AS "part_b?", t.barcode AS "barcode?", t.svg AS "svg?"
           FROM print_items AS i
           LEFT JOIN orders AS o ON o.id = i.order_id
           LEFT JOIN supplies AS s ON s.id = i.supply_id
           LEFT JOIN stickers AS t ON t.order_id = i.order_id
           LEFT JOIN cells AS c ON c.id = i.cell_id
           LEFT JOIN warehouses AS w ON w.id = c.warehouse_id
           LEFT JOIN zones AS z ON z.id = c.zone_id
           WHERE i.print_job_id = $1 AND i.status = 'queued' ORDER BY i.position"#,
        job.id as _
    )
    .fetch_all(tx.conn())
    .await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let sticker = match (row.part_a, row.part_b, row.barcode, row.svg) {
            (Some(part_a), Some(part_b), Some(barcode), Some(svg)) => Some(Sticker { part_a, part_b, barcode, svg }),
            _ => None,
        };
        if let (Some(code), Some(warehouse)) = (row.code, row.warehouse) {
            let reading = row.cell_barcode.unwrap_or_else(|| code.clone());
            let subject = Subject::Cell(CellLabel { code, reading, warehouse, zone: row.zone });
            items.push(LaneItem { id: row.id, position: row.position, subject });
            continue;
        }
        let subject = match (
            row.order_id,
            row.wb_order_id,
            row.order_account,
            row.supply_id,
            row.wb_supply_id,
            row.supply_account,
        ) {
            (Some(id), Some(wb_order_id), Some(account_id), ..) => {
                Subject::Order { id, wb_order_id, account_id, sticker }
            }
            (_, _, _, Some(id), Some(wb_supply_id), Some(account_id)) => {
                Subject::Supply { id, wb_supply_id, account_id }
            }
            _ => return Err(Error::Inconsistent(format!("label {} shows nothing", row.id))),
        };
        items.push(LaneItem { id: row.id, position: row.position, subject });
    }
    Ok(Some(Lane { printer, print_job_id: job.id, items }))
}

/// Stickers are being fetched for it.
pub async fn note_rendering(tx: &mut EnterpriseTx, id: PrintJobId) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE print_jobs SET status = 'rendering', changed_at = $2 WHERE id = $1 AND status = 'queued'",
        id as _,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps fetched stickers.
pub async fn store_stickers(tx: &mut EnterpriseTx, stickers: &[(OrderId, Sticker)]) -> Result<()> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    for (order_id, sticker) in stickers {
        sqlx::query!(
            "INSERT INTO stickers (enterprise_id, order_id, part_a, part_b, barcode, svg, fetched_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (enterprise_id, order_id) DO UPDATE
             SET part_a = EXCLUDED.part_a, part_b = EXCLUDED.part_b, barcode = EXCLUDED.barcode, svg = EXCLUDED.svg, fetched_at = EXCLUDED.fetched_at",
            enterprise_id as _,
            order_id.0,
            sticker.part_a,
            sticker.part_b,
            sticker.barcode,
            sticker.svg,
            now,
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// It cannot be printed, and nothing of it was begun: everything that waits fails, with the reason.
pub async fn refuse_job(tx: &mut EnterpriseTx, id: PrintJobId, code: &str, detail: &str) -> Result<()> {
    sqlx::query!(
        "UPDATE print_items SET status = 'failed', reason = $2 WHERE print_job_id = $1 AND status = 'queued'",
        id as _,
        detail
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!("UPDATE print_jobs SET fault_code = $2, fault_detail = $3 WHERE id = $1", id as _, code, detail)
        .execute(tx.conn())
        .await?;
    settle_job(tx, id).await
}

/// The printer cannot print at the moment; job and printer say why, and nothing was sent.
pub async fn note_fault(
    tx: &mut EnterpriseTx,
    printer_id: PrinterId,
    id: PrintJobId,
    fault: Option<(&str, &str)>,
) -> Result<()> {
    let (code, detail) = fault.unzip();
    sqlx::query!("UPDATE print_jobs SET fault_code = $2, fault_detail = $3 WHERE id = $1", id as _, code, detail)
        .execute(tx.conn())
        .await?;
    sqlx::query!("UPDATE printers SET fault_code = $2, fault_detail = $3 WHERE id = $1", printer_id as _, code, detail)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Committed before the first byte leaves. `false`: somebody took the label back, do not send it.
pub async fn begin_item(
    tx: &mut EnterpriseTx,
    job: PrintJobId,
    item: PrintItemId,
    sha256: &[u8],
    counter: Option<u64>,
) -> Result<bool> {
    let now = tx.now().await?;
    let begun = sqlx::query!(
        "UPDATE print_items AS i SET status = 'sending', attempts = i.attempts + 1, payload_sha256 = $2, counter_before = $3, sent_at = $4
         WHERE i.id = $1 AND i.status = 'queued'
           AND NOT EXISTS (SELECT FROM orders AS o WHERE o.id = i.order_id AND o.status = 'cancelled')",
        item as _,
        sha256,
        counter.and_then(|counter| i64::try_from(counter).ok()),
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    sqlx::query!("UPDATE print_jobs SET status = 'sending', changed_at = $2 WHERE id = $1", job as _, now)
        .execute(tx.conn())
        .await?;
    if begun == 0 {
        sqlx::query!(
            "UPDATE print_items SET status = 'cancelled', reason = 'the order was cancelled' WHERE id = $1 AND status = 'queued'",
            item as _
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(begun == 1)
}

/// The label is out, and this is how it is known.
pub async fn finish_item(tx: &mut EnterpriseTx, item: PrintItemId, proof: Proof, counter: Option<u64>) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE print_items SET status = 'done', proof = $2, counter_after = $3, done_at = $4, reason = NULL WHERE id = $1 AND status = 'sending'",
        item as _,
        proof as Proof,
        counter.and_then(|counter| i64::try_from(counter).ok()),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Not a single byte left: the label waits again.
pub async fn undo_item(tx: &mut EnterpriseTx, item: PrintItemId) -> Result<()> {
    sqlx::query!(
        "UPDATE print_items SET status = 'queued', sent_at = NULL WHERE id = $1 AND status = 'sending'",
        item as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Bytes left and nobody knows what came of them.
pub async fn item_uncertain(tx: &mut EnterpriseTx, item: PrintItemId, reason: &str) -> Result<()> {
    sqlx::query!(
        "UPDATE print_items SET status = 'uncertain', reason = $2 WHERE id = $1 AND status = 'sending'",
        item as _,
        reason
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The print job is what its labels are.
pub async fn settle_job(tx: &mut EnterpriseTx, id: PrintJobId) -> Result<()> {
    let rows =
        sqlx::query!("SELECT status FROM print_items WHERE print_job_id = $1", id as _).fetch_all(tx.conn()).await?;
    let any = |status: ItemStatus| rows.iter().any(|row| row.status == status);
    let status = if any(ItemStatus::Uncertain) {
        PrintStatus::Uncertain
    } else if any(ItemStatus::Queued) || any(ItemStatus::Sending) {
        if any(ItemStatus::Done) || any(ItemStatus::Sending) { PrintStatus::Sending } else { PrintStatus::Queued }
    } else if any(ItemStatus::Failed) {
        PrintStatus::Failed
    } else if any(ItemStatus::Done) {
        PrintStatus::Done
    } else {
        PrintStatus::Cancelled
    };
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE print_jobs SET status = $2, changed_at = $3 WHERE id = $1",
        id as _,
        status as PrintStatus,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
