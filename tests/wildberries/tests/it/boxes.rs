//! Boxes of a supply that goes to a pick-up point.

use serde_json::{Value, json};
use wildberries::{BoxRule, OrderSpec};

use crate::stage::Stage;

fn path(supply: &str) -> String {
    format!("/api/v3/supplies/{supply}/trbx")
}

fn ids(list: &Value) -> Vec<String> {
    list["trbxes"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_supply_has_half_as_many_boxes_as_orders_or_one_more_by_the_old_rule() {
    let stage = Stage::new().await;
    let orders: Vec<i64> = (0..10).map(|_| stage.order()).collect();
    let path = path(&stage.supply(&orders).await);
    let add = async |amount: i64| stage.client.post(&path, json!({ "amount": amount })).await.status;
    assert_eq!((add(3).await, add(3).await, add(2).await, add(1).await), (201, 400, 201, 400));
    stage.simulator.set_boxes(BoxRule::OneMore);
    assert_eq!((add(7).await, add(6).await), (400, 201));
    assert_eq!(ids(&stage.client.get(&path).await.body).len(), 11);
    assert_eq!((add(0).await, add(1001).await), (400, 400));
}

#[tokio::test]
async fn boxes_are_for_open_supplies_that_go_to_a_pickup_point() {
    let stage = Stage::new().await;
    let warehouse_id = Some(stage.shop.warehouses()[0].id);
    let spec = OrderSpec { warehouse_id, pickup_point: Some(false), ..OrderSpec::default() };
    let elsewhere = stage.supply(&[stage.shop.place_order(spec).unwrap()]).await;
    assert_eq!(stage.client.post(&path(&elsewhere), json!({ "amount": 1 })).await.status, 400);
    let empty = stage.supply(&[]).await;
    assert_eq!(stage.client.post(&path(&empty), json!({ "amount": 1 })).await.status, 400);
    let supply = stage.supply(&[stage.order(), stage.order(), stage.order(), stage.order()]).await;
    assert_eq!(stage.client.post(&path(&supply), json!({ "amount": 2 })).await.status, 201);
    let held = ids(&stage.client.get(&path(&supply)).await.body);
    let gone = async |ids: &[String]| {
        stage.client.send("DELETE", &path(&supply), json!({ "trbxIds": ids })).await.unwrap().status
    };
    assert_eq!((gone(&held[..1]).await, gone(&held[..1]).await), (204, 404));
    stage.choose_shipping(&supply).await;
    assert_eq!(stage.deliver(&supply).await.status, 204);
    assert_eq!((gone(&held[1..]).await, ids(&stage.client.get(&path(&supply)).await.body)), (400, held[1..].to_vec()));
    assert_eq!(stage.client.post(&path(&supply), json!({ "amount": 1 })).await.status, 400);
}

#[tokio::test]
async fn the_label_of_a_box_reads_as_its_code() {
    let stage = Stage::new().await;
    let supply = stage.supply(&[stage.order(), stage.order()]).await;
    let made = stage.client.post(&path(&supply), json!({ "amount": 1 })).await.body;
    let stickers = format!("{}/stickers?type=png", path(&supply));
    let label = stage.client.post(&stickers, json!({ "trbxIds": made["trbxIds"] })).await.body["stickers"][0].clone();
    let code = label["barcode"].as_str().unwrap();
    assert!(code.starts_with("$WBMP:"));
    let (width, height, grey) = crate::stickers::pixels(&crate::stickers::file(&label));
    assert_eq!(((width, height), crate::stickers::scan(grey, width, height)), ((580, 400), code.to_owned()));
    assert_eq!(stage.client.post(&stickers, json!({ "trbxIds": ["WB-TRBX-5"] })).await.status, 404);
}
