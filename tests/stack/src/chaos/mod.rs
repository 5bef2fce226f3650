//! Breaking things on purpose, one kind a file: `cargo wb chaos …`. Each says in one line what held.

mod idempotency;
mod ledger;
mod sessions;
mod walk;

pub use idempotency::idempotency;
pub use ledger::{Size, ledger};
pub use sessions::sessions;
pub use walk::walk;
