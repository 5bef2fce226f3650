//! A token goes in, is checked, and never comes out again; a bad one leaves nothing behind.

use anyhow::Result;
use chrono::{Duration, Utc};
use it::TestApp;
use serde_json::json;
use wildberries::{ALL_CATEGORIES, Category, TokenKind, TokenSpec};

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
