//! `cargo wb prepare`: asks a real, migrated database about every checked query and keeps the answers in `.sqlx`, so that
//! the project compiles without one.

use std::{collections::BTreeMap, fs, path::Path, time::SystemTime};

use anyhow::{Context, bail};

use crate::{
    Durability, Role, ServerOptions, Servers, Steps, programs,
    servers::{self, Scratch},
};

const PACKAGES: [&str; 3] = ["shared", "api", "worker"];

/// Replaces the kept answers, or only compares with them.
pub async fn run(only_check: bool, steps: &mut Steps) -> anyhow::Result<()> {
    let root = programs::workspace();
    let progress = steps.progress();
    let starting = Servers::start_with(ServerOptions::new(Durability::Fast), move |text| progress.say(text));
    let servers = steps.step("Start Postgres", starting).await?;
    let database = format!("prepare_{}", hex::encode(rand::random::<[u8; 4]>()));
    let migrating = async {
        servers.create_database(&database, None).await?;
        servers::migrate(&servers.database_url(Role::Migrate, &database), &root.join("migrations")).await
    };
    steps.step("Apply the migrations", migrating).await?;

    let scratch = Scratch::create().await?;
    let fresh = scratch.path().join("sqlx");
    fs::create_dir(&fresh).context("making a folder for the answers")?;
    let progress = steps.progress();
    let checking = async {
        touch(&root)?;
        let mut command = programs::cargo(&["check", "-p", PACKAGES[0], "-p", PACKAGES[1], "-p", PACKAGES[2]])?;
        // As superuser: the macros let Postgres plan each query, and planning under row security asks who is asking.
        command.env("DATABASE_URL", servers.database_url(Role::Admin, &database));
        command.env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", &fresh);
        programs::listen_to(command, move |text| progress.say(text)).await
    };
    let outcome = steps.step("Ask about every query", checking).await;
    // Compiled against a database that is about to go: the next build must not believe it is fresh.
    touch(&root)?;
    servers.drop_database(&database).await?;
    servers.stop().await?;
    outcome?;

    let (kept, found) = (answers(&root.join(".sqlx"))?, answers(&fresh)?);
    let drift = kept.keys().chain(found.keys()).filter(|name| kept.get(*name) != found.get(*name)).count();
    if only_check {
        if drift > 0 {
            bail!(".sqlx is not up to date: {drift} files differ. Run `cargo wb prepare` and commit the result.");
        }
        steps.note(&format!(".sqlx is up to date: {} queries", found.len()));
        return Ok(());
    }
    replace(&root.join(".sqlx"), &kept, &found)?;
    steps.note(&format!(".sqlx holds {} queries, {drift} files changed", found.len()));
    Ok(())
}

/// The files of a folder by name; none if there is no folder.
fn answers(folder: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
        .map(|entry| {
            let text = fs::read(entry.path()).with_context(|| format!("reading {}", entry.path().display()))?;
            Ok((entry.file_name().to_string_lossy().into_owned(), text))
        })
        .collect()
}

fn replace(folder: &Path, kept: &BTreeMap<String, Vec<u8>>, found: &BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    fs::create_dir_all(folder).context("making .sqlx")?;
    for name in kept.keys().filter(|name| !found.contains_key(*name)) {
        fs::remove_file(folder.join(name)).with_context(|| format!("removing {name}"))?;
    }
    for (name, text) in found.iter().filter(|(name, text)| kept.get(*name) != Some(*text)) {
        fs::write(folder.join(name), text).with_context(|| format!("writing {name}"))?;
    }
    Ok(())
}

/// Makes cargo compile the packages again, since the macros ask only then.
fn touch(root: &Path) -> anyhow::Result<()> {
    for path in
        PACKAGES.iter().flat_map(|package| ["lib.rs", "main.rs"].map(|file| root.join(package).join("src").join(file)))
    {
        if path.exists() {
            let file =
                fs::File::options().append(true).open(&path).with_context(|| format!("touching {}", path.display()))?;
            file.set_modified(SystemTime::now()).with_context(|| format!("touching {}", path.display()))?;
        }
    }
    Ok(())
}
