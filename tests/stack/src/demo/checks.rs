//! What must hold when the walk is over, whatever happened on the way.

use std::collections::{BTreeMap, HashSet};

use anyhow::ensure;
use serde_json::Value;

use super::Walk;
use crate::{Client, Steps};

pub(super) async fn ledger(steps: &mut Steps, walk: &Walk) -> anyhow::Result<()> {
    let proof = steps.step("The ledger sums to the balances, every order is there once", sums(&walk.client)).await?;
    steps.note(&format!(
        "{} entries, {} balances, {} reservations compared",
        proof["entries"], proof["balances"], proof["reservations"]
    ));
    Ok(())
}

/// The API's own recomputation and one from outside, from the entries alone.
pub async fn sums(client: &Client) -> anyhow::Result<Value> {
    let proof = client.get("/inventory/consistency").await?;
    ensure!(proof["differences"].as_array().is_some_and(Vec::is_empty), "balances differ: {proof}");
    let mut sums = BTreeMap::<(String, String), i64>::new();
    for entry in client.all("/inventory/entries").await? {
        let (product, quantity) = (entry["productId"].to_string(), entry["quantity"].as_i64().unwrap_or_default());
        for (side, sign) in [("fromCellId", -1), ("toCellId", 1)] {
            if entry[side].is_string() {
                *sums.entry((entry[side].to_string(), product.clone())).or_default() += sign * quantity;
            }
        }
    }
    sums.retain(|_, sum| *sum != 0);
    let mut balances = BTreeMap::new();
    for balance in client.all("/inventory").await? {
        balances.insert(
            (balance["cellId"].to_string(), balance["productId"].to_string()),
            balance["onHand"].as_i64().unwrap_or_default(),
        );
    }
    ensure!(sums == balances, "the entries do not sum to the balances");
    let orders = client.all("/orders").await?;
    let numbers: HashSet<_> = orders.iter().map(|order| order["wbOrderId"].to_string()).collect();
    ensure!(numbers.len() == orders.len(), "an order is there twice");
    Ok(proof)
}
