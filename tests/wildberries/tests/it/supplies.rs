//! Supplies: what may lie in one, when it closes, and what Wildberries wants before.

use chrono::Duration;
use serde_json::{Value, json};
use wildberries::{BuyerAct, Key, OrderSpec};

use crate::stage::{Stage, add};

#[tokio::test]
async fn the_first_order_fixes_what_the_others_must_be() {
    let stage = Stage::new().await;
    let here = Some(stage.shop.warehouses()[0].id);
    let there = Some(stage.shop.warehouses()[1].id);
    let supply = stage.supply(&[stage.order()]).await;
    let strangers = [
        OrderSpec { warehouse_id: there, ..OrderSpec::default() },
        OrderSpec { warehouse_id: here, b2b: true, ..OrderSpec::default() },
        OrderSpec { warehouse_id: here, cross_border: true, ..OrderSpec::default() },
        OrderSpec { warehouse_id: here, cargo_type: Some(3), ..OrderSpec::default() },
    ];
    for spec in strangers {
        let stranger = stage.shop.place_order(spec).unwrap();
        let refused = stage.client.patch(&add(&supply), json!({ "orders": [stranger] })).await;
        assert_eq!((refused.status, refused.code()), (409, "FailedToAddSupplyOrder"));
    }
    let shown = stage.client.get(&format!("/api/v3/supplies/{supply}")).await.body;
    assert_eq!(
        (&shown["cargoType"], &shown["crossBorderType"], &shown["isB2b"]),
        (&json!(1), &json!(0), &json!(false))
    );
}

#[tokio::test]
async fn adding_is_all_or_nothing_and_names_nobody() {
    let stage = Stage::new().await;
    let (good, bad) = (stage.order(), stage.order());
    stage.shop.buyer(bad, BuyerAct::Decline).unwrap();
    let supply = stage.supply(&[]).await;
    let refused = stage.client.patch(&add(&supply), json!({ "orders": [good, bad] })).await;
    assert_eq!((refused.status, refused.code(), &refused.body["data"]), (409, "FailedToAddSupplyOrder", &Value::Null));
    assert_eq!(stage.status(good).await.0, "new");
    let ids = stage.client.get(&format!("/api/marketplace/v3/supplies/{supply}/order-ids")).await;
    assert_eq!(ids.body, json!({ "orderIds": [] }));
}

#[tokio::test]
async fn an_order_moves_between_open_supplies_and_the_empty_one_can_be_deleted() {
    let stage = Stage::new().await;
    let order = stage.order();
    let (first, second) = (stage.supply(&[order]).await, stage.supply(&[]).await);
    let path = format!("/api/v3/supplies/{first}");
    assert_eq!(stage.client.delete(&path).await.code(), "SupplyHasOrders");
    assert_eq!(stage.client.patch(&add(&second), json!({ "orders": [order] })).await.status, 204);
    assert_eq!(stage.client.get(&path).await.body["isB2b"], Value::Null);
    assert_eq!(stage.client.delete(&path).await.status, 204);
    assert_eq!(stage.client.get(&path).await.status, 404);
}

#[tokio::test]
async fn delivery_wants_an_order_and_shipping_parameters_and_happens_once() {
    let stage = Stage::new().await;
    let order = stage.order();
    let supply = stage.supply(&[]).await;
    assert_eq!(stage.deliver(&supply).await.code(), "SupplyHasZeroOrders");
    stage.client.patch(&add(&supply), json!({ "orders": [order] })).await;
    assert_eq!(stage.deliver(&supply).await.code(), "ShippingParametersRequired");
    let code = format!("/api/v3/supplies/{supply}/barcode?type=svg");
    assert_eq!(stage.client.get(&code).await.code(), "SupplyNotClosed");
    stage.choose_shipping(&supply).await;
    assert_eq!(stage.deliver(&supply).await.status, 204);
    assert_eq!(stage.status(order).await.0, "complete");
    assert_eq!(stage.client.get(&code).await.body["barcode"], supply);
    assert_eq!(stage.deliver(&supply).await.status, 409);
    assert_eq!(stage.client.patch(&add(&supply), json!({ "orders": [order] })).await.status, 409);
}

