//! The archive of orders.

use chrono::Duration;
use serde_json::{Value, json};
use wildberries::{ALL_CATEGORIES, OrderSpec, TokenKind};

use crate::stage::Stage;

#[tokio::test]
async fn old_orders_are_in_the_archive_and_young_ones_in_the_list() {
    let stage = Stage::new().await;
    let now = stage.simulator.clock().now();
    let old = now - Duration::days(120);
    let spec = OrderSpec { created_at: Some(old), ..OrderSpec::default() };
    let placed = stage.shop.place_many(&spec, 150);
    stage.order();
    let month = format!("year={}&month={}", old.format("%Y"), old.format("%-m"));
    let page = async |next: &Value| {
        let path = format!("/api/marketplace/v3/fbs/orders/archive?{month}&limit=100&next={next}");
        stage.client.get(&path).await.body
    };
    let first = page(&json!(0)).await;
    let second = page(&first["next"]).await;
    let ids = |page: &Value| -> Vec<i64> {
        page["orders"].as_array().unwrap().iter().map(|order| order["id"].as_i64().unwrap()).collect()
    };
    assert_eq!((ids(&first), ids(&second)), (placed[..100].to_vec(), placed[100..].to_vec()));
    assert_eq!(second["next"], Value::Null);
    let order = &first["orders"][0];
    assert_eq!((&order["cargoType"], &order["crossBorderType"]), (&json!("mgt"), &json!("local")));
    assert_eq!(order["createdAt"], old.format("%Y-%m-%d").to_string());
    assert_eq!(order["status"], json!({ "supplierStatus": "new", "wbStatus": "waiting" }));
}

#[tokio::test]
async fn an_order_moves_from_the_list_to_the_archive_as_time_goes_by() {
    let stage = Stage::new().await;
    let placed = stage.simulator.clock().now();
    stage.order();
    let path = format!(
        "/api/marketplace/v3/fbs/orders/archive?year={}&month={}&limit=100&next=0",
        placed.format("%Y"),
        placed.format("%-m")
    );
    assert_eq!(stage.client.get(&path).await.body["orders"], json!([]));
    stage.simulator.clock().advance(Duration::days(93));
    assert_eq!(stage.client.get(&path).await.body["orders"].as_array().unwrap().len(), 1);
    stage.simulator.clock().advance(Duration::days(100));
    assert_eq!(stage.client.get(&path).await.status, 401, "the token has ended");
    let client = stage.client.with_token(stage.shop.token(TokenKind::Personal, ALL_CATEGORIES));
    assert_eq!(client.get(&path).await.body["orders"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn all_four_parameters_are_needed_and_a_page_has_a_hundred_at_least() {
    let stage = Stage::new().await;
    for query in [
        "year=2026&month=5&next=0",
        "year=2026&month=5&limit=100",
        "month=5&next=0&limit=100",
        "year=2026&month=13&next=0&limit=100",
        "year=2026&month=5&next=0&limit=99",
        "year=2026&month=5&next=0&limit=1001",
    ] {
        let answer = stage.client.get(&format!("/api/marketplace/v3/fbs/orders/archive?{query}")).await;
        assert_eq!((answer.status, answer.code()), (400, "IncorrectParameter"), "{query}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
}
