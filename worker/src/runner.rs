//! Runs one job: claim, lease, run, settle. Retries live here and in the row, nowhere else.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use shared::ids::{JobId, WorkerId};
use shared::jobs::{JobRow, Outcome, Queue, lease};
use shared::telemetry::chain;
use shared::{Error, Result};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::ctx::Ctx;
use crate::pulse::Pulse;
use crate::registry::Registry;

/// A kind that only a newer or older program knows: a deploy is under way.
const UNKNOWN_KIND_WAIT: Duration = Duration::from_secs(30);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
const SHORTEST_WAIT: Duration = Duration::from_millis(200);
/// Nothing a test drains takes this many runs: it promises itself for ever.
const MOST_DRAINED: usize = 10_000;

/// Runs jobs of the registry's kinds. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Runner {
    ctx: Ctx,
    registry: Arc<Registry>,
    worker_id: Option<WorkerId>,
    pulse: Pulse,
}

/// A job that was run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Which one.
    pub job_id: JobId,
    /// Its kind.
    pub kind: String,
    /// How it ended; absent when that could not be written, because somebody else had taken it over meanwhile.
    pub outcome: Option<Outcome>,
}

enum Ended {
    Itself(Result<()>),
    UnknownKind,
    TooLate,
    Panicked,
    Interrupted,
    Lost,
}

impl Runner {
    /// Runs in this context. Without a worker's id only the lease says that a run is alive.
    pub fn new(ctx: Ctx, registry: Arc<Registry>, worker_id: Option<WorkerId>, pulse: Pulse) -> Self {
        Self { ctx, registry, worker_id, pulse }
    }

    /// Runs the job if it is there to be run. Fails only when it could not be claimed.
    pub async fn run_one(&self, id: JobId) -> Result<Option<Ran>> {
        let mut tx = self.ctx.db.platform().await?;
        let Some(row) = lease::claim(&mut tx, id, self.worker_id).await? else { return Ok(None) };
        tx.commit().await?;
        let enterprise = row.enterprise_id.map(tracing::field::display);
        let span = info_span!("job", job.id = %row.id, job.kind = row.kind, job.attempts = row.attempts, enterprise.id = enterprise);
        Ok(Some(self.run_claimed(row).instrument(span).await))
    }

    async fn run_claimed(&self, row: JobRow) -> Ran {
        let began = Instant::now();
        let outcome = outcome(&row, self.run_leased(&row).await);
        let ours = match &outcome {
            Some(outcome) => self.settle(&row, outcome).await,
            None => Ok(false),
        };
        match &ours {
            Ok(true) => debug!(took = ?began.elapsed(), "Ran {}", row.kind),
            Ok(false) => warn!("The job was taken over by another worker"),
            Err(error) => error!("The outcome could not be written, the lease brings the job back: {}", chain(error)),
        }
        Ran { job_id: row.id, kind: row.kind, outcome: outcome.filter(|_| matches!(ours, Ok(true))) }
    }

    async fn run_leased(&self, row: &JobRow) -> Ended {
        let Some(run) = self.registry.run(&self.ctx, row) else { return Ended::UnknownKind };
        // On a task of its own, so that a job that computes does not keep its own lease from being renewed.
        let lost = AbortOnDropHandle::new(tokio::spawn(self.clone().keep_lease(row.clone())));
        tokio::select! {
            ended = timeout(lease::JOB_TIMEOUT, AssertUnwindSafe(run).catch_unwind()) => match ended {
                Ok(Ok(result)) => Ended::Itself(result),
                Ok(Err(_)) => Ended::Panicked,
                Err(_) => Ended::TooLate,
            },
            _ = lost => Ended::Lost,
            () = self.ctx.stop.cancelled() => Ended::Interrupted,
        }
    }

    /// Ends when the lease is no longer ours, or might not be.
    async fn keep_lease(self, row: JobRow) {
        let mut held_until = Instant::now() + lease::LEASE;
        let mut wait = lease::RENEW;
        loop {
            sleep(wait).await;
            self.pulse.beat(row.queue.name());
            let asked = Instant::now();
            wait = match timeout(lease::RENEW, self.renew(&row)).await {
                Ok(Ok(true)) => {
                    held_until = asked + lease::LEASE;
                    lease::RENEW
                }
                Ok(Ok(false)) => return,
                Ok(Err(_)) | Err(_) if Instant::now() >= held_until => return,
                Ok(Err(_)) | Err(_) => Duration::from_secs(1),
            };
        }
    }

    async fn renew(&self, row: &JobRow) -> Result<bool> {
        let mut tx = self.ctx.db.platform().await?;
        let ours = lease::renew(&mut tx, row).await?;
        tx.commit().await?;
        Ok(ours)
    }

    /// The work is done: while the database is away, the outcome waits for it as long as the lease holds.
    async fn settle(&self, row: &JobRow, outcome: &Outcome) -> Result<bool> {
        let patience = Instant::now() + lease::LEASE;
        loop {
            match self.try_settle(row, outcome).await {
                Err(error) if error.is_passing() && Instant::now() < patience => {
                    sleep(Duration::from_millis(500)).await;
                }
                ended => return ended,
            }
        }
    }

    async fn try_settle(&self, row: &JobRow, outcome: &Outcome) -> Result<bool> {
        let mut tx = self.ctx.db.platform().await?;
        let ours = lease::settle(&mut tx, row, outcome).await?;
        tx.commit().await?;
        Ok(ours)
    }
}

