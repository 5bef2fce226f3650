//! When apalis looks into Redis.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};
use tokio::time::{Instant, Sleep, sleep};

use crate::pulse::Pulse;

/// Looks every 20 ms. apalis' own interval is not armed again when a look takes longer than the interval, and then
/// sleeps until the next heartbeat.
#[derive(Debug)]
pub(super) struct Ticker {
    sleep: Pin<Box<Sleep>>,
    every: Duration,
    pulse: Pulse,
    queue: &'static str,
}

impl Ticker {
    pub(super) fn new(every: Duration, pulse: Pulse, queue: &'static str) -> Self {
        Self { sleep: Box::pin(sleep(every)), every, pulse, queue }
    }
}

impl PollStrategy for Ticker {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _snapshot: &PollSnapshot) -> Poll<Option<()>> {
        self.pulse.beat(self.queue);
        // Until Pending: only then does the timer know whom to wake.
        while self.sleep.as_mut().poll(cx).is_ready() {
            self.sleep.as_mut().reset(Instant::now() + self.every);
        }
        Poll::Pending
    }
}
