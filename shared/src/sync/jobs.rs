//! What is promised of an account: pulls, and the push of its stock. A timer's promise carries no run; a run that somebody asked for is named.

use serde::{Deserialize, Serialize};

use super::SyncKind;
use crate::ids::{AccountId, SyncRunId};
use crate::jobs::{Job, Queue};

macro_rules! pulls {
    ($($(#[$doc:meta])* $name:ident = $kind:literal on $queue:ident as $sync:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Serialize)]
        pub struct $name {
            /// Of which account.
            pub account_id: AccountId,
            /// The run that was asked for.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub run: Option<SyncRunId>,
        }

        impl $name {
            /// What it pulls.
            pub const SYNC: SyncKind = SyncKind::$sync;
        }

        impl Job for $name {
            const KIND: &'static str = $kind;
            const QUEUE: Queue = Queue::$queue;
            const PATIENCE: chrono::Duration = chrono::Duration::hours(1);

            fn unique_key(&self) -> Option<String> {
                Some(self.run.map_or_else(|| format!("timer {}", self.account_id), |run| run.to_string()))
            }
        }
    )+};
}

pulls! {
    /// Cards, sizes and barcodes.
    PullCatalogue = "sync.pull_catalogue" on Sync as Catalogue;
    /// Seller's warehouses and offices.
    PullWarehouses = "sync.pull_warehouses" on Sync as Warehouses;
    /// Orders that wait to be assembled.
    PullNewOrders = "sync.pull_new_orders" on Import as NewOrders;
    /// Orders of the last 30 days, page by page.
    PullOrderHistory = "sync.pull_order_history" on Import as OrderHistory;
    /// What became of orders and supplies.
    PullStatuses = "sync.pull_statuses" on Sync as OrderStatuses;
    /// Stock to Wildberries.
    PushStocks = "sync.push_stocks" on Sync as StockPush;
    /// Stock at Wildberries.
    ReadStocks = "sync.read_stocks" on Sync as Stocks;
}
