//! Prices and discounts: shown at once, changed by tasks that are worked off later, held back where they fall too far.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ask::{Ask, object};
use crate::cabinet::Cabinet;
use crate::catalogue::Card;
use crate::reply::{Answer, Reply, prices_error};

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

/// How long a task waits before it is worked off.
const WORKING: Duration = Duration::seconds(5);
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

#[derive(Debug)]
struct Upload {
    at: DateTime<Utc>,
    due: DateTime<Utc>,
    rows: Vec<Row>,
    /// What became of each row; none before the task was worked off.
    verdicts: Option<Vec<Verdict>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    nm_id: i64,
    price: Option<i64>,
    discount: Option<i64>,
}

#[derive(Debug)]
struct Verdict {
    vendor_code: String,
    tag: Tag,
    error: Option<&'static str>,
}

/// A task that was worked off.
struct Done<'a> {
    id: i64,
    upload: &'a Upload,
    verdicts: &'a [Verdict],
}

impl Cabinet {
    /// What a card costs now.
    pub(crate) fn tag(&self, card: &Card) -> Tag {
        self.prices.set.get(&card.nm_id).copied().unwrap_or_else(|| Tag::first(card))
    }

    /// Works off the tasks that are due, and forgets what lay in quarantine too long.
    pub(crate) fn settle_prices(&mut self, now: DateTime<Utc>) {
        self.prices.held.retain(|_, held| now < held.until);
        while let Some((due, id)) = self.prices.waiting.first().copied().filter(|(due, _)| *due <= now) {
            self.prices.waiting.remove(&(due, id));
            let rows = self.prices.uploads.get(&id).map(|upload| upload.rows.clone()).unwrap_or_default();
            let verdicts = rows.iter().map(|row| self.settle_row(row, due)).collect();
            if let Some(upload) = self.prices.uploads.get_mut(&id) {
                upload.verdicts = Some(verdicts);
            }
        }
    }

    fn settle_row(&mut self, row: &Row, at: DateTime<Utc>) -> Verdict {
        let Some(card) = self.catalogue.card(row.nm_id).filter(|card| card.trashed_at.is_none()) else {
            let tag = Tag { price: row.price.unwrap_or(0), discount: row.discount.unwrap_or(0) };
            return Verdict { vendor_code: String::new(), tag, error: Some("Invalid item No.") };
        };
        let vendor_code = card.vendor_code.clone();
        let old = self.tag(card);
        let tag = Tag { price: row.price.unwrap_or(old.price), discount: row.discount.unwrap_or(old.discount) };
        if tag.paid() * 3 <= old.paid() {
            self.prices.held.insert(row.nm_id, Held { wanted: tag, until: at + QUARANTINE });
            return Verdict { vendor_code, tag, error: Some("The new price is too low: the item is in quarantine") };
        }
        self.put_tag(row.nm_id, tag);
        Verdict { vendor_code, tag, error: None }
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

    /// `POST /api/v2/upload/task`: 200 means accepted; the same task again is 208 until it was worked off.
    pub(crate) fn upload_prices(&mut self, ask: &Ask) -> Answer {
        let rows = read(ask)?;
        let pending = |id: &i64| self.prices.uploads.get(id).is_some_and(|upload| upload.rows == rows);
        if let Some(id) = self.prices.waiting.iter().map(|(_, id)| *id).find(pending) {
            let body = json!({ "data": { "id": id, "alreadyExists": true }, "error": false, "errorText": "" });
            return Ok(Reply::json(208, &body));
        }
        let cards: Vec<_> = rows.iter().filter_map(|row| Some((row, self.catalogue.card(row.nm_id)?))).collect();
        if cards.is_empty() {
            let text = "All item Nos. are specified incorrectly, or the specified prices and discounts are already set";
            return Err(prices_error(400, text));
        }
        let same = |(row, card): &(&Row, &Card)| {
            let tag = self.tag(card);
            let held = self.prices.held.contains_key(&card.nm_id);
            !held
                && row.price.is_none_or(|price| price == tag.price)
                && row.discount.is_none_or(|discount| discount == tag.discount)
        };
        if cards.iter().all(same) {
            return Err(prices_error(400, "The specified prices and discounts are already set"));
        }
        let id = self.prices.uploads.last_key_value().map_or(self.number * 1_000_000, |(id, _)| *id) + 1;
        let length = Duration::milliseconds(i64::try_from(rows.len()).unwrap_or(0) * 10);
        let due = ask.now + WORKING + length;
        self.prices.uploads.insert(id, Upload { at: ask.now, due, rows, verdicts: None });
        self.prices.waiting.insert((due, id));
        Ok(listed(&json!({ "id": id, "alreadyExists": false })))
    }

    /// The task a question is about, if it was worked off.
    fn upload(&self, ask: &Ask) -> Result<Option<Done<'_>>, Reply> {
        let id: Option<i64> = ask.query("uploadID").and_then(|text| text.parse().ok());
        let id = id.ok_or_else(|| prices_error(400, "Invalid uploadID"))?;
        let upload = self.prices.uploads.get(&id);
        Ok(upload.and_then(|upload| Some(Done { id, upload, verdicts: upload.verdicts.as_deref()? })))
    }

