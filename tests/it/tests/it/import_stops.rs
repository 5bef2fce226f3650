//! Sessions whose job was cancelled or given up: they say so, and can go on or be taken back; and what is taken back does
//! not need what is gone by now.

use anyhow::{Context, Result};
use it::TestApp;
use it::people::enterprise_of;
use reqwest::Method;
use serde_json::{Value, json};
use shared::access::Actor;
use shared::ids::{EnterpriseId, ProductImportId};
use shared::products::imports::{commit_page, undo_page};
use stack::Client;
use stack::client::text;

async fn send(client: &Client, file: String) -> Result<String> {
    let answer = client.upload("/product-imports", file.into_bytes()).await?;
    text(&answer.body, "id")
}

async fn ask(client: &Client, id: &str, step: &str) -> Result<Value> {
    client.post(&format!("/product-imports/{id}/{step}"), json!({})).await
}

/// Asks for a step and cancels its job before anybody has begun it.
async fn cancelled(client: &Client, id: &str, step: &str) -> Result<Value> {
    let asked = ask(client, id, step).await?;
    assert_eq!(asked.get("stopped"), None, "{asked}");
    client.post(&format!("/jobs/{}/cancel", text(&asked, "jobId")?), json!({})).await?;
    client.get(&format!("/product-imports/{id}")).await
}

