//! The storm: eight clients act on the same stock by chance while buyers order and think better of it, carriers bring and
//! take away, and pickers pick and put back; everybody writes down what they were told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use futures::future::try_join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::Value;
use wildberries::{BuyerAct, OrderSpec, Seller};

use super::acts::{Kept, draw};
use super::asker::Asker;
use super::carrier::Carrier;
use super::history::{Act, History, Line, Placed, Told};
use super::{PROCESSES, Product, READY, World, picker};
use crate::Client;
use crate::programs::Program;

pub(super) const CLIENTS: u64 = 8;
const PICKERS: u64 = 2;
const CARRIERS: u64 = 2;
const BETWEEN_KILLS: Duration = Duration::from_secs(2);
/// One act in so many is a buyer's order.
const ORDER_EVERY: u32 = 15;
/// And of so many orders one is cancelled by its buyer, some time later.
const CANCEL_EVERY: u32 = 4;

/// What the storm left.
pub(super) struct Storm {
    pub history: History,
    pub kills: u64,
}

pub(super) async fn run(world: &mut World, acts: u64, seed: u64) -> anyhow::Result<Storm> {
    let mut kills = 0;
    let World { stack, clients, replicas, workers, warehouse, branch, products, .. } = world;
    let (clients, warehouse, branch, products, seller): (&[Client], &str, &str, &[_], _) =
        (clients, warehouse, branch, products, &stack.seller);
    let over = AtomicBool::new(false);
    let asker = |number: u64| Asker { clients, chance: StdRng::seed_from_u64(seed ^ (number << 40)) };
    let acting = async {
        let actors = (0..CLIENTS)
            .map(|number| Actor { number, asker: asker(number), warehouse, products, seller }.run(acts / CLIENTS));
        let histories = try_join_all(actors).await;
        over.store(true, Ordering::Relaxed);
        histories
    };
    let picking = (0..PICKERS).map(|number| picker::run(asker(CLIENTS + number), number, warehouse, &over));
    let carrying = (0..CARRIERS).map(|number| {
        let asker = asker(CLIENTS + PICKERS + number);
        Carrier { number, asker, warehouses: [warehouse, branch], products }.run(&over)
    });
    let (acted, picked, carried) = tokio::select! {
        histories = async { tokio::try_join!(acting, try_join_all(picking), try_join_all(carrying)) } => histories?,
        failed = kill(replicas, workers, seed, &mut kills) => return Err(failed),
    };
    for (replica, url) in replicas {
        if replica.ended().is_some() {
            replica.restart().await?;
        }
        replica.wait_ready(&format!("{url}/health/ready"), READY).await?;
    }
    for worker in workers {
        if worker.ended().is_some() {
            worker.restart().await?;
        }
    }
    let mut history = History::default();
    acted.into_iter().chain(picked).chain(carried).for_each(|one| history.add(one));
    Ok(Storm { history, kills })
}

struct Actor<'a> {
    number: u64,
    asker: Asker<'a>,
    warehouse: &'a str,
    products: &'a [Product],
    seller: &'a Seller,
}

impl Actor<'_> {
    async fn run(mut self, acts: u64) -> anyhow::Result<History> {
        let (mut history, mut kept, mut doubtful) = (History::default(), Kept::default(), Vec::new());
        for act in 0..acts {
            if self.asker.chance.random_ratio(1, ORDER_EVERY) {
                let size = self.products[self.asker.chance.random_range(0..self.products.len())].size;
                let number = self.seller.place_order(OrderSpec { chrt_id: Some(size), ..OrderSpec::default() })?;
                history.placed.push(Placed { number, size });
                if self.asker.chance.random_ratio(1, CANCEL_EVERY) {
                    doubtful.push(number);
                }
            }
            if !doubtful.is_empty() && self.asker.chance.random_ratio(1, ORDER_EVERY) {
                let number = doubtful.swap_remove(0);
                self.seller.buyer(number, BuyerAct::Cancel)?;
                history.cancelled.push(number);
            }
            let number = format!("storm-{}-{act}", self.number);
            let act = draw(&mut self.asker.chance, &number, self.warehouse, self.products, &mut kept);
            // Half of them insist under a key until they know; the others go on without knowing.
            let insists = self.asker.chance.random_bool(0.5);
            let told = self.ask(&act, insists).await.with_context(|| format!("{} {}", act.path, act.body))?;
            if let Told::Done(answer) = &told {
                remember(&act, answer, &mut kept);
            }
            history.acts.push(Line { act, told });
        }
        Ok(history)
    }

    async fn ask(&mut self, act: &Act, insists: bool) -> anyhow::Result<Told> {
        let answer = if insists {
            Some(self.asker.insist(act.path, &act.body, act.number()).await?)
        } else {
            self.asker.once(Method::POST, act.path, Some(act.body.clone()), None).await
        };
        let Some(answer) = answer else { return Ok(Told::Nothing) };
        match Told::of(&answer) {
            Some(told) => Ok(told),
            None => bail!("answered {}: {}", answer.status, answer.body),
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
