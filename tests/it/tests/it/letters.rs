//! Invitations and password resets, by mail and by hand.

use anyhow::{Context, Result, ensure};
use it::people::{enterprise_of, ids};
use it::{MailServer, PASSWORD, Reach, TestApp, grant, token_of};
use reqwest::Method;
use serde_json::{Value, json};
use shared::jobs::Outcome;
use sqlx::Executor;
use stack::Client;
use stack::client::text;
use worker::mail::Mail;

const BETTER: &str = "мой кот ест только рыбу";

/// An installation with a mail server.
async fn with_mail() -> Result<(TestApp, MailServer)> {
    let server = MailServer::start().await?;
    let mut app = TestApp::start_with(&[("SMTP_HOST", "127.0.0.1")]).await?;
    app.ctx.mail = Some(Mail::new(&server.settings())?);
    app.ctx.public_url = Some("https://wb.example.org".parse()?);
    Ok((app, server))
}

fn boris() -> Value {
    boris_with(&[grant("picker", Reach::Enterprise)])
}

fn boris_with(grants: &[Value]) -> Value {
    json!({ "email": "Boris@example.org", "name": "Борис", "grants": grants })
}

async fn accept(app: &TestApp, token: &str, password: &str) -> Result<u16> {
    let body = json!({ "token": token, "password": password });
    Ok(Client::new(&app.url)?.ask(Method::POST, "/auth/invitations/accept", Some(body)).await?.status.as_u16())
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Result<u16> {
    let body = json!({ "token": token, "password": password });
    Ok(Client::new(&app.url)?.ask(Method::POST, "/auth/password/reset", Some(body)).await?.status.as_u16())
}

async fn forgot(app: &TestApp, email: &str) -> Result<()> {
    let answer = Client::new(&app.url)?
        .ask(Method::POST, "/auth/password/reset-requests", Some(json!({ "email": email })))
        .await?;
    ensure!(answer.status.as_u16() == 202 && answer.body.is_null(), "{} {}", answer.status, answer.body);
    Ok(())
}

/// An invitation by hand; its token.
async fn invited(client: &Client) -> Result<String> {
    invited_with(client, &[grant("picker", Reach::Enterprise)]).await
}

async fn invited_with(client: &Client, grants: &[Value]) -> Result<String> {
    let answer = client.ask(Method::POST, "/users/invitations", Some(boris_with(grants))).await?;
    ensure!(answer.status.as_u16() == 202, "{} {}", answer.status, answer.body);
    token_of(&text(&answer.body, "link")?)
}

#[tokio::test]
async fn without_mail_an_administrator_passes_an_invitation_on_by_hand() -> Result<()> {
    let app = TestApp::start().await?;
    let administrator = app.enterprise("Ромашка").await?;
    let replaced = invited(&administrator).await?;
    let token = invited(&administrator).await?;
    assert_eq!(accept(&app, &replaced, BETTER).await?, 401, "a later invitation replaces it");
    assert_eq!(accept(&app, "nonsense", BETTER).await?, 401);
    assert_eq!(accept(&app, &token, BETTER).await?, 204);
    assert_eq!(accept(&app, &token, BETTER).await?, 401, "once only");
    let picker = Client::new(&app.url)?.sign_in("boris@example.org", BETTER).await?;
    let me = picker.get("/users/me").await?;
    assert_eq!(
        (me["user"]["name"].as_str(), me["user"]["grants"][0]["role"].as_str()),
        (Some("Борис"), Some("picker"))
    );
    administrator.refused("/users/invitations", boris(), "already_member").await?;
    picker.refused("/users/invitations", boris(), "forbidden").await?;
    Ok(())
}

#[tokio::test]
async fn an_enterprise_without_anybody_is_opened_by_an_invitation_and_by_one_only() -> Result<()> {
    let app = TestApp::start().await?;
    let system = app.system_administrator().await?;
    let enterprise = text(&system.post("/enterprises", json!({ "name": "Лютик" })).await?, "id")?;
    let path = format!("/enterprises/{enterprise}/administrator-invitations");
    let invite = async |email: &str| -> Result<String> {
        token_of(&text(&system.post(&path, json!({ "email": email, "name": "Борис" })).await?, "link")?)
    };
    let replaced = invite("boris@example.org").await?;
    let (first, second) = (invite("boris@example.org").await?, invite("anna@example.org").await?);
    assert_eq!(accept(&app, &replaced, BETTER).await?, 401, "a later invitation replaces it");
    assert_eq!(accept(&app, &first, BETTER).await?, 204);
    let boris = Client::new(&app.url)?.sign_in("boris@example.org", BETTER).await?;
    assert_eq!(enterprise_of(&boris).await?, enterprise);
    app.person(&boris, "picker", Reach::Enterprise).await?;
    assert_eq!(accept(&app, &second, BETTER).await?, 409, "there is an administrator by now");
    let again = json!({ "email": "anna@example.org", "name": "Анна" });
    system.refused(&path, again.clone(), "enterprise_administered").await?;
    boris.refused(&path, again.clone(), "forbidden").await?;
    let nowhere = "/enterprises/01900000-0000-7000-8000-000000000000/administrator-invitations";
    assert_eq!(system.outcome(Method::POST, nowhere, Some(again)).await?, (404, "not_found".to_owned()));
    Ok(())
}

#[tokio::test]
async fn an_invitation_gives_exactly_what_it_grants() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let warehouse = text(&boss.post("/warehouses", json!({ "name": "Тут" })).await?, "id")?;
    boss.post("/warehouses", json!({ "name": "Там" })).await?;
    let role = app.own_role(&boss, "Кладовая", &["stock:read", "jobs:read"]).await?;
    let grants = [grant("picker", Reach::Warehouses(&[&warehouse])), grant(&role, Reach::Own)];
    let token = invited_with(&boss, &grants).await?;
    assert_eq!(accept(&app, &token, BETTER).await?, 204);
    let boris = Client::new(&app.url)?.sign_in("boris@example.org", BETTER).await?;
    assert_eq!(boris.get("/users/me").await?["user"]["grants"], json!(grants));
    assert_eq!(ids(&boris, "/warehouses").await?, [warehouse]);
    assert_eq!(boris.outcome(Method::GET, "/jobs", None).await?.0, 403, "what cannot be narrowed so far is not given");
    Ok(())
}

