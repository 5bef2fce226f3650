//! Importing products: each row gets its verdict, what is right is written once, and it can be taken back.

use anyhow::{Context, Result, ensure};
use it::TestApp;
use it::people::enterprise_of;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use stack::Client;
use stack::client::text;

const TABLE: &str = "Артикул;Наименование;Вес, г;Штрихкод;Категория;Цвет
MUG-1;Кружка синяя;300;0046;Посуда;синий
MUG-2;Кружка красная;310;0047, 47;;красный
OLD-1;Тарелка;500;0048;;белый
OLD-2;;;;;
NEW-3;;100;;;
MUG-1;Ещё раз;1;;;
MUG-4;Кружка;много;;Обувь;
MUG-5;Кружка;1;0046;;
TAKEN;Кружка;1;9999;;
";

async fn send(client: &Client, file: impl Into<Vec<u8>>) -> Result<String> {
    let answer = client.upload("/product-imports?fileName=price.csv", file.into()).await?;
    ensure!(answer.status.as_u16() == 201, "{}", answer.body);
    text(&answer.body, "id")
}

async fn step(app: &TestApp, client: &Client, id: &str, step: &str, body: Value) -> Result<Value> {
    client.post(&format!("/product-imports/{id}/{step}"), body).await?;
    app.run_jobs().await?;
    client.get(&format!("/product-imports/{id}")).await
}

async fn rows(client: &Client, id: &str, field: &str) -> Result<Vec<(i64, String)>> {
    let rows = client.all(&format!("/product-imports/{id}/rows")).await?;
    let said = |row: &Value| Some((row["number"].as_i64()?, row[field].as_str().unwrap_or("-").to_owned()));
    rows.iter().map(|row| said(row).context("rows have numbers")).collect()
}

fn words(rows: &[(i64, String)]) -> Vec<&str> {
    rows.iter().map(|(_, word)| word.as_str()).collect()
}

async fn by_sku(client: &Client, sku: &str) -> Result<Value> {
    let all = client.all("/products").await?;
    all.into_iter().find(|product| product["sku"] == sku).with_context(|| format!("{sku} is not there"))
}

async fn old(client: &Client, sku: &str, more: Value) -> Result<Value> {
    let mut body = json!({ "sku": sku, "name": "Тарелка", "weightG": 500 });
    for (field, value) in more.as_object().into_iter().flatten() {
        body[field] = value.clone();
    }
    client.post("/products", body).await
}

#[tokio::test]
async fn every_row_gets_its_verdict_and_nothing_is_written_before_the_commit() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    client.post("/categories", json!({ "name": "Посуда" })).await?;
    old(&client, "OLD-1", json!({})).await?;
    old(&client, "OLD-2", json!({ "barcodes": ["9999"] })).await?;
    let id = send(&client, TABLE).await?;
    let read = client.get(&format!("/product-imports/{id}")).await?;
    assert_eq!((&read["status"], &read["rows"], &read["format"]), (&json!("read"), &json!(9), &json!("csv")));
    assert_eq!(read["columns"], json!(["sku", "name", "weightG", "barcodes", "category", "ignored"]));
    let checked = step(&app, &client, &id, "check", json!({})).await?;
    assert_eq!((&checked["status"], &checked["wrong"]), (&json!("checked"), &json!(5)));
    let verdicts = rows(&client, &id, "verdict").await?;
    assert_eq!(verdicts[0].0, 2, "numbered as the spreadsheet does");
    assert_eq!(words(&verdicts), ["create", "create", "change", "same", "wrong", "wrong", "wrong", "wrong", "wrong"]);
    let reasons = rows(&client, &id, "reason").await?;
    for (row, reason) in [
        (4, "name: is needed for a new product"),
        (5, "sku: row 2 already says something of MUG-1"),
        (6, "weightG: «много» is no whole number; category: there is no category «Обувь»"),
        (7, "barcodes: row 2 already has 0046"),
        (8, "barcodes: another product already has 9999"),
    ] {
        assert_eq!(reasons[row].1, reason);
    }
    assert_eq!(
        client.get(&format!("/product-imports/{id}/rows?verdict=wrong")).await?["items"].as_array().unwrap().len(),
        5
    );
    assert_eq!(client.all("/products").await?.len(), 2, "a dry run writes nothing");
    assert_eq!(client.get(&format!("/jobs/{}", text(&checked, "jobId")?)).await?["progress"], 100);

    client.refused(&format!("/product-imports/{id}/commit"), json!({}), "import_has_wrong_rows").await?;
    let committed = step(&app, &client, &id, "commit", json!({ "withoutWrong": true })).await?;
    assert_eq!((&committed["status"], &committed["written"]), (&json!("committed"), &json!(3)));
    let mug = by_sku(&client, "MUG-2").await?;
    assert_eq!((&mug["weightG"], &mug["barcodes"]), (&json!(310), &json!(["0047", "47"])));
    assert!(by_sku(&client, "MUG-1").await?["categoryId"].is_string());
    assert_eq!(by_sku(&client, "OLD-1").await?["barcodes"], json!(["0048"]));
    client.refused(&format!("/product-imports/{id}/commit"), json!({}), "import_transition").await?;
    Ok(())
}

