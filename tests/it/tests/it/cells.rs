//! Cells: made in rows, changed and blocked in batches, and what they take and give.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use it::people::enterprise_of;
use it::{Shop, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use stack::client::text;

/// The id of each cell by its code.
async fn cells(shop: &Shop<'_>) -> Result<BTreeMap<String, String>> {
    let rows = shop.client.all(&format!("/warehouses/{}/cells", shop.warehouse)).await?;
    rows.iter().map(|row| Ok((text(row, "code")?, text(row, "id")?))).collect()
}

async fn change(shop: &Shop<'_>, code: &str, body: Value) -> Result<Value> {
    let id = cells(shop).await?.remove(code).with_context(|| format!("there is no cell {code}"))?;
    shop.client.patch(&format!("/cells/{id}"), body).await
}

async fn post(shop: &Shop<'_>, what: &str, body: Value) -> Result<Vec<Value>> {
    let answer = shop.client.post(&format!("/warehouses/{}/cells/{what}", shop.warehouse), body).await?;
    Ok(answer["items"].as_array().context("verdicts are a list")?.clone())
}

fn receipt(shop: &Shop<'_>, lines: &[(usize, &str, i64)]) -> Value {
    let line = |(product, cell, quantity): &(usize, &str, i64)| json!({ "barcode": shop.products[*product]["barcodes"][0], "cell": cell, "quantity": quantity });
    let lines: Vec<_> = lines.iter().map(line).collect();
    json!({ "warehouseId": shop.warehouse, "number": format!("П-{}", shared::ids::JobId::new()), "lines": lines })
}

/// Puts these into their cells, and says what was refused.
async fn put(shop: &Shop<'_>, lines: &[(usize, &str, i64)]) -> Result<(u16, String)> {
    shop.client.outcome(Method::POST, "/inventory/receipts", Some(receipt(shop, lines))).await
}

fn refused(code: &str) -> (u16, String) {
    (409, code.to_owned())
}

const DONE: (u16, String) = (201, String::new());

fn generated(pattern: &str, dry_run: bool) -> Value {
    json!({ "pattern": pattern, "dryRun": dry_run, "walk": "serpentine", "capacityUnits": 40, "barcodePrefix": "MSK-" })
}

#[tokio::test]
async fn rows_are_looked_at_and_then_made_in_one_call() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = format!("/warehouses/{}/cells/generate", shop.warehouse);
    let seen = shop.client.post(&path, generated("A1-01…A9-20", true)).await?;
    assert_eq!((&seen["made"], &seen["count"], &seen["taken"]), (&json!(false), &json!(180), &json!([])));
    assert_eq!(cells(&shop).await?.len(), 5, "nothing is made by looking");
    let made = shop.client.post(&path, generated("A1-01…A9-20", false)).await?;
    assert_eq!((&made["made"], &made["cells"]), (&json!(true), &seen["cells"]), "what was shown is what is there");
    let rows = shop.client.all(&format!("/warehouses/{}/cells?search=a2-", shop.warehouse)).await?;
    let walked: Vec<_> = rows.iter().map(|row| row["code"].as_str().unwrap()).collect();
    assert_eq!((walked.len(), walked[0], walked[19]), (20, "A2-20", "A2-01"), "the second row is walked back");
    assert_eq!((&rows[0]["capacityUnits"], &rows[0]["barcode"]), (&json!(40), &json!("MSK-A2-20")));
    // They stand behind the four that were there.
    assert_eq!((&made["cells"][0]["pickSequence"], &made["cells"][20]["pickSequence"]), (&json!(5), &json!(5 + 39)));
    Ok(())
}

#[tokio::test]
async fn rows_that_are_there_already_are_named_and_nothing_is_made() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = format!("/warehouses/{}/cells/generate", shop.warehouse);
    let seen = shop.client.post(&path, json!({ "pattern": "A-03..A-06", "dryRun": true })).await?;
    assert_eq!(seen["taken"], json!(["A-03", "A-04"]));
    let words =
        shop.client.refused(&path, json!({ "pattern": "A-03..A-06", "dryRun": false }), "cell_code_taken").await?;
    assert!(words.contains("2 of 4") && words.contains("A-03, A-04"), "{words}");
    for (pattern, words) in [("A-1…A-9999", "5000"), ("A-9…A-1", "backwards"), ("A…Я", "one alphabet"), ("", "empty")]
    {
        let answer = shop.client.ask(Method::POST, &path, Some(json!({ "pattern": pattern, "dryRun": true }))).await?;
        assert_eq!((answer.status.as_u16(), &answer.body["field"]), (422, &json!("pattern")), "{pattern}");
        assert!(answer.body["detail"].as_str().unwrap().contains(words), "{pattern}: {}", answer.body);
    }
    assert_eq!(cells(&shop).await?.len(), 5);
    // Two at once: one makes them, the other is told.
    let both = json!({ "pattern": "B-01…B-50", "dryRun": false });
    let asking = || shop.client.outcome(Method::POST, &path, Some(both.clone()));
    let (one, other) = futures::try_join!(asking(), asking())?;
    let mut outcomes = [one, other];
    outcomes.sort();
    assert_eq!(outcomes, [(200, String::new()), refused("cell_code_taken")]);
    Ok(())
}

