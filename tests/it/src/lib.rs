//! What the suite stands on: the API on a port, jobs run in this process without Redis, the simulator, a virtual printer,
//! a database of its own as the roles of production, and a clock that stands until it is moved.

pub mod answers;
pub mod engine;
pub mod people;
mod shop;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use poem::Server;
use poem::listener::{Acceptor, Listener, TcpListener};
use secrecy::SecretString;
use shared::clock::{Clock, SetClock};
use shared::config::{Config, Program};
use shared::db::{Db, DbOptions};
use shared::jobs::{Job, Queue};
use shared::wildberries::{Budget, Client as Wildberries};
use sqlx::{Connection, PgConnection};
use stack::printer::VirtualPrinter;
use stack::programs::{Environment, Secrets};
use stack::{Client, Durability, Role, Servers};
use tokio::task::JoinHandle;
use wildberries::{Limits, Simulator, TokenSpec};
use worker::printing::transport::{AllowList, Timeouts};
use worker::{Ctx, Ran};

pub use people::{Person, Reach, grant};
pub use shop::Shop;

/// What everybody in a test signs in with.
pub const PASSWORD: &str = "a long password of nobody";

/// One test's world.
pub struct TestApp {
    /// Where the API is.
    pub url: String,
    /// Wildberries.
    pub simulator: Simulator,
    /// Paper.
    pub printer: VirtualPrinter,
    /// Stands until it is moved.
    pub clock: SetClock,
    /// What jobs use.
    pub ctx: Ctx,
    /// The one line of the file with the keys that seal.
    pub kek: String,
    api: Db,
    servers: Servers,
    database: String,
    serving: JoinHandle<()>,
}

impl TestApp {
    /// Everything, fresh.
    pub async fn start() -> Result<Self> {
        let servers = Servers::start(Durability::Fast).await?;
        let migrations = root().join("migrations");
        let template =
            servers.template(&migrations, async |url| stack::servers::migrate(url, &migrations).await).await?;
        let database = servers.fresh_database(&template).await?;
        let simulator =
            Simulator::start(wildberries::Options { limits: Limits::Off, ..wildberries::Options::default() }).await?;
        let printer = VirtualPrinter::start(stack::printer::Options::default()).await?;
        let clock = SetClock::at(chrono::Utc::now());
        let url = servers.database_url(Role::Api, &database);
        let (config, kek) = config(Program::Api, &url, &servers.redis_url(0), &simulator.url())?;
        let budget = Budget::unlimited();
        let wildberries = Wildberries::new(config.hosts.clone(), budget)?;
        let api = open(&url, &clock)?;
        let worker = open(&servers.database_url(Role::Worker, &database), &clock)?;
        let mut ctx =
            Ctx::new(worker, config.keyring.clone(), wildberries.clone(), AllowList::parse_demo("127.0.0.1/32")?);
        ctx.printer_timeouts = Timeouts {
            connect: Duration::from_millis(500),
            reply: Duration::from_millis(500),
            send: Duration::from_secs(2),
            confirm: Duration::from_secs(2),
            poll: Duration::from_millis(5),
        };
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.context("listening")?;
        let address = acceptor
            .local_addr()
            .first()
            .and_then(|address| address.as_socket_addr().copied())
            .context("an address")?;
        let app = ::api::app(::api::State::new(api.clone(), config, wildberries));
        let serving = tokio::spawn(async move {
            let _ = Server::new_with_acceptor(acceptor).run(app).await;
        });
        Ok(Self {
            url: format!("http://{address}"),
            simulator,
            printer,
            clock,
            ctx,
            kek,
            api,
            servers,
            database,
            serving,
        })
    }

    /// An enterprise with its administrator, signed in.
    pub async fn enterprise(&self, name: &str) -> Result<Client> {
        let email = self.found(name).await?;
        self.sign_in(&email).await
    }

    /// An enterprise; answers with the e-mail address of its administrator.
    pub(crate) async fn found(&self, name: &str) -> Result<String> {
        let email = format!("{}@example.org", shared::ids::JobId::new());
        let new = ::api::admin::NewEnterprise {
            name: name.to_owned(),
            email: email.clone(),
            user_name: "Анна".to_owned(),
            password: SecretString::from(PASSWORD),
        };
        ::api::admin::create_enterprise(&self.api, &::api::passwords::Passwords::default(), new).await?;
        Ok(email)
    }

