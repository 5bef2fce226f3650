//! Enterprises, and who runs the installation.

use anyhow::Result;
use it::people::{address, enterprise_of, ids};
use it::{PASSWORD, Reach, TestApp};
use reqwest::Method;
use serde_json::json;
use stack::client::text;

#[tokio::test]
async fn a_system_administrator_founds_enterprises_and_sees_nothing_of_what_they_do() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let system = app.system_administrator().await?;
    let me = system.get("/users/me").await?;
    assert_eq!(
        (&me["systemAdministrator"], me.get("enterpriseId"), &me["permissions"]),
        (&json!(true), None, &json!([]))
    );

    let email = address();
    let body = json!({ "name": "Лютик", "taxNumber": "7707083893", "timeZone": "Asia/Omsk",
                       "administrator": { "email": email, "name": "Борис", "password": PASSWORD } });
    let founded = system.post("/enterprises", body).await?;
    assert_eq!((&founded["taxNumber"], &founded["timeZone"]), (&json!("7707083893"), &json!("Asia/Omsk")));
    assert_eq!(founded.get("settings"), None);
    let boss = app.sign_in(&email).await?;
    assert_eq!(enterprise_of(&boss).await?, text(&founded, "id")?);
    app.person(&boss, "manager", Reach::Enterprise).await?;

    assert_eq!(system.get("/enterprises").await?["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(ids(&system, "/enterprises?search=лют").await?, [text(&founded, "id")?]);
    system.get(&format!("/enterprises/{}", enterprise_of(&shop.client).await?)).await?;
    for path in
        ["/users", "/orders", "/warehouses", "/products", "/jobs", "/roles", "/wildberries/accounts", "/requests"]
    {
        assert_eq!(system.outcome(Method::GET, path, None).await?, (403, "forbidden".to_owned()), "{path}");
    }
    system.post("/auth/logout", json!({})).await?;
    assert_eq!(system.outcome(Method::GET, "/enterprises", None).await?.0, 401);
    Ok(())
}

#[tokio::test]
async fn a_system_administrators_session_goes_on_without_an_enterprise() -> Result<()> {
    let app = TestApp::start().await?;
    let email = app.system_administrator_with_address().await?.0;
    let door = stack::Client::new(&app.url)?;
    let signed_in = door.post("/auth/login", json!({ "email": email, "password": PASSWORD })).await?;
    assert_eq!(signed_in.get("enterpriseId"), None);
    let refresh = json!({ "refreshToken": text(&signed_in, "refreshToken")? });
    let again = door.post("/auth/refresh", refresh).await?;
    let system = stack::Client::new(&app.url)?.with_token(Some(&text(&again, "accessToken")?));
    assert_eq!(system.get("/users/me").await?["systemAdministrator"], true);
    Ok(())
}

#[tokio::test]
async fn nobody_of_an_enterprise_runs_the_installation() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let own = enterprise_of(&boss).await?;
    let body = json!({ "name": "Моё", "administrator": { "email": address(), "name": "Я", "password": PASSWORD } });
    let forbidden = (403, "forbidden".to_owned());
    assert_eq!(boss.outcome(Method::POST, "/enterprises", Some(body)).await?, forbidden);
    for act in ["suspend", "activate"] {
        assert_eq!(boss.outcome(Method::POST, &format!("/enterprises/{own}/{act}"), None).await?, forbidden);
    }
    Ok(())
}

#[tokio::test]
async fn suspending_shuts_people_keys_and_timers_out_at_once() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let system = app.system_administrator().await?;
    let own = enterprise_of(&shop.client).await?;
    let body = json!({ "name": "Выгрузка", "permissions": ["orders:read"] });
    let (_, program) = app.key(&shop.client, body).await?;
    program.get("/orders").await?;

    let answer = system.post(&format!("/enterprises/{own}/suspend"), json!({})).await?;
    assert_eq!(answer["status"], "suspended");
    assert_eq!(shop.client.outcome(Method::GET, "/orders", None).await?, (401, "unauthenticated".to_owned()));
    assert_eq!(program.outcome(Method::GET, "/orders", None).await?, (401, "unauthenticated".to_owned()));
    app.clock.advance(chrono::Duration::minutes(2));
    let mut tx = app.ctx.db.platform().await?;
    assert!(shared::schedules::take_due(&mut tx, 100).await?.is_empty(), "timers stand still");
    drop(tx);
    assert_eq!(ids(&system, "/enterprises?status=suspended").await?, [own.as_str()]);

    system.post(&format!("/enterprises/{own}/activate"), json!({})).await?;
    program.get("/orders").await?;
    let mut tx = app.ctx.db.platform().await?;
    assert!(!shared::schedules::take_due(&mut tx, 100).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_administrator_changes_name_tax_number_zone_and_settings() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let path = format!("/enterprises/{}", enterprise_of(&boss).await?);
    let settings = json!({ "language": "en", "labelWidthMm": 75, "labelHeightMm": 120, "requireSecondFactor": "everybody",
                           "reservationStrategy": "first_in", "publishingBrakePercent": 30, "publishingBrakeUnits": 7 });
    let body =
        json!({ "name": "Ромашка-2", "taxNumber": "500100732259", "timeZone": "Asia/Omsk", "settings": settings });
    let changed = boss.patch(&path, body).await?;
    assert_eq!((&changed["name"], &changed["settings"]), (&json!("Ромашка-2"), &settings));
    assert_eq!(boss.get(&path).await?, changed);
    let plain = json!({ "language": "ru", "labelWidthMm": 75, "labelHeightMm": 120 });
    let usual = json!({ "language": "ru", "labelWidthMm": 75, "labelHeightMm": 120, "reservationStrategy": "first_expired", "publishingBrakePercent": 50,
                        "publishingBrakeUnits": 100 });
    assert_eq!(boss.patch(&path, json!({ "settings": plain })).await?["settings"], usual);

    let printer = json!({ "name": "Стол", "host": "127.0.0.1", "port": 9100, "dpi": 203 });
    let printer = boss.post("/printers", printer).await?;
    assert_eq!((&printer["labelWidthMm"], &printer["labelHeightMm"]), (&json!(75), &json!(120)), "settings are used");

    let wrong = [
        (json!({ "taxNumber": "7707083894" }), "taxNumber"),
        (json!({ "timeZone": "Europe/Atlantis" }), "timeZone"),
        (json!({ "name": "  " }), "name"),
        (json!({ "settings": { "language": "ru", "labelWidthMm": 5, "labelHeightMm": 40 } }), "settings.labelWidthMm"),
    ];
    for (body, field) in wrong {
        let answer = boss.ask(Method::PATCH, &path, Some(body)).await?;
        assert_eq!((answer.status.as_u16(), answer.body["field"].as_str()), (422, Some(field)));
    }
    let manager = app.person(&boss, "manager", Reach::Enterprise).await?;
    assert_eq!(manager.client.outcome(Method::PATCH, &path, Some(json!({ "name": "Х" }))).await?.0, 403);
    let stranger = app.enterprise("Чужие").await?;
    assert_eq!(stranger.outcome(Method::PATCH, &path, Some(json!({ "name": "Х" }))).await?.0, 404);
    assert_eq!(stranger.outcome(Method::GET, &path, None).await?.0, 404);
    Ok(())
}
