//! Reading print jobs.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{ItemStatus, PrintKind, PrintStatus, Proof};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, OrderId, PrintItemId, PrintJobId, PrinterId, RequestId, SupplyId, WarehouseId};
use crate::page::{Page, PageQuery};
use crate::{Error, Result};

/// A print job as clients see it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrintJob {
    /// Ours.
    pub id: PrintJobId,
    /// On which printer.
    pub printer_id: PrinterId,
    /// What it prints.
    pub kind: PrintKind,
    /// The stickers of this request.
    pub request_id: Option<RequestId>,
    /// The QR code of this supply.
    pub supply_id: Option<SupplyId>,
    /// The labels of cells of this warehouse.
    pub warehouse_id: Option<WarehouseId>,
    /// Where it is.
    pub status: PrintStatus,
    /// Labels in all.
    pub labels: i64,
    /// Labels done.
    pub done: i64,
    /// Labels of which nobody knows.
    pub uncertain: i64,
    /// What it waits for or why it failed.
    pub fault_code: Option<String>,
    /// In words.
    pub fault_detail: Option<String>,
    /// Who asked for it.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When anything changed.
    pub changed_at: DateTime<Utc>,
}

/// One label of a print job.
#[derive(Clone, Debug)]
pub struct PrintItem {
    /// Ours.
    pub id: PrintItemId,
    /// The label's place, from 1.
    pub position: i32,
    /// Whose sticker.
    pub order_id: Option<OrderId>,
    /// Whose QR code.
    pub supply_id: Option<SupplyId>,
    /// Whose label.
    pub cell_id: Option<CellId>,
    /// What the cell is called.
    pub cell: Option<String>,
    /// The human code of the sticker.
    pub sticker: Option<String>,
    /// What the code on the label reads as.
    pub barcode: Option<String>,
    /// Where it is.
    pub status: ItemStatus,
    /// How it is known.
    pub proof: Option<Proof>,
    /// Why not.
    pub reason: Option<String>,
    /// When its bytes left.
    pub sent_at: Option<DateTime<Utc>>,
    /// When it was known to be there.
    pub done_at: Option<DateTime<Utc>>,
}

/// Which print jobs to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrintJobFilter {
    /// In this status.
    pub status: Option<PrintStatus>,
    /// On this printer.
    pub printer_id: Option<PrinterId>,
}

/// One print job.
pub async fn get(tx: &mut EnterpriseTx, id: PrintJobId) -> Result<PrintJob> {
    enter(tx, id, Permission::ReadPrinting).await?;
    show(tx, id).await
}

/// Fails as if the print job were not there, unless the request, supply or warehouse that it prints of is in the permission's reach.
pub(super) async fn enter(tx: &mut EnterpriseTx, id: PrintJobId, permission: Permission) -> Result<()> {
    let bounds = tx.bounds(permission)?;
    if bounds.warehouses.is_none() {
        return Ok(());
    }
    let there = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM print_jobs AS j
               WHERE j.id = $1
                 AND (EXISTS (SELECT FROM requests AS r WHERE r.id = j.request_id AND (r.warehouse_id = ANY($2) OR r.assignee_id = $3))
                      OR supply_in_reach(j.supply_id, $2, $3)
                      OR j.warehouse_id = ANY($2)
                      OR EXISTS (SELECT FROM requests AS r WHERE r.warehouse_id = j.warehouse_id AND r.assignee_id = $3))) AS "there!""#,
        id as _,
        bounds.warehouses.as_deref(),
        bounds.person,
    )
    .fetch_one(tx.conn())
    .await?;
    if there { Ok(()) } else { Err(Error::NotFound("print job")) }
}

/// One print job, for a verb that has asked for its own permission.
pub(super) async fn show(tx: &mut EnterpriseTx, id: PrintJobId) -> Result<PrintJob> {
    sqlx::query_as!(
        PrintJob,
        r#"SELECT j.id, j.printer_id, j.kind, j.request_id, j.supply_id, j.warehouse_id, j.status, j.fault_code, j.fault_detail, j.actor, j.created_at, j.changed_at,
                  (SELECT count(*) FROM print_items AS i WHERE i.print_job_id = j.id) AS "labels!",
                  (SELECT count(*) FROM print_items AS i WHERE i.print_job_id = j.id AND i.status = 'done') AS "done!",
                  (SELECT count(*) FROM print_items AS i WHERE i.print_job_id = j.id AND i.status = 'uncertain') AS "uncertain!"
           FROM print_jobs AS j WHERE j.id = $1"#,
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("print job"))
}

