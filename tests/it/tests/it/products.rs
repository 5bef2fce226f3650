//! Own items beside Wildberries' cards: who owns what, what still uses a product, and that a barcode names one.

use anyhow::Result;
use it::people::enterprise_of;
use it::{Reach, Shop, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use stack::Client;
use stack::client::text;

async fn make(client: &Client, sku: &str, more: Value) -> Result<Value> {
    let mut body = json!({ "sku": sku, "name": format!("Товар {sku}") });
    for (field, value) in more.as_object().into_iter().flatten() {
        body[field] = value.clone();
    }
    client.post("/products", body).await
}

async fn refused(client: &Client, method: Method, path: &str, body: Value) -> Result<(u16, String)> {
    client.outcome(method, path, Some(body)).await
}

fn conflict(code: &str) -> (u16, String) {
    (409, code.to_owned())
}

#[tokio::test]
async fn an_own_item_has_everything_that_is_said_of_it() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let mugs = client.post("/categories", json!({ "name": "Кружки" })).await?;
    let said = json!({
        "sku": "MUG-1", "name": "Кружка синяя", "size": "350 мл", "vendorCode": "MUG", "brand": "Гжель",
        "categoryId": mugs["id"], "barcodes": ["0046000000017", "46000000017"], "photos": ["https://a.example/1.jpg"],
        "lengthMm": 120, "widthMm": 90, "heightMm": 100, "weightG": 320, "minStock": 5, "safetyStock": 2,
        "expiryControl": true, "markingRequired": true, "components": [],
    });
    let made = client.post("/products", said.clone()).await?;
    for (field, value) in said.as_object().unwrap() {
        assert_eq!(made[field], *value, "{field}");
    }
    let path = format!("/products/{}", text(&made, "id")?);
    assert_eq!(client.get(&path).await?, made);
    // Leading zeros matter: two barcodes, either finds it, and nothing like them does.
    for code in ["0046000000017", "46000000017"] {
        assert_eq!(client.get(&format!("/products/by-barcode?code={code}")).await?, made);
    }
    let none = client.outcome(Method::GET, "/products/by-barcode?code=046000000017", None).await?;
    assert_eq!(none, (404, "not_found".to_owned()));

    let changed = client.patch(&path, json!({ "brand": null, "minStock": 7, "barcodes": ["46000000017"] })).await?;
    assert_eq!((changed.get("brand"), &changed["minStock"], &changed["weightG"]), (None, &json!(7), &json!(320)));
    assert_eq!(changed["barcodes"], json!(["46000000017"]));
    assert_eq!(changed["version"], json!(2));
    let wrong = refused(&client, Method::PATCH, &path, json!({ "categoryId": made["id"] })).await?;
    assert_eq!(wrong, (422, "invalid".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_sku_and_a_barcode_name_one_product_until_it_is_archived() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let first = make(&client, "A-1", json!({ "barcodes": ["100"] })).await?;
    let first = format!("/products/{}", text(&first, "id")?);
    let again = json!({ "sku": "A-1", "name": "Ещё один" });
    assert_eq!(refused(&client, Method::POST, "/products", again).await?, conflict("sku_taken"));
    let barcode = json!({ "sku": "A-2", "name": "Ещё один", "barcodes": ["100"] });
    assert_eq!(refused(&client, Method::POST, "/products", barcode.clone()).await?, conflict("barcode_taken"));
    assert_eq!(client.all("/products").await?.len(), 1, "nothing of a refused product is there");

    client.post(&format!("{first}/archive"), json!({})).await?;
    assert_eq!(client.outcome(Method::GET, "/products/by-barcode?code=100", None).await?.0, 404);
    assert!(client.all("/products").await?.is_empty() && client.all("/products?archived=true").await?.len() == 1);
    assert_eq!(refused(&client, Method::PATCH, &first, json!({ "minStock": 1 })).await?, conflict("product_archived"));
    let second = client.post("/products", barcode).await?;
    assert_eq!(client.get("/products/by-barcode?code=100").await?["id"], second["id"]);
    assert_eq!(
        refused(&client, Method::POST, &format!("{first}/restore"), json!({})).await?,
        conflict("barcode_taken")
    );
    client.patch(&format!("/products/{}", text(&second, "id")?), json!({ "barcodes": [] })).await?;
    client.post(&format!("{first}/restore"), json!({})).await?;
    assert_eq!(client.get("/products/by-barcode?code=100").await?["sku"], "A-1");
    // Barcodes of different enterprises have nothing to do with each other.
    let other = app.enterprise("Василёк").await?;
    make(&other, "A-1", json!({ "barcodes": ["100"] })).await?;
    Ok(())
}

#[tokio::test]
async fn people_and_the_sync_do_not_overwrite_each_other() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let card = &shop.products[0];
    let path = format!("/products/{}", text(card, "id")?);
    for theirs in
        [json!({ "name": "Другое" }), json!({ "sku": "X" }), json!({ "brand": "X" }), json!({ "barcodes": [] })]
    {
        let outcome = refused(&shop.client, Method::PATCH, &path, theirs.clone()).await?;
        assert_eq!(outcome, conflict("kept_by_wildberries"), "{theirs}");
    }
    let mut barcodes = card["barcodes"].as_array().unwrap().clone();
    barcodes.push(json!("OWN-1"));
    let ours = json!({ "name": card["name"], "weightG": 250, "minStock": 4, "safetyStock": 1, "barcodes": barcodes,
                       "photos": ["https://a.example/1.jpg"], "expiryControl": true });
    shop.client.patch(&path, ours.clone()).await?;
    let nm_id = card["nmId"].as_i64().unwrap();
    assert!(shop.seller.change_card(nm_id, Some("Кружка с котом".to_owned())));
    shop.sync("catalogue").await?;
    let after = shop.client.get(&path).await?;
    assert_eq!(after["name"], "Кружка с котом");
    for field in ["weightG", "minStock", "safetyStock", "photos", "expiryControl"] {
        assert_eq!(after[field], ours[field], "{field}");
    }
    assert!(after["barcodes"].as_array().unwrap().contains(&json!("OWN-1")), "{after}");
    // What was archived stays so, whatever Wildberries says of its card.
    shop.client.post(&format!("{path}/archive"), json!({})).await?;
    assert!(shop.seller.change_card(nm_id, Some("Кружка с псом".to_owned())));
    shop.sync("catalogue").await?;
    let after = shop.client.get(&path).await?;
    assert!(after["archivedAt"].is_string() && after["name"] == "Кружка с псом", "{after}");
    Ok(())
}

#[tokio::test]
async fn what_is_used_is_not_archived_and_everything_that_uses_it_is_named() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.receive(0, 1, 2).await?;
    let number = shop.order(0)?;
    shop.sync("new_orders").await?;
    shop.picking(&[number]).await?;
    let part = json!([{ "productId": shop.products[0]["id"], "quantity": 2 }]);
    make(&shop.client, "SET-1", json!({ "components": part })).await?;
    let path = format!("/products/{}/archive", text(&shop.products[0], "id")?);
    let words = shop.client.refused(&path, json!({}), "product_in_use").await?;
    for use_ in
        ["stock: 2 in cell A-01 of warehouse Склад", "reservations: 1 in cell A-01", "requests: ", "bundles: SET-1"]
    {
        assert!(words.contains(use_), "{use_}: {words}");
    }
    assert!(words.contains(&format!("orders: {number} (picking)")), "{words}");
    Ok(())
}

