//! The guard: a process of its own that runs Postgres and Redis as its children, obeys the owner's commands on standard
//! input, and on end of input (the owner ended, however it ended) stops both and deletes the folder. Killed itself, it
//! takes the servers along, and the owner deletes the folder.

use std::{
    io::{BufRead, Write, stdin, stdout},
    path::{Path, PathBuf},
    process::Child,
    time::Duration,
};

use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use super::{folder, postgres, redis};
use crate::{exec::Account, ports, wait};

/// Everything the guard has to run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Plan {
    pub folder: PathBuf,
    pub account: Option<Account>,
    pub postgres: Option<postgres::Plan>,
    pub redis: Option<redis::Plan>,
}

/// One of the two servers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Which {
    /// The database
    Postgres,
    /// The queue and cache
    Redis,
}

/// What the owner asks for, one line of JSON each.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) enum Request {
    Begin(Plan),
    Start(Which),
    Stop(Which),
    Kill(Which),
    Pause(Which),
    Resume(Which),
}

/// What the guard answers: what runs now.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct Status {
    pub postgres: Option<u32>,
    pub redis: Option<u32>,
    pub redis_port: u16,
}

/// The process of `stack __guard`.
pub fn run() -> anyhow::Result<()> {
    // Away from the terminal: Ctrl-C is the owner's business.
    nix::unistd::setsid().context("leaving the session")?;
    let mut keeper: Option<Keeper> = None;
    for line in stdin().lock().lines().map_while(Result::ok) {
        let request = serde_json::from_str(&line).context("reading a request")?;
        let outcome = match (request, &mut keeper) {
            (Request::Begin(plan), _) => keeper.insert(Keeper::new(plan)).begin(),
            (request, Some(keeper)) => keeper.obey(&request),
            (_, None) => Err(anyhow::anyhow!("nothing has begun")),
        };
        let answer: Result<Status, String> = match outcome {
            Ok(()) => Ok(keeper.as_ref().map(Keeper::status).unwrap_or_default()),
            Err(error) => Err(format!("{error:#}")),
        };
        let answer = serde_json::to_string(&answer).context("writing an answer")?;
        // Nobody listens: the next read ends the loop.
        let _ = writeln!(stdout(), "{answer}");
    }
    if let Some(keeper) = &mut keeper {
        keeper.finish();
    }
    Ok(())
}

struct Keeper {
    plan: Plan,
    postgres: Option<Child>,
    redis: Option<Child>,
    redis_port: u16,
}

impl Keeper {
    fn new(plan: Plan) -> Self {
        Self { plan, postgres: None, redis: None, redis_port: 0 }
    }

    fn status(&self) -> Status {
        Status {
            postgres: self.postgres.as_ref().map(Child::id),
            redis: self.redis.as_ref().map(Child::id),
            redis_port: self.redis_port,
        }
    }

    fn begin(&mut self) -> anyhow::Result<()> {
        if let Some(plan) = &self.plan.redis {
            // Somebody may take the port between the look and the start.
            let mut outcome = Ok(());
            for _ in 0..5 {
                self.redis_port = ports::free()?;
                outcome = redis::start(plan, self.redis_port, self.plan.account, &self.plan.folder)
                    .map(|child| self.redis = Some(child));
                if outcome.is_ok() {
                    break;
                }
            }
            outcome?;
        }
        if let Some(plan) = &self.plan.postgres {
            postgres::prepare(plan, self.plan.account, &self.plan.folder)?;
            self.start(Which::Postgres)?;
        }
        Ok(())
    }

    fn obey(&mut self, request: &Request) -> anyhow::Result<()> {
        match request {
            Request::Begin(_) => anyhow::bail!("already begun"),
            Request::Start(which) => self.start(*which)?,
            Request::Stop(Which::Postgres) => self.end(Which::Postgres, Signal::SIGINT),
            Request::Stop(Which::Redis) => self.end(Which::Redis, Signal::SIGTERM),
            // To Postgres an immediate shutdown is a crash, but one that leaves no shared memory behind.
            Request::Kill(Which::Postgres) => self.end(Which::Postgres, Signal::SIGQUIT),
            Request::Kill(Which::Redis) => self.end(Which::Redis, Signal::SIGKILL),
            Request::Pause(which) => self.signal(*which, Signal::SIGSTOP),
            Request::Resume(which) => self.signal(*which, Signal::SIGCONT),
        }
        Ok(())
    }

    fn child(&mut self, which: Which) -> &mut Option<Child> {
        match which {
            Which::Postgres => &mut self.postgres,
            Which::Redis => &mut self.redis,
        }
    }

    fn start(&mut self, which: Which) -> anyhow::Result<()> {
        if self.child(which).as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None))) {
            return Ok(());
        }
        let Plan { folder, account, postgres, redis } = &self.plan;
        let child = match which {
            Which::Postgres => postgres::start(postgres.as_ref().context("Postgres is not ours")?, *account, folder)?,
            Which::Redis => {
                redis::start(redis.as_ref().context("Redis is not ours")?, self.redis_port, *account, folder)?
            }
        };
        *self.child(which) = Some(child);
        Ok(())
    }

    fn end(&mut self, which: Which, signal: Signal) {
        self.signal(which, Signal::SIGCONT);
        let Some(mut child) = self.child(which).take() else { return };
        let _ = kill(pid_of(&child), signal);
        if !wait::blocking(Duration::from_secs(20), || matches!(child.try_wait(), Ok(Some(_)))) {
            let _ = kill(pid_of(&child), if which == Which::Postgres { Signal::SIGQUIT } else { Signal::SIGKILL });
            if !wait::blocking(Duration::from_secs(5), || matches!(child.try_wait(), Ok(Some(_)))) {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }

    /// Signals the server and, since Postgres is many processes, the children of the server.
    fn signal(&mut self, which: Which, signal: Signal) {
        let Some(server) = self.child(which).as_ref().map(pid_of) else { return };
        let _ = kill(server, signal);
        for child in folder::processes().filter(|pid| folder::parent(*pid) == Some(server)) {
            let _ = kill(child, signal);
        }
    }

    fn finish(&mut self) {
        let Plan { folder, postgres, .. } = &self.plan;
        let folder = folder.clone();
        let kept = postgres.as_ref().is_some_and(|plan| !plan.data.starts_with(&folder));
        let signal = if kept { Signal::SIGINT } else { Signal::SIGQUIT };
        self.end(Which::Postgres, signal);
        self.end(Which::Redis, if kept { Signal::SIGTERM } else { Signal::SIGKILL });
        folder::remove(&folder);
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("process ids are small"))
}

/// The last lines of a log, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
