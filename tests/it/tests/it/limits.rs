//! Rows that stand for themselves, where cells or lots say no to some of them: the others are done, and of what is refused
//! nothing is left.

use anyhow::{Context, Result};
use it::{Shop, TestApp};
use serde_json::{Value, json};
use stack::client::text;

const ADJUSTMENTS: &str = "/inventory/adjustments";
const MOVES: &str = "/inventory/moves";

async fn change(shop: &Shop<'_>, code: &str, limits: Value) -> Result<()> {
    let cells = shop.client.all(&format!("/warehouses/{}/cells", shop.warehouse)).await?;
    let cell = cells.iter().find(|cell| cell["code"] == code).with_context(|| format!("there is no cell {code}"))?;
    shop.client.patch(&format!("/cells/{}", text(cell, "id")?), limits).await.map(|_| ())
}

fn found(shop: &Shop<'_>, product: usize, cell: &str, units: i64) -> Value {
    json!({ "productId": shop.products[product]["id"], "cell": cell, "change": units, "reason": "found" })
}

fn of_lot(mut line: Value, code: &str) -> Value {
    line["lot"] = json!({ "code": code });
    line
}

fn moved(shop: &Shop<'_>, product: usize, (from, to): (&str, &str), units: i64) -> Value {
    json!({ "productId": shop.products[product]["id"], "from": from, "to": to, "quantity": units })
}

/// Asks for each line by itself: the rule that refused it, or that it was done.
async fn verdicts(shop: &Shop<'_>, path: &str, lines: &[Value]) -> Result<Vec<String>> {
    let body = json!({ "warehouseId": shop.warehouse, "mode": "each_row", "lines": lines });
    let posted = shop.client.post(path, body).await?;
    let rows = posted["rows"].as_array().context("rows")?;
    Ok(rows.iter().map(|row| row["problem"].as_str().unwrap_or("done").to_owned()).collect())
}

/// Units of every product in a cell.
async fn holds(shop: &Shop<'_>, cell: &str) -> Result<i64> {
    let rows = shop.client.all("/inventory").await?;
    Ok(rows.iter().filter(|row| row["cell"] == cell).filter_map(|row| row["onHand"].as_i64()).sum())
}

