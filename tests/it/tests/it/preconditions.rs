//! Two editors, one object: who edits what somebody else has changed meanwhile is told so, and who has what is there
//! already is told that too.

use anyhow::Result;
use it::people::enterprise_of;
use it::{Act, Reach, Shop, TestApp, asker, changing_operations, example, grant};
use reqwest::Method;
use serde_json::{Value, json};
use stack::Client;
use stack::client::Answer;

async fn edit(client: &Client, act: &Act, expected: &str) -> Result<Answer> {
    client.ask_with(act.method.clone(), &act.path, act.body.clone(), &[("If-Match", expected)]).await
}

async fn tag(client: &Client, path: &str) -> Result<String> {
    Ok(client.ask(Method::GET, path, None).await?.header("etag").to_owned())
}

/// What the act edits, by its path without the last part.
fn edited(act: &Act) -> &str {
    act.path.rsplit_once('/').expect("a path has parts").0
}

#[tokio::test]
async fn of_two_editors_the_second_is_told() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let act = example(&shop, "assign_request").await?.unwrap();
    let request = edited(&act).to_owned();
    let seen = tag(&shop.client, &request).await?;
    let first = edit(&shop.client, &act, &seen).await?;
    assert_eq!(first.status.as_u16(), 200, "{}", first.body);
    // The other one still has the first tag.
    let start = Act { path: format!("{request}/status"), body: Some(json!({ "status": "in_progress" })), ..act };
    let second = edit(&shop.client, &start, &seen).await?;
    assert_eq!((second.status.as_u16(), second.code()), (412, "precondition_failed"));
    let now = shop.client.get(&request).await?;
    assert_eq!(now["status"], "assigned", "nothing was done");
    assert_eq!(second.header("etag"), format!("\"{}\"", now["version"]));
    // With the tag that it was told, and with the one that reading shows, it goes on.
    assert_eq!(edit(&shop.client, &start, second.header("etag")).await?.status.as_u16(), 200);
    Ok(())
}

#[tokio::test]
async fn every_edit_compares_versions_and_everything_else_refuses_to_be_asked() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    for operation in changing_operations().into_iter().filter(|operation| api::idempotency::accepts(operation)) {
        let act = example(&shop, &operation).await?.unwrap_or_else(|| panic!("{operation} has no example"));
        let client = asker(&shop, &operation).await?;
        let before = app.fingerprint(&[]).await?;
        let answer = edit(&client, &act, "\"0\"").await?;
        let expected = if api::versions::EDITS.contains(&operation.as_str()) {
            (412, "precondition_failed")
        } else {
            (422, "invalid")
        };
        assert_eq!((answer.status.as_u16(), answer.code()), expected, "{operation}: {}", answer.body);
        assert_eq!(answer.body["field"], "If-Match", "{operation}");
        assert_eq!(app.fingerprint(&[]).await?, before, "{operation} did something");
        assert!(edit(&client, &act, "5").await?.status.as_u16() == 422, "{operation}: not a tag");
        if api::versions::EDITS.contains(&operation.as_str()) {
            let done = edit(&client, &act, "*").await?;
            assert!(done.status.is_success(), "{operation}: {}", done.body);
        }
        app.run_jobs().await?;
    }
    Ok(())
}

async fn objects(shop: &Shop<'_>) -> Result<Vec<String>> {
    let (request, _) = shop.picked(1).await?;
    let supply = shop.supply(&request).await?;
    let picker = shop.app.person(&shop.client, "picker", Reach::Enterprise).await?;
    let role = shop.app.own_role(&shop.client, "Упаковщик", &["stock:read"]).await?;
    Ok(vec![
        format!("/users/{}", picker.id),
        format!("/roles/{role}"),
        format!("/enterprises/{}", enterprise_of(&shop.client).await?),
        format!("/requests/{request}"),
        format!("/supplies/{supply}"),
        format!("/warehouses/{}", shop.warehouse),
        format!("/cells/{}", shop.client.get("/cells?code=A-01").await?["items"][0]["id"].as_str().expect("a cell")),
        format!("/printers/{}", shop.printer),
        format!("/products/{}", shop.products[0]["id"].as_str().expect("products have ids")),
    ])
}

