//! What the ledger holds while it works: little, and in one order, so that nobody waits in a ring.

use anyhow::{Context, Result, ensure};
use it::engine::SOON;
use it::people::enterprise_of;
use it::{Shop, TestApp};
use serde_json::{Value, json};
use shared::access::Actor;
use shared::ids::{EnterpriseId, ProductId};
use shared::inventory;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use stack::client::text;
use stack::wait;
use uuid::Uuid;

/// Waits until somebody waits for a lock.
async fn waited_for(app: &TestApp) -> Result<()> {
    wait::until_ok("somebody waits", SOON, async || {
        let waiting = app
            .count(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .await?;
        ensure!(waiting > 0, "nobody waits");
        Ok(())
    })
    .await
}

/// Holds the first of two rows, lets an act wait for it, and looks that it does not hold the other one meanwhile.
async fn comes_to_the_first_before_the_other(
    shop: &Shop<'_>,
    table: &str,
    (first, other): (&str, &str),
    (path, body): (&str, Value),
) -> Result<()> {
    let mut admin = shop.app.admin().await?;
    let mut held = admin.begin().await?;
    let lock = |id: &str| AssertSqlSafe(format!("SELECT FROM {table} WHERE id = '{id}' FOR UPDATE NOWAIT"));
    sqlx::query(lock(first)).execute(&mut *held).await?;
    let looking = async {
        waited_for(shop.app).await?;
        sqlx::query(lock(other)).execute(&mut *held).await.with_context(|| format!("{path} holds the other one"))?;
        held.rollback().await?;
        Ok(())
    };
    futures::try_join!(shop.client.post(path, body.clone()), looking).with_context(|| format!("{path} {body}"))?;
    Ok(())
}

#[tokio::test]
async fn cells_are_held_in_the_order_of_their_ids_whichever_way_goods_go() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let mut cells = Vec::new();
    for cell in shop.client.all(&format!("/warehouses/{}/cells", shop.warehouse)).await? {
        cells.push((text(&cell, "id")?, text(&cell, "code")?));
    }
    cells.retain(|(_, code)| code.starts_with("A-"));
    cells.sort();
    let ((low, to), (high, from)) = (cells[0].clone(), cells[3].clone());
    for cell in 1..=4 {
        shop.receive(0, cell, 9).await?;
    }
    let product = shop.products[0]["id"].clone();
    let moved = json!({ "productId": product, "from": from, "to": to, "quantity": 1 });
    let kept = |cell: &str| json!({ "productId": product, "cell": cell, "quantity": 1, "reason": "damage" });
    let reserved = |cell: &str| json!({ "productId": product, "cell": cell, "quantity": 1 });
    let batch = |mode: &str, lines: Value| json!({ "warehouseId": shop.warehouse, "mode": mode, "lines": lines });
    for (path, body) in [
        ("/inventory/moves", batch("all_or_nothing", json!([moved]))),
        ("/inventory/moves", batch("each_row", json!([moved]))),
        ("/inventory/holds", batch("all_or_nothing", json!([kept(&from), kept(&to)]))),
        ("/inventory/reservations", batch("all_or_nothing", json!([reserved(&from), reserved(&to)]))),
    ] {
        comes_to_the_first_before_the_other(&shop, "cells", (&low, &high), (path, body)).await?;
    }
    // A cell with limits is held against everybody else who puts something there, and still not before the others.
    shop.client.patch(&format!("/cells/{high}"), json!({ "capacityUnits": 1000 })).await?;
    let back = json!({ "productId": product, "from": to, "to": from, "quantity": 1 });
    for mode in ["all_or_nothing", "each_row"] {
        let act = ("/inventory/moves", batch(mode, json!([back])));
        comes_to_the_first_before_the_other(&shop, "cells", (&low, &high), act).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_scan_holds_the_orders_of_its_request_in_the_order_of_their_ids() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let numbers = shop.reserved(4).await?;
    let (request, lines) = shop.picking(&numbers).await?;
    let orders: Vec<String> = lines.iter().map(|line| text(line, "orderId")).collect::<Result<_>>()?;
    let low = orders.iter().min().context("orders")?;
    ensure!(*low != orders[0], "the walk does not begin with the oldest order: {orders:?}");
    let scan = json!({ "kind": "cell", "code": lines[0]["cell"] });
    let act = (format!("/requests/{request}/scans"), scan);
    comes_to_the_first_before_the_other(&shop, "orders", (low, &orders[0]), (&act.0, act.1)).await
}

/// Takes the line of a product if nobody else has it.
async fn takes_line(connection: &mut PgConnection, enterprise: &str, product: Uuid) -> Result<bool> {
    let line = i32::try_from(product.as_u64_pair().1 % 1024)?;
    Ok(sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtext($1), $2)")
        .bind(enterprise)
        .bind(line)
        .fetch_one(connection)
        .await?)
}

#[tokio::test]
async fn who_links_a_warehouse_anew_lines_up_once_for_all_that_it_serves() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let enterprise = enterprise_of(&shop.client).await?;
    let mut products = Vec::new();
    for (number, product) in shop.products.iter().enumerate().take(8) {
        let id: Uuid = text(product, "id")?.parse()?;
        products.push((id.as_u64_pair().1 % 1024, number, id));
    }
    products.sort_unstable();
    let ((first, stray, low), (last, waiting, high)) = (products[0], products[7]);
    ensure!(first < last, "two lines");
    shop.order(waiting)?;
    let stray = shop.order(stray)?;
    shop.sync("new_orders").await?;
    // One waits in the warehouse that is linked anew, the other belongs nowhere yet.
    sqlx::query("UPDATE orders SET status = 'new', warehouse_id = NULL, wb_warehouse_id = 1 WHERE wb_order_id = $1")
        .bind(stray)
        .execute(&mut app.admin_in(&enterprise).await?)
        .await?;
    let second = text(&shop.client.post("/warehouses", json!({ "name": "Второй" })).await?, "id")?;
    let theirs = shop.client.get("/wildberries/warehouses").await?["items"][0]["wbWarehouseId"].clone();
    let path = format!("/wildberries/accounts/{}/warehouses/{theirs}", shop.account);

    let mut admin = app.admin().await?;
    let mut held = admin.begin().await?;
    ensure!(takes_line(&mut held, &enterprise, low).await?, "nobody stands there");
    let looking = async {
        waited_for(&app).await?;
        ensure!(takes_line(&mut held, &enterprise, high).await?, "it stands in a later line already");
        held.rollback().await?;
        Ok(())
    };
    futures::try_join!(shop.client.put(&path, json!({ "warehouseId": second })), looking)?;
    Ok(())
}

#[tokio::test]
async fn a_transaction_of_any_size_holds_few_locks() -> Result<()> {
    let app = TestApp::start().await?;
    let enterprise: Uuid = enterprise_of(&app.enterprise("Ромашка").await?).await?.parse()?;
    let products: Vec<_> = (0..20_000).map(|_| ProductId::new()).collect();
    let mut tx = app.api_db().begin(&Actor::job(EnterpriseId(enterprise), "test")).await?;
    inventory::line_up(&mut tx, &products).await?;
    let locks = app
        .count(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await?;
    assert!((1..=1024).contains(&locks), "{locks} locks");
    tx.commit().await?;
    Ok(())
}
