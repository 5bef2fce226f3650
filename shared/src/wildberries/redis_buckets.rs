//! The token buckets in Redis, where all processes see them, and the patience with a Redis that is away.
//!
//! After three failures in a row Redis is left alone for a second, then one call tries it (decision 17).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fred::prelude::{Builder, ClientLike, Config, Error as RedisError, ErrorKind, ReconnectPolicy};
use fred::types::scripts::Script;
use secrecy::{ExposeSecret, SecretString};

use super::bucket::{Answer, LONGEST_SILENCE, Settlement};
use super::limits::Limit;
use crate::{Error, Result};

const PATIENCE: Duration = Duration::from_millis(250);
const FAILURES_TO_SKIP: u32 = 3;
const SKIP: Duration = Duration::from_secs(1);

pub(super) struct RedisBuckets {
    client: fred::clients::Client,
    script: Script,
    absence: Absence,
}

impl RedisBuckets {
    /// Begins to connect in the background, again and again until it succeeds.
    pub fn connect(url: &SecretString) -> Result<Self> {
        let unusable = |_: RedisError| Error::invalid("REDIS_URL", "is not the address of a Redis");
        let mut config = Config::from_url(url.expose_secret()).map_err(unusable)?;
        config.fail_fast = false;
        let client = Builder::from_config(config)
            .with_performance_config(|performance| performance.default_command_timeout = PATIENCE)
            .with_connection_config(|connection| {
                connection.connection_timeout = Duration::from_secs(2);
                connection.internal_command_timeout = Duration::from_secs(2);
                connection.max_command_attempts = 1;
                connection.max_command_buffer_len = 10_000;
                connection.unresponsive.max_timeout = Some(Duration::from_secs(2));
                connection.unresponsive.interval = Duration::from_millis(500);
            })
            .set_policy(ReconnectPolicy::new_exponential(0, 50, 1_000, 2))
            .build()
            .map_err(unusable)?;
        client.connect();
        Ok(Self { client, script: Script::from_lua(include_str!("bucket.lua")), absence: Absence::new(Instant::now()) })
    }

    /// `None` when Redis is away.
    pub async fn take(&self, key: &str, limit: &Limit, cost: f64, left: f64) -> Option<Answer> {
        let arguments = vec![
            limit.rate().to_string(),
            limit.burst.to_string(),
            "take".to_owned(),
            cost.to_string(),
            left.to_string(),
        ];
        let (granted, wait, tokens) = self.run(key, arguments).await?;
        Some(match granted {
            1 => Answer::Granted { left: thousandths(tokens) },
            _ => Answer::Wait(Duration::from_micros(u64::try_from(wait).unwrap_or_default())),
        })
    }

    pub async fn settle(&self, key: &str, limit: &Limit, settlement: &Settlement) {
        let silence = settlement.silence.unwrap_or_default().min(LONGEST_SILENCE).as_micros();
        let theirs = settlement.theirs.map_or_else(|| "-1".to_owned(), |tokens| tokens.to_string());
        let arguments = vec![
            limit.rate().to_string(),
            limit.burst.to_string(),
            "settle".to_owned(),
            settlement.back.to_string(),
            theirs,
            silence.to_string(),
        ];
        self.run(key, arguments).await;
    }

    async fn run(&self, key: &str, arguments: Vec<String>) -> Option<(i64, i64, i64)> {
        if !self.absence.may_try(Instant::now()) {
            return None;
        }
        match self.evaluate(key, arguments).await {
            Ok(answer) => {
                if self.absence.it_answered() {
                    tracing::info!("Redis answers again: request budgets are shared");
                }
                Some(answer)
            }
            Err(error) => {
                if self.absence.it_failed(Instant::now()) {
                    tracing::warn!(%error, "Redis is away: every process keeps to a quarter of Wildberries' limits");
                }
                None
            }
        }
    }

    async fn evaluate(&self, key: &str, arguments: Vec<String>) -> Result<(i64, i64, i64), RedisError> {
        // A command would otherwise wait for the connection for as long as its time limit.
        if !self.client.is_connected() {
            return Err(RedisError::new(ErrorKind::IO, "not connected"));
        }
        self.script.evalsha_with_reload(&self.client, key, arguments).await
    }
}

impl std::fmt::Debug for RedisBuckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisBuckets").finish_non_exhaustive()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a bucket holds at most some thousand tokens")]
fn thousandths(tokens: i64) -> f64 {
    tokens as f64 / 1000.0
}

/// Counts failures in a row and says when to try again.
#[derive(Debug)]
struct Absence {
    since: Instant,
    failures: AtomicU32,
    /// Milliseconds after `since`.
    skip_until: AtomicU64,
}

impl Absence {
    fn new(since: Instant) -> Self {
        Self { since, failures: AtomicU32::new(0), skip_until: AtomicU64::new(0) }
    }

    /// While Redis is away one caller a second is told yes.
    fn may_try(&self, now: Instant) -> bool {
        if self.failures.load(Ordering::Relaxed) < FAILURES_TO_SKIP {
            return true;
        }
        let until = self.skip_until.load(Ordering::Relaxed);
        let next = self.millis(now + SKIP);
        self.millis(now) >= until
            && self.skip_until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Says whether it had been away.
    fn it_answered(&self) -> bool {
        self.failures.swap(0, Ordering::Relaxed) >= FAILURES_TO_SKIP
    }

    /// Says whether this was the failure that made it count as away.
    fn it_failed(&self, now: Instant) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures >= FAILURES_TO_SKIP {
            self.skip_until.store(self.millis(now + SKIP), Ordering::Relaxed);
        }
        failures == FAILURES_TO_SKIP
    }

    fn millis(&self, moment: Instant) -> u64 {
        u64::try_from(moment.duration_since(self.since).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_three_failures_redis_is_tried_once_a_second() {
        let mut now = Instant::now();
        let absence = Absence::new(now);
        assert!(absence.may_try(now) && !absence.it_failed(now) && !absence.it_failed(now) && absence.may_try(now));
        assert!(absence.it_failed(now));
        assert!(!absence.may_try(now));
        now += SKIP;
        assert!(absence.may_try(now));
        assert!(!absence.may_try(now));
        assert!(!absence.it_failed(now));
        now += SKIP;
        assert!(absence.may_try(now));
        assert!(absence.it_answered());
        assert!(absence.may_try(now) && absence.may_try(now));
    }
}
