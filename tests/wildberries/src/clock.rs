//! The simulator's clock: it starts at the present, and can be moved, run fast or stopped.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Duration, SubsecRound, Utc};

/// Wildberries' time as this simulator tells it.
#[derive(Debug)]
pub struct Clock(Mutex<Dial>);

#[derive(Debug)]
struct Dial {
    at: DateTime<Utc>,
    since: Instant,
    rate: f64,
}

impl Dial {
    fn now(&self) -> DateTime<Utc> {
        let passed = self.since.elapsed().as_secs_f64() * self.rate;
        // Microseconds are all that Wildberries writes down; more would come back cut off.
        (self.at + seconds(passed)).trunc_subsecs(6)
    }
}

impl Clock {
    pub(crate) fn new(at: DateTime<Utc>, rate: f64) -> Self {
        Self(Mutex::new(Dial { at, since: Instant::now(), rate }))
    }

    /// The time it is now at Wildberries.
    pub fn now(&self) -> DateTime<Utc> {
        self.dial(|dial| dial.now())
    }

    /// Sets the clock to a point in time.
    pub fn set(&self, at: DateTime<Utc>) {
        self.dial(|dial| {
            dial.at = at;
            dial.since = Instant::now();
        });
    }

    /// Moves the clock forward at once.
    pub fn advance(&self, by: Duration) {
        self.dial(|dial| dial.at += by);
    }

    /// Runs the clock `rate` times as fast as the real one; zero stops it.
    pub fn run(&self, rate: f64) {
        self.dial(|dial| {
            dial.at = dial.now();
            dial.since = Instant::now();
            dial.rate = rate.max(0.0);
        });
    }

    /// How many times faster than the real clock this one runs.
    pub fn rate(&self) -> f64 {
        self.dial(|dial| dial.rate)
    }

    fn dial<T>(&self, act: impl FnOnce(&mut Dial) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Seconds as a duration, to the microsecond.
#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, which is what a clock wants")]
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::microseconds((seconds * 1e6) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_moves_only_when_it_is_moved() {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let clock = Clock::new(start, 0.0);
        assert_eq!(clock.now(), start);
        clock.advance(Duration::hours(3));
        assert_eq!(clock.now(), start + Duration::hours(3));
    }
}
