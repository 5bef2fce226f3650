//! What was noticed, kept small and without anything that could be somebody's: at most a hundred differences at a time.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::super::methods::Called;
use super::look;

/// Differences that are kept until somebody takes them; an answer that is nothing like its method's is not listed in full.
const MOST: usize = 100;
/// Characters of a name or a word of theirs that are shown.
const LONGEST_NAME: usize = 64;
const LONGEST_PATH: usize = 300;
const LONGEST_SAMPLE: usize = 500;

/// How an answer differs from what is known.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, sqlx::Type,
)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DriftKind {
    /// A word or number that is not among the known ones.
    UnknownWord,
    /// A field that nobody has heard of.
    NewField,
    /// A field that was always there is not.
    MissingField,
    /// Something else than a value of the known kind.
    ChangedType,
    /// An entry that cannot be used: it is kept, and read again later.
    Unreadable,
}

impl DriftKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::UnknownWord, Self::NewField, Self::MissingField, Self::ChangedType, Self::Unreadable];

    /// As stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownWord => "unknown_word",
            Self::NewField => "new_field",
            Self::MissingField => "missing_field",
            Self::ChangedType => "changed_type",
            Self::Unreadable => "unreadable",
        }
    }

    /// What is different, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::UnknownWord => "has a word that is not known",
            Self::NewField => "is a field that is not known",
            Self::MissingField => "is missing although it was always there",
            Self::ChangedType => "is of another type",
            Self::Unreadable => "cannot be read",
        }
    }

    /// The same in Russian.
    pub fn title_ru(self) -> &'static str {
        match self {
            Self::UnknownWord => "содержит неизвестное слово",
            Self::NewField => "неизвестное поле",
            Self::MissingField => "отсутствует, хотя было всегда",
            Self::ChangedType => "другого типа",
            Self::Unreadable => "не читается",
        }
    }
}

/// One difference, however often it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// In the answer of which method, for example `GET /api/v3/orders/new`.
    pub method: &'static str,
    /// Where, for example `orders[].deliveryType`; `.` is the answer itself.
    pub path: String,
    /// How it differs.
    pub kind: DriftKind,
    /// The unknown word, or the type that came; empty where there is none.
    pub word: String,
    /// What it looks like: names of fields and types of values, no text of theirs.
    pub sample: String,
    /// How often it was seen.
    pub count: i64,
}

type Key = (&'static str, String, DriftKind, String);

/// What somebody who asks a seller's questions has noticed. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Noticed(Arc<Mutex<BTreeMap<Key, (String, i64)>>>);

impl Noticed {
    /// Looks at an answer.
    pub(in crate::wildberries) fn look(&self, called: &Called, answer: &Value) {
        let Some(shape) = &called.answer else { return };
        look::over(shape, answer, &mut |sight| {
            let sample = || sight.sample();
            self.note(called.name, sight.path.clone(), sight.kind, sight.word.clone(), sample);
        });
    }

    /// Entries that could not be used, with the reason of one of them.
    pub fn unreadable(&self, method: &'static str, path: &str, why: &str, entries: usize) {
        for _ in 0..entries {
            self.note(method, path.to_owned(), DriftKind::Unreadable, String::new(), || why.to_owned());
        }
    }

    fn note(&self, method: &'static str, path: String, kind: DriftKind, word: String, sample: impl FnOnce() -> String) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (method, cut(path, LONGEST_PATH), kind, word);
        if let Some((_, count)) = kept.get_mut(&key) {
            *count += 1;
        } else if kept.len() < MOST {
            kept.insert(key, (cut(sample(), LONGEST_SAMPLE), 1));
        }
    }

    /// Everything since the last time.
    pub fn take(&self) -> Vec<Drift> {
        let kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let drift = |((method, path, kind, word), (sample, count))| Drift { method, path, kind, word, sample, count };
        kept.into_iter().map(drift).collect()
    }
}

/// Whole characters, and no more of them than these.
fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

/// A name or a word as it is, if it looks like one: anything else could be somebody's.
pub(super) fn shown(name: &str) -> Cow<'_, str> {
    let is_name = (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if is_name { Cow::Borrowed(name) } else { Cow::Owned(format!("({} characters)", name.chars().count())) }
}

/// What serde says of a value that it cannot read, without the value itself.
pub(in crate::wildberries) fn explained(why: &serde_json::Error) -> String {
    let why = why.to_string();
    let mut told = String::with_capacity(why.len());
    let mut rest = why.as_str();
    while let Some(at) = rest.find(['"', '`']) {
        let (before, quoted) = rest.split_at(at);
        told.push_str(before);
        // A text may hold its own quotes: the last one ends it.
        let end = if quoted.starts_with('"') { quoted.rfind('"') } else { quoted[1..].find('`').map(|end| end + 1) };
        let end = end.filter(|end| *end > 0).unwrap_or(quoted.len() - 1);
        let inside = quoted.get(1..end).unwrap_or_default();
        let is_ours = quoted.starts_with('`') && shown(inside) == inside;
        told.push_str(if is_ours { &quoted[..=end] } else { "…" });
        rest = quoted.get(end + 1..).unwrap_or_default();
    }
    told.push_str(rest);
    cut(told, LONGEST_PATH)
}
