//! Wildberries' words into ours: here theirs stop.

use shared::orders::OrderFacts;
use shared::products::{CardFacts, SizeFacts};
use shared::warehouses::{OfficeFacts, WildberriesWarehouseFacts};
use shared::wildberries::{Card, Office, Order, Warehouse};

/// A card, unless it has no article code: then it is nothing that could be sold.
pub(crate) fn card(card: &Card) -> Option<CardFacts> {
    let vendor_code = card.vendor_code.clone().filter(|code| !code.is_empty())?;
    let sizes = card
        .sizes
        .iter()
        .map(|size| SizeFacts { chrt_id: size.chrt_id, name: size.tech_size.clone(), barcodes: size.skus.clone() })
        .collect();
    Some(CardFacts {
        nm_id: card.nm_id,
        title: card.title.clone().filter(|title| !title.is_empty()).unwrap_or_else(|| vendor_code.clone()),
        vendor_code,
        brand: card.brand.clone(),
        subject: card.subject_name.clone(),
        photo_url: card.photos.first().and_then(|photo| photo.big.clone()),
        needs_marking: card.need_kiz.unwrap_or(false),
        sizes,
    })
}

/// A warehouse of the seller.
pub(crate) fn warehouse(warehouse: &Warehouse) -> WildberriesWarehouseFacts {
    WildberriesWarehouseFacts {
        wb_warehouse_id: warehouse.id,
        name: warehouse.name.clone().unwrap_or_else(|| warehouse.id.to_string()),
        office_id: warehouse.office_id,
        cargo_type: warehouse.cargo_type,
        delivery_type: warehouse.delivery_type,
    }
}

/// An office of Wildberries.
pub(crate) fn office(office: &Office) -> OfficeFacts {
    OfficeFacts {
        office_id: office.id,
        name: office.name.clone().unwrap_or_else(|| office.id.to_string()),
        city: office.city.clone(),
        address: office.address.clone(),
    }
}

/// An order with its two statuses; nothing if it does not say what was ordered, from where and when.
pub(crate) fn order(order: &Order, supplier_status: &str, wb_status: &str) -> Option<OrderFacts> {
    Some(OrderFacts {
        wb_order_id: order.id,
        wb_warehouse_id: order.warehouse_id?,
        wb_office_id: order.office_id,
        nm_id: order.nm_id?,
        chrt_id: order.chrt_id?,
        article: order.article.clone().unwrap_or_default(),
        barcode: order.skus.first().cloned(),
        rid: order.rid.clone(),
        order_uid: order.order_uid.clone(),
        // What the seller is told in the currency of the seller's country, in minor units.
        price_minor: order.converted_price.or(order.price).unwrap_or(0),
        currency: currency(order.converted_currency_code.or(order.currency_code)).to_owned(),
        cargo_type: order.cargo_type.unwrap_or(1),
        cross_border_type: order.cross_border_type.unwrap_or(0),
        is_b2b: order.is_b2b(),
        is_zero_order: order.is_zero_order.unwrap_or(false),
        required_marks: order.required_meta.clone().unwrap_or_default(),
        placed_at: order.created_at?,
        supplier_status: supplier_status.to_owned(),
        wb_status: wb_status.to_owned(),
    })
}

/// ISO 4217 in letters, of the currencies of the countries in which Wildberries sells; `XXX` stands for an unknown one.
fn currency(number: Option<i32>) -> &'static str {
    match number {
        Some(643) | None => "RUB",
        Some(933) => "BYN",
        Some(398) => "KZT",
        Some(51) => "AMD",
        Some(417) => "KGS",
        Some(860) => "UZS",
        Some(972) => "TJS",
        Some(981) => "GEL",
        Some(949) => "TRY",
        Some(156) => "CNY",
        Some(784) => "AED",
        Some(840) => "USD",
        Some(978) => "EUR",
        Some(_) => "XXX",
    }
}
