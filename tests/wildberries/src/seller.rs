//! A seller as the test suite and the demo hold it: its goods, its tokens, its buyers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::acts::BuyerAct;
use crate::cabinet::{Cabinet, Stream};
use crate::card_errors::RefusedCard;
use crate::catalogue::Card;
use crate::label::Key;
use crate::order::{Order, SupplierStatus, WbStatus};
use crate::prices::Tag;
use crate::sticker::Sticker;
use crate::supply::Supply;
use crate::token::{TokenKind, TokenSpec};
use crate::warehouses::Warehouse;
use crate::world::{World, lock};

/// What a new seller starts with.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Shop {
    /// The seller's name; made up if not given.
    pub name: Option<String>,
    /// How many cards.
    pub cards: usize,
    /// How many warehouses.
    pub warehouses: usize,
    /// How many of the cards need marking codes; they are not ordered by chance.
    pub marked: usize,
    /// How many of the cards are large goods, which the warehouses do not take.
    pub large: usize,
}

impl Default for Shop {
    fn default() -> Self {
        Self { name: None, cards: 300, warehouses: 2, marked: 5, large: 0 }
    }
}

/// An order to place; what is not said is left to chance.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OrderSpec {
    /// Which size.
    pub chrt_id: Option<i64>,
    /// At which of the seller's warehouses.
    pub warehouse_id: Option<i64>,
    /// Price in kopecks.
    pub price: Option<i64>,
    /// When; now if not said. Earlier orders must be placed earlier.
    pub created_at: Option<DateTime<Utc>>,
    /// Whether only sizes with stock at Wildberries may be ordered.
    pub in_stock: bool,
    /// Whether a company buys.
    pub b2b: bool,
    /// Whether it crosses a border.
    pub cross_border: bool,
    /// Cargo type other than the card's.
    pub cargo_type: Option<u8>,
    /// Whether a pick-up point may take it in.
    pub pickup_point: Option<bool>,
    /// Whether it is ordered at zero stock.
    pub zero: Option<bool>,
    /// Identifiers it must have, other than the card says.
    pub required: Option<Vec<Key>>,
    /// Identifiers it may have.
    pub optional: Vec<Key>,
}

/// A seller's account in the simulator.
#[derive(Clone)]
pub struct Seller {
    pub(crate) world: Arc<World>,
    pub(crate) cabinet: Arc<Mutex<Cabinet>>,
}

impl Seller {
    fn with<T>(&self, act: impl FnOnce(&mut Cabinet, DateTime<Utc>) -> T) -> T {
        let now = self.world.clock.now();
        let mut cabinet = lock(&self.cabinet);
        cabinet.catch_up(now);
        act(&mut cabinet, now)
    }

    /// The seller's id, which tokens carry.
    pub fn sid(&self) -> Uuid {
        self.with(|cabinet, _| cabinet.sid)
    }

    /// The seller's place in the order of creation, from one.
    pub fn number(&self) -> i64 {
        self.with(|cabinet, _| cabinet.number)
    }

    /// The seller's name.
    pub fn name(&self) -> String {
        self.with(|cabinet, _| cabinet.name.clone())
    }

    /// A token of this kind for these categories, good for 180 days.
    pub fn token(&self, kind: TokenKind, categories: u32) -> String {
        self.token_with(&TokenSpec { kind, categories, ..TokenSpec::default() })
    }

    /// A token that says what is wanted.
    pub fn token_with(&self, spec: &TokenSpec) -> String {
        self.world.issue(self.sid(), spec)
    }

    /// Places orders for whatever is on sale; fewer if there is nothing on sale.
    pub fn place_orders(&self, count: usize) -> Vec<i64> {
        self.place_many(&OrderSpec::default(), count)
    }

    /// Places the same sort of order many times.
    pub fn place_many(&self, spec: &OrderSpec, count: usize) -> Vec<i64> {
        self.with(|cabinet, now| {
            cabinet.orders.reserve(count);
            (0..count).map_while(|_| cabinet.place(spec, now)).collect()
        })
    }

    /// Places one order.
    #[expect(clippy::needless_pass_by_value, reason = "written in place by every caller")]
    pub fn place_order(&self, spec: OrderSpec) -> Result<i64> {
        self.with(|cabinet, now| cabinet.place(&spec, now)).context("the shop has nothing of the kind")
    }

    /// Lets orders come by themselves as the clock runs; zero stops them.
    pub fn stream(&self, per_minute: f64) {
        self.with(|cabinet, now| {
            cabinet.stream = (per_minute > 0.0).then_some(Stream { per_minute, since: now, placed: 0 });
        });
    }

    /// The buyer or Wildberries acts on an order.
    pub fn buyer(&self, order: i64, act: BuyerAct) -> Result<()> {
        self.with(|cabinet, now| cabinet.act(order, act, now))
    }

    /// The order goes all the way to its buyer.
    pub fn receive(&self, order: i64) -> Result<()> {
        self.buyer(order, BuyerAct::Receive)
    }

    /// Wildberries scans a supply, all of it or only these orders; answers what was scanned.
    pub fn scan(&self, supply: &str, only: Option<&[i64]>) -> Result<Vec<i64>> {
        self.with(|cabinet, now| cabinet.scan(supply, only, now))
    }

    /// What was not scanned goes on the list for reshipment.
    pub fn lose(&self, supply: &str) -> Result<Vec<i64>> {
        self.with(|cabinet, _| cabinet.lose(supply))
    }

    /// The register rules on a label identifier, such as `sgtinIntroduced` or `sgtinRetired`.
    pub fn rule(&self, order: i64, key: Key, decision: &str) -> Result<()> {
        self.with(|cabinet, _| cabinet.rule(order, key, decision))
    }

