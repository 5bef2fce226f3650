//! What the environment says, read once; every problem is reported in one message, no value is printed.
//!
//! Secrets have a `*_FILE` twin that names a file; setting both is refused. There are no defaults for secrets, and weak or
//! published ones are refused: `secrets` knows which, `checks` asks it. `environ` takes them out of the process's environment.

mod checks;
mod door;
mod durability;
mod environ;
mod mail;
mod secrets;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::jobs::Queue;
use crate::seal::Keyring;
use crate::wildberries::Hosts;

pub use door::{Allowance, Door, Origins, Rate, RateLimits, TrustedProxies};
pub use durability::refuse_forgetful_redis;
pub use environ::hide_secrets;
pub use mail::{Smtp, SmtpTls};
use secrets::Known;

/// Everything that can be set, in the order of `.env.prod.example`: name and meaning. A contract test compares the two.
pub const VARIABLES: &[(&str, &str)] = &[
    ("DATABASE_URL", "Postgres, as the role wb_api or wb_worker"),
    ("REDIS_URL", "Redis with AOF and noeviction"),
    ("JWT_KEYS", "kid:secret, comma separated; the first signs, all verify"),
    ("WB_KEK_FILE", "file with the keys that seal Wildberries tokens, one kid:base64 per line"),
    ("WB_ENV", "production or demo"),
    ("WB_BASE_URL_COMMON", "Wildberries' common host"),
    ("WB_BASE_URL_CONTENT", "Wildberries' content host"),
    ("WB_BASE_URL_MARKETPLACE", "Wildberries' marketplace host"),
    ("WB_POLL_ORDERS_MS", "how often new orders are asked for, in milliseconds"),
    ("WB_POLL_STATUSES_MS", "how often statuses are asked for, in milliseconds"),
    ("WB_LIMIT_SCALE", "multiplies Wildberries' rate limits; other than 1 only in the demo"),
    ("API_LISTEN", "where the API listens"),
    ("WORKER_LISTEN", "where a worker answers its own health check"),
    ("WORKER_QUEUES", "which queues a worker serves: sync,import,print,default"),
    ("WORKER_CONCURRENCY", "jobs at once per queue, queue=number, comma separated"),
    ("PRINT_ALLOWED_CIDRS", "networks in which printers may be, comma separated"),
    ("REQUIRE_SECOND_FACTOR", "on or off: whether administrators must have a second factor"),
    ("PUBLIC_URL", "where people's clients are: links in letters begin with it"),
    ("SMTP_HOST", "mail server; without it letters are passed on by hand"),
    ("SMTP_PORT", "its port"),
    ("SMTP_TLS", "starttls, implicit or none"),
    ("SMTP_USER", "who signs in there"),
    ("SMTP_PASSWORD", "with what"),
    ("SMTP_FROM", "the sender of letters"),
    ("HEALTH_TOKEN", "bearer token that shows numbers in /health"),
    ("API_DOCS", "on or off: Swagger UI and /openapi.json"),
    ("TRUSTED_PROXIES", "networks of the proxies whose X-Forwarded-For is believed, comma separated"),
    ("CORS_ORIGINS", "sites whose pages may call the API, as https://host, comma separated"),
    ("RATE_LIMITS", "how much may be asked, name=number, comma separated"),
    ("LOG_FORMAT", "json or text"),
    ("RUST_LOG", "log filter, for example info"),
];

/// Which of them are secrets: each may be given as a file, `NAME_FILE`. The keys that seal come as a file only.
pub const SECRETS: &[&str] = &["DATABASE_URL", "REDIS_URL", "JWT_KEYS", "WB_KEK", "SMTP_PASSWORD", "HEALTH_TOKEN"];

/// Demo or real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The real Wildberries.
    Production,
    /// The simulator: plain http and a printer on 127.0.0.1 are allowed.
    Demo,
}

/// A signing key of our own tokens.
#[derive(Clone, Debug)]
pub struct JwtKey {
    /// Named in the token's header.
    pub id: String,
    /// At least 32 bytes.
    pub secret: SecretString,
}