#[tokio::test]
async fn papers_that_are_not_closed_keep_what_they_name_from_the_archive() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let client = &shop.client;
    let branch = text(&client.post("/warehouses", json!({ "name": "Филиал" })).await?, "id")?;
    let mug = make(client, "MUG-1", json!({ "barcodes": ["MUG-1"] })).await?;
    let archive = format!("/products/{}/archive", text(&mug, "id")?);
    let line = json!({ "productId": mug["id"], "quantity": 2 });
    let between =
        json!({ "fromWarehouseId": shop.warehouse, "toWarehouseId": branch, "number": "П-1", "lines": [line] });
    let sheet = json!({ "warehouseId": shop.warehouse, "number": "Н-1", "lines": [line] });
    let count = json!({ "warehouseId": shop.warehouse, "name": "Пересчёт", "productIds": [mug["id"]] });
    for (path, paper, named) in [
        ("/inventory/transfers", between, "transfers: П-1 (draft)"),
        ("/inventory/receipt-sheets", sheet, "receipt sheets: Н-1 (expected)"),
        ("/counts", count, "counts: Пересчёт (planned)"),
    ] {
        let paper = text(&client.post(path, paper).await?, "id")?;
        let words = client.refused(&archive, json!({}), "product_in_use").await?;
        assert!(words.contains(named), "{words}");
        client.post(&format!("{path}/{paper}/cancel"), json!({})).await?;
    }
    assert!(client.post(&archive, json!({})).await?["archivedAt"].is_string());
    Ok(())
}

