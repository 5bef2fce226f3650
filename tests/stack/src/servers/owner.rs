//! The owner's end of the guard: starts it, asks it, and makes sure that nothing is left when it is dropped.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, anyhow};

use super::{
    folder,
    guard::{Plan, Request, Status},
};
use crate::{exec, wait};

/// A running guard. Dropping it stops the servers and deletes the folder, and waits for both.
#[derive(Debug)]
pub(super) struct Guard {
    process: Mutex<Process>,
    folder: PathBuf,
}

#[derive(Debug)]
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    status: Status,
}

impl Guard {
    /// Starts a guard and, through it, the servers.
    pub(super) fn start(plan: Plan) -> anyhow::Result<Self> {
        let mut child = Command::new(exec::own_program()?)
            .arg("__guard")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("starting the guard")?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let folder = plan.folder.clone();
        let process = Process { child, input, output, status: Status::default() };
        let guard = Self { process: Mutex::new(process), folder };
        guard.ask(&Request::Begin(plan))?;
        Ok(guard)
    }

    /// Asks the guard for something and waits until it is done.
    pub(super) fn ask(&self, request: &Request) -> anyhow::Result<Status> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let request = serde_json::to_string(request).context("asking the guard")?;
        let input = process.input.as_mut().expect("the input is open until the guard is dropped");
        writeln!(input, "{request}").context("the guard is gone")?;
        let mut answer = String::new();
        process.output.read_line(&mut answer).context("the guard is gone")?;
        let answer: Result<Status, String> = serde_json::from_str(&answer).context("the guard is gone")?;
        process.status = answer.map_err(|error| anyhow!("{error}"))?;
        Ok(process.status)
    }

    /// What ran after the last request.
    pub(super) fn status(&self) -> Status {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).status
    }

    /// The guard's own process id.
    pub(super) fn pid(&self) -> u32 {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).child.id()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(process.input.take());
        if !wait::blocking(Duration::from_secs(30), || matches!(process.child.try_wait(), Ok(Some(_)))) {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
        // Only if the guard was killed: its last act is to delete the folder.
        if self.folder.exists() {
            folder::remove(&self.folder);
        }
    }
}
