//! `cargo wb bench`: what is promised, measured on the release build against fully durable servers, each figure beside
//! the bare thing in the same run, because machines differ and are shared.

#![expect(clippy::cast_precision_loss, reason = "figures are rounded for people")]

mod audit;
mod bare;
mod catalogue;
mod door;
mod ledger;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use clap::ValueEnum;
use serde_json::{Value, json};
use wildberries::{ALL_CATEGORIES, Limits, TokenKind};

use crate::client::text;
use crate::programs::Profile;
use crate::{Client, Durability, Options, Role, ServerOptions, Servers, Stack, Steps, demo};

const LONG: Duration = Duration::from_mins(10);
const DATABASE: &str = "bench";

/// One promise and what was reached.
struct Figure {
    what: &'static str,
    promise: &'static str,
    reached: String,
    held: bool,
}

/// A figure that can be measured by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Figures {
    /// From an order's appearance to its reservation
    Appearance,
    /// From a click to its job
    Click,
    /// The import under Wildberries' limits
    Limited,
    /// The import against bare SQL
    Import,
    /// The memory of the programs after the walk
    Memory,
    /// A change with its audit entry against one without
    Audit,
    /// The front door in a rush
    Door,
    /// Answers about stock from a ledger that grew; only when it is named, because filling it takes long
    Ledger,
    /// What session check and row security cost
    Recognition,
    /// The catalogue at 200,000 products
    Catalogue,
    /// Pages of products and of balances against bare handlers
    Lists,
    /// A reservation against the bare update
    Reserve,
}

/// A benchmark of the suite, because both sides of the figure stand in one process; its last line is what was reached.
async fn of_suite(
    name: &str,
    durability: Durability,
    (what, promise): (&'static str, &'static str),
    broken: &mut Vec<&'static str>,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let servers = Servers::start_with(ServerOptions { private: true, ..ServerOptions::new(durability) }, |_| ());
    let servers = steps.step("Start Postgres and Redis", servers).await?;
    let bench = crate::programs::cargo(&["bench", "--quiet", "--package", "it", "--bench", name])?;
    let mut bench = crate::suite::with_servers(bench, &servers);
    let measuring = async {
        let measured = tokio::task::spawn_blocking(move || bench.output()).await?.context("starting the benchmark")?;
        let (said, complained) =
            (String::from_utf8_lossy(&measured.stdout).into_owned(), String::from_utf8_lossy(&measured.stderr));
        ensure!(!said.is_empty(), "it did not run: {complained}");
        anyhow::Ok((measured.status.success(), said))
    };
    let (held, said) = steps.step(&format!("The benchmark {name}"), measuring).await?;
    let reached = said.lines().last().unwrap_or_default().trim().to_owned();
    tell(steps, broken, &Figure { what, promise, reached, held });
    servers.stop().await
}

/// What an audit entry costs, on a server of its own.
async fn audit(broken: &mut Vec<&'static str>, steps: &mut Steps) -> anyhow::Result<()> {
    let servers =
        Servers::start_with(ServerOptions { private: true, ..ServerOptions::new(Durability::Durable) }, |_| ());
    let servers = steps.step("Start Postgres", servers).await?;
    let migrating = async {
        servers.create_database(DATABASE, None).await?;
        let migrations = crate::programs::workspace().join("migrations");
        crate::servers::migrate(&servers.database_url(Role::Migrate, DATABASE), &migrations).await
    };
    steps.step("Apply the migrations", migrating).await?;
    let figure = steps.step("Changes with their audit entries", audit::figure(&servers, DATABASE)).await?;
    tell(steps, broken, &figure);
    servers.stop().await
}

