//! From an order to the buyer: import, pick, supply, stickers, delivery, and what the buyer did.

use std::collections::HashSet;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use wildberries::{BuyerAct, OrderSpec};

use super::{PATIENCE, PICKED, Walk, prepare};
use crate::client::text;
use crate::{Client, Stack, Steps};

/// Spread over two Wildberries warehouses, so that one of them has enough for the picking request.
const ORDERED: usize = 60;

pub(super) async fn import(stack: &Stack, steps: &mut Steps, walk: &Walk) -> anyhow::Result<()> {
    let client = &walk.client;
    let arriving = async {
        stack.seller.place_orders(ORDERED);
        client.until("/orders?limit=1000", PATIENCE, |page| count(page) >= ORDERED).await
    };
    steps.step("Orders arrive by the schedule and are reserved as they land", arriving).await?;
    let asking = async {
        let unstocked =
            stack.seller.place_order(OrderSpec { chrt_id: Some(walk.unstocked), ..OrderSpec::default() })?;
        let run = prepare::sync_now(client, &walk.account, "new_orders").await?;
        let page = client.until(&format!("/orders?wbOrderId={unstocked}"), PATIENCE, |page| count(page) == 1).await?;
        ensure!(page["items"][0]["status"] == "out_of_stock", "an order without stock says so: {page}");
        Ok(run)
    };
    let run = steps.step("An import on request; an order without stock says so", asking).await?;
    steps.note(&format!("{} orders seen", run["seen"]));
    Ok(())
}

pub(super) async fn pick(steps: &mut Steps, walk: &mut Walk) -> anyhow::Result<()> {
    let client = walk.client.clone();
    let warehouse = walk.warehouse.clone();
    let creating = async {
        // A supply takes orders of one Wildberries warehouse: the picking request is made of such.
        let reserved = client.all("/orders?status=reserved").await?;
        let mut by_warehouse = std::collections::BTreeMap::<i64, Vec<&Value>>::new();
        for order in &reserved {
            by_warehouse.entry(order["wbWarehouseId"].as_i64().unwrap_or_default()).or_default().push(order);
        }
        let orders = by_warehouse.into_values().max_by_key(Vec::len).context("there are reserved orders")?;
        ensure!(orders.len() >= PICKED, "{} reserved orders are of one warehouse, {PICKED} are needed", orders.len());
        let ids: Vec<_> = orders.iter().take(PICKED).map(|order| order["id"].clone()).collect();
        let request = json!({ "type": "order_picking", "warehouseId": warehouse, "orderIds": ids, "priority": "high" });
        let request = text(&client.post("/requests", request).await?, "id")?;
        let lines = client.get(&format!("/requests/{request}/lines")).await?;
        let lines = lines["items"].as_array().context("lines are a list")?.clone();
        ensure!(lines.len() == PICKED, "{} lines for {PICKED} orders", lines.len());
        let cells: Vec<_> = lines.iter().filter_map(|line| line["cell"].as_str()).collect();
        ensure!(cells.is_sorted(), "the lines do not follow the walking path: {cells:?}");
        client.post(&format!("/requests/{request}/status"), json!({ "status": "in_progress" })).await?;
        Ok((request, lines))
    };
    (walk.request, walk.lines) = steps.step("Make a picking request for 20 orders, in walking order", creating).await?;
    let scans = format!("/requests/{}/scans", walk.request);
    let refusing = async {
        let cell = text(&walk.lines[0], "cell")?;
        client.post(&scans, json!({ "kind": "cell", "code": cell })).await?;
        let wrong =
            walk.lines.iter().find(|line| line["cell"] != walk.lines[0]["cell"]).context("there are several cells")?;
        let barcode = text(&json!({ "barcode": wrong["barcodes"][0] }), "barcode")?;
        let unknown =
            client.refused(&scans, json!({ "kind": "item", "code": "4600000000000" }), "barcode_unknown").await?;
        let wrong = client.refused(&scans, json!({ "kind": "item", "code": barcode }), "wrong_item").await?;
        Ok((unknown, wrong))
    };
    let (unknown, wrong) = steps.step("A wrong barcode is refused in words", refusing).await?;
    steps.note(&format!("«{unknown}»\n«{wrong}»"));
    let scanning = async {
        let mut here = text(&walk.lines[0], "cell")?;
        for line in &walk.lines {
            let cell = text(line, "cell")?;
            if cell != here {
                client.post(&scans, json!({ "kind": "cell", "code": cell })).await?;
                here = cell;
            }
            client.post(&scans, json!({ "kind": "item", "code": line["barcodes"][0] })).await?;
        }
        for status in ["in_review", "completed"] {
            client.post(&format!("/requests/{}/status", walk.request), json!({ "status": status })).await?;
        }
        Ok(())
    };
    steps.step("Scan cell after cell, item after item", scanning).await
}

