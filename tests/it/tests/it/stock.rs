//! Acts on stock by hand: one line or a thousand, a verdict for each, and never a unit too many.

use anyhow::{Context, Result};
use futures::future::try_join_all;
use it::{Shop, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use stack::Role;
use stack::client::text;

const MOVES: &str = "/inventory/moves";
const ADJUSTMENTS: &str = "/inventory/adjustments";
const WRITE_OFFS: &str = "/inventory/write-offs";
const HOLDS: &str = "/inventory/holds";
const RESERVATIONS: &str = "/inventory/reservations";

fn barcode(shop: &Shop<'_>, product: usize) -> Value {
    shop.products[product]["barcodes"][0].clone()
}

fn batch(shop: &Shop<'_>, mode: &str, lines: &[Value]) -> Value {
    json!({ "warehouseId": shop.warehouse, "number": "Д-1", "comment": "проверка", "mode": mode, "lines": lines })
}

fn moved(shop: &Shop<'_>, from: &str, to: &str, quantity: i64) -> Value {
    json!({ "barcode": barcode(shop, 0), "from": from, "to": to, "quantity": quantity })
}

/// Cell, on hand, reserved and on hold of a product's balances.
async fn lies(shop: &Shop<'_>, product: usize) -> Result<Vec<(String, i64, i64, i64)>> {
    let id = text(&shop.products[product], "id")?;
    let mut seen = Vec::new();
    for row in shop.client.all(&format!("/inventory?productId={id}")).await? {
        let number = |field: &str| row[field].as_i64().with_context(|| format!("{field} in {row}"));
        assert_eq!(number("available")?, number("onHand")? - number("reserved")? - number("onHold")?);
        seen.push((text(&row, "cell")?, number("onHand")?, number("reserved")?, number("onHold")?));
    }
    seen.sort();
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(seen)
}

fn at(cell: &str, on_hand: i64, reserved: i64, on_hold: i64) -> (String, i64, i64, i64) {
    (cell.to_owned(), on_hand, reserved, on_hold)
}

fn part_id(posted: &Value, row: usize) -> Value {
    posted["rows"][row]["parts"][0]["id"].clone()
}

#[tokio::test]
async fn two_lines_on_the_same_goods_are_summed_and_nothing_is_done_when_they_are_too_many() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 5).await?;
    let lines = [moved(&shop, "A-01", "A-02", 3), moved(&shop, "A-01", "A-03", 3)];
    let answer = shop.client.ask(Method::POST, MOVES, Some(batch(&shop, "all_or_nothing", &lines))).await?;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "not_enough_stock"));
    let words = answer.body["rows"][0]["detail"].as_str().unwrap_or_default().to_owned();
    assert_eq!(answer.body["rows"][0]["row"], 1);
    assert!(words.contains("A-01") && words.contains('2'), "{words}");
    assert_eq!(lies(&shop, 0).await?, [at("A-01", 5, 0, 0)]);

    let posted = shop.client.post(MOVES, batch(&shop, "each_row", &lines)).await?;
    let verdicts: Vec<_> = (0..2).map(|row| posted["rows"][row]["done"].as_bool()).collect();
    assert_eq!(verdicts, [Some(true), Some(false)]);
    assert_eq!(posted["rows"][1]["problem"], "not_enough_stock");
    assert_eq!((&posted["document"]["number"], &posted["document"]["kind"]), (&json!("Д-1"), &json!("move")));
    assert_eq!(lies(&shop, 0).await?, [at("A-01", 2, 0, 0), at("A-02", 3, 0, 0)]);
    Ok(())
}

#[tokio::test]
async fn a_line_may_move_on_what_a_line_before_it_brought() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 2).await?;
    let lines = [moved(&shop, "A-01", "A-02", 2), moved(&shop, "A-02", "A-03", 1)];
    shop.client.post(MOVES, batch(&shop, "all_or_nothing", &lines)).await?;
    assert_eq!(lies(&shop, 0).await?, [at("A-02", 1, 0, 0), at("A-03", 1, 0, 0)]);
    Ok(())
}

