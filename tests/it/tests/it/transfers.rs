//! Transfers: what leaves one warehouse is on its way until it comes, or until somebody says why it does not.

use anyhow::{Context, Result};
use it::{Reach, Shop, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use stack::Client;
use stack::client::text;

const TRANSFERS: &str = "/inventory/transfers";

/// A second warehouse of the same enterprise, with one cell.
async fn target(shop: &Shop<'_>) -> Result<String> {
    let warehouse = text(&shop.client.post("/warehouses", json!({ "name": "Второй" })).await?, "id")?;
    let cells = json!({ "cells": [{ "code": "Б-01", "pickSequence": 1 }] });
    shop.client.post(&format!("/warehouses/{warehouse}/cells"), cells).await?;
    Ok(warehouse)
}

fn line(shop: &Shop<'_>, product: usize, quantity: i64) -> Value {
    json!({ "barcode": shop.products[product]["barcodes"][0], "quantity": quantity })
}

fn with(mut line: Value, field: &str, value: &str) -> Value {
    line[field] = json!(value);
    line
}

async fn planned(shop: &Shop<'_>, to: &str, number: &str, lines: &[Value]) -> Result<String> {
    let body = json!({ "fromWarehouseId": shop.warehouse, "toWarehouseId": to, "number": number, "lines": lines });
    text(&shop.client.post(TRANSFERS, body).await?, "id")
}

async fn sent(shop: &Shop<'_>, to: &str, number: &str, lines: &[Value]) -> Result<String> {
    let id = planned(shop, to, number, lines).await?;
    shop.client.post(&format!("{TRANSFERS}/{id}/send"), json!({})).await?;
    Ok(id)
}

/// Cell and units of a product, and how many are on their way.
async fn lies(shop: &Shop<'_>, product: usize) -> Result<(Vec<(String, i64)>, i64)> {
    let id = text(&shop.products[product], "id")?;
    let mut cells = Vec::new();
    for row in shop.client.all(&format!("/inventory?productId={id}")).await? {
        cells.push((text(&row, "cell")?, row["onHand"].as_i64().context("units")?));
    }
    cells.sort_unstable();
    let transit = shop.client.all(&format!("/inventory/in-transit?productId={id}")).await?;
    Ok((cells, transit.iter().filter_map(|row| row["quantity"].as_i64()).sum()))
}

fn at(cells: &[(&str, i64)]) -> Vec<(String, i64)> {
    cells.iter().map(|(cell, units)| ((*cell).to_owned(), *units)).collect()
}

#[tokio::test]
async fn goods_are_on_their_way_until_they_come_in_parts() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let to = target(&shop).await?;
    shop.receive(0, 1, 3).await?;
    shop.receive(0, 2, 3).await?;
    let id = planned(&shop, &to, "П-1", &[with(line(&shop, 0, 2), "cell", "A-02"), line(&shop, 0, 3)]).await?;
    assert_eq!(lies(&shop, 0).await?, (at(&[("A-01", 3), ("A-02", 3)]), 0), "a plan moves nothing");

    let transfer = shop.client.post(&format!("{TRANSFERS}/{id}/send"), json!({})).await?;
    assert_eq!((&transfer["status"], &transfer["goods"][0]["inTransit"]), (&json!("in_transit"), &json!(5)));
    assert_eq!(
        lies(&shop, 0).await?,
        (at(&[("A-02", 1)]), 5),
        "who names a cell takes out of it, the other goes by the strategy"
    );
    let transit = shop.client.all("/inventory/in-transit").await?;
    assert_eq!(transit[0]["warehouseId"], to, "it is counted for the warehouse that awaits it");
    shop.client.refused(&format!("{TRANSFERS}/{id}/send"), json!({}), "transfer_transition").await?;

    let receive = format!("{TRANSFERS}/{id}/receive");
    let come = |quantity: i64| json!({ "lines": [with(line(&shop, 0, quantity), "cell", "Б-01")] });
    let words = shop.client.refused(&receive, come(6), "transfer_exceeded").await?;
    assert!(words.contains("5 are on their way, not 6"), "{words}");
    assert_eq!(shop.client.post(&receive, come(2)).await?["status"], "receiving");
    assert_eq!(lies(&shop, 0).await?, (at(&[("A-02", 1), ("Б-01", 2)]), 3));
    shop.client.refused(&format!("{TRANSFERS}/{id}/cancel"), json!({}), "transfer_transition").await?;
    let transfer = shop.client.post(&receive, come(3)).await?;
    assert_eq!((&transfer["status"], &transfer["goods"][0]["received"]), (&json!("received"), &json!(5)));
    assert_eq!(lies(&shop, 0).await?, (at(&[("A-02", 1), ("Б-01", 5)]), 0));
    shop.client.refused(&receive, come(1), "transfer_transition").await?;
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn what_does_not_come_is_explained_before_the_transfer_is_closed() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let to = target(&shop).await?;
    shop.receive(0, 1, 6).await?;
    let id = sent(&shop, &to, "П-2", &[line(&shop, 0, 6)]).await?;
    let (receive, close) = (format!("{TRANSFERS}/{id}/receive"), format!("{TRANSFERS}/{id}/close"));
    let mut broken = with(line(&shop, 0, 1), "cell", "Б-01");
    broken["quarantine"] = json!(true);
    shop.client.post(&receive, json!({ "lines": [broken, with(line(&shop, 0, 1), "cell", "Б-01")] })).await?;
    let missing = |lost: i64, stayed: i64| json!({ "missing": [with(line(&shop, 0, lost), "reason", "lost"), with(line(&shop, 0, stayed), "reason", "not_loaded")] });
    let words = shop.client.refused(&close, missing(1, 1), "transfer_unexplained").await?;
    assert!(words.contains("2 of"), "{words}");
    shop.client.refused(&close, missing(1, 4), "transfer_exceeded").await?;
    assert_eq!(lies(&shop, 0).await?, (at(&[("Б-01", 2)]), 4), "a refusal does nothing by halves");
    let transfer = shop.client.post(&close, missing(1, 3)).await?;
    let goods = &transfer["goods"][0];
    assert_eq!((&transfer["status"], &goods["lost"], &goods["returned"]), (&json!("received"), &json!(1), &json!(3)));
    assert_eq!(lies(&shop, 0).await?, (at(&[("A-01", 3), ("Б-01", 2)]), 0));
    let holds = shop.client.all("/inventory/holds").await?;
    assert_eq!(
        (&holds[0]["cell"], &holds[0]["quantity"], &holds[0]["number"]),
        (&json!("Б-01"), &json!(1), &json!("П-2"))
    );
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_transfer_that_is_taken_back_lies_again_where_it_lay_and_serves_who_waits() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let to = target(&shop).await?;
    shop.receive(0, 1, 1).await?;
    shop.receive(0, 3, 1).await?;
    let id = sent(&shop, &to, "П-3", &[line(&shop, 0, 2)]).await?;
    let waiting = shop.order(0)?;
    shop.sync("new_orders").await?;
    assert_eq!(shop.our(waiting).await?["status"], "out_of_stock");
    let transfer = shop.client.post(&format!("{TRANSFERS}/{id}/cancel"), json!({})).await?;
    assert_eq!((&transfer["status"], &transfer["goods"][0]["returned"]), (&json!("cancelled"), &json!(2)));
    assert_eq!(lies(&shop, 0).await?, (at(&[("A-01", 1), ("A-03", 1)]), 0));
    assert_eq!(shop.our(waiting).await?["status"], "reserved");
    let dropped = planned(&shop, &to, "П-4", &[line(&shop, 0, 9)]).await?;
    shop.client.refused(&format!("{TRANSFERS}/{dropped}/send"), json!({}), "not_enough_stock").await?;
    assert_eq!(shop.client.post(&format!("{TRANSFERS}/{dropped}/cancel"), json!({})).await?["status"], "cancelled");
    let again = json!({ "fromWarehouseId": shop.warehouse, "toWarehouseId": to, "number": "П-4", "lines": [line(&shop, 0, 1)] });
    shop.client.refused(TRANSFERS, again, "transfer_number_taken").await?;
    Ok(())
}

