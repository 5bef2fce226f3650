//! What may be asked about supplies and done with them. Nothing here repeats a write: after an uncertain one, read back.

use chrono::NaiveDate;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Readable;
use super::budget::Priority;
use super::call::Request;
use super::error::CallError;
use super::limits::Group;
use super::model::{
    FoundSupply, OfficeType, ShippingPoint, ShippingType, SuppliesPage, Supply, SupplyQr, next_page, readable,
};
use super::seller::{Seller, at_most, parsed, picture};
use crate::ids::{WbOrderId, WbShippingPointId, WbSupplyId};

const ORDERS_AT_ONCE: usize = 100;
const SUPPLIES_AT_ONCE: u32 = 1_000;
/// A seller with more supplies than this has another problem.
const PAGES_TO_SEARCH: usize = 50;

impl Seller {
    /// Makes an empty supply. Not idempotent: give it a unique name, and look for that after an uncertain end.
    pub async fn create_supply(&self, name: &str) -> Result<WbSupplyId, CallError> {
        #[derive(Deserialize)]
        struct Created {
            id: WbSupplyId,
        }
        let request =
            Request::write(Group::Orders, Method::POST, &["api", "v3", "supplies"]).with(json!({ "name": name }));
        Ok(parsed::<Created>(&self.ask(request).await?)?.id)
    }

    /// A page of supplies, `next` being 0 for the first; `limit` is at most 1000.
    pub async fn supplies(&self, next: i64, limit: u32) -> Result<SuppliesPage, CallError> {
        let request = Request::read(Group::Orders, Priority::Bulk, &["api", "v3", "supplies"])
            .query("limit", &limit.clamp(1, SUPPLIES_AT_ONCE))
            .query("next", &next);
        let answer = self.ask(request).await?;
        let supplies: Readable<Supply> = readable(answer.get("supplies"))?;
        let next = next_page(&answer, next, supplies.items.len() + supplies.unreadable.len());
        Ok(SuppliesPage { supplies, next })
    }

    /// Looks for a supply page by page, from the page at `hint` and, where it is not there, from the beginning.
    pub async fn find_supply_by_name(&self, name: &str, hint: i64) -> Result<FoundSupply, CallError> {
        let found = self.search_supplies(name, hint).await?;
        if found.supply.is_some() || hint == 0 {
            return Ok(found);
        }
        self.search_supplies(name, 0).await
    }

    async fn search_supplies(&self, name: &str, from: i64) -> Result<FoundSupply, CallError> {
        let mut hint = from;
        for _ in 0..PAGES_TO_SEARCH {
            let page = self.supplies(hint, SUPPLIES_AT_ONCE).await?;
            let supply = page.supplies.items.into_iter().find(|supply| supply.name.as_deref() == Some(name));
            match page.next {
                Some(next) if supply.is_none() => hint = next,
                _ => return Ok(FoundSupply { supply, hint }),
            }
        }
        Err(CallError::Unreadable { why: format!("the list of supplies has no end after {PAGES_TO_SEARCH} pages") })
    }

    /// One supply.
    pub async fn supply(&self, supply: &WbSupplyId) -> Result<Supply, CallError> {
        parsed(&self.ask(Request::read(Group::Orders, Priority::Urgent, &["api", "v3", "supplies", &supply.0])).await?)
    }

    /// Puts at most 100 orders into an open supply, or moves them there from another one. All or nothing, without
    /// saying which order did not fit: read [`Seller::supply_order_ids`] afterwards.
    pub async fn add_orders(&self, supply: &WbSupplyId, orders: &[WbOrderId]) -> Result<(), CallError> {
        at_most(orders, ORDERS_AT_ONCE)?;
        if orders.is_empty() {
            return Ok(());
        }
        let path = ["api", "marketplace", "v3", "supplies", &supply.0, "orders"];
        self.tell(Request::write(Group::Orders, Method::PATCH, &path).with(json!({ "orders": orders }))).await
    }

    /// The orders that are in a supply.
    pub async fn supply_order_ids(&self, supply: &WbSupplyId) -> Result<Vec<WbOrderId>, CallError> {
        let path = ["api", "marketplace", "v3", "supplies", &supply.0, "order-ids"];
        let answer = self.ask(Request::read(Group::Orders, Priority::Urgent, &path)).await?;
        // An order that cannot be read must not look as if it were not in the supply.
        parsed::<Option<Vec<WbOrderId>>>(answer.get("orderIds").unwrap_or(&Value::Null)).map(Option::unwrap_or_default)
    }

