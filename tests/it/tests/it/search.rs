//! Products are found by words: other forms, misspelt ones, parts of codes; and only one's own.

use anyhow::Result;
use it::TestApp;
use serde_json::{Value, json};
use stack::Client;

async fn wardrobe(client: &Client) -> Result<()> {
    for (sku, name, brand) in [
        ("WBA-12345-RED", "Футболка красная женская", "Ромашка"),
        ("WBA-12346-BLUE", "Футболка синяя мужская", "Ромашка"),
        ("KR-77", "Кружка ёлочная с оленем", "Гжель"),
        ("SN-900", "Кроссовки Nike Air", "Nike"),
        ("HAT-1", "Шапка красная вязаная", "Василёк"),
    ] {
        client.post("/products", json!({ "sku": sku, "name": name, "brand": brand, "vendorCode": sku })).await?;
    }
    Ok(())
}

async fn found(client: &Client, text: &str) -> Result<Vec<String>> {
    let rows = client.all(&format!("/products?text={text}")).await?;
    Ok(rows.iter().map(|row| row["sku"].as_str().unwrap_or_default().to_owned()).collect())
}

#[tokio::test]
async fn word_forms_typing_errors_and_parts_of_codes_find_what_is_meant() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    wardrobe(&client).await?;
    let (red, blue) = ("WBA-12345-RED", "WBA-12346-BLUE");
    for (asked, expected) in [
        ("футболки красные", vec![red]),
        ("КРАСНОЙ футболкой", vec![red]),
        ("футблка красная", vec![red]),
        ("футболка крассные", vec![red]),
        ("фудболка синяя", vec![blue]),
        ("12345", vec![red]),
        ("wba-12345", vec![red]),
        ("a-1234", vec![red, blue]),
        ("WBA-12354", vec![]),
        ("елочная", vec!["KR-77"]),
        ("ЁЛОЧНЫЕ кружки", vec!["KR-77"]),
        ("кросовки", vec!["SN-900"]),
        ("nkie", vec![]),
        ("nike", vec!["SN-900"]),
        ("снегоход", vec![]),
        ("100%25", vec![]),
    ] {
        let mut skus = found(&client, asked).await?;
        skus.sort();
        assert_eq!(skus, expected, "{asked}");
    }
    assert_eq!(found(&client, "красная").await?.len(), 2);
    assert_eq!(found(&client, red).await?[0], red, "its own code comes first");
    Ok(())
}

#[tokio::test]
async fn the_best_come_first_and_pages_go_on_where_the_last_ended() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    wardrobe(&client).await?;
    for number in 0..7 {
        let new = json!({ "sku": format!("T-{number}"), "name": format!("Тарелка глубокая {number}") });
        client.post("/products", new).await?;
    }
    client.post("/products", json!({ "sku": "T-X", "name": "Тарелька опечатанная" })).await?;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/products?text=тарелка&limit=3{after}")).await?;
        let items = page["items"].as_array().unwrap().clone();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|item| item["sku"].as_str().unwrap().to_owned()));
        let Value::String(next) = &page["next"] else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
    assert_eq!(seen.last().unwrap(), "T-X", "what is only alike comes last: {seen:?}");
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), 8);
    Ok(())
}

#[tokio::test]
async fn search_follows_changes_stands_beside_filters_and_knows_no_other_enterprise() -> Result<()> {
    let app = TestApp::start().await?;
    let (client, other) = (app.enterprise("Ромашка").await?, app.enterprise("Василёк").await?);
    wardrobe(&client).await?;
    assert!(found(&other, "футболка").await?.is_empty());
    other.post("/products", json!({ "sku": "ЧУЖ-1", "name": "Футболка чужая" })).await?;
    assert_eq!(found(&other, "футболки").await?, ["ЧУЖ-1"]);
    assert_eq!(found(&client, "футболки").await?.len(), 2);
    assert_eq!(found(&client, "красная&brand=Василёк").await?, ["HAT-1"]);

    let hat = client.all("/products?text=шапка").await?[0].clone();
    let path = format!("/products/{}", hat["id"].as_str().unwrap());
    client.patch(&path, json!({ "name": "Берет зелёный", "barcodes": ["0460001"] })).await?;
    assert!(found(&client, "шапка").await?.is_empty());
    assert_eq!(found(&client, "береты").await?, ["HAT-1"]);
    assert_eq!(found(&client, "0460001").await?, ["HAT-1"], "a whole barcode is a word, too");
    let codes = json!({ "barcodes": ["0460001", "AbC-77x"], "sku": "Берет и Шарф 1" });
    client.patch(&path, codes).await?;
    assert_eq!(found(&client, "AbC-77x").await?, ["Берет и Шарф 1"], "its letters are as they were written");
    client.post("/products", json!({ "sku": "B-2", "name": "Берет и шарф 1 в подарок" })).await?;
    assert_eq!(found(&client, "берет и шарф 1").await?[0], "Берет и Шарф 1", "a code has the small words, too");
    client.patch(&path, json!({ "barcodes": ["0460001"], "sku": "HAT-1" })).await?;
    client.post(&format!("{path}/archive"), json!({})).await?;
    assert_eq!(found(&client, "берет").await?, ["B-2"]);
    assert_eq!(found(&client, "берет&archived=true").await?, ["HAT-1"]);
    Ok(())
}
