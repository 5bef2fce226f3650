//! How much may be asked: token buckets per address, person, enterprise and kind of work, in Redis for all replicas.
//!
//! Tokens are leased in small blocks (decision 17), so that most requests cost no round trip; a bucket may so be overdrawn
//! by at most a block, a twentieth, per replica. While Redis is away every replica keeps to a quarter by itself.

mod alone;
mod leases;
mod told;

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use shared::Error;
use shared::config::{Allowance, Rate, RateLimits};
use shared::throttle::RedisBuckets;
use uuid::Uuid;

use alone::Alone;
use leases::{Held, Leases};
pub(super) use told::tell;

/// The rates of one process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: RateLimits,
    redis: Option<RedisBuckets>,
    leases: Leases,
    alone: Alone,
}

/// What is left of an allowance after a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Of what.
    pub rate: Rate,
    /// How much it is.
    pub allowance: Allowance,
    /// How many requests are left now.
    pub remaining: u32,
}

/// An allowance is used up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsedUp {
    /// Which one.
    pub standing: Standing,
    /// Until there is a token again.
    pub retry_after: Duration,
}

impl Rates {
    /// Shares buckets through this Redis, which may be away now and later. Must be called inside a Tokio runtime.
    pub fn connect(limits: &RateLimits, redis_url: &SecretString) -> Self {
        // Whoever needs Redis for more refuses to start with such an address; here it only means to be alone.
        let redis = RedisBuckets::connect(redis_url, "every replica keeps to a quarter of its rate limits").ok();
        Self(Arc::new(Inner { limits: limits.clone(), redis, leases: Leases::default(), alone: Alone::new(limits) }))
    }

    /// Waits until Redis is there, at most so long, so that the first requests are not counted by this process alone.
    pub async fn connected(&self, patience: Duration) {
        if let Some(redis) = &self.0.redis {
            redis.connected(patience).await;
        }
    }

    /// Takes one token of `whom`'s bucket.
    pub async fn take(&self, rate: Rate, whom: &str) -> Result<Standing, UsedUp> {
        let allowance = self.0.limits.of(rate);
        let key = key(rate, allowance, whom);
        let outcome = match self.shared(rate, allowance, &key).await {
            Some(outcome) => outcome,
            None => self.0.alone.take(rate, &key),
        };
        match outcome {
            Ok(remaining) => Ok(Standing { rate, allowance, remaining }),
            Err(retry_after) => {
                self.0.leases.refuse(&key, retry_after, Instant::now());
                Err(UsedUp { standing: Standing { rate, allowance, remaining: 0 }, retry_after })
            }
        }
    }

    /// Whether the bucket was empty when it was last asked and is so still; takes nothing.
    pub fn check(&self, rate: Rate, whom: &str) -> Result<(), UsedUp> {
        let allowance = self.0.limits.of(rate);
        match self.0.leases.refused(&key(rate, allowance, whom), Instant::now()) {
            None => Ok(()),
            Some(retry_after) => Err(UsedUp { standing: Standing { rate, allowance, remaining: 0 }, retry_after }),
        }
    }

    /// Takes one token of each of these enterprises for an attempt to sign in.
    pub async fn sign_in(&self, enterprises: &[Uuid]) -> shared::Result<()> {
        for enterprise in enterprises {
            let taken = self.take(Rate::EnterpriseSignIn, &enterprise.to_string()).await;
            taken.map_err(|UsedUp { retry_after, .. }| Error::TooManyAttempts { retry_after })?;
        }
        Ok(())
    }

    /// How many are left or how long to wait; `None` while there is no Redis, and for monitors, who must not need one.
    async fn shared(&self, rate: Rate, allowance: Allowance, key: &str) -> Option<Result<u32, Duration>> {
        let redis = self.0.redis.as_ref().filter(|_| rate != Rate::Health)?;
        let block = match self.0.leases.spend(key, Instant::now()) {
            Held::Spent { left } => return Some(Ok(left)),
            Held::Refused { wait } => return Some(Err(wait)),
            Held::Nothing { block } => block.min(largest_block(rate, allowance)),
        };
        let lease = redis.lease(key, allowance.bucket(), block).await?;
        if lease.granted == 0 {
            return Some(Err(lease.wait));
        }
        Some(Ok(self.0.leases.keep(key, &lease, block, Instant::now())))
    }
}

/// The number is part of the name: with another one it is another bucket.
fn key(rate: Rate, allowance: Allowance, whom: &str) -> String {
    format!("wb:rate:{}:{}:{whom}", rate.as_str(), allowance.count)
}

/// Guesses are counted exactly.
fn largest_block(rate: Rate, allowance: Allowance) -> u32 {
    match rate {
        Rate::SignIn | Rate::EnterpriseSignIn | Rate::Labels | Rate::Exports | Rate::Health => 1,
        Rate::Address | Rate::User | Rate::Enterprise => (allowance.count / 20).clamp(1, 200),
    }
}
