//! A token goes in, is checked, and never comes out again; a bad one leaves nothing behind.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{Duration, Utc};
use it::TestApp;
use serde_json::{Value, json};
use wildberries::{ALL_CATEGORIES, Category, Fault, FaultKind, TokenKind, TokenSpec};

#[tokio::test]
async fn every_bad_token_is_refused_by_its_own_code_and_nothing_is_stored() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let seller = app.simulator.shop(wildberries::Shop { cards: 1, warehouses: 1, marked: 0, ..Default::default() });
    let spec = TokenSpec::default();
    let withdrawn = seller.token(TokenKind::Personal, ALL_CATEGORIES);
    app.simulator.withdraw(&withdrawn);
    let bad = [
        ("not a token".to_owned(), "token_malformed"),
        (
            seller.token_with(&TokenSpec { expires_at: Some(Utc::now() - Duration::days(1)), ..spec.clone() }),
            "token_expired",
        ),
        (seller.token(TokenKind::Test, ALL_CATEGORIES), "token_wrong_kind"),
        (seller.token(TokenKind::Base, ALL_CATEGORIES), "token_wrong_kind"),
        (seller.token(TokenKind::Personal, 1 << Category::Content as u32), "token_lacks_category"),
        (seller.token_with(&TokenSpec { read_only: true, ..spec }), "token_read_only"),
        (withdrawn, "token_rejected"),
    ];
    for (token, code) in bad {
        let words = client.refused("/wildberries/accounts", json!({ "name": "Кабинет", "token": token }), code).await?;
        assert!(!words.is_empty() && !words.contains(&token));
    }
    assert_eq!(app.count("SELECT count(*) FROM wildberries_accounts").await?, 0);
    assert_eq!(app.count("SELECT count(*) FROM schedules WHERE enterprise_id IS NOT NULL").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_stored_token_is_sealed_and_a_second_one_of_the_seller_is_refused() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let token = shop.seller.token(TokenKind::Personal, ALL_CATEGORIES);
    shop.client
        .refused("/wildberries/accounts", json!({ "name": "Ещё", "token": token }), "account_already_stored")
        .await?;
    let plain =
        app.count("SELECT count(*) FROM wildberries_accounts WHERE position('eyJ'::bytea IN token_sealed) > 0").await?;
    assert_eq!(plain, 0);
    assert!(!shop.client.get("/wildberries/accounts").await?.to_string().contains("eyJ"));
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_withdrawn_later_blocks_its_account() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let seller = app.simulator.shop(wildberries::Shop { cards: 1, warehouses: 1, marked: 0, ..Default::default() });
    let token = seller.token(TokenKind::Personal, ALL_CATEGORIES);
    let account = client.post("/wildberries/accounts", json!({ "name": "Кабинет", "token": token })).await?;
    app.simulator.withdraw(&token);
    let run = client.post("/sync-runs", json!({ "accountId": account["id"], "kind": "new_orders" })).await?;
    app.run_jobs().await?;
    let run = client.get(&format!("/sync-runs/{}", run["id"].as_str().unwrap())).await?;
    assert_eq!(run["status"], "failed");
    assert_eq!(client.get("/wildberries/accounts").await?["items"][0]["status"], "blocked");
    Ok(())
}

const SELLER: &str = "0a1b2c3d-0000-4000-8000-000000000001";

