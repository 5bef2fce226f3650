//! An enterprise never sees another's data.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use it::{TestApp, asker, changing_operations, example};
use reqwest::Method;
use serde_json::{Value, json};
use shared::access::Actor;
use shared::db::{Db, DbOptions};
use shared::ids::EnterpriseId;
use sqlx::types::Uuid;
use stack::Role;

#[tokio::test]
async fn a_stranger_finds_nothing_and_sees_nothing() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, lines) = shop.picked(2).await?;
    let supply = shop.supply(&request).await?;
    let job = shop.print(&request).await?;
    let stranger = app.enterprise("Чужие").await?;
    let theirs = [
        format!("/warehouses/{}", shop.warehouse),
        format!("/warehouses/{}/cells", shop.warehouse),
        format!("/products/{}", shop.products[0]["id"].as_str().unwrap()),
        format!("/orders/{}", lines[0]["orderId"].as_str().unwrap()),
        format!("/orders/{}/history", lines[0]["orderId"].as_str().unwrap()),
        format!("/requests/{request}"),
        format!("/requests/{request}/lines"),
        format!("/supplies/{supply}"),
        format!("/printers/{}", shop.printer),
        format!("/print-jobs/{job}"),
        format!("/print-jobs/{job}/items"),
    ];
    for path in theirs {
        let answer = stranger.ask(Method::GET, &path, None).await?;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"), "{path}");
        assert!(shop.client.ask(Method::GET, &path, None).await?.status.is_success(), "{path}");
    }
    for list in [
        "/warehouses",
        "/products",
        "/inventory",
        "/inventory/entries",
        "/inventory/holds",
        "/inventory/in-transit",
        "/inventory/transfers",
        "/inventory/receipt-sheets",
        "/inventory/reservations",
        "/counts",
        "/orders",
        "/requests",
        "/supplies",
        "/printers",
        "/print-jobs",
        "/sync-runs",
        "/jobs",
        "/wildberries/accounts",
        "/wildberries/warehouses",
    ] {
        let answer = stranger.get(list).await?;
        assert_eq!(answer["items"].as_array().map(Vec::len), Some(0), "{list}");
    }
    Ok(())
}

#[tokio::test]
async fn the_roles_of_the_programs_see_nothing_without_an_enterprise_and_cannot_rewrite_the_ledger() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.reserved(1).await?;
    for role in [Role::Api, Role::Worker] {
        let mut connection = app.as_role(role).await?;
        assert!(sqlx::query("SELECT FROM orders").fetch_all(&mut connection).await.is_err());
        let unbound: bool =
            sqlx::query_scalar("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
                .fetch_one(&mut connection)
                .await?;
        assert!(!unbound);
        for statement in ["DELETE FROM stock_entries", "UPDATE balances SET on_hand = 100", "DELETE FROM order_history"]
        {
            assert!(sqlx::query(statement).execute(&mut connection).await.is_err(), "{statement}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn fifty_enterprises_take_turns_on_four_connections_and_each_sees_its_own() -> Result<()> {
    let app = TestApp::start().await?;
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "WITH new AS (INSERT INTO enterprises (id, name, created_at)
                      SELECT gen_random_uuid(), 'Предприятие ' || n, now() FROM generate_series(1, 50) AS n RETURNING id)
         INSERT INTO warehouses (enterprise_id, id, name, created_at) SELECT id, gen_random_uuid(), id::text, now() FROM new
         RETURNING enterprise_id",
    )
    .fetch_all(&mut app.admin().await?)
    .await?;
    let options =
        DbOptions { max_connections: 4, statement_timeout: Duration::from_secs(30), application_name: "wb-test" };
    let db = Db::open(&app.database_url(Role::Api).into(), &options)?;
    stream::iter((0..10_000).map(Ok))
        .try_for_each_concurrent(32, |number: usize| {
            let (db, id) = (&db, ids[number * 7 % ids.len()]);
            async move {
                let mut tx = db.begin(&Actor::job(EnterpriseId(id), "test")).await?;
                let seen = shared::warehouses::list(&mut tx, false).await?;
                ensure!(seen.len() == 1 && seen[0].name == id.to_string(), "{id} saw {seen:?}");
                // Every third leaves its connection as a refused request does.
                if !number.is_multiple_of(3) {
                    tx.commit().await?;
                }
                Ok(())
            }
        })
        .await
}

/// What the server alone decides; nobody may say it of a new object or a change.
const OURS: [&str; 12] = [
    "enterpriseId",
    "enterprise_id",
    "role",
    "isAdministrator",
    "systemAdministrator",
    "onHand",
    "reserved",
    "balance",
    "createdBy",
    "createdAt",
    "actor",
    "version",
];

#[tokio::test]
async fn what_the_server_decides_cannot_be_sent() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let tried: Vec<_> = stream::iter(changing_operations())
        .filter(|operation| std::future::ready(api::idempotency::accepts(operation)))
        .collect()
        .await;
    let mut bodies = 0;
    for operation in tried {
        let Some(act) = example(&shop, &operation).await? else { continue };
        let Some(Value::Object(body)) = act.body else { continue };
        bodies += 1;
        let client = asker(&shop, &operation).await?;
        let before = app.fingerprint(&[]).await?;
        for field in OURS.into_iter().filter(|field| !body.contains_key(*field)) {
            let mut body = body.clone();
            body.insert(field.to_owned(), json!("1"));
            let answer = client.ask(act.method.clone(), &act.path, Some(Value::Object(body))).await?;
            assert!(matches!(answer.status.as_u16(), 400 | 422), "{operation} took {field}: {}", answer.body);
        }
        assert_eq!(app.fingerprint(&[]).await?, before, "{operation}");
        app.run_jobs().await?;
    }
    assert!(bodies >= 20, "only {bodies} operations have a body");
    Ok(())
}

