//! Lists as files: the same rows as the list, by the same reach, harmless in a spreadsheet.

use std::collections::BTreeSet;
use std::io::Cursor;

use anyhow::{Context, Result};
use calamine::{Data, Reader, Xlsx};
use it::answers::required_query;
use it::people::enterprise_of;
use it::{Reach, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use stack::Client;

async fn sheet(client: &Client, path: &str) -> Result<Vec<Vec<Data>>> {
    let (headers, file) = client.download(path).await?;
    assert!(headers["content-disposition"].to_str()?.ends_with(".xlsx\""), "{headers:?}");
    let mut workbook = Xlsx::new(Cursor::new(file))?;
    let name = workbook.sheet_names().first().cloned().context("a sheet")?;
    assert!(workbook.worksheet_formula(&name)?.is_empty(), "no cell is a formula");
    let range = workbook.worksheet_range_at(0).context("a sheet")??;
    Ok(range.rows().map(<[Data]>::to_vec).collect())
}

async fn csv(client: &Client, path: &str) -> Result<String> {
    let (headers, file) = client.download(path).await?;
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8");
    Ok(String::from_utf8(file)?)
}

#[tokio::test]
async fn every_format_holds_every_row_and_no_formula() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    // More than one page, so that pages meet without a seam.
    let products: Vec<_> = (0..1003).map(|number| format!("Т-{number:04}")).collect();
    let enterprise = enterprise_of(&client).await?;
    sqlx::query(
        "INSERT INTO products (enterprise_id, id, sku, name, min_stock, created_at, changed_at)
         SELECT $2::uuid, gen_random_uuid(), sku, 'Тарелка ' || sku, 7, now(), now() FROM unnest($1::text[]) AS sku",
    )
    .bind(&products)
    .bind(&enterprise)
    .execute(&mut app.admin_in(&enterprise).await?)
    .await?;
    let formula = "=HYPERLINK(\"http://evil.example\",\"жми\")";
    client.post("/products", json!({ "sku": "@SUM", "name": formula, "barcodes": ["0046", "46"] })).await?;

    let (headers, file) = client.download("/products/export?format=json").await?;
    assert_eq!(headers["content-disposition"], "attachment; filename=\"products.json\"");
    let rows: Vec<Value> = serde_json::from_slice(&file)?;
    assert_eq!(rows, client.all("/products").await?, "what the list shows");

    let text = csv(&client, "/products/export").await?;
    assert!(text.starts_with("\u{feff}id,sku,name,"), "{}", &text[..60]);
    assert_eq!(text.lines().count(), 1005);
    assert!(text.contains(",'@SUM,\"'=HYPERLINK(\"\"http://evil.example\"\",\"\"жми\"\")\","), "led by an apostrophe");
    assert!(text.contains("\"0046, 46\""));

    let rows = sheet(&client, "/products/export?format=xlsx").await?;
    assert_eq!(rows.len(), 1005);
    let column = |name: &str| rows[0].iter().position(|cell| *cell == Data::String(name.to_owned())).unwrap();
    assert!(rows.iter().any(|row| row[column("name")] == Data::String(format!("'{formula}"))));
    assert!(rows[1..].iter().any(|row| row[column("minStock")] == Data::Float(7.0)), "numbers are numbers");
    // The filters of the list, and none of another enterprise.
    assert_eq!(csv(&client, "/products/export?text=Т-0001").await?.lines().count(), 2);
    let stranger = app.enterprise("Василёк").await?;
    assert_eq!(csv(&stranger, "/products/export").await?.lines().count(), 1);
    assert_eq!(sheet(&stranger, "/products/export?format=xlsx").await?.len(), 1);
    assert_eq!(stranger.download("/products/export?format=json").await?.1, b"[]\n");
    Ok(())
}

