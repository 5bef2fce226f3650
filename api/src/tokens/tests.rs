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
    tokens().sign(Kind::Access, SessionId::new(), UserId::new(), now()).unwrap()
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
        let claims =
            tokens().verify(Kind::Access, &signer.sign(Kind::Access, session_id, user_id, now()).unwrap()).unwrap();
        assert_eq!((claims.sid, claims.sub), (session_id, user_id));
        claims.check_time(Kind::Access, now()).unwrap();
    }
    assert!(tokens().verify(Kind::Access, &forged(&good_header(), |_| ())).is_ok(), "the forger of these tests works");
}

#[test]
fn forged_headers_are_refused() {
    let headers = [
        json!({ "alg": "none", "typ": "at+jwt", "kid": "new" }),
        json!({ "alg": "None", "typ": "at+jwt", "kid": "new" }),
        json!({ "alg": "nOnE", "typ": "at+jwt", "kid": "new" }),
        json!({ "alg": "RS256", "typ": "at+jwt", "kid": "new" }),
        json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "new" }),
        json!({ "alg": "HS512", "typ": "at+jwt", "kid": "new" }),
        json!({ "alg": "HS256", "typ": "JWT", "kid": "new" }),
        json!({ "alg": "HS256", "kid": "new" }),
        json!({ "alg": "HS256", "typ": "at+jwt" }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": "unknown" }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": "old" }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": "new", "crit": ["exp"] }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": ["new"] }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": "new", "b64": false }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": "new", "jwk": { "kty": "oct", "k": "bm4" } }),
    ];
    for header in headers {
        assert!(tokens().verify(Kind::Access, &forged(&header, |_| ())).is_err(), "{header}");
    }
}

#[test]
fn a_header_that_names_where_keys_are_is_refused_and_nobody_looks_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let keys = format!("http://{}/keys", listener.local_addr().unwrap());
    for name in ["jku", "x5u"] {
        let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": "new", name: keys });
        assert!(tokens().verify(Kind::Access, &forged(&header, |_| ())).is_err(), "{header}");
    }
    let nobody = listener.accept().map(|(_, address)| address);
    assert_eq!(nobody.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_header_that_says_a_thing_twice_is_refused() {
    let token = token();
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    let twice = r#"{"alg":"HS256","alg":"none","typ":"at+jwt","kid":"new"}"#;
    assert!(tokens().verify(Kind::Access, &signed(twice, &claims)).is_err());
}

#[test]
fn a_token_of_one_kind_is_none_of_another() {
    for made in Kind::ALL {
        let token = tokens().sign(made, SessionId::new(), UserId::new(), now()).unwrap();
        for wanted in Kind::ALL {
            assert_eq!(tokens().verify(wanted, &token).is_ok(), made == wanted, "{made:?} for {wanted:?}");
        }
        assert!(made.life() <= Duration::minutes(15), "{made:?} lives too long");
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
        assert!(tokens().verify(Kind::Access, &token).is_err(), "{token}");
    }
    let twice = r#"{"iss":"wb-assistant","iss":"wb-assistant"}"#;
    assert!(tokens().verify(Kind::Access, &signed(&good_header().to_string(), twice)).is_err());
}

#[test]
fn every_claim_is_needed_and_none_may_be_bent() {
    for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"] {
        let token = forged(&good_header(), |claims| drop(claims.as_object_mut().unwrap().remove(claim)));
        assert!(tokens().verify(Kind::Access, &token).is_err(), "without {claim}");
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
            tokens().verify(Kind::Access, &forged(&good_header(), |claims| claims[claim] = value.clone())).is_err(),
            "{claim} = {value}"
        );
    }
}

#[test]
fn a_token_lives_ten_minutes() {
    let check = |claim: &'static str, value: i64, at: i64| {
        let token = forged(&good_header(), |claims| claims[claim] = json!(value));
        let now = DateTime::from_timestamp(at, 0).unwrap();
        tokens().verify(Kind::Access, &token).and_then(|claims| claims.check_time(Kind::Access, now))
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
