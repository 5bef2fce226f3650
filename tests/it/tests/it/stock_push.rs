//! Stock that is stated reaches Wildberries and is read back: what it ignores is told again, what has no answer is looked at,
//! what is missing is never zero, and nothing that a buyer has just bought comes back.

use anyhow::{Context, Result};
use it::{Shop, TestApp};
use serde_json::{Value, json};
use stack::client::text;
use wildberries::{BuyerAct, Fault, FaultKind, Mutation};

/// The seller's warehouse at Wildberries, to which stock is pushed from now on.
async fn pushing(shop: &Shop<'_>) -> Result<i64> {
    let warehouses = shop.client.get("/wildberries/warehouses").await?;
    let id = warehouses["items"][0]["wbWarehouseId"].as_i64().context("a number")?;
    let rule = json!({ "safety": 0, "pushes": true });
    assert_eq!(shop.client.put(&format!("/wildberries/warehouses/{id}/rule"), rule).await?["pushes"], true);
    settle(shop).await?;
    Ok(id)
}

/// Lets the workers do what is due, and what is due two seconds later.
async fn settle(shop: &Shop<'_>) -> Result<()> {
    shop.app.run_jobs().await?;
    for _ in 0..4 {
        shop.app.later(2).await?;
    }
    Ok(())
}

/// Asks for a push and lets the workers tell Wildberries; what it makes of it is not read back yet.
async fn tell(shop: &Shop<'_>) -> Result<String> {
    let run = shop.client.post("/sync-runs", json!({ "accountId": shop.account, "kind": "stock_push" })).await?;
    shop.app.run_jobs().await?;
    text(&run, "id")
}

/// State, units told and calls of the n-th product.
async fn pushed(shop: &Shop<'_>, warehouse: i64, product: usize) -> Result<(String, i64, i64)> {
    let rows = shop.client.all(&format!("/wildberries/warehouses/{warehouse}/pushed?limit=2")).await?;
    let row = rows.iter().find(|row| row["productId"] == shop.products[product]["id"]).context("it was told")?;
    assert_eq!(row["chrtId"], shop.size(product));
    Ok((text(row, "state")?, row["quantity"].as_i64().context("units")?, row["attempts"].as_i64().context("calls")?))
}

fn state(state: &str, quantity: i64, attempts: i64) -> (String, i64, i64) {
    (state.to_owned(), quantity, attempts)
}

/// How often Wildberries was told anything of stock.
fn told(app: &TestApp) -> usize {
    app.simulator
        .exchanges()
        .iter()
        .filter(|call| call.method == "PUT" && call.path.starts_with("/api/v3/stocks/"))
        .count()
}

/// What was said of single sizes in a run.
async fn said(shop: &Shop<'_>, run: &str) -> Result<Vec<(Value, Value)>> {
    let items = shop.client.all(&format!("/sync-runs/{run}/items?limit=1")).await?;
    Ok(items.iter().map(|item| (item["item"].clone(), item["outcome"].clone())).collect())
}

#[tokio::test]
async fn what_may_be_sold_is_told_read_back_and_told_again_only_when_it_differs() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let warehouse = pushing(&shop).await?;
    shop.receive(0, 1, 10).await?;
    shop.receive(1, 2, 4).await?;
    let run = tell(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 0).await?, state("sent", 10, 1));
    settle(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 0).await?, state("confirmed", 10, 0));
    assert_eq!((shop.seller.stock(warehouse, shop.size(0)), shop.seller.stock(warehouse, shop.size(1))), (10, 4));
    let run = shop.client.get(&format!("/sync-runs/{run}")).await?;
    assert_eq!((&run["status"], &run["changed"], &run["failed"]), (&json!("succeeded"), &json!(2), &json!(0)));
    let sent = pushed_at(&shop, warehouse, 1).await?;
    // A sale of the one tells of the one.
    shop.order(0)?;
    tell(&shop).await?;
    settle(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 0).await?, state("confirmed", 9, 0));
    assert_eq!(shop.seller.stock(warehouse, shop.size(0)), 9);
    assert_eq!(pushed_at(&shop, warehouse, 1).await?, sent, "nothing is new of the other");
    Ok(())
}

