//! The doorbell: ids of committed jobs go through a bounded channel to Redis. Full or Redis away: dropped here, the
//! relay brings them.
//!
//! What lies in Redis is only `{"job_id": "…"}` under apalis' keys, at most [`DEPTH`] ids per queue. Ids are put there
//! by our own script, because apalis' push always goes through a schedule with a resolution of one second.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client, Script};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{info, warn};

use super::Queue;
use crate::ids::JobId;
use crate::telemetry::chain;
use crate::{Error, Result};

/// How many ids of one queue lie in Redis at most; the rest waits in the table, where fairness is decided.
pub const DEPTH: usize = 200;

/// A ring that comes late is of no use: the relay is there after a second.
const RING_TIMEOUT: Duration = Duration::from_secs(1);
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// A committed promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// The row.
    pub job_id: JobId,
    /// Its queue.
    pub queue: Queue,
}

/// What a commit rings.
#[derive(Clone, Debug)]
pub struct Bell(Option<mpsc::Sender<Ring>>);

impl Bell {
    /// A bell that nobody hears: the relay finds the rows.
    pub fn silent() -> Self {
        Self(None)
    }

    /// A bell, and where its rings arrive.
    pub fn new(capacity: usize) -> (Self, mpsc::Receiver<Ring>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(Some(sender)), receiver)
    }

    /// Never waits.
    pub(crate) fn ring(&self, rings: Vec<Ring>) {
        let Some(sender) = &self.0 else { return };
        for ring in rings {
            if sender.try_send(ring).is_err() {
                return;
            }
        }
    }
}

/// Carries rings to Redis until every bell is gone. While Redis is away rings are dropped.
pub async fn run_bell(mut receiver: mpsc::Receiver<Ring>, pusher: Pusher) {
    let mut rings = Vec::with_capacity(DEPTH);
    let mut away_until: Option<Instant> = None;
    while receiver.recv_many(&mut rings, DEPTH).await > 0 {
        if away_until.is_some_and(|until| Instant::now() < until) {
            rings.clear();
            continue;
        }
        match push_all(&pusher, &rings).await {
            Ok(()) => {
                if away_until.take().is_some() {
                    info!("The doorbell reaches Redis again");
                }
            }
            Err(error) => {
                if away_until.is_none() {
                    warn!("The doorbell does not reach Redis, the relay brings the jobs: {}", chain(&error));
                }
                away_until = Some(Instant::now() + PROBE_EVERY);
            }
        }
        rings.clear();
    }
}

async fn push_all(pusher: &Pusher, rings: &[Ring]) -> Result<()> {
    let mut by_queue: HashMap<Queue, Vec<Delivery>> = HashMap::new();
    for ring in rings {
        by_queue.entry(ring.queue).or_default().push(Delivery { job_id: ring.job_id, attempts: 0 });
    }
    for (queue, deliveries) in by_queue {
        pusher.push(queue, &deliveries).await?;
    }
    Ok(())
}

/// What the queues are called in Redis. Their keys are `<namespace>-<queue>:…`; a namespace of its own keeps one
/// installation or test apart from the next.
#[derive(Clone, Debug)]
pub struct QueueNames(String);

impl Default for QueueNames {
    fn default() -> Self {
        Self("wb".to_owned())
    }
}

impl QueueNames {
    /// Names under this namespace.
    pub fn new(namespace: impl Into<String>) -> Self {
        Self(namespace.into())
    }

    /// The name by which apalis knows the queue.
    pub fn of(&self, queue: Queue) -> String {
        format!("{}-{}", self.0, queue.name())
    }

    /// One of the queue's keys.
    pub fn key(&self, queue: Queue, part: &str) -> String {
        format!("{}-{}:{part}", self.0, queue.name())
    }
}

/// An id on its way to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The row.
    pub job_id: JobId,
    /// How often it was begun before: each attempt is a delivery of its own.
    pub attempts: i32,
}

/// Puts ids into Redis. Clones share one connection.
#[derive(Clone)]
pub struct Pusher {
    connection: ConnectionManager,
    names: QueueNames,
}

impl Pusher {
    /// Connects when it is first needed.
    pub fn new(url: &SecretString, names: QueueNames) -> Result<Self> {
        Ok(Self { connection: connect(url, RING_TIMEOUT, RING_TIMEOUT)?, names })
    }

    /// Pushes in this order and returns how many of them were taken: the rest found the queue full. An id that is
    /// there already counts as taken.
    pub async fn push(&self, queue: Queue, deliveries: &[Delivery]) -> Result<usize> {
        let mut call = PUSH.prepare_invoke();
        for part in ["data", "active", "signal", "meta", "done", "dead"] {
            call.key(self.names.key(queue, part));
        }
        call.arg(DEPTH);
        for Delivery { job_id, attempts } in deliveries {
            call.arg(format!("{job_id}.{attempts}")).arg(format!(r#"{{"job_id":"{job_id}"}}"#));
        }
        call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)
    }

    /// How many more ids the queue takes.
    pub async fn room(&self, queue: Queue) -> Result<usize> {
        let depth: usize = self.connection.clone().llen(self.names.key(queue, "active")).await.map_err(unavailable)?;
        Ok(DEPTH.saturating_sub(depth))
    }
}

/// A connection that is made when it is first needed, and again when it broke. Few retries: our loops have their own.
pub fn connect(
    url: &SecretString,
    connection_timeout: Duration,
    response_timeout: Duration,
) -> Result<ConnectionManager> {
    let broken = |_| Error::invalid("REDIS_URL", "is not a Redis address");
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(connection_timeout))
        .set_response_timeout(Some(response_timeout))
        .set_number_of_retries(1);
    let client = Client::open(url.expose_secret()).map_err(broken)?;
    ConnectionManager::new_lazy_with_config(client, config).map_err(broken)
}

fn unavailable(error: redis::RedisError) -> Error {
    Error::unavailable("Redis", error)
}

/// As apalis' `batch_push.lua` does it for work that is due now. An id whose delivery is over, because a handler could
/// not reach the database, is delivered again; one that is waiting or in a worker's hands is not doubled.
static PUSH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local data, active, signal, meta, done, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
        local room = tonumber(ARGV[1]) - redis.call('LLEN', active)
        local taken, pushed = 0, 0
        for i = 2, #ARGV, 2 do
            local id = ARGV[i]
            if pushed >= room then break end
            local fresh = redis.call('HSETNX', data, id, ARGV[i + 1])
            local over = redis.call('SREM', done, id) + redis.call('SREM', dead, id)
            if fresh == 1 or over > 0 then
                local key = meta .. ':' .. id
                redis.call('DEL', key)
                redis.call('HSET', key, 'attempts', 0, 'max_attempts', 1, 'status', 'Pending')
                redis.call('RPUSH', active, id)
                pushed = pushed + 1
            end
            taken = taken + 1
        end
        if pushed > 0 then
            redis.call('DEL', signal)
            redis.call('LPUSH', signal, 1)
        end
        return taken
        ",
    )
});
