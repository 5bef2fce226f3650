//! Warehouses and their zones: opened, changed, drawn, linked, and closed when nothing uses them any more.

use anyhow::{Context, Result};
use it::{Reach, Shop, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use stack::Client;
use stack::client::text;

async fn new_warehouse(client: &Client, name: &str) -> Result<String> {
    text(&client.post("/warehouses", json!({ "name": name })).await?, "id")
}

async fn new_zone(shop: &Shop<'_>, name: &str, purpose: &str) -> Result<String> {
    let zone = json!({ "name": name, "purpose": purpose });
    text(&shop.client.post(&format!("/warehouses/{}/zones", shop.warehouse), zone).await?, "id")
}

async fn kinds(client: &Client, warehouse: &str) -> Result<Vec<String>> {
    let uses = client.get(&format!("/warehouses/{warehouse}/uses")).await?;
    uses["items"].as_array().context("uses are a list")?.iter().map(|one| text(one, "kind")).collect()
}

#[tokio::test]
async fn a_warehouse_is_renamed_and_its_address_taken_away() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let body = json!({ "name": "Склад", "address": " Москва, Складская, 1 " });
    let warehouse = text(&client.post("/warehouses", body).await?, "id")?;
    let path = format!("/warehouses/{warehouse}");
    let renamed = client.patch(&path, json!({ "name": "Главный" })).await?;
    assert_eq!(
        (renamed["name"].as_str(), renamed["address"].as_str()),
        (Some("Главный"), Some("Москва, Складская, 1"))
    );
    let bare = client.patch(&path, json!({ "address": null })).await?;
    assert!(bare["name"] == "Главный" && bare.get("address").is_none(), "{bare}");
    new_warehouse(&client, "Второй").await?;
    let taken = client.outcome(Method::PATCH, &path, Some(json!({ "name": "Второй" }))).await?;
    assert_eq!(taken, (409, "warehouse_name_taken".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_warehouse_is_closed_only_when_nothing_uses_it_and_what_does_is_named() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let numbers = shop.reserved(1).await?;
    shop.picking(&numbers).await?;
    assert_eq!(kinds(&shop.client, &shop.warehouse).await?, ["stock", "orders", "requests", "wildberries_warehouses"]);
    let archive = format!("/warehouses/{}/archive", shop.warehouse);
    let words = shop.client.refused(&archive, json!({}), "warehouse_in_use").await?;
    for named in ["1 units in its cells (A-04)", &numbers[0].to_string(), "1 open requests"] {
        assert!(words.contains(named), "{named} in {words}");
    }

    let empty = new_warehouse(&shop.client, "Пустой").await?;
    assert!(kinds(&shop.client, &empty).await?.is_empty());
    let closed = shop.client.post(&format!("/warehouses/{empty}/archive"), json!({})).await?;
    assert!(closed["archivedAt"].is_string(), "{closed}");
    let listed = async |path| it::people::ids(&shop.client, path).await;
    assert_eq!(listed("/warehouses").await?, [shop.warehouse.as_str()]);
    assert_eq!(listed("/warehouses?archived=true").await?, [empty.as_str()]);
    let cell = json!({ "cells": [{ "code": "A-01", "pickSequence": 1 }] });
    shop.client.refused(&format!("/warehouses/{empty}/cells"), cell.clone(), "warehouse_archived").await?;
    let receipt = json!({ "warehouseId": empty, "number": "П-1",
                          "lines": [{ "barcode": shop.products[0]["barcodes"][0], "cell": "A-01", "quantity": 1 }] });
    shop.client.refused("/inventory/receipts", receipt, "warehouse_archived").await?;

    shop.client.post(&format!("/warehouses/{empty}/restore"), json!({})).await?;
    shop.client.post(&format!("/warehouses/{empty}/cells"), cell).await?;
    Ok(())
}

#[tokio::test]
async fn a_warehouse_that_is_closed_while_goods_come_in_is_either_closed_or_has_them() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    for round in 0..10 {
        let warehouse = new_warehouse(&shop.client, &format!("Склад {round}")).await?;
        let cell = json!({ "cells": [{ "code": "A-01", "pickSequence": 1 }] });
        shop.client.post(&format!("/warehouses/{warehouse}/cells"), cell).await?;
        let receipt = json!({ "warehouseId": warehouse, "number": format!("П-{round}"),
                              "lines": [{ "barcode": shop.products[0]["barcodes"][0], "cell": "A-01", "quantity": 1 }] });
        let archive = format!("/warehouses/{warehouse}/archive");
        let (received, closed) = futures::try_join!(
            shop.client.ask(Method::POST, "/inventory/receipts", Some(receipt)),
            shop.client.ask(Method::POST, &archive, None),
        )?;
        assert_ne!(received.status.is_success(), closed.status.is_success(), "{} {}", received.body, closed.body);
        let refused = if received.status.is_success() { closed.code() } else { received.code() };
        assert!(["warehouse_in_use", "warehouse_archived", "cell_archived"].contains(&refused), "{refused}");
    }
    let forgotten = "SELECT count(*) FROM balances AS b JOIN cells AS c ON c.id = b.cell_id JOIN warehouses AS w ON w.id = c.warehouse_id
                     WHERE w.archived_at IS NOT NULL AND b.on_hand > 0";
    assert_eq!(app.count(forgotten).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_zone_says_what_its_cells_are_for_and_does_not_change_under_them() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let zones = format!("/warehouses/{}/zones", shop.warehouse);
    let quarantine = new_zone(&shop, "Карантин", "quarantine").await?;
    let picking = new_zone(&shop, "Отбор", "picking").await?;
    shop.client.refused(&zones, json!({ "name": "Отбор", "purpose": "storage" }), "zone_name_taken").await?;
    let cells = json!({ "cells": [{ "code": "К-1", "pickSequence": 50, "zoneId": quarantine }] });
    let added = shop.client.post(&format!("/warehouses/{}/cells", shop.warehouse), cells).await?;
    assert_eq!(
        (&added["items"][0]["purpose"], &added["items"][0]["zoneId"]),
        (&json!("quarantine"), &json!(quarantine))
    );

    // What lies in quarantine is not sold; moved to picking it serves who waits.
    let line = json!({ "barcode": shop.products[0]["barcodes"][0], "cell": "К-1", "quantity": 1 });
    shop.client
        .post("/inventory/receipts", json!({ "warehouseId": shop.warehouse, "number": "П-1", "lines": [line] }))
        .await?;
    let number = shop.order(0)?;
    shop.sync("new_orders").await?;
    assert_eq!(shop.our(number).await?["status"], "out_of_stock");
    let path = format!("/cells/{}", text(&added["items"][0], "id")?);
    assert_eq!(shop.client.patch(&path, json!({ "zoneId": picking })).await?["purpose"], "picking");
    assert_eq!(shop.our(number).await?["status"], "reserved");
    let back = shop.client.outcome(Method::PATCH, &path, Some(json!({ "zoneId": quarantine }))).await?;
    assert_eq!(back, (409, "cell_in_use".to_owned()), "it is held for an order now");

    let zone = format!("/zones/{picking}");
    let other = shop.client.outcome(Method::PATCH, &zone, Some(json!({ "purpose": "storage" }))).await?;
    assert_eq!(other, (409, "zone_in_use".to_owned()));
    assert_eq!(shop.client.outcome(Method::DELETE, &zone, None).await?, (409, "zone_in_use".to_owned()));
    assert_eq!(shop.client.patch(&zone, json!({ "name": "Быстрый отбор", "position": 0 })).await?["position"], 0);
    let bare = format!("/zones/{quarantine}");
    assert_eq!(shop.client.patch(&bare, json!({ "purpose": "receiving" })).await?["purpose"], "receiving");
    shop.client.delete(&bare).await?;
    let names: Vec<_> =
        shop.client.get(&zones).await?["items"].as_array().unwrap().iter().map(|zone| zone["name"].clone()).collect();
    assert_eq!(names, ["Быстрый отбор"]);
    Ok(())
}

#[tokio::test]
async fn how_full_a_warehouse_is_adds_up_from_its_cells() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let zone = new_zone(&shop, "Мелочь", "storage").await?;
    let cells = json!({ "cells": [
        { "code": "М-1", "pickSequence": 10, "zoneId": zone, "capacityUnits": 10 },
        { "code": "М-2", "pickSequence": 11, "zoneId": zone, "capacityUnits": 30, "capacityVolumeMl": 1000, "capacityWeightG": 5000 },
        { "code": "М-3", "pickSequence": 12, "zoneId": zone },
    ] });
    shop.client.post(&format!("/warehouses/{}/cells", shop.warehouse), cells).await?;
    let measured =
        "UPDATE products SET length_mm = 100, width_mm = 50, height_mm = 21, weight_g = 300 WHERE id = $1::uuid";
    sqlx::query(measured).bind(shop.products[0]["id"].as_str()).execute(&mut app.admin().await?).await?;
    let line = |product: usize, cell: &str, quantity: i64| json!({ "barcode": shop.products[product]["barcodes"][0], "cell": cell, "quantity": quantity });
    let lines = [line(0, "М-2", 6), line(1, "М-2", 3), line(1, "М-1", 5), line(1, "М-3", 7)];
    shop.client
        .post("/inventory/receipts", json!({ "warehouseId": shop.warehouse, "number": "П-1", "lines": lines }))
        .await?;
    let seen = shop.client.get(&format!("/cells?code={}", "М-2")).await?["items"][0].clone();
    // Six of 105 ml are 630 of 1000 ml and 1800 of 5000 g, nine are 30 % of 30: the volume is nearest to its limit.
    let expected = json!({ "units": 9, "reserved": 0, "products": 2, "volumeMl": 630, "weightG": 1800, "unmeasuredUnits": 3, "fillPercent": 63 });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&seen[field], value, "{field}: {seen}");
    }
    let fill = shop.client.get(&format!("/warehouses/{}/fill", shop.warehouse)).await?;
    let part = &fill["zones"][0];
    assert_eq!((&part["zoneId"], &part["name"]), (&json!(zone), &json!("Мелочь")));
    let expected = json!({ "cells": 3, "blockedCells": 0, "occupiedCells": 3, "units": 21, "reserved": 0, "volumeMl": 630, "weightG": 1800,
                           "unmeasuredUnits": 15, "capacityUnits": 40, "capacityVolumeMl": 1000, "capacityWeightG": 5000, "fillPercent": 63 });
    assert_eq!(part["fill"], expected);
    assert!(fill["zones"][1].get("zoneId").is_none(), "the cells in no zone come last: {fill}");
    assert_eq!((&fill["fill"]["cells"], &fill["fill"]["units"]), (&json!(3 + 5), &json!(21)));
    Ok(())
}

