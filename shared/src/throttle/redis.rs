//! The token buckets in Redis, where all processes see them.

use std::time::{Duration, Instant};

use fred::prelude::{Builder, ClientLike, Config, Error as RedisError, ErrorKind, ReconnectPolicy};
use fred::types::scripts::Script;
use secrecy::{ExposeSecret, SecretString};

use super::absence::Absence;
use super::{Answer, Bucket, LONGEST_SILENCE, Lease, Settlement};
use crate::{Error, Result};

const PATIENCE: Duration = Duration::from_millis(250);

/// Buckets in Redis. Every question answers `None` while Redis is away: what then holds is for the one who asks.
pub struct RedisBuckets {
    client: fred::clients::Client,
    script: Script,
    absence: Absence,
    meanwhile: &'static str,
}

impl RedisBuckets {
    /// Begins to connect in the background, again and again until it succeeds. `meanwhile` is for the log: what holds
    /// while Redis is away. Must be called inside a Tokio runtime.
    pub fn connect(url: &SecretString, meanwhile: &'static str) -> Result<Self> {
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
        let script = Script::from_lua(include_str!("bucket.lua"));
        Ok(Self { client, script, absence: Absence::new(Instant::now()), meanwhile })
    }

    /// Waits until Redis is there, at most so long.
    pub async fn connected(&self, patience: Duration) {
        drop(tokio::time::timeout(patience, self.client.wait_for_connect()).await);
    }

    /// Takes `cost` tokens if at least `left` remain afterwards.
    pub async fn take(&self, key: &str, bucket: Bucket, cost: f64, left: f64) -> Option<Answer> {
        let (granted, wait, tokens) = self.run(key, bucket, "take", [cost.to_string(), left.to_string()]).await?;
        Some(match granted {
            1 => Answer::Granted { left: thousandths(tokens) },
            _ => Answer::Wait(micros(wait)),
        })
    }

    /// Takes whole tokens, as many as there are but at most `most`, to be spent without asking again.
    pub async fn lease(&self, key: &str, bucket: Bucket, most: u32) -> Option<Lease> {
        let (granted, wait, tokens) = self.run(key, bucket, "lease", [most.to_string()]).await?;
        let granted = u32::try_from(granted).unwrap_or_default();
        Some(Lease { granted, left: thousandths(tokens), wait: micros(wait) })
    }

    /// Corrects a bucket afterwards.
    pub async fn settle(&self, key: &str, bucket: Bucket, settlement: &Settlement) {
        let silence = settlement.silence.unwrap_or_default().min(LONGEST_SILENCE).as_micros();
        let theirs = settlement.theirs.map_or_else(|| "-1".to_owned(), |tokens| tokens.to_string());
        self.run(key, bucket, "settle", [settlement.back.to_string(), theirs, silence.to_string()]).await;
    }

    async fn run<const N: usize>(
        &self,
        key: &str,
        bucket: Bucket,
        verb: &str,
        arguments: [String; N],
    ) -> Option<(i64, i64, i64)> {
        if !self.absence.may_try(Instant::now()) {
            return None;
        }
        let mut all = vec![bucket.rate.to_string(), bucket.size.to_string(), verb.to_owned()];
        all.extend(arguments);
        match self.evaluate(key, all).await {
            Ok(answer) => {
                if self.absence.it_answered() {
                    tracing::info!("Redis answers again: limits are shared by all processes");
                }
                Some(answer)
            }
            Err(error) => {
                if self.absence.it_failed(Instant::now()) {
                    tracing::warn!(%error, "Redis is away: {}", self.meanwhile);
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

fn micros(wait: i64) -> Duration {
    Duration::from_micros(u64::try_from(wait).unwrap_or_default())
}
