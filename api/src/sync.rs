//! Sync runs over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{AccountId, JobId, SyncRunId};
use shared::page::PageQuery;
use shared::sync::{self, ItemOutcome, SyncKind, SyncRunFilter, SyncStatus};

use crate::Tag;
use crate::answers::{Accepted, Ending, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;

shown! {
    /// One execution of a sync with its counters.
    SyncRun from sync::SyncRun {
        /// Which one.
        id: SyncRunId,
        /// Of which seller account.
        account_id: AccountId,
        /// What it pulls or pushes.
        kind: SyncKind,
        /// Where it is.
        status: SyncStatus,
        /// The job that does it.
        job_id: JobId,
        /// Rows read.
        seen: i64,
        /// Rows that were new.
        added: i64,
        /// Rows that were changed.
        changed: i64,
        /// Rows that could not be read or kept.
        failed: i64,
        /// Why it did not succeed: a code.
        problem_code: Option<String>,
        /// The same in words.
        problem_detail: Option<String>,
        /// Who asked for it.
        actor: String,
        /// When.
        created_at: DateTime<Utc>,
        /// When it was begun.
        started_at: Option<DateTime<Utc>>,
        /// When it ended.
        finished_at: Option<DateTime<Utc>>,
    }
}

shown! {
    /// An item of a run that is worth a word.
    SyncRunItem from sync::RunItem {
        /// Its place in the run, from 1.
        position: i64,
        /// What: a size, an order, a card, by its number at Wildberries.
        item: String,
        /// What became of it.
        outcome: ItemOutcome,
        /// Why: a word of ours, or Wildberries' code.
        code: String,
        /// The same in words.
        detail: String,
    }
}

/// A sync to run now.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartSync {
    /// Of which seller account.
    pub account_id: AccountId,
    /// What to pull or to push.
    pub kind: SyncKind,
}

/// Sync runs.
pub struct Api;

#[OpenApi(tag = "Tag::Sync")]
impl Api {
    /// List sync runs, newest first
    #[oai(path = "/sync-runs", method = "get", operation_id = "list_sync_runs")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Of this kind.
        kind: Query<Option<SyncKind>>,
        /// In this status.
        status: Query<Option<SyncStatus>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<SyncRun>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = sync::list(&mut tx, &SyncRunFilter { kind: kind.0, status: status.0 }, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Pull from Wildberries, or push to it, now
    #[oai(path = "/sync-runs", method = "post", operation_id = "start_sync")]
    async fn start(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<StartSync>,
    ) -> Result<Accepted<SyncRun>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let run = sync::start(&mut tx, body.account_id, body.kind).await?;
        tx.answer(Accepted::of(run)).await
    }

    /// List what a sync run could not do, item by item, and what it repaired
    #[oai(path = "/sync-runs/:id/items", method = "get", operation_id = "list_sync_run_items")]
    async fn items(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<SyncRunId>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<SyncRunItem>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = sync::items(&mut tx, id.0, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Get a sync run
    #[oai(path = "/sync-runs/:id", method = "get", operation_id = "get_sync_run")]
    async fn get(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<SyncRunId>) -> Result<Json<SyncRun>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let run = sync::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(run.into()))
    }
}