async fn pushed_at(shop: &Shop<'_>, warehouse: i64, product: usize) -> Result<Value> {
    let rows = shop.client.all(&format!("/wildberries/warehouses/{warehouse}/pushed")).await?;
    let row = rows.iter().find(|row| row["productId"] == shop.products[product]["id"]).context("it was told")?;
    Ok(row["sentAt"].clone())
}

#[tokio::test]
async fn what_wildberries_accepts_and_ignores_is_told_again_and_listed_as_repaired() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let warehouse = pushing(&shop).await?;
    shop.receive(0, 1, 10).await?;
    shop.receive(1, 1, 5).await?;
    shop.receive(2, 1, 3).await?;
    let run = tell(&shop).await?;
    // One size keeps an older amount, of another nothing is shown, as if it had never been told.
    shop.seller.set_stock(warehouse, shop.size(0), 2);
    shop.seller.set_stock(warehouse, shop.size(1), 0);
    settle(&shop).await?;
    for (product, units) in [(0, 10), (1, 5), (2, 3)] {
        assert_eq!(shop.seller.stock(warehouse, shop.size(product)), units);
        assert_eq!(pushed(&shop, warehouse, product).await?, state("confirmed", units, 0));
    }
    let mut said = said(&shop, &run).await?;
    said.sort_by_key(|(size, _)| size.to_string());
    let mut repaired = [0, 1].map(|product| (json!(shop.size(product).to_string()), json!("repaired")));
    repaired.sort_by_key(|(size, _)| size.to_string());
    assert_eq!(said, repaired);
    assert_eq!(shop.client.get(&format!("/sync-runs/{run}")).await?["status"], "succeeded");
    Ok(())
}

#[tokio::test]
async fn what_was_bought_since_the_statement_does_not_come_back_even_where_the_order_cannot_be_read() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let warehouse = pushing(&shop).await?;
    shop.receive(0, 1, 10).await?;
    shop.receive(1, 1, 6).await?;
    // It is not there when orders are imported, and there at the last look.
    shop.order(0)?;
    app.simulator.fault(Fault::once("/orders/new", FaultKind::Missing { count: 1 }));
    tell(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 0).await?, state("sent", 9, 1));
    settle(&shop).await?;
    tell(&shop).await?;
    settle(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 0).await?, state("confirmed", 9, 0), "once, not twice");

    let before = told(&app);
    shop.receive(1, 1, 2).await?;
    shop.order(1)?;
    let change = Mutation::Became(json!("вчера"));
    let unreadable = FaultKind::Mutated { at: "/orders/1/createdAt".to_owned(), change };
    app.simulator.fault(Fault::once("/orders/new", unreadable).times(100));
    tell(&shop).await?;
    settle(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 1).await?, state("confirmed", 7, 0), "eight less one that nobody could read");
    assert_eq!(told(&app) - before, 1, "and not again and again");
    // As soon as it can be read it is reserved, and nothing is short.
    app.simulator.clear_faults();
    tell(&shop).await?;
    settle(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 1).await?, state("confirmed", 7, 0));
    assert_eq!(shop.seller.stock(warehouse, shop.size(1)), 7);
    Ok(())
}

#[tokio::test]
async fn what_was_told_short_is_found_by_the_comparison_with_what_is_stated() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let warehouse = pushing(&shop).await?;
    shop.receive(0, 1, 10).await?;
    let number = shop.order(0)?;
    app.simulator.fault(Fault::once("/orders/new", FaultKind::Missing { count: 1 }));
    tell(&shop).await?;
    // The buyer thinks better of it before anybody here has heard of it.
    shop.seller.buyer(number, BuyerAct::Decline)?;
    settle(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 0).await?, state("confirmed", 9, 0));
    shop.sync("stocks").await?;
    settle(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 0).await?, state("confirmed", 10, 0));
    assert_eq!(shop.seller.stock(warehouse, shop.size(0)), 10);
    Ok(())
}

