//! What is promised of drifts.

use serde::{Deserialize, Serialize};

use crate::jobs::{Job, Queue};

/// Reads an enterprise's quarantine again with today's code, and asks Wildberries anew for what still cannot be read.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ReplayQuarantine {}

impl Job for ReplayQuarantine {
    const KIND: &'static str = "drifts.replay_quarantine";
    const QUEUE: Queue = Queue::Import;
    const PATIENCE: chrono::Duration = chrono::Duration::hours(1);

    fn unique_key(&self) -> Option<String> {
        Some(String::new())
    }
}

/// Counts what waits in every enterprise, has their quarantines read again, and tells of methods that are about to be
/// switched off: a job of the installation itself, each hour and whenever a worker starts.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct WatchDrifts {}

impl Job for WatchDrifts {
    const KIND: &'static str = "drifts.watch";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(String::new())
    }
}
