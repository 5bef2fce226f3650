//! What several verbs of counts share: who may see one, whose it is until the transaction ends, its steps, and who stands
//! behind an actor.

use chrono::{DateTime, Utc};

use super::{CountScope, CountStatus};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, CountId, HistoryId, ProductId, RequestId, StockDocumentId, UserId, WarehouseId};
use crate::requests::{self, RequestStatus};
use crate::versions::Version;
use crate::{Error, Result};

/// What a verb needs to know of a count that it holds.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub id: CountId,
    pub warehouse_id: WarehouseId,
    pub name: String,
    pub comment: Option<String>,
    pub scope: CountScope,
    pub blind: bool,
    pub freeze: bool,
    pub status: CountStatus,
    pub round: i32,
    pub request_id: RequestId,
    pub document_id: Option<StockDocumentId>,
    pub started_at: Option<DateTime<Utc>>,
    pub version: Version,
}

/// Fails as if the count were not there, unless it is in the permission's reach: in a warehouse in reach, or its request is
/// assigned to the acting person.
pub(super) async fn enter(tx: &mut EnterpriseTx, id: CountId, permission: Permission) -> Result<()> {
    let bounds = tx.bounds(permission)?;
    let there = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM counts AS k JOIN requests AS r ON r.id = k.request_id
                          WHERE k.id = $1 AND ($2::uuid[] IS NULL OR k.warehouse_id = ANY($2) OR r.assignee_id = $3)) AS "there!""#,
        id as _,
        bounds.warehouses.as_deref(),
        bounds.person,
    )
    .fetch_one(tx.conn())
    .await?;
    if there { Ok(()) } else { Err(Error::NotFound("count")) }
}

/// Holds the count for a step, if the actor may take it and expects this version of it.
pub(super) async fn hold(tx: &mut EnterpriseTx, id: CountId, permission: Permission) -> Result<Held> {
    enter(tx, id, permission).await?;
    let held = lock(tx, id).await?;
    tx.expect(held.version)?;
    Ok(held)
}

/// The same for whoever has asked already.
pub(super) async fn lock(tx: &mut EnterpriseTx, id: CountId) -> Result<Held> {
    sqlx::query_as!(
        Held,
        "SELECT id, warehouse_id, name, comment, scope, blind, freezes AS freeze, status, round, request_id, document_id, started_at, version
         FROM counts WHERE id = $1 FOR NO KEY UPDATE",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("count"))
}

/// Holds the count against steps, beside others who count.
pub(super) async fn join(tx: &mut EnterpriseTx, id: CountId) -> Result<Held> {
    enter(tx, id, Permission::WorkCounts).await?;
    let held = sqlx::query_as!(
        Held,
        "SELECT id, warehouse_id, name, comment, scope, blind, freezes AS freeze, status, round, request_id, document_id, started_at, version
         FROM counts WHERE id = $1 FOR SHARE",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("count"))?;
    held.status.require(CountStatus::Counting)?;
    Ok(held)
}

/// Takes a step, with its line in the history; the request goes along.
pub(super) async fn step(tx: &mut EnterpriseTx, count: &Held, to: CountStatus, comment: Option<&str>) -> Result<()> {
    count.status.check(to)?;
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE counts SET status = $2, posted_at = CASE WHEN $2 = 'posted' THEN $3::timestamptz END WHERE id = $1",
        count.id as _,
        to as CountStatus,
        now,
    )
    .execute(tx.conn())
    .await?;
    write_history(tx, count.id, Some(count.status), to, comment).await?;
    let request = match to {
        CountStatus::Planned => RequestStatus::Created,
        CountStatus::Counting => RequestStatus::InProgress,
        CountStatus::Review | CountStatus::Posting => RequestStatus::InReview,
        CountStatus::Posted => RequestStatus::Completed,
        CountStatus::Cancelled => RequestStatus::Cancelled,
    };
    requests::follow_count(tx, count.request_id, request, comment).await
}

pub(super) async fn write_history(
    tx: &mut EnterpriseTx,
    id: CountId,
    from: Option<CountStatus>,
    to: CountStatus,
    comment: Option<&str>,
) -> Result<()> {
    let (enterprise_id, now, actor, person) =
        (tx.enterprise_id(), tx.now().await?, tx.actor().to_string(), person(tx).await?);
    sqlx::query!(
        "INSERT INTO count_history (enterprise_id, id, count_id, from_status, to_status, actor, person_id, comment, occurred_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        enterprise_id as _,
        HistoryId::new() as _,
        id as _,
        from as Option<CountStatus>,
        to as CountStatus,
        actor,
        person as _,
        comment,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Who acts: the person, or the one who made the key. Of a job there is none.
pub(super) async fn person(tx: &mut EnterpriseTx) -> Result<Option<UserId>> {
    let (user, key) = (tx.actor().user_id(), tx.actor().key_id());
    match (user, key) {
        (Some(user), _) => Ok(Some(user)),
        (None, Some(key)) => Ok(sqlx::query_scalar!("SELECT created_by FROM api_keys WHERE id = $1", key as _)
            .fetch_optional(tx.conn())
            .await?),
        (None, None) => Ok(None),
    }
}

/// Which cells a batch may name, and which products.
pub(super) struct Extent {
    /// The cells of the count among those that were asked for.
    pub cells: Vec<CellId>,
    /// The products, if the count is about products: then in whatever cell.
    pub products: Option<Vec<ProductId>>,
}

/// What belongs to the count of these cells.
pub(super) async fn extent(tx: &mut EnterpriseTx, count: &Held, cells: &[CellId]) -> Result<Extent> {
    let cells = sqlx::query_scalar!(
        "SELECT cell_id FROM count_cells WHERE count_id = $1 AND cell_id = ANY($2)",
        count.id as _,
        &cells.iter().map(|cell| cell.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    let products = match count.scope {
        CountScope::Warehouse | CountScope::Zones | CountScope::Cells => None,
        CountScope::Products => Some(
            sqlx::query_scalar!(
                r#"SELECT product_id AS "product_id!: ProductId" FROM count_targets WHERE count_id = $1"#,
                count.id as _
            )
            .fetch_all(tx.conn())
            .await?,
        ),
    };
    Ok(Extent { cells, products })
}
