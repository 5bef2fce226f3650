//! The API in-process, without a database: what is refused before anybody is asked.

use poem::http::{Method, StatusCode};
use poem::test::{TestClient, TestResponse};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::config::Program;
use shared::db::DbOptions;
use shared::wildberries::Budget;

use super::*;

const JWT_SECRET: &str = "Yp3vRk8sLq2WnZ7cTf5XbGdHj9MaEu4i";
const HEALTH_TOKEN: &str = "f3a91c07d5e84b26a0c9317e5d48b62f";

fn state(docs: &'static str) -> State {
    state_with(&[("API_DOCS", docs)])
}

/// Nothing around it answers. Nobody is held up by rates unless `RATE_LIMITS` is among the variables.
pub(crate) fn state_with(variables: &[(&str, &str)]) -> State {
    let set = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let keyring = std::env::temp_dir().join(format!("wb-api-test-{}.kek", shared::ids::JobId::new()));
    std::fs::write(&keyring, "k1:bWVsbG93LXJpdmVyLWp1bXBzLTkxLWZveC1hdC1ub28=").unwrap();
    let config = Config::read(Program::Api, |name| match name {
        _ if set(name).is_some() => set(name),
        "RATE_LIMITS" => Some("address=100000,signin=100000,health=100000".to_owned()),
        "DATABASE_URL" => Some("postgres://nobody:Vt6qLw9zXc3mRk8s@127.0.0.1:9/nothing".to_owned()),
        "REDIS_URL" => Some("redis://default:Hd5nBf2yJg7pQa4u@127.0.0.1:9".to_owned()),
        "JWT_KEYS" => Some(format!("k1:{JWT_SECRET}")),
        "WB_KEK_FILE" => Some(keyring.to_string_lossy().into_owned()),
        "HEALTH_TOKEN" => Some(HEALTH_TOKEN.to_owned()),
        _ => None,
    })
    .unwrap();
    std::fs::remove_file(&keyring).unwrap();
    let options = DbOptions {
        max_connections: 1,
        statement_timeout: std::time::Duration::from_secs(1),
        application_name: "test",
    };
    let wildberries = Client::new(config.hosts.clone(), Budget::local(1.0)).unwrap();
    State::new(Db::open(&config.database_url, &options).unwrap(), config, wildberries)
}

fn client() -> TestClient<impl Endpoint<Output = Response>> {
    TestClient::new(app(state("on")))
}

async fn problem(response: TestResponse, status: StatusCode, code: &str) -> Value {
    response.assert_status(status);
    response.assert_content_type("application/problem+json; charset=utf-8");
    response.assert_header("cache-control", "no-store");
    response.assert_header("x-content-type-options", "nosniff");
    let request_id = response.0.header("x-request-id").unwrap().to_owned();
    let body: Value = serde_json::from_str(&response.0.into_body().into_string().await.unwrap()).unwrap();
    assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some(code), Some(status.as_u16().into())), "{body}");
    assert_eq!(body["requestId"], request_id.as_str());
    assert!(!body.to_string().contains("param0"), "{body}");
    body
}

