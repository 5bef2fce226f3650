//! Wildberries changes its answers: whatever can be read is imported, what differs is told with its place and nothing of
//! anybody's, and what cannot be read is kept and read again.

use anyhow::{Context, Result};
use chrono::{Days, NaiveDate};
use it::TestApp;
use it::people::enterprise_of;
use reqwest::Method;
use serde_json::{Value, json};
use shared::access::Actor;
use shared::drifts::quarantine::{self, ItemKind};
use shared::drifts::{self, WatchDrifts};
use shared::ids::{AccountId, EnterpriseId};
use shared::wildberries::calendar::SwitchOff;
use shared::wildberries::{Unreadable, methods};
use stack::Client;
use stack::client::text;
use wildberries::{ALL_CATEGORIES, BuyerAct, Fault, FaultKind, Mutation, Seller, TokenKind};

use Mutation::{Became, Gone, Renamed};

/// A seller account without anything beside it.
struct Cabinet<'a> {
    app: &'a TestApp,
    client: &'a Client,
    seller: Seller,
    account: String,
}

impl<'a> Cabinet<'a> {
    async fn open(app: &'a TestApp, client: &'a Client) -> Result<Self> {
        let shop = wildberries::Shop { cards: 12, warehouses: 3, marked: 0, ..wildberries::Shop::default() };
        let seller = app.simulator.shop(shop);
        let token = seller.token(TokenKind::Personal, ALL_CATEGORIES);
        let body = json!({ "name": "Кабинет", "token": token });
        let account = text(&client.post("/wildberries/accounts", body).await?, "id")?;
        Ok(Self { app, client, seller, account })
    }

    async fn sync(&self, kind: &str) -> Result<Value> {
        let run = self.client.post("/sync-runs", json!({ "accountId": self.account, "kind": kind })).await?;
        self.app.run_jobs().await?;
        self.client.get(&format!("/sync-runs/{}", text(&run, "id")?)).await
    }

    fn spoil(&self, (method, path): (&str, &str), at: String, change: &Mutation) {
        let kind = FaultKind::Mutated { at, change: change.clone() };
        let fault =
            Fault { method: Some(method.to_owned()), seller: Some(self.seller.sid()), ..Fault::once(path, kind) };
        self.app.simulator.fault(fault.times(u32::MAX));
    }

    async fn replay(&self) -> Result<Value> {
        let replay = self.client.post("/wildberries/quarantine/replay", json!({})).await?;
        self.app.run_jobs().await?;
        Ok(replay)
    }

    async fn drifts(&self) -> Result<Vec<Value>> {
        self.client.all(&format!("/wildberries/drifts?accountId={}", self.account)).await
    }

    async fn waiting(&self) -> Result<Vec<Value>> {
        self.client.all(&format!("/wildberries/quarantine?waiting=true&accountId={}", self.account)).await
    }

    async fn is_here(&self, order: i64) -> Result<bool> {
        Ok(!self.client.all(&format!("/orders?wbOrderId={order}")).await?.is_empty())
    }

    async fn is_cancelled(&self, order: i64) -> Result<bool> {
        Ok(self.client.all(&format!("/orders?wbOrderId={order}")).await?[0]["status"] == "cancelled")
    }

    async fn has_card(&self, title: &str) -> Result<bool> {
        let products = self.client.all("/products").await?;
        Ok(products.iter().any(|product| product["name"].as_str().is_some_and(|name| name.contains(title))))
    }

    async fn warehouses(&self) -> Result<usize> {
        let theirs = self.client.get("/wildberries/warehouses").await?;
        let items = theirs["items"].as_array().context("a list")?;
        Ok(items.iter().filter(|warehouse| warehouse["accountId"] == self.account.as_str()).count())
    }
}

/// The list of an answer: how it is pulled, asked for and called, and where its entries stand.
struct Asked {
    kind: &'static str,
    call: (&'static str, &'static str),
    method: &'static str,
    entries: &'static str,
}

const NEW: Asked =
    Asked { kind: "new_orders", call: ("GET", "/api/v3/orders/new"), method: methods::NEW_ORDERS, entries: "/orders" };
const LISTED: Asked =
    Asked { kind: "order_history", call: ("GET", "/api/v3/orders"), method: methods::ORDERS, entries: "/orders" };
const STATUSES: Asked = Asked {
    kind: "order_statuses",
    call: ("POST", "/api/v3/orders/status"),
    method: methods::ORDER_STATUSES,
    entries: "/orders",
};
const CARDS: Asked =
    Asked { kind: "catalogue", call: ("POST", "/cards/list"), method: methods::CARDS, entries: "/cards" };
