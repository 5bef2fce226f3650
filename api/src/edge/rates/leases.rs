//! Tokens that this process took from Redis and has not spent yet, and refusals that still hold, by bucket.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shared::throttle::Lease;

/// Kept for so long without being asked for; a bucket is full again after that time, unless it is a large one.
const LIFE: Duration = Duration::from_mins(1);
/// More buckets than anybody honest needs; beyond it everything is forgotten, which costs some tokens and a question each.
const MOST: usize = 100_000;
/// The first sweep.
const FEW: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<String, Entry>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry {
    tokens: u32,
    /// How many the bucket itself held when it was last asked.
    beside: u32,
    /// How many to ask for next: twice as many as last time, so that who comes rarely keeps little.
    block: u32,
    refused_until: Option<Instant>,
    used: Instant,
}

/// What is here of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// One token less; so many are left, with those in the bucket.
    Spent { left: u32 },
    /// The bucket is known to be empty.
    Refused { wait: Duration },
    /// Redis has to be asked, for so many.
    Nothing { block: u32 },
}

impl Leases {
    pub fn spend(&self, key: &str, now: Instant) -> Held {
        let mut table = self.table();
        let Some(entry) = table.entries.get_mut(key) else { return Held::Nothing { block: 1 } };
        if entry.tokens > 0 {
            (entry.tokens, entry.used) = (entry.tokens - 1, now);
            return Held::Spent { left: entry.tokens + entry.beside };
        }
        match entry.wait(now) {
            Some(wait) => Held::Refused { wait },
            None => Held::Nothing { block: entry.block },
        }
    }

    /// Keeps a lease and spends the first token of it; answers how many are left.
    pub fn keep(&self, key: &str, lease: &Lease, block: u32, now: Instant) -> u32 {
        let mut table = self.table();
        let entry = table.entry(key, now);
        entry.tokens += lease.granted.saturating_sub(1);
        entry.beside = whole(lease.left);
        entry.block = block.saturating_mul(2);
        (entry.refused_until, entry.used) = (None, now);
        entry.tokens + entry.beside
    }

    /// Remembers that the bucket is empty.
    pub fn refuse(&self, key: &str, wait: Duration, now: Instant) {
        let mut table = self.table();
        let entry = table.entry(key, now);
        (entry.refused_until, entry.beside, entry.used) = (Some(now + wait), 0, now);
    }

    /// How long the bucket will still be empty, if it is.
    pub fn refused(&self, key: &str, now: Instant) -> Option<Duration> {
        self.table().entries.get(key).filter(|entry| entry.tokens == 0)?.wait(now)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn wait(&self, now: Instant) -> Option<Duration> {
        self.refused_until.map(|until| until.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }
}

impl Table {
    fn entry(&mut self, key: &str, now: Instant) -> &mut Entry {
        if self.entries.len() >= self.sweep_at.max(FEW) {
            self.entries.retain(|_, entry| now.saturating_duration_since(entry.used) < LIFE);
            if self.entries.len() >= MOST {
                self.entries.clear();
            }
            self.sweep_at = (self.entries.len() * 2).min(MOST);
        }
        let fresh = || Entry { tokens: 0, beside: 0, block: 1, refused_until: None, used: now };
        self.entries.entry(key.to_owned()).or_insert_with(fresh)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bucket holds at most some million tokens"
)]
fn whole(tokens: f64) -> u32 {
    tokens.max(0.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(granted: u32, left: f64) -> Lease {
        Lease { granted, left, wait: Duration::ZERO }
    }

    #[test]
    fn a_lease_is_spent_before_redis_is_asked_again_for_more() {
        let (leases, now) = (Leases::default(), Instant::now());
        assert_eq!(leases.spend("a", now), Held::Nothing { block: 1 });
        assert_eq!(leases.keep("a", &lease(1, 299.9), 1, now), 299);
        assert_eq!(leases.spend("a", now), Held::Nothing { block: 2 });
        assert_eq!(leases.keep("a", &lease(2, 297.0), 2, now), 298);
        assert_eq!(leases.spend("a", now), Held::Spent { left: 297 });
        assert_eq!(leases.spend("a", now), Held::Nothing { block: 4 });
    }

    #[test]
    fn a_refusal_holds_until_its_time_and_for_its_bucket_only() {
        let (leases, now) = (Leases::default(), Instant::now());
        leases.refuse("a", Duration::from_millis(200), now);
        assert_eq!(leases.spend("a", now), Held::Refused { wait: Duration::from_millis(200) });
        assert_eq!(leases.refused("a", now), Some(Duration::from_millis(200)));
        assert_eq!(leases.spend("b", now), Held::Nothing { block: 1 });
        assert_eq!(leases.spend("a", now + Duration::from_millis(201)), Held::Nothing { block: 1 });
    }

    #[test]
    fn many_strangers_do_not_fill_the_memory() {
        let (leases, now) = (Leases::default(), Instant::now());
        for number in 0..2 * MOST {
            leases.keep(&number.to_string(), &lease(1, 1.0), 1, now);
        }
        assert!(leases.table().entries.len() <= MOST);
        let later = now + LIFE;
        for number in 0..=MOST {
            leases.keep(&format!("later {number}"), &lease(1, 1.0), 1, later);
        }
        assert!(leases.table().entries.len() <= MOST + 1);
    }
}
