//! The audit log: every act leaves its entry and no entry is left without its act; nobody rewrites it unseen.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use futures::StreamExt;
use it::people::enterprise_of;
use it::{PASSWORD, TestApp, asker, changing_operations, example, is_of_the_installation, root, token_of};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::audit::{Action, SealEntries};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use stack::client::text;
use stack::{Client, Role};

/// Operations that change something and leave no entry, each with the place that keeps what they do.
const KEPT_ELSEWHERE: [(&str, &str); 4] = [
    ("pack_order", "the order's history"),
    ("refresh", "the session itself: it is the same one"),
    ("scan", "the stock ledger and the order's history, one line each"),
    ("scan_count", "the tallies of the count, one for each scan"),
];

async fn seal(app: &TestApp) -> Result<()> {
    let mut tx = app.ctx.db.platform().await?;
    tx.enqueue(&SealEntries {}).await?;
    tx.commit().await?;
    app.run_jobs().await.map(|_| ())
}

async fn entries(client: &Client, query: &str) -> Result<Vec<Value>> {
    client.all(&format!("/audit?{query}")).await
}

async fn faults(client: &Client) -> Result<Vec<String>> {
    let seen = client.get("/audit/verification").await?;
    let told = seen["told"].as_array().context("faults are a list")?;
    assert_eq!(seen["faults"].as_u64(), u64::try_from(told.len()).ok(), "{seen}");
    told.iter().map(|fault| text(fault, "what")).collect()
}

/// As a superuser who has switched the triggers off.
async fn tampered(app: &TestApp, statement: &'static str) -> Result<()> {
    let mut admin = app.admin().await?;
    admin.execute("SET session_replication_role = replica").await?;
    let done = sqlx::query(statement).execute(&mut admin).await?;
    assert!(done.rows_affected() > 0, "{statement} met nothing");
    Ok(())
}

#[tokio::test]
async fn every_operation_leaves_an_entry_that_says_who_from_where_and_what() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let me = text(&shop.client.get("/users/me").await?["user"], "id")?;
    let elsewhere = |operation: &str| KEPT_ELSEWHERE.iter().any(|(kept, _)| *kept == operation);
    for operation in changing_operations() {
        // What answers secrets, needs nobody signed in, or is the installation's has tests of its own.
        if !api::idempotency::accepts(&operation) || is_of_the_installation(&operation) {
            continue;
        }
        let act = example(&shop, &operation).await?.unwrap_or_else(|| panic!("{operation} has no example"));
        let name = format!("trace-{}", shared::ids::JobId::new());
        let answer = shop.client.ask_with(act.method, &act.path, act.body, &[("X-Request-Id", &name)]).await?;
        assert!(answer.status.is_success(), "{operation}: {}", answer.body);
        let left = entries(&shop.client, &format!("requestId={name}")).await?;
        assert_eq!(left.is_empty(), elsewhere(&operation), "{operation}: {left:?}");
        for entry in &left {
            assert_eq!(entry["actor"], format!("user:{me}"), "{operation}");
            assert_eq!(
                (entry["operation"].as_str(), entry["address"].as_str()),
                (Some(operation.as_str()), Some("127.0.0.1"))
            );
            assert!(
                entry["sessionId"].is_string() && entry["title"].is_string() && entry["titleRu"].is_string(),
                "{entry}"
            );
            assert_eq!(shop.client.get(&format!("/audit/{}", text(entry, "id")?)).await?, *entry);
        }
        app.run_jobs().await?;
    }
    let secrets: i64 =
        app.count("SELECT count(*) FROM audit_entries WHERE concat(before, after) ~ 'eyJ|password|argon2'").await?;
    assert_eq!(secrets, 0, "a token or a password is in the log");
    Ok(())
}

#[test]
fn every_act_of_the_registry_is_written_somewhere() {
    let mut text = String::new();
    let mut folders = vec![root().join("shared/src"), root().join("api/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if !entry.ends_with("audit/actions.rs") {
                text.push_str(&std::fs::read_to_string(entry).unwrap());
            }
        }
    }
    for action in Action::ALL {
        assert!(text.contains(&format!("Action::{action:?}")), "nothing writes {}", action.code());
    }
}

