//! The only road to SQL: one transaction, one enterprise, one actor, one moment.
//!
//! `Db::begin` sets `app.enterprise_id` in the same round trip that begins the transaction; every policy reads it.
//! The pool is private and connections are visible to this crate alone, so no program can ask a question without
//! having said for whom.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, PgPool, Postgres, Transaction};

use crate::access::{Actor, Bounds, Permission, Reach};
use crate::clock::Clock;
use crate::herald::{Change, Herald};
use crate::idempotency::{self, Ask};
use crate::ids::EnterpriseId;
use crate::jobs::{Bell, Ring};
use crate::versions::Expected;
use crate::{Error, Result};

/// Every migration, compiled in.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// How a program uses the database.
#[derive(Clone, Debug)]
pub struct DbOptions {
    /// Connections of this process.
    pub max_connections: u32,
    /// After which a statement is given up.
    pub statement_timeout: Duration,
    /// Shown in `pg_stat_activity`.
    pub application_name: &'static str,
}

/// The database as one program sees it. Nobody gets at a connection that is not bound to an enterprise:
///
/// ```compile_fail,E0616
/// fn connections(db: &shared::db::Db) -> &sqlx::PgPool {
///     &db.pool
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Db {
    pool: PgPool,
    clock: Clock,
    bell: Bell,
    herald: Herald,
}

impl Db {
    /// A pool that connects when it is first needed.
    pub fn open(url: &SecretString, options: &DbOptions) -> Result<Self> {
        let connect = connect_options(url, options)?;
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(Duration::from_secs(2))
            .test_before_acquire(false)
            .connect_lazy_with(connect);
        Ok(Self { pool, clock: Clock::Database, bell: Bell::silent(), herald: Herald::silent() })
    }

    /// The same database with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The same database; committed promises ring this bell.
    #[must_use]
    pub fn with_bell(mut self, bell: Bell) -> Self {
        self.bell = bell;
        self
    }

    /// The same database; committed changes of rights are told to this herald.
    #[must_use]
    pub fn with_herald(mut self, herald: Herald) -> Self {
        self.herald = herald;
        self
    }

    /// The moment, told from an earlier one that a transaction knew: for what is remembered between transactions.
    pub fn now_since(&self, earlier: DateTime<Utc>, passed: Duration) -> DateTime<Utc> {
        match &self.clock {
            Clock::Set(clock) => clock.now(),
            Clock::Database => earlier + passed,
        }
    }

    /// Begins the transaction of one actor in one enterprise. Under an idempotency key it fails if the key was answered
    /// before, is in use, or named another request.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that begins transactions")]
    pub async fn begin(&self, actor: &Actor) -> Result<EnterpriseTx> {
        // A uuid has no quotes, so this is safe to put together; it saves a round trip on every request.
        let begin = format!("BEGIN; SET LOCAL app.enterprise_id = '{}'", actor.enterprise_id());
        let tx = self.pool.begin_with(AssertSqlSafe(begin)).await?;
        let (ask, expected) = (actor.origin().ask.clone(), actor.origin().expected.clone());
        let mut tx = EnterpriseTx { work: self.work(tx), actor: actor.clone(), ask, expected };
        if let Err(answered) = idempotency::claim(&mut tx).await {
            // The key is given back before it is told: whoever asks next must not find it in use.
            tx.work.tx.rollback().await?;
            return Err(answered);
        }
        Ok(tx)
    }

    /// Begins a transaction that sees platform tables only: sign-in, jobs, timers, health.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that begins transactions")]
    pub async fn platform(&self) -> Result<PlatformTx> {
        let tx = self.pool.begin().await?;
        Ok(PlatformTx { work: self.work(tx) })
    }

    /// A connection of its own that stays open: for session locks.
    pub async fn detached(&self) -> Result<PgConnection> {
        let options = self.pool.connect_options();
        Ok(options.connect().await?)
    }

    /// Listens to notifications on a connection of its own.
    pub async fn listener(&self) -> Result<PgListener> {
        Ok(PgListener::connect_with(&self.pool).await?)
    }

    /// Connections in use and idle, for health.
    pub fn pool_use(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }

    /// Refuses a role that row security does not bind, or that may become one: isolation would silently be off.
    pub async fn refuse_unbound_role(&self) -> Result<(), RoleProblem> {
        let unbound = sqlx::query_scalar!(
            r#"SELECT bool_or((rolsuper OR rolbypassrls) AND pg_has_role(current_user, oid, 'MEMBER')) AS "unbound!" FROM pg_roles"#
        )
        .fetch_one(&self.pool)
        .await?;
        if unbound { Err(RoleProblem::Unbound) } else { Ok(()) }
    }

