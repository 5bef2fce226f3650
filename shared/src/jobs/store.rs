//! The job table's SQL that requests need; what workers need is in `lease`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Job, JobFilter, JobState, Promised, Queue, QueueAge, RawJob};
use crate::ids::{EnterpriseId, JobId};
use crate::{Error, Result};

/// A job as the table has it.
#[derive(Clone, Debug)]
pub struct JobRow {
    /// Which one.
    pub id: JobId,
    /// Whose; absent for the installation's own.
    pub enterprise_id: Option<EnterpriseId>,
    /// What it is.
    pub kind: String,
    /// Who runs it.
    pub queue: Queue,
    /// With what.
    pub payload: serde_json::Value,
    /// Where it is.
    pub state: JobState,
    /// When it runs next, or until when its lease holds.
    pub run_at: DateTime<Utc>,
    /// How often it was begun.
    pub attempts: i32,
    /// How often a worker died over it.
    pub recoveries: i32,
    /// When it is given up.
    pub expires_at: DateTime<Utc>,
    /// Percent.
    pub progress: i32,
    /// Why it did not succeed the last time.
    pub last_error: Option<String>,
    /// Who promised it.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was first begun.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

pub(super) async fn insert<J: Job>(
    conn: &mut PgConnection,
    enterprise_id: Option<EnterpriseId>,
    job: &J,
    actor: &str,
    now: DateTime<Utc>,
    run_at: DateTime<Utc>,
) -> Result<Promised> {
    let raw = RawJob {
        enterprise_id,
        kind: J::KIND.to_owned(),
        queue: J::QUEUE,
        patience: J::PATIENCE,
        unique_key: job.unique_key(),
        payload: serde_json::to_value(job).map_err(|error| Error::Inconsistent(error.to_string()))?,
    };
    insert_raw(conn, &raw, actor, now, run_at).await
}

pub(super) async fn insert_raw(
    conn: &mut PgConnection,
    job: &RawJob,
    actor: &str,
    now: DateTime<Utc>,
    run_at: DateTime<Utc>,
) -> Result<Promised> {
    let id = JobId::new();
    // Twice, because the unfinished job that stands in the way may finish between the two statements.
    for _ in 0..2 {
        let new = sqlx::query_scalar!(
            "INSERT INTO jobs (id, enterprise_id, kind, queue, payload, unique_key, run_at, expires_at, actor, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT DO NOTHING
             RETURNING id",
            id as _,
            job.enterprise_id as _,
            job.kind,
            job.queue as Queue,
            job.payload,
            job.unique_key,
            run_at,
            now + job.patience,
            actor,
            now,
        )
        .fetch_optional(&mut *conn)
        .await?;
        if new.is_some() {
            return Ok(Promised { job_id: id, new: true });
        }
        let there = sqlx::query_scalar!(
            "SELECT id FROM jobs
             WHERE enterprise_id IS NOT DISTINCT FROM $1 AND kind = $2 AND unique_key = $3 AND state IN ('queued', 'sent', 'running')",
            job.enterprise_id as _,
            job.kind,
            job.unique_key,
        )
        .fetch_optional(&mut *conn)
        .await?;
        if let Some(job_id) = there {
            return Ok(Promised { job_id, new: false });
        }
    }
    Err(Error::Inconsistent(format!("job {} is neither new nor promised", job.kind)))
}

pub(super) async fn find(conn: &mut PgConnection, enterprise_id: EnterpriseId, id: JobId) -> Result<Option<JobRow>> {
    Ok(sqlx::query_as!(
        JobRow,
        "SELECT id, enterprise_id, kind, queue, payload, state, run_at, attempts, recoveries, expires_at, progress, last_error,
                actor, created_at, started_at, finished_at
         FROM jobs WHERE enterprise_id = $1 AND id = $2",
        enterprise_id as _,
        id as _,
    )
    .fetch_optional(conn)
    .await?)
}

pub(super) async fn list(
    conn: &mut PgConnection,
    enterprise_id: EnterpriseId,
    filter: &JobFilter,
    after: Option<JobId>,
    limit: i64,
) -> Result<Vec<JobRow>> {
    Ok(sqlx::query_as!(
        JobRow,
        "SELECT id, enterprise_id, kind, queue, payload, state, run_at, attempts, recoveries, expires_at, progress, last_error,
                actor, created_at, started_at, finished_at
         FROM jobs
         WHERE enterprise_id = $1 AND ($2::uuid IS NULL OR id < $2) AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR kind = $4)
         ORDER BY id DESC
         LIMIT $5",
        enterprise_id as _,
        after as _,
        filter.state as Option<JobState>,
        filter.kind,
        limit,
    )
    .fetch_all(conn)
    .await?)
}

pub(super) async fn cancel(
    conn: &mut PgConnection,
    enterprise_id: EnterpriseId,
    id: JobId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE jobs SET state = 'cancelled', finished_at = $3
         WHERE enterprise_id = $1 AND id = $2 AND state IN ('queued', 'sent')",
        enterprise_id as _,
        id as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn ages(conn: &mut PgConnection) -> Result<Vec<QueueAge>> {
    Ok(sqlx::query_as!(
        QueueAge,
        r#"SELECT queue, count(*) AS "due!", min(run_at) AS oldest
           FROM jobs WHERE state IN ('queued', 'sent', 'running') AND run_at <= now()
           GROUP BY queue"#
    )
    .fetch_all(conn)
    .await?)
}

pub(super) async fn unfinished(conn: &mut PgConnection, enterprise_id: EnterpriseId) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM jobs WHERE enterprise_id = $1 AND state IN ('queued', 'sent', 'running')"#,
        enterprise_id as _,
    )
    .fetch_one(conn)
    .await?)
}
