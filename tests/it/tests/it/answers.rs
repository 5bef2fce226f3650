//! Answers about stock: now, then, since, how fast; each within its reach.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use it::people::enterprise_of;
use it::{Reach, Shop, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgConnection;
use stack::Client;
use stack::client::text;

/// What rows say, by some of their fields.
fn seen(rows: &[Value], fields: &[&str]) -> Vec<Vec<Value>> {
    let mut seen: Vec<_> =
        rows.iter().map(|row| fields.iter().map(|field| row[field].clone()).collect::<Vec<_>>()).collect();
    seen.sort_by_key(|row| row.iter().map(ToString::to_string).collect::<Vec<_>>());
    seen
}

/// So much later everybody has to sign in anew.
async fn later(shop: &mut Shop<'_>, time: chrono::Duration) -> Result<()> {
    shop.app.clock.advance(time);
    shop.client = shop.app.sign_in(&shop.email).await?;
    Ok(())
}

/// A moment as addresses carry it.
fn moment(time: chrono::DateTime<chrono::Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// As the owner of everything, in the shop's enterprise.
async fn owner(shop: &Shop<'_>) -> Result<PgConnection> {
    shop.app.admin_in(&enterprise_of(&shop.client).await?).await
}

#[tokio::test]
async fn stock_is_told_by_cell_by_warehouse_and_by_product() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let second = shop.second_warehouse().await?;
    shop.receive(0, 1, 5).await?;
    shop.receive(0, 2, 3).await?;
    shop.receive(1, 1, 1).await?;
    second.receive(0, 1, 2).await?;
    shop.order(0)?;
    shop.sync("new_orders").await?;
    let (one, other) = (text(&shop.products[0], "id")?, text(&shop.products[1], "id")?);
    let figures = ["productId", "onHand", "reserved", "available"];
    let by_product = shop.client.all("/inventory?by=product&limit=1").await?;
    let mut wanted =
        vec![vec![json!(one), json!(10), json!(1), json!(9)], vec![json!(other), json!(1), json!(0), json!(1)]];
    wanted.sort_by_key(|row| row[0].to_string());
    assert_eq!(seen(&by_product, &figures), wanted);
    assert!(by_product.iter().all(|row| row.get("cellId").is_none() && row.get("warehouseId").is_none()));
    let by_warehouse = shop.client.all(&format!("/inventory?by=warehouse&productId={one}&limit=1")).await?;
    let units: BTreeMap<_, _> =
        by_warehouse.iter().map(|row| (row["warehouseId"].to_string(), row["onHand"].clone())).collect();
    assert_eq!(units[&json!(shop.warehouse).to_string()], 8);
    assert_eq!(units[&json!(second.warehouse).to_string()], 2);
    assert_eq!(shop.client.all("/inventory?limit=1").await?.len(), 4, "by cell, where nothing is said");

    let here = app.person(&shop.client, "viewer", Reach::Warehouses(&[&shop.warehouse])).await?.client;
    let mine = here.all(&format!("/inventory?by=product&productId={one}")).await?;
    assert_eq!(mine[0]["onHand"], 8, "only what is in reach is summed");
    Ok(())
}

#[tokio::test]
async fn what_is_picked_is_on_hand_but_not_available() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 4).await?;
    shop.picked(1).await?;
    let product = text(&shop.products[0], "id")?;
    let row = shop.client.all(&format!("/inventory?by=product&productId={product}")).await?[0].clone();
    assert_eq!(seen(&[row], &["onHand", "reserved", "available"]), [[json!(5), json!(1), json!(4)]]);
    Ok(())
}

