//! Postgres and Redis: given by an address, or started as private throw-away instances that vanish with their owner.

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use nix::unistd::User;
use url::Url;

mod binaries;
mod databases;
mod folder;
pub mod guard;
mod install;
mod owner;
mod postgres;
mod redis;
mod scratch;

pub use databases::{Role, migrate};
pub use guard::Which;
pub use scratch::Scratch;

use crate::exec::Account;
use guard::{Plan, Request};
use owner::Guard;

/// The superuser's address of Postgres that `cargo wb test` gives to the tests.
pub const TEST_DATABASE_URL: &str = "WB_TEST_DATABASE_URL";
/// The address of Redis that `cargo wb test` gives to the tests.
pub const TEST_REDIS_URL: &str = "WB_TEST_REDIS_URL";
/// Set when that Redis is a private one, whose numbered databases may be emptied.
pub const TEST_REDIS_PRIVATE: &str = "WB_TEST_REDIS_PRIVATE";

/// How much a private server cares for its data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// Nothing is flushed; everything lies in memory where there is enough. For tests
    Fast,
    /// Everything is flushed, as in production, on a disk. For the demo, chaos runs and benchmarks
    Durable,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// How much the servers care for their data
    pub durability: Durability,
    /// Keeps the data here instead of throwing it away
    pub data: Option<PathBuf>,
    /// Further settings of a private Postgres
    pub settings: Vec<(String, String)>,
    /// Starts private servers even if others are given from outside
    pub private: bool,
}

impl ServerOptions {
    /// Throw-away servers with no further settings.
    pub fn new(durability: Durability) -> Self {
        Self { durability, data: None, settings: Vec::new(), private: false }
    }
}

/// Postgres and Redis, ready. Dropping the value stops what was started and deletes the folder.
#[derive(Debug)]
pub struct Servers {
    admin: Url,
    redis: Url,
    private_redis: bool,
    guard: Option<Arc<Guard>>,
}

impl Servers {
    /// The servers of `cargo wb test` when it runs us, those of `DATABASE_URL` and `REDIS_URL` when set, else private ones.
    pub async fn start(durability: Durability) -> anyhow::Result<Self> {
        Self::start_with(ServerOptions::new(durability), |_| ()).await
    }

    /// The same with all options; `report` hears what takes long (installing packages).
    pub async fn start_with(options: ServerOptions, report: impl Fn(&str) + Send + 'static) -> anyhow::Result<Self> {
        let private = options.private;
        let address = |name: &str| {
            let text = env::var(name).ok().filter(|text| !text.is_empty() && !private);
            text.map(|text| Url::parse(&text).with_context(|| format!("reading {name}"))).transpose()
        };
        if let (Some(admin), Some(redis)) = (address(TEST_DATABASE_URL)?, address(TEST_REDIS_URL)?) {
            return Ok(Self { admin, redis, private_redis: env::var_os(TEST_REDIS_PRIVATE).is_some(), guard: None });
        }
        let (given_postgres, given_redis) = (address("DATABASE_URL")?, address("REDIS_URL")?);
        let wanted = binaries::Wanted { postgres: given_postgres.is_none(), redis: given_redis.is_none() };
        let starting = tokio::task::spawn_blocking(move || {
            let plan = plan(wanted, &options, &report)?;
            let password = plan.redis.clone();
            Ok::<_, anyhow::Error>((Guard::start(plan)?, password))
        });
        let (guard, redis_plan) = starting.await.context("starting the servers")??;

        let admin = match given_postgres {
            Some(url) => url,
            None => Url::parse_with_params(
                "postgres:///postgres",
                [("host", guard.folder().to_str().context("an odd folder name")?), ("user", Role::Admin.name())],
            )
            .context("composing the address")?,
        };
        let redis = match (given_redis, redis_plan) {
            (Some(url), _) => url,
            (None, Some(plan)) => plan.url(guard.status().redis_port),
            (None, None) => bail!("no Redis"),
        };
        databases::create_roles(&admin).await?;
        Ok(Self { admin, redis, private_redis: wanted.redis, guard: Some(Arc::new(guard)) })
    }

    /// The private folder, where logs may go too. None when the servers belong to another process.
    pub fn folder(&self) -> Option<&Path> {
        self.guard.as_ref().map(|guard| guard.folder())
    }

    /// The address of a numbered database of Redis.
    pub fn redis_url(&self, database: u32) -> String {
        let mut url = self.redis.clone();
        url.set_path(&format!("/{database}"));
        url.to_string()
    }

    /// Whether Redis is a throw-away instance, so that it may be emptied.
    pub fn redis_is_private(&self) -> bool {
        self.private_redis
    }

