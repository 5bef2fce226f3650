//! `cargo wb chaos ledger`: many want the last units at once, then a storm of acts on stock, of receipts and transfers, of
//! buyers' orders and second thoughts and of picks, while processes are killed with -9. Never sold twice, never drifting: what was asked for and told is compared with what
//! the database holds, by a program that knows nothing of the product but its tables.

mod acts;
mod asked;
mod asker;
mod carried;
mod carrier;
mod checker;
mod history;
mod orders;
mod picker;
mod race;
mod storm;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;
use wildberries::{ALL_CATEGORIES, Shop, TokenKind};

use crate::client::text;
use crate::programs::{Profile, Program};
use crate::{Client, Options, Stack, Steps, demo, wait};

/// How many processes of the API, and how many workers.
const PROCESSES: usize = 3;
const CELLS: usize = 12;
/// The slowest hundredth of the reservations.
const PROMISED: Duration = Duration::from_secs(1);
const READY: Duration = Duration::from_secs(30);

/// How much.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Rounds of the race.
    pub rounds: u64,
    /// Acts of the storm.
    pub acts: u64,
    /// Whether a reservation has to be fast: not in a gate, which runs beside whatever else the machine does.
    pub in_time: bool,
    /// As they are shipped, or as they are tested.
    pub profile: Profile,
}

impl Size {
    /// What is promised.
    pub const FULL: Self = Self { rounds: 200, acts: 100_000, in_time: true, profile: Profile::Release };
    /// Under ten minutes.
    pub const SHORT: Self = Self { rounds: 40, acts: 20_000, in_time: true, profile: Profile::Release };
    /// Under three minutes.
    pub const GATE: Self = Self { rounds: 6, acts: 2_500, in_time: false, profile: Profile::Dev };
}

/// Where it happens.
struct World {
    stack: Stack,
    /// One client for each process of the API.
    clients: Vec<Client>,
    replicas: Vec<(Program, String)>,
    workers: Vec<Program>,
    account: String,
    warehouse: String,
    /// A second warehouse, which sells nothing.
    branch: String,
    products: Vec<Product>,
}

/// A product of a card.
struct Product {
    id: String,
    /// Its size at Wildberries.
    size: i64,
    barcode: String,
}

/// The race, then the storm.
pub async fn ledger(size: Size, seed: u64, steps: &mut Steps) -> anyhow::Result<()> {
    steps.note(&format!("seed {seed}"));
    let begin = Instant::now();
    let mut world = World::prepare(size.profile, steps).await?;
    let racing = race::run(&world, size.rounds, seed);
    let what = format!("{} rounds of {} who want {} units", size.rounds, race::WANTING, race::UNITS);
    let mut race = steps.step(&what, racing).await?;
    let what = format!("{} acts of {} clients, a process killed every 2 s", size.acts, storm::CLIENTS);
    let storm = steps.step(&what, storm::run(&mut world, size.acts, seed)).await?;
    race.history.add(storm.history);
    let history = race.history;
    steps.step("Wait until every order is known", orders::settle(&world, &history)).await?;
    let checking = checker::check(&world, &history);
    let found = steps.step("Compare what was asked for and told with what is there", checking).await?;
    let deadlocks = world.count("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").await?;
    ensure!(deadlocks == 0, "{deadlocks} deadlocks");
    let proof = world.clients[0].get("/inventory/consistency").await?;
    ensure!(proof["differences"] == json!([]), "{proof}");
    steps.note(&format!(
        "chaos ledger: seed {seed}; race {} rounds x {} reservations over {PROCESSES} API and {PROCESSES} worker processes, {} cancelled between, exactly {} each round, \
         p99 {} ms, {} asked to come again; storm {} acts; of all {} done, {} refused, {} unknown of which {} done; {} orders, {} cancelled by buyers, {} picked, {} put back; {} receipts, {} transfers; {} killed with -9, {} entries, {} balances, 0 differences, 0 deadlocks, {:.0} s",
        size.rounds,
        race::WANTING,
        race.cancelled,
        race::UNITS,
        race.p99.as_millis(),
        race.turned_away,
        size.acts,
        found.done,
        found.refused,
        found.unknown,
        found.unknown_done,
        history.placed.len(),
        history.cancelled.len(),
        history.picked.len(),
        history.put_back.len(),
        history.receipts.len(),
        history.transfers.len(),
        storm.kills,
        found.entries,
        found.balances,
        begin.elapsed().as_secs_f64()
    ));
    ensure!(!size.in_time || race.p99 < PROMISED, "a reservation took {:?} at the 99th percentile", race.p99);
    drop((world.replicas, world.workers));
    world.stack.down().await
}

