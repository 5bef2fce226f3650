//! Prices and discounts: shown at once, changed by tasks that are worked off later, held back where they fall too far.

mod tasks;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ask::{Ask, object};
use crate::cabinet::Cabinet;
use crate::catalogue::Card;
use crate::reply::{Answer, Reply, prices_error};
use tasks::Upload;

/// What a card costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tag {
    /// Whole roubles before the discount.
    pub price: i64,
    /// Per cent.
    pub discount: i64,
}

impl Tag {
    /// A card's first tag: what its buyers pay, and a discount that made it so.
    fn first(card: &Card) -> Self {
        let paid = card.price / 100;
        match card.nm_id % 3 {
            0 => Self { price: paid * 2, discount: 50 },
            1 if paid % 4 == 0 => Self { price: paid / 4 * 5, discount: 20 },
            _ => Self { price: paid, discount: 0 },
        }
    }

    /// What a buyer pays, in kopecks.
    pub fn paid(self) -> i64 {
        self.price * (100 - self.discount)
    }

    /// The same in roubles, as the prices host writes it.
    fn roubles(self) -> f64 {
        kopecks(self.paid())
    }
}

#[expect(clippy::cast_precision_loss, reason = "prices are far below 2^53 kopecks")]
fn kopecks(amount: i64) -> f64 {
    amount as f64 / 100.0
}

/// How long a price stays in quarantine before it is forgotten.
const QUARANTINE: Duration = Duration::days(3);

/// Everything the prices host keeps for a seller.
#[derive(Debug, Default)]
pub(crate) struct Prices {
    set: BTreeMap<i64, Tag>,
    held: BTreeMap<i64, Held>,
    uploads: BTreeMap<i64, Upload>,
    /// Tasks that are not worked off, by when they will be.
    waiting: BTreeSet<(DateTime<Utc>, i64)>,
}

#[derive(Debug)]
struct Held {
    wanted: Tag,
    until: DateTime<Utc>,
}

impl Cabinet {
    /// What a card costs now.
    pub(crate) fn tag(&self, card: &Card) -> Tag {
        self.prices.set.get(&card.nm_id).copied().unwrap_or_else(|| Tag::first(card))
    }

    fn put_tag(&mut self, nm_id: i64, tag: Tag) {
        self.prices.held.remove(&nm_id);
        self.prices.set.insert(nm_id, tag);
        self.catalogue.set_price(nm_id, tag.paid());
    }

    /// The seller confirms a price in quarantine in the cabinet; `false` if there is none.
    pub(crate) fn release_price(&mut self, nm_id: i64) -> bool {
        let wanted = self.prices.held.get(&nm_id).map(|held| held.wanted);
        wanted.map(|tag| self.put_tag(nm_id, tag)).is_some()
    }

    /// `GET /api/v2/list/goods/filter`
    pub(crate) fn list_prices(&self, ask: &Ask) -> Answer {
        let (limit, offset) = page(ask)?;
        let wanted = match ask.query("filterNmID") {
            None => None,
            Some(text) => Some(text.parse::<i64>().map_err(|_| prices_error(400, "Invalid item No."))?),
        };
        let goods: Vec<Value> = match wanted {
            Some(nm_id) => self.catalogue.card(nm_id).into_iter().map(|card| self.shown_price(card)).collect(),
            None => self.catalogue.live().skip(offset).take(limit).map(|card| self.shown_price(card)).collect(),
        };
        Ok(listed(&json!({ "listGoods": goods })))
    }

    /// `POST /api/v2/list/goods/filter`
    pub(crate) fn prices_of(&self, ask: &Ask) -> Answer {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            nm_list: Vec<i64>,
        }
        let Body { nm_list } = object(&ask.body).ok_or_else(|| prices_error(400, "Invalid data format"))?;
        if !(1..=1000).contains(&nm_list.len()) {
            return Err(prices_error(400, "Invalid data format"));
        }
        let goods = nm_list.iter().filter_map(|nm_id| self.catalogue.card(*nm_id)).map(|card| self.shown_price(card));
        Ok(listed(&json!({ "listGoods": goods.collect::<Vec<_>>() })))
    }

    fn shown_price(&self, card: &Card) -> Value {
        let tag = self.tag(card);
        let sizes: Vec<Value> = card
            .sizes
            .iter()
            .map(|size| {
                json!({
                    "sizeID": size.chrt_id,
                    "price": tag.price,
                    "discountedPrice": tag.roubles(),
                    "clubDiscountedPrice": tag.roubles(),
                    "techSizeName": size.tech_size,
                })
            })
            .collect();
        json!({
            "nmID": card.nm_id,
            "vendorCode": card.vendor_code,
            "sizes": sizes,
            "currencyIsoCode4217": "RUB",
            "discount": tag.discount,
            "clubDiscount": 0,
            "editableSizePrice": false,
        })
    }

    /// `GET /api/v2/quarantine/goods`
    pub(crate) fn quarantine(&self, ask: &Ask) -> Answer {
        let (limit, offset) = page(ask)?;
        let held = self.prices.held.iter().skip(offset).take(limit);
        let goods: Vec<Value> = held
            .filter_map(|(nm_id, held)| Some((self.tag(self.catalogue.card(*nm_id)?), *nm_id, held.wanted)))
            .map(|(old, nm_id, new)| {
                json!({
                    "nmID": nm_id,
                    "sizeID": null,
                    "techSizeName": "",
                    "currencyIsoCode4217": "RUB",
                    "newPrice": kopecks(new.price * 100),
                    "oldPrice": kopecks(old.price * 100),
                    "newDiscount": new.discount,
                    "oldDiscount": old.discount,
                    "priceDiff": kopecks(new.paid() - old.paid()),
                })
            })
            .collect();
        Ok(listed(&json!({ "quarantineGoods": goods })))
    }
}

fn page(ask: &Ask) -> Result<(usize, usize), Reply> {
    let number = |name: &str| ask.query(name).map(str::parse::<usize>).transpose();
    match (number("limit"), number("offset")) {
        (Ok(Some(limit @ 1..=1000)), Ok(offset)) => Ok((limit, offset.unwrap_or(0))),
        _ => Err(prices_error(400, "Invalid query params")),
    }
}

fn listed(data: &Value) -> Reply {
    Reply::json(200, &json!({ "data": data, "error": false, "errorText": "" }))
}