#[tokio::test]
async fn signing_in_and_out_is_kept_and_so_is_failing_to() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let me = client.get("/users/me").await?["user"].clone();
    let stranger = Client::new(&app.url)?;
    for email in [text(&me, "email")?, "nobody@example.org".to_owned()] {
        let body = json!({ "email": email, "password": "certainly wrong" });
        assert_eq!(stranger.ask(Method::POST, "/auth/login", Some(body)).await?.status.as_u16(), 401);
    }
    let opened = entries(&client, "action=session.opened").await?;
    assert_eq!((opened.len(), opened[0]["after"]["userId"].clone()), (1, me["id"].clone()));
    let refused = entries(&client, "action=session.refused").await?;
    assert_eq!((refused.len(), refused[0]["objectId"].clone()), (1, me["id"].clone()), "the unknown one is not ours");
    assert_eq!(refused[0]["address"], "127.0.0.1");
    let outside = "SELECT count(*) FROM audit_entries WHERE enterprise_id = '00000000-0000-0000-0000-000000000000'
                   AND action = 'session.refused' AND after->>'email' = 'n***@example.org'";
    assert_eq!(app.count(outside).await?, 1);
    client.ask(Method::POST, "/auth/logout", None).await?;
    assert_eq!(app.count("SELECT count(*) FROM audit_entries WHERE action = 'session.ended'").await?, 1);
    Ok(())
}

/// What lies in the log of the installation itself, which no operation shows.
async fn of_the_installation(app: &TestApp, wished: &str) -> Result<Vec<Value>> {
    let query =
        "SELECT jsonb_build_object('action', action, 'actor', actor, 'operation', operation, 'address', address,
                        'requestId', request_id, 'sessionId', session_id, 'objectId', object_id, 'after', after)
                 FROM audit_entries WHERE enterprise_id = '00000000-0000-0000-0000-000000000000' AND action = $1
                 ORDER BY occurred_at, id";
    Ok(sqlx::query_scalar(query).bind(wished).fetch_all(&mut app.admin().await?).await?)
}

#[tokio::test]
async fn acts_of_who_runs_the_installation_are_kept_with_who_from_where_and_what() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    for operation in changing_operations().into_iter().filter(|operation| is_of_the_installation(operation)) {
        let act = example(&shop, &operation).await?.unwrap_or_else(|| panic!("{operation} has no example"));
        let client = asker(&shop, &operation).await?;
        let me = format!("user:{}", text(&client.get("/users/me").await?["user"], "id")?);
        let name = format!("trace-{}", shared::ids::JobId::new());
        let answer = client.ask_with(act.method, &act.path, act.body, &[("X-Request-Id", &name)]).await?;
        assert!(answer.status.is_success(), "{operation}: {}", answer.body);
        let action = match operation.as_str() {
            "create_enterprise" => "enterprise.created",
            "invite_administrator" => "user.invited",
            _ => "enterprise.status_set",
        };
        let left = of_the_installation(&app, action).await?;
        let left = left.iter().find(|entry| entry["requestId"] == name.as_str()).context("an entry")?;
        assert_eq!(
            (&left["actor"], &left["operation"], &left["address"], &left["objectId"]),
            (&json!(me), &json!(operation), &json!("127.0.0.1"), &answer.body["id"])
        );
        assert!(left["sessionId"].is_string(), "{left}");
        let by_key = "SELECT count(*) FROM audit_entries WHERE enterprise_id <> '00000000-0000-0000-0000-000000000000'
                      AND operation IN ('create_enterprise', 'suspend_enterprise', 'activate_enterprise')";
        assert!(app.count(by_key).await? > 0, "the enterprise itself sees it too");
    }
    let system = app.system_administrator().await?;
    let me = text(&system.get("/users/me").await?["user"], "id")?;
    let secret = text(&system.post("/auth/second-factor", json!({})).await?, "secret")?;
    crate::second_factor::finish(&app, &system, &secret).await?;
    system.refused("/warehouses", json!({ "name": "Мой" }), "forbidden").await?;
    system.post("/auth/logout", json!({})).await?;
    for action in ["user.created", "second_factor.set", "session.opened", "session.ended", "access.denied"] {
        let left = of_the_installation(&app, action).await?;
        let last = left.last().with_context(|| format!("{action} is not kept"))?;
        let actor = if action == "user.created" { "platform".to_owned() } else { format!("user:{me}") };
        assert_eq!(last["actor"], actor.as_str(), "{action}");
        assert_eq!(last["address"].is_null(), action == "user.created", "{action}");
    }
    Ok(())
}

