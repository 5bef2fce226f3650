//! How a call to Wildberries can fail, and what their many error envelopes have in common.
//!
//! Only status and code are ever compared: their texts are localised. Envelopes are found by trying, not by the
//! content type, which varies.

use std::time::Duration;

use serde_json::Value;

use super::token::Category;
use crate::telemetry::redacted;
use crate::{Error, Refusal};

/// Their text, kept for people, is cut to this.
const LONGEST_DETAIL: usize = 300;

/// Why a call did not bring what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// 401: the token is malformed, expired, withdrawn, or of the wrong category or kind.
    #[error("Wildberries does not accept the token: {detail}")]
    Unauthorized {
        /// Their words.
        detail: String,
    },
    /// 402: the service's account at Wildberries is empty.
    #[error("Wildberries wants to be paid: {detail}")]
    PaymentRequired {
        /// Their words.
        detail: String,
    },
    /// 403: this token may not call this method.
    #[error("Wildberries forbids the call: {code}: {detail}")]
    Forbidden {
        /// Their code.
        code: String,
        /// Their words.
        detail: String,
    },
    /// 404: no such thing, or no such method.
    #[error("Wildberries does not find it: {code}: {detail}")]
    NotFound {
        /// Their code.
        code: String,
        /// Their words.
        detail: String,
    },
    /// Any other 4XX, or a refusal of our item inside a 200.
    #[error("{code}: {detail}")]
    Refused {
        /// The status of the answer.
        status: u16,
        /// Their code, for example `FailedToAddSupplyOrder`; empty where the envelope has none.
        code: String,
        /// Their words.
        detail: String,
        /// What they name besides, for example orders whose marks are not in order.
        data: Option<Value>,
    },
    /// 429, in spite of our own budget: somebody else spends from it, too.
    #[error("Wildberries asks to wait {} s", .retry_after.as_secs_f32())]
    Throttled {
        /// When to come back.
        retry_after: Duration,
    },
    /// Our own budget is spent; no call was made.
    #[error("the request budget is spent for {} s", .retry_after.as_secs_f32())]
    Budget {
        /// When to come back.
        retry_after: Duration,
    },
    /// The host failed too often lately; no call was made.
    #[error("Wildberries is left alone for {} s", .retry_after.as_secs_f32())]
    BreakerOpen {
        /// When to come back.
        retry_after: Duration,
    },
    /// No answer: connection, time limit, or an answer cut off.
    #[error("Wildberries did not answer")]
    Unreachable {
        /// Whether the request may have arrived all the same.
        sent: bool,
        /// The cause, for the log.
        #[source]
        source: reqwest::Error,
    },
    /// 5XX.
    #[error("Wildberries failed with {status}")]
    Server {
        /// The status of the answer.
        status: u16,
    },
    /// An answer that does not look as expected.
    #[error("Wildberries' answer is not understood: {why}")]
    Unreadable {
        /// What is wrong with it.
        why: String,
    },
    /// Refused here: the token has no bit for this method.
    #[error("the token lacks the category {}", .0.title())]
    LacksCategory(Category),
    /// Refused here: the method writes and the token may only read.
    #[error("the token is read-only")]
    ReadOnly,
    /// Refused here: Wildberries takes fewer at once.
    #[error("{given} orders in one call where Wildberries takes {most}")]
    TooMany {
        /// How many were given.
        given: usize,
        /// How many it takes.
        most: usize,
    },
}

impl CallError {
    /// Whether a write may have happened although it failed: then read back before anything else.
    pub fn is_uncertain(&self) -> bool {
        matches!(self, Self::Unreachable { sent: true, .. } | Self::Server { .. } | Self::Unreadable { .. })
    }

    /// Whether the account should not be used until somebody looked at its token.
    pub fn blocks_the_account(&self) -> bool {
        matches!(self, Self::Unauthorized { .. } | Self::Forbidden { .. } | Self::PaymentRequired { .. })
    }