#[tokio::test]
async fn uses_are_listed_by_kind_and_only_of_the_warehouses_in_reach() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = format!("/products/{}/uses", text(&shop.products[0], "id")?);
    assert_eq!(shop.client.get(&path).await?["items"], json!([]));
    let part = json!([{ "productId": shop.products[0]["id"], "quantity": 2 }]);
    make(&shop.client, "SET-1", json!({ "components": part })).await?;
    let second = shop.second_warehouse().await?;
    for cell in 1..=4 {
        shop.receive(0, cell, 2).await?;
        second.receive(0, cell, 1).await?;
    }
    let uses = shop.client.get(&path).await?["items"].clone();
    let stock = &uses[0];
    assert_eq!((&stock["kind"], &stock["count"], &stock["more"]), (&json!("stock"), &json!(12), &json!(3)));
    assert_eq!(stock["examples"].as_array().map(Vec::len), Some(5));
    assert_eq!(uses[1], json!({ "kind": "bundles", "count": 1, "examples": ["SET-1"], "more": 0 }));
    let warehouses = [second.warehouse.as_str()];
    let clerk = app.person(&shop.client, "storekeeper", Reach::Warehouses(&warehouses)).await?.client;
    let theirs = clerk.get(&path).await?["items"].clone();
    assert_eq!((&theirs[0]["count"], &theirs[0]["more"], theirs.as_array().unwrap().len()), (&json!(4), &json!(0), 2));
    let none = shop.client.outcome(Method::GET, &format!("/products/{}/uses", shop.warehouse), None).await?;
    assert_eq!(none, (404, "not_found".to_owned()));
    Ok(())
}

/// Waits until somebody stands behind somebody else in a line, or the question is answered already.
async fn until_somebody_waits<T>(app: &TestApp, asked: &tokio::task::JoinHandle<T>) -> Result<()> {
    const WAITING: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while !asked.is_finished() && app.count(WAITING).await? == 0 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[tokio::test]
async fn goods_that_come_while_a_product_is_archived_are_seen_by_one_side_or_the_other() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let own = make(&shop.client, "OWN", json!({ "barcodes": ["100"] })).await?;
    let (id, warehouse) = (text(&own, "id")?, shop.warehouse.clone());
    let actor =
        shared::access::Actor::job(shared::ids::EnterpriseId(enterprise_of(&shop.client).await?.parse()?), "a.test");
    let lines =
        [shared::inventory::ReceiptLine { barcode: "100".to_owned(), cell: "A-01".to_owned(), quantity: 1, lot: None }];
    let receipt = json!({ "warehouseId": warehouse, "number": "П-2", "lines": [{ "barcode": "100", "cell": "A-01", "quantity": 1 }] });
    let ask = |path: String, body: Value| {
        let client = shop.client.clone();
        tokio::spawn(async move { client.outcome(Method::POST, &path, Some(body)).await })
    };

    // Archived, and not yet known to be so: who brings goods waits, and then knows.
    let mut tx = app.ctx.db.begin(&actor).await?;
    shared::products::archive(&mut tx, shared::ids::ProductId(id.parse()?)).await?;
    let receiving = ask("/inventory/receipts".to_owned(), receipt);
    until_somebody_waits(&app, &receiving).await?;
    tx.commit().await?;
    assert_eq!(receiving.await??, conflict("product_archived"));
    shop.client.post(&format!("/products/{id}/restore"), json!({})).await?;

    // And the other way round.
    let mut tx = app.ctx.db.begin(&actor).await?;
    shared::inventory::receive(&mut tx, shared::ids::WarehouseId(warehouse.parse()?), "П-1", &lines).await?;
    let archiving = ask(format!("/products/{id}/archive"), json!({}));
    until_somebody_waits(&app, &archiving).await?;
    tx.commit().await?;
    assert_eq!(archiving.await??, conflict("product_in_use"));
    Ok(())
}