pub(super) async fn supply(stack: &Stack, steps: &mut Steps, walk: &mut Walk) -> anyhow::Result<()> {
    let client = walk.client.clone();
    let request = walk.request.clone();
    let creating = async {
        let answer = client.ask(reqwest::Method::POST, "/supplies", Some(json!({ "requestId": request }))).await?;
        ensure!(answer.status.as_u16() == 202, "a supply is promised with 202, not {}: {}", answer.status, answer.body);
        let supply = text(&answer.body["supply"], "id")?;
        let path = format!("/supplies/{supply}");
        let seen = client.until(&path, PATIENCE, |supply| supply["ordersAtWildberries"] == PICKED).await?;
        let number = text(&seen, "wbSupplyId")?;
        let there = stack.seller.supply(&number).context("the supply is at Wildberries")?;
        Ok((supply, number, there))
    };
    let (supply, number, _) = steps.step("The orders go into a supply at Wildberries", creating).await?;
    steps.note(&number);
    walk.supply = supply;
    Ok(())
}

/// Waits until a print job is done. A label of which nobody knows is settled as a person does it: by looking at the paper,
/// of which `before` sheets were there already.
async fn printed(stack: &Stack, client: &Client, job: &str, before: usize) -> anyhow::Result<u64> {
    let path = format!("/print-jobs/{job}");
    let mut uncertain = 0;
    loop {
        let ended = |job: &Value| ["done", "failed", "uncertain"].iter().any(|status| job["status"] == *status);
        let seen = client.until(&path, PATIENCE, ended).await?;
        if seen["status"] == "done" {
            return Ok(uncertain);
        }
        ensure!(seen["status"] == "uncertain", "the labels did not leave: {seen}");
        let items = client.get(&format!("{path}/items")).await?;
        for item in items["items"].as_array().into_iter().flatten().filter(|item| item["status"] == "uncertain") {
            crate::wait::until("the printer has printed what it was sent", PATIENCE, || stack.printer.waiting() == 0)
                .await?;
            let position =
                item["position"].as_u64().and_then(|position| usize::try_from(position).ok()).context("a position")?;
            let there = stack.printer.labels().len() >= before + position;
            let verdict = if there { "printed" } else { "not_printed" };
            client.post(&format!("{path}/items/{}/resolve", text(item, "id")?), json!({ "verdict": verdict })).await?;
            uncertain += 1;
        }
    }
}

pub(super) async fn print(stack: &Stack, steps: &mut Steps, walk: &mut Walk) -> anyhow::Result<()> {
    let client = &walk.client;
    let mut uncertain = 0;
    let printing = async {
        let order = json!({ "printerId": walk.printer, "requestId": walk.request });
        let job = text(&client.post("/print-jobs", order.clone()).await?, "id")?;
        let again = text(&client.post("/print-jobs", order).await?, "id")?;
        ensure!(job == again, "a repeated request made another print job");
        uncertain += printed(stack, client, &job, 0).await?;
        let items = client.get(&format!("/print-jobs/{job}/items")).await?;
        let items = items["items"].as_array().context("labels are a list")?.clone();
        let labels = stack.printer.labels();
        ensure!(labels.len() == PICKED, "{} labels left the printer for {PICKED} orders", labels.len());
        for (index, (item, line)) in items.iter().zip(&walk.lines).enumerate() {
            ensure!(
                item["orderId"] == line["orderId"],
                "label {} is not the sticker of pick step {}",
                index + 1,
                index + 1
            );
            let number = line["wbOrderId"].as_i64().context("a line has its order's number")?;
            let sticker = stack.seller.sticker(number).context("Wildberries has a sticker")?;
            ensure!(item["barcode"] == sticker.barcode.as_str(), "label {} carries another order's code", index + 1);
        }
        let sheets: HashSet<_> = labels.iter().map(|label| label.sha256.clone()).collect();
        ensure!(sheets.len() == PICKED, "a label left the printer twice");
        Ok(items)
    };
    let items = steps.step("The stickers leave the printer in picking order, each once", printing).await?;
    walk.uncertain += uncertain;
    steps.note(&format!(
        "first {}, last {}, proven by the printer's {}",
        items[0]["sticker"],
        items[PICKED - 1]["sticker"],
        items[0]["proof"]
    ));
    Ok(())
}

