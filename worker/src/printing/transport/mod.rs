//! Talks to a ZPL printer over raw TCP: asks how it is, sends one label, proves that it came out.
//!
//! Written bytes are not paper. Whoever calls `send_label` records the attempt first, and sends the same label again
//! only after `SendError::NothingSent`. Each wait has a limit, each answer a size, and no answer is shown to people.

mod address;
mod fault;
mod proof;
mod status;
#[cfg(test)]
mod tests;

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout};

pub use address::{AllowList, AllowListError, Refusal, Target};
pub use fault::PrinterFault;
pub use proof::{Proof, Uncertain};
pub use status::{HostStatus, Status};

const HOST_STATUS: &[u8] = b"~HS\r\n";
const LABEL_COUNTER: &[u8] = b"! U1 getvar \"odometer.total_label_count\"\r\n";
const MAX_REPLY_BYTES: usize = 4096;

/// How long to wait for each thing.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Looking the name up and connecting, together.
    pub connect: Duration,
    /// One question and its answer.
    pub reply: Duration,
    /// Handing one label over.
    pub send: Duration,
    /// Seeing one label come out; the last two questions may end a little later.
    pub confirm: Duration,
    /// Between two looks at a printing printer.
    pub poll: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            reply: Duration::from_secs(3),
            send: Duration::from_secs(30),
            confirm: Duration::from_secs(30),
            poll: Duration::from_millis(50),
        }
    }
}

/// Why there is no conversation with the printer.
#[derive(Debug, thiserror::Error)]
pub enum PrinterError {
    /// The address is not one we may connect to.
    #[error("the printer's address is not allowed")]
    Refused(#[from] Refusal),
    /// The name is unknown, nobody listens, or nobody answered in time.
    #[error("the printer cannot be reached")]
    Unreachable(#[source] io::Error),
    /// The connection existed and ended.
    #[error("the printer closed the connection")]
    Lost(#[source] io::Error),
}

impl PrinterError {
    /// The same for people.
    pub fn fault(&self) -> PrinterFault {
        match self {
            Self::Refused(_) => PrinterFault::AddressRefused,
            Self::Unreachable(_) => PrinterFault::Unreachable,
            Self::Lost(_) => PrinterFault::ConnectionLost,
        }
    }
}

/// How handing over a label failed. The connection is of no use afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not one byte left: sending again is safe.
    #[error("nothing was sent")]
    NothingSent(PrinterFault),
    /// Some bytes left: the label may come out, and only a person or the counter can tell.
    #[error("the connection broke after {written} bytes")]
    Broken {
        /// Bytes the network took.
        written: usize,
    },
}

/// A conversation with one printer. Printers serve one at a time: drop it when idle.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    timeouts: Timeouts,
    /// It has given a host status: its silence then means something.
    speaks: bool,
    sent: bool,
    lost: bool,
}

impl Connection {
    /// Connects to a permitted address. The name is looked up once; all its addresses must be permitted.
    pub async fn open(target: &Target, allowed: &AllowList, timeouts: Timeouts) -> Result<Self, PrinterError> {
        address::check_name(&target.host)?;
        let stream = timeout(timeouts.connect, connect(target, allowed))
            .await
            .unwrap_or_else(|_| Err(PrinterError::Unreachable(io::ErrorKind::TimedOut.into())))?;
        stream.set_nodelay(true).map_err(PrinterError::Unreachable)?;
        Ok(Self { stream, timeouts, speaks: false, sent: false, lost: false })
    }

    /// Asks for the host status. Fails only when the connection is gone; silence is an answer.
    pub async fn status(&mut self) -> Result<Status, PrinterError> {
        let reply = self.ask(HOST_STATUS, status::is_complete).await?;
        if reply.is_empty() {
            return Ok(Status::Silent);
        }
        let Some(host) = HostStatus::parse(&reply) else { return Ok(Status::Unclear) };
        self.speaks = true;
        Ok(Status::Heard(host))
    }

    /// Asks how many labels the printer has printed in its life; none when it does not count or does not answer.
    pub async fn odometer(&mut self) -> Result<Option<u64>, PrinterError> {
        let reply = self.ask(LABEL_COUNTER, status::is_quoted).await?;
        Ok(status::parse_counter(&reply))
    }

    /// Hands over one label. Success means that the network took it, not that it was printed.
    pub async fn send_label(&mut self, label: &[u8]) -> Result<(), SendError> {
        if self.lost || self.discard_unread().is_err() {
            self.lost = true;
            return Err(SendError::NothingSent(PrinterFault::ConnectionLost));
        }
        let mut written = 0;
        let sending = async {
            while written < label.len() {
                match self.stream.write(&label[written..]).await? {
                    0 => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                    taken => written += taken,
                }
            }
            Ok(())
        };
        let outcome = timeout(self.timeouts.send, sending).await;
        if let Ok(Ok(())) = outcome {
            self.sent = true;
            return Ok(());
        }
        self.lost = true;
        match (written, outcome) {
            (0, Ok(_)) => Err(SendError::NothingSent(PrinterFault::ConnectionLost)),
            (0, Err(_)) => Err(SendError::NothingSent(PrinterFault::BufferFull)),
            (written, _) => Err(SendError::Broken { written }),
        }
    }

