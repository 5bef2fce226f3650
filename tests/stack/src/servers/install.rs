//! Installs missing servers with apt when we are root, without letting the packages start anything; and says which line
//! to type when we are not.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use super::binaries::Wanted;

const LOCK: &str = "/run/wb-install.lock";
const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_TEXT: &str = "#!/bin/sh\n# Written by `cargo wb` while it installs packages; safe to delete.\nexit 101\n";
const PATIENCE: Duration = Duration::from_mins(3);

/// Whether packages can be installed here without asking anybody.
pub(super) fn is_possible() -> bool {
    nix::unistd::geteuid().is_root() && Path::new("/usr/bin/apt-get").exists()
}

/// The line that a person has to type.
pub(super) fn advice(missing: Wanted) -> String {
    let mut lines =
        vec!["Postgres (14 or newer) and Redis or Valkey (6 or newer) are needed; missing here:".to_owned()];
    if missing.postgres {
        lines.push("  Postgres: initdb and postgres were not found (PG_BIN may name their folder)".into());
    }
    if missing.redis {
        lines.push("  Redis: neither redis-server nor valkey-server was found (REDIS_BIN may name it)".into());
    }
    let pick = |postgres: &str, redis: &str| match (missing.postgres, missing.redis) {
        (true, true) => format!("{postgres} {redis}"),
        (true, false) => postgres.to_owned(),
        (false, _) => redis.to_owned(),
    };
    lines.push("Install with one of".into());
    lines.push(format!("  sudo apt-get install --no-install-recommends {}", pick("postgresql", "redis-server")));
    lines.push(format!("  sudo dnf install {}", pick("postgresql-server", "valkey")));
    lines.push(format!("  brew install {}", pick("postgresql@17", "redis")));
    lines.push("or point DATABASE_URL and REDIS_URL at running servers.".into());
    lines.join("\n")
}

/// Installs the packages of what is missing.
pub(super) fn packages(missing: Wanted, report: &dyn Fn(&str)) -> anyhow::Result<()> {
    // Two stacks that start at once install one after the other, so that neither removes the other's policy.
    let lock = File::create(LOCK).with_context(|| format!("opening {LOCK}"))?;
    lock.lock().with_context(|| format!("locking {LOCK}"))?;
    let _policy = Policy::put_up()?;

    let candidates: Vec<Vec<&str>> = match (missing.postgres, missing.redis) {
        (true, false) => vec![vec!["postgresql"]],
        (postgres, _) => ["redis-server", "valkey-server"]
            .map(|redis| if postgres { vec!["postgresql", redis] } else { vec![redis] })
            .to_vec(),
    };
    report(&format!("Installing {} with apt-get", candidates[0].join(" and ")));
    if candidates.iter().any(|names| install(names).is_ok()) {
        return Ok(());
    }
    report("Updating apt's package lists");
    apt_get(&["update"])?;
    report(&format!("Installing {} with apt-get", candidates[0].join(" and ")));
    let mut outcome = Ok(());
    for names in &candidates {
        outcome = install(names);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

fn install(names: &[&str]) -> anyhow::Result<()> {
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(names);
    apt_get(&arguments)
}

fn apt_get(arguments: &[&str]) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let Output { status, stderr, .. } = Command::new("apt-get")
            .args(["-o", "DPkg::Lock::Timeout=120"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1")
            .stdin(Stdio::null())
            // Ctrl-C must not catch dpkg half way: it finishes, then we stop.
            .process_group(0)
            .output()
            .context("running apt-get")?;
        let complaint = String::from_utf8_lossy(&stderr);
        if status.success() {
            return Ok(());
        }
        // apt waits for dpkg's lock by itself, but not for the one of the package lists.
        if complaint.contains("Could not get lock") && Instant::now() < end {
            thread::sleep(Duration::from_secs(1));
            continue;
        }
        bail!("apt-get {}: {}", arguments.join(" "), complaint.trim());
    }
}

/// Forbids packages to start their services, unless the machine already forbids it.
struct Policy {
    ours: bool,
}

impl Policy {
    fn put_up() -> anyhow::Result<Self> {
        match File::create_new(POLICY) {
            Ok(mut file) => {
                let policy = Self { ours: true };
                file.write_all(POLICY_TEXT.as_bytes()).with_context(|| format!("writing {POLICY}"))?;
                file.set_permissions(fs::Permissions::from_mode(0o755)).with_context(|| format!("writing {POLICY}"))?;
                Ok(policy)
            }
            // Ours can be left over from an installation that was killed.
            Err(_) => Ok(Self { ours: fs::read_to_string(POLICY).is_ok_and(|text| text == POLICY_TEXT) }),
        }
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}
