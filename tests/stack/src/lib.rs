//! Starts what WB Assistant needs around it: private Postgres and Redis, the Wildberries simulator, virtual printers, the
//! API and workers. The suite, the demo, the chaos runs and the benchmarks all stand on it.
//!
//! `servers`, `programs` and `printer` → `stack`, which puts them together; `steps` tells a person about it; `client`
//! and `demo` walk through it from outside.

pub mod bench;
pub mod chaos;
pub mod client;
pub mod clients;
pub mod demo;
pub mod exec;
pub mod ports;
pub mod prepare;
pub mod printer;
pub mod programs;
mod python;
pub mod schemathesis;
pub mod servers;
pub mod signals;
mod stack;
pub mod steps;
pub mod suite;
pub mod wait;

pub use client::Client;
pub use servers::{Durability, Role, ServerOptions, Servers};
pub use stack::{Options, Person, Stack};
pub use steps::Steps;