#[tokio::test]
async fn nobody_invites_with_what_they_lack_and_grants_are_checked_like_everywhere() -> Result<()> {
    let app = TestApp::start().await?;
    let (boss, stranger) = (app.enterprise("Ромашка").await?, app.enterprise("Чужие").await?);
    let staff = app.own_role(&boss, "Кадры", &["people:manage", "people:read", "stock:read"]).await?;
    let officer = app.person(&boss, &staff, Reach::Enterprise).await?;
    let foreign = text(&stranger.post("/warehouses", json!({ "name": "Чужой" })).await?, "id")?;
    let foreign_role = app.own_role(&stranger, "Чужая", &["stock:read"]).await?;
    for role in ["administrator", "picker"] {
        let body = boris_with(&[grant(role, Reach::Enterprise)]);
        officer.client.refused("/users/invitations", body, "rights_exceed_own").await?;
    }
    for (grants, field) in [
        (vec![], "grants"),
        (vec![json!({ "reach": "enterprise" })], "grants.0.role"),
        (vec![grant("picker", Reach::Own), grant("picker", Reach::Warehouses(&[]))], "grants.1.warehouseIds"),
        (vec![grant("picker", Reach::Warehouses(&[&foreign]))], "grants.0.warehouseIds"),
        (vec![grant(&foreign_role, Reach::Enterprise)], "grants.0.roleId"),
    ] {
        let answer = boss.ask(Method::POST, "/users/invitations", Some(boris_with(&grants))).await?;
        assert_eq!((answer.status.as_u16(), answer.body["field"].as_str()), (422, Some(field)), "{}", answer.body);
    }
    assert_eq!(app.count("SELECT count(*) FROM letters").await?, 0);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_given_any_more_is_refused_in_words_and_the_invitation_is_not_used_up() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let deputy = app.person(&boss, "administrator", Reach::Enterprise).await?;
    let role = app.own_role(&boss, "Недолгая", &["stock:read"]).await?;
    let warehouse = text(&boss.post("/warehouses", json!({ "name": "Недолгий" })).await?, "id")?;
    let refused = async |token: &str, why: &str| -> Result<()> {
        let body = json!({ "token": token, "password": BETTER });
        let door = Client::new(&app.url)?;
        let detail = door.refused("/auth/invitations/accept", body, "invitation_outdated").await?;
        ensure!(detail.contains(why), "{detail}");
        ensure!(app.count("SELECT count(*) FROM users WHERE email = 'boris@example.org'").await? == 0, "half done");
        Ok(())
    };

    let token = invited_with(&boss, &[grant(&role, Reach::Enterprise)]).await?;
    boss.delete(&format!("/roles/{role}")).await?;
    refused(&token, "a role that the invitation grants was deleted").await?;

    let token = invited_with(&boss, &[grant("picker", Reach::Warehouses(&[&warehouse]))]).await?;
    app.admin().await?.execute("DELETE FROM cells; DELETE FROM warehouses").await?;
    refused(&token, "a warehouse that the invitation names is gone").await?;

    let token = invited_with(&deputy.client, &[grant("administrator", Reach::Enterprise)]).await?;
    let grants = |role: &str| json!({ "grants": [grant(role, Reach::Enterprise)] });
    boss.put(&format!("/users/{}/grants", deputy.id), grants("picker")).await?;
    refused(&token, "who invited you may not grant this any more").await?;
    boss.put(&format!("/users/{}/grants", deputy.id), grants("administrator")).await?;
    assert_eq!(accept(&app, &token, BETTER).await?, 204, "it was not used up");
    Ok(())
}

