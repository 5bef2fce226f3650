//! Every method, with its answers and its main refusals, against the official documents.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use wildberries::contract::Contract;
use wildberries::{ALL_CATEGORIES, Exchange, Key, OrderSpec, RefusedCard, TokenKind};

use crate::stage::{Stage, add};

fn documents() -> Option<Contract> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wildberries/openapi");
    if !folder.exists() {
        println!("skipped: Wildberries' documents are not beside the checkout");
        return None;
    }
    Some(Contract::load(folder).unwrap())
}

/// Plays through everything the simulator can do.
async fn everything() -> Vec<Arc<Exchange>> {
    let stage = Stage::new().await;
    let client = &stage.client;
    let cards = json!({ "settings": { "cursor": { "limit": 5 }, "filter": { "withPhoto": -1 }, "sort": { "ascending": true } } });
    stage.shop.trash_card(stage.shop.cards()[0].nm_id);
    for path in ["/ping", "/api/v1/seller-info", "/api/v3/offices", "/api/v3/warehouses"] {
        client.get(path).await;
        client.with_token("bad").get(path).await;
    }
    client.post("/content/v2/get/cards/list?locale=ru", cards).await;
    client.post("/content/v2/get/cards/list", json!({ "settings": { "cursor": { "limit": 500 } } })).await;
    client.post("/content/v2/get/cards/list", json!([])).await;
    client.post("/content/v2/get/cards/trash", json!({ "settings": { "cursor": { "limit": 5 } } })).await;
    stocks(&stage).await;
    orders(&stage).await;
    supplies(&stage).await;
    boxes(&stage).await;
    passes(&stage).await;
    prices(&stage).await;
    others(&stage).await;
    warehouses(&stage).await;
    stage.simulator.set_limits(wildberries::Limits::Real);
    let client = client.with_token(stage.shop.token(TokenKind::Personal, ALL_CATEGORIES));
    for _ in 0..21 {
        client.get("/api/v3/orders/new").await;
    }
    stage.simulator.exchanges()
}

async fn stocks(stage: &Stage) {
    let path = format!("/api/v3/stocks/{}", stage.shop.warehouses()[0].id);
    let size = stage.shop.cards()[0].sizes[0].chrt_id;
    stage.client.put(&path, json!({ "stocks": [{ "chrtId": size, "amount": 3 }] })).await;
    stage.client.put(&path, json!({ "stocks": [{ "chrtId": 1, "amount": 3 }] })).await;
    stage.client.put(&path, json!({ "stocks": [] })).await;
    stage.client.put("/api/v3/stocks/1", json!({ "stocks": [{ "chrtId": size, "amount": 3 }] })).await;
    stage.client.post(&path, json!({ "chrtIds": [size] })).await;
    stage.client.send("DELETE", &path, json!({ "chrtIds": [size] })).await.unwrap();
}

async fn orders(stage: &Stage) {
    let order = stage.order();
    stage.client.get("/api/v3/orders/new").await;
    stage.client.get("/api/v3/orders?limit=100&next=0").await;
    stage.client.get("/api/v3/orders?limit=0&next=0").await;
    stage.client.post("/api/v3/orders/status", json!({ "orders": [order] })).await;
    stage.client.post("/api/v3/orders/status", json!({ "orders": "x" })).await;
    for id in [order, order, 1] {
        stage.client.patch(&format!("/api/v3/orders/{id}/cancel"), Value::Null).await;
    }
    stage.client.get("/api/v3/supplies/orders/reshipment").await;
}

async fn supplies(stage: &Stage) {
    let client = &stage.client;
    let spec = OrderSpec {
        warehouse_id: Some(stage.shop.warehouses()[0].id),
        required: Some(vec![Key::Sgtin]),
        optional: vec![Key::Uin, Key::Imei, Key::Gtin, Key::Expiration, Key::CustomsDeclaration],
        ..OrderSpec::default()
    };
    let (order, lost) = (stage.shop.place_order(spec).unwrap(), stage.order());
    client.post("/api/v3/supplies", json!({ "name": "" })).await;
    let empty = stage.supply(&[]).await;
    stage.deliver(&empty).await;
    client.get(&format!("/api/v3/supplies/{empty}")).await;
    client.delete(&format!("/api/v3/supplies/{empty}")).await;
    let supply = stage.supply(&[order, lost]).await;
    let path = format!("/api/v3/supplies/{supply}");
    for call in
        [path.as_str(), "/api/v3/supplies?limit=10&next=0", "/api/v3/supplies?limit=10", "/api/v3/supplies/WB-GI-0"]
    {
        client.get(call).await;
    }
    client.delete(&path).await;
    client.patch(&add(&supply), json!({ "orders": [1] })).await;
    client.get(&format!("/api/marketplace/v3/supplies/{supply}/order-ids")).await;
    for kind in ["svg", "png", "zplv", "zplh", "pdf"] {
        client
            .post(&format!("/api/v3/orders/stickers?type={kind}&width=58&height=40"), json!({ "orders": [order] }))
            .await;
    }
    stage.deliver(&supply).await;
    labels(stage, order).await;
    stage.deliver(&supply).await;
    client.get(&format!("{path}/barcode?type=svg")).await;
    stage.choose_shipping(&supply).await;
    assert_eq!(stage.deliver(&supply).await.status, 204);
    client.get(&format!("{path}/barcode?type=png")).await;
    stage.shop.scan(&supply, Some(&[order])).unwrap();
    stage.shop.lose(&supply).unwrap();
    client.get(&path).await;
    client.get("/api/v3/supplies/orders/reshipment").await;
    client.get("/api/v3/orders?limit=100&next=0").await;
}