#[tokio::test]
async fn columns_are_corrected_by_hand() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let id = send(&client, "Код модели\tКак зовут\tгр\nA-1\tКружка\t300\n").await?;
    let path = format!("/product-imports/{id}");
    assert_eq!(client.get(&path).await?["columns"], json!(["ignored", "ignored", "ignored"]));
    let check = client.outcome(Method::POST, &format!("{path}/check"), Some(json!({}))).await?;
    assert_eq!(check, (422, "invalid".to_owned()), "nothing names the products");
    for wrong in [json!(["sku", "name"]), json!(["sku", "name", "name"]), json!(["name", "ignored", "weightG"])] {
        let body = Some(json!({ "columns": wrong }));
        assert_eq!(client.outcome(Method::PUT, &format!("{path}/columns"), body).await?.0, 422, "{wrong}");
    }
    client.put(&format!("{path}/columns"), json!({ "columns": ["sku", "name", "weightG"] })).await?;
    step(&app, &client, &id, "check", json!({})).await?;
    step(&app, &client, &id, "commit", json!({})).await?;
    assert_eq!(by_sku(&client, "A-1").await?["weightG"], 300);
    Ok(())
}

#[tokio::test]
async fn an_import_is_taken_back_as_far_as_nobody_touched_it() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let client = &shop.client;
    old(client, "OLD-1", json!({ "barcodes": ["1"] })).await?;
    old(client, "OLD-2", json!({})).await?;
    let file = "sku;name;minStock;barcodes\nOLD-1;Тарелка новая;5;2\nOLD-2;Миска;5;\nNEW-1;Кружка;;3\nNEW-2;Кружка;;4\nNEW-3;Кружка;;5\n";
    let id = send(client, file).await?;
    step(&app, client, &id, "check", json!({})).await?;
    step(&app, client, &id, "commit", json!({})).await?;
    let touched = text(&by_sku(client, "OLD-2").await?, "id")?;
    client.patch(&format!("/products/{touched}"), json!({ "safetyStock": 1 })).await?;
    let line = json!({ "barcode": "4", "cell": "A-01", "quantity": 3 });
    client
        .post("/inventory/receipts", json!({ "warehouseId": shop.warehouse, "number": "П-1", "lines": [line] }))
        .await?;
    let undone = step(&app, client, &id, "undo", json!({})).await?;
    assert_eq!((&undone["status"], &undone["undone"], &undone["kept"]), (&json!("undone"), &json!(3), &json!(2)));
    assert_eq!(words(&rows(client, &id, "undo").await?), ["undone", "kept", "undone", "kept", "undone"]);
    let reasons = rows(client, &id, "reason").await?;
    assert_eq!(reasons[1].1, "somebody changed it since");
    assert!(reasons[3].1.contains("stock: 3 in cell A-01"), "{reasons:?}");
    let back = by_sku(client, "OLD-1").await?;
    assert_eq!((&back["name"], back.get("minStock"), &back["barcodes"]), (&json!("Тарелка"), None, &json!(["1"])));
    assert!(by_sku(client, "NEW-1").await.is_err() && by_sku(client, "NEW-3").await.is_err());
    assert_eq!(by_sku(client, "OLD-2").await?["name"], "Миска");
    // What was taken back is free again.
    client.post("/products", json!({ "sku": "NEW-1", "name": "Другая", "barcodes": ["3"] })).await?;
    Ok(())
}

