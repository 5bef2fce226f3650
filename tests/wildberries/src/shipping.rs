//! Shipping parameters of supplies: points where one may hand over, and the day and way the seller chooses.

use chrono::{Duration, NaiveDate};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::cabinet::Cabinet;
use crate::reply::{Answer, Reply, message, problem};
use crate::supply::Shipping;
use crate::words::CITIES;

/// A place that takes supplies.
#[derive(Debug, Clone)]
pub struct ShippingPoint {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Its city.
    pub city: &'static str,
    /// `sc`, `sw`, `pp`, `pfc` or `gpp`.
    pub office_type: &'static str,
    latitude: f64,
    longitude: f64,
    available: bool,
}

const KINDS: &[(&str, &str, f64)] = &[
    ("sc", "Сортировочный центр", 0.05),
    ("sw", "Склад", 0.09),
    ("pp", "Пункт выдачи на Центральной", 0.01),
    ("pp", "Пункт выдачи на Садовой", -0.02),
    ("pfc", "Центр фулфилмента", -0.07),
    ("gpp", "Грузовой пункт", 0.03),
];

/// Every city has the same set; one in four pick-up points is overloaded.
pub(crate) fn points() -> impl Iterator<Item = ShippingPoint> {
    (1000..).step_by(10).zip(CITIES).flat_map(|(first, (city, latitude, longitude))| {
        (first..).zip(KINDS).map(move |(id, (office_type, name, off))| ShippingPoint {
            id,
            name: format!("{name}, {city}"),
            address: format!("{city}, ул. Складская, {}", id % 97 + 1),
            city,
            office_type,
            latitude: latitude + off,
            longitude: longitude + off,
            available: *office_type != "pp" || id % 4 != 3,
        })
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(default)]
    supply_id: String,
    #[serde(default)]
    shipping_dt: String,
    #[serde(default)]
    shipping_point_id: i64,
    #[serde(default)]
    shipping_type: String,
}

impl Cabinet {
    /// `GET /api/marketplace/v3/fbs/supplies/{id}/shipping-points`
    pub(crate) fn shipping_points(&self, ask: &Ask, id: &str) -> Answer {
        let supply = self.supply(id).map_err(|_| problem(404, "NotFound", "path.supplyId", id))?;
        let bad = |name: &str| {
            problem(400, "IncorrectParameter", &format!("query.{name}"), ask.query(name).unwrap_or_default())
        };
        let city = ask
            .query("city")
            .filter(|city| !city.is_empty() && !city.contains(|letter: char| letter.is_ascii_alphabetic()));
        let city = city.ok_or_else(|| bad("city"))?;
        let kinds: Vec<&str> =
            ask.query("officeType").unwrap_or("sc,sw,pp,pfc,gpp").split(',').map(str::trim).collect();
        if kinds.iter().any(|kind| !KINDS.iter().any(|known| known.0 == *kind)) {
            return Err(bad("officeType"));
        }
        let first = supply.orders.first().and_then(|id| self.orders.get(*id));
        match ask.query("shippingDt").map(str::parse::<NaiveDate>) {
            Some(Err(_)) => return Err(bad("shippingDt")),
            None if first.is_none_or(|order| order.cargo_type != 2) => return Err(bad("shippingDt")),
            Some(Ok(_)) | None => {}
        }
        let to_pickup = supply.orders.iter().filter_map(|id| self.orders.get(*id)).all(|order| order.pickup_point);
        let points: Vec<Value> = points()
            .filter(|point| point.city.to_lowercase() == city.to_lowercase())
            .filter(|point| kinds.contains(&point.office_type) && (to_pickup || point.office_type != "pp"))
            .map(|point| {
                json!({
                    "id": point.id,
                    "name": point.name,
                    "address": point.address,
                    "city": point.city,
                    "officeType": point.office_type,
                    "latitude": point.latitude,
                    "longitude": point.longitude,
                    "fulfillment": point.office_type == "pfc",
                    "available": point.available,
                })
            })
            .collect();
        Ok(Reply::json(200, &json!({ "shippingPoints": points })))
    }

    /// `PATCH /api/marketplace/v3/fbs/supplies/shipping-method`: 200, whatever becomes of the single supplies.
    pub(crate) fn choose_shipping(&mut self, ask: &Ask) -> Answer {
        #[derive(Deserialize)]
        struct Body {
            #[serde(default)]
            data: Vec<Row>,
        }
        let Body { data } = ask.body().map_err(|_: Reply| problem(400, "IncorrectRequestBody", "body", ""))?;
        if !(1..=100).contains(&data.len()) {
            return Err(problem(400, "IncorrectRequest", "body.data", &data.len().to_string()));
        }
        let results: Vec<Value> = data
            .into_iter()
            .map(|row| match self.choose(ask, &row) {
                Ok(()) => json!({ "supplyId": row.supply_id, "success": true }),
                Err(code) => json!({ "supplyId": row.supply_id, "error": { "code": code, "detail": message(code) } }),
            })
            .collect();
        Ok(Reply::json(200, &json!({ "results": results })))
    }

    fn choose(&mut self, ask: &Ask, row: &Row) -> Result<(), &'static str> {
        if !row.supply_id.starts_with("WB-GI-") {
            return Err("IncorrectRequestBody");
        }
        let supply = self.supply(&row.supply_id).map_err(|_| "NotFound")?;
        let point = points().find(|point| point.id == row.shipping_point_id).ok_or("IncorrectRequestBody")?;
        let day: NaiveDate = row.shipping_dt.parse().map_err(|_| "IncorrectRequestBody")?;
        if !["selfShipping", "transportCompany"].contains(&row.shipping_type.as_str()) {
            return Err("IncorrectRequestBody");
        }
        if supply.scanned_at.is_some() {
            return Err("SupplyAlreadyScanned");
        }
        let today = ask.now.date_naive();
        // Moscow may already have tomorrow's date, but never yesterday's.
        if day < today || day > today + Duration::days(30) || !point.available {
            return Err("InvalidShippingDt");
        }
        let number = supply.number;
        if let Some(supply) = self.supplies.get_mut(&number) {
            supply.shipping = Some(Shipping { day, point: point.id, way: row.shipping_type.clone() });
        }
        Ok(())
    }
}
