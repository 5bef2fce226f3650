//! Alarms over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::alarms::{self, AlarmFilter, AlarmKind};
use shared::db::Db;
use shared::ids::{AccountId, AlarmId};
use shared::page::PageQuery;

use crate::Tag;
use crate::answers::{Ending, Page};
use crate::auth::Caller;
use crate::problem::ApiError;

/// What somebody of the enterprise has to know and do something about.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Alarm {
    /// Which one.
    pub id: AlarmId,
    /// What it is about.
    pub kind: AlarmKind,
    /// The same in one English sentence.
    pub title: String,
    /// And in Russian.
    pub title_ru: String,
    /// The facts of the case.
    pub detail: String,
    /// About which seller account, if it is about one.
    pub account_id: Option<AccountId>,
    /// When it was noticed.
    pub raised_at: DateTime<Utc>,
    /// When its cause was gone, for example because the token was replaced.
    pub ended_at: Option<DateTime<Utc>>,
    /// When somebody said that it was seen.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Who: `user:<id>`.
    pub acknowledged_by: Option<String>,
}

impl From<alarms::Alarm> for Alarm {
    fn from(alarm: alarms::Alarm) -> Self {
        Self {
            id: alarm.id,
            kind: alarm.kind,
            title: alarm.kind.title().to_owned(),
            title_ru: alarm.kind.title_ru().to_owned(),
            detail: alarm.detail,
            account_id: alarm.account_id,
            raised_at: alarm.raised_at,
            ended_at: alarm.ended_at,
            acknowledged_at: alarm.acknowledged_at,
            acknowledged_by: alarm.acknowledged_by,
        }
    }
}

/// Alarms.
pub struct Api;

#[OpenApi(tag = "Tag::Alarms")]
impl Api {
    /// List alarms, newest first
    #[oai(path = "/alarms", method = "get", operation_id = "list_alarms")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// true: only those that nobody has acknowledged and whose cause is not gone; false: only the others.
        open: Query<Option<bool>>,
        /// Only this kind.
        kind: Query<Option<AlarmKind>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Alarm>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = alarms::list(&mut tx, &AlarmFilter { open: open.0, kind: kind.0 }, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Say that an alarm was seen
    #[oai(path = "/alarms/:id/acknowledge", method = "post", operation_id = "acknowledge_alarm")]
    async fn acknowledge(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<AlarmId>,
    ) -> Result<Json<Alarm>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let alarm = alarms::acknowledge(&mut tx, id.0).await?;
        tx.answer(Json(alarm.into())).await
    }
}
