//! Carriers in the storm: goods come in by receipts and go to and fro between two warehouses, where some are lost and some
//! were never loaded. What was last acknowledged is written down.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, ensure};
use rand::Rng;
use serde_json::{Value, json};

use super::asker::Asker;
use super::history::{History, Receipt, ReceiptLine};
use super::{CELLS, Product, code};
use crate::client::{Answer, text};

const MISSING: [&str; 3] = ["lost", "damaged", "not_loaded"];

/// Who carries what between where.
pub(super) struct Carrier<'a> {
    pub number: u64,
    pub asker: Asker<'a>,
    pub warehouses: [&'a str; 2],
    pub products: &'a [Product],
}

impl Carrier<'_> {
    /// Carries until the others have ended; what was begun is brought to its end.
    pub async fn run(mut self, over: &AtomicBool) -> anyhow::Result<History> {
        let mut history = History::default();
        for round in 0.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let number = format!("carrier-{}-{round}", self.number);
            if self.asker.chance.random_bool(0.4) {
                history.receipts.push(self.receive(&number).await?);
            } else {
                history.transfers.push(self.transfer(&number).await?);
            }
        }
        Ok(history)
    }

    async fn receive(&mut self, number: &str) -> anyhow::Result<Receipt> {
        let (mut lines, mut asked) = (Vec::new(), Vec::new());
        for _ in 0..self.asker.chance.random_range(1..4) {
            let chance = &mut self.asker.chance;
            let product = &self.products[chance.random_range(0..self.products.len())];
            let (cell, quantity) = (code(chance.random_range(0..CELLS)), chance.random_range(1..4));
            let lot = chance.random_bool(0.5).then(|| "А".to_owned());
            let mut line = json!({ "barcode": product.barcode, "cell": cell, "quantity": quantity });
            if let Some(lot) = &lot {
                line["lot"] = json!({ "code": lot });
            }
            asked.push(line);
            lines.push(ReceiptLine { product: product.id.clone(), cell, lot, quantity });
        }
        let warehouse = self.warehouses[self.asker.chance.random_range(0..2)];
        let body = json!({ "warehouseId": warehouse, "number": number, "lines": asked });
        let answer = self.done("/inventory/receipts", &body, number).await?;
        Ok(Receipt { id: text(&answer, "id")?, lines })
    }

    /// Plans, sends and receives; answers how it stood in the end.
    async fn transfer(&mut self, number: &str) -> anyhow::Result<Value> {
        let chance = &mut self.asker.chance;
        let [from, to] =
            if chance.random_bool(0.5) { self.warehouses } else { [self.warehouses[1], self.warehouses[0]] };
        let lines: Vec<_> = (0..chance.random_range(1..4))
            .map(|_| {
                let product = &self.products[chance.random_range(0..self.products.len())];
                json!({ "productId": product.id, "quantity": chance.random_range(1..4) })
            })
            .collect();
        let body = json!({ "fromWarehouseId": from, "toWarehouseId": to, "number": number, "lines": lines });
        let planned = self.done("/inventory/transfers", &body, number).await?;
        let path = format!("/inventory/transfers/{}", text(&planned, "id")?);
        let sent = self.ask(&format!("{path}/send"), &json!({}), &format!("{number}-send")).await?;
        let is_there = sent.status.is_success();
        ensure!(is_there || sent.code() == "not_enough_stock", "sent and was answered {} {}", sent.status, sent.body);
        if !is_there || self.asker.chance.random_ratio(1, 5) {
            return self.done(&format!("{path}/cancel"), &json!({}), &format!("{number}-cancel")).await;
        }
        let come =
            self.some_of(&sent.body, |line, chance| line["cell"] = json!(code(chance.random_range(0..CELLS))))?;
        let mut now = sent.body;
        if !come.is_empty() {
            let body = json!({ "lines": come });
            now = self.done(&format!("{path}/receive"), &body, &format!("{number}-receive")).await?;
        }
        let missing: Vec<_> = goods(&now)?
            .iter()
            .filter(|lot| lot["inTransit"] != 0)
            .map(|lot| {
                let reason = MISSING[self.asker.chance.random_range(0..MISSING.len())];
                let mut line = of(lot, &lot["inTransit"]);
                line["reason"] = json!(reason);
                line
            })
            .collect();
        if missing.is_empty() {
            return Ok(now);
        }
        self.done(&format!("{path}/close"), &json!({ "missing": missing }), &format!("{number}-close")).await
    }

    /// Of every lot some units, or none.
    fn some_of(
        &mut self,
        transfer: &Value,
        add: impl Fn(&mut Value, &mut rand::rngs::StdRng),
    ) -> anyhow::Result<Vec<Value>> {
        let mut lines = Vec::new();
        for lot in goods(transfer)? {
            let quantity = self.asker.chance.random_range(0..=lot["sent"].as_i64().context("units")?);
            if quantity > 0 {
                let mut line = of(lot, &json!(quantity));
                add(&mut line, &mut self.asker.chance);
                lines.push(line);
            }
        }
        Ok(lines)
    }

    async fn ask(&mut self, path: &str, body: &Value, key: &str) -> anyhow::Result<Answer> {
        self.asker.insist(path, body, key).await
    }

    async fn done(&mut self, path: &str, body: &Value, key: &str) -> anyhow::Result<Value> {
        let answer = self.ask(path, body, key).await?;
        ensure!(answer.status.is_success(), "{path} {body} was answered {}: {}", answer.status, answer.body);
        Ok(answer.body)
    }
}

fn goods(transfer: &Value) -> anyhow::Result<&Vec<Value>> {
    transfer["goods"].as_array().with_context(|| format!("no goods in {transfer}"))
}

/// A line about so many units of this lot.
fn of(lot: &Value, quantity: &Value) -> Value {
    let mut line = json!({ "productId": lot["productId"], "quantity": quantity });
    // Whoever names no lot means any.
    if lot["lot"].is_string() {
        line["lot"] = json!({ "code": lot["lot"] });
    }
    line
}
