//! The front door in-process: what it refuses, what it tells pages, and what every answer carries.

use poem::http::StatusCode;
use poem::test::{TestClient, TestRequestBuilder, TestResponse};
use serde_json::{Value, json};

use super::*;
use crate::tests::state_with;

fn client(variables: &[(&str, &str)]) -> TestClient<impl Endpoint<Output = Response>> {
    TestClient::new(crate::app(state_with(variables)))
}

/// The edge around one endpoint.
fn alone(endpoint: impl Endpoint + 'static) -> TestClient<impl Endpoint<Output = Response>> {
    let rates = Rates::connect(&shared::config::RateLimits::default(), &"redis://127.0.0.1:9".to_owned().into());
    TestClient::new(around(endpoint, Edge { routes: Routes::default(), door: Door::default(), rates }))
}

async fn code(request: TestRequestBuilder<'_, impl Endpoint>) -> (u16, String) {
    let (status, body) = told(request.send().await).await;
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

async fn told(response: TestResponse) -> (u16, Value) {
    let status = response.0.status().as_u16();
    let text = response.0.into_body().into_string().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Every operation of the document: method, path with harmless parts.
fn operations() -> Vec<(Method, String)> {
    let document: Value = serde_json::from_str(&crate::openapi()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path: Vec<_> = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
        for method in item.as_object().unwrap().keys() {
            all.push((method.to_uppercase().parse().unwrap(), path.join("/")));
        }
    }
    all
}

fn assert_dressed(what: &str, response: &Response) {
    let header = |name: &str| response.header(name).unwrap_or_else(|| panic!("{what}: no {name}")).to_owned();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-resource-policy", "same-site"),
        ("cross-origin-opener-policy", "same-origin"),
        ("origin-agent-cluster", "?1"),
        ("x-dns-prefetch-control", "off"),
        ("x-download-options", "noopen"),
        ("x-permitted-cross-domain-policies", "none"),
        ("x-xss-protection", "0"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(header(name), value, "{what}");
    }
    assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{what}");
    assert!(header("permissions-policy").contains("camera=()"), "{what}");
    assert!(header("vary").contains("Origin"), "{what}");
    assert_eq!(header("x-request-id").len(), 32, "{what}");
    for name in ["server", "x-powered-by", "strict-transport-security", "access-control-allow-origin"] {
        assert!(response.header(name).is_none(), "{what}: {name}");
    }
    if let Some(kind) = response.content_type() {
        assert!(kind.ends_with("charset=utf-8"), "{what}: {kind}");
    }
}

#[tokio::test]
async fn every_operation_answers_with_all_headers() {
    let client = client(&[]);
    let operations = operations();
    assert!(operations.len() > 50, "{} operations", operations.len());
    for (method, path) in operations {
        for asked in [method.clone(), Method::OPTIONS, Method::TRACE] {
            let response = client.request(asked.clone(), path.clone()).send().await;
            assert_dressed(&format!("{asked} {path}"), &response.0);
        }
    }
    for path in ["/docs", "/openapi.json"] {
        assert_dressed(path, &client.get(path).send().await.0);
    }
}

#[tokio::test]
async fn every_kind_of_refusal_is_a_problem_with_all_headers_and_says_nothing_of_the_inside() {
    let client = client(&[("RATE_LIMITS", "address=4000,signin=400,health=1")]);
    let login = || client.post("/auth/login").content_type("application/json");
    let long = "x".repeat(9000);
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    let panics = alone(poem::endpoint::make_sync(|_| -> Response { panic!("SELECT secret FROM /etc/shadow") }));
    let fails = alone(poem::endpoint::make(|_| async {
        let error = shared::Error::Inconsistent("SELECT 1 FROM sqlx at src/orders.rs".to_owned());
        Err::<Response, _>(poem::Error::from(crate::problem::ApiError::from(error)))
    }));
    // A bucket of one token: the second question is too many.
    client.get("/health").send().await.assert_status_is_ok();
    let refusals = [
        (client.get("/nothing").send().await, 404, "not_found"),
        (client.delete("/auth/login").send().await, 405, "method_not_allowed"),
        (client.get("/users").send().await, 401, "unauthenticated"),
        (client.get("/users/me").header("authorization", "Bearer a.b.c").send().await, 401, "unauthenticated"),
        (login().body("{").send().await, 400, "malformed"),
        (login().body(deep).send().await, 400, "malformed"),
        (login().body(json!({ "email": 5 }).to_string()).send().await, 422, "invalid"),
        (login().body(" ".repeat(300 * 1024)).send().await, 413, "payload_too_large"),
        (client.get(format!("/{long}")).send().await, 414, "uri_too_long"),
        (
            client.get("/").header("x-1", long.clone()).header("x-2", long.clone()).send().await,
            431,
            "headers_too_large",
        ),
        (login().header("content-encoding", "gzip").body("{}").send().await, 415, "unsupported_media_type"),
        (client.post("/auth/login").content_type("text/plain").body("{}").send().await, 415, "unsupported_media_type"),
        (
            client.post("/auth/login").content_type("application/json; charset=koi8-r").body("{}").send().await,
            415,
            "unsupported_media_type",
        ),
        (client.get("/health").send().await, 429, "too_many_requests"),
        (
            login().body(json!({ "email": "a@b.ru", "password": "p" }).to_string()).send().await,
            503,
            "database_unavailable",
        ),
        (panics.get("/").send().await, 500, "internal"),
        (fails.get("/").send().await, 500, "internal"),
    ];
    for (response, status, code) in refusals {
        assert_dressed(code, &response.0);
        assert_eq!(response.0.header("retry-after").is_some(), matches!(status, 429 | 503), "{code}");
        let (told_status, body) = told(response).await;
        assert_eq!((told_status, body["code"].as_str()), (status, Some(code)), "{body}");
        let text = body.to_string();
        for inside in
            ["sqlx", "SELECT", "select ", "/etc", ".rs", "src/", "postgres", "panicked", "127.0.0.1", "serde", "poem"]
        {
            assert!(!text.contains(inside), "{inside} in {text}");
        }
    }
}

#[tokio::test]
async fn what_does_not_end_is_given_up() {
    let never = poem::endpoint::make(|_| std::future::pending::<poem::Result<Response>>());
    let given_up = call(&never, Request::default(), Duration::from_millis(5)).await.unwrap_err();
    let response = problem::render(&given_up, &Place::default());
    assert_eq!((response.status(), response.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, Some("5")));
    let body: Value = serde_json::from_str(&response.into_body().into_string().await.unwrap()).unwrap();
    assert_eq!(body["code"], "timed_out");
}

#[tokio::test]
async fn the_tables_name_operations_that_there_are() {
    let document = crate::openapi();
    for operation in named() {
        assert!(document.contains(&format!("\"operationId\": \"{operation}\"")), "{operation}");
    }
}

#[tokio::test]
async fn some_operations_may_be_sent_more() {
    let client = client(&[]);
    let body = " ".repeat(300 * 1024);
    let send = |path: &'static str| client.post(path).content_type("application/json").body(body.clone());
    assert_eq!(code(send("/auth/login")).await, (413, "payload_too_large".to_owned()));
    assert_eq!(code(send("/inventory/receipts")).await, (401, "unauthenticated".to_owned()));
    let file = |bytes: usize| client.post("/product-imports").header("content-length", bytes.to_string());
    assert_eq!(code(file(10 << 20)).await, (401, "unauthenticated".to_owned()));
    assert_eq!(code(file((10 << 20) + 1)).await, (413, "payload_too_large".to_owned()));
    let chunks = futures::stream::iter((0..10).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024])));
    let chunked =
        client.post("/auth/login").content_type("application/json").body(poem::Body::from_bytes_stream(chunks));
    assert_eq!(code(chunked).await, (413, "payload_too_large".to_owned()), "counted while it is read");
}

