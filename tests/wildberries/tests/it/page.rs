//! The page under `/_sim`, as a browser without scripts uses it.

use chrono::Duration;
use serde_json::json;

use crate::stage::{Answer, Stage, add};

async fn page(stage: &Stage) -> String {
    let answer = stage.client.get("/_sim").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    answer.text
}

async fn submit(stage: &Stage, form: &str, fields: &[(&str, &str)]) -> Answer {
    stage.client.form(&format!("/_sim/{form}"), fields).await
}

#[tokio::test]
async fn the_page_shows_the_shop_and_escapes_what_others_wrote() {
    let stage = Stage::new().await;
    let order = stage.order();
    let opened = stage.client.post("/api/v3/supplies", json!({ "name": "<script>Ёлка & 'я'</script>" })).await;
    let supply = opened.body["id"].as_str().unwrap().to_owned();
    stage.client.patch(&add(&supply), json!({ "orders": [order] })).await;
    stage.client.get("/api/v3/orders?limit=10&next=0&x=%3Cimg%3E").await;
    let page = page(&stage).await;
    assert!(page.contains(&stage.shop.name()) && page.contains(&supply) && page.contains("Подольск"));
    assert!(page.contains("&lt;script&gt;Ёлка &amp; &#39;я&#39;&lt;/script&gt;"));
    assert!(!page.contains("<script") && !page.contains("<img>"));
    assert!(page.contains("на сборке / ждёт") && page.contains("GET /api/v3/orders?limit=10"));
    assert_eq!(page.matches("<form").count(), page.matches("</form>").count());
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing comes from elsewhere");
    let label = stage.client.get(&format!("/_sim/label.svg?order={order}")).await;
    assert_eq!((label.status, label.header("content-type")), (200, Some("image/svg+xml")));
    assert!(label.text.contains(&stage.shop.sticker(order).unwrap().part_b));
    assert_eq!(stage.client.get(&format!("/_sim/supply.svg?supply={supply}")).await.status, 404, "it is not closed");
}

#[tokio::test]
async fn a_person_plays_the_buyer_and_wildberries_with_forms() {
    let stage = Stage::new().await;
    let warehouse = stage.shop.warehouses()[0].id.to_string();
    let back = submit(&stage, "orders", &[("seller", "1"), ("count", "3"), ("warehouse", &warehouse)]).await;
    assert_eq!((back.status, back.header("location")), (303, Some("/_sim?seller=1#orders")));
    let orders = stage.shop.order_ids();
    assert_eq!(orders.len(), 3);
    let act = async |order: i64, act: &str| submit(&stage, "act", &[("order", &order.to_string()), ("act", act)]).await;
    assert_eq!(act(orders[0], "cancel").await.status, 303);
    assert_eq!(stage.status(orders[0]).await.1, "declined_by_client");
    let refused = act(orders[0], "cancel").await;
    assert!(refused.status == 409 && refused.text.contains("Не получилось"));
    let supply = stage.supply(&orders[1..]).await;
    let seen = orders[1].to_string();
    assert_eq!(submit(&stage, "scan", &[("supply", &supply), ("orders", &seen)]).await.status, 303);
    assert_eq!(submit(&stage, "lose", &[("supply", &supply)]).await.status, 303);
    assert!(page(&stage).await.contains("к повторной отгрузке"));
    assert_eq!(submit(&stage, "receive", &[("supply", &supply)]).await.status, 303);
    assert_eq!(stage.status(orders[1]).await, ("complete".into(), "sold".into()));
    let code = stage.client.get(&format!("/_sim/supply.svg?supply={supply}")).await;
    assert_eq!(code.status, 200);
    assert_eq!(submit(&stage, "processing", &[("warehouse", &warehouse), ("busy", "1")]).await.status, 303);
    assert!(stage.shop.warehouses()[0].is_processing);
    assert_eq!(submit(&stage, "processing", &[("warehouse", &warehouse)]).await.status, 303);
    assert!(!stage.shop.warehouses()[0].is_processing);
}

#[tokio::test]
async fn faults_and_the_clock_are_turned_on_the_page() {
    let stage = Stage::new().await;
    let before = stage.simulator.clock().now();
    submit(&stage, "clock", &[("minutes", "60")]).await;
    assert_eq!(stage.simulator.clock().now() - before, Duration::hours(1));
    let fields = [("kind", "html"), ("value", "502"), ("path", "/orders/new"), ("times", "2"), ("method", "GET")];
    assert_eq!(submit(&stage, "fault", &fields).await.status, 303);
    assert!(page(&stage).await.contains("Html { status: 502 }"));
    assert_eq!(stage.client.get("/api/v3/orders/new").await.status, 502);
    assert_eq!(submit(&stage, "fault-off", &[("number", "1")]).await.status, 303);
    assert_eq!(stage.client.get("/api/v3/orders/new").await.status, 200);
    submit(&stage, "fault", &[("kind", "conflict"), ("seconds", "30"), ("percent", "100"), ("only_seller", "1")]).await;
    assert_eq!(stage.client.get("/api/v3/warehouses").await.status, 409);
    stage.simulator.clock().advance(Duration::seconds(30));
    assert_eq!(stage.client.get("/api/v3/warehouses").await.status, 200);
    let wrong = submit(&stage, "fault", &[("kind", "no such"), ("value", "<b>")]).await;
    assert_eq!(wrong.status, 409);
    assert_eq!(submit(&stage, "nothing", &[]).await.status, 409);
    assert_eq!(stage.client.get("/_sim/nothing").await.status, 404);
}

#[tokio::test]
async fn a_token_from_the_page_opens_the_api() {
    let stage = Stage::new().await;
    let shown = submit(&stage, "token", &[]).await;
    let token = shown.text.split("<textarea readonly rows=\"4\">").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!((shown.status, stage.client.with_token(token).get("/api/v3/orders/new").await.status), (200, 200));
    assert_eq!(shown.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_page_of_another_site_can_turn_nothing() {
    let stage = Stage::new().await;
    for path in ["/_sim/orders", "/_control/reset"] {
        let strange = stage.client.as_site("https://example.org", path).await;
        assert_eq!(strange, 403, "{path}");
        assert_eq!(stage.client.as_site("null", path).await, 403, "{path}");
    }
    assert_eq!(stage.client.as_site(&stage.simulator.url(), "/_sim/orders").await, 303);
    assert_eq!(stage.shop.order_count(), 1);
    let guard = stage.client.get("/_sim").await;
    assert!(guard.header("content-security-policy").unwrap().contains("default-src 'none'"));
}

#[tokio::test]
async fn a_simulator_without_a_shop_shows_how_to_open_one() {
    let stage = Stage::new().await;
    stage.client.post("/_control/reset", json!({})).await;
    assert!(page(&stage).await.contains("открыть ещё один"));
    assert_eq!(submit(&stage, "orders", &[("count", "1")]).await.status, 409);
    assert_eq!(submit(&stage, "seller", &[("name", "Лавка «Ёж»")]).await.status, 303);
    assert!(page(&stage).await.contains("Лавка «Ёж»"));
}