#[tokio::test]
async fn no_cell_takes_a_bundle_or_what_is_archived() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let cup = make(&shop.client, "CUP", json!({})).await?;
    let part = json!([{ "productId": cup["id"], "quantity": 1 }]);
    let set = make(&shop.client, "SET", json!({ "components": part, "barcodes": ["200"] })).await?;
    let gone = make(&shop.client, "GONE", json!({})).await?;
    shop.client.post(&format!("/products/{}/archive", text(&gone, "id")?), json!({})).await?;
    let by_barcode = json!([{ "barcode": "200", "cell": "A-01", "quantity": 1 }]);
    let receipt = json!({ "warehouseId": shop.warehouse, "number": "П-1", "lines": by_barcode });
    let words = shop.client.refused("/inventory/receipts", receipt, "product_not_stored").await?;
    assert!(words.contains("line 1: SET is a bundle"), "{words}");
    for (product, code) in [(&set, "product_not_stored"), (&gone, "product_archived")] {
        let line =
            |change: i64| json!({ "productId": product["id"], "cell": "A-01", "change": change, "reason": "found" });
        let found = json!({ "warehouseId": shop.warehouse, "lines": [line(1)] });
        let outcome = refused(&shop.client, Method::POST, "/inventory/adjustments", found).await?;
        assert_eq!(outcome, conflict(code));
        // What is not there cannot be missing, either.
        let missing = json!({ "warehouseId": shop.warehouse, "lines": [line(-1)] });
        let outcome = refused(&shop.client, Method::POST, "/inventory/adjustments", missing).await?;
        assert_eq!(outcome, conflict("not_enough_stock"));
    }
    Ok(())
}

#[tokio::test]
async fn what_an_archived_bundle_is_made_of_is_told_in_words() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let (cup, spoon) = (make(&client, "CUP", json!({})).await?, make(&client, "SPOON", json!({})).await?);
    let of = |product: &Value| json!({ "components": [{ "productId": product["id"], "quantity": 1 }] });
    let path = |product: &Value| format!("/products/{}", product["id"].as_str().unwrap());
    let set = make(&client, "SET", of(&cup)).await?;
    client.post(&format!("{}/archive", path(&set)), json!({})).await?;
    // It cannot become a bundle, or the archived one could not be brought back.
    assert_eq!(refused(&client, Method::PATCH, &path(&cup), of(&spoon)).await?, conflict("product_in_use"));
    client.post(&format!("{}/archive", path(&cup)), json!({})).await?;
    let words = client.refused(&format!("{}/restore", path(&set)), json!({}), "component_not_stored").await?;
    assert!(words.contains("restore CUP first"), "{words}");
    for product in [&cup, &set] {
        client.post(&format!("{}/restore", path(product)), json!({})).await?;
    }
    assert_eq!(client.get(&path(&set)).await?["components"][0]["sku"], "CUP");
    Ok(())
}

