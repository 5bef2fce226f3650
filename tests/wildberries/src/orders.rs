//! The methods that show and cancel orders.

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::cabinet::Cabinet;
use crate::order::{Shown, SupplierStatus, WbStatus};
use crate::reply::{Answer, Reply, refusal};

const DAY: i64 = 86_400;

/// How far back the list of orders reaches.
pub(crate) const REACH: Duration = Duration::days(92);

/// A time in seconds, kept within what a calendar can say.
fn moment(seconds: i64) -> DateTime<Utc> {
    let edge = if seconds < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp(seconds, 0).unwrap_or(edge)
}

impl Cabinet {
    /// `GET /api/v3/orders/new`
    pub(crate) fn new_orders(&self) -> Reply {
        #[derive(Serialize)]
        struct List<'a> {
            orders: Vec<Shown<'a>>,
        }
        Reply::json(200, &List { orders: self.orders.fresh().map(Shown::fresh).collect() })
    }

    /// `GET /api/v3/orders`
    pub(crate) fn list_orders(&self, ask: &Ask) -> Answer {
        #[derive(Serialize)]
        struct List<'a> {
            next: i64,
            orders: Vec<Shown<'a>>,
        }
        let limit = usize::try_from(ask.number("limit", 1, 1000)?).unwrap_or(1000);
        let next = ask.number("next", 0, i64::MAX)?;
        let now = ask.now.timestamp();
        let from = ask.optional_number("dateFrom")?;
        let to = ask.optional_number("dateTo")?;
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) => (from, to),
            (Some(from), None) => (from, now.min(from.saturating_add(30 * DAY))),
            (None, Some(to)) => (to.saturating_sub(30 * DAY), to),
            (None, None) => (now - 30 * DAY, now),
        };
        if from > to || to.saturating_sub(from) > 30 * DAY {
            return Err(refusal(400, "IncorrectParameter"));
        }
        // Older orders live in the archive; the list is silent about them.
        let from = moment(from).max(ask.now - REACH);
        let page: Vec<_> = self.orders.between(next, from, moment(to.saturating_add(1))).take(limit).collect();
        let next = page.last().filter(|_| page.len() == limit).map_or(0, |order| order.id);
        Ok(Reply::json(200, &List { next, orders: page.into_iter().map(Shown::listed).collect() }))
    }

    /// `POST /api/v3/orders/status`
    pub(crate) fn order_status(&self, ask: &Ask) -> Answer {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Row {
            id: i64,
            supplier_status: SupplierStatus,
            wb_status: WbStatus,
            is_cancellable: bool,
            is_transferable: bool,
        }
        #[derive(Serialize)]
        struct List {
            orders: Vec<Row>,
        }
        let orders = ask.orders(1, 1000)?.into_iter().filter_map(|id| self.orders.get(id)).map(|order| Row {
            id: order.id,
            supplier_status: order.supplier_status,
            wb_status: order.wb_status,
            is_cancellable: order.is_cancellable(),
            is_transferable: order.is_transferable(),
        });
        Ok(Reply::json(200, &List { orders: orders.collect() }))
    }

    /// `PATCH /api/v3/orders/{id}/cancel`
    pub(crate) fn cancel_order(&mut self, id: i64) -> Answer {
        let order = self.orders.get(id).ok_or_else(|| refusal(404, "NotFound"))?;
        if order.supplier_status == SupplierStatus::Cancel {
            return Err(refusal(409, "StatusMismatch"));
        }
        if !order.is_cancellable() {
            return Err(refusal(409, "StatusChangeNotAllowed"));
        }
        self.take_out_of_supply(id);
        self.orders.change(id, |order| {
            order.supplier_status = SupplierStatus::Cancel;
            order.wb_status = WbStatus::Canceled;
            order.reshipment = false;
        });
        Ok(Reply::no_content())
    }

    /// `GET /api/v3/supplies/orders/reshipment`
    pub(crate) fn reshipment(&self) -> Reply {
        let lost: Vec<Value> =
            self.orders.lost().map(|order| json!({ "supplyID": order.supply_id(), "orderID": order.id })).collect();
        Reply::json(200, &json!({ "orders": lost }))
    }
}
