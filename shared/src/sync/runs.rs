//! Sync runs: one execution of a sync with counters and a cursor. Runs that somebody asked for always have a row; a
//! timer's look at Wildberries leaves one only when it found something or failed.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    PullCatalogue, PullNewOrders, PullOrderHistory, PullStatuses, PullWarehouses, PushStocks, ReadStocks, SyncKind,
    SyncStatus,
};
use crate::access::Permission;
use crate::accounts;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{AccountId, JobId, SyncRunId};
use crate::page::{Page, PageQuery};
use crate::{Error, Refusal, Result};

/// A sync run as clients see it.
#[derive(Clone, Debug)]
pub struct SyncRun {
    /// Ours.
    pub id: SyncRunId,
    /// Of which account.
    pub account_id: AccountId,
    /// What it pulls.
    pub kind: SyncKind,
    /// Where it is.
    pub status: SyncStatus,
    /// The job that does it.
    pub job_id: JobId,
    /// Where the next page begins.
    pub cursor: Option<Value>,
    /// Rows read.
    pub seen: i64,
    /// Rows that were new.
    pub added: i64,
    /// Rows that were changed.
    pub changed: i64,
    /// Rows that could not be read or kept.
    pub failed: i64,
    /// Why it did not succeed.
    pub problem_code: Option<String>,
    /// In words.
    pub problem_detail: Option<String>,
    /// Who asked for it.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was begun.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What a page did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Rows read.
    pub seen: i64,
    /// Rows that were new.
    pub added: i64,
    /// Rows that were changed.
    pub changed: i64,
    /// Rows that could not be read or kept.
    pub failed: i64,
}

/// Which runs to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncRunFilter {
    /// Of this kind.
    pub kind: Option<SyncKind>,
    /// In this status.
    pub status: Option<SyncStatus>,
}

/// Asks for a sync run now.
pub async fn start(tx: &mut EnterpriseTx, account_id: AccountId, kind: SyncKind) -> Result<SyncRun> {
    tx.require(Permission::ManageWildberries)?;
    accounts::get(tx, account_id).await?;
    let (id, enterprise_id, now, actor) =
        (SyncRunId::new(), tx.enterprise_id(), tx.now().await?, tx.actor().to_string());
    let run = Some(id);
    let job_id = match kind {
        SyncKind::Catalogue => tx.enqueue(&PullCatalogue { account_id, run }).await?,
        SyncKind::Warehouses => tx.enqueue(&PullWarehouses { account_id, run }).await?,
        SyncKind::NewOrders => tx.enqueue(&PullNewOrders { account_id, run }).await?,
        SyncKind::OrderHistory => tx.enqueue(&PullOrderHistory { account_id, run }).await?,
        SyncKind::OrderStatuses => tx.enqueue(&PullStatuses { account_id, run }).await?,
        SyncKind::StockPush => tx.enqueue(&PushStocks { account_id, run }).await?,
        SyncKind::Stocks => tx.enqueue(&ReadStocks { account_id, run }).await?,
    }
    .job_id;
    sqlx::query!(
        "INSERT INTO sync_runs (enterprise_id, id, account_id, kind, job_id, actor, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        enterprise_id as _,
        id as _,
        account_id as _,
        kind as SyncKind,
        job_id as _,
        actor,
        now,
    )
    .execute(tx.conn())
    .await
    .refused_on("sync_runs_unfinished_key", Refusal::SyncAlreadyRunning, || "wait for it, or look at it in /sync-runs".to_owned())?;
    let facts = json!({ "accountId": account_id, "kind": kind });
    audit::noted(tx, Action::SyncStarted, Object::of("sync_run", id), &facts).await?;
    show(tx, id).await
}

/// One run. A run is of a whole account and lies in no warehouse: whoever sees anything of Wildberries sees it.
pub async fn get(tx: &mut EnterpriseTx, id: SyncRunId) -> Result<SyncRun> {
    tx.require(Permission::ReadWildberries)?;
    show(tx, id).await
}

