//! Sets up the secrets of an installation: what `deploy/setup` does in plain sh, for places without one.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// Every setting with its meaning, as the repository has it.
const EXAMPLE: &str = include_str!("../../.env.prod.example");

/// Where and for whom.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Gets `.env.prod` and the folder `secrets`.
    pub folder: PathBuf,
    /// Where the programs find Postgres, `host:port`.
    pub postgres: String,
    /// Where they find Redis, `host:port`.
    pub redis: String,
    /// Containers read the files under users of their own, so they must be readable to all; the folder keeps others out.
    pub for_containers: bool,
}

/// What there is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// New files, relative to the folder.
    pub new: Vec<String>,
    /// Those that were there and stayed as they were.
    pub kept: Vec<String>,
}

/// Writes what is missing and touches nothing that is there: running it again after a crash or an update is safe.
pub fn init_secrets(setup: &Setup) -> anyhow::Result<Written> {
    let mut writing = Writing { setup, written: Written::default() };
    let secrets = setup.folder.join("secrets");
    make_private_folder(&secrets)?;
    for name in
        ["postgres_password", "db_migrate_password", "db_api_password", "db_worker_password", "db_backup_password"]
    {
        writing.secret(name, random_letters)?;
    }
    let redis = writing.secret("redis_password", random_letters)?;
    writing.secret("health_token", random_letters)?;
    writing.secret("jwt_keys", || prefixed("k1:", &random_letters(), ""))?;
    writing.secret("wb_kek", || prefixed("k1:", &random_key(), "\n"))?;
    for role in ["migrate", "api", "worker"] {
        let password = writing.read(&format!("db_{role}_password"))?;
        writing.secret(&format!("db_{role}_url"), || {
            SecretString::from(format!(
                "postgres://wb_{role}:{}@{}/wb_assistant",
                password.expose_secret(),
                setup.postgres
            ))
        })?;
    }
    writing.secret("redis_url", || {
        SecretString::from(format!("redis://default:{}@{}/0", redis.expose_secret(), setup.redis))
    })?;
    writing.secret("redis_conf", || {
        prefixed("requirepass ", &redis, "\nappendonly yes\nappendfsync everysec\nmaxmemory-policy noeviction\n")
    })?;
    writing.environment()?;
    Ok(writing.written)
}

struct Writing<'a> {
    setup: &'a Setup,
    written: Written,
}

impl Writing<'_> {
    /// The secret of this name: the one that is there, or else a new one.
    fn secret(&mut self, name: &str, new: impl FnOnce() -> SecretString) -> anyhow::Result<SecretString> {
        let file = format!("secrets/{name}");
        let mode = if self.setup.for_containers { 0o644 } else { 0o600 };
        let path = self.setup.folder.join(&file);
        if fs::metadata(&path).is_ok_and(|there| there.len() > 0) {
            self.written.kept.push(file);
            return self.read(name);
        }
        let secret = new();
        write_new(&path, mode, secret.expose_secret())?;
        self.written.new.push(file);
        Ok(secret)
    }

    fn read(&self, name: &str) -> anyhow::Result<SecretString> {
        let path = self.setup.folder.join("secrets").join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(SecretString::from(text.trim().to_owned()))
    }

    /// The settings, and the name under which compose looks for them.
    fn environment(&mut self) -> anyhow::Result<()> {
        let path = self.setup.folder.join(".env.prod");
        if path.exists() {
            self.written.kept.push(".env.prod".to_owned());
        } else {
            write_new(&path, 0o600, EXAMPLE)?;
            self.written.new.push(".env.prod".to_owned());
        }
        match symlink(".env.prod", self.setup.folder.join(".env")) {
            Ok(()) => self.written.new.push(".env".to_owned()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.written.kept.push(".env".to_owned()),
            Err(error) => return Err(error).context("linking .env to .env.prod"),
        }
        Ok(())
    }
}

fn make_private_folder(folder: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("making {}", folder.display()))?;
    // It may have been there, open to all.
    fs::set_permissions(folder, Permissions::from_mode(0o700)).with_context(|| format!("closing {}", folder.display()))
}

/// Whole or not at all: a file that was begun and not finished would be taken for a secret the next time.
fn write_new(path: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    let begun = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(mode).open(&begun)?;
        // The mask of the shell does not decide who may read it.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&begun, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// 40 letters and digits of either case: 238 bits.
fn random_letters() -> SecretString {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letter = || char::from(LETTERS[rand::random_range(0..LETTERS.len())]);
    SecretString::from((0..40).map(|_| letter()).collect::<String>())
}

/// 32 bytes in base64.
fn random_key() -> SecretString {
    SecretString::from(STANDARD.encode(rand::random::<[u8; 32]>()))
}

fn prefixed(before: &str, secret: &SecretString, after: &str) -> SecretString {
    SecretString::from(format!("{before}{}{after}", secret.expose_secret()))
}