/// Print jobs in reach, newest first.
pub async fn list(tx: &mut EnterpriseTx, filter: &PrintJobFilter, query: &PageQuery) -> Result<Page<PrintJob>> {
    let bounds = tx.bounds(Permission::ReadPrinting)?;
    let after: Option<PrintJobId> = query.key()?;
    let rows = sqlx::query_as!(
        PrintJob,
        r#"SELECT j.id, j.printer_id, j.kind, j.request_id, j.supply_id, j.warehouse_id, j.status, j.fault_code, j.fault_detail, j.actor, j.created_at, j.changed_at,
                  (SELECT count(*) FROM print_items AS i WHERE i.print_job_id = j.id) AS "labels!",
                  (SELECT count(*) FROM print_items AS i WHERE i.print_job_id = j.id AND i.status = 'done') AS "done!",
                  (SELECT count(*) FROM print_items AS i WHERE i.print_job_id = j.id AND i.status = 'uncertain') AS "uncertain!"
           FROM print_jobs AS j
           WHERE ($1::text IS NULL OR j.status = $1) AND ($2::uuid IS NULL OR j.printer_id = $2) AND ($3::uuid IS NULL OR j.id < $3)
             AND ($5::uuid[] IS NULL
                  OR EXISTS (SELECT FROM requests AS r WHERE r.id = j.request_id AND (r.warehouse_id = ANY($5) OR r.assignee_id = $6))
                  OR supply_in_reach(j.supply_id, $5, $6)
                  OR j.warehouse_id = ANY($5)
                  OR EXISTS (SELECT FROM requests AS r WHERE r.warehouse_id = j.warehouse_id AND r.assignee_id = $6))
           ORDER BY j.id DESC LIMIT $4"#,
        filter.status as Option<PrintStatus>,
        filter.printer_id as _,
        after as _,
        query.limit + 1,
        bounds.warehouses.as_deref(),
        bounds.person,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |job| job.id))
}

/// The labels of a print job in their order.
pub async fn items(tx: &mut EnterpriseTx, id: PrintJobId) -> Result<Vec<PrintItem>> {
    get(tx, id).await?;
    show_items(tx, id).await
}

/// The same, for a verb that has asked for its own permission.
pub(super) async fn show_items(tx: &mut EnterpriseTx, id: PrintJobId) -> Result<Vec<PrintItem>> {
    Ok(sqlx::query_as!(
        PrintItem,
        r#"SELECT i.id, i.position, i.order_id, i.supply_id, i.cell_id,
                  (SELECT c.code FROM cells AS c WHERE c.id = i.cell_id) AS cell,
                  (SELECT s.part_a || ' ' || s.part_b FROM stickers AS s WHERE s.order_id = i.order_id) AS sticker,
                  coalesce((SELECT s.barcode FROM stickers AS s WHERE s.order_id = i.order_id),
                           (SELECT coalesce(c.barcode, c.code) FROM cells AS c WHERE c.id = i.cell_id)) AS barcode,
                  i.status, i.proof, i.reason, i.sent_at, i.done_at
           FROM print_items AS i
           WHERE i.print_job_id = $1 ORDER BY i.position"#,
        id as _
    )
    .fetch_all(tx.conn())
    .await?)
}

pub(super) async fn live_of_request(tx: &mut EnterpriseTx, request_id: RequestId) -> Result<Option<PrintJobId>> {
    Ok(sqlx::query_scalar!(
        "SELECT id FROM print_jobs WHERE request_id = $1 AND status NOT IN ('failed', 'cancelled')",
        request_id as _
    )
    .fetch_optional(tx.conn())
    .await?)
}

pub(super) async fn live_of_supply(tx: &mut EnterpriseTx, supply_id: SupplyId) -> Result<Option<PrintJobId>> {
    Ok(sqlx::query_scalar!(
        "SELECT id FROM print_jobs WHERE supply_id = $1 AND status NOT IN ('failed', 'cancelled')",
        supply_id as _
    )
    .fetch_optional(tx.conn())
    .await?)
}
