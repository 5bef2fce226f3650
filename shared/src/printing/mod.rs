//! Printers, print jobs and their labels.
//!
//! ```text
//!  job   queued ─▶ rendering ─▶ sending ─▶ done | failed | cancelled | uncertain
//!  item  queued ─▶ sending ─▶ done (with its proof) | uncertain ─person─▶ done | queued      queued ─▶ failed | cancelled
//! ```
//!
//! An item is committed as `sending` before its first byte leaves, and nothing automatic sends it again after that:
//! when the connection breaks or the worker dies, it becomes `uncertain` and a person decides.

mod cells;
pub mod label;
mod lane;
mod look;
mod printers;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{CellId, OrderId, PrintItemId, PrintJobId, PrinterId, RequestId, SupplyId, WarehouseId};
use crate::jobs::{Job, Queue};
use crate::supplies::{self, SupplyStatus};
use crate::{Error, Refusal, Result, requests};

pub use cells::{LabelledCells, preview_cell_label, request_cell_labels};
pub use lane::{
    Lane, LaneHold, LaneItem, Sticker, Subject, begin_item, finish_item, hold_lane, item_uncertain, note_fault,
    note_rendering, open_lane, refuse_job, settle_job, store_stickers, sweep_lane, undo_item,
};
pub use look::{PrintItem, PrintJob, PrintJobFilter, get, items, list};
pub use printers::{NewPrinter, Printer, add, get_printer, list_printers};

/// What a print job prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PrintKind {
    /// The stickers of a picking request, sticker k for pick step k.
    OrderStickers,
    /// The QR code of a supply.
    SupplyQr,
    /// Labels of a warehouse's cells.
    CellLabels,
}

/// Where a print job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PrintStatus {
    /// Waits for its lane.
    Queued,
    /// Stickers are fetched.
    Rendering,
    /// Labels leave.
    Sending,
    /// Every label is done.
    Done,
    /// It cannot be printed; nothing was.
    Failed,
    /// Taken back.
    Cancelled,
    /// A label may or may not have been printed: a person decides.
    Uncertain,
}

/// Where a label is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ItemStatus {
    /// Not sent.
    Queued,
    /// Its bytes may be on the way.
    Sending,
    /// Sent, with the proof beside it.
    Done,
    /// Cannot be printed.
    Failed,
    /// Taken back.
    Cancelled,
    /// May or may not have been printed.
    Uncertain,
}

/// How it is known that a label was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Proof {
    /// The printer said nothing; the bytes were taken.
    None,
    /// The printer's own counter rose by one.
    Counter,
    /// The printer's job was completed.
    Ipp,
    /// An agent reported it.
    Agent,
    /// The sticker was scanned.
    Scan,
    /// A person looked.
    Person,
}

/// Sends what waits for one printer, one label after the other.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RunLane {
    /// Whose lane.
    pub printer_id: PrinterId,
}

impl Job for RunLane {
    const KIND: &'static str = "printing.run_lane";
    const QUEUE: Queue = Queue::Print;
    // No unique key: a lane that is just finding nothing more to do must not swallow the promise of a new print job.
}

/// What a person saw at the printer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
pub enum Verdict {
    /// The label is there.
    Printed,
    /// It is not: print it.
    NotPrinted,
}

