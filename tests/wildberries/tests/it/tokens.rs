//! Who is let in, and what the others are told.

use chrono::Duration;
use serde_json::json;
use wildberries::{Category, TokenKind, TokenSpec};

use crate::stage::Stage;

#[tokio::test]
async fn a_token_is_taken_raw_and_as_a_bearer() {
    let stage = Stage::new().await;
    let bearer = stage.client.with_token(format!("Bearer {}", stage.client.token));
    for client in [&stage.client, &bearer] {
        let answer = client.get("/api/v1/seller-info").await;
        assert_eq!((answer.status, &answer.body["sid"]), (200, &json!(stage.shop.sid())));
    }
}

#[tokio::test]
async fn every_unfit_token_is_refused_by_the_gateway() {
    let stage = Stage::new().await;
    let now = stage.simulator.clock().now();
    let of = |spec: TokenSpec| stage.shop.token_with(&spec);
    let mut forged = stage.client.token.clone();
    forged.replace_range(forged.len() - 4.., "AAAA");
    let withdrawn = of(TokenSpec::default());
    assert!(stage.simulator.withdraw(&withdrawn));
    let cases = [
        (String::new(), "empty Authorization header"),
        ("nonsense".into(), "token problem; token is malformed"),
        (forged, "token problem; token is malformed"),
        (
            of(TokenSpec { expires_at: Some(now - Duration::hours(1)), ..TokenSpec::default() }),
            "token problem; token expired or withdrawn",
        ),
        (withdrawn, "token problem; token expired or withdrawn"),
        (of(TokenSpec { kind: TokenKind::Test, ..TokenSpec::default() }), "token scope not allowed"),
        (of(TokenSpec { categories: Category::Content.mask(), ..TokenSpec::default() }), "token scope not allowed"),
    ];
    for (token, detail) in cases {
        let answer = stage.client.with_token(token).get("/api/v3/orders/new").await;
        assert_eq!(answer.status, 401);
        assert!(answer.body["detail"].as_str().unwrap().starts_with(detail), "{} is not {detail}", answer.body);
        assert_eq!(answer.body["origin"], "s2s-api-auth-catalog");
    }
}

#[tokio::test]
async fn a_token_that_only_reads_may_ask_for_stickers_but_not_open_a_supply() {
    let stage = Stage::new().await;
    let token = stage.shop.token_with(&TokenSpec { read_only: true, ..TokenSpec::default() });
    let client = stage.client.with_token(token);
    assert_eq!(client.post("/api/v3/orders/status", json!({ "orders": [1] })).await.status, 200);
    assert_eq!(client.post("/api/v3/supplies", json!({ "name": "x" })).await.status, 401);
}

#[tokio::test]
async fn a_token_of_a_forgotten_seller_is_worth_nothing() {
    let stage = Stage::new().await;
    assert_eq!(stage.client.post("/_control/reset", json!({})).await.status, 200);
    assert_eq!(stage.client.get("/api/v1/seller-info").await.status, 401);
}

#[tokio::test]
async fn the_ping_of_a_host_asks_for_its_category() {
    let stage = Stage::new().await;
    let content = stage.client.with_token(stage.shop.token(TokenKind::Personal, Category::Content.mask()));
    assert_eq!(content.get("/ping").await.status, 200);
    assert_eq!(content.get("/content/ping").await.status, 200);
    assert_eq!(content.get("/marketplace/ping").await.status, 401);
}
