//! `api serve | migrate | openapi | check | admin`.

mod check;
mod serve;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use api::admin::{self, NewEnterprise, NewSystemAdministrator};
use api::passwords::Passwords;
use api::setup::{self, Setup};
use clap::{Parser, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use shared::config::{self, ConfigProblems};
use shared::db::{self, Db, DbOptions, RoleProblem};
use shared::seal::{self, UnknownKeys};
use shared::telemetry;

/// As sysexits.h has it: the configuration is wrong, starting again does not help.
const EX_CONFIG: u8 = 78;

/// WB Assistant's HTTP API.
#[derive(Debug, Parser)]
#[command(name = "api", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answers HTTP requests until it is told to stop.
    Serve,
    /// Brings the database's schema up to date; needs `DATABASE_URL` only.
    Migrate,
    /// Prints the OpenAPI document; needs nothing.
    Openapi,
    /// Looks at everything that would keep `serve` from starting, and says what it finds. Changes nothing.
    Check,
    /// What the one who runs the installation does.
    #[command(subcommand)]
    Admin(Admin),
}

#[derive(Debug, Subcommand)]
enum Admin {
    /// Founds an enterprise with its first administrator, whose password comes on standard input. Prints the enterprise's id.
    CreateEnterprise {
        /// As people call it.
        #[arg(long)]
        name: String,
        /// What the administrator signs in with.
        #[arg(long)]
        email: String,
        /// As colleagues call the administrator.
        #[arg(long, default_value = "Administrator")]
        user_name: String,
    },
    /// Takes in somebody who runs the installation, whose password comes on standard input. Prints their id.
    CreateSystemAdministrator {
        /// What they sign in with.
        #[arg(long)]
        email: String,
        /// As others call them.
        #[arg(long, default_value = "System administrator")]
        name: String,
    },
    /// Prints a link with which the person chooses a new password, good for half an hour; needs `DATABASE_URL`, and
    /// `PUBLIC_URL` if it is set.
    ResetLink {
        /// What the person signs in with.
        #[arg(long)]
        email: String,
    },
    /// Takes the second factor away from who lost telephone and recovery codes.
    ResetSecondFactor {
        /// What the person signs in with.
        #[arg(long)]
        email: String,
    },
    /// Writes strong secrets and the settings beside them, as `deploy/setup` does. Nothing that is there is touched.
    InitSecrets {
        /// Gets `.env.prod` and the folder `secrets`.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
        /// Where the programs will find Postgres.
        #[arg(long, default_value = "wb-postgres:5432")]
        postgres: String,
        /// Where they will find Redis.
        #[arg(long, default_value = "wb-redis:6379")]
        redis: String,
        /// Lets containers read the files under users of their own; the folder still keeps everybody else out.
        #[arg(long)]
        for_containers: bool,
    },
    /// Seals every secret in the database anew under the first key of `WB_KEK_FILE`. Safe to stop and to run again.
    RotateKeys,
    /// Recomputes the chain of every enterprise's audit log, and of the installation's own. Exits with 1 if anything is wrong.
    VerifyAudit {
        /// Only of this enterprise.
        #[arg(long)]
        enterprise: Option<uuid::Uuid>,
        /// The hash of an earlier last seal of that enterprise, kept outside the database, in hex.
        #[arg(long, requires = "enterprise")]
        head: Option<String>,
    },
    /// Exports months of the audit log that are over a year old and drops them; needs `DATABASE_URL` of the role that owns the schema.
    PruneAudit {
        /// Where the exports go, one file of JSON lines a month.
        #[arg(long)]
        folder: std::path::PathBuf,
        /// How many whole months are kept.
        #[arg(long, default_value_t = shared::audit::KEEP_MONTHS)]
        keep_months: u32,
    },
}