async fn boxes(stage: &Stage) {
    let client = &stage.client;
    let supply = stage.supply(&[stage.order(), stage.order()]).await;
    let path = format!("/api/v3/supplies/{supply}/trbx");
    for amount in [1, 1, 0] {
        client.post(&path, json!({ "amount": amount })).await;
    }
    let ids = client.get(&path).await.body["trbxes"].as_array().unwrap().clone();
    let ids: Vec<&Value> = ids.iter().map(|one| &one["id"]).collect();
    for kind in ["svg", "png", "zplv"] {
        client.post(&format!("{path}/stickers?type={kind}"), json!({ "trbxIds": ids })).await;
    }
    client.post(&format!("{path}/stickers?type=svg"), json!({ "trbxIds": ["WB-TRBX-1"] })).await;
    client.post(&format!("{path}/stickers?type=svg"), json!({ "trbxIds": [] })).await;
    client.send("DELETE", &path, json!({ "trbxIds": ids })).await.unwrap();
    client.send("DELETE", &path, json!({ "trbxIds": ids })).await.unwrap();
    client.get("/api/v3/supplies/WB-GI-1/trbx").await;
}

async fn passes(stage: &Stage) {
    let client = &stage.client;
    let mut pass = json!({
        "firstName": "Иван", "lastName": "Кузнецов", "carModel": "ГАЗель", "carNumber": "А123БВ77", "officeId": 15,
    });
    client.get("/api/v3/passes/offices").await;
    let id = client.post("/api/v3/passes", pass.clone()).await.body["id"].clone();
    client.put(&format!("/api/v3/passes/{id}"), pass.clone()).await;
    client.put("/api/v3/passes/1", pass.clone()).await;
    client.get("/api/v3/passes").await;
    client.delete(&format!("/api/v3/passes/{id}")).await;
    client.delete(&format!("/api/v3/passes/{id}")).await;
    pass["officeId"] = json!(1);
    client.post("/api/v3/passes", pass.clone()).await;
    pass["carNumber"] = json!("А 123 БВ");
    client.post("/api/v3/passes", pass).await;
}

async fn prices(stage: &Stage) {
    let client = &stage.client;
    let cards = stage.shop.cards();
    let (one, two) = (cards[0].nm_id, cards[1].nm_id);
    client.get("/api/v2/list/goods/filter?limit=10&offset=5").await;
    client.get(&format!("/api/v2/list/goods/filter?limit=10&filterNmID={one}")).await;
    client.get("/api/v2/list/goods/filter?limit=1001").await;
    client.post("/api/v2/list/goods/filter", json!({ "nmList": [one, two] })).await;
    let body = json!({ "data": [{ "nmID": one, "price": 1, "discount": 0 }, { "nmID": two, "price": 99_000 }] });
    let id = client.post("/api/v2/upload/task", body.clone()).await.body["data"]["id"].clone();
    client.post("/api/v2/upload/task", body.clone()).await;
    for round in 0..2 {
        client.get(&format!("/api/v2/history/tasks?uploadID={id}")).await;
        client.get(&format!("/api/v2/history/goods/task?uploadID={id}&limit=10")).await;
        client.get("/api/v2/quarantine/goods?limit=10").await;
        stage.simulator.clock().advance(chrono::Duration::seconds(10 * (1 - round)));
    }
    client.post("/api/v2/upload/task", json!({ "data": [{ "nmID": two, "price": 99_000 }] })).await;
    client.post("/api/v2/upload/task", json!({ "data": [] })).await;
}

async fn others(stage: &Stage) {
    let client = &stage.client;
    let card = RefusedCard {
        vendor_code: "futbol-1".into(),
        errors: vec!["Нет фото".into()],
        subject: (192, "Футболки".into()),
        brand: "Заря".into(),
    };
    client.post("/content/v2/cards/error/list", json!({ "cursor": { "limit": 10 } })).await;
    stage.shop.refuse_cards(vec![card]);
    client.post("/content/v2/cards/error/list", json!({ "order": { "ascending": false } })).await;
    client.post("/content/v2/cards/error/list", json!({ "cursor": { "limit": 0 } })).await;
    for kind in ["box", "pallet", "return"] {
        client.get(&format!("/api/v1/tariffs/{kind}?date=2026-11-25")).await;
        client.get(&format!("/api/v1/tariffs/{kind}?date=tomorrow")).await;
    }
    client.get("/api/v1/tariffs/commission?locale=ru").await;
    client.get("/api/v1/tariffs/commission?locale=fr").await;
    stage.simulator.clock().advance(chrono::Duration::days(200));
    let then = stage.simulator.clock().now() - chrono::Duration::days(200);
    let client = client.with_token(stage.shop.token(TokenKind::Personal, ALL_CATEGORIES));
    let month = format!("year={}&month={}", then.format("%Y"), then.format("%-m"));
    client.get(&format!("/api/marketplace/v3/fbs/orders/archive?{month}&next=0&limit=100")).await;
    client.get(&format!("/api/marketplace/v3/fbs/orders/archive?{month}&next=0&limit=10")).await;
}

