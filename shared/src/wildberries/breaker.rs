//! Leaves a host alone, for one seller, after it failed too often: at half of at least 20 calls in 60 s, or at three
//! transport failures in a row (decision 26). After 30 s one call tries again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::limits::Host;

const WINDOW: Duration = Duration::from_mins(1);
const REST: Duration = Duration::from_secs(30);
const CALLS_TO_JUDGE: usize = 20;
const FAILURES_IN_A_ROW: u32 = 3;
/// More than a minute's worth; older calls are forgotten first.
const REMEMBERED: usize = 1_000;

/// How a call ended, as far as the host's health is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It answered, be it a refusal.
    Answered,
    /// It answered 5XX.
    Faulty,
    /// It did not answer.
    Silent,
}

#[derive(Debug, Default)]
struct Breaker {
    calls: VecDeque<(Instant, bool)>,
    silent_in_a_row: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        match self.open_until {
            Some(until) if now < until => Err(until - now),
            Some(_) => {
                // Half open: this call tries; should it get lost, the next one may try after another rest.
                self.open_until = Some(now + REST);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Says whether the breaker opened just now.
    fn record(&mut self, now: Instant, health: Health) -> bool {
        let failed = health != Health::Answered;
        if let Some(until) = &mut self.open_until {
            if failed {
                *until = now + REST;
            } else {
                *self = Self::default();
            }
            return false;
        }
        self.silent_in_a_row = if health == Health::Silent { self.silent_in_a_row + 1 } else { 0 };
        self.calls.push_back((now, failed));
        while self.calls.len() > REMEMBERED || self.calls.front().is_some_and(|(at, _)| now - *at > WINDOW) {
            self.calls.pop_front();
        }
        let failures = self.calls.iter().filter(|(_, failed)| *failed).count();
        let opens = self.silent_in_a_row >= FAILURES_IN_A_ROW
            || (self.calls.len() >= CALLS_TO_JUDGE && failures * 2 >= self.calls.len());
        if opens {
            self.open_until = Some(now + REST);
        }
        opens
    }
}

/// One breaker per seller and host, in this process.
#[derive(Debug, Default)]
pub(super) struct Breakers(Mutex<HashMap<(Uuid, Host), Breaker>>);

impl Breakers {
    /// Whether a call may be made, else when to come back.
    pub fn admit(&self, seller_id: Uuid, host: Host) -> Result<(), Duration> {
        self.with(seller_id, host, Breaker::admit)
    }

    /// Remembers how a call ended.
    pub fn record(&self, seller_id: Uuid, host: Host, health: Health) {
        if self.with(seller_id, host, |breaker, now| breaker.record(now, health)) {
            tracing::warn!(seller.id = %seller_id, ?host, "Wildberries fails too often: it is left alone for 30 s");
        }
    }

    fn with<T>(&self, seller_id: Uuid, host: Host, act: impl FnOnce(&mut Breaker, Instant) -> T) -> T {
        let mut breakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(breakers.entry((seller_id, host)).or_default(), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        breaker: Breaker,
        now: Instant,
    }

    impl Scene {
        fn new() -> Self {
            Self { breaker: Breaker::default(), now: Instant::now() }
        }

        /// Whether a call is admitted after these.
        fn after(&mut self, healths: &[Health]) -> bool {
            for health in healths {
                self.breaker.record(self.now, *health);
            }
            self.breaker.admit(self.now).is_ok()
        }
    }

    #[test]
    fn three_silences_in_a_row_open_it() {
        let mut scene = Scene::new();
        assert!(scene.after(&[Health::Silent, Health::Silent, Health::Answered, Health::Silent, Health::Silent]));
        assert!(!scene.after(&[Health::Silent]));
    }

    #[test]
    fn half_of_twenty_calls_open_it() {
        let mut scene = Scene::new();
        assert!(scene.after(&[Health::Faulty; 10]));
        assert!(scene.after(&[Health::Answered; 9]));
        assert!(!scene.after(&[Health::Answered]));
    }

    #[test]
    fn old_failures_are_forgotten() {
        let mut scene = Scene::new();
        assert!(scene.after(&[Health::Faulty; 19]));
        scene.now += Duration::from_secs(61);
        assert!(scene.after(&[Health::Faulty]));
    }

    #[test]
    fn after_a_rest_one_call_decides() {
        let mut scene = Scene::new();
        assert!(!scene.after(&[Health::Silent; 3]));
        scene.now += REST;
        assert!(scene.after(&[]));
        assert!(!scene.after(&[]));
        assert!(!scene.after(&[Health::Faulty]));
        scene.now += REST;
        assert!(scene.after(&[]));
        assert!(scene.after(&[Health::Answered, Health::Silent, Health::Silent]));
    }

    #[test]
    fn sellers_and_hosts_do_not_share() {
        let (breakers, seller) = (Breakers::default(), Uuid::from_u128(1));
        for _ in 0..3 {
            breakers.record(seller, Host::Marketplace, Health::Silent);
        }
        assert!(breakers.admit(seller, Host::Marketplace).is_err());
        assert!(breakers.admit(seller, Host::Content).is_ok());
        assert!(breakers.admit(Uuid::from_u128(2), Host::Marketplace).is_ok());
    }
}