/// Has the stickers of a picking request printed in picking order. Asking again answers with the same print job.
pub async fn request_stickers(tx: &mut EnterpriseTx, request_id: RequestId, printer_id: PrinterId) -> Result<PrintJob> {
    tx.require(Permission::PrintLabels)?;
    printers::show(tx, printer_id).await?;
    requests::enter(tx, request_id, Permission::PrintLabels).await?;
    requests::show(tx, request_id).await?;
    if let Some(job) = look::live_of_request(tx, request_id).await? {
        return look::show(tx, job).await;
    }
    let rows = sqlx::query!(
        // Of a bundle the sticker comes with its last unit.
        "SELECT l.order_id, o.wb_order_id, o.in_supply_at
         FROM pick_lines AS l JOIN orders AS o ON o.id = l.order_id
         WHERE l.request_id = $1 AND l.status = 'picked' AND o.status IN ('picked', 'packed')
           AND NOT EXISTS (SELECT FROM pick_lines AS later
                           WHERE later.order_id = l.order_id AND later.status = 'picked'
                             AND (later.request_id, later.position) > (l.request_id, l.position))
         ORDER BY l.position",
        request_id as _
    )
    .fetch_all(tx.conn())
    .await?;
    if rows.is_empty() {
        return Err(Error::refused(Refusal::OrderHasNoSticker, "no order of the request is picked yet"));
    }
    // Wildberries gives a sticker only once the order is in a supply.
    let missing: Vec<_> =
        rows.iter().filter(|row| row.in_supply_at.is_none()).map(|row| row.wb_order_id.to_string()).collect();
    if !missing.is_empty() {
        return Err(Error::refused(Refusal::OrderHasNoSticker, format!("not in a supply yet: {}", missing.join(", "))));
    }
    let orders: Vec<_> = rows.into_iter().map(|row| row.order_id).collect();
    let id = insert(tx, printer_id, Batch::Request(request_id)).await?;
    insert_items(tx, id, Items::Orders(&orders)).await?;
    tx.enqueue(&RunLane { printer_id }).await?;
    let job = look::show(tx, id).await?;
    audit::created(tx, Action::PrintJobCreated, Object::of("print_job", id), &job).await?;
    Ok(job)
}

/// Has the QR code of a delivered supply printed. Asking again answers with the same print job.
pub async fn request_supply_qr(tx: &mut EnterpriseTx, supply_id: SupplyId, printer_id: PrinterId) -> Result<PrintJob> {
    tx.require(Permission::PrintLabels)?;
    printers::show(tx, printer_id).await?;
    supplies::enter(tx, supply_id, Permission::PrintLabels).await?;
    let supply = supplies::show(tx, supply_id).await?;
    if !matches!(supply.status, SupplyStatus::Delivering | SupplyStatus::Accepted) {
        return Err(Error::refused(
            Refusal::SupplyNotReady,
            "Wildberries gives the QR code only after the supply is handed to delivery",
        ));
    }
    if let Some(job) = look::live_of_supply(tx, supply_id).await? {
        return look::show(tx, job).await;
    }
    let id = insert(tx, printer_id, Batch::Supply(supply_id)).await?;
    insert_items(tx, id, Items::Supply(supply_id)).await?;
    tx.enqueue(&RunLane { printer_id }).await?;
    let job = look::show(tx, id).await?;
    audit::created(tx, Action::PrintJobCreated, Object::of("print_job", id), &job).await?;
    Ok(job)
}

/// A person says what became of an uncertain label; the lane goes on.
pub async fn resolve(
    tx: &mut EnterpriseTx,
    id: PrintJobId,
    item_id: PrintItemId,
    verdict: Verdict,
) -> Result<PrintJob> {
    look::enter(tx, id, Permission::PrintLabels).await?;
    let job = look::show(tx, id).await?;
    let now = tx.now().await?;
    let resolved = match verdict {
        Verdict::Printed => {
            sqlx::query!(
                "UPDATE print_items SET status = 'done', proof = 'person', done_at = $3 WHERE id = $1 AND print_job_id = $2 AND status = 'uncertain'",
                item_id as _,
                id as _,
                now
            )
            .execute(tx.conn())
            .await?
        }
        Verdict::NotPrinted => {
            sqlx::query!(
                "UPDATE print_items SET status = 'queued', reason = NULL, sent_at = NULL
                 WHERE id = $1 AND print_job_id = $2 AND status = 'uncertain'",
                item_id as _,
                id as _
            )
            .execute(tx.conn())
            .await?
        }
    };
    if resolved.rows_affected() == 0 {
        let there = look::show_items(tx, id).await?.iter().any(|item| item.id == item_id);
        return Err(if there {
            Error::refused(Refusal::PrintItemNotUncertain, "the label is not uncertain")
        } else {
            Error::NotFound("label")
        });
    }
    settle_job(tx, id).await?;
    tx.enqueue(&RunLane { printer_id: job.printer_id }).await?;
    let facts = json!({ "printJobId": id, "verdict": verdict });
    audit::noted(tx, Action::PrintItemResolved, Object::of("print_item", item_id), &facts).await?;
    look::show(tx, id).await
}

