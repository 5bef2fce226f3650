//! A seller's shop in the words of the trade, built through the API.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::Client;
use stack::client::text;
use wildberries::{OrderSpec, Seller, TokenSpec};

use crate::TestApp;

/// An enterprise whose seller account is connected, with its catalogue, a linked warehouse of four cells and a printer.
#[derive(Clone)]
pub struct Shop<'a> {
    /// The world it is in.
    pub app: &'a TestApp,
    /// Signed in as the administrator.
    pub client: Client,
    /// The administrator's address.
    pub email: String,
    /// The token that was stored first.
    pub token: String,
    /// The seller at Wildberries.
    pub seller: Seller,
    /// The seller account.
    pub account: String,
    /// The own warehouse.
    pub warehouse: String,
    /// The printer.
    pub printer: String,
    /// Every product.
    pub products: Vec<Value>,
}

impl<'a> Shop<'a> {
    pub(crate) async fn open(app: &'a TestApp, token: &TokenSpec) -> Result<Self> {
        let email = app.founded("Ромашка").await?;
        let client = app.sign_in(&email).await?;
        let seller = app.simulator.shop(wildberries::Shop {
            cards: 12,
            warehouses: 1,
            marked: 0,
            ..wildberries::Shop::default()
        });
        let token = seller.token_with(token);
        let account =
            text(&client.post("/wildberries/accounts", json!({ "name": "Кабинет", "token": token })).await?, "id")?;
        for kind in ["catalogue", "warehouses"] {
            client.post("/sync-runs", json!({ "accountId": account, "kind": kind })).await?;
        }
        app.run_jobs().await?;
        let warehouse = text(&client.post("/warehouses", json!({ "name": "Склад" })).await?, "id")?;
        let cells: Vec<_> =
            (1..=4).map(|cell| json!({ "code": format!("A-{cell:02}"), "pickSequence": cell })).collect();
        client.post(&format!("/warehouses/{warehouse}/cells"), json!({ "cells": cells })).await?;
        for wildberries in client.get("/wildberries/warehouses").await?["items"].as_array().context("a list")? {
            let path = format!("/wildberries/accounts/{account}/warehouses/{}", wildberries["wbWarehouseId"]);
            client.put(&path, json!({ "warehouseId": warehouse })).await?;
        }
        let address = app.printer.addr();
        let printer = json!({ "name": "Стол", "host": address.ip().to_string(), "port": address.port(), "dpi": 203,
                              "labelWidthMm": 58, "labelHeightMm": 40 });
        let printer = text(&client.post("/printers", printer).await?, "id")?;
        let products = client.all("/products").await?;
        ensure!(products.len() >= 12, "the catalogue arrived");
        Ok(Self { app, client, email, token, seller, account, warehouse, printer, products })
    }

