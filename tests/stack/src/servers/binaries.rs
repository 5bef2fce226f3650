//! Finds the programs of Postgres and Redis: named by a variable, in the usual places, or installed on the spot.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail, ensure};

use super::install;

const OLDEST_POSTGRES: u32 = 14;
const OLDEST_REDIS: u32 = 6;
const REDIS_NAMES: [&str; 2] = ["redis-server", "valkey-server"];

/// A folder with `initdb` and `postgres`, and their version.
#[derive(Clone, Debug)]
pub(super) struct PostgresPrograms {
    pub folder: PathBuf,
    pub major: u32,
}

/// Which programs are wanted: a server that is given from outside needs none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub postgres: bool,
    pub redis: bool,
}

/// What was found of what was wanted.
#[derive(Debug)]
pub(super) struct Found {
    pub postgres: Option<PostgresPrograms>,
    pub redis: Option<PathBuf>,
}

/// Finds the wanted programs; as root on a system with apt, installs what is missing.
pub(super) fn find(wanted: Wanted, report: &dyn Fn(&str)) -> anyhow::Result<Found> {
    let look = || -> anyhow::Result<Found> {
        Ok(Found {
            postgres: if wanted.postgres { postgres()? } else { None },
            redis: if wanted.redis { redis()? } else { None },
        })
    };
    let mut found = look()?;
    let lacking = |found: &Found| Wanted {
        postgres: wanted.postgres && found.postgres.is_none(),
        redis: wanted.redis && found.redis.is_none(),
    };
    let mut missing = lacking(&found);
    if (missing.postgres || missing.redis) && install::is_possible() {
        install::packages(missing, report)?;
        found = look()?;
        missing = lacking(&found);
    }
    if missing.postgres || missing.redis {
        bail!("{}", install::advice(missing));
    }
    Ok(found)
}

fn postgres() -> anyhow::Result<Option<PostgresPrograms>> {
    if let Some(folder) = env::var_os("PG_BIN") {
        let folder = PathBuf::from(folder);
        let major = postgres_major(&folder).with_context(|| format!("PG_BIN={}", folder.display()))?;
        ensure!(major >= OLDEST_POSTGRES, "PG_BIN is Postgres {major}; {OLDEST_POSTGRES} is the oldest supported");
        return Ok(Some(PostgresPrograms { folder, major }));
    }
    let mut folders = below("/usr/lib/postgresql", "", "bin");
    folders.extend(below("/usr", "pgsql-", "bin"));
    folders.extend(below("/opt/homebrew/opt", "postgresql", "bin"));
    folders.extend(below("/usr/local/opt", "postgresql", "bin"));
    folders.extend(below("/Applications/Postgres.app/Contents/Versions", "", "bin"));
    folders.extend(search_path());
    Ok(folders
        .into_iter()
        .filter(|folder| folder.join("initdb").is_file())
        .filter_map(|folder| postgres_major(&folder).ok().map(|major| PostgresPrograms { folder, major }))
        .filter(|found| found.major >= OLDEST_POSTGRES)
        .max_by_key(|found| found.major))
}

fn redis() -> anyhow::Result<Option<PathBuf>> {
    if let Some(given) = env::var_os("REDIS_BIN") {
        let given = PathBuf::from(given);
        let program = if given.is_dir() {
            REDIS_NAMES.iter().map(|name| given.join(name)).find(|path| path.is_file()).context("REDIS_BIN is empty")?
        } else {
            given
        };
        // An explicitly named program may number its versions differently: only a real Redis is judged.
        if let Ok(major) = redis_major(&program) {
            ensure!(major >= OLDEST_REDIS, "REDIS_BIN is Redis {major}; {OLDEST_REDIS} is the oldest supported");
        }
        return Ok(Some(program));
    }
    let mut folders = search_path();
    folders.extend(["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"].map(PathBuf::from));
    Ok(REDIS_NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .filter(|path| path.is_file())
        .find(|path| redis_major(path).is_ok_and(|major| major >= OLDEST_REDIS)))
}

fn search_path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// `parent/<prefix…>/tail` for every folder of that name.
fn below(parent: &str, prefix: &str, tail: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(tail))
        .filter(|path| path.is_dir())
        .collect()
}

fn postgres_major(folder: &Path) -> anyhow::Result<u32> {
    major_after(&version(&folder.join("postgres"))?, "(PostgreSQL) ")
}

fn redis_major(program: &Path) -> anyhow::Result<u32> {
    major_after(&version(program)?, " v=")
}

fn version(program: &Path) -> anyhow::Result<String> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .with_context(|| format!("asking {} for its version", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn major_after(text: &str, mark: &str) -> anyhow::Result<u32> {
    let (_, rest) = text.split_once(mark).with_context(|| format!("no version in {text:?}"))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().with_context(|| format!("no version in {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(major_after("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "(PostgreSQL) ").unwrap(), 15);
        assert_eq!(major_after("postgres (PostgreSQL) 18beta1", "(PostgreSQL) ").unwrap(), 18);
        assert_eq!(major_after("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc", " v=").unwrap(), 7);
        assert_eq!(major_after("Valkey server v=8.1.1 sha=00000000:0", " v=").unwrap(), 8);
        assert!(major_after("bash: no such file", " v=").is_err());
    }
}
