//! Sent twice, done once: the same key gives the same answer and no second effect, on every operation that changes something.

use anyhow::Result;
use it::{Act, TestApp, asker, changing_operations, example};
use reqwest::Method;
use serde_json::{Value, json};
use shared::idempotency::Ask;
use shared::ids::JobId;
use stack::Client;
use stack::client::Answer;
use worker::idempotency::PruneAnswers;

const WAREHOUSES: &str = "/warehouses";

async fn send(client: &Client, act: &Act, key: &str) -> Result<Answer> {
    client.ask_with(act.method.clone(), &act.path, act.body.clone(), &[("Idempotency-Key", key)]).await
}

async fn create(client: &Client, name: &str, key: &str) -> Result<Answer> {
    client.ask_with(Method::POST, WAREHOUSES, Some(json!({ "name": name })), &[("Idempotency-Key", key)]).await
}

#[tokio::test]
async fn every_operation_that_changes_something_is_done_once_under_one_key() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let operations: Vec<_> =
        changing_operations().into_iter().filter(|operation| api::idempotency::accepts(operation)).collect();
    for operation in &operations {
        let act = example(&shop, operation)
            .await?
            .unwrap_or_else(|| panic!("{operation} has no example in tests/it/src/acts.rs"));
        let (client, key) = (asker(&shop, operation).await?, format!("{operation} {}", JobId::new()));
        let first = send(&client, &act, &key).await?;
        assert!(first.status.is_success(), "{operation}: {} {}", first.status, first.body);
        assert_eq!(first.header("idempotent-replayed"), "", "{operation}");
        let before = app.fingerprint(&[]).await?;
        let second = send(&client, &act, &key).await?;
        assert_eq!((second.status, &second.body), (first.status, &first.body), "{operation}");
        assert_eq!(second.header("idempotent-replayed"), "true", "{operation}");
        for header in ["etag", "location", "content-type"] {
            assert_eq!(second.header(header), first.header(header), "{operation} {header}");
        }
        let other = Act { path: format!("{}?other", act.path), ..act.clone() };
        let other = send(&client, &other, &key).await?;
        assert_eq!((other.status.as_u16(), other.code()), (422, "idempotency_mismatch"), "{operation}");
        assert_eq!(app.fingerprint(&[]).await?, before, "{operation} had an effect again");
        // The next example starts from a settled world.
        app.run_jobs().await?;
    }
    println!("idempotency: {} operations, each once under one key", operations.len());
    Ok(())
}

#[test]
fn the_document_offers_the_key_wherever_it_is_honoured() {
    let document: Value = serde_json::from_str(&api::openapi()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let wanted = method != "get" && api::idempotency::accepts(id);
            let reference = json!({ "$ref": "#/components/parameters/IdempotencyKey" });
            let offered = operation["parameters"].as_array().is_some_and(|list| list.contains(&reference));
            assert_eq!(offered, wanted, "{method} {path}");
        }
    }
    let operations = changing_operations();
    for (excluded, _) in api::idempotency::EXCLUDED {
        assert!(operations.iter().any(|operation| operation == excluded), "{excluded} is excluded and does not exist");
    }
}

#[tokio::test]
async fn a_key_belongs_to_its_caller() -> Result<()> {
    let app = TestApp::start().await?;
    let (ours, theirs) = (app.enterprise("Ромашка").await?, app.enterprise("Василёк").await?);
    let first = create(&ours, "Склад", "the key").await?;
    let other = create(&theirs, "Склад", "the key").await?;
    assert_eq!((first.status.as_u16(), other.status.as_u16()), (201, 201));
    assert_ne!(first.body["id"], other.body["id"]);
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_not_kept() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let refused = create(&client, "", "the key").await?;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "invalid"));
    assert_eq!(create(&client, "Склад", "the key").await?.status.as_u16(), 201);
    assert_eq!(app.count("SELECT count(*) FROM idempotency_keys").await?, 1);
    Ok(())
}