/// Lists that are looked at and not taken along.
const SHOWN_ONLY: [(&str, &str); 5] = [
    ("list_enterprises", "it is who runs the installation that they are listed for"),
    ("list_sessions", "who is signed in, is so this moment"),
    ("list_shipping_points", "Wildberries is asked each time, and answers for one day and one city"),
    ("list_stock_changes", "it is a feed: whoever has read it goes on from there, and it has no end"),
    ("list_user_sessions", "who is signed in, is so this moment"),
];

#[tokio::test]
async fn every_list_has_an_export_with_its_filters_and_its_rows() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.picked(1).await?;
    shop.client.post("/categories", json!({ "name": "Посуда" })).await?;
    shop.client.post("/product-imports", json!("sku;name\nA-1;Кружка\n")).await?;
    let document: Value = serde_json::from_str(&api::openapi())?;
    let names = |operation: &Value| -> BTreeSet<String> {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        parameters.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)).collect()
    };
    let (mut filled, mut shown_only) = (0, Vec::new());
    for (path, item) in document["paths"].as_object().context("paths")? {
        let list = &item["get"];
        let Some(id) = list["operationId"].as_str().filter(|id| id.starts_with("list_")) else { continue };
        let export = &document["paths"][format!("{path}/export")]["get"];
        if export.is_null() {
            shown_only.push(id);
            continue;
        }
        assert_eq!(export["operationId"], id.replacen("list_", "export_", 1));
        for needs in ["x-permission", "x-reach"] {
            assert_eq!(export[needs], list[needs], "{id}");
        }
        let mut filters = names(list);
        filters.retain(|name| !["after", "limit"].contains(&name.as_str()));
        filters.insert("format".to_owned());
        assert_eq!(names(export), filters, "{id}");
        if !path.contains('{') {
            let asked = required_query(list);
            let (_, file) = shop.client.download(&format!("{path}/export?format=json{asked}")).await?;
            let rows: Vec<Value> = serde_json::from_slice(&file)?;
            assert_eq!(rows, shop.client.all(&format!("{path}?{}", asked.trim_start_matches('&'))).await?, "{id}");
            filled += u32::from(!rows.is_empty());
        }
    }
    shown_only.sort_unstable();
    assert_eq!(shown_only, SHOWN_ONLY.map(|(id, _)| id).to_vec());
    assert!(filled >= 14, "only {filled} lists have rows");
    Ok(())
}

#[tokio::test]
async fn an_export_reaches_as_far_as_its_list_and_shows_money_to_who_may_see_it() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.picked(2).await?;
    let second = shop.second_warehouse().await?;
    second.picked(1).await?;
    let warehouses = [shop.warehouse.as_str()];
    let clerk = app.person(&shop.client, "storekeeper", Reach::Warehouses(&warehouses)).await?.client;
    let cells = format!("/warehouses/{}/cells", shop.warehouse);
    for list in ["/products", "/inventory", "/inventory/entries", "/orders", "/requests", "/supplies", cells.as_str()] {
        for client in [&shop.client, &clerk] {
            let (_, file) = client.download(&format!("{list}/export?format=json")).await?;
            let rows: Vec<Value> = serde_json::from_slice(&file)?;
            assert_eq!(rows, client.all(list).await?, "{list}");
        }
        let lines = csv(&shop.client, &format!("{list}/export?format=csv")).await?.lines().count();
        assert_eq!(lines, shop.client.all(list).await?.len() + 1, "{list}");
    }
    let prices = async |client: &Client| {
        let rows = sheet(client, "/orders/export?format=xlsx").await?;
        let price = rows[0].iter().position(|cell| *cell == Data::String("priceMinor".to_owned()));
        let price = price.context("a column for the price")?;
        anyhow::Ok(rows[1..].iter().filter(|row| row[price] != Data::Empty).count())
    };
    assert_eq!(prices(&shop.client).await?, 3);
    assert_eq!(prices(&clerk).await?, 0, "a storekeeper sees no money");
    let out = format!("/warehouses/{}/cells/export", second.warehouse);
    assert_eq!(clerk.outcome(Method::GET, &out, None).await?, (404, "not_found".to_owned()));
    Ok(())
}
