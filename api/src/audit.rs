//! The audit log over HTTP, and the refusals that it keeps.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem::{Endpoint, IntoResponse, Request, Response};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde_json::{Value, json};
use shared::access::Actor;
use shared::audit::{self, Action, AuditFilter};
use shared::db::Db;
use shared::ids::{AuditEntryId, SessionId};
use shared::page::PageQuery;
use shared::{Error, telemetry};

use crate::Tag;
use crate::answers::Page;
use crate::auth::Caller;
use crate::problem::ApiError;

/// One act.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct AuditEntry {
    /// Which one.
    pub id: AuditEntryId,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// Who: `user:<id>`, `job:<kind>`, `platform` or `nobody`.
    pub actor: String,
    /// In which session.
    pub session_id: Option<SessionId>,
    /// From which address.
    pub address: Option<String>,
    /// By which request.
    pub request_id: Option<String>,
    /// By which operation of this document.
    pub operation: Option<String>,
    /// What: a stable code, written `noun.participle`.
    pub action: String,
    /// The same in words.
    pub title: String,
    /// The same in Russian.
    pub title_ru: String,
    /// About what.
    pub object_kind: String,
    /// About which one.
    pub object_id: Option<String>,
    /// The fields that changed, as they were. Secrets are never among them.
    pub before: Option<Value>,
    /// The fields that changed, as they are, or the facts of the act.
    pub after: Option<Value>,
}

impl From<audit::Entry> for AuditEntry {
    fn from(entry: audit::Entry) -> Self {
        let known = entry.known();
        // A newer program may have written an act that this one does not know: its code says what it was.
        let title = known.map_or_else(|| entry.action.clone(), |action| action.title().to_owned());
        let title_ru = known.map_or_else(|| entry.action.clone(), |action| action.title_ru().to_owned());
        let audit::Entry { id, occurred_at, actor, session_id, address, request_id, operation, action, .. } = entry;
        let audit::Entry { object_kind, object_id, before, after, .. } = entry;
        Self {
            id,
            occurred_at,
            actor,
            session_id,
            address,
            request_id,
            operation,
            action,
            title,
            title_ru,
            object_kind,
            object_id,
            before,
            after,
        }
    }
}

/// Something that is not as it was when it was sealed.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct AuditFault {
    /// Under which seal of the chain; absent: under none though it should be.
    pub seal: Option<i64>,
    /// Which entry, where it is one.
    pub entry_id: Option<AuditEntryId>,
    /// What is wrong.
    pub what: String,
}

/// The whole chain recomputed.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct AuditVerification {
    /// Seals followed.
    pub seals: i64,
    /// Entries compared with their digests.
    pub entries: i64,
    /// Entries of months that were exported and dropped.
    pub pruned: i64,
    /// Entries that wait for a seal; it takes about ten seconds.
    pub unsealed: i64,
    /// The hash of the last seal, in hex. Kept elsewhere and asked about later, it proves that nothing was cut off since.
    pub head: Option<String>,
    /// How much is wrong; none is the promise.
    pub faults: i64,
    /// The first hundred of it.
    pub told: Vec<AuditFault>,
}

impl From<audit::Verification> for AuditVerification {
    fn from(seen: audit::Verification) -> Self {
        let fault = |fault: audit::Fault| AuditFault {
            seal: fault.seal,
            entry_id: fault.entry_id,
            what: fault.what.to_owned(),
        };
        Self {
            seals: seen.seals,
            entries: seen.entries,
            pruned: seen.pruned,
            unsealed: seen.unsealed,
            head: seen.head.map(|head| head.to_string()),
            faults: seen.faults,
            told: seen.told.into_iter().map(fault).collect(),
        }
    }
}

/// The audit log.
pub struct Api;

#[OpenApi(tag = "Tag::Audit")]
impl Api {
    /// Search the audit log, newest first
    #[oai(path = "/audit", method = "get", operation_id = "list_audit_entries")]
    #[expect(clippy::too_many_arguments, reason = "one parameter per filter")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// By this one: `user:<id>` or `job:<kind>`.
        by: Query<Option<String>>,
        /// Only this act.
        action: Query<Option<String>>,
        /// About something of this kind, for example `printer`.
        #[oai(name = "objectKind")]
        object_kind: Query<Option<String>>,
        /// About this one.
        #[oai(name = "objectId")]
        object_id: Query<Option<String>>,
        /// By this request.
        #[oai(name = "requestId")]
        request_id: Query<Option<String>>,
        /// From this moment on.
        from: Query<Option<DateTime<Utc>>>,
        /// Before this moment.
        until: Query<Option<DateTime<Utc>>>,
        /// With this text in the object, in before or in after, whatever the case.
        text: Query<Option<String>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<AuditEntry>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = AuditFilter {
            actor: by.0,
            action: action.0,
            object_kind: object_kind.0,
            object_id: object_id.0,
            request_id: request_id.0,
            from: from.0,
            until: until.0,
            text: text.0,
        };
        let mut tx = db.begin(&actor).await?;
        let page = audit::list(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Recompute the chain that seals the log, and every entry under it
    #[oai(path = "/audit/verification", method = "get", operation_id = "verify_audit")]
    async fn verification(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// A `head` that was kept: it is a fault if the chain does not hold it.
        head: Query<Option<String>>,
    ) -> Result<Json<AuditVerification>, ApiError> {
        let head = head.0.as_deref().map(str::parse).transpose()?;
        let mut tx = db.begin(&actor).await?;
        let seen = audit::verify(&mut tx, head).await?;
        tx.commit().await?;
        Ok(Json(seen.into()))
    }

    /// Get one act
    #[oai(path = "/audit/:id", method = "get", operation_id = "get_audit_entry")]
    async fn get(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<AuditEntryId>,
    ) -> Result<Json<AuditEntry>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let entry = audit::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(entry.into()))
    }
}

/// Remembers beside a request who asked, for when it is denied.
#[derive(Clone, Debug, Default)]
pub struct Denials(Arc<OnceLock<Actor>>);

impl Denials {
    /// This one is asking.
    pub(crate) fn know(request: &Request, actor: &Actor) {
        if let Some(denials) = request.data::<Self>() {
            // A second recognition of the same request finds the same actor.
            drop(denials.0.set(actor.clone()));
        }
    }
}

/// Keeps in the log that somebody asked for what their role does not allow. The refused transaction is gone by then.
pub(crate) async fn note_denials<E: Endpoint>(routes: Arc<E>, mut request: Request, db: Db) -> poem::Result<Response> {
    let denials = Denials::default();
    request.set_data(denials.clone());
    let answer = routes.call(request).await;
    if let (Err(error), Some(actor)) = (&answer, denials.0.get())
        && let Some(Error::Forbidden(permission)) = error.downcast_ref::<ApiError>().map(ApiError::error)
        && let Err(error) = note_denial(&db, actor, permission).await
    {
        tracing::error!("A denial could not be kept in the audit log: {}", telemetry::chain(&error));
    }
    answer.map(IntoResponse::into_response)
}

async fn note_denial(db: &Db, actor: &Actor, permission: &str) -> Result<(), Error> {
    let mut tx = db.begin(&actor.clone().aside()).await?;
    let object = audit::Object::of("permission", permission);
    audit::noted(&mut tx, Action::AccessDenied, object, &json!({ "permission": permission })).await?;
    tx.commit().await
}
