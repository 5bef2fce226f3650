//! The inside of the printer: its buffer, its press, its counter and what is broken on it.

use std::{
    collections::VecDeque,
    fs,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use super::{
    framing::{Framer, Piece},
    label::{Format, Label},
    status::{self, Condition},
};

/// How many formats fit into the buffer before the printer stops reading.
const BUFFER: usize = 64;

/// Something that goes wrong. Faults add up until they are cleared; those that happen once clear themselves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// No paper: nothing is printed, what comes in waits
    MediaOut,
    /// No ribbon
    RibbonOut,
    /// The head is open
    HeadOpen,
    /// Somebody pressed pause
    Pause,
    /// Status requests get no answer
    Silent,
    /// Connections are accepted, nothing is read
    Stall,
    /// Switched off: connections are refused, open ones are reset
    Refuse,
    /// Once: resets the connection after so many more bytes; what was complete by then is printed
    ResetAfter(usize),
    /// Once: the next label comes out, then the power fails before it is counted, and the buffer is lost
    CrashBeforeCount,
}

#[derive(Debug, Default)]
struct State {
    framer: Framer,
    queue: VecDeque<Format>,
    /// Copies of the first waiting format that came out already
    copies_done: u32,
    faults: Vec<Fault>,
    reset: bool,
    labels_per_second: Option<f64>,
    counter: u64,
    labels: Vec<Label>,
}

impl State {
    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn is_blocked(&self) -> bool {
        [Fault::MediaOut, Fault::RibbonOut, Fault::HeadOpen, Fault::Pause, Fault::Refuse].iter().any(|it| self.has(*it))
    }

    fn condition(&self) -> Condition {
        let remaining = self.queue.front().map_or(0, |format| format.copies - self.copies_done);
        Condition {
            media_out: self.has(Fault::MediaOut),
            ribbon_out: self.has(Fault::RibbonOut),
            head_open: self.has(Fault::HeadOpen),
            paused: self.has(Fault::Pause),
            label_length: self.labels.last().map_or(320, |label| label.bitmap.height),
            formats: self.queue.len(),
            is_full: self.queue.len() >= BUFFER,
            is_partial: self.framer.is_partial(),
            remaining,
        }
    }

    fn lose_buffer(&mut self) {
        self.framer.reset();
        self.queue.clear();
        self.copies_done = 0;
    }

    fn obey(&mut self, piece: Piece) -> Option<String> {
        match piece {
            Piece::Label(bytes) => self.queue.push_back(Format::read(bytes)),
            Piece::CancelAll => {
                self.queue.clear();
                self.copies_done = 0;
            }
            // The framer has forgotten it already.
            Piece::CancelFormat => {}
            Piece::HostStatus => return Some(status::host(&self.condition())),
            Piece::ErrorStatus => return Some(status::errors(&self.condition())),
            Piece::Variable(name) if name == "odometer.total_label_count" => {
                return Some(format!("\"{}\"", self.counter));
            }
            Piece::Variable(_) => return Some("\"?\"".into()),
        }
        None
    }
}

/// What the port does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    /// Reads at most so many bytes
    Read(usize),
    /// Reads nothing until something changes
    Wait,
    /// Resets the connection
    Reset,
}

/// The printer behind its port.
#[derive(Debug)]
pub(super) struct Device {
    state: Mutex<State>,
    folder: Option<PathBuf>,
    changes: watch::Sender<u64>,
}

impl Device {
    pub(super) fn new(folder: Option<PathBuf>, labels_per_second: Option<f64>) -> Self {
        let state = State { labels_per_second, ..State::default() };
        Self { state: Mutex::new(state), folder, changes: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let outcome = act(&mut self.lock());
        self.changes.send_modify(|count| *count += 1);
        outcome
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn break_down(&self, fault: Fault) {
        self.change(|state| {
            state.faults.push(fault);
            if fault == Fault::Refuse {
                state.lose_buffer();
            }
        });
    }

    pub(super) fn repair(&self) {
        self.change(|state| state.faults.clear());
    }

    pub(super) fn set_speed(&self, labels_per_second: Option<f64>) {
        self.change(|state| state.labels_per_second = labels_per_second);
    }

    pub(super) fn forget(&self) {
        self.change(|state| state.labels.clear());
    }

    pub(super) fn refuses(&self) -> bool {
        self.lock().has(Fault::Refuse)
    }

    pub(super) fn labels(&self) -> Vec<Label> {
        self.lock().labels.clone()
    }

    pub(super) fn count(&self) -> usize {
        self.lock().labels.len()
    }

    pub(super) fn odometer(&self) -> u64 {
        self.lock().counter
    }

    pub(super) fn waiting(&self) -> usize {
        self.lock().queue.len()
    }

    /// A new connection: what was to end the last one is over.
    pub(super) fn connected(&self) {
        self.lock().reset = false;
    }

    pub(super) fn order(&self) -> Order {
        let mut state = self.lock();
        let left =
            state.faults.iter().find_map(|fault| if let Fault::ResetAfter(left) = fault { Some(*left) } else { None });
        if left == Some(0) {
            state.faults.retain(|fault| !matches!(fault, Fault::ResetAfter(_)));
            return Order::Reset;
        }
        if state.reset || state.has(Fault::Refuse) {
            return Order::Reset;
        }
        if state.has(Fault::Stall) || state.queue.len() >= BUFFER {
            return Order::Wait;
        }
        Order::Read(left.unwrap_or(usize::MAX))
    }

    /// Takes bytes from the port and answers with what goes back.
    pub(super) fn receive(&self, bytes: &[u8]) -> String {
        self.change(|state| {
            for fault in &mut state.faults {
                if let Fault::ResetAfter(left) = fault {
                    *left = left.saturating_sub(bytes.len());
                }
            }
            let pieces = state.framer.feed(bytes);
            let answers: Vec<String> = pieces.into_iter().filter_map(|piece| state.obey(piece)).collect();
            if state.has(Fault::Silent) { String::new() } else { answers.concat() }
        })
    }

    /// The time until the next label is out; none when there is nothing to print or something in the way.
    pub(super) fn time_to_print(&self) -> Option<Duration> {
        let state = self.lock();
        (!state.queue.is_empty() && !state.is_blocked()).then(|| {
            state.labels_per_second.map_or(Duration::ZERO, |speed| Duration::from_secs_f64(1.0 / speed.max(0.01)))
        })
    }

    /// One label comes out.
    pub(super) fn print(&self) {
        self.change(|state| {
            if state.is_blocked() {
                return;
            }
            let Some(format) = state.queue.front() else { return };
            let index = state.labels.len() + 1;
            let label = format.label(index, self.store(format, index));
            let copies = format.copies;
            state.labels.push(label);
            if state.has(Fault::CrashBeforeCount) {
                state.faults.retain(|fault| *fault != Fault::CrashBeforeCount);
                state.lose_buffer();
                state.reset = true;
                return;
            }
            state.counter += 1;
            state.copies_done += 1;
            if state.copies_done >= copies {
                state.queue.pop_front();
                state.copies_done = 0;
            }
        });
    }

    fn store(&self, format: &Format, index: usize) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        let png = folder.join(format!("{index:06}.png"));
        fs::write(folder.join(format!("{index:06}.zpl")), &format.bytes).ok()?;
        fs::write(&png, format.bitmap.png().ok()?).ok()?;
        Some(png)
    }
}
