//! Goods receipts are posted whole and once, and serve who waited for what came.

use anyhow::Result;
use it::TestApp;
use serde_json::{Value, json};

fn receipt(shop: &it::Shop<'_>, number: &str, lines: &[(&str, &str, i64)]) -> Value {
    let lines: Vec<_> = lines
        .iter()
        .map(|(barcode, cell, quantity)| json!({ "barcode": barcode, "cell": cell, "quantity": quantity }))
        .collect();
    json!({ "warehouseId": shop.warehouse, "number": number, "lines": lines })
}

#[tokio::test]
async fn what_came_lies_in_its_cells_and_in_the_ledger() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let [one, other] = [0, 1].map(|index: usize| shop.products[index]["barcodes"][0].as_str().unwrap());
    let lines = [(one, "A-01", 3), (one, "A-02", 2), (other, "A-01", 1)];
    let posted = shop.client.post("/inventory/receipts", receipt(&shop, "ПР-1", &lines)).await?;
    assert_eq!((posted["lines"].as_i64(), posted["quantity"].as_i64()), (Some(3), Some(6)));
    let product = shop.products[0]["id"].as_str().unwrap();
    let balances = shop.client.all(&format!("/inventory?productId={product}")).await?;
    let mut seen: Vec<_> =
        balances.iter().map(|row| (row["cell"].as_str().unwrap(), row["available"].as_i64().unwrap())).collect();
    seen.sort_unstable();
    assert_eq!(seen, [("A-01", 3), ("A-02", 2)]);
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_line_that_makes_no_sense_is_named_and_nothing_is_written() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let good = shop.products[0]["barcodes"][0].as_str().unwrap();
    let refuse = |line: (&'static str, &'static str)| receipt(&shop, "ПР-1", &[(good, "A-01", 1), (line.0, line.1, 1)]);
    let words = shop.client.refused("/inventory/receipts", refuse(("0000", "A-01")), "barcode_unknown").await?;
    assert!(words.contains("line 2") && words.contains("0000"), "{words}");
    let wrong_cell = receipt(&shop, "ПР-1", &[(good, "A-01", 1), (good, "Z-99", 1)]);
    let words = shop.client.refused("/inventory/receipts", wrong_cell, "cell_unknown").await?;
    assert!(words.contains("line 2") && words.contains("Z-99"), "{words}");
    let nothing = receipt(&shop, "ПР-1", &[(good, "A-01", 1), (good, "A-01", 0)]);
    let answer = shop.client.ask(reqwest::Method::POST, "/inventory/receipts", Some(nothing)).await?;
    assert_eq!((answer.status.as_u16(), answer.body["field"].as_str()), (422, Some("lines.1.quantity")));
    assert_eq!(app.count("SELECT count(*) FROM goods_receipts").await?, 0);
    assert_eq!(app.count("SELECT count(*) FROM stock_entries").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_number_is_posted_once() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let good = shop.products[0]["barcodes"][0].as_str().unwrap();
    let body = receipt(&shop, "ПР-1", &[(good, "A-01", 5)]);
    let posting = || shop.client.ask(reqwest::Method::POST, "/inventory/receipts", Some(body.clone()));
    let (one, other) = futures::try_join!(posting(), posting())?;
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    shop.client.refused("/inventory/receipts", body, "goods_receipt_number_taken").await?;
    assert_eq!(app.count("SELECT sum(on_hand)::bigint FROM balances").await?, 5);
    Ok(())
}

#[tokio::test]
async fn orders_that_waited_are_served_in_the_order_in_which_they_were_placed() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let waiting = [shop.order(0)?, shop.order(0)?, shop.order(0)?];
    shop.sync("new_orders").await?;
    shop.receive(0, 1, 2).await?;
    let mut statuses = Vec::new();
    for number in waiting {
        statuses.push(shop.our(number).await?["status"].clone());
    }
    assert_eq!(statuses, ["reserved", "reserved", "out_of_stock"]);
    Ok(())
}