#[tokio::test]
async fn while_a_key_is_worked_on_the_second_caller_is_asked_to_come_back() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let me = client.get("/users/me").await?;
    // A first request that has begun and not ended: its transaction holds the key.
    let (enterprise, user) =
        (me["enterpriseId"].as_str().unwrap().parse()?, me["user"]["id"].as_str().unwrap().parse()?);
    let ask = Ask::new("the key", "POST", WAREHOUSES, json!({ "name": "Склад" }).to_string().as_bytes())?;
    let origin = shared::access::Origin { ask: Some(ask), ..Default::default() };
    let actor = shared::access::Actor::user(
        shared::ids::EnterpriseId(enterprise),
        shared::ids::UserId(user),
        shared::access::Grants::of_role(shared::access::Role::Administrator, &shared::access::Reach::Everywhere),
    );
    let first = app.api_db().begin(&actor.with_origin(origin)).await?;
    let second = create(&client, "Склад", "the key").await?;
    assert_eq!((second.status.as_u16(), second.code()), (409, "idempotency_in_progress"));
    assert_eq!(second.header("retry-after"), "1");
    // It dies, and leaves nothing behind.
    drop(first);
    assert_eq!(create(&client, "Склад", "the key").await?.status.as_u16(), 201);
    Ok(())
}

#[tokio::test]
async fn of_many_who_send_at_once_one_does_it_and_all_hear_of_it() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let answers = futures::future::try_join_all((0..20).map(|_| create(&client, "Склад", "the key"))).await?;
    let created: Vec<_> = answers.iter().filter(|answer| answer.status.as_u16() == 201).collect();
    assert_eq!(created.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count(), 1);
    assert!(created.iter().all(|answer| answer.body == created[0].body));
    let busy = answers.iter().filter(|answer| answer.code() == "idempotency_in_progress").count();
    assert_eq!(created.len() + busy, answers.len());
    assert_eq!(app.count("SELECT count(*) FROM warehouses").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_named_and_nothing_is_done() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    for key in [String::new(), "x".repeat(256)] {
        let answer = create(&client, "Склад", &key).await?;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "invalid"), "{key}");
        assert_eq!(answer.body["field"], "Idempotency-Key");
    }
    assert_eq!(app.count("SELECT count(*) FROM warehouses").await?, 0);
    // Reading takes no notice of keys.
    let answer = client.ask_with(Method::GET, WAREHOUSES, None, &[("Idempotency-Key", "")]).await?;
    assert!(answer.status.is_success());
    Ok(())
}

#[tokio::test]
async fn neither_the_key_nor_a_password_is_kept() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let body = json!({ "email": "p@example.org", "name": "Пётр", "password": "correct horse battery", "grants": [it::grant("picker", it::Reach::Enterprise)] });
    let act = Act { method: Method::POST, path: "/users".to_owned(), body: Some(body) };
    assert_eq!(send(&client, &act, "my own key").await?.status.as_u16(), 201);
    let kept: String = sqlx::query_scalar("SELECT k::text || encode(body, 'escape') FROM idempotency_keys AS k")
        .fetch_one(&mut app.admin().await?)
        .await?;
    assert!(!kept.contains("my own key") && !kept.contains("horse"), "{kept}");
    Ok(())
}

#[tokio::test]
async fn an_answer_is_forgotten_after_three_days() -> Result<()> {
    let app = TestApp::start().await?;
    create(&app.enterprise("Ромашка").await?, "Старый", "old").await?;
    app.clock.advance(chrono::Duration::hours(71));
    create(&app.enterprise("Василёк").await?, "Новый", "new").await?;
    for (hours, left) in [(0, 2), (2, 1)] {
        app.clock.advance(chrono::Duration::hours(hours));
        let mut tx = app.ctx.db.platform().await?;
        tx.enqueue(&PruneAnswers {}).await?;
        tx.commit().await?;
        app.run_jobs().await?;
        assert_eq!(app.count("SELECT count(*) FROM idempotency_keys").await?, left);
    }
    Ok(())
}
