//! One seller's account: everything Wildberries keeps for it, behind one lock.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::card_errors::CardErrors;
use crate::catalogue::Catalogue;
use crate::chance::{Chance, mix};
use crate::label::{Key, Label};
use crate::order::{Order, Orders, SupplierStatus, WbStatus};
use crate::passes::Passes;
use crate::prices::Prices;
use crate::reply::Reply;
use crate::seller::OrderSpec;
use crate::sticker::Sticker;
use crate::supply::Supply;
use crate::warehouses::Warehouse;
use crate::words::{COMMENTS, OFFICES};

/// The state of one seller.
pub(crate) struct Cabinet {
    pub sid: Uuid,
    pub name: String,
    pub number: i64,
    pub chance: Chance,
    pub catalogue: Catalogue,
    pub warehouses: Vec<Warehouse>,
    pub stocks: BTreeMap<(i64, i64), i64>,
    pub orders: Orders,
    pub supplies: BTreeMap<i64, Supply>,
    pub last_supply: i64,
    pub last_box: i64,
    pub last_warehouse: i64,
    pub prices: Prices,
    pub passes: Passes,
    pub card_errors: CardErrors,
    pub stream: Option<Stream>,
}

/// Orders that keep coming.
pub(crate) struct Stream {
    pub per_minute: f64,
    pub since: DateTime<Utc>,
    pub placed: u64,
}

impl Cabinet {
    /// `GET /api/v1/seller-info`
    pub(crate) fn seller_info(&self) -> Reply {
        let tin = format!("77{:08}", mix(self.number.unsigned_abs()) % 100_000_000);
        let body = json!({ "name": self.name, "sid": self.sid, "tin": tin, "tradeMark": self.name, "country": "RU" });
        Reply::json(200, &body)
    }

    /// Lets everything that happens by itself catch up with the clock.
    pub(crate) fn catch_up(&mut self, now: DateTime<Utc>) {
        self.settle_warehouses(now);
        self.settle_prices(now);
        self.passes.expire(now);
        self.catch_up_stream(now);
    }

    fn catch_up_stream(&mut self, now: DateTime<Utc>) {
        let Some(stream) = &mut self.stream else { return };
        let minutes = (now - stream.since).as_seconds_f64().max(0.0) / 60.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few orders a minute")]
        let due = (minutes * stream.per_minute) as u64;
        let missing = due.saturating_sub(stream.placed).min(10_000);
        stream.placed = due;
        for _ in 0..missing {
            // A seller without goods or warehouses gets no orders.
            if self.place(&OrderSpec::default(), now).is_none() {
                break;
            }
        }
    }

    /// A buyer pays. `None` if there is nothing that fits.
    pub(crate) fn place(&mut self, spec: &OrderSpec, now: DateTime<Utc>) -> Option<i64> {
        let place = if let Some(id) = spec.warehouse_id {
            self.warehouses.iter().position(|warehouse| warehouse.id == id)?
        } else {
            let open = |place: &usize| !self.warehouses[*place].is_deleting;
            let places: Vec<usize> = (0..self.warehouses.len()).filter(open).collect();
            if places.is_empty() {
                return None;
            }
            *self.chance.pick(&places)
        };
        let Warehouse { id: warehouse_id, office_id, cargo_type, .. } = self.warehouses[place];
        let chrt_id = self.goods(spec, warehouse_id, cargo_type)?;
        let (article, skus) = self.catalogue.printed(chrt_id)?;
        let (card, _) = self.catalogue.of_size(chrt_id)?;
        let (nm_id, price, cargo_type, need_kiz) = (card.nm_id, card.price, card.cargo_type, card.need_kiz);
        let id = self.orders.next_id();
        let ordinal = id % ORDERS_EACH;
        let chance = self.chance.next();
        let basket = self.orders.all().last().filter(|_| chance.is_multiple_of(7)).map_or(chance, |last| last.basket);
        let stock = self.stocks.entry((warehouse_id, chrt_id)).or_insert(0);
        let zero = spec.zero.unwrap_or(false);
        *stock = (*stock - 1).max(0);
        let required = spec.required.clone().unwrap_or_else(|| if need_kiz { vec![Key::Sgtin] } else { Vec::new() });
        let labels = required.into_iter().map(|key| (key, true)).chain(spec.optional.iter().map(|key| (*key, false)));
        self.orders.push(Order {
            id,
            seed: chance,
            basket,
            created_at: spec.created_at.unwrap_or(now),
            warehouse_id,
            office_id,
            office: OFFICES.iter().find(|office| office.id == office_id).unwrap_or(&OFFICES[0]),
            nm_id,
            chrt_id,
            article,
            skus,
            price: spec.price.unwrap_or(price),
            cargo_type: spec.cargo_type.unwrap_or(cargo_type),
            cross_border: spec.cross_border,
            b2b: spec.b2b,
            pickup_point: spec.pickup_point.unwrap_or(true),
            zero,
            comment: if chance.is_multiple_of(40) {
                COMMENTS[usize::try_from(chance / 40 % 3).unwrap_or(0)]
            } else {
                ""
            },
            labels: labels.map(|(key, required)| Label::new(key, required)).collect(),
            supplier_status: SupplierStatus::New,
            wb_status: WbStatus::Waiting,
            supply: None,
            sticker: 20_000_000_000 + (self.number * ORDERS_EACH + ordinal) * 7919,
            reshipment: false,
            scanned: false,
            transferred: false,
        });
        Some(id)
    }

