//! What must stay true of the whole: the published document, the schema, the shape of the code, Wildberries' contract.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Result;
use it::{TestApp, root};
use serde_json::Value;
use wildberries::contract::Contract;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn operations() -> Vec<(String, String, Value)> {
    let document: Value = serde_json::from_str(&api::openapi()).expect("the document is JSON");
    let paths = document["paths"].as_object().expect("the document has paths").clone();
    let of = |(path, item): (String, Value)| {
        METHODS.into_iter().filter_map(move |method| {
            let operation = item.get(method)?.clone();
            Some((method.to_owned(), path.clone(), operation))
        })
    };
    paths.into_iter().flat_map(of).collect()
}

#[test]
fn the_published_document_is_the_services() {
    assert!(
        fs::read_to_string(root().join("openapi.json")).unwrap() == api::openapi(),
        "run: cargo run -p api -- openapi > openapi.json"
    );
}

#[test]
fn every_operation_has_an_id_a_summary_one_tag_and_its_problems() {
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations() {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id")).to_owned();
        assert!(ids.insert(id.clone()), "{id} is there twice");
        assert!(operation["summary"].is_string(), "{id} has no summary");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{id}");
        assert!(operation["security"].is_array(), "{id} does not state its security");
    }
}

#[tokio::test]
async fn who_is_not_signed_in_gets_nothing_but_the_front_door() -> Result<()> {
    let app = TestApp::start().await?;
    let client = stack::Client::new(&app.url)?;
    let mut open = BTreeSet::new();
    for (method, path, operation) in operations() {
        let there = path
            .replace("{wb_warehouse_id}", "1")
            .replace("{id}", NOBODY)
            .replace("{item_id}", NOBODY)
            .replace("{session_id}", NOBODY);
        let answer = client.ask(method.to_uppercase().parse()?, &there, None).await?;
        if answer.status.as_u16() == 401 {
            assert_eq!(answer.code(), "unauthenticated", "{method} {path}");
        } else {
            open.insert(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    let public: BTreeSet<_> = PUBLIC.into_iter().map(str::to_owned).collect();
    assert_eq!(open, public);
    Ok(())
}

const NOBODY: &str = "01900000-0000-7000-8000-000000000000";
/// Who asks for these is not known yet, or need not be.
const PUBLIC: [&str; 13] = [
    "accept_invitation",
    "change_email",
    "health",
    "health_db",
    "health_ready",
    "health_redis",
    "health_resources",
    "home",
    "login",
    "login_second_factor",
    "refresh",
    "request_password_reset",
    "reset_password",
];

#[tokio::test]
async fn every_table_of_an_enterprise_is_guarded() -> Result<()> {
    let app = TestApp::start().await?;
    let unguarded: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
         ORDER BY 1",
    )
    .fetch_all(&mut app.admin().await?)
    .await?;
    assert_eq!(
        unguarded,
        [
            "_sqlx_migrations",
            "audit_prunings",
            "enterprises",
            "gauges",
            "health_probe",
            "jobs",
            "letters",
            "login_failures",
            "memberships",
            "product_search",
            "recovery_codes",
            "schedules",
            "second_factors",
            "sessions",
            "spent_refresh_tokens",
            "users",
            "wildberries_sellers",
            "workers"
        ]
    );
    let loose: Vec<String> = sqlx::query_scalar(
        "SELECT f.conname::text FROM pg_constraint AS f
         JOIN pg_class AS c ON c.oid = f.conrelid JOIN pg_class AS t ON t.oid = f.confrelid
         WHERE f.contype = 'f' AND c.relrowsecurity AND t.relrowsecurity
           AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = f.conrelid AND a.attnum = ANY(f.conkey) AND a.attname = 'enterprise_id')",
    )
    .fetch_all(&mut app.admin().await?)
    .await?;
    assert!(loose.is_empty(), "references that leave their enterprise: {loose:?}");
    let unique: Vec<String> = sqlx::query_scalar(
        "SELECT i.relname::text FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_class AS c ON c.oid = x.indrelid
         WHERE x.indisunique AND c.relrowsecurity
           AND (SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = x.indrelid AND a.attnum = x.indkey[0]) <> 'enterprise_id'",
    )
    .fetch_all(&mut app.admin().await?)
    .await?;
    assert!(unique.is_empty(), "unique over all enterprises: {unique:?}");
    Ok(())
}

/// Each was read by somebody: it writes what its caller's policies let through, or nothing of an enterprise at all.
const RUN_AS_OWNER: [&str; 8] = [
    "audit_make_partition",
    "balances_follow_ended_holds",
    "balances_follow_ended_reservations",
    "balances_follow_entries",
    "balances_follow_new_holds",
    "balances_follow_new_reservations",
    "product_search_follow",
    "products_have_a_lot",
];

#[tokio::test]
async fn what_runs_with_the_rights_of_the_owner_is_known_by_name() -> Result<()> {
    let app = TestApp::start().await?;
    let definers: Vec<String> = sqlx::query_scalar(
        "SELECT p.proname::text FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
         WHERE n.nspname = 'public' AND p.prosecdef ORDER BY 1",
    )
    .fetch_all(&mut app.admin().await?)
    .await?;
    assert_eq!(definers, RUN_AS_OWNER);
    let without_path: Vec<String> = sqlx::query_scalar(
        "SELECT p.proname::text FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
         WHERE n.nspname = 'public' AND p.prosecdef AND NOT coalesce(array_to_string(p.proconfig, ',') LIKE '%search_path=public, pg_temp%', false)",
    )
    .fetch_all(&mut app.admin().await?)
    .await?;
    assert!(without_path.is_empty(), "whoever calls these decides what their names mean: {without_path:?}");
    let views: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public' AND c.relkind IN ('v', 'm')
           AND NOT coalesce('security_invoker=true' = ANY(c.reloptions), false)",
    )
    .fetch_all(&mut app.admin().await?)
    .await?;
    assert!(views.is_empty(), "views that see more than who asks them: {views:?}");
    Ok(())
}