#[tokio::test]
async fn a_bundle_is_made_of_what_is_stored_and_of_nothing_else() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let cup = make(&client, "CUP", json!({})).await?;
    let spoon = make(&client, "SPOON", json!({})).await?;
    let parts = json!([{ "productId": cup["id"], "quantity": 1 }, { "productId": spoon["id"], "quantity": 6 }]);
    let set = make(&client, "SET", json!({ "components": parts })).await?;
    assert_eq!(set["components"][1], json!({ "productId": spoon["id"], "sku": "SPOON", "quantity": 6 }));
    let path = |product: &Value| format!("/products/{}", product["id"].as_str().unwrap());
    let of = |product: &Value| json!({ "components": [{ "productId": product["id"], "quantity": 1 }] });
    // No bundle in a bundle, so nothing in circles, from whichever side it is tried.
    let not_stored = conflict("component_not_stored");
    assert_eq!(refused(&client, Method::PATCH, &path(&set), of(&set)).await?, not_stored);
    assert_eq!(refused(&client, Method::PATCH, &path(&spoon), of(&set)).await?, conflict("product_in_use"));
    let box_ = json!({ "sku": "BOX", "name": "Короб", "components": of(&set)["components"] });
    assert_eq!(refused(&client, Method::POST, "/products", box_).await?, not_stored);
    assert_eq!(refused(&client, Method::PATCH, &path(&cup), of(&spoon)).await?, conflict("product_in_use"));
    let archived = refused(&client, Method::POST, &format!("{}/archive", path(&cup)), json!({})).await?;
    assert_eq!(archived, conflict("product_in_use"));
    assert_eq!(client.all("/products?bundle=true").await?.len(), 1);
    let changed = client.patch(&path(&set), of(&spoon)).await?;
    assert_eq!((changed["components"].as_array().unwrap().len(), &changed["version"]), (1, &json!(3)));
    client.post(&format!("{}/archive", path(&cup)), json!({})).await?;
    let stored = client.patch(&path(&set), json!({ "components": [] })).await?;
    assert_eq!(stored["components"], json!([]));
    Ok(())
}

#[tokio::test]
async fn categories_are_a_tree_and_products_are_found_below_them() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let dishes = client.post("/categories", json!({ "name": "Посуда" })).await?;
    let mugs = client.post("/categories", json!({ "name": "Кружки", "parentId": dishes["id"] })).await?;
    assert_eq!(mugs["path"], "Посуда / Кружки");
    let twice = json!({ "name": "кружки", "parentId": dishes["id"] });
    assert_eq!(refused(&client, Method::POST, "/categories", twice).await?, conflict("category_name_taken"));
    let ring = json!({ "name": "Посуда", "parentId": mugs["id"] });
    let path = format!("/categories/{}", text(&dishes, "id")?);
    assert_eq!(refused(&client, Method::PUT, &path, ring).await?, (422, "invalid".to_owned()));
    make(&client, "MUG", json!({ "categoryId": mugs["id"] })).await?;
    make(&client, "HAT", json!({})).await?;
    let below = client.all(&format!("/products?categoryId={}", text(&dishes, "id")?)).await?;
    assert_eq!((below.len(), &below[0]["sku"]), (1, &json!("MUG")));
    for category in [&dishes, &mugs] {
        let path = format!("/categories/{}", text(category, "id")?);
        let outcome = client.outcome(Method::DELETE, &path, None).await?;
        assert_eq!(outcome, conflict("category_in_use"), "{category}");
    }
    assert!(app.enterprise("Василёк").await?.get("/categories").await?["items"].as_array().unwrap().is_empty());
    Ok(())
}

#[tokio::test]
async fn products_below_their_minimum_are_counted_where_one_may_look() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = format!("/products/{}", text(&shop.products[0], "id")?);
    shop.client.patch(&path, json!({ "minStock": 3 })).await?;
    let below = async |client: &Client| anyhow::Ok(client.all("/products?belowMinimum=true").await?.len());
    assert_eq!(below(&shop.client).await?, 1);
    let second: Shop<'_> = shop.second_warehouse().await?;
    second.receive(0, 1, 5).await?;
    assert_eq!(below(&shop.client).await?, 0);
    let warehouses = [shop.warehouse.as_str()];
    let clerk = app.person(&shop.client, "storekeeper", Reach::Warehouses(&warehouses)).await?.client;
    assert_eq!(below(&clerk).await?, 1, "in their warehouse there is none");
    Ok(())
}
