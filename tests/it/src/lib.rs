//! What the suite stands on: the API on a port, jobs run in this process without Redis, the simulator, a virtual printer,
//! a database of its own as the roles of production, and a clock that stands until it is moved.

mod acts;
pub mod answers;
mod count_acts;
mod drift_acts;
pub mod engine;
mod mail;
pub mod matrix;
pub mod people;
mod product_acts;
mod shop;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::api::edge::Patience;
use anyhow::{Context, Result};
use secrecy::{ExposeSecret, SecretString};
use shared::clock::{Clock, SetClock};
use shared::config::{Config, Program};
use shared::db::{Db, DbOptions};
use shared::jobs::{Job, Queue};
use shared::wildberries::{Budget, Client as Wildberries};
use sqlx::{Connection, PgConnection};
use stack::printer::VirtualPrinter;
use stack::programs::{Environment, Secrets};
use stack::{Client, Durability, Role, Servers};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use wildberries::{Limits, Simulator, TokenSpec};
use worker::printing::transport::{AllowList, Timeouts};
use worker::{Ctx, Ran};

pub use acts::{Act, asker, changing_operations, example, is_of_the_installation};
pub use mail::{Letter, MailServer, token_of};
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
    secrets: Secrets,
    api: Db,
    servers: Servers,
    database: String,
    serving: JoinHandle<()>,
}

/// Another process of the API over the same database and the same Redis, as far as they know of each other.
pub struct Replica {
    /// Where it is.
    pub url: String,
    serving: JoinHandle<()>,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl TestApp {
    /// Everything, fresh.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// Everything, fresh, with these variables of the API set otherwise; nobody is held up by rates unless `RATE_LIMITS` is
    /// among them.
    pub async fn start_with(variables: &[(&str, &str)]) -> Result<Self> {
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
        let secrets = secrets()?;
        let config = config(Program::Api, &secrets, &url, &servers.redis_url(0), &simulator.url(), variables)?;
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
        let (url, serving) = serve(::api::State::new(api.clone(), config, wildberries)).await?;
        Ok(Self { url, simulator, printer, clock, ctx, secrets, api, servers, database, serving })
    }

    /// One more process of the API.
    pub async fn replica(&self) -> Result<Replica> {
        self.replica_with(&[]).await
    }

    /// One more process of the API, with these variables set otherwise.
    pub async fn replica_with(&self, variables: &[(&str, &str)]) -> Result<Replica> {
        let config = self.told(variables)?;
        let wildberries = Wildberries::new(config.hosts.clone(), Budget::unlimited())?;
        let db = open(config.database_url.expose_secret(), &self.clock)?;
        let (url, serving) = serve(::api::State::new(db, config, wildberries)).await?;
        Ok(Replica { url, serving })
    }

    /// What another process of the API is told here: the same secrets, and these variables otherwise.
    fn told(&self, variables: &[(&str, &str)]) -> Result<Config> {
        let url = self.servers.database_url(Role::Api, &self.database);
        config(Program::Api, &self.secrets, &url, &self.servers.redis_url(0), &self.simulator.url(), variables)
    }

    /// What signs access tokens here.
    pub fn jwt_keys(&self) -> &str {
        &self.secrets.jwt_keys
    }

    /// The one line of the file with the keys that seal.
    pub fn kek(&self) -> &str {
        &self.secrets.kek
    }

    /// The database as the API sees it.
    pub fn db(&self) -> &Db {
        &self.api
    }

    /// An enterprise with its administrator, signed in.
    pub async fn enterprise(&self, name: &str) -> Result<Client> {
        let email = self.founded(name).await?;
        Client::new(&self.url)?.sign_in(&email, PASSWORD).await
    }

    /// An enterprise whose administrator, with the password [`PASSWORD`], signs in with the answered address.
    pub async fn founded(&self, name: &str) -> Result<String> {
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
        std::fs::write(&kek_file, self.kek())?;
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

    /// Where the database is for its superuser.
    pub fn admin_url(&self) -> String {
        self.servers.database_url(Role::Admin, &self.database)
    }

    /// The database as its superuser, for what no program may do.
    pub async fn admin(&self) -> Result<PgConnection> {
        PgConnection::connect(&self.admin_url()).await.context("connecting")
    }

    /// The same in the name of an enterprise: what triggers do as the owner is bound by row security.
    pub async fn admin_in(&self, enterprise: &str) -> Result<PgConnection> {
        let mut admin = self.admin().await?;
        sqlx::query("SELECT set_config('app.enterprise_id', $1, false)").bind(enterprise).execute(&mut admin).await?;
        Ok(admin)
    }

    /// One number out of the database.
    pub async fn count(&self, sql: &'static str) -> Result<i64> {
        Ok(sqlx::query_scalar(sql).fetch_one(&mut self.admin().await?).await?)
    }

    /// The content of every table but these, one fingerprint each: two that are equal show that nothing was written in between.
    pub async fn fingerprint(&self, but: &[&str]) -> Result<BTreeMap<String, String>> {
        let mut admin = self.admin().await?;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 1",
        )
        .fetch_all(&mut admin)
        .await?;
        let mut found = BTreeMap::new();
        for table in tables.into_iter().filter(|table| !but.contains(&table.as_str())) {
            let query =
                format!("SELECT coalesce(md5(string_agg(t::text, ';' ORDER BY t::text)), '') FROM {table} AS t");
            let print: String = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&mut admin).await?;
            found.insert(table, print);
        }
        Ok(found)
    }

