//! Secrets leave the process's environment.
//!
//! What a process was started with stays readable in `/proc/PID/environ` for as long as it lives, whatever it does to its
//! variables later. So a program that finds secrets there starts itself again, at once and in the same process: each
//! secret goes through a pipe of its own that the new start reads as the secret's `*_FILE`, once. What had the variables
//! before (a shell, the container's description) still has them: files are the better place.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::{ConfigProblems, SECRETS};

/// What a pipe takes without a reader, on any Linux.
const LARGEST: usize = 4096;

/// Returns if no secret stands in the environment. Call it first of all: it must not meet another thread.
pub fn hide_secrets() -> Result<(), ConfigProblems> {
    let shown: Vec<(&str, String)> = SECRETS
        .iter()
        .filter_map(|name| Some((*name, std::env::var(name).ok().filter(|value| !value.trim().is_empty())?)))
        .collect();
    // Both at once are refused when they are read, and then nothing is started.
    if shown.is_empty() || shown.iter().any(|(name, _)| std::env::var_os(format!("{name}_FILE")).is_some()) {
        return Ok(());
    }
    match start_again(&shown) {
        Ok(never) => match never {},
        Err(error) => Err(ConfigProblems(vec![format!(
            "the secrets cannot be taken out of the environment ({}): give them as files, {}",
            error.kind(),
            shown.iter().map(|(name, _)| format!("{name}_FILE")).collect::<Vec<_>>().join(", ")
        )])),
    }
}

fn start_again(shown: &[(&str, String)]) -> io::Result<Infallible> {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| OsString::from("wb-assistant"));
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0(name).args(arguments);
    let mut inherited = Vec::with_capacity(shown.len());
    for (name, value) in shown {
        if value.len() > LARGEST {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(value.as_bytes())?;
        // The copy has no close-on-exec flag.
        let copy = nix::unistd::dup(&reader)?;
        command.env_remove(name).env(format!("{name}_FILE"), format!("/proc/self/fd/{}", copy.as_raw_fd()));
        inherited.push(copy);
    }
    Err(command.exec())
}
