//! A request as the handlers see it, with the checks of bounds that all of them share.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use crate::reply::{Reply, refusal};
use crate::rules::Rules;

/// A request that was let in.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub now: DateTime<Utc>,
    pub query: HashMap<String, String>,
    pub body: Vec<u8>,
    /// The rules in force.
    pub rules: Rules,
    /// Sizes whose rows of a stock update change nothing, though the answer is 204.
    pub ignored: HashSet<i64>,
}

impl Ask {
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// A mandatory number in the query, within bounds.
    pub(crate) fn number(&self, name: &str, low: i64, high: i64) -> Result<i64, Reply> {
        self.query(name)
            .and_then(|text| text.parse().ok())
            .filter(|number| (low..=high).contains(number))
            .ok_or_else(|| refusal(400, "IncorrectParameter"))
    }

    /// An optional number in the query.
    pub(crate) fn optional_number(&self, name: &str) -> Result<Option<i64>, Reply> {
        self.query(name).map(|text| text.parse().map_err(|_| refusal(400, "IncorrectParameter"))).transpose()
    }

    /// A body for the marketplace host.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, Reply> {
        object(&self.body).ok_or_else(|| refusal(400, "IncorrectRequestBody"))
    }

    /// The list `orders` of a body, with at least `low` and at most `high` ids.
    pub(crate) fn orders(&self, low: usize, high: usize) -> Result<Vec<i64>, Reply> {
        #[derive(serde::Deserialize)]
        struct Body {
            #[serde(default)]
            orders: Vec<i64>,
        }
        let Body { orders } = self.body()?;
        if (low..=high).contains(&orders.len()) { Ok(orders) } else { Err(refusal(400, "IncorrectRequest")) }
    }
}

/// Reads a JSON object; a list will not do, though it could be read as the fields in their order.
pub(crate) fn object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    serde_json::from_slice(body).ok()
}

/// Decodes `a=b&c=d`.
pub(crate) fn parse_query(query: &str) -> HashMap<String, String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescape(name), unescape(value))
        })
        .collect()
}

pub(crate) fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' if rest.len() >= 2 => {
                let digits = std::str::from_utf8(&rest[..2]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
                bytes.push(digits.unwrap_or(b'%'));
                if digits.is_some() {
                    rest = &rest[2..];
                }
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
