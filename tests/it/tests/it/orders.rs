//! Orders land once, hold stock at once, and follow what the buyer does.

use anyhow::Result;
use it::TestApp;
use serde_json::json;
use wildberries::{BuyerAct, Fault, FaultKind};

#[tokio::test]
async fn an_import_repeated_changes_nothing() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.reserved(5).await?;
    let before = app.count("SELECT count(*) FROM order_history").await?;
    let run = shop.sync("new_orders").await?;
    assert_eq!((run["seen"].as_i64(), run["added"].as_i64()), (Some(5), Some(0)));
    shop.sync("order_history").await?;
    assert_eq!(app.count("SELECT count(*) FROM orders").await?, 5);
    assert_eq!(app.count("SELECT count(*) FROM order_history").await?, before);
    Ok(())
}

#[tokio::test]
async fn the_last_unit_goes_to_one_order_and_the_other_waits_for_stock() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 1).await?;
    let (first, second) = (shop.order(0)?, shop.order(0)?);
    shop.sync("new_orders").await?;
    assert_eq!(shop.our(first).await?["status"], "reserved");
    assert_eq!(shop.our(second).await?["status"], "out_of_stock");
    shop.receive(0, 2, 1).await?;
    assert_eq!(shop.our(second).await?["status"], "reserved");
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn imports_at_the_same_time_never_oversell() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 3).await?;
    for _ in 0..9 {
        shop.order(0)?;
    }
    for kind in ["new_orders", "order_history"] {
        shop.client.post("/sync-runs", json!({ "accountId": shop.account, "kind": kind })).await?;
    }
    let (one, other) = futures::join!(app.run_jobs(), app.run_jobs());
    one?;
    other?;
    assert_eq!(app.count("SELECT count(*) FROM orders").await?, 9);
    assert_eq!(app.count("SELECT count(*) FROM orders WHERE status = 'reserved'").await?, 3);
    assert_eq!(app.count("SELECT count(*) FROM reservations WHERE status = 'active'").await?, 3);
    Ok(())
}

#[tokio::test]
async fn a_cancellation_frees_what_was_reserved_for_the_next_in_line() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 1).await?;
    let (first, second) = (shop.order(0)?, shop.order(0)?);
    shop.sync("new_orders").await?;
    shop.seller.buyer(first, BuyerAct::Cancel)?;
    shop.sync("order_statuses").await?;
    assert_eq!(shop.our(first).await?["status"], "cancelled");
    assert_eq!(shop.our(second).await?["status"], "reserved");
    Ok(())
}

#[tokio::test]
async fn a_cancellation_after_the_pick_asks_somebody_to_put_the_item_back() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (_, lines) = shop.picked(1).await?;
    let number = lines[0]["wbOrderId"].as_i64().unwrap();
    shop.seller.buyer(number, BuyerAct::Cancel)?;
    shop.sync("order_statuses").await?;
    assert_eq!(shop.our(number).await?["status"], "cancelled");
    let requests = shop.client.get("/requests?type=stock_move").await?;
    assert_eq!(requests["items"].as_array().unwrap().len(), 1);
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn the_ledger_shows_who_received_and_who_cancelled_on_the_way() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, lines) = shop.picked(2).await?;
    let supply = shop.supply(&request).await?;
    shop.deliver(&supply).await?;
    let [received, cancelled] = [0, 1].map(|index: usize| lines[index]["wbOrderId"].as_i64().unwrap());
    shop.seller.buyer(cancelled, BuyerAct::Cancel)?;
    shop.seller.receive(received)?;
    shop.sync("order_statuses").await?;
    assert_eq!(shop.ledger(received).await?, ["pick", "ship", "deliver"]);
    assert_eq!(shop.ledger(cancelled).await?, ["pick", "ship", "return_expected"]);
    shop.sync("order_statuses").await?;
    assert_eq!(shop.ledger(received).await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn words_and_fields_nobody_has_heard_of_do_not_stop_an_import() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 1).await?;
    let number = shop.order(0)?;
    app.simulator.fault(Fault::once("/orders/new", FaultKind::ExtraFields));
    shop.sync("new_orders").await?;
    app.simulator.fault(Fault::once("/orders/status", FaultKind::UnknownEnum));
    shop.sync("order_statuses").await?;
    assert_eq!(shop.our(number).await?["status"], "reserved");
    Ok(())
}

#[tokio::test]
async fn wildberries_asks_to_wait_and_the_import_goes_on_later() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 1).await?;
    let number = shop.order(0)?;
    app.simulator.fault(Fault::once("/orders/new", FaultKind::TooMany { retry: 30 }));
    let run = shop.sync("new_orders").await?;
    assert_eq!(run["status"], "running");
    app.later(31).await?;
    assert_eq!(shop.our(number).await?["status"], "reserved");
    Ok(())
}
