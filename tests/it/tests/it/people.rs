//! People of an enterprise: who they are, what they may do, and that nobody gets more than is given by who has it.

use anyhow::{Context, Result};
use it::people::{address, enterprise_of, ids};
use it::{PASSWORD, Reach, TestApp, grant};
use reqwest::Method;
use serde_json::{Value, json};
use stack::client::text;

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn people_are_found_by_name_role_state_and_warehouse_page_by_page() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let warehouse = |name: &'static str| boss.post("/warehouses", json!({ "name": name }));
    let (here, there) = (text(&warehouse("Тут").await?, "id")?, text(&warehouse("Там").await?, "id")?);
    let keeper = app.person(&boss, "storekeeper", Reach::Warehouses(&[&here])).await?;
    let picker = app.person(&boss, "picker", Reach::Own).await?;
    boss.patch(&format!("/users/{}", picker.id), json!({ "name": "Ёлкина Ольга" })).await?;
    boss.post(&format!("/users/{}/deactivate", picker.id), json!({})).await?;
    let me = text(&boss.get("/users/me").await?["user"], "id")?;

    assert_eq!(ids(&boss, "/users?search=ёлкин").await?, [picker.id.as_str()]);
    assert_eq!(ids(&boss, &format!("/users?search={}", keeper.email)).await?, [keeper.id.as_str()]);
    assert!(ids(&boss, "/users?search=%25").await?.is_empty(), "a percent sign is only a percent sign");
    assert_eq!(ids(&boss, "/users?role=storekeeper").await?, [keeper.id.as_str()]);
    assert_eq!(ids(&boss, "/users?status=inactive").await?, [picker.id.as_str()]);
    assert_eq!(ids(&boss, &format!("/users?warehouseId={here}")).await?, [me.as_str(), keeper.id.as_str()]);
    assert_eq!(ids(&boss, &format!("/users?warehouseId={there}")).await?, [me.as_str()]);

    let first = boss.get("/users?limit=2").await?;
    let rest = boss.get(&format!("/users?limit=2&after={}", text(&first, "next")?)).await?;
    assert_eq!(first["items"].as_array().map(Vec::len), Some(2));
    assert_eq!((text(&rest["items"][0], "id")?, rest.get("next")), (picker.id, None));
    Ok(())
}

#[tokio::test]
async fn what_one_may_do_is_told_with_its_reach() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let warehouse = text(&boss.post("/warehouses", json!({ "name": "Склад" })).await?, "id")?;
    let both = json!([grant("storekeeper", Reach::Warehouses(&[&warehouse])), grant("picker", Reach::Own)]);
    let email = address();
    let body = json!({ "email": email, "name": "Оба", "password": PASSWORD, "grants": both });
    let created = boss.post("/users", body).await?;
    assert_eq!(created["grants"], both);
    let me = app.sign_in(&email).await?.get("/users/me").await?;
    let may = |permission: &str| -> Option<Value> {
        me["permissions"].as_array()?.iter().find(|may| may["permission"] == permission).cloned()
    };
    let requests =
        json!({ "permission": "requests:work", "everywhere": false, "warehouseIds": [warehouse], "own": true });
    assert_eq!(may("requests:work"), Some(requests));
    let receive =
        json!({ "permission": "stock:receive", "everywhere": false, "warehouseIds": [warehouse], "own": false });
    assert_eq!(may("stock:receive"), Some(receive));
    for absent in ["people:read", "money:read", "jobs:read", "tokens:manage"] {
        assert_eq!(may(absent), None, "{absent}");
    }
    let boss_may = boss.get("/users/me").await?;
    assert_eq!(boss_may["permissions"].as_array().map(Vec::len), Some(shared::access::Permission::ALL.len()));
    Ok(())
}

