//! What faults do that need to know the request: conflicts in the manner of the method, lists that do not hold still.

use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::ask::Ask;
use crate::fault::{FaultKind, rewrite};
use crate::faults::{Faults, IgnoredRow};
use crate::reply::{Reply, content_error, prices_error, problem, refusal, refusals};
use crate::route::{Call, Route};
use crate::token::Category;

/// A conflict as this method would speak of it.
pub(crate) fn conflict(route: &Route, body: &[u8], code: Option<&str>) -> Reply {
    match (route.category, &route.call) {
        (Category::Prices, _) => prices_error(409, "Currency is being switched"),
        (Category::Content, _) => content_error(409, "conflict"),
        (_, Call::WriteStocks(_)) => refusals(409, code.unwrap_or("StoreIsProcessing"), &stock_rows(body)),
        (_, Call::DeleteStocks(_)) => refusal(409, code.unwrap_or("StoreIsProcessing")),
        (_, Call::AddToSupply(_)) => refusal(409, code.unwrap_or("FailedToAddSupplyOrder")),
        (_, Call::DeleteSupply(_)) => refusal(409, code.unwrap_or("SupplyHasOrders")),
        (_, Call::WriteLabel(..) | Call::DeleteLabel(_)) => refusal(409, code.unwrap_or("FailedToUpdateMeta")),
        (_, Call::Transfer(_) | Call::ChooseShipping | Call::ShippingPoints(_) | Call::Archive) => {
            problem(409, code.unwrap_or("StatusMismatch"), "body", "")
        }
        _ => refusal(409, code.unwrap_or("StatusChangeNotAllowed")),
    }
}

fn stock_rows(body: &[u8]) -> Vec<Value> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let rows = body["stocks"].as_array().into_iter().flatten();
    rows.map(|row| json!({ "sku": "", "chrtId": row["chrtId"], "amount": row["amount"] })).collect()
}

/// Chooses the rows of a stock update that will change nothing.
pub(crate) fn ignored(
    faults: &mut Faults,
    percent: u8,
    seller: Uuid,
    warehouse_id: i64,
    body: &[u8],
) -> Vec<IgnoredRow> {
    let rows = stock_rows(body);
    let written = rows.iter().filter_map(|row| Some((row["chrtId"].as_i64()?, row["amount"].as_i64()?)));
    written
        .filter(|_| faults.strikes(percent))
        .map(|(chrt_id, amount)| IgnoredRow { seller, warehouse_id, chrt_id, amount })
        .collect()
}

/// The sizes of these rows.
pub(crate) fn sizes(rows: &[IgnoredRow]) -> HashSet<i64> {
    rows.iter().map(|row| row.chrt_id).collect()
}

/// Takes entries out of lists by chance.
pub(crate) fn thin_out(reply: &mut Reply, faults: &std::sync::Mutex<Faults>, percent: u8) {
    rewrite(reply, &|value| {
        if let Some(list) = value.as_array_mut().filter(|list| list.iter().any(Value::is_object)) {
            let mut faults = crate::world::lock(faults);
            list.retain(|_| !faults.strikes(percent));
        }
    });
}

/// A page of a list, as the answer shows it.
struct Page {
    body: Value,
    limit: usize,
}

const LISTS: &[&str] = &[
    "/orders",
    "/supplies",
    "/cards",
    "/data/listGoods",
    "/data/historyGoods",
    "/data/quarantineGoods",
    "/data/items",
];

impl Page {
    /// `None` if the answer is no page, or the request asked for none.
    fn of(reply: &Reply, ask: &Ask) -> Option<Self> {
        let body: Value = serde_json::from_slice(&reply.body).ok().filter(|_| reply.status == 200)?;
        let in_body: Value = serde_json::from_slice(&ask.body).unwrap_or_default();
        let limit = ask.query("limit").and_then(|text| text.parse().ok());
        let cursor = in_body.pointer("/settings/cursor").or_else(|| in_body.get("cursor"));
        let limit = limit.or_else(|| cursor.map(|cursor| cursor["limit"].as_u64().unwrap_or(10)))?;
        let page = Self { body, limit: usize::try_from(limit).unwrap_or(1000) };
        LISTS.iter().any(|place| page.body.pointer(place).is_some_and(Value::is_array)).then_some(page)
    }