#[tokio::test]
async fn every_row_that_cannot_be_done_says_why() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 1).await?;
    let line =
        |barcode: &str, from: &str, to: &str| json!({ "barcode": barcode, "from": from, "to": to, "quantity": 1 });
    let good = barcode(&shop, 0).as_str().context("a barcode")?.to_owned();
    let mut lot = line(&good, "A-01", "A-02");
    lot["lot"] = json!({ "code": "нет такой" });
    let lines = [
        line("0000", "A-01", "A-02"),
        line(&good, "Z-99", "A-02"),
        line(&good, "A-01", "Z-99"),
        line(&good, "A-01", "PACKING"),
        line(&good, "A-01", "A-01"),
        lot,
        json!({ "productId": shared::ids::JobId::new(), "from": "A-01", "to": "A-02", "quantity": 1 }),
    ];
    let posted = shop.client.post(MOVES, batch(&shop, "each_row", &lines)).await?;
    let codes: Vec<_> = posted["rows"]
        .as_array()
        .context("rows")?
        .iter()
        .map(|row| row["problem"].as_str().unwrap_or("done"))
        .collect();
    assert_eq!(
        codes,
        [
            "barcode_unknown",
            "cell_unknown",
            "cell_unknown",
            "cell_of_packing",
            "same_cell",
            "lot_unknown",
            "product_unknown"
        ]
    );
    assert!(posted["document"].is_null(), "nothing was done");
    assert_eq!(app.count("SELECT count(*) FROM stock_documents").await?, 0);
    let wrong = [
        json!({ "barcode": good, "from": "A-01", "to": "A-02", "quantity": 0 }),
        json!({ "from": "A-01", "to": "A-02", "quantity": 1 }),
    ];
    for (line, field) in wrong.into_iter().zip(["lines.0.quantity", "lines.0.barcode"]) {
        let answer = shop.client.ask(Method::POST, MOVES, Some(batch(&shop, "each_row", &[line]))).await?;
        assert_eq!((answer.status.as_u16(), answer.body["field"].as_str()), (422, Some(field)));
    }
    Ok(())
}

#[tokio::test]
async fn what_was_found_serves_who_waited_and_what_is_reserved_is_not_corrected_away() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let waiting = shop.order(0)?;
    shop.sync("new_orders").await?;
    let line = |change: i64, reason: &str| json!({ "barcode": barcode(&shop, 0), "cell": "A-02", "change": change, "reason": reason });
    shop.client.post(ADJUSTMENTS, batch(&shop, "all_or_nothing", &[line(2, "found")])).await?;
    assert_eq!(shop.our(waiting).await?["status"], "reserved");
    assert_eq!(lies(&shop, 0).await?, [at("A-02", 2, 1, 0)]);
    let words = shop
        .client
        .refused(ADJUSTMENTS, batch(&shop, "all_or_nothing", &[line(-2, "missing")]), "not_enough_stock")
        .await?;
    assert!(words.contains("1 of them free"), "{words}");
    shop.client.post(ADJUSTMENTS, batch(&shop, "all_or_nothing", &[line(-1, "missing")])).await?;
    assert_eq!(lies(&shop, 0).await?, [at("A-02", 1, 1, 0)]);
    let silent = json!({ "warehouseId": shop.warehouse, "lines": [line(1, "other")] });
    let answer = shop.client.ask(Method::POST, ADJUSTMENTS, Some(silent)).await?;
    assert_eq!((answer.status.as_u16(), answer.body["field"].as_str()), (422, Some("comment")));
    let entries = shop.client.all("/inventory/entries").await?;
    let kinds: Vec<_> = entries.iter().map(|entry| (entry["kind"].as_str(), entry["reason"].as_str())).collect();
    assert_eq!(kinds, [(Some("adjust"), Some("found")), (Some("adjust"), Some("missing"))]);
    Ok(())
}

#[tokio::test]
async fn what_is_written_off_is_gone_with_its_reason() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 3).await?;
    let line = json!({ "barcode": barcode(&shop, 0), "cell": "A-01", "quantity": 2, "reason": "damaged" });
    let posted = shop.client.post(WRITE_OFFS, batch(&shop, "all_or_nothing", &[line])).await?;
    let entries = shop.client.all("/inventory/entries").await?;
    let entry = entries.last().context("an entry")?;
    assert_eq!((&entry["toOutside"], &entry["reason"]), (&json!("loss"), &json!("damaged")));
    assert_eq!(entry["documentId"], posted["document"]["id"]);
    assert_eq!(lies(&shop, 0).await?, [at("A-01", 1, 0, 0)]);
    Ok(())
}

