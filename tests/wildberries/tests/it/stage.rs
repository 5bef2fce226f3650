//! The stage of every test: a simulator, a shop, and a client with its token.

use serde_json::{Value, json};
use wildberries::{ALL_CATEGORIES, Limits, Options, OrderSpec, Seller, Shop, Simulator, TokenKind};

/// A simulator with one shop and a client that holds its token.
pub struct Stage {
    pub simulator: Simulator,
    pub shop: Seller,
    pub client: Client,
}

impl Stage {
    /// Without budgets, the clock standing still.
    pub async fn new() -> Self {
        Self::with(Options { limits: Limits::Off, clock_rate: 0.0, ..Options::default() }).await
    }

    pub async fn with(options: Options) -> Self {
        let simulator = Simulator::start(options).await.unwrap();
        let shop = simulator.shop(Shop { cards: 60, ..Shop::default() });
        let client = Client::new(simulator.url(), shop.token(TokenKind::Personal, ALL_CATEGORIES));
        Self { simulator, shop, client }
    }

    /// An order at the first warehouse, so that orders fit into one supply.
    pub fn order(&self) -> i64 {
        let warehouse_id = Some(self.shop.warehouses()[0].id);
        self.shop.place_order(OrderSpec { warehouse_id, ..OrderSpec::default() }).unwrap()
    }

    pub async fn supply(&self, orders: &[i64]) -> String {
        let answer = self.client.post("/api/v3/supplies", json!({ "name": "Утро" })).await;
        let id = answer.body["id"].as_str().unwrap().to_owned();
        if !orders.is_empty() {
            let added = self.client.patch(&add(&id), json!({ "orders": orders })).await;
            assert_eq!(added.status, 204, "{}", added.body);
        }
        id
    }

    pub async fn choose_shipping(&self, supply: &str) {
        let day = self.simulator.clock().now().date_naive().to_string();
        let row =
            json!({ "supplyId": supply, "shippingDt": day, "shippingPointId": 1000, "shippingType": "selfShipping" });
        let answer =
            self.client.patch("/api/marketplace/v3/fbs/supplies/shipping-method", json!({ "data": [row] })).await;
        assert_eq!(answer.body["results"][0]["success"], true, "{}", answer.body);
    }

    pub async fn deliver(&self, supply: &str) -> Answer {
        self.client.patch(&format!("/api/v3/supplies/{supply}/deliver"), Value::Null).await
    }

    pub async fn status(&self, order: i64) -> (String, String) {
        let answer = self.client.post("/api/v3/orders/status", json!({ "orders": [order] })).await;
        let word = |name: &str| answer.body["orders"][0][name].as_str().unwrap_or_default().to_owned();
        (word("supplierStatus"), word("wbStatus"))
    }
}

pub fn add(supply: &str) -> String {
    format!("/api/marketplace/v3/supplies/{supply}/orders")
}

pub struct Client {
    http: reqwest::Client,
    url: String,
    pub token: String,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    async fn read(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Self { status, headers, text, body })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Client {
    pub fn new(url: String, token: String) -> Self {
        // A form's answer that sends elsewhere is looked at, not followed.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, url, token }
    }

    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { http: self.http.clone(), url: self.url.clone(), token: token.into() }
    }

    pub async fn send(&self, method: &str, path: &str, body: Value) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.header("Authorization", &self.token);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        Answer::read(request.send().await?).await
    }

    /// Sends a form as a browser does.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let request = self.http.post(format!("{}{path}", self.url)).body(body.join("&"));
        Answer::read(request.send().await.unwrap()).await.unwrap()
    }

    /// Sends an empty form from a page of this site; the status of the answer.
    pub async fn as_site(&self, site: &str, path: &str) -> u16 {
        let request = self.http.post(format!("{}{path}", self.url)).header("Origin", site);
        request.send().await.unwrap().status().as_u16()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, Value::Null).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, body).await.unwrap()
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, body).await.unwrap()
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, body).await.unwrap()
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, Value::Null).await.unwrap()
    }
}
