//! Starts the simulator from the command line, so that any client of Wildberries can be pointed at it.

use std::io::Write;
use std::net::SocketAddr;

use anyhow::Result;
use clap::Parser;
use wildberries::{ALL_CATEGORIES, Limits, Options, Shop, Simulator, TokenKind};

/// A model of Wildberries' seller API.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8100")]
    listen: SocketAddr,
    /// What everything random grows from.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// How many sellers.
    #[arg(long, default_value_t = 1)]
    sellers: usize,
    /// How many cards each of them has.
    #[arg(long, default_value_t = 300)]
    cards: usize,
    /// How many warehouses each of them has.
    #[arg(long, default_value_t = 2)]
    warehouses: usize,
    /// How many orders each of them gets at the start.
    #[arg(long, default_value_t = 20)]
    orders: usize,
    /// How many orders a minute each of them gets from then on.
    #[arg(long, default_value_t = 0.0)]
    orders_per_minute: f64,
    /// Budgets of requests: real, off, or a factor.
    #[arg(long, default_value = "real")]
    limits: Limits,
    /// How fast the clock runs.
    #[arg(long, default_value_t = 1.0)]
    clock_rate: f64,
    /// Let supplies be delivered without shipping parameters, as before October 2026.
    #[arg(long)]
    without_shipping: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let simulator = Simulator::start(Options {
        listen: arguments.listen,
        seed: arguments.seed,
        limits: arguments.limits,
        clock_rate: arguments.clock_rate,
        shipping_required: !arguments.without_shipping,
        ..Options::default()
    })
    .await?;
    let mut out = std::io::stdout();
    writeln!(out, "Wildberries listens on {0}, its page is {0}/_sim, control calls: {0}/_control", simulator.url())?;
    for _ in 0..arguments.sellers {
        let shop = Shop { cards: arguments.cards, warehouses: arguments.warehouses, ..Shop::default() };
        let started = std::time::Instant::now();
        let seller = simulator.shop(shop);
        let placed = seller.place_orders(arguments.orders).len();
        let took = started.elapsed().as_secs_f64();
        seller.stream(arguments.orders_per_minute);
        writeln!(out, "\nSeller {} \"{}\", sid {}", seller.number(), seller.name(), seller.sid())?;
        write!(out, "{} cards and {placed} orders made in {took:.1} s", seller.card_count())?;
        match resident() {
            Some(megabytes) => writeln!(out, ", {megabytes} MB resident")?,
            None => writeln!(out)?,
        }
        writeln!(out, "token: {}", seller.token(TokenKind::Personal, ALL_CATEGORIES))?;
    }
    out.flush()?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended?,
        () = terminated() => {}
    }
    simulator.stop().await;
    Ok(())
}

/// The memory of this process, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes / 1024)
}

/// Comes back when the process is asked to end.
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut asked) => {
            asked.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}
