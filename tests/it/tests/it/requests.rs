//! Picking: lines in walking order, and scans that are refused in words.

use anyhow::Result;
use it::TestApp;
use serde_json::json;
use wildberries::BuyerAct;

#[tokio::test]
async fn lines_follow_the_walking_path() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let numbers = shop.reserved(8).await?;
    let (_, lines) = shop.picking(&numbers).await?;
    let cells: Vec<_> = lines.iter().map(|line| line["cell"].as_str().unwrap().to_owned()).collect();
    assert!(cells.is_sorted(), "{cells:?}");
    assert_eq!(
        lines.iter().map(|line| line["position"].as_i64().unwrap()).collect::<Vec<_>>(),
        (1..=8).collect::<Vec<_>>()
    );
    Ok(())
}

#[tokio::test]
async fn every_wrong_scan_is_refused_and_moves_nothing() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let numbers = shop.reserved(2).await?;
    let (request, lines) = shop.picking(&numbers).await?;
    let path = format!("/requests/{request}/scans");
    let scan = |kind: &str, code: &str| json!({ "kind": kind, "code": code });
    let barcode = |line: usize| lines[line]["barcodes"][0].as_str().unwrap().to_owned();
    shop.client.refused(&path, scan("item", &barcode(0)), "cell_not_scanned").await?;
    shop.client.refused(&path, scan("cell", "Z-99"), "cell_unknown").await?;
    shop.client.refused(&path, scan("cell", "A-01"), "wrong_cell").await?;
    shop.scan(&request, "cell", lines[0]["cell"].as_str().unwrap()).await?;
    shop.client.refused(&path, scan("item", "0000"), "barcode_unknown").await?;
    let words = shop.client.refused(&path, scan("item", &barcode(1)), "wrong_item").await?;
    assert!(words.contains(lines[0]["sku"].as_str().unwrap()), "{words}");
    assert_eq!(app.count("SELECT count(*) FROM stock_entries WHERE kind = 'pick'").await?, 0);
    shop.scan(&request, "item", &barcode(0)).await?;
    shop.client.refused(&path, scan("item", &barcode(0)), "wrong_item").await?;
    assert_eq!(app.count("SELECT count(*) FROM stock_entries WHERE kind = 'pick'").await?, 1);
    Ok(())
}

#[tokio::test]
async fn an_order_cancelled_meanwhile_is_not_picked() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let numbers = shop.reserved(1).await?;
    let (request, lines) = shop.picking(&numbers).await?;
    shop.scan(&request, "cell", lines[0]["cell"].as_str().unwrap()).await?;
    shop.seller.buyer(numbers[0], BuyerAct::Cancel)?;
    shop.sync("order_statuses").await?;
    let code = json!({ "kind": "item", "code": lines[0]["barcodes"][0] });
    shop.client.refused(&format!("/requests/{request}/scans"), code, "wrong_item").await?;
    assert_eq!(app.count("SELECT count(*) FROM stock_entries WHERE kind = 'pick'").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_step_that_the_machine_does_not_have_lists_those_it_has() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let numbers = shop.reserved(1).await?;
    let (request, _) = shop.picking(&numbers).await?;
    let path = format!("/requests/{request}/status");
    let answer = shop.client.ask(reqwest::Method::POST, &path, Some(json!({ "status": "completed" }))).await?;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "request_transition"));
    assert_eq!(answer.body["allowed"], json!(["in_review", "cancelled"]));
    shop.client.refused(&path, json!({ "status": "in_review" }), "request_has_open_lines").await?;
    Ok(())
}