#[tokio::test]
async fn nothing_comes_twice_however_many_receive_it() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let to = target(&shop).await?;
    shop.receive(0, 1, 3).await?;
    let id = sent(&shop, &to, "П-5", &[line(&shop, 0, 3)]).await?;
    let (path, body) =
        (format!("{TRANSFERS}/{id}/receive"), json!({ "lines": [with(line(&shop, 0, 2), "cell", "Б-01")] }));
    let receiving = (0..6).map(|_| shop.client.outcome(Method::POST, &path, Some(body.clone())));
    let outcomes = futures::future::try_join_all(receiving).await?;
    assert_eq!(outcomes.iter().filter(|(status, _)| *status == 200).count(), 1, "{outcomes:?}");
    assert_eq!(lies(&shop, 0).await?, (at(&[("Б-01", 2)]), 1));
    Ok(())
}

#[tokio::test]
async fn who_works_in_one_warehouse_sends_from_it_and_does_not_receive_in_the_other() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let to = target(&shop).await?;
    shop.receive(0, 1, 2).await?;
    let id = planned(&shop, &to, "П-6", &[line(&shop, 0, 2)]).await?;
    let here = app.person(&shop.client, "storekeeper", Reach::Warehouses(&[&shop.warehouse])).await?.client;
    let there = app.person(&shop.client, "storekeeper", Reach::Warehouses(&[&to])).await?.client;
    let body = json!({ "lines": [with(line(&shop, 0, 2), "cell", "Б-01")] });
    there.refused(&format!("{TRANSFERS}/{id}/send"), json!({}), "not_found").await?;
    here.post(&format!("{TRANSFERS}/{id}/send"), json!({})).await?;
    here.refused(&format!("{TRANSFERS}/{id}/receive"), body.clone(), "not_found").await?;
    assert_eq!(here.all("/inventory/in-transit").await?.len(), 0);
    assert_eq!(there.all("/inventory/in-transit").await?.len(), 1);
    let seen = json!({ "fromWarehouseId": shop.warehouse, "toWarehouseId": to, "number": "П-7", "lines": [line(&shop, 0, 1)] });
    here.refused(TRANSFERS, seen, "forbidden").await?;
    shop.client.refused(&format!("/warehouses/{to}/archive"), json!({}), "warehouse_in_use").await?;
    assert_eq!(there.post(&format!("{TRANSFERS}/{id}/receive"), body).await?["status"], "received");
    Ok(())
}

