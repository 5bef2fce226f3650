//! Cards, warehouses and stocks.

use serde_json::{Value, json};

use crate::stage::Stage;

const LIST: &str = "/content/v2/get/cards/list";

fn reading(cursor: &Value, ascending: bool) -> Value {
    json!({ "settings": { "cursor": cursor, "sort": { "ascending": ascending }, "filter": { "withPhoto": -1 } } })
}

#[tokio::test]
async fn the_cursor_leads_over_every_card_once_and_then_to_what_changed() {
    let stage = Stage::new().await;
    let mut cursor = json!({ "limit": 25 });
    let mut seen = Vec::new();
    loop {
        let answer = stage.client.post(LIST, reading(&cursor, true)).await;
        seen.extend(answer.body["cards"].as_array().unwrap().iter().map(|card| card["nmID"].as_i64().unwrap()));
        let last = &answer.body["cursor"];
        cursor = json!({ "limit": 25, "updatedAt": last["updatedAt"], "nmID": last["nmID"] });
        if last["total"].as_i64().unwrap() < 25 {
            break;
        }
    }
    let distinct: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (60, 60));
    assert!(stage.shop.change_card(seen[7], Some("Новое имя".into())));
    let changed = stage.client.post(LIST, reading(&cursor, true)).await;
    assert_eq!(changed.body["cursor"]["total"], 1);
    assert_eq!(changed.body["cards"][0]["nmID"], seen[7]);
    let newest = stage.client.post(LIST, reading(&json!({ "limit": 1 }), false)).await;
    assert_eq!(newest.body["cards"][0]["title"], "Новое имя");
}

#[tokio::test]
async fn a_trashed_card_leaves_the_list_for_the_bin() {
    let stage = Stage::new().await;
    let card = stage.shop.cards()[3].nm_id;
    assert!(stage.shop.trash_card(card));
    let list = stage.client.post(LIST, reading(&json!({ "limit": 100 }), true)).await;
    assert_eq!(list.body["cursor"]["total"], 59);
    let bin =
        stage.client.post("/content/v2/get/cards/trash", json!({ "settings": { "cursor": { "limit": 10 } } })).await;
    assert_eq!(bin.body["cards"][0]["nmID"], card);
}

#[tokio::test]
async fn more_than_a_hundred_cards_at_once_are_refused_and_broken_bodies_answered_in_plain_text() {
    let stage = Stage::new().await;
    let refused = stage.client.post(LIST, reading(&json!({ "limit": 101 }), true)).await;
    assert_eq!((refused.status, &refused.body["error"]), (400, &json!(true)));
    let broken = stage.client.post(LIST, json!({ "settings": { "cursor": "no" } })).await;
    assert_eq!((broken.status, broken.body), (400, Value::Null));
}

#[tokio::test]
async fn stocks_are_overwritten_and_misspelt_rows_change_nothing() {
    let stage = Stage::new().await;
    let warehouse = stage.shop.warehouses()[0].id;
    let size = stage.shop.cards()[0].sizes[0].chrt_id;
    let path = format!("/api/v3/stocks/{warehouse}");
    assert_eq!(stage.client.put(&path, json!({ "stocks": [{ "chrtId": size, "amount": 4 }] })).await.status, 204);
    assert_eq!(stage.client.put(&path, json!({ "stocks": [{ "chrtID": size, "amount": 9 }] })).await.status, 204);
    let read = stage.client.post(&path, json!({ "chrtIds": [size, 1] })).await;
    assert_eq!(read.body, json!({ "stocks": [{ "chrtId": size, "amount": 4 }] }));
    let unknown = stage.client.put(&path, json!({ "stocks": [{ "chrtId": 1, "amount": 1 }] })).await;
    assert_eq!(
        (unknown.status, &unknown.body[0]["code"], &unknown.body[0]["data"][0]["chrtId"]),
        (409, &json!("NotFound"), &json!(1))
    );
    let by_sku = stage.client.put(&path, json!({ "stocks": [{ "sku": "46", "amount": 1 }] })).await;
    assert_eq!((by_sku.status, by_sku.code()), (400, "SKUUploadDisabled"));
    stage.shop.set_processing(warehouse, true);
    let busy = stage.client.put(&path, json!({ "stocks": [{ "chrtId": size, "amount": 1 }] })).await;
    assert_eq!((busy.status, &busy.body[0]["code"]), (409, &json!("StoreIsProcessing")));
}

#[tokio::test]
async fn a_sale_takes_from_the_stock_wildberries_believes_in() {
    let stage = Stage::new().await;
    let (warehouse, size) = (stage.shop.warehouses()[0].id, stage.shop.cards()[0].sizes[0].chrt_id);
    stage.shop.set_stock(warehouse, size, 2);
    let spec = wildberries::OrderSpec { in_stock: true, warehouse_id: Some(warehouse), ..Default::default() };
    assert_eq!(stage.shop.place_many(&spec, 5).len(), 2);
    assert_eq!(stage.shop.stock(warehouse, size), 0);
}
