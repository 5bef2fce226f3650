use serde::Deserialize;
use serde_json::{Value, json};

use super::super::methods::{self, Called};
use super::super::model::Order;
use super::*;

fn method(name: &str) -> &'static Called {
    methods::CALLED.iter().find(|called| called.name == name).expect("a method that we call")
}

fn noticed(name: &str, answer: &Value) -> Vec<Drift> {
    let noticed = Noticed::default();
    noticed.look(method(name), answer);
    noticed.take()
}

fn told(name: &str, answer: &Value) -> Vec<(String, DriftKind, String)> {
    noticed(name, answer).into_iter().map(|drift| (drift.path, drift.kind, drift.word)).collect()
}

/// As their document has it.
fn order() -> Value {
    json!({
        "id": 13_833_711, "rid": "d1.a.0.0", "orderUid": "165918930_629fbc924b984618a44354475ca58675",
        "createdAt": "2026-09-01T10:00:00Z", "warehouseId": 658_434, "officeId": 123, "offices": ["Москва"], "nmId": 123_456_789,
        "chrtId": 987_654_321, "article": "one-ring-7548", "colorCode": "RAL 3017", "skus": ["6665956397512"], "price": 1014,
        "convertedPrice": 28_322, "finalPrice": 1014, "convertedFinalPrice": 28_322, "salePrice": null, "currencyCode": 933,
        "convertedCurrencyCode": 643, "scanPrice": null, "cargoType": 1, "crossBorderType": 0, "deliveryType": "fbs",
        "isZeroOrder": false, "requiredMeta": ["sgtin"], "optionalMeta": null, "ddate": "", "sellerDate": null,
        "comment": "Позвоните Петру Ильичу", "isPickupPointShipmentAllowed": true, "options": { "isB2B": false },
        "address": { "fullAddress": "Ложечная, 7", "longitude": 44.5, "latitude": 40.2 },
    })
}

fn page(change: impl Fn(&mut Value)) -> Value {
    let mut order = order();
    change(&mut order);
    json!({ "orders": [order] })
}

const NEW: &str = methods::NEW_ORDERS;

#[test]
fn an_answer_as_documented_is_no_drift() {
    assert_eq!(told(NEW, &page(|_| {})), []);
    assert_eq!(told(NEW, &json!({ "orders": [] })), []);
}

#[test]
fn every_kind_of_difference_names_its_path() {
    let one = |change: fn(&mut Value)| told(NEW, &page(change)).remove(0);
    let path = |name: &str| format!("orders[].{name}");
    let nothing = String::new;
    assert_eq!(
        one(|order| order["deliveryType"] = "dbs".into()),
        (path("deliveryType"), DriftKind::UnknownWord, "dbs".to_owned())
    );
    assert_eq!(one(|order| order["cargoType"] = 4.into()), (path("cargoType"), DriftKind::UnknownWord, "4".to_owned()));
    assert_eq!(
        one(|order| order["requiredMeta"] = json!(["ring"])),
        (path("requiredMeta[]"), DriftKind::UnknownWord, "ring".to_owned())
    );
    assert_eq!(one(|order| order["gift"] = true.into()), (path("gift"), DriftKind::NewField, nothing()));
    assert_eq!(one(|order| order["rid"] = Value::Null), (path("rid"), DriftKind::MissingField, nothing()));
    assert_eq!(one(|order| order["options"] = json!({})), (path("options.isB2B"), DriftKind::MissingField, nothing()));
    assert_eq!(one(|order| order["id"] = "1".into()), (path("id"), DriftKind::ChangedType, "string".to_owned()));
    assert_eq!(one(|order| order["nmId"] = 1.5.into()), (path("nmId"), DriftKind::ChangedType, "number".to_owned()));
    assert_eq!(
        one(|order| order["createdAt"] = "вчера".into()),
        (path("createdAt"), DriftKind::ChangedType, "string".to_owned())
    );
    assert_eq!(
        told(NEW, &json!({ "orders": {} })),
        [("orders".to_owned(), DriftKind::ChangedType, "object".to_owned())]
    );
    assert_eq!(told(NEW, &json!([])), [(".".to_owned(), DriftKind::ChangedType, "array".to_owned())]);
    assert_eq!(told(methods::OFFICES, &json!([null])), [("[]".to_owned(), DriftKind::ChangedType, "null".to_owned())]);
}

#[test]
fn nothing_of_theirs_but_names_and_types_is_kept() {
    let strange = page(|order| {
        order["rid"] = Value::Null;
        order["deliveryType"] = "Пётр Ильич, +7 999 123-45-67".into();
        order["+79991234567"] = json!({ "Имя": "Пётр", "phone": "+79991234567" });
        order["article"] = json!(["Пётр"]);
    });
    let kept = format!("{:?}", noticed(NEW, &strange));
    for theirs in ["Пётр", "Петру", "999", "Имя", "Ложечная"] {
        assert!(!kept.contains(theirs), "{theirs} in {kept}");
    }
    assert!(kept.contains("phone: string") && kept.contains("(28 characters)"), "{kept}");
}

#[test]
fn why_an_entry_cannot_be_read_is_told_without_what_is_in_it() {
    let why = |order: Value| explained(&Order::deserialize(&order).map(|_| ()).expect_err("it cannot be read"));
    assert_eq!(why(json!({ "id": "Пётр \"Ильич\"" })), "invalid type: string …, expected i64");
    assert_eq!(why(json!({ "id": 7.5 })), "invalid type: floating point …, expected i64");
    assert_eq!(why(json!({ "rid": "a" })), "missing field `id`");
}

#[test]
fn differences_are_counted_and_not_more_are_kept_than_fit() {
    let noticed = Noticed::default();
    let crowd = page(|order| {
        for number in 0..500 {
            order[format!("field{number}")] = 1.into();
        }
    });
    noticed.look(method(NEW), &crowd);
    noticed.look(method(NEW), &crowd);
    let drifts = noticed.take();
    assert_eq!((drifts.len(), drifts[0].count), (100, 2));
    assert!(noticed.take().is_empty());
}