#[tokio::test]
async fn nobody_grants_changes_or_takes_what_they_lack() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let boss_id = text(&boss.get("/users/me").await?["user"], "id")?;
    let rights = ["people:read", "people:manage", "roles:manage", "orders:read"];
    let staff = app.own_role(&boss, "Кадры", &rights).await?;
    let powerful = app.own_role(&boss, "Токены", &["tokens:manage"]).await?;
    let officer = app.person(&boss, &staff, Reach::Enterprise).await?;
    let colleague = app.person(&officer.client, &staff, Reach::Enterprise).await?;
    let exceed = refused(409, "rights_exceed_own");

    for role in ["administrator", "manager", "picker", &powerful] {
        let body = json!({ "email": address(), "name": "Кто", "password": PASSWORD, "grants": [grant(role, Reach::Enterprise)] });
        assert_eq!(officer.client.outcome(Method::POST, "/users", Some(body)).await?, exceed, "{role}");
        let grants = json!({ "grants": [grant(role, Reach::Enterprise)] });
        let path = format!("/users/{}/grants", colleague.id);
        assert_eq!(officer.client.outcome(Method::PUT, &path, Some(grants)).await?, exceed, "{role}");
    }
    let role = |permission: &str| Some(json!({ "name": "Новая", "permissions": ["orders:read", permission] }));
    assert_eq!(officer.client.outcome(Method::POST, "/roles", role("money:read")).await?, exceed);
    assert_eq!(officer.client.outcome(Method::PUT, &format!("/roles/{staff}"), role("money:read")).await?, exceed);
    assert_eq!(officer.client.outcome(Method::PUT, &format!("/roles/{powerful}"), role("orders:read")).await?, exceed);
    for act in ["deactivate", "activate"] {
        let path = format!("/users/{boss_id}/{act}");
        assert_eq!(officer.client.outcome(Method::POST, &path, None).await?, exceed, "{act}");
    }
    assert_eq!(officer.client.outcome(Method::DELETE, &format!("/users/{boss_id}"), None).await?, exceed);
    let email = Some(json!({ "email": address() }));
    assert_eq!(officer.client.outcome(Method::PATCH, &format!("/users/{boss_id}"), email).await?, exceed);

    let manager = app.person(&boss, "manager", Reach::Enterprise).await?;
    let forbidden = refused(403, "forbidden");
    let body = json!({ "email": address(), "name": "Кто", "password": PASSWORD, "grants": [grant("viewer", Reach::Enterprise)] });
    assert_eq!(manager.client.outcome(Method::POST, "/users", Some(body)).await?, forbidden);
    Ok(())
}

#[tokio::test]
async fn nobody_changes_their_own_access() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    app.person(&boss, "administrator", Reach::Enterprise).await?;
    let id = text(&boss.get("/users/me").await?["user"], "id")?;
    let own = refused(409, "own_access");
    assert_eq!(boss.outcome(Method::POST, &format!("/users/{id}/deactivate"), None).await?, own);
    assert_eq!(boss.outcome(Method::DELETE, &format!("/users/{id}"), None).await?, own);
    let viewer = json!({ "grants": [grant("viewer", Reach::Enterprise)] });
    assert_eq!(boss.outcome(Method::PUT, &format!("/users/{id}/grants"), Some(viewer)).await?, own);
    assert_eq!(boss.patch("/users/me", json!({ "name": "Анна Вторая" })).await?["name"], "Анна Вторая");
    Ok(())
}

#[tokio::test]
async fn the_last_administrator_of_the_whole_enterprise_stays() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let boss_id = text(&boss.get("/users/me").await?["user"], "id")?;
    let everything: Vec<_> = shared::access::Permission::ALL.iter().map(|permission| permission.code()).collect();
    let deputy = app.own_role(&boss, "Заместитель", &everything).await?;
    let deputy = app.person(&boss, &deputy, Reach::Enterprise).await?;
    let warehouse = text(&boss.post("/warehouses", json!({ "name": "Склад" })).await?, "id")?;
    app.person(&boss, "administrator", Reach::Warehouses(&[&warehouse])).await?;
    let last = refused(409, "last_administrator");
    let narrower = json!({ "grants": [grant("administrator", Reach::Warehouses(&[&warehouse]))] });
    let path = format!("/users/{boss_id}");
    assert_eq!(deputy.client.outcome(Method::POST, &format!("{path}/deactivate"), None).await?, last);
    assert_eq!(deputy.client.outcome(Method::DELETE, &path, None).await?, last);
    assert_eq!(deputy.client.outcome(Method::PUT, &format!("{path}/grants"), Some(narrower.clone())).await?, last);
    assert_eq!(boss.get("/users/me").await?["user"]["status"], "active", "nothing of it was done");

    app.person(&boss, "administrator", Reach::Enterprise).await?;
    deputy.client.put(&format!("{path}/grants"), narrower).await?;
    Ok(())
}

