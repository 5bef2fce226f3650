//! Passwords: Argon2id, few at a time, each in 19 MiB that go back to the system afterwards.

mod weak;

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

/// What became of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is another password.
    Wrong,
    /// It is the one that was hashed.
    Right,
    /// It is the one that was hashed, with less effort than is made today: hash it again.
    Outdated,
}

impl Passwords {
    /// Checks that the password is neither short nor easy to guess and hashes, in PHC form. `field` is what the client
    /// called it.
    pub async fn hash(&self, password: SecretString, field: &'static str) -> Result<SecretString> {
        self.hash_for(password, field, &[]).await
    }

    /// The same for somebody of whom this is known, which makes no good password: address, name.
    pub async fn hash_for(&self, password: SecretString, field: &'static str, about: &[&str]) -> Result<SecretString> {
        if !(12..=128).contains(&password.expose_secret().chars().count()) {
            return Err(Error::invalid(field, "must have between 12 and 128 characters"));
        }
        let (salt, about) = (salt(), about.iter().map(|known| (*known).to_owned()).collect::<Vec<_>>());
        let hashing = move || {
            let about: Vec<_> = about.iter().map(String::as_str).collect();
            if weak::is_weak(password.expose_secret(), &about) {
                return Ok(None);
            }
            new_hash(&password, &salt).map(Some)
        };
        let hashed = self.in_turn(hashing).await?.map_err(broken)?;
        hashed.ok_or_else(|| {
            Error::invalid(field, "is too easy to guess: take several words that do not belong together")
        })
    }

    /// Hashes a password that is in use, whatever it is like.
    pub async fn hash_again(&self, password: SecretString) -> Result<SecretString> {
        let salt = salt();
        self.in_turn(move || new_hash(&password, &salt)).await?.map_err(broken)
    }

    /// Whether the password is the one that was hashed. Without a hash it takes as long and the answer is no.
    pub async fn verify(&self, password: SecretString, hash: Option<SecretString>) -> Result<Verdict> {
        self.in_turn(move || match hash {
            Some(hash) => compare(&password, &hash),
            None => new_hash(&password, b"of nobody at all").map(|_| Verdict::Wrong),
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

fn salt() -> [u8; 16] {
    let mut salt = [0_u8; 16];
    rand::RngCore::fill_bytes(&mut rand::rng(), &mut salt);
    salt
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

fn compare(password: &SecretString, hash: &SecretString) -> argon2::password_hash::Result<Verdict> {
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
    let same = Output::new(&output)? == expected;
    let outdated = params.m_cost() < MEMORY_KIB || params.t_cost() < PASSES || params.p_cost() < LANES;
    Ok(match (same, outdated) {
        (false, _) => Verdict::Wrong,
        (true, false) => Verdict::Right,
        (true, true) => Verdict::Outdated,
    })
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
        let long = format!("у меня зелёный трактор, {}1", "и ещё один ".repeat(9));
        let hash = passwords.hash(secret(&long), "password").await.unwrap();
        assert!(hash.expose_secret().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose_secret());
        assert_eq!(passwords.verify(secret(&long), Some(hash.clone())).await.unwrap(), Verdict::Right);
        let shorter: String = long.chars().take(long.chars().count() - 1).collect();
        assert_eq!(passwords.verify(secret(&shorter), Some(hash)).await.unwrap(), Verdict::Wrong);
        assert_eq!(passwords.verify(secret(&long), None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_lower_costs_is_recognised_and_called_outdated() {
        // Made with m = 8 MiB, t = 1: by `argon2` itself, as an older version of this program would have.
        let params = Params::new(8192, 1, 1, None).unwrap();
        let mut output = [0_u8; Params::DEFAULT_OUTPUT_LEN];
        run(&secret("an old password here"), b"some salt of old", &params, &mut output).unwrap();
        let salt = SaltString::encode_b64(b"some salt of old").unwrap();
        let hash = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).unwrap(),
            salt: Some(salt.as_salt()),
            hash: Some(Output::new(&output).unwrap()),
        };
        let hash = secret(&hash.to_string());
        let passwords = Passwords::default();
        let verdict = passwords.verify(secret("an old password here"), Some(hash.clone())).await.unwrap();
        assert_eq!(verdict, Verdict::Outdated);
        assert_eq!(passwords.verify(secret("another password"), Some(hash)).await.unwrap(), Verdict::Wrong);
        let again = passwords.hash_again(secret("an old password here")).await.unwrap();
        assert_eq!(passwords.verify(secret("an old password here"), Some(again)).await.unwrap(), Verdict::Right);
    }

    #[tokio::test]
    async fn weak_passwords_are_refused_where_they_are_chosen_and_not_where_they_are_used() {
        let passwords = Passwords::default();
        let refused = passwords.hash(secret("password1234"), "newPassword").await;
        assert!(matches!(refused, Err(Error::Invalid { field, .. }) if field == "newPassword"));
        assert!(passwords.hash_again(secret("password1234")).await.is_ok());
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
