//! Answers about stock from a small ledger and from one a hundred times its size: the same questions of 20,000 balances and of
//! two million with twenty million entries, over the API, in turns, so that whatever else the machine does meets both; each by
//! its slowest hundredth. `cargo wb bench --only ledger`; with `--short` the large one has ten times the balances.

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
const QUESTIONS: usize = 1000;
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What is asked, of a random product in a random cell.
const KINDS: [&str; 6] = ["a page", "a page by product", "a product", "its history", "its past", "its turnover"];

/// Measures on two stacks of its own, without workers.
pub(super) async fn run(short: bool, broken: &mut Vec<&'static str>, steps: &mut Steps) -> Result<()> {
    let large = if short { SMALL * 10 } else { SMALL * 100 };
    let few = steps.step("Fill a small ledger", Filled::up(SMALL)).await?;
    let many = steps.step("Fill a large ledger", Filled::up(large)).await?;
    let (few_client, many_client) = (few.client().await?, many.client().await?);
    let asking = async {
        let mut figures = Vec::new();
        for kind in 0..KINDS.len() {
            figures.push(ask(kind, (&few, &few_client), (&many, &many_client)).await?);
        }
        anyhow::Ok(figures)
    };
    let figures = steps.step("Ask both in turns", asking).await?;
    let proof = many_client.get("/inventory/consistency").await?;
    ensure!(proof["differences"] == json!([]), "the filled ledger does not agree: {}", proof["differences"]);
    let each = KINDS.iter().zip(&figures);
    let told: Vec<_> = each.map(|(kind, (few, many))| format!("{kind} {few:.1} → {many:.1} ms")).collect();
    let worst = figures.iter().map(|(few, many)| many / few).fold(0.0, f64::max);
    let figure = Figure {
        what: "p99 of answers about stock, a large ledger against 20,000 balances",
        promise: "≤ 1.5",
        reached: format!("{large} balances, {} entries: worst ratio {worst:.2} ({})", large * 10, told.join(", ")),
        held: worst <= 1.5,
    };
    tell(steps, broken, &figure);
    few.stack.down().await?;
    many.stack.down().await
}

/// A stack with a ledger, and balances of it here and there.
struct Filled {
    stack: Stack,
    places: Vec<(String, String)>,
}

impl Filled {
    async fn up(balances: i64) -> Result<Self> {
        let options = Options { profile: Profile::Release, workers: 0, private: true, ..Options::default() };
        let stack = Stack::up_with(options, &mut Steps::silent()).await?;
        let mut admin = stack.servers.admin(&stack.database).await?;
        grow(&mut admin, 0, balances).await?;
        let query = "SELECT cell_id::text, product_id::text FROM balances ORDER BY random() LIMIT $1";
        let places = sqlx::query_as(query).bind(i64::try_from(QUESTIONS)?).fetch_all(&mut admin).await?;
        Ok(Self { stack, places })
    }

    async fn client(&self) -> Result<Client> {
        let owner = &self.stack.administrator;
        Client::new(&self.stack.api_url)?.sign_in(&owner.email, &owner.password).await
    }
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

/// The 99th percentiles of one kind of question, in milliseconds: of the small ledger and of the large one.
async fn ask(kind: usize, few: (&Filled, &Client), many: (&Filled, &Client)) -> Result<(f64, f64)> {
    // Once before anything is measured: what is compared is the work, and not whether a file was just written.
    for (filled, client) in [few, many] {
        for place in &filled.places {
            client.get(&question(kind, place)).await?;
        }
    }
    let mut times = [Vec::new(), Vec::new()];
    for (one, other) in few.0.places.iter().zip(&many.0.places) {
        for (times, (client, place)) in times.iter_mut().zip([(few.1, one), (many.1, other)]) {
            let path = question(kind, place);
            let begin = Instant::now();
            client.get(&path).await?;
            times.push(begin.elapsed());
        }
    }
    let [few, many] = times.map(p99);
    Ok((few, many))
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
