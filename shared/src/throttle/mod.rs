//! Token buckets: how often something may be done, counted in Redis by all processes together. What holds while Redis is
//! away is for the one who asks: a quarter for Wildberries' budgets as for the limits of the front door.

mod absence;
mod redis;

use std::time::Duration;

pub use redis::RedisBuckets;

/// The shape of a bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Tokens that come in a second.
    pub rate: f64,
    /// How many it holds; a new one is full.
    pub size: f64,
}

/// What a bucket answers to somebody who wants tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// Here they are; so many are left.
    Granted {
        /// Tokens.
        left: f64,
    },
    /// Not before this time has passed, if nobody else comes first.
    Wait(Duration),
}

/// Some tokens taken at once, to be spent without asking again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lease {
    /// How many; none when the bucket is empty.
    pub granted: u32,
    /// How many the bucket still holds.
    pub left: f64,
    /// Until there is one again, if none was granted.
    pub wait: Duration,
}

/// What turned out afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settlement {
    /// Tokens given back; negative where more must be charged.
    pub back: f64,
    /// How many the other side says are left.
    pub theirs: Option<f64>,
    /// How long the other side wants silence.
    pub silence: Option<Duration>,
}

impl Settlement {
    /// Whether there is anything to tell the bucket.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// No wish for silence is followed for longer.
pub const LONGEST_SILENCE: Duration = Duration::from_hours(1);
