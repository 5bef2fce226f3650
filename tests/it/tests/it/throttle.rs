//! Guessing passwords: a few guesses are looked at, then fewer and fewer, whatever stands or falls around it.

use anyhow::{Context, Result};
use chrono::Duration;
use futures::future::join_all;
use it::TestApp;
use reqwest::StatusCode;
use serde_json::{Value, json};

const PROXY: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.0/8");
/// Nobody listens there.
const NO_REDIS: (&str, &str) = ("REDIS_URL", "redis://127.0.0.1:9");

struct Guesser {
    http: reqwest::Client,
    url: String,
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: StatusCode,
    retry_after: Option<u64>,
    body: Value,
}

impl Guesser {
    fn new(app: &TestApp) -> Result<Self> {
        Ok(Self { http: reqwest::Client::builder().no_proxy().build()?, url: format!("{}/auth/login", app.url) })
    }

    async fn guess(&self, email: &str, password: &str, from: usize) -> Result<Answer> {
        let address = format!("198.51.{}.{}", 100 + from / 250, from % 250);
        let body = json!({ "email": email, "password": password });
        let request = self.http.post(&self.url).header("x-forwarded-for", address).json(&body);
        let response = request.send().await.context("guessing")?;
        let status = response.status();
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body: Value = response.json().await?;
        body["requestId"] = Value::Null;
        Ok(Answer { status, retry_after, body })
    }

    /// So many at once; how many were looked at, which is what costs a run of Argon2.
    async fn many(&self, email: &str, guesses: std::ops::Range<usize>) -> Result<usize> {
        let all = guesses
            .map(|number| async move { self.guess(email, &format!("a wrong guess {number}"), number % 200).await });
        let mut evaluated = 0;
        for answer in join_all(all).await {
            let answer = answer?;
            match answer.status {
                StatusCode::UNAUTHORIZED => evaluated += 1,
                StatusCode::TOO_MANY_REQUESTS => assert!(answer.retry_after.is_some(), "{answer:?}"),
                _ => panic!("{answer:?}"),
            }
        }
        Ok(evaluated)
    }
}

async fn somebody(app: &TestApp) -> Result<String> {
    app.enterprise("Ромашка").await?;
    Ok(sqlx::query_scalar("SELECT email FROM users").fetch_one(&mut app.admin().await?).await?)
}

async fn a_thousand_guesses(variables: &[(&str, &str)]) -> Result<()> {
    let app = TestApp::start_with(variables).await?;
    let (email, guesser) = (somebody(&app).await?, Guesser::new(&app)?);
    let mut evaluated = 0;
    for round in 0..10 {
        evaluated += guesser.many(&email, round * 100..(round + 1) * 100).await?;
        app.clock.advance(Duration::seconds(1));
    }
    assert!((1..=15).contains(&evaluated), "{evaluated} of 1000 were looked at");
    Ok(())
}

#[tokio::test]
async fn of_a_thousand_guesses_from_two_hundred_addresses_a_handful_is_looked_at() -> Result<()> {
    a_thousand_guesses(&[PROXY, ("RATE_LIMITS", "signin=20,address=1000")]).await
}

#[tokio::test]
async fn of_a_thousand_guesses_a_handful_is_looked_at_when_the_addresses_are_invented() -> Result<()> {
    a_thousand_guesses(&[("RATE_LIMITS", "signin=21,address=1001")]).await
}

#[tokio::test]
async fn of_a_thousand_guesses_a_handful_is_looked_at_without_redis() -> Result<()> {
    a_thousand_guesses(&[PROXY, NO_REDIS, ("RATE_LIMITS", "signin=20,address=1000")]).await
}

#[tokio::test]
async fn the_wait_doubles_up_to_a_quarter_of_an_hour_and_a_success_ends_it() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let email: String = sqlx::query_scalar("SELECT email FROM users").fetch_one(&mut app.admin().await?).await?;
    let guesser = Guesser::new(&app)?;
    for _ in 0..4 {
        assert_eq!(guesser.guess(&email, "wrong", 0).await?.status, 401);
    }
    for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        assert_eq!(guesser.guess(&email, "wrong", 0).await?.status, 401, "before {wait} s");
        let refused = guesser.guess(&email, it::PASSWORD, 0).await?;
        assert_eq!((refused.status.as_u16(), refused.retry_after), (429, Some(wait)), "even the right one waits");
        assert_eq!(refused.body["code"], "too_many_attempts");
        // Until the access token ends by itself.
        assert!(wait > 256 || client.get("/users/me").await.is_ok(), "whoever is in stays in");
        app.clock.advance(Duration::seconds(i64::try_from(wait)?));
    }
    assert_eq!(guesser.guess(&email, it::PASSWORD, 0).await?.status, 200);
    assert_eq!(app.count("SELECT count(*) FROM login_failures").await?, 0);
    for _ in 0..4 {
        assert_eq!(guesser.guess(&email, "wrong", 0).await?.status, 401);
    }
    assert_eq!(guesser.guess(&email, it::PASSWORD, 0).await?.status, 200, "it began anew");
    Ok(())
}

#[tokio::test]
async fn a_stranger_waits_exactly_like_somebody() -> Result<()> {
    let app = TestApp::start().await?;
    let (email, guesser) = (somebody(&app).await?, Guesser::new(&app)?);
    for number in 0..8 {
        let known = guesser.guess(&email, "wrong", 0).await?;
        let unknown = guesser.guess("nobody@example.org", "wrong", 0).await?;
        assert_eq!(known, unknown, "guess {number}");
    }
    Ok(())
}

