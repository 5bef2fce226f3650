//! What is put into logs on purpose does not come out of them, and nothing forges a line.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use tracing::{Level, error, info, info_span};
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::{Error, Refusal};

#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Kept {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

fn logged(form: Form, act: impl FnOnce()) -> String {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::registry().with(Lines::new(form, kept.clone()));
    tracing::subscriber::with_default(subscriber, act);
    let bytes = kept.0.lock().expect("nobody panics with it").clone();
    String::from_utf8(bytes).expect("lines are text")
}

/// Checks the form of every line and answers with them.
fn lines(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines()
        .map(|line| {
            assert!(line.len() < LONGEST_LINE, "{} bytes", line.len());
            assert!(!line.chars().any(char::is_control), "{line}");
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(line["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{line}");
            line
        })
        .collect()
}

fn random(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| rand::random()).collect()
}

fn token() -> String {
    let part = |bytes| URL_SAFE_NO_PAD.encode(random(bytes));
    format!("eyJhbGciOiJFUzI1NiJ9.{}.{}", part(180), part(64))
}

#[test]
fn secrets_of_any_dress_are_cut_out() {
    let (token, word, key) = (token(), "Kj7mQz2x9LpW4tRv", STANDARD.encode(random(32)));
    let dressed = [
        format!("Authorization: Bearer {word}"),
        format!("authorization={word} and more {word}"),
        format!("PROXY-AUTHORIZATION: Basic {word}"),
        format!(r#"headers: {{"authorization": "{word}", "accept": "text/html"}}"#),
        format!(r#"{{\"authorization\":\"{word}\"}}"#),
        format!("Cookie: session={word}; theme={word}"),
        format!("set-cookie: session={word}; Path=/"),
        format!("X-Api-Key: {word}"),
        format!("x-api-key = '{word}'"),
        format!("it sent Bearer {word}"),
        format!("GET /orders?search={word}&after={word} HTTP/1.1"),
        format!("https://common-api.wildberries.ru/api/v1/seller-info?token={word}"),
        format!("error for postgres://wb_api:{word}@wb-postgres:5432/wb"),
        format!("redis://default:{word}@wb-redis:6379/0 is away"),
        format!(r#"invalid type: string "{word}", expected i64 at line 1"#),
        format!("unknown variant `{word}`, expected `new`"),
        token.clone(),
        format!("the token «{token}» is not accepted"),
        format!("{}…", &token[..60]),
        token.rsplit_once('.').map(|(start, _)| start.to_owned()).unwrap_or_default(),
        format!("k1:{key}"),
        format!("secret {}", hex::encode([171_u8; 32])),
    ];
    for text in dressed {
        let shown = redacted(&text);
        let payload = token.split('.').nth(1).unwrap_or_default();
        assert!(!shown.contains(word) && !shown.contains(&payload[..30]), "{text}\n{shown}");
        assert!(!shown.contains(&key[..20]) && !shown.contains(&hex::encode([171_u8; 32])), "{shown}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "Listening on 0.0.0.0:3000",
        "sync.pull_new_orders waits 1.5s: Wildberries is unavailable: Wildberries failed with 503",
        "Answered list_orders",
        "0190a1b2-c3d4-7000-8000-000000000001",
        "worker wb-worker-7f9c-4711-0badcafe is gone",
        "the schema is Some(20261125130000), this program needs 20261125130000: run `api migrate`",
        "Заказ 4711 собран: три стикера, ячейка А-01",
        "api/src/printing.rs:120:9",
        "GET https://marketplace-api.wildberries.ru/api/v3/orders/new",
    ] {
        assert_eq!(redacted(text), text);
    }
}

#[test]
fn fields_whose_names_promise_a_secret_have_no_value() {
    let text = logged(Form::Json, || {
        info!(authorization = "short", http.cookie = "a=b", x_api_key = "short", password = ?"short", "Signed in");
    });
    let line = lines(&text).remove(0);
    for name in ["authorization", "http.cookie", "x_api_key", "password"] {
        assert_eq!(line[name], "[redacted]");
    }
    assert_eq!((&line["message"], &line["level"]), (&Value::from("Signed in"), &Value::from("INFO")));
}

#[test]
fn nothing_forges_a_line_or_steers_a_terminal() {
    let forged = "x\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}\n\u{1b}[2J\u{85}\u{2028}\u{202e}\0";
    let act = || {
        let span = info_span!("request", http.path = forged, enterprise.id = tracing::field::Empty);
        span.record("enterprise.id", forged);
        let _inside = span.enter();
        info!(a = forged, b = ?forged, c = %forged, d = forged, level = forged, e = forged, f = forged, "{forged}");
        error!(error = &Error::Inconsistent(forged.to_owned()) as &dyn std::error::Error, "{forged}");
    };
    let told = lines(&logged(Form::Json, act));
    assert_eq!(told.len(), 2);
    assert_eq!(told.iter().map(|line| line["level"].as_str()).collect::<Vec<_>>(), [Some("INFO"), Some("ERROR")]);
    assert!(told[0]["spans"][0]["http.path"].as_str().is_some_and(|path| path.starts_with("x\\r\\n")));
    let text = logged(Form::Text, act);
    assert_eq!(text.lines().count(), 2);
    assert!(!text.trim_end().chars().any(|letter| letter.is_control() && letter != '\n'), "{text:?}");
}

#[test]
fn no_line_is_longer_than_8_kib() {
    let long = "я \u{1}".repeat(20_000);
    let act = || {
        let span = info_span!("one", a = long, b = long);
        let _inside = span.enter();
        info!(a = long, b = long, c = long, d = long, "{long}");
    };
    let line = lines(&logged(Form::Json, act)).remove(0);
    assert!(line["message"].as_str().is_some_and(|message| message.len() > 200 && message.ends_with('…')));
    assert!(logged(Form::Text, act).len() <= LONGEST_LINE);
}

#[test]
fn words_of_wildberries_and_of_refusals_stay_out() {
    let theirs = || "buyer Иванов, +7 900 000-00-00".to_owned();
    let errors: [Error; 5] = [
        Error::refused(Refusal::WildberriesRefused, theirs()),
        CallError::Unauthorized { detail: theirs() }.into(),
        CallError::Refused { status: 400, code: "x".to_owned(), detail: theirs(), data: None }.into(),
        Error::unavailable("Wildberries", CallError::NotFound { code: String::new(), detail: theirs() }),
        Error::unavailable("Wildberries", CallError::Forbidden { code: String::new(), detail: theirs() }),
    ];
    for error in &errors {
        let told = chain(error);
        assert!(!told.contains("Иванов") && !told.is_empty(), "{told}");
    }
    assert!(chain(&errors[0]).contains("wildberries_refused") && chain(&errors[4]).contains("forbidden"));
    let server = Error::from(CallError::Server { status: 502 });
    assert_eq!(chain(&server), "Wildberries is unavailable: Wildberries failed with 502");
}

#[test]
fn a_panic_is_one_line_without_its_secrets() {
    let token = token();
    let text = logged(Form::Json, || {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(log_panic));
        let panicked = std::panic::catch_unwind(|| panic!("no such token:\n{token}"));
        std::panic::set_hook(before);
        assert!(panicked.is_err());
    });
    let line = lines(&text).remove(0);
    assert_eq!(line["message"], "Panicked: no such token:\\n[token]");
    assert!(line["panic.place"].as_str().is_some_and(|place| place.contains("tests.rs")));
}

/// Thousands of events put together by chance out of secrets, their dresses and what breaks lines.
#[test]
fn whatever_is_logged_no_secret_comes_out() {
    const EVENTS: usize = 2_000;
    const NOISE: [&str; 12] =
        ["\n", "\r\n", "\t", "\0", "\"", "\\", "}", "\u{1b}[31m", "\u{2028}", "заказ", " ", "{\"level\":\"ERROR\"}"];
    let secrets: Vec<String> = (0..8).map(|_| token()).collect();
    let needles: Vec<&str> =
        secrets.iter().flat_map(|token| token.split('.').skip(1)).map(|part| &part[..24]).collect();
    let noise = || (0..rand::random_range(0..4)).map(|_| NOISE[rand::random_range(0..NOISE.len())]).collect::<String>();
    let text = || {
        let secret = &secrets[rand::random_range(0..secrets.len())];
        let dressed = match rand::random_range(0..7) {
            0 => format!("Authorization: {secret}"),
            1 => format!("\"cookie\": \"a={secret}\""),
            2 => format!("https://wb.example/x?{secret}={secret}"),
            3 => format!("X-API-Key={secret}"),
            4 => format!("Bearer {secret}"),
            5 => format!("{secret}{secret}"),
            _ => secret.clone(),
        };
        format!("{}{dressed}{}", noise(), noise())
    };
    let told = logged(Form::Json, || {
        for _ in 0..EVENTS {
            let span = info_span!("job", job.kind = text(), note = tracing::field::Empty);
            span.record("note", tracing::field::debug(text()));
            let _inside = span.enter();
            tracing::event!(Level::INFO, a = text(), b = ?text(), c = %text(), token = text(), "{}", text());
        }
    });
    assert_eq!(lines(&told).len(), EVENTS);
    for needle in needles {
        assert!(!told.contains(needle), "{needle}");
    }
}
