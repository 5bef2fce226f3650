//! `cargo wb chaos idempotency`: many clients send one request under one key to three replicas of the API, round after
//! round, while a replica is killed with -9 every two seconds. Each client insists until it has an answer, as it should.
//! One effect a key, all answers equal, and an audit entry for each effect: counted in the database afterwards.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures::future::try_join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};

use crate::programs::Program;
use crate::{Client, Options, Stack, Steps};

const CLIENTS: u64 = 50;
const REPLICAS: usize = 3;
const BETWEEN_KILLS: Duration = Duration::from_secs(2);
/// A client that has no answer by then has found a fault.
const PATIENCE: Duration = Duration::from_mins(1);
const READY: Duration = Duration::from_secs(30);

/// What the clients of all rounds met.
#[derive(Debug, Default)]
struct Met {
    answers: u64,
    replayed: u64,
    busy: u64,
    broken: u64,
}

/// So many keys, one after the other.
pub async fn idempotency(rounds: u64, seed: u64, steps: &mut Steps) -> anyhow::Result<()> {
    let options = Options { workers: 0, ..Options::default() };
    let stack = Stack::up_with(options, steps).await?;
    let mut replicas = Vec::new();
    for number in 1..=REPLICAS {
        replicas.push(steps.step(&format!("Start replica {number} of the API"), stack.another_api(number)).await?);
    }
    let person = &stack.administrator;
    let client = Client::new(&replicas[0].1)?.sign_in(&person.email, &person.password).await?;
    let clients: Vec<_> = replicas.iter().map(|(_, url)| client.at(url)).collect();
    let (begin, mut kills, mut met) = (Instant::now(), 0, Met::default());
    let asking = async {
        tokio::select! {
            asked = ask(&clients, rounds, seed, &mut met) => asked,
            failed = kill(&mut replicas, seed, &mut kills) => Err(failed),
        }
    };
    steps.step(&format!("{CLIENTS} clients, one key, {REPLICAS} replicas, {rounds} rounds"), asking).await?;
    let took = begin.elapsed().as_secs_f64();
    steps.step("Count the effects", count(&stack, rounds)).await?;
    let Met { answers, replayed, busy, broken } = met;
    steps.note(&format!(
        "chaos idempotency: {rounds} keys x {CLIENTS} clients x {REPLICAS} replicas, {kills} killed with -9, {answers} equal answers ({replayed} replayed), \
         {busy} asked to come back, {broken} without an answer and asked again, 1 effect a key, 0 exceptions, {took:.0} s"
    ));
    drop(replicas);
    stack.down().await
}

fn name(round: u64) -> String {
    format!("Склад {round}")
}

async fn ask(clients: &[Client], rounds: u64, seed: u64, met: &mut Met) -> anyhow::Result<()> {
    for round in 1..=rounds {
        let insisting = (0..CLIENTS).map(|number| insist(clients, round, seed ^ (round << 16) ^ number));
        let answers = try_join_all(insisting).await?;
        let first = &answers[0].0;
        for (answer, one) in &answers {
            ensure!(answer == first, "round {round}: two answers to one key: {first} and {answer}");
            met.replayed += one.replayed;
            met.busy += one.busy;
            met.broken += one.broken;
        }
        met.answers += CLIENTS;
        let fresh = answers.iter().filter(|(_, one)| one.replayed == 0).count();
        ensure!(fresh <= 1, "round {round}: {fresh} clients were told that they were the first");
    }
    Ok(())
}

/// Asks this or that replica until one answers; everything but an answer or a reason to come back is a fault.
async fn insist(clients: &[Client], round: u64, seed: u64) -> anyhow::Result<(Value, Met)> {
    let (mut chance, begin, mut met) = (StdRng::seed_from_u64(seed), Instant::now(), Met::default());
    let (key, body) = (format!("round {round}"), json!({ "name": name(round) }));
    loop {
        let client = &clients[chance.random_range(0..clients.len())];
        let headers = [("Idempotency-Key", key.as_str())];
        let last = match client.ask_with(Method::POST, "/warehouses", Some(body.clone()), &headers).await {
            Ok(answer) if answer.status.as_u16() == 201 && answer.body.is_object() => {
                met.replayed = u64::from(answer.header("idempotent-replayed") == "true");
                return Ok((answer.body, met));
            }
            Ok(answer) if answer.code() == "idempotency_in_progress" => {
                met.busy += 1;
                answer.body.to_string()
            }
            // A replica that just starts, or a database that is asked by too many; a status alone is a body cut off by a kill.
            Ok(answer) if [201, 429, 503].contains(&answer.status.as_u16()) => {
                met.broken += 1;
                format!("{} {}", answer.status, answer.body)
            }
            Ok(answer) => bail!("round {round} was answered {}: {}", answer.status, answer.body),
            Err(killed) => {
                met.broken += 1;
                format!("{killed:#}")
            }
        };
        ensure!(
            begin.elapsed() < PATIENCE,
            "round {round}: no answer within {PATIENCE:?}, after {} times in progress and {} times none; at last: {last}",
            met.busy,
            met.broken
        );
        tokio::time::sleep(Duration::from_millis(chance.random_range(5..50))).await;
    }
}

/// Kills and starts again, for ever; ends only when a replica cannot be started.
async fn kill(replicas: &mut [(Program, String)], seed: u64, kills: &mut u64) -> anyhow::Error {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut beat = tokio::time::interval(BETWEEN_KILLS);
    beat.tick().await;
    loop {
        beat.tick().await;
        let (replica, url) = &mut replicas[chance.random_range(0..REPLICAS)];
        *kills += 1;
        let again = async {
            replica.kill().await?;
            replica.restart().await?;
            replica.wait_ready(&format!("{url}/health/ready"), READY).await
        };
        if let Err(error) = again.await {
            return error.context("starting a killed replica again");
        }
    }
}

/// One warehouse, one kept answer and one audit entry for every key, and none besides.
async fn count(stack: &Stack, rounds: u64) -> anyhow::Result<()> {
    let mut admin = stack.servers.admin(&stack.database).await?;
    for (what, query) in [
        ("warehouses", "SELECT count(*) FROM warehouses"),
        ("kept answers", "SELECT count(*) FROM idempotency_keys"),
        ("audit entries", "SELECT count(*) FROM audit_entries WHERE action = 'warehouse.created'"),
        (
            "warehouses with their entry",
            "SELECT count(DISTINCT w.id) FROM warehouses AS w JOIN audit_entries AS e ON e.object_id = w.id::text",
        ),
    ] {
        let there: i64 =
            sqlx::query_scalar(query).fetch_one(&mut admin).await.with_context(|| format!("counting {what}"))?;
        ensure!(u64::try_from(there).ok() == Some(rounds), "{there} {what} for {rounds} keys");
    }
    Ok(())
}