pub(super) async fn deliver(stack: &Stack, steps: &mut Steps, walk: &mut Walk) -> anyhow::Result<()> {
    let client = &walk.client;
    let mut uncertain = 0;
    let path = format!("/supplies/{}", walk.supply);
    let refusing = async { client.refused(&format!("{path}/deliver"), json!({}), "supply_not_ready").await };
    let words =
        steps.step("Delivery without shipping parameters is refused before Wildberries is asked", refusing).await?;
    steps.note(&format!("«{words}»"));
    let setting = async {
        let date = (chrono::Utc::now() + chrono::Duration::days(1)).format("%Y-%m-%d").to_string();
        let points = client.get(&format!("{path}/shipping-points?date={date}&city=Москва")).await?;
        let points = points["items"].as_array().context("points are a list")?;
        let point = points.iter().find(|point| point["available"] == true).context("a point is available")?;
        client
            .put(&format!("{path}/shipping"), json!({ "date": date, "pointId": point["id"], "type": "selfShipping" }))
            .await?;
        client.until(&path, PATIENCE, |supply| supply["shippingSetAt"].is_string()).await?;
        client.post(&format!("{path}/deliver"), json!({})).await?;
        let done = client
            .until(&path, PATIENCE, |supply| supply["status"] == "delivering" || supply["problemCode"].is_string())
            .await?;
        ensure!(done["status"] == "delivering", "the supply was not delivered: {done}");
        text(point, "name")
    };
    let point = steps.step("Set shipping date, point and type; hand the supply to delivery", setting).await?;
    steps.note(&point);
    let printing = async {
        let order = json!({ "printerId": walk.printer, "supplyId": walk.supply });
        let job = text(&client.post("/print-jobs", order).await?, "id")?;
        uncertain += printed(stack, client, &job, PICKED).await?;
        ensure!(stack.printer.labels().len() == PICKED + 1, "the QR code is the printer's next label");
        Ok(())
    };
    steps.step("Its QR code leaves the printer", printing).await?;
    walk.uncertain += uncertain;
    Ok(())
}

pub(super) async fn follow(stack: &Stack, steps: &mut Steps, walk: &Walk) -> anyhow::Result<()> {
    let client = &walk.client;
    let [received, cancelled] = [0, 1].map(|index: usize| &walk.lines[index]);
    let number = |line: &Value| line["wbOrderId"].as_i64().context("a line has its order's number");
    let following = async {
        stack.seller.buyer(number(cancelled)?, BuyerAct::Cancel)?;
        stack.seller.receive(number(received)?)?;
        for (line, status) in [(received, "delivered"), (cancelled, "cancelled")] {
            let path = format!("/orders/{}", text(line, "orderId")?);
            client.until(&path, PATIENCE, |order| order["status"] == status).await?;
        }
        Ok(())
    };
    steps.step("One buyer receives, another cancels; both are followed", following).await?;
    let reading = async {
        for (line, kinds) in [(received, ["pick", "ship", "deliver"]), (cancelled, ["pick", "ship", "return_expected"])]
        {
            let entries = client.all(&format!("/inventory/entries?orderId={}", text(line, "orderId")?)).await?;
            let seen: Vec<_> = entries.iter().filter_map(|entry| entry["kind"].as_str()).collect();
            if seen != kinds {
                bail!("the ledger should show {kinds:?}, it shows {seen:?}");
            }
        }
        Ok(())
    };
    steps.step("The ledger shows both", reading).await
}

fn count(page: &Value) -> usize {
    page["items"].as_array().map_or(0, Vec::len)
}
