//! The suite: each test has a world of its own and acts through HTTP.

mod contract;
mod engine;
mod jobs;
mod orders;
mod printing;
mod receipts;
mod requests;
mod supplies;
mod sync;
mod tenancy;
mod tokens;
