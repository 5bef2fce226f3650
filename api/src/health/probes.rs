//! How health is looked at. Nothing here takes longer than a second, and no cause is shown: it is logged.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use shared::db::{Db, PlatformTx, needed_schema};
use shared::jobs::{self, QueueAge};
use shared::{Result, enterprises, health, telemetry};

use super::report::{Check, Word};

/// How long it took, or in one word why not.
pub type Probe = Result<Duration, &'static str>;

const PATIENCE: Duration = Duration::from_secs(1);
const READY_PATIENCE: Duration = Duration::from_millis(500);
const WRITE_EVERY: Duration = Duration::from_mins(1);
/// Everything is recomputed each night; one night may fail.
const PROVED_WITHIN_HOURS: i64 = 49;

/// A question and, once a minute, a write, on a fresh transaction.
pub async fn database(db: &Db, written: &Mutex<Option<Instant>>) -> Probe {
    let started = Instant::now();
    let work = async {
        let mut tx = db.platform().await.map_err(|error| noted("unreachable", &error))?;
        health::database_time(&mut tx).await.map_err(|error| noted("unreachable", &error))?;
        let due = written.lock().is_ok_and(|written| written.is_none_or(|last| last.elapsed() >= WRITE_EVERY));
        if due {
            health::write_probe(&mut tx).await.map_err(|error| noted("not_writable", &error))?;
        }
        tx.commit().await.map_err(|error| noted("not_writable", &error))?;
        if let (true, Ok(mut written)) = (due, written.lock()) {
            *written = Some(Instant::now());
        }
        version(db).await
    };
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err("timeout"))?;
    Ok(started.elapsed())
}

/// The applied migrations, if they are the ones that this program needs and a connection can be had.
pub async fn schema(db: &Db) -> Result<i64, &'static str> {
    tokio::time::timeout(READY_PATIENCE, version(db)).await.unwrap_or(Err("timeout"))
}

async fn version(db: &Db) -> Result<i64, &'static str> {
    let version = db.schema_version().await.map_err(|error| noted("unreachable", &error))?;
    version.filter(|version| *version >= needed_schema()).ok_or("schema_old")
}

/// On a connection of its own: what waits for the shared one must not look like an illness.
pub async fn redis(url: &SecretString) -> Probe {
    let started = Instant::now();
    match tokio::time::timeout(PATIENCE, ask_redis(url)).await {
        Err(_) => Err("timeout"),
        Ok(Err(error)) => Err(noted("unreachable", &error)),
        Ok(Ok(false)) => Err("evicts"),
        Ok(Ok(true)) => Ok(started.elapsed()),
    }
}

/// Whether it keeps what it is given; fails if it cannot even keep a word for a moment.
async fn ask_redis(url: &SecretString) -> redis::RedisResult<bool> {
    let client = redis::Client::open(url.expose_secret())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let () = redis::cmd("PING").exec_async(&mut connection).await?;
    let word = format!("{:016x}", rand::random::<u64>());
    let key = format!("wb:health:{word}");
    let () = redis::cmd("SET").arg(&key).arg(&word).arg("EX").arg(10).exec_async(&mut connection).await?;
    let kept: Option<String> = redis::cmd("GET").arg(&key).query_async(&mut connection).await?;
    let memory: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await?;
    Ok(kept.as_deref() == Some(&word) && memory.contains("maxmemory_policy:noeviction"))
}

/// Everything that runs out slowly.
pub async fn resources(db: &Db) -> Vec<Check> {
    let mut checks = vec![disk(), memory(), pool(db)];
    match tokio::time::timeout(PATIENCE, ask_database(db)).await {
        Ok(Ok(more)) => checks.extend(more),
        Ok(Err(error)) => checks.push(check("database", Word::Crit, noted("unreachable", &error))),
        Err(_) => checks.push(check("database", Word::Crit, "timeout")),
    }
    checks
}

async fn ask_database(db: &Db) -> Result<[Check; 6]> {
    let mut tx: PlatformTx = db.platform().await?;
    let before = Utc::now();
    let theirs = health::database_time(&mut tx).await?;
    let ours = before + (Utc::now() - before) / 2;
    let ages = jobs::ages(&mut tx).await?;
    let workers = health::workers_seen(&mut tx).await?;
    let expiring = health::measured(&mut tx, health::EXPIRING_TOKENS).await?;
    let refused = health::measured(&mut tx, health::REFUSED_TOKENS).await?;
    let differences = health::measured(&mut tx, health::STOCK_DIFFERENCES).await?;
    let proved_at = health::measured(&mut tx, health::STOCK_PROVED_AT).await?;
    let drifts = health::measured(&mut tx, health::OPEN_DRIFTS).await?;
    let quarantined = health::measured(&mut tx, health::QUARANTINED).await?;
    // Before the first proof has ended everything waits for it since there is something.
    let proved_at = match proved_at {
        0 => enterprises::oldest_founded_at(&mut tx).await?.map_or(theirs.timestamp(), |at| at.timestamp()),
        _ => proved_at,
    };
    tx.commit().await?;
    Ok([
        clock(theirs, ours),
        queues(&ages, theirs),
        tokens(expiring, refused),
        stock(differences, proved_at, theirs),
        wildberries(drifts, quarantined),
        check("workers", if workers > 0 { Word::Ok } else { Word::Crit }, format!("{workers} seen")),
    ])
}