#[tokio::test]
async fn failures_of_yesterday_are_forgotten_and_swept_away() -> Result<()> {
    let app = TestApp::start().await?;
    let guesser = Guesser::new(&app)?;
    for stranger in 0..5 {
        guesser.many(&format!("{stranger}@example.org"), 0..6).await?;
    }
    assert_eq!(app.count("SELECT count(*) FROM login_failures").await?, 5);
    app.clock.advance(Duration::hours(25));
    assert_eq!(guesser.many("0@example.org", 0..20).await?, 5, "a new count");
    assert_eq!(app.count("SELECT count(*) FROM login_failures").await?, 1);
    Ok(())
}

#[tokio::test]
async fn an_enterprise_has_an_allowance_of_guesses_that_does_not_count_against_its_people() -> Result<()> {
    let limits = "address=100000,signin=100000,enterprise_signin=4";
    let app = TestApp::start_with(&[("RATE_LIMITS", limits)]).await?;
    // Signing in was the first of four.
    let (email, guesser) = (somebody(&app).await?, Guesser::new(&app)?);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(guesser.guess(&email, "wrong", 0).await?.status.as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    assert_eq!(app.count("SELECT failures::bigint FROM login_failures").await?, 3);
    Ok(())
}

#[tokio::test]
async fn without_the_counters_nobody_is_let_in_and_nobody_guesses() -> Result<()> {
    let app = TestApp::start_with(&[NO_REDIS]).await?;
    let (email, guesser) = (somebody(&app).await?, Guesser::new(&app)?);
    sqlx::query("ALTER TABLE login_failures RENAME TO mislaid").execute(&mut app.admin().await?).await?;
    for password in ["wrong", it::PASSWORD] {
        assert_eq!(guesser.guess(&email, password, 0).await?.status, 500);
    }
    Ok(())
}

#[tokio::test]
async fn the_tokens_of_letters_are_tried_like_passwords_from_each_address() -> Result<()> {
    let app = TestApp::start_with(&[PROXY]).await?;
    let guesser = Guesser::new(&app)?;
    for (path, more) in [
        ("/auth/password/reset", json!({ "password": "мой кот ест только рыбу" })),
        ("/auth/invitations/accept", json!({ "password": "мой кот ест только рыбу" })),
        ("/auth/email/change", json!({})),
    ] {
        let attempt = async |number: usize, from: &str| -> Result<u16> {
            let mut body = more.clone();
            body["token"] = json!(format!("a wrong token {number}"));
            let request = guesser.http.post(format!("{}{path}", app.url)).header("x-forwarded-for", from).json(&body);
            Ok(request.send().await?.status().as_u16())
        };
        let mut seen = Vec::new();
        for number in 0..7 {
            seen.push(attempt(number, "198.51.100.7").await?);
        }
        assert_eq!(seen, [401, 401, 401, 401, 401, 429, 429], "{path}");
        assert_eq!(attempt(8, "198.51.100.8").await?, 401, "{path}: elsewhere nobody waits");
        app.clock.advance(Duration::seconds(1));
        assert_eq!(attempt(9, "198.51.100.7").await?, 401, "{path}");
    }
    assert_eq!(app.count("SELECT count(DISTINCT kind) FROM login_failures").await?, 3);
    Ok(())
}

#[tokio::test]
async fn every_try_at_a_secret_uses_the_allowance_of_its_address_and_refreshing_does_not() -> Result<()> {
    let app = TestApp::start_with(&[PROXY, ("RATE_LIMITS", "address=100000,signin=3")]).await?;
    let guesser = Guesser::new(&app)?;
    let email = somebody(&app).await?;
    let ask = async |path: &str, body: Value, from: &str, token: Option<&str>| -> Result<(u16, Value)> {
        let mut request = guesser.http.post(format!("{}{path}", app.url)).header("x-forwarded-for", from).json(&body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.json().await.unwrap_or_default()))
    };
    let wrong = json!({ "token": "t", "password": "мой кот ест только рыбу" });
    for (number, (path, body)) in [
        ("/auth/login", json!({ "email": "nobody@example.org", "password": "p" })),
        ("/auth/login/second-factor", json!({ "pendingToken": "t", "code": "1" })),
        ("/auth/password/reset", wrong.clone()),
        ("/auth/invitations/accept", wrong),
        ("/auth/email/change", json!({ "token": "t" })),
        ("/auth/confirm", json!({ "password": "p" })),
        ("/auth/refresh", json!({ "refreshToken": "t" })),
    ]
    .into_iter()
    .enumerate()
    {
        let from = format!("198.51.100.{number}");
        let mut seen = Vec::new();
        for _ in 0..4 {
            // A token of nobody's does not help past the count.
            seen.push(ask(path, body.clone(), &from, Some("nonsense")).await?.0);
        }
        assert_eq!(seen, [401, 401, 401, 429], "{path}");
    }

    let office = "198.51.100.200";
    let login = json!({ "email": email, "password": it::PASSWORD });
    let (status, mut signed_in) = ask("/auth/login", login, office, None).await?;
    assert_eq!(status, 200);
    for round in 0..20 {
        let refresh = json!({ "refreshToken": signed_in["refreshToken"] });
        let (status, next) = ask("/auth/refresh", refresh, office, None).await?;
        assert_eq!(status, 200, "round {round}: {next}");
        signed_in = next;
    }
    Ok(())
}
