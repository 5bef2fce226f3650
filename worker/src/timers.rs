//! Timers are rows: whoever moves one forward promises its job in the same transaction. And the installation's own timers:
//! deleting what ended long ago, looking at tokens.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::accounts::WatchTokens;
use shared::audit::{MakePartitions, SealEntries};
use shared::db::Db;
use shared::drifts::WatchDrifts;
use shared::inventory::ProveStock;
use shared::jobs::{Job, JobRow, Queue, lease};
use shared::telemetry::chain;
use shared::{Result, schedules};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::ctx::Ctx;
use crate::idempotency::PruneAnswers;
use crate::pulse::{Outage, Pulse};
use crate::registry::{Registry, Run};

const AT_ONCE: i64 = 100;
const LONGEST: Duration = Duration::from_secs(1);
/// Due, but neither ours nor to be taken now: another replica has it, or its enterprise is suspended.
const NOT_OURS: Duration = Duration::from_millis(250);
const PRUNE_EVERY: Duration = Duration::from_hours(1);
const WATCH_TOKENS_EVERY: Duration = Duration::from_hours(1);
const WATCH_DRIFTS_EVERY: Duration = Duration::from_hours(1);
const PRUNE_AT_ONCE: i64 = 1000;
/// An audit entry is under its seal within ten seconds.
const SEAL_EVERY: Duration = Duration::from_secs(5);
const PROVE_EVERY: Duration = Duration::from_mins(1);

/// Fires timers until it is stopped.
pub async fn fire(db: Db, registry: Arc<Registry>, pulse: Pulse, stop: CancellationToken) {
    let mut firing = Outage::of("Firing timers");
    while !stop.is_cancelled() {
        let wait = match firing.saw(fire_due(&db, &registry).await) {
            Some(wait) => {
                pulse.beat("timers");
                wait
            }
            None => LONGEST,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(wait) => {}
        }
    }
}

/// Promises the jobs of every timer that is due; returns how long to sleep.
pub async fn fire_due(db: &Db, registry: &Registry) -> Result<Duration> {
    let mut tx = db.platform().await?;
    let due = schedules::take_due(&mut tx, AT_ONCE).await?;
    for due in due {
        let name = due.kind.clone();
        match registry.promise(due) {
            Ok(Some(job)) => drop(tx.enqueue_raw(&job).await?),
            Ok(None) => warn!("A timer promises {name}, which this program does not know"),
            Err(error) => error!("A timer's promise of {name} makes no sense: {}", chain(&error)),
        }
    }
    let next = schedules::next_in_ms(&mut tx).await?;
    tx.commit().await?;
    Ok(match next.map(|millis| Duration::from_millis(millis.unsigned_abs())) {
        Some(Duration::ZERO) => NOT_OURS,
        Some(next) => next.min(LONGEST),
        None => LONGEST,
    })
}

/// Sets the timers of the installation itself.
pub async fn set_own(db: &Db) -> Result<()> {
    let mut tx = db.platform().await?;
    schedules::set_platform(&mut tx, &PruneJobs {}, PRUNE_EVERY).await?;
    schedules::set_platform(&mut tx, &WatchTokens {}, WATCH_TOKENS_EVERY).await?;
    schedules::set_platform(&mut tx, &PruneAnswers {}, PRUNE_EVERY).await?;
    schedules::set_platform(&mut tx, &SealEntries {}, SEAL_EVERY).await?;
    schedules::set_platform(&mut tx, &MakePartitions {}, PRUNE_EVERY).await?;
    schedules::set_platform(&mut tx, &ProveStock {}, PROVE_EVERY).await?;
    schedules::set_platform(&mut tx, &WatchDrifts {}, WATCH_DRIFTS_EVERY).await?;
    // A new program may read what the old one could not.
    tx.enqueue(&WatchDrifts {}).await?;
    tx.commit().await
}

/// Deletes jobs that ended more than seven days ago.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PruneJobs {}

impl Job for PruneJobs {
    const KIND: &'static str = "jobs.prune";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(String::new())
    }
}

impl Run for PruneJobs {
    async fn run(self, ctx: &Ctx, _row: &JobRow) -> Result<()> {
        loop {
            let mut tx = ctx.db.platform().await?;
            let pruned = lease::prune(&mut tx, PRUNE_AT_ONCE).await?;
            tx.commit().await?;
            if pruned < PRUNE_AT_ONCE.unsigned_abs() {
                return Ok(());
            }
        }
    }
}