    /// What is bought: the size that was named, one in stock, or any that needs no marking.
    fn goods(&mut self, spec: &OrderSpec, warehouse: i64, cargo_type: u8) -> Option<i64> {
        if spec.chrt_id.is_some() {
            return spec.chrt_id;
        }
        if spec.in_stock {
            let range = (warehouse, i64::MIN)..=(warehouse, i64::MAX);
            let held: Vec<i64> =
                self.stocks.range(range).filter(|(_, amount)| **amount > 0).map(|((_, size), _)| *size).collect();
            return (!held.is_empty()).then(|| *self.chance.pick(&held));
        }
        let sizes = self.catalogue.plain_sizes(cargo_type);
        (!sizes.is_empty()).then(|| *self.chance.pick(&sizes))
    }

    /// Everything about the orders and supplies, for the control API.
    pub(crate) fn dump(&self, limit: usize) -> Value {
        let orders = self.orders.all().iter().rev().take(limit).map(Self::dumped);
        let supplies: Vec<Value> = self
            .supplies
            .values()
            .map(|supply| {
                let mut shown = self.shown_supply(supply);
                shown["orderIds"] = json!(supply.orders);
                shown
            })
            .collect();
        json!({
            "sid": self.sid,
            "name": self.name,
            "warehouses": self.warehouses,
            "cards": self.catalogue.live().count(),
            "orderCount": self.orders.all().len(),
            "orders": orders.collect::<Vec<_>>(),
            "supplies": supplies,
        })
    }

    fn dumped(order: &Order) -> Value {
        json!({
            "id": order.id,
            "createdAt": order.created_at,
            "warehouseId": order.warehouse_id,
            "chrtId": order.chrt_id,
            "article": &*order.article,
            "supplierStatus": order.supplier_status,
            "wbStatus": order.wb_status,
            "supplyId": order.supply_id(),
            "reshipment": order.reshipment,
            "sticker": order.has_sticker().then(|| Sticker::of(order.sticker)),
        })
    }

    /// Moves a card to the end of the list of changes.
    pub(crate) fn change_card(&mut self, nm_id: i64, title: Option<String>, trashed: bool, now: DateTime<Utc>) -> bool {
        let Some(mut card) = self.catalogue.card(nm_id).cloned() else { return false };
        card.updated_at = self.catalogue.touch_at(now);
        card.trashed_at = trashed.then(|| card.updated_at + Duration::microseconds(1));
        if let Some(title) = title {
            card.title = title;
        }
        self.catalogue.put(card);
        true
    }
}

/// How many ids each seller has to itself.
pub(crate) const ORDERS_EACH: i64 = 10_000_000;
