//! Lots: what came together is told apart, and goes out in the order that the enterprise wants.

use anyhow::{Context, Result};
use it::{Shop, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use shared::db::MIGRATOR;
use sqlx::{Connection, PgConnection};
use stack::client::text;
use stack::{Durability, Role, Servers};
use uuid::Uuid;

/// The first migration that knows of lots.
const LOTS: i64 = 20_261_201_100_000;

fn day(app: &TestApp, days: i64) -> String {
    (app.clock.now() + chrono::Duration::days(days)).format("%Y-%m-%d").to_string()
}

async fn receive(shop: &Shop<'_>, cell: usize, quantity: i64, lot: Option<Value>) -> Result<Value> {
    let mut line =
        json!({ "barcode": shop.products[0]["barcodes"][0], "cell": format!("A-{cell:02}"), "quantity": quantity });
    if let Some(lot) = lot {
        line["lot"] = lot;
    }
    let number = format!("ПР-{}", shared::ids::JobId::new());
    let answer = shop.client.ask(
        Method::POST,
        "/inventory/receipts",
        Some(json!({ "warehouseId": shop.warehouse, "number": number, "lines": [line] })),
    );
    Ok(answer.await?.body)
}

/// Cells and lots of the first product with what is reserved there.
async fn reserved(shop: &Shop<'_>) -> Result<Vec<(String, String, i64)>> {
    let product = text(&shop.products[0], "id")?;
    let balances = shop.client.all(&format!("/inventory?productId={product}")).await?;
    let mut seen: Vec<_> = balances
        .iter()
        .filter(|row| row["reserved"] != 0)
        .map(|row| {
            let word = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
            (word("cell"), word("lot"), row["reserved"].as_i64().unwrap_or_default())
        })
        .collect();
    seen.sort();
    Ok(seen)
}

async fn strategy(shop: &Shop<'_>, strategy: &str) -> Result<()> {
    let enterprise = text(&shop.client.get("/users/me").await?, "enterpriseId")?;
    let settings =
        json!({ "language": "ru", "labelWidthMm": 58, "labelHeightMm": 40, "reservationStrategy": strategy });
    shop.client.patch(&format!("/enterprises/{enterprise}"), json!({ "settings": settings })).await.map(|_| ())
}

#[tokio::test]
async fn each_lot_has_its_own_balance_and_one_code_has_one_last_day() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (soon, late) = (day(&app, 10), day(&app, 20));
    receive(&shop, 1, 2, Some(json!({ "code": "П-1", "expiresOn": soon }))).await?;
    receive(&shop, 1, 3, Some(json!({ "expiresOn": late }))).await?;
    receive(&shop, 1, 4, None).await?;
    receive(&shop, 1, 1, Some(json!({ "code": "П-1" }))).await?;
    let product = text(&shop.products[0], "id")?;
    let balances = shop.client.all(&format!("/inventory?productId={product}")).await?;
    let mut seen: Vec<_> = balances
        .iter()
        .map(|row| {
            (
                row["lot"].as_str().unwrap_or("-"),
                row["expiresOn"].as_str().unwrap_or("-"),
                row["onHand"].as_i64().unwrap_or(0),
            )
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [("-", "-", 4), (late.as_str(), late.as_str(), 3), ("П-1", soon.as_str(), 3)]);
    let nameless = balances.iter().find(|row| row["lot"].is_null()).context("a lot without a code")?;
    assert_eq!(nameless["lotId"], product);

    let other = receive(&shop, 1, 1, Some(json!({ "code": "П-1", "expiresOn": late }))).await?;
    assert_eq!(other["code"], "lot_expiry_differs");
    assert!(other["detail"].as_str().is_some_and(|words| words.contains(&soon)), "{other}");
    let nothing = receive(&shop, 1, 1, Some(json!({}))).await?;
    assert_eq!(nothing["field"], "lines.0.lot");
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn what_expires_first_goes_first_and_what_has_expired_goes_nowhere() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    receive(&shop, 1, 5, None).await?;
    receive(&shop, 2, 1, Some(json!({ "code": "поздняя", "expiresOn": day(&app, 2) }))).await?;
    receive(&shop, 3, 1, Some(json!({ "code": "ранняя", "expiresOn": day(&app, 1) }))).await?;
    shop.order(0)?;
    shop.sync("new_orders").await?;
    assert_eq!(reserved(&shop).await?, [("A-03".to_owned(), "ранняя".to_owned(), 1)]);
    app.clock.advance(chrono::Duration::days(3));
    let client = app.sign_in(&shop.email).await?;
    let shop = Shop { client, ..shop };
    shop.order(0)?;
    shop.sync("new_orders").await?;
    let seen = reserved(&shop).await?;
    assert_eq!(seen[0], ("A-01".to_owned(), String::new(), 1), "the late lot has expired by now: {seen:?}");
    Ok(())
}

#[tokio::test]
async fn a_strategy_decides_out_of_which_cells_orders_are_served() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    receive(&shop, 2, 1, Some(json!({ "code": "старая" }))).await?;
    app.clock.advance(chrono::Duration::minutes(1));
    receive(&shop, 1, 1, Some(json!({ "code": "новая", "expiresOn": day(&app, 5) }))).await?;
    receive(&shop, 3, 9, Some(json!({ "code": "большая" }))).await?;
    let line = json!([{ "barcode": shop.products[0]["barcodes"][0], "quantity": 1 }]);
    for (strategy_name, cell) in [("first_expired", "A-01"), ("first_in", "A-02"), ("pick_sequence", "A-01")] {
        strategy(&shop, strategy_name).await?;
        let kept = shop
            .client
            .post("/inventory/reservations", json!({ "warehouseId": shop.warehouse, "lines": line }))
            .await?;
        assert_eq!(reserved(&shop).await?[0].0, cell, "{strategy_name}");
        let ids = json!([kept["rows"][0]["parts"][0]["id"]]);
        let release = json!({ "warehouseId": shop.warehouse, "ids": ids });
        shop.client.post("/inventory/reservations/release", release).await?;
    }
    strategy(&shop, "fewest_cells").await?;
    let line = json!([{ "barcode": shop.products[0]["barcodes"][0], "quantity": 8 }]);
    shop.client.post("/inventory/reservations", json!({ "warehouseId": shop.warehouse, "lines": line })).await?;
    assert_eq!(reserved(&shop).await?, [("A-03".to_owned(), "большая".to_owned(), 8)]);
    Ok(())
}

