//! How many calls a seller may still make: one bucket per seller, token kind and group of methods for all processes.
//!
//! A call that may be refused is charged like a refusal beforehand and given back the rest when it was not
//! (decision 25), so that two mistakes at once cannot overdraw what Wildberries counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use uuid::Uuid;

use super::TokenKind;
use super::bucket::Buckets;
use super::error::CallError;
use super::limits::{Group, Limit};
use crate::Result;
use crate::throttle::{Answer, RedisBuckets, Settlement};

/// Who may use the last of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Somebody waits, or stock is at stake: uses the last token.
    Urgent,
    /// Anything that may be late: leaves a reserve.
    Bulk,
}

impl Priority {
    /// How long a call waits inside the client before the worker is freed.
    fn patience(self) -> Duration {
        match self {
            Self::Urgent => Duration::from_millis(1_500),
            Self::Bulk => Duration::from_secs(5),
        }
    }

    /// The longest nap between two looks at the bucket: what others give back may come earlier than the estimate.
    fn nap(self) -> Duration {
        match self {
            Self::Urgent => Duration::from_millis(100),
            Self::Bulk => Duration::from_millis(400),
        }
    }
}

/// The request budgets of all sellers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    scale: f64,
    place: Place,
    here: Buckets,
}

#[derive(Debug)]
enum Place {
    Redis(RedisBuckets),
    Here,
    Unlimited,
}

impl Budget {
    /// Budgets in Redis, connected to in the background: Redis may be away now and later. `scale` multiplies
    /// Wildberries' limits (`WB_LIMIT_SCALE`). Must be called inside a Tokio runtime.
    pub fn connect(redis_url: &SecretString, scale: f64) -> Result<Self> {
        let meanwhile = "every process keeps to a quarter of Wildberries' limits";
        Ok(Self::new(scale, Place::Redis(RedisBuckets::connect(redis_url, meanwhile)?)))
    }

    /// Budgets of this process alone, at the full rate.
    pub fn local(scale: f64) -> Self {
        Self::new(scale, Place::Here)
    }

    /// No limits at all: for tests and benchmarks against a simulator that has none either.
    pub fn unlimited() -> Self {
        Self::new(1.0, Place::Unlimited)
    }

    fn new(scale: f64, place: Place) -> Self {
        Self(Arc::new(Inner { scale, place, here: Buckets::default() }))
    }

    /// Waits a moment for the right to make one call; fails with [`CallError::Budget`] where it would take longer.
    pub async fn take(
        &self,
        seller_id: Uuid,
        kind: TokenKind,
        group: Group,
        writes: bool,
        priority: Priority,
    ) -> Result<Permit, CallError> {
        let limit = group.limit(kind).scaled(self.0.scale).with_slack();
        let key = format!("wb:budget:{seller_id}:{}:{}", kind.as_str(), group.as_str());
        // Calls of others that are under way may give this much time back.
        let refundable = limit.interval.mul_f64(limit.charge(true) - 1.0);
        let started = Instant::now();
        loop {
            let (answer, limit, here) = self.ask(&key, &limit, writes, priority).await;
            let wait = match answer {
                Answer::Granted { left } => {
                    return Ok(Permit { budget: self.clone(), key, limit, charged: limit.charge(writes), left, here });
                }
                Answer::Wait(wait) => wait,
            };
            let patience = priority.patience().saturating_sub(started.elapsed());
            if patience.is_zero() || wait > patience + refundable {
                return Err(CallError::Budget { retry_after: wait });
            }
            tokio::time::sleep(
                wait.min(patience)
                    .min(priority.nap())
                    .mul_f64(rand::random_range(0.6..1.0))
                    .max(Duration::from_millis(2)),
            )
            .await;
        }
    }

    /// Answers from Redis, or from here while Redis is away.
    async fn ask(&self, key: &str, limit: &Limit, writes: bool, priority: Priority) -> (Answer, Limit, bool) {
        let cost = limit.charge(writes);
        let limit = match &self.0.place {
            Place::Unlimited => return (Answer::Granted { left: f64::MAX }, *limit, true),
            Place::Here => *limit,
            Place::Redis(redis) => {
                if let Some(answer) = redis.take(key, limit.bucket(), cost, limit.reserve_for(priority, cost)).await {
                    return (answer, *limit, false);
                }
                limit.alone()
            }
        };
        let cost = limit.charge(writes);
        (self.0.here.take(key, &limit, cost, limit.reserve_for(priority, cost)), limit, true)
    }
}

/// The right to one call, paid for. Dropped without [`Permit::settle`] it counts as the worst case.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    budget: Budget,
    key: String,
    limit: Limit,
    charged: f64,
    left: f64,
    here: bool,
}

