//! The methods that we call, each with what its answer looks like. A test compares this with the calls that are made.

use reqwest::Method;

use super::model::shapes;
use super::shape::Kind;

/// A method of Wildberries.
#[derive(Debug)]
pub struct Called {
    /// Verb and path; what varies is `{id}`.
    pub name: &'static str,
    /// What a success says; nothing where only its status counts.
    pub(super) answer: Option<Kind>,
}

/// Orders that wait to be assembled.
pub const NEW_ORDERS: &str = "GET /api/v3/orders/new";
/// Orders by when they were placed.
pub const ORDERS: &str = "GET /api/v3/orders";
/// Statuses of orders.
pub const ORDER_STATUSES: &str = "POST /api/v3/orders/status";
/// Cards.
pub const CARDS: &str = "POST /content/v2/get/cards/list";
/// The seller's warehouses.
pub const WAREHOUSES: &str = "GET /api/v3/warehouses";
/// Wildberries' offices.
pub const OFFICES: &str = "GET /api/v3/offices";

const fn answers(name: &'static str, answer: Kind) -> Called {
    Called { name, answer: Some(answer) }
}

const fn silent(name: &'static str) -> Called {
    Called { name, answer: None }
}

/// All of them.
pub const CALLED: &[Called] = &[
    answers("GET /api/v1/seller-info", shapes::SELLER),
    answers(CARDS, shapes::CARDS),
    answers("POST /content/v2/get/cards/trash", shapes::TRASH),
    answers(OFFICES, shapes::OFFICES),
    answers(WAREHOUSES, shapes::WAREHOUSES),
    answers("POST /api/v3/stocks/{id}", shapes::STOCKS),
    silent("PUT /api/v3/stocks/{id}"),
    answers(NEW_ORDERS, shapes::NEW_ORDERS),
    answers(ORDERS, shapes::ORDERS),
    answers(ORDER_STATUSES, shapes::STATUSES),
    answers("POST /api/v3/orders/stickers", shapes::STICKERS),
    answers("POST /api/marketplace/v3/orders/meta", shapes::MARKS),
    silent("PATCH /api/v3/orders/{id}/cancel"),
    answers("POST /api/v3/supplies", shapes::CREATED_SUPPLY),
    answers("GET /api/v3/supplies", shapes::SUPPLIES),
    answers("GET /api/v3/supplies/{id}", shapes::SUPPLY),
    answers("GET /api/v3/supplies/{id}/barcode", shapes::SUPPLY_CODE),
    silent("PATCH /api/v3/supplies/{id}/deliver"),
    silent("PATCH /api/marketplace/v3/supplies/{id}/orders"),
    answers("GET /api/marketplace/v3/supplies/{id}/order-ids", shapes::ORDER_IDS),
    answers("GET /api/marketplace/v3/fbs/supplies/{id}/shipping-points", shapes::SHIPPING_POINTS),
    answers("PATCH /api/marketplace/v3/fbs/supplies/shipping-method", shapes::SHIPPING_RESULTS),
];

/// The method of a call, by its verb and the segments of its path.
pub fn find(verb: &str, path: &[&str]) -> Option<&'static Called> {
    CALLED.iter().find(|called| {
        called.name.split_once(" /").is_some_and(|(known, segments)| {
            let mut segments = segments.split('/');
            known == verb
                && path.iter().all(|part| segments.next().is_some_and(|known| known == "{id}" || known == *part))
                && segments.next().is_none()
        })
    })
}

/// As a call names it.
pub(super) fn of(verb: &Method, path: &[&str]) -> Option<&'static Called> {
    find(verb.as_str(), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_finds_its_method() {
        let found = |verb, path: &str| find(verb, &path.split('/').collect::<Vec<_>>()).map(|called| called.name);
        assert_eq!(found("GET", "api/v3/orders/new"), Some(NEW_ORDERS));
        assert_eq!(found("GET", "api/v3/supplies/WB-GI-1"), Some("GET /api/v3/supplies/{id}"));
        assert_eq!(found("GET", "api/v3/supplies/WB-GI-1/barcode"), Some("GET /api/v3/supplies/{id}/barcode"));
        assert_eq!(found("POST", "api/v3/orders/new"), None);
        assert_eq!(found("GET", "api/v3"), None);
        assert_eq!(CALLED.iter().filter(|called| called.answer.is_none()).count(), 4);
    }
}
