//! Faults put in the way of calls on purpose.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::limits::refused;
use crate::reply::{Reply, gateway};
use crate::wire::Wire;

/// A fault in the way of the calls that match it: the next few, a share of them, or all until a moment.
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
    /// How many calls it meets; if not said, one, or any number where `share` or `until` ends it.
    #[serde(default)]
    pub times: Option<u32>,
    /// Which part of the matching calls it meets, from 0 to 1; all if not said. Chance grows from the simulator's seed.
    #[serde(default)]
    pub share: Option<f64>,
    /// When it is over by the simulator's clock.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

impl Fault {
    /// A fault for the next call to a path that contains `path`.
    pub fn once(path: impl Into<String>, kind: FaultKind) -> Self {
        Self { path: path.into(), method: None, seller: None, times: Some(1), share: None, until: None, kind }
    }

    /// The same for several calls.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// The same for every matching call before this moment of the simulator's clock.
    #[must_use]
    pub fn until(self, at: DateTime<Utc>) -> Self {
        Self { times: None, until: Some(at), ..self }
    }

    /// The same for a share of the matching calls, from 0 to 1, until faults are cleared.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        Self { times: None, share: Some(share), ..self }
    }

    /// The same for calls with this method only.
    #[must_use]
    pub fn method(self, method: impl Into<String>) -> Self {
        Self { method: Some(method.into()), ..self }
    }

    /// The same for this seller only.
    #[must_use]
    pub fn seller(self, sid: uuid::Uuid) -> Self {
        Self { seller: Some(sid), ..self }
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
    /// Entries are missing from every list by chance: a read of stocks, say, that leaves out sizes.
    MissingShare {
        /// Per cent of the entries.
        percent: u8,
    },
    /// 429 that does not say when to come back; nothing is done.
    TooManyBare,
    /// A page of HTML where JSON is expected; nothing is done.
    Html {
        /// Such as 200 or 502.
        status: u16,
    },
    /// 409 in the manner of the method; nothing is done. With `until`, a conflict that lasts for a stretch of time.
    Conflict {
        /// The code, where the method has one; else what the method says most often.
        #[serde(default)]
        code: Option<String>,
    },
    /// No answer, for as long as the client waits; nothing is done.
    Hang,
    /// All is done, then no answer for as long as the client waits.
    HangAfterCommit,
    /// The connection is reset; nothing is done.
    Reset,
    /// All is done, then the connection is reset.
    ResetAfterCommit,
    /// The body drips.
    SlowBytes {
        /// Bytes that come at once.
        #[serde(default = "drop_size")]
        bytes: usize,
        /// Milliseconds between two drops.
        millis: u64,
    },
    /// The answer is valid and enormous: white space makes it so.
    Huge {
        /// At least so many megabytes; 1024 at the most.
        megabytes: usize,
    },
    /// A list that would end begins again, and promises more every time.
    EndlessPages,
    /// The last entry of a page comes with the next page, and another comes twice in its place.
    ShiftedPages,
    /// 204 for a stock update, and rows that change nothing. The rows are remembered: see `Simulator::ignored_rows`.
    IgnoredRows {
        /// Per cent of the rows.
        percent: u8,
    },
    /// One value of the answer is not as documented.
    Mutated {
        /// Which one, as a JSON pointer, such as `/orders/0/price`.
        at: String,
        /// What became of it.
        change: Mutation,
    },
}

fn drop_size() -> usize {
    64
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
    /// An answer in place of the work; a conflict is answered by its method, which knows the shape.
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
            Self::Drop | Self::Hang | Self::Reset => Some(Reply::text(502, "")),
            Self::TooManyBare => Some(gateway(429, &format!("Limited by global limiter, per seller {seller}"))),
            Self::Html { status } => Some(Reply::html(*status, PAGE)),
            _ => None,
        }
    }

    /// How the answer goes out.
    pub(crate) fn wire(&self) -> Wire {
        match self {
            Self::Drop | Self::DropAfterCommit => Wire::Cut,
            Self::Reset | Self::ResetAfterCommit => Wire::Reset,
            Self::Hang | Self::HangAfterCommit => Wire::Silence,
            Self::SlowBytes { bytes, millis } => Wire::Drip { bytes: (*bytes).max(1), millis: *millis },
            // More than a client must ever be able to bear would only hurt ourselves.
            Self::Huge { megabytes } => Wire::Padded { bytes: (*megabytes).min(1024) << 20 },
            _ => Wire::Whole,
        }
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

pub(crate) fn rewrite(reply: &mut Reply, change: &dyn Fn(&mut Value)) {
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

/// What a proxy in the way shows to people.
const PAGE: &str = "<!DOCTYPE html><html><head><title>Почти готово…</title></head>\
    <body><h1>Проверяем браузер</h1><p>Это займёт несколько секунд.</p></body></html>";
