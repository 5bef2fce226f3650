//! The second factor: set up, asked for, used once, taken away.

use anyhow::{Context, Result};
use futures::future::try_join_all;
use it::{PASSWORD, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Executor;
use stack::Client;
use stack::client::{Answer, text};
use totp_rs::{Algorithm, Secret, TOTP};

/// What a telephone with this secret shows, so many steps from now.
pub(crate) fn code(app: &TestApp, secret: &str, steps: i64) -> Result<String> {
    let secret = Secret::Encoded(secret.to_owned()).to_bytes().context("base32")?;
    let totp = TOTP::new(Algorithm::SHA1, 6, 1, 30, secret, None, "anybody".to_owned())?;
    Ok(totp.generate(u64::try_from(app.clock.now().timestamp() + 30 * steps)?))
}

/// Gives the first code; answers with the recovery codes. A step later the next code is good.
pub(crate) async fn finish(app: &TestApp, client: &Client, secret: &str) -> Result<Vec<String>> {
    let answer = client.post("/auth/second-factor/finish", json!({ "code": code(app, secret, 0)? })).await?;
    let codes = answer["recoveryCodes"].as_array().context("a list")?;
    app.clock.advance(chrono::Duration::seconds(60));
    Ok(codes.iter().filter_map(|code| code.as_str().map(str::to_owned)).collect())
}

struct Enrolled {
    email: String,
    client: Client,
    secret: String,
    recovery: Vec<String>,
}

async fn enrolled(app: &TestApp) -> Result<Enrolled> {
    let email = app.founded("Ромашка").await?;
    let client = Client::new(&app.url)?.sign_in(&email, PASSWORD).await?;
    let begun = client.post("/auth/second-factor", json!({})).await?;
    let secret = text(&begun, "secret")?;
    let recovery = finish(app, &client, &secret).await?;
    Ok(Enrolled { email, client, secret, recovery })
}

async fn pending(client: &Client, email: &str) -> Result<String> {
    let answer = client.ask(Method::POST, "/auth/login", Some(json!({ "email": email, "password": PASSWORD }))).await?;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.body);
    assert!(answer.body.get("accessToken").is_none());
    text(&answer.body, "pendingToken")
}

async fn second_step(client: &Client, pending: &str, code: &str) -> Result<Answer> {
    let body = json!({ "pendingToken": pending, "code": code });
    client.ask(Method::POST, "/auth/login/second-factor", Some(body)).await
}

#[tokio::test]
async fn a_second_factor_is_set_up_and_asked_for_from_then_on() -> Result<()> {
    let app = TestApp::start().await?;
    let email = app.founded("Ромашка").await?;
    let client = Client::new(&app.url)?.sign_in(&email, PASSWORD).await?;
    let other = Client::new(&app.url)?.sign_in(&email, PASSWORD).await?;
    client.refused("/auth/second-factor/finish", json!({ "code": "000000" }), "second_factor_not_begun").await?;
    let begun = client.post("/auth/second-factor", json!({})).await?;
    let secret = text(&begun, "secret")?;
    assert!(secret.len() >= 32, "160 bits in base32");
    assert!(text(&begun, "uri")?.starts_with("otpauth://totp/WB%20Assistant:"));
    assert!(text(&begun, "qrSvg")?.contains("<svg"));
    client.refused("/auth/second-factor/finish", json!({ "code": "000000" }), "invalid").await?;
    assert!(Client::new(&app.url)?.sign_in(&email, PASSWORD).await.is_ok(), "it is not on before its first code");

    let recovery = finish(&app, &client, &secret).await?;
    assert_eq!(recovery.len(), 10);
    assert_eq!(other.ask(Method::GET, "/users/me", None).await?.status.as_u16(), 401, "it was opened with less");
    let status = client.get("/auth/second-factor").await?;
    assert!(status["onSince"].is_string() && status["recoveryCodesLeft"] == 10, "{status}");
    client.refused("/auth/second-factor", json!({}), "second_factor_on").await?;

    let token = pending(&client, &email).await?;
    assert_eq!(second_step(&client, &token, "000000").await?.status.as_u16(), 401);
    let answer = second_step(&client, &token, &code(&app, &secret, 0)?).await?;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    let signed_in = client.with_token(Some(&text(&answer.body, "accessToken")?));
    assert!(signed_in.get("/users/me").await.is_ok());

    signed_in.ask(Method::DELETE, "/auth/second-factor", None).await?;
    assert!(Client::new(&app.url)?.sign_in(&email, PASSWORD).await.is_ok(), "it is off");
    Ok(())
}