/// The least that has the shape of the schema.
fn sample(document: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return sample(
            document,
            document.pointer(reference.trim_start_matches('#')).expect("references lead somewhere"),
        );
    }
    for list in ["allOf", "anyOf", "oneOf"] {
        if let Some(first) = schema[list].as_array().and_then(|list| list.first()) {
            return sample(document, first);
        }
    }
    if let Some(value) = schema["enum"].as_array().and_then(|values| values.first()) {
        return value.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let needed = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            needed.map(|name| (name.to_owned(), sample(document, &schema["properties"][name]))).collect()
        }
        Some("array") => json!([sample(document, &schema["items"])]),
        // poem writes every bound with a point.
        Some("integer") => {
            let least = format!("{:.0}", schema["minimum"].as_f64().unwrap_or(1.0));
            json!(least.parse::<i64>().expect("a whole number"))
        }
        Some("number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        _ => match schema["format"].as_str() {
            Some("uuid") => json!("01900000-0000-7000-8000-000000000000"),
            Some("email") => json!("somebody@example.org"),
            Some("date" | "naive-date") => json!("2026-01-01"),
            Some("date-time") => json!("2026-01-01T00:00:00Z"),
            _ => json!("t".repeat(usize::try_from(schema["minLength"].as_u64().unwrap_or(4)).expect("a short text"))),
        },
    }
}

/// The same with one more field, at each place where there is an object.
fn with_a_stranger(value: &Value) -> Vec<Value> {
    match value {
        Value::Object(fields) => {
            let mut all: Vec<_> = fields
                .iter()
                .flat_map(|(name, inner)| with_a_stranger(inner).into_iter().map(move |inner| (name, inner)))
                .map(|(name, inner)| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), inner);
                    Value::Object(fields)
                })
                .collect();
            let mut here = fields.clone();
            here.insert(STRANGER.to_owned(), json!(1));
            all.push(Value::Object(here));
            all
        }
        Value::Array(items) => {
            items.iter().flat_map(|item| with_a_stranger(item).into_iter().map(|item| json!([item]))).collect()
        }
        _ => Vec::new(),
    }
}

const STRANGER: &str = "someFieldOfNobody";

#[tokio::test]
async fn no_request_takes_fields_that_it_does_not_know() -> Result<()> {
    let app = TestApp::start().await?;
    let (member, operator) = (app.enterprise("Ромашка").await?, app.system_administrator().await?);
    let document: Value = serde_json::from_str(&api::openapi())?;
    let mut bodies = 0;
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let schema = &operation["requestBody"]["content"]["application/json; charset=utf-8"]["schema"];
            if schema.is_null() {
                // A file has no fields.
                let is_file = operation["requestBody"]["content"]["application/octet-stream"].is_object();
                assert!(
                    is_file || operation["requestBody"].is_null(),
                    "{method} {path} takes something else than JSON"
                );
                continue;
            }
            let client = if operation["x-permission"] == json!(["system:administer"]) { &operator } else { &member };
            let part = |part| match part {
                "{wb_warehouse_id}" => "1",
                part if str::starts_with(part, "{") => "01900000-0000-7000-8000-000000000000",
                part => part,
            };
            let path = path.split('/').map(part).collect::<Vec<_>>().join("/");
            for body in with_a_stranger(&sample(&document, schema)) {
                bodies += 1;
                let method: Method = method.to_uppercase().parse()?;
                let answer = client.ask(method, &path, Some(body.clone())).await?;
                assert_eq!(answer.status.as_u16(), 422, "{path} {body}: {}", answer.body);
                assert!(answer.body["field"].to_string().contains(STRANGER), "{path} {body}: {}", answer.body);
            }
        }
    }
    assert!(bodies >= 40, "only {bodies} requests have a body");
    Ok(())
}
