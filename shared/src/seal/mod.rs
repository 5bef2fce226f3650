//! Secrets at rest: XChaCha20-Poly1305 under a named key, bound to the row that holds them.
//!
//! `columns` lists every place where something sealed is kept; rotation and the check at the start go by that list.

mod columns;
mod rotation;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use rand::RngCore;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;

pub use columns::{COLUMNS, SealedColumn};
pub use rotation::{KeyUse, Rotation, UnknownKeys, key_use, refuse_unknown_keys, rotate};

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
pub struct Keyring(Arc<Vec<Key>>);

struct Key {
    id: String,
    cipher: XChaCha20Poly1305,
    /// Derived from the key, so that a fingerprint is never made with what seals.
    fingerprints: SecretBox<[u8; 32]>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// Why a secret could not be opened, or keys not be read.
#[derive(Debug, thiserror::Error)]
pub enum SealProblem {
    /// The text is not a list of `id:base64` lines.
    #[error("line {0} is not `id:key` with 32 bytes in base64")]
    Malformed(usize),
    /// Two keys of one name: nobody could say which one sealed a row.
    #[error("line {0} repeats the name of an earlier key")]
    Repeated(usize),
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
    /// Reads one `id:base64` per line; empty lines are skipped. A name has 1 to 32 letters, digits, `-`, `_` or `.`.
    pub fn parse(text: &SecretString) -> Result<Self, SealProblem> {
        let mut keys: Vec<Key> = Vec::new();
        for (index, line) in text.expose_secret().lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let malformed = || SealProblem::Malformed(index + 1);
            let (id, key) = line.trim().split_once(':').ok_or_else(malformed)?;
            if !is_name(id) {
                return Err(malformed());
            }
            if keys.iter().any(|known| known.id == id) {
                return Err(SealProblem::Repeated(index + 1));
            }
            let key = SecretBox::new(Box::new(STANDARD.decode(key).map_err(|_| malformed())?));
            let cipher = XChaCha20Poly1305::new_from_slice(key.expose_secret()).map_err(|_| malformed())?;
            let fingerprints = SecretBox::new(Box::new(mac(key.expose_secret(), &[b"fingerprints of tokens"])));
            keys.push(Key { id: id.to_owned(), cipher, fingerprints });
        }
        if keys.is_empty() { Err(SealProblem::Empty) } else { Ok(Self(Arc::new(keys))) }
    }

    /// The name of the key that seals.
    pub fn current(&self) -> &str {
        &self.0[0].id
    }

    /// The names of all keys, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }

    /// Seals for the row that `identity` names.
    pub fn seal(&self, secret: &SecretString, identity: &str) -> Sealed {
        let Key { id, cipher, .. } = &self.0[0];
        let mut nonce = [0_u8; 24];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: identity.as_bytes() };
        let sealed =
            cipher.encrypt(XNonce::from_slice(&nonce), payload).expect("tokens are far below the cipher's limit");
        Sealed { key_id: id.clone(), bytes: [nonce.as_slice(), &sealed].concat() }
    }

    /// Opens what was sealed for the row that `identity` names.
    pub fn open(&self, sealed: &Sealed, identity: &str) -> Result<SecretString, SealProblem> {
        let Key { cipher, .. } = self
            .0
            .iter()
            .find(|key| key.id == sealed.key_id)
            .ok_or_else(|| SealProblem::UnknownKey(sealed.key_id.clone()))?;
        let (nonce, bytes) = sealed.bytes.split_at_checked(24).ok_or(SealProblem::Broken)?;
        let payload = Payload { msg: bytes, aad: identity.as_bytes() };
        let open = cipher.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| SealProblem::Broken)?;
        String::from_utf8(open).map(SecretString::from).map_err(|_| SealProblem::Broken)
    }

    /// Four hexadecimal digits by which people tell secrets of one row apart: the end of a keyed hash, so that nothing
    /// about the secret can be found out from them, and equal secrets of two rows look different.
    pub fn fingerprint(&self, secret: &SecretString, identity: &str) -> String {
        let key = self.0[0].fingerprints.expose_secret();
        let hash = mac(key, &[identity.as_bytes(), &[0], secret.expose_secret().as_bytes()]);
        hex::encode(&hash[30..])
    }
}

fn is_name(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("a key of any length will do");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

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
    fn any_flipped_bit_is_noticed() {
        let sealed = keyring().seal(&SecretString::from("a token of some length, as they are"), "row-1");
        for bit in 0..sealed.bytes.len() * 8 {
            let mut changed = sealed.clone();
            changed.bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(keyring().open(&changed, "row-1"), Err(SealProblem::Broken)), "bit {bit}");
        }
        assert!(matches!(keyring().open(&Sealed { bytes: vec![0; 23], ..sealed }, "row-1"), Err(SealProblem::Broken)));
    }

    #[test]
    fn no_nonce_comes_twice() {
        let (keyring, secret) = (keyring(), SecretString::from("token"));
        let nonces: HashSet<_> = (0..20_000).map(|_| keyring.seal(&secret, "row").bytes[..24].to_vec()).collect();
        assert_eq!(nonces.len(), 20_000);
    }

    #[test]
    fn names_of_keys_are_told_apart() {
        let key = STANDARD.encode([1; 32]);
        let parse = |text: String| Keyring::parse(&SecretString::from(text)).map(|_| ());
        assert!(matches!(parse(format!("a:{key}\na:{key}")), Err(SealProblem::Repeated(2))));
        assert!(matches!(parse(format!(":{key}")), Err(SealProblem::Malformed(1))));
        assert!(matches!(parse(format!("a b:{key}")), Err(SealProblem::Malformed(1))));
        assert!(matches!(parse("a:c2hvcnQ=".to_owned()), Err(SealProblem::Malformed(1))));
        assert!(matches!(parse("\n \n".to_owned()), Err(SealProblem::Empty)));
        assert!(parse(format!("\na:{key}\n")).is_ok());
    }

    #[test]
    fn a_fingerprint_tells_tokens_of_one_row_apart_and_shows_nothing_of_them() {
        let print = |secret: &str, row| keyring().fingerprint(&SecretString::from(secret), row);
        assert_eq!(print("token", "row-1"), print("token", "row-1"));
        assert_ne!(print("token", "row-1"), print("token", "row-2"));
        assert_ne!(print("token", "row-1"), print("another", "row-1"));
        assert!(print("token", "row-1").len() == 4);
    }

    #[test]
    fn a_keyring_does_not_print_its_keys() {
        assert_eq!(format!("{:?}", keyring()), r#"["new", "old"]"#);
    }

    static_assertions::assert_not_impl_any!(Keyring: std::fmt::Display, serde::Serialize);
    static_assertions::assert_not_impl_any!(SecretString: std::fmt::Display, serde::Serialize, AsRef<str>, std::ops::Deref);
}
