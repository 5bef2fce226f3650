//! Signs of life of the process' loops, and outages told once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::Error;
use shared::telemetry::chain;
use tokio::time::Instant;
use tracing::{info, warn};

/// When each loop was last seen at work. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Mutex<BTreeMap<&'static str, Instant>>>);

impl Pulse {
    /// The loop is at work.
    pub fn beat(&self, who: &'static str) {
        self.beats().insert(who, Instant::now());
    }

    /// How long ago each loop was seen.
    pub fn ages(&self) -> BTreeMap<&'static str, Duration> {
        self.beats().iter().map(|(who, beat)| (*who, beat.elapsed())).collect()
    }

    /// How long ago this one was seen.
    pub fn age(&self, who: &str) -> Option<Duration> {
        self.beats().get(who).map(Instant::elapsed)
    }

    fn beats(&self) -> MutexGuard<'_, BTreeMap<&'static str, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs when something stops working and when it works again, and nothing in between.
#[derive(Debug)]
pub struct Outage {
    what: &'static str,
    since: Option<Instant>,
}

impl Outage {
    /// Nothing is wrong yet.
    pub fn of(what: &'static str) -> Self {
        Self { what, since: None }
    }

    /// Takes note of how it went.
    pub fn saw<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => {
                if let Some(since) = self.since.take() {
                    info!("{} works again after {:?}", self.what, since.elapsed());
                }
                Some(value)
            }
            Err(error) => {
                if self.since.is_none() {
                    self.since = Some(Instant::now());
                    warn!("{} does not work: {}", self.what, chain(&error));
                }
                None
            }
        }
    }
}