    /// The newest migration that the database has applied, if any.
    pub async fn schema_version(&self) -> Result<Option<i64>> {
        let there = sqlx::query_scalar!(r#"SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS "there!""#)
            .fetch_one(&self.pool)
            .await?;
        if !there {
            return Ok(None);
        }
        // Not a checked macro: the table belongs to the migrator and is not in the migrations themselves.
        Ok(sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(&self.pool).await?)
    }

    /// Waits until the schema is at least the one this program was built for; at most `patience`.
    pub async fn wait_for_schema(&self, patience: Duration) -> Result<(), SchemaProblem> {
        let needed = needed_schema();
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let problem = match self.schema_version().await {
                Ok(Some(version)) if version >= needed => return Ok(()),
                Ok(version) => SchemaProblem::Old { found: version, needed },
                Err(error) => SchemaProblem::Unreachable(error),
            };
            if tokio::time::Instant::now() >= deadline {
                return Err(problem);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    fn work(&self, tx: Transaction<'static, Postgres>) -> Work {
        Work {
            tx,
            clock: self.clock.clone(),
            now: None,
            rings: Vec::new(),
            bell: self.bell.clone(),
            changes: Vec::new(),
            herald: self.herald.clone(),
        }
    }
}

/// The newest migration compiled in.
pub fn needed_schema() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().expect("there are migrations")
}

/// Applies the migrations, as the owner of the schema. Several at once wait for each other; a dead one's lock ends with its session.
pub async fn migrate(url: &SecretString) -> Result<(), MigrationProblem> {
    let options =
        DbOptions { max_connections: 1, statement_timeout: Duration::from_mins(10), application_name: "wb-migrate" };
    let options = connect_options(url, &options).map_err(MigrationProblem::Address)?;
    let options = options.options([("lock_timeout", "60s")]);
    let mut connection = options.connect().await?;
    MIGRATOR.run_direct(None, &mut connection, false).await?;
    Ok(())
}

pub(crate) fn connect_options(url: &SecretString, options: &DbOptions) -> Result<PgConnectOptions> {
    let connect = PgConnectOptions::from_str(url.expose_secret())
        .map_err(|_| Error::invalid("DATABASE_URL", "is not a Postgres address"))?
        .application_name(options.application_name)
        .options([
            ("statement_timeout", options.statement_timeout.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", "15000".to_owned()),
            ("timezone", "UTC".to_owned()),
        ])
        .log_statements(tracing::log::LevelFilter::Trace);
    Ok(connect)
}

/// Why a program refuses to work with this role.
#[derive(Debug, thiserror::Error)]
pub enum RoleProblem {
    /// The role is a superuser or bypasses row security.
    #[error("the database role is a superuser or bypasses row security: enterprises would see each other's data")]
    Unbound,
    /// It could not be asked.
    #[error("the database could not be asked for the role's rights")]
    Unreachable(#[from] sqlx::Error),
}

/// Why a program refuses to work with this schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaProblem {
    /// Migrations are missing.
    #[error("the database schema is {found:?}, this program needs {needed}: run `api migrate`")]
    Old {
        /// What is applied.
        found: Option<i64>,
        /// What was compiled in.
        needed: i64,
    },
    /// The database did not answer.
    #[error("the database cannot be reached")]
    Unreachable(#[source] Error),
}

/// Why migrations were not applied.
#[derive(Debug, thiserror::Error)]
pub enum MigrationProblem {
    /// The address is wrong.
    #[error("the address of the database is wrong")]
    Address(#[source] Error),
    /// The database did not answer.
    #[error("the database cannot be reached")]
    Unreachable(#[from] sqlx::Error),
    /// A migration failed.
    #[error("a migration failed")]
    Failed(#[from] sqlx::migrate::MigrateError),
}

#[derive(Debug)]
struct Work {
    tx: Transaction<'static, Postgres>,
    clock: Clock,
    now: Option<DateTime<Utc>>,
    rings: Vec<Ring>,
    bell: Bell,
    changes: Vec<Change>,
    herald: Herald,
}

impl Work {
    async fn now(&mut self) -> Result<DateTime<Utc>> {
        let now = match (self.now, &self.clock) {
            (Some(now), _) => now,
            (None, Clock::Set(clock)) => clock.now(),
            (None, Clock::Database) => {
                sqlx::query_scalar!(r#"SELECT now() AS "now!""#).fetch_one(&mut *self.tx).await?
            }
        };
        self.now = Some(now);
        Ok(now)
    }

    async fn commit(self) -> Result<()> {
        self.tx.commit().await?;
        self.herald.tell(self.changes);
        self.bell.ring(self.rings);
        Ok(())
    }
}

macro_rules! transaction {
    ($name:ident) => {
        impl $name {
            /// The moment of this transaction: the same however often it is asked.
            pub async fn now(&mut self) -> Result<DateTime<Utc>> {
                self.work.now().await
            }

            pub(crate) fn conn(&mut self) -> &mut PgConnection {
                &mut self.work.tx
            }

            /// Tells every process, once this is committed, that these rights are not what they were.
            pub fn announce(&mut self, change: Change) {
                self.work.changes.push(change);
            }

            pub(crate) fn ring_on_commit(&mut self, ring: Ring) {
                self.work.rings.push(ring);
            }

            /// Opens the rows of one enterprise to the rest of the transaction: for signing in and founding, where nobody
            /// acts in it yet.
            pub(crate) async fn enter(&mut self, enterprise_id: EnterpriseId) -> Result<()> {
                sqlx::query_scalar!("SELECT set_config('app.enterprise_id', $1, true)", enterprise_id.to_string())
                    .fetch_one(self.conn())
                    .await?;
                Ok(())
            }
        }
    };
}

/// One transaction, one enterprise, one actor, one moment. Of who runs the installation the enterprise is the nil one. SQL is
/// what verbs do with it; a program cannot ask by itself:
///
/// ```compile_fail,E0624
/// fn ask(tx: &mut shared::db::EnterpriseTx) -> &mut sqlx::PgConnection {
///     tx.conn()
/// }
/// ```
///
/// What belongs to an enterprise is loaded through its transaction alone:
///
/// ```compile_fail,E0308
/// async fn load(tx: &mut shared::db::PlatformTx, id: shared::ids::OrderId) {
///     let _ = shared::orders::get(tx, id).await;
/// }
/// ```
///
/// and an id is the id of one kind of thing:
///
/// ```compile_fail,E0308
/// async fn load(tx: &mut shared::db::EnterpriseTx, id: shared::ids::SupplyId) {
///     let _ = shared::orders::get(tx, id).await;
/// }
/// ```
///
/// ```no_run
/// async fn load(tx: &mut shared::db::EnterpriseTx, id: shared::ids::OrderId) {
///     let _ = shared::orders::get(tx, id).await;
/// }
/// ```
#[derive(Debug)]
pub struct EnterpriseTx {
    work: Work,
    actor: Actor,
    ask: Option<Ask>,
    expected: Option<Expected>,
}

transaction!(EnterpriseTx);

impl EnterpriseTx {
    /// Who is acting.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The one enterprise that this transaction sees.
    pub fn enterprise_id(&self) -> EnterpriseId {
        self.actor.enterprise_id()
    }

    /// Makes everything true and rings for the promised jobs. Refuses what would be half of it: an effect whose answer was
    /// to be kept and is not, or one whose expected version nobody compared.
    pub async fn commit(self) -> Result<()> {
        if self.ask.is_some() {
            return Err(Error::Inconsistent("the request came under a key and its answer is not kept".to_owned()));
        }
        if self.expected.is_some() {
            return Err(Error::invalid("If-Match", "is not understood by this operation"));
        }
        self.work.commit().await
    }

    pub(crate) fn asked(&self) -> Option<&Ask> {
        self.ask.as_ref()
    }

    pub(crate) fn take_asked(&mut self) -> Option<Ask> {
        self.ask.take()
    }

    pub(crate) fn take_expected(&mut self) -> Option<Expected> {
        self.expected.take()
    }

    /// Fails unless the actor has the permission, however far; answers how far.
    pub fn require(&self, permission: Permission) -> Result<Reach> {
        self.actor.require(permission)
    }

    /// Fails unless the actor has the permission all over the enterprise.
    pub fn require_everywhere(&self, permission: Permission) -> Result<()> {
        if self.actor.require(permission)?.is_everywhere() { Ok(()) } else { Err(Error::Forbidden(permission.code())) }
    }

    /// How far the permission goes, as queries ask for it; fails where it goes nowhere.
    pub fn bounds(&self, permission: Permission) -> Result<Bounds> {
        self.actor.bounds(permission)
    }

    /// Fails with [`Error::StepUpRequired`] unless the person has proved within the last five minutes who they are: the
    /// first line of every verb that touches passwords, second factors, tokens or keys.
    pub async fn require_confirmed(&mut self) -> Result<()> {
        let now = self.now().await?;
        self.actor.require_confirmed(now)
    }
}

/// A transaction on platform tables.
#[derive(Debug)]
pub struct PlatformTx {
    work: Work,
}

transaction!(PlatformTx);

impl PlatformTx {
    /// Makes everything true and rings for the promised jobs.
    pub async fn commit(self) -> Result<()> {
        self.work.commit().await
    }
}