/// The checked environment of one program.
#[derive(Clone, Debug)]
pub struct Config {
    /// Postgres.
    pub database_url: SecretString,
    /// Redis.
    pub redis_url: SecretString,
    /// Our own tokens; empty in a worker.
    pub jwt_keys: Vec<JwtKey>,
    /// Opens Wildberries tokens.
    pub keyring: Keyring,
    /// Demo or real.
    pub mode: Mode,
    /// Wildberries' hosts.
    pub hosts: Hosts,
    /// How often new orders are asked for.
    pub poll_orders: Duration,
    /// How often statuses are asked for.
    pub poll_statuses: Duration,
    /// Multiplies Wildberries' limits.
    pub limit_scale: f64,
    /// Where the API listens.
    pub api_listen: SocketAddr,
    /// Where a worker answers its health check.
    pub worker_listen: SocketAddr,
    /// Which queues a worker serves.
    pub worker_queues: Vec<Queue>,
    /// Jobs at once.
    pub worker_concurrency: BTreeMap<&'static str, usize>,
    /// Networks of printers, as written.
    pub print_allowed_cidrs: String,
    /// Whether administrators must have a second factor.
    pub require_second_factor: bool,
    /// Where people's clients are.
    pub public_url: Option<Url>,
    /// Whether letters go by mail.
    pub mail: bool,
    /// The mail server; absent in the API, which sends nothing itself.
    pub smtp: Option<Smtp>,
    /// Shows numbers in health.
    pub health_token: Option<SecretString>,
    /// Swagger UI and the document.
    pub docs: bool,
    /// What the front door believes and allows.
    pub door: Door,
}

/// Which program reads the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Signs tokens.
    Api,
    /// Does not.
    Worker,
}

/// All that is wrong with the environment.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is refused:\n  {}", .0.join("\n  "))]
pub struct ConfigProblems(pub Vec<String>);

impl Config {
    /// Reads the process environment.
    pub fn from_env(program: Program) -> Result<Self, ConfigProblems> {
        Self::read(program, |name| std::env::var(name).ok())
    }