async fn show(tx: &mut EnterpriseTx, id: SyncRunId) -> Result<SyncRun> {
    sqlx::query_as!(
        SyncRun,
        "SELECT id, account_id, kind, status, job_id, cursor, seen, added, changed, failed, problem_code, problem_detail, actor,
                created_at, started_at, finished_at
         FROM sync_runs WHERE id = $1",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("sync run"))
}

/// Runs, newest first.
pub async fn list(tx: &mut EnterpriseTx, filter: &SyncRunFilter, query: &PageQuery) -> Result<Page<SyncRun>> {
    tx.require(Permission::ReadWildberries)?;
    let after: Option<SyncRunId> = query.key()?;
    let rows = sqlx::query_as!(
        SyncRun,
        "SELECT id, account_id, kind, status, job_id, cursor, seen, added, changed, failed, problem_code, problem_detail, actor,
                created_at, started_at, finished_at
         FROM sync_runs
         WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR status = $2) AND ($3::uuid IS NULL OR id < $3)
         ORDER BY id DESC LIMIT $4",
        filter.kind as Option<SyncKind>,
        filter.status as Option<SyncStatus>,
        after as _,
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |run| run.id))
}

/// A worker begins or goes on with it.
pub async fn begin(tx: &mut EnterpriseTx, id: SyncRunId) -> Result<SyncRun> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE sync_runs SET status = 'running', started_at = coalesce(started_at, $2) WHERE id = $1 AND status IN ('queued', 'running')",
        id as _,
        now
    )
    .execute(tx.conn())
    .await?;
    get(tx, id).await
}

/// A page was kept, in the same transaction; a run that is taken over goes on behind it.
pub async fn note_page(tx: &mut EnterpriseTx, id: SyncRunId, cursor: &Value, counters: Counters) -> Result<()> {
    sqlx::query!(
        "UPDATE sync_runs SET cursor = $2, seen = seen + $3, added = added + $4, changed = changed + $5, failed = failed + $6 WHERE id = $1",
        id as _,
        cursor,
        counters.seen,
        counters.added,
        counters.changed,
        counters.failed,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// It ended: well, partly, or not, with the reason.
pub async fn finish(tx: &mut EnterpriseTx, id: SyncRunId, problem: Option<(&str, &str)>) -> Result<()> {
    let now = tx.now().await?;
    let (code, detail) = problem.unzip();
    sqlx::query!(
        "UPDATE sync_runs SET finished_at = $2, problem_code = $3, problem_detail = $4,
                status = CASE WHEN $3::text IS NOT NULL THEN 'failed' WHEN failed > 0 THEN 'partially_failed' ELSE 'succeeded' END
         WHERE id = $1 AND status IN ('queued', 'running')",
        id as _,
        now,
        code,
        detail,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A timer's look found something: it leaves a finished run; answers with its id.
pub async fn note_passing(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    kind: SyncKind,
    job_id: JobId,
    counters: Counters,
    cursor: Option<&Value>,
) -> Result<SyncRunId> {
    let (enterprise_id, now, actor) = (tx.enterprise_id(), tx.now().await?, tx.actor().to_string());
    let id = SyncRunId::new();
    sqlx::query!(
        "INSERT INTO sync_runs (enterprise_id, id, account_id, kind, status, job_id, seen, added, changed, failed, actor,
                                created_at, started_at, finished_at, cursor)
         VALUES ($1, $2, $3, $4, CASE WHEN $9::bigint > 0 THEN 'partially_failed' ELSE 'succeeded' END, $5, $6, $7, $8, $9::bigint, $10, $11, $11, $11, $12)",
        enterprise_id as _,
        id as _,
        account_id as _,
        kind as SyncKind,
        job_id as _,
        counters.seen,
        counters.added,
        counters.changed,
        counters.failed,
        actor,
        now,
        cursor,
    )
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// Where the last finished run of this kind stopped: an incremental sync goes on from there.
pub async fn last_cursor(tx: &mut EnterpriseTx, account_id: AccountId, kind: SyncKind) -> Result<Option<Value>> {
    Ok(sqlx::query_scalar!(
        "SELECT cursor FROM sync_runs
         WHERE account_id = $1 AND kind = $2 AND status IN ('succeeded', 'partially_failed') AND cursor IS NOT NULL
         ORDER BY id DESC LIMIT 1",
        account_id as _,
        kind as SyncKind,
    )
    .fetch_optional(tx.conn())
    .await?
    .flatten())
}
