//! Orders as the two lists show them.

use chrono::SecondsFormat;
use serde::Serialize;

use super::Order;
use crate::label::Key;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    #[serde(rename = "isB2B")]
    is_b2b: bool,
}

/// An order in either list; `fresh` holds what only the list of new ones shows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown<'a> {
    id: i64,
    rid: String,
    order_uid: String,
    created_at: String,
    warehouse_id: i64,
    office_id: i64,
    offices: [&'a str; 1],
    nm_id: i64,
    chrt_id: i64,
    article: &'a str,
    color_code: &'a str,
    skus: &'a [String],
    price: i64,
    converted_price: i64,
    currency_code: i64,
    converted_currency_code: i64,
    scan_price: Option<i64>,
    cargo_type: u8,
    cross_border_type: u8,
    delivery_type: &'a str,
    is_zero_order: bool,
    comment: &'a str,
    address: Option<()>,
    options: Options,
    #[serde(skip_serializing_if = "Option::is_none")]
    supply_id: Option<String>,
    #[serde(flatten)]
    fresh: Option<Fresh>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fresh {
    final_price: i64,
    converted_final_price: i64,
    sale_price: Option<i64>,
    required_meta: Vec<Key>,
    optional_meta: Vec<Key>,
    is_pickup_point_shipment_allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ddate: Option<String>,
    seller_date: Option<String>,
}

const ROUBLE: i64 = 643;

impl<'a> Shown<'a> {
    /// As the list of all orders shows it.
    pub(crate) fn listed(order: &'a Order) -> Self {
        Self {
            id: order.id,
            rid: order.rid(),
            order_uid: order.order_uid(),
            created_at: order.created_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            warehouse_id: order.warehouse_id,
            office_id: order.office_id,
            offices: [order.office.name],
            nm_id: order.nm_id,
            chrt_id: order.chrt_id,
            article: &order.article,
            color_code: "",
            skus: &order.skus,
            price: order.price,
            converted_price: order.price,
            currency_code: ROUBLE,
            converted_currency_code: ROUBLE,
            scan_price: order.scanned.then_some(order.price),
            cargo_type: order.cargo_type,
            cross_border_type: u8::from(order.cross_border),
            delivery_type: "fbs",
            is_zero_order: order.zero,
            comment: order.comment,
            address: None,
            options: Options { is_b2b: order.b2b },
            supply_id: order.supply_id(),
            fresh: None,
        }
    }

    /// As the list of new orders shows it.
    pub(crate) fn fresh(order: &'a Order) -> Self {
        let huge = |days| {
            (order.cargo_type == 2)
                .then(|| (order.created_at + chrono::Duration::days(days)).format("%d.%m.%Y").to_string())
        };
        let fresh = Fresh {
            final_price: order.price * 97 / 100,
            converted_final_price: order.price * 97 / 100,
            sale_price: Some(order.price * 105 / 100),
            required_meta: order.keys(true),
            optional_meta: order.keys(false),
            is_pickup_point_shipment_allowed: order.pickup_point,
            ddate: huge(7),
            seller_date: huge(3),
        };
        Self { scan_price: None, supply_id: None, fresh: Some(fresh), ..Self::listed(order) }
    }
}