    /// Reads from anywhere.
    pub fn read(program: Program, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigProblems> {
        let mut reader = Reader::new(&variable);
        let mode = reader.one_of("WB_ENV", &[("production", Mode::Production), ("demo", Mode::Demo)], Mode::Production);
        reader.mode = mode;
        let jwt_keys = if program == Program::Api { reader.jwt_keys() } else { Vec::new() };
        let limit_scale = reader.parsed("WB_LIMIT_SCALE", 1.0);
        if mode == Mode::Production && (limit_scale - 1.0_f64).abs() > f64::EPSILON {
            reader.problems.push("WB_LIMIT_SCALE: only the demo may scale Wildberries' limits".to_owned());
        }
        let config = (
            reader.database_url(),
            reader.redis_url(),
            reader.keyring(),
            Hosts {
                common: reader.host("WB_BASE_URL_COMMON", "https://common-api.wildberries.ru"),
                content: reader.host("WB_BASE_URL_CONTENT", "https://content-api.wildberries.ru"),
                marketplace: reader.host("WB_BASE_URL_MARKETPLACE", "https://marketplace-api.wildberries.ru"),
            },
        );
        let (poll_orders, poll_statuses) =
            (reader.millis("WB_POLL_ORDERS_MS", 3000), reader.millis("WB_POLL_STATUSES_MS", 60_000));
        let api_listen = reader.parsed("API_LISTEN", SocketAddr::from(([0, 0, 0, 0], 3000)));
        let worker_listen = reader.parsed("WORKER_LISTEN", SocketAddr::from(([0, 0, 0, 0], 9101)));
        let worker_queues = reader.queues();
        let worker_concurrency = reader.concurrency();
        let print_allowed_cidrs = reader.print_allowed_cidrs();
        let require_second_factor =
            reader.one_of("REQUIRE_SECOND_FACTOR", &[("on", true), ("off", false)], mode == Mode::Production);
        let public_url = reader.public_url(mode);
        let mail = reader.text("SMTP_HOST").is_some();
        let smtp = if program == Program::Worker { reader.smtp(mode) } else { None };
        let health_token = reader.health_token();
        reader.log_filter();
        let docs = reader.one_of("API_DOCS", &[("on", true), ("off", false)], true);
        let door = Door::read(&mut reader);
        let problems = reader.problems;
        match config {
            (Some(database_url), Some(redis_url), Some(keyring), hosts) if problems.is_empty() => Ok(Self {
                database_url,
                redis_url,
                jwt_keys,
                keyring,
                mode,
                hosts,
                poll_orders,
                poll_statuses,
                limit_scale,
                api_listen,
                worker_listen,
                worker_queues,
                worker_concurrency,
                print_allowed_cidrs,
                require_second_factor,
                public_url,
                mail,
                smtp,
                health_token,
                docs,
                door,
            }),
            _ => Err(ConfigProblems(problems)),
        }
    }
}

/// The address of the database alone, for `migrate` and `admin`.
pub fn database_url() -> Result<SecretString, ConfigProblems> {
    let variable = |name: &str| std::env::var(name).ok();
    let mut reader = Reader::new(&variable);
    reader.secret("DATABASE_URL").ok_or(ConfigProblems(reader.problems))
}

/// Where people's clients are, for `admin`.
pub fn public_url() -> Result<Option<Url>, ConfigProblems> {
    let variable = |name: &str| std::env::var(name).ok();
    let mut reader = Reader::new(&variable);
    let url = reader.public_url(Mode::Demo);
    if reader.problems.is_empty() { Ok(url) } else { Err(ConfigProblems(reader.problems)) }
}

/// The address of the database and the keys that seal, for rotating them.
pub fn database_url_and_keyring() -> Result<(SecretString, Keyring), ConfigProblems> {
    let variable = |name: &str| std::env::var(name).ok();
    let mut reader = Reader::new(&variable);
    match (reader.secret("DATABASE_URL"), reader.keyring()) {
        (Some(database_url), Some(keyring)) if reader.problems.is_empty() => Ok((database_url, keyring)),
        _ => Err(ConfigProblems(reader.problems)),
    }
}

struct Reader<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    mode: Mode,
    known: Known,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variable, mode: Mode::Production, known: Known::default(), problems: Vec::new() }
    }
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn optional_secret(&mut self, name: &str) -> Option<SecretString> {
        let file = format!("{name}_FILE");
        let secret = match (self.text(name), self.text(&file)) {
            (Some(_), Some(_)) => {
                self.problems.push(format!("{name} and {file} are both set: set one"));
                None
            }
            (Some(value), None) => Some(SecretString::from(value)),
            (None, Some(path)) => self.file(&file, &path),
            (None, None) => None,
        };
        secret.filter(|secret| self.is_its_own(name, secret))
    }

    fn secret(&mut self, name: &str) -> Option<SecretString> {
        let before = self.problems.len();
        let secret = self.optional_secret(name);
        if secret.is_none() && self.problems.len() == before {
            self.problems.push(format!("{name} (or {name}_FILE) is missing"));
        }
        secret
    }

    fn file(&mut self, name: &str, path: &str) -> Option<SecretString> {
        match std::fs::read_to_string(PathBuf::from(path)) {
            Ok(text) if text.trim().is_empty() => {
                self.problems.push(format!("{name}: the file is empty"));
                None
            }
            Ok(text) => Some(SecretString::from(text.trim().to_owned())),
            Err(error) => {
                self.problems.push(format!("{name}: the file cannot be read ({})", error.kind()));
                None
            }
        }
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str, default: T) -> T {
        match self.text(name).map(|text| text.parse()) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(_)) => {
                self.problems.push(format!("{name}: cannot be read"));
                default
            }
        }
    }

    fn millis(&mut self, name: &str, default: u64) -> Duration {
        let millis = self.parsed(name, default);
        if !(500..=86_400_000).contains(&millis) {
            self.problems.push(format!("{name}: must be between 500 and 86400000"));
        }
        Duration::from_millis(millis)
    }

    fn one_of<T: Copy>(&mut self, name: &str, values: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(name) else { return default };
        if let Some((_, value)) = values.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let words: Vec<_> = values.iter().map(|(word, _)| *word).collect();
        self.problems.push(format!("{name}: must be one of {}", words.join(", ")));
        default
    }

    fn queues(&mut self) -> Vec<Queue> {
        let Some(text) = self.text("WORKER_QUEUES") else { return Queue::ALL.to_vec() };
        let mut queues = Vec::new();
        for name in text.split(',').map(str::trim) {
            match name.parse() {
                Ok(queue) => queues.push(queue),
                Err(_) => self.problems.push("WORKER_QUEUES: names no queue: sync, import, print, default".to_owned()),
            }
        }
        queues
    }

    fn concurrency(&mut self) -> BTreeMap<&'static str, usize> {
        let mut concurrency = BTreeMap::from([("sync", 4), ("import", 4), ("print", 8), ("default", 4)]);
        for pair in self.text("WORKER_CONCURRENCY").iter().flat_map(|text| text.split(',')) {
            let parsed = pair.trim().split_once('=').and_then(|(name, number)| {
                let queue: Queue = name.parse().ok()?;
                let number: usize = number.parse().ok().filter(|number| (1..=64).contains(number))?;
                Some((queue.name(), number))
            });
            match parsed {
                Some((name, number)) => {
                    concurrency.insert(name, number);
                }
                None => self.problems.push("WORKER_CONCURRENCY: is not queue=number, from 1 to 64".to_owned()),
            }
        }
        concurrency
    }
}

#[cfg(test)]
mod tests;
