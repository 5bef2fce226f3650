//! What their answers look like as we know them, and what is different in one that came.
//!
//! Answers are read tolerantly first (`model`); then every entry is looked at beside that. Looking cannot fail a call, costs
//! a fraction of the parse (a test counts it), and keeps no text of theirs: names and words that look like such, kinds of
//! values, nothing else.

mod drift;
mod look;

#[cfg(test)]
mod tests;

pub(super) use drift::explained;
pub use drift::{Drift, DriftKind, Noticed};

/// What a value is. `null` is none of anything, so it is allowed wherever a field may be missing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// True or false.
    Flag,
    /// A number without a fraction.
    Whole,
    /// Any number.
    Number,
    /// Any text.
    Text,
    /// RFC 3339, or an empty text.
    Moment,
    /// A day, alone or in front of a moment, or an empty text.
    Day,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these numbers.
    Code(&'static [i64]),
    /// All entries alike.
    List(&'static Kind),
    /// Fields, in one list or several.
    Object(&'static [&'static [Field]]),
    /// Not looked into.
    Anything,
}

/// A field of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    name: &'static str,
    always: bool,
    kind: Kind,
}

/// A field that is always there and never `null`.
pub(super) const fn always(name: &'static str, kind: Kind) -> Field {
    Field { name, always: true, kind }
}

/// A field that may be missing or `null`.
pub(super) const fn sometimes(name: &'static str, kind: Kind) -> Field {
    Field { name, always: false, kind }
}

impl Kind {
    /// As the documentation of JSON has it.
    fn word(self) -> &'static str {
        match self {
            Self::Flag => "boolean",
            Self::Whole | Self::Code(_) => "integer",
            Self::Number => "number",
            Self::Text | Self::Word(_) => "string",
            Self::Moment => "moment",
            Self::Day => "day",
            Self::List(_) => "array",
            Self::Object(_) => "object",
            Self::Anything => "anything",
        }
    }
}