#[tokio::test]
async fn the_past_is_what_it_was_whatever_came_later() -> Result<()> {
    let app = TestApp::start().await?;
    let mut shop = app.shop().await?;
    let mut moments = vec![app.clock.now()];
    let mut totals = vec![0];
    let product = text(&shop.products[0], "id")?;
    for (cell, units) in [(1, 5), (2, 3), (1, 2)] {
        later(&mut shop, chrono::Duration::hours(1)).await?;
        shop.receive(0, cell, units).await?;
        moments.push(app.clock.now());
        totals.push(totals.last().copied().unwrap_or(0) + units);
    }
    later(&mut shop, chrono::Duration::hours(1)).await?;
    shop.picked(1).await?;
    for (time, total) in moments.iter().zip(&totals) {
        let at = moment(*time);
        let path = format!("/inventory/past?at={at}&productId={product}&by=product");
        let rows = shop.client.all(&path).await?;
        assert_eq!(rows.first().and_then(|row| row["onHand"].as_i64()).unwrap_or(0), *total, "{at}");
        let cells = shop.client.all(&format!("/inventory/past?at={at}&warehouseId={}&limit=1", shop.warehouse)).await?;
        assert_eq!(cells.iter().filter_map(|row| row["onHand"].as_i64()).sum::<i64>(), *total);
    }
    let tomorrow = moment(app.clock.now() + chrono::Duration::days(1));
    let refused = shop.client.ask(Method::GET, &format!("/inventory/past?at={tomorrow}"), None).await?;
    assert_eq!((refused.status.as_u16(), refused.body["field"].as_str()), (422, Some("at")));
    Ok(())
}

#[tokio::test]
async fn history_says_who_why_by_what_and_what_was_there_before_and_after() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 5).await?;
    app.clock.advance(chrono::Duration::minutes(1));
    shop.receive(0, 1, 2).await?;
    app.clock.advance(chrono::Duration::minutes(1));
    let number = shop.order(0)?;
    shop.sync("new_orders").await?;
    let (request, lines) = shop.picking(&[number]).await?;
    shop.scan(&request, "cell", &text(&lines[0], "cell")?).await?;
    shop.scan(&request, "item", lines[0]["barcodes"][0].as_str().context("a barcode")?).await?;
    let product = text(&shop.products[0], "id")?;
    let all = shop.client.all(&format!("/inventory/entries?productId={product}&limit=1")).await?;
    let turns: Vec<_> = all.iter().map(|row| (row["fromTurn"].clone(), row["toTurn"].clone())).collect();
    let turn = |before, after| json!({ "before": before, "after": after });
    assert_eq!(turns, [(Value::Null, turn(0, 5)), (Value::Null, turn(5, 7)), (turn(7, 6), turn(0, 1)),]);
    let order = text(&shop.our(number).await?, "id")?;
    let (cell, packing) = (text(&all[2], "fromCellId")?, text(&all[2], "toCellId")?);
    let (receipt, actor) = (text(&all[1], "receiptId")?, text(&all[1], "actor")?);
    let at = |index: usize| anyhow::Ok(moment(text(&all[index], "occurredAt")?.parse()?));
    let (from, to) = (at(1)?, at(2)?);
    for (query, expected) in [
        (format!("cellId={cell}"), vec![0, 1, 2]),
        (format!("cellId={packing}"), vec![2]),
        (format!("cellId={cell}&productId={product}&kind=pick"), vec![2]),
        (format!("warehouseId={}", shop.warehouse), vec![0, 1, 2]),
        (format!("orderId={order}"), vec![2]),
        (format!("receiptId={receipt}"), vec![1]),
        (format!("kind=receipt&actor={actor}"), vec![0, 1]),
        ("actor=job:nobody".to_owned(), vec![]),
        (format!("from={from}"), vec![1, 2]),
        (format!("from={from}&to={to}"), vec![1]),
    ] {
        let found = shop.client.all(&format!("/inventory/entries?{query}&limit=1")).await?;
        let expected: Vec<_> = expected.into_iter().map(|index: usize| all[index].clone()).collect();
        assert_eq!(found, expected, "{query}");
    }
    let wrong = shop.client.ask(Method::GET, &format!("/inventory/entries?from={to}&to={from}"), None).await?;
    assert_eq!((wrong.status.as_u16(), wrong.body["field"].as_str()), (422, Some("to")));
    Ok(())
}

