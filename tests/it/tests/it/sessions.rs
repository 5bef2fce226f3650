//! Sessions: refreshed, seen, ended, on however many processes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use it::{PASSWORD, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;
use stack::Client;
use stack::client::{Answer, text};

async fn login(client: &Client, email: &str) -> Result<Value> {
    client.post("/auth/login", json!({ "email": email, "password": PASSWORD })).await
}

async fn refresh(client: &Client, token: &str) -> Result<Answer> {
    client.ask(Method::POST, "/auth/refresh", Some(json!({ "refreshToken": token }))).await
}

/// As a program that names itself otherwise would ask.
async fn refresh_as(app: &TestApp, user_agent: &str, token: &str) -> Result<u16> {
    let http = reqwest::Client::builder().no_proxy().user_agent(user_agent).build()?;
    let body = json!({ "refreshToken": token });
    Ok(http.post(format!("{}/auth/refresh", app.url)).json(&body).send().await?.status().as_u16())
}

async fn is_in(client: &Client) -> Result<bool> {
    let answer = client.ask(Method::GET, "/users/me", None).await?;
    ensure!([200, 401].contains(&answer.status.as_u16()), "GET /users/me answered {}: {}", answer.status, answer.body);
    Ok(answer.status.is_success())
}

#[tokio::test]
async fn a_spent_refresh_token_that_comes_late_ends_the_whole_family_and_its_person_is_told() -> Result<()> {
    let app = TestApp::start().await?;
    let email = app.founded("Ромашка").await?;
    let client = Client::new(&app.url)?;
    let first = text(&login(&client, &email).await?, "refreshToken")?;
    let second = refresh(&client, &first).await?;
    assert_eq!(second.status.as_u16(), 200);
    let signed_in = client.with_token(Some(&text(&second.body, "accessToken")?));
    assert!(is_in(&signed_in).await?);
    app.clock.advance(chrono::Duration::seconds(11));

    let late = refresh(&client, &first).await?;
    assert_eq!((late.status.as_u16(), late.code()), (401, "unauthenticated"));
    assert!(!is_in(&signed_in).await?, "the access token of the family is over at once");
    assert_eq!(refresh(&client, &text(&second.body, "refreshToken")?).await?.status.as_u16(), 401, "the successor too");
    assert_eq!(app.count("SELECT count(*) FROM sessions WHERE end_reason = 'token_reused'").await?, 1);
    assert_eq!(app.count("SELECT count(*) FROM letters WHERE kind = 'token_reused'").await?, 1);
    app.run_jobs().await?;
    assert!(login(&client, &email).await.is_ok(), "the person signs in again");
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_is_given_again_to_the_same_client_and_never_a_second_successor() -> Result<()> {
    let app = TestApp::start().await?;
    let client = Client::new(&app.url)?;
    let first = text(&login(&client, &app.founded("Ромашка").await?).await?, "refreshToken")?;
    let second = text(&refresh(&client, &first).await?.body, "refreshToken")?;
    assert_ne!(first, second);
    app.clock.advance(chrono::Duration::seconds(9));
    for _ in 0..3 {
        let again = refresh(&client, &first).await?;
        assert_eq!((again.status.as_u16(), again.body["refreshToken"].as_str()), (200, Some(second.as_str())));
        assert!(is_in(&client.with_token(Some(&text(&again.body, "accessToken")?))).await?);
    }
    let third = refresh(&client, &second).await?;
    assert_eq!(third.status.as_u16(), 200, "the family is well");
    assert_eq!(app.count("SELECT count(*) FROM sessions WHERE revoked_at IS NULL").await?, 1);
    Ok(())
}

#[tokio::test]
async fn another_client_with_a_spent_token_is_not_taken_for_a_lost_answer() -> Result<()> {
    let app = TestApp::start().await?;
    let client = Client::new(&app.url)?;
    let first = text(&login(&client, &app.founded("Ромашка").await?).await?, "refreshToken")?;
    let second = text(&refresh(&client, &first).await?.body, "refreshToken")?;
    assert_eq!(refresh_as(&app, "stranger/1.0", &first).await?, 401);
    assert_eq!(refresh(&client, &second).await?.status.as_u16(), 401);
    app.run_jobs().await?;
    Ok(())
}

#[tokio::test]
async fn no_refresh_token_lies_in_the_database() -> Result<()> {
    let app = TestApp::start().await?;
    let client = Client::new(&app.url)?;
    let first = text(&login(&client, &app.founded("Ромашка").await?).await?, "refreshToken")?;
    let second = text(&refresh(&client, &first).await?.body, "refreshToken")?;
    for token in [first, second] {
        let found: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM sessions WHERE position(convert_to($1, 'UTF8') IN refresh_hash) > 0)
                  + (SELECT count(*) FROM spent_refresh_tokens WHERE position(convert_to($1, 'UTF8') IN successor_sealed) > 0 OR position(convert_to($1, 'UTF8') IN hash) > 0)",
        )
        .bind(&token[..16])
        .fetch_one(&mut app.admin().await?)
        .await?;
        assert_eq!(found, 0);
    }
    Ok(())
}

