//! Jobs over HTTP: what was promised and what became of it.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::JobId;
use shared::jobs::{self, JobFilter, JobRow, JobState, Queue};
use shared::page::PageQuery;

use crate::Tag;
use crate::answers::{Ending, Page};
use crate::auth::Caller;
use crate::problem::ApiError;

/// Work that was promised. Its payload stays inside.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Job {
    /// Which one.
    pub id: JobId,
    /// What it is, as `noun.verb_object`.
    pub kind: String,
    /// Who runs it.
    pub queue: Queue,
    /// Where it is.
    pub state: JobState,
    /// When it runs next.
    pub run_at: DateTime<Utc>,
    /// How often it was begun.
    pub attempts: i32,
    /// When it is given up.
    pub expires_at: DateTime<Utc>,
    /// Percent.
    pub progress: i32,
    /// Why it did not succeed the last time.
    pub last_error: Option<String>,
    /// Who promised it: `user:<id>`, `key:<id>` or `job:<kind>`.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was first begun.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

impl From<JobRow> for Job {
    fn from(row: JobRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            queue: row.queue,
            state: row.state,
            run_at: row.run_at,
            attempts: row.attempts,
            expires_at: row.expires_at,
            progress: row.progress,
            last_error: row.last_error,
            actor: row.actor,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}

/// Jobs.
pub struct Api;

#[OpenApi(tag = "Tag::Jobs")]
impl Api {
    /// List jobs, newest first
    #[oai(path = "/jobs", method = "get", operation_id = "list_jobs")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Only these.
        state: Query<Option<JobState>>,
        /// Only this kind.
        #[oai(validator(max_length = 100))]
        kind: Query<Option<String>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Job>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = jobs::list(&mut tx, JobFilter { state: state.0, kind: kind.0 }, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Get a job
    #[oai(path = "/jobs/:id", method = "get", operation_id = "get_job")]
    async fn get(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<JobId>) -> Result<Json<Job>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let job = jobs::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(job.into()))
    }

    /// Take a job back that no worker has begun
    #[oai(path = "/jobs/:id/cancel", method = "post", operation_id = "cancel_job")]
    async fn cancel(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<JobId>) -> Result<Json<Job>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let job = jobs::cancel(&mut tx, id.0).await?;
        tx.answer(Json(job.into())).await
    }
}
