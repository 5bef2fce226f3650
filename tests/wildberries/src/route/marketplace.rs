//! The methods of the marketplace host.

use super::{Call, Route};
use crate::label::Key;
use crate::limits::Group;
use crate::token::Category;

pub(super) fn find(method: &str, parts: &[&str]) -> Option<Route> {
    let orders = |call, template| Some((call, Group::Orders, template));
    let (call, group, template) = match (method, parts) {
        ("GET", ["api", "v3", "offices"]) => Some((Call::Offices, Group::Warehouses, "/api/v3/offices")),
        (_, ["api", "v3", "warehouses", ..]) => warehouses(method, parts),
        (_, ["api", "v3", "stocks", id]) => stocks(method, id),
        ("GET", ["api", "v3", "orders", "new"]) => orders(Call::NewOrders, "/api/v3/orders/new"),
        ("GET", ["api", "v3", "orders"]) => orders(Call::Orders, "/api/v3/orders"),
        ("GET", ["api", "marketplace", "v3", "fbs", "orders", "archive"]) => {
            orders(Call::Archive, "/api/marketplace/v3/fbs/orders/archive")
        }
        ("POST", ["api", "v3", "orders", "status"]) => orders(Call::OrderStatus, "/api/v3/orders/status"),
        ("POST", ["api", "v3", "orders", "stickers"]) => orders(Call::Stickers, "/api/v3/orders/stickers"),
        ("PATCH", ["api", "v3", "orders", id, "cancel"]) => {
            Some((numbered(id, Call::Cancel), Group::Cancel, "/api/v3/orders/{orderId}/cancel"))
        }
        ("POST", ["api", "marketplace", "v3", "orders", "meta"]) => {
            Some((Call::Labels, Group::LabelsRead, "/api/marketplace/v3/orders/meta"))
        }
        ("DELETE", ["api", "v3", "orders", id, "meta"]) => {
            Some((numbered(id, Call::DeleteLabel), Group::LabelsRead, "/api/v3/orders/{orderId}/meta"))
        }
        ("PUT", ["api", "v3", "orders", id, "meta", key]) if *key != "customs-declaration" => label(id, key),
        ("PUT", ["api", "marketplace", "v3", "orders", id, "meta", key @ "customs-declaration"]) => label(id, key),
        ("GET", ["api", "v3", "supplies", "orders", "reshipment"]) => {
            orders(Call::Reshipment, "/api/v3/supplies/orders/reshipment")
        }
        (_, ["api", "v3", "passes", ..]) => passes(method, parts),
        (_, ["api", "v3", "supplies", id, "trbx", rest @ ..]) => {
            boxes(method, id, rest).map(|(call, template)| (call, Group::Orders, template))
        }
        _ => supplies(method, parts).map(|(call, template)| (call, Group::Orders, template)),
    }?;
    let asks =
        matches!(call, Call::ReadStocks(_) | Call::OrderStatus | Call::Stickers | Call::Labels | Call::BoxStickers(_));
    let path = format!("/{}", parts.join("/"));
    Some(Route { call, category: Category::Marketplace, group, writes: method != "GET" && !asks, path, template })
}

fn numbered(text: &str, call: fn(i64) -> Call) -> Call {
    text.parse().map_or(Call::BadNumber, call)
}

fn warehouses(method: &str, parts: &[&str]) -> Option<(Call, Group, &'static str)> {
    let one = "/api/v3/warehouses/{warehouseId}";
    let (call, template) = match (method, &parts[3..]) {
        ("GET", []) => (Call::Warehouses, "/api/v3/warehouses"),
        ("POST", []) => (Call::OpenWarehouse, "/api/v3/warehouses"),
        ("PUT", [id]) => (numbered(id, Call::ChangeWarehouse), one),
        ("DELETE", [id]) => (numbered(id, Call::DeleteWarehouse), one),
        _ => return None,
    };
    Some((call, Group::Warehouses, template))
}

fn passes(method: &str, parts: &[&str]) -> Option<(Call, Group, &'static str)> {
    Some(match (method, &parts[3..]) {
        ("GET", ["offices"]) => (Call::PassOffices, Group::Orders, "/api/v3/passes/offices"),
        ("GET", []) => (Call::Passes, Group::Orders, "/api/v3/passes"),
        ("POST", []) => (Call::OrderPass, Group::Passes, "/api/v3/passes"),
        ("PUT", [id]) => (numbered(id, Call::ChangePass), Group::Orders, "/api/v3/passes/{passId}"),
        ("DELETE", [id]) => (numbered(id, Call::DeletePass), Group::Orders, "/api/v3/passes/{passId}"),
        _ => return None,
    })
}

