//! Cards that Wildberries refused, in the packets they were sent in.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ask::{Ask, object};
use crate::reply::{Answer, Reply, content_error};

/// A card that was refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedCard {
    /// The seller's article.
    pub vendor_code: String,
    /// Why, in Wildberries' words.
    pub errors: Vec<String>,
    /// The subject's id and name.
    #[serde(default = "clothes")]
    pub subject: (i64, String),
    /// The brand.
    #[serde(default)]
    pub brand: String,
}

fn clothes() -> (i64, String) {
    (192, "Футболки".into())
}

/// All packets of a seller with refused cards.
#[derive(Debug, Default)]
pub(crate) struct CardErrors {
    packets: BTreeMap<Uuid, (DateTime<Utc>, Vec<RefusedCard>)>,
    by_time: BTreeSet<(DateTime<Utc>, Uuid)>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    cursor: Cursor,
    order: Sorting,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cursor {
    limit: Option<i64>,
    #[serde(rename = "updatedAt")]
    at: Option<String>,
    #[serde(rename = "batchUUID")]
    batch: Option<Uuid>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Sorting {
    ascending: Option<bool>,
}

impl CardErrors {
    pub(crate) fn put(&mut self, batch: Uuid, at: DateTime<Utc>, cards: Vec<RefusedCard>) {
        self.by_time.insert((at, batch));
        self.packets.insert(batch, (at, cards));
    }

    /// `POST /content/v2/cards/error/list`
    pub(crate) fn list(&self, ask: &Ask) -> Answer {
        use std::ops::Bound::{Excluded, Unbounded};
        let Body { cursor, order } =
            object(&ask.body).ok_or_else(|| Reply::text(400, "Request body can not be decoded"))?;
        let limit = cursor.limit.unwrap_or(100);
        let limit = usize::try_from(limit).ok().filter(|limit| (1..=100).contains(limit));
        let limit = limit.ok_or_else(|| content_error(400, "cursor.limit must lie between 1 and 100"))?;
        let ascending = order.ascending.unwrap_or(true);
        let from = match cursor.at.as_deref().filter(|at| !at.is_empty()) {
            None => Unbounded,
            Some(at) => {
                let at = DateTime::parse_from_rfc3339(at).map_err(|_| content_error(400, "cursor holds no time"))?;
                let edge = if ascending { Uuid::nil() } else { Uuid::max() };
                Excluded((at.to_utc(), cursor.batch.unwrap_or(edge)))
            }
        };
        let mut found: Vec<&(DateTime<Utc>, Uuid)> = if ascending {
            self.by_time.range((from, Unbounded)).take(limit + 1).collect()
        } else {
            self.by_time.range((Unbounded, from)).rev().take(limit + 1).collect()
        };
        let next = found.len() > limit;
        found.truncate(limit);
        let (at, batch) = found.last().map_or((DateTime::UNIX_EPOCH, Uuid::nil()), |last| **last);
        let items: Vec<Value> = found.iter().filter_map(|(_, batch)| self.shown(*batch)).collect();
        let cursor = json!({ "next": next, "updatedAt": micros(at), "batchUUID": batch });
        let data = json!({ "items": items, "cursor": cursor });
        Ok(Reply::json(200, &json!({ "data": data, "error": false, "errorText": "", "additionalErrors": null })))
    }

    fn shown(&self, batch: Uuid) -> Option<Value> {
        let (at, cards) = self.packets.get(&batch)?;
        let by_code = |of: &dyn Fn(&RefusedCard) -> Value| -> Value {
            cards.iter().map(|card| (card.vendor_code.clone(), of(card))).collect::<serde_json::Map<_, _>>().into()
        };
        Some(json!({
            "batchUUID": batch,
            "vendorCodes": cards.iter().map(|card| &card.vendor_code).collect::<Vec<_>>(),
            "subjects": by_code(&|card| json!({ "id": card.subject.0, "name": card.subject.1 })),
            "brands": by_code(&|card| json!({ "id": 0, "name": card.brand })),
            "errors": by_code(&|card| json!(card.errors)),
            "updatedAt": micros(*at),
        }))
    }
}

fn micros(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
