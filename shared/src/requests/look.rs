//! Reading requests.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{PickLineStatus, Priority, RequestStatus, RequestType};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, OrderId, PickLineId, ProductId, RequestId, UserId, WarehouseId, WbOrderId};
use crate::page::{Page, PageQuery};
use crate::versions::Version;
use crate::{Error, Result};

/// A request as clients see it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Ours.
    pub id: RequestId,
    /// What it is about.
    pub r#type: RequestType,
    /// Where it is.
    pub status: RequestStatus,
    /// How urgent.
    pub priority: Priority,
    /// In which warehouse.
    pub warehouse_id: WarehouseId,
    /// Who has it.
    pub assignee_id: Option<UserId>,
    /// By when.
    pub due_at: Option<DateTime<Utc>>,
    /// In words.
    pub comment: Option<String>,
    /// Lines in all.
    pub lines: i64,
    /// Lines still to be done.
    pub open_lines: i64,
    /// The code of the cell scanned last.
    pub at_cell: Option<String>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When anything changed.
    pub changed_at: DateTime<Utc>,
    /// How often it was changed.
    pub version: Version,
}

/// One step of a picking request.
#[derive(Clone, Debug)]
pub struct PickLine {
    /// Ours.
    pub id: PickLineId,
    /// The pick step, from 1.
    pub position: i32,
    /// For which order.
    pub order_id: OrderId,
    /// Its number at Wildberries.
    pub wb_order_id: WbOrderId,
    /// What to take.
    pub product_id: ProductId,
    /// Its SKU.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// Any of these proves it.
    pub barcodes: Vec<String>,
    /// Out of which cell.
    pub cell_id: CellId,
    /// The cell's code.
    pub cell: String,
    /// Where it is.
    pub status: PickLineStatus,
    /// When it was taken.
    pub picked_at: Option<DateTime<Utc>>,
    /// By whom.
    pub picked_by: Option<String>,
}

/// Which requests to list.
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    /// In this status.
    pub status: Option<RequestStatus>,
    /// Of this type.
    pub r#type: Option<RequestType>,
}

/// One line of a request's history.
#[derive(Clone, Debug)]
pub struct HistoryLine {
    /// From where; absent when it was created.
    pub from_status: Option<RequestStatus>,
    /// To where.
    pub to_status: RequestStatus,
    /// Who.
    pub actor: String,
    /// Why.
    pub comment: Option<String>,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

/// One request.
pub async fn get(tx: &mut EnterpriseTx, id: RequestId) -> Result<Request> {
    enter(tx, id, Permission::ReadRequests).await?;
    show(tx, id).await
}

/// Fails as if the request were not there, unless it is in the permission's reach: in a warehouse in reach, or assigned
/// to the acting person.
pub(crate) async fn enter(tx: &mut EnterpriseTx, id: RequestId, permission: Permission) -> Result<()> {
    let bounds = tx.bounds(permission)?;
    if bounds.warehouses.is_none() {
        return Ok(());
    }
    let there = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM requests WHERE id = $1 AND (warehouse_id = ANY($2) OR assignee_id = $3)) AS "there!""#,
        id as _,
        bounds.warehouses.as_deref(),
        bounds.person,
    )
    .fetch_one(tx.conn())
    .await?;
    if there { Ok(()) } else { Err(Error::NotFound("request")) }
}

/// One request, for a verb that has asked for its own permission.
pub(crate) async fn show(tx: &mut EnterpriseTx, id: RequestId) -> Result<Request> {
    sqlx::query_as!(
        Request,
        r#"SELECT r.id, r.type AS "type", r.status, r.priority, r.warehouse_id, r.assignee_id, r.due_at, r.comment,
                  (SELECT c.code FROM cells AS c WHERE c.id = r.at_cell_id) AS at_cell,
                  r.created_at, r.changed_at, r.version,
                  (SELECT count(*) FROM pick_lines AS l WHERE l.request_id = r.id)
                + (SELECT count(*) FROM move_lines AS l WHERE l.request_id = r.id)
                + (SELECT count(*) FROM counts AS k JOIN count_lines AS l ON l.count_id = k.id WHERE k.request_id = r.id) AS "lines!",
                  (SELECT count(*) FROM pick_lines AS l WHERE l.request_id = r.id AND l.status = 'pending')
                + (SELECT count(*) FROM move_lines AS l WHERE l.request_id = r.id AND l.moved_at IS NULL)
                + (SELECT count(*) FROM counts AS k JOIN count_lines AS l ON l.count_id = k.id
                   WHERE k.request_id = r.id AND k.status = 'counting' AND l.counted IS NULL AND NOT l.kept) AS "open_lines!"
           FROM requests AS r
           WHERE r.id = $1"#,
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("request"))
}