    /// `GET /api/v2/history/tasks`: silent about a task that was not worked off.
    pub(crate) fn upload_state(&self, ask: &Ask) -> Answer {
        let Some(Done { id, upload, verdicts }) = self.upload(ask)? else { return Ok(listed(&Value::Null)) };
        let fine = verdicts.iter().filter(|verdict| verdict.error.is_none()).count();
        let status = match fine {
            0 => 6,
            some if some < verdicts.len() => 5,
            _ => 3,
        };
        let at = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        Ok(listed(&json!({
            "uploadID": id,
            "status": status,
            "uploadDate": at(upload.at),
            "activationDate": at(upload.due),
            "overAllGoodsNumber": verdicts.len(),
            "successGoodsNumber": fine,
        })))
    }

    /// `GET /api/v2/history/goods/task`
    pub(crate) fn uploaded_goods(&self, ask: &Ask) -> Answer {
        let (limit, offset) = page(ask)?;
        let Some(Done { id, upload, verdicts }) = self.upload(ask)? else {
            return Ok(listed(&json!({ "uploadID": null, "historyGoods": null })));
        };
        let rows = upload.rows.iter().zip(verdicts).skip(offset).take(limit);
        let goods: Vec<Value> = rows
            .map(|(row, verdict)| {
                json!({
                    "nmID": row.nm_id,
                    "vendorCode": verdict.vendor_code,
                    "sizeID": null,
                    "techSizeName": "",
                    "price": verdict.tag.price,
                    "currencyIsoCode4217": "RUB",
                    "discount": verdict.tag.discount,
                    "clubDiscount": null,
                    "status": if verdict.error.is_none() { 2 } else { 3 },
                    "errorText": verdict.error,
                })
            })
            .collect();
        Ok(listed(&json!({ "uploadID": id, "historyGoods": goods })))
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

/// The rows of a task, held against everything that can be said without knowing the goods.
fn read(ask: &Ask) -> Result<Vec<Row>, Reply> {
    #[derive(Deserialize)]
    struct Body {
        data: Vec<Sent>,
    }
    #[derive(Deserialize)]
    struct Sent {
        #[serde(rename = "nmID")]
        nm_id: i64,
        price: Option<serde_json::Number>,
        discount: Option<serde_json::Number>,
    }
    let refused = |text: &str| prices_error(400, text);
    let Body { data } = object(&ask.body).ok_or_else(|| refused("Invalid data format"))?;
    if data.is_empty() {
        return Err(refused("Empty data"));
    }
    if data.len() > 1000 {
        return Err(refused("Upload limit exceeded: You can upload a maximum of 1 000 items"));
    }
    let mut seen = HashSet::new();
    data.into_iter()
        .map(|Sent { nm_id, price, discount }| {
            if !seen.insert(nm_id) {
                return Err(refused("Duplicate item Nos."));
            }
            if price.is_none() && discount.is_none() {
                return Err(refused("Price and discount not specified"));
            }
            let whole = |number: serde_json::Number, text| number.as_i64().ok_or_else(|| refused(text));
            let price = price.map(|price| whole(price, "Price should be a whole number")).transpose()?;
            let discount = discount.map(|discount| whole(discount, "Invalid discount value")).transpose()?;
            if price.is_some_and(|price| !(1..=1_000_000_000).contains(&price)) {
                return Err(refused("Invalid price value"));
            }
            if discount.is_some_and(|discount| !(0..=99).contains(&discount)) {
                return Err(refused("Invalid discount value"));
            }
            Ok(Row { nm_id, price, discount })
        })
        .collect()
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
