//! Cleans up what apalis leaves in Redis: it never forgets what is done, does not sign off, and dies of an id without
//! data for as long as the id lies there.

use std::sync::LazyLock;
use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::{AsyncCommands, RedisResult, Script};
use shared::jobs::{Queue, QueueNames};

const CHUNK: usize = 500;
const NOBODY_FOR: Duration = Duration::from_mins(1);

/// Cleans one queue.
#[derive(Clone)]
pub(super) struct Janitor {
    pub(super) connection: ConnectionManager,
    pub(super) names: QueueNames,
    pub(super) queue: Queue,
}

impl Janitor {
    /// Notes a worker's name before it signs on.
    pub(super) async fn enter(&self, worker: &str) -> RedisResult<()> {
        self.connection.clone().sadd(self.key("names"), worker).await
    }

    /// Signs a worker off that is over, and gives back the ids that it had in its hands: claiming sorts out which of
    /// them were done.
    pub(super) async fn retire(&self, worker: &str) -> RedisResult<()> {
        RETIRE
            .key(self.key(&format!("inflight:{worker}")))
            .key(self.key("active"))
            .key(self.key("data"))
            .key(self.key("workers"))
            .key(self.key(&format!("workers:metadata:{worker}")))
            .key(self.key("names"))
            .arg(worker)
            .invoke_async(&mut self.connection.clone())
            .await
    }

    /// Takes ids out of the queue that no worker could read.
    pub(super) async fn repair(&self) -> RedisResult<usize> {
        let mut call = REPAIR.prepare_invoke();
        call.key(self.key("active")).key(self.key("data")).key(self.key("meta"));
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Everything that is over: done and dead ids, unreadable ones, workers that nobody has seen for a minute.
    pub(super) async fn clean(&self) -> RedisResult<usize> {
        let mut cleaned = self.repair().await?;
        for over in ["done", "dead"] {
            cleaned += self.prune(over).await?;
        }
        let names: Vec<String> = self.connection.clone().smembers(self.key("names")).await?;
        let now = chrono::Utc::now().timestamp();
        for name in names {
            let seen: Option<i64> = self.connection.clone().zscore(self.key("workers"), &name).await?;
            if seen.is_none_or(|seen| now - seen > NOBODY_FOR.as_secs().cast_signed()) {
                self.retire(&name).await?;
            }
        }
        Ok(cleaned)
    }

    async fn prune(&self, over: &str) -> RedisResult<usize> {
        let mut pruned = 0;
        loop {
            let mut call = PRUNE.prepare_invoke();
            call.key(self.key(over)).key(self.key("data")).key(self.key("meta")).arg(CHUNK);
            let chunk: usize = call.invoke_async(&mut self.connection.clone()).await?;
            pruned += chunk;
            if chunk < CHUNK {
                return Ok(pruned);
            }
        }
    }

    fn key(&self, part: &str) -> String {
        self.names.key(self.queue, part)
    }
}

static RETIRE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local inflight, active, data, workers, metadata, names = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
        for _, id in ipairs(redis.call('SMEMBERS', inflight)) do
            if redis.call('HEXISTS', data, id) == 1 then redis.call('RPUSH', active, id) end
        end
        redis.call('DEL', inflight, metadata)
        redis.call('ZREM', workers, ARGV[1])
        redis.call('SREM', names, ARGV[1])
        ",
    )
});

static REPAIR: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local active, data, meta = KEYS[1], KEYS[2], KEYS[3]
        local gone = 0
        for _, id in ipairs(redis.call('LRANGE', active, 0, 999)) do
            local payload = redis.call('HGET', data, id)
            local key = meta .. ':' .. id
            local readable = payload and pcall(cjson.decode, payload) and redis.call('HEXISTS', key, 'max_attempts') == 1
            if not readable then
                redis.call('LREM', active, 0, id)
                redis.call('HDEL', data, id)
                redis.call('DEL', key)
                gone = gone + 1
            end
        end
        return gone
        ",
    )
});

static PRUNE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local over, data, meta = KEYS[1], KEYS[2], KEYS[3]
        local ids = redis.call('SPOP', over, tonumber(ARGV[1]))
        for _, id in ipairs(ids) do
            redis.call('HDEL', data, id)
            redis.call('UNLINK', meta .. ':' .. id)
        end
        return #ids
        ",
    )
});
