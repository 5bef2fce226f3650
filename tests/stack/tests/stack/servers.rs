//! Private servers: their life, their faults, and that nothing of them is left.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Connection, PgConnection, Row};
use stack::{Durability, Role, ServerOptions, Servers, wait};

const SOON: Duration = Duration::from_secs(15);

async fn servers(durability: Durability) -> Servers {
    let options = ServerOptions { private: true, ..ServerOptions::new(durability) };
    Servers::start_with(options, |_| ()).await.unwrap()
}

fn runs(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with('Z'))
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

struct Traces {
    folder: PathBuf,
    pids: Vec<u32>,
}

impl Traces {
    fn of(servers: &Servers) -> Self {
        let pids = [servers.guard_pid(), servers.postgres().pid(), servers.redis().pid()];
        Self { folder: servers.folder().unwrap().to_owned(), pids: pids.map(Option::unwrap).to_vec() }
    }

    fn are_gone(&self) -> bool {
        !self.folder.exists() && !self.pids.iter().any(|pid| runs(*pid))
    }
}

async fn answer(url: &str) -> anyhow::Result<i32> {
    let mut connection = PgConnection::connect(url).await?;
    let row = sqlx::query("SELECT 1").fetch_one(&mut connection).await?;
    Ok(row.get(0))
}

#[tokio::test]
async fn stopping_leaves_no_process_and_no_folder() {
    let servers = servers(Durability::Fast).await;
    let traces = Traces::of(&servers);
    assert!(traces.folder.is_dir() && traces.pids.iter().all(|pid| runs(*pid)));

    servers.stop().await.unwrap();

    assert!(traces.are_gone());
}

#[tokio::test]
async fn every_role_of_the_product_can_connect_and_none_is_above_row_security() {
    let servers = servers(Durability::Fast).await;
    servers.create_database("wb", None).await.unwrap();

    for role in [Role::Admin, Role::Migrate, Role::Api, Role::Worker, Role::Backup] {
        let mut connection = PgConnection::connect(&servers.database_url(role, "wb")).await.unwrap();
        let row =
            sqlx::query("SELECT rolname::text, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
                .fetch_one(&mut connection)
                .await
                .unwrap();
        assert_eq!(row.get::<String, _>(0), role.name());
        assert_eq!(row.get::<bool, _>(1), role == Role::Admin);
        assert_eq!(row.get::<bool, _>(2), matches!(role, Role::Admin | Role::Backup));
    }
}

#[tokio::test]
async fn text_is_cyrillic() {
    let servers = servers(Durability::Fast).await;
    let mut connection = servers.admin("postgres").await.unwrap();
    let row = sqlx::query("SELECT lower('ЁЛКА')").fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<String, _>(0), "ёлка");
}

#[tokio::test]
async fn a_template_is_made_once_and_cloned() {
    let servers = servers(Durability::Fast).await;
    let migrations = servers.folder().unwrap().join("migrations");
    fs::create_dir(&migrations).unwrap();
    fs::write(migrations.join("20260901090000_cells.sql"), "CREATE TABLE cells (code text PRIMARY KEY);").unwrap();
    let mut runs = 0;

    let mut clones = Vec::new();
    for _ in 0..2 {
        let template = servers
            .template(&migrations, async |url| {
                runs += 1;
                stack::servers::migrate(url, &migrations).await
            })
            .await
            .unwrap();
        clones.push(servers.fresh_database(&template).await.unwrap());
    }

    assert_eq!(runs, 1);
    assert_ne!(clones[0], clones[1]);
    let mut owner = PgConnection::connect(&servers.database_url(Role::Migrate, &clones[0])).await.unwrap();
    sqlx::query("INSERT INTO cells VALUES ('A-1')").execute(&mut owner).await.unwrap();
    servers.drop_database(&clones[0]).await.unwrap();
    assert!(answer(&servers.database_url(Role::Migrate, &clones[0])).await.is_err());
    assert_eq!(answer(&servers.database_url(Role::Migrate, &clones[1])).await.unwrap(), 1);
}

#[tokio::test]
async fn numbered_databases_of_redis_are_given_out_one_by_one() {
    let servers = servers(Durability::Fast).await;
    let first = servers.take_redis_database().await.unwrap();
    let second = servers.take_redis_database().await.unwrap();
    assert_ne!(first, second);
    assert!(servers.redis_url(second).ends_with(&format!("/{second}")));
}

