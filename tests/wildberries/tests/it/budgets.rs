//! Budgets of requests as a client meets them.

use chrono::Duration;
use serde_json::json;
use wildberries::{ALL_CATEGORIES, Limits, Options, TokenKind};

use crate::stage::Stage;

async fn strict() -> Stage {
    Stage::with(Options { clock_rate: 0.0, ..Options::default() }).await
}

#[tokio::test]
async fn an_empty_budget_says_when_to_return_and_keeps_its_word() {
    let stage = strict().await;
    for left in (0..20).rev() {
        let answer = stage.client.get("/api/v3/orders/new").await;
        assert_eq!((answer.status, answer.header("X-Ratelimit-Remaining")), (200, Some(left.to_string().as_str())));
    }
    let refused = stage.client.get("/api/v3/orders/new").await;
    assert_eq!(
        (refused.status, refused.header("X-Ratelimit-Retry"), refused.header("X-Ratelimit-Limit")),
        (429, Some("1"), Some("20"))
    );
    assert_eq!(refused.header("X-Ratelimit-Remaining"), None);
    stage.simulator.clock().advance(Duration::seconds(1));
    assert_eq!(stage.client.get("/api/v3/orders/new").await.header("X-Ratelimit-Remaining"), Some("4"));
    assert_eq!(stage.simulator.statistics().too_many, 1);
}

#[tokio::test]
async fn two_mistakes_empty_the_budget_of_all_orders() {
    let stage = strict().await;
    for _ in 0..2 {
        assert_eq!(stage.client.get("/api/v3/supplies/WB-GI-1").await.status, 404);
    }
    assert_eq!(stage.client.get("/api/v3/orders/new").await.status, 429);
    assert_eq!(stage.client.get("/api/v3/warehouses").await.status, 200, "another group");
}

#[tokio::test]
async fn every_group_has_a_burst_of_its_own() {
    let stage = strict().await;
    let day = "date=2026-11-25";
    let bursts = [
        ("GET", format!("/api/v1/tariffs/box?{day}"), 5),
        ("GET", format!("/api/v1/tariffs/pallet?{day}"), 5),
        ("GET", format!("/api/v1/tariffs/return?{day}"), 5),
        ("GET", "/api/v1/tariffs/commission".into(), 2),
        ("POST", "/content/v2/cards/error/list".into(), 5),
        ("GET", "/api/v2/list/goods/filter?limit=1".into(), 5),
        ("GET", "/api/v3/warehouses".into(), 20),
        ("GET", "/api/v3/passes".into(), 20),
    ];
    for (method, path, burst) in bursts {
        let body = if method == "POST" { json!({}) } else { serde_json::Value::Null };
        let mut passed = 0;
        while stage.client.send(method, &path, body.clone()).await.unwrap().status == 200 {
            passed += 1;
        }
        assert_eq!(passed, burst, "{path}");
    }
    let supplies = stage.client.get("/api/v3/supplies?limit=1&next=0").await;
    assert_eq!(supplies.status, 429, "passes are read from the budget of orders");
}

#[tokio::test]
async fn a_base_token_reads_prices_once_in_a_quarter_of_an_hour() {
    let stage = strict().await;
    let base = stage.client.with_token(stage.shop.token(TokenKind::Base, ALL_CATEGORIES));
    let read = async || base.get("/api/v2/list/goods/filter?limit=1").await.status;
    assert_eq!((read().await, read().await), (200, 429));
    stage.simulator.clock().advance(Duration::minutes(15));
    assert_eq!(read().await, 200);
}

#[tokio::test]
async fn budgets_can_be_switched_off_and_scaled() {
    let stage = strict().await;
    stage.simulator.set_limits(Limits::Off);
    for _ in 0..60 {
        let answer = stage.client.get("/api/v3/orders/new").await;
        assert_eq!((answer.status, answer.header("X-Ratelimit-Remaining")), (200, None));
    }
    stage.client.put("/_control/limits", json!({ "limits": 3 })).await;
    assert_eq!(stage.client.get("/api/v3/orders/new").await.header("X-Ratelimit-Remaining"), Some("59"));
}