    /// Points where a supply may be handed over on a day, `city` being in Russian; all kinds if none is named.
    pub async fn shipping_points(
        &self,
        supply: &WbSupplyId,
        city: &str,
        office_types: &[OfficeType],
        date: NaiveDate,
    ) -> Result<Readable<ShippingPoint>, CallError> {
        let path = ["api", "marketplace", "v3", "fbs", "supplies", &supply.0, "shipping-points"];
        let mut request =
            Request::read(Group::Orders, Priority::Urgent, &path).query("shippingDt", &date).query("city", &city);
        if !office_types.is_empty() {
            request =
                request.query("officeType", &office_types.iter().map(OfficeType::as_str).collect::<Vec<_>>().join(","));
        }
        readable(self.ask(request).await?.get("shippingPoints"))
    }

    /// Says when, where and by whom a supply is handed over; may be said again until Wildberries scanned it.
    pub async fn set_shipping_method(
        &self,
        supply: &WbSupplyId,
        date: NaiveDate,
        point: WbShippingPointId,
        by: &ShippingType,
    ) -> Result<(), CallError> {
        let path = ["api", "marketplace", "v3", "fbs", "supplies", "shipping-method"];
        let parameters = json!({ "supplyId": supply, "shippingDt": date.to_string(), "shippingPointId": point, "shippingType": by.as_str() });
        let request = Request::write(Group::Orders, Method::PATCH, &path).with(json!({ "data": [parameters] }));
        accepted(supply, &self.ask(request).await?)
    }

    /// Closes a supply: its orders are on their way. Irreversible; read the supply first.
    pub async fn deliver(&self, supply: &WbSupplyId) -> Result<(), CallError> {
        self.tell(Request::write(Group::Orders, Method::PATCH, &["api", "v3", "supplies", &supply.0, "deliver"])).await
    }

    /// The label of a delivered supply, as SVG.
    pub async fn supply_qr(&self, supply: &WbSupplyId) -> Result<SupplyQr, CallError> {
        #[derive(Deserialize)]
        struct Raw {
            barcode: Option<String>,
            file: String,
        }
        let path = ["api", "v3", "supplies", &supply.0, "barcode"];
        let raw: Raw =
            parsed(&self.ask(Request::read(Group::Orders, Priority::Urgent, &path).query("type", &"svg")).await?)?;
        Ok(SupplyQr { barcode: raw.barcode.unwrap_or_else(|| supply.0.clone()), file: picture(raw.file) })
    }
}

/// The call succeeds whatever happens to its items: only our supply's own result counts.
fn accepted(supply: &WbSupplyId, answer: &Value) -> Result<(), CallError> {
    let results = answer.get("results").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let ours = results.iter().find(|result| result.get("supplyId").and_then(Value::as_str) == Some(&supply.0));
    let Some(ours) = ours else {
        return Err(CallError::Unreadable { why: "no result for the supply".to_owned() });
    };
    if ours.get("success") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    let error = ours.get("error").unwrap_or(&Value::Null);
    let text = |names: &[&str]| {
        names.iter().find_map(|name| error.get(*name)).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    Err(CallError::Refused {
        status: 200,
        code: text(&["code", "title"]),
        detail: text(&["detail", "message"]),
        data: Some(ours.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_item_inside_a_success_is_a_refusal() {
        let supply = WbSupplyId("WB-GI-1".to_owned());
        let answer = json!({ "results": [
            { "supplyId": "WB-GI-2", "success": true },
            { "supplyId": "WB-GI-1", "error": { "code": "InvalidShippingDt", "detail": "d" } },
        ] });
        assert_eq!(accepted(&supply, &answer).expect_err("refused").code(), Some("InvalidShippingDt"));
        let answer = json!({ "results": [{ "supplyId": "WB-GI-1", "success": true }] });
        assert!(accepted(&supply, &answer).is_ok());
        assert!(accepted(&supply, &json!({})).is_err_and(|error| error.is_uncertain()));
    }
}
