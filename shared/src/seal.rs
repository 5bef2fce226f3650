//! Secrets at rest: XChaCha20-Poly1305 under a named key, bound to the row that holds them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::RngCore;
use secrecy::{ExposeSecret, SecretString};

/// Bytes that only the holder of the key can read.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Which key.
    pub key_id: String,
    /// Nonce and ciphertext.
    pub bytes: Vec<u8>,
}

/// The key-encryption keys. The first one seals, all of them open.
#[derive(Clone)]
pub struct Keyring(Vec<(String, XChaCha20Poly1305)>);

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

/// Why a secret could not be opened, or keys not be read.
#[derive(Debug, thiserror::Error)]
pub enum SealProblem {
    /// The text is not a list of `id:base64` lines.
    #[error("line {0} is not `id:key` with 32 bytes in base64")]
    Malformed(usize),
    /// There is no key in it.
    #[error("there is no key")]
    Empty,
    /// The key that sealed it is not there any more.
    #[error("key {0} is not in the keyring")]
    UnknownKey(String),
    /// The bytes were changed, or belong to another row.
    #[error("the sealed bytes do not belong here")]
    Broken,
}

impl Keyring {
    /// Reads one `id:base64` per line; empty lines are skipped.
    pub fn parse(text: &SecretString) -> Result<Self, SealProblem> {
        let mut keys = Vec::new();
        for (index, line) in text.expose_secret().lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let malformed = || SealProblem::Malformed(index + 1);
            let (id, key) = line.trim().split_once(':').ok_or_else(malformed)?;
            let key = STANDARD.decode(key).map_err(|_| malformed())?;
            keys.push((id.to_owned(), XChaCha20Poly1305::new_from_slice(&key).map_err(|_| malformed())?));
        }
        if keys.is_empty() { Err(SealProblem::Empty) } else { Ok(Self(keys)) }
    }

    /// Seals for the row that `identity` names.
    pub fn seal(&self, secret: &SecretString, identity: &str) -> Sealed {
        let (key_id, cipher) = &self.0[0];
        let mut nonce = [0_u8; 24];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: identity.as_bytes() };
        let sealed =
            cipher.encrypt(XNonce::from_slice(&nonce), payload).expect("tokens are far below the cipher's limit");
        Sealed { key_id: key_id.clone(), bytes: [nonce.as_slice(), &sealed].concat() }
    }

    /// Opens what was sealed for the row that `identity` names.
    pub fn open(&self, sealed: &Sealed, identity: &str) -> Result<SecretString, SealProblem> {
        let (_, cipher) = self
            .0
            .iter()
            .find(|(id, _)| *id == sealed.key_id)
            .ok_or_else(|| SealProblem::UnknownKey(sealed.key_id.clone()))?;
        let (nonce, bytes) = sealed.bytes.split_at_checked(24).ok_or(SealProblem::Broken)?;
        let payload = Payload { msg: bytes, aad: identity.as_bytes() };
        let open = cipher.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| SealProblem::Broken)?;
        String::from_utf8(open).map(SecretString::from).map_err(|_| SealProblem::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring() -> Keyring {
        let key = |byte: u8| STANDARD.encode([byte; 32]);
        Keyring::parse(&SecretString::from(format!("new:{}\nold:{}\n", key(1), key(2)))).expect("well formed")
    }

    #[test]
    fn what_was_sealed_opens_only_in_its_own_row() {
        let sealed = keyring().seal(&SecretString::from("token"), "row-1");
        assert!(!sealed.bytes.windows(5).any(|window| window == b"token"));
        assert_eq!(keyring().open(&sealed, "row-1").expect("opens").expose_secret(), "token");
        assert!(matches!(keyring().open(&sealed, "row-2"), Err(SealProblem::Broken)));
    }

    #[test]
    fn a_keyring_does_not_print_its_keys() {
        assert_eq!(format!("{:?}", keyring()), r#"["new", "old"]"#);
    }
}
