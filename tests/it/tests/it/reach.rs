//! What is out of reach is not there: in lists, single objects, searches and acts, exactly as what belongs to others.

use anyhow::{Context, Result};
use it::people::ids;
use it::{Reach, Shop, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use stack::Client;
use stack::client::text;

const NOBODY: &str = "01900000-0000-7000-8000-000000000000";

/// One of everything in one warehouse.
struct Work {
    warehouse: String,
    order: String,
    number: i64,
    request: String,
    supply: String,
    print_job: String,
}

async fn work(shop: &Shop<'_>) -> Result<Work> {
    let (request, lines) = shop.picked(2).await?;
    let supply = shop.supply(&request).await?;
    let print_job = shop.print(&request).await?;
    let number = lines[0]["wbOrderId"].as_i64().context("a number")?;
    let order = text(&lines[0], "orderId")?;
    Ok(Work { warehouse: shop.warehouse.clone(), order, number, request, supply, print_job })
}

fn paths(work: &Work) -> Vec<String> {
    let Work { warehouse, order, request, supply, print_job, .. } = work;
    vec![
        format!("/warehouses/{warehouse}"),
        format!("/warehouses/{warehouse}/cells"),
        format!("/orders/{order}"),
        format!("/orders/{order}/history"),
        format!("/requests/{request}"),
        format!("/requests/{request}/lines"),
        format!("/requests/{request}/history"),
        format!("/supplies/{supply}"),
        format!("/supplies/{supply}/history"),
        format!("/supplies/{supply}/shipping-points?date=2026-12-01&city=Москва"),
        format!("/print-jobs/{print_job}"),
        format!("/print-jobs/{print_job}/items"),
    ]
}

/// The answer without what is different in every answer.
async fn told(client: &Client, method: Method, path: &str, body: Option<Value>) -> Result<(u16, Value)> {
    let mut answer = client.ask(method, path, body).await?;
    if let Some(body) = answer.body.as_object_mut() {
        body.remove("requestId");
    }
    Ok((answer.status.as_u16(), answer.body))
}

#[tokio::test]
async fn a_person_of_one_warehouse_sees_nothing_of_another() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let here = work(&shop).await?;
    let second = shop.second_warehouse().await?;
    let there = work(&second).await?;
    let warehouses = [here.warehouse.as_str()];
    let manager = app.person(&shop.client, "manager", Reach::Warehouses(&warehouses)).await?.client;

    for path in paths(&here) {
        assert!(manager.ask(Method::GET, &path, None).await?.status.is_success(), "{path}");
    }
    for path in paths(&there) {
        let missing = [&there.warehouse, &there.order, &there.request, &there.supply, &there.print_job]
            .into_iter()
            .fold(path.clone(), |path, id| path.replace(id.as_str(), NOBODY));
        let out = told(&manager, Method::GET, &path, None).await?;
        assert_eq!(out.0, 404, "{path}");
        assert_eq!(out, told(&manager, Method::GET, &missing, None).await?, "{path}");
    }
    let all = async |path: &str| {
        let (everything, within) = (shop.client.all(path).await?, manager.all(path).await?);
        assert!(
            !within.is_empty() && within.len() < everything.len(),
            "{path}: {} of {}",
            within.len(),
            everything.len()
        );
        anyhow::Ok(within)
    };
    for order in all("/orders").await? {
        assert_eq!(order["warehouseId"], here.warehouse);
    }
    for balance in all("/inventory").await? {
        assert_eq!(balance["warehouseId"], here.warehouse);
    }
    for request in all("/requests").await? {
        assert_eq!(request["warehouseId"], here.warehouse);
    }
    assert_eq!(ids(&manager, "/warehouses").await?, [here.warehouse.as_str()]);
    assert_eq!(ids(&manager, "/supplies").await?, [here.supply.as_str()]);
    assert_eq!(ids(&manager, "/print-jobs").await?, [here.print_job.as_str()]);
    assert!(all("/inventory/entries").await?.iter().all(|entry| entry["orderId"] != there.order));
    assert!(ids(&manager, &format!("/orders?wbOrderId={}", there.number)).await?.is_empty());
    assert!(ids(&manager, &format!("/inventory/entries?orderId={}", there.order)).await?.is_empty());
    assert_eq!(manager.get(&format!("/inventory?warehouseId={}", there.warehouse)).await?["items"], json!([]));
    let (whole, part) =
        (shop.client.get("/inventory/consistency").await?, manager.get("/inventory/consistency").await?);
    assert!(part["entries"].as_i64() < whole["entries"].as_i64() && part["differences"] == json!([]), "{part}");
    assert_eq!(manager.get("/wildberries/warehouses").await?["items"], json!([]), "the second one fulfils them now");
    Ok(())
}

