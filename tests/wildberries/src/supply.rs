//! Supplies: open until they are handed to delivery or Wildberries scans their first item.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::cabinet::Cabinet;
use crate::order::{Order, SupplierStatus, WbStatus};
use crate::reply::{Answer, Reply, message, refusal};

/// A supply with the orders in it.
#[derive(Debug, Clone)]
pub struct Supply {
    /// Its number; the id is `WB-GI-` and this.
    pub number: i64,
    /// Its name.
    pub name: String,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it was handed to delivery.
    pub closed_at: Option<DateTime<Utc>>,
    /// When Wildberries scanned its first item.
    pub scanned_at: Option<DateTime<Utc>>,
    /// What is in it.
    pub orders: BTreeSet<i64>,
    /// Day, point and way of shipping.
    pub shipping: Option<Shipping>,
    /// Numbers of its boxes.
    pub boxes: Vec<i64>,
}

/// How a supply will come to Wildberries.
#[derive(Debug, Clone)]
pub struct Shipping {
    /// The day.
    pub day: NaiveDate,
    /// The point.
    pub point: i64,
    /// `selfShipping` or `transportCompany`.
    pub way: String,
}

/// A supply's id as Wildberries writes it.
pub(crate) fn supply_id(number: i64) -> String {
    format!("WB-GI-{number}")
}

impl Supply {
    /// Its id.
    pub fn id(&self) -> String {
        supply_id(self.number)
    }

    /// Whether it is closed.
    pub fn is_done(&self) -> bool {
        self.closed_at.is_some()
    }
}

/// What the first order of a supply fixes for all others.
fn attributes(order: &Order) -> (i64, u8, bool, bool) {
    (order.warehouse_id, order.cargo_type, order.cross_border, order.b2b)
}

impl Cabinet {
    /// `POST /api/v3/supplies`
    pub(crate) fn open_supply(&mut self, ask: &Ask) -> Answer {
        #[derive(Deserialize)]
        struct Body {
            name: Option<String>,
        }
        let Body { name } = ask.body()?;
        if name.as_ref().is_some_and(|name| !(1..=128).contains(&name.chars().count())) {
            return Err(refusal(400, "IncorrectRequest"));
        }
        self.last_supply += 1;
        let number = self.last_supply;
        let supply = Supply {
            number,
            name: name.unwrap_or_else(|| format!("Поставка {}", ask.now.format("%d.%m.%Y"))),
            created_at: ask.now,
            closed_at: None,
            scanned_at: None,
            orders: BTreeSet::new(),
            shipping: None,
            boxes: Vec::new(),
        };
        let id = supply.id();
        self.supplies.insert(number, supply);
        Ok(Reply::json(201, &json!({ "id": id })))
    }

    pub(crate) fn supply(&self, id: &str) -> Result<&Supply, Reply> {
        let number: Option<i64> = id.strip_prefix("WB-GI-").and_then(|number| number.parse().ok());
        number.and_then(|number| self.supplies.get(&number)).ok_or_else(|| refusal(404, "NotFound"))
    }

    /// A supply's fields; the empty one has no attributes yet.
    pub(crate) fn shown_supply(&self, supply: &Supply) -> Value {
        let first = supply.orders.first().and_then(|id| self.orders.get(*id));
        let shipping = supply.shipping.as_ref();
        json!({
            "id": supply.id(),
            "name": supply.name,
            "done": supply.is_done(),
            "createdAt": rfc(supply.created_at),
            "closedAt": supply.closed_at.map(rfc),
            "scanDt": supply.scanned_at.map(rfc),
            "cargoType": first.map(|order| order.cargo_type),
            "crossBorderType": first.map(|order| u8::from(order.cross_border)),
            "isB2b": first.map(|order| order.b2b),
            "isPickupPointShipmentAllowed": self.goes_to_pickup_point(supply),
            "destinationOfficeId": first.map(|order| order.office_id),
            "recommendedWhId": 0,
            "shippingDt": shipping.map(|shipping| shipping.day.to_string()),
            "shippingPointId": shipping.map(|shipping| shipping.point),
            "shippingType": shipping.map(|shipping| shipping.way.as_str()),
            "waybillUuid": null,
            "spotAvailable": false,
        })
    }

    /// `GET /api/v3/supplies`
    pub(crate) fn list_supplies(&self, ask: &Ask) -> Answer {
        let limit = usize::try_from(ask.number("limit", 1, 1000)?).unwrap_or(1000);
        let next = ask.number("next", 0, i64::MAX - 1)?;
        let page: Vec<&Supply> = self.supplies.range(next + 1..).map(|(_, supply)| supply).take(limit).collect();
        let next = page.last().filter(|_| page.len() == limit).map_or(0, |supply| supply.number);
        let supplies: Vec<Value> = page.into_iter().map(|supply| self.shown_supply(supply)).collect();
        Ok(Reply::json(200, &json!({ "next": next, "supplies": supplies })))
    }