#[tokio::test]
async fn a_scanner_finds_a_cell_by_barcode_or_code_and_never_two() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let changed = change(&shop, "A-01", json!({ "barcode": "2000000000015" })).await?;
    let found = shop.client.get("/cells?code=2000000000015").await?;
    assert_eq!(found["items"], json!([changed]));
    assert_eq!(shop.client.get("/cells?code=A-01").await?["items"][0]["id"], changed["id"]);
    let id = cells(&shop).await?["A-02"].clone();
    for barcode in ["2000000000015", "A-03"] {
        let taken =
            shop.client.outcome(Method::PATCH, &format!("/cells/{id}"), Some(json!({ "barcode": barcode }))).await?;
        assert_eq!(taken, refused("cell_barcode_taken"), "{barcode}");
    }
    let added = json!({ "cells": [{ "code": "2000000000015", "pickSequence": 1 }] });
    shop.client.refused(&format!("/warehouses/{}/cells", shop.warehouse), added, "cell_barcode_taken").await?;
    // A picker who scans the barcode stands at the cell.
    shop.receive(0, 1, 1).await?;
    let number = shop.order(0)?;
    shop.sync("new_orders").await?;
    let (request, _) = shop.picking(&[number]).await?;
    shop.scan(&request, "cell", "2000000000015").await?;
    let picked = shop.scan(&request, "item", shop.products[0]["barcodes"][0].as_str().unwrap()).await?;
    assert!(picked["pickedLineId"].is_string() || picked["openLines"] == 0, "{picked}");
    Ok(())
}

#[tokio::test]
async fn a_blocked_cell_takes_nothing_in_and_gives_nothing_out() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let ids = cells(&shop).await?;
    shop.receive(0, 1, 2).await?;
    let held = shop.order(0)?;
    shop.sync("new_orders").await?;
    let (request, _) = shop.picking(&[held]).await?;
    shop.scan(&request, "cell", "A-01").await?;
    let verdicts = post(
        &shop,
        "block",
        json!({ "cellIds": [ids["A-01"], ids["PACKING"], shop.account], "reason": "полка сломана" }),
    )
    .await?;
    let told: Vec<_> =
        verdicts.iter().map(|verdict| (verdict["outcome"].as_str().unwrap(), verdict["problem"].as_str())).collect();
    assert_eq!(told, [("done", None), ("refused", Some("cell_built_in")), ("refused", Some("cell_unknown"))]);

    let words = shop
        .client
        .refused("/inventory/receipts", receipt(&shop, &[(1, "A-02", 1), (1, "A-01", 1)]), "cell_blocked")
        .await?;
    assert!(words.contains("A-01") && words.contains("полка сломана"), "{words}");
    let item = json!({ "kind": "item", "code": shop.products[0]["barcodes"][0] });
    shop.client.refused(&format!("/requests/{request}/scans"), item.clone(), "cell_blocked").await?;
    // What is free there is not sold, and what is held there is not given to another picker.
    let waiting = shop.order(0)?;
    shop.sync("new_orders").await?;
    assert_eq!(shop.our(waiting).await?["status"], "out_of_stock");
    let cell = shop.client.get(&format!("/cells/{}", ids["A-01"])).await?;
    assert!(cell["blockedAt"].is_string() && cell["blockedReason"] == "полка сломана", "{cell}");
    assert_eq!((&cell["units"], &cell["reserved"]), (&json!(2), &json!(1)));
    assert!(cell["blockedBy"].as_str().unwrap().starts_with("user:"));

    let verdicts = post(&shop, "unblock", json!({ "cellIds": [ids["A-01"], ids["A-02"]] })).await?;
    let outcomes: Vec<_> = verdicts.iter().map(|verdict| verdict["outcome"].clone()).collect();
    assert_eq!(outcomes, ["done", "unchanged"]);
    assert_eq!(shop.our(waiting).await?["status"], "reserved", "who waited is served at once");
    shop.client.post(&format!("/requests/{request}/scans"), item).await?;
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn orders_that_are_held_in_a_blocked_cell_are_not_given_to_a_picker() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.reserved(2).await?;
    let ids = cells(&shop).await?;
    post(&shop, "block", json!({ "cellIds": [ids["A-04"]], "reason": "инвентаризация" })).await?;
    let body = json!({ "type": "order_picking", "warehouseId": shop.warehouse, "count": 10 });
    let request = text(&shop.client.post("/requests", body).await?, "id")?;
    let lines = shop.client.get(&format!("/requests/{request}/lines")).await?;
    let there: Vec<_> = lines["items"].as_array().unwrap().iter().map(|line| line["cell"].clone()).collect();
    assert_eq!(there, ["A-03"]);
    Ok(())
}