    /// Waits until `labels` labels have come out: the counter stands at `base` + `labels` and the printer is idle.
    ///
    /// `base` is the counter before sending, none for a printer that does not count. After a broken connection the
    /// same question may be asked over a new one.
    pub async fn confirm(&mut self, base: Option<u64>, labels: u64) -> Result<Proof, Uncertain> {
        let deadline = Instant::now() + self.timeouts.confirm;
        loop {
            let doubt = match self.look(base, labels).await {
                ControlFlow::Break(verdict) => return verdict,
                ControlFlow::Continue(doubt) => doubt,
            };
            if Instant::now() + self.timeouts.poll >= deadline {
                return Err(doubt);
            }
            sleep(self.timeouts.poll).await;
        }
    }

    /// One look: a verdict, or the doubt that remains if there is no time for another.
    async fn look(&mut self, base: Option<u64>, labels: u64) -> ControlFlow<Result<Proof, Uncertain>, Uncertain> {
        let spoke_before = self.speaks;
        // The status comes first: it is answered behind the label, so "idle" covers it.
        let status = match self.status().await {
            Ok(status) => status,
            Err(error) => return ControlFlow::Break(Err(Uncertain::Fault(error.fault()))),
        };
        let doubt = status.fault().map_or(Uncertain::StillBusy, Uncertain::Fault);
        let Some(before) = base else {
            let mute = !spoke_before && !matches!(status, Status::Heard(_));
            return match (self.sent, status.is_idle() || mute) {
                (false, _) => ControlFlow::Break(Err(Uncertain::NoCounter)),
                (true, true) => ControlFlow::Break(Ok(Proof::None)),
                (true, false) => ControlFlow::Continue(doubt),
            };
        };
        let after = match self.odometer().await {
            Ok(Some(after)) => after,
            Ok(None) => return ControlFlow::Continue(Uncertain::Fault(PrinterFault::Silent)),
            Err(error) => return ControlFlow::Break(Err(Uncertain::Fault(error.fault()))),
        };
        let expected = before.saturating_add(labels);
        if after < before || after > expected {
            ControlFlow::Break(Err(Uncertain::CounterJumped { before, after }))
        } else if !status.is_idle() {
            ControlFlow::Continue(doubt)
        } else if after < expected {
            ControlFlow::Continue(Uncertain::NotCounted { before, after })
        } else {
            ControlFlow::Break(Ok(Proof::Counter { before, after }))
        }
    }

    /// Asks and collects the answer until it is `complete`, too long, or the time is up.
    async fn ask(&mut self, question: &[u8], complete: fn(&[u8]) -> bool) -> Result<Vec<u8>, PrinterError> {
        if self.lost {
            return Err(PrinterError::Lost(io::ErrorKind::NotConnected.into()));
        }
        let limit = self.timeouts.reply;
        let (mut asked, mut reply) = (false, Vec::new());
        let exchange = async {
            // A late answer to an earlier question is not an answer to this one.
            self.discard_unread()?;
            self.stream.write_all(question).await?;
            asked = true;
            let mut chunk = [0; 1024];
            while reply.len() < MAX_REPLY_BYTES && !complete(&reply) {
                match self.stream.read(&mut chunk).await? {
                    0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                    length => reply.extend_from_slice(&chunk[..length]),
                }
            }
            Ok(())
        };
        let outcome = timeout(limit, exchange).await;
        // Half a question on the wire would spoil the label behind it.
        self.lost = !asked || matches!(outcome, Ok(Err(_)));
        match outcome {
            Ok(Err(error)) => Err(PrinterError::Lost(error)),
            _ => Ok(reply),
        }
    }

    /// Throws away what has arrived unasked; fails when the printer has hung up.
    fn discard_unread(&self) -> io::Result<()> {
        let mut chunk = [0; 1024];
        for _ in 0..64 {
            match self.stream.try_read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

async fn connect(target: &Target, allowed: &AllowList) -> Result<TcpStream, PrinterError> {
    let addresses: Vec<_> =
        lookup_host((target.host.as_str(), target.port)).await.map_err(PrinterError::Unreachable)?.collect();
    for address in &addresses {
        allowed.check(*address)?;
    }
    // To what was checked: a second lookup could answer differently.
    TcpStream::connect(addresses.as_slice()).await.map_err(PrinterError::Unreachable)
}