/// Measures these, or everything; `short` with a fifth of the orders. Fails, after the last, if a promise was not held.
pub async fn run(short: bool, only: &[Figures], steps: &mut Steps) -> anyhow::Result<()> {
    let wanted = |figure| only.is_empty() || only.contains(&figure);
    let orders = if short { 20_000 } else { 100_000 };
    let mut broken = Vec::new();
    if [Figures::Memory, Figures::Appearance, Figures::Click, Figures::Limited].into_iter().any(wanted) {
        let mut stack = up(1.0, steps).await?;
        let client =
            Client::new(&stack.api_url)?.sign_in(&stack.administrator.email, &stack.administrator.password).await?;
        demo::walk(&stack, &mut Steps::silent()).await.context("the walk before measuring")?;
        if wanted(Figures::Memory) {
            tell(steps, &mut broken, &memory(&mut stack)?);
        }
        if wanted(Figures::Appearance) {
            let measuring = appearance(&stack, &client, if short { 10 } else { 40 });
            let figure = steps.step("Orders become reservations", measuring).await?;
            tell(steps, &mut broken, &figure);
        }
        if wanted(Figures::Click) {
            let figure = steps.step("A click starts its job", click(&client, 100)).await?;
            tell(steps, &mut broken, &figure);
        }
        if wanted(Figures::Limited) {
            let figure = steps.step("Import with Wildberries' limits on", limited(&stack, &client, orders)).await?;
            tell(steps, &mut broken, &figure);
        }
        stack.down().await?;
    }
    if wanted(Figures::Import) {
        // The client keeps to the limits by itself, whatever the simulator does: here its budget is scaled out of the way.
        let stack = up(10_000.0, steps).await?;
        stack.simulator.set_limits(Limits::Off);
        let figure = steps.step("Import against bare SQL", import(&stack, orders)).await?;
        tell(steps, &mut broken, &figure);
        stack.down().await?;
    }
    if wanted(Figures::Audit) {
        audit(&mut broken, steps).await?;
    }
    if wanted(Figures::Recognition) {
        let what = ("session check and row security, against the same handler without", "≥ 0.70 of the rate");
        of_suite("recognition", Durability::Fast, what, &mut broken, steps).await?;
    }
    if wanted(Figures::Catalogue) {
        catalogue::run(&mut broken, steps).await?;
    }
    if wanted(Figures::Lists) {
        let what =
            "GET /products and GET /inventory, limit=50 of 200,000 products, against bare handlers with the same SQL";
        let promise = "≥ 0.85 of a transaction, ≥ 0.65 of a pooled connection";
        of_suite("lists", Durability::Fast, (what, promise), &mut broken, steps).await?;
    }
    if wanted(Figures::Reserve) {
        let what = ("reserve and release, against the bare UPDATE … WHERE pair on the same rows", "≥ 0.50 of the rate");
        of_suite("reserve", Durability::Durable, what, &mut broken, steps).await?;
    }
    if wanted(Figures::Door) {
        door::run(&mut broken, steps).await?;
    }
    if only.contains(&Figures::Ledger) {
        ledger::run(short, &mut broken, steps).await?;
    }
    ensure!(broken.is_empty(), "not held: {}", broken.join("; "));
    Ok(())
}

fn tell(steps: &Steps, broken: &mut Vec<&'static str>, figure: &Figure) {
    let Figure { what, promise, reached, held } = figure;
    if !held {
        broken.push(what);
    }
    let held = if *held { "held" } else { "NOT HELD" };
    steps.note(&format!("{what}: promise {promise}, reached {reached}: {held}"));
}

async fn up(scale: f64, steps: &mut Steps) -> anyhow::Result<Stack> {
    // Statuses more often than by default, so that the walk does not wait for them; orders at the default rhythm.
    let mut variables = demo::rhythm();
    variables.insert("WB_LIMIT_SCALE".to_owned(), scale.to_string());
    let options = Options { profile: Profile::Release, workers: 2, private: true, variables, ..Options::default() };
    Stack::up_with(options, steps).await
}

fn memory(stack: &mut Stack) -> anyhow::Result<Figure> {
    let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
    let api = mebibytes(stack.api.resident_bytes()?);
    let workers = stack
        .workers
        .iter()
        .map(|worker| worker.resident_bytes().map(mebibytes))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let held = workers.iter().chain([&api]).all(|size| *size < 60);
    let reached = format!("API {api} MiB, workers {workers:?} MiB");
    Ok(Figure { what: "resident memory after the walk", promise: "< 60 MB each", reached, held })
}

fn percentiles(mut times: Vec<f64>) -> (f64, f64, f64) {
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[((times.len() - 1) * percent).div_ceil(100)];
    (at(50), at(95), at(100))
}

/// From an order's birth in the simulator to its reservation over the API, at moments that the polling does not know.
async fn appearance(stack: &Stack, client: &Client, count: u32) -> anyhow::Result<Figure> {
    let mut times = Vec::new();
    for number in 0..count {
        tokio::time::sleep(Duration::from_millis(u64::from(number * 337 % 900))).await;
        let (begin, order) = (Instant::now(), stack.seller.place_orders(1)[0]);
        let landed = |page: &Value| page["items"][0]["status"].is_string() && page["items"][0]["status"] != "new";
        client.until(&format!("/orders?wbOrderId={order}"), LONG, landed).await?;
        times.push(begin.elapsed().as_secs_f64());
    }
    let (p50, p95, max) = percentiles(times);
    let reached = format!("p50 {p50:.2} s, p95 {p95:.2} s, max {max:.2} s of {count}");
    Ok(Figure {
        what: "order in the simulator → reservation visible (poll 3 s)",
        promise: "p95 ≤ 5 s",
        reached,
        held: p95 <= 5.0,
    })
}