#[tokio::test]
async fn administrators_who_shut_each_other_out_at_once_leave_one() -> Result<()> {
    let app = TestApp::start().await?;
    for round in 0..10 {
        let one = app.enterprise("Ромашка").await?;
        let other = app.person(&one, "administrator", Reach::Enterprise).await?;
        let one_id = text(&one.get("/users/me").await?["user"], "id")?;
        let act = |id: &str| match round % 3 {
            0 => (Method::POST, format!("/users/{id}/deactivate"), None),
            1 => (Method::DELETE, format!("/users/{id}"), None),
            _ => (
                Method::PUT,
                format!("/users/{id}/grants"),
                Some(json!({ "grants": [grant("viewer", Reach::Enterprise)] })),
            ),
        };
        let ((method, first, body), (_, second, _)) = (act(&other.id), act(&one_id));
        let (first, second) = tokio::join!(
            one.ask(method.clone(), &first, body.clone()),
            other.client.ask(method.clone(), &second, body.clone())
        );
        let statuses = [first?.status.as_u16(), second?.status.as_u16()];
        assert_eq!(statuses.iter().filter(|status| **status < 300).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 204, 401, 403].contains(status)), "{statuses:?}");
    }
    let left = "SELECT count(*) FROM enterprises AS e WHERE NOT EXISTS (
                    SELECT FROM grants AS g JOIN memberships AS m USING (enterprise_id, user_id)
                    WHERE g.enterprise_id = e.id AND g.role = 'administrator' AND m.status = 'active')";
    assert_eq!(app.count(left).await?, 0, "enterprises without an administrator");
    Ok(())
}

#[tokio::test]
async fn a_change_of_rights_holds_from_the_next_request_on() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let person = app.person(&boss, "manager", Reach::Enterprise).await?;
    let version = async || -> Result<i64> {
        let sql = "SELECT rights_version FROM users WHERE id = $1::uuid";
        Ok(sqlx::query_scalar(sql).bind(&person.id).fetch_one(&mut app.admin().await?).await?)
    };
    let before = version().await?;
    person.client.get("/users").await?;

    let path = format!("/users/{}", person.id);
    boss.put(&format!("{path}/grants"), json!({ "grants": [grant("viewer", Reach::Enterprise)] })).await?;
    assert_eq!(person.client.outcome(Method::GET, "/users", None).await?, refused(403, "forbidden"));
    person.client.get("/orders").await?;
    assert!(version().await? > before, "whoever remembers rights is told");

    boss.post(&format!("{path}/deactivate"), json!({})).await?;
    let out = refused(401, "unauthenticated");
    assert_eq!(person.client.outcome(Method::GET, "/orders", None).await?, out);
    assert!(app.sign_in(&person.email).await.is_err());
    boss.post(&format!("{path}/activate"), json!({})).await?;
    assert_eq!(person.client.outcome(Method::GET, "/orders", None).await?, out, "an ended session stays ended");
    app.sign_in(&person.email).await?.get("/orders").await?;
    Ok(())
}

#[tokio::test]
async fn one_address_belongs_to_several_enterprises_and_chooses_when_it_signs_in() -> Result<()> {
    let app = TestApp::start().await?;
    let (boss, other) = (app.enterprise("Ромашка").await?, app.enterprise("Лютик").await?);
    let person = app.person(&boss, "picker", Reach::Enterprise).await?;
    let body = json!({ "email": person.email.to_uppercase(), "grants": [grant("manager", Reach::Enterprise)] });
    let there = other.post("/users", body.clone()).await?;
    assert_eq!((text(&there, "id")?, text(&there, "name")?), (person.id.clone(), "Кто-то picker".to_owned()));
    assert_eq!(other.outcome(Method::POST, "/users", Some(body)).await?, refused(409, "already_member"));
    let unknown = json!({ "email": address(), "grants": [grant("viewer", Reach::Enterprise)] });
    let answer = other.ask(Method::POST, "/users", Some(unknown)).await?;
    assert_eq!((answer.status.as_u16(), &answer.body["field"]), (422, &json!("name")));

    let (here, elsewhere) = (enterprise_of(&boss).await?, enterprise_of(&other).await?);
    let choosing = json!({ "email": person.email, "password": PASSWORD });
    let answer = stack::Client::new(&app.url)?.ask(Method::POST, "/auth/login", Some(choosing)).await?;
    assert_eq!((answer.status.as_u16(), &answer.body["field"]), (422, &json!("enterpriseId")));
    assert_eq!(answer.body["allowed"].as_array().map(Vec::len), Some(2));
    let picker = app.sign_in_to(&person.email, &here).await?;
    let manager = app.sign_in_to(&person.email, &elsewhere).await?;
    assert_eq!(picker.outcome(Method::GET, "/users", None).await?.0, 403);
    manager.get("/users").await?;
    assert_eq!(ids(&manager, "/enterprises").await?.len(), 2);

    let email = Some(json!({ "email": address() }));
    let shared = refused(409, "person_of_several_enterprises");
    assert_eq!(other.outcome(Method::PATCH, &format!("/users/{}", person.id), email).await?, shared);
    boss.post(&format!("/users/{}/deactivate", person.id), json!({})).await?;
    assert_eq!(picker.outcome(Method::GET, "/orders", None).await?.0, 401);
    manager.get("/orders").await?;
    Ok(())
}

