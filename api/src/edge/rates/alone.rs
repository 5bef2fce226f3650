//! The rates of this process by itself: a quarter while Redis is away, and everything of those who never ask Redis.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use shared::config::{Allowance, Rate, RateLimits};

type Limiter = RateLimiter<String, DefaultKeyedStateStore<String>, DefaultClock, StateInformationMiddleware>;

/// After so many questions, buckets that are full again are forgotten.
const SWEEP_EVERY: u32 = 1 << 14;

#[derive(Debug)]
pub(super) struct Alone {
    limiters: Vec<(Rate, Limiter)>,
    clock: DefaultClock,
    asked: AtomicU32,
}

impl Alone {
    pub fn new(limits: &RateLimits) -> Self {
        let limiter = |rate: &Rate| (*rate, RateLimiter::keyed(quota(*rate, limits.of(*rate))).with_middleware());
        Self {
            limiters: Rate::ALL.iter().map(limiter).collect(),
            clock: DefaultClock::default(),
            asked: AtomicU32::new(0),
        }
    }

    /// How many are left, or how long to wait.
    pub fn take(&self, rate: Rate, key: &String) -> Result<u32, Duration> {
        let (_, limiter) = self.limiters.iter().find(|(known, _)| *known == rate).expect("every rate has its limiter");
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            limiter.retain_recent();
        }
        match limiter.check_key(key) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(not_yet) => Err(not_yet.wait_time_from(self.clock.now())),
        }
    }
}

fn quota(rate: Rate, allowance: Allowance) -> Quota {
    let count = if rate == Rate::Health { allowance.count } else { allowance.count.div_ceil(4) };
    let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    let period = (allowance.window / count.get()).max(Duration::from_nanos(1));
    Quota::with_period(period).expect("the period is not zero").allow_burst(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alone_a_quarter_is_granted_but_to_monitors_all() {
        let alone = Alone::new(&RateLimits::default());
        let granted = |rate, key: &str| {
            let key = key.to_owned();
            (0..1000).take_while(|_| alone.take(rate, &key).is_ok()).count()
        };
        assert!((75..80).contains(&granted(Rate::Address, "203.0.113.9")));
        assert!((75..80).contains(&granted(Rate::Address, "203.0.113.10")), "everybody has a bucket");
        assert_eq!(granted(Rate::SignIn, "203.0.113.9"), 5);
        assert!((10..13).contains(&granted(Rate::Health, "203.0.113.9")));
        let wait = alone.take(Rate::SignIn, &"203.0.113.9".to_owned()).unwrap_err();
        assert!(wait > Duration::from_secs(11) && wait <= Duration::from_secs(12), "{wait:?}");
    }
}