#[tokio::test]
async fn a_pending_token_opens_one_session_within_five_minutes() -> Result<()> {
    let app = TestApp::start().await?;
    let Enrolled { email, client, secret, .. } = enrolled(&app).await?;
    let token = pending(&client, &email).await?;
    assert_eq!(second_step(&client, &token, &code(&app, &secret, 0)?).await?.status.as_u16(), 200);
    app.clock.advance(chrono::Duration::seconds(30));
    let again = second_step(&client, &token, &code(&app, &secret, 0)?).await?;
    assert_eq!((again.status.as_u16(), again.code()), (409, "sign_in_used"));
    let late = pending(&client, &email).await?;
    app.clock.advance(chrono::Duration::seconds(311));
    assert_eq!(second_step(&client, &late, &code(&app, &secret, 0)?).await?.status.as_u16(), 401);
    Ok(())
}

#[tokio::test]
async fn a_code_is_good_once_whoever_asks_at_the_same_moment() -> Result<()> {
    let app = TestApp::start().await?;
    let (second, third) = (app.replica().await?, app.replica().await?);
    let Enrolled { email, client, secret, .. } = enrolled(&app).await?;
    let clients = [client.clone(), client.at(&second.url), client.at(&third.url)];
    for round in 0..5 {
        let tokens = try_join_all((0..4).map(|_| pending(&client, &email))).await?;
        let code = code(&app, &secret, 0)?;
        let asking = tokens.iter().enumerate().map(|(index, token)| second_step(&clients[index % 3], token, &code));
        let answers = try_join_all(asking).await?;
        let inside = answers.iter().filter(|answer| answer.status.is_success()).count();
        assert_eq!(inside, 1, "round {round}");
        // From the fifth wrong code on some have to wait.
        assert!(answers.iter().all(|answer| [200, 401, 429].contains(&answer.status.as_u16())), "round {round}");
        app.clock.advance(chrono::Duration::seconds(30));
    }
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_half_a_minute_off_is_forgiven_and_more_is_not() -> Result<()> {
    let app = TestApp::start().await?;
    let Enrolled { email, client, secret, .. } = enrolled(&app).await?;
    for (steps, expected) in [(-2, 401), (2, 401), (-1, 200), (1, 200), (0, 401)] {
        let token = pending(&client, &email).await?;
        let answer = second_step(&client, &token, &code(&app, &secret, steps)?).await?;
        assert_eq!(answer.status.as_u16(), expected, "{steps} steps; no step before one that was used is good again");
    }
    Ok(())
}

#[tokio::test]
async fn from_the_fifth_wrong_code_on_even_the_right_one_has_to_wait() -> Result<()> {
    let app = TestApp::start().await?;
    let Enrolled { email, client, secret, .. } = enrolled(&app).await?;
    let token = pending(&client, &email).await?;
    for _ in 0..5 {
        assert_eq!(second_step(&client, &token, "000000").await?.status.as_u16(), 401);
    }
    let right = code(&app, &secret, 0)?;
    let waits = second_step(&client, &token, &right).await?;
    assert_eq!((waits.status.as_u16(), waits.code()), (429, "too_many_attempts"), "not within a second");
    assert_eq!(waits.header("retry-after"), "1");
    app.clock.advance(chrono::Duration::seconds(1));
    assert_eq!(second_step(&client, &token, "000000").await?.status.as_u16(), 401);
    app.clock.advance(chrono::Duration::seconds(1));
    assert_eq!(second_step(&client, &token, &right).await?.status.as_u16(), 429, "the wait has doubled");
    app.clock.advance(chrono::Duration::seconds(1));
    assert_eq!(second_step(&client, &token, &code(&app, &secret, 0)?).await?.status.as_u16(), 200);
    assert_eq!(app.count("SELECT count(*) FROM login_failures").await?, 0);
    Ok(())
}

#[tokio::test]
async fn guesses_at_once_are_all_counted() -> Result<()> {
    let app = TestApp::start().await?;
    let Enrolled { email, client, .. } = enrolled(&app).await?;
    let token = pending(&client, &email).await?;
    try_join_all((0..20).map(|_| second_step(&client, &token, "000000"))).await?;
    let looked_at = "SELECT count(*) FROM login_failures WHERE kind = 'second_factor' AND failures = 5";
    assert_eq!(app.count(looked_at).await?, 1, "five were looked at");
    Ok(())
}

#[tokio::test]
async fn a_recovery_code_helps_once_and_new_ones_replace_the_old() -> Result<()> {
    let app = TestApp::start().await?;
    let Enrolled { email, client, recovery, .. } = enrolled(&app).await?;
    let typed = recovery[0].to_uppercase().replace('-', " ");
    assert_eq!(second_step(&client, &pending(&client, &email).await?, &typed).await?.status.as_u16(), 200);
    assert_eq!(second_step(&client, &pending(&client, &email).await?, &recovery[0]).await?.status.as_u16(), 401);
    assert_eq!(client.get("/auth/second-factor").await?["recoveryCodesLeft"], 9);

    let renewed = client.post("/auth/second-factor/recovery-codes", json!({})).await?;
    let renewed = renewed["recoveryCodes"][0].as_str().context("a code")?.to_owned();
    assert_eq!(second_step(&client, &pending(&client, &email).await?, &recovery[1]).await?.status.as_u16(), 401);
    assert_eq!(second_step(&client, &pending(&client, &email).await?, &renewed).await?.status.as_u16(), 200);
    Ok(())
}

#[tokio::test]
async fn who_has_a_second_factor_confirms_with_it() -> Result<()> {
    let app = TestApp::start().await?;
    let Enrolled { client, secret, .. } = enrolled(&app).await?;
    app.clock.advance(chrono::Duration::minutes(5));
    let confirm = |body: Value| client.ask(Method::POST, "/auth/confirm", Some(body));
    let disable = async || client.ask(Method::DELETE, "/auth/second-factor", None).await;
    assert_eq!(confirm(json!({ "password": PASSWORD })).await?.code(), "invalid");
    assert_eq!(confirm(json!({ "password": PASSWORD, "code": "000000" })).await?.status.as_u16(), 401);
    assert_eq!(disable().await?.code(), "step_up_required");
    let code = code(&app, &secret, 0)?;
    assert_eq!(confirm(json!({ "password": "not the password", "code": code })).await?.status.as_u16(), 401);
    assert_eq!(confirm(json!({ "password": PASSWORD, "code": code })).await?.status.as_u16(), 204);
    assert_eq!(disable().await?.status.as_u16(), 204);
    Ok(())
}

#[tokio::test]
async fn an_installation_may_ask_administrators_for_it_before_anything_else() -> Result<()> {
    let app = TestApp::start_with(&[("REQUIRE_SECOND_FACTOR", "on")]).await?;
    let email = app.founded("Ромашка").await?;
    let administrator = Client::new(&app.url)?.sign_in(&email, PASSWORD).await?;
    for (method, path) in [
        (Method::GET, "/users/me"),
        (Method::GET, "/products"),
        (Method::GET, "/auth/sessions"),
        (Method::POST, "/users"),
    ] {
        let answer = administrator.ask(method, path, None).await?;
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "second_factor_required"), "{path}");
    }
    assert!(administrator.get("/auth/second-factor").await?["onSince"].is_null());
    let begun = administrator.post("/auth/second-factor", json!({})).await?;
    finish(&app, &administrator, &text(&begun, "secret")?).await?;
    let picker = json!({ "email": "boris@example.org", "name": "Борис", "password": PASSWORD,
                          "grants": [{ "role": "picker", "reach": "enterprise" }] });
    administrator.post("/users", picker).await?;
    let picker = Client::new(&app.url)?.sign_in("boris@example.org", PASSWORD).await?;
    assert!(picker.get("/users/me").await.is_ok(), "only administrators are asked");
    Ok(())
}