    /// Cards that are not in the bin.
    pub fn cards(&self) -> Vec<Card> {
        self.with(|cabinet, _| cabinet.catalogue.live().cloned().collect())
    }

    /// Changes a card's title, or only the time of its last change; `false` if there is none.
    pub fn change_card(&self, nm_id: i64, title: Option<String>) -> bool {
        self.with(|cabinet, now| cabinet.change_card(nm_id, title, false, now))
    }

    /// Puts a card into the bin.
    pub fn trash_card(&self, nm_id: i64) -> bool {
        self.with(|cabinet, now| cabinet.change_card(nm_id, None, true, now))
    }

    /// The seller's warehouses.
    pub fn warehouses(&self) -> Vec<Warehouse> {
        self.with(|cabinet, _| cabinet.warehouses.clone())
    }

    /// Makes Wildberries busy with a warehouse, or not; `false` if there is none.
    pub fn set_processing(&self, warehouse: i64, busy: bool) -> bool {
        self.with(|cabinet, _| {
            let found = cabinet.warehouses.iter_mut().find(|known| known.id == warehouse);
            found.map(|known| (known.is_processing, known.busy_until) = (busy, None)).is_some()
        })
    }

    /// The seller confirms a price that lies in quarantine; `false` if none does.
    pub fn release_price(&self, nm_id: i64) -> bool {
        self.with(|cabinet, _| cabinet.release_price(nm_id))
    }

    /// What a card costs now.
    pub fn price(&self, nm_id: i64) -> Option<Tag> {
        self.with(|cabinet, _| Some(cabinet.tag(cabinet.catalogue.card(nm_id)?)))
    }

    /// Wildberries refuses cards that were sent together; answers the packet's id.
    pub fn refuse_cards(&self, cards: Vec<RefusedCard>) -> Uuid {
        self.with(|cabinet, now| {
            let batch = cabinet.chance.uuid();
            cabinet.card_errors.put(batch, now, cards);
            batch
        })
    }

    /// How many orders are in each pair of statuses.
    pub fn order_counts(&self) -> BTreeMap<(SupplierStatus, WbStatus), usize> {
        self.with(|cabinet, _| cabinet.orders.counts().clone())
    }

    /// What Wildberries believes to be in stock.
    pub fn stock(&self, warehouse: i64, chrt_id: i64) -> i64 {
        self.with(|cabinet, _| cabinet.stocks.get(&(warehouse, chrt_id)).copied().unwrap_or(0))
    }

    /// By warehouse: how many sizes are in stock, and how many units of them.
    pub fn stocked(&self) -> BTreeMap<i64, (usize, i64)> {
        self.with(|cabinet, _| {
            let mut totals: BTreeMap<i64, (usize, i64)> = BTreeMap::new();
            for ((warehouse, _), amount) in cabinet.stocks.iter().filter(|(_, amount)| **amount > 0) {
                let (sizes, units) = totals.entry(*warehouse).or_default();
                *sizes += 1;
                *units += amount;
            }
            totals
        })
    }

    /// How many cards are not in the bin.
    pub fn card_count(&self) -> usize {
        self.with(|cabinet, _| cabinet.catalogue.live().count())
    }

    /// How many orders a minute come by themselves.
    pub fn streaming(&self) -> f64 {
        self.with(|cabinet, _| cabinet.stream.as_ref().map_or(0.0, |stream| stream.per_minute))
    }

    /// Sets what Wildberries believes to be in stock.
    pub fn set_stock(&self, warehouse: i64, chrt_id: i64, amount: i64) {
        self.with(|cabinet, _| cabinet.stocks.insert((warehouse, chrt_id), amount));
    }

    /// An order as it stands.
    pub fn order(&self, id: i64) -> Option<Order> {
        self.with(|cabinet, _| cabinet.orders.get(id).cloned())
    }

    /// The latest orders, latest first.
    pub fn latest_orders(&self, count: usize) -> Vec<Order> {
        self.with(|cabinet, _| cabinet.orders.all().iter().rev().take(count).cloned().collect())
    }

    /// How many orders there are.
    pub fn order_count(&self) -> usize {
        self.with(|cabinet, _| cabinet.orders.all().len())
    }

    /// Ids of all orders.
    pub fn order_ids(&self) -> Vec<i64> {
        self.with(|cabinet, _| cabinet.orders.all().iter().map(|order| order.id).collect())
    }

    /// An order's sticker, whether or not it can be had already.
    pub fn sticker(&self, id: i64) -> Option<Sticker> {
        self.order(id).map(|order| Sticker::of(order.sticker))
    }

    /// A supply as it stands.
    pub fn supply(&self, id: &str) -> Option<Supply> {
        self.with(|cabinet, _| cabinet.supply(id).ok().cloned())
    }

    /// How many supplies there are.
    pub fn supply_count(&self) -> usize {
        self.with(|cabinet, _| cabinet.supplies.len())
    }

    /// The latest supplies, latest first.
    pub fn latest_supplies(&self, count: usize) -> Vec<Supply> {
        self.with(|cabinet, _| cabinet.supplies.values().rev().take(count).cloned().collect())
    }

    /// All supplies.
    pub fn supplies(&self) -> Vec<Supply> {
        self.with(|cabinet, _| cabinet.supplies.values().cloned().collect())
    }

    /// The latest orders and all supplies as JSON.
    pub fn dump(&self, orders: usize) -> serde_json::Value {
        self.with(|cabinet, _| cabinet.dump(orders))
    }
}
