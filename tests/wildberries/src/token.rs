//! Seller tokens: JWTs with Wildberries' claims, signed and checked by the simulator itself.

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reply::{Reply, gateway};

/// Every category of the API that the simulator knows.
pub const ALL_CATEGORIES: u32 = 0b0011_1110_1111_1110;

/// A part of the API with its own host and its own bit in a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// News, seller information, tariffs: every token may ask.
    Common = 0,
    /// Cards.
    Content = 1,
    /// Analytics.
    Analytics = 2,
    /// Prices and discounts.
    Prices = 3,
    /// Warehouses, stocks, orders and supplies.
    Marketplace = 4,
    /// Statistics.
    Statistics = 5,
    /// Promotion.
    Promotion = 6,
    /// Feedbacks and questions.
    Feedbacks = 7,
}

impl Category {
    /// The category's bit in the claim `s`; zero for the part that needs none.
    pub fn mask(self) -> u32 {
        match self {
            Self::Common => 0,
            category => 1 << category as u32,
        }
    }

    pub(crate) fn of_prefix(word: &str) -> Option<Self> {
        Some(match word {
            "common" => Self::Common,
            "content" => Self::Content,
            "analytics" => Self::Analytics,
            "prices" => Self::Prices,
            "marketplace" => Self::Marketplace,
            "statistics" => Self::Statistics,
            "promotion" => Self::Promotion,
            "feedbacks" => Self::Feedbacks,
            _ => return None,
        })
    }
}

/// What sort of token it is; each has its own budget of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// Any program; drastically limited.
    Base = 1,
    /// Sandbox only.
    Test = 2,
    /// The seller's own programs.
    Personal = 3,
    /// A solution of the business catalogue.
    Service = 4,
}

/// What a token shall say.
#[derive(Debug, Clone)]
pub struct TokenSpec {
    /// Its kind.
    pub kind: TokenKind,
    /// The categories it opens, as a sum of [`Category::mask`].
    pub categories: u32,
    /// When it ends; 180 days from now if not said.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it may only read.
    pub read_only: bool,
    /// A claim of one's own, by which the token is recognised wherever it should not be.
    pub note: Option<String>,
}

impl Default for TokenSpec {
    fn default() -> Self {
        Self { kind: TokenKind::Personal, categories: ALL_CATEGORIES, expires_at: None, read_only: false, note: None }
    }
}

const READ_ONLY: u32 = 1 << 30;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub id: Uuid,
    pub sid: Uuid,
    exp: i64,
    s: u32,
    acc: u8,
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    whom: Option<String>,
    t: bool,
    #[serde(default)]
    iid: i64,
    #[serde(default)]
    oid: i64,
    #[serde(default)]
    uid: i64,
    #[serde(default)]
    ent: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Who calls: read from a token that was accepted.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub claims: Claims,
    pub kind: TokenKind,
}

/// The simulator's signing key.
pub(crate) struct Mint {
    secret: [u8; 32],
}

impl Mint {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = crate::chance::Chance::new(seed ^ 0x004A_5754);
        let mut secret = [0; 32];
        for chunk in secret.chunks_mut(8) {
            chunk.copy_from_slice(&chance.next().to_be_bytes());
        }
        Self { secret }
    }

    pub(crate) fn issue(&self, id: Uuid, sid: Uuid, number: i64, spec: &TokenSpec, now: DateTime<Utc>) -> String {
        let claims = Claims {
            id,
            sid,
            exp: spec.expires_at.unwrap_or(now + Duration::days(180)).timestamp(),
            s: spec.categories | if spec.read_only { READ_ONLY } else { 0 },
            acc: spec.kind as u8,
            whom: match spec.kind {
                TokenKind::Base | TokenKind::Test => None,
                TokenKind::Personal => Some("self".into()),
                TokenKind::Service => Some("asid:0f1e2d3c-4b5a-4697-8877-665544332211".into()),
            },
            t: spec.kind == TokenKind::Test,
            iid: 10_000_000 + number,
            oid: 1_000_000 + number,
            uid: 20_000_000 + number,
            ent: 1,
            note: spec.note.clone(),
        };
        let header = Header::new(Algorithm::HS256);
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&self.secret))
            .expect("claims of plain fields always encode")
    }

    /// Reads a header `Authorization`, raw or with `Bearer`.
    pub(crate) fn read(&self, header: Option<&str>, now: DateTime<Utc>) -> Result<Caller, Reply> {
        let Some(token) = header.map(str::trim).filter(|token| !token.is_empty()) else {
            return Err(gateway(401, "empty Authorization header"));
        };
        let token = token.strip_prefix("Bearer ").unwrap_or(token).trim();
        let mut checks = Validation::new(Algorithm::HS256);
        checks.validate_exp = false;
        checks.validate_aud = false;
        checks.required_spec_claims.clear();
        let key = DecodingKey::from_secret(&self.secret);
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &checks)
            .map_err(|error| gateway(401, &format!("token problem; token is malformed: {error}")))?
            .claims;
        if claims.exp <= now.timestamp() {
            return Err(gateway(401, "token problem; token expired or withdrawn"));
        }
        let kind = match claims.acc {
            1 => TokenKind::Base,
            2 => TokenKind::Test,
            3 => TokenKind::Personal,
            4 => TokenKind::Service,
            _ => return Err(gateway(401, "token does not satisfy additional requirements")),
        };
        Ok(Caller { claims, kind })
    }
}

impl Caller {
    /// Whether the token opens this call.
    pub(crate) fn may(&self, category: Category, writes: bool) -> Result<(), Reply> {
        let opened = category.mask() == 0 || self.claims.s & category.mask() != 0;
        let read_only = writes && self.claims.s & READ_ONLY != 0;
        if self.claims.t || self.kind == TokenKind::Test || !opened || read_only {
            return Err(gateway(401, "token scope not allowed"));
        }
        Ok(())
    }
}
