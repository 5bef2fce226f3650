//! Passes: one in ten minutes, good for two days.

use chrono::Duration;
use serde_json::{Value, json};
use wildberries::Options;

use crate::stage::Stage;

fn driver(name: &str) -> Value {
    json!({ "firstName": name, "lastName": "Кузнецов", "carModel": "ГАЗель", "carNumber": "А123БВ77", "officeId": 117 })
}

#[tokio::test]
async fn a_pass_is_ordered_changed_and_gone_after_two_days() {
    let stage = Stage::new().await;
    let id = stage.client.post("/api/v3/passes", driver("Иван")).await.body["id"].clone();
    assert_eq!(stage.client.put(&format!("/api/v3/passes/{id}"), driver("Пётр")).await.status, 204);
    let shown = stage.client.get("/api/v3/passes").await.body[0].clone();
    assert_eq!((&shown["id"], &shown["firstName"]), (&id, &json!("Пётр")));
    let end = (stage.simulator.clock().now() + Duration::hours(48)).format("%Y-%m-%d %H:%M:%S+00:00").to_string();
    assert_eq!((&shown["dateEnd"], &shown["officeName"]), (&json!(end), &json!("Москва Восток")));
    stage.simulator.clock().advance(Duration::hours(48));
    assert_eq!(stage.client.get("/api/v3/passes").await.body, json!([]));
    assert_eq!(stage.client.delete(&format!("/api/v3/passes/{id}")).await.status, 404);
}

#[tokio::test]
async fn names_numbers_and_offices_have_their_bounds() {
    let stage = Stage::new().await;
    let with = async |name: &str, value: Value| {
        let mut pass = driver("Иван");
        pass[name] = value;
        stage.client.post("/api/v3/passes", pass).await.status
    };
    assert_eq!(with("firstName", json!("")).await, 400);
    assert_eq!((with("lastName", json!("К")).await, with("lastName", json!("Ли")).await), (400, 201));
    assert_eq!(with("lastName", json!("К".repeat(97))).await, 400);
    assert_eq!((with("carNumber", json!("А12")).await, with("carNumber", json!("А-123-БВ")).await), (400, 400));
    assert_eq!((with("officeId", json!(1)).await, with("officeId", json!(null)).await), (404, 400));
}

#[tokio::test]
async fn a_second_pass_within_ten_minutes_is_refused_by_the_budget() {
    let stage = Stage::with(Options { clock_rate: 0.0, ..Options::default() }).await;
    assert_eq!(stage.client.post("/api/v3/passes", driver("Иван")).await.status, 201);
    let refused = stage.client.post("/api/v3/passes", driver("Иван")).await;
    assert_eq!((refused.status, refused.header("X-Ratelimit-Retry")), (429, Some("600")));
    assert_eq!(stage.client.get("/api/v3/passes").await.status, 200, "reading has another budget");
    stage.simulator.clock().advance(Duration::minutes(10));
    assert_eq!(stage.client.post("/api/v3/passes", driver("Иван")).await.status, 201);
}
