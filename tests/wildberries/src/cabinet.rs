//! One seller's account: everything Wildberries keeps for it, behind one lock.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::card_errors::CardErrors;
use crate::catalogue::{Card, Catalogue};
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
        let warehouse = match spec.warehouse_id {
            Some(id) => self.warehouses.iter().find(|warehouse| warehouse.id == id)?.clone(),
            None => {
                let open: Vec<&Warehouse> = self.warehouses.iter().filter(|it| !it.is_deleting).collect();
                if open.is_empty() {
                    return None;
                }
                (*self.chance.pick(&open)).clone()
            }
        };
        let (card, chrt_id) = self.goods(spec, &warehouse)?;
        let size = card.sizes.iter().find(|size| size.chrt_id == chrt_id)?;
        let (nm_id, article, skus) = (card.nm_id, card.vendor_code.as_str().into(), size.skus.clone().into());
        let (price, cargo_type, need_kiz) = (card.price, card.cargo_type, card.need_kiz);
        let id = self.orders.next_id();
        let ordinal = id % ORDERS_EACH;
        let chance = self.chance.next();
        let basket = self.orders.all().last().filter(|_| chance.is_multiple_of(7)).map(|last| last.order_uid.clone());
        let stock = self.stocks.entry((warehouse.id, chrt_id)).or_insert(0);
        let zero = spec.zero.unwrap_or(false);
        *stock = (*stock - 1).max(0);
        let required = spec.required.clone().unwrap_or_else(|| if need_kiz { vec![Key::Sgtin] } else { Vec::new() });
        let labels = required.into_iter().map(|key| (key, true)).chain(spec.optional.iter().map(|key| (*key, false)));
        self.orders.push(Order {
            id,
            rid: format!("d{}.{:016x}{:016x}.0.0", chance % 9 + 1, mix(chance), mix(!chance)),
            order_uid: basket.unwrap_or_else(|| {
                format!("{}_{:032x}", 10_000_000 + chance % 90_000_000, u128::from(mix(chance)) * 7)
            }),
            created_at: spec.created_at.unwrap_or(now),
            warehouse_id: warehouse.id,
            office_id: warehouse.office_id,
            office: OFFICES.iter().find(|office| office.id == warehouse.office_id).unwrap_or(&OFFICES[0]),
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
    fn goods(&mut self, spec: &OrderSpec, warehouse: &Warehouse) -> Option<(&Card, i64)> {
        let chrt_id = if let Some(chrt_id) = spec.chrt_id {
            chrt_id
        } else if spec.in_stock {
            let range = (warehouse.id, i64::MIN)..=(warehouse.id, i64::MAX);
            let held: Vec<i64> =
                self.stocks.range(range).filter(|(_, amount)| **amount > 0).map(|((_, size), _)| *size).collect();
            if held.is_empty() {
                return None;
            }
            *self.chance.pick(&held)
        } else {
            let sizes = self.catalogue.plain_sizes(warehouse.cargo_type);
            if sizes.is_empty() {
                return None;
            }
            *self.chance.pick(&sizes)
        };
        let (card, _) = self.catalogue.of_size(chrt_id)?;
        Some((card, chrt_id))
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