#[tokio::test]
async fn fifty_refreshes_of_one_token_on_three_processes_have_one_successor() -> Result<()> {
    let app = TestApp::start().await?;
    let (second, third) = (app.replica().await?, app.replica().await?);
    let client = Client::new(&app.url)?;
    let clients = [client.clone(), client.at(&second.url), client.at(&third.url)];
    let mut token = text(&login(&client, &app.founded("Ромашка").await?).await?, "refreshToken")?;
    for round in 1..=3 {
        let answers = try_join_all((0..50).map(|index| refresh(&clients[index % 3], &token))).await?;
        let successors: BTreeSet<_> = answers
            .iter()
            .map(|answer| {
                ensure!(answer.status.is_success(), "round {round}: {} {}", answer.status, answer.body);
                text(&answer.body, "refreshToken")
            })
            .collect::<Result<_>>()?;
        assert_eq!(successors.len(), 1, "round {round}");
        token = successors.into_iter().next().context("a successor")?;
    }
    assert_eq!(app.count("SELECT count(*) FROM spent_refresh_tokens").await?, 3);
    assert_eq!(app.count("SELECT count(*) FROM sessions WHERE revoked_at IS NULL").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_session_ends_after_seven_idle_days_and_after_thirty_in_any_case() -> Result<()> {
    let app = TestApp::start().await?;
    let email = app.founded("Ромашка").await?;
    let client = Client::new(&app.url)?;
    let idle = text(&login(&client, &email).await?, "refreshToken")?;
    let mut used = text(&login(&client, &email).await?, "refreshToken")?;
    for day in (6..=24).step_by(6) {
        app.clock.advance(chrono::Duration::days(6));
        let answer = refresh(&client, &used).await?;
        assert_eq!(answer.status.as_u16(), 200, "day {day}");
        used = text(&answer.body, "refreshToken")?;
        if day == 12 {
            assert_eq!(refresh(&client, &idle).await?.status.as_u16(), 401);
        }
    }
    app.clock.advance(chrono::Duration::days(5) + chrono::Duration::hours(23));
    let last = refresh(&client, &used).await?;
    assert_eq!(last.status.as_u16(), 200, "an hour before the thirtieth day is over");
    app.clock.advance(chrono::Duration::hours(2));
    assert_eq!(refresh(&client, &text(&last.body, "refreshToken")?).await?.status.as_u16(), 401);
    assert!(!is_in(&client.with_token(Some(&text(&last.body, "accessToken")?))).await?);
    Ok(())
}

#[tokio::test]
async fn an_eleventh_session_pushes_the_oldest_out() -> Result<()> {
    let app = TestApp::start().await?;
    let email = app.founded("Ромашка").await?;
    let mut clients = Vec::new();
    for _ in 0..11 {
        app.clock.advance(chrono::Duration::seconds(1));
        clients.push(Client::new(&app.url)?.sign_in(&email, PASSWORD).await?);
    }
    assert!(!is_in(&clients[0]).await?);
    for client in &clients[1..] {
        assert!(is_in(client).await?);
    }
    let listed = clients[10].get("/auth/sessions").await?;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(10));
    Ok(())
}

#[tokio::test]
async fn a_person_sees_their_sessions_and_ends_one_the_others_or_all() -> Result<()> {
    let app = TestApp::start().await?;
    let email = app.founded("Ромашка").await?;
    let mut clients = Vec::new();
    for _ in 0..4 {
        app.clock.advance(chrono::Duration::seconds(1));
        clients.push(Client::new(&app.url)?.sign_in(&email, PASSWORD).await?);
    }
    let [first, second, third, fourth] = &clients[..] else { unreachable!("four were signed in") };
    let listed = fourth.get("/auth/sessions").await?;
    let listed = listed["items"].as_array().context("a list")?;
    assert_eq!(
        listed.iter().map(|session| session["current"] == true).collect::<Vec<_>>(),
        [true, false, false, false]
    );
    assert!(listed.iter().all(|session| session["address"] == "127.0.0.0/24"), "{listed:?}");

    let oldest = format!("/auth/sessions/{}", text(&listed[3], "id")?);
    assert_eq!(fourth.ask(Method::DELETE, &oldest, None).await?.status.as_u16(), 204);
    assert_eq!(fourth.ask(Method::DELETE, &oldest, None).await?.status.as_u16(), 404);
    assert_eq!((is_in(first).await?, is_in(second).await?), (false, true));

    fourth.post("/auth/sessions/end-others", json!({})).await?;
    assert_eq!((is_in(second).await?, is_in(third).await?, is_in(fourth).await?), (false, false, true));

    let other = Client::new(&app.url)?.sign_in(&email, PASSWORD).await?;
    other.post("/auth/logout-everywhere", json!({})).await?;
    assert_eq!((is_in(fourth).await?, is_in(&other).await?), (false, false));
    Ok(())
}

#[tokio::test]
async fn an_administrator_ends_the_sessions_of_a_person_of_the_own_enterprise_alone() -> Result<()> {
    let app = TestApp::start().await?;
    let administrator = app.enterprise("Ромашка").await?;
    let person = json!({ "email": "boris@example.org", "name": "Борис", "password": PASSWORD,
                          "grants": [{ "role": "picker", "reach": "enterprise" }] });
    let person = text(&administrator.post("/users", person).await?, "id")?;
    let picker = Client::new(&app.url)?.sign_in("boris@example.org", PASSWORD).await?;
    let again = Client::new(&app.url)?.sign_in("boris@example.org", PASSWORD).await?;
    let path = format!("/users/{person}/sessions");

    let stranger = app.enterprise("Чужие").await?;
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(stranger.ask(method.clone(), &path, None).await?.status.as_u16(), 404, "{method}");
        assert_eq!(picker.ask(method.clone(), &path, None).await?.status.as_u16(), 403, "{method}");
    }
    let listed = administrator.get(&path).await?;
    let newest = format!("{path}/{}", text(&listed["items"][0], "id")?);
    assert_eq!(stranger.ask(Method::DELETE, &newest, None).await?.status.as_u16(), 404);
    assert_eq!(administrator.ask(Method::DELETE, &newest, None).await?.status.as_u16(), 204);
    assert_eq!((is_in(&picker).await?, is_in(&again).await?), (true, false));
    assert_eq!(administrator.ask(Method::DELETE, &path, None).await?.status.as_u16(), 204);
    assert!(!is_in(&picker).await?);
    assert!(is_in(&administrator).await?);
    Ok(())
}