/// How a call ended, as far as the budget is concerned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cost {
    /// It never left this machine.
    NotSent,
    /// Nobody knows whether it arrived.
    Unknown,
    /// Answered, but not with 4XX; `X-Ratelimit-Remaining` if there was one.
    Answered(Option<f64>),
    /// Answered with 4XX other than 429.
    Refused(Option<f64>),
    /// 429: silence is wanted for this long.
    Throttled(Duration),
}

impl Permit {
    /// Tells the bucket what the call really cost.
    pub async fn settle(self, cost: Cost) {
        let settlement = self.settlement(cost);
        if settlement.is_nothing() {
            return;
        }
        match &self.budget.0.place {
            Place::Unlimited => {}
            Place::Redis(redis) if !self.here => redis.settle(&self.key, self.limit.bucket(), &settlement).await,
            Place::Redis(_) | Place::Here => self.budget.0.here.settle(&self.key, &self.limit, &settlement),
        }
    }

    fn settlement(&self, cost: Cost) -> Settlement {
        // Their count matters only where others spend from the same budget, so that less is left than we believe.
        let lower = |theirs: Option<f64>, back: f64| theirs.filter(|theirs| theirs + 1.0 < self.left + back.min(0.0));
        match cost {
            Cost::NotSent => Settlement { back: self.charged, ..Settlement::default() },
            Cost::Unknown => Settlement::default(),
            Cost::Answered(theirs) => {
                Settlement { back: self.charged - 1.0, theirs: lower(theirs, 0.0), silence: None }
            }
            Cost::Refused(theirs) => {
                let back = self.charged - self.limit.cost_of_refusal;
                Settlement { back, theirs: lower(theirs, back), silence: None }
            }
            Cost::Throttled(silence) => Settlement { silence: Some(silence), ..Settlement::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SELLER: Uuid = Uuid::from_u128(1);

    async fn take(budget: &Budget, writes: bool, priority: Priority) -> Result<Permit, CallError> {
        budget.take(SELLER, TokenKind::Personal, Group::Orders, writes, priority).await
    }

    #[tokio::test]
    async fn urgent_work_passes_bulk_work() {
        let budget = Budget::local(1.0);
        for _ in 0..6 {
            take(&budget, false, Priority::Bulk)
                .await
                .expect("there is more than the reserve")
                .settle(Cost::Answered(None))
                .await;
        }
        let before = Instant::now();
        take(&budget, true, Priority::Urgent)
            .await
            .expect("the reserve is for this")
            .settle(Cost::Answered(None))
            .await;
        assert!(before.elapsed() < Duration::from_millis(50));
    }

    #[tokio::test]
    async fn a_short_wait_is_slept_and_a_long_one_frees_the_worker() {
        let budget = Budget::local(1.0);
        for _ in 0..9 {
            take(&budget, false, Priority::Bulk).await.expect("each waits a moment").settle(Cost::Answered(None)).await;
        }
        take(&budget, false, Priority::Urgent)
            .await
            .expect("the reserve")
            .settle(Cost::Throttled(Duration::from_mins(1)))
            .await;
        let refused = take(&budget, false, Priority::Urgent).await.expect_err("a minute is too long");
        assert!(matches!(refused, CallError::Budget { retry_after } if retry_after >= Duration::from_secs(59)));
    }

    #[tokio::test]
    async fn groups_sellers_and_kinds_do_not_share() {
        let budget = Budget::local(1.0);
        take(&budget, false, Priority::Urgent)
            .await
            .expect("full")
            .settle(Cost::Throttled(Duration::from_mins(1)))
            .await;
        assert!(budget.take(SELLER, TokenKind::Personal, Group::Marks, false, Priority::Urgent).await.is_ok());
        assert!(budget.take(SELLER, TokenKind::Service, Group::Orders, false, Priority::Urgent).await.is_ok());
        assert!(
            budget.take(Uuid::from_u128(2), TokenKind::Personal, Group::Orders, false, Priority::Urgent).await.is_ok()
        );
    }

    #[tokio::test]
    async fn their_lower_count_is_followed() {
        let budget = Budget::local(1.0);
        take(&budget, false, Priority::Urgent).await.expect("full").settle(Cost::Answered(Some(0.0))).await;
        let before = Instant::now();
        take(&budget, false, Priority::Urgent).await.expect("soon").settle(Cost::Answered(None)).await;
        assert!(before.elapsed() >= Duration::from_millis(150));
    }

    #[tokio::test]
    async fn without_redis_a_process_keeps_to_a_quarter() {
        let budget =
            Budget::connect(&"redis://127.0.0.1:1/0".to_owned().into(), 1.0).expect("connecting does not fail");
        let mut granted = 0;
        while take(&budget, false, Priority::Bulk).await.is_ok_and(|permit| permit.here) && granted < 8 {
            granted += 1;
        }
        assert!(granted >= 6, "{granted}");
    }
}
