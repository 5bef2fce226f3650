//! What workers do with rows: take, renew, settle, sweep.
//!
//! `attempts` is the fence: whoever claims counts it up, and nothing is settled or renewed under an older count.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Delivery, JobRow, JobState, Queue};
use crate::Result;
use crate::db::{EnterpriseTx, PlatformTx};
use crate::ids::{JobId, WorkerId};

/// How long a row stays sent or running without a sign of life.
pub const LEASE: Duration = Duration::from_secs(15);
/// How often a running job says that it is alive.
pub const RENEW: Duration = Duration::from_secs(5);
/// After which a run is given up and tried again later: longer work is cut into pages.
pub const JOB_TIMEOUT: Duration = Duration::from_secs(90);
/// How often a job may be left behind by a dead worker.
pub const MAX_RECOVERIES: i32 = 3;

/// Younger rows are rung for by the process that committed them.
const YOUNG: TimeDelta = TimeDelta::milliseconds(250);
const KEEP_FINISHED: TimeDelta = TimeDelta::days(7);
const SWEEP_AT_ONCE: i64 = 500;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it promised.
    Done,
    /// What it needed was unavailable.
    Again {
        /// How long to wait.
        after: Duration,
        /// What was in the way, without secrets.
        error: String,
    },
    /// Trying again would not help.
    Dead {
        /// Why, without secrets.
        error: String,
    },
}

