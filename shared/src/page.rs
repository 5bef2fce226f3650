//! Lists are read page by page with an opaque cursor that names the last row seen.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Rows, and where the next page begins.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// At most as many as were asked for.
    pub items: Vec<T>,
    /// Absent on the last page.
    pub next: Option<String>,
}

/// How much, and from where.
#[derive(Clone, Debug)]
pub struct PageQuery {
    /// Rows per page.
    pub limit: i64,
    /// The `next` of the page before.
    pub after: Option<String>,
}

impl PageQuery {
    /// The largest page.
    pub const MAX: i64 = 1000;

    /// Checks the bounds.
    pub fn new(limit: Option<i64>, after: Option<String>) -> Result<Self> {
        let limit = limit.unwrap_or(100);
        if !(1..=Self::MAX).contains(&limit) {
            return Err(Error::invalid("limit", format!("must be between 1 and {}", Self::MAX)));
        }
        Ok(Self { limit, after })
    }

    /// The key of the last row of the page before.
    pub fn key<K: DeserializeOwned>(&self) -> Result<Option<K>> {
        let Some(after) = &self.after else { return Ok(None) };
        let wrong = || Error::invalid("after", "is not a cursor of this list");
        let bytes = URL_SAFE_NO_PAD.decode(after).map_err(|_| wrong())?;
        serde_json::from_slice(&bytes).map(Some).map_err(|_| wrong())
    }

    /// One row more than asked for was read: cuts it off and names the last row kept.
    pub fn page<T, K: Serialize>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> Page<T> {
        let limit = usize::try_from(self.limit).expect("limit is checked");
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| cursor(&key(last)));
        Page { items, next }
    }
}

/// A key as clients keep it.
pub(crate) fn cursor(key: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).expect("keys are plain values"))
}

impl<T> Page<T> {
    /// The same page with other rows.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}