#[tokio::test]
async fn less_than_was_told_is_right_where_so_much_was_bought_since() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let warehouse = pushing(&shop).await?;
    shop.receive(0, 1, 10).await?;
    tell(&shop).await?;
    shop.order(0)?;
    shop.sync("new_orders").await?;
    assert_eq!(shop.seller.stock(warehouse, shop.size(0)), 9);
    settle(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 0).await?, state("confirmed", 10, 0));
    assert_eq!(shop.seller.stock(warehouse, shop.size(0)), 9);
    tell(&shop).await?;
    settle(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 0).await?, state("confirmed", 9, 0));
    assert_eq!(shop.seller.stock(warehouse, shop.size(0)), 9);
    Ok(())
}

#[tokio::test]
async fn a_call_without_an_answer_is_looked_at_before_anything_is_told_again() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let warehouse = pushing(&shop).await?;
    for (kind, calls) in [(FaultKind::DropAfterCommit, 1), (FaultKind::TimeoutAfterCommit, 1), (FaultKind::Drop, 2)] {
        let before = told(&app);
        shop.receive(0, 1, 3).await?;
        app.simulator.fault(Fault { method: Some("PUT".to_owned()), ..Fault::once("/api/v3/stocks/", kind.clone()) });
        tell(&shop).await?;
        app.later(60).await?;
        settle(&shop).await?;
        assert_eq!(told(&app) - before, calls, "{kind:?}");
        let (state, quantity, _) = pushed(&shop, warehouse, 0).await?;
        assert_eq!((state.as_str(), quantity), ("confirmed", shop.seller.stock(warehouse, shop.size(0))));
    }
    assert_eq!(shop.seller.stock(warehouse, shop.size(0)), 9);
    Ok(())
}

#[tokio::test]
async fn sizes_that_are_refused_by_name_hinder_no_others_and_a_busy_warehouse_is_told_later() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let warehouse = pushing(&shop).await?;
    shop.receive(0, 1, 3).await?;
    shop.receive(1, 1, 4).await?;
    // A size that Wildberries does not know, as of a card that it has just made.
    let mut admin = app.admin().await?;
    let of_first = sqlx::query("UPDATE products SET chrt_id = 4242 WHERE chrt_id = $1").bind(shop.size(0));
    assert_eq!(of_first.execute(&mut admin).await?.rows_affected(), 1);
    tell(&shop).await?;
    settle(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 1).await?.0, "confirmed");
    assert_eq!(shop.seller.stock(warehouse, shop.size(1)), 4);
    let refused = shop.client.all(&format!("/wildberries/warehouses/{warehouse}/pushed?state=refused")).await?;
    assert_eq!(refused.len(), 1);
    assert_eq!((&refused[0]["chrtId"], &refused[0]["code"]), (&json!(4242), &json!("NotFound")));

    assert!(shop.seller.set_processing(warehouse, true));
    shop.receive(1, 1, 2).await?;
    tell(&shop).await?;
    settle(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 1).await?.0, "refused");
    assert!(shop.seller.set_processing(warehouse, false));
    app.later(30).await?;
    tell(&shop).await?;
    settle(&shop).await?;
    assert_eq!(pushed(&shop, warehouse, 1).await?, state("confirmed", 6, 0));
    assert_eq!(shop.seller.stock(warehouse, shop.size(1)), 6);
    Ok(())
}

#[tokio::test]
async fn a_freeze_reaches_wildberries_at_once_and_a_thaw_brings_everything_back() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let warehouse = pushing(&shop).await?;
    shop.receive(0, 1, 10).await?;
    tell(&shop).await?;
    settle(&shop).await?;
    shop.client.post("/wildberries/freeze", json!({ "reason": "Пожар" })).await?;
    settle(&shop).await?;
    assert_eq!(shop.seller.stock(warehouse, shop.size(0)), 0);
    assert_eq!(
        pushed(&shop, warehouse, 0).await?,
        state("confirmed", 0, 0),
        "what is not shown is what was told: zero"
    );
    shop.client.post("/wildberries/thaw", json!({})).await?;
    settle(&shop).await?;
    assert_eq!(shop.seller.stock(warehouse, shop.size(0)), 10);
    Ok(())
}

