//! What a Wildberries token says about itself, read locally: Wildberries has no method for it.
//!
//! The signature is not checked, for only Wildberries can; a forged token is found out by `seller-info`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use uuid::Uuid;

use super::{SellerToken, TokenKind};
use crate::{Error, Refusal};

/// Real tokens have less than 1 KiB.
const LONGEST: usize = 8 * 1024;
const READ_ONLY_BIT: u32 = 30;

macro_rules! categories {
    ($($name:ident = $bit:literal, $english:literal, $russian:literal;)+) => {
        /// A group of methods that a token may be allowed to call; named as in the seller's cabinet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Category {
            $(#[doc = $english] $name,)+
        }

        impl Category {
            /// Every category that Wildberries has published.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its bit in the mask of a token.
            pub fn bit(self) -> u32 {
                match self { $(Self::$name => $bit,)+ }
            }

            /// In English.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $english,)+ }
            }

            /// In Russian, as the cabinet has it.
            pub fn title_ru(self) -> &'static str {
                match self { $(Self::$name => $russian,)+ }
            }
        }
    };
}

categories! {
    Content = 1, "Content", "Контент";
    Analytics = 2, "Analytics", "Аналитика";
    Prices = 3, "Prices and discounts", "Цены и скидки";
    Marketplace = 4, "Marketplace", "Маркетплейс";
    Statistics = 5, "Statistics", "Статистика";
    Promotion = 6, "Promotion", "Продвижение";
    Feedbacks = 7, "Feedbacks and questions", "Вопросы и отзывы";
    Chat = 9, "Chat with buyers", "Чат с покупателями";
    Supplies = 10, "Supplies to Wildberries' warehouses", "Поставки";
    Returns = 11, "Returns by buyers", "Возвраты покупателями";
    Documents = 12, "Documents", "Документы";
    Finance = 13, "Finance", "Финансы";
    Users = 16, "Users", "Пользователи";
}

impl Category {
    /// Whether a mask has it.
    pub fn is_in(self, mask: i64) -> bool {
        mask & (1 << self.bit()) != 0
    }
}

/// What a token says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// The token's own id.
    pub id: Option<Uuid>,
    /// The seller (`sid`): equal ones share one budget.
    pub seller_id: Uuid,
    /// Which kind it is (`acc`).
    pub kind: TokenKind,
    /// Bit mask as it stands in the token (`s`).
    pub categories: i64,
    /// Whether writing methods refuse it (bit 30).
    pub read_only: bool,
    /// When it stops working; 180 days after it was made.
    pub expires_at: DateTime<Utc>,
    /// Whether it is for the sandbox.
    pub test: bool,
}

impl TokenFacts {
    /// Whether the token has the category.
    pub fn has(&self, category: Category) -> bool {
        category.is_in(self.categories)
    }

    /// The categories that have a name.
    pub fn named_categories(&self) -> Vec<Category> {
        Category::ALL.iter().copied().filter(|category| self.has(*category)).collect()
    }

    /// Fails on the first reason why production would refuse the token for this work.
    pub fn check(&self, now: DateTime<Utc>, needed: &[Category], writes: bool) -> Result<(), TokenProblem> {
        if self.expires_at <= now {
            return Err(TokenProblem::Expired(self.expires_at));
        }
        if self.test || self.kind == TokenKind::Test {
            return Err(TokenProblem::TestAgainstProduction);
        }
        if let Some(category) = needed.iter().find(|category| !self.has(**category)) {
            return Err(TokenProblem::LacksCategory(*category));
        }
        if writes && self.read_only {
            return Err(TokenProblem::ReadOnly);
        }
        Ok(())
    }

    /// The token with its facts, ready for calls.
    pub fn seller_token(&self, token: SecretString) -> SellerToken {
        SellerToken {
            token,
            kind: self.kind,
            seller_id: self.seller_id,
            categories: self.categories,
            read_only: self.read_only,
        }
    }
}

