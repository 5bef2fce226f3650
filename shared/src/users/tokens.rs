//! Secrets that we hand out and recognise again: 256 random bits, of which only the SHA-256 is kept. One type for each use,
//! so that none is taken for another.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(SecretString);

        impl $name {
            /// A new one.
            pub fn random() -> Self {
                Self(random())
            }

            /// As somebody presents it.
            pub fn presented(text: String) -> Self {
                Self(SecretString::from(text))
            }

            /// As it is handed out.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }

            pub(super) fn hash(&self) -> Vec<u8> {
                Sha256::digest(self.expose().as_bytes()).to_vec()
            }
        }
    )+};
}

tokens! {
    /// What a client keeps to get new access tokens.
    RefreshToken,
    /// What a letter carries: whoever presents it has read the letter.
    LetterToken,
}

fn random() -> SecretString {
    let mut bytes = [0_u8; 32];
    rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
    SecretString::from(URL_SAFE_NO_PAD.encode(bytes))
}