/// The codes of what a request left, in the log of the client's enterprise.
async fn left_by(client: &Client, name: &str) -> Result<Vec<String>> {
    entries(client, &format!("requestId={name}")).await?.iter().map(|entry| text(entry, "action")).collect()
}

#[tokio::test]
async fn what_answers_secrets_or_carries_them_leaves_its_entry_too() -> Result<()> {
    let app = TestApp::start().await?;
    let email = app.founded("Ромашка").await?;
    let client = app.sign_in(&email).await?;
    let enterprise = enterprise_of(&client).await?;
    let other = app.person(&client, "picker", it::Reach::Enterprise).await?;
    let reader = app.person(&client, "administrator", it::Reach::Enterprise).await?.client;
    let ask = async |client: &Client, method: Method, path: &str, body: Value| -> Result<(Value, Vec<String>)> {
        let name = format!("trace-{}", shared::ids::JobId::new());
        let answer = client.ask_with(method, path, Some(body), &[("X-Request-Id", &name)]).await?;
        Ok((answer.body, left_by(&reader, &name).await?))
    };
    let key = json!({ "name": "Выгрузка", "permissions": ["stock:read"] });
    let path = format!("/enterprises/{enterprise}/api-keys");
    assert_eq!(ask(&client, Method::POST, &path, key).await?.1, ["api_key.created"]);
    let boris =
        json!({ "email": "boris@example.org", "name": "Борис", "grants": [it::grant("picker", it::Reach::Own)] });
    let (letter, left) = ask(&client, Method::POST, "/users/invitations", boris).await?;
    assert_eq!(left, ["user.invited"]);
    let door = Client::new(&app.url)?;
    let accept = json!({ "token": token_of(&text(&letter, "link")?)?, "password": "мой кот ест только рыбу" });
    assert_eq!(ask(&door, Method::POST, "/auth/invitations/accept", accept).await?.1, ["user.created"]);
    let path = format!("/users/{}/password-reset", other.id);
    let (letter, left) = ask(&client, Method::POST, &path, json!({})).await?;
    assert_eq!(left, ["password.reset_asked"]);
    let reset = json!({ "token": token_of(&text(&letter, "link")?)?, "password": "мой кот ест только рыбу" });
    assert_eq!(ask(&door, Method::POST, "/auth/password/reset", reset).await?.1, ["password.changed"]);
    let password = json!({ "password": "у меня зелёный трактор" });
    assert_eq!(ask(&client, Method::PUT, "/auth/password", password).await?.1, ["password.changed"]);
    let one_more = json!({ "email": email, "password": "у меня зелёный трактор" });
    door.post("/auth/login", one_more).await?;
    let wrong = json!({ "password": "not the password" });
    assert_eq!(ask(&client, Method::POST, "/auth/confirm", wrong).await?.1, ["identity.refused"]);
    let right = json!({ "password": "у меня зелёный трактор" });
    assert_eq!(ask(&client, Method::POST, "/auth/confirm", right.clone()).await?.1, ["identity.confirmed"]);

    let secret = text(&client.post("/auth/second-factor", json!({})).await?, "secret")?;
    let code = json!({ "code": crate::second_factor::code(&app, &secret, 0)? });
    let (_, left) = ask(&client, Method::POST, "/auth/second-factor/finish", code).await?;
    assert_eq!(left, ["session.ended", "second_factor.set"]);
    let mut confirm = right;
    confirm["code"] = json!("000000");
    assert_eq!(ask(&client, Method::POST, "/auth/confirm", confirm).await?.1, ["identity.refused"]);
    let (_, left) = ask(&client, Method::POST, "/auth/second-factor/recovery-codes", json!({})).await?;
    assert_eq!(left, ["second_factor.recovery_renewed"]);
    let login = json!({ "email": email, "password": "у меня зелёный трактор" });
    let pending = text(&door.ask(Method::POST, "/auth/login", Some(login)).await?.body, "pendingToken")?;
    let code = json!({ "pendingToken": pending, "code": "000000" });
    assert_eq!(ask(&door, Method::POST, "/auth/login/second-factor", code).await?.1, ["session.refused"]);
    let (_, left) = ask(&client, Method::DELETE, "/auth/second-factor", json!(null)).await?;
    assert_eq!(left, ["second_factor.removed"]);
    let name = format!("trace-{}", shared::ids::JobId::new());
    client.ask_with(Method::POST, "/auth/logout-everywhere", None, &[("X-Request-Id", &name)]).await?;
    assert_eq!(left_by(&reader, &name).await?, ["session.ended"]);
    let secrets: i64 = app
        .count("SELECT count(*) FROM audit_entries WHERE concat(before, after) ~ 'eyJ|wbk_|argon2|трактор|рыбу'")
        .await?;
    assert_eq!(secrets, 0, "a secret is in the log");
    Ok(())
}