/// Why a token is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenProblem {
    /// Not a token of theirs at all.
    #[error("this is not a Wildberries token: {0}")]
    Malformed(&'static str),
    /// A kind that did not exist when this was written.
    #[error("tokens of kind {0} are not known")]
    UnknownKind(i64),
    /// Its 180 days are over.
    #[error("the token expired at {}", .0.to_rfc3339())]
    Expired(DateTime<Utc>),
    /// A sandbox token.
    #[error("a test token works in Wildberries' sandbox only")]
    TestAgainstProduction,
    /// A bit is missing.
    #[error("the token lacks the category {}", .0.title())]
    LacksCategory(Category),
    /// It may not write.
    #[error("the token is read-only")]
    ReadOnly,
}

impl TokenProblem {
    /// Under which code clients see it.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Malformed(_) => Refusal::TokenMalformed,
            Self::Expired(_) => Refusal::TokenExpired,
            Self::UnknownKind(_) | Self::TestAgainstProduction => Refusal::TokenWrongKind,
            Self::LacksCategory(_) => Refusal::TokenLacksCategory,
            Self::ReadOnly => Refusal::TokenReadOnly,
        }
    }
}

impl From<TokenProblem> for Error {
    fn from(problem: TokenProblem) -> Self {
        Self::refused(problem.refusal(), problem.to_string())
    }
}

#[derive(Deserialize)]
struct Claims {
    id: Option<Uuid>,
    sid: Uuid,
    exp: i64,
    s: u64,
    acc: i64,
    #[serde(default)]
    t: Option<bool>,
}

/// The token as it is stored and sent: without the spaces and line ends that come along when it is pasted.
pub fn trimmed(token: SecretString) -> SecretString {
    let text = token.expose_secret();
    if text.trim().len() == text.len() { token } else { SecretString::from(text.trim().to_owned()) }
}

