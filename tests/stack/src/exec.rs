//! Child processes that never outlive us. A child starts as `stack __exec …`, which drops root, asks the kernel to be
//! signalled when its parent dies, and then becomes the wanted program.

use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{LazyLock, mpsc},
    thread,
};

use anyhow::{Context, bail, ensure};
use nix::unistd::{Gid, Uid};
use serde::{Deserialize, Serialize};

/// What `__exec` does before it becomes the program.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The process that must be alive: who starts us
    #[arg(long)]
    parent: i32,
    /// Signal to receive when the parent dies
    #[arg(long)]
    signal: String,
    /// User to become
    #[arg(long)]
    uid: Option<u32>,
    /// Group to become
    #[arg(long)]
    gid: Option<u32>,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    program: Vec<OsString>,
}

/// A user and group that a root process steps down to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Account {
    /// User id
    pub uid: u32,
    /// Group id
    pub gid: u32,
}

/// Which signal a child gets when its parent dies.
#[derive(Clone, Copy, Debug)]
pub enum Death {
    /// Stop without a word
    Kill,
    /// Postgres' immediate shutdown: it takes its own children and shared memory with it
    Quit,
}

impl Death {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL",
            Self::Quit => "SIGQUIT",
        }
    }
}

/// A command that runs `program` as a child bound to this process.
pub fn command(program: &Path, account: Option<Account>, death: Death) -> anyhow::Result<Command> {
    let mut command = Command::new(own_program()?);
    command.args(["__exec", "--parent", &std::process::id().to_string(), "--signal", death.name()]);
    if let Some(account) = account {
        command.args(["--uid", &account.uid.to_string(), "--gid", &account.gid.to_string()]);
    }
    command.arg("--").arg(program);
    Ok(command)
}

/// Starts `command` from a thread that lives as long as the process: the kernel's death signal is tied to the thread
/// that made the child, and threads of a runtime come and go.
pub fn spawn(command: Command) -> io::Result<Child> {
    type Request = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: LazyLock<mpsc::Sender<Request>> = LazyLock::new(|| {
        let (requests, inbox) = mpsc::channel::<Request>();
        thread::Builder::new()
            .name("spawner".into())
            .spawn(move || {
                for (mut command, answer) in inbox {
                    let _ = answer.send(command.spawn());
                }
            })
            .expect("a thread can be started");
        requests
    });
    let (answer, outcome) = mpsc::channel();
    SPAWNER.send((command, answer)).expect("the spawner never ends");
    outcome.recv().expect("the spawner always answers")
}

/// The `stack` program itself: this process, or its neighbour when a test binary uses the library.
pub fn own_program() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("finding the running program")?;
    if this.file_name().is_some_and(|name| name == "stack") {
        return Ok(this);
    }
    // Rebuilt while we run: the old program can still be started through the kernel's own link.
    if this.file_name().is_some_and(|name| name == "stack (deleted)") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    this.ancestors()
        .skip(1)
        .take(3)
        .map(|folder| folder.join("stack"))
        .find(|path| path.is_file())
        .context("The program `stack` is not built. Run `cargo wb test`, or `cargo build -p stack` first.")
}

/// Becomes the program. Returns only on failure.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let (Some(uid), Some(gid)) = (arguments.uid, arguments.gid) {
        become_account(Account { uid, gid }).context("stepping down from root")?;
    }
    // Changing the user clears the death signal, so it comes second.
    bind_to_parent(arguments)?;
    let (program, rest) = arguments.program.split_first().context("no program given")?;
    let error = Command::new(program).args(rest).exec();
    bail!("{}: {error}", program.to_string_lossy());
}

fn become_account(account: Account) -> nix::Result<()> {
    let gid = Gid::from_raw(account.gid);
    #[cfg(target_os = "linux")]
    nix::unistd::setgroups(&[gid])?;
    nix::unistd::setgid(gid)?;
    nix::unistd::setuid(Uid::from_raw(account.uid))
}

fn bind_to_parent(arguments: &Arguments) -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let signal: nix::sys::signal::Signal = arguments.signal.parse().context("naming the death signal")?;
        nix::sys::prctl::set_pdeathsig(signal).context("asking for the death signal")?;
    }
    // The parent may have died before the request reached the kernel.
    ensure!(nix::unistd::getppid().as_raw() == arguments.parent, "the parent is gone");
    Ok(())
}
