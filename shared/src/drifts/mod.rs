//! What Wildberries' answers have that is not known: noticed beside every call, kept once per place, told once.
//!
//! `quarantine` keeps the entries that could not be read until they can be; `endings` tells of methods that are about to be
//! switched off.

mod endings;
mod jobs;
pub mod quarantine;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::access::Permission;
use crate::accounts;
use crate::alarms::{self, AlarmKind};
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, DriftId};
use crate::page::{Page, PageQuery};
use crate::wildberries::{self, DriftKind};
use crate::{Error, Result};

pub use endings::{calendar, tell_of_endings, tell_of_those};
pub use jobs::{ReplayQuarantine, WatchDrifts};

/// Differences that are kept of an account; whatever comes beyond is one catastrophe and not news.
const MOST: i64 = 1_000;

/// A difference, as it is listed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// Which one.
    pub id: DriftId,
    /// In the answers to which seller account.
    pub account_id: AccountId,
    /// Of which method, for example `GET /api/v3/orders/new`.
    pub method: String,
    /// Where, for example `orders[].deliveryType`; `.` is the answer itself.
    pub path: String,
    /// How it differs.
    pub kind: DriftKind,
    /// The unknown word, or the type that came.
    pub word: Option<String>,
    /// Names of fields and types of values: no text of theirs.
    pub sample: String,
    /// How often it was seen.
    pub count: i64,
    /// When it was seen first.
    pub first_seen_at: DateTime<Utc>,
    /// When it was seen last.
    pub last_seen_at: DateTime<Utc>,
    /// When somebody said that it was seen.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Who: `user:<id>` or `key:<id>`.
    pub acknowledged_by: Option<String>,
}

/// Which differences to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct DriftFilter {
    /// Only those that nobody has acknowledged, or only the others.
    pub open: Option<bool>,
    /// Only this kind.
    pub kind: Option<DriftKind>,
    /// Only in the answers to this account.
    pub account_id: Option<AccountId>,
}

/// Keeps what was noticed in the answers to an account. What is new raises an alarm.
pub async fn note(tx: &mut EnterpriseTx, account_id: AccountId, noticed: &[wildberries::Drift]) -> Result<()> {
    if noticed.is_empty() {
        return Ok(());
    }
    // Several jobs notice the same at once, in whatever order.
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('drifts ' || $1::text, 0))", account_id.to_string())
        .execute(tx.conn())
        .await?;
    let now = tx.now().await?;
    let known = sqlx::query!(
        "UPDATE drifts AS d
           SET count = d.count + n.count, sample = n.sample, last_seen_at = greatest(d.last_seen_at, $2)
           FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
                AS n (method, path, kind, word, sample, count)
           WHERE d.account_id = $1 AND (d.method, d.path, d.kind, d.word) = (n.method, n.path, n.kind, n.word)
           RETURNING d.method, d.path, d.kind, d.word",
        account_id as _,
        now,
        &noticed.iter().map(|drift| drift.method.to_owned()).collect::<Vec<_>>(),
        &noticed.iter().map(|drift| drift.path.clone()).collect::<Vec<_>>(),
        &noticed.iter().map(|drift| drift.kind.name().to_owned()).collect::<Vec<_>>(),
        &noticed.iter().map(|drift| drift.word.clone()).collect::<Vec<_>>(),
        &noticed.iter().map(|drift| drift.sample.clone()).collect::<Vec<_>>(),
        &noticed.iter().map(|drift| drift.count).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    let is_known = |drift: &&wildberries::Drift| {
        known.iter().any(|known| {
            known.method == drift.method
                && known.path == drift.path
                && known.kind == drift.kind
                && known.word == drift.word
        })
    };
    let new: Vec<_> = noticed.iter().filter(|drift| !is_known(drift)).collect();
    if !new.is_empty() {
        add(tx, account_id, &new).await?;
    }
    Ok(())
}

