//! The front door in a rush: five hundred who sign in at once, five hundred who never finish a request, a gigabyte that
//! nobody wants, a neighbour's flood, what it costs to count requests and what the time of a refusal tells.
//! `cargo wb bench --only door` measures this alone.

mod flood;
mod strangers;
mod upload;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Figure, percentiles, tell};
use crate::programs::Profile;
use crate::{Options, Stack, Steps};

const RUSH: usize = 500;

/// Measures on a stack of its own, without workers.
pub(super) async fn run(broken: &mut Vec<&'static str>, steps: &mut Steps) -> anyhow::Result<()> {
    let options = Options { profile: Profile::Release, workers: 0, private: true, ..Options::default() };
    let stack = Stack::up_with(options, steps).await?;
    let figure = steps.step("Count requests", counting(&stack)).await?;
    tell(steps, broken, &figure);
    let figure = steps.step("Let 500 clients be slow", slow_clients(&stack)).await?;
    tell(steps, broken, &figure);
    let figure = steps.step("Send a gigabyte", upload::figure(&stack)).await?;
    tell(steps, broken, &figure);
    for figure in steps.step("Let 500 sign in at once", rush(&stack)).await? {
        tell(steps, broken, &figure);
    }
    let figure = steps.step("Refuse strangers and people", strangers::figure(&stack)).await?;
    tell(steps, broken, &figure);
    stack.down().await?;
    let figure = flood::figure(steps).await?;
    tell(steps, broken, &figure);
    Ok(())
}

fn http() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(2)).build().context("making a client")
}

/// How long each of so many questions takes, one after the other, in milliseconds.
async fn times(http: &reqwest::Client, url: &str, count: usize) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..count {
        let begin = Instant::now();
        let response = http.get(url).send().await.context("asking")?;
        ensure!(response.status().is_success(), "{url} answered {}", response.status());
        response.bytes().await.context("reading")?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times)
}

/// The 99th percentile.
pub(super) fn p99(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) * 99).div_ceil(100)]
}

/// Requests that are counted in Redis beside those that are counted in the process.
async fn counting(stack: &Stack) -> anyhow::Result<Figure> {
    let (http, count) = (http()?, 4000);
    let (counted, here) = (stack.api_url.clone() + "/", stack.api_url.clone() + "/health");
    times(&http, &counted, 200).await?;
    let before = questions(stack).await?;
    let (mut in_redis, mut in_process) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        in_redis.extend(times(&http, &counted, count / 20).await?);
        in_process.extend(times(&http, &here, count / 20).await?);
    }
    let asked = questions(stack).await? - before;
    let ((redis, ..), (process, ..)) = (percentiles(in_redis), percentiles(in_process));
    let reached = format!(
        "{asked} questions to Redis for {count} requests; p50 {redis:.3} ms, beside {process:.3} ms of a request that Redis does not count"
    );
    let held = asked * 10 <= u64::try_from(count)?;
    Ok(Figure {
        what: "what counting requests in Redis costs",
        promise: "a question for at most every tenth",
        reached,
        held,
    })
}

/// How many scripts Redis has run.
async fn questions(stack: &Stack) -> anyhow::Result<u64> {
    let url = url::Url::parse(&stack.environment.redis_url).context("Redis' address")?;
    let address = (url.host_str().context("a host")?.to_owned(), url.port().unwrap_or(6379));
    let mut redis = TcpStream::connect(address).await.context("connecting to Redis")?;
    if let Some(password) = url.password() {
        redis.write_all(format!("AUTH {password}\r\n").as_bytes()).await?;
    }
    redis.write_all(b"INFO commandstats\r\nQUIT\r\n").await?;
    let mut text = String::new();
    redis.read_to_string(&mut text).await.context("reading Redis")?;
    let calls =
        text.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next()?.parse().ok());
    Ok(calls.unwrap_or(0))
}

