//! What a seller declares to be in stock in a warehouse of its own at Wildberries.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::budget::Priority;
use super::call::Request;
use super::error::CallError;
use super::limits::Group;
use super::model::readable;
use super::seller::Seller;
use crate::ids::{ChrtId, WbWarehouseId};

/// Sizes in one call: Wildberries' bound.
pub const SIZES_AT_ONCE: usize = 1_000;
/// The largest amount that Wildberries takes.
pub const MOST_UNITS: i32 = 100_000;

/// So many units of a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StockRow {
    /// The size.
    pub chrt_id: ChrtId,
    /// Units, in place of whatever was declared before.
    pub amount: i32,
}

/// Sizes of which Wildberries did not take the amounts, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSizes {
    /// Their code.
    pub code: String,
    /// Their words.
    pub detail: String,
    /// Which ones; of the others of the same call nobody knows whether they were taken.
    pub sizes: Vec<ChrtId>,
}

impl RefusedSizes {
    /// Whether Wildberries is busy with the whole warehouse, for some minutes.
    pub fn is_busy(&self) -> bool {
        self.code == "StoreIsProcessing"
    }
}

impl Seller {
    /// What is declared of at most 1000 sizes. One that is not among the answers has no amount that anybody knows: it is left
    /// out where it is zero, but also where it was never declared.
    pub async fn stocks(&self, warehouse: WbWarehouseId, sizes: &[ChrtId]) -> Result<BTreeMap<ChrtId, i64>, CallError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Declared {
            chrt_id: ChrtId,
            amount: i64,
        }
        check(sizes.len())?;
        if sizes.is_empty() {
            return Ok(BTreeMap::new());
        }
        let id = warehouse.to_string();
        let path = ["api", "v3", "stocks", id.as_str()];
        let request = Request::read(Group::Stocks, Priority::Bulk, &path).asking(json!({ "chrtIds": sizes }));
        let answer = self.ask(request).await?;
        let declared = readable::<Declared>(answer.get("stocks"))?.items;
        Ok(declared.into_iter().map(|size| (size.chrt_id, size.amount)).collect())
    }

    /// Declares the amounts of at most 1000 sizes, in place of whatever was declared before. What is refused is answered by
    /// name. Wildberries takes what it does not understand without a word: read [`Seller::stocks`] afterwards.
    pub async fn put_stocks(
        &self,
        warehouse: WbWarehouseId,
        rows: &[StockRow],
    ) -> Result<Vec<RefusedSizes>, CallError> {
        check(rows.len())?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let id = warehouse.to_string();
        let path = ["api", "v3", "stocks", id.as_str()];
        let request = Request::write(Group::Stocks, Method::PUT, &path).with(json!({ "stocks": rows }));
        match self.tell(request).await {
            Ok(()) => Ok(Vec::new()),
            Err(CallError::Refused { status: 409, data: Some(Value::Array(refused)), code, detail }) => {
                let named: Vec<_> = refused.iter().filter_map(named).collect();
                if named.is_empty() {
                    return Err(CallError::Refused { status: 409, data: Some(Value::Array(refused)), code, detail });
                }
                Ok(named)
            }
            Err(error) => Err(error),
        }
    }
}

fn check(sizes: usize) -> Result<(), CallError> {
    if sizes > SIZES_AT_ONCE { Err(CallError::TooMany { given: sizes, most: SIZES_AT_ONCE }) } else { Ok(()) }
}

/// One entry of the array with which this method refuses; nothing where it names no size.
fn named(entry: &Value) -> Option<RefusedSizes> {
    let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let sizes: Vec<_> =
        entry["data"].as_array()?.iter().filter_map(|row| Some(ChrtId(row["chrtId"].as_i64()?))).collect();
    (!sizes.is_empty()).then(|| RefusedSizes { code: text("code"), detail: text("message"), sizes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_names_sizes_is_about_them_and_no_others() {
        let entry =
            json!({ "code": "NotFound", "message": "Не найдено", "data": [{ "sku": "", "chrtId": 7, "amount": 2 }] });
        let refused = named(&entry).unwrap();
        assert_eq!((refused.code.as_str(), refused.sizes), ("NotFound", vec![ChrtId(7)]));
        assert_eq!(named(&json!({ "code": "NotFound", "data": [] })), None);
        assert_eq!(named(&json!({ "code": "NotFound" })), None);
    }
}