fn main() -> ExitCode {
    // First of all: several crates bring TLS, and all of them have to mean the same provider.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let arguments = Arguments::parse();
    if let Err(problems) = config::hide_secrets() {
        return ended(&problems.into());
    }
    telemetry::start();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(8).enable_all().build();
    let outcome =
        runtime.context("the runtime does not start").and_then(|runtime| runtime.block_on(run(arguments.command)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ended(&error),
    }
}

/// Says why it ended. A wrong configuration has a code of its own: starting again does not help.
fn ended(error: &anyhow::Error) -> ExitCode {
    // Nobody is left to be told if this does not arrive.
    drop(writeln!(std::io::stderr(), "api: {}", telemetry::redacted(&format!("{error:#}"))));
    let misconfigured = error.is::<ConfigProblems>()
        || error.is::<UnknownKeys>()
        || matches!(error.downcast_ref(), Some(RoleProblem::Unbound));
    ExitCode::from(if misconfigured { EX_CONFIG } else { 1 })
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve => serve::serve().await,
        Command::Migrate => Ok(db::migrate(&config::database_url()?).await?),
        Command::Openapi => print(&api::openapi()),
        Command::Check => check::check().await,
        Command::Admin(Admin::InitSecrets { dir, postgres, redis, for_containers }) => {
            let written = setup::init_secrets(&Setup { folder: dir, postgres, redis, for_containers })?;
            for (what, files) in [("wrote", written.new), ("kept", written.kept)] {
                for file in files {
                    print(&format!("{what} {file}\n"))?;
                }
            }
            Ok(())
        }
        Command::Admin(Admin::RotateKeys) => rotate_keys().await,
        Command::Admin(Admin::CreateEnterprise { name, email, user_name }) => {
            let new = NewEnterprise { name, email, user_name, password: password()? };
            let id = admin::create_enterprise(&open(Duration::from_secs(5))?, &Passwords::default(), new).await?;
            print(&format!("{id}\n"))
        }
        Command::Admin(Admin::CreateSystemAdministrator { email, name }) => {
            let new = NewSystemAdministrator { email, name, password: password()? };
            let id =
                admin::create_system_administrator(&open(Duration::from_secs(5))?, &Passwords::default(), new).await?;
            print(&format!("{id}\n"))
        }
        Command::Admin(Admin::ResetLink { email }) => {
            let clients = config::public_url()?;
            let link = admin::reset_link(&open(Duration::from_secs(5))?, &email, clients.as_ref()).await?;
            print(&format!("{}\n", link.expose_secret()))
        }
        Command::Admin(Admin::ResetSecondFactor { email }) => {
            Ok(admin::reset_second_factor(&open(Duration::from_secs(5))?, &email).await?)
        }
        Command::Admin(Admin::VerifyAudit { enterprise, head }) => {
            let told = admin::verify_audit(&open(Duration::from_mins(10))?, enterprise, head.as_deref()).await?;
            print(&told.text)?;
            anyhow::ensure!(told.faults == 0, "{} faults in the audit log", told.faults);
            Ok(())
        }
        Command::Admin(Admin::PruneAudit { folder, keep_months }) => {
            for pruned in shared::audit::prune(&config::database_url()?, keep_months, &folder).await? {
                let shared::audit::Pruned { month, entries, file } = pruned;
                print(&format!(
                    "{}  {entries} entries exported to {} and dropped\n",
                    month.format("%Y-%m"),
                    file.display()
                ))?;
            }
            Ok(())
        }
    }
}

fn open(statement_timeout: Duration) -> anyhow::Result<Db> {
    open_at(&config::database_url()?, statement_timeout)
}

fn open_at(url: &SecretString, statement_timeout: Duration) -> anyhow::Result<Db> {
    let options = DbOptions { max_connections: 1, statement_timeout, application_name: "wb-admin" };
    Ok(Db::open(url, &options)?)
}

async fn rotate_keys() -> anyhow::Result<()> {
    let (database_url, keyring) = config::database_url_and_keyring()?;
    let db = open_at(&database_url, Duration::from_secs(30))?;
    seal::key_use(&db).await?.unknown_to(&keyring)?;
    let rotation = seal::rotate(&db, &keyring, |rows| tracing::info!(rows, "Sealing anew")).await?;
    let current = keyring.current();
    print(&format!("{} rows were sealed anew; the current key is {current}\n", rotation.resealed))?;
    for (key_id, table, rows) in rotation.key_use.iter() {
        print(&format!("key {key_id}: {rows} rows of {table}\n"))?;
    }
    for old in keyring.ids().filter(|id| *id != current) {
        print(&match rotation.key_use.rows(old) {
            0 => format!(
                "key {old}: no rows; its line may be removed once every api and worker was started with {current} as the first line\n"
            ),
            rows => format!("key {old}: {rows} rows still need it: run this again before its line is removed\n"),
        })?;
    }
    Ok(())
}

/// All of standard input but the end of its line.
fn password() -> anyhow::Result<SecretString> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("the password cannot be read from standard input")?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("standard output is closed")
}
