use super::*;
use crate::wildberries::model::{SupplierStatus, Verdict, WbStatus};

fn read<T: for<'de> Deserialize<'de>>(list: &Value) -> Readable<T> {
    readable(Some(list)).expect("a list")
}

#[test]
fn one_strange_order_does_not_hide_the_others() {
    let orders: Readable<Order> = read(&json!([
        { "id": 1, "price": 101_400, "skus": null, "options": { "isB2B": true }, "invented": [{}], "supplyId": "" },
        { "id": 2, "price": "free" },
        { "price": 5 },
        7,
        { "id": 3, "createdAt": "2026-09-01T10:00:00Z", "scanPrice": null, "price": 12.0, "requiredMeta": ["sgtin"] },
    ]));
    assert_eq!(orders.items.iter().map(|order| order.id.0).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(orders.unreadable.len(), 3);
    assert_eq!(orders.unreadable[0].raw["id"], 2);
    let first = &orders.items[0];
    assert!(first.is_b2b() && first.skus.is_empty() && first.supply_id.is_none() && first.created_at.is_none());
    assert_eq!((first.price, orders.items[1].price), (Some(101_400), Some(12)));
}

#[test]
fn unknown_words_are_kept() {
    let statuses: Readable<OrderStatuses> = read(&json!([
        { "id": 1, "supplierStatus": "confirm", "wbStatus": "waiting", "isCancellable": true },
        { "id": 2, "supplierStatus": "cancel_carrier", "wbStatus": "teleported" },
        { "id": 3, "wbStatus": "sold" },
    ]));
    assert_eq!(statuses.items[0].supplier_status, SupplierStatus::Confirm);
    assert_eq!(statuses.items[1].wb_status, WbStatus::Other("teleported".to_owned()));
    assert_eq!((statuses.items.len(), statuses.unreadable.len()), (2, 1));
}

#[test]
fn a_missing_list_is_empty_and_something_else_is_not_a_list() {
    assert!(readable::<Order>(None).is_ok_and(|orders| orders.items.is_empty()));
    assert!(readable::<Order>(Some(&Value::Null)).is_ok());
    assert!(readable::<Order>(Some(&json!({}))).is_err());
}

#[test]
fn a_list_ends_in_four_ways() {
    assert_eq!(next_page(&json!({ "next": 5 }), 0, 10), Some(5));
    assert_eq!(next_page(&json!({ "next": 0 }), 4, 10), None);
    assert_eq!(next_page(&json!({}), 4, 10), None);
    assert_eq!(next_page(&json!({ "next": 5 }), 5, 10), None);
    assert_eq!(next_page(&json!({ "next": 6 }), 5, 0), None);
}

#[test]
fn a_decision_that_nobody_knows_blocks() {
    let marks: Readable<OrderMarks> = read(&json!([
        { "id": 1, "metaDetails": [{ "key": "uin", "value": null, "decision": "uinMaySell" }, { "key": "new", "decision": "pending" }] },
        { "id": 2, "metaDetails": [{ "key": "sgtin", "value": ["a"], "decision": "sgtinFromMars" }, { "key": "uin", "decision": "pending" }] },
        { "id": 3, "metaDetails": null },
    ]));
    let verdicts: Vec<_> = marks.items.iter().map(OrderMarks::verdict).collect();
    assert_eq!(verdicts, [Verdict::Waits, Verdict::Blocks, Verdict::Passes]);
}

#[test]
fn stickers_belong_to_orders_by_number() {
    let asked = [WbOrderId(1), WbOrderId(2), WbOrderId(3)];
    let svg = "<svg/>";
    let answer = json!([
        { "orderId": 3, "partA": "231648", "partB": "9753", "barcode": "!uKEtQZVx", "file": "PHN2Zy8+" },
        { "orderId": 9, "file": svg },
        { "orderId": 1, "file": svg },
        { "orderId": 3, "partB": "0000", "file": svg },
        { "orderId": 2 },
    ]);
    let stickers = matched(&asked, read(&answer));
    assert_eq!(stickers.iter().map(|sticker| sticker.order_id.0).collect::<Vec<_>>(), [3, 1]);
    assert!(stickers.iter().all(|sticker| sticker.file == svg.as_bytes()));
    assert_eq!(stickers[0].part_b, "9753");
}

#[test]
fn a_picture_may_be_base64_in_several_ways_or_plain() {
    for file in ["PHN2Zy8+", "PHN2\r\nZy8+\n"] {
        assert_eq!(picture(file.to_owned()), b"<svg/>");
    }
    assert_eq!(picture("PHN2Zz4".to_owned()), b"<svg>");
    assert_eq!(picture("<svg xmlns='x'/>".to_owned()), b"<svg xmlns='x'/>");
    assert_eq!(picture("^XA^FO1,1^XZ".to_owned()), b"^XA^FO1,1^XZ");
}

#[test]
fn cards_without_pictures_or_barcodes_are_read() {
    let cards: Readable<Card> = read(&json!([
        { "nmID": 7, "sizes": [{ "chrtID": 1, "techSize": "0", "skus": ["123"] }, { "chrtID": 2, "skus": null }], "updatedAt": "2023-12-06T11:17:00.96577Z" },
        { "nmID": 8, "sizes": [{ "techSize": "no number" }] },
    ]));
    assert_eq!((cards.items.len(), cards.unreadable.len()), (1, 1));
    assert_eq!(cards.items[0].sizes[1].skus, Vec::<String>::new());
}
