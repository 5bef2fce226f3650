//! What Wildberries' answers have that is not known, what of them could not be read, and what they are about to switch off.

use chrono::{DateTime, NaiveDate, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::drifts::quarantine::{self, ItemFilter, ItemKind};
use shared::drifts::{self, DriftFilter};
use shared::ids::{AccountId, DriftId, JobId, QuarantineId};
use shared::page::PageQuery;
use shared::wildberries::DriftKind;
use shared::wildberries::calendar::SwitchOff;

use crate::Tag;
use crate::answers::{Accepted, Ending, List, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;

/// A difference between Wildberries' answers and what is known of them.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
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
    /// The same in English words.
    pub title: String,
    /// And in Russian.
    pub title_ru: String,
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

impl From<drifts::Drift> for Drift {
    fn from(drift: drifts::Drift) -> Self {
        Self {
            id: drift.id,
            account_id: drift.account_id,
            method: drift.method,
            path: drift.path,
            kind: drift.kind,
            title: drift.kind.title().to_owned(),
            title_ru: drift.kind.title_ru().to_owned(),
            word: drift.word,
            sample: drift.sample,
            count: drift.count,
            first_seen_at: drift.first_seen_at,
            last_seen_at: drift.last_seen_at,
            acknowledged_at: drift.acknowledged_at,
            acknowledged_by: drift.acknowledged_by,
        }
    }
}

shown! {
    /// An entry of an answer that could not be used. What it says is kept sealed and shown to nobody.
    QuarantinedItem from quarantine::Item {
        /// Which one.
        id: QuarantineId,
        /// Of which seller account.
        account_id: AccountId,
        /// What it is.
        kind: ItemKind,
        /// In whose answer it came.
        method: String,
        /// Its number at Wildberries, if it has one.
        item_id: Option<i64>,
        /// Why it could not be used.
        why: String,
        /// When it came first.
        first_seen_at: DateTime<Utc>,
        /// When it came last.
        last_seen_at: DateTime<Utc>,
        /// When it was read after all.
        replayed_at: Option<DateTime<Utc>>,
    }
}

/// What is read again.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Replay {
    /// By this job.
    pub job_id: JobId,
    /// Items that wait.
    pub waiting: i64,
}

impl From<quarantine::Replay> for Replay {
    fn from(replay: quarantine::Replay) -> Self {
        Self { job_id: replay.job_id, waiting: replay.waiting }
    }
}

/// Something that Wildberries switches off on a day.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct MethodEnding {
    /// The method, or several by what they share.
    pub method: String,
    /// Only this of it.
    pub part: Option<String>,
    /// The day; absent where it is announced without one.
    pub on: Option<NaiveDate>,
    /// What to use instead.
    pub instead: Option<String>,
    /// Whether this program calls it.
    pub is_called: bool,
}

impl From<SwitchOff> for MethodEnding {
    fn from(off: SwitchOff) -> Self {
        Self {
            method: off.method.to_owned(),
            part: off.part.map(str::to_owned),
            on: off.on,
            instead: off.instead.map(str::to_owned),
            is_called: off.is_called(),
        }
    }
}

/// Drifts.
pub struct Api;

#[OpenApi(tag = "Tag::Wildberries")]
impl Api {
    /// List what differs in Wildberries' answers from what is known of them, newest first
    ///
    /// One row per account, method, place and way, however often it is seen.
    #[oai(path = "/wildberries/drifts", method = "get", operation_id = "list_drifts")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// true: only those that nobody has acknowledged; false: only the others.
        open: Query<Option<bool>>,
        /// Only this kind.
        kind: Query<Option<DriftKind>>,
        /// Only in the answers to this seller account.
        #[oai(name = "accountId")]
        account_id: Query<Option<AccountId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Drift>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = DriftFilter { open: open.0, kind: kind.0, account_id: account_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = drifts::list(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Say that a difference was seen; its alarm is over
    #[oai(path = "/wildberries/drifts/:id/acknowledge", method = "post", operation_id = "acknowledge_drift")]
    async fn acknowledge(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<DriftId>,
    ) -> Result<Json<Drift>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let drift = drifts::acknowledge(&mut tx, id.0).await?;
        tx.answer(Json(drift.into())).await
    }

    /// List entries of Wildberries' answers that could not be read, newest first
    #[oai(path = "/wildberries/quarantine", method = "get", operation_id = "list_quarantine")]
    async fn quarantine(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// true: only those that wait; false: only those that were read after all.
        waiting: Query<Option<bool>>,
        /// Only these.
        kind: Query<Option<ItemKind>>,
        /// Only of this seller account.
        #[oai(name = "accountId")]
        account_id: Query<Option<AccountId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<QuarantinedItem>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = ItemFilter { waiting: waiting.0, kind: kind.0, account_id: account_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = quarantine::list(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Read the quarantine again now
    ///
    /// Orders and cards from what was kept of them, and whatever still cannot be read by asking Wildberries anew. It also
    /// happens by itself each hour and whenever a worker starts.
    #[oai(path = "/wildberries/quarantine/replay", method = "post", operation_id = "replay_quarantine")]
    async fn replay(&self, Caller(actor): Caller, db: Data<&Db>) -> Result<Accepted<Replay>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let replay = quarantine::replay(&mut tx).await?;
        tx.answer(Accepted::of(replay)).await
    }

    /// List what Wildberries has switched off or announced to switch off
    #[oai(path = "/wildberries/calendar", method = "get", operation_id = "list_method_endings")]
    async fn calendar(&self, Caller(actor): Caller, db: Data<&Db>) -> Result<Json<List<MethodEnding>>, ApiError> {
        let tx = db.begin(&actor).await?;
        let endings = drifts::calendar(&tx)?;
        tx.commit().await?;
        Ok(Json(List::of(endings.to_vec())))
    }
}
