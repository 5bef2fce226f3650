//! `cargo wb …`

use std::{
    io::{Write, stderr},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use stack::{
    Durability, Options, Role, ServerOptions, Servers, Stack, Steps, bench, chaos, clients, demo, prepare,
    schemathesis, signals::Interruption, suite,
};

#[derive(Parser)]
#[command(name = "cargo wb", bin_name = "cargo wb", version, about = "WB Assistant on this machine")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts everything and walks through the main job of a warehouse
    Demo {
        /// Ends after the walk instead of waiting for Ctrl-C
        #[arg(long)]
        once: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Starts everything and waits for Ctrl-C
    Up(Place),
    /// Measures what is promised and says whether it is held
    Bench {
        /// A fifth of the size
        #[arg(long)]
        short: bool,
        /// Only these figures
        #[arg(long, value_delimiter = ',')]
        only: Vec<bench::Figures>,
    },
    /// Breaks things on purpose while the main job is walked
    #[command(subcommand)]
    Chaos(Chaos),
    /// Asks the API whatever its document allows and much that it forbids, as every kind of caller
    Schemathesis {
        /// Only as these
        #[arg(long = "role", value_delimiter = ',')]
        roles: Vec<schemathesis::Role>,
        /// Generated requests for each operation, beside those that the document's bounds dictate; 10, with --short 3
        #[arg(long)]
        examples: Option<u32>,
        /// Repeats a run
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Asks most callers only what is generated; nobody walks from one operation to the next
        #[arg(long)]
        short: bool,
    },
    /// Lets a client of Wildberries that others wrote work with the simulator
    Clients,
    /// Starts Postgres and Redis alone and waits for Ctrl-C
    Servers {
        /// Flushes everything, as in production
        #[arg(long)]
        durable: bool,
    },
    /// Runs the suite on servers of its own
    Test {
        /// Arguments of the test runner
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Refreshes `.sqlx` from the migrations and the queries
    Prepare {
        /// Changes nothing and fails if something would change
        #[arg(long)]
        check: bool,
    },
    /// Runs the servers on behalf of another process
    #[command(name = "__guard", hide = true)]
    Guard,
    /// Becomes another program, bound to its parent
    #[command(name = "__exec", hide = true)]
    Exec(stack::exec::Arguments),
}

/// While the demonstration stays up, buyers go on buying.
const ORDERS_PER_MINUTE: f64 = 6.0;

#[derive(clap::Subcommand)]
enum Chaos {
    /// Kills workers with -9 at random moments of the walk
    Walk {
        /// How many walks
        #[arg(long, default_value_t = 5)]
        rounds: u64,
        /// The first walk's seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Ends sessions on one of three processes of the API, and refreshes one token fifty times at once
    Sessions {
        /// How many rounds of each
        #[arg(long, default_value_t = 200)]
        rounds: usize,
    },
    /// Wants the last units two hundred times at once, then acts on stock by chance while processes are killed with -9
    Ledger {
        /// A fifth of it, in under ten minutes
        #[arg(long, conflicts_with = "gate")]
        short: bool,
        /// As much as fits into three minutes
        #[arg(long)]
        gate: bool,
        /// Decides who acts how and who is killed; by chance if absent
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Sends one request many times to three replicas of the API while one of them is killed with -9 every two seconds
    Idempotency {
        /// How many keys
        #[arg(long, default_value_t = 200)]
        rounds: u64,
        /// Decides who is killed and who is asked
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

#[derive(clap::Args)]
struct Place {
    /// Port of the API
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// How many worker processes
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Keeps the data in this folder
    #[arg(long)]
    data: Option<PathBuf>,
}

impl Place {
    fn options(self) -> Options {
        Options {
            api_port: Some(self.port),
            workers: self.workers,
            data: self.data,
            variables: demo::rhythm(),
            ..Options::default()
        }
    }
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        // Both must stay single processes with a single thread.
        Command::Guard => stack::servers::guard::run().map(|()| ExitCode::SUCCESS),
        Command::Exec(arguments) => stack::exec::run(&arguments).map(|()| ExitCode::SUCCESS),
        command => tokio::runtime::Runtime::new()
            .context("starting the runtime")
            .and_then(|runtime| runtime.block_on(run(command))),
    };
    outcome.unwrap_or_else(|error| {
        // The causes in words; where in the code they arose helps nobody here.
        let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        let _ = writeln!(stderr(), "error: {}", causes.join("\n  because: "));
        ExitCode::FAILURE
    })
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let mut steps = Steps::new();
    match command {
        Command::Test { arguments } => return suite::run(&arguments).await.map(ExitCode::from),
        Command::Demo { once, place } => until_asked(demonstrate(place.options(), once, &mut steps)).await,
        Command::Bench { short, only } => until_asked(Box::pin(bench::run(short, &only, &mut steps))).await,
        Command::Chaos(Chaos::Walk { rounds, seed }) => {
            until_asked(Box::pin(chaos::walk(rounds, seed, &mut steps))).await
        }
        Command::Chaos(Chaos::Sessions { rounds }) => until_asked(Box::pin(chaos::sessions(rounds, &mut steps))).await,
        Command::Chaos(Chaos::Idempotency { rounds, seed }) => {
            until_asked(Box::pin(chaos::idempotency(rounds, seed, &mut steps))).await
        }
        Command::Chaos(Chaos::Ledger { short, gate, seed }) => {
            let size = match (short, gate) {
                (_, true) => chaos::Size::GATE,
                (true, false) => chaos::Size::SHORT,
                (false, false) => chaos::Size::FULL,
            };
            let seed = seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
            until_asked(Box::pin(chaos::ledger(size, seed, &mut steps))).await
        }
        Command::Schemathesis { roles, examples, seed, short } => {
            let examples = examples.unwrap_or(if short { 3 } else { 10 });
            let asked = schemathesis::Asked { roles, examples, seed, short };
            until_asked(Box::pin(schemathesis::run(asked, &mut steps))).await
        }
        Command::Clients => until_asked(clients::run(&mut steps)).await,
        Command::Up(place) => until_asked(stand(place.options(), &mut steps)).await,
        Command::Servers { durable } => until_asked(serve(durable, &mut steps)).await,
        Command::Prepare { check } => until_asked(prepare::run(check, &mut steps)).await,
        Command::Guard | Command::Exec(_) => Ok(ExitCode::SUCCESS),
    }
}

/// Runs `work` until it ends or we are asked to stop. What it had started ends with it.
async fn until_asked(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    let mut interruption = Interruption::listen()?;
    tokio::select! {
        outcome = work => outcome.map(|()| ExitCode::SUCCESS),
        code = interruption.asked() => Ok(ExitCode::from(code)),
    }
}

async fn demonstrate(options: Options, once: bool, steps: &mut Steps) -> anyhow::Result<()> {
    let stack = Stack::up_with(options, steps).await?;
    demo::walk(&stack, steps).await?;
    steps.summary();
    if once {
        return stack.down().await;
    }
    // So that there is something to look at.
    stack.seller.stream(ORDERS_PER_MINUTE);
    wait(&stack, steps).await
}

async fn stand(options: Options, steps: &mut Steps) -> anyhow::Result<()> {
    let stack = Stack::up_with(options, steps).await?;
    steps.summary();
    wait(&stack, steps).await
}

async fn wait(stack: &Stack, steps: &Steps) -> anyhow::Result<()> {
    steps.note(&stack.addresses());
    steps.note("Ctrl-C ends everything.");
    std::future::pending().await
}

async fn serve(durable: bool, steps: &mut Steps) -> anyhow::Result<()> {
    let durability = if durable { Durability::Durable } else { Durability::Fast };
    let progress = steps.progress();
    let starting = Servers::start_with(ServerOptions::new(durability), move |text| progress.say(text));
    let servers = steps.step("Start Postgres and Redis", starting).await?;
    steps.note(&format!("Postgres  {}", servers.database_url(Role::Admin, "postgres")));
    steps.note(&format!("Redis     {}", servers.redis_url(0)));
    steps.note("Ctrl-C ends both.");
    std::future::pending().await
}
