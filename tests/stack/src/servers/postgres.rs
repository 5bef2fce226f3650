//! How a private Postgres is made and started: on a Unix socket in the stack's folder, no port, no password.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{folder, guard};
use crate::{
    exec::{self, Account, Death},
    wait,
};

/// What the guard needs to know to run Postgres.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Plan {
    pub programs: PathBuf,
    pub major: u32,
    pub data: PathBuf,
    pub durable: bool,
    pub settings: Vec<(String, String)>,
}

// Decision: text needs a UTF-8 locale, or Cyrillic is neither lowered nor found. Plain C is for machines that have none.
const LOCALES: [&[&str]; 3] =
    [&["--locale=C.UTF-8"], &["--lc-collate=C", "--lc-ctype=en_US.UTF-8", "--lc-messages=C"], &["--locale=C"]];

const FAST: [(&str, &str); 6] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("autovacuum", "off"),
];

const ALWAYS: [(&str, &str); 5] = [
    ("listen_addresses", ""),
    ("max_connections", "300"),
    ("jit", "off"),
    // Segments in /dev/shm would outlive a killed server; files in the data folder go with it.
    ("dynamic_shared_memory_type", "mmap"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
];

/// Makes the data folder unless a kept one is already there.
pub(super) fn prepare(plan: &Plan, account: Option<Account>, socket: &Path) -> anyhow::Result<()> {
    if let Ok(version) = fs::read_to_string(plan.data.join("PG_VERSION")) {
        let major = plan.major;
        ensure!(version.trim() == major.to_string(), "{} is of Postgres {}", plan.data.display(), version.trim());
        return Ok(());
    }
    fs::create_dir_all(&plan.data).with_context(|| format!("making {}", plan.data.display()))?;
    folder::give(&plan.data, account)?;
    let mut complaint = String::new();
    for locale in LOCALES {
        let mut command = command(&plan.programs.join("initdb"), account, socket)?;
        command.arg("-D").arg(&plan.data).args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-instructions"]);
        command.args(locale);
        if !plan.durable {
            command.args(["--no-sync", "--wal-segsize=1"]);
        }
        let output = command.stdin(Stdio::null()).output().context("running initdb")?;
        if output.status.success() {
            return Ok(());
        }
        String::from_utf8_lossy(&output.stderr).trim().clone_into(&mut complaint);
        if !complaint.contains("locale") {
            break;
        }
    }
    bail!("initdb: {complaint}");
}

/// Starts the server and waits until it takes connections.
pub(super) fn start(plan: &Plan, account: Option<Account>, socket: &Path) -> anyhow::Result<Child> {
    let mut command = command(&plan.programs.join("postgres"), account, socket)?;
    command.arg("-D").arg(&plan.data).arg("-k").arg(socket);
    let own = plan.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in ALWAYS.into_iter().chain(FAST.into_iter().filter(|_| !plan.durable)).chain(own) {
        command.args(["-c", &format!("{name}={value}")]);
    }
    let log = socket.join("postgres.log");
    let out = OpenOptions::new().create(true).append(true).open(&log).context("opening postgres.log")?;
    command.stdin(Stdio::null()).stdout(out.try_clone().context("opening postgres.log")?).stderr(out);
    let mut child = command.spawn().context("starting postgres")?;

    let mut ended = false;
    let ready = wait::blocking(Duration::from_mins(1), || {
        ended = child.try_wait().is_ok_and(|status| status.is_some());
        ended || is_ready(&plan.data, child.id())
    });
    if ended || !ready {
        let _ = child.kill();
        let _ = child.wait();
        bail!("Postgres did not start:\n{}", guard::tail(&log));
    }
    Ok(child)
}

/// The lock file of a running server: its process id first, its state in the eighth line.
fn is_ready(data: &Path, pid: u32) -> bool {
    fs::read_to_string(data.join("postmaster.pid")).is_ok_and(|text| {
        let mut lines = text.lines();
        lines.next().is_some_and(|line| line.trim() == pid.to_string())
            && lines.nth(6).is_some_and(|line| line.trim() == "ready")
    })
}

/// A command of Postgres' own programs, free of what the caller's environment says about other servers.
fn command(program: &Path, account: Option<Account>, folder: &Path) -> anyhow::Result<Command> {
    let mut command = exec::command(program, account, Death::Quit)?;
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.env_remove("LC_ALL").env("LANG", "C").env("TZ", "UTC").current_dir(folder);
    Ok(command)
}
