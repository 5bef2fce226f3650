//! Orders: one unit of goods each, moved by the seller (`supplierStatus`) and by Wildberries and the buyer (`wbStatus`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::chance::mix;
use crate::label::{Key, Label};
use crate::words::Office;

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

/// All orders of a seller; ids rise without gaps, so that an id is a place in the list.
#[derive(Debug)]
pub(crate) struct Orders {
    first: i64,
    list: Vec<Order>,
    fresh: BTreeSet<i64>,
    lost: BTreeSet<i64>,
    counts: BTreeMap<(SupplierStatus, WbStatus), usize>,
    /// Whether no order was placed before the one in front of it.
    in_time: bool,
}

impl Orders {
    pub(crate) fn new(first: i64) -> Self {
        Self {
            first,
            list: Vec::new(),
            fresh: BTreeSet::new(),
            lost: BTreeSet::new(),
            counts: BTreeMap::new(),
            in_time: true,
        }
    }

    pub(crate) fn reserve(&mut self, count: usize) {
        self.list.reserve(count);
    }

    pub(crate) fn next_id(&self) -> i64 {
        self.first + i64::try_from(self.list.len()).unwrap_or(i64::MAX)
    }

    pub(crate) fn push(&mut self, order: Order) {
        self.fresh.insert(order.id);
        *self.counts.entry((order.supplier_status, order.wb_status)).or_default() += 1;
        self.in_time &= self.list.last().is_none_or(|last| last.created_at <= order.created_at);
        self.list.push(order);
    }

    pub(crate) fn get(&self, id: i64) -> Option<&Order> {
        self.list.get(usize::try_from(id.checked_sub(self.first)?).ok()?)
    }

    /// Changes an order and keeps the lists of new and lost ones and the counts right.
    pub(crate) fn change(&mut self, id: i64, act: impl FnOnce(&mut Order)) {
        let place = id.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        let Some(order) = place.and_then(|place| self.list.get_mut(place)) else { return };
        let before = (order.supplier_status, order.wb_status);
        act(order);
        let after = (order.supplier_status, order.wb_status);
        if order.supplier_status != SupplierStatus::New || order.wb_status.is_final() {
            self.fresh.remove(&id);
        }
        if order.reshipment {
            self.lost.insert(id);
        } else {
            self.lost.remove(&id);
        }
        if before != after {
            if let Some(count) = self.counts.get_mut(&before) {
                *count -= 1;
            }
            *self.counts.entry(after).or_default() += 1;
        }
    }

    /// How many orders are in each pair of statuses.
    pub(crate) fn counts(&self) -> &BTreeMap<(SupplierStatus, WbStatus), usize> {
        &self.counts
    }

    /// Orders that wait for another supply.
    pub(crate) fn lost(&self) -> impl Iterator<Item = &Order> {
        self.lost.iter().filter_map(|id| self.get(*id))
    }

    pub(crate) fn all(&self) -> &[Order] {
        &self.list
    }

    /// New orders that are still wanted.
    pub(crate) fn fresh(&self) -> impl Iterator<Item = &Order> {
        self.fresh.iter().filter_map(|id| self.get(*id))
    }

    /// Orders with an id above the given one that were placed from one moment until just before another.
    pub(crate) fn between(&self, id: i64, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = &Order> {
        let start = usize::try_from(id.saturating_sub(self.first).saturating_add(1)).unwrap_or(0).min(self.list.len());
        // As a rule orders lie in the order of time, and what is too old or too young need not be looked at.
        let (start, end) = if self.in_time {
            let place = |at| self.list.partition_point(|order| order.created_at < at);
            (start.max(place(from)), place(to))
        } else {
            (start, self.list.len())
        };
        let within = move |order: &&Order| from <= order.created_at && order.created_at < to;
        self.list.get(start..end).unwrap_or(&[]).iter().filter(within)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    #[serde(rename = "isB2B")]
    is_b2b: bool,
}

/// An order in either list; `fresh` holds what only the list of new ones shows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown<'a> {
    id: i64,
    rid: String,
    order_uid: String,
    created_at: String,
    warehouse_id: i64,
    office_id: i64,
    offices: [&'a str; 1],
    nm_id: i64,
    chrt_id: i64,
    article: &'a str,
    color_code: &'a str,
    skus: &'a [String],
    price: i64,
    converted_price: i64,
    currency_code: i64,
    converted_currency_code: i64,
    scan_price: Option<i64>,
    cargo_type: u8,
    cross_border_type: u8,
    delivery_type: &'a str,
    is_zero_order: bool,
    comment: &'a str,
    address: Option<()>,
    options: Options,
    #[serde(skip_serializing_if = "Option::is_none")]
    supply_id: Option<String>,
    #[serde(flatten)]
    fresh: Option<Fresh>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fresh {
    final_price: i64,
    converted_final_price: i64,
    sale_price: Option<i64>,
    required_meta: Vec<Key>,
    optional_meta: Vec<Key>,
    is_pickup_point_shipment_allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ddate: Option<String>,
    seller_date: Option<String>,
}

const ROUBLE: i64 = 643;

impl<'a> Shown<'a> {
    /// As the list of all orders shows it.
    pub(crate) fn listed(order: &'a Order) -> Self {
        Self {
            id: order.id,
            rid: order.rid(),
            order_uid: order.order_uid(),
            created_at: order.created_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            warehouse_id: order.warehouse_id,
            office_id: order.office_id,
            offices: [order.office.name],
            nm_id: order.nm_id,
            chrt_id: order.chrt_id,
            article: &order.article,
            color_code: "",
            skus: &order.skus,
            price: order.price,
            converted_price: order.price,
            currency_code: ROUBLE,
            converted_currency_code: ROUBLE,
            scan_price: order.scanned.then_some(order.price),
            cargo_type: order.cargo_type,
            cross_border_type: u8::from(order.cross_border),
            delivery_type: "fbs",
            is_zero_order: order.zero,
            comment: order.comment,
            address: None,
            options: Options { is_b2b: order.b2b },
            supply_id: order.supply_id(),
            fresh: None,
        }
    }

    /// As the list of new orders shows it.
    pub(crate) fn fresh(order: &'a Order) -> Self {
        let huge = |days| {
            (order.cargo_type == 2)
                .then(|| (order.created_at + chrono::Duration::days(days)).format("%d.%m.%Y").to_string())
        };
        let fresh = Fresh {
            final_price: order.price * 97 / 100,
            converted_final_price: order.price * 97 / 100,
            sale_price: Some(order.price * 105 / 100),
            required_meta: order.keys(true),
            optional_meta: order.keys(false),
            is_pickup_point_shipment_allowed: order.pickup_point,
            ddate: huge(7),
            seller_date: huge(3),
        };
        Self { scan_price: None, supply_id: None, fresh: Some(fresh), ..Self::listed(order) }
    }
}
