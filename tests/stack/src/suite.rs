//! `cargo wb test`: one pair of servers for the whole suite, which finds them in variables.

use std::{
    process::{Child, Command, ExitStatus},
    time::Duration,
};

use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    Durability, Role, Servers, exec, programs,
    servers::{TEST_DATABASE_URL, TEST_REDIS_PRIVATE, TEST_REDIS_URL},
    signals::Interruption,
    steps::line,
};

/// Runs the suite with `arguments` for nextest; answers its exit code.
pub async fn run(arguments: &[String]) -> anyhow::Result<u8> {
    let mut interruption = Interruption::listen()?;
    let servers = Servers::start_with(crate::ServerOptions::new(Durability::Fast), line).await?;
    // The suite starts programs of the workspace, which the runner alone would not build.
    let build = programs::cargo(&["build", "--workspace", "--bins"])?;
    let mut code = finish(exec::spawn(build).context("starting cargo")?, &mut interruption).await?;
    if code == 0 {
        let runner = if has_nextest() { &["nextest", "run", "--workspace"][..] } else { &["test", "--workspace"] };
        let mut tests = with_servers(programs::cargo(runner)?, &servers);
        tests.args(arguments);
        code = finish(exec::spawn(tests).context("starting the tests")?, &mut interruption).await?;
    }
    // What must not compile stands in the documents, which nextest does not run.
    if code == 0 && arguments.is_empty() && has_nextest() {
        let documents = programs::cargo(&["test", "--doc", "--workspace", "--quiet"])?;
        code = finish(exec::spawn(documents).context("starting the documents' tests")?, &mut interruption).await?;
    }
    servers.stop().await?;
    Ok(code)
}

/// Tells a program where the servers are, so that it starts none of its own.
pub(crate) fn with_servers(mut command: Command, servers: &Servers) -> Command {
    command.env(TEST_DATABASE_URL, servers.database_url(Role::Admin, "postgres"));
    command.env(TEST_REDIS_URL, servers.redis_url(0));
    if servers.redis_is_private() {
        command.env(TEST_REDIS_PRIVATE, "1");
    }
    command
}

fn has_nextest() -> bool {
    let version = programs::cargo(&["nextest", "--version"]);
    version.is_ok_and(|mut command| command.output().is_ok_and(|output| output.status.success()))
}

/// Waits for a child in our process group. Ctrl-C has reached it too: it gets time to end by itself.
async fn finish(child: Child, interruption: &mut Interruption) -> anyhow::Result<u8> {
    let pid = Pid::from_raw(i32::try_from(child.id()).context("an odd process id")?);
    let mut waiting = tokio::task::spawn_blocking(move || {
        let mut child = child;
        child.wait()
    });
    let patience = [Duration::from_secs(10), Duration::from_secs(5), Duration::from_secs(2)];
    for (signal, time) in [None, Some(Signal::SIGTERM), Some(Signal::SIGKILL)].into_iter().zip(patience) {
        let asked = async {
            match signal {
                None => interruption.asked().await,
                Some(signal) => {
                    tokio::time::sleep(time).await;
                    let _ = kill(pid, signal);
                    0
                }
            }
        };
        tokio::select! {
            status = &mut waiting => return Ok(code(status.context("waiting")?.context("waiting for cargo")?)),
            _ = asked => {}
        }
    }
    Ok(code(waiting.await.context("waiting")?.context("waiting for cargo")?))
}

fn code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(130)
}
