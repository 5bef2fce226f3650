//! An enterprise never sees another's data.

use anyhow::Result;
use it::TestApp;
use reqwest::Method;
use stack::Role;

#[tokio::test]
async fn a_stranger_finds_nothing_and_sees_nothing() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, lines) = shop.picked(2).await?;
    let supply = shop.supply(&request).await?;
    let job = shop.print(&request).await?;
    let stranger = app.enterprise("Чужие").await?;
    let theirs = [
        format!("/warehouses/{}", shop.warehouse),
        format!("/warehouses/{}/cells", shop.warehouse),
        format!("/products/{}", shop.products[0]["id"].as_str().unwrap()),
        format!("/orders/{}", lines[0]["orderId"].as_str().unwrap()),
        format!("/orders/{}/history", lines[0]["orderId"].as_str().unwrap()),
        format!("/requests/{request}"),
        format!("/requests/{request}/lines"),
        format!("/supplies/{supply}"),
        format!("/printers/{}", shop.printer),
        format!("/print-jobs/{job}"),
        format!("/print-jobs/{job}/items"),
    ];
    for path in theirs {
        let answer = stranger.ask(Method::GET, &path, None).await?;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"), "{path}");
        assert!(shop.client.ask(Method::GET, &path, None).await?.status.is_success(), "{path}");
    }
    for list in [
        "/warehouses",
        "/products",
        "/inventory",
        "/inventory/entries",
        "/orders",
        "/requests",
        "/supplies",
        "/printers",
        "/print-jobs",
        "/sync-runs",
        "/jobs",
        "/wildberries/accounts",
        "/wildberries/warehouses",
    ] {
        let answer = stranger.get(list).await?;
        assert_eq!(answer["items"].as_array().map(Vec::len), Some(0), "{list}");
    }
    Ok(())
}

#[tokio::test]
async fn the_roles_of_the_programs_see_nothing_without_an_enterprise_and_cannot_rewrite_the_ledger() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    shop.reserved(1).await?;
    for role in [Role::Api, Role::Worker] {
        let mut connection = app.as_role(role).await?;
        assert!(sqlx::query("SELECT FROM orders").fetch_all(&mut connection).await.is_err());
        let unbound: bool =
            sqlx::query_scalar("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
                .fetch_one(&mut connection)
                .await?;
        assert!(!unbound);
        for statement in ["DELETE FROM stock_entries", "UPDATE balances SET on_hand = 100", "DELETE FROM order_history"]
        {
            assert!(sqlx::query(statement).execute(&mut connection).await.is_err(), "{statement}");
        }
    }
    Ok(())
}
