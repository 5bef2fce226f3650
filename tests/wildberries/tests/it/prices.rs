//! Prices and discounts: tasks that are worked off later, and quarantine.

use chrono::Duration;
use serde_json::{Value, json};
use wildberries::Options;

use crate::stage::{Answer, Stage};

async fn upload(stage: &Stage, rows: Value) -> Answer {
    stage.client.post("/api/v2/upload/task", json!({ "data": rows })).await
}

async fn shown(stage: &Stage, nm_id: i64) -> (i64, f64) {
    let answer = stage.client.get(&format!("/api/v2/list/goods/filter?limit=1&filterNmID={nm_id}")).await;
    let size = &answer.body["data"]["listGoods"][0]["sizes"][0];
    (size["price"].as_i64().unwrap(), size["discountedPrice"].as_f64().unwrap())
}

#[tokio::test]
async fn a_task_is_accepted_worked_off_and_then_in_the_history() {
    let stage = Stage::new().await;
    let card = stage.shop.cards()[4].nm_id;
    let before = shown(&stage, card).await;
    let accepted = upload(&stage, json!([{ "nmID": card, "price": 12_345, "discount": 10 }])).await;
    assert_eq!((accepted.status, &accepted.body["data"]["alreadyExists"]), (200, &json!(false)));
    let id = accepted.body["data"]["id"].clone();
    let told = async || stage.client.get(&format!("/api/v2/history/tasks?uploadID={id}")).await.body["data"].clone();
    assert_eq!((told().await, shown(&stage, card).await), (Value::Null, before));
    stage.simulator.clock().advance(Duration::seconds(6));
    let done = told().await;
    assert_eq!((&done["status"], &done["successGoodsNumber"]), (&json!(3), &json!(1)));
    assert_eq!(shown(&stage, card).await, (12_345, 11_110.5));
    let order = stage.shop.place_order(wildberries::OrderSpec {
        chrt_id: Some(stage.shop.cards()[4].sizes[0].chrt_id),
        ..wildberries::OrderSpec::default()
    });
    assert_eq!(stage.shop.order(order.unwrap()).unwrap().price, 1_111_050, "buyers pay it from now on");
}

#[tokio::test]
async fn the_same_task_is_208_while_it_waits_and_400_once_it_is_set() {
    let stage = Stage::new().await;
    let rows = json!([{ "nmID": stage.shop.cards()[4].nm_id, "price": 15_000 }]);
    let first = upload(&stage, rows.clone()).await.body["data"]["id"].clone();
    let again = upload(&stage, rows.clone()).await;
    assert_eq!((again.status, &again.body["data"]), (208, &json!({ "id": first, "alreadyExists": true })));
    stage.simulator.clock().advance(Duration::seconds(6));
    let set = upload(&stage, rows).await;
    assert_eq!((set.status, &set.body["error"]), (400, &json!(true)));
    assert!(set.body["errorText"].as_str().unwrap().contains("already set"));
}

#[tokio::test]
async fn a_price_that_falls_too_far_lies_in_quarantine_until_it_is_confirmed_or_forgotten() {
    let stage = Stage::new().await;
    let cards = stage.shop.cards();
    let (one, two) = (cards[4].nm_id, cards[5].nm_id);
    let before = [shown(&stage, one).await, shown(&stage, two).await];
    let rows = json!([{ "nmID": one, "price": 1, "discount": 0 }, { "nmID": two, "price": 2, "discount": 0 }]);
    let id = upload(&stage, rows).await.body["data"]["id"].clone();
    stage.simulator.clock().advance(Duration::seconds(6));
    let held = async || {
        let answer = stage.client.get("/api/v2/quarantine/goods?limit=10").await;
        let goods = answer.body["data"]["quarantineGoods"].as_array().unwrap().clone();
        goods.iter().map(|row| row["nmID"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((held().await, shown(&stage, one).await), (vec![one, two], before[0]));
    let rows = stage.client.get(&format!("/api/v2/history/goods/task?uploadID={id}&limit=10")).await.body;
    assert_eq!(rows["data"]["historyGoods"][0]["status"], 3);
    assert!(stage.shop.release_price(one) && !stage.shop.release_price(one));
    assert_eq!((held().await, shown(&stage, one).await), (vec![two], (1, 1.0)));
    stage.simulator.clock().advance(Duration::days(3));
    assert_eq!((held().await, shown(&stage, two).await), (vec![], before[1]));
}

#[tokio::test]
async fn a_task_is_partly_done_where_some_articles_are_unknown() {
    let stage = Stage::new().await;
    let rows = json!([{ "nmID": 1, "price": 500 }, { "nmID": stage.shop.cards()[4].nm_id, "price": 20_000 }]);
    let id = upload(&stage, rows).await.body["data"]["id"].clone();
    stage.simulator.clock().advance(Duration::seconds(6));
    let told = stage.client.get(&format!("/api/v2/history/tasks?uploadID={id}")).await.body["data"].clone();
    assert_eq!((&told["status"], &told["overAllGoodsNumber"]), (&json!(5), &json!(2)));
}

#[tokio::test]
async fn what_cannot_be_a_price_is_refused_as_a_whole() {
    let stage = Stage::new().await;
    let card = stage.shop.cards()[4].nm_id;
    let many: Vec<Value> = (0..1001).map(|nm_id| json!({ "nmID": nm_id, "price": 5 })).collect();
    for rows in [
        json!([]),
        json!(many),
        json!([{ "nmID": card }]),
        json!([{ "nmID": card, "price": 10.5 }]),
        json!([{ "nmID": card, "price": 0 }]),
        json!([{ "nmID": card, "discount": 100 }]),
        json!([{ "nmID": card, "price": 5000 }, { "nmID": card, "price": 6000 }]),
        json!([{ "nmID": 1, "price": 5000 }]),
        json!("nothing"),
    ] {
        let answer = upload(&stage, rows.clone()).await;
        assert_eq!(
            (answer.status, &answer.body["data"], &answer.body["error"]),
            (400, &Value::Null, &json!(true)),
            "{rows}"
        );
    }
}

#[tokio::test]
async fn all_methods_of_prices_share_ten_requests_in_six_seconds() {
    let stage = Stage::with(Options { clock_rate: 0.0, ..Options::default() }).await;
    for path in ["list/goods/filter?limit=1", "quarantine/goods?limit=1", "history/tasks?uploadID=1"] {
        assert_eq!(stage.client.get(&format!("/api/v2/{path}")).await.status, 200);
    }
    assert_eq!(upload(&stage, json!([])).await.status, 400, "a mistake costs one here");
    assert_eq!(stage.client.get("/api/v2/list/goods/filter?limit=1").await.status, 200);
    assert_eq!(stage.client.get("/api/v2/quarantine/goods?limit=1").await.status, 429);
    stage.simulator.clock().advance(Duration::milliseconds(600));
    assert_eq!(stage.client.get("/api/v2/quarantine/goods?limit=1").await.status, 200);
}
