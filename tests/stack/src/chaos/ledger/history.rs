//! What was asked for and what was told: written down by whoever asks, judged afterwards by the checker.

use serde_json::Value;

use crate::client::Answer;

/// Rules that may say no here; any other refusal is a fault of ours.
pub(super) const REFUSALS: [&str; 7] = [
    "hold_ended",
    "hold_unknown",
    "lot_unknown",
    "not_enough_stock",
    "reservation_ended",
    "reservation_unknown",
    "same_cell",
];

/// What a client asks for, under a number of its own, so that its document is found afterwards.
#[derive(Clone, Debug)]
pub(super) struct Act {
    /// What its document is called.
    pub kind: &'static str,
    pub path: &'static str,
    pub body: Value,
}

impl Act {
    /// The number of its document.
    pub fn number(&self) -> &str {
        self.body["number"].as_str().unwrap_or_default()
    }
}

/// What a client was told of an act.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// It was done, or some rows of it, with this answer.
    Done(Value),
    /// It was not done, with this answer.
    Refused(Value),
    /// Nothing: the connection broke, or the process died.
    Nothing,
}

impl Told {
    /// What an answer says; nothing if no rule of this trade says it.
    pub fn of(answer: &Answer) -> Option<Self> {
        if answer.status.as_u16() == 200 && answer.body["rows"].is_array() {
            let done = !answer.body["document"].is_null();
            return Some(if done { Self::Done(answer.body.clone()) } else { Self::Refused(answer.body.clone()) });
        }
        REFUSALS.contains(&answer.code()).then(|| Self::Refused(answer.body.clone()))
    }
}

/// One line of the history.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub act: Act,
    pub told: Told,
}

/// An order of a buyer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// Its number at Wildberries.
    pub number: i64,
    /// The size that was ordered.
    pub size: i64,
}

/// A unit that was taken out of its cell, as it was acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Picked {
    pub order: String,
    pub product: String,
    pub cell: String,
}

/// A unit of a cancelled order that was put back, as it was acknowledged.
#[derive(Clone, Debug)]
pub(super) struct PutBack {
    pub order: String,
    pub product: String,
    /// The code of the cell.
    pub cell: String,
}

/// A line of a goods receipt: so many units of a lot into a cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReceiptLine {
    pub product: String,
    /// The code of the cell.
    pub cell: String,
    /// The lot's code.
    pub lot: Option<String>,
    pub quantity: i64,
}

/// A goods receipt that was acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Receipt {
    pub id: String,
    pub lines: Vec<ReceiptLine>,
}

/// Everything that anybody wrote down.
#[derive(Default)]
pub(super) struct History {
    pub acts: Vec<Line>,
    pub placed: Vec<Placed>,
    /// Numbers at Wildberries of orders that their buyers cancelled.
    pub cancelled: Vec<i64>,
    pub picked: Vec<Picked>,
    pub put_back: Vec<PutBack>,
    pub receipts: Vec<Receipt>,
    /// Transfers as the last answer told them.
    pub transfers: Vec<Value>,
}

impl History {
    pub fn add(&mut self, other: Self) {
        self.acts.extend(other.acts);
        self.placed.extend(other.placed);
        self.cancelled.extend(other.cancelled);
        self.picked.extend(other.picked);
        self.put_back.extend(other.put_back);
        self.receipts.extend(other.receipts);
        self.transfers.extend(other.transfers);
    }
}
