//! The private folder of one stack: `wb-<10 hex>`, readable by its servers only, with a note of who owns it. Folders
//! whose owner was killed are swept at the next start.

use std::{
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use crate::{exec::Account, wait};

const NOTE: &str = "owner.json";
const MEMORY: &str = "/dev/shm";
const SERVERS: [&str; 4] = ["postgres", "initdb", "redis", "valkey"];
#[cfg(target_os = "linux")]
const ENOUGH_MEMORY: u64 = 1 << 30;

/// Who made a folder. A process id alone may have been given to somebody else since, hence the start time.
#[derive(Debug, Deserialize, Serialize, PartialEq)]
struct Note {
    pid: i32,
    started: Option<u64>,
}

impl Note {
    fn of_this_process() -> Self {
        let pid = nix::unistd::getpid().as_raw();
        Self { pid, started: started(pid) }
    }

    fn is_alive(&self) -> bool {
        kill(Pid::from_raw(self.pid), None) != Err(nix::errno::Errno::ESRCH) && started(self.pid) == self.started
    }
}

/// Where folders may lie, the fastest first.
fn places() -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from(MEMORY), std::env::temp_dir()];
    places.retain(|place| place.is_dir());
    places.dedup();
    places
}

/// Memory when it is large enough, or a disk when the data must be as durable as a disk is.
fn place(durable: bool) -> PathBuf {
    if !durable && is_roomy() { PathBuf::from(MEMORY) } else { std::env::temp_dir() }
}

#[cfg(target_os = "linux")]
fn is_roomy() -> bool {
    nix::sys::statvfs::statvfs(MEMORY).is_ok_and(|it| it.blocks_available() * it.fragment_size() >= ENOUGH_MEMORY)
}

#[cfg(not(target_os = "linux"))]
fn is_roomy() -> bool {
    false
}

/// Makes the folder of this process, owned by `account` if given.
pub(super) fn create(durable: bool, account: Option<Account>) -> anyhow::Result<PathBuf> {
    let folder = place(durable).join(format!("wb-{}", hex::encode(rand::random::<[u8; 5]>())));
    fs::DirBuilder::new().mode(0o700).create(&folder).with_context(|| format!("making {}", folder.display()))?;
    let note = serde_json::to_vec(&Note::of_this_process()).context("writing down the owner")?;
    fs::write(folder.join(NOTE), note).context("writing down the owner")?;
    give(&folder, account)?;
    Ok(folder)
}

/// Makes `folder` belong to `account`, closed to everybody else.
pub(super) fn give(folder: &Path, account: Option<Account>) -> anyhow::Result<()> {
    if let Some(Account { uid, gid }) = account {
        chown(folder, Some(uid), Some(gid)).with_context(|| format!("giving away {}", folder.display()))?;
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).context("closing the folder")
}

/// Removes the folder, and whatever server still runs out of it.
pub(super) fn remove(folder: &Path) {
    for (pid, name) in occupants(folder) {
        // Postgres leaves shared memory behind when it is killed outright. A paused one has to wake up to hear us.
        let _ = kill(pid, if name == "postgres" { Signal::SIGQUIT } else { Signal::SIGKILL });
        let _ = kill(pid, Signal::SIGCONT);
    }
    if !wait::blocking(Duration::from_secs(2), || occupants(folder).is_empty()) {
        for (pid, _) in occupants(folder) {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
    // A server in its last moments may still write a file: once more, then.
    wait::blocking(Duration::from_secs(2), || fs::remove_dir_all(folder).is_ok() || !folder.exists());
}

/// Removes the folders of stacks whose owner is dead.
pub(super) fn sweep(account: Option<Account>) {
    let this = nix::unistd::getuid().as_raw();
    let ours = [this, account.map_or(this, |it| it.uid)];
    for folder in places().iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten() {
        let path = folder.path();
        if is_abandoned(&path, ours) {
            remove(&path);
        }
    }
}

fn is_abandoned(path: &Path, ours: [u32; 2]) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("wb-"));
    let Some(name) = name else { return false };
    let named_by_us = name.len() == 10 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let made_by_us = fs::symlink_metadata(path)
        .is_ok_and(|it| it.is_dir() && ours.contains(&it.uid()) && it.permissions().mode() & 0o777 == 0o700);
    if !named_by_us || !made_by_us {
        return false;
    }
    match fs::read(path.join(NOTE)).ok().and_then(|note| serde_json::from_slice::<Note>(&note).ok()) {
        Some(note) => !note.is_alive(),
        // In the making, unless it has been so for long.
        None => fs::metadata(path)
            .and_then(|it| it.modified())
            .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > Duration::from_mins(10))),
    }
}

/// Servers that work in this folder or were started with it among their arguments, with their names.
fn occupants(folder: &Path) -> Vec<(Pid, String)> {
    let mentions = |pid: Pid| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word.starts_with(folder.as_os_str().as_bytes())))
    };
    let works_in = |pid: Pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    processes()
        .filter_map(|pid| Some((pid, fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned())))
        .filter(|(_, name)| SERVERS.iter().any(|server| name.starts_with(server)))
        .filter(|(pid, _)| works_in(*pid) || mentions(*pid))
        .collect()
}

/// Every process of this machine (none where there is no /proc).
pub(super) fn processes() -> impl Iterator<Item = Pid> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw))
}

/// When a process started, in the kernel's ticks.
fn started(pid: i32) -> Option<u64> {
    stat_field(Pid::from_raw(pid), 19)?.parse().ok()
}

/// The parent of a process.
pub(super) fn parent(pid: Pid) -> Option<Pid> {
    stat_field(pid, 1)?.parse().ok().map(Pid::from_raw)
}

/// A field of `/proc/PID/stat`, counted from the state, which follows the name in brackets.
fn stat_field(pid: Pid, index: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(index).map(str::to_owned)
}