#[tokio::test]
async fn the_map_shows_zones_cells_and_what_is_blocked() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 3).await?;
    new_zone(&shop, "Приёмка & осмотр", "receiving").await?;
    let cell = shop.client.get("/cells?code=A-02").await?["items"][0]["id"].clone();
    let block = json!({ "cellIds": [cell], "reason": "полка <сломана>" });
    shop.client.post(&format!("/warehouses/{}/cells/block", shop.warehouse), block).await?;
    let (status, map) = shop.client.raw("GET", &format!("/warehouses/{}/map.svg", shop.warehouse), None).await?;
    assert_eq!(status, 200);
    assert!(map.contains("image/svg+xml") && map.contains("no-store"), "{}", map.lines().next().unwrap_or_default());
    for shown in [
        "A-01: 3 единиц",
        "A-02: пусто; заблокирована: полка &lt;сломана&gt;",
        "Приёмка &amp; осмотр",
        "Карта склада «Склад»",
    ] {
        assert!(map.contains(shown), "{shown}");
    }
    let svg = &map[map.find("<svg").context("a picture")?..];
    assert!(!svg.contains("style=") && !svg.contains("<script") && !svg.contains("href"), "only attributes of SVG");
    Ok(())
}

#[tokio::test]
async fn a_link_goes_over_to_another_warehouse_and_comes_off_when_no_order_needs_it() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let theirs = shop.client.get("/wildberries/warehouses").await?["items"][0]["wbWarehouseId"].clone();
    let link = format!("/wildberries/accounts/{}/warehouses/{theirs}", shop.account);
    shop.receive(0, 1, 1).await?;
    let (held, waiting) = (shop.order(0)?, shop.order(1)?);
    shop.sync("new_orders").await?;
    let unlinking = shop.client.ask(Method::DELETE, &link, None).await?;
    assert_eq!(unlinking.code(), "warehouse_has_open_orders");
    assert!(unlinking.body["detail"].as_str().unwrap().contains("2 orders"), "{}", unlinking.body);

    // The one that waits goes over to the new warehouse, where its goods are; the one that is held stays where they lie.
    let second = shop.second_warehouse().await?;
    second.receive(1, 1, 1).await?;
    let (held, waiting) = (shop.our(held).await?, shop.our(waiting).await?);
    assert_eq!((&held["warehouseId"], &held["status"]), (&json!(shop.warehouse), &json!("reserved")));
    assert_eq!((&waiting["warehouseId"], &waiting["status"]), (&json!(second.warehouse), &json!("reserved")));

    // Another seller's warehouse, with no orders.
    let token =
        app.simulator.shop(wildberries::Shop { cards: 1, warehouses: 1, marked: 0, ..wildberries::Shop::default() });
    let token = token.token(wildberries::TokenKind::Personal, wildberries::ALL_CATEGORIES);
    let account =
        text(&shop.client.post("/wildberries/accounts", json!({ "name": "Второй", "token": token })).await?, "id")?;
    shop.client.post("/sync-runs", json!({ "accountId": account, "kind": "warehouses" })).await?;
    app.run_jobs().await?;
    let all = shop.client.get("/wildberries/warehouses").await?["items"].as_array().context("a list")?.clone();
    let theirs =
        all.iter().find(|one| one["accountId"] == account.as_str()).context("it is there")?["wbWarehouseId"].clone();
    let link = format!("/wildberries/accounts/{account}/warehouses/{theirs}");
    assert_eq!(shop.client.outcome(Method::DELETE, &link, None).await?, (409, "warehouse_not_linked".to_owned()));
    let empty = new_warehouse(&shop.client, "Пустой").await?;
    shop.client.put(&link, json!({ "warehouseId": empty })).await?;
    let archive = format!("/warehouses/{empty}/archive");
    assert!(shop.client.refused(&archive, json!({}), "warehouse_in_use").await?.contains("that it fulfils"));
    assert!(shop.client.delete(&link).await?.get("warehouseId").is_none());
    shop.client.post(&archive, json!({})).await?;
    let closed = shop.client.outcome(Method::PUT, &link, Some(json!({ "warehouseId": empty }))).await?;
    assert_eq!(closed, (409, "warehouse_archived".to_owned()));
    sqlx::query("UPDATE wildberries_warehouses SET gone_at = now() WHERE account_id = $1::uuid")
        .bind(&account)
        .execute(&mut app.admin().await?)
        .await?;
    let gone = shop.client.outcome(Method::PUT, &link, Some(json!({ "warehouseId": shop.warehouse }))).await?;
    assert_eq!(gone, (409, "wildberries_warehouse_gone".to_owned()));
    Ok(())
}

