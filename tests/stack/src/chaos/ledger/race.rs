//! The race: two hundred want one unit each of fifty, over three processes, and some change their minds. Never more than
//! fifty have one; when they ask on, exactly fifty do. In some rounds buyers at Wildberries want the same units.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures::future::try_join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use wildberries::OrderSpec;

use super::World;
use super::history::{Act, History, Line, Placed, Told};
use crate::client::{Answer, text};
use crate::{Client, wait};

/// Who want a unit at once.
pub(super) const WANTING: u64 = 200;
/// How many there are.
pub(super) const UNITS: i64 = 50;
/// In every so manieth round buyers order, too.
const BUYERS_EVERY: u64 = 3;
const BUYERS: usize = 20;
/// Who is told for so long that the database is busy has found a fault.
const PATIENCE: Duration = Duration::from_mins(1);
const RESERVATIONS: &str = "/inventory/reservations";

/// What the rounds met.
pub(super) struct Met {
    pub p99: Duration,
    pub cancelled: u64,
    /// How often somebody was asked to come again.
    pub turned_away: u64,
    /// What everybody was told.
    pub history: History,
}

pub(super) async fn run(world: &World, rounds: u64, seed: u64) -> anyhow::Result<Met> {
    let (mut took, mut cancelled, turned_away) = (Vec::new(), 0, AtomicU64::new(0));
    let (asked, history) = (AtomicU64::new(0), Mutex::new(History::default()));
    for round in 0..rounds {
        let number = usize::try_from(round).context("a round")? % world.products.len();
        let one = Round {
            world,
            product: &world.products[number].id,
            size: world.products[number].size,
            seed: seed ^ (round << 20),
            turned_away: &turned_away,
            asked: &asked,
            history: &history,
        };
        let with_buyers = round % BUYERS_EVERY == BUYERS_EVERY - 1;
        let (times, changed) = one.run(with_buyers).await.with_context(|| format!("round {round}"))?;
        took.extend(times);
        cancelled += changed;
    }
    took.sort_unstable();
    let p99 = took[(took.len() * 99).div_ceil(100).saturating_sub(1)];
    let history = history.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Met { p99, cancelled, turned_away: turned_away.into_inner(), history })
}

struct Round<'a> {
    world: &'a World,
    product: &'a str,
    size: i64,
    seed: u64,
    turned_away: &'a AtomicU64,
    /// How many acts were asked for: each has a number of its own.
    asked: &'a AtomicU64,
    history: &'a Mutex<History>,
}

/// On hand, and what of it is kept.
struct Stock {
    on_hand: i64,
    kept: i64,
}

