//! `cargo wb chaos sessions`: three processes of the API, and what ends on one of them is over on the others within a
//! second, with Redis and without; fifty refreshes of one token at once have one successor.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use reqwest::Method;
use serde_json::json;

use crate::client::text;
use crate::{Client, Options, Person, Stack, Steps};

const PROCESSES: usize = 3;
const AT_ONCE: usize = 50;
const LIMIT: Duration = Duration::from_secs(1);

/// So many rounds of each.
pub async fn sessions(rounds: usize, steps: &mut Steps) -> anyhow::Result<()> {
    let mut stack = Stack::up_with(Options { workers: 0, private: true, ..Options::default() }, steps).await?;
    let mut clients = vec![Client::new(&stack.api_url)?];
    while clients.len() < PROCESSES {
        let url = stack.add_api().await?;
        clients.push(clients[0].at(&url));
    }
    let person = stack.administrator.clone();
    let late = steps.step(&format!("End {rounds} sessions"), ended(&clients, &person, rounds)).await?;
    steps.note(&format!(
        "{rounds} sessions ended on one of {PROCESSES} processes: the last answer elsewhere came {late:?} later"
    ));
    stack.servers.redis().stop().await?;
    let late = steps.step("The same without Redis", ended(&clients, &person, rounds)).await?;
    steps.note(&format!("without Redis: {late:?} later"));
    stack.servers.redis().start().await?;
    let refreshing = refreshed(&clients, &person, rounds);
    steps.step(&format!("{AT_ONCE} refreshes of one token at once, {rounds} times"), refreshing).await?;
    steps.note(&format!("{rounds} times {AT_ONCE} refreshes: one successor each, the session lives"));
    stack.down().await
}

/// The longest time from the end of a session to the last answer that it was given.
async fn ended(clients: &[Client], person: &Person, rounds: usize) -> anyhow::Result<Duration> {
    let mut longest = Duration::ZERO;
    for round in 0..rounds {
        let signed_in = login(&clients[round % clients.len()], person).await?;
        let token = text(&signed_in, "accessToken")?;
        let clients: Vec<_> = clients.iter().map(|client| client.with_token(Some(&token))).collect();
        for client in &clients {
            client.get("/users/me").await?;
        }
        clients[round % clients.len()].post("/auth/logout", json!({})).await?;
        let over = Instant::now();
        let hammering = clients.iter().map(async |client| {
            let mut last = Duration::ZERO;
            loop {
                let answer = client.ask(Method::GET, "/users/me", None).await?;
                match answer.status.as_u16() {
                    200 => last = over.elapsed(),
                    401 => return Ok(last),
                    other => anyhow::bail!("round {round}: {other} {}", answer.body),
                }
                ensure!(last < LIMIT, "round {round}: still let in after {last:?}");
            }
        });
        let last = try_join_all(hammering).await?;
        longest = last.into_iter().chain([longest]).max().unwrap_or_default();
    }
    Ok(longest)
}

async fn refreshed(clients: &[Client], person: &Person, rounds: usize) -> anyhow::Result<()> {
    let mut token = text(&login(&clients[0], person).await?, "refreshToken")?;
    for round in 0..rounds {
        let asking = (0..AT_ONCE)
            .map(|index| clients[index % clients.len()].post("/auth/refresh", json!({ "refreshToken": token })));
        let answers = try_join_all(asking).await.with_context(|| format!("round {round}"))?;
        let successors: BTreeSet<_> =
            answers.iter().map(|answer| text(answer, "refreshToken")).collect::<anyhow::Result<_>>()?;
        ensure!(successors.len() == 1, "round {round}: {} successors", successors.len());
        token = successors.into_iter().next().context("a successor")?;
    }
    Ok(())
}

async fn login(client: &Client, person: &Person) -> anyhow::Result<serde_json::Value> {
    client.post("/auth/login", json!({ "email": person.email, "password": person.password })).await
}
