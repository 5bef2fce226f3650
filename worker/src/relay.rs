//! Carries due rows to Redis and takes back what got lost on the way. A row is marked sent and committed before its id
//! is pushed: dying in between costs one lease.

use std::sync::Arc;
use std::time::Duration;

use shared::Result;
use shared::db::Db;
use shared::jobs::{Delivery, Pusher, Queue, lease, workers};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use crate::presence::BROKEN;
use crate::pulse::{Outage, Pulse};

const EVERY: Duration = Duration::from_secs(1);
/// A promise rings by itself; the relay looks when that should have arrived.
const AFTER_NOTICE: Duration = Duration::from_millis(300);
/// More is due than fits into Redis.
const WHILE_FULL: Duration = Duration::from_millis(100);
const AFTER_TROUBLE: Duration = Duration::from_secs(1);
/// For so long after our own sessions broke, other workers are not judged by theirs.
const NO_JUDGE: Duration = Duration::from_secs(6);

/// Relays until it is stopped.
pub async fn relay(db: Db, pusher: Pusher, pulse: Pulse, stop: CancellationToken) {
    let promised = Arc::new(Notify::new());
    let _listening = AbortOnDropHandle::new(tokio::spawn(listen(db.clone(), promised.clone(), pulse.clone())));
    let (mut sweeping, mut relaying) = (Outage::of("Sweeping jobs"), Outage::of("Relaying jobs to Redis"));
    let mut swept: Option<Instant> = None;
    while !stop.is_cancelled() {
        if swept.is_none_or(|at| at.elapsed() >= EVERY) {
            swept = Some(Instant::now());
            let judge = pulse.age(BROKEN).is_none_or(|age| age > NO_JUDGE);
            if sweeping.saw(sweep(&db, judge).await).is_none() {
                pulse.beat(BROKEN);
            }
        }
        let mut wait = EVERY;
        if let Some(full) = relaying.saw(relay_all(&db, &pusher).await) {
            pulse.beat("relay");
            wait = if full { WHILE_FULL } else { EVERY };
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(wait) => {}
            () = notice(&promised) => {}
        }
    }
}

async fn notice(promised: &Notify) {
    promised.notified().await;
    sleep(AFTER_NOTICE).await;
}

/// Wakes on `NOTIFY jobs`; without it the relay still looks each second.
async fn listen(db: Db, promised: Arc<Notify>, pulse: Pulse) {
    let mut listening = Outage::of("Listening for jobs");
    loop {
        listening.saw(listen_once(&db, &promised, &pulse).await);
        // It always reads, so it is the first to notice.
        pulse.beat(BROKEN);
        sleep(AFTER_TROUBLE).await;
    }
}

async fn listen_once(db: &Db, promised: &Notify, pulse: &Pulse) -> Result<()> {
    let mut listener = db.listener().await?;
    listener.listen("jobs").await?;
    loop {
        // A lost connection is made again by `try_recv`; what was told meanwhile is not repeated, so look.
        if listener.try_recv().await?.is_none() {
            pulse.beat(BROKEN);
        }
        promised.notify_one();
    }
}

async fn sweep(db: &Db, judge: bool) -> Result<()> {
    let mut tx = db.platform().await?;
    let mut swept = lease::sweep(&mut tx).await?;
    if judge {
        swept.left_behind += lease::take_over(&mut tx).await?;
        workers::forget_dead(&mut tx).await?;
    }
    tx.commit().await?;
    if swept.left_behind > 0 {
        warn!(jobs = swept.left_behind, "Took over jobs that a worker had left behind");
    }
    if swept.lost > 0 {
        debug!(jobs = swept.lost, "Took back jobs that were sent and not begun");
    }
    if swept.expired > 0 {
        warn!(jobs = swept.expired, "Gave up jobs whose time ran out");
    }
    Ok(())
}

/// Whether a queue has no more room.
async fn relay_all(db: &Db, pusher: &Pusher) -> Result<bool> {
    let mut full = false;
    for queue in Queue::ALL {
        full |= relay_queue(db, pusher, queue).await?;
    }
    Ok(full)
}

/// Relays what is due and fits; says whether the queue is full now.
pub async fn relay_queue(db: &Db, pusher: &Pusher, queue: Queue) -> Result<bool> {
    let room = pusher.room(queue).await?;
    if room == 0 {
        return Ok(true);
    }
    let mut tx = db.platform().await?;
    let due = lease::take_due(&mut tx, queue, i64::try_from(room).unwrap_or(i64::MAX)).await?;
    tx.commit().await?;
    if due.is_empty() {
        return Ok(false);
    }
    match pusher.push(queue, &due).await {
        Ok(taken) => {
            put_back(db, due.get(taken..).unwrap_or_default()).await?;
            Ok(due.len() >= room)
        }
        Err(error) => {
            // Perhaps some of them arrived: claiming works from `queued` as well.
            put_back(db, &due).await?;
            Err(error)
        }
    }
}

async fn put_back(db: &Db, deliveries: &[Delivery]) -> Result<()> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let mut tx = db.platform().await?;
    lease::put_back(&mut tx, deliveries).await?;
    tx.commit().await
}
