//! One apalis worker per queue, with the settings that survive a Redis that stalls, restarts or forgets. Whatever ends
//! the worker, its supervisor starts a new one under a new name.

mod janitor;
mod ticker;

use std::sync::Arc;
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis_core::backend::ext::BackendExt;
use apalis_core::error::WorkerError;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use apalis_core::worker::ext::parallelize::ParallelizeExt;
use apalis_redis::{Config, ConnectionManager, RedisStorage};
use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::SecretString;
use serde_json::Value;
use shared::Result;
use shared::ids::JobId;
use shared::jobs::{Queue, QueueNames, connect, lease};
use shared::telemetry::chain;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::{info, warn};

use self::janitor::Janitor;
use self::ticker::Ticker;
use crate::pulse::{Outage, Pulse};
use crate::runner::Runner;

const LOOK_EVERY: Duration = Duration::from_millis(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than any stall of Redis that is not an outage.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
const CLEAN_EVERY: Duration = Duration::from_mins(1);
/// A worker with free hands that has not looked for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(25);
const CLAIM_PAUSE: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const LONG_RUN: Duration = Duration::from_secs(30);

/// What all queues of the process share.
#[derive(Clone)]
pub struct Common {
    /// Where the ids are.
    pub redis_url: SecretString,
    /// What the queues are called there.
    pub names: QueueNames,
    /// Runs the jobs.
    pub runner: Runner,
    /// Jobs that run, also those whose apalis worker is gone.
    pub running: TaskTracker,
    /// Signs of life.
    pub pulse: Pulse,
    /// Take no more jobs.
    pub stop: CancellationToken,
    /// `host-pid-random`: the start of every worker's name.
    pub name: String,
}

struct Pool {
    common: Common,
    queue: Queue,
    /// Held over restarts: jobs of the last apalis worker may still be running.
    slots: Arc<Semaphore>,
    size: usize,
}

/// Serves the queue until it is told to stop and its jobs are done.
pub async fn supervise(common: Common, queue: Queue, size: usize) {
    let pool = Arc::new(Pool { common, queue, slots: Arc::new(Semaphore::new(size)), size });
    let stop = pool.common.stop.clone();
    let mut redis = Outage::of("Redis");
    let (mut restarts, mut pause) = (0_u32, FIRST_PAUSE);
    while !stop.is_cancelled() {
        let began = Instant::now();
        redis.saw(pool.serve(restarts).await);
        restarts += 1;
        pause = if began.elapsed() > LONG_RUN { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)) => {}
        }
    }
}

impl Pool {
    /// One life of an apalis worker. Fails when Redis is not there.
    async fn serve(self: &Arc<Self>, restart: u32) -> Result<()> {
        let connection = connect(&self.common.redis_url, CONNECT_TIMEOUT, RESPONSE_TIMEOUT)?;
        let janitor = Janitor { connection: connection.clone(), names: self.common.names.clone(), queue: self.queue };
        let name = format!("{}-{}-{restart}", self.queue.name(), self.common.name);
        // Also asks whether Redis is there, more quietly than a worker that dies at once.
        janitor.enter(&name).await.map_err(|error| shared::Error::unavailable("Redis", error))?;
        if restart > 0
            && let Ok(gone @ 1..) = janitor.repair().await
        {
            warn!(queue = self.queue.name(), "Took {gone} unreadable ids out of the queue");
        }
        let cleaning = AbortOnDropHandle::new(tokio::spawn(clean(janitor.clone())));
        if let Some(end) = self.work(&name, connection).await {
            warn!(queue = self.queue.name(), "A new worker takes over: {end}");
        }
        drop(cleaning);
        if let Ok(Err(error)) = timeout(CONNECT_TIMEOUT, janitor.retire(&name)).await {
            info!(queue = self.queue.name(), "The worker did not sign off: {}", chain(&error));
        }
        Ok(())
    }

    /// Works until it is told to stop; returns why, if it ended otherwise.
    async fn work(self: &Arc<Self>, name: &str, connection: ConnectionManager) -> Option<String> {
        let context = WorkerContext::new(name);
        // Not `run_until`: it waits for the signal even when the worker has ended by itself.
        let mut run = self.clone().apalis(&context, connection);
        let ended = tokio::select! {
            ended = &mut run => ended,
            () = self.stuck() => return Some("it was stuck".to_owned()),
            () = self.common.stop.cancelled() => {
                if context.stop().is_err() {
                    return None;
                }
                return run.await.err().map(|error| chain(&error));
            }
        };
        Some(ended.map_or_else(|error| chain(&error), |()| "it ended by itself".to_owned()))
    }

    fn apalis(
        self: Arc<Self>,
        context: &WorkerContext,
        connection: ConnectionManager,
    ) -> BoxFuture<'static, Result<(), WorkerError>> {
        let config = Config::default()
            .queue(self.common.names.of(self.queue))
            .batch_size(1)
            .lock_tasks(false)
            .emit_events(false)
            .persist_results(true)
            .heartbeat_interval(Duration::from_secs(5))
            .missed_heartbeats(3);
        let ticker = Ticker::new(LOOK_EVERY, self.common.pulse.clone(), self.queue.name());
        let backend = RedisStorage::<Value, _>::new(connection).with_config(config).poll_with_strategy(ticker);
        WorkerBuilder::new(context.clone())
            .backend(backend)
            .concurrency(self.size)
            .parallelize(tokio::spawn)
            .build(move |doorbell: Value| self.clone().answer(doorbell))
            .run()
            .boxed()
    }

    /// A doorbell rang. Always answered the same way: what becomes of the job stands in its row.
    async fn answer(self: Arc<Self>, doorbell: Value) {
        let running = self.common.running.clone();
        running.track_future(self.answer_tracked(doorbell)).await;
    }

    async fn answer_tracked(self: Arc<Self>, doorbell: Value) {
        let id: Option<JobId> = doorbell.get("job_id").and_then(|id| serde_json::from_value(id.clone()).ok());
        let Some(id) = id else {
            warn!(queue = self.queue.name(), "A doorbell without a job");
            return;
        };
        let Ok(_slot) = self.slots.acquire().await else { return };
        // While the database is away the id is kept: given up here, it would only come back after the lease.
        let patience = Instant::now() + lease::LEASE;
        while let Err(error) = self.common.runner.run_one(id).await {
            if !error.is_passing() || Instant::now() > patience || self.common.stop.is_cancelled() {
                info!(job.id = %id, "The job could not be claimed, its lease brings it back: {}", chain(&error));
                return;
            }
            sleep(CLAIM_PAUSE).await;
        }
    }

    async fn stuck(&self) {
        let who = self.queue.name();
        self.common.pulse.beat(who);
        loop {
            sleep(Duration::from_secs(1)).await;
            if self.slots.available_permits() > 0 && self.common.pulse.age(who).is_none_or(|age| age > STUCK_AFTER) {
                return;
            }
        }
    }
}

async fn clean(janitor: Janitor) {
    let mut cleaning = Outage::of("Cleaning up in Redis");
    loop {
        sleep(CLEAN_EVERY.mul_f64(0.75 + rand::random::<f64>() / 2.0)).await;
        cleaning.saw(janitor.clean().await.map_err(|error| shared::Error::unavailable("Redis", error)));
    }
}