/// Takes back the labels that were not sent yet.
pub async fn cancel(tx: &mut EnterpriseTx, id: PrintJobId) -> Result<PrintJob> {
    look::enter(tx, id, Permission::PrintLabels).await?;
    look::show(tx, id).await?;
    let cancelled = sqlx::query!(
        "UPDATE print_items SET status = 'cancelled' WHERE print_job_id = $1 AND status = 'queued'",
        id as _
    )
    .execute(tx.conn())
    .await?;
    if cancelled.rows_affected() == 0 {
        return Err(Error::refused(Refusal::PrintJobNotCancellable, "every label is already sent or settled"));
    }
    settle_job(tx, id).await?;
    let facts = json!({ "labels": cancelled.rows_affected() });
    audit::noted(tx, Action::PrintJobCancelled, Object::of("print_job", id), &facts).await?;
    look::show(tx, id).await
}

/// Of what a print job shows the labels.
#[derive(Clone, Copy, Debug)]
enum Batch {
    Request(RequestId),
    Supply(SupplyId),
    Warehouse(WarehouseId),
}

async fn insert(tx: &mut EnterpriseTx, printer_id: PrinterId, batch: Batch) -> Result<PrintJobId> {
    let (id, enterprise_id, actor, now) =
        (PrintJobId::new(), tx.enterprise_id(), tx.actor().to_string(), tx.now().await?);
    let (kind, request_id, supply_id, warehouse_id) = match batch {
        Batch::Request(request) => (PrintKind::OrderStickers, Some(request), None, None),
        Batch::Supply(supply) => (PrintKind::SupplyQr, None, Some(supply), None),
        Batch::Warehouse(warehouse) => (PrintKind::CellLabels, None, None, Some(warehouse)),
    };
    sqlx::query!(
        "INSERT INTO print_jobs (enterprise_id, id, printer_id, kind, request_id, supply_id, warehouse_id, status, actor, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued', $8, $9, $9)",
        enterprise_id as _,
        id as _,
        printer_id as _,
        kind as PrintKind,
        request_id as _,
        supply_id as _,
        warehouse_id as _,
        actor,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// The labels of a print job in their order.
#[derive(Clone, Copy, Debug)]
enum Items<'a> {
    Orders(&'a [OrderId]),
    Supply(SupplyId),
    Cells(&'a [CellId]),
}

/// Order, supply or cell: one of them.
type Labelled = (Option<uuid::Uuid>, Option<uuid::Uuid>, Option<uuid::Uuid>);

async fn insert_items(tx: &mut EnterpriseTx, id: PrintJobId, items: Items<'_>) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    let subjects: Vec<Labelled> = match items {
        Items::Orders(orders) => orders.iter().map(|order| (Some(order.0), None, None)).collect(),
        Items::Supply(supply) => vec![(None, Some(supply.0), None)],
        Items::Cells(cells) => cells.iter().map(|cell| (None, None, Some(cell.0))).collect(),
    };
    sqlx::query!(
        "INSERT INTO print_items (enterprise_id, id, print_job_id, position, order_id, supply_id, cell_id)
         SELECT $1, i.id, $2, i.position::int, i.order_id, i.supply_id, i.cell_id
         FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[]) WITH ORDINALITY AS i (id, order_id, supply_id, cell_id, position)",
        enterprise_id as _,
        id as _,
        &subjects.iter().map(|_| PrintItemId::new().0).collect::<Vec<_>>(),
        &subjects.iter().map(|(order, ..)| *order).collect::<Vec<_>>() as &[Option<uuid::Uuid>],
        &subjects.iter().map(|(_, supply, _)| *supply).collect::<Vec<_>>() as &[Option<uuid::Uuid>],
        &subjects.iter().map(|(.., cell)| *cell).collect::<Vec<_>>() as &[Option<uuid::Uuid>],
    )
    .execute(tx.conn())
    .await
    .refused_on("print_items_live_order_key", Refusal::PrintItemNotUncertain, || {
        "one of the stickers is already printed or waits in another print job".to_owned()
    })?;
    Ok(())
}
