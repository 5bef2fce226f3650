//! Service keys.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use it::people::{enterprise_of, ids};
use it::{Reach, TestApp, grant};
use reqwest::Method;
use serde_json::{Value, json};
use stack::client::text;

fn reading_orders() -> Value {
    json!({ "name": "Выгрузка", "permissions": ["orders:read"] })
}

fn over() -> (u16, String) {
    (401, "unauthenticated".to_owned())
}

#[tokio::test]
async fn a_key_is_shown_once_and_stored_as_a_hash() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let path = format!("/enterprises/{}/api-keys", enterprise_of(&boss).await?);
    let made = boss.post(&path, reading_orders()).await?;
    let secret = text(&made, "secret")?;
    assert!(secret.starts_with("wbk_") && secret.ends_with(made["key"]["hint"].as_str().unwrap()));
    let shown = boss.get(&path).await?.to_string()
        + &boss.get(&format!("{path}/{}", text(&made["key"], "id")?)).await?.to_string();
    assert!(!shown.contains(&secret[4..]));
    let stored: String =
        sqlx::query_scalar("SELECT row_to_json(k)::text FROM api_keys AS k").fetch_one(&mut app.admin().await?).await?;
    let random = &URL_SAFE_NO_PAD.decode(&secret[4..])?[16..];
    assert_eq!(random.len(), 32, "256 random bits");
    let hex = random.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    assert!(!stored.contains(&secret[4..]) && !stored.contains(&hex), "{stored}");
    Ok(())
}

#[tokio::test]
async fn a_key_does_what_it_was_made_for_and_no_more() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let second = shop.second_warehouse().await?;
    let body = json!({ "name": "Приёмка", "permissions": ["stock:read", "stock:receive"], "warehouseIds": [second.warehouse] });
    let (key, program) = app.key(&shop.client, body).await?;
    assert_eq!(ids(&program, "/warehouses").await?, [second.warehouse.as_str()]);
    assert_eq!(program.outcome(Method::GET, "/orders", None).await?, (403, "forbidden".to_owned()));
    let receipt = |warehouse: &str| {
        let line = json!({ "barcode": shop.products[0]["barcodes"][0], "cell": "A-01", "quantity": 1 });
        Some(json!({ "warehouseId": warehouse, "number": format!("К-{warehouse}"), "lines": [line] }))
    };
    let there = program.outcome(Method::POST, "/inventory/receipts", receipt(&shop.warehouse)).await?;
    assert_eq!(there, (404, "not_found".to_owned()));
    let posted = program.ask(Method::POST, "/inventory/receipts", receipt(&second.warehouse)).await?;
    assert_eq!(posted.body["actor"], format!("key:{}", text(&key, "id")?), "histories name the key");
    let me = program.get("/users/me").await?;
    assert_eq!((me.get("user"), &me["keyId"], me["permissions"].as_array().map(Vec::len)), (None, &key["id"], Some(2)));
    Ok(())
}

#[tokio::test]
async fn a_key_is_never_made_for_more_than_its_maker_may() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let rights = ["keys:manage", "orders:read"];
    let role = app.own_role(&boss, "Интегратор", &rights).await?;
    let integrator = app.person(&boss, &role, Reach::Enterprise).await?;
    let path = format!("/enterprises/{}/api-keys", enterprise_of(&boss).await?);
    let key = |permission: &str| Some(json!({ "name": "К", "permissions": [permission] }));
    let make = async |permission: &str| integrator.client.outcome(Method::POST, &path, key(permission)).await;
    assert_eq!(make("orders:read").await?.0, 201);
    assert_eq!(make("money:read").await?, (409, "rights_exceed_own".to_owned()));
    for personal in ["keys:manage", "people:manage", "roles:manage", "tokens:manage", "enterprise:manage"] {
        let answer = boss.ask(Method::POST, &path, key(personal)).await?;
        assert_eq!((answer.status.as_u16(), answer.body["field"].as_str()), (422, Some("permissions")), "{personal}");
    }
    let useless = json!({ "name": "К", "permissions": ["jobs:read"], "warehouseIds": [text(&boss.post("/warehouses", json!({ "name": "С" })).await?, "id")?] });
    assert_eq!(boss.outcome(Method::POST, &path, Some(useless)).await?.0, 422);
    Ok(())
}