#[tokio::test]
async fn an_invitation_of_the_release_before_gives_its_role_all_over_the_enterprise() -> Result<()> {
    let app = TestApp::start().await?;
    let token = invited(&app.enterprise("Ромашка").await?).await?;
    app.admin().await?.execute("UPDATE letters SET role = 'viewer', grants = NULL").await?;
    assert_eq!(accept(&app, &token, BETTER).await?, 204);
    let boris = Client::new(&app.url)?.sign_in("boris@example.org", BETTER).await?;
    assert_eq!(boris.get("/users/me").await?["user"]["grants"], json!([grant("viewer", Reach::Enterprise)]));
    Ok(())
}

#[tokio::test]
async fn an_invitation_is_good_for_a_day_and_not_in_a_suspended_enterprise() -> Result<()> {
    let app = TestApp::start().await?;
    let administrator = app.enterprise("Ромашка").await?;
    let token = invited(&administrator).await?;
    app.admin().await?.execute("UPDATE enterprises SET status = 'suspended'").await?;
    assert_eq!(accept(&app, &token, BETTER).await?, 401);
    app.admin().await?.execute("UPDATE enterprises SET status = 'active'").await?;
    app.clock.advance(chrono::Duration::hours(24));
    assert_eq!(accept(&app, &token, BETTER).await?, 401);
    Ok(())
}

#[tokio::test]
async fn of_many_who_accept_at_once_one_does() -> Result<()> {
    let app = TestApp::start().await?;
    let token = invited(&app.enterprise("Ромашка").await?).await?;
    let answers = futures::future::try_join_all((0..4).map(|_| accept(&app, &token, BETTER))).await?;
    assert_eq!(answers.iter().filter(|status| **status == 204).count(), 1, "{answers:?}");
    assert_eq!(app.count("SELECT count(*) FROM users WHERE email = 'boris@example.org'").await?, 1);
    Ok(())
}

#[tokio::test]
async fn who_is_known_elsewhere_accepts_with_the_password_they_have() -> Result<()> {
    let app = TestApp::start().await?;
    let (first, second) = (app.enterprise("Ромашка").await?, app.enterprise("Василёк").await?);
    assert_eq!(accept(&app, &invited(&first).await?, BETTER).await?, 204);
    let token = invited(&second).await?;
    assert_eq!(accept(&app, &token, PASSWORD).await?, 401, "the link alone does not make one that person");
    assert_eq!(accept(&app, &token, BETTER).await?, 204);

    let login = json!({ "email": "boris@example.org", "password": BETTER });
    let answer = Client::new(&app.url)?.ask(Method::POST, "/auth/login", Some(login.clone())).await?;
    assert_eq!((answer.code(), &answer.body["field"]), ("invalid", &json!("enterpriseId")));
    let places = answer.body["allowed"].as_array().context("a list")?;
    assert_eq!(places.len(), 2);
    let mut login = login;
    login["enterpriseId"] = places[1].clone();
    Client::new(&app.url)?.post("/auth/login", login).await?;
    Ok(())
}

