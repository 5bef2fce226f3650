//! Orders of bundles: all of their parts or none, picked unit by unit, shipped and given back whole.

use anyhow::{Context, Result};
use it::{Shop, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use stack::client::text;
use wildberries::BuyerAct;

/// The product of the first card is sold as two of the second and one of the third.
async fn make_bundle(shop: &Shop<'_>) -> Result<()> {
    let part =
        |product: usize, quantity: i64| json!({ "productId": shop.products[product]["id"], "quantity": quantity });
    let path = format!("/products/{}", text(&shop.products[0], "id")?);
    shop.client.patch(&path, json!({ "components": [part(1, 2), part(2, 1)] })).await.map(|_| ())
}

async fn stocked(shop: &Shop<'_>) -> Result<()> {
    shop.receive(1, 1, 2).await?;
    shop.receive(2, 2, 1).await
}

/// A bundle that is ordered, reserved and being picked; answers with the order's number, the request and its lines.
async fn being_picked(shop: &Shop<'_>) -> Result<(i64, String, Vec<Value>)> {
    make_bundle(shop).await?;
    stocked(shop).await?;
    let number = shop.order(0)?;
    shop.sync("new_orders").await?;
    let (request, lines) = shop.picking(&[number]).await?;
    Ok((number, request, lines))
}

async fn held(shop: &Shop<'_>) -> Result<usize> {
    Ok(shop.client.all("/inventory/reservations").await?.len())
}

async fn status(shop: &Shop<'_>, number: i64) -> Result<String> {
    text(&shop.our(number).await?, "status")
}

async fn take(shop: &Shop<'_>, request: &str, line: &Value) -> Result<Value> {
    shop.scan(request, "cell", &text(line, "cell")?).await?;
    shop.scan(request, "item", line["barcodes"][0].as_str().context("a barcode")?).await
}

async fn agrees(shop: &Shop<'_>) -> Result<()> {
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn an_order_of_a_bundle_gets_all_of_its_parts_or_none() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    make_bundle(&shop).await?;
    shop.receive(1, 1, 1).await?;
    shop.receive(2, 2, 1).await?;
    let number = shop.order(0)?;
    shop.sync("new_orders").await?;
    assert_eq!((status(&shop, number).await?.as_str(), held(&shop).await?), ("out_of_stock", 0));
    shop.receive(1, 3, 1).await?;
    app.run_jobs().await?;
    assert_eq!((status(&shop, number).await?.as_str(), held(&shop).await?), ("reserved", 3));
    agrees(&shop).await
}

#[tokio::test]
async fn bundles_and_their_parts_are_sold_from_the_same_units_once() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    make_bundle(&shop).await?;
    shop.receive(1, 1, 5).await?;
    shop.receive(2, 2, 5).await?;
    let (set, single, second, third) = (shop.order(0)?, shop.order(1)?, shop.order(0)?, shop.order(0)?);
    shop.sync("new_orders").await?;
    for number in [set, single, second] {
        assert_eq!(status(&shop, number).await?, "reserved");
    }
    assert_eq!(status(&shop, third).await?, "out_of_stock", "two sets and one by itself are all five");
    assert_eq!(held(&shop).await?, 7);
    agrees(&shop).await
}

#[tokio::test]
async fn a_bundle_is_picked_unit_by_unit_and_has_one_sticker() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (number, request, lines) = being_picked(&shop).await?;
    assert_eq!(lines.len(), 3);
    for line in &lines[..2] {
        take(&shop, &request, line).await?;
        assert_eq!(status(&shop, number).await?, "picking");
    }
    take(&shop, &request, &lines[2]).await?;
    assert_eq!(status(&shop, number).await?, "picked");
    let supply = shop.supply(&request).await?;
    let job = shop.print(&request).await?;
    let labels = shop.client.get(&format!("/print-jobs/{job}/items")).await?;
    assert_eq!(labels["items"].as_array().context("a list")?.len(), 1);
    shop.deliver(&supply).await?;
    shop.seller.receive(number)?;
    shop.sync("order_statuses").await?;
    assert_eq!(
        shop.ledger(number).await?,
        ["pick", "pick", "pick", "ship", "ship", "ship", "deliver", "deliver", "deliver"]
    );
    agrees(&shop).await
}

#[tokio::test]
async fn of_a_bundle_cancelled_half_picked_the_one_half_is_free_and_the_other_goes_back() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (number, request, lines) = being_picked(&shop).await?;
    take(&shop, &request, &lines[0]).await?;
    shop.seller.buyer(number, BuyerAct::Cancel)?;
    shop.sync("order_statuses").await?;
    assert_eq!((status(&shop, number).await?.as_str(), held(&shop).await?), ("cancelled", 0));
    let back = shop.client.get("/requests?type=stock_move").await?;
    let back = text(&back["items"][0], "id")?;
    let moves = shop.client.get(&format!("/requests/{back}/moves")).await?;
    let moves = moves["items"].as_array().context("a list")?;
    assert_eq!((moves.len(), &moves[0]["to"]), (1, &lines[0]["cell"]));
    agrees(&shop).await
}

#[tokio::test]
async fn what_was_picked_before_its_request_was_called_off_is_not_picked_again() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (number, first, lines) = being_picked(&shop).await?;
    take(&shop, &first, &lines[0]).await?;
    shop.client.post(&format!("/requests/{first}/status"), json!({ "status": "cancelled" })).await?;
    assert_eq!(status(&shop, number).await?, "reserved");
    let (second, lines) = shop.picking(&[number]).await?;
    assert_eq!(lines.len(), 2);
    for line in &lines {
        take(&shop, &second, line).await?;
    }
    assert_eq!(status(&shop, number).await?, "picked");
    shop.supply(&second).await?;
    // The sticker belongs to the request that finished the order.
    let answer =
        shop.client.ask(Method::POST, "/print-jobs", Some(json!({ "printerId": shop.printer, "requestId": first })));
    assert_eq!(answer.await?.code(), "order_has_no_sticker");
    shop.print(&second).await?;
    agrees(&shop).await
}

#[tokio::test]
async fn an_order_that_waited_is_served_once_its_product_is_said_to_be_a_bundle() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    stocked(&shop).await?;
    let number = shop.order(0)?;
    shop.sync("new_orders").await?;
    assert_eq!(status(&shop, number).await?, "out_of_stock");
    make_bundle(&shop).await?;
    app.run_jobs().await?;
    assert_eq!(status(&shop, number).await?, "reserved");
    let path = format!("/products/{}", text(&shop.products[0], "id")?);
    // What is held was held for it as it was made up then.
    let answer = shop.client.ask(Method::PATCH, &path, Some(json!({ "components": [] }))).await?;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    assert_eq!(held(&shop).await?, 3);
    agrees(&shop).await
}

#[tokio::test]
async fn a_supply_that_wildberries_closed_ships_every_unit_of_a_bundle() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (number, request, lines) = being_picked(&shop).await?;
    for line in &lines {
        take(&shop, &request, line).await?;
    }
    shop.supply(&request).await?;
    shop.seller.buyer(number, BuyerAct::Sort)?;
    shop.sync("order_statuses").await?;
    assert_eq!(shop.ledger(number).await?, ["pick", "pick", "pick", "ship", "ship", "ship"]);
    assert_eq!(held(&shop).await?, 0);
    agrees(&shop).await
}