#[tokio::test]
async fn who_runs_the_installation_has_a_second_factor_a_password_and_sessions_of_their_own() -> Result<()> {
    let app = TestApp::start_with(&[("REQUIRE_SECOND_FACTOR", "on")]).await?;
    let (email, system) = app.system_administrator_with_address().await?;
    for (method, path) in [(Method::GET, "/enterprises"), (Method::GET, "/users/me"), (Method::GET, "/auth/sessions")] {
        assert_eq!(system.outcome(method, path, None).await?, (403, "second_factor_required".to_owned()), "{path}");
    }
    assert!(system.get("/auth/second-factor").await?["onSince"].is_null());
    let other = app.sign_in(&email).await?;
    let secret = text(&system.post("/auth/second-factor", json!({})).await?, "secret")?;
    let recovery = finish(&app, &system, &secret).await?;
    system.get("/enterprises").await?;
    assert_eq!(other.outcome(Method::GET, "/auth/second-factor", None).await?.0, 401, "it was opened with less");

    let door = Client::new(&app.url)?;
    let signed_in = second_step(&door, &pending(&door, &email).await?, &code(&app, &secret, 0)?).await?;
    let again = door.with_token(Some(&text(&signed_in.body, "accessToken")?));
    second_step(&door, &pending(&door, &email).await?, &recovery[0]).await?;
    let renewed = again.post("/auth/second-factor/recovery-codes", json!({})).await?;
    assert_eq!(renewed["recoveryCodes"].as_array().map(Vec::len), Some(10));
    let sessions = again.get("/auth/sessions").await?["items"].as_array().context("a list")?.clone();
    assert_eq!(sessions.len(), 3);
    again.delete(&format!("/auth/sessions/{}", text(&sessions[0], "id")?)).await?;
    again.post("/auth/sessions/end-others", json!({})).await?;
    assert_eq!(system.outcome(Method::GET, "/enterprises", None).await?.0, 401);

    app.clock.advance(chrono::Duration::minutes(5));
    let better = json!({ "password": "мой кот ест только рыбу" });
    let change = async || again.outcome(Method::PUT, "/auth/password", Some(better.clone())).await;
    assert_eq!(change().await?, (403, "step_up_required".to_owned()));
    again.post("/auth/confirm", json!({ "password": PASSWORD, "code": code(&app, &secret, 0)? })).await?;
    assert_eq!(change().await?.0, 204);
    assert_eq!(again.ask(Method::DELETE, "/auth/second-factor", None).await?.status.as_u16(), 204);
    assert_eq!(again.outcome(Method::GET, "/enterprises", None).await?, (403, "second_factor_required".to_owned()));
    again.post("/auth/logout-everywhere", json!({})).await?;
    assert_eq!(again.outcome(Method::GET, "/auth/second-factor", None).await?.0, 401);
    Ok(())
}

