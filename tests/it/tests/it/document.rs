//! The document is what holds: what it does not allow is refused by name, and what is answered is in it.

use anyhow::{Context, Result};
use it::answers::required_query;
use it::{Reach, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use stack::Client;

const NOBODY: &str = "01900000-0000-7000-8000-000000000000";

fn document() -> Value {
    serde_json::from_str(&api::openapi()).expect("the document is JSON")
}

/// Posts what is wrong in this field.
async fn refused(client: &Client, path: &str, body: Value, field: &str) -> Result<()> {
    let answer = client.ask(Method::POST, path, Some(body.clone())).await?;
    assert_eq!((answer.status.as_u16(), answer.code()), (422, "invalid"), "{path} {body}: {}", answer.body);
    assert_eq!(answer.body["field"], field, "{path} {body}: {}", answer.body);
    Ok(())
}

#[tokio::test]
async fn a_number_is_no_text_and_null_is_no_way_to_leave_something_out() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    for name in [json!(5), json!(0.5), json!(true), json!(null), json!(["Склад"]), json!({})] {
        refused(&boss, "/warehouses", json!({ "name": name }), "name").await?;
    }
    refused(&boss, "/warehouses", json!({ "name": "Склад", "address": null }), "address").await?;
    refused(&boss, "/warehouses", json!({ "address": "Москва" }), "name").await?;
    refused(&boss, "/warehouses", json!({ "name": "Склад", "roof": "red" }), "roof").await?;
    assert_eq!(boss.all("/warehouses").await?, Vec::<Value>::new(), "nothing is half done");
    let me = boss.get("/users/me").await?;
    let (status, code) = boss.outcome(Method::PATCH, "/users/me", Some(json!({ "name": false }))).await?;
    assert_eq!((status, code.as_str()), (422, "invalid"));
    assert_eq!(boss.get("/users/me").await?["user"]["name"], me["user"]["name"]);
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_deep_in_a_body_is_named() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let warehouse = boss.post("/warehouses", json!({ "name": "Склад" })).await?;
    let path = format!("/warehouses/{}/cells", warehouse["id"].as_str().context("an id")?);
    let cells =
        |code: Value| json!({ "cells": [{ "code": "А-1", "pickSequence": 1 }, { "code": code, "pickSequence": 2 }] });
    refused(&boss, &path, cells(json!(false)), "cells.1.code").await?;
    refused(&boss, &path, cells(json!("я".repeat(61))), "cells.1.code").await?;
    refused(&boss, &path, cells(json!("А\0")), "cells.1.code").await?;
    refused(&boss, &path, json!({ "cells": [] }), "cells").await?;
    boss.post(&path, cells(json!("я".repeat(60)))).await?;
    Ok(())
}

#[tokio::test]
async fn no_text_holds_a_nul_wherever_it_comes() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    for path in ["/users?search=a%00b", "/products?text=%00", "/products?barcode=%00", "/jobs?kind=%00", "/orders/%00"]
    {
        let (status, code) = boss.outcome(Method::GET, path, None).await?;
        assert_eq!((status, code.as_str()), (400, "malformed"), "{path}");
    }
    refused(&boss, "/warehouses", json!({ "name": "Скл\0ад" }), "name").await?;
    refused(
        &boss,
        "/roles",
        json!({ "name": "Роль", "description": "\0", "permissions": ["stock:read"] }),
        "description",
    )
    .await?;
    let anybody = Client::new(&app.url)?;
    refused(&anybody, "/auth/login", json!({ "email": "a@b.ru", "password": "\0" }), "password").await?;
    Ok(())
}

#[tokio::test]
async fn who_is_asking_is_asked_before_what_they_want() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let viewer = app.person(&boss, "viewer", Reach::Enterprise).await?.client;
    let wrong = || Some(json!({ "name": 5, "roof": null }));
    let stranger = Client::new(&app.url)?.with_token(Some("a.b.c"));
    let outcome = async |client: &Client| client.outcome(Method::POST, "/warehouses", wrong()).await;
    assert_eq!(outcome(&stranger).await?, (401, "unauthenticated".to_owned()));
    assert_eq!(outcome(&viewer).await?, (403, "forbidden".to_owned()));
    assert_eq!(outcome(&boss).await?, (422, "invalid".to_owned()));
    Ok(())
}

#[tokio::test]
async fn every_list_keeps_to_the_sizes_of_pages_that_the_document_gives() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let mut lists = 0;
    for (path, item) in document()["paths"].as_object().context("paths")? {
        let parameters = || item["get"]["parameters"].as_array().into_iter().flatten();
        let required = required_query(&item["get"]);
        for limit in parameters().filter(|parameter| parameter["name"] == "limit") {
            let (least, most) = (&limit["schema"]["minimum"], &limit["schema"]["maximum"]);
            let (least, most) = (least.as_i64().context("a minimum")?, most.as_i64().context("a maximum")?);
            let path = path.replace("{id}", NOBODY).replace("{wb_warehouse_id}", "1");
            for (asked, is_allowed) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
                let (status, _) = boss.outcome(Method::GET, &format!("{path}?limit={asked}{required}"), None).await?;
                assert_eq!(status != 422, is_allowed, "{path}?limit={asked}: {status}");
            }
            lists += 1;
        }
    }
    assert!(lists > 10, "{lists} lists");
    Ok(())
}

#[tokio::test]
async fn what_a_caller_does_not_have_is_not_there_and_the_document_says_so() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    for (method, path) in [("delete", "/auth/second-factor"), ("post", "/auth/second-factor/recovery-codes")] {
        let (status, code) = boss.outcome(method.to_uppercase().parse()?, path, None).await?;
        assert_eq!((status, code.as_str()), (404, "not_found"), "{method} {path}");
        assert!(document()["paths"][path][method]["responses"]["404"].is_object(), "{method} {path}");
    }
    Ok(())
}