async fn warehouses(stage: &Stage) {
    let client = stage.client.with_token(stage.shop.token(TokenKind::Personal, ALL_CATEGORIES));
    let here = stage.shop.warehouses()[0].clone();
    client.post("/api/v3/warehouses", json!({ "name": "Новый", "officeId": here.office_id })).await;
    client.post("/api/v3/warehouses", json!({ "name": "", "officeId": 707 })).await;
    client.post("/api/v3/warehouses", json!({ "name": "Новый", "officeId": 1 })).await;
    let id = client.post("/api/v3/warehouses", json!({ "name": "Новый", "officeId": 707 })).await.body["id"].clone();
    let path = format!("/api/v3/warehouses/{id}");
    for (name, office) in [("Другой", 707), ("Другой", 518), ("Другой", 623), ("", 707)] {
        client.put(&path, json!({ "name": name, "officeId": office })).await;
    }
    client.delete(&path).await;
    client.delete(&path).await;
    client.get("/api/v3/warehouses").await;
}

async fn labels(stage: &Stage, order: i64) {
    let path = format!("/api/v3/orders/{order}/meta");
    let client = &stage.client;
    let sgtin = "0104600000000000215abcdefghijkl\u{1d}91ABCD\u{1d}92signature";
    client.put(&format!("{path}/sgtin"), json!({ "sgtins": [sgtin] })).await;
    client.put(&format!("{path}/sgtin"), json!({ "sgtins": ["short"] })).await;
    client.put(&format!("{path}/uin"), json!({ "uin": "1234567890123456" })).await;
    client.put(&format!("{path}/imei"), json!({ "imei": "123456789012345" })).await;
    client.put(&format!("{path}/gtin"), json!({ "gtin": "4600000000000" })).await;
    client.put(&format!("{path}/expiration"), json!({ "expiration": "12.09.2030" })).await;
    client.put(&format!("{path}/expiration"), json!({ "expiration": "12.09.2020" })).await;
    client.delete(&format!("{path}?key=gtin")).await;
    client.delete(&format!("{path}?key=gtin")).await;
    let declaration = json!({ "customsDeclaration": "10702030/010124/1234567" });
    client.put(&format!("/api/marketplace/v3/orders/{order}/meta/customs-declaration"), declaration).await;
    client.post("/api/marketplace/v3/orders/meta", json!({ "orders": [order] })).await;
    client.post("/api/marketplace/v3/orders/meta", json!({ "orders": "x" })).await;
    stage.simulator.clock().advance(chrono::Duration::seconds(5));
}

#[tokio::test]
async fn everything_the_simulator_says_is_what_the_documents_promise() {
    let Some(contract) = documents() else { return };
    let exchanges = everything().await;
    let violations: Vec<String> = contract.check_all(&exchanges).iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    let called: std::collections::BTreeSet<_> = exchanges.iter().filter_map(|exchange| exchange.template).collect();
    assert!(called.len() >= 45, "only {} methods were called", called.len());
}

#[tokio::test]
async fn a_wrong_request_or_answer_is_found() {
    let Some(contract) = documents() else { return };
    let stage = Stage::new().await;
    let path = format!("/api/v3/stocks/{}", stage.shop.warehouses()[0].id);
    stage.client.put(&path, json!({ "stocks": [{ "chrtID": 5, "amount": 3 }] })).await;
    stage.client.get("/api/v3/orders?limit=10&next=0&colour=red").await;
    let mut exchanges: Vec<Exchange> = stage.simulator.exchanges().iter().map(|kept| (**kept).clone()).collect();
    let mut broken = exchanges[1].clone();
    broken.query = "limit=10&next=0".into();
    broken.response = json!({ "next": "soon", "orders": [{ "cargoType": "mgt" }] }).to_string();
    exchanges.push(broken);
    let found: Vec<Vec<String>> = exchanges
        .iter()
        .map(|exchange| contract.check(exchange).into_iter().map(|found| found.what).collect())
        .collect();
    assert_eq!(found[0], ["request /stocks/0/chrtID: the documents know no such field"]);
    assert_eq!(found[1], ["query parameter colour is unknown"]);
    assert!(
        found[2].iter().any(|what| what.contains("/next")) && found[2].iter().any(|what| what.contains("cargoType"))
    );
}
