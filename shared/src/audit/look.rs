//! Searching the log.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Action;
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{AuditEntryId, SessionId};
use crate::page::{Page, PageQuery};
use crate::{Error, Result, clock};

/// One act.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Ours.
    pub id: AuditEntryId,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// Who: `user:<id>`, `job:<kind>`.
    pub actor: String,
    /// In which session.
    pub session_id: Option<SessionId>,
    /// From where.
    pub address: Option<String>,
    /// By which request.
    pub request_id: Option<String>,
    /// By which operation.
    pub operation: Option<String>,
    /// What: the code of an [`Action`].
    pub action: String,
    /// About what.
    pub object_kind: String,
    /// About which one.
    pub object_id: Option<String>,
    /// The fields that changed, as they were.
    pub before: Option<Value>,
    /// The fields that changed, as they are, or the facts of the act.
    pub after: Option<Value>,
}

impl Entry {
    /// The act, if this program knows it.
    pub fn known(&self) -> Option<Action> {
        Action::find(&self.action)
    }
}

/// Which acts to list.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// By this one: `user:<id>`, `job:<kind>`.
    pub actor: Option<String>,
    /// This code of an [`Action`].
    pub action: Option<String>,
    /// About something of this kind.
    pub object_kind: Option<String>,
    /// About this one.
    pub object_id: Option<String>,
    /// By this request.
    pub request_id: Option<String>,
    /// From this moment on.
    pub from: Option<DateTime<Utc>>,
    /// Before this moment.
    pub until: Option<DateTime<Utc>>,
    /// With this text in the object, in before or in after, whatever the case.
    pub text: Option<String>,
}

/// The enterprise's acts, newest first.
pub async fn list(tx: &mut EnterpriseTx, filter: &AuditFilter, query: &PageQuery) -> Result<Page<Entry>> {
    tx.require(Permission::ReadAudit)?;
    if filter.action.as_deref().is_some_and(|code| Action::find(code).is_none()) {
        let codes = Action::ALL.iter().map(|action| action.code()).collect::<Vec<_>>().join(", ");
        return Err(Error::invalid("action", format!("must be one of {codes}")));
    }
    for (field, moment) in [("from", filter.from), ("until", filter.until)] {
        moment.map_or(Ok(()), |at| clock::check_year(field, at))?;
    }
    let after: Option<(DateTime<Utc>, AuditEntryId)> = query.key()?;
    let (moment, id) = after.unzip();
    let pattern = filter
        .text
        .as_deref()
        .map(|text| format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")));
    let rows = sqlx::query_as!(
        Entry,
        "SELECT id, occurred_at, actor, session_id, address, request_id, operation, action, object_kind, object_id, before, after
         FROM audit_entries
         WHERE ($1::text IS NULL OR actor = $1) AND ($2::text IS NULL OR action = $2)
           AND ($3::text IS NULL OR object_kind = $3) AND ($4::text IS NULL OR object_id = $4)
           AND ($5::text IS NULL OR request_id = $5)
           AND ($6::timestamptz IS NULL OR occurred_at >= $6) AND ($7::timestamptz IS NULL OR occurred_at < $7)
           AND ($8::text IS NULL OR concat_ws(' ', object_kind, object_id, before::text, after::text) ILIKE $8)
           AND ($9::timestamptz IS NULL OR (occurred_at, id) < ($9, $10::uuid))
         ORDER BY occurred_at DESC, id DESC LIMIT $11",
        filter.actor,
        filter.action,
        filter.object_kind,
        filter.object_id,
        filter.request_id,
        filter.from,
        filter.until,
        pattern,
        moment,
        id as _,
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |entry| (entry.occurred_at, entry.id)))
}

/// One act.
pub async fn get(tx: &mut EnterpriseTx, id: AuditEntryId) -> Result<Entry> {
    tx.require(Permission::ReadAudit)?;
    sqlx::query_as!(
        Entry,
        "SELECT id, occurred_at, actor, session_id, address, request_id, operation, action, object_kind, object_id, before, after
         FROM audit_entries WHERE id = $1",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("audit entry"))
}
