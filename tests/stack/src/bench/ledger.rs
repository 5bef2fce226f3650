//! Answers about stock while the ledger grows a hundredfold: the same questions of 20,000 balances and of two million with
//! twenty million entries, over the API, each by its slowest hundredth. `cargo wb bench --only ledger`; with `--short` the
//! ledger grows tenfold.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{SecondsFormat, Utc};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};

use super::{Figure, tell};
use crate::programs::Profile;
use crate::{Client, Options, Stack, Steps};

/// Products in a cell, and entries behind a balance.
const IN_CELL: i64 = 100;
/// Cells that hold a product.
const CELLS_OF_PRODUCT: i64 = 10;
/// Balances of the small ledger.
const SMALL: i64 = 20_000;
/// Cells that are filled by one statement.
const AT_ONCE: i64 = 500;
/// Questions of one kind.
const QUESTIONS: usize = 300;
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What is asked, of a random product in a random cell.
const KINDS: [&str; 6] = ["a page", "a page by product", "a product", "its history", "its past", "its turnover"];

/// Measures on a stack of its own, without workers.
pub(super) async fn run(short: bool, broken: &mut Vec<&'static str>, steps: &mut Steps) -> Result<()> {
    let large = if short { SMALL * 10 } else { SMALL * 100 };
    let options = Options { profile: Profile::Release, workers: 0, private: true, ..Options::default() };
    let stack = Stack::up_with(options, steps).await?;
    let owner = &stack.administrator;
    let client = Client::new(&stack.api_url)?.sign_in(&owner.email, &owner.password).await?;
    let mut admin = stack.servers.admin(&stack.database).await?;
    steps.step("Fill a small ledger", grow(&mut admin, 0, SMALL)).await?;
    let few = steps.step("Ask it", ask(&mut admin, &client)).await?;
    steps.step("Let it grow", grow(&mut admin, SMALL, large)).await?;
    // The first session is good for ten minutes.
    let client = Client::new(&stack.api_url)?.sign_in(&owner.email, &owner.password).await?;
    let many = steps.step("Ask it again", ask(&mut admin, &client)).await?;
    let proof = client.get("/inventory/consistency").await?;
    ensure!(proof["differences"] == json!([]), "the filled ledger does not agree: {}", proof["differences"]);
    let ratios: Vec<_> = few.iter().zip(&many).map(|(few, many)| many / few).collect();
    let each = KINDS.iter().zip(few.iter().zip(&many));
    let told: Vec<_> = each.map(|(kind, (few, many))| format!("{kind} {few:.1} → {many:.1} ms")).collect();
    let worst = ratios.into_iter().fold(0.0, f64::max);
    let figure = Figure {
        what: "p99 of answers about stock, a large ledger against 20,000 balances",
        promise: "≤ 1.5",
        reached: format!("{large} balances, {} entries: worst ratio {worst:.2} ({})", large * 10, told.join(", ")),
        held: worst <= 1.5,
    };
    tell(steps, broken, &figure);
    stack.down().await
}

/// Fills the ledger of the only enterprise from so many balances up to so many, ten entries behind each of them.
async fn grow(admin: &mut PgConnection, from: i64, to: i64) -> Result<()> {
    // As superuser: neither row security nor the triggers, whose work is done here at once.
    raw(admin, "SET session_replication_role = replica").await?;
    raw(
        admin,
        "INSERT INTO warehouses (enterprise_id, id, name, created_at)
         SELECT id, md5('warehouse')::uuid, 'Большой', now() FROM enterprises ON CONFLICT DO NOTHING",
    )
    .await?;
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "SELECT indexname::text, indexdef FROM pg_indexes
         WHERE tablename = 'stock_entries' AND NOT indexname IN (SELECT conname FROM pg_constraint)",
    )
    .fetch_all(&mut *admin)
    .await?;
    for (name, _) in &indexes {
        raw(admin, &format!("DROP INDEX {name}")).await?;
    }
    let products = to / CELLS_OF_PRODUCT;
    raw(
        admin,
        &format!(
            "INSERT INTO products (enterprise_id, id, sku, name, created_at, changed_at)
             SELECT e.id, md5('p' || n)::uuid, 'SKU-' || n, 'Товар ' || n, now(), now()
             FROM enterprises AS e, generate_series({}, {products} - 1) AS n",
            from / CELLS_OF_PRODUCT
        ),
    )
    .await?;
    raw(
        admin,
        "INSERT INTO lots (enterprise_id, product_id, id, created_at) SELECT enterprise_id, id, id, created_at FROM products ON CONFLICT DO NOTHING",
    )
    .await?;
    let (mut cell, last) = (from / IN_CELL, to / IN_CELL);
    while cell < last {
        let until = (cell + AT_ONCE).min(last);
        fill(admin, cell, until, from / CELLS_OF_PRODUCT, products).await?;
        cell = until;
    }
    for (_, definition) in &indexes {
        raw(admin, definition).await?;
    }
    raw(admin, "SET session_replication_role = origin").await?;
    for table in ["products", "lots", "cells", "balances", "stock_entries"] {
        raw(admin, &format!("VACUUM ANALYZE {table}")).await?;
    }
    Ok(())
}