#[tokio::test]
async fn a_killed_server_comes_back_at_the_same_address_with_its_data() {
    let servers = servers(Durability::Durable).await;
    servers.create_database("wb", None).await.unwrap();
    let (database, redis) = (servers.database_url(Role::Migrate, "wb"), servers.redis_url(0));
    let before = servers.take_redis_database().await.unwrap();

    servers.postgres().kill().await.unwrap();
    servers.redis().kill().await.unwrap();
    assert!(answer(&database).await.is_err());
    assert!(servers.take_redis_database().await.is_err());
    servers.postgres().start().await.unwrap();
    servers.redis().start().await.unwrap();

    assert_eq!(answer(&servers.database_url(Role::Migrate, "wb")).await.unwrap(), 1);
    assert_eq!(redis, servers.redis_url(0));
    assert_eq!(servers.take_redis_database().await.unwrap(), before + 1);
}

#[tokio::test]
async fn a_paused_server_is_silent_until_resumed_and_can_be_stopped_while_paused() {
    let servers = servers(Durability::Fast).await;
    let traces = Traces::of(&servers);

    servers.redis().pause().await.unwrap();
    assert!(servers.take_redis_database().await.is_err());
    servers.redis().resume().await.unwrap();
    assert!(servers.take_redis_database().await.is_ok());

    servers.postgres().pause().await.unwrap();
    servers.redis().pause().await.unwrap();
    servers.stop().await.unwrap();
    assert!(traces.are_gone());
}

#[tokio::test]
async fn kept_data_is_there_again() {
    let data = std::env::temp_dir().join(format!("wbkept-{}", std::process::id()));
    let options =
        || ServerOptions { data: Some(data.clone()), private: true, ..ServerOptions::new(Durability::Durable) };

    let servers = Servers::start_with(options(), |_| ()).await.unwrap();
    servers.create_database("wb", None).await.unwrap();
    servers.stop().await.unwrap();
    let servers = Servers::start_with(options(), |_| ()).await.unwrap();

    assert_eq!(answer(&servers.database_url(Role::Api, "wb")).await.unwrap(), 1);
    servers.stop().await.unwrap();
    fs::remove_dir_all(&data).unwrap();
}

#[tokio::test]
async fn a_killed_guard_takes_the_servers_along_and_the_owner_cleans_up() {
    let servers = servers(Durability::Fast).await;
    let traces = Traces::of(&servers);

    signal(servers.guard_pid().unwrap(), Signal::SIGKILL);
    wait::until("the servers end", SOON, || !traces.pids[1..].iter().any(|pid| runs(*pid))).await.unwrap();
    servers.stop().await.unwrap();

    assert!(traces.are_gone());
}

#[tokio::test]
async fn a_folder_of_a_dead_owner_is_swept_at_the_next_start() {
    use std::os::unix::fs::DirBuilderExt;
    let make = |name: &str, note: &str| {
        let folder = Path::new("/dev/shm").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
        fs::write(folder.join("owner.json"), note).unwrap();
        folder
    };
    let dead = make("wb-00000dead0", r#"{"pid":2000000000,"started":1}"#);
    let reused = make("wb-00000dead1", r#"{"pid":1,"started":18446744073709551615}"#);
    let foreign = make("wb-notours", r#"{"pid":2000000000,"started":1}"#);

    let first = servers(Durability::Fast).await;
    let second = servers(Durability::Fast).await;

    assert!(!dead.exists() && !reused.exists(), "abandoned folders are removed");
    assert!(foreign.exists(), "folders that only look similar stay");
    assert!(first.folder().unwrap().exists() && second.folder().unwrap().exists(), "folders in use stay");
    fs::remove_dir_all(foreign).unwrap();
}

/// `cargo wb servers` as a process of its own, and where its folder is.
fn owner() -> (std::process::Child, PathBuf) {
    use std::io::{BufRead, BufReader};
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_stack"))
        .arg("servers")
        .env_remove("DATABASE_URL")
        .env_remove("REDIS_URL")
        .env_remove(stack::servers::TEST_DATABASE_URL)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.find_map(|line| line.split_once("host=").map(|(_, rest)| rest.to_owned())).unwrap();
    let folder = url.split('&').next().unwrap().replace("%2F", "/");
    (child, PathBuf::from(folder))
}

/// Processes that mention the folder: guard, servers and theirs.
fn users_of(folder: &Path) -> usize {
    let mentions = |pid: &str| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let works_there = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        works_there || String::from_utf8_lossy(&line).contains(folder.to_str().unwrap())
    };
    let names = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.parse::<u32>().is_ok()).filter(|pid| mentions(pid)).count()
}

#[tokio::test]
async fn an_owner_that_ends_in_any_way_leaves_nothing() {
    for ending in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGKILL] {
        let (mut owner, folder) = owner();
        assert!(folder.is_dir() && users_of(&folder) > 2);

        signal(owner.id(), ending);

        wait::until("everything is gone", SOON, || !folder.exists() && users_of(&folder) == 0).await.unwrap();
        owner.wait().unwrap();
    }
}
