//! The suite: each test has a world of its own and acts through HTTP.

mod audit;
mod contract;
mod idempotency;
mod jobs;
mod orders;
mod preconditions;
mod printing;
mod receipts;
mod requests;
mod supplies;
mod sync;
mod tenancy;
mod tokens;