/// Everything since a cursor, and where to go on.
async fn since(client: &Client, cursor: Option<String>) -> Result<(Vec<Value>, String)> {
    let (mut rows, mut cursor) = (Vec::new(), cursor);
    loop {
        let after = cursor.map_or(String::new(), |cursor| format!("&after={cursor}"));
        let page = client.get(&format!("/inventory/changes?limit=2{after}")).await?;
        rows.extend(page["items"].as_array().context("a list")?.clone());
        let next = text(&page, "next")?;
        if page["more"] == false {
            return Ok((rows, next));
        }
        cursor = Some(next);
    }
}

#[tokio::test]
async fn the_feed_tells_each_change_once_and_as_it_is_now() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    for product in 0..5 {
        shop.receive(product, 1, 3).await?;
    }
    let (all, cursor) = since(&shop.client, None).await?;
    assert_eq!(all.len(), 5);
    let (none, cursor) = since(&shop.client, Some(cursor)).await?;
    assert!(none.is_empty());
    shop.receive(1, 1, 4).await?;
    shop.receive(1, 1, 4).await?;
    shop.order(2)?;
    shop.sync("new_orders").await?;
    let (changed, cursor) = since(&shop.client, Some(cursor)).await?;
    assert_eq!(
        seen(&changed, &["onHand", "reserved"]),
        [[json!(11), json!(0)], [json!(3), json!(1)]],
        "a reservation is a change, too"
    );
    let (none, _) = since(&shop.client, Some(cursor)).await?;
    assert!(none.is_empty());
    Ok(())
}

#[tokio::test]
async fn the_feed_tells_what_a_change_of_the_cell_makes_of_its_balances() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 3).await?;
    shop.receive(1, 2, 3).await?;
    let cells = shop.client.all(&format!("/warehouses/{}/cells", shop.warehouse)).await?;
    let cell = text(cells.iter().find(|cell| cell["code"] == "A-01").context("a cell")?, "id")?;
    let (_, mut cursor) = since(&shop.client, None).await?;
    let act = |what: &str| format!("/warehouses/{}/cells/{what}", shop.warehouse);
    let one = json!({ "cellIds": [cell] });
    for (method, path, body, told) in [
        (Method::POST, act("block"), json!({ "cellIds": [cell], "reason": "мокро" }), json!(["A-01", 0])),
        (Method::POST, act("unblock"), one.clone(), json!(["A-01", 3])),
        (Method::POST, act("change"), json!({ "cellIds": [cell], "purpose": "quarantine" }), json!(["A-01", 0])),
        (Method::POST, act("change"), json!({ "cellIds": [cell], "purpose": "picking" }), json!(["A-01", 3])),
        (Method::PATCH, format!("/cells/{cell}"), json!({ "code": "A-77" }), json!(["A-77", 3])),
    ] {
        let status = shop.client.ask(method, &path, Some(body)).await?.status.as_u16();
        assert_eq!(status, 200, "{path}");
        let (rows, next) = since(&shop.client, Some(cursor)).await?;
        let rows: Vec<_> = rows.iter().map(|row| json!([row["cell"], row["available"]])).collect();
        assert_eq!(rows, [told], "{path}");
        cursor = next;
    }
    shop.client.patch(&format!("/cells/{cell}"), json!({ "pickSequence": 9 })).await?;
    assert!(since(&shop.client, Some(cursor)).await?.0.is_empty(), "what no balance tells is no change");
    Ok(())
}