#[tokio::test]
async fn sessions_that_end_by_themselves_are_kept_too() -> Result<()> {
    let app = TestApp::start().await?;
    let email = app.founded("Ромашка").await?;
    let door = Client::new(&app.url)?;
    let login = json!({ "email": email, "password": PASSWORD });
    let first = door.post("/auth/login", login.clone()).await?;
    let refresh = json!({ "refreshToken": first["refreshToken"] });
    door.post("/auth/refresh", refresh.clone()).await?;
    app.clock.advance(chrono::Duration::seconds(11));
    assert_eq!(door.ask(Method::POST, "/auth/refresh", Some(refresh)).await?.status.as_u16(), 401);
    app.run_jobs().await?;
    let mut last = first;
    for _ in 0..11 {
        app.clock.advance(chrono::Duration::seconds(1));
        last = door.post("/auth/login", login.clone()).await?;
    }
    let client = door.with_token(Some(&text(&last, "accessToken")?));
    let reused = entries(&client, "action=session.token_reused").await?;
    assert_eq!((reused.len(), &reused[0]["after"]["userId"]), (1, &last["userId"]));
    assert_eq!((&reused[0]["operation"], &reused[0]["address"]), (&json!("refresh"), &json!("127.0.0.1")));
    let pushed = entries(&client, "action=session.ended").await?;
    assert_eq!((pushed.len(), &pushed[0]["after"]["reason"]), (1, &json!("pushed_out")));
    assert_eq!(pushed[0]["operation"], "login");
    Ok(())
}

async fn picker(app: &TestApp, administrator: &Client) -> Result<Client> {
    let (email, password) = (format!("{}@example.org", shared::ids::JobId::new()), "a picker's long password");
    administrator
        .post("/users", json!({ "email": email, "name": "Пётр", "password": password, "grants": [it::grant("picker", it::Reach::Enterprise)] }))
        .await?;
    Client::new(&app.url)?.sign_in(&email, password).await
}

#[tokio::test]
async fn what_a_role_does_not_allow_is_refused_and_kept() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let picker = picker(&app, &client).await?;
    let me = text(&picker.get("/users/me").await?["user"], "id")?;
    picker.refused("/warehouses", json!({ "name": "Мой" }), "forbidden").await?;
    for path in ["/audit", "/audit/verification", "/audit/01900000-0000-7000-8000-000000000000"] {
        assert_eq!(picker.ask(Method::GET, path, None).await?.code(), "forbidden", "{path}");
    }
    let denied = entries(&client, "action=access.denied").await?;
    let asked: Vec<_> =
        denied.iter().map(|entry| (text(entry, "operation").unwrap(), text(entry, "objectId").unwrap())).collect();
    let asked: Vec<_> = asked.iter().map(|(operation, permission)| (operation.as_str(), permission.as_str())).collect();
    assert_eq!(
        asked,
        [
            ("get_audit_entry", "audit:read"),
            ("verify_audit", "audit:read"),
            ("list_audit_entries", "audit:read"),
            ("create_warehouse", "warehouses:manage")
        ]
    );
    assert!(denied.iter().all(|entry| entry["actor"] == format!("user:{me}")));
    Ok(())
}

#[tokio::test]
async fn a_token_that_fails_in_use_is_kept() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let seller = app.simulator.shop(wildberries::Shop { cards: 1, warehouses: 1, marked: 0, ..Default::default() });
    let token = seller.token(wildberries::TokenKind::Personal, wildberries::ALL_CATEGORIES);
    let account = client.post("/wildberries/accounts", json!({ "name": "Кабинет", "token": token })).await?;
    app.simulator.withdraw(&token);
    client.post("/sync-runs", json!({ "accountId": account["id"], "kind": "new_orders" })).await?;
    app.run_jobs().await?;
    let blocked = entries(&client, "action=account.blocked").await?;
    assert_eq!(blocked.len(), 1);
    assert_eq!((&blocked[0]["objectId"], &blocked[0]["actor"]), (&account["id"], &json!("job:sync.pull_new_orders")));
    Ok(())
}

