//! Being asked to stop: Ctrl-C, a supervisor's TERM, a closed terminal.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for being asked to stop, from the moment it is made.
#[derive(Debug)]
pub struct Interruption {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Interruption {
    /// Begins to listen.
    pub fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the next time; answers the exit code that belongs to it.
    pub async fn asked(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
            _ = self.hangup.recv() => 129,
        }
    }
}