#[tokio::test]
async fn what_is_on_hold_serves_nobody_until_it_is_released() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 2).await?;
    let line = |quantity: i64| json!({ "barcode": barcode(&shop, 0), "cell": "A-01", "quantity": quantity, "reason": "quarantine" });
    let held = shop.client.post(HOLDS, batch(&shop, "all_or_nothing", &[line(2)])).await?;
    shop.client.refused(HOLDS, batch(&shop, "all_or_nothing", &[line(1)]), "not_enough_stock").await?;
    let waiting = shop.order(0)?;
    shop.sync("new_orders").await?;
    assert_eq!(shop.our(waiting).await?["status"], "out_of_stock");
    shop.client
        .refused(MOVES, batch(&shop, "all_or_nothing", &[moved(&shop, "A-01", "A-02", 1)]), "not_enough_stock")
        .await?;
    assert_eq!(lies(&shop, 0).await?, [at("A-01", 2, 0, 2)]);
    let list = shop.client.all(HOLDS).await?;
    assert_eq!((list.len(), &list[0]["reason"], &list[0]["comment"]), (1, &json!("quarantine"), &json!("проверка")));

    let ids = |mode: &str| json!({ "warehouseId": shop.warehouse, "mode": mode, "ids": [part_id(&held, 0), part_id(&held, 0), shared::ids::JobId::new()] });
    shop.client.refused(&format!("{HOLDS}/release"), ids("all_or_nothing"), "hold_ended").await?;
    let posted = shop.client.post(&format!("{HOLDS}/release"), ids("each_row")).await?;
    let codes: Vec<_> = (0..3).map(|row| posted["rows"][row]["problem"].as_str().unwrap_or("done")).collect();
    assert_eq!(codes, ["done", "hold_ended", "hold_unknown"]);
    assert_eq!(shop.our(waiting).await?["status"], "reserved");
    assert_eq!(lies(&shop, 0).await?, [at("A-01", 2, 1, 0)]);
    Ok(())
}

#[tokio::test]
async fn a_reservation_by_hand_holds_against_orders_and_an_orders_is_not_released_by_hand() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 1).await?;
    shop.receive(0, 2, 1).await?;
    let line = json!({ "barcode": barcode(&shop, 0), "quantity": 2 });
    let kept = shop.client.post(RESERVATIONS, batch(&shop, "all_or_nothing", &[line])).await?;
    assert_eq!(kept["rows"][0]["parts"].as_array().map(Vec::len), Some(2), "two cells were needed");
    let waiting = shop.order(0)?;
    shop.sync("new_orders").await?;
    assert_eq!(shop.our(waiting).await?["status"], "out_of_stock");
    let path = format!("{RESERVATIONS}/release");
    shop.client.post(&path, json!({ "warehouseId": shop.warehouse, "ids": [part_id(&kept, 0)] })).await?;
    assert_eq!(shop.our(waiting).await?["status"], "reserved");
    let order = text(&shop.our(waiting).await?, "id")?;
    let list = shop.client.all(RESERVATIONS).await?;
    let of_order = list.iter().find(|row| row["orderId"] == order).context("the order's reservation")?;
    let ids = json!({ "warehouseId": shop.warehouse, "ids": [of_order["id"]] });
    shop.client.refused(&path, ids, "reservation_of_order").await?;
    assert_eq!(lies(&shop, 0).await?, [at("A-01", 1, 1, 0), at("A-02", 1, 1, 0)]);
    Ok(())
}

#[tokio::test]
async fn batches_that_cross_each_other_never_wait_in_a_ring_and_lose_nothing() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    for product in 0..4 {
        shop.receive(product, 1, 10).await?;
        shop.receive(product, 2, 10).await?;
    }
    let cross = |number: usize| {
        let (from, to) = if number.is_multiple_of(2) { ("A-01", "A-02") } else { ("A-02", "A-01") };
        let mut lines: Vec<_> = (0..4)
            .map(|product| json!({ "barcode": barcode(&shop, product), "from": from, "to": to, "quantity": 1 }))
            .collect();
        lines.rotate_left(number % 4);
        batch(&shop, "each_row", &lines)
    };
    let answers = try_join_all((0..16).map(|number| shop.client.post(MOVES, cross(number)))).await?;
    assert_eq!(answers.len(), 16);
    for product in 0..4 {
        let total: i64 = lies(&shop, product).await?.iter().map(|(_, on_hand, _, _)| on_hand).sum();
        assert_eq!(total, 20);
    }
    assert_eq!(app.count("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").await?, 0);
    Ok(())
}

#[tokio::test]
async fn many_who_want_the_last_units_get_exactly_those() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 7).await?;
    let line = json!({ "barcode": barcode(&shop, 0), "quantity": 1 });
    let body = batch(&shop, "all_or_nothing", &[line]);
    let wanting = (0..20).map(|_| shop.client.outcome(Method::POST, RESERVATIONS, Some(body.clone())));
    let outcomes = try_join_all(wanting).await?;
    let got = outcomes.iter().filter(|(status, _)| *status == 200).count();
    let refused = outcomes.iter().filter(|(_, code)| code == "not_enough_stock").count();
    assert_eq!((got, refused), (7, 13), "{outcomes:?}");
    assert_eq!(lies(&shop, 0).await?, [at("A-01", 7, 7, 0)]);
    Ok(())
}

