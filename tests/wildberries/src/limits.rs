//! Budgets of requests: a token bucket per seller, kind of token and group of methods.
//!
//! An answer 4XX of the marketplace host costs ten requests. A refusal 429 itself costs nothing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reply::{Reply, gateway};
use crate::token::TokenKind;

/// How strictly the budgets are kept.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Limits {
    /// As Wildberries publishes them.
    #[default]
    Real,
    /// Not at all.
    Off,
    /// Rate and burst multiplied by this factor.
    Scaled(f64),
}

impl std::str::FromStr for Limits {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "real" | "on" => Ok(Self::Real),
            "off" => Ok(Self::Off),
            number => match number.parse() {
                Ok(factor) if factor > 0.0 => Ok(Self::Scaled(factor)),
                _ => Err(format!("{number} is neither real, off nor a factor above zero")),
            },
        }
    }
}

/// Methods that share a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// `/ping`.
    Ping,
    /// Seller information.
    SellerInfo,
    /// The list of cards.
    Cards,
    /// The rest of the content host.
    Content,
    /// The list of cards that were refused.
    CardErrors,
    /// All of prices and discounts.
    Prices,
    /// Orders, supplies, boxes, stickers.
    Orders,
    /// Reading and deleting label identifiers.
    LabelsRead,
    /// Writing label identifiers.
    LabelsWrite,
    /// Cancelling an order.
    Cancel,
    /// Ordering a pass.
    Passes,
    /// Offices and the seller's warehouses.
    Warehouses,
    /// Reading and writing stocks.
    Stocks,
    /// Deleting stocks.
    StocksDelete,
    /// Tariffs of boxes.
    TariffBox,
    /// Tariffs of pallets.
    TariffPallet,
    /// Tariffs of returns.
    TariffReturn,
    /// Commissions.
    Commission,
}

impl Group {
    fn is_marketplace(self) -> bool {
        match self {
            Self::Orders
            | Self::LabelsRead
            | Self::LabelsWrite
            | Self::Cancel
            | Self::Passes
            | Self::Warehouses
            | Self::Stocks
            | Self::StocksDelete => true,
            Self::Ping
            | Self::SellerInfo
            | Self::Cards
            | Self::Content
            | Self::CardErrors
            | Self::Prices
            | Self::TariffBox
            | Self::TariffPallet
            | Self::TariffReturn
            | Self::Commission => false,
        }
    }

    /// Seconds between two requests at a steady pace, and how many may come at once.
    fn row(self, kind: TokenKind) -> (f64, f64) {
        let base = kind == TokenKind::Base;
        match self {
            Self::Ping => (10.0, 3.0),
            Self::SellerInfo if base => (86_400.0, 1.0),
            Self::SellerInfo => (60.0, 10.0),
            Self::Prices if base => (900.0, 1.0),
            Self::Cards | Self::Content | Self::Prices => (0.6, 5.0),
            Self::CardErrors => (6.0, 5.0),
            Self::Passes => (600.0, 1.0),
            Self::TariffBox | Self::TariffPallet | Self::TariffReturn if base => (3600.0, 1.0),
            Self::TariffBox | Self::TariffPallet | Self::TariffReturn => (1.0, 5.0),
            Self::Commission if base => (720.0, 1.0),
            Self::Commission => (60.0, 2.0),
            Self::StocksDelete => (6.0, 2.0),
            Self::Cancel => (0.6, 20.0),
            // The general table for base tokens is narrower than the one printed at each method.
            Self::Orders | Self::LabelsRead | Self::LabelsWrite | Self::Warehouses | Self::Stocks if base => {
                (0.4, 10.0)
            }
            Self::LabelsWrite => (0.06, 20.0),
            Self::Orders | Self::LabelsRead | Self::Warehouses | Self::Stocks => (0.2, 20.0),
        }
    }
}

/// Whose budget it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub seller: Uuid,
    pub kind: TokenKind,
    pub group: Group,
}

struct Bucket {
    tokens: f64,
    at: DateTime<Utc>,
}

/// All budgets of all sellers.
#[derive(Default)]
pub(crate) struct Budgets {
    limits: Limits,
    buckets: HashMap<Key, Bucket>,
}

