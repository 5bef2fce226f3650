//! The canary: a token with a marker in it goes through everything that the product does, and then the marker is looked
//! for everywhere: tables, Redis, log lines, jobs, answers. Only Wildberries may have seen it.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use it::{Shop, TestApp, answers::Walk};
use redis::AsyncCommands;
use shared::accounts::WatchTokens;
use shared::telemetry::{Form, Lines};
use sqlx::{AssertSqlSafe, Row};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, span};
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};
use wildberries::{Fault, FaultKind, TokenSpec};

/// What the simulator says when it fails in plain text.
const THEIR_WORDS: &str = "upstream connect error";

/// What gives the token away: the marker, and the token's parts, as they are and as they may have been written down.
struct Needles(Vec<(&'static str, String)>);

impl Needles {
    fn of(token: &str, marker: &str) -> Result<Self> {
        let parts: Vec<&str> = token.split('.').collect();
        let [_, payload, signature] = parts[..] else { anyhow::bail!("a token has three parts") };
        let mut needles = vec![
            ("the marker", marker.to_owned()),
            ("the payload", payload.to_owned()),
            ("the signature", signature.to_owned()),
            ("the marker in hexadecimal", hex::encode(marker)),
            ("the payload in hexadecimal", hex::encode(payload)),
        ];
        for shift in 0..3 {
            // The letters at the edges also hold bits of what stands beside the marker.
            let shifted: Vec<u8> = std::iter::repeat_n(0, shift).chain(marker.bytes()).collect();
            let inner = (shift * 8).div_ceil(6)..(shifted.len() * 8) / 6;
            needles.push(("the marker in base64url", URL_SAFE_NO_PAD.encode(&shifted)[inner.clone()].to_owned()));
            needles.push(("the marker in base64", STANDARD.encode(&shifted)[inner].to_owned()));
        }
        Ok(Self(needles))
    }

    fn find(&self, text: &str) -> Option<&'static str> {
        self.0.iter().find(|(_, needle)| text.contains(needle.as_str())).map(|(what, _)| *what)
    }
}

/// Everything that was said, before anything is cut out of it.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<String>>);

impl Said {
    fn add(&self, text: &str) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.push_str(text);
        said.push('\n');
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.add(&format!("{}={value:?}", field.name()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(&format!("{}={value}", field.name()));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Said {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: LayerContext<'_, S>) {
        attributes.record(&mut self.clone());
    }

    fn on_record(&self, _: &span::Id, values: &span::Record<'_>, _: LayerContext<'_, S>) {
        values.record(&mut self.clone());
    }

    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        event.record(&mut self.clone());
    }
}

/// As a writer it gets the finished lines of everybody's code.
impl std::io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.add(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Our own code may not even try to say it; other people's code may, but no line has it.
fn listen() -> (Said, Said) {
    let (raw, lines) = (Said::default(), Said::default());
    let writer = lines.clone();
    let subscriber = tracing_subscriber::registry()
        .with(raw.clone().with_filter(EnvFilter::new("api=trace,worker=trace,shared=trace")))
        .with(Lines::new(Form::Json, move || writer.clone()).with_filter(EnvFilter::new(
            "debug,api=trace,worker=trace,shared=trace,reqwest=trace,hyper=trace,hyper_util=trace,poem=trace,sqlx=trace",
        )));
    // Where tests share a process, the first to come listens to all of them.
    drop(tracing::subscriber::set_global_default(subscriber));
    (raw, lines)
}

/// What a warehouse does all day.
async fn work(shop: &Shop<'_>) -> Result<()> {
    let (request, lines) = shop.picked(3).await?;
    let supply = shop.supply(&request).await?;
    shop.print(&request).await?;
    shop.deliver(&supply).await?;
    shop.client.post("/print-jobs", serde_json::json!({ "printerId": shop.printer, "supplyId": supply })).await?;
    shop.seller.receive(lines[0]["wbOrderId"].as_i64().context("a number")?)?;
    for kind in ["order_statuses", "order_history", "catalogue", "warehouses", "new_orders"] {
        shop.sync(kind).await?;
    }
    Ok(())
}

async fn tables(app: &TestApp) -> Result<Vec<(String, String)>> {
    let mut connection = app.admin().await?;
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await?;
    let mut tables = Vec::new();
    for name in names {
        // A row as text has every column, bytes in hexadecimal.
        let rows =
            sqlx::query(AssertSqlSafe(format!("SELECT t::text FROM {name} AS t"))).fetch_all(&mut connection).await?;
        let mut text = String::new();
        for row in rows {
            writeln!(text, "{}", row.get::<String, _>(0))?;
        }
        tables.push((name, text));
    }
    Ok(tables)
}

async fn redis(app: &TestApp) -> Result<String> {
    let mut connection = redis::Client::open(app.redis_url())?.get_multiplexed_async_connection().await?;
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await?;
    let mut all = String::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut connection).await?;
        // Other tests work beside this one: a key may be gone or another thing by now.
        let values: redis::RedisResult<Vec<Vec<u8>>> = match kind.as_str() {
            "string" => connection.get(&key).await.map(|value: Vec<u8>| vec![value]),
            "list" => connection.lrange(&key, 0, -1).await,
            "set" => connection.smembers(&key).await,
            "zset" => connection.zrange(&key, 0, -1).await,
            "hash" => redis::cmd("HGETALL").arg(&key).query_async(&mut connection).await,
            "none" => continue,
            other => anyhow::bail!("nobody looks into a key of type {other}"),
        };
        for text in values.unwrap_or_default().iter().chain([&key]) {
            writeln!(all, "{}", String::from_utf8_lossy(text))?;
        }
    }
    Ok(all)
}

#[tokio::test]
async fn a_token_is_nowhere_but_at_wildberries() -> Result<()> {
    let marker = format!("canary-{:032x}", rand::random::<u128>());
    let (raw, lines) = listen();
    let app = TestApp::start().await?;
    let mut shop = app.shop_with(&TokenSpec { note: Some(marker.clone()), ..TokenSpec::default() }).await?;
    work(&shop).await?;
    app.promise(&WatchTokens {}).await?;
    app.run_jobs().await?;
    let answers = Walk::over(&shop).await?;
    app.run_jobs().await?;
    // Wildberries fails in words of its own.
    shop.client = app.sign_in(&shop.email).await?;
    app.simulator.fault(Fault::once("/api/v3/orders/new", FaultKind::PlainText { status: 400 }));
    let failed = shop.sync("new_orders").await?;
    ensure!(failed["problemDetail"].as_str().is_some_and(|words| words.contains(THEIR_WORDS)), "{failed}");
    // The token fails, too: what is told of a failure is where secrets get out.
    app.simulator.withdraw(&shop.token);
    app.later(60).await?;
    shop.client = app.sign_in(&shop.email).await?;
    let run = serde_json::json!({ "accountId": shop.account, "kind": "new_orders" });
    shop.client.ask(reqwest::Method::POST, "/sync-runs", Some(run)).await?;
    app.run_jobs().await?;

    // The needles find the token in every dress, and everything that is searched is there to be searched.
    let needles = Needles::of(&shop.token, &marker)?;
    for dressed in
        [shop.token.clone(), hex::encode(&shop.token), URL_SAFE_NO_PAD.encode(&marker), format!("x{marker}y")]
    {
        ensure!(needles.find(&dressed).is_some(), "{dressed} is not found");
    }
    for shift in 0..3 {
        let beside = format!("{}{marker}{{", "x".repeat(shift));
        ensure!(needles.find(&STANDARD.encode(&beside)) == Some("the marker in base64url"), "shift {shift}");
    }
    let calls = app.simulator.exchanges().len();
    ensure!(calls > 20, "Wildberries was called {calls} times");
    ensure!(answers.len() > 60, "{} calls were answered", answers.len());
    let worked = answers.iter().filter(|answer| answer.status < 400).count();
    ensure!(worked >= 60, "only {worked} of {} calls worked", answers.len());
    ensure!(lines.text().contains("Called Wildberries") && raw.text().len() > 1000, "nobody listened");

    for answer in &answers {
        assert_eq!(needles.find(&answer.text), None, "the answer of {}", answer.operation);
    }
    let tables = tables(&app).await?;
    ensure!(tables.len() > 25 && tables.iter().any(|(name, text)| name == "public.jobs" && text.lines().count() > 10));
    for (name, text) in tables {
        assert_eq!(needles.find(&text), None, "table {name}");
    }
    assert_eq!(needles.find(&redis(&app).await?), None, "Redis");
    for (what, text) in [("our code says it", raw.text()), ("a line of the log", lines.text())] {
        let found = text.lines().find_map(|line| needles.find(line).map(|needle| (needle, line.to_owned())));
        assert_eq!(found, None, "{what}");
    }
    assert!(!lines.text().contains(THEIR_WORDS));
    Ok(())
}
