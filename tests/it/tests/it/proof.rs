//! The ledger proves itself: whatever is wrong is found by the next check and named with its entries, and what is only just
//! being written is not wrong.

use anyhow::{Context, Result};
use futures::future::try_join_all;
use it::{Reach, Shop, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use shared::access::Actor;
use shared::ids::EnterpriseId;
use shared::inventory::{self, ProveStock, Scope, Step};
use sqlx::AssertSqlSafe;
use stack::Client;
use stack::client::text;

const HOUR: i64 = 3600;

async fn check(app: &TestApp) -> Result<()> {
    app.promise(&ProveStock {}).await?;
    app.run_jobs().await.map(|_| ())
}

/// As nobody in the product may: with the rights of the owner of everything.
async fn corrupted(app: &TestApp, statement: &str) -> Result<()> {
    let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut app.admin().await?).await?;
    anyhow::ensure!(done.rows_affected() == 1, "{statement} met {} rows", done.rows_affected());
    Ok(())
}

async fn proof(client: &Client) -> Result<Value> {
    client.get("/inventory/consistency").await
}

async fn alarms(client: &Client, query: &str) -> Result<Vec<Value>> {
    client.all(&format!("/alarms?kind=stock_difference{query}")).await
}

/// As a monitor sees it that has not asked this process before.
async fn stock(app: &TestApp) -> Result<Value> {
    let process = app.replica().await?;
    let resources = Client::new(&process.url)?.ask(Method::GET, "/health/resources", None).await?;
    let checks = resources.body["checks"].as_array().context("checks")?;
    checks.iter().find(|check| check["name"] == "stock").cloned().context("stock is looked at")
}

/// Orders that are reserved and picked, so that every kind of row is there.
async fn worked(shop: &Shop<'_>) -> Result<()> {
    shop.picked(2).await?;
    shop.reserved(2).await.map(|_| ())
}

#[tokio::test]
async fn a_corrupted_balance_is_found_by_the_next_partial_check_and_named_with_its_entries() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    worked(&shop).await?;
    shop.receive(9, 2, 5).await?;
    check(&app).await?;
    let whole = proof(&shop.client).await?;
    assert_eq!((&whole["differences"], &whole["recorded"]), (&json!([]), &json!([])));
    assert!(whole["lastPart"]["balances"].as_i64() > Some(3) && whole["lastWhole"]["differences"] == 0, "{whole}");

    let product = text(&shop.products[9], "id")?;
    corrupted(&app, &format!("UPDATE balances SET on_hand = 7 WHERE product_id = '{product}'")).await?;
    check(&app).await?;
    let found = proof(&shop.client).await?;
    assert_eq!(found["lastPart"]["differences"], 1, "the part found it; the whole is not due before night");
    assert_eq!(found["lastWhole"]["differences"], 0);
    let recorded = found["recorded"].as_array().context("a list")?;
    assert_eq!(recorded.len(), 1, "{found}");
    let difference = &recorded[0]["difference"];
    assert_eq!(difference["productId"], product.as_str());
    assert_eq!((&difference["onHand"], &difference["entries"]), (&json!(7), &json!(5)));
    let latest = difference["latest"].as_array().context("entries")?;
    assert_eq!(latest.len(), 1);
    assert_eq!((&latest[0]["kind"], &latest[0]["change"]), (&json!("receipt"), &json!(5)));
    let entries = shop.client.all(&format!("/inventory/entries?productId={product}")).await?;
    assert_eq!(latest[0]["id"], entries[0]["id"]);
    assert_eq!(&found["differences"][0], difference, "and it is wrong now, too");
    Ok(())
}

