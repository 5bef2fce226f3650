//! The worker: takes jobs from their table, with Redis as the doorbell, and does in the world what they promise.
//!
//! `registry` names every job. `runner` runs one; `queue` brings ids from Redis to it, `relay` brings rows to Redis,
//! `timers` makes promises by the clock, `presence` shows that the process lives, `process` starts and stops it all.

mod accounts;
mod audit;
mod counts;
pub mod ctx;
mod drifts;
pub mod health;
pub mod idempotency;
pub mod inventory;
pub mod mail;
mod orders;
pub mod presence;
pub mod printing;
pub mod process;
mod products;
pub mod pulse;
pub mod queue;
pub mod registry;
pub mod relay;
pub mod runner;
mod stocks;
pub mod supplies;
pub mod sync;
pub mod timers;
mod translate;
pub mod users;

use shared::accounts::{TellOfSharedSeller, WatchTokens};
use shared::audit::{MakePartitions, SealEntries};
use shared::counts::{PostCount, ServeThawed};
use shared::drifts::{ReplayQuarantine, WatchDrifts};
use shared::inventory::ProveStock;
use shared::orders::ReserveBundles;
use shared::printing::RunLane;
use shared::products::imports::{CheckImport, CommitImport, UndoImport};
use shared::supplies::{DeliverSupply, PublishSupply, SetShipping};
use shared::sync::{
    PullCatalogue, PullNewOrders, PullOrderHistory, PullStatuses, PullWarehouses, PushStocks, ReadStocks,
};
use shared::users::letters::SendLetter;

pub use ctx::Ctx;
pub use registry::{Registry, Run};
pub use runner::{Ran, Runner, run_jobs};

/// Every job that this program runs.
pub fn registry() -> Registry {
    Registry::default()
        // The engine itself.
        .job::<timers::PruneJobs>()
        // People.
        .job::<SendLetter>()
        .job::<users::PruneSignIns>()
        .job::<idempotency::PruneAnswers>()
        // Who did what.
        .job::<SealEntries>()
        .job::<MakePartitions>()
        // What proves itself.
        .job::<ProveStock>()
        // What is counted.
        .job::<PostCount>()
        .job::<ServeThawed>()
        // Seller accounts.
        .job::<WatchTokens>()
        .job::<TellOfSharedSeller>()
        // What Wildberries knows.
        .job::<PullCatalogue>()
        .job::<PullWarehouses>()
        .job::<PullNewOrders>()
        .job::<PullOrderHistory>()
        .job::<PullStatuses>()
        .job::<PushStocks>()
        .job::<ReadStocks>()
        // What was not understood of it.
        .job::<WatchDrifts>()
        .job::<ReplayQuarantine>()
        // Orders of bundles.
        .job::<ReserveBundles>()
        // What Wildberries is told.
        .job::<PublishSupply>()
        .job::<SetShipping>()
        .job::<DeliverSupply>()
        // Products out of files.
        .job::<CheckImport>()
        .job::<CommitImport>()
        .job::<UndoImport>()
        // Paper.
        .job::<RunLane>()
}
