//! Budgets of requests as a client meets them.

use chrono::Duration;
use serde_json::json;
use wildberries::{Limits, Options};

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