impl Round<'_> {
    async fn run(&self, with_buyers: bool) -> anyhow::Result<(Vec<Duration>, u64)> {
        self.refill().await?;
        let before = self.stock().await?;
        ensure!(before.on_hand - before.kept == UNITS, "the round begins with {} free", before.on_hand - before.kept);
        let mut orders = Vec::new();
        for _ in 0..if with_buyers { BUYERS } else { 0 } {
            let spec = OrderSpec { chrt_id: Some(self.size), ..OrderSpec::default() };
            let number = self.world.stack.seller.place_order(spec)?;
            self.write_down(|history| history.placed.push(Placed { number, size: self.size }));
            orders.push(number);
        }
        let outcomes = try_join_all((0..WANTING).map(|number| self.want(number))).await?;
        let mut ids: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.kept.clone()).collect();
        let cancelled = outcomes.iter().filter(|outcome| outcome.cancelled).count();
        for number in &orders {
            self.imported(*number).await?;
        }
        let now = self.stock().await?;
        ensure!(now.kept - before.kept <= UNITS, "{} of {UNITS} units are held", now.kept - before.kept);
        // Whoever changed their mind left units: they are asked for until they are gone, and not once more.
        let asking = (WANTING..WANTING + WANTING / 2).map(|number| self.insist(number, self.one()));
        for answer in try_join_all(asking).await? {
            let expected = answer.status.is_success() || answer.code() == "not_enough_stock";
            ensure!(expected, "asked on and was answered {} {}", answer.status, answer.body);
        }
        let end = self.stock().await?;
        ensure!(
            end.kept - before.kept == UNITS,
            "{} of {UNITS} units are held when all were asked for",
            end.kept - before.kept
        );
        ensure!(end.on_hand == before.on_hand, "units came or went");
        let rows = self.client(0).all(&format!("{RESERVATIONS}?productId={}", self.product)).await?;
        let by_hand: Vec<_> = rows.iter().filter(|row| row["orderId"].is_null()).map(|row| row["id"].clone()).collect();
        ids.retain(|id| !by_hand.contains(id));
        ensure!(ids.is_empty(), "{} acknowledged reservations are not there", ids.len());
        let answer = self.insist(1, self.release(&by_hand)).await?;
        ensure!(answer.status.is_success(), "released and was answered {} {}", answer.status, answer.body);
        Ok((outcomes.into_iter().map(|outcome| outcome.took).collect(), u64::try_from(cancelled)?))
    }

    fn client(&self, number: u64) -> &Client {
        let clients = &self.world.clients;
        &clients[usize::try_from(number).unwrap_or(0) % clients.len()]
    }

    /// An act under a number of its own.
    fn act(&self, kind: &'static str, path: &'static str, mut body: Value) -> Act {
        body["warehouseId"] = json!(self.world.warehouse);
        body["number"] = json!(format!("race-{}", self.asked.fetch_add(1, Ordering::Relaxed)));
        Act { kind, path, body }
    }

    fn one(&self) -> Act {
        self.act("reserve", RESERVATIONS, json!({ "lines": [{ "productId": self.product, "quantity": 1 }] }))
    }

    fn release(&self, ids: &[Value]) -> Act {
        self.act("release", "/inventory/reservations/release", json!({ "ids": ids }))
    }

    fn write_down(&self, write: impl FnOnce(&mut History)) {
        write(&mut self.history.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Asks for one unit; every fifth who gets it changes their mind at once.
    async fn want(&self, number: u64) -> anyhow::Result<Outcome> {
        let mut chance = StdRng::seed_from_u64(self.seed ^ number);
        let begin = Instant::now();
        let answer = self.insist(number, self.one()).await?;
        let took = begin.elapsed();
        if answer.code() == "not_enough_stock" {
            return Ok(Outcome { took, kept: None, cancelled: false });
        }
        if !answer.status.is_success() {
            bail!("{} {}", answer.status, answer.body);
        }
        let id = answer.body["rows"][0]["parts"][0]["id"].clone();
        if !chance.random_ratio(1, 5) {
            return Ok(Outcome { took, kept: Some(id), cancelled: false });
        }
        let answer = self.insist(number + 1, self.release(&[id])).await?;
        ensure!(answer.status.is_success(), "released and was answered {} {}", answer.status, answer.body);
        Ok(Outcome { took, kept: None, cancelled: true })
    }

    /// Asks again where no connection to the database was free in time, as the answer says: nothing was begun, and the wait
    /// counts.
    async fn insist(&self, number: u64, act: Act) -> anyhow::Result<Answer> {
        let begin = Instant::now();
        loop {
            let answer = self.client(number).ask(Method::POST, act.path, Some(act.body.clone())).await?;
            let is_busy = ["database_unavailable", "unavailable"].contains(&answer.code());
            if !is_busy || begin.elapsed() > PATIENCE {
                let told = Told::of(&answer);
                let told = told.with_context(|| format!("answered {}: {}", answer.status, answer.body))?;
                self.write_down(|history| history.acts.push(Line { act, told }));
                return Ok(answer);
            }
            let after = answer.headers.get("retry-after").and_then(|after| after.to_str().ok()?.parse().ok());
            self.turned_away.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(after.context("a 503 without Retry-After")?)).await;
        }
    }

    async fn stock(&self) -> anyhow::Result<Stock> {
        let mut stock = Stock { on_hand: 0, kept: 0 };
        for row in self.client(0).all(&format!("/inventory?productId={}", self.product)).await? {
            let number = |field: &str| row[field].as_i64().with_context(|| format!("{field} in {row}"));
            stock.on_hand += number("onHand")?;
            stock.kept += number("reserved")? + number("onHold")?;
        }
        Ok(stock)
    }

    /// Brings the free units to fifty. What is found serves who waits first, so it may take more than one go.
    async fn refill(&self) -> anyhow::Result<()> {
        for go in 0..10_i64 {
            let stock = self.stock().await?;
            let missing = UNITS - (stock.on_hand - stock.kept);
            if missing == 0 {
                return Ok(());
            }
            let cells = if missing > 0 { 2 } else { 1 };
            let line = |cell: i64| {
                let change = if missing > 0 { missing / 2 + cell * (missing % 2) } else { missing };
                json!({ "productId": self.product, "cell": super::code(usize::try_from(cell + go % 2).unwrap_or(0)), "change": change, "reason": "opening" })
            };
            let lines: Vec<_> = (0..cells).map(line).filter(|line| line["change"] != 0).collect();
            let body = json!({ "mode": "each_row", "lines": lines });
            self.insist(2, self.act("adjust", "/inventory/adjustments", body)).await?;
        }
        bail!("the free units cannot be brought to {UNITS}")
    }

    /// Waits until the order is known, and has found its unit or has not.
    async fn imported(&self, number: i64) -> anyhow::Result<()> {
        let client = self.client(0);
        wait::until_ok("the order arrives", Duration::from_mins(1), async || {
            let page = client.get(&format!("/orders?wbOrderId={number}")).await?;
            let status = text(&page["items"][0], "status")?;
            ensure!(["reserved", "out_of_stock"].contains(&status.as_str()), "it is {status}");
            Ok(())
        })
        .await
    }
}

struct Outcome {
    took: Duration,
    kept: Option<Value>,
    cancelled: bool,
}