/// Signs out on one process and asks the others until they know; answers with the time until the last of them did.
async fn sign_out(clients: &[Client], email: &str, round: usize) -> Result<Duration> {
    let token = text(&login(&clients[0], email).await?, "accessToken")?;
    let clients: Vec<_> = clients.iter().map(|client| client.with_token(Some(&token))).collect();
    for client in &clients {
        ensure!(is_in(client).await?, "round {round}: signed in everywhere");
    }
    let here = &clients[round % clients.len()];
    here.post("/auth/logout", json!({})).await?;
    let over = Instant::now();
    ensure!(!is_in(here).await?, "round {round}: who did it knows at once");
    let late = try_join_all(clients.iter().map(async |client| {
        let mut last = Duration::ZERO;
        while is_in(client).await? {
            last = over.elapsed();
            ensure!(last < Duration::from_secs(1), "round {round}: still in after a second");
        }
        Ok(last)
    }))
    .await?;
    Ok(late.into_iter().max().unwrap_or_default())
}

#[tokio::test]
async fn what_ends_on_one_process_is_over_on_all_of_them_within_a_second() -> Result<()> {
    let app = TestApp::start().await?;
    let (second, third) = (app.replica().await?, app.replica().await?);
    let client = Client::new(&app.url)?;
    let clients = [client.clone(), client.at(&second.url), client.at(&third.url)];
    let email = app.founded("Ромашка").await?;
    for round in 0..9 {
        sign_out(&clients, &email, round).await?;
    }
    Ok(())
}