#[tokio::test]
async fn a_difference_is_told_as_one_alarm_until_it_agrees_again() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let stranger = app.enterprise("Василёк").await?;
    shop.receive(0, 1, 5).await?;
    shop.receive(1, 1, 5).await?;
    check(&app).await?;
    assert_eq!(stock(&app).await?, json!({ "name": "stock", "state": "ok" }));
    corrupted(&app, "UPDATE balances SET on_hand = 4 WHERE ctid = (SELECT min(ctid) FROM balances)").await?;
    check(&app).await?;
    check(&app).await?;
    let told = alarms(&shop.client, "&open=true").await?;
    assert_eq!(told.len(), 1, "once, however often it is seen: {told:?}");
    let detail = text(&told[0], "detail")?;
    assert!(detail.contains("A-01") && detail.contains("4 on hand") && detail.contains("sum to 5"), "{detail}");
    assert!(told[0].get("accountId").is_none());
    assert_eq!(alarms(&stranger, "").await?, Vec::<Value>::new());
    assert_eq!(stock(&app).await?["state"], "crit");
    assert_eq!(app.count("SELECT value FROM gauges WHERE name = 'stock_differences'").await?, 1);

    // Somebody has seen it; another one is news.
    shop.client.post(&format!("/alarms/{}/acknowledge", text(&told[0], "id")?), json!({})).await?;
    check(&app).await?;
    assert_eq!(alarms(&shop.client, "&open=true").await?.len(), 0);
    corrupted(&app, "UPDATE balances SET on_hand = 9 WHERE on_hand = 5").await?;
    app.clock.advance(chrono::Duration::minutes(1));
    check(&app).await?;
    let detail = text(&alarms(&shop.client, "&open=true").await?[0], "detail")?;
    assert!(detail.contains("9 on hand") && detail.contains("1 more"), "{detail}");

    sqlx::query("UPDATE balances SET on_hand = 5").execute(&mut app.admin().await?).await?;
    check(&app).await?;
    assert_eq!(alarms(&shop.client, "&open=true").await?.len(), 0);
    assert_eq!(alarms(&shop.client, "").await?.len(), 2, "they stay listed");
    assert_eq!(proof(&shop.client).await?["recorded"], json!([]));
    assert_eq!(app.count("SELECT value FROM gauges WHERE name = 'stock_differences'").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_reservation_that_is_not_counted_and_a_balance_that_is_gone_are_found_too() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.reserved(1).await?;
    shop.receive(5, 3, 2).await?;
    check(&app).await?;
    corrupted(&app, "UPDATE balances SET reserved = 0 WHERE reserved = 1").await?;
    corrupted(&app, "DELETE FROM balances WHERE on_hand = 2").await?;
    check(&app).await?;
    let recorded = proof(&shop.client).await?["recorded"].as_array().context("a list")?.clone();
    let mut seen: Vec<_> = recorded
        .iter()
        .map(|one| ["onHand", "entries", "reserved", "reservations"].map(|name| one["difference"][name].as_i64()))
        .collect();
    seen.sort();
    assert_eq!(seen, [[0, 2, 0, 0].map(Some), [1, 1, 0, 1].map(Some)]);
    let held = recorded.iter().find_map(|one| one["difference"]["held"].get(0)).context("what is held")?;
    assert_eq!(held["quantity"], 1);
    Ok(())
}

#[tokio::test]
async fn everything_is_recomputed_once_a_night_where_the_enterprise_is() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 5).await?;
    let before = app.clock.now().timestamp();
    check(&app).await?;
    // Not over the API: whoever waits for a night has to sign in anew.
    let began =
        || app.count("SELECT floor(extract(epoch FROM last_began_at))::bigint FROM stock_proofs WHERE scope = 'whole'");
    let first = began().await?;
    assert!(
        (before..=app.clock.now().timestamp()).contains(&first),
        "an enterprise that was never proved is proved at once"
    );
    let mut nights = 0;
    for hour in 1..=48 {
        app.clock.advance(chrono::Duration::seconds(HOUR));
        let before = began().await?;
        check(&app).await?;
        if began().await? != before {
            nights += 1;
            let moscow = (app.clock.now() + chrono::Duration::hours(3)).format("%H").to_string();
            assert_eq!(moscow, "03", "after {hour} hours");
        }
    }
    assert_eq!(nights, 2);
    Ok(())
}

#[tokio::test]
async fn a_walk_goes_on_where_it_stopped_and_sees_everything_once() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    for product in 0..5 {
        shop.receive(product, 1 + product % 4, 3).await?;
    }
    let enterprise: uuid::Uuid = text(&shop.client.get("/users/me").await?, "enterpriseId")?.parse()?;
    let actor = Actor::job(EnterpriseId(enterprise), "inventory.prove_stock");
    let mut steps = 0;
    loop {
        let mut tx = app.ctx.db.begin(&actor).await?;
        let step = inventory::prove_next(&mut tx, Scope::Whole, 2).await?;
        tx.commit().await?;
        steps += 1;
        if step == Step::Ended {
            break;
        }
    }
    assert_eq!(steps, 3);
    let whole = proof(&shop.client).await?["lastWhole"].clone();
    assert_eq!((&whole["balances"], &whole["entries"]), (&json!(5), &json!(5)));
    Ok(())
}

