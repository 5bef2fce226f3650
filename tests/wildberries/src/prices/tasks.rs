//! Tasks that change prices: accepted at once, worked off a little later.

use std::collections::HashSet;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Held, QUARANTINE, Tag, listed, page};
use crate::ask::{Ask, object};
use crate::cabinet::Cabinet;
use crate::catalogue::Card;
use crate::reply::{Answer, Reply, prices_error};

/// How long a task waits before it is worked off.
const WORKING: Duration = Duration::seconds(5);

/// A task.
#[derive(Debug)]
pub(super) struct Upload {
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