/// Cells with their balances of ten units, which eight receipts of two brought and two losses of three left.
async fn fill(admin: &mut PgConnection, cell: i64, until: i64, first: i64, products: i64) -> Result<()> {
    let places = format!(
        "enterprises AS e, generate_series({cell}, {until} - 1) AS n, generate_series(0, {IN_CELL} - 1) AS k,
         LATERAL (SELECT md5('c' || n)::uuid AS cell_id, md5('p' || ({first} + (n * {IN_CELL} + k) % ({products} - {first})))::uuid AS product_id) AS p"
    );
    raw(
        admin,
        &format!(
            "INSERT INTO cells (enterprise_id, id, warehouse_id, code, purpose, pick_sequence, created_at)
             SELECT e.id, md5('c' || n)::uuid, md5('warehouse')::uuid, 'Я-' || n, 'storage', n, now()
             FROM enterprises AS e, generate_series({cell}, {until} - 1) AS n"
        ),
    )
    .await?;
    raw(
        admin,
        &format!(
            "INSERT INTO balances (enterprise_id, cell_id, product_id, lot_id, on_hand, since)
             SELECT e.id, p.cell_id, p.product_id, p.product_id, 10, now() FROM {places}"
        ),
    )
    .await?;
    raw(
        admin,
        &format!(
            "INSERT INTO stock_entries (enterprise_id, id, product_id, lot_id, from_cell_id, from_outside, to_cell_id, to_outside, quantity, kind, actor, occurred_at)
             SELECT e.id, lpad(to_hex((n * {IN_CELL} + k) * 10 + i), 32, '0')::uuid, p.product_id, p.product_id,
                    CASE WHEN i >= 8 THEN p.cell_id END, CASE WHEN i < 8 THEN 'supplier' END,
                    CASE WHEN i < 8 THEN p.cell_id END, CASE WHEN i >= 8 THEN 'loss' END,
                    CASE WHEN i < 8 THEN 2 ELSE 3 END, CASE WHEN i < 8 THEN 'receipt' ELSE 'write_off' END,
                    'job:bench', now() - random() * interval '300 days'
             FROM {places}, generate_series(0, 9) AS i"
        ),
    )
    .await
}

async fn raw(admin: &mut PgConnection, statement: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut *admin)
        .await
        .with_context(|| statement.chars().take(80).collect::<String>())?;
    Ok(())
}

/// The 99th percentile of every kind of question, in milliseconds.
async fn ask(admin: &mut PgConnection, client: &Client) -> Result<Vec<f64>> {
    let places = sample(admin).await?;
    let mut figures = Vec::new();
    for kind in 0..KINDS.len() {
        let mut times = Vec::new();
        // Once before anything is measured: what is compared is the work, and not whether a file was just written.
        for place in &places {
            client.get(&question(kind, place)).await?;
        }
        for place in &places {
            let path = question(kind, place);
            let begin = Instant::now();
            client.get(&path).await?;
            times.push(begin.elapsed());
        }
        figures.push(p99(times));
    }
    Ok(figures)
}

/// Balances here and there.
async fn sample(admin: &mut PgConnection) -> Result<Vec<(String, String)>> {
    let query = "SELECT cell_id::text, product_id::text FROM balances ORDER BY random() LIMIT $1";
    Ok(sqlx::query_as(query).bind(i64::try_from(QUESTIONS)?).fetch_all(&mut *admin).await?)
}

fn question(kind: usize, (cell, product): &(String, String)) -> String {
    let cursor = |key: [&str; 3]| URL_SAFE_NO_PAD.encode(json!(key).to_string());
    let ago = |days| (Utc::now() - chrono::Duration::days(days)).to_rfc3339_opts(SecondsFormat::Secs, true);
    match kind {
        0 => format!("/inventory?limit=50&after={}", cursor([cell, product, product])),
        1 => format!("/inventory?by=product&limit=50&after={}", cursor([product, NOBODY, NOBODY])),
        2 => format!("/inventory?limit=50&productId={product}"),
        3 => format!("/inventory/entries?limit=50&productId={product}"),
        4 => format!("/inventory/past?at={}&productId={product}", ago(150)),
        _ => format!("/inventory/turnover?from={}&to={}&productId={product}", ago(60), ago(30)),
    }
}

fn p99(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[((times.len() - 1) * 99).div_ceil(100)].as_secs_f64() * 1000.0
}