#[tokio::test]
async fn a_cell_takes_no_more_than_it_holds_by_units_volume_and_weight() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    sqlx::query(
        "UPDATE products SET length_mm = 100, width_mm = 100, height_mm = 100, weight_g = 700 WHERE id = $1::uuid",
    )
    .bind(shop.products[0]["id"].as_str())
    .execute(&mut app.admin().await?)
    .await?;
    change(&shop, "A-01", json!({ "capacityUnits": 10 })).await?;
    assert_eq!(put(&shop, &[(0, "A-01", 4), (1, "A-01", 6)]).await?, DONE);
    let words = shop.client.refused("/inventory/receipts", receipt(&shop, &[(2, "A-01", 1)]), "cell_full").await?;
    assert!(words.contains("A-01") && words.contains("takes 10 units") && words.contains("hold 11 units"), "{words}");
    // Lines of one receipt are summed before they are judged.
    change(&shop, "A-02", json!({ "capacityUnits": 3 })).await?;
    assert_eq!(put(&shop, &[(0, "A-02", 2), (1, "A-02", 2)]).await?, refused("cell_full"));
    change(&shop, "A-02", json!({ "capacityUnits": null, "capacityVolumeMl": 2999 })).await?;
    assert_eq!(put(&shop, &[(0, "A-02", 3)]).await?, refused("cell_full"));
    change(&shop, "A-02", json!({ "capacityVolumeMl": 3000, "capacityWeightG": 2099 })).await?;
    assert_eq!(put(&shop, &[(0, "A-02", 3)]).await?, refused("cell_full"));
    change(&shop, "A-02", json!({ "capacityWeightG": 2100 })).await?;
    assert_eq!(put(&shop, &[(0, "A-02", 3)]).await?, DONE);
    // A limit that is set below what lies there binds what comes, and says how full it is.
    let over = change(&shop, "A-01", json!({ "capacityUnits": 5 })).await?;
    assert_eq!(over["fillPercent"], 200);
    assert_eq!(put(&shop, &[(2, "A-01", 1)]).await?, refused("cell_full"));
    assert_eq!(app.count("SELECT count(*) FROM goods_receipts").await?, 2, "what is refused is not half done");
    Ok(())
}

#[tokio::test]
async fn many_who_fill_one_cell_at_once_do_not_overfill_it() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    change(&shop, "A-01", json!({ "capacityUnits": 10 })).await?;
    let putting: Vec<_> = (0..24).map(|index| vec![(index % 8, "A-01", 1)]).collect();
    let outcomes = futures::future::try_join_all(putting.iter().map(|lines| put(&shop, lines))).await?;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == DONE).count(), 10, "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| *outcome == DONE || *outcome == refused("cell_full")), "{outcomes:?}");
    assert_eq!(app.count("SELECT sum(on_hand)::bigint FROM balances").await?, 10);
    Ok(())
}

#[tokio::test]
async fn what_may_not_lie_together_is_kept_apart() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    change(&shop, "A-01", json!({ "mixing": "one_product" })).await?;
    assert_eq!(put(&shop, &[(0, "A-01", 1)]).await?, DONE);
    assert_eq!(put(&shop, &[(0, "A-01", 1)]).await?, DONE, "more of the same");
    assert_eq!(put(&shop, &[(1, "A-01", 1)]).await?, refused("cell_mixing"));
    change(&shop, "A-02", json!({ "mixing": "one_card" })).await?;
    let nm = |product: usize| shop.products[product]["nmId"].as_i64();
    let sibling = (1..shop.products.len()).find(|other| nm(*other) == nm(0)).context("a card has two sizes")?;
    let stranger = (1..shop.products.len()).find(|other| nm(*other) != nm(0)).context("there are two cards")?;
    assert_eq!(put(&shop, &[(0, "A-02", 1), (sibling, "A-02", 1)]).await?, DONE);
    assert_eq!(put(&shop, &[(stranger, "A-02", 1)]).await?, refused("cell_mixing"));
    assert_eq!(put(&shop, &[(0, "A-03", 1), (stranger, "A-03", 1)]).await?, DONE, "other cells take anything");
    Ok(())
}

