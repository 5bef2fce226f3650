//! What is promised of a supply.

use serde::{Deserialize, Serialize};

use crate::ids::SupplyId;
use crate::jobs::{Job, Queue};

macro_rules! supply_jobs {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Serialize)]
        pub struct $name {
            /// Which supply.
            pub supply_id: SupplyId,
        }

        impl Job for $name {
            const KIND: &'static str = $kind;
            const QUEUE: Queue = Queue::Default;

            fn unique_key(&self) -> Option<String> {
                Some(self.supply_id.to_string())
            }
        }
    )+};
}

supply_jobs! {
    /// Creates the supply at Wildberries and puts its orders in.
    PublishSupply = "supplies.publish_supply";
    /// Sets when, where and how it is handed over.
    SetShipping = "supplies.set_shipping";
    /// Hands it to delivery.
    DeliverSupply = "supplies.deliver_supply";
}