    /// `GET /api/v3/supplies/{id}`
    pub(crate) fn show_supply(&self, id: &str) -> Answer {
        Ok(Reply::json(200, &self.shown_supply(self.supply(id)?)))
    }

    /// `DELETE /api/v3/supplies/{id}`
    pub(crate) fn delete_supply(&mut self, id: &str) -> Answer {
        let supply = self.supply(id)?;
        if !supply.orders.is_empty() || supply.is_done() {
            return Err(refusal(409, "SupplyHasOrders"));
        }
        let number = supply.number;
        self.supplies.remove(&number);
        Ok(Reply::no_content())
    }

    /// `GET /api/marketplace/v3/supplies/{id}/order-ids`
    pub(crate) fn supply_orders(&self, id: &str) -> Answer {
        Ok(Reply::json(200, &json!({ "orderIds": self.supply(id)?.orders })))
    }

    /// `PATCH /api/marketplace/v3/supplies/{id}/orders`: all of them, or none and no word which one stood in the way.
    pub(crate) fn add_to_supply(&mut self, ask: &Ask, id: &str) -> Answer {
        let ids = ask.orders(1, 100)?;
        let supply = self.supply(id)?;
        let number = supply.number;
        let refused = || refusal(409, "FailedToAddSupplyOrder");
        if supply.is_done() {
            return Err(refused());
        }
        let mut wanted = supply.orders.first().and_then(|id| self.orders.get(*id)).map(attributes);
        for id in &ids {
            let order = self.orders.get(*id).ok_or_else(refused)?;
            if *wanted.get_or_insert_with(|| attributes(order)) != attributes(order) || !self.may_join(order, number) {
                return Err(refused());
            }
        }
        for id in ids {
            self.take_out_of_supply(id);
            self.orders.change(id, |order| {
                order.supplier_status = SupplierStatus::Confirm;
                order.supply = Some(number);
                order.reshipment = false;
            });
            if let Some(supply) = self.supplies.get_mut(&number) {
                supply.orders.insert(id);
            }
        }
        Ok(Reply::no_content())
    }

    fn may_join(&self, order: &Order, supply: i64) -> bool {
        let open = |number: i64| self.supplies.get(&number).is_some_and(|supply| !supply.is_done());
        match order.supplier_status {
            _ if order.supply == Some(supply) => true,
            SupplierStatus::New => order.wb_status == WbStatus::Waiting,
            SupplierStatus::Confirm => order.wb_status == WbStatus::Waiting && order.supply.is_some_and(open),
            SupplierStatus::Complete => order.reshipment,
            SupplierStatus::Cancel => false,
        }
    }

    pub(crate) fn take_out_of_supply(&mut self, id: i64) {
        let supply = self.orders.get(id).and_then(|order| order.supply);
        if let Some(supply) = supply.and_then(|number| self.supplies.get_mut(&number)) {
            supply.orders.remove(&id);
        }
        self.orders.change(id, |order| order.supply = None);
    }

    /// `PATCH /api/v3/supplies/{id}/deliver`
    pub(crate) fn deliver(&mut self, ask: &Ask, id: &str) -> Answer {
        let supply = self.supply(id)?;
        if supply.is_done() {
            return Err(refusal(409, "StatusChangeNotAllowed"));
        }
        if supply.orders.is_empty() {
            return Err(refusal(409, "SupplyHasZeroOrders"));
        }
        let wrong: Vec<Value> = supply
            .orders
            .iter()
            .filter_map(|id| self.orders.get(*id))
            .filter_map(|order| {
                let wrong: Vec<Value> = order
                    .labels
                    .iter()
                    .filter(|label| !label.is_fine(ask.now))
                    .map(|label| label.complained(ask.now))
                    .collect();
                (!wrong.is_empty()).then(|| json!({ "id": order.id, "metaDetails": wrong }))
            })
            .collect();
        if !wrong.is_empty() {
            let code = "MetaValidationFail";
            return Err(Reply::json(
                409,
                &json!({ "code": code, "message": message(code), "data": { "orders": wrong } }),
            ));
        }
        if ask.rules.shipping_required && supply.shipping.is_none() {
            return Err(refusal(409, "ShippingParametersRequired"));
        }
        let number = supply.number;
        self.close_supply(number, ask.now);
        Ok(Reply::no_content())
    }

    pub(crate) fn close_supply(&mut self, number: i64, now: DateTime<Utc>) {
        let Some(supply) = self.supplies.get_mut(&number).filter(|supply| !supply.is_done()) else { return };
        supply.closed_at = Some(now);
        for id in supply.orders.clone() {
            self.orders.change(id, |order| order.supplier_status = SupplierStatus::Complete);
        }
    }
}

fn rfc(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