#[tokio::test]
async fn many_cells_are_changed_alike_and_one_that_is_refused_hinders_no_other() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.reserved(1).await?;
    let ids = cells(&shop).await?;
    let all = [&ids["A-03"], &ids["A-04"], &ids["PACKING"], &shop.account];
    let verdicts =
        post(&shop, "change", json!({ "cellIds": all, "purpose": "quarantine", "capacityUnits": 7 })).await?;
    let told: Vec<_> =
        verdicts.iter().map(|verdict| (verdict["outcome"].as_str().unwrap(), verdict["problem"].as_str())).collect();
    let expected = [
        ("done", None),
        ("refused", Some("cell_in_use")),
        ("refused", Some("cell_built_in")),
        ("refused", Some("cell_unknown")),
    ];
    assert_eq!(told, expected);
    let changed = shop.client.get(&format!("/cells/{}", ids["A-03"])).await?;
    assert_eq!((&changed["purpose"], &changed["capacityUnits"]), (&json!("quarantine"), &json!(7)));
    let again = post(&shop, "change", json!({ "cellIds": [ids["A-03"]], "capacityUnits": 7 })).await?;
    assert_eq!(again[0]["outcome"], "unchanged");
    let same = shop.client.get(&format!("/cells/{}", ids["A-03"])).await?;
    assert_eq!(same["version"], changed["version"], "who changes nothing is in nobody's way");
    Ok(())
}

#[tokio::test]
async fn an_empty_cell_is_taken_out_of_use_and_comes_back() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 1).await?;
    let ids = cells(&shop).await?;
    let verdicts = post(&shop, "archive", json!({ "cellIds": [ids["A-01"], ids["A-02"], ids["PACKING"]] })).await?;
    let told: Vec<_> =
        verdicts.iter().map(|verdict| (verdict["outcome"].as_str().unwrap(), verdict["problem"].as_str())).collect();
    assert_eq!(told, [("refused", Some("cell_in_use")), ("done", None), ("refused", Some("cell_built_in"))]);
    assert!(verdicts[0]["detail"].as_str().unwrap().contains("1 units lie in cell A-01"), "{}", verdicts[0]);
    assert!(!cells(&shop).await?.contains_key("A-02"));
    assert_eq!(put(&shop, &[(0, "A-02", 1)]).await?, refused("cell_unknown"));
    let listed = shop.client.all(&format!("/warehouses/{}/cells?state=archived", shop.warehouse)).await?;
    assert_eq!(listed.len(), 1);
    // Its code stays its own.
    let again = json!({ "cells": [{ "code": "A-02", "pickSequence": 1 }] });
    shop.client.refused(&format!("/warehouses/{}/cells", shop.warehouse), again, "cell_code_taken").await?;
    assert_eq!(post(&shop, "restore", json!({ "cellIds": [ids["A-02"]] })).await?[0]["outcome"], "done");
    assert_eq!(put(&shop, &[(0, "A-02", 1)]).await?, DONE);
    Ok(())
}