    /// What may be logged of it: everything but their words, which may hold anything.
    pub fn fact(&self) -> String {
        match (self, self.word()) {
            (
                Self::Unauthorized { .. }
                | Self::PaymentRequired { .. }
                | Self::Forbidden { .. }
                | Self::NotFound { .. }
                | Self::Refused { .. },
                Some(word),
            ) => format!("Wildberries refused the call: {word}"),
            _ => self.to_string(),
        }
    }

    /// What is kept of a failed call: a word of ours. Nothing where no call was made.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Self::Unauthorized { .. } => Some("unauthorized"),
            Self::PaymentRequired { .. } => Some("payment_required"),
            Self::Forbidden { .. } => Some("forbidden"),
            Self::NotFound { .. } => Some("not_found"),
            Self::Refused { .. } => Some("refused"),
            Self::Throttled { .. } => Some("throttled"),
            Self::Unreachable { .. } => Some("unreachable"),
            Self::Server { .. } => Some("server_error"),
            Self::Unreadable { .. } => Some("unreadable"),
            Self::Budget { .. }
            | Self::BreakerOpen { .. }
            | Self::LacksCategory(_)
            | Self::ReadOnly
            | Self::TooMany { .. } => None,
        }
    }

    /// Their code, if they refused with one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } | Self::NotFound { code, .. } | Self::Forbidden { code, .. } => Some(code),
            _ => None,
        }
    }

    /// When to come back, if somebody said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Budget { retry_after } | Self::BreakerOpen { retry_after } => {
                Some(*retry_after)
            }
            _ => None,
        }
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        let detail = error.to_string();
        match error {
            CallError::Unauthorized { .. } => Self::refused(Refusal::TokenRejected, detail),
            CallError::PaymentRequired { .. } => Self::refused(Refusal::AccountBlocked, detail),
            CallError::Forbidden { .. } | CallError::NotFound { .. } | CallError::Refused { .. } => {
                Self::refused(Refusal::WildberriesRefused, detail)
            }
            CallError::LacksCategory(_) => Self::refused(Refusal::TokenLacksCategory, detail),
            CallError::ReadOnly => Self::refused(Refusal::TokenReadOnly, detail),
            CallError::TooMany { .. } => Self::Inconsistent(detail),
            CallError::Throttled { .. }
            | CallError::Budget { .. }
            | CallError::BreakerOpen { .. }
            | CallError::Unreachable { .. }
            | CallError::Server { .. }
            | CallError::Unreadable { .. } => Self::Unavailable {
                what: "Wildberries",
                retry_after: error.retry_after(),
                source: Some(Box::new(error)),
            },
        }
    }
}

/// What all their envelopes say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Envelope {
    pub code: String,
    pub detail: String,
    pub data: Option<Value>,
}

impl Envelope {
    /// Finds code and text in any of their shapes: objects of several kinds, an array of them, or plain text.
    pub fn read(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(Value::Array(items)) => {
                Self { data: Some(Value::Array(items.clone())), ..items.first().map_or_else(Self::default, Self::of) }
            }
            Ok(value @ Value::Object(_)) => Self::of(&value),
            Ok(Value::String(text)) => Self { detail: cut(&text), ..Self::default() },
            _ => Self { detail: cut(&String::from_utf8_lossy(body)), ..Self::default() },
        }
    }

    /// Some methods refuse inside a 200: `error` is then `true` and there are no data.
    pub fn of_refusal_inside(value: &Value) -> Option<Self> {
        (value.get("error") == Some(&Value::Bool(true))).then(|| Self::of(value))
    }

    fn of(value: &Value) -> Self {
        let text = |name| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        // The gateway's `code` is a different one in every answer; its `title` is the stable word.
        let from_gateway =
            value.get("origin").and_then(Value::as_str).is_some_and(|origin| origin.starts_with("s2s-api-auth"));
        let code = if from_gateway { text("title") } else { text("code").or_else(|| text("title")) };
        let detail = ["detail", "message", "errorText", "title"].into_iter().find_map(text);
        let data = ["data", "errors", "additionalErrors"]
            .into_iter()
            .find_map(|name| value.get(name).filter(|data| !data.is_null()));
        Self { code: cut(code.unwrap_or_default()), detail: cut(detail.unwrap_or_default()), data: data.cloned() }
    }

    /// The error for this status, which is not a success.
    pub fn into_error(self, status: u16) -> CallError {
        let Self { code, detail, data } = self;
        match status {
            401 => CallError::Unauthorized { detail },
            402 => CallError::PaymentRequired { detail },
            403 => CallError::Forbidden { code, detail },
            404 => CallError::NotFound { code, detail },
            500.. => CallError::Server { status },
            400..500 => CallError::Refused { status, code, detail, data },
            _ => CallError::Unreadable { why: format!("status {status}") },
        }
    }
}

