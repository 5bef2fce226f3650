//! Wildberries as a seller sees it: one client for both programs.
//!
//! A [`Client`] is made once and cloned; `client.seller(token)` is a [`Seller`], whose methods are named after what we
//! want to know or do. Reads repeat by themselves, writes never do: after an uncertain write the caller reads back.

mod breaker;
mod bucket;
pub mod budget;
pub mod calendar;
mod call;
pub mod error;
pub mod limits;
pub mod methods;
pub mod model;
mod seller;
mod shape;
mod stocks;
mod supplies;
pub mod token;

use secrecy::SecretString;
use url::Url;
use uuid::Uuid;

pub use budget::{Budget, Priority};
pub use call::Client;
pub use error::CallError;
pub use model::*;
pub use seller::Seller;
pub use shape::{Drift, DriftKind, Noticed};
pub use stocks::{MOST_UNITS, RefusedSizes, SIZES_AT_ONCE, StockRow};
pub use token::Category;

/// Where Wildberries' hosts are: one per token category, each replaceable by a simulator.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// General methods.
    pub common: Url,
    /// Cards.
    pub content: Url,
    /// Orders, supplies, warehouses, stocks.
    pub marketplace: Url,
}

/// Which kind of token it is; limits and rights follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum TokenKind {
    /// For any use, with limits cut far down.
    Base,
    /// For the sandbox only.
    Test,
    /// A seller's own programs: full limits.
    Personal,
    /// Services of Wildberries' catalogue.
    Service,
}

impl TokenKind {
    /// As stored and as part of a budget's key.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Test => "test",
            Self::Personal => "personal",
            Self::Service => "service",
        }
    }
}

/// A seller's opened token with what decides which calls it may make.
#[derive(Clone, Debug)]
pub struct SellerToken {
    /// The token itself.
    pub token: SecretString,
    /// Which row of the limits holds.
    pub kind: TokenKind,
    /// Wildberries' id of the seller (`sid`): the owner of the request budget.
    pub seller_id: Uuid,
    /// Bit mask of categories, bit *n* being `1 << n`.
    pub categories: i64,
    /// Whether it may only read.
    pub read_only: bool,
}

/// A list in which every entry that could be read stands in `items`; one strange entry does not hide the others.
#[derive(Clone, Debug)]
pub struct Readable<T> {
    /// What could be read.
    pub items: Vec<T>,
    /// What could not.
    pub unreadable: Vec<Unreadable>,
}

/// An entry that does not look as expected.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// As it came. May hold a buyer's address: never log it.
    pub raw: serde_json::Value,
    /// What is wrong with it, in words that hold nothing of it.
    pub why: String,
}
