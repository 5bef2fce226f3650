//! Pickers in the storm: they take what buyers ordered out of the cells, and write down what was acknowledged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::asker::Asker;
use super::history::{History, Picked};
use crate::client::text;

const ORDERS: u64 = 5;
/// Where nothing waits to be picked.
const PAUSE: Duration = Duration::from_millis(200);

/// Picks what there is until the others have ended; what was begun is brought to its end.
pub(super) async fn run(
    mut asker: Asker<'_>,
    number: u64,
    warehouse: &str,
    over: &AtomicBool,
) -> anyhow::Result<History> {
    let mut history = History::default();
    for round in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("picker-{number}-{round}");
        let body = json!({ "type": "order_picking", "warehouseId": warehouse, "count": ORDERS });
        let answer = asker.insist("/requests", &body, &key).await?;
        if answer.code() == "order_not_pickable" {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        ensure!(answer.status.is_success(), "a request was answered {}: {}", answer.status, answer.body);
        let request = text(&answer.body, "id")?;
        let path = format!("/requests/{request}/status");
        let answer = asker.insist(&path, &json!({ "status": "in_progress" }), &format!("{key}-start")).await?;
        ensure!(answer.status.is_success(), "the start was answered {}: {}", answer.status, answer.body);
        let lines = asker.look(&format!("/requests/{request}/lines")).await?;
        let lines = lines["items"].as_array().context("lines")?.clone();
        for (step, line) in lines.iter().enumerate() {
            scan(&mut asker, &request, "cell", &line["cell"], &format!("{key}-{step}-cell")).await?;
            let scanned =
                scan(&mut asker, &request, "item", &line["barcodes"][0], &format!("{key}-{step}-item")).await?;
            // Of two lines in one cell the first is taken, whichever of them is meant.
            let taken = lines.iter().find(|line| line["id"] == scanned["picked"]).context("a line that was picked")?;
            history.picked.push(Picked {
                order: text(taken, "orderId")?,
                product: text(taken, "productId")?,
                cell: text(taken, "cellId")?,
            });
        }
    }
    Ok(history)
}

async fn scan(asker: &mut Asker<'_>, request: &str, kind: &str, code: &Value, key: &str) -> anyhow::Result<Value> {
    let body = json!({ "kind": kind, "code": code });
    let answer = asker.insist(&format!("/requests/{request}/scans"), &body, key).await?;
    ensure!(answer.status.is_success(), "a scan of {code} was answered {}: {}", answer.status, answer.body);
    Ok(answer.body)
}