#[tokio::test]
async fn a_picked_unit_keeps_its_lot_to_the_buyer() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    receive(&shop, 1, 1, Some(json!({ "code": "П-7", "expiresOn": day(&app, 9) }))).await?;
    let number = shop.order(0)?;
    shop.sync("new_orders").await?;
    let (request, lines) = shop.picking(&[number]).await?;
    shop.scan(&request, "cell", &text(&lines[0], "cell")?).await?;
    shop.scan(&request, "item", lines[0]["barcodes"][0].as_str().context("a barcode")?).await?;
    let supply = shop.supply(&request).await?;
    shop.deliver(&supply).await?;
    shop.seller.receive(number)?;
    shop.sync("order_statuses").await?;
    assert_eq!(shop.ledger(number).await?, ["pick", "ship", "deliver"]);
    let lots = app.count("SELECT count(DISTINCT lot_id) FROM stock_entries").await?;
    assert_eq!(lots, 1);
    assert_eq!(
        app.count("SELECT count(*) FROM stock_entries AS e JOIN lots AS l ON l.id = e.lot_id WHERE l.code = 'П-7'")
            .await?,
        4
    );
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn what_lay_in_the_cells_before_lots_lies_there_afterwards() -> Result<()> {
    let servers = Servers::start(Durability::Fast).await?;
    let database = format!("lots_{}", shared::ids::JobId::new().0.simple());
    servers.create_database(&database, None).await?;
    let mut owner = PgConnection::connect(&servers.database_url(Role::Migrate, &database)).await?;
    for migration in MIGRATOR.iter().filter(|migration| migration.version < LOTS) {
        sqlx::raw_sql(migration.sql.clone()).execute(&mut owner).await?;
    }
    let mut admin = PgConnection::connect(&servers.database_url(Role::Admin, &database)).await?;
    let ids: Vec<Uuid> = (0..6).map(|_| shared::ids::JobId::new().0).collect();
    let [enterprise, warehouse, cell, product, entry, reservation] = ids[..] else { unreachable!("six ids") };
    sqlx::query("SELECT set_config('app.enterprise_id', $1, false)")
        .bind(enterprise.to_string())
        .execute(&mut admin)
        .await?;
    let before = format!(
        "INSERT INTO enterprises (id, name, created_at) VALUES ('{enterprise}', 'Ромашка', now());
         INSERT INTO warehouses (enterprise_id, id, name, created_at) VALUES ('{enterprise}', '{warehouse}', 'Склад', now());
         INSERT INTO cells (enterprise_id, id, warehouse_id, code, purpose, pick_sequence, created_at)
         VALUES ('{enterprise}', '{cell}', '{warehouse}', 'A-01', 'storage', 1, now());
         INSERT INTO products (enterprise_id, id, sku, name, created_at, changed_at)
         VALUES ('{enterprise}', '{product}', 'А-1', 'Товар', now(), now());
         INSERT INTO stock_entries (enterprise_id, id, product_id, from_outside, to_cell_id, quantity, kind, actor, occurred_at)
         VALUES ('{enterprise}', '{entry}', '{product}', 'supplier', '{cell}', 7, 'receipt', 'user:1', '2026-01-02T03:04:05Z');
         SET session_replication_role = replica;
         INSERT INTO reservations (enterprise_id, id, order_id, product_id, cell_id, quantity, created_at)
         VALUES ('{enterprise}', '{reservation}', '{reservation}', '{product}', '{cell}', 2, now());
         UPDATE balances SET reserved = 2;
         SET session_replication_role = origin"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(before)).execute(&mut admin).await?;
    for migration in MIGRATOR.iter().filter(|migration| migration.version >= LOTS) {
        sqlx::raw_sql(migration.sql.clone()).execute(&mut owner).await?;
    }
    let (lot, on_hand, held, on_hold, since): (Uuid, i32, i32, i32, String) = sqlx::query_as(
        "SELECT lot_id, on_hand, reserved, on_hold, to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD') FROM balances",
    )
    .fetch_one(&mut admin)
    .await?;
    assert_eq!((lot, on_hand, held, on_hold, since.as_str()), (product, 7, 2, 0, "2026-01-02"));
    let same: bool = sqlx::query_scalar(
        "SELECT (SELECT lot_id FROM stock_entries) = (SELECT lot_id FROM reservations) AND (SELECT count(*) FROM lots) = 1",
    )
    .fetch_one(&mut admin)
    .await?;
    assert!(same);
    let place: String = sqlx::query_scalar("SELECT ctid::text FROM stock_entries").fetch_one(&mut admin).await?;
    assert_eq!(place, "(0,1)", "the ledger was written once, and left nothing dead behind");
    // The program of before names no lot: it means the one without a code.
    let old = format!(
        "INSERT INTO stock_entries (enterprise_id, id, product_id, from_outside, to_cell_id, quantity, kind, actor, occurred_at)
         VALUES ('{enterprise}', '{warehouse}', '{product}', 'supplier', '{cell}', 1, 'receipt', 'user:1', now())"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(old)).execute(&mut admin).await?;
    let on_hand: i32 = sqlx::query_scalar("SELECT on_hand FROM balances").fetch_one(&mut admin).await?;
    assert_eq!(on_hand, 8);
    owner.close().await?;
    admin.close().await?;
    servers.drop_database(&database).await
}

/// Everything that the feed has behind a cursor, and where to go on.
async fn changes(shop: &Shop<'_>, after: Option<&str>) -> Result<(Vec<Value>, String)> {
    let after = after.map_or(String::new(), |after| format!("&after={after}"));
    let page = shop.client.get(&format!("/inventory/changes?limit=1000{after}")).await?;
    Ok((page["items"].as_array().context("a list")?.clone(), text(&page, "next")?))
}

#[tokio::test]
async fn a_lot_whose_last_day_is_over_is_available_nowhere_and_the_feed_says_so() -> Result<()> {
    let app = TestApp::start().await?;
    let mut shop = app.shop().await?;
    receive(&shop, 1, 5, Some(json!({ "code": "П-1", "expiresOn": day(&app, 1) }))).await?;
    receive(&shop, 2, 2, None).await?;
    let product = text(&shop.products[0], "id")?;
    let sku = text(&shop.products[0], "sku")?;
    shop.client.patch(&format!("/products/{product}"), json!({ "minStock": 4 })).await?;
    let theirs = shop.client.get("/wildberries/warehouses").await?["items"][0]["wbWarehouseId"].clone();
    let path = format!("/wildberries/warehouses/{theirs}");
    shop.client.post(&format!("{path}/statements"), json!({})).await?;
    let (_, cursor) = changes(&shop, None).await?;
    let lists = ["/products?belowMinimum=true".to_owned(), format!("/products?belowMinimum=true&text={sku}")];
    for list in &lists {
        assert!(shop.client.all(list).await?.is_empty(), "{list}: seven are available");
    }

    app.clock.advance(chrono::Duration::days(2));
    shop.client = app.sign_in(&shop.email).await?;
    for by in ["lot", "cell", "warehouse", "product"] {
        let rows = shop.client.all(&format!("/inventory?by={by}&productId={product}")).await?;
        let sum = |field: &str| rows.iter().filter_map(|row| row[field].as_i64()).sum::<i64>();
        assert_eq!((sum("onHand"), sum("available")), (7, 2), "{by}");
    }
    for list in &lists {
        let found = shop.client.all(list).await?;
        assert_eq!(found.iter().map(|row| &row["id"]).collect::<Vec<_>>(), [&json!(product)], "{list}");
    }
    let rows = shop.client.all(&format!("{path}/publishable")).await?;
    let row = rows.iter().find(|row| row["productId"] == product.as_str()).context("the product")?;
    assert_eq!((&row["available"], &row["publishable"], &row["stated"]), (&json!(2), &json!(2), &json!(7)));
    shop.client.post(&format!("{path}/statements"), json!({})).await?;
    assert_eq!(shop.client.all(&format!("{path}/stated?since=1")).await?[0]["quantity"], 2);
    let (told, cursor) = changes(&shop, Some(&cursor)).await?;
    assert_eq!(
        told.iter().map(|row| (&row["lot"], &row["available"])).collect::<Vec<_>>(),
        [(&json!("П-1"), &json!(0))]
    );
    assert!(changes(&shop, Some(&cursor)).await?.0.is_empty(), "once");

    for _ in 0..3 {
        shop.order(0)?;
    }
    shop.sync("new_orders").await?;
    assert_eq!(reserved(&shop).await?, [("A-02".to_owned(), String::new(), 2)], "as many as were available");
    Ok(())
}
