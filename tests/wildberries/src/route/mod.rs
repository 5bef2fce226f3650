//! Which method a path is, and what it takes to call it.

mod hosts;
mod marketplace;

use crate::label::Key;
use crate::limits::Group;
use crate::tariffs::Tariff;
use crate::token::Category;

/// A method of the API with what its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Ping,
    SellerInfo,
    Tariff(Tariff),
    Cards,
    Bin,
    CardErrors,
    Prices,
    PricesOf,
    UploadPrices,
    UploadState,
    UploadedGoods,
    Quarantine,
    Offices,
    Warehouses,
    OpenWarehouse,
    ChangeWarehouse(i64),
    DeleteWarehouse(i64),
    ReadStocks(i64),
    WriteStocks(i64),
    DeleteStocks(i64),
    NewOrders,
    Orders,
    Archive,
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
    Boxes(String),
    AddBoxes(String),
    DeleteBoxes(String),
    BoxStickers(String),
    PassOffices,
    Passes,
    OrderPass,
    ChangePass(i64),
    DeletePass(i64),
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
    let mut route = marketplace::find(method, parts).or_else(|| hosts::find(method, parts))?;
    match prefix {
        // Every host has its own ping, and it asks for the host's category.
        Some(category) if route.call == Call::Ping => route.category = category,
        Some(category) if category != route.category => return None,
        _ => {}
    }
    Some(route)
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
        assert!(find("PATCH", "/api/v3/supplies/WB-GI-1/trbx/WB-TRBX-1").is_none());
        assert!(find("GET", "/api/v1/supplier/incomes").is_none());
        assert!(find("GET", "/api/v1/supplier/stocks").is_none());
        assert!(find("GET", "/api/tariffs/v1/acceptance/coefficients").is_none());
        assert!(find("GET", "/api/marketplace/v3/fbs/shipping-points").is_none());
    }
}
