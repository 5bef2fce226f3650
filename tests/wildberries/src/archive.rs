//! The archive: orders that are older than the list of orders reaches, in words of its own.

use chrono::{DateTime, Months, NaiveDate, NaiveTime, Utc};
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::cabinet::Cabinet;
use crate::order::Order;
use crate::orders::REACH;
use crate::reply::{Answer, Reply, problem};

impl Cabinet {
    /// `GET /api/marketplace/v3/fbs/orders/archive`
    pub(crate) fn archive(&self, ask: &Ask) -> Answer {
        let bad = |name: &str| {
            let value = ask.query(name).unwrap_or_default();
            problem(400, "IncorrectParameter", &format!("query.{name}"), value)
        };
        let number = |name: &str, low: i64, high: i64| {
            let given = ask.query(name).and_then(|text| text.parse::<i64>().ok());
            given.filter(|given| (low..=high).contains(given)).ok_or_else(|| bad(name))
        };
        let (year, month) = (number("year", 1, 9999)?, number("month", 1, 12)?);
        let next = number("next", 0, i64::MAX)?;
        let limit = usize::try_from(number("limit", 100, 1000)?).unwrap_or(1000);
        let (from, to) = month_of(year, month).ok_or_else(|| bad("year"))?;
        let to = to.min(ask.now - REACH);
        let orders = self.orders.between(next, from, to);
        let page: Vec<&Order> = orders.take(limit).collect();
        let next = page.last().filter(|_| page.len() == limit).map(|order| order.id);
        let orders: Vec<Value> = page.into_iter().map(|order| shown(order, ask.now)).collect();
        Ok(Reply::json(200, &json!({ "next": next, "orders": orders })))
    }
}

/// The first moment of a month, and of the one after it.
fn month_of(year: i64, month: i64) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let first = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, u32::try_from(month).ok()?, 1)?;
    let after = first.checked_add_months(Months::new(1))?;
    let at = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    Some((at(first), at(after)))
}

fn shown(order: &Order, now: DateTime<Utc>) -> Value {
    const ROUBLE: i64 = 643;
    json!({
        "id": order.id,
        "rid": order.rid(),
        "orderUid": order.order_uid(),
        "createdAt": order.created_at.format("%Y-%m-%d").to_string(),
        "warehouseId": order.warehouse_id,
        "supplyId": order.supply_id(),
        "stickerId": order.sticker,
        "cargoType": match order.cargo_type { 1 => "mgt", 2 => "sgt", _ => "kgtPlus" },
        "crossBorderType": if order.cross_border { "crossBorder" } else { "local" },
        "crossBorder": null,
        "colorCode": null,
        "isZeroOrder": order.zero,
        "options": { "isB2B": order.b2b },
        "metaDetails": order.labels.iter().map(|label| label.shown(now)).collect::<Vec<_>>(),
        "priceInfo": {
            "price": order.price,
            "convertedPrice": order.price,
            "currencyCode": ROUBLE,
            "convertedCurrencyCode": ROUBLE,
        },
        "scanPrice": order.scanned.then_some(order.price),
        "product": { "article": &*order.article, "chrtId": order.chrt_id, "nmId": order.nm_id, "skus": &*order.skus },
        "status": { "supplierStatus": order.supplier_status, "wbStatus": order.wb_status },
    })
}