/// Reads the token's claims without asking anybody. Spaces around it do not matter.
pub fn decode(token: &SecretString) -> Result<TokenFacts, TokenProblem> {
    let token = token.expose_secret().trim();
    if token.len() > LONGEST {
        return Err(TokenProblem::Malformed("it is too long"));
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenProblem::Malformed("it does not have three parts"));
    };
    if ![header, signature].iter().all(|part| !part.is_empty() && part.bytes().all(is_base64url)) {
        return Err(TokenProblem::Malformed("it has strange characters"));
    }
    let payload = URL_SAFE_NO_PAD
        .decode(payload.trim_end_matches('='))
        .map_err(|_| TokenProblem::Malformed("its middle part is not base64"))?;
    let claims: Claims = serde_json::from_slice(&payload)
        .map_err(|_| TokenProblem::Malformed("its middle part does not name seller, kind, categories and expiry"))?;
    let kind = match claims.acc {
        1 => TokenKind::Base,
        2 => TokenKind::Test,
        3 => TokenKind::Personal,
        4 => TokenKind::Service,
        unknown => return Err(TokenProblem::UnknownKind(unknown)),
    };
    let categories = i64::try_from(claims.s).map_err(|_| TokenProblem::Malformed("its categories are out of range"))?;
    Ok(TokenFacts {
        id: claims.id,
        seller_id: claims.sid,
        kind,
        categories,
        read_only: categories & (1 << READ_ONLY_BIT) != 0,
        // Four digits of a year: what reads our answers must be able to read the time.
        expires_at: DateTime::from_timestamp(claims.exp, 0)
            .filter(|expires_at| expires_at.year() <= 9999)
            .ok_or(TokenProblem::Malformed("its expiry is out of range"))?,
        test: claims.t.unwrap_or(false) || kind == TokenKind::Test,
    })
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SELLER: &str = "0a1b2c3d-0000-4000-8000-000000000001";

    fn with_payload(payload: &str) -> SecretString {
        format!("eyJhbGciOiJFUzI1NiJ9.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(payload)).into()
    }

    fn token(s: u64, acc: i64, exp: i64) -> SecretString {
        with_payload(&format!(
            r#"{{"id":"{SELLER}","sid":"{SELLER}","exp":{exp},"s":{s},"acc":{acc},"for":"self","uid":7}}"#
        ))
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    static_assertions::assert_not_impl_any!(SellerToken: std::fmt::Display, serde::Serialize, serde::de::DeserializeOwned);

    #[test]
    fn a_token_is_never_printed() {
        let token = token(26, 3, 2_000_000_000);
        let facts = decode(&token).expect("a good token");
        let printed = format!("{:?} {:?}", facts.seller_token(token.clone()), token);
        assert!(printed.contains(SELLER) && !printed.contains("eyJ"), "{printed}");
    }

    #[test]
    fn a_personal_token_names_seller_categories_and_expiry() {
        let facts = decode(&token(26, 3, 2_000_000_000)).expect("a good token");
        assert_eq!((facts.kind, facts.read_only, facts.test), (TokenKind::Personal, false, false));
        assert_eq!(facts.seller_id.to_string(), SELLER);
        assert_eq!(facts.named_categories(), [Category::Content, Category::Prices, Category::Marketplace]);
        assert_eq!(facts.expires_at, at(2_000_000_000));
        assert_eq!(facts.check(at(1_999_999_999), &[Category::Content, Category::Marketplace], true), Ok(()));
    }

    #[test]
    fn spaces_and_a_line_end_around_a_pasted_token_do_not_matter() {
        let pasted = format!("  {}\r\n", token(26, 3, 2_000_000_000).expose_secret());
        assert!(decode(&pasted.into()).is_ok());
    }

    #[test]
    fn masks_seen_in_the_wild_are_read_whole() {
        let facts = decode(&token(1_073_823_486, 1, 2_000_000_000)).expect("a good token");
        assert!(facts.read_only);
        assert_eq!(facts.named_categories(), Category::ALL);
    }

    #[test]
    fn each_problem_has_its_refusal() {
        let now = at(1_000);
        let needed = [Category::Marketplace];
        let problem = |token: SecretString| {
            decode(&token).and_then(|facts| facts.check(now, &needed, true)).map_err(|p| p.refusal())
        };
        assert_eq!(problem(token(26, 3, 1_000)), Err(Refusal::TokenExpired));
        assert_eq!(problem(token(26, 2, 2_000)), Err(Refusal::TokenWrongKind));
        assert_eq!(problem(token(26, 9, 2_000)), Err(Refusal::TokenWrongKind));
        assert_eq!(problem(token(10, 3, 2_000)), Err(Refusal::TokenLacksCategory));
        assert_eq!(problem(token(26 + (1 << 30), 3, 2_000)), Err(Refusal::TokenReadOnly));
        assert_eq!(problem("hello".to_owned().into()), Err(Refusal::TokenMalformed));
    }

    #[test]
    fn hostile_tokens_are_malformed_and_nothing_worse() {
        let deep = "[".repeat(4_000);
        let hostile = [
            String::new(),
            "..".to_owned(),
            "a.b.c".to_owned(),
            "a.b.c.d".to_owned(),
            format!("{}.{}.x", "a".repeat(9_000), "b".repeat(9_000)),
            format!("a\r\nX-Evil: 1.{}.c", URL_SAFE_NO_PAD.encode("{}")),
            format!("а.{}.б", URL_SAFE_NO_PAD.encode("{}")),
            with_payload("null").expose_secret().to_owned(),
            with_payload(&deep).expose_secret().to_owned(),
            with_payload("\u{0}{}").expose_secret().to_owned(),
            with_payload(r#"{"sid":"x","exp":1,"s":1,"acc":3}"#).expose_secret().to_owned(),
            with_payload(&format!(r#"{{"sid":"{SELLER}","exp":1e400,"s":1,"acc":3}}"#)).expose_secret().to_owned(),
            with_payload(&format!(r#"{{"sid":"{SELLER}","exp":9223372036854775807,"s":1,"acc":3}}"#))
                .expose_secret()
                .to_owned(),
            with_payload(&format!(r#"{{"sid":"{SELLER}","exp":1,"s":-1,"acc":3}}"#)).expose_secret().to_owned(),
            with_payload(&format!(r#"{{"sid":"{SELLER}","exp":1,"s":18446744073709551615,"acc":3}}"#))
                .expose_secret()
                .to_owned(),
            with_payload(&format!(r#"{{"sid":"{SELLER}","sid":"{SELLER}","exp":1,"s":1,"acc":3}}"#))
                .expose_secret()
                .to_owned(),
        ];
        for token in hostile {
            assert!(matches!(decode(&token.clone().into()), Err(TokenProblem::Malformed(_))), "{token:.60}");
        }
    }
}
