//! How a private Redis (or Valkey) is started, and the few words of its protocol that the stack itself speaks.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Write as _},
    net::{TcpStream, ToSocketAddrs},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{folder, guard};
use crate::{
    exec::{self, Account, Death},
    wait,
};

/// How many numbered databases a private Redis has.
pub(super) const DATABASES: u32 = 1024;

/// What the guard needs to know to run Redis.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Plan {
    pub program: PathBuf,
    pub data: PathBuf,
    pub durable: bool,
    pub password: String,
}

impl Plan {
    /// Where the server answers.
    pub(super) fn url(&self, port: u16) -> Url {
        Url::parse(&format!("redis://default:{}@127.0.0.1:{port}", self.password)).expect("a password of hex digits")
    }

    fn config(&self, port: u16) -> String {
        let Self { data, password, durable, .. } = self;
        let append_only = if *durable { "yes" } else { "no" };
        format!(
            "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndatabases {DATABASES}\ndir \"{}\"\nsave \"\"\n\
             appendonly {append_only}\nappendfsync everysec\nmaxmemory-policy noeviction\ndaemonize no\n",
            data.display()
        )
    }
}

/// Starts the server and waits until it answers.
pub(super) fn start(plan: &Plan, port: u16, account: Option<Account>, logs: &Path) -> anyhow::Result<Child> {
    if !plan.data.is_dir() {
        fs::create_dir_all(&plan.data).with_context(|| format!("making {}", plan.data.display()))?;
        folder::give(&plan.data, account)?;
    }
    let log = logs.join("redis.log");
    let out = OpenOptions::new().create(true).append(true).open(&log).context("opening redis.log")?;
    let mut command = exec::command(&plan.program, account, Death::Kill)?;
    // The configuration comes through a pipe: on the command line everybody could read the password.
    command.arg("-").current_dir(&plan.data).stdin(Stdio::piped());
    command.stdout(out.try_clone().context("opening redis.log")?).stderr(out);
    let mut child = command.spawn().context("starting redis")?;
    let written = child.stdin.take().expect("stdin is a pipe").write_all(plan.config(port).as_bytes());

    let mut ended = false;
    let ready = written.is_ok()
        && wait::blocking(Duration::from_secs(30), || {
            ended = child.try_wait().is_ok_and(|status| status.is_some());
            ended || ask(&plan.url(port), &["PING"]).is_ok_and(|answer| answer == "PONG")
        });
    if ended || !ready {
        let _ = child.kill();
        let _ = child.wait();
        bail!("Redis did not start:\n{}", guard::tail(&log));
    }
    Ok(child)
}

/// Sends one command whose answer is a word or a number.
pub(super) fn ask(url: &Url, words: &[&str]) -> anyhow::Result<String> {
    let address = (url.host_str().context("REDIS_URL names no host")?, url.port().unwrap_or(6379));
    let address = address.to_socket_addrs().context("resolving Redis")?.next().context("resolving Redis")?;
    let timeout = Duration::from_secs(2);
    let stream = TcpStream::connect_timeout(&address, timeout).context("connecting to Redis")?;
    stream.set_read_timeout(Some(timeout)).context("connecting to Redis")?;
    let mut stream = BufReader::new(stream);

    if let Some(password) = url.password() {
        let user = if url.username().is_empty() { "default" } else { url.username() };
        exchange(&mut stream, &["AUTH", user, password])?;
    }
    let database = url.path().trim_start_matches('/');
    if !database.is_empty() && database != "0" {
        exchange(&mut stream, &["SELECT", database])?;
    }
    exchange(&mut stream, words)
}

fn exchange(stream: &mut BufReader<TcpStream>, words: &[&str]) -> anyhow::Result<String> {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        write!(request, "${}\r\n{word}\r\n", word.len()).expect("writing to a string");
    }
    stream.get_mut().write_all(request.as_bytes()).context("writing to Redis")?;
    let mut answer = String::new();
    stream.read_line(&mut answer).context("reading from Redis")?;
    let answer = answer.trim_end();
    ensure!(answer.starts_with(['+', ':']), "Redis answers {answer:?}");
    Ok(answer[1..].to_owned())
}
