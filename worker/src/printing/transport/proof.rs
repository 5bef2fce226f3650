//! Whether a label came out, and how that is known.

use super::fault::PrinterFault;

/// How it is known that the label came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The printer's own counter grew by exactly the labels sent, and it is idle.
    Counter {
        /// Before sending.
        before: u64,
        /// After it.
        after: u64,
    },
    /// The printer does not count; everything was handed over and it reports no fault.
    None,
}

/// Why it is not known whether the label came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Uncertain {
    /// The printer stopped, went silent or away.
    #[error("the printer stopped before the label was confirmed: {}", .0.code())]
    Fault(PrinterFault),
    /// It is still printing what it holds.
    #[error("the printer was still busy when the time was up")]
    StillBusy,
    /// Idle, and fewer labels counted than were sent.
    #[error("the label counter stayed at {after} (was {before})")]
    NotCounted {
        /// Before sending.
        before: u64,
        /// After it.
        after: u64,
    },
    /// The counter moved in a way our label does not explain: another program printed, or it was reset.
    #[error("the label counter went from {before} to {after}")]
    CounterJumped {
        /// Before sending.
        before: u64,
        /// After it.
        after: u64,
    },
    /// The printer does not count, and the label went through an earlier connection.
    #[error("the printer does not count labels")]
    NoCounter,
}

impl Uncertain {
    /// The stable name, for storing and for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.code(),
            Self::StillBusy => "still_busy",
            Self::NotCounted { .. } => "not_counted",
            Self::CounterJumped { .. } => "counter_jumped",
            Self::NoCounter => "no_counter",
        }
    }

    /// A sentence in English: what is known.
    pub const fn title_en(self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.title_en(),
            Self::StillBusy => "The printer is still printing: see whether the label comes out.",
            Self::NotCounted { .. } => "The printer has not counted the label: see whether it came out.",
            Self::CounterJumped { .. } => {
                "The printer's counter does not fit: another program may have printed. See whether the label came out."
            }
            Self::NoCounter => "The connection broke and the printer keeps no count: see whether the label came out.",
        }
    }

    /// The same in Russian.
    pub const fn title_ru(self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.title_ru(),
            Self::StillBusy => "Принтер ещё печатает: проверьте, вышла ли этикетка.",
            Self::NotCounted { .. } => "Принтер не засчитал этикетку: проверьте, вышла ли она.",
            Self::CounterJumped { .. } => {
                "Счётчик принтера не сходится: возможно, печатала другая программа. Проверьте, вышла ли этикетка."
            }
            Self::NoCounter => "Связь прервалась, а счётчика у принтера нет: проверьте, вышла ли этикетка.",
        }
    }
}