#[tokio::test]
async fn the_log_is_searched_and_paged_and_nobody_sees_anothers() -> Result<()> {
    let app = TestApp::start().await?;
    let (client, stranger) = (app.enterprise("Ромашка").await?, app.enterprise("Чужие").await?);
    let mut names = Vec::new();
    for number in 1..=5 {
        app.clock.advance(chrono::Duration::minutes(1));
        names.push((client.post("/warehouses", json!({ "name": format!("Склад №{number}") })).await?, app.clock.now()));
    }
    let (third, at) = &names[2];
    let one = entries(&client, &format!("objectId={}", text(third, "id")?)).await?;
    assert_eq!(
        (one.len(), &one[0]["after"]["name"], &one[0]["objectKind"]),
        (1, &json!("Склад №3"), &json!("warehouse"))
    );
    let moment = |at: &chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let from = format!("action=warehouse.created&from={}", moment(at));
    assert_eq!(entries(&client, &from).await?.len(), 3);
    assert_eq!(entries(&client, &format!("action=warehouse.created&until={}", moment(at))).await?.len(), 2);
    assert_eq!(entries(&client, "text=СКЛАД №4").await?.len(), 1);
    assert_eq!(entries(&client, "text=100%25").await?.len(), 0);
    assert_eq!(entries(&client, "objectKind=warehouse&by=nobody").await?.len(), 0);
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/audit?action=warehouse.created&limit=2{after}")).await?;
        seen.extend(page["items"].as_array().unwrap().iter().map(|entry| entry["after"]["name"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, ["Склад №5", "Склад №4", "Склад №3", "Склад №2", "Склад №1"]);
    let answer = client.ask(Method::GET, "/audit?action=warehouse.eaten", None).await?;
    assert_eq!((answer.status.as_u16(), answer.body["field"].as_str()), (422, Some("action")));
    assert!(entries(&stranger, "action=warehouse.created").await?.is_empty());
    let foreign = stranger.ask(Method::GET, &format!("/audit/{}", text(&one[0], "id")?), None).await?;
    assert_eq!((foreign.status.as_u16(), foreign.code()), (404, "not_found"));
    Ok(())
}

#[tokio::test]
async fn no_role_of_the_product_rewrites_the_log() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let enterprise = text(&client.get("/users/me").await?, "enterpriseId")?;
    seal(&app).await?;
    let month: String = sqlx::query_scalar("SELECT tableoid::regclass::text FROM audit_entries LIMIT 1")
        .fetch_one(&mut app.admin().await?)
        .await?;
    for role in [Role::Api, Role::Worker, Role::Migrate, Role::Backup] {
        let mut connection = app.as_role(role).await?;
        sqlx::query("SELECT set_config('app.enterprise_id', $1, false)")
            .bind(&enterprise)
            .execute(&mut connection)
            .await?;
        for table in ["audit_entries", &month, "audit_seals"] {
            let column = if table == "audit_seals" { "sealed_at = now()" } else { "actor = 'nobody'" };
            for statement in
                [format!("UPDATE {table} SET {column}"), format!("DELETE FROM {table}"), format!("TRUNCATE {table}")]
            {
                let done = sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut connection).await;
                assert!(done.is_err(), "{role:?} may {statement}");
            }
        }
    }
    let mut api = app.as_role(Role::Api).await?;
    for statement in [
        "SELECT audit_make_partition('2020-01-01')",
        "ALTER TABLE audit_entries DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "INSERT INTO audit_seals SELECT * FROM audit_seals",
    ] {
        assert!(sqlx::query(statement).execute(&mut api).await.is_err(), "{statement}");
    }
    assert!(faults(&client).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn sealing_goes_on_where_it_stopped_and_finds_what_came_late() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    // Begun first, committed last.
    let me = client.get("/users/me").await?;
    let actor = shared::access::Actor::job(shared::ids::EnterpriseId(text(&me, "enterpriseId")?.parse()?), "test");
    let mut late = app.api_db().begin(&actor).await?;
    shared::warehouses::create(&mut late, "Поздний", None).await?;
    app.clock.advance(chrono::Duration::minutes(1));
    client.post("/warehouses", json!({ "name": "Ранний" })).await?;
    seal(&app).await?;
    late.commit().await?;
    let waiting = client.get("/audit/verification").await?;
    assert_eq!((&waiting["unsealed"], &waiting["faults"]), (&json!(1), &json!(0)), "{waiting}");
    seal(&app).await?;
    let seen = client.get("/audit/verification").await?;
    assert_eq!((&seen["unsealed"], &seen["faults"], &seen["seals"]), (&json!(0), &json!(0), &json!(2)), "{seen}");
    assert_eq!(
        seen["entries"],
        app.count("SELECT count(*) FROM audit_entries WHERE enterprise_id <> '00000000-0000-0000-0000-000000000000'")
            .await?
    );
    // The chain of the installation itself is sealed as well.
    let installation = api::admin::verify_audit(app.api_db(), None, None).await?;
    assert!(installation.faults == 0 && installation.text.contains("installation: 1 seals"), "{}", installation.text);
    Ok(())
}

#[tokio::test]
async fn a_superuser_who_rewrites_the_log_is_found() -> Result<()> {
    let acts: [(&'static str, &str); 6] = [
        ("UPDATE audit_entries SET after = jsonb_set(after, '{name}', '\"Другой\"') WHERE after->>'name' = 'Второй'", "the entry was changed"),
        ("UPDATE audit_entries SET address = NULL WHERE after->>'name' = 'Второй'", "the entry was changed"),
        ("DELETE FROM audit_entries WHERE after->>'name' = 'Второй'", "the entry is missing"),
        ("UPDATE audit_seals SET digests = sha256(digests) || substr(digests, 33) WHERE number = 2", "the seal was changed"),
        ("DELETE FROM audit_seals WHERE number = 2", "seals before this one are missing"),
        (
            "INSERT INTO audit_entries SELECT enterprise_id, gen_random_uuid(), occurred_at - interval '20 days', actor, session_id, address,
                    request_id, operation, action, object_kind, object_id, before, after
             FROM audit_entries WHERE after->>'name' = 'Второй'",
            "the entry was slipped in behind the chain",
        ),
    ];
    for (act, what) in acts {
        let app = TestApp::start().await?;
        let client = app.enterprise("Ромашка").await?;
        for name in ["Первый", "Второй", "Третий"] {
            client.post("/warehouses", json!({ "name": name })).await?;
            app.clock.advance(chrono::Duration::seconds(1));
            seal(&app).await?;
        }
        assert!(faults(&client).await?.is_empty());
        tampered(&app, act).await?;
        seal(&app).await?;
        let found = faults(&client).await?;
        assert!(found.iter().any(|found| found == what), "{act}: {found:?}");
        assert!(api::admin::verify_audit(app.api_db(), None, None).await?.faults > 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_chain_that_was_made_anew_does_not_hold_the_head_that_was_kept() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    client.post("/warehouses", json!({ "name": "Первый" })).await?;
    seal(&app).await?;
    let head = text(&client.get("/audit/verification").await?, "head")?;
    app.clock.advance(chrono::Duration::seconds(1));
    client.post("/warehouses", json!({ "name": "Второй" })).await?;
    seal(&app).await?;
    assert_eq!(client.get(&format!("/audit/verification?head={head}")).await?["faults"], 0);
    // Everything is thrown away, rewritten, and sealed again as if it had always been so.
    tampered(&app, "DELETE FROM audit_seals").await?;
    tampered(&app, "UPDATE audit_entries SET actor = 'nobody'").await?;
    seal(&app).await?;
    assert!(faults(&client).await?.is_empty(), "by itself it looks well");
    let seen = client.get(&format!("/audit/verification?head={head}")).await?;
    assert_eq!(seen["told"][0]["what"], "the chain does not hold the hash that was kept outside");
    assert_eq!(client.ask(Method::GET, "/audit/verification?head=zz", None).await?.status.as_u16(), 422);
    Ok(())
}

async fn ids(connection: &mut PgConnection, query: &'static str) -> Result<BTreeSet<String>> {
    Ok(sqlx::query_scalar(query).fetch_all(connection).await?.into_iter().collect())
}

#[tokio::test]
async fn connections_that_are_cut_leave_no_change_without_its_entry_and_no_entry_without_its_change() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let (mut admin, mut done) = (app.admin().await?, 0);
    let asking = futures::stream::iter(0..300)
        .map(|number| client.ask(Method::POST, "/warehouses", Some(json!({ "name": format!("Склад {number}") }))))
        .buffer_unordered(6);
    futures::pin_mut!(asking);
    while let Some(answer) = asking.next().await {
        done += 1;
        assert!([201, 401, 500, 503].contains(&answer?.status.as_u16()));
        if done % 5 == 0 {
            sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'wb_api' AND datname = current_database()")
                .execute(&mut admin)
                .await?;
        }
    }
    let there = ids(&mut admin, "SELECT id::text FROM warehouses").await?;
    let told = ids(&mut admin, "SELECT object_id FROM audit_entries WHERE action = 'warehouse.created'").await?;
    assert_eq!(there, told);
    assert!(there.len() > 10 && there.len() < 300, "{} of 300 were created: the cuts met nothing", there.len());
    Ok(())
}

#[tokio::test]
async fn line_breaks_in_a_name_make_no_line_of_their_own() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let name = "Склад\r\n{\"level\":\"ERROR\",\"actor\":\"user:forged\"}\u{1b}[31m";
    client.post("/warehouses", json!({ "name": name, "address": "1\n\n2" })).await?;
    let entry = &entries(&client, "action=warehouse.created").await?[0];
    assert_eq!((&entry["after"]["name"], &entry["after"]["address"]), (&json!(name), &json!("1\n\n2")));
    assert!(entries(&client, "by=user:forged").await?.is_empty());
    let answer =
        client.ask_with(Method::POST, "/warehouses", Some(json!({ "name": "Б" })), &[("X-Request-Id", "a\"b")]).await?;
    assert_ne!(answer.header("x-request-id"), "a\"b", "a name that is no name is not kept");
    seal(&app).await?;
    assert!(faults(&client).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_month_of_more_than_a_year_ago_is_exported_and_dropped_by_the_owner_alone() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let mut admin = app.admin().await?;
    let old: chrono::NaiveDate = sqlx::query_scalar("SELECT (date_trunc('month', now()) - interval '14 months')::date")
        .fetch_one(&mut admin)
        .await?;
    // As they would lie there if the installation were old: written then, and sealed with the rest now.
    sqlx::query("SELECT audit_make_partition($1)").bind(old).execute(&mut app.as_role(Role::Migrate).await?).await?;
    sqlx::query(
        "INSERT INTO audit_entries SELECT enterprise_id, gen_random_uuid(), $1 + interval '3 days', actor, session_id, address, request_id,
                operation, action, object_kind, object_id, before, jsonb_build_object('name', E'a\\nb')
         FROM audit_entries WHERE enterprise_id <> '00000000-0000-0000-0000-000000000000'",
    )
    .bind(old)
    .execute(&mut admin)
    .await?;
    let folder = std::env::temp_dir().join(format!("wb-audit-{}", shared::ids::JobId::new()));
    std::fs::create_dir(&folder)?;
    let owner = SecretString::from(app.database_url(Role::Migrate));
    let unsealed = shared::audit::prune(&owner, 12, &folder).await.unwrap_err();
    assert!(unsealed.to_string().contains("not as it was sealed"), "{unsealed}");
    seal(&app).await?;
    let there = client.get("/audit/verification").await?;
    assert!(shared::audit::prune(&owner, 11, &folder).await.is_err());
    assert!(shared::audit::prune(&SecretString::from(app.database_url(Role::Api)), 12, &folder).await.is_err());
    let pruned = shared::audit::prune(&owner, 12, &folder).await?;
    assert_eq!((pruned.len(), pruned[0].month, pruned[0].entries), (1, old, 2));
    let export = std::fs::read_to_string(&pruned[0].file)?;
    let lines: Vec<Value> = export.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!((lines.len(), &lines[0]["after"]["name"]), (2, &json!("a\nb")));
    let gone = client.get("/audit/verification").await?;
    assert_eq!((&gone["faults"], &gone["pruned"], &gone["seals"]), (&json!(0), &json!(2), &there["seals"]), "{gone}");
    assert!(shared::audit::prune(&owner, 12, &folder).await?.is_empty(), "once is enough");
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
