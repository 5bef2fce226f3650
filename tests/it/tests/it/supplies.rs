//! Supplies reach Wildberries once, whatever is lost on the way, and say why when they do not.

use anyhow::Result;
use it::TestApp;
use serde_json::json;
use wildberries::{BuyerAct, Fault, FaultKind};

#[tokio::test]
async fn a_lost_answer_does_not_make_a_second_supply() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, _) = shop.picked(3).await?;
    app.simulator.fault(Fault {
        method: Some("POST".to_owned()),
        ..Fault::once("/api/v3/supplies", FaultKind::DropAfterCommit)
    });
    let supply = shop.supply(&request).await?;
    app.later(300).await?;
    let seen = shop.client.get(&format!("/supplies/{supply}")).await?;
    assert_eq!((seen["status"].as_str(), seen["ordersAtWildberries"].as_i64()), (Some("open"), Some(3)));
    assert_eq!(shop.seller.supplies().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_does_not_hide_a_delivery() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, _) = shop.picked(2).await?;
    let supply = shop.supply(&request).await?;
    app.simulator.fault(Fault::once("/deliver", FaultKind::DropAfterCommit));
    shop.deliver(&supply).await?;
    app.later(300).await?;
    assert_eq!(shop.client.get(&format!("/supplies/{supply}")).await?["status"], "delivering");
    assert_eq!(app.count("SELECT count(*) FROM stock_entries WHERE kind = 'ship'").await?, 2);
    Ok(())
}

#[tokio::test]
async fn delivery_is_refused_here_before_wildberries_is_asked() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, _) = shop.picked(1).await?;
    let supply = shop.supply(&request).await?;
    app.simulator.clear_exchanges();
    shop.client.refused(&format!("/supplies/{supply}/deliver"), json!({}), "supply_not_ready").await?;
    app.run_jobs().await?;
    assert!(app.simulator.exchanges().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_supply_that_wildberries_refuses_says_so_with_a_code() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, lines) = shop.picked(2).await?;
    // Cancelled at Wildberries, and we do not know it yet.
    shop.seller.buyer(lines[0]["wbOrderId"].as_i64().unwrap(), BuyerAct::Cancel)?;
    let supply = shop.supply(&request).await?;
    let seen = shop.client.get(&format!("/supplies/{supply}")).await?;
    assert_eq!(seen["problemCode"], "supply_refused", "{seen}");
    assert!(seen["problemDetail"].as_str().unwrap().contains(&lines[0]["wbOrderId"].to_string()));
    // Once the cancellation is known, trying again brings the rest.
    shop.sync("order_statuses").await?;
    shop.client.post(&format!("/supplies/{supply}/publish"), json!({})).await?;
    app.run_jobs().await?;
    let seen = shop.client.get(&format!("/supplies/{supply}")).await?;
    assert_eq!(
        (seen["problemCode"].clone(), seen["ordersAtWildberries"].as_i64()),
        (serde_json::Value::Null, Some(1)),
        "{seen}"
    );
    Ok(())
}

#[tokio::test]
async fn an_order_is_in_one_supply_only() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, _) = shop.picked(1).await?;
    shop.supply(&request).await?;
    shop.client.refused("/supplies", json!({ "requestId": request }), "order_in_another_supply").await?;
    Ok(())
}