fn clock(theirs: DateTime<Utc>, ours: DateTime<Utc>) -> Check {
    let skew = (ours - theirs).num_milliseconds();
    check("clock", graded(skew.abs(), 2_000, 30_000), format!("{skew} ms ahead of the database"))
}

fn queues(ages: &[QueueAge], now: DateTime<Utc>) -> Check {
    let seconds = |age: &QueueAge| age.oldest.map_or(0, |oldest| (now - oldest).num_seconds());
    let oldest = ages.iter().map(seconds).max().unwrap_or(0);
    let each: Vec<_> =
        ages.iter().map(|age| format!("{}: {} due, oldest {} s", age.queue.name(), age.due, seconds(age))).collect();
    check("queues", graded(oldest, 120, 900), each.join("; "))
}

/// Over all enterprises: whose they are is told to their owners, as alarms.
fn tokens(expiring: i64, refused: i64) -> Check {
    let state = if expiring + refused > 0 { Word::Warn } else { Word::Ok };
    check("tokens", state, format!("{expiring} expire within 7 days, {refused} refused"))
}

/// Over all enterprises: where they are is told to their owners, as alarms and by `GET /wildberries/drifts`.
fn wildberries(drifts: i64, quarantined: i64) -> Check {
    let state = if drifts + quarantined > 0 { Word::Warn } else { Word::Ok };
    check(
        "wildberries",
        state,
        format!("{drifts} changes of its answers not acknowledged, {quarantined} entries not read"),
    )
}

/// Over all enterprises: which balances they are is told to their owners, as alarms and by `GET /inventory/consistency`.
fn stock(differences: i64, proved_at: i64, now: DateTime<Utc>) -> Check {
    let hours = (now.timestamp() - proved_at) / 3600;
    let state = match (differences, hours > PROVED_WITHIN_HOURS) {
        (1.., _) => Word::Crit,
        (_, true) => Word::Warn,
        (_, false) => Word::Ok,
    };
    check("stock", state, format!("{differences} balances differ from the ledger, all recomputed within {hours} h"))
}

fn pool(db: &Db) -> Check {
    let (size, idle) = db.pool_use();
    let used = usize::try_from(size).unwrap_or(usize::MAX).saturating_sub(idle);
    let full = used >= usize::try_from(crate::CONNECTIONS).unwrap_or(usize::MAX);
    check("pool", if full { Word::Warn } else { Word::Ok }, format!("{used} of {} in use", crate::CONNECTIONS))
}

fn disk() -> Check {
    let Ok(disk) = nix::sys::statvfs::statvfs(".") else { return check("disk", Word::Warn, "cannot be asked") };
    let used = 100 - disk.blocks_available() * 100 / disk.blocks().max(1);
    check("disk", graded(used, 85, 95), format!("{used} % used"))
}

/// Against the container's limit, where there is one.
fn memory() -> Check {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident: u64 = resident.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    let limit =
        std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|limit| limit.trim().parse::<u64>().ok());
    match limit.map(|bytes| bytes / 1024).filter(|limit| *limit > 0) {
        Some(limit) => check(
            "memory",
            graded(resident * 100 / limit, 80, 95),
            format!("{} of {} MiB", resident / 1024, limit / 1024),
        ),
        None => check("memory", Word::Ok, format!("{} MiB", resident / 1024)),
    }
}

fn graded<T: PartialOrd + Copy>(value: T, warn: T, crit: T) -> Word {
    if value >= crit {
        Word::Crit
    } else if value >= warn {
        Word::Warn
    } else {
        Word::Ok
    }
}

fn check(name: &str, state: Word, value: impl Into<String>) -> Check {
    Check { name: name.to_owned(), state, value: Some(value.into()) }
}

fn noted(code: &'static str, error: &(dyn std::error::Error + 'static)) -> &'static str {
    tracing::warn!(code, "A health check failed: {}", telemetry::chain(error));
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_out_warns_before_it_cries() {
        assert_eq!([84, 85, 95].map(|used| graded(used, 85, 95)), [Word::Ok, Word::Warn, Word::Crit]);
    }

    #[test]
    fn this_process_has_memory_and_a_disk() {
        assert!(memory().value.is_some_and(|value| !value.starts_with("0 ")));
        assert!(disk().value.is_some_and(|value| value.ends_with("% used")));
    }
}
