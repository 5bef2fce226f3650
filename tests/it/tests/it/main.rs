//! The suite: each test has a world of its own and acts through HTTP.

mod api_keys;
mod audit;
mod contract;
mod engine;
mod enterprises;
mod idempotency;
mod jobs;
mod letters;
mod orders;
mod people;
mod permissions;
mod preconditions;
mod printing;
mod reach;
mod receipts;
mod requests;
mod roles;
mod second_factor;
mod sessions;
mod sign_in;
mod supplies;
mod sync;
mod tenancy;
mod tokens;
