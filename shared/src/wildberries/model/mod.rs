//! Wildberries' words as they come: everything but ids may be missing, unknown fields are ignored, unknown words kept.

mod cards;
mod orders;
mod places;
mod supplies;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub use cards::*;
pub use orders::*;
pub use places::*;
pub use supplies::*;

use super::shape::explained;
use super::{Readable, Unreadable};
use crate::wildberries::CallError;

/// Declares an open set of words: those that are known, and `Other` for those that come later.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A word that was not known when this was written, as it came.
            Other(String),
        }

        impl $name {
            /// Every word that is known.
            pub const WORDS: &'static [&'static str] = &[$($word,)+];

            /// As Wildberries writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::from(std::borrow::Cow::<'de, str>::deserialize(deserializer)?.as_ref()))
            }
        }
    };
}
use words;

/// What the answers of our methods look like.
pub(super) mod shapes {
    pub(in crate::wildberries) use super::cards::shapes::*;
    pub(in crate::wildberries) use super::orders::shapes::*;
    pub(in crate::wildberries) use super::places::shapes::*;
    pub(in crate::wildberries) use super::supplies::shapes::*;
}

/// Reads a list entry by entry. `null` and a missing list are empty ones.
pub(super) fn readable<T: for<'de> Deserialize<'de>>(list: Option<&Value>) -> Result<Readable<T>, CallError> {
    readable_if(list, |_| None)
}

/// The same; what lacks something without which it is of no use counts as unreadable, too.
pub(super) fn readable_if<T: for<'de> Deserialize<'de>>(
    list: Option<&Value>,
    lacks: fn(&T) -> Option<&'static str>,
) -> Result<Readable<T>, CallError> {
    let entries = match list {
        Some(Value::Array(entries)) => entries.as_slice(),
        None | Some(Value::Null) => &[],
        Some(_) => return Err(CallError::Unreadable { why: "no list where there should be one".to_owned() }),
    };
    let mut readable = Readable { items: Vec::with_capacity(entries.len()), unreadable: Vec::new() };
    for entry in entries {
        match entry_of(entry, lacks) {
            Ok(item) => readable.items.push(item),
            Err(why) => readable.unreadable.push(Unreadable { raw: entry.clone(), why }),
        }
    }
    Ok(readable)
}

/// One entry, or why it is of no use, in words that hold nothing of it.
pub(super) fn entry_of<T: for<'de> Deserialize<'de>>(
    entry: &Value,
    lacks: fn(&T) -> Option<&'static str>,
) -> Result<T, String> {
    let item = T::deserialize(entry).map_err(|why| explained(&why))?;
    lacks(&item).map_or(Ok(item), |why| Err(why.to_owned()))
}

/// The next page's `next`; none at the end, which may be 0, missing, the same as before, or a page without entries.
pub(super) fn next_page(answer: &Value, before: i64, entries: usize) -> Option<i64> {
    answer.get("next").and_then(Value::as_i64).filter(|next| *next != 0 && *next != before && entries > 0)
}

/// `null` is the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An empty text is none.
fn not_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// RFC 3339; an empty text is none.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let parse =
        |text: String| DateTime::parse_from_rfc3339(&text).map(|at| at.to_utc()).map_err(serde::de::Error::custom);
    not_empty(deserializer)?.map(parse).transpose()
}

/// A day, be it written as a date or as a moment; an empty text is none.
fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    let parse = |text: String| text.get(..10).unwrap_or(&text).parse().map_err(serde::de::Error::custom);
    not_empty(deserializer)?.map(parse).transpose()
}

/// Minor units; some of their counts are declared as numbers with a fraction, which is then zero.
fn minor_units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Whole(i64),
        Fraction(f64),
    }
    Ok(match Option::deserialize(deserializer)? {
        None => None,
        Some(Number::Whole(whole)) => Some(whole),
        #[expect(clippy::cast_possible_truncation, reason = "minor units of one unit of goods, rounded on purpose")]
        Some(Number::Fraction(fraction)) => Some(fraction.round() as i64),
    })
}