fn boxes(method: &str, supply: &str, rest: &[&str]) -> Option<(Call, &'static str)> {
    let supply = supply.to_owned();
    let all = "/api/v3/supplies/{supplyId}/trbx";
    Some(match (method, rest) {
        ("GET", []) => (Call::Boxes(supply), all),
        ("POST", []) => (Call::AddBoxes(supply), all),
        ("DELETE", []) => (Call::DeleteBoxes(supply), all),
        ("POST", ["stickers"]) => (Call::BoxStickers(supply), "/api/v3/supplies/{supplyId}/trbx/stickers"),
        _ => return None,
    })
}

fn stocks(method: &str, id: &str) -> Option<(Call, Group, &'static str)> {
    let (call, group): (fn(i64) -> Call, Group) = match method {
        "POST" => (Call::ReadStocks, Group::Stocks),
        "PUT" => (Call::WriteStocks, Group::Stocks),
        "DELETE" => (Call::DeleteStocks, Group::StocksDelete),
        _ => return None,
    };
    Some((id.parse().map_or(Call::BadNumber, call), group, "/api/v3/stocks/{warehouseId}"))
}

fn label(id: &str, key: &str) -> Option<(Call, Group, &'static str)> {
    let template = match key {
        "sgtin" => "/api/v3/orders/{orderId}/meta/sgtin",
        "uin" => "/api/v3/orders/{orderId}/meta/uin",
        "imei" => "/api/v3/orders/{orderId}/meta/imei",
        "gtin" => "/api/v3/orders/{orderId}/meta/gtin",
        "expiration" => "/api/v3/orders/{orderId}/meta/expiration",
        "customs-declaration" => "/api/marketplace/v3/orders/{orderId}/meta/customs-declaration",
        _ => return None,
    };
    let key = Key::of(key)?;
    Some((id.parse().map_or(Call::BadNumber, |id| Call::WriteLabel(id, key)), Group::LabelsWrite, template))
}

fn supplies(method: &str, parts: &[&str]) -> Option<(Call, &'static str)> {
    let named = |id: &&str| (*id).to_owned();
    Some(match (method, parts) {
        ("POST", ["api", "v3", "supplies"]) => (Call::OpenSupply, "/api/v3/supplies"),
        ("GET", ["api", "v3", "supplies"]) => (Call::Supplies, "/api/v3/supplies"),
        ("GET", ["api", "v3", "supplies", id]) => (Call::Supply(named(id)), "/api/v3/supplies/{supplyId}"),
        ("DELETE", ["api", "v3", "supplies", id]) => (Call::DeleteSupply(named(id)), "/api/v3/supplies/{supplyId}"),
        ("PATCH", ["api", "marketplace", "v3", "supplies", id, "orders"]) => {
            (Call::AddToSupply(named(id)), "/api/marketplace/v3/supplies/{supplyId}/orders")
        }
        ("GET", ["api", "marketplace", "v3", "supplies", id, "order-ids"]) => {
            (Call::SupplyOrders(named(id)), "/api/marketplace/v3/supplies/{supplyId}/order-ids")
        }
        ("PATCH", ["api", "v3", "supplies", id, "deliver"]) => {
            (Call::Deliver(named(id)), "/api/v3/supplies/{supplyId}/deliver")
        }
        ("GET", ["api", "v3", "supplies", id, "barcode"]) => {
            (Call::SupplyCode(named(id)), "/api/v3/supplies/{supplyId}/barcode")
        }
        ("GET", ["api", "marketplace", "v3", "fbs", "supplies", id, "shipping-points"]) => {
            (Call::ShippingPoints(named(id)), "/api/marketplace/v3/fbs/supplies/{supplyId}/shipping-points")
        }
        ("PATCH", ["api", "marketplace", "v3", "fbs", "supplies", "shipping-method"]) => {
            (Call::ChooseShipping, "/api/marketplace/v3/fbs/supplies/shipping-method")
        }
        ("PATCH", ["api", "marketplace", "v3", "fbs", "supplies", id, "orders", "transfer"]) => {
            (Call::Transfer(named(id)), "/api/marketplace/v3/fbs/supplies/{supplyId}/orders/transfer")
        }
        _ => return None,
    })
}
