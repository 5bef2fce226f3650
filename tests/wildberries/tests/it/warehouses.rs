//! Opening, changing and giving up warehouses.

use chrono::Duration;
use serde_json::{Value, json};

use crate::stage::Stage;

#[tokio::test]
async fn a_new_warehouse_is_busy_for_a_while_and_refuses_stocks() {
    let stage = Stage::new().await;
    let opened = stage.client.post("/api/v3/warehouses", json!({ "name": "Юг", "officeId": 707 })).await;
    let id = opened.body["id"].as_i64().unwrap();
    let size = stage.shop.cards()[0].sizes[0].chrt_id;
    let write = async || {
        let body = json!({ "stocks": [{ "chrtId": size, "amount": 3 }] });
        stage.client.put(&format!("/api/v3/stocks/{id}"), body).await.status
    };
    assert_eq!((opened.status, write().await), (201, 409));
    stage.simulator.clock().advance(Duration::minutes(2));
    assert_eq!(write().await, 204);
    let list = stage.client.get("/api/v3/warehouses").await.body;
    assert_eq!(
        list[2],
        json!({
            "id": id, "name": "Юг", "officeId": 707, "cargoType": 1, "deliveryType": 1,
            "isDeleting": false, "isProcessing": false,
        })
    );
    let again = stage.client.post("/api/v3/warehouses", json!({ "name": "Юг 2", "officeId": 707 })).await;
    assert_eq!(again.status, 409, "an office is used once");
}

#[tokio::test]
async fn a_warehouse_moves_to_another_office_once_a_day() {
    let stage = Stage::new().await;
    let path = format!("/api/v3/warehouses/{}", stage.shop.warehouses()[0].id);
    let put =
        async |office: i64| stage.client.put(&path, json!({ "name": "Новое имя", "officeId": office })).await.status;
    assert_eq!((put(518).await, put(623).await, put(518).await), (204, 409, 204));
    stage.simulator.clock().advance(Duration::days(1));
    assert_eq!(put(623).await, 204);
    assert_eq!(stage.shop.warehouses()[0].name, "Новое имя");
}

#[tokio::test]
async fn a_warehouse_that_is_given_up_disappears_with_its_stock_and_gets_no_orders() {
    let stage = Stage::new().await;
    let gone = stage.shop.warehouses()[0].id;
    stage.shop.set_stock(gone, stage.shop.cards()[0].sizes[0].chrt_id, 5);
    let path = format!("/api/v3/warehouses/{gone}");
    assert_eq!(stage.client.delete(&path).await.status, 204);
    assert_eq!(stage.client.get("/api/v3/warehouses").await.body[0]["isDeleting"], true);
    let placed = stage.shop.place_orders(50);
    assert!(placed.iter().all(|id| stage.shop.order(*id).unwrap().warehouse_id != gone));
    stage.simulator.clock().advance(Duration::minutes(2));
    assert_eq!(stage.client.get("/api/v3/warehouses").await.body.as_array().map(Vec::len), Some(1));
    assert_eq!(stage.client.delete(&path).await.status, 404);
    let read = stage.client.post(&format!("/api/v3/stocks/{gone}"), json!({ "chrtIds": [] })).await;
    assert_eq!((read.status, read.body["stocks"].clone()), (404, Value::Null));
}

#[tokio::test]
async fn names_and_offices_are_checked() {
    let stage = Stage::new().await;
    let open = async |name: String, office: i64| {
        let answer = stage.client.post("/api/v3/warehouses", json!({ "name": name, "officeId": office })).await;
        (answer.status, answer.code().to_owned())
    };
    assert_eq!(open(String::new(), 707).await, (400, "WarehouseNameInvalid".into()));
    assert_eq!(open("я".repeat(201), 707).await, (400, "WarehouseNameInvalid".into()));
    assert_eq!(open("Юг".into(), 1).await, (404, "NotFound".into()));
}