#[tokio::test]
async fn a_key_follows_its_maker_down() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let maker = app.person(&boss, "administrator", Reach::Enterprise).await?;
    let body = json!({ "name": "Всё", "permissions": ["orders:read", "jobs:read"] });
    let (_, program) = app.key(&maker.client, body).await?;
    program.get("/jobs").await?;
    let path = format!("/users/{}", maker.id);
    boss.put(&format!("{path}/grants"), json!({ "grants": [grant("viewer", Reach::Enterprise)] })).await?;
    program.get("/orders").await?;
    assert_eq!(program.outcome(Method::GET, "/jobs", None).await?, (403, "forbidden".to_owned()));
    boss.post(&format!("{path}/deactivate"), json!({})).await?;
    assert_eq!(program.outcome(Method::GET, "/orders", None).await?, over());
    Ok(())
}

#[tokio::test]
async fn a_revoked_or_expired_key_is_not_accepted_any_more() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let path = format!("/enterprises/{}/api-keys", enterprise_of(&boss).await?);
    let (key, program) = app.key(&boss, reading_orders()).await?;
    program.get("/orders").await?;
    let one = format!("{path}/{}", text(&key, "id")?);
    boss.delete(&one).await?;
    assert_eq!(program.outcome(Method::GET, "/orders", None).await?, over());
    let revoked_at = boss.get(&one).await?["revokedAt"].clone();
    boss.delete(&one).await?;
    assert_eq!(boss.get(&one).await?["revokedAt"], revoked_at, "revoking twice changes nothing");

    let until = app.clock.now() + Duration::minutes(4);
    let body = json!({ "name": "Временный", "permissions": ["orders:read"], "expiresAt": until });
    let (_, program) = app.key(&boss, body).await?;
    program.get("/orders").await?;
    app.clock.advance(Duration::minutes(4));
    assert_eq!(program.outcome(Method::GET, "/orders", None).await?, over());
    let past = json!({ "name": "Вчерашний", "permissions": ["orders:read"], "expiresAt": until });
    assert_eq!(boss.outcome(Method::POST, &path, Some(past)).await?.0, 422);
    Ok(())
}

#[tokio::test]
async fn the_last_use_is_written_at_most_once_a_minute() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let (key, program) = app.key(&boss, reading_orders()).await?;
    let path = format!("/enterprises/{}/api-keys/{}", enterprise_of(&boss).await?, text(&key, "id")?);
    assert_eq!(boss.get(&path).await?.get("usedAt"), None);
    program.get("/orders").await?;
    let first = text(&boss.get(&path).await?, "usedAt")?;
    app.clock.advance(Duration::seconds(59));
    program.get("/orders").await?;
    assert_eq!(text(&boss.get(&path).await?, "usedAt")?, first);
    app.clock.advance(Duration::seconds(1));
    program.get("/orders").await?;
    assert_ne!(text(&boss.get(&path).await?, "usedAt")?, first);
    Ok(())
}

#[tokio::test]
async fn a_key_opens_its_own_enterprise_only() -> Result<()> {
    let app = TestApp::start().await?;
    let (boss, stranger) = (app.enterprise("Ромашка").await?, app.enterprise("Чужие").await?);
    let (ours, theirs) = (enterprise_of(&boss).await?, enterprise_of(&stranger).await?);
    let made = boss.post(&format!("/enterprises/{ours}/api-keys"), reading_orders()).await?;
    let id = text(&made["key"], "id")?;
    let not_found = (404, "not_found".to_owned());
    for (method, path) in [
        (Method::GET, format!("/enterprises/{ours}/api-keys")),
        (Method::GET, format!("/enterprises/{ours}/api-keys/{id}")),
        (Method::DELETE, format!("/enterprises/{ours}/api-keys/{id}")),
        (Method::GET, format!("/enterprises/{theirs}/api-keys/{id}")),
        (Method::DELETE, format!("/enterprises/{theirs}/api-keys/{id}")),
    ] {
        assert_eq!(stranger.outcome(method, &path, None).await?, not_found, "{path}");
    }
    // The same random bits under the other enterprise's id.
    let mut bytes = URL_SAFE_NO_PAD.decode(&text(&made, "secret")?[4..])?;
    bytes[..16].copy_from_slice(uuid::Uuid::parse_str(&theirs)?.as_bytes());
    let forged = format!("wbk_{}", URL_SAFE_NO_PAD.encode(&bytes));
    for token in [forged.as_str(), "wbk_", "wbk_abc", "wbk_%00"] {
        let client = stack::Client::new(&app.url)?.with_token(Some(token));
        assert_eq!(client.outcome(Method::GET, "/orders", None).await?, over(), "{token}");
    }
    Ok(())
}