#[tokio::test]
async fn what_poem_refuses_is_a_problem_too() {
    let client = client();
    let login = || client.post("/auth/login");

    problem(client.get("/nothing").send().await, StatusCode::NOT_FOUND, "not_found").await;
    problem(login().content_type("application/json").body("{").send().await, StatusCode::BAD_REQUEST, "malformed")
        .await;
    problem(
        login().content_type("text/plain").body("{}").send().await,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
    )
    .await;
    problem(login().body("{}").send().await, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type").await;
    problem(login().body_json(&json!({ "email": "a@b.ru" })).send().await, StatusCode::UNPROCESSABLE_ENTITY, "invalid")
        .await;
    let body = json!({ "email": "a@b.ru", "password": "p", "role": "administrator" });
    let body = problem(login().body_json(&body).send().await, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(body["field"], "role");
}

#[tokio::test]
async fn a_path_names_the_methods_that_it_knows() {
    let response = client().delete("/auth/login").send().await;
    response.assert_header("allow", "OPTIONS, POST");
    let body = problem(response, StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed").await;
    assert_eq!(body["allowed"], json!(["OPTIONS", "POST"]));
}

#[tokio::test]
async fn nobody_gets_in_without_a_good_token_and_bodies_are_not_looked_at_before() {
    let client = client();
    let response = client.post("/users").content_type("application/json").body("{").send().await;
    response.assert_header("www-authenticate", "Bearer");
    problem(response, StatusCode::UNAUTHORIZED, "unauthenticated").await;
    let response = client.get("/jobs/not-an-id").header("authorization", "Bearer a.b.c").send().await;
    problem(response, StatusCode::UNAUTHORIZED, "unauthenticated").await;
}

#[tokio::test]
async fn only_home_health_and_signing_in_are_open() {
    let document: Value = serde_json::from_str(&openapi()).unwrap();
    let mut open = Vec::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().expect("every operation has an id");
            assert!(operation["summary"].is_string(), "{id} has no summary");
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{id} has not exactly one tag");
            if operation["security"].as_array().expect("security is stated").is_empty() {
                open.push(id);
            }
            let responses = operation["responses"].as_object().expect("every operation has responses");
            assert!(
                ["429", "500", "503"].iter().all(|status| responses.contains_key(*status)),
                "{id} hides its problems"
            );
            assert!(responses.keys().all(|status| status.parse::<u16>().is_ok()), "{id} names no single statuses");
        }
    }
    open.sort_unstable();
    assert_eq!(
        open,
        [
            "accept_invitation",
            "change_email",
            "health",
            "health_db",
            "health_ready",
            "health_redis",
            "health_resources",
            "home",
            "login",
            "login_second_factor",
            "refresh",
            "request_password_reset",
            "reset_password"
        ]
    );
}

#[tokio::test]
async fn large_and_packed_bodies_are_not_read() {
    let client = client();
    let login = || client.post("/auth/login").content_type("application/json");
    let large = format!(r#"{{"email":"{}"}}"#, "x".repeat(2 * 1024 * 1024));
    problem(login().body(large.clone()).send().await, StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large").await;
    let announced = login().header("content-length", "2000000").body("{}").send().await;
    problem(announced, StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large").await;
    let packed = login().header("content-encoding", "gzip").body("{}").send().await;
    problem(packed, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type").await;
    problem(client.get(format!("/{}", "x".repeat(9000))).send().await, StatusCode::URI_TOO_LONG, "uri_too_long").await;
}

#[tokio::test]
async fn a_missing_database_is_told_as_such_and_does_not_touch_liveness() {
    let client = client();
    let body = json!({ "email": "a@b.ru", "password": "whatever it is" });
    let response = client.post("/auth/login").body_json(&body).send().await;
    response.assert_header("retry-after", "1");
    problem(response, StatusCode::SERVICE_UNAVAILABLE, "database_unavailable").await;
    client.get("/health").send().await.assert_json(json!({ "status": "ok" })).await;
    let ready = client.get("/health/ready").send().await;
    ready.assert_status(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.json().await.value().object().get("status").string(), "not_ready");
    let redis = client.get("/health/redis").send().await;
    redis.assert_status(StatusCode::SERVICE_UNAVAILABLE);
    redis.assert_json(json!({ "status": "down", "code": "unreachable" })).await;
}

#[tokio::test]
async fn numbers_are_for_those_who_have_the_health_token() {
    let client = client();
    let told =
        client.get("/health").header("authorization", format!("Bearer {HEALTH_TOKEN}")).send().await.json().await;
    assert_eq!(told.value().object().get("version").string(), VERSION);
    let wrong = client.get("/health").header("authorization", format!("Bearer {HEALTH_TOKEN}a")).send().await;
    wrong.assert_status_is_ok();
    wrong.assert_json(json!({ "status": "ok" })).await;
}

#[tokio::test]
async fn stopping_is_said_before_it_is_done() {
    let state = state("on");
    let (health, client) = (state.health.clone(), TestClient::new(app(state)));
    health.stop();
    let ready = client.get("/health/ready").send().await;
    ready.assert_status(StatusCode::SERVICE_UNAVAILABLE);
    ready.assert_json(json!({ "status": "stopping" })).await;
    client.get("/health").send().await.assert_status_is_ok();
}

#[tokio::test]
async fn the_page_admits_its_own_scripts_and_can_be_switched_off() {
    let page = client().get("/docs").send().await;
    page.assert_status_is_ok();
    let policy = page.0.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'sha256-") && !policy.contains("script-src 'unsafe-inline'"), "{policy}");
    let text = page.0.into_body().into_string().await.unwrap();
    assert!(text.contains("\"operationId\": \"list_users\"") && text.contains("\"security\": []"));

    let off = TestClient::new(app(state("off")));
    for path in ["/docs", "/openapi.json"] {
        problem(off.get(path).send().await, StatusCode::NOT_FOUND, "not_found").await;
    }
    let home = off.get("/").send().await;
    home.assert_json(json!({ "name": NAME, "version": VERSION, "health": "/health" })).await;
}

#[tokio::test]
async fn answers_are_packed_where_that_is_wanted_and_head_is_get() {
    let client = client();
    let packed = client.get("/openapi.json").header("accept-encoding", "gzip").send().await;
    packed.assert_header("content-encoding", "gzip");
    let head = client.request(Method::HEAD, "/").send().await;
    head.assert_status_is_ok();
    head.assert_text("").await;
    problem(client.request(Method::TRACE, "/").send().await, StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
        .await;
}

#[tokio::test]
async fn keys_are_never_printed() {
    let printed = format!("{:?}", state("on"));
    assert!(!printed.contains(JWT_SECRET));
    assert!(!format!("{:?}", SecretString::from("secret")).contains("secret"));
}
