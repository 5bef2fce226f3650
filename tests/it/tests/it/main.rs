//! The suite: each test has a world of its own and acts through HTTP.

mod contract;
mod orders;
mod printing;
mod requests;
mod supplies;
mod tenancy;
mod tokens;
