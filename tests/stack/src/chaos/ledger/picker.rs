//! Pickers in the storm: they take what buyers ordered out of the cells, put back what was picked for orders that were
//! cancelled since, and write down what was acknowledged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use rand::Rng;
use serde_json::{Value, json};

use super::asker::Asker;
use super::history::{History, Picked, PutBack};
use super::{CELLS, code};
use crate::client::{Answer, text};

const ORDERS: u64 = 5;
/// Where nothing waits to be picked.
const PAUSE: Duration = Duration::from_millis(200);
/// What a scan is told of a line whose order was cancelled meanwhile.
const CANCELLED: [&str; 4] = ["order_cancelled", "request_transition", "wrong_cell", "wrong_item"];

/// Works until the others have ended; what was begun is brought to its end.
pub(super) async fn run(asker: Asker<'_>, number: u64, warehouse: &str, over: &AtomicBool) -> anyhow::Result<History> {
    let mut picker = Picker { asker, key: String::new(), step: 0, history: History::default() };
    for round in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        picker.key = format!("picker-{number}-{round}");
        let found_work = [picker.put_back().await?, picker.pick(warehouse).await?];
        if found_work == [false, false] {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(picker.history)
}

struct Picker<'a> {
    asker: Asker<'a>,
    /// Of this round.
    key: String,
    step: u64,
    history: History,
}

impl Picker<'_> {
    /// Whether there was anything.
    async fn pick(&mut self, warehouse: &str) -> anyhow::Result<bool> {
        let body = json!({ "type": "order_picking", "warehouseId": warehouse, "count": ORDERS });
        let answer = self.ask("/requests", &body).await?;
        if answer.code() == "order_not_pickable" {
            return Ok(false);
        }
        ensure!(answer.status.is_success(), "a request was answered {}: {}", answer.status, answer.body);
        let request = text(&answer.body, "id")?;
        ensure!(self.start(&request).await?, "nobody else begins what one has made");
        let lines = self.asker.look(&format!("/requests/{request}/lines")).await?;
        let lines = lines["items"].as_array().context("lines")?.clone();
        for line in &lines {
            let Some(_) = self.scan(&request, "cell", &line["cell"]).await? else { continue };
            let Some(scanned) = self.scan(&request, "item", &line["barcodes"][0]).await? else { continue };
            // Of two lines in one cell the first is taken, whichever of them is meant.
            let taken = lines.iter().find(|line| line["id"] == scanned["picked"]).context("a line that was picked")?;
            self.history.picked.push(Picked {
                order: text(taken, "orderId")?,
                product: text(taken, "productId")?,
                cell: text(taken, "cellId")?,
            });
        }
        Ok(true)
    }

    /// Whether there was anything. Of two who see it one has it.
    async fn put_back(&mut self) -> anyhow::Result<bool> {
        let waiting = self.asker.look("/requests?type=stock_move&status=created").await?;
        let waiting = waiting["items"].as_array().context("requests")?;
        let Some(request) = waiting.first() else { return Ok(false) };
        let request = text(request, "id")?;
        if !self.start(&request).await? {
            return Ok(true);
        }
        let moves = self.asker.look(&format!("/requests/{request}/moves")).await?;
        let moves = moves["items"].as_array().context("moves")?.clone();
        for line in &moves {
            let cell = code(self.asker.chance.random_range(0..CELLS));
            self.scan(&request, "cell", &json!(cell)).await?.context("any cell will do")?;
            let scanned = self.scan(&request, "item", &line["barcodes"][0]).await?.context("it is to be put back")?;
            // Of two units of a product the first is put back.
            let put = moves.iter().find(|line| line["id"] == scanned["putBack"]).context("a unit that was put back")?;
            self.history.put_back.push(PutBack {
                order: text(put, "orderId")?,
                product: text(put, "productId")?,
                cell,
            });
        }
        Ok(true)
    }

    /// Begins a request unless somebody else has.
    async fn start(&mut self, request: &str) -> anyhow::Result<bool> {
        let answer = self.ask(&format!("/requests/{request}/status"), &json!({ "status": "in_progress" })).await?;
        let begun = answer.status.is_success();
        ensure!(
            begun || answer.code() == "request_transition",
            "the start was told {}: {}",
            answer.status,
            answer.body
        );
        Ok(begun)
    }

    /// Nothing if the order was cancelled meanwhile.
    async fn scan(&mut self, request: &str, kind: &str, code: &Value) -> anyhow::Result<Option<Value>> {
        let body = json!({ "kind": kind, "code": code });
        let answer = self.ask(&format!("/requests/{request}/scans"), &body).await?;
        if CANCELLED.contains(&answer.code()) {
            return Ok(None);
        }
        ensure!(answer.status.is_success(), "a scan of {code} was answered {}: {}", answer.status, answer.body);
        Ok(Some(answer.body))
    }

    /// Under a key of its own, until somebody answers.
    async fn ask(&mut self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.step += 1;
        let key = format!("{}-{}", self.key, self.step);
        self.asker.insist(path, body, &key).await
    }
}