#[tokio::test]
async fn cells_are_listed_page_by_page_and_by_what_they_are() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 3, 1).await?;
    let ids = cells(&shop).await?;
    post(&shop, "block", json!({ "cellIds": [ids["A-02"]], "reason": "мокро" })).await?;
    let path = format!("/warehouses/{}/cells", shop.warehouse);
    let codes = async |query: &str| -> Result<Vec<String>> {
        shop.client.all(&format!("{path}?{query}")).await?.iter().map(|row| text(row, "code")).collect()
    };
    assert_eq!(codes("state=blocked").await?, ["A-02"]);
    assert_eq!(codes("state=occupied").await?, ["A-03"]);
    assert_eq!(codes("search=a-0").await?, ["A-01", "A-02", "A-03", "A-04"]);
    assert!(codes("search=a_0").await?.is_empty(), "what is typed is meant literally");
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = shop.client.get(&format!("{path}?limit=2{after}")).await?;
        seen.extend(page["items"].as_array().unwrap().iter().map(|row| row["code"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, ["A-01", "A-02", "A-03", "A-04", "PACKING"]);
    Ok(())
}

#[tokio::test]
async fn labels_leave_the_printer_along_the_walking_path_and_read_as_their_cells() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let zone = json!({ "name": "Стеллаж Я", "purpose": "storage" });
    let zone = text(&shop.client.post(&format!("/warehouses/{}/zones", shop.warehouse), zone).await?, "id")?;
    let rows = json!({ "pattern": "Я-01…Я-02", "dryRun": false, "zoneId": zone, "sequenceFrom": 10 });
    shop.client.post(&format!("/warehouses/{}/cells/generate", shop.warehouse), rows).await?;
    change(&shop, "A-02", json!({ "barcode": "CELL-0002" })).await?;
    let ids = cells(&shop).await?;
    let these = json!([ids["Я-02"], ids["A-02"], ids["A-01"], ids["Я-01"]]);
    let path = format!("/warehouses/{}/cells/labels", shop.warehouse);
    let job = shop.client.post(&path, json!({ "printerId": shop.printer, "cellIds": these })).await?;
    assert_eq!(
        (&job["kind"], &job["labels"], &job["warehouseId"]),
        (&json!("cell_labels"), &json!(4), &json!(shop.warehouse))
    );
    app.run_jobs().await?;
    let job = text(&job, "id")?;
    assert_eq!(shop.client.get(&format!("/print-jobs/{job}")).await?["status"], "done");
    let items =
        shop.client.get(&format!("/print-jobs/{job}/items")).await?["items"].as_array().context("labels")?.clone();
    let codes: Vec<_> = items.iter().map(|item| item["cell"].as_str().unwrap()).collect();
    assert_eq!(codes, ["A-01", "A-02", "Я-01", "Я-02"]);
    let read: Vec<_> = app.printer.labels().iter().map(crate::printing::read_code).collect();
    assert_eq!(read, ["A-01", "CELL-0002", "Я-01", "Я-02"], "bars where they can, a square where letters are Cyrillic");

    let of_zone = shop.client.post(&path, json!({ "printerId": shop.printer, "zoneId": zone })).await?;
    assert_eq!(of_zone["labels"], 2, "as often as somebody asks");
    let stranger = json!({ "printerId": shop.printer, "cellIds": [shop.account] });
    assert_eq!(shop.client.outcome(Method::POST, &path, Some(stranger)).await?, (404, "not_found".to_owned()));
    let both = json!({ "printerId": shop.printer, "cellIds": [ids["A-01"]], "zoneId": zone });
    assert_eq!(shop.client.outcome(Method::POST, &path, Some(both)).await?.0, 422);
    let (status, label) =
        shop.client.raw("GET", &format!("/cells/{}/label.svg?printerId={}", ids["A-01"], shop.printer), None).await?;
    assert!(
        status == 200 && label.contains("width=\"464\" height=\"320\"") && label.contains(">A-01</text>"),
        "{label}"
    );
    Ok(())
}

/// Waits until somebody waits for a turn.
async fn somebody_waits(app: &TestApp) -> Result<()> {
    while app
        .count(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await?
        == 0
    {}
    Ok(())
}

#[tokio::test]
async fn who_closes_a_cell_waits_for_whoever_works_on_what_lies_there() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 5).await?;
    let cell = cells(&shop).await?["A-01"].clone();
    let product: uuid::Uuid = text(&shop.products[0], "id")?.parse()?;
    for (what, body) in [
        ("block", json!({ "cellIds": [cell], "reason": "мокро" })),
        ("unblock", json!({ "cellIds": [cell] })),
        ("archive", json!({ "cellIds": [cell] })),
        ("change", json!({ "cellIds": [cell], "capacityUnits": 900 })),
    ] {
        // As every verb of the ledger: its turn first, then the cell.
        let enterprise = enterprise_of(&shop.client).await?;
        let mut admin = app.admin_in(&enterprise).await?;
        let mut ledger = sqlx::Connection::begin(&mut admin).await?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtext($1), $2)")
            .bind(&enterprise)
            .bind(i32::try_from(product.as_u64_pair().1 % 1024)?)
            .execute(&mut *ledger)
            .await?;
        let path = format!("/warehouses/{}/cells/{what}", shop.warehouse);
        let closing = shop.client.post(&path, body);
        tokio::pin!(closing);
        tokio::select! {
            done = &mut closing => panic!("{what} did not wait: {done:?}"),
            waits = somebody_waits(&app) => waits?,
        }
        sqlx::query("SELECT id FROM cells WHERE id = $1::uuid FOR NO KEY UPDATE NOWAIT")
            .bind(&cell)
            .execute(&mut *ledger)
            .await?;
        ledger.commit().await?;
        closing.await?;
    }
    Ok(())
}
