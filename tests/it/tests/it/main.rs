//! The suite: each test has a world of its own and acts through HTTP.

mod alarms;
mod api_keys;
mod canary;
mod configuration;
mod contract;
mod engine;
mod enterprises;
mod jobs;
mod keys;
mod orders;
mod people;
mod permissions;
mod printing;
mod reach;
mod receipts;
mod requests;
mod roles;
mod supplies;
mod sync;
mod tenancy;
mod tokens;