#[tokio::test]
async fn nothing_is_done_to_what_is_out_of_reach() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let here = work(&shop).await?;
    let second = shop.second_warehouse().await?;
    let there = work(&second).await?;
    let open = second.reserved(1).await?;
    let open = text(&second.our(open[0]).await?, "id")?;
    let warehouses = [here.warehouse.as_str()];
    let manager = app.person(&shop.client, "manager", Reach::Warehouses(&warehouses)).await?;
    let storage = json!([{ "code": "Z-01", "pickSequence": 9 }]);
    let line = json!({ "barcode": shop.products[0]["barcodes"][0], "cell": "A-01", "quantity": 1 });
    let before = app.count("SELECT count(*) FROM order_history").await?;
    let wb_warehouse = shop.client.get("/wildberries/warehouses").await?["items"][0]["wbWarehouseId"].to_string();
    let acts = [
        (Method::POST, format!("/warehouses/{}/cells", there.warehouse), json!({ "cells": storage })),
        (
            Method::POST,
            "/inventory/receipts".to_owned(),
            json!({ "warehouseId": there.warehouse, "number": "Х", "lines": [line] }),
        ),
        (
            Method::POST,
            "/inventory/adjustments".to_owned(),
            json!({ "warehouseId": there.warehouse,
                    "lines": [{ "barcode": line["barcode"], "cell": "A-01", "change": 1, "reason": "found" }] }),
        ),
        (
            Method::POST,
            "/inventory/reservations".to_owned(),
            json!({ "warehouseId": there.warehouse, "lines": [{ "barcode": line["barcode"], "quantity": 1 }] }),
        ),
        (
            Method::POST,
            "/requests".to_owned(),
            json!({ "type": "order_picking", "warehouseId": there.warehouse, "count": 1 }),
        ),
        (
            Method::POST,
            "/requests".to_owned(),
            json!({ "type": "order_picking", "warehouseId": here.warehouse, "orderIds": [open] }),
        ),
        (Method::POST, format!("/requests/{}/assign", there.request), json!({ "assigneeId": manager.id })),
        (Method::POST, format!("/requests/{}/status", there.request), json!({ "status": "cancelled" })),
        (Method::POST, format!("/requests/{}/status", there.request), json!({ "status": "in_review" })),
        (Method::POST, format!("/requests/{}/scans", there.request), json!({ "kind": "cell", "code": "A-01" })),
        (Method::POST, "/supplies".to_owned(), json!({ "orderIds": [open] })),
        (Method::POST, "/supplies".to_owned(), json!({ "requestId": there.request })),
        (Method::POST, format!("/supplies/{}/publish", there.supply), json!({})),
        (Method::POST, format!("/supplies/{}/deliver", there.supply), json!({})),
        (
            Method::PUT,
            format!("/supplies/{}/shipping", there.supply),
            json!({ "date": "2030-01-01", "pointId": 1, "type": "selfShipping" }),
        ),
        (Method::POST, "/print-jobs".to_owned(), json!({ "printerId": shop.printer, "requestId": there.request })),
        (Method::POST, "/print-jobs".to_owned(), json!({ "printerId": shop.printer, "supplyId": there.supply })),
        (Method::POST, format!("/print-jobs/{}/cancel", there.print_job), json!({})),
        (
            Method::PUT,
            format!("/wildberries/accounts/{}/warehouses/{wb_warehouse}", shop.account),
            json!({ "warehouseId": here.warehouse }),
        ),
    ];
    for (method, path, body) in acts {
        let outcome = manager.client.outcome(method, &path, Some(body.clone())).await?;
        assert_eq!(outcome, (404, "not_found".to_owned()), "{path} {body}");
    }
    // A new warehouse is in nobody's reach but of those who reach everywhere.
    let outcome = manager.client.outcome(Method::POST, "/warehouses", Some(json!({ "name": "Третий" }))).await?;
    assert_eq!(outcome, (403, "forbidden".to_owned()));
    let items = shop.client.get(&format!("/print-jobs/{}/items", there.print_job)).await?["items"].clone();
    let sticker = json!({ "sticker": items[0]["barcode"] });
    let unknown = told(&manager.client, Method::POST, "/orders/pack", Some(json!({ "sticker": "*никогда*" }))).await?;
    assert_eq!(told(&manager.client, Method::POST, "/orders/pack", Some(sticker)).await?, unknown);
    assert_eq!(unknown.1["code"], "sticker_unknown");
    assert_eq!(app.count("SELECT count(*) FROM order_history").await?, before, "nothing happened to any order");
    Ok(())
}