impl World {
    async fn prepare(profile: Profile, steps: &mut Steps) -> anyhow::Result<Self> {
        let shop = Shop { cards: 12, warehouses: 1, marked: 0, ..Shop::default() };
        // A private server: its count of deadlocks is ours alone. Cancellations are heard of while the storm goes on.
        let options = Options {
            workers: PROCESSES,
            private: true,
            shop,
            profile,
            variables: demo::rhythm(),
            ..Options::default()
        };
        let mut stack = Stack::up_with(options, steps).await?;
        let workers = std::mem::take(&mut stack.workers);
        let mut replicas = Vec::new();
        for number in 1..=PROCESSES {
            let starting = stack.another_api(number);
            replicas.push(steps.step(&format!("Start replica {number} of the API"), starting).await?);
        }
        let person = stack.administrator.clone();
        let client = Client::new(&replicas[0].1)?.stay_signed_in(&person.email, &person.password).await?;
        let clients: Vec<_> = replicas.iter().map(|(_, url)| client.at(url)).collect();
        let (account, products) =
            steps.step("Store a token and pull the catalogue", catalogue(&stack, &client)).await?;
        let (warehouse, branch) = steps.step("Build two warehouses", build(&client, &account)).await?;
        Ok(Self { stack, clients, replicas, workers, account, warehouse, branch, products })
    }

    async fn count(&self, query: &'static str) -> anyhow::Result<i64> {
        let mut admin = self.stack.servers.admin(&self.stack.database).await?;
        sqlx::query_scalar(query).fetch_one(&mut admin).await.with_context(|| format!("counting: {query}"))
    }
}

async fn catalogue(stack: &Stack, client: &Client) -> anyhow::Result<(String, Vec<Product>)> {
    let token = stack.seller.token(TokenKind::Personal, ALL_CATEGORIES);
    let account =
        text(&client.post("/wildberries/accounts", json!({ "name": "Ромашка", "token": token })).await?, "id")?;
    let products = wait::until_ok("the catalogue arrives", Duration::from_mins(1), async || {
        let products = client.all("/products").await?;
        ensure!(products.len() >= 12, "{} products", products.len());
        let warehouses = client.get("/wildberries/warehouses").await?;
        ensure!(warehouses["items"].as_array().is_some_and(|items| !items.is_empty()), "no warehouse yet");
        Ok(products)
    })
    .await?;
    let known = |product: &serde_json::Value| {
        let barcode = product["barcodes"][0].as_str().context("a barcode")?.to_owned();
        Ok(Product { id: text(product, "id")?, size: product["chrtId"].as_i64().context("a size")?, barcode })
    };
    Ok((account, products.iter().map(known).collect::<anyhow::Result<_>>()?))
}

async fn build(client: &Client, account: &str) -> anyhow::Result<(String, String)> {
    let cells: Vec<_> = (0..CELLS).map(|cell| json!({ "code": code(cell), "pickSequence": cell })).collect();
    let mut built = Vec::new();
    for name in ["Склад", "Филиал"] {
        let warehouse = text(&client.post("/warehouses", json!({ "name": name })).await?, "id")?;
        client.post(&format!("/warehouses/{warehouse}/cells"), json!({ "cells": cells })).await?;
        built.push(warehouse);
    }
    let (branch, warehouse) = (built.pop().context("two")?, built.pop().context("two")?);
    for theirs in client.get("/wildberries/warehouses").await?["items"].as_array().context("a list")? {
        let path = format!("/wildberries/accounts/{account}/warehouses/{}", theirs["wbWarehouseId"]);
        client.put(&path, json!({ "warehouseId": warehouse })).await?;
    }
    Ok((warehouse, branch))
}

fn code(cell: usize) -> String {
    format!("A-{cell:02}")
}
