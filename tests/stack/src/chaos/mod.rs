//! Breaking things on purpose, one kind a file: `cargo wb chaos …`. Each says in one line what held.

mod idempotency;
mod walk;

pub use idempotency::idempotency;
pub use walk::walk;
