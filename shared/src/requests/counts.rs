//! Requests that ask somebody to count: they go where their count goes.

use chrono::{DateTime, Utc};

use super::{NewPicking, Priority, RequestStatus, RequestType, pick, store};
use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::{CountId, RequestId, UserId, WarehouseId};

/// Opens the request of a count.
pub(crate) async fn open_count(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    assignee_id: Option<UserId>,
    due_at: Option<DateTime<Utc>>,
    comment: &str,
) -> Result<RequestId> {
    let priority = Priority::Medium;
    let comment = Some(comment.to_owned());
    let new = NewPicking { warehouse_id, orders: None, count: 1, assignee_id, priority, due_at, comment };
    pick::insert(tx, RequestType::StockCount, &new).await
}

/// Takes the request to where its count is; what was in review and is counted again was rejected first.
pub(crate) async fn follow_count(
    tx: &mut EnterpriseTx,
    id: RequestId,
    to: RequestStatus,
    comment: Option<&str>,
) -> Result<()> {
    let status = store::lock(tx, id).await?.status;
    let way: &[RequestStatus] = match (status, to) {
        (from, to) if from == to => &[],
        (RequestStatus::InReview, RequestStatus::InProgress) => &[RequestStatus::Rejected, RequestStatus::InProgress],
        (_, RequestStatus::InProgress) => &[RequestStatus::InProgress],
        (_, RequestStatus::InReview) => &[RequestStatus::InReview],
        (_, RequestStatus::Completed) => &[RequestStatus::Completed],
        (_, RequestStatus::Cancelled) => &[RequestStatus::Cancelled],
        (_, RequestStatus::Created | RequestStatus::Assigned | RequestStatus::Rejected) => &[],
    };
    let mut from = status;
    for next in way {
        from.check(*next)?;
        store::step(tx, id, from, *next, comment).await?;
        from = *next;
    }
    Ok(())
}

/// The count that a request asks for, if it does.
pub(crate) async fn count_of(tx: &mut EnterpriseTx, id: RequestId) -> Result<Option<CountId>> {
    Ok(sqlx::query_scalar!("SELECT id FROM counts WHERE request_id = $1", id as _).fetch_optional(tx.conn()).await?)
}

/// Compares the version of a request whose count is held.
pub(crate) async fn expect(tx: &mut EnterpriseTx, id: RequestId) -> Result<()> {
    let version = store::lock(tx, id).await?.version;
    tx.expect(version)
}