/// A token that says this of itself; only Wildberries could tell that it did not sign it.
fn forged(payload: &str) -> String {
    format!("eyJhbGciOiJFUzI1NiJ9.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(payload))
}

fn claims(change: &Value) -> String {
    let mut claims =
        json!({ "id": SELLER, "sid": SELLER, "exp": 4_000_000_000_i64, "s": 18, "acc": 3, "for": "self", "uid": 7 });
    for (name, value) in change.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    forged(&claims.to_string())
}

/// Forged, broken and hostile tokens with what each is refused for. What looks right is asked of Wildberries, which knows better.
fn strange_tokens() -> Vec<(String, &'static str)> {
    let raw = |payload: String| forged(&payload);
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let good = |more: &str| format!(r#"{{"sid":"{SELLER}","exp":4000000000,"s":18,"acc":3{more}}}"#);
    vec![
        // Not a token.
        (String::new(), "token_malformed"),
        ("..".to_owned(), "token_malformed"),
        ("a.b".to_owned(), "token_malformed"),
        ("a.b.c.d".to_owned(), "token_malformed"),
        (format!("Bearer {}", claims(&json!({}))), "token_malformed"),
        (format!("{}\r\nX-Evil: 1", claims(&json!({}))), "token_malformed"),
        (claims(&json!({})).replacen("eyJ", "ёyJ", 1), "token_malformed"),
        (format!("{}!", claims(&json!({}))), "token_malformed"),
        (raw("null".to_owned()), "token_malformed"),
        (raw("[]".to_owned()), "token_malformed"),
        (raw("{".to_owned()), "token_malformed"),
        (raw(deep(2_000)), "token_malformed"),
        (raw("\u{0}{}".to_owned()), "token_malformed"),
        (raw(good(&format!(r#","x":"{}""#, "x".repeat(100_000)))), "token_malformed"),
        // Claims that are missing, doubled or of another kind.
        (raw(r#"{"exp":4000000000,"s":18,"acc":3}"#.to_owned()), "token_malformed"),
        (raw(good(&format!(r#","sid":"{SELLER}""#))), "token_malformed"),
        (claims(&json!({ "sid": "a seller" })), "token_malformed"),
        (claims(&json!({ "sid": 7 })), "token_malformed"),
        (claims(&json!({ "exp": "4000000000" })), "token_malformed"),
        (claims(&json!({ "exp": null })), "token_malformed"),
        (claims(&json!({ "s": -1 })), "token_malformed"),
        (claims(&json!({ "s": 18.5 })), "token_malformed"),
        (claims(&json!({ "s": "18" })), "token_malformed"),
        (claims(&json!({ "acc": "personal" })), "token_malformed"),
        (claims(&json!({ "t": "no" })), "token_malformed"),
        // Out of range.
        (claims(&json!({ "s": u64::MAX })), "token_malformed"),
        (
            raw(r#"{"sid":"0a1b2c3d-0000-4000-8000-000000000001","exp":1e400,"s":18,"acc":3}"#.to_owned()),
            "token_malformed",
        ),
        (claims(&json!({ "exp": i64::MAX })), "token_malformed"),
        (claims(&json!({ "exp": 300_000_000_000_i64 })), "token_malformed"),
        // In the past.
        (claims(&json!({ "exp": -1 })), "token_expired"),
        (claims(&json!({ "exp": i64::from(i32::MIN) })), "token_expired"),
        (claims(&json!({ "exp": 0 })), "token_expired"),
        // Of another kind.
        (claims(&json!({ "acc": 0 })), "token_wrong_kind"),
        (claims(&json!({ "acc": 9 })), "token_wrong_kind"),
        (claims(&json!({ "acc": 1 })), "token_wrong_kind"),
        (claims(&json!({ "acc": 2 })), "token_wrong_kind"),
        (claims(&json!({ "t": true })), "token_wrong_kind"),
        // For something else.
        (claims(&json!({ "s": 0 })), "token_lacks_category"),
        (claims(&json!({ "s": 2 })), "token_lacks_category"),
        (claims(&json!({ "s": 1_u64 << 40 })), "token_lacks_category"),
        (claims(&json!({ "s": 0b1_0010 | (1 << 30) })), "token_read_only"),
        // In order as far as one can see: bits and claims of tomorrow, nested as deep as may be.
        (claims(&json!({ "s": 0b1_0010 | (1_u64 << 40) | (1_u64 << 62) })), "token_rejected"),
        (raw(good(&format!(r#","x":{}"#, deep(1_500)))), "token_rejected"),
        (claims(&json!({ "for": { "tomorrow": [1, null] }, "ent": "x" })), "token_rejected"),
    ]
}

#[tokio::test]
async fn strange_tokens_are_refused_by_what_is_wrong_and_none_of_them_is_repeated() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let table = strange_tokens();
    assert!(table.len() >= 30);
    for (token, code) in table {
        let shown: String = token.chars().take(80).collect();
        let body = json!({ "name": "Кабинет", "token": token });
        let words = client.refused("/wildberries/accounts", body, code).await.context(shown)?;
        assert!(token.len() < 8 || !words.contains(&token));
    }
    for token in [json!(null), json!(7), json!({ "eyJmarker": 1 }), json!(["eyJmarker"])] {
        let body = json!({ "name": "Кабинет", "token": token });
        let answer = client.ask(reqwest::Method::POST, "/wildberries/accounts", Some(body)).await?;
        assert!(answer.status.is_client_error() && !answer.body.to_string().contains("marker"), "{}", answer.body);
    }
    assert_eq!(app.count("SELECT count(*) FROM wildberries_accounts").await?, 0);
    Ok(())
}

#[tokio::test]
async fn of_a_token_only_what_it_may_do_and_how_it_does_is_shown() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let account = shop.client.get("/wildberries/accounts").await?["items"][0].clone();
    let shown: Vec<_> = account.as_object().context("an object")?.keys().map(String::as_str).collect();
    assert_eq!(
        shown,
        [
            "categories",
            "createdAt",
            "id",
            "lastOkAt",
            "name",
            "sellerId",
            "sellerName",
            "status",
            "tokenExpiresAt",
            "tokenFingerprint",
            "tokenKind",
            "tokenReadOnly",
            "tradeMark",
            "version",
            "warnings"
        ]
    );
    let fingerprint = account["tokenFingerprint"].as_str().context("a text")?;
    assert!(fingerprint.len() == 4 && fingerprint.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let warnings: Vec<_> =
        account["warnings"].as_array().context("a list")?.iter().map(|it| it["code"].clone()).collect();
    assert_eq!(warnings, ["personal_token", "excessive_categories"]);
    Ok(())
}

#[tokio::test]
async fn how_calls_go_is_noted_at_most_once_a_minute() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let account = async || Ok::<_, anyhow::Error>(shop.client.get("/wildberries/accounts").await?["items"][0].clone());
    let stored = account().await?["lastOkAt"].clone();
    for _ in 0..5 {
        app.clock.advance(Duration::seconds(10));
        shop.sync("new_orders").await?;
        assert_eq!(account().await?["lastOkAt"], stored);
    }
    app.clock.advance(Duration::seconds(10));
    shop.sync("new_orders").await?;
    let ok = account().await?;
    assert!(ok["lastOkAt"] != stored && ok["lastErrorCode"].is_null());

    app.simulator.fault(Fault::once("/api/v3/orders/new", FaultKind::Status { status: 400 }).times(3));
    shop.sync("new_orders").await?;
    let failed = account().await?;
    assert_eq!((&failed["lastErrorCode"], &failed["status"]), (&json!("refused"), &json!("active")));
    app.clock.advance(Duration::seconds(30));
    shop.sync("new_orders").await?;
    assert_eq!(account().await?["lastErrorAt"], failed["lastErrorAt"]);
    assert_eq!(failed["version"], 1, "nobody edited the account");
    Ok(())
}

#[tokio::test]
async fn a_token_is_not_judged_by_the_failure_of_the_one_before() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let account: shared::ids::AccountId = serde_json::from_value(json!(shop.account))?;
    let failed =
        shared::accounts::Failed::of(&shared::wildberries::CallError::Unauthorized { detail: "no".to_owned() })
            .context("a call was made")?;
    let enterprise = shop.client.all("/enterprises").await?[0]["id"].clone();
    let actor = shared::access::Actor::job(serde_json::from_value(enterprise)?, "test");
    let before = app.clock.now() - Duration::seconds(1);
    for (token_of, status) in [(before, "active"), (app.clock.now(), "blocked")] {
        let mut tx = app.ctx.db.begin(&actor).await?;
        shared::accounts::record_failure(&mut tx, account, token_of, &failed).await?;
        tx.commit().await?;
        assert_eq!(shop.client.get("/wildberries/accounts").await?["items"][0]["status"], status);
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_takes_no_token_along() -> Result<()> {
    use poem::listener::{Acceptor, Listener, TcpListener};
    use poem::{Endpoint, EndpointExt, Response, Server, endpoint::make_sync, http::StatusCode};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    async fn serve(endpoint: impl Endpoint<Output = Response> + 'static) -> Result<String> {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await?;
        let address =
            acceptor.local_addr().first().and_then(|at| at.as_socket_addr().copied()).context("an address")?;
        tokio::spawn(Server::new_with_acceptor(acceptor).run(endpoint));
        Ok(format!("http://{address}"))
    }

    let caught = Arc::new(AtomicUsize::new(0));
    let count = caught.clone();
    let elsewhere = serve(
        make_sync(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Response::builder().body("{}")
        })
        .boxed(),
    )
    .await?;
    for status in [301_u16, 302, 303, 307, 308] {
        let target = elsewhere.clone();
        let status = StatusCode::from_u16(status)?;
        let here = serve(
            make_sync(move |request| {
                let location = format!("{target}{}", request.uri().path());
                Response::builder().status(status).header("location", location).finish()
            })
            .boxed(),
        )
        .await?;
        let hosts =
            shared::wildberries::Hosts { common: here.parse()?, content: here.parse()?, marketplace: here.parse()? };
        let client = shared::wildberries::Client::new(hosts, shared::wildberries::Budget::unlimited())?;
        let token = shared::wildberries::SellerToken {
            token: secrecy::SecretString::from("eyJ.marker.x"),
            kind: shared::wildberries::TokenKind::Personal,
            seller_id: SELLER.parse()?,
            categories: i64::MAX,
            read_only: false,
        };
        let seller = client.seller(token);
        assert!(seller.create_supply("Поставка").await.is_err(), "{status}");
    }
    assert_eq!(caught.load(Ordering::SeqCst), 0);
    Ok(())
}
