//! The front door through sockets: how much may be asked, by whom, and what is said about it.

use std::time::Duration;

use anyhow::{Context, Result};
use it::TestApp;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use shared::config::Rate;
use shared::ids::EnterpriseId;

const PROXY: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.0/8");

/// An address of a documentation network that no other test uses.
fn somebody() -> String {
    let id = shared::ids::JobId::new().to_string();
    format!("2001:db8:{}:{}::1", &id[24..28], &id[28..32])
}

async fn ask(app: &TestApp, path: &str, from: &str) -> Result<Response> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let request = http.get(format!("{}{path}", app.url)).header("x-forwarded-for", from);
    request.send().await.context("asking")
}

fn number(response: &Response, name: &str) -> u64 {
    response.headers()[name].to_str().ok().and_then(|text| text.parse().ok()).expect("a number")
}

#[tokio::test]
async fn an_address_has_its_allowance_and_is_told_what_is_left() -> Result<()> {
    let app = TestApp::start_with(&[PROXY, ("RATE_LIMITS", "address=8,health=1000")]).await?;
    let (one, other) = (somebody(), somebody());
    for left in (0..8).rev() {
        let response = ask(&app, "/", &one).await?;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["ratelimit-policy"], "\"address\";q=8;w=60");
        assert_eq!((number(&response, "ratelimit-limit"), number(&response, "ratelimit-remaining")), (8, left));
    }
    let refused = ask(&app, "/", &one).await?;
    assert_eq!(refused.status(), 429);
    assert!((1..=8).contains(&number(&refused, "retry-after")), "one in 7.5 s");
    assert_eq!(number(&refused, "ratelimit-remaining"), 0);
    assert!((52..=60).contains(&number(&refused, "ratelimit-reset")));
    assert_eq!(refused.json::<Value>().await?["code"], "too_many_requests");
    assert_eq!(ask(&app, "/", &other).await?.status(), 200, "another address has its own");
    assert_eq!(ask(&app, "/health", &one).await?.status(), 200, "monitors too");
    Ok(())
}

#[tokio::test]
async fn who_invents_addresses_without_a_trusted_proxy_stays_one_address() -> Result<()> {
    let app = TestApp::start_with(&[("RATE_LIMITS", "address=9")]).await?;
    let mut granted = 0;
    for _ in 0..40 {
        granted += u32::from(ask(&app, "/", &somebody()).await?.status() == 200);
    }
    assert!(granted <= 10, "{granted} of 40");
    Ok(())
}

#[tokio::test]
async fn a_person_and_an_enterprise_have_allowances_and_an_address_of_many_people_does_not_count() -> Result<()> {
    let limits = "address=3,user=6,enterprise=9,signin=1000,enterprise_signin=1000";
    let app = TestApp::start_with(&[PROXY, ("RATE_LIMITS", limits)]).await?;
    let (ours, theirs) = (app.enterprise("Ромашка").await?, app.enterprise("Лютик").await?);
    for _ in 0..6 {
        let answer = ours.ask(Method::GET, "/warehouses", None).await?;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let refused = ours.ask(Method::GET, "/warehouses", None).await?;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "too_many_requests"));
    assert!(refused.body["detail"].as_str().context("words")?.contains("user"), "{}", refused.body);
    assert_eq!(theirs.ask(Method::GET, "/warehouses", None).await?.status, 200, "others go on");
    Ok(())
}

#[tokio::test]
async fn all_replicas_count_together() -> Result<()> {
    let app = TestApp::start().await?;
    let limits = "enterprise=200".parse().expect("limits");
    let replicas = [(); 3].map(|()| api::edge::Rates::connect(&limits, &app.redis_url().into()));
    let enterprise = EnterpriseId::new().to_string();
    let mut granted = 0_u32;
    for replica in &replicas {
        replica.connected(Duration::from_secs(10)).await;
    }
    for round in 0..900 {
        let taken = replicas[round % 3].take(Rate::Enterprise, &enterprise).await;
        granted += u32::from(taken.is_ok());
    }
    // The bucket, what came in meanwhile, and at most a block per replica.
    assert!((200..=240).contains(&granted), "{granted}");
    Ok(())
}

#[tokio::test]
async fn labels_have_an_allowance_of_their_own() -> Result<()> {
    let limits = "address=1000000,user=1000000,enterprise=1000000,signin=1000,enterprise_signin=1000,labels=2";
    let app = TestApp::start_with(&[("RATE_LIMITS", limits)]).await?;
    let client = app.enterprise("Ромашка").await?;
    for _ in 0..2 {
        assert_ne!(client.ask(Method::POST, "/print-jobs", Some(json!({}))).await?.status, 429);
    }
    assert_eq!(client.ask(Method::POST, "/print-jobs", Some(json!({}))).await?.status, 429);
    assert_eq!(client.ask(Method::GET, "/print-jobs", None).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn tls_before_a_trusted_proxy_is_told_to_browsers_and_only_that() -> Result<()> {
    for (variables, expected) in [(&[PROXY][..], true), (&[][..], false)] {
        let app = TestApp::start_with(variables).await?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let response = http.get(&app.url).header("x-forwarded-proto", "https").send().await?;
        assert_eq!(response.headers().contains_key("strict-transport-security"), expected);
        assert!(!response.headers().contains_key("server"));
    }
    Ok(())
}

#[tokio::test]
async fn a_database_that_has_lost_a_table_is_not_described_to_anybody() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    sqlx::query("ALTER TABLE warehouses RENAME TO mislaid").execute(&mut app.admin().await?).await?;
    let answer = client.ask(Method::GET, "/warehouses", None).await?;
    assert_eq!((answer.status.as_u16(), answer.code()), (500, "internal"));
    let text = answer.body.to_string();
    for inside in ["warehouses", "relation", "SELECT", "sqlx", "42P01", ".rs"] {
        assert!(!text.contains(inside), "{inside} in {text}");
    }
    Ok(())
}

#[test]
fn patterns_of_origins_and_a_belief_in_everybody_are_no_settings() {
    for (name, value) in [
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://*.example.org"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("RATE_LIMITS", "address=0"),
    ] {
        let read = shared::config::Config::read(shared::config::Program::Api, |asked| {
            (asked == name).then(|| value.to_owned())
        });
        let problems = read.expect_err("refused").to_string();
        assert!(problems.contains(name) && !problems.contains(value), "{problems}");
    }
}
