//! What is asked of two hundred thousand products: a scanner's barcode and a person's words. No answer may read a whole table.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sqlx::PgConnection;
use tokio::task::JoinSet;

use super::price::barcode;
use crate::Client;
use crate::bench::door::p99;
use crate::bench::{Figure, percentiles};

/// Two hundred a second.
const PACE: Duration = Duration::from_millis(5);
const SCANS: usize = 6000;
/// Of the price list.
const CODES: usize = 100_000;
const WORDS: [&str; 10] = [
    "скатерть льняная",
    "футболка красная",
    "футбалка краснаяя",
    "кросовки детские",
    "рюкзаки дорожные",
    "WBA-54321",
    "PRICE-004567",
    "Бренд 68 лампа",
    "зелёные тарелки",
    "зонт складной чёрный",
];
const ROUNDS: usize = 20;
/// The database tells what it counted after so long at the latest.
const COUNTED: Duration = Duration::from_secs(11);

pub(super) async fn figures(client: &Client, admin: &mut PgConnection) -> Result<[Figure; 3]> {
    tokio::time::sleep(COUNTED).await;
    let before = scans(admin).await?;
    let barcodes = lookups(client).await?;
    let words = searches(client).await?;
    tokio::time::sleep(COUNTED).await;
    let after = scans(admin).await?;
    let scanned: Vec<_> = after
        .iter()
        .map(|(table, count)| (table, count - before.get(table).copied().unwrap_or(0)))
        .filter(|(_, count)| *count > 0)
        .map(|(table, count)| format!("{table} {count} ×"))
        .collect();
    let reached = if scanned.is_empty() { "none".to_owned() } else { scanned.join(", ") };
    Ok([
        barcodes,
        words,
        Figure { what: "whole tables read meanwhile", promise: "none", reached, held: scanned.is_empty() },
    ])
}

/// How often each large table was read as a whole.
async fn scans(admin: &mut PgConnection) -> Result<BTreeMap<String, i64>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT relname::text, seq_scan FROM pg_stat_user_tables
         WHERE relname IN ('products', 'barcodes', 'product_search', 'product_import_rows')",
    )
    .fetch_all(admin)
    .await?;
    Ok(rows.into_iter().collect())
}

/// At a steady pace, each timed from the moment at which it was due.
async fn lookups(client: &Client) -> Result<Figure> {
    let mut asking = JoinSet::new();
    let begin = tokio::time::Instant::now() + PACE;
    for number in 0..SCANS {
        let due = begin + PACE * u32::try_from(number)?;
        tokio::time::sleep_until(due).await;
        let (client, code) = (client.clone(), barcode(rand::random_range(0..CODES)));
        asking.spawn(async move {
            let product = client.get(&format!("/products/by-barcode?code={code}")).await?;
            ensure!(product["barcodes"][0] == code, "{code}: {product}");
            anyhow::Ok(due.elapsed().as_secs_f64() * 1000.0)
        });
    }
    let mut times = Vec::new();
    while let Some(time) = asking.join_next().await {
        times.push(time.context("asking")??);
    }
    // The first find nothing in any cache.
    let (p50, ..) = percentiles(times.clone());
    let p99 = p99(times);
    Ok(Figure {
        what: "a barcode of 200,000 products at 200 requests/s",
        promise: "p99 < 10 ms",
        reached: format!("p50 {p50:.2} ms, p99 {p99:.2} ms of {SCANS}"),
        held: p99 < 10.0,
    })
}

/// One after the other.
async fn searches(client: &Client) -> Result<Figure> {
    let (mut times, mut slowest) = (Vec::new(), (0.0, ""));
    for _ in 0..ROUNDS {
        for words in WORDS {
            let begin = Instant::now();
            let found = client.get(&format!("/products?limit=50&text={words}")).await?;
            let took = begin.elapsed().as_secs_f64() * 1000.0;
            ensure!(!found["items"].as_array().context("a list")?.is_empty(), "nothing is found for {words}");
            times.push(took);
            if took > slowest.0 {
                slowest = (took, words);
            }
        }
    }
    let (p50, p95, _) = percentiles(times);
    Ok(Figure {
        what: "words among 200,000 products, other forms and misspelt ones among them",
        promise: "p95 < 250 ms",
        reached: format!(
            "p50 {p50:.0} ms, p95 {p95:.0} ms, the slowest {:.0} ms (\u{ab}{}\u{bb})",
            slowest.0, slowest.1
        ),
        held: p95 < 250.0,
    })
}
