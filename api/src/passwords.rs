//! Passwords: Argon2id, few at a time, each in 19 MiB that go back to the system afterwards.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{Output, ParamsString, PasswordHash, SaltString};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use shared::{Error, Result};
use tokio::sync::Semaphore;

/// OWASP's floor.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// From this size on, glibc takes memory from the system for the one purpose and gives it back when it is freed.
/// Without it, 19 MiB would stay with every thread that ever hashed.
const MAPPED_BLOCKS: usize = 33 * 1024;
/// How many may wait for their turn.
const QUEUE: usize = 20;

/// Hashes and compares, as many at once as there are cores.
#[derive(Clone, Debug)]
pub struct Passwords {
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { running: Arc::new(Semaphore::new(cores)), places: Arc::new(Semaphore::new(cores + QUEUE)) }
    }
}

impl Passwords {
    /// Checks the length and hashes, in PHC form. `field` is what the client called it.
    pub async fn hash(&self, password: SecretString, field: &'static str) -> Result<SecretString> {
        if !(12..=128).contains(&password.expose_secret().chars().count()) {
            return Err(Error::invalid(field, "must have between 12 and 128 characters"));
        }
        let mut salt = [0_u8; 16];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut salt);
        self.in_turn(move || new_hash(&password, &salt)).await?.map_err(broken)
    }

    /// Whether the password is the one that was hashed. Without a hash it takes as long and the answer is no.
    pub async fn verify(&self, password: SecretString, hash: Option<SecretString>) -> Result<bool> {
        self.in_turn(move || match hash {
            Some(hash) => same(&password, &hash),
            None => new_hash(&password, b"of nobody at all").map(|_| false),
        })
        .await?
        .map_err(broken)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let busy = |_| Error::Unavailable { what: "sign-in", retry_after: Some(Duration::from_secs(1)), source: None };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(busy)?;
        let turn = Arc::clone(&self.running).acquire_owned().await;
        // Both move into the thread: a client that goes away does not make room before the work is over.
        let work = move || {
            let _held = (place, turn);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| Error::unavailable("sign-in", error))
    }
}

fn new_hash(password: &SecretString, salt: &[u8]) -> argon2::password_hash::Result<SecretString> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    let mut output = [0_u8; Params::DEFAULT_OUTPUT_LEN];
    run(password, salt, &params, &mut output)?;
    let salt = SaltString::encode_b64(salt)?;
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params)?,
        salt: Some(salt.as_salt()),
        hash: Some(Output::new(&output)?),
    };
    Ok(SecretString::from(hash.to_string()))
}

fn same(password: &SecretString, hash: &SecretString) -> argon2::password_hash::Result<bool> {
    use argon2::password_hash::Error;

    let stored = PasswordHash::new(hash.expose_secret())?;
    if stored.algorithm != ARGON2ID_IDENT {
        return Err(Error::Algorithm);
    }
    let (params, expected) = (Params::try_from(&stored)?, stored.hash.ok_or(Error::PhcStringField)?);
    let mut salt = [0_u8; 64];
    let salt = stored.salt.ok_or(Error::PhcStringField)?.decode_b64(&mut salt)?;
    let mut output = vec![0_u8; expected.len()];
    run(password, salt, &params, &mut output)?;
    // `Output` compares in constant time.
    Ok(Output::new(&output)? == expected)
}

fn run(password: &SecretString, salt: &[u8], params: &Params, output: &mut [u8]) -> argon2::Result<()> {
    let mut memory = Vec::with_capacity(params.block_count().max(MAPPED_BLOCKS));
    memory.resize(params.block_count(), Block::default());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    argon2.hash_password_into_with_memory(password.expose_secret().as_bytes(), salt, output, &mut memory)
}

fn broken(error: argon2::password_hash::Error) -> Error {
    Error::Inconsistent(format!("a password hash cannot be worked with: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_password_itself_fits() {
        let passwords = Passwords::default();
        let long = format!("{}1", "п".repeat(100));
        let hash = passwords.hash(secret(&long), "password").await.unwrap();
        assert!(hash.expose_secret().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose_secret());
        assert!(passwords.verify(secret(&long), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(secret(&"п".repeat(100)), Some(hash)).await.unwrap());
        assert!(!passwords.verify(secret(&long), None).await.unwrap());
    }

    #[tokio::test]
    async fn short_and_endless_passwords_are_refused() {
        for password in ["elevenchars", &"x".repeat(129)] {
            assert!(matches!(
                Passwords::default().hash(secret(password), "password").await,
                Err(Error::Invalid { .. })
            ));
        }
    }

    #[tokio::test]
    async fn whoever_finds_the_queue_full_is_told_at_once() {
        let passwords = Passwords::default();
        let _all = Arc::clone(&passwords.places)
            .acquire_many_owned(u32::try_from(passwords.places.available_permits()).unwrap())
            .await;
        assert!(matches!(passwords.verify(secret("whatever it is"), None).await, Err(Error::Unavailable { .. })));
    }
}