#[tokio::test]
async fn a_step_whose_job_was_cancelled_says_so_and_is_asked_for_again() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let id = send(&client, "sku;name\nA-1;Кружка\n".to_owned()).await?;
    let columns = format!("/product-imports/{id}/columns");
    for (step, during, ended) in
        [("check", "checking", "checked"), ("commit", "committing", "committed"), ("undo", "undoing", "undone")]
    {
        let stopped = cancelled(&client, &id, step).await?;
        assert_eq!((&stopped["status"], &stopped["stopped"]), (&json!(during), &json!("its job was cancelled")));
        if step == "check" {
            let set = client.put(&columns, json!({ "columns": ["sku", "name"] })).await?;
            assert_eq!((&set["status"], set.get("stopped")), (&json!("read"), None));
            cancelled(&client, &id, step).await?;
        } else {
            let refused = client.outcome(Method::PUT, &columns, Some(json!({ "columns": ["sku", "name"] }))).await?;
            assert_eq!(refused, (409, "import_transition".to_owned()), "{step}");
        }
        let again = ask(&client, &id, step).await?;
        assert_eq!((&again["status"], again.get("stopped")), (&json!(during), None));
        // While its job is on its way, nothing else is.
        client.refused(&format!("/product-imports/{id}/{step}"), json!({}), "import_transition").await?;
        app.run_jobs().await?;
        assert_eq!(client.get(&format!("/product-imports/{id}")).await?["status"], ended);
    }
    assert!(client.all("/products").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_a_commit_wrote_before_its_job_was_given_up_is_taken_back_or_completed() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let actor = Actor::job(EnterpriseId(enterprise_of(&client).await?.parse()?), "products.commit_import");
    let dead = async |id: &str| {
        sqlx::query("UPDATE jobs SET state = 'dead', finished_at = now(), last_error = 'the disk is full' WHERE payload->>'import_id' = $1 AND state = 'queued'")
            .bind(id)
            .execute(&mut app.admin().await?)
            .await?;
        client.get(&format!("/product-imports/{id}")).await
    };
    for goes_on in [false, true] {
        let lines: Vec<_> = (0..600).map(|number| format!("S-{goes_on}-{number};Кружка\n")).collect();
        let id = send(&client, format!("sku;name\n{}", lines.concat())).await?;
        ask(&client, &id, "check").await?;
        app.run_jobs().await?;
        ask(&client, &id, "commit").await?;
        let mut tx = app.ctx.db.begin(&actor).await?;
        commit_page(&mut tx, ProductImportId(id.parse()?)).await?;
        tx.commit().await?;
        let stopped = dead(&id).await?;
        assert_eq!(stopped["stopped"], "its job was given up: the disk is full");
        assert_eq!((&stopped["done"], &stopped["written"]), (&json!(500), &json!(500)));
        if goes_on {
            ask(&client, &id, "commit").await?;
            app.run_jobs().await?;
            let whole = client.get(&format!("/product-imports/{id}")).await?;
            assert_eq!((&whole["status"], &whole["written"]), (&json!("committed"), &json!(600)));
            assert_eq!(client.all("/products").await?.len(), 600);
        }
        // So is what an undoing has not come to.
        ask(&client, &id, "undo").await?;
        let mut tx = app.ctx.db.begin(&actor).await?;
        undo_page(&mut tx, ProductImportId(id.parse()?)).await?;
        tx.commit().await?;
        assert!(dead(&id).await?["stopped"].is_string());
        ask(&client, &id, "undo").await?;
        app.run_jobs().await?;
        let undone = client.get(&format!("/product-imports/{id}")).await?;
        assert_eq!((&undone["status"], &undone["undone"]), (&json!("undone"), &json!(if goes_on { 600 } else { 500 })));
        assert!(client.all("/products").await?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn an_import_is_taken_back_without_the_category_that_is_gone() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let old = client.post("/categories", json!({ "name": "Старая" })).await?;
    client.post("/categories", json!({ "name": "Новая" })).await?;
    let cup = json!({ "sku": "CUP", "name": "Кружка", "categoryId": old["id"], "weightG": 300 });
    let path = format!("/products/{}", text(&client.post("/products", cup).await?, "id")?);
    let id = send(&client, "sku;category;weightG\nCUP;Новая;310\n".to_owned()).await?;
    for step in ["check", "commit"] {
        ask(&client, &id, step).await?;
        app.run_jobs().await?;
    }
    assert_eq!(client.get(&path).await?["category"], "Новая");
    client.delete(&format!("/categories/{}", text(&old, "id")?)).await?;
    ask(&client, &id, "undo").await?;
    app.run_jobs().await?;
    let undone = client.get(&format!("/product-imports/{id}")).await?;
    assert_eq!((&undone["status"], &undone["undone"]), (&json!("undone"), &json!(1)), "{undone}");
    let cup = client.get(&path).await?;
    assert_eq!((cup.get("categoryId"), &cup["weightG"]), (None, &json!(300)));
    let row = client.all(&format!("/product-imports/{id}/rows")).await?.pop().context("a row")?;
    assert_eq!(
        (&row["undo"], &row["reason"]),
        (&json!("undone"), &json!("its category was removed since: it has none now"))
    );
    Ok(())
}

#[tokio::test]
async fn a_session_knows_its_numbers_without_counting_its_rows() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    client.post("/products", json!({ "sku": "OLD", "name": "Тарелка" })).await?;
    client.post("/products", json!({ "sku": "SAME", "name": "Тарелка" })).await?;
    let id = send(&client, "sku;name\nNEW;Кружка\nOLD;Миска\nSAME;Тарелка\nWRONG;\n".to_owned()).await?;
    for _ in 0..2 {
        ask(&client, &id, "check").await?;
        app.run_jobs().await?;
    }
    client.post(&format!("/product-imports/{id}/commit"), json!({ "withoutWrong": true })).await?;
    app.run_jobs().await?;
    sqlx::query("DELETE FROM product_import_rows").execute(&mut app.admin().await?).await?;
    let session = client.get(&format!("/product-imports/{id}")).await?;
    for (field, number) in [("toCreate", 1), ("toChange", 1), ("same", 1), ("wrong", 1), ("written", 2), ("skipped", 0)]
    {
        assert_eq!(session[field], number, "{field}");
    }
    assert_eq!(client.get("/product-imports").await?["items"][0], session);
    Ok(())
}
