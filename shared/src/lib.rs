//! What both programs of WB Assistant know: the domain, its tables and its verbs.
//!
//! One noun, five places, the same word in each: `shared/src/orders` says what an order is and what may happen to it,
//! `api/src/orders.rs` how it looks over HTTP, `worker/src/orders.rs` what its jobs do in the world,
//! `tests/it/tests/it/orders.rs` proves it, `migrations/*_orders_*.sql` holds its tables.
//!
//! Foundations know nothing of the nouns; `wildberries` knows ids, errors and `throttle` only; nouns use foundations and
//! the nouns below them: `sync`, `counts`, `drifts` → `supplies`, `orders`, `printing`, `requests` → `publishing`, `inventory` → `products`, `warehouses` →
//! `api_keys` → `users`, `enterprises`. A noun writes its own tables and may read others. A contract test compares this list with
//! the directory.

// Foundations.
pub mod access;
pub mod audit;
pub mod clock;
pub mod config;
pub mod db;
pub mod error;
pub mod health;
pub mod herald;
pub mod idempotency;
pub mod ids;
pub mod jobs;
pub mod page;
pub mod schedules;
pub mod seal;
pub mod telemetry;
pub mod throttle;
pub mod versions;

// The outside.
pub mod wildberries;

// The domain.
pub mod accounts;
pub mod alarms;
pub mod api_keys;
pub mod counts;
pub mod drifts;
pub mod enterprises;
pub mod inventory;
pub mod orders;
pub mod printing;
pub mod products;
pub mod publishing;
pub mod requests;
pub mod supplies;
pub mod sync;
pub mod users;
pub mod warehouses;

pub use error::{Error, Refusal, Result};
