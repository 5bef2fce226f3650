//! Workers as they live, in this process: over a Postgres and a Redis of their own, which a test may freeze, restart
//! and wipe. What jobs do is only counted.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::config::{Config, Program};
use shared::db::{Db, DbOptions};
use shared::ids::JobId;
use shared::jobs::{Bell, Job, JobRow, Pusher, Queue, QueueNames, run_bell};
use sqlx::{Connection, PgConnection};
use stack::{Durability, Role, ServerOptions, Servers, wait};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker::{Ctx, Registry, Run, process};

/// Everything that a test waits for happens within this time, or not at all.
pub const SOON: Duration = Duration::from_secs(50);

/// A job that counts its runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Count {
    /// Whose runs these are.
    pub number: u32,
}

impl Job for Count {
    const KIND: &'static str = "test.count";
    const QUEUE: Queue = Queue::Default;
}

impl Run for Count {
    async fn run(self, _: &Ctx, row: &JobRow) -> shared::Result<()> {
        *counts().entry(row.id).or_default() += 1;
        Ok(())
    }
}

/// A job that says when it has begun, and goes on when it is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// Which of [`GATES`] it stands before: each test has its own.
    pub gate: usize,
}

/// Where a [`Hold`] stands.
pub struct Gate {
    /// Told when it stands there.
    pub begun: Notify,
    /// Lets it go on.
    pub go: Notify,
}

impl Gate {
    const fn shut() -> Self {
        Self { begun: Notify::const_new(), go: Notify::const_new() }
    }
}

/// One for each test that holds jobs.
pub static GATES: [Gate; 2] = [Gate::shut(), Gate::shut()];

impl Job for Hold {
    const KIND: &'static str = "test.hold";
    const QUEUE: Queue = Queue::Import;
}

impl Run for Hold {
    async fn run(self, _: &Ctx, _: &JobRow) -> shared::Result<()> {
        GATES[self.gate].begun.notify_one();
        GATES[self.gate].go.notified().await;
        Ok(())
    }
}

static COUNTS: LazyLock<Mutex<HashMap<JobId, u32>>> = LazyLock::new(Mutex::default);

fn counts() -> std::sync::MutexGuard<'static, HashMap<JobId, u32>> {
    COUNTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Servers, a database, and a doorbell as the API has it.
pub struct Engine {
    /// Postgres and Redis, to be broken.
    pub servers: Servers,
    /// The database as a program has it.
    pub db: Db,
    /// Redis as the doorbell has it.
    pub pusher: Pusher,
    config: Config,
    database: String,
}

/// A running worker.
pub struct Worker {
    stop: CancellationToken,
    running: JoinHandle<Result<(), process::Failure>>,
}

impl Engine {
    /// Servers of its own, no worker yet.
    pub async fn start() -> Result<Self> {
        let options = ServerOptions { private: true, ..ServerOptions::new(Durability::Fast) };
        let servers = Servers::start_with(options, |_| ()).await?;
        let migrations = crate::root().join("migrations");
        let template =
            servers.template(&migrations, async |url| stack::servers::migrate(url, &migrations).await).await?;
        let database = servers.fresh_database(&template).await?;
        let url = servers.database_url(Role::Worker, &database);
        let secrets = crate::secrets()?;
        let config = crate::config(Program::Worker, &secrets, &url, &servers.redis_url(0), "http://127.0.0.1:1", &[])?;
        let pusher = Pusher::new(&config.redis_url, QueueNames::default())?;
        let (bell, rings) = Bell::new(1024);
        tokio::spawn(run_bell(rings, pusher.clone()));
        let options =
            DbOptions { max_connections: 8, statement_timeout: Duration::from_secs(30), application_name: "wb-test" };
        let db = Db::open(&SecretString::from(url), &options)?.with_bell(bell);
        Ok(Self { servers, db, pusher, config, database })
    }

    /// A worker of all queues.
    pub fn worker(&self) -> Worker {
        self.worker_of(&Queue::ALL)
    }

    /// A worker of these queues only.
    pub fn worker_of(&self, queues: &[Queue]) -> Worker {
        let queues = queues.to_vec();
        let stop = CancellationToken::new();
        let registry = Registry::default().job::<Count>().job::<Hold>();
        let (config, stopped) = (Arc::new(self.config.clone()), stop.clone());
        let running =
            tokio::spawn(async move { process::run(&config, queues, QueueNames::default(), registry, stopped).await });
        Worker { stop, running }
    }

    /// Promises so many jobs, each in a transaction of its own, as clicks do.
    pub async fn promise(&self, jobs: u32) -> Result<Vec<JobId>> {
        let mut ids = Vec::new();
        for number in 0..jobs {
            let mut tx = self.db.platform().await?;
            ids.push(tx.enqueue(&Count { number }).await?.job_id);
            tx.commit().await?;
        }
        Ok(ids)
    }

    /// Waits until all of them are done.
    pub async fn done(&self, ids: &[JobId]) -> Result<()> {
        let mut admin = self.admin().await?;
        let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
        wait::until_ok("every job is done", SOON, async || {
            let rest: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE id = ANY($1) AND state <> 'done'")
                .bind(&ids)
                .fetch_one(&mut admin)
                .await?;
            ensure!(rest == 0, "{rest} are not");
            Ok(())
        })
        .await
    }

    /// Waits until this answers true.
    pub async fn until(&self, what: &str, sql: &'static str) -> Result<()> {
        let mut admin = self.admin().await?;
        wait::until_ok(what, SOON, async || {
            let holds: bool = sqlx::query_scalar(sql).fetch_one(&mut admin).await?;
            ensure!(holds, "it does not hold");
            Ok(())
        })
        .await
    }

    /// The database as its superuser.
    pub async fn admin(&self) -> Result<PgConnection> {
        PgConnection::connect(&self.servers.database_url(Role::Admin, &self.database)).await.context("connecting")
    }

    /// Redis, for what only a test does.
    pub async fn redis(&self) -> Result<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(self.servers.redis_url(0)).context("reading the address of Redis")?;
        client.get_multiplexed_async_connection().await.context("connecting to Redis")
    }
}

impl Worker {
    /// Asks it to stop and waits until it has.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.running.await?.context("the worker")
    }

    /// Asks it to stop.
    pub fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    /// Whether it has ended.
    pub fn ended(&self) -> bool {
        self.running.is_finished()
    }
}

/// How often each of these was run to its end.
pub fn runs(ids: &[JobId]) -> Vec<u32> {
    let counts = counts();
    ids.iter().map(|id| counts.get(id).copied().unwrap_or_default()).collect()
}
