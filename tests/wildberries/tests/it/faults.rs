//! Faults put in the way on purpose.

use serde_json::{Value, json};
use wildberries::{Fault, FaultKind};

use crate::stage::Stage;

#[tokio::test]
async fn a_fault_meets_as_many_calls_as_it_was_told_and_then_is_gone() {
    let stage = Stage::new().await;
    stage.simulator.fault(Fault::once("/orders/new", FaultKind::Status { status: 503 }).times(2));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(stage.client.get("/api/v3/orders/new").await.status);
    }
    assert_eq!(statuses, [503, 503, 200]);
    stage.simulator.fault(Fault::once("/orders/new", FaultKind::TooMany { retry: 600 }));
    let refused = stage.client.get("/api/v3/orders/new").await;
    assert_eq!((refused.status, refused.header("X-Ratelimit-Retry")), (429, Some("600")));
}

#[tokio::test]
async fn a_lost_answer_hides_that_the_work_was_done() {
    let stage = Stage::new().await;
    stage.simulator.fault(Fault::once("/supplies", FaultKind::DropAfterCommit));
    assert!(stage.client.send("POST", "/api/v3/supplies", json!({ "name": "Призрак" })).await.is_err());
    stage.simulator.fault(Fault::once("/supplies", FaultKind::TimeoutAfterCommit));
    assert_eq!(stage.client.post("/api/v3/supplies", json!({ "name": "Тень" })).await.status, 504);
    let names: Vec<String> = stage.shop.supplies().into_iter().map(|supply| supply.name).collect();
    assert_eq!(names, ["Призрак", "Тень"]);
    stage.simulator.fault(Fault::once("/supplies", FaultKind::Drop));
    assert!(stage.client.send("POST", "/api/v3/supplies", json!({ "name": "Никто" })).await.is_err());
    assert_eq!(stage.shop.supplies().len(), 2);
}

#[tokio::test]
async fn answers_are_spoilt_in_every_way_that_was_seen() {
    let stage = Stage::new().await;
    let orders: Vec<i64> = (0..4).map(|_| stage.order()).collect();
    stage.supply(&orders).await;
    let stickers = async |kind: FaultKind| {
        stage.simulator.fault(Fault::once("/orders/stickers", kind));
        let path = "/api/v3/orders/stickers?type=svg&width=40&height=30";
        let answer = stage.client.post(path, json!({ "orders": orders })).await;
        let rows = answer.body["stickers"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| row["orderId"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let shuffled = stickers(FaultKind::Shuffled).await;
    assert!(shuffled != orders && shuffled.len() == 4);
    assert_eq!(stickers(FaultKind::Duplicated).await.len(), 5);
    assert_eq!(stickers(FaultKind::Missing { count: 3 }).await, orders[3..]);
    let status = async |kind: FaultKind| {
        stage.simulator.fault(Fault::once("/orders/status", kind));
        stage.client.post("/api/v3/orders/status", json!({ "orders": orders })).await
    };
    assert_eq!(status(FaultKind::UnknownEnum).await.body["orders"][0]["wbStatus"], "status_of_tomorrow");
    assert!(status(FaultKind::ExtraFields).await.body["orders"][0]["fieldOfTomorrow"].is_object());
    let cut = status(FaultKind::Truncate).await;
    assert_eq!((cut.status, cut.body), (200, Value::Null));
    assert!(!cut.text.is_empty());
    assert_eq!(
        status(FaultKind::PlainText { status: 500 }).await.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
}