#[tokio::test]
async fn who_keeps_one_warehouse_neither_sees_nor_changes_another() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let second = shop.second_warehouse().await?;
    let here = [shop.warehouse.as_str()];
    let keeper = app.person(&shop.client, "storekeeper", Reach::Warehouses(&here)).await?.client;
    let zone = new_zone(&second, "Чужая", "storage").await?;
    let cells = shop.client.get("/cells?code=A-01").await?["items"].as_array().context("cells")?.clone();
    let cell_of = |warehouse: &str| -> Value {
        cells.iter().find(|cell| cell["warehouseId"] == warehouse).map(|cell| cell["id"].clone()).unwrap_or_default()
    };
    let (own, foreign) = (cell_of(&shop.warehouse), cell_of(&second.warehouse));
    let there = &second.warehouse;
    let not_found = (404, "not_found".to_owned());
    for path in [
        format!("/warehouses/{there}/zones"),
        format!("/warehouses/{there}/fill"),
        format!("/warehouses/{there}/uses"),
        format!("/warehouses/{there}/map.svg"),
        format!("/cells/{}", foreign.as_str().unwrap()),
        format!("/cells/{}/label.svg", foreign.as_str().unwrap()),
    ] {
        assert_eq!(keeper.outcome(Method::GET, &path, None).await?, not_found, "{path}");
        assert!(shop.client.ask(Method::GET, &path, None).await?.status.is_success(), "{path}");
    }
    let seen: Vec<_> = keeper.all("/cells").await?.iter().map(|cell| cell["warehouseId"].clone()).collect();
    assert!(!seen.is_empty() && seen.iter().all(|warehouse| *warehouse == shop.warehouse.as_str()), "{seen:?}");
    let before = app.fingerprint(&["sessions"]).await?;
    let ids = json!({ "cellIds": [foreign] });
    let change = json!({ "cellIds": [foreign], "capacityUnits": 1 });
    for (method, path, body) in [
        (Method::PATCH, format!("/warehouses/{there}"), json!({ "name": "Мой" })),
        (Method::POST, format!("/warehouses/{there}/zones"), json!({ "name": "З", "purpose": "storage" })),
        (Method::PATCH, format!("/zones/{zone}"), json!({ "name": "З" })),
        (Method::DELETE, format!("/zones/{zone}"), Value::Null),
        (Method::POST, format!("/warehouses/{there}/cells"), json!({ "cells": [{ "code": "X", "pickSequence": 1 }] })),
        (Method::POST, format!("/warehouses/{there}/cells/generate"), json!({ "pattern": "X1…X2", "dryRun": true })),
        (Method::PATCH, format!("/cells/{}", foreign.as_str().unwrap()), json!({ "pickSequence": 9 })),
        (Method::POST, format!("/warehouses/{there}/cells/block"), json!({ "cellIds": [foreign], "reason": "x" })),
        (Method::POST, format!("/warehouses/{there}/cells/unblock"), ids.clone()),
        (Method::POST, format!("/warehouses/{there}/cells/change"), change.clone()),
        (Method::POST, format!("/warehouses/{there}/cells/archive"), ids.clone()),
        (Method::POST, format!("/warehouses/{there}/cells/labels"), json!({ "printerId": shop.printer })),
    ] {
        let body = Some(body).filter(|body| !body.is_null());
        assert_eq!(keeper.outcome(method, &path, body).await?, not_found, "{path}");
    }
    // A cell of another warehouse is not of this one, whoever names it.
    let verdicts = keeper.post(&format!("/warehouses/{}/cells/change", shop.warehouse), change).await?;
    assert_eq!(
        (&verdicts["items"][0]["outcome"], &verdicts["items"][0]["problem"]),
        (&json!("refused"), &json!("cell_unknown"))
    );
    let into = keeper
        .outcome(Method::PATCH, &format!("/cells/{}", own.as_str().unwrap()), Some(json!({ "zoneId": zone })))
        .await?;
    assert_eq!(into, not_found, "a zone of another warehouse is not there");
    assert_eq!(app.fingerprint(&["sessions"]).await?, before, "nothing happened");
    // Closing a warehouse is for who reaches all of them.
    let archive = format!("/warehouses/{}/archive", shop.warehouse);
    assert_eq!(keeper.outcome(Method::POST, &archive, None).await?, (403, "forbidden".to_owned()));
    keeper.patch(&format!("/cells/{}", own.as_str().unwrap()), json!({ "pickSequence": 9 })).await?;
    Ok(())
}

#[tokio::test]
async fn a_zone_is_made_behind_one_that_is_last_for_good() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = format!("/warehouses/{}/zones", shop.warehouse);
    let last = json!({ "name": "Последняя", "purpose": "storage", "position": i32::MAX });
    shop.client.post(&path, last).await?;
    let next = shop.client.post(&path, json!({ "name": "Ещё одна", "purpose": "storage" })).await?;
    assert_eq!(next["position"], i32::MAX);
    Ok(())
}