const PAGE: &str = "https://app.example.org";

#[tokio::test]
async fn only_the_pages_of_named_sites_may_call() {
    let client = client(&[("CORS_ORIGINS", "https://app.example.org,https://b.example.org:8443")]);
    for (origin, admitted) in [
        (PAGE, true),
        ("https://b.example.org:8443", true),
        ("https://b.example.org", false),
        ("http://app.example.org", false),
        ("https://app.example.org.evil.example", false),
        ("https://evil.example", false),
        ("https://APP.example.org", false),
        ("null", false),
        ("*", false),
    ] {
        for (path, status) in [("/", 200), ("/users", 401), ("/nothing", 404)] {
            let response = client.get(path).header("origin", origin).send().await.0;
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.header("access-control-allow-origin"), admitted.then_some(origin), "{origin} {path}");
            assert!(response.header("access-control-allow-credentials").is_none());
            assert!(response.header("vary").unwrap().contains("Origin"));
            let exposed = response.header("access-control-expose-headers").unwrap_or_default();
            for name in ["ETag", "RateLimit", "Retry-After", "X-Request-Id"] {
                assert_eq!(exposed.contains(name), admitted, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_preflight_needs_nobody_signed_in_and_helps_strangers_nothing() {
    let client = client(&[("CORS_ORIGINS", PAGE)]);
    let ask = |origin: &'static str, path: &'static str| {
        let asked = client.request(Method::OPTIONS, path).header("origin", origin);
        asked
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "if-match")
            .send()
    };
    let response = ask(PAGE, "/users").await.0;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(response.header("access-control-allow-methods"), Some("GET, HEAD, OPTIONS, POST"));
    let headers = response.header("access-control-allow-headers").unwrap();
    for name in ["Authorization", "Content-Type", "Idempotency-Key", "If-Match"] {
        assert!(headers.contains(name), "{name}");
    }
    let stranger = ask("https://evil.example", "/users").await.0;
    assert!(!stranger.headers().keys().any(|name| name.as_str().starts_with("access-control")), "{stranger:?}");
    assert_eq!(ask(PAGE, "/nothing").await.0.status(), StatusCode::NOT_FOUND);
    let plain = client.request(Method::OPTIONS, "/users").send().await.0;
    assert_eq!((plain.status(), plain.header("allow")), (StatusCode::NO_CONTENT, Some("GET, HEAD, OPTIONS, POST")));
}

#[tokio::test]
async fn nobody_may_call_from_a_page_unless_somebody_says_so() {
    let response = client(&[]).get("/").header("origin", PAGE).send().await.0;
    assert!(response.header("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn without_redis_a_quarter_is_granted_and_told() {
    let client = client(&[("RATE_LIMITS", "address=40")]);
    let first = client.get("/").send().await.0;
    assert_eq!(first.header("ratelimit-policy"), Some("\"address\";q=40;w=60"));
    assert_eq!(first.header("ratelimit-limit"), Some("40"));
    let mut granted = 1;
    let refused = loop {
        let response = client.get("/").send().await.0;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            break response;
        }
        granted += 1;
    };
    assert!((10..=12).contains(&granted), "{granted}");
    assert_eq!(refused.header("ratelimit-remaining"), Some("0"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    // Bad tokens are guesses of an address like anything else that nobody knows.
    let guess = client.get("/users/me").header("authorization", "Bearer a.b.c").send().await.0;
    assert_eq!(guess.status(), StatusCode::TOO_MANY_REQUESTS);
    client.get("/health").send().await.assert_status_is_ok();
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let client = client(&[]);
    for path in ["/", "/health", "/openapi.json"] {
        let (get, head) = (client.get(path).send().await.0, client.request(Method::HEAD, path).send().await.0);
        assert_eq!((get.status(), get.content_type()), (head.status(), head.content_type()), "{path}");
        assert!(head.into_body().into_string().await.unwrap().is_empty(), "{path}");
    }
}
