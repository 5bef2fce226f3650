//! The next refresh token, kept so that only who holds the one before it can read it: sealed under a key that is made from
//! that token, which itself is kept as a hash only. Whoever reads the table learns nothing; whoever lost an answer and asks
//! again with the same token is given the same successor, never a second one.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::RngCore;
use sha2::{Digest, Sha256};

use crate::ids::SessionId;
use crate::users::tokens::RefreshToken;
use crate::{Error, Result};

/// Apart from the token's own hash, which is kept beside it.
const PURPOSE: &[u8] = b"wb-assistant/refresh-successor/1:";
const NONCE: usize = 24;

pub(super) fn seal(successor: &RefreshToken, spent: &RefreshToken, session: SessionId) -> Vec<u8> {
    let mut nonce = [0_u8; NONCE];
    rand::rng().fill_bytes(&mut nonce);
    let payload = Payload { msg: successor.expose().as_bytes(), aad: session.0.as_bytes() };
    let sealed =
        cipher(spent).encrypt(XNonce::from_slice(&nonce), payload).expect("a token is far below the cipher's limit");
    [nonce.as_slice(), &sealed].concat()
}

pub(super) fn open(sealed: &[u8], spent: &RefreshToken, session: SessionId) -> Result<RefreshToken> {
    let broken =
        || Error::Inconsistent(format!("the successor of a refresh token of session {session} cannot be read"));
    let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or_else(broken)?;
    let payload = Payload { msg: sealed, aad: session.0.as_bytes() };
    let open = cipher(spent).decrypt(XNonce::from_slice(nonce), payload).map_err(|_| broken())?;
    String::from_utf8(open).map(RefreshToken::presented).map_err(|_| broken())
}

/// The token has 256 bits of its own: a hash of it is a key, no stretching is needed.
fn cipher(spent: &RefreshToken) -> XChaCha20Poly1305 {
    let key = Sha256::new().chain_update(PURPOSE).chain_update(spent.expose()).finalize();
    XChaCha20Poly1305::new(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_spent_token_of_the_same_session_opens_its_successor() {
        let (spent, successor, session) = (RefreshToken::random(), RefreshToken::random(), SessionId::new());
        let sealed = seal(&successor, &spent, session);
        assert!(!sealed.windows(8).any(|window| successor.expose().as_bytes().starts_with(window)));
        assert_eq!(open(&sealed, &spent, session).expect("it is its own").expose(), successor.expose());
        assert!(open(&sealed, &RefreshToken::random(), session).is_err());
        assert!(open(&sealed, &spent, SessionId::new()).is_err());
        assert!(open(&sealed[..20], &spent, session).is_err());
    }
}
