//! The log of exchanges: what was asked and what was answered, for tests and for the contract check.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::token::Category;

/// One request with its answer.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// Its number since the start.
    pub number: u64,
    /// When it came.
    pub at: DateTime<Utc>,
    /// The seller, if the token named one.
    pub seller: Option<Uuid>,
    /// The category, if the path is known.
    pub category: Option<Category>,
    /// The path with its variable parts named, if it is known.
    pub template: Option<&'static str>,
    /// Method.
    pub method: String,
    /// Path without a prefix that names the host.
    pub path: String,
    /// Query as it came.
    pub query: String,
    /// Body of the request.
    pub request: String,
    /// Status of the answer.
    pub status: u16,
    /// Headers of the answer that mean something.
    pub headers: Vec<(String, String)>,
    /// Body of the answer.
    pub response: String,
    /// Milliseconds it took.
    pub took_ms: u64,
    /// The fault that was put in its way.
    pub fault: Option<String>,
}

impl Exchange {
    /// The answer as JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_str(&self.response).ok()
    }

    /// One header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn weight(&self) -> usize {
        512 + self.request.len() + self.response.len()
    }
}

/// How many exchanges are kept, and how many bytes of them.
const KEPT: usize = 20_000;
const KEPT_BYTES: usize = 256 << 20;

/// The log.
#[derive(Default)]
pub(crate) struct Log {
    kept: VecDeque<Arc<Exchange>>,
    bytes: usize,
    count: u64,
    statistics: BTreeMap<(String, u16), u64>,
}

impl Log {
    pub(crate) fn push(&mut self, mut exchange: Exchange) {
        self.count += 1;
        exchange.number = self.count;
        let place = format!("{} {}", exchange.method, exchange.template.unwrap_or("unknown path"));
        *self.statistics.entry((place, exchange.status)).or_default() += 1;
        self.bytes += exchange.weight();
        self.kept.push_back(Arc::new(exchange));
        while self.kept.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(gone) = self.kept.pop_front() else { break };
            self.bytes -= gone.weight();
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Exchange>> {
        self.kept.iter().cloned().collect()
    }

    pub(crate) fn last(&self, count: usize) -> Vec<Arc<Exchange>> {
        let from = self.kept.len().saturating_sub(count);
        self.kept.range(from..).cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self { count: self.count, ..Self::default() };
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let mut calls: BTreeMap<String, BTreeMap<u16, u64>> = BTreeMap::new();
        for ((place, status), count) in &self.statistics {
            calls.entry(place.clone()).or_default().insert(*status, *count);
        }
        let sum = |of: &dyn Fn(u16) -> bool| {
            self.statistics.iter().filter(|((_, status), _)| of(*status)).map(|(_, n)| n).sum()
        };
        Statistics { total: sum(&|_| true), too_many: sum(&|status| status == 429), calls }
    }
}

/// How often each method was called and how it answered.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// All requests.
    pub total: u64,
    /// Those refused with 429.
    pub too_many: u64,
    /// Method and path, status, count.
    pub calls: BTreeMap<String, BTreeMap<u16, u64>>,
}
