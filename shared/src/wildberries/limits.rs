//! Wildberries' request limits as a table: one row is one budget that its methods share.
//!
//! The numbers are those of dev.wildberries.ru as of August 2026; each row names the page that they stand on. The page
//! about limits itself is the knowledge base's article `019d49a1-28ca`.

use std::time::Duration;

use super::TokenKind;
use super::budget::Priority;
use super::token::Category;
use crate::throttle::Bucket;

/// One of Wildberries' hosts that we call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// General methods.
    Common,
    /// Cards.
    Content,
    /// Orders, supplies, warehouses.
    Marketplace,
}

/// Methods that share one budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Who the seller is.
    SellerInfo,
    /// The list of cards.
    Cards,
    /// Content without a budget of its own; here the trash.
    Content,
    /// Orders and supplies.
    Orders,
    /// Reading marks of orders.
    Marks,
    /// Cancelling an order.
    Cancel,
    /// The seller's warehouses and Wildberries' offices.
    Warehouses,
    /// What is declared in stock.
    Stocks,
}

/// A token bucket: `burst` calls at once, then one call every `interval`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// The steady gap between calls.
    pub interval: Duration,
    /// How many calls may be made at once.
    pub burst: f64,
    /// How many calls an answer 4XX counts as.
    pub cost_of_refusal: f64,
    /// How much of the burst bulk work leaves for urgent work.
    pub reserve: f64,
}

impl Group {
    /// Every group.
    pub const ALL: [Self; 8] = [
        Self::SellerInfo,
        Self::Cards,
        Self::Content,
        Self::Orders,
        Self::Marks,
        Self::Cancel,
        Self::Warehouses,
        Self::Stocks,
    ];

    /// Its name in keys and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SellerInfo => "seller-info",
            Self::Cards => "cards",
            Self::Content => "content",
            Self::Orders => "orders",
            Self::Marks => "marks",
            Self::Cancel => "cancel",
            Self::Warehouses => "warehouses",
            Self::Stocks => "stocks",
        }
    }

    /// The page of dev.wildberries.ru with its limits.
    pub fn page(self) -> &'static str {
        match self {
            Self::SellerInfo => "openapi/api-information",
            Self::Cards | Self::Content | Self::Warehouses | Self::Stocks => "openapi/item-management",
            Self::Orders | Self::Marks | Self::Cancel => "openapi/orders-fbs",
        }
    }

    /// Where its methods are.
    pub fn host(self) -> Host {
        match self {
            Self::SellerInfo => Host::Common,
            Self::Cards | Self::Content => Host::Content,
            Self::Orders | Self::Marks | Self::Cancel | Self::Warehouses | Self::Stocks => Host::Marketplace,
        }
    }

    /// The category that a token needs; `seller-info` takes any.
    pub fn category(self) -> Option<Category> {
        match self.host() {
            Host::Common => None,
            Host::Content => Some(Category::Content),
            Host::Marketplace => Some(Category::Marketplace),
        }
    }

    /// The row for a kind of token.
    pub fn limit(self, kind: TokenKind) -> Limit {
        let row = |interval_ms, burst, reserve| Limit {
            interval: Duration::from_millis(interval_ms),
            burst,
            cost_of_refusal: if self.host() == Host::Marketplace { 10.0 } else { 1.0 },
            reserve,
        };
        match (kind, self) {
            // All methods of a category together have one call a second in the sandbox.
            (TokenKind::Test, _) => row(1_000, 1.0, 0.0),
            (TokenKind::Base, Self::SellerInfo) => row(86_400_000, 1.0, 0.0),
            (_, Self::SellerInfo) => row(60_000, 10.0, 0.0),
            (_, Self::Cards | Self::Content) => row(600, 5.0, 2.0),
            // The general article gives base tokens 150 calls a minute on this host, the methods' own pages do not.
            (TokenKind::Base, Self::Orders | Self::Marks | Self::Warehouses | Self::Stocks) => row(400, 10.0, 4.0),
            (TokenKind::Base, Self::Cancel) => row(600, 10.0, 0.0),
            (_, Self::Orders | Self::Marks | Self::Warehouses | Self::Stocks) => row(200, 20.0, 12.0),
            (_, Self::Cancel) => row(600, 20.0, 0.0),
        }
    }
}

impl Limit {
    /// Both numbers multiplied, as the simulator does with `WB_LIMIT_SCALE`.
    #[must_use]
    pub fn scaled(self, scale: f64) -> Self {
        Self {
            interval: self.interval.div_f64(scale),
            burst: (self.burst * scale).ceil().max(1.0),
            reserve: self.reserve * scale.min(1.0),
            ..self
        }
    }

    /// Calls a second.
    pub fn rate(&self) -> f64 {
        1.0 / self.interval.as_secs_f64()
    }

    /// The same as a bucket.
    pub fn bucket(&self) -> Bucket {
        Bucket { rate: self.rate(), size: self.burst }
    }

    /// What is charged before a call: writes may be refused, and a refusal must not overdraw the bucket.
    pub fn charge(&self, writes: bool) -> f64 {
        if writes { self.cost_of_refusal.min(self.burst) } else { 1.0 }
    }

    /// A tenth of the burst is left alone: calls that were charged apart may arrive together.
    #[must_use]
    pub fn with_slack(self) -> Self {
        Self { burst: (self.burst * 0.9).max(1.0), ..self }
    }

    /// A quarter of the rate, for a process that cannot see what the others spend.
    #[must_use]
    pub fn alone(self) -> Self {
        let burst = (self.burst / 4.0).max(self.charge(true)).max(1.0);
        Self { interval: self.interval * 4, burst, reserve: self.reserve / 4.0, ..self }
    }

    /// What must be left after a call of this cost; never so much that the call could not be made at all.
    pub fn reserve_for(&self, priority: Priority, cost: f64) -> f64 {
        match priority {
            Priority::Urgent => 0.0,
            Priority::Bulk => self.reserve.min(self.burst - cost).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_of_every_kind_can_be_made_once_the_bucket_is_full() {
        for group in Group::ALL {
            for kind in [TokenKind::Base, TokenKind::Test, TokenKind::Personal, TokenKind::Service] {
                for scale in [0.01, 0.5, 1.0, 20.0] {
                    for limit in [
                        group.limit(kind).scaled(scale).with_slack(),
                        group.limit(kind).scaled(scale).with_slack().alone(),
                    ] {
                        for writes in [false, true] {
                            let cost = limit.charge(writes);
                            assert!(
                                cost >= 1.0 && cost + limit.reserve_for(Priority::Bulk, cost) <= limit.burst,
                                "{group:?} {kind:?} {scale} {limit:?}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_bulk_read_leaves_enough_for_an_urgent_write() {
        let limit = Group::Orders.limit(TokenKind::Personal).with_slack();
        assert!(limit.reserve_for(Priority::Bulk, 1.0) >= limit.charge(true));
    }
}
