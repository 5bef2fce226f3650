//! The keys that seal: rotated while everything runs, killed in the middle, and not dropped while rows need them.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use it::TestApp;
use secrecy::{ExposeSecret, SecretString};
use shared::ids::AccountId;
use shared::seal::{Keyring, Sealed};
use sqlx::types::Uuid;
use sqlx::{Connection, Row};
use stack::programs::{Profile, Program, Recipe, program};
use stack::servers::Scratch;
use stack::{Role, wait};

const SOON: Duration = Duration::from_secs(30);
const ROWS: usize = 350;

fn new_key(id: &str) -> String {
    format!("{id}:{}", STANDARD.encode(rand::random::<[u8; 32]>()))
}

fn ring(lines: &[&str]) -> Result<Keyring> {
    Ok(Keyring::parse(&SecretString::from(lines.join("\n")))?)
}

/// Many accounts more in the enterprise of the shop, each with a token of its own.
async fn store_many(app: &TestApp, account: &str) -> Result<()> {
    let mut connection = app.admin().await?;
    let enterprise: Uuid = sqlx::query_scalar("SELECT enterprise_id FROM wildberries_accounts WHERE id = $1::uuid")
        .bind(account)
        .fetch_one(&mut connection)
        .await?;
    for _ in 0..ROWS {
        let id = AccountId::new();
        let token = SecretString::from(format!("token of {id}"));
        let sealed = app.ctx.keyring.seal(&token, &format!("wildberries_accounts/{enterprise}/{id}"));
        sqlx::query(
            "INSERT INTO wildberries_accounts (enterprise_id, id, name, seller_id, seller_name, token_sealed, token_key_id, token_kind,
                                               token_categories, token_read_only, token_expires_at, created_at, changed_at)
             VALUES ($1, $2, 'Кабинет', $2, 'Продавец', $3, $4, 'personal', 26, false, now(), now(), now())",
        )
        .bind(enterprise)
        .bind(id.0)
        .bind(sealed.bytes)
        .bind(sealed.key_id)
        .execute(&mut connection)
        .await?;
    }
    Ok(())
}

/// Opens every row; answers with how many each key seals.
async fn opened(app: &TestApp, keyring: &Keyring) -> Result<Vec<(String, usize)>> {
    let rows =
        sqlx::query("SELECT enterprise_id, id, token_sealed, token_key_id FROM wildberries_accounts ORDER BY id")
            .fetch_all(&mut app.admin().await?)
            .await?;
    let mut keys: Vec<(String, usize)> = Vec::new();
    for row in rows {
        let (enterprise, id): (Uuid, Uuid) = (row.get(0), row.get(1));
        let sealed = Sealed { bytes: row.get(2), key_id: row.get(3) };
        let token = keyring.open(&sealed, &format!("wildberries_accounts/{enterprise}/{id}"))?;
        let token = token.expose_secret();
        ensure!(token == format!("token of {id}") || token.starts_with("eyJ"), "another token");
        match keys.iter_mut().find(|(key, _)| *key == sealed.key_id) {
            Some((_, rows)) => *rows += 1,
            None => keys.push((sealed.key_id, 1)),
        }
    }
    keys.sort();
    Ok(keys)
}

fn recipe(app: &TestApp, scratch: &Scratch, name: &str, arguments: &[&str], keys: &[&str]) -> Result<Recipe> {
    let environment = app.environment(scratch.path(), Role::Api)?;
    fs::write(&environment.kek_file, keys.join("\n"))?;
    Ok(Recipe {
        name: name.to_owned(),
        program: program(Profile::Dev, "api"),
        arguments: arguments.iter().map(ToString::to_string).collect(),
        environment,
        logs: scratch.path().join("logs"),
    })
}

#[tokio::test]
async fn keys_are_rotated_although_it_is_killed_in_the_middle() -> Result<()> {
    let (app, scratch) = (TestApp::start().await?, Scratch::create().await?);
    let shop = app.shop().await?;
    store_many(&app, &shop.account).await?;
    let (old, new) = (app.kek().to_owned(), new_key("second"));
    let both = ring(&[&new, &old])?;

    // Somebody works on the last row, so that the rotation has to wait in the middle of its work.
    let mut connection = app.admin().await?;
    let mut holding = connection.begin().await?;
    sqlx::query("SELECT FROM wildberries_accounts ORDER BY id DESC LIMIT 1 FOR UPDATE").execute(&mut *holding).await?;
    let mut rotation = Program::start(recipe(&app, &scratch, "killed", &["admin", "rotate-keys"], &[&new, &old])?)?;
    wait::until_ok("some rows are sealed anew", SOON, async || {
        let rows = opened(&app, &both).await?;
        ensure!(rows.iter().any(|(key, rows)| key == "second" && *rows >= 300), "{rows:?}");
        Ok(())
    })
    .await?;
    rotation.kill().await?;
    holding.rollback().await?;
    assert_eq!(opened(&app, &both).await?, [("first".to_owned(), ROWS + 1 - 300), ("second".to_owned(), 300)]);

    // Half rotated, both keys are valid: programs that have them go on working.
    let mut ctx = app.ctx.clone();
    ctx.keyring = both.clone();
    let run =
        shop.client.post("/sync-runs", serde_json::json!({ "accountId": shop.account, "kind": "warehouses" })).await?;
    worker::run_jobs(&ctx, &shared::jobs::Queue::ALL).await?;
    let run = shop.client.get(&format!("/sync-runs/{}", run["id"].as_str().context("an id")?)).await?;
    assert_eq!(run["status"], "succeeded");

    let again = recipe(&app, &scratch, "again", &["admin", "rotate-keys"], &[&new, &old])?;
    again.run("").await?;
    let said = fs::read_to_string(scratch.path().join("logs/again.log"))?;
    assert!(said.contains(&format!("{} rows were sealed anew; the current key is second", ROWS + 1 - 300)), "{said}");
    assert!(said.contains(&format!("key second: {} rows of wildberries_accounts", ROWS + 1)), "{said}");
    assert!(said.contains("key first: no rows; its line may be removed"), "{said}");
    assert_eq!(opened(&app, &ring(&[&new])?).await?, [("second".to_owned(), ROWS + 1)]);
    recipe(&app, &scratch, "check", &["check"], &[&new])?.run("").await?;
    Ok(())
}

#[tokio::test]
async fn a_key_that_rows_still_need_is_missed_before_anything_starts() -> Result<()> {
    let (app, scratch) = (TestApp::start().await?, Scratch::create().await?);
    app.shop().await?;
    let new = new_key("second");
    for (name, arguments) in [("check", &["check"][..]), ("serve", &["serve"]), ("rotate", &["admin", "rotate-keys"])] {
        let mut program = Program::start(recipe(&app, &scratch, name, arguments, &[&new])?)?;
        assert_eq!(program.wait(SOON).await?.code(), Some(78), "{name}");
        let said = fs::read_to_string(program.log())?;
        assert!(said.contains("1 rows of wildberries_accounts are sealed under the key first"), "{name}: {said}");
    }
    let mut worker = recipe(&app, &scratch, "worker", &["run"], &[&new])?;
    worker.environment = worker.environment.on(app.database_url(Role::Worker));
    worker.program = program(Profile::Dev, "worker");
    let mut worker = Program::start(worker)?;
    assert_eq!(worker.wait(SOON).await?.code(), Some(78));
    assert_eq!(opened(&app, &app.ctx.keyring).await?, [("first".to_owned(), 1)]);
    Ok(())
}
