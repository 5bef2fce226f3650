//! The suite: each test has a world of its own and acts through HTTP.

mod contract;
mod engine;
mod jobs;
mod letters;
mod orders;
mod printing;
mod receipts;
mod requests;
mod second_factor;
mod sessions;
mod sign_in;
mod supplies;
mod sync;
mod tenancy;
mod tokens;