#[tokio::test]
async fn what_somebody_changed_between_dry_run_and_commit_is_left_to_them() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let first = text(&old(&client, "OLD-1", json!({})).await?, "id")?;
    let id = send(&client, "sku;name;barcodes\nOLD-1;Миска;\nNEW-1;Кружка;\nNEW-2;Кружка;77\nNEW-3;Кружка;\n").await?;
    step(&app, &client, &id, "check", json!({})).await?;
    client.patch(&format!("/products/{first}"), json!({ "weightG": 501 })).await?;
    old(&client, "NEW-1", json!({})).await?;
    old(&client, "OTHER", json!({ "barcodes": ["77"] })).await?;
    let committed = step(&app, &client, &id, "commit", json!({})).await?;
    assert_eq!((&committed["written"], &committed["skipped"]), (&json!(1), &json!(3)));
    assert_eq!(words(&rows(&client, &id, "outcome").await?), ["skipped", "skipped", "skipped", "created"]);
    assert_eq!(by_sku(&client, "OLD-1").await?["name"], "Тарелка");
    Ok(())
}

#[tokio::test]
async fn cards_keep_what_wildberries_says_of_them() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (first, second) = (text(&shop.products[0], "sku")?, text(&shop.products[1], "sku")?);
    let id = send(&shop.client, format!("sku,name,minStock\n{first},Другое,5\n{second},,7\n")).await?;
    let checked = step(&app, &shop.client, &id, "check", json!({})).await?;
    assert_eq!((&checked["wrong"], &checked["toChange"]), (&json!(1), &json!(1)));
    step(&app, &shop.client, &id, "commit", json!({ "withoutWrong": true })).await?;
    assert_eq!(by_sku(&shop.client, &second).await?["minStock"], 7);
    Ok(())
}