impl Budgets {
    pub(crate) fn set(&mut self, limits: Limits) {
        self.limits = limits;
        self.buckets.clear();
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Takes one request, or says how to come back.
    pub(crate) fn take(&mut self, key: Key, now: DateTime<Utc>) -> Result<(), Reply> {
        let Some((interval, burst)) = self.row(key) else { return Ok(()) };
        let bucket = self.bucket(key, now, interval, burst);
        if bucket.tokens + 1e-9 < 1.0 {
            let retry = (1.0 - bucket.tokens) * interval;
            let reset = (burst - bucket.tokens) * interval;
            return Err(refused(&format!("limited by {}", key.seller), retry, reset, burst));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    /// Settles the answer: charges a refusal of the marketplace and says what is left.
    pub(crate) fn settle(&mut self, key: Key, now: DateTime<Utc>, reply: &mut Reply) {
        let Some((interval, burst)) = self.row(key) else { return };
        if reply.status == 429 {
            return;
        }
        let bucket = self.bucket(key, now, interval, burst);
        if key.group.is_marketplace() && (400..500).contains(&reply.status) {
            bucket.tokens -= 9.0;
        }
        reply.headers.push(("X-Ratelimit-Remaining", whole(bucket.tokens.floor())));
    }

    fn row(&self, key: Key) -> Option<(f64, f64)> {
        let (interval, burst) = key.group.row(key.kind);
        match self.limits {
            Limits::Off => None,
            Limits::Real => Some((interval, burst)),
            Limits::Scaled(factor) => Some((interval / factor, (burst * factor).ceil().max(1.0))),
        }
    }

    fn bucket(&mut self, key: Key, now: DateTime<Utc>, interval: f64, burst: f64) -> &mut Bucket {
        let bucket = self.buckets.entry(key).or_insert(Bucket { tokens: burst, at: now });
        let passed = (now - bucket.at).as_seconds_f64().max(0.0);
        bucket.tokens = (bucket.tokens + passed / interval).min(burst);
        bucket.at = now;
        bucket
    }
}

/// A refusal 429 with its three headers.
pub(crate) fn refused(detail: &str, retry: f64, reset: f64, limit: f64) -> Reply {
    let mut reply = gateway(429, detail);
    reply.headers.push(("X-Ratelimit-Retry", whole(retry.ceil().max(1.0))));
    reply.headers.push(("X-Ratelimit-Reset", whole(reset.ceil().max(1.0))));
    reply.headers.push(("X-Ratelimit-Limit", whole(limit)));
    reply
}

fn whole(number: f64) -> String {
    format!("{:.0}", number.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::refusal;

    fn key() -> Key {
        Key { seller: Uuid::nil(), kind: TokenKind::Personal, group: Group::Orders }
    }

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
        reply.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn twenty_requests_pass_at_once_and_the_next_is_told_when_to_return() {
        let mut budgets = Budgets::default();
        for _ in 0..20 {
            budgets.take(key(), start()).unwrap();
        }
        let refusal = budgets.take(key(), start()).unwrap_err();
        assert_eq!(refusal.status, 429);
        assert_eq!(header(&refusal, "X-Ratelimit-Retry"), Some("1"));
        assert_eq!(header(&refusal, "X-Ratelimit-Reset"), Some("4"));
        assert_eq!(header(&refusal, "X-Ratelimit-Limit"), Some("20"));
        assert_eq!(header(&refusal, "X-Ratelimit-Remaining"), None);
        budgets.take(key(), start() + chrono::Duration::milliseconds(200)).unwrap();
    }

    #[test]
    fn two_refusals_of_the_marketplace_empty_the_burst() {
        let mut budgets = Budgets::default();
        for left in ["10", "0"] {
            budgets.take(key(), start()).unwrap();
            let mut reply = refusal(409, "FailedToAddSupplyOrder");
            budgets.settle(key(), start(), &mut reply);
            assert_eq!(header(&reply, "X-Ratelimit-Remaining"), Some(left));
        }
        assert_eq!(budgets.take(key(), start()).unwrap_err().status, 429);
    }

    #[test]
    fn a_refusal_of_the_content_host_costs_one() {
        let key = Key { group: Group::Cards, ..key() };
        let mut budgets = Budgets::default();
        budgets.take(key, start()).unwrap();
        let mut reply = crate::reply::content_error(400, "no");
        budgets.settle(key, start(), &mut reply);
        assert_eq!(header(&reply, "X-Ratelimit-Remaining"), Some("4"));
    }

    #[test]
    fn kinds_of_tokens_and_groups_have_their_own_budgets() {
        let mut budgets = Budgets::default();
        while budgets.take(key(), start()).is_ok() {}
        budgets.take(Key { kind: TokenKind::Service, ..key() }, start()).unwrap();
        budgets.take(Key { group: Group::Stocks, ..key() }, start()).unwrap();
    }

    #[test]
    fn a_factor_scales_rate_and_burst_alike() {
        let mut budgets = Budgets::default();
        budgets.set(Limits::Scaled(10.0));
        for _ in 0..200 {
            budgets.take(key(), start()).unwrap();
        }
        assert!(budgets.take(key(), start()).is_err());
        budgets.take(key(), start() + chrono::Duration::milliseconds(20)).unwrap();
    }
}