fn moment(value: &Value, field: &str) -> anyhow::Result<DateTime<Utc>> {
    text(value, field)?.parse().with_context(|| format!("reading {field}"))
}

/// From a POST's commit to the moment a worker has begun its job, both by the database's clock.
async fn click(client: &Client, count: usize) -> anyhow::Result<Figure> {
    let account = client.get("/wildberries/accounts").await?["items"][0]["id"].clone();
    let (mut times, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let asked = Instant::now();
        client.get("/health").await?;
        bare.push(asked.elapsed().as_secs_f64() * 1000.0);
        let run = client.post("/sync-runs", json!({ "accountId": account, "kind": "order_statuses" })).await?;
        let path = format!("/jobs/{}", text(&run, "jobId")?);
        let job = client.until(&path, LONG, |job| job["finishedAt"].is_string()).await?;
        let began = moment(&job, "startedAt")? - moment(&job, "createdAt")?;
        times.push(began.num_microseconds().unwrap_or(i64::MAX) as f64 / 1000.0);
    }
    let ((p50, p95, max), (ping, ..)) = (percentiles(times), percentiles(bare));
    let reached = format!("p50 {p50:.1} ms, p95 {p95:.1} ms, max {max:.1} ms (bare GET {ping:.1} ms)");
    Ok(Figure { what: "click (POST) → worker starts the job", promise: "p95 ≤ 50 ms", reached, held: p95 <= 50.0 })
}

/// Timers stand still, so that nothing but the measured run calls.
async fn pause(stack: &Stack) -> anyhow::Result<()> {
    let mut admin = stack.servers.admin(&stack.database).await?;
    sqlx::query("UPDATE schedules SET paused_at = now() WHERE enterprise_id IS NOT NULL").execute(&mut admin).await?;
    Ok(())
}

async fn pull(client: &Client, account: &Value) -> anyhow::Result<(Value, f64)> {
    // The list ends at the second in which the job was promised.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let run = client.post("/sync-runs", json!({ "accountId": account, "kind": "order_history" })).await?;
    let path = format!("/sync-runs/{}", text(&run, "id")?);
    let done = client.until(&path, LONG, |run| run["finishedAt"].is_string()).await?;
    ensure!(done["status"] == "succeeded", "the import did not succeed: {done}");
    let took = moment(&done, "finishedAt")? - moment(&done, "startedAt")?;
    Ok((done, took.num_milliseconds() as f64 / 1000.0))
}

async fn limited(stack: &Stack, client: &Client, orders: usize) -> anyhow::Result<Figure> {
    pause(stack).await?;
    stack.seller.place_orders(orders);
    let account = client.get("/wildberries/accounts").await?["items"][0]["id"].clone();
    stack.simulator.clear_exchanges();
    let (_, took) = pull(client, &account).await?;
    let calls = stack.simulator.exchanges().len();
    // Twenty at once, then one every 200 ms: Wildberries' row for orders and supplies.
    let dictated = (calls.saturating_sub(20)) as f64 * 0.2;
    let reached = format!(
        "{took:.1} s for {calls} calls, limits alone {dictated:.1} s: {:+.1} %",
        (took / dictated - 1.0) * 100.0
    );
    Ok(Figure {
        what: "import with the limits on, against the limits alone",
        promise: "≤ +10 %",
        reached,
        held: took <= dictated * 1.1,
    })
}

async fn import(stack: &Stack, orders: usize) -> anyhow::Result<Figure> {
    let client =
        Client::new(&stack.api_url)?.sign_in(&stack.administrator.email, &stack.administrator.password).await?;
    let token = stack.seller.token(TokenKind::Personal, ALL_CATEGORIES);
    let account =
        client.post("/wildberries/accounts", json!({ "name": "Ромашка", "token": token })).await?["id"].clone();
    pause(stack).await?;
    bare::stock(&client, &account, orders).await?;
    let mut admin = stack.servers.admin(&stack.database).await?;
    let twin = bare::twin(&mut admin).await?;
    stack.seller.place_orders(orders);
    let (run, ours) = pull(&client, &account).await?;
    ensure!(run["added"].as_u64() == u64::try_from(orders).ok(), "{} of {orders} orders were imported", run["added"]);
    let (written, bare) = bare::write(stack, &mut admin, twin).await?;
    ensure!(written == orders, "{written} of {orders} orders were written bare");
    let rate = |seconds: f64| orders as f64 / seconds;
    let reached = format!("{:.0} orders/s, bare SQL {:.0} orders/s: ratio {:.2}", rate(ours), rate(bare), bare / ours);
    Ok(Figure {
        what: "import of orders, against bare SQL with the same writes",
        promise: "≥ 0.50",
        reached,
        held: bare / ours >= 0.5,
    })
}
