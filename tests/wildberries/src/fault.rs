//! Faults put in the way of the next calls on purpose.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::limits::refused;
use crate::reply::{Reply, gateway};

/// A fault for the next `times` calls that match.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    /// A part of the path, such as `/orders/stickers`; empty for every path.
    #[serde(default)]
    pub path: String,
    /// The method, if only one is meant.
    #[serde(default)]
    pub method: Option<String>,
    /// The seller, if only one is meant.
    #[serde(default)]
    pub seller: Option<uuid::Uuid>,
    /// How many calls it meets.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// A fault for the next call to a path that contains `path`.
    pub fn once(path: impl Into<String>, kind: FaultKind) -> Self {
        Self { path: path.into(), method: None, seller: None, times: 1, kind }
    }

    /// The same for several calls.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }
}

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// 429 of the limiter over all methods; come back in so many seconds.
    TooMany {
        /// Seconds.
        retry: u32,
    },
    /// A gateway answer with this status; nothing is done.
    Status {
        /// Such as 500, 502 or 503.
        status: u16,
    },
    /// Plain text where JSON is expected; nothing is done.
    PlainText {
        /// Such as 500.
        status: u16,
    },
    /// The connection closes without an answer; nothing is done.
    Drop,
    /// All is done, then the connection closes without an answer.
    DropAfterCommit,
    /// All is done, then the gateway says 504.
    TimeoutAfterCommit,
    /// The answer is late.
    Slow {
        /// Milliseconds.
        millis: u64,
    },
    /// The answer stops in the middle of its JSON.
    Truncate,
    /// Objects carry fields nobody has heard of.
    ExtraFields,
    /// Statuses and decisions carry a word nobody has heard of.
    UnknownEnum,
    /// Lists come in another order.
    Shuffled,
    /// The first entry of every list comes twice.
    Duplicated,
    /// The first entries of every list are missing.
    Missing {
        /// How many.
        count: usize,
    },
    /// One value of the answer is not as documented.
    Mutated {
        /// Which one, as a JSON pointer, such as `/orders/0/price`.
        at: String,
        /// What became of it.
        change: Mutation,
    },
}

/// What became of a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mutation {
    /// It is not there.
    Gone,
    /// Its field has another name.
    Renamed(String),
    /// It is another one; a field that was not there is there.
    Became(Value),
}

impl Mutation {
    fn apply(&self, body: &mut Value, at: &str) {
        let Some((around, name)) = at.rsplit_once('/') else { return };
        match (self, body.pointer_mut(around)) {
            (Self::Gone, Some(Value::Object(fields))) => drop(fields.remove(name)),
            (Self::Renamed(other), Some(Value::Object(fields))) => {
                if let Some(value) = fields.remove(name) {
                    fields.insert(other.clone(), value);
                }
            }
            (Self::Became(value), Some(Value::Object(fields))) => drop(fields.insert(name.to_owned(), value.clone())),
            (Self::Became(value), Some(Value::Array(entries))) => {
                if let Some(entry) = name.parse().ok().and_then(|place: usize| entries.get_mut(place)) {
                    *entry = value.clone();
                }
            }
            _ => {}
        }
    }
}

impl FaultKind {
    /// An answer in place of the work.
    pub(crate) fn instead(&self, seller: &str) -> Option<Reply> {
        match self {
            Self::TooMany { retry } => {
                let retry = f64::from(*retry);
                Some(refused(&format!("Limited by global limiter, per seller {seller}"), retry, retry, 0.0))
            }
            Self::Status { status } => Some(gateway(*status, "the service did not answer")),
            Self::PlainText { status } => {
                Some(Reply::text(*status, "upstream connect error or disconnect/reset before headers"))
            }
            Self::Drop => Some(Reply::text(502, "")),
            _ => None,
        }
    }

    pub(crate) fn cuts(&self) -> bool {
        matches!(self, Self::Drop | Self::DropAfterCommit)
    }

    /// Spoils an answer after the work is done.
    pub(crate) fn spoil(&self, reply: &mut Reply) {
        match self {
            Self::TimeoutAfterCommit => *reply = gateway(504, "the service did not answer in time"),
            Self::Truncate => reply.body.truncate(reply.body.len() / 2),
            Self::ExtraFields => rewrite(reply, &|value| {
                if let Some(fields) = value.as_object_mut() {
                    fields.insert("fieldOfTomorrow".into(), json!({ "nested": [1, "два", null] }));
                }
            }),
            Self::UnknownEnum => rewrite(reply, &|value| {
                for name in ["supplierStatus", "wbStatus", "decision", "officeType", "deliveryType"] {
                    if let Some(word @ Value::String(_)) = value.get_mut(name) {
                        *word = "status_of_tomorrow".into();
                    }
                }
            }),
            Self::Shuffled => rewrite(reply, &|value| {
                if let Some(list) = value.as_array_mut() {
                    list.reverse();
                    let middle = list.len() / 3;
                    list.rotate_left(middle);
                }
            }),
            Self::Duplicated => rewrite(reply, &|value| {
                if let Some(list) = value.as_array_mut().filter(|list| list.iter().any(Value::is_object)) {
                    list.push(list[0].clone());
                }
            }),
            Self::Missing { count } => rewrite(reply, &|value| {
                if let Some(list) = value.as_array_mut().filter(|list| list.iter().any(Value::is_object)) {
                    list.drain(..(*count).min(list.len()));
                }
            }),
            Self::Mutated { at, change } => {
                let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) else { return };
                change.apply(&mut body, at);
                reply.body = body.to_string().into_bytes();
            }
            _ => {}
        }
    }
}

fn rewrite(reply: &mut Reply, change: &dyn Fn(&mut Value)) {
    let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) else { return };
    walk(&mut body, change);
    reply.body = body.to_string().into_bytes();
}

/// What is within first, so that nothing new is changed again.
fn walk(value: &mut Value, change: &dyn Fn(&mut Value)) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|value| walk(value, change)),
        Value::Object(fields) => fields.values_mut().for_each(|value| walk(value, change)),
        _ => {}
    }
    change(value);
}

/// The faults that wait for a call.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn waiting(&self) -> &[Fault] {
        &self.0
    }

    /// The first fault that meets this call; used up as it does.
    pub(crate) fn meet(&mut self, method: &str, path: &str, seller: uuid::Uuid) -> Option<FaultKind> {
        let place = self.0.iter().position(|fault| {
            path.contains(&fault.path)
                && fault.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && fault.seller.is_none_or(|wanted| wanted == seller)
        })?;
        let fault = &mut self.0[place];
        fault.times = fault.times.saturating_sub(1);
        let kind = fault.kind.clone();
        if fault.times == 0 {
            self.0.remove(place);
        }
        Some(kind)
    }
}
