//! Lists that do not hold still, and stock updates that do nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use serde_json::{Value, json};
use wildberries::{Fault, FaultKind};

use crate::stage::Stage;

fn ids(page: &Value, list: &str, id: &str) -> Vec<i64> {
    page[list].as_array().unwrap().iter().map(|row| row[id].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn an_endless_list_always_promises_more() {
    let stage = Stage::new().await;
    let placed = stage.shop.place_orders(25);
    let standing = Fault::once("/api/v3/orders", FaultKind::EndlessPages).share(1.0);
    stage.simulator.fault(standing.clone());
    let (mut next, mut asked, mut seen) = (0, BTreeSet::new(), BTreeSet::new());
    for _ in 0..50 {
        assert!(asked.insert(next), "{next} was promised before");
        let page = stage.client.get(&format!("/api/v3/orders?limit=10&next={next}")).await.body;
        assert_eq!(page["orders"].as_array().unwrap().len(), 10);
        seen.extend(ids(&page, "orders", "id"));
        next = page["next"].as_i64().unwrap();
    }
    assert_eq!(seen, placed.into_iter().collect());
}

#[tokio::test]
async fn the_list_of_cards_may_be_endless_too() {
    let stage = Stage::new().await;
    stage.simulator.fault(Fault::once("/cards/list", FaultKind::EndlessPages).share(1.0));
    let (mut cursor, mut asked) = (json!({ "limit": 50 }), BTreeSet::new());
    for _ in 0..10 {
        assert!(asked.insert(cursor.to_string()));
        let body = json!({ "settings": { "cursor": cursor, "sort": { "ascending": true } } });
        let page = stage.client.post("/content/v2/get/cards/list", body).await.body;
        assert_eq!((page["cards"].as_array().unwrap().len(), &page["cursor"]["total"]), (50, &json!(50)));
        cursor = json!({ "limit": 50, "updatedAt": page["cursor"]["updatedAt"], "nmID": page["cursor"]["nmID"] });
    }
}

#[tokio::test]
async fn shifted_pages_lose_nothing_and_say_some_things_twice() {
    let stage = Stage::new().await;
    let placed = stage.shop.place_orders(30);
    stage.simulator.fault(Fault::once("/api/v3/orders", FaultKind::ShiftedPages).times(2));
    let (mut next, mut pages) = (0, Vec::new());
    loop {
        let page = stage.client.get(&format!("/api/v3/orders?limit=10&next={next}")).await.body;
        pages.push(ids(&page, "orders", "id"));
        next = page["next"].as_i64().unwrap();
        if next == 0 {
            break;
        }
    }
    assert!(!pages[0].contains(&placed[9]) && pages[1][0] == placed[9], "{pages:?}");
    let mut times: BTreeMap<i64, usize> = BTreeMap::new();
    for id in pages.iter().flatten() {
        *times.entry(*id).or_default() += 1;
    }
    assert_eq!(times.keys().copied().collect::<Vec<_>>(), placed);
    assert_eq!(times.values().filter(|times| **times == 2).count(), 2);
}

#[tokio::test]
async fn rows_of_a_stock_update_are_ignored_in_silence_and_remembered() {
    let stage = Stage::new().await;
    let warehouse = stage.shop.warehouses()[0].id;
    let sizes: Vec<i64> = stage.shop.cards().iter().flat_map(|card| &card.sizes).map(|size| size.chrt_id).collect();
    let rows: Vec<Value> = sizes.iter().map(|size| json!({ "chrtId": size, "amount": 7 })).collect();
    stage.simulator.fault(Fault::once("/stocks/", FaultKind::IgnoredRows { percent: 30 }).method("PUT"));
    let path = format!("/api/v3/stocks/{warehouse}");
    assert_eq!(stage.client.put(&path, json!({ "stocks": rows })).await.status, 204);
    let ignored: BTreeSet<i64> = stage.simulator.ignored_rows().iter().map(|row| row.chrt_id).collect();
    assert!(ignored.len() > sizes.len() / 6 && ignored.len() < sizes.len() / 2, "{} of {}", ignored.len(), sizes.len());
    for size in &sizes {
        let wanted = if ignored.contains(size) { 0 } else { 7 };
        assert_eq!(stage.shop.stock(warehouse, *size), wanted);
    }
    let told = stage.client.get("/_control/faults/ignored").await.body;
    assert_eq!(ids(&json!({ "rows": told }), "rows", "chrtId").len(), ignored.len());
    assert_eq!(stage.client.put(&path, json!({ "stocks": rows })).await.status, 204);
    assert!(sizes.iter().all(|size| stage.shop.stock(warehouse, *size) == 7), "the fault was for one call");
}

#[tokio::test]
async fn a_read_of_stocks_leaves_out_sizes() {
    let stage = Stage::new().await;
    let warehouse = stage.shop.warehouses()[0].id;
    let sizes: Vec<i64> = stage.shop.cards().iter().map(|card| card.sizes[0].chrt_id).collect();
    for size in &sizes {
        stage.shop.set_stock(warehouse, *size, 3);
    }
    stage.simulator.fault(Fault::once("/stocks/", FaultKind::MissingShare { percent: 50 }).method("POST"));
    let read = async || {
        let answer = stage.client.post(&format!("/api/v3/stocks/{warehouse}"), json!({ "chrtIds": sizes })).await;
        ids(&answer.body, "stocks", "chrtId").len()
    };
    let (thin, whole) = (read().await, read().await);
    assert!((10..50).contains(&thin), "{thin}");
    assert_eq!(whole, sizes.len());
}

#[tokio::test]
async fn a_conflict_lasts_for_a_stretch_of_the_simulators_time() {
    let stage = Stage::new().await;
    let warehouse = stage.shop.warehouses()[0].id;
    let body = json!({ "kind": "conflict", "path": "/stocks/", "method": "PUT", "forMillis": 1500 });
    let number = stage.client.post("/_control/faults", body).await.body["number"].clone();
    let size = stage.shop.cards()[0].sizes[0].chrt_id;
    let write = async || {
        let rows = json!({ "stocks": [{ "chrtId": size, "amount": 2 }] });
        stage.client.put(&format!("/api/v3/stocks/{warehouse}"), rows).await
    };
    for _ in 0..3 {
        let refused = write().await;
        assert_eq!((refused.status, &refused.body[0]["code"]), (409, &json!("StoreIsProcessing")));
        assert_eq!(refused.body[0]["data"][0]["chrtId"], size);
    }
    let waiting = stage.client.get("/_control/faults").await.body;
    assert_eq!((&waiting[0]["number"], &waiting[0]["kind"]), (&number, &json!("conflict")));
    stage.simulator.clock().advance(Duration::milliseconds(1500));
    assert_eq!(write().await.status, 204);
    assert_eq!(stage.client.get("/_control/faults").await.body, json!([]));
    assert_eq!(stage.client.delete(&format!("/_control/faults/{number}")).await.status, 409);
}

#[tokio::test]
async fn every_method_has_a_conflict_of_its_own_shape() {
    let stage = Stage::new().await;
    let supply = stage.supply(&[]).await;
    let conflict = async |method: &str, path: &str, body: Value| {
        stage.simulator.fault(Fault::once("", FaultKind::Conflict { code: None }));
        let answer = stage.client.send(method, path, body).await.unwrap();
        assert_eq!(answer.status, 409, "{method} {path}");
        answer.body
    };
    let added = conflict("PATCH", &crate::stage::add(&supply), json!({ "orders": [1] })).await;
    assert_eq!(added["code"], "FailedToAddSupplyOrder");
    let delivered = conflict("PATCH", &format!("/api/v3/supplies/{supply}/deliver"), Value::Null).await;
    assert_eq!(delivered["code"], "StatusChangeNotAllowed");
    let prices = conflict("POST", "/api/v2/upload/task", json!({ "data": [] })).await;
    assert_eq!((&prices["data"], &prices["error"]), (&Value::Null, &json!(true)));
    let gone = conflict("DELETE", "/api/v3/stocks/1001000", json!({ "chrtIds": [1] })).await;
    assert_eq!(gone["code"], "StoreIsProcessing");
}

#[tokio::test]
async fn a_fault_is_for_one_seller_and_one_method_if_it_says_so() {
    let stage = Stage::new().await;
    let fault = Fault::once("/supplies", FaultKind::Status { status: 500 }).share(1.0).method("POST");
    stage.simulator.fault(fault.seller(stage.shop.sid()));
    let other = stage.simulator.shop(wildberries::Shop::default());
    let stranger = stage.client.with_token(other.token(wildberries::TokenKind::Personal, wildberries::ALL_CATEGORIES));
    let open = json!({ "name": "Утро" });
    assert_eq!(stage.client.post("/api/v3/supplies", open.clone()).await.status, 500);
    assert_eq!(stage.client.get("/api/v3/supplies?limit=10&next=0").await.status, 200);
    assert_eq!(stranger.post("/api/v3/supplies", open.clone()).await.status, 201);
    stage.simulator.clear_faults();
    assert_eq!(stage.client.post("/api/v3/supplies", open).await.status, 201);
}
