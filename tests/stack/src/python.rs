//! Python programs of others, each in an environment of its own in cargo's target folder: made once for each list of versions.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};

use crate::exec::{self, Death};
use crate::programs;

/// The oldest Python that the pinned versions run on.
const OLDEST: (u32, u32) = (3, 11);

/// A program of the environment that `tests/{set}/requirements.txt` pins, installed if need be.
pub(crate) async fn program(set: &str, name: &str, report: impl Fn(&str) + Send + 'static) -> anyhow::Result<PathBuf> {
    let requirements = programs::workspace().join("tests").join(set).join("requirements.txt");
    let pinned = fs::read(&requirements).context("reading the pinned versions")?;
    let place = format!("python-{}", &hex::encode(Sha256::digest(&pinned))[..12]);
    let folder = programs::target().join(set).join(place);
    let (program, complete) = (folder.join("bin").join(name), folder.join("complete"));
    if complete.is_file() && program.is_file() {
        return Ok(program);
    }
    let installing = tokio::task::spawn_blocking(move || {
        let python = python()?;
        report("making a Python environment");
        // What an interrupted installation left.
        let _ = fs::remove_dir_all(&folder);
        let mut making = command(&python)?;
        making.args(["-m", "venv"]).arg(&folder);
        succeed(making, &report)
            .context("making a Python environment (on Debian and Ubuntu: apt-get install python3-venv)")?;
        let mut installing = command(&folder.join("bin").join("python"))?;
        installing.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--requirement"]);
        installing.arg(&requirements);
        succeed(installing, &report).context("installing from PyPI")?;
        fs::write(&complete, "").context("marking the environment as complete")
    });
    installing.await.context("installing")??;
    Ok(program)
}

/// `PYTHON_BIN`, or the first Python in the path that is new enough.
fn python() -> anyhow::Result<PathBuf> {
    if let Some(given) = std::env::var_os("PYTHON_BIN") {
        let given = PathBuf::from(given);
        ensure!(
            is_new_enough(&given),
            "PYTHON_BIN={} is no Python {}.{} or newer",
            given.display(),
            OLDEST.0,
            OLDEST.1
        );
        return Ok(given);
    }
    let names = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];
    names.map(PathBuf::from).into_iter().find(|name| is_new_enough(name)).with_context(|| {
        format!(
            "this needs Python {}.{} or newer, and none is in the path. Debian 12, Ubuntu 24.04 and newer: \
             apt-get install python3 python3-venv; macOS: brew install python; elsewhere: PYTHON_BIN=/path/to/python3",
            OLDEST.0, OLDEST.1
        )
    })
}

fn is_new_enough(python: &Path) -> bool {
    let test = format!("import sys, venv, ensurepip; sys.exit(sys.version_info < {OLDEST:?})");
    let asked = Command::new(python).args(["-c", &test]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn command(program: &Path) -> anyhow::Result<Command> {
    let mut command = exec::command(program, None, Death::Kill)?;
    // Of whoever calls us, nothing may reach into the environment.
    command.env_remove("PYTHONPATH").env_remove("PYTHONHOME").env_remove("VIRTUAL_ENV");
    Ok(command)
}

/// Runs to the end, hands on what is said, and fails with the last of it.
fn succeed(mut command: Command, report: &impl Fn(&str)) -> anyhow::Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = exec::spawn(command).context("starting Python")?;
    let mut last = VecDeque::new();
    for line in BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines().map_while(Result::ok) {
        if line.starts_with("Collecting") {
            report(&line);
        }
        if last.len() == 20 {
            last.pop_front();
        }
        last.push_back(line);
    }
    if !child.wait().context("waiting for Python")?.success() {
        bail!("it failed:\n{}", Vec::from(last).join("\n"));
    }
    Ok(())
}
