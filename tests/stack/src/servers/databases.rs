//! Roles, databases, and the migrated template that test databases are cloned from.

use std::{fmt::Write, fs, path::Path};

use anyhow::Context;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, migrate::Migrator, raw_sql};
use url::Url;

use super::Servers;

/// Who connects to a database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The superuser, for what no part of the product may do
    Admin,
    /// Owner of the databases: runs migrations
    Migrate,
    /// The API
    Api,
    /// The workers
    Worker,
    /// Reads everything, for backups
    Backup,
}

impl Role {
    const OF_THE_PRODUCT: [Self; 4] = [Self::Migrate, Self::Api, Self::Worker, Self::Backup];

    /// The name of the role in Postgres (of `Admin`: in a private Postgres).
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "postgres",
            Self::Migrate => "wb_migrate",
            Self::Api => "wb_api",
            Self::Worker => "wb_worker",
            Self::Backup => "wb_backup",
        }
    }
}

/// The address of `database` for `role`, given the superuser's address of any database of that server.
pub(super) fn url_for(admin: &Url, role: Role, database: &str) -> Url {
    let mut url = admin.clone();
    url.set_path(&format!("/{database}"));
    if role == Role::Admin {
        return url;
    }
    if on_socket(admin) {
        let others: Vec<(String, String)> =
            admin.query_pairs().filter(|(name, _)| name != "user").map(|(k, v)| (k.into(), v.into())).collect();
        url.query_pairs_mut().clear().extend_pairs(others).append_pair("user", role.name());
    } else {
        url.set_username(role.name()).expect("the address has a host");
        url.set_password(Some(&password(admin, role))).expect("the address has a host");
    }
    url
}

fn on_socket(admin: &Url) -> bool {
    admin.host_str().is_none_or(str::is_empty)
}

/// On a server that is not ours roles need a password; every process finds the same one.
fn password(admin: &Url, role: Role) -> String {
    let mut root = admin.clone();
    root.set_path("");
    hex::encode(&Sha256::digest(format!("{}:{root}", role.name()))[..16])
}

/// Makes the roles that are not there yet.
pub(super) async fn create_roles(admin: &Url) -> anyhow::Result<()> {
    let mut statement = String::new();
    for role in Role::OF_THE_PRODUCT {
        let name = role.name();
        let secret = if on_socket(admin) { String::new() } else { format!(" PASSWORD ''{}''", password(admin, role)) };
        let reach = if role == Role::Backup { "BYPASSRLS" } else { "NOBYPASSRLS" };
        let wanted = format!("CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE {reach}{secret}");
        writeln!(
            statement,
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN EXECUTE '{wanted}'; \
             END IF; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;"
        )
        .expect("writing to a string");
    }
    statement.push_str("GRANT pg_read_all_data TO wb_backup;");
    run(admin, &statement).await.context("creating the roles")
}

/// Boxed, because the future of a connection is large and would make every caller's so.
async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    Box::pin(PgConnection::connect(url)).await.context("connecting to Postgres")
}

/// Runs statements as the superuser on the database that `admin` names.
async fn run(admin: &Url, statements: &str) -> anyhow::Result<()> {
    let mut connection = connect(admin.as_str()).await?;
    for statement in statements.split_inclusive(";\n") {
        raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    }
    connection.close().await.context("leaving Postgres")
}

/// Applies `folder/*.sql` to the database at `url`, as `api migrate` does.
pub async fn migrate(url: &str, folder: &Path) -> anyhow::Result<()> {
    let migrator = Migrator::new(folder).await.with_context(|| format!("reading {}", folder.display()))?;
    let mut connection = connect(url).await?;
    Box::pin(migrator.run_direct(None, &mut connection, false)).await.context("migrating")?;
    connection.close().await.context("leaving Postgres")
}

/// A short fingerprint of the names and contents of the migrations.
fn fingerprint(folder: &Path) -> anyhow::Result<String> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .with_context(|| format!("reading {}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update(fs::read(&file).with_context(|| format!("reading {}", file.display()))?);
    }
    Ok(hex::encode(&hash.finalize()[..6]))
}

impl Servers {
    /// The address of `database` for `role`.
    pub fn database_url(&self, role: Role, database: &str) -> String {
        url_for(&self.admin, role, database).to_string()
    }

    /// A connection as superuser.
    pub async fn admin(&self, database: &str) -> anyhow::Result<PgConnection> {
        connect(&self.database_url(Role::Admin, database)).await
    }

