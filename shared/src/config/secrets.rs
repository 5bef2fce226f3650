//! What makes a secret no secret: too short, guessable, published with the program, the same as another one.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{Mode, SECRETS};

/// As it lies in the repository for everybody to read.
const EXAMPLE: &str = include_str!("../../../.env.prod.example");
/// What is said of such a value.
pub(super) const PUBLISHED: &str = "is an example value that everybody can read";
/// What is meant as a key has at least so many bytes.
pub(super) const KEY_BYTES: usize = 32;
/// A password of a network service has at least so many characters in production.
const PASSWORD_CHARACTERS: usize = 12;
/// A key of random letters has about 100 of them.
const LEAST_BITS: f64 = 80.0;
/// Of 32 random hexadecimal digits, 14 differ.
const LEAST_LETTERS: usize = 8;

/// Passwords that everybody tries first.
const POPULAR: [&str; 30] = [
    "postgres",
    "postgresql",
    "password",
    "passw0rd",
    "pass",
    "pwd",
    "wb",
    "wb_api",
    "wb_worker",
    "wb_migrate",
    "wb_assistant",
    "wildberries",
    "admin",
    "root",
    "secret",
    "changeme",
    "change-me",
    "change_me",
    "default",
    "example",
    "test",
    "demo",
    "dev",
    "docker",
    "redis",
    "qwerty",
    "123456",
    "12345678",
    "123456789",
    "letmein",
];

/// Words that people write where chance is meant.
const WORDS: [&str; 14] = [
    "password",
    "passw0rd",
    "secret",
    "changeme",
    "change-me",
    "change_me",
    "example",
    "placeholder",
    "qwerty",
    "12345678",
    "postgres",
    "wildberries",
    "letmein",
    "your-",
];

/// Every secret value in `.env.prod.example`, whole and in its parts.
static EXAMPLES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let lines = EXAMPLE.lines().filter_map(|line| line.trim_start_matches('#').trim().split_once('='));
    let values = lines.filter(|(name, _)| SECRETS.contains(&name.trim_end_matches("_FILE"))).map(|(_, value)| value);
    let mut published = BTreeSet::new();
    for value in values.map(str::trim).filter(|value| !value.is_empty() && !value.starts_with('/')) {
        published.insert(value.to_owned());
        published.extend(password_of(value));
        for pair in value.split(',').filter(|_| !value.contains("://")) {
            published.extend(pair.split_once(':').map(|(_, secret)| secret.trim().to_owned()));
        }
    }
    published
});

/// Whether it stands in `.env.prod.example`.
pub(super) fn is_published(secret: &str) -> bool {
    EXAMPLES.contains(secret)
}

/// Why this cannot be a key, if so. The words do not show it.
pub(super) fn weakness_of_key(key: &str) -> Option<&'static str> {
    if is_published(key) {
        Some(PUBLISHED)
    } else if key.len() < KEY_BYTES {
        Some("is shorter than 32 bytes")
    } else if is_guessable(key.as_bytes()) || WORDS.iter().any(|word| key.to_lowercase().contains(word)) {
        Some("can be guessed: take a random one")
    } else {
        None
    }
}

/// The same for the 32 bytes of a key that is written in base64.
pub(super) fn weakness_of_sealing_key(base64: &str) -> Option<&'static str> {
    if is_published(base64) {
        return Some(PUBLISHED);
    }
    // What has another length is no key at all, and told as such.
    let bytes = STANDARD.decode(base64).ok().filter(|bytes| bytes.len() == KEY_BYTES)?;
    is_guessable(&bytes).then_some("can be guessed: take a random one")
}

