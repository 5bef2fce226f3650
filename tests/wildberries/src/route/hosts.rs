//! The methods of the hosts other than the marketplace's.

use super::{Call, Route};
use crate::limits::Group;
use crate::tariffs::Tariff;
use crate::token::Category;

pub(super) fn find(method: &str, parts: &[&str]) -> Option<Route> {
    let (call, category, group, template) = match (method, parts) {
        ("GET", ["ping"]) => (Call::Ping, Category::Common, Group::Ping, "/ping"),
        ("GET", ["api", "v1", "seller-info"]) => {
            (Call::SellerInfo, Category::Common, Group::SellerInfo, "/api/v1/seller-info")
        }
        ("GET", ["api", "v1", "tariffs", kind]) => tariff(kind)?,
        (_, ["content", ..]) => {
            let (call, group, template) = content(method, parts)?;
            (call, Category::Content, group, template)
        }
        (_, ["api", "v2", ..]) => {
            let (call, template) = prices(method, parts)?;
            (call, Category::Prices, Group::Prices, template)
        }
        _ => return None,
    };
    let writes = call == Call::UploadPrices;
    Some(Route { call, category, group, writes, path: format!("/{}", parts.join("/")), template })
}

fn tariff(kind: &str) -> Option<(Call, Category, Group, &'static str)> {
    let (tariff, group, template) = match kind {
        "box" => (Tariff::Box, Group::TariffBox, "/api/v1/tariffs/box"),
        "pallet" => (Tariff::Pallet, Group::TariffPallet, "/api/v1/tariffs/pallet"),
        "return" => (Tariff::Return, Group::TariffReturn, "/api/v1/tariffs/return"),
        "commission" => (Tariff::Commission, Group::Commission, "/api/v1/tariffs/commission"),
        _ => return None,
    };
    Some((Call::Tariff(tariff), Category::Common, group, template))
}

fn content(method: &str, parts: &[&str]) -> Option<(Call, Group, &'static str)> {
    Some(match (method, parts) {
        ("POST", ["content", "v2", "get", "cards", "list"]) => {
            (Call::Cards, Group::Cards, "/content/v2/get/cards/list")
        }
        ("POST", ["content", "v2", "get", "cards", "trash"]) => {
            (Call::Bin, Group::Content, "/content/v2/get/cards/trash")
        }
        ("POST", ["content", "v2", "cards", "error", "list"]) => {
            (Call::CardErrors, Group::CardErrors, "/content/v2/cards/error/list")
        }
        _ => return None,
    })
}

fn prices(method: &str, parts: &[&str]) -> Option<(Call, &'static str)> {
    Some(match (method, parts) {
        ("GET", ["api", "v2", "list", "goods", "filter"]) => (Call::Prices, "/api/v2/list/goods/filter"),
        ("POST", ["api", "v2", "list", "goods", "filter"]) => (Call::PricesOf, "/api/v2/list/goods/filter"),
        ("POST", ["api", "v2", "upload", "task"]) => (Call::UploadPrices, "/api/v2/upload/task"),
        ("GET", ["api", "v2", "history", "tasks"]) => (Call::UploadState, "/api/v2/history/tasks"),
        ("GET", ["api", "v2", "history", "goods", "task"]) => (Call::UploadedGoods, "/api/v2/history/goods/task"),
        ("GET", ["api", "v2", "quarantine", "goods"]) => (Call::Quarantine, "/api/v2/quarantine/goods"),
        _ => return None,
    })
}
