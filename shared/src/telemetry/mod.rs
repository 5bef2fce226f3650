//! Logs: one line per event, JSON for machines or text for people, to standard error.
//!
//! Whatever is logged goes through [`Lines`]: secrets are cut out, control characters are shown as such, and no line is
//! longer than 8 KiB. What people are told of a refusal, and Wildberries' words in it, stays out of logs: see [`chain`].

mod lines;
mod redact;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::wildberries::CallError;

pub use lines::{Form, LONGEST_LINE, Lines};
pub use redact::redacted;

/// Starts logging for the whole process, as `RUST_LOG` and `LOG_FORMAT` say; panics are logged like everything else.
/// Later calls change nothing.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let text = std::env::var("LOG_FORMAT").is_ok_and(|format| format == "text");
    let lines = Lines::new(if text { Form::Text } else { Form::Json }, std::io::stderr);
    // A second start, as tests do it, keeps the first subscriber.
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
}

/// A panic as a line of the log: what it says may hold anything, so it takes the same road.
pub fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let payload = panic.payload();
    let why = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let place = panic.location().map(ToString::to_string);
    tracing::error!(panic.place = place, "Panicked: {}", why.unwrap_or("for an unknown reason"));
}

/// The whole chain of causes in one line: `Display` of an error states only its own fact. Of a refusal it has the code:
/// the words are for whoever was refused, and may be Wildberries'.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = fact(error);
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&fact(source));
        cause = source.source();
    }
    text
}

fn fact(error: &(dyn std::error::Error + 'static)) -> String {
    if let Some(crate::Error::Refused { refusal, .. }) = error.downcast_ref() {
        return format!("refused: {}", refusal.code());
    }
    error.downcast_ref().map_or_else(|| error.to_string(), CallError::fact)
}

#[cfg(test)]
mod tests;
