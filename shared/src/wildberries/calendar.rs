//! What Wildberries has switched off or announced to switch off, with the day and what to use instead.
//!
//! Compiled in: their release notes are the source. `is_called` compares with the methods that we call; a test refuses a
//! method whose day has come, and owners are told 60 and 14 days before.

use chrono::NaiveDate;

use super::methods::CALLED;

/// Something that is switched off on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchOff {
    /// The method, verb and path; what varies is `{id}`. Several of a kind are named by what they share.
    pub method: &'static str,
    /// Only this of it, such as a field.
    pub part: Option<&'static str>,
    /// The day, in Moscow; nothing where it is announced without one.
    pub on: Option<NaiveDate>,
    /// What to use instead; nothing where there is nothing.
    pub instead: Option<&'static str>,
}

impl SwitchOff {
    /// Whether it is a method that we call, as a whole.
    pub fn is_called(&self) -> bool {
        self.part.is_none() && CALLED.iter().any(|called| called.name == self.method)
    }
}

const fn off(method: &'static str, (year, month, day): (i32, u32, u32), instead: Option<&'static str>) -> SwitchOff {
    let Some(on) = NaiveDate::from_ymd_opt(year, month, day) else { panic!("there is no such day") };
    SwitchOff { method, part: None, on: Some(on), instead }
}

const fn partly(part: &'static str, whole: SwitchOff) -> SwitchOff {
    SwitchOff { part: Some(part), ..whole }
}

/// By day; what has none comes last.
pub const CALENDAR: &[SwitchOff] = &[
    off("https://suppliers-api.wildberries.ru", (2025, 1, 30), Some("the hosts of each category")),
    off("PATCH /api/v3/supplies/{id}/trbx/{id}", (2025, 8, 18), None),
    partly("orders of a box", off("GET /api/v3/supplies/{id}/trbx", (2025, 8, 18), None)),
    partly("links", off("POST /api/v3/orders/stickers/cross-border", (2025, 10, 23), Some("file"))),
    off(
        "GET /api/v3/supplies/{id}/orders",
        (2025, 12, 17),
        Some("GET /api/marketplace/v3/supplies/{id}/order-ids, GET /api/v3/orders"),
    ),
    off(
        "PATCH /api/v3/supplies/{id}/orders/{id}",
        (2025, 12, 18),
        Some("PATCH /api/marketplace/v3/supplies/{id}/orders"),
    ),
    off("GET /api/v3/orders/{id}/meta", (2025, 12, 24), Some("POST /api/marketplace/v3/orders/meta")),
    partly("clientID, statusID", off("GET /api/v1/seller/chats", (2026, 2, 2), None)),
    off(
        "GET https://supplies-api.wildberries.ru/api/v1/acceptance/coefficients",
        (2026, 2, 3),
        Some("the same method of common-api, which was switched off on 2026-08-15 itself"),
    ),
    off("GET /api/v1/supplier/incomes", (2026, 3, 11), Some("supplies of FBW")),
    partly("sku", off("PUT /api/v3/stocks/{id}", (2026, 5, 20), Some("chrtId"))),
    off("PATCH /api/v3/dbw/orders/{id}/assemble", (2026, 6, 5), Some("the methods for many orders at once")),
    partly(
        "withPhoto 0 for cards without a photo",
        off("POST /content/v2/get/cards/list", (2026, 6, 16), Some("withPhoto 2")),
    ),
    off("GET /api/v1/supplier/stocks", (2026, 6, 23), Some("stocks-report/wb-warehouses")),
    off(
        "DBS and Click & Collect: methods for one order",
        (2026, 6, 30),
        Some("/api/marketplace/v3/…, many orders at once"),
    ),
    off("GET /api/v5/supplier/reportDetailByPeriod", (2026, 7, 15), Some("the sales reports of finance")),
    partly(
        "orders older than three months",
        off("GET /api/v3/orders", (2026, 7, 21), Some("GET /api/marketplace/v3/fbs/orders/archive")),
    ),
    off("Sandbox: make/feedbacks and make/questions, one by one", (2026, 7, 27), Some("many at once")),
    off("item-rating v1, banned-products/shadowed", (2026, 7, 30), Some("their v2")),
    partly("warehouses for very large goods", off("POST /api/v3/warehouses", (2026, 8, 5), Some("the cabinet"))),
    off("FBW: warehouses, options, transit, acceptance coefficients", (2026, 8, 15), None),
    partly("isBadTurnover", off("GET /api/v2/list/goods/filter", (2026, 9, 16), None)),
    off("FBS: waybill", (2026, 10, 15), None),
    off("goods-return v1", (2026, 10, 26), Some("item-returns")),
    off("region-sale", (2026, 11, 3), None),
    off("GET /adv/v1/budget", (2026, 11, 16), None),
    off(
        "GET /api/marketplace/v3/fbs/shipping-points",
        (2026, 11, 20),
        Some("GET /api/marketplace/v3/fbs/supplies/{id}/shipping-points"),
    ),
    SwitchOff {
        method: "GET /api/v1/supplier/orders",
        part: None,
        on: None,
        instead: Some("order-feed, sales reports of finance"),
    },
    SwitchOff {
        method: "GET /api/v1/supplier/sales",
        part: None,
        on: None,
        instead: Some("order-feed, sales reports of finance"),
    },
];

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    #[test]
    fn no_method_that_we_call_is_switched_off() {
        let today = Utc::now().date_naive();
        let gone: Vec<_> =
            CALENDAR.iter().filter(|off| off.is_called() && off.on.is_some_and(|day| day <= today)).collect();
        assert!(gone.is_empty(), "these are called and have been switched off: {gone:?}");
    }

    #[test]
    fn a_method_counts_as_a_whole_and_by_its_verb() {
        let called = |method, part| SwitchOff { method, part, on: None, instead: None }.is_called();
        assert!(called("GET /api/v3/orders/new", None));
        assert!(!called("GET /api/v3/orders/new", Some("comment")));
        assert!(!called("POST /api/v3/orders/new", None));
    }

    #[test]
    fn the_calendar_goes_by_day() {
        assert!(CALENDAR.is_sorted_by_key(|off| off.on.unwrap_or(NaiveDate::MAX)));
    }
}
