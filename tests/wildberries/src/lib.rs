//! A model of Wildberries' seller API for tests and demonstrations.
//!
//! It keeps the state machines, token rules, request budgets and bounds that Wildberries publishes, draws stickers that
//! scanners read, lets a test play the buyer and Wildberries, puts faults in the way on purpose, and remembers every
//! exchange, so that both sides can be held against the official documents. Under `/_sim` a person plays with forms.

mod acts;
mod archive;
mod ask;
mod boxes;
mod cabinet;
mod card_errors;
mod catalogue;
mod chance;
mod clock;
mod connection;
pub mod contract;
mod control;
mod exchange;
mod fault;
mod faults;
mod interference;
mod label;
mod limits;
mod order;
mod orders;
mod page;
mod passes;
mod perform;
mod picture;
mod prices;
mod reply;
mod route;
mod rules;
mod seed;
mod seller;
mod shipping;
mod simulator;
mod sticker;
mod supply;
mod tariffs;
mod token;
mod transfer;
mod warehouses;
mod wire;
mod words;
mod world;

pub use acts::BuyerAct;
pub use card_errors::RefusedCard;
pub use catalogue::{Card, Dimensions, Photo, Size};
pub use clock::Clock;
pub use exchange::{Exchange, Statistics};
pub use fault::{Fault, FaultKind, Mutation};
pub use faults::IgnoredRow;
pub use label::{Key, Label};
pub use limits::{Group, Limits};
pub use order::{Order, SupplierStatus, WbStatus};
pub use prices::Tag;
pub use rules::{BoxRule, Rules};
pub use seller::{OrderSpec, Seller, Shop};
pub use shipping::ShippingPoint;
pub use simulator::{Options, Simulator};
pub use sticker::Sticker;
pub use supply::{Shipping, Supply};
pub use token::{ALL_CATEGORIES, Category, TokenKind, TokenSpec};
pub use warehouses::Warehouse;