#[tokio::test]
async fn each_row_is_judged_by_the_units_the_volume_and_the_weight_that_a_cell_takes() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let size =
        "UPDATE products SET length_mm = 100, width_mm = 100, height_mm = 100, weight_g = 700 WHERE id = $1::uuid";
    sqlx::query(size).bind(shop.products[0]["id"].as_str()).execute(&mut app.admin().await?).await?;
    shop.receive(0, 4, 9).await?;
    // Each takes three units, and not a fourth.
    let limits =
        [json!({ "capacityUnits": 3 }), json!({ "capacityVolumeMl": 3999 }), json!({ "capacityWeightG": 2799 })];
    for (cell, limit) in ["A-01", "A-02", "A-03"].into_iter().zip(limits) {
        change(&shop, cell, limit.clone()).await?;
        let lines =
            [found(&shop, 0, cell, 2), found(&shop, 0, cell, 2), found(&shop, 0, cell, 1), found(&shop, 0, cell, 1)];
        assert_eq!(verdicts(&shop, ADJUSTMENTS, &lines).await?, ["done", "cell_full", "done", "cell_full"], "{limit}");
        assert_eq!(holds(&shop, cell).await?, 3, "{limit}");
        // What a row takes out makes room for the row behind it, and not for the row before it.
        let lines = [
            moved(&shop, 0, ("A-04", cell), 1),
            moved(&shop, 0, (cell, "A-04"), 2),
            moved(&shop, 0, ("A-04", cell), 3),
            moved(&shop, 0, ("A-04", cell), 1),
        ];
        assert_eq!(verdicts(&shop, MOVES, &lines).await?, ["cell_full", "done", "cell_full", "done"], "{limit}");
        assert_eq!(holds(&shop, cell).await?, 2, "{limit}");
    }
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn each_row_is_judged_by_what_lies_there_when_it_comes() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let nm = |product: usize| shop.products[product]["nmId"].as_i64();
    let sibling = (1..shop.products.len()).find(|other| nm(*other) == nm(0)).context("a card has two sizes")?;
    let stranger = (1..shop.products.len()).find(|other| nm(*other) != nm(0)).context("there are two cards")?;
    change(&shop, "A-01", json!({ "mixing": "one_product" })).await?;
    change(&shop, "A-02", json!({ "mixing": "one_card" })).await?;
    for (cell, expected) in
        [("A-01", ["done", "cell_mixing", "cell_mixing", "done"]), ("A-02", ["done", "done", "cell_mixing", "done"])]
    {
        let lines = [
            found(&shop, 0, cell, 2),
            found(&shop, sibling, cell, 1),
            found(&shop, stranger, cell, 1),
            found(&shop, 0, cell, 1),
        ];
        assert_eq!(verdicts(&shop, ADJUSTMENTS, &lines).await?, expected, "{cell}");
    }
    shop.receive(stranger, 4, 2).await?;
    let lines = [
        moved(&shop, stranger, ("A-04", "A-01"), 1),
        moved(&shop, 0, ("A-01", "A-03"), 3),
        moved(&shop, stranger, ("A-04", "A-01"), 2),
        moved(&shop, 0, ("A-03", "A-01"), 1),
    ];
    assert_eq!(verdicts(&shop, MOVES, &lines).await?, ["cell_mixing", "done", "done", "cell_mixing"]);
    assert_eq!(shop.client.get("/inventory/consistency").await?["differences"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_lot_is_made_for_what_is_accepted_and_for_nothing_else() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    change(&shop, "A-02", json!({ "capacityUnits": 1 })).await?;
    let cells = shop.client.all(&format!("/warehouses/{}/cells", shop.warehouse)).await?;
    let blocked = cells.iter().find(|cell| cell["code"] == "A-03").context("a cell")?["id"].clone();
    let block = json!({ "cellIds": [blocked], "reason": "ремонт" });
    shop.client.post(&format!("/warehouses/{}/cells/block", shop.warehouse), block).await?;
    let mut late = of_lot(found(&shop, 0, "A-01", 1), "Л-4");
    late["lot"]["expiresOn"] = json!("2031-01-01");
    let lines = [
        of_lot(found(&shop, 0, "A-02", 2), "Л-1"),
        of_lot(found(&shop, 0, "A-03", 1), "Л-2"),
        of_lot(found(&shop, 0, "PACKING", 1), "Л-3"),
        of_lot(found(&shop, 0, "A-01", 1), "Л-4"),
        late,
        of_lot(found(&shop, 0, "A-01", 1), "Л-4"),
    ];
    let expected = ["cell_full", "cell_blocked", "cell_of_packing", "done", "lot_expiry_differs", "done"];
    assert_eq!(verdicts(&shop, ADJUSTMENTS, &lines).await?, expected);
    assert_eq!(app.count("SELECT count(*) FROM lots WHERE code IS NOT NULL").await?, 1);
    for lot in ["Л-1", "Л-2", "Л-3"] {
        let line = of_lot(moved(&shop, 0, ("A-01", "A-04"), 1), lot);
        assert_eq!(verdicts(&shop, MOVES, &[line]).await?, ["lot_unknown"], "{lot}");
    }
    let mut again = of_lot(found(&shop, 0, "A-01", 1), "Л-1");
    again["lot"]["expiresOn"] = json!("2031-01-01");
    assert_eq!(verdicts(&shop, ADJUSTMENTS, &[again]).await?, ["done"], "its first day is the one that was accepted");
    Ok(())
}

#[tokio::test]
async fn more_than_a_cell_can_count_is_refused_in_words() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let million =
        |cell: &str| json!({ "barcode": shop.products[0]["barcodes"][0], "cell": cell, "quantity": 1_000_000 });
    let receipt = |cell: &str, number: usize| json!({ "warehouseId": shop.warehouse, "number": format!("{cell}-{number}"), "lines": vec![million(cell); 1000] });
    for number in 0..2 {
        shop.client.post("/inventory/receipts", receipt("A-01", number)).await?;
        shop.client.post("/inventory/receipts", receipt("A-02", number)).await?;
    }
    let words = shop.client.refused("/inventory/receipts", receipt("A-01", 2), "cell_full").await?;
    assert!(words.contains("2147483647"), "{words}");
    // Both cells together hold more than either could.
    let line = json!({ "productId": shop.products[0]["id"], "quantity": 1_000_000 });
    shop.client.post("/inventory/reservations", json!({ "warehouseId": shop.warehouse, "lines": [line] })).await?;
    let lines: Vec<_> = (0..150).map(|_| found(&shop, 0, "A-01", 1_000_000)).collect();
    let told = verdicts(&shop, ADJUSTMENTS, &lines).await?;
    assert_eq!(told.iter().filter(|verdict| *verdict == "done").count(), 147);
    assert!(told[147..].iter().all(|verdict| verdict == "cell_full"), "{told:?}");
    let lines = [
        moved(&shop, 0, ("A-02", "A-01"), 1_000_000),
        moved(&shop, 0, ("A-02", "A-03"), 1_000_000),
        moved(&shop, 0, ("A-02", "A-01"), 1),
    ];
    assert_eq!(verdicts(&shop, MOVES, &lines).await?, ["cell_full", "done", "done"]);
    assert_eq!((holds(&shop, "A-01").await?, holds(&shop, "A-02").await?), (2_147_000_001, 1_998_999_999));
    Ok(())
}
