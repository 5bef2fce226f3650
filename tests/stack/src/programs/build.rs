//! Builds the programs with cargo, and knows where cargo puts them.

use std::{
    collections::VecDeque,
    env,
    ffi::OsString,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use crate::exec::{self, Death};

/// How a program is compiled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Profile {
    /// As while working on it: the demo and the tests
    Dev,
    /// As shipped: benchmarks and figures of memory
    Release,
}

/// The top of the workspace.
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).expect("the package lies two levels below the workspace").to_owned()
}

/// Where cargo puts a program of the workspace.
pub fn program(profile: Profile, name: &str) -> PathBuf {
    let folder = if profile == Profile::Release { "release" } else { "debug" };
    target().join(folder).join(name)
}

/// Cargo marks its target folder; ours is in it, wherever it was put.
pub(crate) fn target() -> PathBuf {
    let this = env::current_exe().unwrap_or_default();
    let marked = this.ancestors().skip(1).find(|folder| folder.join("CACHEDIR.TAG").is_file());
    marked.map_or_else(|| workspace().join("target"), Path::to_owned)
}

/// A call of cargo in the workspace, bound to this process and deaf to addresses of foreign databases.
pub(crate) fn cargo(arguments: &[&str]) -> anyhow::Result<Command> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = exec::command(Path::new(&cargo), None, Death::Kill)?;
    command.args(arguments).current_dir(workspace()).env("SQLX_OFFLINE", "true");
    command.env_remove("DATABASE_URL").env_remove("REDIS_URL");
    Ok(command)
}

/// Builds packages; `report` hears what the compiler is busy with.
pub async fn build(profile: Profile, packages: &[&str], report: impl Fn(&str) + Send + 'static) -> anyhow::Result<()> {
    let mut arguments = vec!["build"];
    arguments.extend(packages.iter().flat_map(|package| ["--package", package]));
    if profile == Profile::Release {
        arguments.push("--release");
    }
    let command = cargo(&arguments)?;
    listen_to(command, report).await
}

/// Runs a command of cargo, hands on its progress, and fails with its last words.
pub(crate) async fn listen_to(mut command: Command, report: impl Fn(&str) + Send + 'static) -> anyhow::Result<()> {
    let running = tokio::task::spawn_blocking(move || {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = exec::spawn(command).context("starting cargo")?;
        let mut last = VecDeque::new();
        for line in BufReader::new(child.stderr.take().expect("stderr is a pipe")).lines().map_while(Result::ok) {
            if ["Compiling", "Checking", "Downloading"].iter().any(|word| line.trim_start().starts_with(word)) {
                report(line.trim());
            }
            if last.len() == 60 {
                last.pop_front();
            }
            last.push_back(line);
        }
        if !child.wait().context("waiting for cargo")?.success() {
            bail!("cargo failed:\n{}", Vec::from(last).join("\n"));
        }
        Ok(())
    });
    running.await.context("running cargo")?
}
