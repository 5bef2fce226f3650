//! Forged, stretched and cut tokens.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;

fn key(id: &str, letter: char) -> JwtKey {
    JwtKey { id: id.to_owned(), secret: SecretString::from(letter.to_string().repeat(32)) }
}

fn tokens() -> Tokens {
    Tokens::new(&[key("new", 'n'), key("old", 'o')])
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn token() -> String {
    tokens().sign(SessionId::new(), UserId::new(), now()).unwrap()
}

/// The good token with another header and other claims, signed with the right key.
fn forged(header: &Value, change: impl Fn(&mut Value)) -> String {
    let token = token();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let mut claims: Value = serde_json::from_slice(&claims).unwrap();
    change(&mut claims);
    signed(&header.to_string(), &claims.to_string())
}

fn signed(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret("n".repeat(32).as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn good_header() -> Value {
    json!({ "alg": "HS256", "typ": "at+jwt", "kid": "new" })
}

#[test]
fn a_token_of_ours_is_recognised_whichever_key_signed_it() {
    let (session_id, user_id) = (SessionId::new(), UserId::new());
    for signer in [tokens(), Tokens::new(&[key("old", 'o')])] {
        let claims = tokens().verify(&signer.sign(session_id, user_id, now()).unwrap()).unwrap();
        assert_eq!((claims.sid, claims.sub), (session_id, user_id));
        claims.check_time(now()).unwrap();
    }
    assert!(tokens().verify(&forged(&good_header(), |_| ())).is_ok(), "the forger of these tests works");
}

#[test]
fn forged_headers_are_refused() {
    let headers = [
        json!({ "alg": "none", "typ": "at+jwt", "kid": "new" }),
        json!({ "alg": "None", "typ": "at+jwt", "kid": "new" }),
        json!({ "alg": "nOnE", "typ": "at+jwt", "kid": "new" }),
        json!({ "alg": "RS256", "typ": "at+jwt", "kid": "new" }),
        json!({ "alg": "HS512", "typ": "at+jwt", "kid": "new" }),
        json!({ "alg": "HS256", "typ": "JWT", "kid": "new" }),
        json!({ "alg": "HS256", "kid": "new" }),
        json!({ "alg": "HS256", "typ": "at+jwt" }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": "unknown" }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": "old" }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": "new", "crit": ["exp"] }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": "new", "jku": "http://127.0.0.1/keys" }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": "new", "jwk": { "kty": "oct", "k": "bm4" } }),
    ];
    for header in headers {
        assert!(tokens().verify(&forged(&header, |_| ())).is_err(), "{header}");
    }
}

#[test]
fn cut_and_doubled_tokens_are_refused() {
    let token = token();
    let parts: Vec<_> = token.split('.').collect();
    let cut = [
        String::new(),
        "..".to_owned(),
        parts[0].to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{token}.{}", parts[2]),
        token[..token.len() - 2].to_owned(),
        format!("{}.{}.{}", parts[0], parts[2], parts[1]),
    ];
    for token in cut {
        assert!(tokens().verify(&token).is_err(), "{token}");
    }
    let twice = r#"{"iss":"wb-assistant","iss":"wb-assistant"}"#;
    assert!(tokens().verify(&signed(&good_header().to_string(), twice)).is_err());
}

#[test]
fn every_claim_is_needed_and_none_may_be_bent() {
    for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"] {
        let token = forged(&good_header(), |claims| drop(claims.as_object_mut().unwrap().remove(claim)));
        assert!(tokens().verify(&token).is_err(), "without {claim}");
    }
    let bent = [
        ("aud", json!("else")),
        ("aud", json!(["wb-assistant-api"])),
        ("iss", json!("else")),
        ("exp", json!("1800000600")),
        ("exp", json!(1.8e9 + 0.5)),
    ];
    for (claim, value) in bent {
        assert!(
            tokens().verify(&forged(&good_header(), |claims| claims[claim] = value.clone())).is_err(),
            "{claim} = {value}"
        );
    }
}

#[test]
fn a_token_lives_ten_minutes() {
    let check = |claim: &'static str, value: i64, at: i64| {
        let token = forged(&good_header(), |claims| claims[claim] = json!(value));
        let now = DateTime::from_timestamp(at, 0).unwrap();
        tokens().verify(&token).and_then(|claims| claims.check_time(now))
    };
    let start = now().timestamp();
    check("exp", start + 600, start + 600).unwrap();
    assert!(check("exp", start + 600, start + 611).is_err(), "expired");
    assert!(check("exp", start + 601, start).is_err(), "longer than ten minutes");
    assert!(check("exp", 1 << 53, start).is_err(), "for ever");
    assert!(check("exp", -1, start).is_err(), "before time began");
    assert!(check("iat", i64::MIN, start).is_err(), "older than all time");
    assert!(check("nbf", start + 60, start).is_err(), "not yet");
    assert!(check("iat", start + 60, start).is_err(), "from the future");
}
