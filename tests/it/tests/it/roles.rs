//! Roles of an enterprise's own.

use anyhow::Result;
use it::people::ids;
use it::{Reach, TestApp, grant};
use reqwest::Method;
use serde_json::json;
use stack::client::text;

#[tokio::test]
async fn built_in_and_own_roles_are_listed_with_what_they_permit() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let own = app.own_role(&boss, "Бухгалтер", &["money:read", "orders:read", "orders:read"]).await?;
    let roles = boss.get("/roles").await?["items"].as_array().unwrap().clone();
    assert_eq!(roles.len(), 6);
    assert_eq!((&roles[0]["role"], &roles[0]["name"]), (&json!("administrator"), &json!("Администратор")));
    assert_eq!((text(&roles[5], "roleId")?, &roles[5]["name"]), (own.clone(), &json!("Бухгалтер")));
    assert_eq!(boss.get(&format!("/roles/{own}")).await?["permissions"], json!(["orders:read", "money:read"]));
    boss.refused("/roles", json!({ "name": "Бухгалтер", "permissions": ["jobs:read"] }), "role_name_taken").await?;
    boss.refused("/roles", json!({ "name": "Пустая", "permissions": [] }), "invalid").await?;
    Ok(())
}

#[tokio::test]
async fn a_changed_role_changes_what_its_people_may_from_the_next_request_on() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let role = app.own_role(&boss, "Бухгалтер", &["orders:read"]).await?;
    let person = app.person(&boss, &role, Reach::Enterprise).await?;
    person.client.get("/orders").await?;
    assert_eq!(person.client.outcome(Method::GET, "/jobs", None).await?.0, 403);
    boss.put(&format!("/roles/{role}"), json!({ "name": "Бухгалтер", "permissions": ["jobs:read"] })).await?;
    person.client.get("/jobs").await?;
    assert_eq!(person.client.outcome(Method::GET, "/orders", None).await?.0, 403);
    assert_eq!(boss.get(&format!("/roles/{role}")).await?["people"], 1);
    Ok(())
}

#[tokio::test]
async fn a_role_is_deleted_once_nobody_has_it() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let role = app.own_role(&boss, "Бухгалтер", &["orders:read"]).await?;
    let person = app.person(&boss, &role, Reach::Enterprise).await?;
    let path = format!("/roles/{role}");
    assert_eq!(boss.outcome(Method::DELETE, &path, None).await?, (409, "role_in_use".to_owned()));
    assert_eq!(ids(&boss, &format!("/users?roleId={role}")).await?, [person.id.as_str()]);
    boss.put(&format!("/users/{}/grants", person.id), json!({ "grants": [grant("viewer", Reach::Enterprise)] }))
        .await?;
    boss.delete(&path).await?;
    assert_eq!(boss.outcome(Method::DELETE, &path, None).await?, (404, "not_found".to_owned()));
    Ok(())
}

#[tokio::test]
async fn another_enterprises_role_is_not_there() -> Result<()> {
    let app = TestApp::start().await?;
    let (boss, stranger) = (app.enterprise("Ромашка").await?, app.enterprise("Чужие").await?);
    let path = format!("/roles/{}", app.own_role(&boss, "Бухгалтер", &["orders:read"]).await?);
    let body = json!({ "name": "Моя", "permissions": ["orders:read"] });
    for (method, body) in [(Method::GET, None), (Method::PUT, Some(body)), (Method::DELETE, None)] {
        assert_eq!(stranger.outcome(method, &path, body).await?, (404, "not_found".to_owned()));
    }
    assert_eq!(stranger.get("/roles").await?["items"].as_array().map(Vec::len), Some(5));
    boss.get(&path).await?;
    Ok(())
}
