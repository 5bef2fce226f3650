//! The life of a worker process: refuse in words what cannot work, serve, drain, go.

use std::sync::Arc;
use std::time::Duration;

use shared::config::{self, Config, ConfigProblems, Mode};
use shared::db::{Db, DbOptions, RoleProblem, SchemaProblem};
use shared::jobs::{Bell, Pusher, Queue, QueueNames, run_bell};
use shared::seal::{self, UnknownKeys};
use shared::telemetry::chain;
use shared::wildberries::{Budget, Client};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::{info, warn};

use crate::ctx::Ctx;
use crate::mail::Mail;
use crate::printing::transport::AllowList;
use crate::pulse::Pulse;
use crate::queue::{Common, supervise};
use crate::registry::Registry;
use crate::runner::Runner;
use crate::{health, presence, relay, timers, users};

const CONNECTIONS: u32 = 8;
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);
const SCHEMA_PATIENCE: Duration = Duration::from_mins(1);
const RINGS: usize = 1024;
const DRAIN: Duration = Duration::from_secs(20);
/// For writing down that interrupted jobs run again.
const INTERRUPT: Duration = Duration::from_secs(3);

/// Why the process could not work, or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something in the environment is wrong.
    #[error(transparent)]
    Environment(#[from] shared::Error),
    /// Redis is not set up as it must be.
    #[error(transparent)]
    Configuration(#[from] ConfigProblems),
    /// Rows are sealed under keys that are not there.
    #[error(transparent)]
    Keys(#[from] UnknownKeys),
    /// The database's schema does not fit.
    #[error(transparent)]
    Schema(#[from] SchemaProblem),
    /// The database's role has too many rights.
    #[error(transparent)]
    Role(#[from] RoleProblem),
    /// The address of the health check cannot be had.
    #[error("WORKER_LISTEN: the address {0} cannot be listened on")]
    Listen(std::net::SocketAddr, #[source] std::io::Error),
    /// A part that must not end has ended.
    #[error("{0} ended unexpectedly")]
    Ended(String),
}

/// Serves these queues until `stop` is cancelled, then drains.
pub async fn run(
    config: &Config,
    queues: Vec<Queue>,
    names: QueueNames,
    registry: Registry,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let pusher = Pusher::new(&config.redis_url, names.clone())?;
    let (bell, rings) = Bell::new(RINGS);
    let db = open(config, bell).await?;
    let ringing = AbortOnDropHandle::new(tokio::spawn(run_bell(rings, pusher.clone())));

    let (pulse, registry) = (Pulse::default(), Arc::new(registry));
    let wildberries = Client::new(config.hosts.clone(), Budget::connect(&config.redis_url, config.limit_scale)?)?;
    let mut ctx = Ctx::new(db.clone(), config.keyring.clone(), wildberries, printers(config)?);
    ctx.mail = config.smtp.as_ref().map(Mail::new).transpose()?;
    ctx.public_url.clone_from(&config.public_url);
    let worker = presence::this_process(queues.clone());
    let acceptor =
        health::bind(config.worker_listen).await.map_err(|error| Failure::Listen(config.worker_listen, error))?;
    timers::set_own(&db).await?;
    users::set_timer(&db).await?;
    let line = presence::arrive(&db, &worker).await?;

    let common = Common {
        redis_url: config.redis_url.clone(),
        names,
        runner: Runner::new(ctx.clone(), registry.clone(), Some(worker.id), pulse.clone()),
        running: TaskTracker::new(),
        pulse: pulse.clone(),
        stop: stop.clone(),
        name: format!("{}-{}-{:08x}", worker.host, worker.pid, rand::random::<u32>()),
    };
    let mut parts = JoinSet::new();
    for queue in &queues {
        let size = config.worker_concurrency.get(queue.name()).copied().unwrap_or(1);
        parts.spawn(named(queue.name(), supervise(common.clone(), *queue, size)));
    }
    parts.spawn(named("the relay", relay::relay(db.clone(), pusher, pulse.clone(), stop.clone())));
    parts.spawn(named("the timers", timers::fire(db.clone(), registry, pulse.clone(), stop.clone())));
    parts.spawn(named(
        "the health check",
        answer_health(acceptor, health::Loops::new(pulse.clone(), &queues), stop.clone()),
    ));
    let mut staying = AbortOnDropHandle::new(tokio::spawn(presence::stay(db.clone(), worker.clone(), line, pulse)));
    info!(worker.id = %worker.id, "Serving {}", queues.iter().map(|queue| queue.name()).collect::<Vec<_>>().join(", "));

    let failed = tokio::select! {
        () = stop.cancelled() => None,
        Some(ended) = parts.join_next() => Some(ended.unwrap_or_else(|error| format!("a part ({error})"))),
        _ = &mut staying => Some("the worker's presence".to_owned()),
    };
    stop.cancel();
    drain(parts, &common.running, &ctx).await;
    drop(staying);
    if let Err(error) = presence::leave(&db, worker.id).await {
        warn!("The worker did not sign off: {}", chain(&error));
    }
    drop(ringing);
    info!("Stopped");
    failed.map_or(Ok(()), |part| Err(Failure::Ended(part)))
}

fn printers(config: &Config) -> Result<AllowList, shared::Error> {
    let parsed = match config.mode {
        Mode::Production => AllowList::parse(&config.print_allowed_cidrs),
        Mode::Demo => AllowList::parse_demo(&config.print_allowed_cidrs),
    };
    parsed.map_err(|error| shared::Error::invalid("PRINT_ALLOWED_CIDRS", error.to_string()))
}

async fn open(config: &Config, bell: Bell) -> Result<Db, Failure> {
    let options =
        DbOptions { max_connections: CONNECTIONS, statement_timeout: STATEMENT_TIMEOUT, application_name: "wb-worker" };
    let db = Db::open(&config.database_url, &options)?.with_bell(bell);
    db.wait_for_schema(SCHEMA_PATIENCE).await?;
    db.refuse_unbound_role().await?;
    config::refuse_forgetful_redis(config).await?;
    seal::refuse_unknown_keys(&db, &config.keyring).await??;
    Ok(db)
}

async fn named(name: &str, part: impl Future<Output = ()>) -> String {
    part.await;
    name.to_owned()
}

async fn answer_health(
    acceptor: impl poem::listener::Acceptor + 'static,
    loops: health::Loops,
    stop: CancellationToken,
) {
    if let Err(error) = health::answer(acceptor, loops, stop).await {
        warn!("The health check failed: {}", chain(&error));
    }
}

/// Lets running jobs finish; those that take too long run again elsewhere.
async fn drain(mut parts: JoinSet<String>, running: &TaskTracker, ctx: &Ctx) {
    running.close();
    info!(jobs = running.len(), "Stopping, running jobs may finish");
    let finished = async {
        while parts.join_next().await.is_some() {}
        running.wait().await;
    };
    if timeout(DRAIN, finished).await.is_err() {
        warn!(jobs = running.len(), "Interrupting jobs that did not finish in time");
        ctx.stop.cancel();
        drop(timeout(INTERRUPT, running.wait()).await);
    }
}
