//! The demonstration: the main job of a warehouse, from a stored token to a received parcel, walked through the public
//! API as any client would. Wildberries' buyers are moved through the simulator, the paper is read at the printer.

pub mod checks;
mod fulfil;
mod prepare;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::{Client, Stack, Steps};

/// How long anything in the walk may take before the walk has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// Orders of the picking request.
pub(crate) const PICKED: usize = 20;
/// Units of each stocked product.
pub(crate) const STOCKED: i64 = 2;

/// What the walk has come to know.
#[derive(Debug)]
pub struct Walk {
    /// Signed in as the administrator.
    pub client: Client,
    /// The stored seller account.
    pub account: String,
    /// The own warehouse.
    pub warehouse: String,
    /// The printer.
    pub printer: String,
    /// The size that nobody put into a cell.
    pub unstocked: i64,
    /// The lines of the picking request in walking order.
    pub lines: Vec<Value>,
    /// The picking request.
    pub request: String,
    /// The supply.
    pub supply: String,
    /// Labels of which nobody knew, settled by looking at the paper.
    pub uncertain: u64,
}

/// The demonstration looks at statuses every two seconds, so that nobody waits a minute for a buyer.
pub fn rhythm() -> BTreeMap<String, String> {
    BTreeMap::from([("WB_POLL_STATUSES_MS".to_owned(), "2000".to_owned())])
}

/// Walks through the main job, one step at a time; fails at the first step that does not go as it should.
pub async fn walk(stack: &Stack, steps: &mut Steps) -> anyhow::Result<Walk> {
    let mut walk = prepare::prepare(stack, steps).await?;
    fulfil::import(stack, steps, &walk).await?;
    fulfil::pick(steps, &mut walk).await?;
    fulfil::supply(stack, steps, &mut walk).await?;
    fulfil::print(stack, steps, &mut walk).await?;
    fulfil::deliver(stack, steps, &mut walk).await?;
    fulfil::follow(stack, steps, &walk).await?;
    checks::ledger(steps, &walk).await?;
    Ok(walk)
}
