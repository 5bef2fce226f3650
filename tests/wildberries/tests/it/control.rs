//! The control calls, over HTTP.

use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn a_whole_life_is_driven_by_control_calls() {
    let stage = Stage::new().await;
    let opened = stage.client.post("/_control/sellers", json!({ "cards": 10, "warehouses": 1 })).await.body;
    let seller = opened["number"].as_i64().unwrap();
    let client = stage.client.with_token(opened["token"].as_str().unwrap());
    let base = format!("/_control/sellers/{seller}");
    let order = client.post(&format!("{base}/orders"), json!({ "count": 2 })).await.body["orders"][0].as_i64().unwrap();
    let supply = client.post("/api/v3/supplies", json!({ "name": "a" })).await.body["id"].as_str().unwrap().to_owned();
    assert_eq!(client.patch(&crate::stage::add(&supply), json!({ "orders": [order] })).await.status, 204);
    let scanned = client.post(&format!("{base}/supplies/{supply}/scan"), json!({})).await;
    assert_eq!(scanned.body, json!({ "orders": [order] }));
    assert_eq!(client.post(&format!("{base}/orders/{order}/acts"), json!({ "act": "receive" })).await.status, 200);
    let dump = client.get(&base).await.body;
    assert_eq!((&dump["orders"][1]["wbStatus"], &dump["orders"][1]["supplyId"]), (&json!("sold"), &json!(supply)));
    let refused = client.post(&format!("{base}/orders/{order}/acts"), json!({ "act": "cancel" })).await;
    assert_eq!(refused.status, 409);
    let statistics = client.get("/_control/statistics").await.body;
    assert_eq!(statistics["calls"]["POST /api/v3/supplies"]["201"], 1);
    let exchanges = client.get("/_control/exchanges?last=1").await.body;
    assert_eq!(exchanges[0]["template"], "/api/marketplace/v3/supplies/{supplyId}/orders");
}

#[tokio::test]
async fn the_list_of_control_calls_answers_and_unknown_ones_do_not() {
    let stage = Stage::new().await;
    assert!(stage.client.get("/_control").await.body.as_array().unwrap().len() > 15);
    assert_eq!(stage.client.get("/_control/nothing").await.status, 404);
}

#[tokio::test]
async fn the_clock_and_faults_are_turned_from_outside() {
    let stage = Stage::new().await;
    let before = stage.simulator.clock().now();
    stage.client.put("/_control/clock", json!({ "advanceSeconds": 3600 })).await;
    assert_eq!((stage.simulator.clock().now() - before).num_seconds(), 3600);
    stage.client.post("/_control/faults", json!({ "path": "/ping", "kind": "status", "status": 502 })).await;
    assert_eq!(stage.client.get("/ping").await.status, 502);
}