#[tokio::test]
async fn a_picker_sees_their_own_requests_and_what_hangs_on_them() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let others = work(&shop).await?;
    let numbers = shop.reserved(2).await?;
    let picker = app.person(&shop.client, "picker", Reach::Own).await?;
    let idle = app.person(&shop.client, "picker", Reach::Own).await?;
    let mut orders = Vec::new();
    for number in &numbers {
        orders.push(text(&shop.our(*number).await?, "id")?);
    }
    let body =
        json!({ "type": "order_picking", "warehouseId": shop.warehouse, "orderIds": orders, "assigneeId": picker.id });
    let request = text(&shop.client.post("/requests", body).await?, "id")?;

    let client = &picker.client;
    assert_eq!(ids(client, "/requests").await?, [request.as_str()]);
    let mut seen = ids(client, "/orders").await?;
    seen.sort();
    orders.sort();
    assert_eq!(seen, orders);
    assert_eq!(ids(client, "/warehouses").await?, [shop.warehouse.as_str()]);
    assert!(ids(client, "/supplies").await?.is_empty() && ids(client, "/print-jobs").await?.is_empty());
    for path in [
        format!("/requests/{}", others.request),
        format!("/requests/{}/lines", others.request),
        format!("/orders/{}", others.order),
        format!("/supplies/{}", others.supply),
        format!("/print-jobs/{}", others.print_job),
    ] {
        assert_eq!(client.outcome(Method::GET, &path, None).await?, (404, "not_found".to_owned()), "{path}");
    }

    client.post(&format!("/requests/{request}/status"), json!({ "status": "in_progress" })).await?;
    let lines = client.get(&format!("/requests/{request}/lines")).await?["items"].as_array().context("lines")?.clone();
    let balances = client.all("/inventory").await?;
    assert!(
        balances.iter().all(|balance| lines.iter().any(|line| line["cellId"] == balance["cellId"])),
        "{balances:?}"
    );
    for line in &lines {
        for (kind, code) in [("cell", &line["cell"]), ("item", &line["barcodes"][0])] {
            client.post(&format!("/requests/{request}/scans"), json!({ "kind": kind, "code": code })).await?;
        }
    }
    let cancel = Some(json!({ "status": "cancelled" }));
    let forbidden = (403, "forbidden".to_owned());
    assert_eq!(client.outcome(Method::POST, &format!("/requests/{request}/status"), cancel).await?, forbidden);
    let scan = Some(json!({ "kind": "cell", "code": "A-01" }));
    let foreign = client.outcome(Method::POST, &format!("/requests/{}/scans", others.request), scan).await?;
    assert_eq!(foreign, (404, "not_found".to_owned()));

    for path in ["/requests", "/orders", "/warehouses", "/inventory", "/inventory/entries", "/supplies", "/print-jobs"]
    {
        assert_eq!(idle.client.get(path).await?["items"], json!([]), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn money_is_shown_where_it_may_be_seen() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let here = work(&shop).await?;
    let second = shop.second_warehouse().await?;
    let there = work(&second).await?;
    let manager = app.person(&shop.client, "manager", Reach::Enterprise).await?.client;
    let viewer = app.person(&shop.client, "viewer", Reach::Enterprise).await?.client;
    for order in [&here.order, &there.order] {
        let path = format!("/orders/{order}");
        let (seen, hidden) = (manager.get(&path).await?, viewer.get(&path).await?);
        assert!(seen["priceMinor"].as_i64() > Some(0) && seen["currency"] == "RUB", "{seen}");
        assert!(hidden.get("priceMinor").is_none() && hidden.get("currency").is_none(), "{hidden}");
    }
    assert!(viewer.all("/orders").await?.iter().all(|order| order.get("priceMinor").is_none()));
    assert!(manager.all("/orders").await?.iter().all(|order| order.get("priceMinor").is_some()));

    let grants = json!([
        it::grant("viewer", Reach::Enterprise),
        it::grant(&app.own_role(&shop.client, "Цены", &["money:read"]).await?, Reach::Warehouses(&[&here.warehouse])),
    ]);
    let clerk = app.person(&shop.client, "viewer", Reach::Enterprise).await?;
    shop.client.put(&format!("/users/{}/grants", clerk.id), json!({ "grants": grants })).await?;
    for order in clerk.client.all("/orders").await? {
        assert_eq!(order.get("priceMinor").is_some(), order["warehouseId"] == here.warehouse.as_str(), "{order}");
    }
    Ok(())
}
