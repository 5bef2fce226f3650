//! `cargo wb chaos walk`: the main job is walked while workers are killed with -9 at random moments. The walk's own
//! checks decide; a label that was under way ends `uncertain` and is settled as a person would, by looking at the paper.

use std::time::{Duration, Instant};

use anyhow::ensure;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::programs::Program;
use crate::{Client, Options, Stack, Steps, demo};

/// Between two kills, in milliseconds: often enough to meet every step, seldom enough that a job is not met three times.
const BETWEEN: std::ops::Range<u64> = 600..2500;

/// Walks so many times; every round has a seed that repeats it.
pub async fn walk(rounds: u64, seed: u64, steps: &mut Steps) -> anyhow::Result<()> {
    let (begin, mut kills, mut uncertain) = (Instant::now(), 0, 0);
    for round in seed..seed + rounds {
        let mut options = Options { workers: 2, variables: demo::rhythm(), ..Options::default() };
        options.simulator.seed = round;
        let mut stack = Stack::up(options).await?;
        let mut workers = std::mem::take(&mut stack.workers);
        let mut silent = Steps::silent();
        let walking = async {
            tokio::select! {
                walked = demo::walk(&stack, &mut silent) => walked,
                failed = kill(&mut workers, round, &mut kills) => Err(failed),
            }
        };
        let walked = steps.step(&format!("Walk with seed {round}"), walking).await?;
        uncertain += walked.uncertain;
        settled(&walked.client).await?;
        drop(workers);
        stack.down().await?;
    }
    steps.note(&format!(
        "chaos walk: {rounds} rounds, {kills} workers killed, {uncertain} labels uncertain and settled, 0 differences, {:.0} s",
        begin.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Kills and starts again, for ever; ends only when a worker cannot be started.
async fn kill(workers: &mut [Program], seed: u64, kills: &mut u64) -> anyhow::Error {
    let mut chance = StdRng::seed_from_u64(seed);
    loop {
        tokio::time::sleep(Duration::from_millis(chance.random_range(BETWEEN))).await;
        let worker = &mut workers[chance.random_range(0..workers.len())];
        *kills += 1;
        if let Err(error) = worker.kill().await {
            return error;
        }
        if let Err(error) = worker.restart().await {
            return error;
        }
    }
}

/// No promise was given up on the way.
async fn settled(client: &Client) -> anyhow::Result<()> {
    let dead = client.all("/jobs?state=dead").await?;
    ensure!(dead.is_empty(), "jobs were given up: {dead:?}");
    Ok(())
}
