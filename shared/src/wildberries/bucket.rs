//! The token bucket in this process: the same arithmetic as `throttle/bucket.lua`, for tests and for the time without Redis.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::limits::Limit;
use crate::throttle::{Answer, LONGEST_SILENCE, Settlement};

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn refill(&mut self, now: Instant, limit: &Limit) {
        self.tokens = self.tokens.min(limit.burst);
        if now > self.at {
            self.tokens = limit.burst.min(self.tokens + (now - self.at).as_secs_f64() * limit.rate());
            self.at = now;
        }
    }

    fn take(&mut self, now: Instant, limit: &Limit, cost: f64, left: f64) -> Answer {
        self.refill(now, limit);
        let missing = cost + left - self.tokens;
        let silence = self.at.saturating_duration_since(now);
        if !silence.is_zero() || missing > 1e-6 {
            return Answer::Wait(silence + limit.interval.mul_f64(missing.max(0.0)));
        }
        self.tokens -= cost;
        Answer::Granted { left: self.tokens }
    }

    fn settle(&mut self, now: Instant, limit: &Limit, settlement: &Settlement) {
        self.refill(now, limit);
        self.tokens = limit.burst.min(self.tokens + settlement.back);
        if let Some(theirs) = settlement.theirs {
            self.tokens = self.tokens.min(theirs);
        }
        if let Some(silence) = settlement.silence {
            self.tokens = self.tokens.min(1.0);
            self.at = self.at.max(now + silence.min(LONGEST_SILENCE));
        }
    }
}

/// The buckets of this process, by key.
#[derive(Debug, Default)]
pub(super) struct Buckets(Mutex<HashMap<String, Bucket>>);

impl Buckets {
    pub fn take(&self, key: &str, limit: &Limit, cost: f64, left: f64) -> Answer {
        self.with(key, limit, |bucket, now| bucket.take(now, limit, cost, left))
    }

    pub fn settle(&self, key: &str, limit: &Limit, settlement: &Settlement) {
        self.with(key, limit, |bucket, now| bucket.settle(now, limit, settlement));
    }

    fn with<T>(&self, key: &str, limit: &Limit, act: impl FnOnce(&mut Bucket, Instant) -> T) -> T {
        let now = Instant::now();
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(key) {
            return act(bucket, now);
        }
        act(buckets.entry(key.to_owned()).or_insert(Bucket { tokens: limit.burst, at: now }), now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::TokenKind;
    use super::super::limits::Group;
    use super::*;

    struct Scene {
        bucket: Bucket,
        limit: Limit,
        now: Instant,
    }

    impl Scene {
        fn full() -> Self {
            let (limit, now) = (Group::Orders.limit(TokenKind::Personal), Instant::now());
            Self { bucket: Bucket { tokens: limit.burst, at: now }, limit, now }
        }

        fn take(&mut self, cost: f64, left: f64) -> Answer {
            self.bucket.take(self.now, &self.limit, cost, left)
        }

        fn settle(&mut self, settlement: Settlement) {
            self.bucket.settle(self.now, &self.limit, &settlement);
        }

        fn granted(&mut self, most: usize, cost: f64, left: f64) -> usize {
            (0..most).filter(|_| matches!(self.take(cost, left), Answer::Granted { .. })).count()
        }
    }

    fn back(back: f64) -> Settlement {
        Settlement { back, ..Settlement::default() }
    }

    #[test]
    fn a_burst_then_one_call_every_interval() {
        let mut scene = Scene::full();
        assert_eq!(scene.granted(30, 1.0, 0.0), 20);
        assert_eq!(scene.take(1.0, 0.0), Answer::Wait(Duration::from_millis(200)));
        scene.now += Duration::from_millis(200);
        assert_eq!(scene.granted(2, 1.0, 0.0), 1);
        scene.now += Duration::from_mins(10);
        assert_eq!(scene.granted(30, 1.0, 0.0), 20);
    }

    #[test]
    fn bulk_work_stops_at_the_reserve_and_urgent_work_does_not() {
        let mut scene = Scene::full();
        assert_eq!(scene.granted(20, 1.0, 12.0), 8);
        assert_eq!(scene.granted(1, 10.0, 0.0), 1);
    }

    #[test]
    fn a_write_that_was_not_refused_costs_one() {
        let mut scene = Scene::full();
        for _ in 0..11 {
            assert_eq!(scene.granted(1, 10.0, 0.0), 1);
            scene.settle(back(9.0));
        }
        assert_eq!(scene.granted(1, 10.0, 0.0), 0);
    }

    #[test]
    fn refused_reads_leave_a_debt() {
        let mut scene = Scene::full();
        scene.granted(2, 1.0, 0.0);
        scene.settle(back(-9.0));
        scene.settle(back(-9.0));
        assert_eq!(scene.take(1.0, 0.0), Answer::Wait(Duration::from_millis(200)));
        scene.settle(back(-9.0));
        assert_eq!(scene.take(1.0, 0.0), Answer::Wait(Duration::from_secs(2)));
    }

    #[test]
    fn silence_is_kept_and_ends_with_a_single_call() {
        let mut scene = Scene::full();
        scene.settle(Settlement { silence: Some(Duration::from_mins(10)), ..Settlement::default() });
        assert_eq!(scene.take(1.0, 0.0), Answer::Wait(Duration::from_mins(10)));
        scene.now += Duration::from_mins(10);
        assert_eq!(scene.granted(5, 1.0, 0.0), 1);
    }

    #[test]
    fn their_own_count_only_ever_lowers_ours() {
        let mut scene = Scene::full();
        for theirs in [3.0, 19.0] {
            scene.settle(Settlement { theirs: Some(theirs), ..Settlement::default() });
        }
        assert_eq!(scene.granted(20, 1.0, 0.0), 3);
    }
}
