//! Sync runs: what they count, where they go on, and what does not stop them.

use anyhow::Result;
use it::TestApp;
use serde_json::{Value, json};
use stack::client::text;
use wildberries::{Fault, FaultKind};

fn counted(run: &Value) -> [i64; 4] {
    ["seen", "added", "changed", "failed"].map(|counter| run[counter].as_i64().expect("a counter"))
}

#[tokio::test]
async fn a_run_counts_what_it_read_added_and_changed() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    assert_eq!(counted(&shop.sync("catalogue").await?), [12, 0, 0, 0], "nothing is new");
    let card = shop.seller.cards()[0].nm_id;
    assert!(shop.seller.change_card(card, Some("Кружка с котом".to_owned())));
    let run = shop.sync("catalogue").await?;
    assert_eq!(run["status"], "succeeded");
    assert!(run["changed"].as_i64() >= Some(1), "{run}");
    let there = shop.client.all("/products").await?;
    assert!(there.iter().any(|product| product["name"].as_str().is_some_and(|name| name.contains("Кружка с котом"))));
    shop.receive(0, 1, 1).await?;
    shop.order(0)?;
    assert_eq!(counted(&shop.sync("new_orders").await?), [1, 1, 0, 0]);
    Ok(())
}

#[tokio::test]
async fn a_run_that_broke_off_goes_on_behind_its_last_page() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let seller = app.simulator.shop(wildberries::Shop { cards: 250, warehouses: 1, marked: 0, ..Default::default() });
    let token = seller.token(wildberries::TokenKind::Personal, wildberries::ALL_CATEGORIES);
    let account = client.post("/wildberries/accounts", json!({ "name": "Кабинет", "token": token })).await?;
    let run = client.post("/sync-runs", json!({ "accountId": account["id"], "kind": "catalogue" })).await?;
    let path = format!("/sync-runs/{}", text(&run, "id")?);
    // The first page is kept; the second fails for as long as the client tries within one run.
    app.simulator.fault(Fault::once("/cards/list", FaultKind::ExtraFields));
    app.simulator.fault(Fault::once("/cards/list", FaultKind::TooMany { retry: 300 }));
    app.run_jobs().await?;
    let broken = client.get(&path).await?;
    assert_eq!((broken["status"].as_str(), broken["seen"].as_i64()), (Some("running"), Some(100)), "{broken}");
    app.later(301).await?;
    let ended = client.get(&path).await?;
    assert_eq!((ended["status"].as_str(), ended["seen"].as_i64()), (Some("succeeded"), Some(250)), "{ended}");
    assert_eq!(app.count("SELECT count(DISTINCT nm_id) FROM products").await?, 250);
    Ok(())
}

#[tokio::test]
async fn a_second_run_of_a_kind_is_refused_while_the_first_is_under_way() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let body = json!({ "accountId": shop.account, "kind": "new_orders" });
    shop.client.post("/sync-runs", body.clone()).await?;
    shop.client.refused("/sync-runs", body.clone(), "sync_already_running").await?;
    app.run_jobs().await?;
    shop.client.post("/sync-runs", body).await?;
    app.run_jobs().await?;
    Ok(())
}

#[tokio::test]
async fn an_answer_that_ends_in_the_middle_is_asked_for_again() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 1).await?;
    let number = shop.order(0)?;
    app.simulator.fault(Fault::once("/orders/new", FaultKind::Truncate));
    shop.sync("new_orders").await?;
    app.later(600).await?;
    assert_eq!(shop.our(number).await?["status"], "reserved");
    Ok(())
}

#[tokio::test]
async fn a_blocked_account_is_not_called_until_its_token_is_replaced() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    app.simulator.fault(Fault::once("/orders/new", FaultKind::Status { status: 401 }));
    assert_eq!(shop.sync("new_orders").await?["status"], "failed");
    app.simulator.clear_exchanges();
    let run = shop.sync("new_orders").await?;
    assert_eq!((run["status"].as_str(), run["problemCode"].as_str()), (Some("failed"), Some("account_blocked")));
    assert!(app.simulator.exchanges().is_empty());
    let token = shop.seller.token(wildberries::TokenKind::Personal, wildberries::ALL_CATEGORIES);
    shop.client.put(&format!("/wildberries/accounts/{}/token", shop.account), json!({ "token": token })).await?;
    assert_eq!(shop.sync("new_orders").await?["status"], "succeeded");
    Ok(())
}

#[tokio::test]
async fn a_timer_fires_once_and_its_look_is_shown_only_when_it_found_something() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let runs = "SELECT count(*) FROM sync_runs WHERE kind = 'new_orders'";
    let registry = worker::registry();
    worker::timers::fire_due(&app.ctx.db, &registry).await?;
    worker::timers::fire_due(&app.ctx.db, &registry).await?;
    let promised = app.count("SELECT count(*) FROM jobs WHERE kind = 'sync.pull_new_orders'").await?;
    assert_eq!(promised, 1);
    app.run_jobs().await?;
    assert_eq!(app.count(runs).await?, 0, "nothing was found");
    shop.order(0)?;
    app.clock.advance(chrono::Duration::minutes(1));
    worker::timers::fire_due(&app.ctx.db, &registry).await?;
    app.run_jobs().await?;
    assert_eq!(app.count(runs).await?, 1);
    Ok(())
}