#[tokio::test]
async fn who_has_what_is_there_gets_nothing_again() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    for path in objects(&shop).await? {
        let first = shop.client.ask(Method::GET, &path, None).await?;
        let etag = first.header("etag").to_owned();
        assert!(etag.starts_with(&format!("\"{}-", first.body["version"])), "{path}: {etag}");
        assert_eq!(first.header("cache-control"), "private, no-cache", "{path}");
        for known in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
            let second = shop.client.ask_with(Method::GET, &path, None, &[("If-None-Match", &known)]).await?;
            assert_eq!((second.status.as_u16(), &second.body), (304, &Value::Null), "{path} {known}");
            assert_eq!(
                (second.header("etag"), second.header("cache-control")),
                (etag.as_str(), "private, no-cache"),
                "{path}"
            );
        }
        let other = shop.client.ask_with(Method::GET, &path, None, &[("If-None-Match", "\"0\"")]).await?;
        assert_eq!((other.status.as_u16(), other.body), (200, first.body), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_counter_that_moves_by_itself_is_news_for_readers_and_no_conflict_for_editors() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let numbers = shop.reserved(2).await?;
    let (request, lines) = shop.picking(&numbers).await?;
    let path = format!("/requests/{request}");
    shop.scan(&request, "cell", lines[0]["cell"].as_str().unwrap()).await?;
    let seen = tag(&shop.client, &path).await?;
    // Picking a line moves `openLines` and leaves the request's own row alone.
    shop.scan(&request, "item", lines[0]["barcodes"][0].as_str().unwrap()).await?;
    let now = tag(&shop.client, &path).await?;
    assert_ne!(seen, now);
    let cancel =
        Act { method: Method::POST, path: format!("{path}/status"), body: Some(json!({ "status": "cancelled" })) };
    assert_eq!(edit(&shop.client, &cancel, &seen).await?.status.as_u16(), 200);
    Ok(())
}

#[test]
fn the_document_offers_the_headers_wherever_they_are_honoured() {
    let document: Value = serde_json::from_str(&api::openapi()).unwrap();
    let mut tagged = Vec::new();
    for item in document["paths"].as_object().unwrap().values() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let offers = |name: &str| {
                let reference = json!({ "$ref": format!("#/components/parameters/{name}") });
                operation["parameters"].as_array().is_some_and(|list| list.contains(&reference))
            };
            assert_eq!(offers("IfMatch"), api::versions::EDITS.contains(&id), "{id}");
            assert_eq!(offers("IfNoneMatch"), operation["responses"]["304"].is_object(), "{id}");
            if method == "get" && offers("IfNoneMatch") {
                tagged.push(id);
            }
        }
    }
    for id in ["get_printer", "get_product", "get_request", "get_supply", "get_warehouse"] {
        assert!(tagged.contains(&id), "{id}");
    }
}

#[tokio::test]
async fn whatever_an_enterprise_sees_of_a_person_is_counted_and_nothing_of_other_enterprises() -> Result<()> {
    let app = TestApp::start().await?;
    let (ours, theirs) = (app.enterprise("Ромашка").await?, app.enterprise("Василёк").await?);
    let person = app.person(&ours, "picker", Reach::Enterprise).await?;
    let again = json!({ "email": person.email, "grants": [grant("viewer", Reach::Enterprise)] });
    theirs.post("/users", again).await?;
    let path = format!("/users/{}", person.id);
    let versions = async || -> Result<(i64, i64)> {
        let of = |user: &Value| user["version"].as_i64().expect("a version");
        Ok((of(&ours.get(&path).await?), of(&theirs.get(&path).await?)))
    };
    let (mut here, mut there) = versions().await?;
    ours.put(&format!("{path}/grants"), json!({ "grants": [grant("storekeeper", Reach::Enterprise)] })).await?;
    assert_eq!(versions().await?, (here + 1, there), "what they may do here is nobody else's business");
    theirs.post(&format!("{path}/deactivate"), json!({})).await?;
    (here, there) = (here + 1, there + 1);
    assert_eq!(versions().await?, (here, there));
    person.client.patch("/users/me", json!({ "name": "Пётр" })).await?;
    assert_eq!(versions().await?, (here + 1, there + 1), "their name is seen by both");
    Ok(())
}