/// What an end means for the row, logged once. Absent when it is no longer ours.
fn outcome(row: &JobRow, ended: Ended) -> Option<Outcome> {
    Some(match ended {
        Ended::Itself(Ok(())) => Outcome::Done,
        Ended::Itself(Err(error)) if error.is_passing() => {
            let after = match &error {
                Error::Unavailable { retry_after: Some(after), .. } => *after,
                _ => backoff(row, rand::random()),
            };
            info!("{} waits {after:?}: {}", row.kind, chain(&error));
            Outcome::Again { after, error: error.to_string() }
        }
        Ended::Itself(Err(error)) => {
            error!("{} will not be tried again: {}", row.kind, chain(&error));
            Outcome::Dead { error: error.to_string() }
        }
        Ended::UnknownKind => {
            warn!("This program does not know the kind {}", row.kind);
            Outcome::Again { after: UNKNOWN_KIND_WAIT, error: "the worker does not know this kind of job".to_owned() }
        }
        Ended::TooLate => {
            warn!("{} took longer than {:?}", row.kind, lease::JOB_TIMEOUT);
            Outcome::Again { after: backoff(row, rand::random()), error: "it took too long".to_owned() }
        }
        Ended::Panicked => {
            error!("{} panicked", row.kind);
            Outcome::Dead { error: "the job panicked".to_owned() }
        }
        Ended::Interrupted => Outcome::Again { after: Duration::ZERO, error: "the worker was stopped".to_owned() },
        Ended::Lost => return None,
    })
}

/// Full jitter under a ceiling that doubles, so that what failed together does not come back together. The ceiling
/// stays below half of the patience that is left: the last try is near the end, not far before it.
fn backoff(row: &JobRow, roll: f64) -> Duration {
    let doublings = u32::try_from(row.attempts - 1).unwrap_or(0).min(16);
    let claimed_at = row.run_at - lease::LEASE;
    let left = (row.expires_at - claimed_at).to_std().unwrap_or_default();
    let ceiling = (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT).min(left / 2);
    ceiling.mul_f64(roll).max(SHORTEST_WAIT)
}

/// Runs every due job of these queues here and now, oldest first, until none is due: for tests, without Redis.
pub async fn run_jobs(ctx: &Ctx, queues: &[Queue]) -> Result<Vec<Ran>> {
    let runner = Runner::new(ctx.clone(), Arc::new(crate::registry()), None, Pulse::default());
    drain(&runner, queues).await
}

/// As [`run_jobs`], with a registry of one's own.
pub async fn drain(runner: &Runner, queues: &[Queue]) -> Result<Vec<Ran>> {
    let mut ran = Vec::new();
    while let Some(id) = next_due(&runner.ctx, queues).await? {
        ran.extend(runner.run_one(id).await?);
        if ran.len() >= MOST_DRAINED {
            return Err(Error::Inconsistent(format!("{MOST_DRAINED} jobs were run and others are still due")));
        }
    }
    Ok(ran)
}

async fn next_due(ctx: &Ctx, queues: &[Queue]) -> Result<Option<JobId>> {
    let mut tx = ctx.db.platform().await?;
    let next = lease::next_due(&mut tx, queues).await?;
    tx.commit().await?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use shared::jobs::JobState;

    use super::*;

    fn row(attempts: i32, patience: TimeDelta) -> JobRow {
        let now = chrono::DateTime::UNIX_EPOCH;
        JobRow {
            id: JobId::new(),
            enterprise_id: None,
            kind: "test.wait".to_owned(),
            queue: Queue::Default,
            payload: serde_json::Value::Null,
            state: JobState::Running,
            run_at: now + lease::LEASE,
            attempts,
            recoveries: 0,
            expires_at: now + patience,
            progress: 0,
            last_error: None,
            actor: "platform".to_owned(),
            created_at: now,
            started_at: None,
            finished_at: None,
        }
    }

    #[test]
    fn waits_double_and_end_at_five_minutes() {
        let longest = |attempts| backoff(&row(attempts, TimeDelta::hours(24)), 1.0);
        assert_eq!(longest(1), Duration::from_secs(1));
        assert_eq!(longest(2), Duration::from_secs(2));
        assert_eq!(longest(8), Duration::from_secs(128));
        assert_eq!(longest(9), Duration::from_secs(256));
        assert_eq!(longest(10), Duration::from_mins(5));
        assert_eq!(longest(i32::MAX), Duration::from_mins(5));
    }

    #[test]
    fn waits_are_anything_below_the_ceiling_but_never_nothing() {
        assert_eq!(backoff(&row(5, TimeDelta::hours(24)), 0.5), Duration::from_secs(8));
        assert_eq!(backoff(&row(5, TimeDelta::hours(24)), 0.0), SHORTEST_WAIT);
    }

    #[test]
    fn the_last_try_is_near_the_end_of_the_patience() {
        assert_eq!(backoff(&row(10, TimeDelta::seconds(60)), 1.0), Duration::from_secs(30));
        assert_eq!(backoff(&row(10, TimeDelta::seconds(-1)), 1.0), SHORTEST_WAIT);
    }

    #[test]
    fn a_refusal_is_dead_and_what_is_unavailable_comes_back_when_it_said() {
        let row = row(1, TimeDelta::hours(24));
        let refused = outcome(&row, Ended::Itself(Err(Error::NotFound("printer"))));
        assert_eq!(refused, Some(Outcome::Dead { error: "printer not found".to_owned() }));
        let busy = Error::Unavailable { what: "Wildberries", retry_after: Some(Duration::from_secs(7)), source: None };
        let waits = outcome(&row, Ended::Itself(Err(busy)));
        assert_eq!(
            waits,
            Some(Outcome::Again { after: Duration::from_secs(7), error: "Wildberries is unavailable".to_owned() })
        );
        assert_eq!(outcome(&row, Ended::Lost), None);
    }
}
