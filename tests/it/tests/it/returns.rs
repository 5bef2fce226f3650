//! What comes back: picked goods of cancelled orders into their cells, and parcels from Wildberries.

use anyhow::{Context, Result};
use it::{Reach, Shop, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use stack::client::text;
use wildberries::BuyerAct;

const RETURNS: &str = "/inventory/returns";

/// So many orders on their way, with stickers; answers with their lines.
async fn shipped(shop: &Shop<'_>, count: usize) -> Result<Vec<Value>> {
    let (request, lines) = shop.picked(count).await?;
    let supply = shop.supply(&request).await?;
    shop.print(&request).await?;
    shop.deliver(&supply).await?;
    Ok(lines)
}

fn number(line: &Value) -> i64 {
    line["wbOrderId"].as_i64().expect("a number")
}

fn body(shop: &Shop<'_>, lines: &[Value]) -> Value {
    json!({ "warehouseId": shop.warehouse, "mode": "each_row", "lines": lines })
}

async fn units_in(shop: &Shop<'_>, product: &Value, cell: &str) -> Result<i64> {
    let rows = shop.client.all(&format!("/inventory?productId={}", product.as_str().context("an id")?)).await?;
    Ok(rows.iter().filter(|row| row["cell"] == cell).filter_map(|row| row["onHand"].as_i64()).sum())
}

#[tokio::test]
async fn a_picked_item_of_a_cancelled_order_is_put_back_and_serves_who_waits() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (_, lines) = shop.picked(1).await?;
    let waiting = shop.order(0)?;
    shop.sync("new_orders").await?;
    shop.seller.buyer(number(&lines[0]), BuyerAct::Cancel)?;
    shop.sync("order_statuses").await?;
    let requests = shop.client.get("/requests?type=stock_move").await?;
    let request = text(&requests["items"][0], "id")?;
    let scans = format!("/requests/{request}/scans");
    let item = json!({ "kind": "item", "code": lines[0]["barcodes"][0] });
    shop.client.refused(&scans, item.clone(), "request_transition").await?;
    shop.client.post(&format!("/requests/{request}/status"), json!({ "status": "in_progress" })).await?;
    shop.client.refused(&scans, item.clone(), "cell_not_scanned").await?;
    shop.client.refused(&scans, json!({ "kind": "cell", "code": "PACKING" }), "cell_of_packing").await?;
    // Another cell than it came from will do.
    let stands = shop.scan(&request, "cell", "A-02").await?;
    assert_eq!((&stands["next"]["cell"], &stands["openLines"]), (&lines[0]["cell"], &json!(1)));
    let wrong = json!({ "kind": "item", "code": shop.products[5]["barcodes"][0] });
    shop.client.refused(&scans, wrong, "wrong_item").await?;
    assert_eq!(shop.our(waiting).await?["status"], "out_of_stock");
    let done = shop.client.post(&scans, item).await?;
    assert_eq!((&done["openLines"], done["putBack"].is_string(), &done["next"]), (&json!(0), true, &Value::Null));
    assert_eq!(units_in(&shop, &lines[0]["productId"], "A-02").await?, 1);
    assert_eq!(shop.our(waiting).await?["status"], "reserved");
    assert_eq!(shop.ledger(number(&lines[0])).await?, ["pick", "put_back"]);
    for status in ["in_review", "completed"] {
        shop.client.post(&format!("/requests/{request}/status"), json!({ "status": status })).await?;
    }
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn parcels_come_back_by_order_or_by_sticker_each_with_its_verdict_and_once() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let lines = shipped(&shop, 3).await?;
    let (cancelled, received, underway) = (number(&lines[0]), number(&lines[1]), number(&lines[2]));
    shop.seller.buyer(cancelled, BuyerAct::Cancel)?;
    shop.seller.receive(received)?;
    shop.sync("order_statuses").await?;
    let quarantine = shop
        .client
        .post(&format!("/warehouses/{}/zones", shop.warehouse), json!({ "name": "Карантин", "purpose": "quarantine" }))
        .await?;
    let cell = json!({ "cells": [{ "code": "К-01", "pickSequence": 90, "zoneId": quarantine["id"] }] });
    shop.client.post(&format!("/warehouses/{}/cells", shop.warehouse), cell).await?;
    let sticker = shop.seller.sticker(received).context("a sticker")?.barcode;
    let by_id = json!({ "orderId": shop.our(cancelled).await?["id"], "cell": "A-03" });
    let rows = [
        by_id.clone(),
        json!({ "sticker": sticker, "cell": "К-01" }),
        json!({ "orderId": shop.our(underway).await?["id"], "cell": "A-03" }),
        json!({ "sticker": "*Nobody", "cell": "A-03" }),
        by_id,
    ];
    let posted = shop.client.post(RETURNS, body(&shop, &rows)).await?;
    let verdicts: Vec<_> = posted["rows"]
        .as_array()
        .context("rows")?
        .iter()
        .map(|row| row["problem"].as_str().unwrap_or("done"))
        .collect();
    assert_eq!(verdicts, ["done", "done", "order_transition", "sticker_unknown", "order_transition"], "{posted}");
    assert_eq!(posted["document"]["kind"], "return");
    assert_eq!(shop.our(cancelled).await?["status"], "returned");
    assert_eq!(shop.our(received).await?["status"], "returned");
    assert_eq!(shop.our(underway).await?["status"], "shipped");
    assert_eq!(shop.ledger(cancelled).await?, ["pick", "ship", "return_expected", "return_received"]);
    assert_eq!(shop.ledger(received).await?, ["pick", "ship", "deliver", "return_received"]);
    assert_eq!(units_in(&shop, &lines[0]["productId"], "A-03").await?, 1);
    assert_eq!(units_in(&shop, &lines[1]["productId"], "К-01").await?, 1);
    let again =
        shop.client.ask(Method::POST, RETURNS, Some(json!({ "warehouseId": shop.warehouse, "lines": [rows[0]] })));
    assert_eq!(again.await?.code(), "order_transition");
    assert_eq!(app.count("SELECT count(*) FROM stock_entries WHERE kind = 'return_received'").await?, 2);
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn what_came_back_serves_who_waits_for_it() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let lines = shipped(&shop, 1).await?;
    shop.seller.buyer(number(&lines[0]), BuyerAct::Cancel)?;
    let waiting = shop.order(0)?;
    shop.sync("new_orders").await?;
    shop.sync("order_statuses").await?;
    assert_eq!(shop.our(waiting).await?["status"], "out_of_stock");
    let row = json!({ "orderId": shop.our(number(&lines[0])).await?["id"], "cell": "A-01" });
    shop.client.post(RETURNS, body(&shop, &[row])).await?;
    assert_eq!(shop.our(waiting).await?["status"], "reserved");
    Ok(())
}

#[tokio::test]
async fn what_never_left_does_not_come_back_and_what_is_out_of_reach_is_not_there() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let numbers = shop.reserved(1).await?;
    shop.seller.buyer(numbers[0], BuyerAct::Cancel)?;
    shop.sync("order_statuses").await?;
    let order = shop.our(numbers[0]).await?["id"].clone();
    let row = json!({ "orderId": order, "cell": "A-01" });
    let posted = shop.client.post(RETURNS, body(&shop, std::slice::from_ref(&row))).await?;
    assert_eq!(posted["rows"][0]["problem"], "order_transition", "{posted}");
    assert!(posted["rows"][0]["detail"].as_str().context("words")?.contains("has left"), "{posted}");
    // Somebody of the second warehouse cannot take back what left from the first.
    let second = shop.second_warehouse().await?;
    let theirs = app.person(&shop.client, "storekeeper", Reach::Warehouses(&[&second.warehouse])).await?;
    let posted = theirs.client.post(RETURNS, body(&second, &[row])).await?;
    assert_eq!(posted["rows"][0]["problem"], "order_unknown");
    Ok(())
}