/// Units of a product by warehouse: on hand, and on their way there.
async fn by_warehouse(client: &Client, path: &str) -> Result<Vec<(Value, Value, i64, i64)>> {
    let mut seen = Vec::new();
    let mut after = String::new();
    // Row by row, so that pages meet without a seam.
    loop {
        let page = client.get(&format!("{path}&limit=1{after}")).await?;
        for row in page["items"].as_array().context("a list")? {
            let number = |field: &str| row[field].as_i64().with_context(|| format!("{field} in {row}"));
            let (on_hand, in_transit) = (number("onHand")?, number("inTransit")?);
            seen.push((row["productId"].clone(), row["warehouseId"].clone(), on_hand, in_transit));
        }
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    seen.sort_by_key(|(product, warehouse, ..)| (product.to_string(), warehouse.to_string()));
    Ok(seen)
}

#[tokio::test]
async fn what_is_on_its_way_counts_for_the_warehouse_that_awaits_it_and_for_no_cell() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let to = target(&shop).await?;
    shop.receive(0, 1, 3).await?;
    shop.receive(1, 2, 2).await?;
    let id = sent(&shop, &to, "П-8", &[line(&shop, 0, 2), line(&shop, 1, 2)]).await?;
    planned(&shop, &to, "П-9", &[line(&shop, 0, 1)]).await?;
    let (first, second) = (shop.products[0]["id"].clone(), shop.products[1]["id"].clone());
    let (here, there) = (json!(shop.warehouse), json!(to));
    let sorted = |mut rows: Vec<(Value, Value, i64, i64)>| {
        rows.sort_by_key(|(product, warehouse, ..)| (product.to_string(), warehouse.to_string()));
        rows
    };
    let expected = sorted(vec![
        (first.clone(), here.clone(), 1, 0),
        (first.clone(), there.clone(), 0, 2),
        (second.clone(), there.clone(), 0, 2),
    ]);
    assert_eq!(by_warehouse(&shop.client, "/inventory?by=warehouse").await?, expected);
    let at = format!("/inventory?by=warehouse&warehouseId={to}");
    assert_eq!(by_warehouse(&shop.client, &at).await?.len(), 2);
    let nowhere = Value::Null;
    let expected = sorted(vec![(first.clone(), nowhere.clone(), 1, 2), (second.clone(), nowhere.clone(), 0, 2)]);
    assert_eq!(by_warehouse(&shop.client, "/inventory?by=product").await?, expected);

    let cells = shop.client.all("/inventory").await?;
    assert_eq!(cells.len(), 1, "what is on its way lies in no cell: {cells:?}");
    assert_eq!(cells[0]["inTransit"], Value::Null);
    let cell = text(&cells[0], "cellId")?;
    for by in ["cell", "warehouse", "product"] {
        let rows = shop.client.all(&format!("/inventory?by={by}&cellId={cell}")).await?;
        assert_eq!((rows.len(), &rows[0]["inTransit"]), (1, &Value::Null), "{by}: {rows:?}");
    }
    // Who does not reach the warehouse that awaits it does not see it.
    let clerk = app.person(&shop.client, "storekeeper", Reach::Warehouses(&[&shop.warehouse])).await?.client;
    assert_eq!(by_warehouse(&clerk, "/inventory?by=product").await?, [(first.clone(), nowhere.clone(), 1, 0)]);

    let come = json!({ "lines": [with(line(&shop, 0, 2), "cell", "Б-01"), with(line(&shop, 1, 1), "cell", "Б-01")] });
    shop.client.post(&format!("{TRANSFERS}/{id}/receive"), come).await?;
    let expected = sorted(vec![(first, nowhere.clone(), 3, 0), (second, nowhere, 1, 1)]);
    assert_eq!(by_warehouse(&shop.client, "/inventory?by=product").await?, expected);
    Ok(())
}