#[tokio::test]
async fn what_was_exported_is_imported_as_it_was() -> Result<()> {
    let app = TestApp::start().await?;
    let (client, other) = (app.enterprise("Ромашка").await?, app.enterprise("Василёк").await?);
    for (sku, name) in [("=1+1", "Кружка \"Ёж\"; синяя"), ("00046", "Тарелка\tглубокая"), ("@X", "-5")]
    {
        let name = name.replace('\t', " ");
        let more = json!({ "barcodes": [sku], "minStock": 4, "photos": ["https://a.example/1.jpg"] });
        let mut body = json!({ "sku": sku, "name": name });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.post("/products", body).await?;
    }
    // And whatever begins like a formula, or nearly so.
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let letters: Vec<_> = "=+-@'\"; ,\u{a0}＝＋－＠<&>Ёж1".chars().collect();
    for number in 0..60 {
        let length = chance.random_range(1..6);
        let odd: String = (0..length).map(|_| letters[chance.random_range(0..letters.len())]).collect();
        client.post("/products", json!({ "sku": format!("{number}"), "name": format!("{odd}конец") })).await?;
    }
    for format in ["csv", "xlsx"] {
        let (_, file) = client.download(&format!("/products/export?format={format}")).await?;
        let same = send(&client, file.clone()).await?;
        let checked = step(&app, &client, &same, "check", json!({})).await?;
        assert_eq!((&checked["same"], &checked["format"]), (&json!(63), &json!(format)), "{checked}");
        let id = send(&other, file).await?;
        step(&app, &other, &id, "check", json!({})).await?;
        step(&app, &other, &id, "commit", json!({})).await?;
        for theirs in client.all("/products").await? {
            let ours = by_sku(&other, theirs["sku"].as_str().unwrap()).await?;
            for field in ["name", "barcodes", "minStock", "photos"] {
                assert_eq!(ours[field], theirs[field], "{format} {field}");
            }
        }
        step(&app, &other, &id, "undo", json!({})).await?;
        assert!(other.all("/products").await?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn an_export_with_every_column_filled_comes_back_unchanged() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let client = &shop.client;
    let dishes = client.post("/categories", json!({ "name": "=Посуда" })).await?;
    let mugs = client.post("/categories", json!({ "name": "Кружки, чашки", "parentId": dishes["id"] })).await?;
    let photos: Vec<_> =
        (0..30).map(|number| format!("https://a.example/{}{number}.jpg?a=1,2", "x".repeat(150))).collect();
    let barcodes: Vec<_> = (0..100).map(|number| format!("{:0>60}", 46_000_000 + number)).collect();
    let said = json!({
        "categoryId": mugs["id"], "photos": photos, "lengthMm": 120, "widthMm": 90, "heightMm": 100, "weightG": 320,
        "minStock": 0, "safetyStock": 2, "expiryControl": true, "markingRequired": true,
    });
    let mut own = said.clone();
    let more = json!({ "sku": "+1", "name": "-Кружка; «синяя», \"в горошек\"", "size": "350 мл", "vendorCode": "@MUG", "brand": "'=Гжель", "barcodes": barcodes });
    own.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = client.post("/products", own).await?;
    let (first, second) = (text(&shop.products[0], "id")?, text(&shop.products[1], "id")?);
    client.patch(&format!("/products/{first}"), said).await?;
    // What a card demands is shown as the product's; and Wildberries keeps whatever a seller typed.
    sqlx::query("UPDATE cards SET needs_marking = true WHERE nm_id = $1")
        .bind(shop.products[1]["nmId"].as_i64())
        .execute(&mut app.admin().await?)
        .await?;
    sqlx::query("UPDATE products SET name = ' Кружка ' || chr(10) || 'белая ' WHERE id = $1::uuid")
        .bind(&second)
        .execute(&mut app.admin_in(&enterprise_of(client).await?).await?)
        .await?;
    assert_eq!(client.get(&format!("/products/{second}")).await?["markingRequired"], true);
    let before = client.all("/products").await?;
    for field in
        ["category", "size", "vendorCode", "brand", "photos", "lengthMm", "minStock", "safetyStock", "barcodes"]
    {
        assert!(before.iter().any(|product| product["id"] == made["id"] && !product[field].is_null()), "{field}");
    }
    for format in ["csv", "xlsx"] {
        let (_, file) = client.download(&format!("/products/export?format={format}")).await?;
        let id = send(client, file).await?;
        let read = client.get(&format!("/product-imports/{id}")).await?;
        for column in shared::products::imports::Column::ALL.iter().filter(|column| column.code() != "ignored") {
            assert!(read["columns"].as_array().unwrap().contains(&json!(column.code())), "{}", column.code());
        }
        let checked = step(&app, client, &id, "check", json!({})).await?;
        assert_eq!(
            (&checked["same"], &checked["wrong"]),
            (&json!(before.len()), &json!(0)),
            "{format}: {:?}",
            rows(client, &id, "reason").await?
        );
        step(&app, client, &id, "commit", json!({})).await?;
        assert_eq!(client.all("/products").await?, before, "{format}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_table_or_too_large_is_refused_and_leaves_nothing() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let rows = format!("sku\n{}", "a\n".repeat(100_001)).into_bytes();
    for (file, field) in [(b"PK\x03\x04 no zip".to_vec(), "file"), (b"sku\n".to_vec(), "file"), (rows, "file")] {
        let answer = client.upload("/product-imports", file).await?;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "invalid"), "{}", answer.body);
        assert_eq!(answer.body["field"], field);
    }
    assert_eq!(app.count("SELECT count(*) FROM product_import_rows").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_job_that_was_cut_off_goes_on_and_does_nothing_twice() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let lines: Vec<_> = (0..1500).map(|number| format!("S-{number};Кружка {number};{number:08}\n")).collect();
    let id = send(&client, format!("sku;name;barcodes\n{}S-7;Дважды;\n", lines.concat())).await?;
    let run = async |step: &str, body: Value| {
        client.post(&format!("/product-imports/{id}/{step}"), body).await?;
        // One page by hand, as a worker that died behind it; then the job itself, from the start.
        let import = shared::ids::ProductImportId(id.parse()?);
        let me = client.get("/users/me").await?["enterpriseId"].as_str().unwrap_or_default().parse()?;
        let actor = shared::access::Actor::job(shared::ids::EnterpriseId(me), "products.check_import");
        let mut tx = app.ctx.db.begin(&actor).await?;
        let progress = match step {
            "check" => shared::products::imports::check_page(&mut tx, import, &mut None).await?,
            _ => shared::products::imports::commit_page(&mut tx, import).await?,
        };
        ensure!(!progress.ended && progress.percent > 0, "{progress:?}");
        tx.commit().await?;
        app.run_jobs().await?;
        client.get(&format!("/product-imports/{id}")).await
    };
    let checked = run("check", json!({})).await?;
    assert_eq!((&checked["toCreate"], &checked["wrong"]), (&json!(1500), &json!(1)), "what was read before is known");
    let committed = run("commit", json!({ "withoutWrong": true })).await?;
    assert_eq!((&committed["written"], &committed["skipped"]), (&json!(1500), &json!(0)));
    assert_eq!(client.all("/products").await?.len(), 1500);
    Ok(())
}
