//! Owners are told in time what they have to do about their tokens: once per occasion, and only they.

use anyhow::{Context, Result};
use it::{Shop, TestApp};
use serde_json::{Value, json};
use shared::accounts::WatchTokens;
use stack::Client;
use wildberries::{ALL_CATEGORIES, TokenKind, TokenSpec};

const DAY: i64 = 86_400;

async fn kinds(client: &Client, query: &str) -> Result<Vec<String>> {
    let alarms = client.all(&format!("/alarms{query}")).await?;
    Ok(alarms.iter().map(|alarm| alarm["kind"].as_str().unwrap_or_default().to_owned()).collect())
}

async fn watch(app: &TestApp, days: i64) -> Result<()> {
    app.clock.advance(chrono::Duration::seconds(days * DAY));
    app.promise(&WatchTokens {}).await?;
    app.run_jobs().await.map(|_| ())
}

async fn account(shop: &Shop<'_>) -> Result<Value> {
    Ok(shop.client.get("/wildberries/accounts").await?["items"][0].clone())
}

#[tokio::test]
async fn a_token_that_ends_is_told_of_at_30_14_7_3_and_1_days_and_at_its_end() -> Result<()> {
    let app = TestApp::start().await?;
    let expires_at = app.clock.now() + chrono::Duration::days(40);
    let shop = app.shop_with(&TokenSpec { expires_at: Some(expires_at), ..TokenSpec::default() }).await?;
    let mut told = Vec::new();
    for day in 0..42 {
        watch(&app, i64::from(day > 0)).await?;
        watch(&app, 0).await?;
        let raised = app.count("SELECT count(*) FROM alarms").await?;
        if raised > i64::try_from(told.len())? {
            assert_eq!(raised, i64::try_from(told.len())? + 1);
            told.push(40 - day);
        }
    }
    assert_eq!(told, [30, 14, 7, 3, 1, 0]);
    let kinds = kinds(&app.sign_in(&shop.email).await?, "").await?;
    assert_eq!(kinds.iter().filter(|kind| *kind == "token_expiring").count(), 5);
    assert_eq!(kinds[0], "token_expired");
    Ok(())
}