#[tokio::test]
async fn a_lot_is_the_same_lot_where_it_arrives_and_where_it_comes_back() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let to = target(&shop).await?;
    let day = (app.clock.now() + chrono::Duration::days(9)).format("%Y-%m-%d").to_string();
    let counted = json!({ "barcode": shop.products[0]["barcodes"][0], "cell": "A-01", "quantity": 5,
                          "lot": { "code": "Л-1", "expiresOn": day } });
    let sheet = json!({ "warehouseId": shop.warehouse, "number": "ПР-1", "lines": [] });
    let sheet = shop.client.post("/inventory/receipt-sheets", sheet).await?;
    let path = format!("/inventory/receipt-sheets/{}", text(&sheet, "id")?);
    let sheet = shop.client.post(&format!("{path}/counts"), json!({ "lines": [counted] })).await?;
    let lot = sheet["lines"][0]["lotId"].clone();
    let surplus = json!({ "lineId": sheet["lines"][0]["id"], "reason": "surplus" });
    shop.client.post(&format!("{path}/post"), json!({ "discrepancies": [surplus] })).await?;
    shop.receive(0, 1, 5).await?;

    // What expires first goes first.
    let id = sent(&shop, &to, "П-1", &[line(&shop, 0, 4)]).await?;
    let transit = shop.client.all("/inventory/in-transit").await?;
    assert_eq!((&transit[0]["lotId"], &transit[0]["expiresOn"]), (&lot, &json!(day)), "{transit:?}");
    let other = json!({ "lines": [with(line(&shop, 0, 1), "cell", "Б-01")] });
    let mut named = other.clone();
    named["lines"][0]["lot"] = json!({ "code": "Л-2" });
    shop.client.refused(&format!("{TRANSFERS}/{id}/receive"), named, "lot_unknown").await?;
    shop.client.post(&format!("{TRANSFERS}/{id}/receive"), other).await?;
    let missing = json!({ "missing": [with(line(&shop, 0, 3), "reason", "not_loaded")] });
    shop.client.post(&format!("{TRANSFERS}/{id}/close"), missing).await?;
    let balances = shop.client.all("/inventory").await?;
    let mut seen: Vec<_> = balances
        .iter()
        .filter(|row| row["lotId"] == lot)
        .map(|row| (row["cell"].as_str(), row["lot"].as_str(), row["expiresOn"].as_str(), row["onHand"].as_i64()))
        .collect();
    seen.sort_unstable();
    let of = |cell, units| (Some(cell), Some("Л-1"), Some(day.as_str()), Some(units));
    assert_eq!(seen, [of("A-01", 4), of("Б-01", 1)]);
    Ok(())
}