    /// Redis, shared with other tests: names in it must be one's own.
    pub fn redis_url(&self) -> String {
        self.servers.redis_url(0)
    }

    /// The database as this role.
    pub async fn as_role(&self, role: Role) -> Result<PgConnection> {
        PgConnection::connect(&self.servers.database_url(role, &self.database)).await.context("connecting")
    }

    /// The database as the API has it.
    pub fn api_db(&self) -> &Db {
        &self.api
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

async fn serve(state: ::api::State) -> Result<(String, JoinHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("listening")?;
    let address = listener.local_addr().context("an address")?;
    state.rates.connected(Duration::from_secs(1)).await;
    let app = ::api::app(state);
    let serving =
        tokio::spawn(::api::edge::serve(listener, app, Patience::default(), std::future::pending(), Duration::ZERO));
    Ok((format!("http://{address}"), serving))
}

fn open(url: &str, clock: &SetClock) -> Result<Db> {
    let options =
        DbOptions { max_connections: 6, statement_timeout: Duration::from_secs(30), application_name: "wb-test" };
    Ok(Db::open(&SecretString::from(url.to_owned()), &options)?.with_clock(Clock::Set(clock.clone())))
}

/// Strong ones, as `deploy/setup` writes them.
fn secrets() -> Result<Secrets> {
    let folder = std::env::temp_dir().join(format!("wb-it-{}", shared::ids::JobId::new()));
    std::fs::create_dir(&folder)?;
    let secrets = Secrets::of(&folder);
    std::fs::remove_dir_all(&folder)?;
    Ok(secrets?.0)
}

fn config(
    program: Program,
    secrets: &Secrets,
    database_url: &str,
    redis_url: &str,
    simulator: &str,
    variables: &[(&str, &str)],
) -> Result<Config> {
    let kek_file = std::env::temp_dir().join(format!("wb-it-{}.kek", shared::ids::JobId::new()));
    std::fs::write(&kek_file, &secrets.kek)?;
    let set = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let config = Config::read(program, |name| match name {
        _ if set(name).is_some() => set(name),
        "RATE_LIMITS" => Some(stack::programs::UNHINDERED.to_owned()),
        "DATABASE_URL" => Some(database_url.to_owned()),
        "REDIS_URL" => Some(redis_url.to_owned()),
        "JWT_KEYS" => Some(secrets.jwt_keys.clone()),
        "WB_KEK_FILE" => Some(kek_file.to_string_lossy().into_owned()),
        "WB_ENV" => Some("demo".to_owned()),
        "WORKER_LISTEN" => Some("127.0.0.1:0".to_owned()),
        "WB_BASE_URL_COMMON" | "WB_BASE_URL_CONTENT" | "WB_BASE_URL_MARKETPLACE" => Some(simulator.to_owned()),
        _ => None,
    });
    std::fs::remove_file(&kek_file)?;
    Ok(config?)
}