#[tokio::test]
async fn a_program_has_no_second_factor_password_or_sessions() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let (_, program) = app.key(&boss, json!({ "name": "Выгрузка", "permissions": ["stock:read"] })).await?;
    for (method, path, body) in [
        (Method::GET, "/auth/second-factor", None),
        (Method::GET, "/auth/sessions", None),
        (Method::POST, "/auth/second-factor", None),
        (Method::POST, "/auth/second-factor/recovery-codes", None),
        (Method::POST, "/auth/sessions/end-others", None),
        (Method::PUT, "/auth/password", Some(json!({ "password": "мой кот ест только рыбу" }))),
        (Method::POST, "/auth/email/change-requests", Some(json!({ "email": "bot@example.org" }))),
    ] {
        assert_eq!(program.outcome(method, path, body).await?, (403, "forbidden".to_owned()), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_secret_is_sealed_and_opens_for_its_person_alone() -> Result<()> {
    let app = TestApp::start().await?;
    let Enrolled { secret, .. } = enrolled(&app).await?;
    let other = app.founded("Чужие").await?;
    let found: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM second_factors WHERE position(convert_to($1, 'UTF8') IN secret_sealed) > 0",
    )
    .bind(&secret)
    .fetch_one(&mut app.admin().await?)
    .await?;
    assert_eq!(found, 0);
    let moved = sqlx::query(
        "INSERT INTO second_factors (id, secret_sealed, secret_key_id, created_at, confirmed_at)
         SELECT (SELECT id FROM users WHERE email = $1), secret_sealed, secret_key_id, created_at, confirmed_at FROM second_factors",
    );
    app.admin().await?.execute(moved.bind(&other)).await?;
    let client = Client::new(&app.url)?;
    let token = pending(&client, &other).await?;
    assert_eq!(second_step(&client, &token, &code(&app, &secret, 0)?).await?.status.as_u16(), 500);
    Ok(())
}

#[tokio::test]
async fn the_operator_helps_who_lost_telephone_and_recovery_codes() -> Result<()> {
    let app = TestApp::start().await?;
    let Enrolled { email, client, .. } = enrolled(&app).await?;
    api::admin::reset_second_factor(app.db(), &email).await?;
    assert!(api::admin::reset_second_factor(app.db(), &email).await.is_err(), "there is none any more");
    let holds = async || {
        anyhow::ensure!(client.ask(Method::GET, "/users/me", None).await?.status.as_u16() == 401, "still in");
        Ok(())
    };
    stack::wait::until_ok("sessions end", std::time::Duration::from_secs(1), holds).await?;
    Client::new(&app.url)?.sign_in(&email, PASSWORD).await?;
    Ok(())
}
