//! Orders: one unit of goods each, moved by the seller (`supplierStatus`) and by Wildberries and the buyer (`wbStatus`).

mod list;
mod shown;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::chance::mix;
use crate::label::{Key, Label};
use crate::words::Office;

pub(crate) use list::Orders;
pub(crate) use shown::Shown;

/// Where the seller has brought the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SupplierStatus {
    /// Nobody has taken it up.
    New,
    /// In a supply that is being put together.
    Confirm,
    /// In a supply that was handed to delivery.
    Complete,
    /// Cancelled by the seller.
    Cancel,
}

/// Where Wildberries and the buyer have brought the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WbStatus {
    /// Not with Wildberries yet.
    Waiting,
    /// Accepted.
    Sorted,
    /// At the pick-up point.
    ReadyForPickup,
    /// With the buyer.
    Sold,
    /// Cancelled.
    Canceled,
    /// The buyer refused it.
    CanceledByClient,
    /// The buyer thought better of it within the first hour.
    DeclinedByClient,
    /// Damaged.
    Defect,
    /// Late.
    PostponedDelivery,
}

impl WbStatus {
    /// Whether nothing can follow.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Sorted | Self::ReadyForPickup | Self::PostponedDelivery)
    }
}

/// An order with everything the simulator knows of it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "facts of an order that do not depend on each other")]
pub struct Order {
    /// Its id.
    pub id: i64,
    /// What its id in reports grows from.
    pub(crate) seed: u64,
    /// What its basket's id grows from.
    pub(crate) basket: u64,
    /// When the buyer paid.
    pub created_at: DateTime<Utc>,
    /// The seller's warehouse.
    pub warehouse_id: i64,
    /// The office the warehouse is tied to.
    pub office_id: i64,
    pub(crate) office: &'static Office,
    /// Article of Wildberries.
    pub nm_id: i64,
    /// Size.
    pub chrt_id: i64,
    /// Article of the seller.
    pub article: Arc<str>,
    /// Barcodes.
    pub skus: Arc<[String]>,
    /// Price in kopecks.
    pub price: i64,
    /// 1 small, 2 very large, 3 large.
    pub cargo_type: u8,
    /// Whether it crosses a border.
    pub cross_border: bool,
    /// Whether a company buys.
    pub b2b: bool,
    /// Whether it may be brought to a pick-up point.
    pub pickup_point: bool,
    /// Whether it was ordered at zero stock.
    pub zero: bool,
    /// The buyer's words.
    pub comment: &'static str,
    /// Label identifiers.
    pub labels: Vec<Label>,
    /// What the seller did.
    pub supplier_status: SupplierStatus,
    /// What Wildberries and the buyer did.
    pub wb_status: WbStatus,
    /// Number of its supply.
    pub supply: Option<i64>,
    /// Number of its sticker.
    pub sticker: i64,
    /// Whether Wildberries did not find it in a scanned supply.
    pub reshipment: bool,
    /// Whether Wildberries scanned it.
    pub scanned: bool,
    /// Whether it was sent back to assembly once already.
    pub transferred: bool,
}

impl Order {
    /// The id of the unit in reports.
    pub fn rid(&self) -> String {
        format!("d{}.{:016x}{:016x}.0.0", self.seed % 9 + 1, mix(self.seed), mix(!self.seed))
    }

    /// The same for all orders of one basket.
    pub fn order_uid(&self) -> String {
        format!("{}_{:032x}", 10_000_000 + self.basket % 90_000_000, u128::from(mix(self.basket)) * 7)
    }

    /// The id of its supply as Wildberries writes it.
    pub fn supply_id(&self) -> Option<String> {
        self.supply.map(crate::supply::supply_id)
    }

    /// Whether the seller may still cancel.
    pub fn is_cancellable(&self) -> bool {
        self.supplier_status != SupplierStatus::Cancel && self.wb_status == WbStatus::Waiting && !self.scanned
    }

    /// Whether it may go back to assembly.
    pub fn is_transferable(&self) -> bool {
        self.supplier_status == SupplierStatus::Complete
            && self.wb_status == WbStatus::Waiting
            && !self.scanned
            && !self.transferred
    }

    /// Whether a sticker can be had.
    pub fn has_sticker(&self) -> bool {
        matches!(self.supplier_status, SupplierStatus::Confirm | SupplierStatus::Complete)
    }

    fn keys(&self, required: bool) -> Vec<Key> {
        self.labels.iter().filter(|label| label.required == required).map(|label| label.key).collect()
    }
}