/// Requests in reach, newest first.
pub async fn list(tx: &mut EnterpriseTx, filter: &RequestFilter, query: &PageQuery) -> Result<Page<Request>> {
    let bounds = tx.bounds(Permission::ReadRequests)?;
    let after: Option<RequestId> = query.key()?;
    let rows = sqlx::query_as!(
        Request,
        r#"SELECT r.id, r.type AS "type", r.status, r.priority, r.warehouse_id, r.assignee_id, r.due_at, r.comment,
                  (SELECT c.code FROM cells AS c WHERE c.id = r.at_cell_id) AS at_cell,
                  r.created_at, r.changed_at, r.version,
                  (SELECT count(*) FROM pick_lines AS l WHERE l.request_id = r.id)
                + (SELECT count(*) FROM move_lines AS l WHERE l.request_id = r.id)
                + (SELECT count(*) FROM counts AS k JOIN count_lines AS l ON l.count_id = k.id WHERE k.request_id = r.id) AS "lines!",
                  (SELECT count(*) FROM pick_lines AS l WHERE l.request_id = r.id AND l.status = 'pending')
                + (SELECT count(*) FROM move_lines AS l WHERE l.request_id = r.id AND l.moved_at IS NULL)
                + (SELECT count(*) FROM counts AS k JOIN count_lines AS l ON l.count_id = k.id
                   WHERE k.request_id = r.id AND k.status = 'counting' AND l.counted IS NULL AND NOT l.kept) AS "open_lines!"
           FROM requests AS r
           WHERE ($1::text IS NULL OR r.status = $1) AND ($2::text IS NULL OR r.type = $2) AND ($3::uuid IS NULL OR r.id < $3)
             AND ($5::uuid[] IS NULL OR r.warehouse_id = ANY($5) OR r.assignee_id = $6)
           ORDER BY r.id DESC LIMIT $4"#,
        filter.status as Option<RequestStatus>,
        filter.r#type as Option<RequestType>,
        after as _,
        query.limit + 1,
        bounds.warehouses.as_deref(),
        bounds.person,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |request| request.id))
}

/// The steps of a picking request in walking order.
pub async fn lines(tx: &mut EnterpriseTx, id: RequestId) -> Result<Vec<PickLine>> {
    get(tx, id).await?;
    Ok(sqlx::query_as!(
        PickLine,
        r#"SELECT l.id, l.position, l.order_id, o.wb_order_id, l.product_id, p.sku, p.name,
                  ARRAY(SELECT b.barcode FROM barcodes AS b WHERE b.product_id = p.id ORDER BY b.barcode) AS "barcodes!",
                  l.cell_id, c.code AS cell, l.status, l.picked_at, l.picked_by
           FROM pick_lines AS l
           JOIN orders AS o ON o.id = l.order_id
           JOIN products AS p ON p.id = l.product_id
           JOIN cells AS c ON c.id = l.cell_id
           WHERE l.request_id = $1 ORDER BY l.position"#,
        id as _
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What happened to a request, oldest first.
pub async fn history(tx: &mut EnterpriseTx, id: RequestId) -> Result<Vec<HistoryLine>> {
    get(tx, id).await?;
    Ok(sqlx::query_as!(
        HistoryLine,
        "SELECT from_status, to_status, actor, comment, occurred_at FROM request_history WHERE request_id = $1 ORDER BY id",
        id as _
    )
    .fetch_all(tx.conn())
    .await?)
}
