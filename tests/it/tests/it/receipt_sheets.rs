//! Receipt sheets: what comes is counted against what was expected, and nothing is posted that nobody explains.

use anyhow::{Context, Result};
use it::{Reach, Shop, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use stack::client::text;

const SHEETS: &str = "/inventory/receipt-sheets";

fn barcode(shop: &Shop<'_>, product: usize) -> Value {
    shop.products[product]["barcodes"][0].clone()
}

async fn open(shop: &Shop<'_>, number: &str, expected: &[(usize, i64)]) -> Result<String> {
    let lines: Vec<_> = expected
        .iter()
        .map(|(product, quantity)| json!({ "barcode": barcode(shop, *product), "quantity": quantity }))
        .collect();
    let body = json!({ "warehouseId": shop.warehouse, "number": number, "lines": lines });
    text(&shop.client.post(SHEETS, body).await?, "id")
}

fn counted(shop: &Shop<'_>, product: usize, cell: &str, quantity: i64, quarantine: bool) -> Value {
    json!({ "lines": [{ "barcode": barcode(shop, product), "cell": cell, "quantity": quantity, "quarantine": quarantine }] })
}

fn line<'a>(sheet: &'a Value, shop: &Shop<'_>, product: usize) -> Result<&'a Value> {
    let mut lines = sheet["lines"].as_array().into_iter().flatten();
    lines.find(|line| line["productId"] == shop.products[product]["id"]).context("a line of the product")
}

#[tokio::test]
async fn what_was_counted_is_posted_once_every_difference_is_explained() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let waiting = shop.order(0)?;
    shop.sync("new_orders").await?;
    let id = open(&shop, "ПР-7", &[(0, 5), (1, 2)]).await?;
    let (counts, post) = (format!("{SHEETS}/{id}/counts"), format!("{SHEETS}/{id}/post"));
    shop.client.refused(&post, json!({ "discrepancies": [] }), "receipt_unexplained").await?;
    shop.client.post(&counts, counted(&shop, 0, "A-01", 3, false)).await?;
    shop.client.post(&counts, counted(&shop, 0, "A-02", 1, true)).await?;
    shop.client.post(&counts, counted(&shop, 1, "A-01", 3, false)).await?;
    shop.client.post(&counts, counted(&shop, 1, "A-01", -1, false)).await?;
    shop.client.refused(&counts, counted(&shop, 1, "A-02", -1, false), "receipt_count_out_of_bounds").await?;
    let sheet = shop.client.post(&counts, counted(&shop, 2, "A-03", 1, false)).await?;
    let first = line(&sheet, &shop, 0)?;
    assert_eq!((&first["expected"], &first["counted"], &first["quarantined"]), (&json!(5), &json!(4), &json!(1)));
    assert_eq!(line(&sheet, &shop, 2)?["expected"], 0, "nobody expected it");
    assert_eq!(app.count("SELECT count(*) FROM stock_entries").await?, 0);

    let words = shop.client.refused(&post, json!({ "discrepancies": [] }), "receipt_unexplained").await?;
    assert!(words.contains("5 expected, 4 counted") && words.contains("2 lines"), "{words}");
    let told = |product: usize, reason: &str| -> Result<Value> {
        Ok(json!({ "lineId": line(&sheet, &shop, product)?["id"], "reason": reason }))
    };
    let body = json!({ "discrepancies": [told(0, "short")?, told(2, "wrong_item")?] });
    let receipt = shop.client.post(&post, body.clone()).await?;
    assert_eq!((&receipt["number"], &receipt["quantity"]), (&json!("ПР-7"), &json!(7)));
    let words = shop.client.refused(&post, body, "receipt_sheet_closed").await?;
    assert!(words.contains("posted"), "{words}");
    shop.client.refused(&counts, counted(&shop, 0, "A-01", 1, false), "receipt_sheet_closed").await?;

    let product = text(&shop.products[0], "id")?;
    let balances = shop.client.all(&format!("/inventory?productId={product}")).await?;
    let mut seen: Vec<_> = balances
        .iter()
        .map(|row| {
            (
                row["cell"].as_str().unwrap_or_default(),
                row["onHand"].as_i64(),
                row["reserved"].as_i64(),
                row["onHold"].as_i64(),
            )
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [("A-01", Some(3), Some(1), Some(0)), ("A-02", Some(1), Some(0), Some(1))]);
    assert_eq!(shop.our(waiting).await?["status"], "reserved", "who waited is served");
    let shown = shop.client.get(&format!("{SHEETS}/{id}")).await?;
    assert_eq!((&shown["status"], &shown["receiptId"]), (&json!("posted"), &receipt["id"]));
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn several_people_count_one_sheet_and_it_is_known_who_counted_what() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let id = open(&shop, "ПР-9", &[(0, 12)]).await?;
    let path = format!("{SHEETS}/{id}/counts");
    let mut people = Vec::new();
    for _ in 0..3 {
        people.push(app.person(&shop.client, "storekeeper", Reach::Warehouses(&[&shop.warehouse])).await?);
    }
    let counting =
        people.iter().flat_map(|person| (0..4).map(|_| person.client.post(&path, counted(&shop, 0, "A-01", 1, false))));
    futures::future::try_join_all(counting).await?;
    let sheet = shop.client.get(&format!("{SHEETS}/{id}")).await?;
    assert_eq!(line(&sheet, &shop, 0)?["counted"], 12);
    let counts = shop.client.all(&path).await?;
    for person in &people {
        let theirs = counts.iter().filter(|count| count["actor"] == format!("user:{}", person.id));
        assert_eq!(theirs.count(), 4, "{counts:?}");
    }
    shop.client.post(&format!("{SHEETS}/{id}/post"), json!({ "discrepancies": [] })).await?;
    Ok(())
}

#[tokio::test]
async fn two_who_post_one_sheet_post_it_once() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let id = open(&shop, "ПР-1", &[(0, 2)]).await?;
    shop.client.post(&format!("{SHEETS}/{id}/counts"), counted(&shop, 0, "A-01", 2, false)).await?;
    let path = format!("{SHEETS}/{id}/post");
    let posting = || shop.client.outcome(Method::POST, &path, Some(json!({ "discrepancies": [] })));
    let (one, other) = futures::try_join!(posting(), posting())?;
    let mut outcomes = [one.0, other.0];
    outcomes.sort_unstable();
    assert_eq!(outcomes, [201, 409]);
    assert_eq!(app.count("SELECT sum(on_hand)::bigint FROM balances").await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_sheet_of_which_nothing_comes_is_cancelled_and_its_number_stays_taken() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let id = open(&shop, "ПР-2", &[]).await?;
    shop.client.refused(&format!("{SHEETS}/{id}/post"), json!({ "discrepancies": [] }), "receipt_not_counted").await?;
    let sheet = shop.client.post(&format!("{SHEETS}/{id}/cancel"), json!({})).await?;
    assert_eq!(sheet["status"], "cancelled");
    let again = json!({ "warehouseId": shop.warehouse, "number": "ПР-2", "lines": [] });
    shop.client.refused(SHEETS, again, "receipt_sheet_number_taken").await?;
    assert_eq!(shop.client.all(&format!("{SHEETS}?status=cancelled")).await?.len(), 1);
    assert_eq!(shop.client.all(&format!("{SHEETS}?status=posted")).await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn goods_are_put_beside_their_own_kind_or_into_the_next_empty_cell() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 3, 2).await?;
    shop.receive(1, 1, 2).await?;
    let product = text(&shop.products[0], "id")?;
    let path = format!("/warehouses/{}/products/{product}/put-away", shop.warehouse);
    let cells = shop.client.get(&path).await?;
    let codes: Vec<_> = cells["items"]
        .as_array()
        .context("a list")?
        .iter()
        .map(|cell| cell["cell"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(codes, ["A-03", "A-02", "A-04", "A-01"], "A-01 holds something else");
    assert_eq!((&cells["items"][0]["ofProduct"], &cells["items"][0]["room"]), (&json!(2), &Value::Null));

    let cells = shop.client.all(&format!("/warehouses/{}/cells", shop.warehouse)).await?;
    let id = |code: &str| cells.iter().find(|cell| cell["code"] == code).map(|cell| cell["id"].clone());
    let limit = |code: &str, limits: Value| {
        (format!("/cells/{}", id(code).as_ref().and_then(Value::as_str).unwrap_or_default()), limits)
    };
    for (path, limits) in [
        limit("A-03", json!({ "capacityUnits": 2 })),
        limit("A-02", json!({ "capacityUnits": 5 })),
        limit("A-01", json!({ "mixing": "one_product" })),
    ] {
        shop.client.patch(&path, limits).await?;
    }
    let block = json!({ "cellIds": [id("A-04")], "reason": "ремонт" });
    shop.client.post(&format!("/warehouses/{}/cells/block", shop.warehouse), block).await?;
    let left = shop.client.get(&format!("{path}?quantity=9")).await?;
    let rooms: Vec<_> =
        left["items"].as_array().context("a list")?.iter().map(|cell| (&cell["cell"], &cell["room"])).collect();
    assert_eq!(rooms, [(&json!("A-02"), &json!(5))], "full, blocked and kept for another product are not suggested");
    Ok(())
}
