//! Values that are not only read but judged: secrets, addresses that secrets go to, and how much is logged.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::secrets::{PUBLISHED, is_published, weakness_of_key, weakness_of_password, weakness_of_sealing_key};
use super::{JwtKey, Mode, Reader};
use crate::seal::Keyring;

impl Reader<'_> {
    /// Whether a secret is neither published nor another one's; says which.
    pub(super) fn is_its_own(&mut self, name: &str, secret: &SecretString) -> bool {
        let before = self.problems.len();
        let published = is_published(secret.expose_secret()).then_some(PUBLISHED);
        self.weigh(name, secret.expose_secret(), published);
        self.problems.len() == before
    }

    /// Says what is wrong with a secret, by this name, and that it is another one's, too.
    fn weigh(&mut self, name: &str, secret: &str, weakness: Option<&'static str>) {
        if let Some(weakness) = weakness {
            self.problems.push(format!("{name} {weakness}"));
        }
        if let Some(same) = self.known.add(name, secret) {
            self.problems.push(format!("{name} is the same as {same}: every secret must be one of its own"));
        }
    }

    pub(super) fn database_url(&mut self) -> Option<SecretString> {
        let secret = self.secret("DATABASE_URL")?;
        let Ok(url) = Url::parse(secret.expose_secret()) else {
            self.problems.push("DATABASE_URL: is not an address".to_owned());
            return None;
        };
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            self.problems.push("DATABASE_URL: must begin with postgres://".to_owned());
        }
        // Through a socket Postgres sees which user of the machine it is.
        let on_network = url.host_str().is_some_and(|host| !host.is_empty() && !host.starts_with("%2F"));
        self.password("DATABASE_URL", &url, on_network);
        Some(secret)
    }

    pub(super) fn redis_url(&mut self) -> Option<SecretString> {
        let secret = self.secret("REDIS_URL")?;
        let Ok(url) = Url::parse(secret.expose_secret()) else {
            self.problems.push("REDIS_URL: is not an address".to_owned());
            return None;
        };
        if !matches!(url.scheme(), "redis" | "rediss" | "redis+unix" | "unix") {
            self.problems.push("REDIS_URL: must begin with redis:// or rediss://".to_owned());
        }
        self.password("REDIS_URL", &url, matches!(url.scheme(), "redis" | "rediss"));
        Some(secret)
    }

    fn password(&mut self, name: &str, url: &Url, on_network: bool) {
        match url.password().filter(|password| !password.is_empty()) {
            Some(password) => {
                if let Some(weakness) = weakness_of_password(password, url.username(), self.mode) {
                    self.problems.push(format!("{name}: {weakness}"));
                }
                if let Some(same) = self.known.add(&format!("{name}'s password"), password) {
                    self.problems.push(format!(
                        "{name}: the password is the same as {same}: every secret must be one of its own"
                    ));
                }
            }
            None if on_network && self.mode == Mode::Production => {
                self.problems.push(format!("{name}: has no password"));
            }
            None => {}
        }
    }

    pub(super) fn health_token(&mut self) -> Option<SecretString> {
        let token = self.optional_secret("HEALTH_TOKEN")?;
        self.weigh("HEALTH_TOKEN", token.expose_secret(), weakness_of_key(token.expose_secret()));
        Some(token)
    }

    pub(super) fn keyring(&mut self) -> Option<Keyring> {
        let Some(path) = self.text("WB_KEK_FILE") else {
            self.problems.push("WB_KEK_FILE is missing".to_owned());
            return None;
        };
        let text = self.file("WB_KEK_FILE", &path)?;
        for (index, line) in text.expose_secret().lines().enumerate() {
            if let Some((_, key)) = line.trim().split_once(':') {
                self.weigh(&format!("WB_KEK_FILE: line {}", index + 1), key, weakness_of_sealing_key(key));
            }
        }
        Keyring::parse(&text).map_err(|problem| self.problems.push(format!("WB_KEK_FILE: {problem}"))).ok()
    }

    pub(super) fn jwt_keys(&mut self) -> Vec<JwtKey> {
        let Some(text) = self.secret("JWT_KEYS") else { return Vec::new() };
        let mut keys: Vec<JwtKey> = Vec::new();
        for (index, pair) in text.expose_secret().split(',').enumerate() {
            let name = format!("JWT_KEYS: entry {}", index + 1);
            match pair.trim().split_once(':') {
                Some((id, _)) if keys.iter().any(|key| key.id == id) => {
                    self.problems.push(format!("{name} has the name of an earlier key"));
                }
                Some((id, secret)) if !id.is_empty() => {
                    self.weigh(&name, secret, weakness_of_key(secret));
                    keys.push(JwtKey { id: id.to_owned(), secret: SecretString::from(secret.to_owned()) });
                }
                _ => self.problems.push(format!("{name} is not kid:secret")),
            }
        }
        keys
    }

    /// Tokens go nowhere else: in production only to Wildberries itself.
    pub(super) fn host(&mut self, name: &str, default: &str) -> Url {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        let problem = match Url::parse(&text) {
            Err(_) => "is not an address",
            Ok(url) if !url.username().is_empty() || url.password().is_some() => "must not name a user",
            Ok(url) if url.query().is_some() || url.fragment().is_some() => "must end with its path",
            Ok(url) if self.mode == Mode::Demo && url.scheme() == "http" => return url,
            Ok(url) if url.scheme() != "https" => "must be https (plain http only with WB_ENV=demo)",
            Ok(url) if self.mode == Mode::Production && !is_wildberries(&url) => {
                "must be a host of wildberries.ru (others only with WB_ENV=demo)"
            }
            Ok(url) => return url,
        };
        self.problems.push(format!("{name}: {problem}"));
        Url::parse(default).expect("defaults are addresses")
    }

    /// A network of every address would let a printer's card reach the whole internet; the rest is the worker's to read.
    pub(super) fn print_allowed_cidrs(&mut self) -> String {
        let text =
            self.text("PRINT_ALLOWED_CIDRS").unwrap_or_else(|| "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16".to_owned());
        if text.split(',').any(|network| network.trim().ends_with("/0")) {
            self.problems.push("PRINT_ALLOWED_CIDRS: a network with /0 allows every address".to_owned());
        }
        text
    }

    /// In production foreign code must not tell all it does: connections, headers and statements hold secrets.
    pub(super) fn log_filter(&mut self) {
        let Some(filter) = self.text("RUST_LOG").filter(|_| self.mode == Mode::Production) else { return };
        let chatty = filter.split(',').map(str::trim).any(|directive| {
            let (target, level) = directive.rsplit_once('=').unwrap_or(("", directive));
            let ours = ["api", "worker", "shared"].iter().any(|program| {
                target
                    .strip_prefix(program)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || rest.starts_with('['))
            });
            !ours && ["debug", "trace"].contains(&level.to_lowercase().as_str())
        });
        if chatty {
            self.problems.push(
                "RUST_LOG: in production debug and trace are for our own code only, for example info,worker=debug"
                    .to_owned(),
            );
        }
    }
}

fn is_wildberries(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    (host == "wildberries.ru" || host.ends_with(".wildberries.ru")) && url.port().is_none()
}