#[tokio::test]
async fn a_year_that_nobody_writes_is_refused() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let (far, near) = ("-10000-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
    let late = "%2B12000-01-01T00:00:00Z";
    for (path, field) in [
        (format!("/inventory/past?at={far}"), "at"),
        (format!("/inventory/entries?from={far}"), "from"),
        (format!("/inventory/entries?to={late}"), "to"),
        (format!("/inventory/turnover?from={far}&to={near}"), "from"),
        (format!("/inventory/turnover?from={near}&to={late}"), "to"),
        (format!("/audit?from={far}"), "from"),
        (format!("/audit?until={late}"), "until"),
    ] {
        let answer = client.ask(Method::GET, &path, None).await?;
        assert_eq!(
            (answer.status.as_u16(), answer.body["field"].as_str()),
            (422, Some(field)),
            "{path}: {}",
            answer.body
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_change_that_commits_late_is_not_left_out_of_the_feed() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 3).await?;
    shop.receive(1, 1, 3).await?;
    let (_, cursor) = since(&shop.client, None).await?;
    // The first to begin, the last to end.
    let mut admin = owner(&shop).await?;
    let mut late = sqlx::Connection::begin(&mut admin).await?;
    sqlx::query(
        "INSERT INTO stock_entries (enterprise_id, id, product_id, from_outside, to_cell_id, quantity, kind, actor, occurred_at)
         SELECT enterprise_id, gen_random_uuid(), product_id, 'adjustment', cell_id, 7, 'adjust', 'user:late', now()
         FROM balances WHERE product_id = $1::uuid",
    )
    .bind(text(&shop.products[0], "id")?)
    .execute(&mut *late)
    .await?;
    shop.receive(1, 1, 1).await?;
    let (early, cursor) = since(&shop.client, Some(cursor)).await?;
    assert_eq!(seen(&early, &["onHand"]), [[json!(4)]]);
    late.commit().await?;
    let (rest, _) = since(&shop.client, Some(cursor)).await?;
    assert_eq!(seen(&rest, &["onHand"]), [[json!(10)]]);
    Ok(())
}

#[tokio::test]
async fn readers_of_the_feed_keep_up_with_writers_and_miss_nothing() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let writing = async {
        try_join_all((0..4).map(|writer| {
            let shop = &shop;
            async move {
                for turn in 0..20 {
                    shop.receive((writer * 3 + turn) % 8, 1 + turn % 4, 1).await?;
                }
                anyhow::Ok(())
            }
        }))
        .await
        .map(|_| ())
    };
    let reading = |mut cursor: Option<String>| {
        let client = &shop.client;
        async move {
            let mut known = BTreeMap::new();
            for _ in 0..30 {
                let (rows, next) = since(client, cursor).await?;
                for row in rows {
                    known.insert((row["cellId"].to_string(), row["productId"].to_string()), row);
                }
                cursor = Some(next);
            }
            anyhow::Ok((known, cursor))
        }
    };
    let ((), (mut one, cursor), (mut other, cursor_of_other)) =
        futures::try_join!(writing, reading(None), reading(None))?;
    for (known, cursor) in [(&mut one, cursor), (&mut other, cursor_of_other)] {
        for row in since(&shop.client, cursor).await?.0 {
            known.insert((row["cellId"].to_string(), row["productId"].to_string()), row);
        }
    }
    let now = shop.client.all("/inventory").await?;
    let now: BTreeMap<_, _> =
        now.into_iter().map(|row| ((row["cellId"].to_string(), row["productId"].to_string()), row)).collect();
    assert_eq!(now.values().filter_map(|row| row["onHand"].as_i64()).sum::<i64>(), 80);
    assert_eq!((&one, &other), (&now, &now));
    Ok(())
}

#[tokio::test]
async fn the_feed_keeps_to_the_reach_and_goes_on_past_what_is_out_of_it() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let second = shop.second_warehouse().await?;
    for product in 0..4 {
        shop.receive(product, 1, 3).await?;
    }
    second.receive(0, 1, 2).await?;
    let there = app.person(&shop.client, "viewer", Reach::Warehouses(&[&second.warehouse])).await?.client;
    let (rows, cursor) = since(&there, None).await?;
    assert_eq!(seen(&rows, &["warehouseId", "onHand"]), [[json!(second.warehouse), json!(2)]]);
    shop.receive(0, 2, 1).await?;
    assert!(since(&there, Some(cursor)).await?.0.is_empty());
    Ok(())
}