#[tokio::test]
async fn delivery_waits_for_marking_codes_to_be_verified() {
    let stage = Stage::new().await;
    let warehouse_id = Some(stage.shop.warehouses()[0].id);
    let spec = OrderSpec { warehouse_id, required: Some(vec![Key::Sgtin]), ..OrderSpec::default() };
    let order = stage.shop.place_order(spec).unwrap();
    let plain = stage.order();
    let path = format!("/api/v3/orders/{order}/meta/sgtin");
    let code = json!({ "sgtins": ["0104600000000000215abcdefghijkl\u{1d}91ABCD\u{1d}92signature"] });
    assert_eq!(stage.client.put(&path, code.clone()).await.code(), "FailedToUpdateMeta", "only in assembly");
    let supply = stage.supply(&[order, plain]).await;
    stage.choose_shipping(&supply).await;
    let other = stage.client.put(&format!("/api/v3/orders/{plain}/meta/sgtin"), code.clone()).await;
    assert_eq!(other.code(), "MetaKeyNotRequired");
    let refused = stage.deliver(&supply).await;
    assert_eq!((refused.code(), &refused.body["data"]["orders"][0]["id"]), ("MetaValidationFail", &json!(order)));
    assert_eq!(stage.client.put(&path, code).await.status, 204);
    let decision = async || {
        let answer = stage.client.post("/api/marketplace/v3/orders/meta", json!({ "orders": [order] })).await;
        answer.body["orders"][0]["metaDetails"][0]["decision"].as_str().unwrap().to_owned()
    };
    assert_eq!(decision().await, "pending");
    assert_eq!(stage.deliver(&supply).await.code(), "MetaValidationFail");
    stage.simulator.clock().advance(Duration::seconds(3));
    assert_eq!(decision().await, "sgtinIntroduced");
    stage.shop.rule(order, Key::Sgtin, "sgtinRetired").unwrap();
    assert_eq!(stage.deliver(&supply).await.code(), "MetaValidationFail");
    stage.shop.rule(order, Key::Sgtin, "sgtinIntroduced").unwrap();
    assert_eq!(stage.deliver(&supply).await.status, 204);
}

#[tokio::test]
async fn the_first_scan_closes_a_supply_and_lost_items_may_go_again() {
    let stage = Stage::new().await;
    let (seen, lost) = (stage.order(), stage.order());
    let supply = stage.supply(&[seen, lost]).await;
    stage.shop.scan(&supply, Some(&[seen])).unwrap();
    assert_eq!(stage.status(seen).await, ("complete".into(), "sorted".into()));
    assert_eq!(stage.status(lost).await, ("complete".into(), "waiting".into()));
    let next = stage.supply(&[]).await;
    assert_eq!(stage.client.patch(&add(&next), json!({ "orders": [lost] })).await.status, 409);
    assert_eq!(stage.shop.lose(&supply).unwrap(), [lost]);
    let missed = stage.client.get("/api/v3/supplies/orders/reshipment").await;
    assert_eq!(missed.body, json!({ "orders": [{ "supplyID": supply, "orderID": lost }] }));
    assert_eq!(stage.client.patch(&add(&next), json!({ "orders": [lost] })).await.status, 204);
    assert_eq!(stage.status(lost).await, ("confirm".into(), "waiting".into()));
}

#[tokio::test]
async fn shipping_points_are_listed_by_city_and_bad_choices_refused_one_by_one() {
    let stage = Stage::new().await;
    let supply = stage.supply(&[stage.order()]).await;
    let day = stage.simulator.clock().now().date_naive().to_string();
    let path = format!("/api/marketplace/v3/fbs/supplies/{supply}/shipping-points");
    let points = stage
        .client
        .get(&format!("{path}?city=%D0%9A%D0%B0%D0%B7%D0%B0%D0%BD%D1%8C&officeType=sc,pp&shippingDt={day}"))
        .await;
    let points = points.body["shippingPoints"].as_array().unwrap().clone();
    assert_eq!(points.len(), 3);
    assert!(points.iter().all(|point| point["city"] == "Казань"));
    assert_eq!(stage.client.get(&format!("{path}?city=%D0%9A%D0%B0%D0%B7%D0%B0%D0%BD%D1%8C")).await.status, 400);
    let row = |supply: &str, point: i64, day: &str| json!({ "supplyId": supply, "shippingPointId": point, "shippingDt": day, "shippingType": "selfShipping" });
    let rows =
        [row(&supply, 1000, &day), row("WB-GI-1", 1000, &day), row(&supply, 5, &day), row(&supply, 1000, "2020-01-01")];
    let method = "/api/marketplace/v3/fbs/supplies/shipping-method";
    let answer = stage.client.patch(method, json!({ "data": rows })).await;
    assert_eq!(answer.status, 200);
    let codes: Vec<&str> = (1..4).map(|row| answer.body["results"][row]["error"]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["NotFound", "IncorrectRequestBody", "InvalidShippingDt"]);
    stage.shop.scan(&supply, None).unwrap();
    let late = stage.client.patch(method, json!({ "data": [row(&supply, 1000, &day)] })).await;
    assert_eq!(late.body["results"][0]["error"]["code"], "SupplyAlreadyScanned");
}

#[tokio::test]
async fn a_handed_over_order_goes_back_to_assembly_once_with_a_new_sticker() {
    let stage = Stage::new().await;
    let order = stage.order();
    let (from, to) = (stage.supply(&[order]).await, stage.supply(&[]).await);
    stage.choose_shipping(&from).await;
    stage.deliver(&from).await;
    let before = stage.shop.sticker(order).unwrap();
    let path = format!("/api/marketplace/v3/fbs/supplies/{from}/orders/transfer");
    let body = json!({ "orderIds": [order], "newSupplyId": to });
    assert_eq!(stage.client.patch(&path, body.clone()).await.body["transferredOrders"][0]["success"], true);
    assert_eq!(stage.status(order).await.0, "confirm");
    assert_ne!(stage.shop.sticker(order).unwrap(), before);
    assert_eq!(stage.client.patch(&path, body).await.body["transferredOrders"][0]["error"]["code"], "NotFound");
}