/// Takes the job, if it is there to be taken: doubled and late deliveries end here.
pub async fn claim(tx: &mut PlatformTx, id: JobId, worker_id: Option<WorkerId>) -> Result<Option<JobRow>> {
    let now = tx.now().await?;
    Ok(sqlx::query_as!(
        JobRow,
        "UPDATE jobs
         SET state = 'running', attempts = attempts + 1, run_at = $3, worker_id = $4, started_at = COALESCE(started_at, $2)
         WHERE id = $1 AND (state = 'sent' OR (state = 'queued' AND run_at <= $2)) AND expires_at > $2
         RETURNING id, enterprise_id, kind, queue, payload, state, run_at, attempts, recoveries, expires_at, progress, last_error,
                   actor, created_at, started_at, finished_at",
        id as _,
        now,
        now + LEASE,
        worker_id as _,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Says that the run is alive; false when it is no longer ours.
pub async fn renew(tx: &mut PlatformTx, row: &JobRow) -> Result<bool> {
    let now = tx.now().await?;
    let renewed = sqlx::query!(
        "UPDATE jobs SET run_at = $3 WHERE id = $1 AND state = 'running' AND attempts = $2",
        row.id as _,
        row.attempts,
        now + LEASE,
    )
    .execute(tx.conn())
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Shows how far the job is, in the transaction of its step; false when the run is no longer ours: then roll back.
pub async fn note_progress(tx: &mut EnterpriseTx, id: JobId, attempts: i32, percent: i32) -> Result<bool> {
    let noted = sqlx::query!(
        "UPDATE jobs SET progress = $3 WHERE id = $1 AND state = 'running' AND attempts = $2",
        id as _,
        attempts,
        percent.clamp(0, 100),
    )
    .execute(tx.conn())
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// Whether the run is still ours; it stays so until the transaction ends.
pub async fn is_ours(tx: &mut EnterpriseTx, id: JobId, attempts: i32) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"SELECT true AS "ours!" FROM jobs WHERE id = $1 AND state = 'running' AND attempts = $2 FOR NO KEY UPDATE"#,
        id as _,
        attempts,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.is_some())
}

/// Writes how the run ended; false when it was no longer ours. Waiting beyond the job's patience is giving up.
pub async fn settle(tx: &mut PlatformTx, row: &JobRow, outcome: &Outcome) -> Result<bool> {
    let now = tx.now().await?;
    let (state, run_at, error) = match outcome {
        Outcome::Done => (JobState::Done, now, None),
        Outcome::Again { after, error } => {
            match now.checked_add_signed(TimeDelta::from_std(*after).unwrap_or(TimeDelta::MAX)) {
                Some(run_at) if run_at < row.expires_at => (JobState::Queued, run_at, Some(error.clone())),
                _ => (JobState::Dead, now, Some(format!("given up after waiting: {error}"))),
            }
        }
        Outcome::Dead { error } => (JobState::Dead, now, Some(error.clone())),
    };
    let settled = sqlx::query!(
        "UPDATE jobs
         SET state = $3, run_at = $4, last_error = $5, worker_id = NULL,
             progress = CASE WHEN $3 = 'done' THEN 100 ELSE progress END,
             finished_at = CASE WHEN $3 = 'queued' THEN NULL ELSE $6::timestamptz END
         WHERE id = $1 AND state = 'running' AND attempts = $2",
        row.id as _,
        row.attempts,
        state as JobState,
        run_at,
        error,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(settled.rows_affected() == 1)
}

/// Takes what is due for Redis, enterprises in turn, and marks it sent until the lease ends.
pub async fn take_due(tx: &mut PlatformTx, queue: Queue, limit: i64) -> Result<Vec<Delivery>> {
    let now = tx.now().await?;
    Ok(sqlx::query_as!(
        Delivery,
        r#"WITH due AS (
               SELECT id, run_at, row_number() OVER (PARTITION BY enterprise_id ORDER BY run_at, id) AS turn
               FROM jobs
               WHERE queue = $1 AND state = 'queued' AND run_at <= $2 AND expires_at > $2 AND (attempts > 0 OR created_at <= $3)
           ), taken AS (
               SELECT j.id, due.turn, due.run_at FROM jobs AS j JOIN due ON due.id = j.id
               WHERE j.state = 'queued'
               ORDER BY due.turn, due.run_at, j.id
               LIMIT $4 FOR UPDATE OF j SKIP LOCKED
           ), sent AS (
               UPDATE jobs AS j SET state = 'sent', run_at = $5 FROM taken WHERE j.id = taken.id
               RETURNING j.id, j.attempts, taken.turn, taken.run_at
           )
           SELECT id AS "job_id!: JobId", attempts AS "attempts!" FROM sent ORDER BY turn, run_at, id"#,
        queue as Queue,
        now,
        now - YOUNG,
        limit,
        now + LEASE,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Takes back what Redis had no room for.
pub async fn put_back(tx: &mut PlatformTx, deliveries: &[Delivery]) -> Result<()> {
    let now = tx.now().await?;
    let ids: Vec<_> = deliveries.iter().map(|delivery| delivery.job_id.0).collect();
    sqlx::query!("UPDATE jobs SET state = 'queued', run_at = $2 WHERE id = ANY($1) AND state = 'sent'", &ids, now)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The job that would be begun next without Redis: for tests that drain the table themselves.
pub async fn next_due(tx: &mut PlatformTx, queues: &[Queue]) -> Result<Option<JobId>> {
    let now = tx.now().await?;
    let names: Vec<_> = queues.iter().map(|queue| queue.name().to_owned()).collect();
    Ok(sqlx::query_scalar!(
        "SELECT id FROM jobs
         WHERE queue = ANY($1) AND (state = 'sent' OR (state = 'queued' AND run_at <= $2)) AND expires_at > $2
         ORDER BY created_at, id LIMIT 1",
        &names,
        now,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sent, and lost by Redis: due again.
    pub lost: u64,
    /// Left behind by a worker that is silent: due again, or dead at the third time.
    pub left_behind: u64,
    /// Given up because their time ran out.
    pub expired: u64,
}

/// Makes everything due again whose lease is over, and gives up what expired. Any number of processes may sweep.
pub async fn sweep(tx: &mut PlatformTx) -> Result<Swept> {
    let now = tx.now().await?;
    let (lost, left_behind) = (sweep_lost(tx, now).await?, sweep_left_behind(tx, now, false).await?);
    Ok(Swept { lost, left_behind, expired: sweep_expired(tx, now).await? })
}

/// Makes due again, before their leases end, the jobs of workers whose session lock is gone; returns how many. Not to
/// be asked by one whose own session broke just now: then all of them did, and their holders are alive.
pub async fn take_over(tx: &mut PlatformTx) -> Result<u64> {
    let now = tx.now().await?;
    sweep_left_behind(tx, now, true).await
}

async fn sweep_lost(tx: &mut PlatformTx, now: DateTime<Utc>) -> Result<u64> {
    let swept = sqlx::query!(
        "UPDATE jobs AS j SET state = 'queued'
         FROM (SELECT id FROM jobs WHERE state = 'sent' AND run_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED) AS lost
         WHERE j.id = lost.id",
        now,
        SWEEP_AT_ONCE,
    )
    .execute(tx.conn())
    .await?;
    Ok(swept.rows_affected())
}

async fn sweep_left_behind(tx: &mut PlatformTx, now: DateTime<Utc>, by_lock: bool) -> Result<u64> {
    // A session lock goes with its session: a killed worker is noticed at once, a frozen one by its lease.
    let swept = sqlx::query!(
        "WITH alive AS MATERIALIZED (
             SELECT w.id FROM workers AS w
             JOIN pg_locks AS l ON l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
                               AND ((l.classid::bigint << 32) | l.objid::bigint) = w.lock_key
             JOIN pg_database AS d ON d.oid = l.database AND d.datname = current_database()
         ), behind AS (
             SELECT id FROM jobs
             WHERE state = 'running' AND CASE WHEN $4 THEN worker_id IS NOT NULL AND worker_id NOT IN (SELECT id FROM alive)
                                              ELSE run_at <= $1 END
             LIMIT $3 FOR UPDATE SKIP LOCKED
         )
         UPDATE jobs AS j
         SET recoveries = j.recoveries + 1, worker_id = NULL, run_at = $1,
             state = CASE WHEN j.recoveries + 1 >= $2 THEN 'dead' ELSE 'queued' END,
             finished_at = CASE WHEN j.recoveries + 1 >= $2 THEN $1 END,
             last_error = CASE WHEN j.recoveries + 1 >= $2 THEN 'left behind by a dead worker ' || (j.recoveries + 1) || ' times'
                               ELSE 'left behind by a dead worker' END
         FROM behind WHERE j.id = behind.id",
        now,
        MAX_RECOVERIES,
        SWEEP_AT_ONCE,
        by_lock,
    )
    .execute(tx.conn())
    .await?;
    Ok(swept.rows_affected())
}

async fn sweep_expired(tx: &mut PlatformTx, now: DateTime<Utc>) -> Result<u64> {
    let swept = sqlx::query!(
        "UPDATE jobs AS j
         SET state = 'dead', finished_at = $1,
             last_error = CASE WHEN j.last_error IS NULL THEN 'not begun in time' ELSE 'given up after waiting: ' || j.last_error END
         FROM (SELECT id FROM jobs WHERE state IN ('queued', 'sent') AND expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED) AS expired
         WHERE j.id = expired.id",
        now,
        SWEEP_AT_ONCE,
    )
    .execute(tx.conn())
    .await?;
    Ok(swept.rows_affected())
}

/// Deletes up to `limit` jobs that ended more than seven days ago; call again while it finds that many.
pub async fn prune(tx: &mut PlatformTx, limit: i64) -> Result<u64> {
    let before = tx.now().await? - KEEP_FINISHED;
    let pruned = sqlx::query!(
        "DELETE FROM jobs WHERE id IN
             (SELECT id FROM jobs WHERE state IN ('done', 'dead', 'cancelled') AND finished_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        limit,
    )
    .execute(tx.conn())
    .await?;
    Ok(pruned.rows_affected())
}