    fn list(&mut self) -> Option<&mut Vec<Value>> {
        let place = LISTS.iter().find(|place| self.body.pointer(place).is_some_and(Value::is_array))?;
        self.body.pointer_mut(place)?.as_array_mut()
    }

    fn len(&mut self) -> usize {
        self.list().map_or(0, |list| list.len())
    }

    /// Whether the list says that nothing follows.
    fn is_last(&mut self) -> bool {
        if let Some(more) = self.body.pointer("/data/cursor/next") {
            return more == false;
        }
        match self.body.get("next") {
            Some(next) => next.is_null() || next == 0,
            None => self.len() < self.limit,
        }
    }

    fn put(self, reply: &mut Reply) {
        reply.body = self.body.to_string().into_bytes();
    }
}

/// How many entries the page has that ends a list; `None` if this is no such page.
pub(crate) fn end_of_list(reply: &Reply, ask: &Ask) -> Option<usize> {
    let mut page = Page::of(reply, ask)?;
    page.is_last().then(|| page.len())
}

/// The same question from the start of the list.
pub(crate) fn once_more(ask: &Ask) -> Ask {
    let mut again = ask.clone();
    for name in ["next", "offset"] {
        if let Some(place) = again.query.get_mut(name) {
            "0".clone_into(place);
        }
    }
    if let Ok(mut body) = serde_json::from_slice::<Value>(&again.body) {
        for cursor in ["/settings/cursor", "/cursor"] {
            if let Some(cursor) = body.pointer_mut(cursor).and_then(Value::as_object_mut) {
                cursor.retain(|name, _| name == "limit");
            }
        }
        again.body = body.to_string().into_bytes();
    }
    again
}

/// A place in a list of numbers where no number is.
const BEYOND: i64 = 1 << 60;

/// Makes a page look like one of many: it is full, and more is promised than was asked for.
pub(crate) fn promise_more(reply: &mut Reply, ask: &Ask) {
    let Some(mut page) = Page::of(reply, ask) else { return };
    let limit = page.limit;
    if let Some(list) = page.list().filter(|list| !list.is_empty()) {
        *list = list.iter().cycle().take(limit).cloned().collect();
    }
    let further = |asked: Option<i64>| asked.map_or(BEYOND, |asked| asked.max(BEYOND) + 1);
    if page.body.get("next").is_some() {
        page.body["next"] = further(ask.query("next").and_then(|text| text.parse().ok())).into();
    }
    if page.body.pointer("/data/cursor/next").is_some() {
        page.body["data"]["cursor"]["next"] = true.into();
    }
    if page.body.get("cursor").is_some() {
        let asked: Value = serde_json::from_slice(&ask.body).unwrap_or_default();
        let asked = asked.pointer("/settings/cursor/nmID").and_then(Value::as_i64);
        page.body["cursor"]["total"] = limit.into();
        page.body["cursor"]["nmID"] = further(asked).into();
    }
    page.put(reply);
}

/// Gives back what the page before held back, and holds back the last entry of this one if the fault is on.
pub(crate) fn shift(
    reply: &mut Reply,
    ask: &Ask,
    faults: &mut Faults,
    fault: Option<&FaultKind>,
    seller: Uuid,
    path: &str,
) {
    let held = faults.held(seller, path);
    let on = matches!(fault, Some(FaultKind::ShiftedPages));
    if held.is_none() && !on {
        return;
    }
    let Some(mut page) = Page::of(reply, ask) else { return };
    let is_end = page.is_last();
    let Some(list) = page.list() else { return };
    if let Some(entry) = held {
        list.insert(0, entry);
    }
    if on && !is_end && list.len() > 1 {
        let twin = list[0].clone();
        let place = list.len() - 1;
        faults.hold(seller, path, std::mem::replace(&mut list[place], twin));
    }
    page.put(reply);
}
