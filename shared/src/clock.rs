//! Time as the transaction sees it: Postgres' `now()`, or set by hand in tests.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Datelike, Duration, Utc};

use crate::{Error, Result};

/// Years as RFC 3339 writes them, in four digits: others are read, but Postgres does not know all of them.
pub const YEARS: RangeInclusive<i32> = 1..=9999;

/// Fails for a moment in another year; `field` is where the client named it.
pub fn check_year(field: &str, at: DateTime<Utc>) -> Result<()> {
    if YEARS.contains(&at.year()) { Ok(()) } else { Err(Error::invalid(field, "must lie in the years 0001 to 9999")) }
}

/// Where a transaction's moment comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// Postgres' `now()`: one clock for all processes.
    #[default]
    Database,
    /// A moment that a test moves.
    Set(SetClock),
}

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct SetClock(Arc<AtomicI64>);

impl SetClock {
    /// Stands at this moment, to the microsecond.
    pub fn at(moment: DateTime<Utc>) -> Self {
        Self(Arc::new(AtomicI64::new(moment.timestamp_micros())))
    }

    /// Where it stands.
    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::SeqCst)).expect("set from a valid moment")
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.num_microseconds().expect("tests move by less than 292,000 years"), Ordering::SeqCst);
    }
}
