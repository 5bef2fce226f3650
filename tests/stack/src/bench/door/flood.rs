//! One enterprise asks ten times what it may; another one goes on working.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::super::Figure;
use super::p99;
use crate::programs::Profile;
use crate::{Client, Options, Stack, Steps};

const TURNS: usize = 6;
/// Of the quiet enterprise, in each turn: within the allowance of its one person, 600 a minute.
const WORK: usize = 60;
const PACE: Duration = Duration::from_millis(105);
/// Of the loud one: 3,000 a minute are allowed.
const LOUD: Duration = Duration::from_millis(2);

/// The quiet one's requests in turns without and with the flood, on a stack with the limits of production.
pub(super) async fn figure(steps: &mut Steps) -> anyhow::Result<Figure> {
    let variables = [("RATE_LIMITS".to_owned(), String::new())].into();
    let options = Options { profile: Profile::Release, workers: 0, private: true, variables, ..Options::default() };
    let stack = Stack::up_with(options, steps).await?;
    let figure = measure(&stack).await?;
    stack.down().await?;
    Ok(figure)
}

async fn measure(stack: &Stack) -> anyhow::Result<Figure> {
    let owner = &stack.administrator;
    let quiet = Client::new(&stack.api_url)?.sign_in(&owner.email, &owner.password).await?;
    let loud = neighbour(stack).await?;
    let (mut calm, mut beside) = (Vec::new(), Vec::new());
    let (sent, turned_away) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    for turn in 0..TURNS {
        for flooded in [turn % 2 == 0, turn % 2 == 1] {
            let over = Arc::new(AtomicBool::new(!flooded));
            let flooding = flood(&loud, Arc::clone(&over), Arc::clone(&sent), Arc::clone(&turned_away));
            let working = async {
                let times = work(&quiet).await;
                over.store(true, Ordering::Relaxed);
                times
            };
            let ((), times) = tokio::join!(flooding, working);
            if flooded { beside.extend(times?) } else { calm.extend(times?) }
        }
    }
    let (calm, beside) = (p99(calm), p99(beside));
    let (sent, away) = (sent.load(Ordering::Relaxed), turned_away.load(Ordering::Relaxed));
    Ok(Figure {
        what: "p99 of one enterprise beside another one's flood",
        promise: "< 2 ×",
        reached: format!("{beside:.2} ms, {calm:.2} ms without it; of {sent} requests {away} were turned away"),
        held: beside < calm * 2.0 && away * 2 > sent,
    })
}

/// Somebody of a second enterprise.
async fn neighbour(stack: &Stack) -> anyhow::Result<Client> {
    let (email, password) = ("owner@lyutik.example", "a password of the neighbour");
    stack.create_enterprise("Лютик", email, password).await?;
    Client::new(&stack.api_url)?.sign_in(email, password).await
}

async fn work(client: &Client) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..WORK {
        let begin = Instant::now();
        client.get("/products?limit=50").await.context("working")?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(PACE).await;
    }
    Ok(times)
}

/// At a steady pace, whatever is answered.
async fn flood(client: &Client, over: Arc<AtomicBool>, sent: Arc<AtomicU64>, turned_away: Arc<AtomicU64>) {
    let mut pace = tokio::time::interval(LOUD);
    let mut asking = tokio::task::JoinSet::new();
    while !over.load(Ordering::Relaxed) {
        pace.tick().await;
        let (client, sent, turned_away) = (client.clone(), Arc::clone(&sent), Arc::clone(&turned_away));
        asking.spawn(async move {
            let answer = client.ask(reqwest::Method::GET, "/products?limit=50", None).await;
            sent.fetch_add(1, Ordering::Relaxed);
            if answer.is_ok_and(|answer| answer.status.as_u16() == 429) {
                turned_away.fetch_add(1, Ordering::Relaxed);
            }
        });
        while asking.try_join_next().is_some() {}
    }
    while asking.join_next().await.is_some() {}
}
