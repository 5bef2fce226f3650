//! What may be asked about a seller: who it is, cards, warehouses, orders, stickers, marks.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::budget::Priority;
use super::call::Request;
use super::error::CallError;
use super::limits::Group;
use super::model::{
    Card, CardsCursor, CardsPage, Office, Order, OrderMarks, OrderStatuses, OrdersPage, SellerInfo, Sticker,
    TrashedCard, Warehouse, next_page, readable, readable_if,
};
use super::{Client, Noticed, Readable, SellerToken};
use crate::ids::{NmId, WbOrderId};

const CARDS_AT_ONCE: usize = 100;
const STATUSES_AT_ONCE: usize = 1_000;
const STICKERS_AT_ONCE: usize = 100;
const MARKS_AT_ONCE: usize = 100;

/// A seller, through its token. Every method is one call unless it says otherwise.
#[derive(Clone, Debug)]
pub struct Seller {
    pub(super) client: Client,
    pub(super) token: Arc<SellerToken>,
    pub(super) priority: Option<Priority>,
    pub(super) noticed: Noticed,
}

impl Seller {
    /// The same seller, with all calls at this priority. By default what a person waits for is urgent.
    #[must_use]
    pub fn at(&self, priority: Priority) -> Self {
        Self { priority: Some(priority), ..self.clone() }
    }

    /// What was different in the answers from what is known of them.
    pub fn noticed(&self) -> Noticed {
        self.noticed.clone()
    }

    /// Who the token belongs to. Ten times at once, then once a minute: also the way to try a token.
    pub async fn seller_info(&self) -> Result<SellerInfo, CallError> {
        let answer =
            self.ask(Request::read(Group::SellerInfo, Priority::Urgent, &["api", "v1", "seller-info"])).await?;
        parsed(&answer)
    }

    /// A hundred cards in the order in which they last changed, with or without pictures.
    pub async fn cards(&self, cursor: Option<&CardsCursor>) -> Result<CardsPage<Card>, CallError> {
        self.page_of_cards(Group::Cards, &["content", "v2", "get", "cards", "list"], "updatedAt", cursor, Card::lacks)
            .await
    }

    /// Cards that are found by a number or an article code, whenever they last changed; others may be among them.
    pub async fn find_cards(&self, text: &str) -> Result<Readable<Card>, CallError> {
        let filter = json!({ "withPhoto": -1, "textSearch": text });
        let settings = json!({ "sort": { "ascending": true }, "cursor": { "limit": CARDS_AT_ONCE }, "filter": filter });
        let request = Request::read(Group::Cards, Priority::Bulk, &["content", "v2", "get", "cards", "list"])
            .query("locale", &"ru")
            .asking(json!({ "settings": settings }));
        readable_if(self.ask(request).await?.get("cards"), Card::lacks)
    }

    /// A hundred cards in the order in which they were thrown away: the list of cards does not tell that they are gone.
    pub async fn trashed_cards(&self, cursor: Option<&CardsCursor>) -> Result<CardsPage<TrashedCard>, CallError> {
        self.page_of_cards(Group::Content, &["content", "v2", "get", "cards", "trash"], "trashedAt", cursor, |_| None)
            .await
    }

    async fn page_of_cards<T: for<'de> Deserialize<'de>>(
        &self,
        group: Group,
        path: &[&str],
        moment: &str,
        cursor: Option<&CardsCursor>,
        lacks: fn(&T) -> Option<&'static str>,
    ) -> Result<CardsPage<T>, CallError> {
        let mut position = json!({ "limit": CARDS_AT_ONCE });
        if let Some(cursor) = cursor {
            position[moment] = json!(cursor.at);
            position["nmID"] = json!(cursor.nm_id);
        }
        let mut settings = json!({ "sort": { "ascending": true }, "cursor": position });
        if group == Group::Cards {
            // Without this filter Wildberries may leave out cards that have pictures.
            settings["filter"] = json!({ "withPhoto": -1 });
        }
        let request =
            Request::read(group, Priority::Bulk, path).query("locale", &"ru").asking(json!({ "settings": settings }));
        let answer = self.ask(request).await?;
        let cards = readable_if(answer.get("cards"), lacks)?;
        let here = cards.items.len() + cards.unreadable.len();
        let theirs = answer.get("cursor");
        let at = theirs.and_then(|theirs| theirs.get(moment)).and_then(Value::as_str).filter(|at| !at.is_empty());
        let nm_id = theirs.and_then(|theirs| theirs.get("nmID")).and_then(Value::as_i64).filter(|id| *id != 0);
        let next = at.zip(nm_id).map(|(at, nm_id)| CardsCursor { at: at.to_owned(), nm_id: NmId(nm_id) });
        let total = theirs
            .and_then(|theirs| theirs.get("total"))
            .and_then(Value::as_u64)
            .and_then(|total| usize::try_from(total).ok());
        let is_last = total.unwrap_or(here) < CARDS_AT_ONCE || here == 0 || next.is_none() || next.as_ref() == cursor;
        Ok(CardsPage { cards, cursor: next.or_else(|| cursor.cloned()), is_last })
    }

    /// All offices that a warehouse may belong to.
    pub async fn offices(&self) -> Result<Readable<Office>, CallError> {
        readable(Some(&self.ask(Request::read(Group::Warehouses, Priority::Bulk, &["api", "v3", "offices"])).await?))
    }