    /// Makes a database owned by the migrating role, empty or as a clone of `template`.
    pub async fn create_database(&self, name: &str, template: Option<&str>) -> anyhow::Result<()> {
        let mut connection = self.admin(self.home()).await?;
        let version: i32 = sqlx::query("SELECT current_setting('server_version_num')::int4")
            .fetch_one(&mut connection)
            .await
            .context("asking Postgres for its version")?
            .get(0);
        let source = match template {
            // Copying files is what makes a clone take 17 ms in memory; before 15 it is the only way and has no name.
            Some(template) if version >= 150_000 => format!("TEMPLATE \"{template}\" STRATEGY FILE_COPY"),
            Some(template) => format!("TEMPLATE \"{template}\""),
            None => String::new(),
        };
        let statement = format!("CREATE DATABASE \"{name}\" OWNER wb_migrate {source}");
        raw_sql(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .with_context(|| format!("creating database {name}"))?;
        connection.close().await.context("leaving Postgres")
    }

    /// Whether there is a database of this name.
    pub async fn has_database(&self, name: &str) -> anyhow::Result<bool> {
        let mut connection = self.admin(self.home()).await?;
        let row = sqlx::query("SELECT FROM pg_database WHERE datname = $1")
            .bind(name)
            .fetch_optional(&mut connection)
            .await
            .with_context(|| format!("looking for database {name}"))?;
        connection.close().await.context("leaving Postgres")?;
        Ok(row.is_some())
    }

    /// Drops a database, whoever is connected to it.
    pub async fn drop_database(&self, name: &str) -> anyhow::Result<()> {
        run(
            &url_for(&self.admin, Role::Admin, self.home()),
            &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"),
        )
        .await
        .with_context(|| format!("dropping database {name}"))
    }

    /// The template made by these migrations: made once per server by `migrate`, which is given the address of an empty
    /// database for the migrating role. Any number of processes may ask at once.
    pub async fn template(
        &self,
        migrations: &Path,
        migrate: impl AsyncFnOnce(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<String> {
        let mark = fingerprint(migrations)?;
        let name = format!("tpl_{mark}");
        let mut connection = self.admin(self.home()).await?;
        sqlx::query("SELECT pg_advisory_lock(hashtext($1))")
            .bind(&name)
            .execute(&mut connection)
            .await
            .context("waiting for the template")?;
        let ready = sqlx::query("SELECT FROM pg_database WHERE datname = $1 AND datistemplate")
            .bind(&name)
            .fetch_optional(&mut connection)
            .await
            .context("looking for the template")?;
        if ready.is_none() {
            self.drop_database(&name).await?;
            self.create_database(&name, None).await?;
            migrate(&self.database_url(Role::Migrate, &name)).await?;
            // Closed for good: a clone waits for, or fails on, anybody who is connected to its template.
            let finish = format!(
                "ALTER DATABASE \"{name}\" IS_TEMPLATE true ALLOW_CONNECTIONS false;\n\
                 SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}';"
            );
            run(&url_for(&self.admin, Role::Admin, self.home()), &finish).await.context("closing the template")?;
        }
        connection.close().await.context("leaving Postgres")?;
        Ok(name)
    }

    /// A fresh clone of `template`; answers its name.
    pub async fn fresh_database(&self, template: &str) -> anyhow::Result<String> {
        let name = format!("t_{}", hex::encode(rand::random::<[u8; 6]>()));
        self.create_database(&name, Some(template)).await?;
        Ok(name)
    }

    /// The database that the superuser's address names, from which others are made.
    fn home(&self) -> &str {
        let name = self.admin.path().trim_start_matches('/');
        if name.is_empty() { "postgres" } else { name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_changes_the_user_of_an_address() {
        let socket = Url::parse("postgres:///postgres?host=/dev/shm/wb-0&user=postgres").unwrap();
        assert_eq!(url_for(&socket, Role::Api, "wb").as_str(), "postgres:///wb?host=%2Fdev%2Fshm%2Fwb-0&user=wb_api");
        let network = Url::parse("postgres://root:secret@db:5432/postgres?sslmode=require").unwrap();
        let worker = url_for(&network, Role::Worker, "wb");
        assert_eq!((worker.username(), worker.path(), worker.query()), ("wb_worker", "/wb", Some("sslmode=require")));
        assert_ne!(worker.password(), Some("secret"));
        assert_eq!(url_for(&network, Role::Admin, "wb").as_str(), "postgres://root:secret@db:5432/wb?sslmode=require");
    }
}