    /// Takes a numbered database of Redis for one test, emptied. A Redis that is not ours may have few and may hold
    /// somebody's data: there it is always the one that the address names, untouched, and names must be prefixed.
    pub async fn take_redis_database(&self) -> anyhow::Result<u32> {
        if !self.private_redis {
            return self.redis.path().trim_start_matches('/').parse().or(Ok(0));
        }
        let redis = self.redis.clone();
        let taking = tokio::task::spawn_blocking(move || {
            let count: u32 = redis::ask(&redis, &["INCR", "wb:taken"])?.parse().context("counting databases")?;
            let number = 1 + count % (redis::DATABASES - 1);
            let mut own = redis.clone();
            own.set_path(&format!("/{number}"));
            redis::ask(&own, &["FLUSHDB"])?;
            Ok(number)
        });
        taking.await.context("taking a database of Redis")?
    }

    /// Redis, to be stopped, paused and started again.
    pub fn redis(&self) -> Server {
        Server { guard: self.guard.clone(), which: Which::Redis }
    }

    /// Postgres, to be stopped, paused and started again.
    pub fn postgres(&self) -> Server {
        Server { guard: self.guard.clone(), which: Which::Postgres }
    }

    /// The process id of the guard, if these servers are ours.
    pub fn guard_pid(&self) -> Option<u32> {
        self.guard.as_ref().map(|guard| guard.pid())
    }

    /// Stops what was started and waits until nothing of it is left.
    pub async fn stop(self) -> anyhow::Result<()> {
        tokio::task::spawn_blocking(move || drop(self)).await.context("stopping the servers")
    }
}

/// One of the private servers, for fault tests.
#[derive(Clone, Debug)]
pub struct Server {
    guard: Option<Arc<Guard>>,
    which: Which,
}

impl Server {
    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        let status = self.guard.as_ref()?.status();
        match self.which {
            Which::Postgres => status.postgres,
            Which::Redis => status.redis,
        }
    }

    /// Starts it again, at the same address with the same data.
    pub async fn start(&self) -> anyhow::Result<()> {
        self.ask(Request::Start(self.which)).await
    }

    /// Stops it in an orderly way.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.ask(Request::Stop(self.which)).await
    }

    /// Crashes it.
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.ask(Request::Kill(self.which)).await
    }

    /// Stops and starts it.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.stop().await?;
        self.start().await
    }

    /// Freezes it: connections stay open, nothing answers.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.ask(Request::Pause(self.which)).await
    }

    /// Ends a pause.
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.ask(Request::Resume(self.which)).await
    }

    async fn ask(&self, request: Request) -> anyhow::Result<()> {
        let guard = self.guard.clone().context("these servers belong to another process")?;
        let asking = tokio::task::spawn_blocking(move || guard.ask(&request));
        asking.await.context("asking the guard")?.map(|_| ())
    }
}

fn plan(wanted: binaries::Wanted, options: &ServerOptions, report: &dyn Fn(&str)) -> anyhow::Result<Plan> {
    let found = binaries::find(wanted, report)?;
    let account = account()?;
    folder::sweep(account);
    let durable = options.durability == Durability::Durable;
    let data = options.data.as_deref().map(|data| kept(data, account)).transpose()?;
    let folder = folder::create(durable, account)?;

    let postgres = found.postgres.map(|programs| postgres::Plan {
        data: data.as_ref().unwrap_or(&folder).join(format!("postgres-{}", programs.major)),
        programs: programs.folder,
        major: programs.major,
        durable,
        settings: options.settings.clone(),
    });
    let redis = found.redis.map(|program| redis::Plan {
        data: data.as_ref().unwrap_or(&folder).join("redis"),
        program,
        durable,
        password: hex::encode(rand::random::<[u8; 16]>()),
    });
    Ok(Plan { folder, account, postgres, redis })
}

/// Root may not run Postgres: whom it steps down to.
fn account() -> anyhow::Result<Option<Account>> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name).context("looking for the user postgres")? {
            return Ok(Some(Account { uid: user.uid.as_raw(), gid: user.gid.as_raw() }));
        }
    }
    bail!("neither a user postgres nor a user nobody exists, and Postgres refuses to run as root")
}

/// Makes the folder of kept data; refuses one that the servers' user cannot get into.
fn kept(data: &Path, account: Option<Account>) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    std::fs::create_dir_all(data).with_context(|| format!("making {}", data.display()))?;
    let data = data.canonicalize().with_context(|| format!("finding {}", data.display()))?;
    if let Some(account) = account {
        for folder in data.ancestors() {
            let it = std::fs::metadata(folder).with_context(|| format!("looking at {}", folder.display()))?;
            let mode = it.permissions().mode();
            let enters = mode & 0o001 != 0 || (it.uid() == account.uid && mode & 0o100 != 0);
            ensure!(
                enters,
                "Postgres runs as another user than root and cannot enter {}: choose a folder outside of it",
                folder.display()
            );
        }
    }
    Ok(data)
}
