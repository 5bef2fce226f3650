//! Our own tokens: JWTs of one algorithm and one shape. An access token says which session is asking and nothing about what
//! it may: that is asked of the database. A pending token says that the password was right and a second factor is still to
//! be given. Neither is taken for the other: their `typ` differs (RFC 8725, 3.11).

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use shared::config::JwtKey;
use shared::ids::{SessionId, UserId};
use shared::{Error, Result};

const ISSUER: &str = "wb-assistant";
const AUDIENCE: &str = "wb-assistant-api";
const LEEWAY: Duration = Duration::seconds(10);

const INVALID: &str = "the token is not valid";

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For every request of a signed-in client.
    Access,
    /// For giving the second factor, once.
    Pending,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Access, Self::Pending];

    /// The `typ` of its header.
    pub fn typ(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Pending => "second-factor+jwt",
        }
    }

    /// How long it is good for.
    pub fn life(self) -> Duration {
        match self {
            Self::Access => Duration::minutes(10),
            Self::Pending => Duration::minutes(5),
        }
    }
}

/// Signs with the first key and verifies with all of them, so that keys can be replaced without signing anybody out.
#[derive(Clone)]
pub struct Tokens(Arc<Keys>);

struct Keys {
    id: String,
    signing: EncodingKey,
    verifying: HashMap<String, DecodingKey>,
}

/// Keys are not printed.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.verifying.keys()).finish()
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    iss: String,
    aud: String,
    /// Whose session it is.
    pub sub: UserId,
    /// Which session; of a pending token, the session that it may open.
    pub sid: SessionId,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// The whole header of our tokens. A header with anything else in it is not ours.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OurHeader {
    alg: String,
    typ: String,
    kid: String,
}

impl Tokens {
    /// With at least one key, as the configuration guarantees.
    pub fn new(keys: &[JwtKey]) -> Self {
        let first = keys.first().expect("the configuration refuses an empty list of keys");
        let bytes = |key: &JwtKey| key.secret.expose_secret().as_bytes().to_vec();
        let verifying = keys.iter().map(|key| (key.id.clone(), DecodingKey::from_secret(&bytes(key)))).collect();
        Self(Arc::new(Keys { id: first.id.clone(), signing: EncodingKey::from_secret(&bytes(first)), verifying }))
    }

    /// A token for the session, from this moment on.
    pub fn sign(&self, kind: Kind, session_id: SessionId, user_id: UserId, now: DateTime<Utc>) -> Result<String> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user_id,
            sid: session_id,
            jti: format!("{:032x}", rand::random::<u128>()),
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: (now + kind.life()).timestamp(),
        };
        let header =
            Header { typ: Some(kind.typ().to_owned()), kid: Some(self.0.id.clone()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &self.0.signing)
            .map_err(|error| Error::Inconsistent(format!("a token could not be signed: {error}")))
    }

    /// The claims of a token of this kind that we signed. Whether it is its time is asked with [`Claims::check_time`].
    pub fn verify(&self, kind: Kind, token: &str) -> Result<Claims> {
        self.read(kind, token).ok_or(Error::Unauthenticated(INVALID))
    }

    fn read(&self, kind: Kind, token: &str) -> Option<Claims> {
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
        let header: OurHeader = serde_json::from_slice(&header).ok()?;
        if header.alg != "HS256" || header.typ != kind.typ() {
            return None;
        }
        let key = self.0.verifying.get(&header.kid)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        // Time is Postgres' and comes later: a forged token must not cost a transaction.
        validation.validate_exp = false;
        jsonwebtoken::decode(token, key, &validation).ok().map(|token| token.claims)
    }
}

impl Claims {
    /// Fails outside the minutes that a token of this kind has, or if it claims more than those.
    pub fn check_time(&self, kind: Kind, now: DateTime<Utc>) -> Result<()> {
        let (now, leeway) = (now.timestamp(), LEEWAY.num_seconds());
        let life = self.exp.checked_sub(self.iat).unwrap_or(i64::MAX);
        if !(0..=kind.life().num_seconds()).contains(&life) || self.iat > now + leeway || self.nbf > now + leeway {
            return Err(Error::Unauthenticated(INVALID));
        }
        if self.exp <= now - leeway {
            return Err(Error::Unauthenticated("the token has expired"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