#[test]
fn shared_holds_what_its_map_lists_and_no_junk_drawer() {
    let map = fs::read_to_string(root().join("shared/src/lib.rs")).unwrap();
    let listed: BTreeSet<_> =
        map.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_owned).collect();
    let there: BTreeSet<_> = fs::read_dir(root().join("shared/src"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".rs").to_owned())
        .filter(|name| name != "lib")
        .collect();
    assert_eq!(there, listed);
    for junk in ["common", "core", "utils", "helpers", "types", "models", "services", "misc", "manager"] {
        assert!(!there.contains(junk), "{junk}");
    }
}

#[test]
fn the_example_of_the_environment_names_what_is_read() {
    let example = fs::read_to_string(root().join(".env.prod.example")).unwrap();
    let named: BTreeSet<_> = example
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once('=').map(|(name, _)| name))
        .filter(|name| name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'))
        .collect();
    let secrets: Vec<_> = shared::config::SECRETS.iter().filter(|name| **name != "WB_KEK").collect();
    assert!(secrets.iter().all(|name| shared::config::VARIABLES.iter().any(|(known, _)| known == *name)));
    let compose_only = ["API_DOMAIN", "WB_API_REPLICAS", "WB_WORKER_REPLICAS"];
    let read: BTreeSet<_> = shared::config::VARIABLES.iter().map(|(name, _)| *name).chain(compose_only).collect();
    assert_eq!(named, read);
}

#[tokio::test]
async fn what_we_ask_and_what_the_simulator_answers_keeps_to_wildberries_documents() -> Result<()> {
    let folder = root().join("../shared/wildberries/openapi");
    if !folder.is_dir() {
        eprintln!("skipped: Wildberries' documents are not beside the checkout");
        return Ok(());
    }
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, lines) = shop.picked(3).await?;
    let supply = shop.supply(&request).await?;
    shop.print(&request).await?;
    shop.deliver(&supply).await?;
    shop.client.post("/print-jobs", serde_json::json!({ "printerId": shop.printer, "supplyId": supply })).await?;
    shop.seller.receive(lines[0]["wbOrderId"].as_i64().unwrap())?;
    for kind in ["order_statuses", "order_history", "catalogue", "warehouses"] {
        shop.sync(kind).await?;
    }
    let exchanges = app.simulator.exchanges();
    assert!(exchanges.len() > 15, "{} exchanges", exchanges.len());
    let violations: Vec<_> = Contract::load(&folder)?.check_all(&exchanges).iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    Ok(())
}

/// What Postgres 14, the oldest that is supported, does not understand, as it would be written in a migration.
const NEWER_THAN_POSTGRES_14: [&str; 34] = [
    "any_value(",
    "array_reverse(",
    "array_sample(",
    "array_shuffle(",
    "array_sort(",
    "casefold(",
    "crc32(",
    "date_add(",
    "date_subtract(",
    "is json",
    "json_array(",
    "json_arrayagg(",
    "json_exists(",
    "json_object(",
    "json_objectagg(",
    "json_query(",
    "json_scalar(",
    "json_serialize(",
    "json_table(",
    "json_value(",
    "merge into",
    "not enforced",
    "nulls not distinct",
    "on parameter",
    "pg_input_is_valid(",
    "random_normal(",
    "regexp_count(",
    "regexp_instr(",
    "regexp_like(",
    "regexp_substr(",
    "security_invoker",
    "uuidv4(",
    "uuidv7(",
    "without overlaps",
];

#[test]
fn migrations_are_written_for_the_oldest_postgres() {
    let mut files = 0;
    for file in fs::read_dir(root().join("migrations")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "sql") {
            continue;
        }
        files += 1;
        let sql = fs::read_to_string(&path).unwrap();
        let statements = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
        let words = statements.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ").to_lowercase();
        for newer in NEWER_THAN_POSTGRES_14 {
            assert!(!words.contains(newer), "{} says {newer}", path.display());
        }
    }
    assert!(files > 30, "the migrations are there");
}
