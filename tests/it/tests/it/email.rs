//! One's own address of e-mail: changed with a letter to the new one, and the old one is told.

use anyhow::{Result, ensure};
use it::{MailServer, PASSWORD, Reach, TestApp, token_of};
use reqwest::Method;
use serde_json::json;
use stack::Client;
use stack::client::text;
use worker::mail::Mail;

const NEW: &str = "anna.new@example.org";

async fn with_mail() -> Result<(TestApp, MailServer)> {
    let server = MailServer::start().await?;
    let mut app = TestApp::start_with(&[("SMTP_HOST", "127.0.0.1")]).await?;
    app.ctx.mail = Some(Mail::new(&server.settings())?);
    app.ctx.public_url = Some("https://wb.example.org".parse()?);
    Ok((app, server))
}

async fn ask(client: &Client, email: &str) -> Result<Option<String>> {
    let answer = client.ask(Method::POST, "/auth/email/change-requests", Some(json!({ "email": email }))).await?;
    ensure!(answer.status.as_u16() == 202, "{} {}", answer.status, answer.body);
    Ok(answer.body["link"].as_str().map(str::to_owned))
}

async fn change(app: &TestApp, token: &str) -> Result<(u16, String)> {
    Client::new(&app.url)?.outcome(Method::POST, "/auth/email/change", Some(json!({ "token": token }))).await
}

#[tokio::test]
async fn a_letter_to_the_new_address_changes_it_and_the_old_one_is_told() -> Result<()> {
    let (app, server) = with_mail().await?;
    let old = app.founded("Ромашка").await?;
    let client = app.sign_in(&old).await?;
    assert_eq!(ask(&client, "typo@example.org").await?, None, "the token goes by mail alone");
    app.run_jobs().await?;
    let replaced = server.only()?;
    ask(&client, &NEW.to_uppercase()).await?;
    app.run_jobs().await?;
    let letter = server.only()?;
    assert_eq!(letter.to, NEW);
    assert!(letter.text.contains("https://wb.example.org/email-change#token="), "{}", letter.text);
    assert_eq!(text(&client.get("/users/me").await?["user"], "email")?, old, "nothing is changed by asking");

    assert_eq!(change(&app, &replaced.token()?).await?.0, 401, "a later request replaces it");
    assert_eq!(change(&app, &letter.token()?).await?.0, 204);
    assert_eq!(change(&app, &letter.token()?).await?.0, 401, "once only");
    assert_eq!(text(&client.get("/users/me").await?["user"], "email")?, NEW, "the session goes on");
    app.run_jobs().await?;
    let notice = server.only()?;
    assert_eq!(notice.to, old);
    assert!(!notice.text.contains("#token=") && notice.text.contains("обратитесь к администратору"), "{}", notice.text);
    assert!(app.sign_in(&old).await.is_err());
    app.sign_in(NEW).await?;

    let entries = client.all("/audit?objectKind=user").await?;
    let codes: Vec<_> = entries.iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(codes[..2], ["user.email_changed", "user.email_asked"], "{codes:?}");
    assert_eq!(entries[0]["after"], json!({ "from": old, "to": NEW }));
    assert_eq!((&entries[0]["operation"], &entries[0]["address"]), (&json!("change_email"), &json!("127.0.0.1")));
    Ok(())
}

#[tokio::test]
async fn it_is_good_for_half_an_hour() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let late = token_of(&ask(&client, NEW).await?.expect("there is no mail"))?;
    app.clock.advance(chrono::Duration::minutes(30));
    assert_eq!(change(&app, &late).await?.0, 401);
    Ok(())
}

#[tokio::test]
async fn a_change_that_somebody_else_asked_for_ends_with_the_password_they_knew() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let token = token_of(&ask(&client, NEW).await?.expect("there is no mail"))?;
    let better = json!({ "password": "мой кот ест только рыбу" });
    client.put("/auth/password", better).await?;
    assert_eq!(change(&app, &token).await?.0, 401);
    Ok(())
}

#[tokio::test]
async fn who_has_an_address_already_keeps_it_and_nobody_is_told() -> Result<()> {
    let (app, server) = with_mail().await?;
    let (taken, client) = (app.founded("Василёк").await?, app.enterprise("Ромашка").await?);
    ask(&client, &taken).await?;
    app.run_jobs().await?;
    assert!(server.take().is_empty(), "they are not written to");
    client.refused("/auth/email/change-requests", json!({ "email": "nonsense" }), "invalid").await?;
    let own = text(&client.get("/users/me").await?["user"], "email")?;
    client.refused("/auth/email/change-requests", json!({ "email": own }), "invalid").await?;
    Ok(())
}

#[tokio::test]
async fn an_address_that_was_taken_meanwhile_is_refused_and_a_reset_to_the_old_one_is_over() -> Result<()> {
    let (app, server) = with_mail().await?;
    let (old, email) = (app.founded("Ромашка").await?, "reset@example.org");
    let client = app.sign_in(&old).await?;
    ask(&client, NEW).await?;
    app.run_jobs().await?;
    let letter = server.only()?;
    let body =
        json!({ "email": NEW, "name": "Другая", "password": PASSWORD, "grants": [it::grant("picker", Reach::Own)] });
    let other = text(&client.post("/users", body).await?, "id")?;
    assert_eq!(change(&app, &letter.token()?).await?, (409, "email_taken".to_owned()));
    client.patch(&format!("/users/{other}"), json!({ "email": email })).await?;

    Client::new(&app.url)?.post("/auth/password/reset-requests", json!({ "email": old })).await?;
    app.run_jobs().await?;
    let reset = server.only()?;
    assert_eq!(change(&app, &letter.token()?).await?.0, 204, "the refusal did not use it up");
    let body = json!({ "token": reset.token()?, "password": "мой кот ест только рыбу" });
    let door = Client::new(&app.url)?;
    assert_eq!(door.outcome(Method::POST, "/auth/password/reset", Some(body)).await?.0, 401);
    app.run_jobs().await?;
    Ok(())
}

#[tokio::test]
async fn who_runs_the_installation_changes_theirs_in_the_same_way() -> Result<()> {
    let app = TestApp::start().await?;
    let system = app.system_administrator().await?;
    let token = token_of(&ask(&system, NEW).await?.expect("there is no mail"))?;
    assert_eq!(change(&app, &token).await?.0, 204);
    assert_eq!(text(&system.get("/users/me").await?["user"], "email")?, NEW);
    app.run_jobs().await?;
    let kept = "SELECT count(*) FROM audit_entries WHERE enterprise_id = '00000000-0000-0000-0000-000000000000'
                AND action IN ('user.email_asked', 'user.email_changed')";
    assert_eq!(app.count(kept).await?, 2);
    Ok(())
}