async fn add(tx: &mut EnterpriseTx, account_id: AccountId, new: &[&wildberries::Drift]) -> Result<()> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let kept = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM drifts WHERE account_id = $1"#, account_id as _)
        .fetch_one(tx.conn())
        .await?;
    let room = usize::try_from(MOST - kept).unwrap_or(0);
    let name = accounts::get(tx, account_id).await?.name;
    for drift in new.iter().take(room) {
        let id = DriftId::new();
        sqlx::query!(
            "INSERT INTO drifts (enterprise_id, id, account_id, method, path, kind, word, sample, count, first_seen_at, last_seen_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
            enterprise_id as _,
            id as _,
            account_id as _,
            drift.method,
            drift.path,
            drift.kind as DriftKind,
            drift.word,
            drift.sample,
            drift.count,
            now,
        )
        .execute(tx.conn())
        .await?;
        let word = if drift.word.is_empty() { String::new() } else { format!(": {}", drift.word) };
        let detail = format!("«{name}»: {}: {} {}{word}", drift.method, drift.path, drift.kind.title());
        alarms::raise(tx, AlarmKind::WildberriesDrift, account_id, &id.to_string(), &detail).await?;
    }
    Ok(())
}

/// The enterprise's differences, newest first. An answer is to a whole account and lies in no warehouse: whoever sees
/// anything of Wildberries sees them.
pub async fn list(tx: &mut EnterpriseTx, filter: &DriftFilter, query: &PageQuery) -> Result<Page<Drift>> {
    tx.require(Permission::ReadWildberries)?;
    let before: Option<DriftId> = query.key()?;
    let rows = sqlx::query_as!(
        Drift,
        "SELECT id, account_id, method, path, kind, NULLIF(word, '') AS word, sample, count, first_seen_at, last_seen_at,
                  acknowledged_at, acknowledged_by
           FROM drifts
           WHERE ($1::boolean IS NULL OR (acknowledged_at IS NULL) = $1)
             AND ($2::text IS NULL OR kind = $2)
             AND ($3::uuid IS NULL OR account_id = $3)
             AND ($4::uuid IS NULL OR id < $4)
           ORDER BY id DESC
           LIMIT $5",
        filter.open,
        filter.kind as Option<DriftKind>,
        filter.account_id as _,
        before as _,
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |drift| drift.id))
}

/// Somebody has seen it: its alarm is over. Saying so again changes nothing.
pub async fn acknowledge(tx: &mut EnterpriseTx, id: DriftId) -> Result<Drift> {
    tx.require(Permission::ManageWildberries)?;
    let (now, actor) = (tx.now().await?, tx.actor().to_string());
    let was_new =
        sqlx::query_scalar!("SELECT acknowledged_at IS NULL AS \"new!\" FROM drifts WHERE id = $1 FOR UPDATE", id as _)
            .fetch_optional(tx.conn())
            .await?
            .ok_or(Error::NotFound("drift"))?;
    let drift = sqlx::query_as!(
        Drift,
        "UPDATE drifts
           SET acknowledged_by = CASE WHEN acknowledged_at IS NULL THEN $2 ELSE acknowledged_by END,
               acknowledged_at = coalesce(acknowledged_at, $3)
           WHERE id = $1
           RETURNING id, account_id, method, path, kind, NULLIF(word, '') AS word, sample, count, first_seen_at, last_seen_at,
                     acknowledged_at, acknowledged_by",
        id as _,
        actor,
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    if was_new {
        alarms::end_of(tx, AlarmKind::WildberriesDrift, drift.account_id, &id.to_string()).await?;
        audit::noted(tx, Action::DriftAcknowledged, Object::of("drift", id), &drift).await?;
    }
    Ok(drift)
}

/// What of an enterprise waits for somebody: differences that nobody has acknowledged, and entries that could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Differences.
    pub drifts: i64,
    /// Entries.
    pub quarantined: i64,
}

/// Counts it.
pub async fn waiting(tx: &mut EnterpriseTx) -> Result<Waiting> {
    Ok(sqlx::query_as!(
        Waiting,
        r#"SELECT (SELECT count(*) FROM drifts WHERE acknowledged_at IS NULL) AS "drifts!",
                  (SELECT count(*) FROM quarantine WHERE replayed_at IS NULL) AS "quarantined!""#
    )
    .fetch_one(tx.conn())
    .await?)
}
