//! WB Assistant's background worker.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shared::config::{self, Config, ConfigProblems, Program};
use shared::jobs::{Queue, QueueNames};
use shared::telemetry::{self, chain};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use worker::process::{self, Failure};

/// As `sysexits.h` has it: the configuration is wrong, starting again does not help.
const EX_CONFIG: u8 = 78;

#[derive(Parser)]
#[command(version, about = "WB Assistant's background worker")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs jobs until SIGTERM or Ctrl-C; a second one does not wait for running jobs.
    Run {
        /// Which queues, instead of those in the environment: sync, import, print, default.
        #[arg(long, value_delimiter = ',')]
        queues: Vec<Queue>,
    },
}

fn main() -> ExitCode {
    // Before anything speaks TLS: several crates could bring a provider of their own. It is only refused when one is there.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let Command::Run { queues } = Arguments::parse().command;
    if let Err(problems) = config::hide_secrets() {
        return misconfigured(&problems);
    }
    telemetry::start();
    let config = match Config::from_env(Program::Worker) {
        Ok(config) => config,
        Err(problems) => return misconfigured(&problems),
    };
    let queues = if queues.is_empty() { config.worker_queues.clone() } else { queues };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(8).enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(&config, queues)),
        Err(error) => {
            error!("The runtime could not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            error!("{}", chain(&failure));
            let wrong = matches!(
                failure,
                Failure::Environment(shared::Error::Invalid { .. })
                    | Failure::Role(shared::db::RoleProblem::Unbound)
                    | Failure::Configuration(_)
                    | Failure::Keys(_)
            );
            if wrong { ExitCode::from(EX_CONFIG) } else { ExitCode::FAILURE }
        }
    }
}

/// One line per problem, for whoever set it up.
fn misconfigured(problems: &ConfigProblems) -> ExitCode {
    // Nobody is left to be told if this does not arrive.
    drop(writeln!(std::io::stderr(), "worker: {problems}"));
    ExitCode::from(EX_CONFIG)
}

async fn run(config: &Config, queues: Vec<Queue>) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let signals = signals().map_err(|error| shared::Error::unavailable("the system's signals", error))?;
    tokio::spawn(listen_to(signals, stop.clone()));
    process::run(config, queues, QueueNames::default(), worker::registry(), stop).await
}

fn signals() -> std::io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

async fn listen_to((mut terminate, mut interrupt): (Signal, Signal), stop: CancellationToken) {
    for _ in 0..2 {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if stop.is_cancelled() {
            warn!("Stopping at once");
            std::process::exit(1);
        }
        info!("Asked to stop");
        stop.cancel();
    }
}