/// Why this cannot be the password of a service on the network, if so.
pub(super) fn weakness_of_password(password: &str, user: &str, mode: Mode) -> Option<&'static str> {
    if is_published(password) {
        Some("the password is an example value that everybody can read")
    } else if POPULAR.contains(&password.to_lowercase().as_str()) || (!user.is_empty() && password == user) {
        Some("the password is one that everybody tries first")
    } else if mode == Mode::Production && password.chars().count() < PASSWORD_CHARACTERS {
        Some("the password is shorter than 12 characters")
    } else if mode == Mode::Production && is_repetitive(password.as_bytes()) {
        Some("the password can be guessed: take a random one")
    } else {
        None
    }
}

/// Too little chance in it: few different letters, a pattern that repeats, or letters in a row.
fn is_guessable(bytes: &[u8]) -> bool {
    let different: BTreeSet<_> = bytes.iter().collect();
    different.len() < LEAST_LETTERS || entropy_bits(bytes) < LEAST_BITS || is_repetitive(bytes)
}

/// Shannon's, of the letters as they are distributed here, over the whole length.
#[expect(clippy::cast_precision_loss, reason = "keys are short")]
fn entropy_bits(bytes: &[u8]) -> f64 {
    let mut counts = [0_usize; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let length = bytes.len() as f64;
    let shares = counts.into_iter().filter(|count| *count > 0).map(|count| count as f64 / length);
    shares.map(|share| -share * share.log2()).sum::<f64>() * length
}

fn is_repetitive(bytes: &[u8]) -> bool {
    let repeats = |period: usize| bytes.iter().zip(&bytes[period..]).all(|(one, other)| one == other);
    let steps = bytes.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 1).count();
    (1..=bytes.len() / 2).any(repeats) || steps * 2 > bytes.len()
}

/// The password in an address.
fn password_of(address: &str) -> Option<String> {
    Url::parse(address).ok()?.password().map(str::to_owned)
}

/// Secrets as they were read, by the name under which a problem speaks of them.
#[derive(Debug, Default)]
pub(super) struct Known(Vec<(String, SecretString)>);

impl Known {
    /// Remembers it; answers with the name of another one that is the same.
    pub(super) fn add(&mut self, name: &str, secret: &str) -> Option<String> {
        let is_same = |(known, text): &&(String, SecretString)| known != name && text.expose_secret() == secret;
        let same = self.0.iter().find(is_same).map(|(name, _)| name.clone());
        self.0.push((name.to_owned(), SecretString::from(secret.to_owned())));
        same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_keys_pass_and_written_ones_do_not() {
        for _ in 0..500 {
            let bytes: [u8; 32] = rand::random();
            assert_eq!(weakness_of_key(&hex::encode(bytes)), None);
            assert_eq!(weakness_of_key(&hex::encode(&bytes[..16])), None);
            assert_eq!(weakness_of_key(&STANDARD.encode(bytes)), None);
            assert_eq!(weakness_of_sealing_key(&STANDARD.encode(bytes)), None);
            assert_eq!(weakness_of_password(&STANDARD.encode(&bytes[..12]), "wb_api", Mode::Production), None);
        }
        for written in [
            "s".repeat(64),
            "abc".repeat(20),
            "0123456789abcdefghijklmnopqrstuvwxyz".to_owned(),
            "my-very-long-password-is-here-1979-x".to_owned(),
            "change-me-please-Kj7mQz2x9LpW4tRvB8sN".to_owned(),
            "Kj7mQz2x9LpW4tRvKj7mQz2x9LpW4tRv".to_owned(),
        ] {
            assert!(weakness_of_key(&written).is_some(), "{written}");
        }
        assert!(weakness_of_key("Kj7mQz2x9LpW4tRvB8sNfG3hYc6dE1u").is_some_and(|why| why.contains("shorter")));
        for byte in [0, 1, 65, 255] {
            assert!(weakness_of_sealing_key(&STANDARD.encode([byte; 32])).is_some());
        }
    }

    #[test]
    fn the_example_is_read() {
        assert!(EXAMPLES.len() >= 6, "{:?}", *EXAMPLES);
        assert!(EXAMPLES.iter().all(|value| !value.is_empty()));
    }
}