    /// A new enterprise with a connected shop.
    pub async fn shop(&self) -> Result<Shop<'_>> {
        Shop::open(self, &TokenSpec::default()).await
    }

    /// The same with a token of one's own.
    pub async fn shop_with(&self, token: &TokenSpec) -> Result<Shop<'_>> {
        Shop::open(self, token).await
    }

    /// Has a job of the installation itself run.
    pub async fn promise(&self, job: &impl Job) -> Result<()> {
        let mut tx = self.ctx.db.platform().await?;
        tx.enqueue(job).await?;
        Ok(tx.commit().await?)
    }

    /// The address of this world's database for a role.
    pub fn database_url(&self, role: Role) -> String {
        self.servers.database_url(role, &self.database)
    }

    /// What a program of the product is told in this world; its files lie in the folder.
    pub fn environment(&self, folder: &Path, role: Role) -> Result<Environment> {
        let (secrets, kek_file) = Secrets::of(folder)?;
        std::fs::write(&kek_file, &self.kek)?;
        Ok(Environment {
            database_url: self.database_url(role),
            redis_url: self.redis_url(),
            wildberries_url: self.simulator.url(),
            kek_file,
            jwt_keys: secrets.jwt_keys,
            health_token: secrets.health_token,
            further: [("API_LISTEN", "127.0.0.1:0"), ("WORKER_LISTEN", "127.0.0.1:0")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        })
    }

    /// Runs every job that is due until none is.
    pub async fn run_jobs(&self) -> Result<Vec<Ran>> {
        Ok(worker::run_jobs(&self.ctx, &Queue::ALL).await?)
    }

    /// Lets time pass, then runs what is due.
    pub async fn later(&self, seconds: i64) -> Result<Vec<Ran>> {
        self.clock.advance(chrono::Duration::seconds(seconds));
        self.run_jobs().await
    }

    /// The database as its superuser, for what no program may do.
    pub async fn admin(&self) -> Result<PgConnection> {
        PgConnection::connect(&self.servers.database_url(Role::Admin, &self.database)).await.context("connecting")
    }

    /// One number out of the database.
    pub async fn count(&self, sql: &'static str) -> Result<i64> {
        Ok(sqlx::query_scalar(sql).fetch_one(&mut self.admin().await?).await?)
    }

    /// Redis, shared with other tests: names in it must be one's own.
    pub fn redis_url(&self) -> String {
        self.servers.redis_url(0)
    }

    /// The database as this role.
    pub async fn as_role(&self, role: Role) -> Result<PgConnection> {
        PgConnection::connect(&self.servers.database_url(role, &self.database)).await.context("connecting")
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn open(url: &str, clock: &SetClock) -> Result<Db> {
    let options =
        DbOptions { max_connections: 6, statement_timeout: Duration::from_secs(30), application_name: "wb-test" };
    Ok(Db::open(&SecretString::from(url.to_owned()), &options)?.with_clock(Clock::Set(clock.clone())))
}

fn config(program: Program, database_url: &str, redis_url: &str, simulator: &str) -> Result<(Config, String)> {
    let folder = std::env::temp_dir().join(format!("wb-it-{}", shared::ids::JobId::new()));
    std::fs::create_dir(&folder)?;
    let (secrets, kek_file) = Secrets::of(&folder)?;
    let config = Config::read(program, |name| match name {
        "DATABASE_URL" => Some(database_url.to_owned()),
        "REDIS_URL" => Some(redis_url.to_owned()),
        "JWT_KEYS" => Some(secrets.jwt_keys.clone()),
        "WB_KEK_FILE" => Some(kek_file.to_string_lossy().into_owned()),
        "WB_ENV" => Some("demo".to_owned()),
        "WORKER_LISTEN" => Some("127.0.0.1:0".to_owned()),
        "WB_BASE_URL_COMMON" | "WB_BASE_URL_CONTENT" | "WB_BASE_URL_MARKETPLACE" => Some(simulator.to_owned()),
        _ => None,
    });
    std::fs::remove_dir_all(&folder)?;
    Ok((config?, secrets.kek))
}