#[tokio::test]
async fn what_wildberries_has_by_itself_becomes_what_is_stated_and_a_difference_is_found_and_repaired() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let warehouses = shop.client.get("/wildberries/warehouses").await?;
    let id = warehouses["items"][0]["wbWarehouseId"].as_i64().context("a number")?;
    shop.seller.set_stock(id, shop.size(5), 7);
    let warehouse = pushing(&shop).await?;
    assert_eq!(shop.seller.stock(warehouse, shop.size(5)), 0, "nobody has any of it");
    shop.receive(0, 1, 10).await?;
    tell(&shop).await?;
    settle(&shop).await?;
    // Somebody changes it in the seller's cabinet.
    shop.seller.set_stock(warehouse, shop.size(0), 50);
    let run = shop.sync("stocks").await?;
    assert_eq!(said(&shop, &text(&run, "id")?).await?, [(json!(shop.size(0).to_string()), json!("differing"))]);
    settle(&shop).await?;
    assert_eq!(shop.seller.stock(warehouse, shop.size(0)), 10);
    // Of what is not shown nothing is known: it is not taken for zero, and not told again.
    shop.seller.set_stock(warehouse, shop.size(0), 0);
    let run = shop.sync("stocks").await?;
    assert!(said(&shop, &text(&run, "id")?).await?.is_empty());
    assert_eq!(pushed(&shop, warehouse, 0).await?, state("confirmed", 10, 0));
    Ok(())
}

#[tokio::test]
async fn nothing_is_told_where_nobody_asked_for_it_and_a_rejected_rise_is_not_asked_for_again() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 10).await?;
    tell(&shop).await?;
    settle(&shop).await?;
    assert_eq!(told(&app), 0);

    let warehouse = pushing(&shop).await?;
    shop.receive(0, 1, 5000).await?;
    for _ in 0..2 {
        tell(&shop).await?;
        settle(&shop).await?;
    }
    assert_eq!(shop.seller.stock(warehouse, shop.size(0)), 10, "so large a rise waits for a person");
    let waiting = shop.client.all("/publications").await?;
    assert_eq!((waiting.len(), &waiting[0]["status"]), (1, &json!("waiting")), "once, however often it is stated");
    let id = text(&waiting[0], "id")?;
    shop.client.post(&format!("/publications/{id}/reject"), json!({})).await?;
    tell(&shop).await?;
    settle(&shop).await?;
    assert_eq!(shop.client.all("/publications").await?.len(), 1);
    shop.client.post(&format!("/wildberries/warehouses/{warehouse}/statements"), json!({})).await?;
    assert_eq!(shop.client.all("/publications?status=waiting").await?.len(), 1, "a person may ask again");
    Ok(())
}

#[tokio::test]
async fn two_runs_of_one_kind_never_overlap() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let warehouse = pushing(&shop).await?;
    shop.receive(0, 1, 10).await?;
    // Another worker is at it just now.
    let mut admin = app.admin().await?;
    let taken = "UPDATE jobs SET state = 'running', run_at = now() + interval '1 hour', finished_at = NULL
                 WHERE id = (SELECT job_id FROM sync_lanes WHERE kind = 'stock_push')";
    assert_eq!(sqlx::query(taken).execute(&mut admin).await?.rows_affected(), 1);
    let run = tell(&shop).await?;
    settle(&shop).await?;
    assert_eq!(shop.client.get(&format!("/sync-runs/{run}")).await?["status"], "queued");
    assert_eq!(shop.seller.stock(warehouse, shop.size(0)), 0);
    let ended = "UPDATE jobs SET state = 'done', finished_at = now() WHERE id = (SELECT job_id FROM sync_lanes WHERE kind = 'stock_push')";
    sqlx::query(ended).execute(&mut admin).await?;
    settle(&shop).await?;
    assert_eq!(shop.client.get(&format!("/sync-runs/{run}")).await?["status"], "succeeded");
    assert_eq!(shop.seller.stock(warehouse, shop.size(0)), 10);
    Ok(())
}