const WAREHOUSES: Asked =
    Asked { kind: "warehouses", call: ("GET", "/api/v3/warehouses"), method: methods::WAREHOUSES, entries: "" };

/// One change: of which field, what becomes of it, where and how it is told, and whether the entry is read all the same.
struct Case(Asked, &'static str, Mutation, &'static str, &'static str, bool);

fn cases() -> Vec<Case> {
    let renamed = |name: &str| Renamed(name.to_owned());
    vec![
        Case(NEW, "deliveryType", Became(json!("dbs")), "orders[].deliveryType", "unknown_word", true),
        Case(NEW, "cargoType", Became(json!(4)), "orders[].cargoType", "unknown_word", true),
        Case(NEW, "crossBorderType", Became(json!(7)), "orders[].crossBorderType", "unknown_word", true),
        Case(NEW, "requiredMeta", Became(json!(["ring"])), "orders[].requiredMeta[]", "unknown_word", true),
        Case(NEW, "gift", Became(json!(true)), "orders[].gift", "new_field", true),
        Case(NEW, "rid", Gone, "orders[].rid", "missing_field", true),
        Case(NEW, "article", renamed("vendorCode"), "orders[].article", "missing_field", true),
        Case(NEW, "options", Gone, "orders[].options", "missing_field", true),
        Case(NEW, "price", Became(json!("free")), "orders[].price", "changed_type", false),
        Case(NEW, "id", Became(json!("№ 7")), "orders[].id", "changed_type", false),
        Case(NEW, "warehouseId", Gone, "orders[].warehouseId", "missing_field", false),
        Case(NEW, "createdAt", Became(json!("вчера")), "orders[].createdAt", "changed_type", false),
        Case(LISTED, "nmId", renamed("nmID"), "orders[].nmId", "missing_field", false),
        Case(LISTED, "skus", Became(json!("123")), "orders[].skus", "changed_type", false),
        Case(LISTED, "chrtId", Became(json!("12")), "orders[].chrtId", "changed_type", false),
        Case(LISTED, "currencyCode", Became(json!("RUB")), "orders[].currencyCode", "changed_type", false),
        Case(LISTED, "isZeroOrder", Gone, "orders[].isZeroOrder", "missing_field", true),
        Case(LISTED, "deliveryType", Became(json!("express")), "orders[].deliveryType", "unknown_word", true),
        Case(STATUSES, "supplierStatus", Became(json!("packing")), "orders[].supplierStatus", "unknown_word", true),
        Case(STATUSES, "reason", Became(json!(5)), "orders[].reason", "new_field", true),
        Case(STATUSES, "wbStatus", Became(json!(7)), "orders[].wbStatus", "changed_type", false),
        Case(STATUSES, "supplierStatus", Gone, "orders[].supplierStatus", "missing_field", false),
        Case(STATUSES, "isCancellable", Became(json!("yes")), "orders[].isCancellable", "changed_type", false),
        Case(STATUSES, "id", Became(json!("x")), "orders[].id", "changed_type", false),
        Case(CARDS, "title", renamed("name"), "cards[].title", "missing_field", true),
        Case(CARDS, "nmID", Gone, "cards[].nmID", "missing_field", false),
        Case(CARDS, "vendorCode", Became(json!("")), "cards[]", "unreadable", false),
        Case(CARDS, "sizes", Became(json!({})), "cards[].sizes", "changed_type", false),
        Case(CARDS, "needKiz", Became(json!("yes")), "cards[].needKiz", "changed_type", false),
        Case(CARDS, "updatedAt", Became(json!(5)), "cards[].updatedAt", "changed_type", false),
        Case(WAREHOUSES, "officeId", Became(json!("п")), "[].officeId", "changed_type", false),
        Case(WAREHOUSES, "id", Gone, "[].id", "missing_field", false),
        Case(WAREHOUSES, "cargoType", Became(json!(9)), "[].cargoType", "unknown_word", true),
        Case(WAREHOUSES, "name", Gone, "[].name", "missing_field", true),
    ]
}

#[tokio::test]
async fn of_thirty_changes_each_names_its_path_stops_nothing_and_is_made_up_for() -> Result<()> {
    let app = TestApp::start().await?;
    // Orders are placed by the simulator's clock, which goes on, and asked for by ours.
    app.clock.advance(chrono::Duration::minutes(30));
    let client = app.enterprise("Ромашка").await?;
    let cabinet = Cabinet::open(&app, &client).await?;
    for kind in ["catalogue", "warehouses"] {
        assert_eq!(cabinet.sync(kind).await?["status"], "succeeded");
    }
    let cases = cases();
    assert!(cases.len() >= 30);
    for (number, case) in cases.iter().enumerate() {
        let what = format!("{number}: {} {}", case.0.kind, case.1);
        match case.0.kind {
            "new_orders" | "order_history" => orders(&cabinet, case).await,
            "order_statuses" => statuses(&cabinet, case).await,
            "catalogue" => cards(&cabinet, case, number).await,
            _ => warehouses(&app, &client, case).await,
        }
        .with_context(|| what.clone())?;
        assert!(cabinet.waiting().await?.is_empty(), "{what}: {:?}", cabinet.waiting().await?);
    }
    let seen = json!([client.all("/wildberries/drifts").await?, client.all("/alarms").await?]).to_string();
    assert!(!seen.contains("вчера") && !seen.contains("free"), "text of theirs: {seen}");
    Ok(())
}

/// Has the sync run over the change; the drift is told, the entry kept if it cannot be read.
async fn met(cabinet: &Cabinet<'_>, case: &Case, place: usize) -> Result<()> {
    let Case(asked, field, change, path, kind, readable) = case;
    cabinet.spoil(asked.call, format!("{}/{place}/{field}", asked.entries), change);
    let run = cabinet.sync(asked.kind).await?;
    cabinet.app.simulator.clear_faults();
    assert_eq!(run["failed"], json!(i32::from(!readable)), "{run}");
    assert_eq!(run["status"], if *readable { "succeeded" } else { "partially_failed" }, "{run}");
    let drifts = cabinet.drifts().await?;
    let told = |path: &str, kind: &str| {
        let here = |drift: &&Value| drift["path"] == path && drift["kind"] == kind && drift["method"] == asked.method;
        drifts.iter().any(|drift| here(&drift))
    };
    assert!(told(path, kind), "{path} {kind}: {drifts:?}");
    let waiting = cabinet.waiting().await?;
    assert_eq!(waiting.len(), usize::from(!readable), "{waiting:?}");
    if !readable {
        assert!(told(&path.split_inclusive("[]").take(1).collect::<String>(), "unreadable"), "{drifts:?}");
        assert_eq!(waiting[0]["method"], asked.method);
    }
    Ok(())
}

async fn orders(cabinet: &Cabinet<'_>, case: &Case) -> Result<()> {
    let numbers = cabinet.seller.place_orders(3);
    let place = if case.0.kind == "new_orders" { 0 } else { cabinet.seller.order_count() - 3 };
    met(cabinet, case, place).await?;
    assert_eq!(
        [cabinet.is_here(numbers[1]).await?, cabinet.is_here(numbers[2]).await?],
        [true, true],
        "the others came"
    );
    assert_eq!(cabinet.is_here(numbers[0]).await?, case.5);
    cabinet.replay().await?;
    assert!(cabinet.is_here(numbers[0]).await?, "it came after all");
    for number in numbers {
        cabinet.seller.buyer(number, BuyerAct::Cancel)?;
    }
    cabinet.sync("order_statuses").await.map(|_| ())
}

async fn statuses(cabinet: &Cabinet<'_>, case: &Case) -> Result<()> {
    let numbers = cabinet.seller.place_orders(3);
    cabinet.sync("new_orders").await?;
    for number in &numbers {
        cabinet.seller.buyer(*number, BuyerAct::Cancel)?;
    }
    met(cabinet, case, 0).await?;
    assert_eq!([cabinet.is_cancelled(numbers[1]).await?, cabinet.is_cancelled(numbers[2]).await?], [true, true]);
    assert_eq!(cabinet.is_cancelled(numbers[0]).await?, case.5);
    cabinet.replay().await?;
    assert!(cabinet.is_cancelled(numbers[0]).await?, "it was asked again");
    Ok(())
}

async fn cards(cabinet: &Cabinet<'_>, case: &Case, number: usize) -> Result<()> {
    let cards = cabinet.seller.cards();
    let title = |card: usize| format!("Название {number}-{card}");
    for (place, card) in cards.iter().take(3).enumerate() {
        assert!(cabinet.seller.change_card(card.nm_id, Some(title(place))));
    }
    met(cabinet, case, cards.len() - 3).await?;
    assert_eq!([cabinet.has_card(&title(1)).await?, cabinet.has_card(&title(2)).await?], [true, true]);
    assert!(!cabinet.has_card(&title(0)).await?);
    cabinet.replay().await?;
    if case.5 {
        // It was read, and so does not wait: the next sync brings what it lacked.
        cabinet.sync("catalogue").await?;
    }
    assert!(cabinet.has_card(&title(0)).await?, "it came after all");
    Ok(())
}

async fn warehouses(app: &TestApp, client: &Client, case: &Case) -> Result<()> {
    let cabinet = Cabinet::open(app, client).await?;
    met(&cabinet, case, 0).await?;
    assert_eq!(cabinet.warehouses().await?, if case.5 { 3 } else { 2 });
    cabinet.replay().await?;
    assert_eq!(cabinet.warehouses().await?, 3);
    // One that cannot be read is not gone.
    cabinet.spoil(case.0.call, format!("/0/{}", case.1), &case.2);
    cabinet.sync("warehouses").await?;
    cabinet.app.simulator.clear_faults();
    assert_eq!(cabinet.warehouses().await?, 3);
    cabinet.sync("warehouses").await?;
    assert!(cabinet.waiting().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_todays_code_can_read_is_imported_from_what_was_kept() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let cabinet = Cabinet::open(&app, &client).await?;
    let number = cabinet.seller.place_orders(1)[0];
    let order = cabinet.seller.order(number).context("an order")?;
    let raw = json!({
        "id": number, "createdAt": order.created_at.to_rfc3339(), "warehouseId": order.warehouse_id, "nmId": order.nm_id,
        "chrtId": order.chrt_id, "price": 7, "address": { "fullAddress": "Ложечная, 7" }, "comment": "Позвоните Петру",
    });
    let (enterprise, account) = (enterprise_of(&client).await?.parse()?, cabinet.account.parse()?);
    let mut tx = app.ctx.db.begin(&Actor::job(EnterpriseId(enterprise), "test.keep")).await?;
    let entry = Unreadable { raw, why: "nobody knew how".to_owned() };
    let (keyring, kind) = (&app.ctx.keyring, ItemKind::Order);
    quarantine::keep(&mut tx, keyring, AccountId(account), kind, methods::NEW_ORDERS, &[entry]).await?;
    let kept = quarantine::waiting(&mut tx, keyring, AccountId(account), kind, None, 10).await?;
    tx.commit().await?;
    let raw = kept[0].raw.as_ref().context("it was kept")?;
    assert_eq!((&raw["id"], &raw["address"], &raw["comment"]), (&json!(number), &Value::Null, &Value::Null));
    let lies = "SELECT count(*) FROM quarantine AS q WHERE position('warehouseId' IN encode(raw_sealed, 'escape')) > 0";
    assert_eq!(app.count(lies).await?, 0, "it is sealed");

    app.simulator.clear_exchanges();
    assert_eq!(cabinet.replay().await?["waiting"], 1);
    assert!(cabinet.is_here(number).await?);
    let asked: Vec<_> = app.simulator.exchanges().iter().map(|exchange| exchange.path.clone()).collect();
    assert_eq!(asked, ["/api/v3/orders/status"], "what an order was long ago is asked for");
    let item = &client.all("/wildberries/quarantine").await?[0];
    assert!(item["replayedAt"].is_string() && item["itemId"] == number, "{item}");
    assert_eq!(app.count("SELECT count(*) FROM quarantine WHERE raw_sealed IS NOT NULL").await?, 0);
    Ok(())
}

#[tokio::test]
async fn an_hourly_look_reads_again_and_counts_what_waits() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let cabinet = Cabinet::open(&app, &client).await?;
    let number = cabinet.seller.place_orders(1)[0];
    cabinet.spoil(NEW.call, "/orders/0/price".to_owned(), &Became(json!({})));
    cabinet.sync("new_orders").await?;
    let watch = async || {
        app.promise(&WatchDrifts {}).await?;
        app.run_jobs().await.map(|_| ())
    };
    watch().await?;
    assert!(!cabinet.is_here(number).await?, "the fault is still there");
    assert_eq!(app.count("SELECT value FROM gauges WHERE name = 'quarantined'").await?, 1);
    assert_eq!(app.count("SELECT value FROM gauges WHERE name = 'open_drifts'").await?, 2);
    let resources = Client::new(&app.url)?.ask(Method::GET, "/health/resources", None).await?;
    let checks = resources.body["checks"].as_array().context("checks")?;
    assert!(checks.contains(&json!({ "name": "wildberries", "state": "warn" })), "{checks:?}");
    app.simulator.clear_faults();
    watch().await?;
    assert!(cabinet.is_here(number).await?);
    watch().await?;
    assert_eq!(app.count("SELECT value FROM gauges WHERE name = 'quarantined'").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_difference_is_told_once_counted_and_acknowledged_and_strangers_do_not_see_it() -> Result<()> {
    let app = TestApp::start().await?;
    let (client, stranger) = (app.enterprise("Ромашка").await?, app.enterprise("Василёк").await?);
    let cabinet = Cabinet::open(&app, &client).await?;
    cabinet.spoil(WAREHOUSES.call, "/1/ownerPhone".to_owned(), &Became(json!("+7 999 123-45-67")));
    cabinet.sync("warehouses").await?;
    app.clock.advance(chrono::Duration::minutes(1));
    cabinet.sync("warehouses").await?;
    let drifts = client.all("/wildberries/drifts?open=true&kind=new_field").await?;
    let drift = drifts.first().context("it is told")?;
    assert_eq!((drifts.len(), &drift["count"], &drift["sample"]), (1, &json!(2), &json!("string")), "{drifts:?}");
    assert_eq!(drift["path"], "[].ownerPhone");
    assert!(drift["firstSeenAt"].as_str() < drift["lastSeenAt"].as_str());
    let alarms = client.all("/alarms?open=true&kind=wildberries_drift").await?;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert!(alarms[0]["detail"].as_str().is_some_and(|detail| detail.contains("[].ownerPhone")), "{alarms:?}");

    let path = format!("/wildberries/drifts/{}/acknowledge", text(drift, "id")?);
    assert_eq!(stranger.ask(Method::POST, &path, None).await?.status.as_u16(), 404);
    for list in ["/wildberries/drifts", "/wildberries/quarantine", "/alarms"] {
        assert!(stranger.all(list).await?.is_empty(), "{list}");
    }
    let first = client.ask(Method::POST, &path, None).await?.body;
    assert!(first["acknowledgedBy"].as_str().is_some_and(|who| who.starts_with("user:")), "{first}");
    app.clock.advance(chrono::Duration::minutes(1));
    assert_eq!(client.ask(Method::POST, &path, None).await?.body, first);
    assert!(client.all("/alarms?open=true").await?.is_empty());
    cabinet.sync("warehouses").await?;
    assert!(client.all("/wildberries/drifts?open=true").await?.is_empty(), "it is known by now");
    assert!(client.all("/alarms?open=true").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn every_method_that_is_called_is_declared_and_answers_as_declared() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, lines) = shop.picked(3).await?;
    let supply = shop.supply(&request).await?;
    shop.print(&request).await?;
    shop.deliver(&supply).await?;
    shop.client.post("/print-jobs", json!({ "printerId": shop.printer, "supplyId": supply })).await?;
    shop.seller.receive(lines[0]["wbOrderId"].as_i64().context("a number")?)?;
    for kind in ["order_statuses", "order_history", "catalogue", "warehouses"] {
        shop.sync(kind).await?;
    }
    for exchange in app.simulator.exchanges() {
        let segments: Vec<_> = exchange.path.trim_start_matches('/').split('/').collect();
        assert!(methods::find(&exchange.method, &segments).is_some(), "{} {}", exchange.method, exchange.path);
    }
    let drifts = shop.client.all("/wildberries/drifts").await?;
    assert!(drifts.is_empty(), "{drifts:?}");
    Ok(())
}

#[tokio::test]
async fn owners_are_told_60_and_14_days_before_a_method_ends_and_on_the_day() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let enterprise = enterprise_of(&client).await?.parse()?;
    let on = app.clock.now().date_naive().checked_add_days(Days::new(61)).context("a day")?;
    let ending = SwitchOff { method: methods::NEW_ORDERS, part: None, on: Some(on), instead: Some("something new") };
    let mut told = Vec::new();
    for day in 0_u32..63 {
        let mut tx = app.ctx.db.begin(&Actor::job(EnterpriseId(enterprise), "test.tell")).await?;
        drifts::tell_of_those(&mut tx, &[ending]).await?;
        tx.commit().await?;
        if app.count("SELECT count(*) FROM alarms WHERE kind = 'method_ending'").await? > i64::try_from(told.len())? {
            told.push(61 - i64::from(day));
        }
        app.clock.advance(chrono::Duration::days(1));
    }
    assert_eq!(told, [60, 14, 0]);

    let client = app.enterprise("Василёк").await?;
    let calendar = client.get("/wildberries/calendar").await?;
    let endings = calendar["items"].as_array().context("a list")?;
    let today = chrono::Utc::now().date_naive();
    let gone = |ending: &&Value| ending["on"].as_str().and_then(|on| on.parse::<NaiveDate>().ok()) <= Some(today);
    assert!(endings.iter().filter(|ending| ending["isCalled"] == true).all(|ending| !gone(&ending)));
    assert!(endings.iter().any(|ending| ending["method"] == "GET /api/v3/supplies/{id}/orders"));
    Ok(())
}