/// Text of others: without anything that looks like a secret (an answer may repeat our own header), without control
/// characters and not too long.
fn cut(text: &str) -> String {
    redacted(text)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_DETAIL)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> (String, String, Option<Value>) {
        let envelope = Envelope::read(body.as_bytes());
        (envelope.code, envelope.detail, envelope.data)
    }

    #[test]
    fn every_known_envelope_gives_code_and_detail() {
        let cases = [
            (
                r#"{"title":"too many requests","detail":"limited by x","code":"07e4-[UK]","origin":"s2s-api-auth-catalog","status":429}"#,
                "too many requests",
                "limited by x",
            ),
            (r#"{"code":"StatusMismatch","message":"Несоответствие"}"#, "StatusMismatch", "Несоответствие"),
            (
                r#"{"code":"BadRequest","detail":"Incorrect parameter","title":"IncorrectParameter","origin":"marketplace-public-api"}"#,
                "BadRequest",
                "Incorrect parameter",
            ),
            (r#"{"title":"IncorrectRequestBody","detail":"Incorrect body"}"#, "IncorrectRequestBody", "Incorrect body"),
            (r#"{"data":null,"error":true,"errorText":"Нельзя","additionalErrors":{}}"#, "", "Нельзя"),
            ("Request body can not be decoded", "", "Request body can not be decoded"),
            ("", "", ""),
            ("null", "", "null"),
            (r#"{"code":7,"message":["x"]}"#, "", ""),
            (r#"{"code":"Cut"#, "", r#"{"code":"Cut"#),
        ];
        for (body, code, detail) in cases {
            let (found_code, found_detail, _) = refused(body);
            assert_eq!((found_code.as_str(), found_detail.as_str()), (code, detail), "{body}");
        }
    }

    #[test]
    fn an_array_speaks_with_its_first_entry_and_keeps_all() {
        let (code, _, data) =
            refused(r#"[{"code":"StoreIsProcessing","message":"m","data":[{"chrtId":1}]},{"code":"NotFound"}]"#);
        assert_eq!(code, "StoreIsProcessing");
        assert_eq!(data.and_then(|data| data.as_array().map(Vec::len)), Some(2));
    }

    #[test]
    fn orders_with_bad_marks_are_kept() {
        let (code, _, data) = refused(r#"{"code":"MetaValidationFail","message":"m","data":{"orders":[{"id":1}]}}"#);
        assert_eq!(code, "MetaValidationFail");
        assert_eq!(data.and_then(|data| data["orders"][0]["id"].as_i64()), Some(1));
    }

    #[test]
    fn foreign_text_is_cut_and_has_no_line_ends() {
        let (_, detail, _) = refused(&format!("a\r\nb\u{1b}[31m{}", "я".repeat(1_000)));
        assert_eq!(detail.chars().count(), LONGEST_DETAIL);
        assert!(detail.starts_with("a  b [31m"));
    }

    #[test]
    fn only_what_passes_becomes_unavailable() {
        let passing = |status| Error::from(Envelope::default().into_error(status)).is_passing();
        assert!([500, 502, 503, 302].into_iter().all(passing));
        assert!(![400, 401, 402, 403, 404, 409, 422].into_iter().any(passing));
        let wait = Duration::from_secs(7);
        assert!(matches!(
            Error::from(CallError::Budget { retry_after: wait }),
            Error::Unavailable { retry_after: Some(after), .. } if after == wait
        ));
    }
}