    /// All the seller's warehouses.
    pub async fn warehouses(&self) -> Result<Readable<Warehouse>, CallError> {
        readable(Some(&self.ask(Request::read(Group::Warehouses, Priority::Bulk, &["api", "v3", "warehouses"])).await?))
    }

    /// All orders that nobody began yet, in no sequence.
    pub async fn new_orders(&self) -> Result<Readable<Order>, CallError> {
        let answer = self.ask(Request::read(Group::Orders, Priority::Urgent, &["api", "v3", "orders", "new"])).await?;
        readable_if(answer.get("orders"), Order::lacks)
    }

    /// A page of orders by when they were placed: at most 30 days, none older than three months, without statuses.
    /// `next` is 0 for the first page; `limit` is at most 1000.
    pub async fn orders(
        &self,
        next: i64,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<OrdersPage, CallError> {
        let mut request = Request::read(Group::Orders, Priority::Bulk, &["api", "v3", "orders"])
            .query("limit", &limit.clamp(1, 1_000))
            .query("next", &next);
        if let Some(from) = from {
            request = request.query("dateFrom", &from.timestamp());
        }
        if let Some(to) = to {
            request = request.query("dateTo", &to.timestamp());
        }
        let answer = self.ask(request).await?;
        let orders = readable_if(answer.get("orders"), Order::lacks)?;
        let next = next_page(&answer, next, orders.items.len() + orders.unreadable.len());
        Ok(OrdersPage { orders, next })
    }

    /// Both statuses of at most 1000 orders; unknown orders are missing from the answer.
    pub async fn order_statuses(&self, orders: &[WbOrderId]) -> Result<Readable<OrderStatuses>, CallError> {
        self.about(Group::Orders, Priority::Bulk, &["api", "v3", "orders", "status"], orders, STATUSES_AT_ONCE).await
    }

    /// The marks that at most 100 orders have or may have.
    pub async fn order_marks(&self, orders: &[WbOrderId]) -> Result<Readable<OrderMarks>, CallError> {
        self.about(Group::Marks, Priority::Bulk, &["api", "marketplace", "v3", "orders", "meta"], orders, MARKS_AT_ONCE)
            .await
    }

    async fn about<T: for<'de> Deserialize<'de>>(
        &self,
        group: Group,
        priority: Priority,
        path: &[&str],
        orders: &[WbOrderId],
        most: usize,
    ) -> Result<Readable<T>, CallError> {
        at_most(orders, most)?;
        if orders.is_empty() {
            return readable(None);
        }
        let answer = self.ask(Request::read(group, priority, path).asking(json!({ "orders": orders }))).await?;
        readable(answer.get("orders"))
    }

    /// Stickers of at most 100 orders, as SVG of 58×40 mm: each asked order at most once, in no sequence. Orders that
    /// are in no supply yet have none. One order without its customs declaration makes the whole call fail.
    pub async fn stickers(&self, orders: &[WbOrderId]) -> Result<Vec<Sticker>, CallError> {
        at_most(orders, STICKERS_AT_ONCE)?;
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        let request = Request::read(Group::Orders, Priority::Urgent, &["api", "v3", "orders", "stickers"])
            .query("type", &"svg")
            .query("width", &58)
            .query("height", &40)
            .asking(json!({ "orders": orders }));
        let answer = self.ask(request).await?;
        Ok(matched(orders, readable(answer.get("stickers"))?))
    }

    /// Cancels an order for good. Ask its status first: a refusal costs ten calls.
    pub async fn cancel_order(&self, order: WbOrderId) -> Result<(), CallError> {
        let id = order.to_string();
        self.tell(Request::write(Group::Cancel, Method::PATCH, &["api", "v3", "orders", &id, "cancel"])).await
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSticker {
    order_id: WbOrderId,
    part_a: Option<String>,
    part_b: Option<String>,
    barcode: Option<String>,
    file: String,
}

/// Stickers belong to orders by number: their answer may be shuffled, doubled or short.
fn matched(asked: &[WbOrderId], stickers: Readable<RawSticker>) -> Vec<Sticker> {
    if !stickers.unreadable.is_empty() {
        tracing::warn!(count = stickers.unreadable.len(), "Wildberries sent stickers that cannot be read");
    }
    let mut wanted: HashSet<_> = asked.iter().copied().collect();
    let ours =
        stickers.items.into_iter().filter(|sticker| !sticker.file.is_empty() && wanted.remove(&sticker.order_id));
    ours.map(|sticker| Sticker {
        order_id: sticker.order_id,
        part_a: sticker.part_a.unwrap_or_default(),
        part_b: sticker.part_b.unwrap_or_default(),
        barcode: sticker.barcode.unwrap_or_default(),
        file: picture(sticker.file),
    })
    .collect()
}

pub(super) fn at_most(orders: &[WbOrderId], most: usize) -> Result<(), CallError> {
    if orders.len() > most { Err(CallError::TooMany { given: orders.len(), most }) } else { Ok(()) }
}

pub(super) fn parsed<T: for<'de> Deserialize<'de>>(answer: &Value) -> Result<T, CallError> {
    T::deserialize(answer).map_err(|why| CallError::Unreadable { why: why.to_string() })
}

/// Base64 in practice, but no longer promised: what is not base64 is the picture itself.
pub(super) fn picture(file: String) -> Vec<u8> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let dense: String = file.split_ascii_whitespace().collect();
    BASE64.decode(dense).unwrap_or_else(|_| file.into_bytes())
}

#[cfg(test)]
mod tests;
