//! The API and the workers as child processes: started, watched, signalled, measured. None outlives its owner.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

mod build;
mod environment;

pub use build::{Profile, build, program, workspace};
pub(crate) use build::{cargo, listen_to, target};
pub use environment::{Environment, Secrets, UNHINDERED};

use crate::{
    exec::{self, Death},
    servers::guard::tail,
    wait,
};

/// What to run.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Names the log: `worker-1` writes `worker-1.log`
    pub name: String,
    /// The program
    pub program: PathBuf,
    /// Its arguments
    pub arguments: Vec<String>,
    /// Its environment
    pub environment: Environment,
    /// The folder of the log
    pub logs: PathBuf,
}

impl Recipe {
    fn log(&self) -> PathBuf {
        self.logs.join(format!("{}.log", self.name))
    }

    fn start(&self, stdin: Stdio) -> anyhow::Result<Child> {
        fs::create_dir_all(&self.logs).context("making the folder of logs")?;
        let log = OpenOptions::new().create(true).append(true).open(self.log()).context("opening the log")?;
        let mut command = exec::command(&self.program, None, Death::Kill)?;
        self.environment.apply(&mut command);
        command.args(&self.arguments).stdin(stdin).stdout(log.try_clone().context("opening the log")?).stderr(log);
        // Ctrl-C is for the owner, which then ends its programs in order.
        command.process_group(0);
        exec::spawn(command).with_context(|| format!("starting {}", self.name))
    }

    /// Runs it to its end, with `input` on its standard input. Fails with its last words.
    pub async fn run(&self, input: &str) -> anyhow::Result<()> {
        let mut child = self.start(Stdio::piped())?;
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        // A program that does not read may be gone already; its status tells.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let waiting = tokio::task::spawn_blocking(move || child.wait());
        let status = waiting.await.context("waiting")?.with_context(|| format!("waiting for {}", self.name))?;
        ensure!(status.success(), "{} ended with {status}:\n{}", self.name, tail(&self.log()));
        Ok(())
    }
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    recipe: Recipe,
    child: Child,
}

impl Program {
    /// Starts a program.
    pub fn start(recipe: Recipe) -> anyhow::Result<Self> {
        let child = recipe.start(Stdio::null())?;
        Ok(Self { recipe, child })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.recipe.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file of what it said.
    pub fn log(&self) -> PathBuf {
        self.recipe.log()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).context("an odd process id")?);
        kill(pid, signal).with_context(|| format!("signalling {}", self.name()))
    }

    /// Freezes it.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Ends a pause.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Asks it to end and waits until it has.
    pub async fn stop(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        if self.ended().is_none() {
            let _ = self.signal(Signal::SIGTERM);
        }
        self.wait(limit).await
    }

    /// Ends it on the spot.
    pub async fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        let _ = self.child.kill();
        self.wait(Duration::from_secs(10)).await
    }

    /// Waits until it has ended.
    pub async fn wait(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let mut status = None;
        let what = format!("{} ends", self.recipe.name);
        wait::until(&what, limit, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        })
        .await?;
        status.context("a program that ended has a status")
    }

    /// Starts it again, ending it first if need be.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        if self.ended().is_none() {
            self.stop(Duration::from_secs(30)).await?;
        }
        self.child = self.recipe.start(Stdio::null())?;
        Ok(())
    }

    /// Waits until `url` answers 200. A program that ends meanwhile is an error with its last words.
    pub async fn wait_ready(&mut self, url: &str, limit: Duration) -> anyhow::Result<()> {
        let client =
            reqwest::Client::builder().timeout(Duration::from_secs(2)).no_proxy().build().context("a client")?;
        let what = format!("{} is ready at {url}", self.recipe.name);
        let log = self.log();
        let mut ended = None;
        let outcome = wait::until_ok(&what, limit, async || {
            ended = self.child.try_wait().ok().flatten();
            if ended.is_some() {
                return Ok(());
            }
            client.get(url).send().await.context("no answer")?.error_for_status().context("not ready")?;
            Ok(())
        })
        .await;
        if let Some(status) = ended {
            bail!("{} ended with {status}:\n{}", self.recipe.name, tail(&log));
        }
        outcome.with_context(|| format!("the last lines of its log:\n{}", tail(&log)))
    }

    /// Waits until its log contains `text`.
    pub async fn wait_for_line(&mut self, text: &str, limit: Duration) -> anyhow::Result<()> {
        let log = self.log();
        let what = format!("{} says {text:?}", self.recipe.name);
        wait::until(&what, limit, || fs::read_to_string(&log).is_ok_and(|said| said.contains(text)))
            .await
            .with_context(|| format!("the last lines of its log:\n{}", tail(&log)))
    }

    /// Its resident memory in bytes.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes(self.pid())
    }

    /// The most that its resident memory has been, in bytes.
    pub fn peak_bytes(&self) -> anyhow::Result<u64> {
        memory(self.pid(), "VmHWM:")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The resident memory of a process in bytes (Linux).
pub fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    memory(pid, "VmRSS:")
}

fn memory(pid: u32, which: &str) -> anyhow::Result<u64> {
    let status =
        fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).context("reading /proc")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix(which)).with_context(|| format!("no {which} in /proc"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().with_context(|| format!("reading {which}"))?;
    Ok(kibibytes * 1024)
}
