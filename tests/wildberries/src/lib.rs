//! A model of Wildberries' seller API for tests and demonstrations.
//!
//! It keeps the state machines, token rules, request budgets and bounds that Wildberries publishes, draws stickers that
//! scanners read, lets a test play the buyer and Wildberries, and remembers every exchange, so that both sides can be
//! held against the official documents.

mod acts;
mod ask;
mod cabinet;
mod catalogue;
mod chance;
mod clock;
mod connection;
pub mod contract;
mod control;
mod exchange;
mod fault;
mod label;
mod limits;
mod order;
mod orders;
mod picture;
mod reply;
mod route;
mod seed;
mod seller;
mod shipping;
mod simulator;
mod sticker;
mod supply;
mod token;
mod transfer;
mod warehouses;
mod words;
mod world;

pub use acts::BuyerAct;
pub use catalogue::{Card, Dimensions, Photo, Size};
pub use clock::Clock;
pub use exchange::{Exchange, Statistics};
pub use fault::{Fault, FaultKind, Mutation};
pub use label::{Key, Label};
pub use limits::{Group, Limits};
pub use order::{Order, SupplierStatus, WbStatus};
pub use seller::{OrderSpec, Seller, Shop};
pub use shipping::ShippingPoint;
pub use simulator::{Options, Simulator};
pub use sticker::Sticker;
pub use supply::{Shipping, Supply};
pub use token::{ALL_CATEGORIES, Category, TokenKind, TokenSpec};
pub use warehouses::Warehouse;