    /// The same shop, whose orders are fulfilled from a second warehouse of four cells from now on.
    pub async fn second_warehouse(&self) -> Result<Shop<'a>> {
        let client = self.client.clone();
        let warehouse = text(&client.post("/warehouses", json!({ "name": "Второй склад" })).await?, "id")?;
        let cells: Vec<_> =
            (1..=4).map(|cell| json!({ "code": format!("A-{cell:02}"), "pickSequence": cell })).collect();
        client.post(&format!("/warehouses/{warehouse}/cells"), json!({ "cells": cells })).await?;
        for wildberries in client.get("/wildberries/warehouses").await?["items"].as_array().context("a list")? {
            let path = format!("/wildberries/accounts/{}/warehouses/{}", self.account, wildberries["wbWarehouseId"]);
            client.put(&path, json!({ "warehouseId": warehouse })).await?;
        }
        Ok(Shop {
            app: self.app,
            client,
            email: self.email.clone(),
            token: self.token.clone(),
            seller: self.seller.clone(),
            account: self.account.clone(),
            warehouse,
            printer: self.printer.clone(),
            products: self.products.clone(),
        })
    }

    /// The size of the n-th product at Wildberries.
    pub fn size(&self, product: usize) -> i64 {
        self.products[product]["chrtId"].as_i64().expect("a product of a card")
    }

    /// Puts units of the n-th product into a cell.
    pub async fn receive(&self, product: usize, cell: usize, quantity: i64) -> Result<()> {
        let line = json!({ "barcode": self.products[product]["barcodes"][0], "cell": format!("A-{cell:02}"), "quantity": quantity });
        let number = format!("ПР-{}", shared::ids::JobId::new());
        self.client
            .post("/inventory/receipts", json!({ "warehouseId": self.warehouse, "number": number, "lines": [line] }))
            .await
            .map(|_| ())
    }

    /// A buyer orders the n-th product.
    pub fn order(&self, product: usize) -> Result<i64> {
        self.seller.place_order(OrderSpec { chrt_id: Some(self.size(product)), ..OrderSpec::default() })
    }

    /// Runs a sync to its end.
    pub async fn sync(&self, kind: &str) -> Result<Value> {
        let run = self.client.post("/sync-runs", json!({ "accountId": self.account, "kind": kind })).await?;
        self.app.run_jobs().await?;
        self.client.get(&format!("/sync-runs/{}", text(&run, "id")?)).await
    }

    /// Our order of this number.
    pub async fn our(&self, number: i64) -> Result<Value> {
        let page = self.client.get(&format!("/orders?wbOrderId={number}")).await?;
        page["items"]
            .as_array()
            .and_then(|items| items.first())
            .cloned()
            .with_context(|| format!("order {number} is not here"))
    }

    /// Stock for so many orders over four cells, the orders, and their import; answers with their numbers.
    pub async fn reserved(&self, count: usize) -> Result<Vec<i64>> {
        let mut numbers = Vec::new();
        for index in 0..count {
            let product = index % 8;
            self.receive(product, 4 - index % 4, 1).await?;
            numbers.push(self.order(product)?);
        }
        self.sync("new_orders").await?;
        Ok(numbers)
    }

    /// A started picking request for these orders; answers with its id and its lines.
    pub async fn picking(&self, numbers: &[i64]) -> Result<(String, Vec<Value>)> {
        let mut ids = Vec::new();
        for number in numbers {
            ids.push(self.our(*number).await?["id"].clone());
        }
        let body = json!({ "type": "order_picking", "warehouseId": self.warehouse, "orderIds": ids });
        let request = text(&self.client.post("/requests", body).await?, "id")?;
        self.client.post(&format!("/requests/{request}/status"), json!({ "status": "in_progress" })).await?;
        let lines = self.client.get(&format!("/requests/{request}/lines")).await?;
        Ok((request, lines["items"].as_array().context("a list")?.clone()))
    }

    /// So many orders, picked; answers with the request and its lines.
    pub async fn picked(&self, count: usize) -> Result<(String, Vec<Value>)> {
        let numbers = self.reserved(count).await?;
        let (request, lines) = self.picking(&numbers).await?;
        for line in &lines {
            self.scan(&request, "cell", &text(line, "cell")?).await?;
            self.scan(&request, "item", line["barcodes"][0].as_str().context("a barcode")?).await?;
        }
        Ok((request, lines))
    }

    /// One scan.
    pub async fn scan(&self, request: &str, kind: &str, code: &str) -> Result<Value> {
        self.client.post(&format!("/requests/{request}/scans"), json!({ "kind": kind, "code": code })).await
    }

    /// The supply of a request, brought to Wildberries.
    pub async fn supply(&self, request: &str) -> Result<String> {
        let promised = self.client.post("/supplies", json!({ "requestId": request })).await?;
        self.app.run_jobs().await?;
        text(&promised["supply"], "id")
    }

    /// Sets shipping parameters and hands the supply to delivery.
    pub async fn deliver(&self, supply: &str) -> Result<()> {
        let date = (chrono::Utc::now() + chrono::Duration::days(1)).format("%Y-%m-%d").to_string();
        let points = self.client.get(&format!("/supplies/{supply}/shipping-points?date={date}&city=Москва")).await?;
        let point = points["items"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|point| point["available"] == true)
            .context("a point")?
            .clone();
        let shipping = json!({ "date": date, "pointId": point["id"], "type": "selfShipping" });
        self.client.put(&format!("/supplies/{supply}/shipping"), shipping).await?;
        self.app.run_jobs().await?;
        self.client.post(&format!("/supplies/{supply}/deliver"), json!({})).await?;
        self.app.run_jobs().await.map(|_| ())
    }

    /// A print job of the request's stickers, run once.
    pub async fn print(&self, request: &str) -> Result<String> {
        let job = self.client.post("/print-jobs", json!({ "printerId": self.printer, "requestId": request })).await?;
        self.app.run_jobs().await?;
        text(&job, "id")
    }

    /// The kinds of an order's ledger entries.
    pub async fn ledger(&self, number: i64) -> Result<Vec<String>> {
        let id = text(&self.our(number).await?, "id")?;
        let entries = self.client.all(&format!("/inventory/entries?orderId={id}")).await?;
        entries.iter().map(|entry| text(entry, "kind")).collect()
    }
}
