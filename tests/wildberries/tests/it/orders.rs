//! Orders: lists, cancelling, and what buyers do.

use chrono::Duration;
use serde_json::json;
use wildberries::{BuyerAct, OrderSpec};

use crate::stage::Stage;

#[tokio::test]
async fn pages_lead_over_every_order_once() {
    let stage = Stage::new().await;
    let placed = stage.shop.place_orders(25);
    let (mut next, mut seen) = (0, Vec::new());
    loop {
        let page = stage.client.get(&format!("/api/v3/orders?limit=10&next={next}")).await;
        seen.extend(page.body["orders"].as_array().unwrap().iter().map(|order| order["id"].as_i64().unwrap()));
        next = page.body["next"].as_i64().unwrap();
        if next == 0 {
            break;
        }
    }
    assert_eq!(seen, placed);
}

#[tokio::test]
async fn the_period_is_thirty_days_and_both_paging_parameters_are_needed() {
    let stage = Stage::new().await;
    let now = stage.simulator.clock().now();
    stage.shop.place_order(OrderSpec { created_at: Some(now - Duration::days(45)), ..OrderSpec::default() }).unwrap();
    stage.order();
    let count = async |query: &str| {
        let answer = stage.client.get(&format!("/api/v3/orders?{query}")).await;
        (answer.status, answer.body["orders"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(count("limit=10&next=0").await, (200, 1));
    let (from, to) = ((now - Duration::days(50)).timestamp(), (now - Duration::days(40)).timestamp());
    assert_eq!(count(&format!("limit=10&next=0&dateFrom={from}&dateTo={to}")).await, (200, 1));
    assert_eq!(count(&format!("limit=10&next=0&dateFrom={from}&dateTo={}", now.timestamp())).await, (400, 0));
    assert_eq!(count("limit=10").await, (400, 0));
    assert_eq!(count("limit=1001&next=0").await, (400, 0));
}

#[tokio::test]
async fn a_buyers_cancellation_shows_in_the_status_of_wildberries_only() {
    let stage = Stage::new().await;
    let (fresh, packed) = (stage.order(), stage.order());
    stage.supply(&[packed]).await;
    stage.shop.buyer(fresh, BuyerAct::Decline).unwrap();
    stage.shop.buyer(packed, BuyerAct::Cancel).unwrap();
    assert_eq!(stage.status(fresh).await, ("new".into(), "declined_by_client".into()));
    assert_eq!(stage.status(packed).await, ("confirm".into(), "canceled_by_client".into()));
    let list = stage.client.get("/api/v3/orders/new").await;
    assert_eq!(list.body, json!({ "orders": [] }));
}

#[tokio::test]
async fn an_order_cannot_be_declined_after_its_first_hour() {
    let stage = Stage::new().await;
    let order = stage.order();
    stage.simulator.clock().advance(Duration::minutes(61));
    assert!(stage.shop.buyer(order, BuyerAct::Decline).is_err());
}

#[tokio::test]
async fn the_seller_cancels_once_and_not_after_the_scan() {
    let stage = Stage::new().await;
    let (order, other) = (stage.order(), stage.order());
    let supply = stage.supply(&[order, other]).await;
    let cancel = async |id: i64| {
        let answer = stage.client.patch(&format!("/api/v3/orders/{id}/cancel"), serde_json::Value::Null).await;
        (answer.status, answer.code().to_owned())
    };
    assert_eq!(cancel(order).await, (204, String::new()));
    assert_eq!(stage.status(order).await, ("cancel".into(), "canceled".into()));
    assert_eq!(cancel(order).await, (409, "StatusMismatch".into()));
    assert_eq!(cancel(1).await, (404, "NotFound".into()));
    assert_eq!(stage.shop.supply(&supply).unwrap().orders.len(), 1);
    stage.shop.scan(&supply, None).unwrap();
    assert_eq!(cancel(other).await, (409, "StatusChangeNotAllowed".into()));
}

#[tokio::test]
async fn unknown_orders_are_left_out_of_the_statuses() {
    let stage = Stage::new().await;
    let order = stage.order();
    let answer = stage.client.post("/api/v3/orders/status", json!({ "orders": [1, order] })).await;
    let row = json!({ "id": order, "supplierStatus": "new", "wbStatus": "waiting", "isCancellable": true, "isTransferable": false });
    assert_eq!(answer.body["orders"], json!([row]));
    let none = stage.client.post("/api/v3/orders/status", json!({ "orders": [] })).await;
    assert_eq!((none.status, none.code()), (400, "IncorrectRequest"));
}

#[tokio::test]
async fn an_order_goes_from_acceptance_to_its_buyer() {
    let stage = Stage::new().await;
    let order = stage.order();
    assert!(stage.shop.buyer(order, BuyerAct::Sort).is_err(), "it is in no supply");
    stage.supply(&[order]).await;
    for (act, word) in
        [(BuyerAct::Sort, "sorted"), (BuyerAct::Arrive, "ready_for_pickup"), (BuyerAct::Refuse, "canceled_by_client")]
    {
        stage.shop.buyer(order, act).unwrap();
        assert_eq!(stage.status(order).await, ("complete".into(), word.into()));
    }
    assert!(stage.shop.receive(order).is_err());
}

#[tokio::test]
async fn orders_stream_with_the_clock() {
    let stage = Stage::new().await;
    stage.shop.stream(20.0);
    stage.simulator.clock().advance(Duration::minutes(3));
    let list = stage.client.get("/api/v3/orders/new").await;
    assert_eq!(list.body["orders"].as_array().unwrap().len(), 60);
}

#[tokio::test]
async fn orders_that_were_not_placed_in_the_order_of_time_are_all_found() {
    let stage = Stage::new().await;
    let now = stage.simulator.clock().now();
    let placed: Vec<i64> = [3, 20, 1, 10]
        .into_iter()
        .map(|days| {
            let spec = OrderSpec { created_at: Some(now - Duration::days(days)), ..OrderSpec::default() };
            stage.shop.place_order(spec).unwrap()
        })
        .collect();
    let within = async |from: i64, to: i64| {
        let at = |days: i64| (now - Duration::days(days)).timestamp();
        let path = format!("/api/v3/orders?limit=10&next=0&dateFrom={}&dateTo={}", at(from), at(to));
        let list = stage.client.get(&path).await.body;
        list["orders"].as_array().unwrap().iter().map(|order| order["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(within(25, 0).await, placed);
    assert_eq!(within(5, 0).await, [placed[0], placed[2]]);
    assert_eq!(within(20, 20).await, [placed[1]]);
}

#[tokio::test]
async fn a_hundred_thousand_orders_are_placed_and_paged_through() {
    let stage = Stage::new().await;
    assert_eq!(stage.shop.place_orders(100_000).len(), 100_000);
    let first = stage.shop.order_ids()[98_999];
    let page = stage.client.get(&format!("/api/v3/orders?limit=1000&next={first}")).await;
    assert_eq!(page.body["orders"].as_array().unwrap().len(), 1000);
    let exchange = stage.simulator.exchanges().pop().unwrap();
    assert!(exchange.took_ms < 500, "a page took {} ms", exchange.took_ms);
}