#[tokio::test]
async fn a_removed_person_is_not_found_and_may_come_back() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let person = app.person(&boss, "manager", Reach::Enterprise).await?;
    let path = format!("/users/{}", person.id);
    boss.delete(&path).await?;
    assert_eq!(person.client.outcome(Method::GET, "/orders", None).await?.0, 401);
    assert!(app.sign_in(&person.email).await.is_err());
    assert!(!ids(&boss, "/users").await?.contains(&person.id));
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/activate")),
        (Method::POST, format!("{path}/deactivate")),
    ] {
        assert_eq!(boss.outcome(method, &path, None).await?, refused(404, "not_found"), "{path}");
    }
    let again = json!({ "email": person.email, "grants": [grant("viewer", Reach::Enterprise)] });
    let back = boss.post("/users", again).await?;
    assert_eq!((text(&back, "id")?, back["grants"].as_array().context("grants")?.len()), (person.id, 1));
    let client = app.sign_in(&person.email).await?;
    client.get("/orders").await?;
    assert_eq!(client.outcome(Method::GET, "/users", None).await?.0, 403, "what was granted before is gone");
    Ok(())
}

#[tokio::test]
async fn a_grant_that_makes_no_sense_is_refused_with_its_field() -> Result<()> {
    let app = TestApp::start().await?;
    let boss = app.enterprise("Ромашка").await?;
    let stranger = app.enterprise("Чужие").await?;
    let theirs = text(&stranger.post("/warehouses", json!({ "name": "Чужой" })).await?, "id")?;
    let their_role = app.own_role(&stranger, "Чужая", &["orders:read"]).await?;
    let nobody = "01900000-0000-7000-8000-000000000000";
    let person = app.person(&boss, "viewer", Reach::Enterprise).await?;
    let table = [
        (json!([]), "grants"),
        (json!([{ "reach": "enterprise" }]), "grants.0.role"),
        (json!([{ "role": "viewer", "roleId": nobody, "reach": "enterprise" }]), "grants.0.role"),
        (json!([grant("viewer", Reach::Warehouses(&[]))]), "grants.0.warehouseIds"),
        (json!([{ "role": "viewer", "reach": "own", "warehouseIds": [nobody] }]), "grants.0.warehouseIds"),
        (json!([grant("viewer", Reach::Own), grant("viewer", Reach::Warehouses(&[nobody]))]), "grants.1.warehouseIds"),
        (json!([grant("viewer", Reach::Warehouses(&[&theirs]))]), "grants.0.warehouseIds"),
        (json!([grant(nobody, Reach::Enterprise)]), "grants.0.roleId"),
        (json!([grant(&their_role, Reach::Enterprise)]), "grants.0.roleId"),
    ];
    for (grants, field) in table {
        let path = format!("/users/{}/grants", person.id);
        let answer = boss.ask(Method::PUT, &path, Some(json!({ "grants": grants }))).await?;
        assert_eq!((answer.status.as_u16(), answer.body["field"].as_str()), (422, Some(field)), "{grants}");
    }
    assert_eq!(
        boss.get(&format!("/users/{}", person.id)).await?["grants"],
        json!([grant("viewer", Reach::Enterprise)])
    );
    Ok(())
}