/// Clients that send a byte of a request now and then.
async fn slow_clients(stack: &Stack) -> anyhow::Result<Figure> {
    let (http, url) = (http()?, stack.api_url.clone() + "/health");
    times(&http, &url, 200).await?;
    let calm = p99(times(&http, &url, 2000).await?);
    let address = stack.api_url.trim_start_matches("http://").to_owned();
    let slow = (0..RUSH).map(|_| {
        let address = address.clone();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(b"GET / HTTP/1.1\r\nx-slow: ").await?;
            let (mut read, mut write) = stream.into_split();
            let drip = async {
                while write.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            };
            let mut answer = Vec::new();
            tokio::select! { () = drip => {}, _ = read.read_to_end(&mut answer) => {} }
            std::io::Result::Ok(())
        })
    });
    let (slow, begin): (Vec<_>, _) = (slow.collect(), Instant::now());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let rushed = p99(times(&http, &url, 2000).await?);
    for client in slow {
        client.await.context("a slow client")?.context("a slow client")?;
    }
    let gone = begin.elapsed().as_secs_f64();
    let reached = format!("p99 {rushed:.2} ms, {calm:.2} ms without them; the last was dropped after {gone:.1} s");
    let held = rushed < calm * 2.0 && gone < 12.0;
    Ok(Figure { what: "p99 of others beside 500 slow clients", promise: "< 2 ×, and they are dropped", reached, held })
}

/// Everybody wants in at once and comes again when told to; meanwhile monitors ask.
async fn rush(stack: &Stack) -> anyhow::Result<[Figure; 2]> {
    let (http, login, health) = (http()?, stack.api_url.clone() + "/auth/login", stack.api_url.clone() + "/health");
    times(&http, &health, 200).await?;
    let before = stack.api.resident_bytes()?;
    let (done, most, turned_away) = (AtomicBool::new(false), AtomicU64::new(before), Arc::new(AtomicU64::new(0)));
    let begin = Instant::now();
    let everybody = (0..RUSH).map(|number| {
        let (http, login, turned_away) = (http.clone(), login.clone(), Arc::clone(&turned_away));
        tokio::spawn(async move {
            // Strangers cost as much as people do, and nobody of them waits for another's failures.
            let body = json!({ "email": format!("{number}@example.org"), "password": "what it may be" });
            loop {
                let status = http.post(&login).json(&body).send().await.context("signing in")?.status();
                match status.as_u16() {
                    401 => return anyhow::Ok(()),
                    503 => turned_away.fetch_add(1, Ordering::Relaxed),
                    _ => anyhow::bail!("signing in answered {status}"),
                };
                tokio::time::sleep(Duration::from_millis(rand::random_range(500..1500))).await;
            }
        })
    });
    let everybody: Vec<_> = everybody.collect();
    let signing_in = async {
        for one in everybody {
            one.await.context("signing in")??;
        }
        done.store(true, Ordering::Relaxed);
        anyhow::Ok(())
    };
    let watching = async {
        let mut times = Vec::new();
        while !done.load(Ordering::Relaxed) {
            times.extend(self::times(&http, &health, 1).await?);
            most.fetch_max(stack.api.resident_bytes()?, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        anyhow::Ok(times)
    };
    let ((), times) = tokio::try_join!(signing_in, watching)?;
    let took = begin.elapsed().as_secs_f64();
    let (asked, slowest) = (times.len(), p99(times));
    let grown = most.load(Ordering::Relaxed).saturating_sub(before).div_ceil(1 << 20);
    let away = turned_away.load(Ordering::Relaxed);
    Ok([
        Figure {
            what: "growth of the API's memory while 500 sign in at once",
            promise: "< 200 MB",
            reached: format!("{grown} MiB in {took:.1} s, {away} times somebody was asked to come again"),
            held: grown < 200,
        },
        Figure {
            what: "/health meanwhile",
            promise: "p99 < 50 ms",
            reached: format!("p99 {slowest:.1} ms of {asked}"),
            held: slowest < 50.0,
        },
    ])
}
