//! Tariffs and refused cards.

use serde_json::{Value, json};
use wildberries::RefusedCard;

use crate::stage::Stage;

#[tokio::test]
async fn tariffs_are_text_with_commas_and_need_a_day() {
    let stage = Stage::new().await;
    for kind in ["box", "pallet", "return"] {
        let answer = stage.client.get(&format!("/api/v1/tariffs/{kind}?date=2026-11-25")).await;
        let rows = answer.body["response"]["data"]["warehouseList"].as_array().unwrap().clone();
        let texts: Vec<&str> = rows
            .iter()
            .flat_map(|row| row.as_object().unwrap().values())
            .map(|value| value.as_str().unwrap())
            .collect();
        assert!(texts.iter().any(|text| text.contains(',')), "{kind}: {texts:?}");
        let refused = stage.client.get(&format!("/api/v1/tariffs/{kind}")).await;
        assert_eq!((refused.status, refused.body["detail"].is_string()), (400, true));
        let same = stage.client.get(&format!("/api/v1/tariffs/{kind}?date=2026-11-25")).await;
        assert_eq!(same.body, answer.body);
    }
    let commission = stage.client.get("/api/v1/tariffs/commission").await;
    assert!(commission.body["report"][0]["kgvpMarketplace"].as_f64().unwrap() >= 10.0);
}

#[tokio::test]
async fn refused_cards_are_read_packet_by_packet() {
    let stage = Stage::new().await;
    let card = |code: &str| RefusedCard {
        vendor_code: code.into(),
        errors: vec!["Не указан состав".into()],
        subject: (192, "Футболки".into()),
        brand: "Заря".into(),
    };
    let mut sent = Vec::new();
    for code in ["a-1", "b-2", "c-3"] {
        sent.push(json!(stage.shop.refuse_cards(vec![card(code)])));
        stage.simulator.clock().advance(chrono::Duration::seconds(1));
    }
    let mut cursor = json!({ "limit": 2 });
    let mut seen: Vec<Value> = Vec::new();
    loop {
        let page =
            stage.client.post("/content/v2/cards/error/list", json!({ "cursor": cursor })).await.body["data"].clone();
        seen.extend(page["items"].as_array().unwrap().iter().map(|packet| packet["batchUUID"].clone()));
        if page["cursor"]["next"] == false {
            assert_eq!(page["items"][0]["errors"]["c-3"], json!(["Не указан состав"]));
            break;
        }
        cursor =
            json!({ "limit": 2, "updatedAt": page["cursor"]["updatedAt"], "batchUUID": page["cursor"]["batchUUID"] });
    }
    assert_eq!(seen, sent);
}