#[tokio::test]
async fn the_database_itself_refuses_more_than_there_is_and_every_rewriting() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 3).await?;
    let line = json!({ "barcode": barcode(&shop, 0), "cell": "A-01", "quantity": 2, "reason": "damage" });
    let held = shop.client.post(HOLDS, batch(&shop, "all_or_nothing", &[line])).await?;
    let enterprise = text(&shop.client.get("/users/me").await?, "enterpriseId")?;
    let mut api = app.as_role(Role::Api).await?;
    sqlx::query("SELECT set_config('app.enterprise_id', $1, false)").bind(&enterprise).execute(&mut api).await?;
    let copy = |table: &str, columns: &str, values: &str| {
        format!("INSERT INTO {table} ({columns}) SELECT {values} FROM holds")
    };
    let columns = "enterprise_id, id, product_id, lot_id, cell_id, quantity, created_at, document_id";
    let values = "enterprise_id, gen_random_uuid(), product_id, lot_id, cell_id, 2, created_at, document_id";
    for (statement, constraint) in [
        (copy("reservations", columns, values), "balances_held_within_on_hand"),
        (copy("holds", &format!("{columns}, reason"), &format!("{values}, reason")), "balances_held_within_on_hand"),
    ] {
        let refused = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut api).await.expect_err("too many");
        assert_eq!(refused.as_database_error().and_then(|error| error.constraint()), Some(constraint));
    }
    for statement in [
        "UPDATE holds SET quantity = 1",
        "DELETE FROM holds",
        "UPDATE stock_documents SET comment = 'другое'",
        "UPDATE balances SET on_hold = 0",
        "UPDATE lots SET expires_on = NULL",
    ] {
        assert!(sqlx::query(statement).execute(&mut api).await.is_err(), "{statement}");
    }
    let ids = json!({ "warehouseId": shop.warehouse, "ids": [part_id(&held, 0)] });
    shop.client.post(&format!("{HOLDS}/release"), ids).await?;
    let again = sqlx::query("UPDATE holds SET status = 'active', ended_at = NULL").execute(&mut api).await;
    assert!(again.is_err(), "what has ended does not begin again");
    Ok(())
}

#[tokio::test]
async fn a_row_that_a_cell_does_not_admit_hinders_no_other() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 9).await?;
    let cells = shop.client.all(&format!("/warehouses/{}/cells", shop.warehouse)).await?;
    let id = |code: &str| -> Result<String> {
        text(cells.iter().find(|cell| cell["code"] == code).context("a cell")?, "id")
    };
    shop.client.patch(&format!("/cells/{}", id("A-02")?), json!({ "capacityUnits": 3 })).await?;
    let block = json!({ "cellIds": [id("A-03")?], "reason": "ремонт" });
    shop.client.post(&format!("/warehouses/{}/cells/block", shop.warehouse), block).await?;

    let full = [moved(&shop, "A-01", "A-02", 2), moved(&shop, "A-01", "A-02", 2)];
    shop.client.refused(MOVES, batch(&shop, "all_or_nothing", &full), "cell_full").await?;
    assert_eq!(lies(&shop, 0).await?, [("A-01".to_owned(), 9, 0, 0)], "nothing is done by halves");
    let lines = [
        moved(&shop, "A-01", "A-02", 2),
        moved(&shop, "A-01", "A-02", 2),
        moved(&shop, "A-01", "A-03", 1),
        moved(&shop, "A-01", "PACKING", 1),
        moved(&shop, "A-01", "A-02", 1),
    ];
    let posted = shop.client.post(MOVES, batch(&shop, "each_row", &lines)).await?;
    let rows = posted["rows"].as_array().context("rows")?;
    let verdicts: Vec<_> = rows.iter().map(|row| row["problem"].as_str().unwrap_or("done")).collect();
    assert_eq!(verdicts, ["done", "cell_full", "cell_blocked", "cell_of_packing", "done"], "{posted}");
    assert_eq!(lies(&shop, 0).await?, [("A-01".to_owned(), 6, 0, 0), ("A-02".to_owned(), 3, 0, 0)]);
    let only = [moved(&shop, "A-01", "A-02", 1)];
    let posted = shop.client.post(MOVES, batch(&shop, "each_row", &only)).await?;
    assert!(posted["document"].is_null(), "of nothing that was done there is no document: {posted}");
    assert_eq!(app.count("SELECT count(*) FROM stock_documents").await?, 1);
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn more_than_a_balance_can_count_is_refused() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let line = json!({ "barcode": barcode(&shop, 0), "cell": "A-01", "quantity": 1_000_000 });
    let receipt = |number: &str| json!({ "warehouseId": shop.warehouse, "number": number, "lines": vec![&line; 1000] });
    for number in ["П-1", "П-2"] {
        shop.client.post("/inventory/receipts", receipt(number)).await?;
    }
    shop.client.refused("/inventory/receipts", receipt("П-3"), "cell_full").await?;
    assert_eq!(lies(&shop, 0).await?, [at("A-01", 2_000_000_000, 0, 0)]);
    Ok(())
}