#[tokio::test]
async fn without_redis_people_sign_in_and_what_ends_is_over_within_a_second() -> Result<()> {
    let away = [("REDIS_URL", "redis://127.0.0.1:1/0")];
    let app = TestApp::start_with(&away).await?;
    let (second, third) = (app.replica_with(&away).await?, app.replica_with(&away).await?);
    let client = Client::new(&app.url)?;
    let clients = [client.clone(), client.at(&second.url), client.at(&third.url)];
    let email = app.founded("Ромашка").await?;
    for round in 0..3 {
        sign_out(&clients, &email, round).await?;
    }
    Ok(())
}

#[tokio::test]
async fn with_neither_redis_nor_postgres_nobody_is_let_in_and_nobody_is_called_a_stranger() -> Result<()> {
    let app = TestApp::start().await?;
    let email = app.founded("Ромашка").await?;
    let away = [("REDIS_URL", "redis://127.0.0.1:1/0"), ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing")];
    let alone = app.replica_with(&away).await?;
    let client = Client::new(&app.url)?.sign_in(&email, PASSWORD).await?;
    let asking = try_join_all((0..20).map(async |_| client.at(&alone.url).ask(Method::GET, "/users/me", None).await));
    for answer in asking.await? {
        assert_eq!(answer.status.as_u16(), 503, "{}", answer.body);
    }
    Ok(())
}

#[tokio::test]
async fn a_database_that_says_nothing_is_not_waited_for_and_lets_nobody_in() -> Result<()> {
    let app = TestApp::start().await?;
    let alone = app.replica_with(&[("REDIS_URL", "redis://127.0.0.1:1/0")]).await?;
    let email = app.founded("Ромашка").await?;
    let client = Client::new(&app.url)?.sign_in(&email, PASSWORD).await?;
    let mut admin = app.admin().await?;
    let mut stuck = admin.begin().await?;
    sqlx::query("LOCK TABLE sessions").execute(&mut *stuck).await?;
    for url in [&alone.url, &app.url] {
        let answer = client.at(url).ask(Method::GET, "/users/me", None).await?;
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "unavailable"), "{}", answer.body);
    }
    stuck.rollback().await?;
    assert_eq!(
        client.at(&alone.url).ask(Method::GET, "/users/me", None).await?.status.as_u16(),
        200,
        "it speaks again"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_over_is_deleted_a_month_later_and_lost_answers_are_forgotten_earlier() -> Result<()> {
    let app = TestApp::start().await?;
    let email = app.founded("Ромашка").await?;
    let client = Client::new(&app.url)?;
    let token = text(&login(&client, &email).await?, "refreshToken")?;
    refresh(&client, &token).await?;
    worker::users::set_timer(&app.ctx.db).await?;
    let fire = async || worker::timers::fire_due(&app.ctx.db, &worker::registry()).await;
    app.clock.advance(chrono::Duration::hours(2));
    fire().await?;
    app.run_jobs().await?;
    assert_eq!(app.count("SELECT count(*) FROM spent_refresh_tokens WHERE successor_sealed IS NOT NULL").await?, 0);
    assert_eq!(app.count("SELECT count(*) FROM sessions").await?, 1);
    app.clock.advance(chrono::Duration::days(38));
    fire().await?;
    app.run_jobs().await?;
    assert_eq!(app.count("SELECT count(*) FROM sessions").await?, 0);
    assert_eq!(app.count("SELECT count(*) FROM spent_refresh_tokens").await?, 0);
    Ok(())
}
