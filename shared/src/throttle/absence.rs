//! Patience with a Redis that is away: after three failures in a row it is left alone for a second, then one call tries
//! it (decision 17).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const FAILURES_TO_SKIP: u32 = 3;
const SKIP: Duration = Duration::from_secs(1);

/// Counts failures in a row and says when to try again.
#[derive(Debug)]
pub(super) struct Absence {
    since: Instant,
    failures: AtomicU32,
    /// Milliseconds after `since`.
    skip_until: AtomicU64,
}

impl Absence {
    pub fn new(since: Instant) -> Self {
        Self { since, failures: AtomicU32::new(0), skip_until: AtomicU64::new(0) }
    }

    /// While Redis is away one caller a second is told yes.
    pub fn may_try(&self, now: Instant) -> bool {
        if self.failures.load(Ordering::Relaxed) < FAILURES_TO_SKIP {
            return true;
        }
        let until = self.skip_until.load(Ordering::Relaxed);
        let next = self.millis(now + SKIP);
        self.millis(now) >= until
            && self.skip_until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Says whether it had been away.
    pub fn it_answered(&self) -> bool {
        self.failures.swap(0, Ordering::Relaxed) >= FAILURES_TO_SKIP
    }

    /// Says whether this was the failure that made it count as away.
    pub fn it_failed(&self, now: Instant) -> bool {
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