#[tokio::test]
async fn a_step_that_was_missed_is_not_made_up_for_and_a_new_token_ends_it() -> Result<()> {
    let app = TestApp::start().await?;
    let expires_at = app.clock.now() + chrono::Duration::days(5);
    let shop = app.shop_with(&TokenSpec { expires_at: Some(expires_at), ..TokenSpec::default() }).await?;
    watch(&app, 0).await?;
    let alarm = shop.client.get("/alarms?open=true").await?["items"][0].clone();
    assert!(alarm["detail"].as_str().context("words")?.contains("within 7 days"), "{alarm}");
    assert!(!alarm["titleRu"].as_str().context("words")?.is_empty());

    let before = account(&shop).await?;
    let token = shop.seller.token(TokenKind::Personal, ALL_CATEGORIES);
    shop.client.put(&format!("/wildberries/accounts/{}/token", shop.account), json!({ "token": token })).await?;
    assert_ne!(account(&shop).await?["tokenFingerprint"], before["tokenFingerprint"]);
    assert_eq!(kinds(&shop.client, "?open=true").await?, Vec::<String>::new());
    assert_eq!(kinds(&shop.client, "?open=false&kind=token_expiring").await?, ["token_expiring"]);
    watch(&app, 0).await?;
    assert_eq!(kinds(&shop.client, "?open=true").await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn monitors_see_how_many_tokens_end_soon() -> Result<()> {
    let app = TestApp::start().await?;
    let expires_at = app.clock.now() + chrono::Duration::days(5);
    app.shop_with(&TokenSpec { expires_at: Some(expires_at), ..TokenSpec::default() }).await?;
    app.shop().await?;
    watch(&app, 0).await?;
    assert_eq!(app.count("SELECT value FROM gauges WHERE name = 'expiring_tokens'").await?, 1);
    let resources = stack::Client::new(&app.url)?.ask(reqwest::Method::GET, "/health/resources", None).await?;
    let checks = resources.body["checks"].as_array().context("checks")?;
    let tokens = checks.iter().find(|check| check["name"] == "tokens").context("tokens are looked at")?;
    assert_eq!(tokens, &json!({ "name": "tokens", "state": "warn" }));
    Ok(())
}

#[tokio::test]
async fn an_alarm_is_acknowledged_once_and_strangers_do_not_see_it() -> Result<()> {
    let app = TestApp::start().await?;
    let expires_at = app.clock.now() + chrono::Duration::days(2);
    let shop = app.shop_with(&TokenSpec { expires_at: Some(expires_at), ..TokenSpec::default() }).await?;
    let stranger = app.enterprise("Василёк").await?;
    watch(&app, 0).await?;
    let id = shop.client.get("/alarms").await?["items"][0]["id"].as_str().context("an id")?.to_owned();
    let path = format!("/alarms/{id}/acknowledge");
    let answer = stranger.ask(reqwest::Method::POST, &path, None).await?;
    assert_eq!(answer.status.as_u16(), 404);
    assert_eq!(kinds(&stranger, "").await?, Vec::<String>::new());

    let first = shop.client.ask(reqwest::Method::POST, &path, None).await?.body;
    app.clock.advance(chrono::Duration::minutes(5));
    let again = shop.client.ask(reqwest::Method::POST, &path, None).await?.body;
    assert!(first["acknowledgedBy"].as_str().is_some_and(|who| who.starts_with("user:")), "{first}");
    assert_eq!(first, again);
    assert_eq!(kinds(&shop.client, "?open=true").await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_refused_token_is_told_of_once_its_timers_stand_still_and_a_new_one_starts_them() -> Result<()> {
    let app = TestApp::start().await?;
    let mut shop = app.shop().await?;
    app.simulator.withdraw(&shop.token);
    app.simulator.clear_exchanges();
    let (registry, mut ran) = (worker::registry(), 0);
    for _ in 0..200 {
        app.clock.advance(chrono::Duration::seconds(3));
        worker::timers::fire_due(&app.ctx.db, &registry).await?;
        ran += app.run_jobs().await?.len();
    }
    let calls = app.simulator.exchanges().len();
    assert!((1..=3).contains(&calls), "{calls} calls within 10 minutes");
    assert!(ran < 10, "{ran} jobs were run in vain");
    shop.client = app.sign_in(&shop.email).await?;
    assert_eq!(kinds(&shop.client, "").await?, ["token_refused"]);
    let blocked = account(&shop).await?;
    assert_eq!((&blocked["status"], &blocked["lastErrorCode"]), (&json!("blocked"), &json!("unauthorized")));

    let token = shop.seller.token(TokenKind::Personal, ALL_CATEGORIES);
    shop.client.put(&format!("/wildberries/accounts/{}/token", shop.account), json!({ "token": token })).await?;
    shop.order(0)?;
    app.clock.advance(chrono::Duration::seconds(10));
    worker::timers::fire_due(&app.ctx.db, &registry).await?;
    app.run_jobs().await?;
    assert_eq!(shop.client.all("/orders").await?.len(), 1);
    assert_eq!(kinds(&shop.client, "?open=true").await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn owners_of_one_seller_are_both_told_and_not_of_whom() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let other = app.enterprise("Василёк").await?;
    let token = shop.seller.token(TokenKind::Personal, ALL_CATEGORIES);
    other.post("/wildberries/accounts", json!({ "name": "Тот же", "token": token })).await?;
    assert_eq!(kinds(&other, "").await?, ["seller_shared"]);
    app.run_jobs().await?;
    assert_eq!(kinds(&shop.client, "").await?, ["seller_shared"]);

    let (mine, theirs) = (shop.client.all("/enterprises").await?, other.all("/enterprises").await?);
    for (client, foreign) in [(&shop.client, &theirs[0]), (&other, &mine[0])] {
        let seen = json!([
            client.all("/alarms").await?,
            client.all("/jobs").await?,
            client.get("/wildberries/accounts").await?
        ]);
        for field in ["id", "name"] {
            assert!(!seen.to_string().contains(foreign[field].as_str().context("a text")?), "{seen}");
        }
    }
    assert!(!json!(shop.client.all("/jobs").await?).to_string().contains("Тот же"));
    Ok(())
}