#[tokio::test]
async fn an_invitation_goes_by_mail_where_there_is_a_mail_server() -> Result<()> {
    let (app, server) = with_mail().await?;
    let administrator = app.enterprise("Ромашка").await?;
    let answer = administrator.post("/users/invitations", boris()).await?;
    assert!(answer.get("link").is_none(), "{answer}");
    app.run_jobs().await?;
    let letter = server.only()?;
    assert_eq!(letter.to, "boris@example.org");
    assert!(letter.text.contains("«Ромашка»") && letter.text.contains("https://wb.example.org/invitation#token="));
    assert_eq!(accept(&app, &letter.token()?, BETTER).await?, 204);
    Ok(())
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_with_a_letter() -> Result<()> {
    let (app, server) = with_mail().await?;
    let email = app.founded("Ромашка").await?;
    let signed_in = Client::new(&app.url)?.sign_in(&email, PASSWORD).await?;
    forgot(&app, &email.to_uppercase()).await?;
    app.run_jobs().await?;
    let token = server.only()?.token()?;

    assert_eq!(reset(&app, &token, "password1234").await?, 422, "a bad password does not use the letter up");
    assert_eq!(reset(&app, &token, BETTER).await?, 204);
    assert_eq!(reset(&app, &token, PASSWORD).await?, 401, "once only");
    assert_eq!(signed_in.ask(Method::GET, "/users/me", None).await?.status.as_u16(), 401, "every session is over");
    assert!(Client::new(&app.url)?.sign_in(&email, PASSWORD).await.is_err());
    Client::new(&app.url)?.sign_in(&email, BETTER).await?;
    Ok(())
}

#[tokio::test]
async fn a_reset_is_good_for_half_an_hour() -> Result<()> {
    let (app, server) = with_mail().await?;
    forgot(&app, &app.founded("Ромашка").await?).await?;
    app.run_jobs().await?;
    let token = server.only()?.token()?;
    app.clock.advance(chrono::Duration::minutes(30));
    assert_eq!(reset(&app, &token, BETTER).await?, 401);
    Ok(())
}

#[tokio::test]
async fn asking_for_a_reset_tells_and_does_the_same_for_everybody() -> Result<()> {
    let (app, server) = with_mail().await?;
    let email = app.founded("Ромашка").await?;
    let inactive = app.founded("Василёк").await?;
    app.admin()
        .await?
        .execute(sqlx::query("UPDATE users SET status = 'inactive' WHERE email = $1").bind(&inactive))
        .await?;
    for email in [&email, &inactive, "nobody@example.org"] {
        forgot(&app, email).await?;
    }
    assert_eq!(app.count("SELECT count(*) FROM letters WHERE token_hash IS NULL").await?, 3);
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'users.send_letter'").await?, 3);
    app.run_jobs().await?;
    assert_eq!(server.only()?.to, email, "only who is there is written to");
    Ok(())
}

#[tokio::test]
async fn nobody_is_flooded_with_letters() -> Result<()> {
    let (app, server) = with_mail().await?;
    let email = app.founded("Ромашка").await?;
    for _ in 0..5 {
        forgot(&app, &email).await?;
    }
    app.run_jobs().await?;
    server.only()?;
    app.clock.advance(chrono::Duration::minutes(1));
    forgot(&app, &email).await?;
    app.run_jobs().await?;
    server.only()?;
    Ok(())
}

#[tokio::test]
async fn a_letter_waits_for_a_mail_server_that_is_away_and_its_token_lies_nowhere() -> Result<()> {
    let (mut app, server) = with_mail().await?;
    let settings = server.settings();
    drop(server);
    app.ctx.mail = Some(Mail::new(&settings)?);
    let email = app.founded("Ромашка").await?;
    forgot(&app, &email).await?;
    let ran = app.run_jobs().await?;
    assert!(matches!(ran[0].outcome, Some(Outcome::Again { .. })), "{ran:?}");
    assert_eq!(app.count("SELECT count(*) FROM letters WHERE sent_at IS NULL").await?, 1);

    let server = MailServer::start().await?;
    app.ctx.mail = Some(Mail::new(&server.settings())?);
    app.later(600).await?;
    let token = server.only()?.token()?;
    for (table, columns) in [("letters", "l::text"), ("jobs", "l::text")] {
        let sql = format!("SELECT count(*) FROM {table} AS l WHERE position($1 IN {columns}) > 0");
        let found: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(&token).fetch_one(&mut app.admin().await?).await?;
        assert_eq!(found, 0, "{table}");
    }
    assert_eq!(reset(&app, &token, BETTER).await?, 204);
    Ok(())
}

#[tokio::test]
async fn by_hand_a_reset_is_for_who_belongs_to_that_enterprise_alone() -> Result<()> {
    let app = TestApp::start().await?;
    let (first, second) = (app.enterprise("Ромашка").await?, app.enterprise("Василёк").await?);
    assert_eq!(accept(&app, &invited(&first).await?, BETTER).await?, 204);
    let boris = text(
        &Client::new(&app.url)?.sign_in("boris@example.org", BETTER).await?.get("/users/me").await?["user"],
        "id",
    )?;
    let path = format!("/users/{boris}/password-reset");
    assert_eq!(second.ask(Method::POST, &path, None).await?.status.as_u16(), 404);
    let answer = first.ask(Method::POST, &path, None).await?;
    assert_eq!(answer.status.as_u16(), 202);
    assert_eq!(reset(&app, &token_of(&text(&answer.body, "link")?)?, PASSWORD).await?, 204);

    assert_eq!(accept(&app, &invited(&second).await?, PASSWORD).await?, 204);
    for administrator in [&first, &second] {
        assert_eq!(administrator.ask(Method::POST, &path, None).await?.code(), "person_of_several_enterprises");
    }
    let link = api::admin::reset_link(app.db(), "boris@example.org", None).await?;
    let token = token_of(secrecy::ExposeSecret::expose_secret(&link))?;
    assert_eq!(reset(&app, &token, BETTER).await?, 204, "the operator can");
    Ok(())
}

#[tokio::test]
async fn a_reset_does_not_skip_the_second_factor() -> Result<()> {
    let (app, server) = with_mail().await?;
    let email = app.founded("Ромашка").await?;
    let client = Client::new(&app.url)?.sign_in(&email, PASSWORD).await?;
    let secret = text(&client.post("/auth/second-factor", json!({})).await?, "secret")?;
    crate::second_factor::finish(&app, &client, &secret).await?;
    forgot(&app, &email).await?;
    app.run_jobs().await?;
    assert_eq!(reset(&app, &server.only()?.token()?, BETTER).await?, 204);
    let login = json!({ "email": email, "password": BETTER });
    let answer = Client::new(&app.url)?.ask(Method::POST, "/auth/login", Some(login)).await?;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.body);
    Ok(())
}

