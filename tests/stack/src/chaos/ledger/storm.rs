//! The storm: eight clients act on the same stock by chance, and write down what they were told.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures::future::try_join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::Value;

use super::acts::{Act, Kept, draw};
use super::{PROCESSES, READY, World};
use crate::Client;
use crate::programs::Program;

pub(super) const CLIENTS: u64 = 8;
const BETWEEN_KILLS: Duration = Duration::from_secs(2);
/// A client that insists and has no answer by then has found a fault.
const PATIENCE: Duration = Duration::from_mins(1);
/// Rules that may say no here; any other refusal is a fault of ours.
const REFUSALS: [&str; 7] = [
    "hold_ended",
    "hold_unknown",
    "lot_unknown",
    "not_enough_stock",
    "reservation_ended",
    "reservation_unknown",
    "same_cell",
];

/// What a client was told of an act.
pub(super) enum Told {
    /// It was done, with this answer.
    Done(Value),
    /// It was not done.
    Refused,
    /// Nothing: the connection broke, or the process died.
    Nothing,
}

/// One line of the history.
pub(super) struct Line {
    pub number: String,
    pub kind: &'static str,
    pub told: Told,
}

/// What the storm left.
pub(super) struct Storm {
    pub history: Vec<Line>,
    pub kills: u64,
}

pub(super) async fn run(world: &mut World, acts: u64, seed: u64) -> anyhow::Result<Storm> {
    let mut kills = 0;
    let World { clients, replicas, workers, warehouse, products, .. } = world;
    let acting = (0..CLIENTS).map(|number| {
        let one = Actor { number, clients, warehouse, products, chance: StdRng::seed_from_u64(seed ^ (number << 40)) };
        one.run(acts / CLIENTS)
    });
    let histories = tokio::select! {
        histories = try_join_all(acting) => histories?,
        failed = kill(replicas, workers, seed, &mut kills) => return Err(failed),
    };
    for (replica, url) in replicas {
        if replica.ended().is_some() {
            replica.restart().await?;
        }
        replica.wait_ready(&format!("{url}/health/ready"), READY).await?;
    }
    Ok(Storm { history: histories.into_iter().flatten().collect(), kills })
}

struct Actor<'a> {
    number: u64,
    clients: &'a [Client],
    warehouse: &'a str,
    products: &'a [(String, i64)],
    chance: StdRng,
}

impl Actor<'_> {
    async fn run(mut self, acts: u64) -> anyhow::Result<Vec<Line>> {
        let (mut history, mut kept) = (Vec::new(), Kept::default());
        for act in 0..acts {
            let number = format!("storm-{}-{act}", self.number);
            let act = draw(&mut self.chance, number, self.warehouse, self.products, &mut kept);
            // Half of them insist under a key until they know; the others go on without knowing.
            let insists = self.chance.random_bool(0.5);
            let told = self.ask(&act, insists).await.with_context(|| format!("{} {}", act.path, act.body))?;
            if let Told::Done(answer) = &told {
                remember(&act, answer, &mut kept);
            }
            history.push(Line { number: act.number, kind: act.kind, told });
        }
        Ok(history)
    }

    async fn ask(&mut self, act: &Act, insists: bool) -> anyhow::Result<Told> {
        let begin = Instant::now();
        let key = [("Idempotency-Key", act.number.as_str())];
        loop {
            let client = &self.clients[self.chance.random_range(0..self.clients.len())];
            let headers = if insists { &key[..] } else { &[] };
            match client.ask_with(Method::POST, act.path, Some(act.body.clone()), headers).await {
                Ok(answer) if answer.status.as_u16() == 200 && answer.body.is_object() => {
                    return Ok(if answer.body["document"].is_null() { Told::Refused } else { Told::Done(answer.body) });
                }
                Ok(answer) if REFUSALS.contains(&answer.code()) => return Ok(Told::Refused),
                Ok(answer) if answer.code() == "idempotency_in_progress" && insists => {}
                // A process that just starts, a pool that is full, or an answer cut off by a kill.
                Ok(answer) if [200, 503].contains(&answer.status.as_u16()) && answer.code() != "internal" => {}
                Ok(answer) => bail!("answered {}: {}", answer.status, answer.body),
                Err(_killed) => {}
            }
            if !insists {
                return Ok(Told::Nothing);
            }
            ensure!(begin.elapsed() < PATIENCE, "no answer within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(self.chance.random_range(5..50))).await;
        }
    }
}

/// What was kept by the act may be given back by a later one.
fn remember(act: &Act, answer: &Value, kept: &mut Kept) {
    let list = match act.kind {
        "hold" => &mut kept.holds,
        "reserve" => &mut kept.reservations,
        _ => return,
    };
    for row in answer["rows"].as_array().into_iter().flatten() {
        list.extend(row["parts"].as_array().into_iter().flatten().map(|part| part["id"].clone()));
    }
}

/// Kills and starts again, for ever; ends only when a process cannot be started.
async fn kill(
    replicas: &mut [(Program, String)],
    workers: &mut [Program],
    seed: u64,
    kills: &mut u64,
) -> anyhow::Error {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut beat = tokio::time::interval(BETWEEN_KILLS);
    beat.tick().await;
    loop {
        beat.tick().await;
        *kills += 1;
        let victim = chance.random_range(0..PROCESSES + 1);
        let again = async {
            if let Some((replica, url)) = replicas.get_mut(victim) {
                replica.kill().await?;
                replica.restart().await?;
                replica.wait_ready(&format!("{url}/health/ready"), READY).await
            } else {
                let worker = &mut workers[chance.random_range(0..PROCESSES)];
                worker.kill().await?;
                worker.restart().await
            }
        };
        if let Err(error) = again.await {
            return error.context("starting a killed process again");
        }
    }
}