#[tokio::test]
async fn what_is_being_written_meanwhile_is_no_difference() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let writing = async {
        try_join_all((0..4).map(|writer| {
            let shop = &shop;
            async move {
                for turn in 0..25 {
                    shop.receive((writer + turn) % 3, 1 + turn % 2, 2).await?;
                }
                anyhow::Ok(())
            }
        }))
        .await
        .map(|_| ())
    };
    let checking = async {
        for _ in 0..25 {
            check(&app).await?;
            let proof = proof(&shop.client).await?;
            assert_eq!((&proof["differences"], &proof["recorded"]), (&json!([]), &json!([])), "a false alarm");
        }
        anyhow::Ok(())
    };
    futures::try_join!(writing, checking)?;
    check(&app).await?;
    assert_eq!(app.count("SELECT count(*) FROM stock_differences").await?, 0);
    assert_eq!(app.count("SELECT count(*) FROM balances WHERE checked_at IS NULL").await?, 0, "and nothing waits");
    assert_eq!(app.count("SELECT sum(on_hand)::bigint FROM balances").await?, 200);
    Ok(())
}

#[tokio::test]
async fn who_holds_a_balance_is_not_waited_for() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 5).await?;
    let mut admin = app.admin().await?;
    let mut held = sqlx::Connection::begin(&mut admin).await?;
    sqlx::query("SELECT FROM balances FOR UPDATE").execute(&mut *held).await?;
    check(&app).await?;
    assert_eq!(app.count("SELECT count(*) FROM balances WHERE checked_at IS NULL").await?, 1);
    held.rollback().await?;
    check(&app).await?;
    assert_eq!(app.count("SELECT count(*) FROM balances WHERE checked_at IS NULL").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_difference_out_of_reach_is_not_named() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let second = shop.second_warehouse().await?;
    shop.receive(0, 1, 5).await?;
    second.receive(0, 1, 3).await?;
    corrupted(&app, "UPDATE balances SET on_hand = 4 WHERE on_hand = 3").await?;
    check(&app).await?;
    let here = app.person(&shop.client, "storekeeper", Reach::Warehouses(&[&shop.warehouse])).await?.client;
    let there = app.person(&shop.client, "storekeeper", Reach::Warehouses(&[&second.warehouse])).await?.client;
    let (hidden, shown) = (proof(&here).await?, proof(&there).await?);
    assert_eq!((&hidden["differences"], &hidden["recorded"]), (&json!([]), &json!([])));
    assert_eq!(
        (shown["differences"].as_array().map(Vec::len), shown["recorded"].as_array().map(Vec::len)),
        (Some(1), Some(1))
    );
    Ok(())
}

#[tokio::test]
async fn an_enterprise_that_cannot_be_proved_hinders_no_other() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let stranger = app.enterprise("Василёк").await?;
    corrupted(&app, "UPDATE enterprises SET time_zone = 'Nowhere/At_All' WHERE name = 'Ромашка'").await?;
    check(&app).await?;
    assert!(proof(&shop.client).await?.get("lastWhole").is_none());
    assert!(proof(&stranger).await?["lastWhole"]["endedAt"].is_string(), "the other one was");
    assert_eq!(app.count("SELECT count(*) FROM gauges WHERE name = 'stock_proved_at' AND value > 0").await?, 1);
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'inventory.prove_stock' AND attempts > 0").await?, 1);
    Ok(())
}

#[tokio::test]
async fn what_a_run_found_among_the_changed_is_told_with_its_part() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    for product in 0..3 {
        shop.receive(product, 1, 5).await?;
    }
    corrupted(
        &app,
        "UPDATE balances SET on_hand = 4
         WHERE (cell_id, product_id) = (SELECT cell_id, product_id FROM balances ORDER BY cell_id DESC, product_id DESC LIMIT 1)",
    )
    .await?;
    let enterprise: uuid::Uuid = text(&shop.client.get("/users/me").await?, "enterpriseId")?.parse()?;
    let mut tx = app.ctx.db.begin(&Actor::job(EnterpriseId(enterprise), "inventory.prove_stock")).await?;
    assert_eq!(inventory::prove_changed(&mut tx, 10).await?, Step::Ended);
    assert_eq!(inventory::prove_next(&mut tx, Scope::Part, 1).await?, Step::More);
    tx.commit().await?;
    let part = proof(&shop.client).await?["lastPart"].clone();
    assert_eq!((&part["balances"], &part["differences"]), (&json!(4), &json!(1)));
    Ok(())
}

#[tokio::test]
async fn what_was_never_proved_is_late_like_everything_else() -> Result<()> {
    let app = TestApp::start().await?;
    app.enterprise("Ромашка").await?;
    assert_eq!(stock(&app).await?["state"], "ok", "there was no time for it yet");
    corrupted(&app, "UPDATE enterprises SET created_at = created_at - interval '3 days'").await?;
    assert_eq!(stock(&app).await?["state"], "warn");
    check(&app).await?;
    assert_eq!(stock(&app).await?["state"], "ok");
    Ok(())
}
