//! `api serve`: from the environment to the last answer.

use std::time::Duration;

use anyhow::Context;
use api::State;
use api::edge::{self, Patience};
use shared::config::{self, Config, Program};
use shared::db::{Db, DbOptions};
use shared::jobs::{Bell, Pusher, QueueNames, run_bell};
use shared::seal;
use shared::wildberries::{Budget, Client};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

/// How long the schema is waited for: migrations may be running.
const SCHEMA_PATIENCE: Duration = Duration::from_mins(1);
/// How long Redis is waited for: without it everything works, only slower.
const REDIS_PATIENCE: Duration = Duration::from_secs(1);
/// While it already says that it is not ready, requests are still answered: a proxy needs a moment to notice.
const FAREWELL: Duration = Duration::from_secs(2);
/// What was begun may be finished.
const LAST_REQUESTS: Duration = Duration::from_secs(15);
/// Rings that may wait for Redis; more are dropped, the relay brings the jobs.
const RINGS: usize = 1024;

/// Serves until SIGTERM or SIGINT.
pub async fn serve() -> anyhow::Result<()> {
    let config = Config::from_env(Program::Api)?;
    let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);

    let (bell, rings) = Bell::new(RINGS);
    tokio::spawn(run_bell(rings, Pusher::new(&config.redis_url, QueueNames::default())?));
    let options = DbOptions {
        max_connections: api::CONNECTIONS,
        statement_timeout: Duration::from_secs(5),
        application_name: "wb-api",
    };
    let db = Db::open(&config.database_url, &options)?.with_bell(bell);
    info!("Waiting for the schema");
    db.wait_for_schema(SCHEMA_PATIENCE).await?;
    db.refuse_unbound_role().await?;
    config::refuse_forgetful_redis(&config).await?;
    seal::refuse_unknown_keys(&db, &config.keyring).await??;

    let listen = config.api_listen;
    let wildberries = Client::new(config.hosts.clone(), Budget::connect(&config.redis_url, config.limit_scale)?)?;
    let state = State::new(db, config, wildberries);
    state.rates.connected(REDIS_PATIENCE).await;
    let health = state.health.clone();
    let stop = async move {
        let patient = stopped(terminate, interrupt).await;
        info!("Stopping");
        health.stop();
        if patient {
            tokio::time::sleep(FAREWELL).await;
        }
    };
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    info!("Listening on {listen}");
    edge::serve(listener, api::app(state), Patience::default(), stop, LAST_REQUESTS).await;
    info!("Stopped");
    Ok(())
}

/// Whether it was a supervisor, and not somebody at the keyboard.
async fn stopped(mut terminate: Signal, mut interrupt: Signal) -> bool {
    tokio::select! {
        _ = terminate.recv() => true,
        _ = interrupt.recv() => false,
    }
}