#[tokio::test]
async fn turnover_adds_up_and_says_how_long_stock_lasts() -> Result<()> {
    let app = TestApp::start().await?;
    let mut shop = app.shop().await?;
    shop.receive(0, 1, 4).await?;
    later(&mut shop, chrono::Duration::hours(1)).await?;
    let from = app.clock.now();
    shop.receive(0, 2, 6).await?;
    let (request, _) = shop.picked(1).await?;
    let supply = shop.supply(&request).await?;
    shop.deliver(&supply).await?;
    let to = from + chrono::Duration::days(2);
    later(&mut shop, chrono::Duration::days(3)).await?;
    shop.receive(0, 1, 9).await?;
    let product = text(&shop.products[0], "id")?;
    let period = format!("from={}&to={}", moment(from), moment(to));
    let rows = shop.client.all(&format!("/inventory/turnover?{period}&productId={product}")).await?;
    assert_eq!(
        rows,
        [json!({ "productId": product, "opening": 4, "received": 7, "otherIn": 0, "shipped": 1, "otherOut": 0,
                 "closing": 10, "daysOfStock": 20.0 })]
    );
    let second = shop.second_warehouse().await?;
    let there = app.person(&shop.client, "viewer", Reach::Warehouses(&[&second.warehouse])).await?.client;
    assert!(there.all(&format!("/inventory/turnover?{period}")).await?.is_empty());
    let reversed = format!("/inventory/turnover?from={}&to={}", moment(to), moment(from));
    assert_eq!(shop.client.ask(Method::GET, &reversed, None).await?.status.as_u16(), 422);
    Ok(())
}

#[tokio::test]
async fn what_lies_and_is_not_shipped_is_a_slow_mover() -> Result<()> {
    let app = TestApp::start().await?;
    let mut shop = app.shop().await?;
    shop.receive(0, 1, 5).await?;
    shop.receive(1, 1, 4).await?;
    later(&mut shop, chrono::Duration::days(40)).await?;
    shop.receive(2, 1, 4).await?;
    sqlx::query(
        "INSERT INTO stock_entries (enterprise_id, id, product_id, from_cell_id, to_outside, quantity, kind, actor, occurred_at)
         SELECT enterprise_id, gen_random_uuid(), product_id, cell_id, 'in_delivery', 1, 'ship', 'job:test', $2
         FROM balances WHERE product_id = $1::uuid",
    )
    .bind(text(&shop.products[0], "id")?)
    .bind(app.clock.now())
    .execute(&mut owner(&shop).await?)
    .await?;
    later(&mut shop, chrono::Duration::days(5)).await?;
    let slow =
        async |client: &Client, days: i64| client.all(&format!("/inventory/slow-movers?days={days}&limit=1")).await;
    let rows = slow(&shop.client, 30).await?;
    assert_eq!(rows.iter().map(|row| &row["productId"]).collect::<Vec<_>>(), [&shop.products[1]["id"]]);
    assert!(rows[0]["onHand"] == 4 && rows[0].get("lastShippedAt").is_none() && rows[0]["lastReceivedAt"].is_string());
    assert_eq!(slow(&shop.client, 3).await?.len(), 3, "the one that was shipped has rested for five days");
    assert!(slow(&shop.client, 60).await?.is_empty(), "nothing was there then");
    let second = shop.second_warehouse().await?;
    let there = app.person(&shop.client, "viewer", Reach::Warehouses(&[&second.warehouse])).await?.client;
    assert!(slow(&there, 3).await?.is_empty());
    Ok(())
}
