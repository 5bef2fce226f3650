//! Examples of what people do in stock counts.

use anyhow::Result;
use serde_json::{Value, json};
use stack::Client;
use stack::client::text;

use crate::people::Reach;
use crate::{Act, Shop, drift_acts};

/// A cell of its own with three units of a product.
struct Place {
    id: String,
    code: String,
}

/// Arranges what the operation needs, and asks for it.
pub(crate) async fn example(shop: &Shop<'_>, operation: &str, name: String) -> Result<Option<Act>> {
    let boss = &shop.client;
    Ok(Some(match operation {
        "plan_count" => Act::post("/counts", json!({ "warehouseId": shop.warehouse, "name": name, "blind": true })),
        "change_count" => {
            let (count, _) = planned(shop, boss).await?;
            Act::patch(format!("/counts/{count}"), json!({ "name": name, "comment": null, "freeze": true }))
        }
        "start_count" => Act::post(format!("/counts/{}/start", planned(shop, boss).await?.0), json!({})),
        "cancel_count" => {
            Act::post(format!("/counts/{}/cancel", under_way(shop, boss).await?.0), json!({ "comment": "не сегодня" }))
        }
        "count_goods" => {
            let (count, place) = under_way(shop, boss).await?;
            Act::post(format!("/counts/{count}/tallies"), json!({ "lines": [counted(shop, &place, 2)] }))
        }
        "count_empty_cell" => {
            let (count, place) = under_way(shop, boss).await?;
            Act::post(format!("/counts/{count}/empty-cells"), json!({ "cell": place.code }))
        }
        "scan_count" => {
            let (count, place) = under_way(shop, boss).await?;
            Act::post(format!("/counts/{count}/scans"), json!({ "kind": "cell", "code": place.code }))
        }
        "review_count" => {
            let count = under_way(shop, boss).await?.0;
            Act::post(format!("/counts/{count}/review"), json!({ "uncounted": "keep" }))
        }
        "recount_lines" => {
            Act::post(format!("/counts/{}/recount", reviewed(shop, boss).await?), json!({ "byAnother": true }))
        }
        "explain_count" => {
            let body = json!({ "others": { "reason": "lost" } });
            Act::post(format!("/counts/{}/explanations", reviewed(shop, boss).await?), body)
        }
        "approve_count" => Act::post(format!("/counts/{}/approve", explained(shop).await?), json!({})),
        "reject_count" => {
            Act::post(format!("/counts/{}/reject", explained(shop).await?), json!({ "comment": "не верю" }))
        }
        _ => return drift_acts::example(shop, operation).await,
    }))
}

/// Those that name the ids which the one example leaves out.
pub(crate) async fn further(shop: &Shop<'_>, operation: &str, name: String) -> Result<Vec<Act>> {
    let boss = &shop.client;
    Ok(match operation {
        "plan_count" => {
            let somebody = shop.app.person(boss, "picker", Reach::Enterprise).await?;
            let plan = |field: &str, ids: Value| {
                let mut body = json!({ "warehouseId": shop.warehouse, "name": name, "assigneeId": somebody.id });
                body[field] = ids;
                Act::post("/counts", body)
            };
            targets(shop).await?.into_iter().map(|(field, ids)| plan(field, ids)).collect()
        }
        "change_count" => {
            let mut acts = Vec::new();
            for (field, ids) in targets(shop).await? {
                let mut body = json!({});
                body[field] = ids;
                acts.push(Act::patch(format!("/counts/{}", planned(shop, boss).await?.0), body));
            }
            acts
        }
        "count_goods" => {
            let (count, place) = under_way(shop, boss).await?;
            let line = json!({ "productId": shop.products[9]["id"], "cell": place.code, "quantity": 2 });
            vec![Act::post(format!("/counts/{count}/tallies"), json!({ "mode": "all_or_nothing", "lines": [line] }))]
        }
        "recount_lines" => {
            let count = reviewed(shop, boss).await?;
            let body = json!({ "countLineIds": [line(shop, &count).await?] });
            vec![Act::post(format!("/counts/{count}/recount"), body)]
        }
        "explain_count" => {
            let count = reviewed(shop, boss).await?;
            let line = json!({ "countLineId": line(shop, &count).await?, "reason": "other", "comment": "см. акт" });
            vec![Act::post(format!("/counts/{count}/explanations"), json!({ "lines": [line] }))]
        }
        _ => Vec::new(),
    })
}

/// What a plan may name.
async fn targets(shop: &Shop<'_>) -> Result<[(&'static str, Value); 3]> {
    Ok([
        ("zoneIds", json!([crate::acts::zone(shop).await?])),
        ("cellIds", json!([crate::acts::cell(shop).await?])),
        ("productIds", json!([shop.products[9]["id"]])),
    ])
}

async fn place(shop: &Shop<'_>) -> Result<Place> {
    let code = format!("Сч {}", shared::ids::JobId::new());
    let cells = json!({ "cells": [{ "code": code, "pickSequence": 950 }] });
    let added = shop.client.post(&format!("/warehouses/{}/cells", shop.warehouse), cells).await?;
    let line = json!({ "barcode": shop.products[9]["barcodes"][0], "cell": code, "quantity": 3 });
    let receipt = json!({ "warehouseId": shop.warehouse, "number": code, "lines": [line] });
    shop.client.post("/inventory/receipts", receipt).await?;
    Ok(Place { id: text(&added["items"][0], "id")?, code })
}

fn counted(shop: &Shop<'_>, place: &Place, quantity: i64) -> Value {
    json!({ "barcode": shop.products[9]["barcodes"][0], "cell": place.code, "quantity": quantity })
}

/// A plan of somebody.
async fn planned(shop: &Shop<'_>, client: &Client) -> Result<(String, Place)> {
    let place = place(shop).await?;
    let plan = json!({ "warehouseId": shop.warehouse, "name": "Пересчёт", "cellIds": [place.id] });
    Ok((text(&client.post("/counts", plan).await?, "id")?, place))
}

/// A count that somebody has started.
async fn under_way(shop: &Shop<'_>, client: &Client) -> Result<(String, Place)> {
    let (count, place) = planned(shop, client).await?;
    client.post(&format!("/counts/{count}/start"), json!({})).await?;
    Ok((count, place))
}

/// A count with a difference that somebody looks at.
async fn reviewed(shop: &Shop<'_>, client: &Client) -> Result<String> {
    let (count, place) = under_way(shop, client).await?;
    client.post(&format!("/counts/{count}/tallies"), json!({ "lines": [counted(shop, &place, 2)] })).await?;
    client.post(&format!("/counts/{count}/review"), json!({})).await?;
    Ok(count)
}

/// A count of a colleague that waits for approval.
async fn explained(shop: &Shop<'_>) -> Result<String> {
    let colleague = shop.app.person(&shop.client, "storekeeper", Reach::Enterprise).await?.client;
    let count = reviewed(shop, &colleague).await?;
    let why = json!({ "others": { "reason": "lost" } });
    colleague.post(&format!("/counts/{count}/explanations"), why).await?;
    Ok(count)
}

async fn line(shop: &Shop<'_>, count: &str) -> Result<String> {
    text(&shop.client.get(&format!("/counts/{count}/lines")).await?["items"][0], "id")
}

/// A count with something in it, for whoever only looks.
pub(crate) async fn furnish(shop: &Shop<'_>) -> Result<()> {
    let (count, place) = under_way(shop, &shop.client).await?;
    let lines = json!({ "lines": [counted(shop, &place, 2)] });
    shop.client.post(&format!("/counts/{count}/tallies"), lines).await.map(|_| ())
}
