//! Timers are rows: whoever moves `next_at` forward enqueues in the same transaction, so each timer fires once
//! however many replicas run.

use serde_json::Value;

use crate::Result;
use crate::db::{EnterpriseTx, PlatformTx};
use crate::ids::{EnterpriseId, ScheduleId};
use crate::jobs::Job;

/// A timer that is due: what it promises, and for whom.
#[derive(Clone, Debug)]
pub struct Due {
    /// Whose; absent for the installation's own.
    pub enterprise_id: Option<EnterpriseId>,
    /// The job's kind.
    pub kind: String,
    /// The job's payload.
    pub payload: Value,
}

/// Has the job enqueued every `every`, from now on, shifted by up to `jitter` each time. Repeating it changes nothing but the interval.
pub async fn set<J: Job>(
    tx: &mut EnterpriseTx,
    job: &J,
    every: std::time::Duration,
    jitter: std::time::Duration,
) -> Result<()> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let payload = serde_json::to_value(job).map_err(|error| crate::Error::Inconsistent(error.to_string()))?;
    sqlx::query!(
        "INSERT INTO schedules (id, enterprise_id, kind, payload, every_ms, jitter_ms, next_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (enterprise_id, kind, payload) DO UPDATE SET every_ms = EXCLUDED.every_ms, jitter_ms = EXCLUDED.jitter_ms, paused_at = NULL",
        ScheduleId::new() as _,
        enterprise_id as _,
        J::KIND,
        payload,
        millis(every),
        millis(jitter),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Stops this timer, until it is set again.
pub async fn stop<J: Job>(tx: &mut EnterpriseTx, job: &J) -> Result<()> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let payload = serde_json::to_value(job).map_err(|error| crate::Error::Inconsistent(error.to_string()))?;
    sqlx::query!(
        "UPDATE schedules SET paused_at = $4 WHERE enterprise_id = $1 AND kind = $2 AND payload = $3 AND paused_at IS NULL",
        enterprise_id as _,
        J::KIND,
        payload,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Stops the timers whose payload contains this, until [`resume`].
pub async fn pause(tx: &mut EnterpriseTx, payload: &Value) -> Result<()> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    sqlx::query!(
        "UPDATE schedules SET paused_at = $3 WHERE enterprise_id = $1 AND payload @> $2 AND paused_at IS NULL",
        enterprise_id as _,
        payload,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Has the timers whose payload contains this go on.
pub async fn resume(tx: &mut EnterpriseTx, payload: &Value) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    sqlx::query!(
        "UPDATE schedules SET paused_at = NULL WHERE enterprise_id = $1 AND payload @> $2 AND paused_at IS NOT NULL",
        enterprise_id as _,
        payload,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The installation's own timer.
pub async fn set_platform<J: Job>(tx: &mut PlatformTx, job: &J, every: std::time::Duration) -> Result<()> {
    let now = tx.now().await?;
    let payload = serde_json::to_value(job).map_err(|error| crate::Error::Inconsistent(error.to_string()))?;
    sqlx::query!(
        "INSERT INTO schedules (id, kind, payload, every_ms, next_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (kind) WHERE enterprise_id IS NULL DO UPDATE SET every_ms = EXCLUDED.every_ms",
        ScheduleId::new() as _,
        J::KIND,
        payload,
        millis(every),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Moves every due timer forward and returns what it promises; the caller enqueues in the same transaction.
/// Missed beats are not made up for. Timers of suspended enterprises stand still.
pub async fn take_due(tx: &mut PlatformTx, limit: i64) -> Result<Vec<Due>> {
    let now = tx.now().await?;
    Ok(sqlx::query_as!(
        Due,
        "UPDATE schedules AS s
         SET last_at = $1, next_at = $1 + (s.every_ms + floor(random() * s.jitter_ms)) * interval '1 millisecond'
         FROM (SELECT d.id FROM schedules AS d LEFT JOIN enterprises AS e ON e.id = d.enterprise_id
               WHERE d.next_at <= $1 AND d.paused_at IS NULL AND (e.id IS NULL OR e.status = 'active')
               ORDER BY d.next_at LIMIT $2 FOR UPDATE OF d SKIP LOCKED) AS due
         WHERE s.id = due.id
         RETURNING s.enterprise_id, s.kind, s.payload",
        now,
        limit,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// When the next timer is due, in milliseconds from now; absent when there is none.
pub async fn next_in_ms(tx: &mut PlatformTx) -> Result<Option<i64>> {
    let now = tx.now().await?;
    let next = sqlx::query_scalar!(r#"SELECT min(next_at) AS next FROM schedules WHERE paused_at IS NULL"#)
        .fetch_one(tx.conn())
        .await?;
    Ok(next.map(|next| (next - now).num_milliseconds().max(0)))
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
