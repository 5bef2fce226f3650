//! The SQL of requests.

use super::{RequestStatus, RequestType};
use crate::db::EnterpriseTx;
use crate::ids::{CellId, HistoryId, OrderId, RequestId, UserId, WarehouseId};
use crate::versions::Version;
use crate::{Error, Result};

/// What a verb needs to know of a request that it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Locked {
    pub status: RequestStatus,
    pub r#type: RequestType,
    pub warehouse_id: WarehouseId,
    pub at_cell_id: Option<CellId>,
    pub version: Version,
}

pub(super) async fn lock(tx: &mut EnterpriseTx, id: RequestId) -> Result<Locked> {
    sqlx::query_as!(
        Locked,
        r#"SELECT status, type AS "type", warehouse_id, at_cell_id, version FROM requests WHERE id = $1 FOR NO KEY UPDATE"#,
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("request"))
}

pub(super) async fn assign(tx: &mut EnterpriseTx, id: RequestId, assignee: UserId) -> Result<()> {
    let done = sqlx::query!(
        "UPDATE requests AS r SET assignee_id = $2
         WHERE r.id = $1
           AND EXISTS (SELECT FROM memberships AS m WHERE m.enterprise_id = r.enterprise_id AND m.user_id = $2 AND m.status = 'active')",
        id as _,
        assignee as _,
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::invalid("assigneeId", "is nobody who works in the enterprise"));
    }
    Ok(())
}

pub(super) async fn step(
    tx: &mut EnterpriseTx,
    id: RequestId,
    from: RequestStatus,
    to: RequestStatus,
    comment: Option<&str>,
) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!("UPDATE requests SET status = $2, changed_at = $3 WHERE id = $1", id as _, to as RequestStatus, now)
        .execute(tx.conn())
        .await?;
    write_history(tx, id, Some(from), to, comment).await
}

pub(super) async fn write_history(
    tx: &mut EnterpriseTx,
    id: RequestId,
    from: Option<RequestStatus>,
    to: RequestStatus,
    comment: Option<&str>,
) -> Result<()> {
    let (enterprise_id, actor, now) = (tx.enterprise_id(), tx.actor().to_string(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO request_history (enterprise_id, id, request_id, from_status, to_status, actor, comment, occurred_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        enterprise_id as _,
        HistoryId::new() as _,
        id as _,
        from as Option<RequestStatus>,
        to as RequestStatus,
        actor,
        comment,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn open_lines(tx: &mut EnterpriseTx, id: RequestId) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM pick_lines WHERE request_id = $1 AND status = 'pending')
                + (SELECT count(*) FROM move_lines WHERE request_id = $1 AND moved_at IS NULL) AS "open!""#,
        id as _
    )
    .fetch_one(tx.conn())
    .await?)
}

/// The orders that lose a line by it, each once.
pub(super) async fn cancel_pending_lines(tx: &mut EnterpriseTx, id: RequestId) -> Result<Vec<OrderId>> {
    let mut orders = sqlx::query_scalar!(
        "UPDATE pick_lines SET status = 'cancelled' WHERE request_id = $1 AND status = 'pending' RETURNING order_id",
        id as _
    )
    .fetch_all(tx.conn())
    .await?;
    orders.sort_unstable();
    orders.dedup();
    Ok(orders)
}
