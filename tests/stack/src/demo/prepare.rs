//! Before the first order: who we are, what we sell, where it lies.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use wildberries::{ALL_CATEGORIES, Category, TokenKind, TokenSpec};

use super::{PATIENCE, STOCKED, Walk};
use crate::client::text;
use crate::{Client, Stack, Steps};

const CELLS: usize = 120;
/// A goods receipt takes this many lines.
const LINES: usize = 1000;

pub(super) async fn prepare(stack: &Stack, steps: &mut Steps) -> anyhow::Result<Walk> {
    let person = &stack.administrator;
    let signing = async { Client::new(&stack.api_url)?.sign_in(&person.email, &person.password).await };
    let client = steps.step("Sign in", signing).await?;
    let account = token(stack, steps, &client).await?;
    let products = catalogue(stack, steps, &client, &account).await?;
    let warehouse = steps.step("Build a warehouse and link Wildberries' two to it", build(&client, &account)).await?;
    let unstocked = steps.step("Receive goods into cells", receive(&client, &warehouse, &products)).await?;
    let adding = async {
        let address = stack.printer_address();
        let printer = json!({ "name": "Стол упаковки", "host": address.ip().to_string(), "port": address.port(),
                              "dpi": 203, "labelWidthMm": 58, "labelHeightMm": 40 });
        text(&client.post("/printers", printer).await?, "id")
    };
    let printer = steps.step("Add the label printer", adding).await?;
    Ok(Walk {
        client,
        account,
        warehouse,
        printer,
        unstocked,
        lines: Vec::new(),
        request: String::new(),
        supply: String::new(),
        uncertain: 0,
    })
}

async fn token(stack: &Stack, steps: &mut Steps, client: &Client) -> anyhow::Result<String> {
    let refusing = async {
        let weak =
            stack.seller.token_with(&TokenSpec { categories: 1 << Category::Content as u32, ..TokenSpec::default() });
        client
            .refused("/wildberries/accounts", json!({ "name": "Ромашка", "token": weak }), "token_lacks_category")
            .await
    };
    let words = steps.step("A token without a needed category is refused", refusing).await?;
    steps.note(&format!("«{words}»"));
    let storing = async {
        let token = stack.seller.token(TokenKind::Personal, ALL_CATEGORIES);
        let account = client.post("/wildberries/accounts", json!({ "name": "Ромашка", "token": token })).await?;
        ensure!(!account.to_string().contains(&token), "the answer shows the token");
        Ok(account)
    };
    let account = steps.step("Store the Wildberries token", storing).await?;
    let names: Vec<_> = account["categories"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|category| category["title"].as_str())
        .collect();
    steps.note(&format!(
        "{}: a {} token until {} for {}",
        text(&account, "sellerName")?,
        text(&account, "tokenKind")?,
        text(&account, "tokenExpiresAt")?,
        names.join(", ")
    ));
    text(&account, "id")
}

async fn sync(client: &Client, account: &str, kind: &str) -> anyhow::Result<Value> {
    let answer =
        client.ask(reqwest::Method::POST, "/sync-runs", Some(json!({ "accountId": account, "kind": kind }))).await?;
    ensure!(answer.status.as_u16() == 202, "a sync run is promised with 202, not {}: {}", answer.status, answer.body);
    let id = text(&answer.body, "id")?;
    client.until(&format!("/sync-runs/{id}"), PATIENCE, |run| run["status"] == "succeeded").await
}

pub(super) async fn sync_now(client: &Client, account: &str, kind: &str) -> anyhow::Result<Value> {
    sync(client, account, kind).await
}

async fn catalogue(stack: &Stack, steps: &mut Steps, client: &Client, account: &str) -> anyhow::Result<Vec<Value>> {
    let run = steps.step("Ask for a catalogue sync and wait for it", sync(client, account, "catalogue")).await?;
    steps.note(&format!("{} cards read, {} products new", run["seen"], run["added"]));
    let comparing = async {
        let cards = stack.seller.cards();
        let products = client.all("/products").await?;
        let nm_ids: BTreeSet<_> = products.iter().filter_map(|product| product["nmId"].as_i64()).collect();
        ensure!(nm_ids.len() == cards.len(), "{} cards arrived of {}", nm_ids.len(), cards.len());
        let sizes: usize = cards.iter().map(|card| card.sizes.len()).sum();
        ensure!(products.len() == sizes, "{} products arrived of {sizes}", products.len());
        let barcodes: BTreeSet<_> =
            cards.iter().flat_map(|card| &card.sizes).flat_map(|size| &size.skus).cloned().collect();
        let arrived: BTreeSet<_> = products
            .iter()
            .flat_map(|product| product["barcodes"].as_array().into_iter().flatten())
            .filter_map(|barcode| barcode.as_str().map(str::to_owned))
            .collect();
        ensure!(arrived == barcodes, "{} barcodes arrived of {}", arrived.len(), barcodes.len());
        Ok(products)
    };
    let products = steps.step("Every card is there with its sizes and barcodes", comparing).await?;
    steps.note(&format!("{} products", products.len()));
    Ok(products)
}

async fn build(client: &Client, account: &str) -> anyhow::Result<String> {
    sync(client, account, "warehouses").await?;
    let warehouse =
        client.post("/warehouses", json!({ "name": "Основной склад", "address": "Москва, Складская, 1" })).await?;
    let warehouse = text(&warehouse, "id")?;
    let cells: Vec<_> = (0..CELLS).map(|cell| json!({ "code": code(cell), "pickSequence": cell + 1 })).collect();
    client.post(&format!("/warehouses/{warehouse}/cells"), json!({ "cells": cells })).await?;
    let there = client.get("/wildberries/warehouses").await?;
    let there = there["items"].as_array().context("Wildberries' warehouses are a list")?;
    ensure!(there.len() == 2, "two Wildberries warehouses are expected, {} are there", there.len());
    for wildberries in there {
        let path = format!("/wildberries/accounts/{account}/warehouses/{}", wildberries["wbWarehouseId"]);
        client.put(&path, json!({ "warehouseId": warehouse })).await?;
    }
    Ok(warehouse)
}

/// Cell codes of one rack after the other: A-01 … A-20, B-01 …
fn code(cell: usize) -> String {
    let rack = char::from(b'A' + u8::try_from(cell / 20).unwrap_or(25));
    format!("{rack}-{:02}", cell % 20 + 1)
}

/// Puts two units of every product but the first into cells; answers with the size of the first.
async fn receive(client: &Client, warehouse: &str, products: &[Value]) -> anyhow::Result<i64> {
    let (first, rest) = products.split_first().context("there are products")?;
    let lines: Vec<_> = rest
        .iter()
        .enumerate()
        .map(|(index, product)| json!({ "barcode": product["barcodes"][0], "cell": code(index * 7 % CELLS), "quantity": STOCKED }))
        .collect();
    for (index, page) in lines.chunks(LINES).enumerate() {
        let receipt = json!({ "warehouseId": warehouse, "number": format!("ПР-{}", index + 1), "lines": page });
        client.post("/inventory/receipts", receipt).await?;
    }
    let again = json!({ "warehouseId": warehouse, "number": "ПР-1", "lines": [lines[0].clone()] });
    client.refused("/inventory/receipts", again, "goods_receipt_number_taken").await?;
    first["chrtId"].as_i64().context("a product of a card has a chrtId")
}
