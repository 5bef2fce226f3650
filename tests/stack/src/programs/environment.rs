//! The environment of the API and the workers, as the stack sets it, and the secrets in it.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// Of our own environment a program inherits only what says nothing about servers and secrets.
const INHERITED: [&str; 7] = ["PATH", "HOME", "TMPDIR", "LANG", "TZ", "RUST_LOG", "RUST_BACKTRACE"];

/// `RATE_LIMITS` of those who ask much more than people do.
pub const UNHINDERED: &str = "address=1000000,user=1000000,enterprise=1000000,signin=100000,enterprise_signin=100000,labels=100000,exports=100000,health=100000";

/// Everything that the programs are told. The variables that differ between programs are set by [`Environment::with`].
#[derive(Clone, Debug)]
pub struct Environment {
    /// `DATABASE_URL`
    pub database_url: String,
    /// `REDIS_URL`
    pub redis_url: String,
    /// `WB_BASE_URL_*`: the simulator stands for every host of Wildberries
    pub wildberries_url: String,
    /// `WB_KEK_FILE`
    pub kek_file: PathBuf,
    /// `JWT_KEYS`
    pub jwt_keys: String,
    /// `HEALTH_TOKEN`
    pub health_token: String,
    /// What else is set, or set differently
    pub further: BTreeMap<String, String>,
}

impl Environment {
    /// The same with one more variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.further.insert(name.to_owned(), value.into());
        self
    }

    /// The same for another address of the database.
    #[must_use]
    pub fn on(mut self, database_url: String) -> Self {
        self.database_url = database_url;
        self
    }

    /// Every variable with its value.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let hosts = ["COMMON", "CONTENT", "MARKETPLACE"].map(|host| format!("WB_BASE_URL_{host}"));
        let mut variables: BTreeMap<String, String> =
            hosts.into_iter().map(|name| (name, self.wildberries_url.clone())).collect();
        let set = [
            ("DATABASE_URL", self.database_url.clone()),
            ("REDIS_URL", self.redis_url.clone()),
            ("JWT_KEYS", self.jwt_keys.clone()),
            ("WB_KEK_FILE", self.kek_file.display().to_string()),
            ("WB_ENV", "demo".into()),
            ("PRINT_ALLOWED_CIDRS", "127.0.0.1/32".into()),
            ("HEALTH_TOKEN", self.health_token.clone()),
            ("RATE_LIMITS", UNHINDERED.into()),
            ("LOG_FORMAT", "text".into()),
        ];
        variables.extend(set.map(|(name, value)| (name.to_owned(), value)));
        variables.extend(self.further.clone());
        variables
    }

    pub(super) fn apply(&self, command: &mut Command) {
        command.env_clear();
        command.envs(INHERITED.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        command.envs(self.variables());
    }
}

/// What must stay the same for as long as the data does.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Secrets {
    /// `JWT_KEYS`
    pub jwt_keys: String,
    /// The one line of the file of `WB_KEK_FILE`
    pub kek: String,
    /// The password of the first administrator
    pub password: String,
    /// `HEALTH_TOKEN`
    pub health_token: String,
}

impl Secrets {
    /// The secrets of this folder; made at the first call. Answers also the path of the file of `WB_KEK_FILE`.
    pub fn of(folder: &Path) -> anyhow::Result<(Self, PathBuf)> {
        let (path, kek_file) = (folder.join("secrets.json"), folder.join("kek"));
        if let Ok(text) = fs::read(&path) {
            return Ok((serde_json::from_slice(&text).context("reading the kept secrets")?, kek_file));
        }
        let random = || rand::random::<[u8; 32]>();
        let secrets = Self {
            jwt_keys: format!("first:{}", hex::encode(random())),
            kek: format!("first:{}", STANDARD.encode(random())),
            password: hex::encode(&random()[..12]),
            health_token: hex::encode(&random()[..16]),
        };
        write_private(&kek_file, &format!("{}\n", secrets.kek))?;
        write_private(&path, &serde_json::to_string(&secrets).context("writing the secrets")?)?;
        Ok((secrets, kek_file))
    }
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;

    let mut options = fs::OpenOptions::new();
    let mut file =
        options.create(true).write(true).truncate(true).mode(0o600).open(path).context("writing the secrets")?;
    file.write_all(text.as_bytes()).context("writing the secrets")
}