#[tokio::test]
async fn who_lost_a_session_to_a_reused_token_is_written_to() -> Result<()> {
    let (app, server) = with_mail().await?;
    let email = app.founded("Ромашка").await?;
    let client = Client::new(&app.url)?;
    let signed_in = client.post("/auth/login", json!({ "email": email, "password": PASSWORD })).await?;
    let token = json!({ "refreshToken": signed_in["refreshToken"] });
    client.post("/auth/refresh", token.clone()).await?;
    app.clock.advance(chrono::Duration::seconds(11));
    assert_eq!(client.ask(Method::POST, "/auth/refresh", Some(token)).await?.status.as_u16(), 401);
    app.run_jobs().await?;
    let letter = server.only()?;
    assert_eq!(letter.to, email);
    assert_eq!(reset(&app, &letter.token()?, BETTER).await?, 204, "its link changes the password");
    Ok(())
}

#[tokio::test]
async fn letters_are_deleted_a_week_later() -> Result<()> {
    let app = TestApp::start().await?;
    invited(&app.enterprise("Ромашка").await?).await?;
    worker::users::set_timer(&app.ctx.db).await?;
    app.clock.advance(chrono::Duration::days(9));
    worker::timers::fire_due(&app.ctx.db, &worker::registry()).await?;
    app.run_jobs().await?;
    assert_eq!(app.count("SELECT count(*) FROM letters").await?, 0);
    Ok(())
}
