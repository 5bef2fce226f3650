//! Which method a path is, and what it takes to call it.

use crate::label::Key;
use crate::limits::Group;
use crate::token::Category;

/// A method of the API with what its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Ping,
    SellerInfo,
    Cards,
    Bin,
    Offices,
    Warehouses,
    ReadStocks(i64),
    WriteStocks(i64),
    DeleteStocks(i64),
    NewOrders,
    Orders,
    OrderStatus,
    Stickers,
    Cancel(i64),
    Labels,
    WriteLabel(i64, Key),
    DeleteLabel(i64),
    OpenSupply,
    Supplies,
    Supply(String),
    DeleteSupply(String),
    AddToSupply(String),
    SupplyOrders(String),
    Deliver(String),
    SupplyCode(String),
    Reshipment,
    ShippingPoints(String),
    ChooseShipping,
    Transfer(String),
    /// The path is known, the number in it is none.
    BadNumber,
}

/// A call with its category, its budget, and whether it writes.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub call: Call,
    pub category: Category,
    pub group: Group,
    pub writes: bool,
    /// The path without a prefix.
    pub path: String,
    /// The path with its variable parts named, for statistics.
    pub template: &'static str,
}

/// Finds the method; `None` is the gateway's 404, which removed methods get too.
pub(crate) fn find(method: &str, path: &str) -> Option<Route> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (prefix, parts) = match parts.split_first() {
        // `/content/v2/…` is a path of its own; the prefixed form of it is `/content/content/v2/…`.
        Some((&"content", rest)) if rest.first() == Some(&"v2") => (None, parts.as_slice()),
        Some((first, rest)) => match Category::of_prefix(first) {
            Some(category) => (Some(category), rest),
            None => (None, parts.as_slice()),
        },
        None => (None, parts.as_slice()),
    };
    let mut route = marketplace(method, parts).or_else(|| others(method, parts))?;
    match prefix {
        // Every host has its own ping, and it asks for the host's category.
        Some(category) if route.call == Call::Ping => route.category = category,
        Some(category) if category != route.category => return None,
        _ => {}
    }
    Some(route)
}

fn others(method: &str, parts: &[&str]) -> Option<Route> {
    let (call, category, group, template) = match (method, parts) {
        ("GET", ["ping"]) => (Call::Ping, Category::Common, Group::Ping, "/ping"),
        ("GET", ["api", "v1", "seller-info"]) => {
            (Call::SellerInfo, Category::Common, Group::SellerInfo, "/api/v1/seller-info")
        }
        ("POST", ["content", "v2", "get", "cards", "list"]) => {
            (Call::Cards, Category::Content, Group::Cards, "/content/v2/get/cards/list")
        }
        ("POST", ["content", "v2", "get", "cards", "trash"]) => {
            (Call::Bin, Category::Content, Group::Content, "/content/v2/get/cards/trash")
        }
        _ => return None,
    };
    Some(Route { call, category, group, writes: false, path: format!("/{}", parts.join("/")), template })
}

fn marketplace(method: &str, parts: &[&str]) -> Option<Route> {
    let orders = |call, template| Some((call, Group::Orders, template));
    let numbered = |text: &str, call: fn(i64) -> Call| text.parse().map_or(Call::BadNumber, call);
    let (call, group, template) = match (method, parts) {
        ("GET", ["api", "v3", "offices"]) => Some((Call::Offices, Group::Warehouses, "/api/v3/offices")),
        ("GET", ["api", "v3", "warehouses"]) => Some((Call::Warehouses, Group::Warehouses, "/api/v3/warehouses")),
        (_, ["api", "v3", "stocks", id]) => stocks(method, id),
        ("GET", ["api", "v3", "orders", "new"]) => orders(Call::NewOrders, "/api/v3/orders/new"),
        ("GET", ["api", "v3", "orders"]) => orders(Call::Orders, "/api/v3/orders"),
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
        _ => supplies(method, parts).map(|(call, template)| (call, Group::Orders, template)),
    }?;
    let reads =
        method == "GET" || matches!(call, Call::ReadStocks(_) | Call::OrderStatus | Call::Stickers | Call::Labels);
    let path = format!("/{}", parts.join("/"));
    Some(Route { call, category: Category::Marketplace, group, writes: !reads, path, template })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_names_the_host_and_must_fit_the_path() {
        assert_eq!(find("GET", "/marketplace/ping").unwrap().category, Category::Marketplace);
        assert_eq!(find("GET", "/ping").unwrap().category, Category::Common);
        assert!(find("GET", "/marketplace/api/v3/orders/new").is_some());
        assert!(find("GET", "/content/api/v3/orders/new").is_none());
        assert_eq!(find("POST", "/content/v2/get/cards/list").unwrap().call, Call::Cards);
        assert_eq!(find("POST", "/content/content/v2/get/cards/list").unwrap().call, Call::Cards);
    }

    #[test]
    fn removed_methods_are_not_found() {
        assert!(find("GET", "/api/v3/supplies/WB-GI-1/orders").is_none());
        assert!(find("PATCH", "/api/v3/supplies/WB-GI-1/orders/5").is_none());
        assert!(find("GET", "/api/v3/orders/5/meta").is_none());
        assert!(find("GET", "/api/marketplace/v3/fbs/shipping-points").is_none());
    }
}
