//! What is published is never more than there is, a wrong rise waits for a second person, and everything can be stopped in
//! one act.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use it::people::enterprise_of;
use it::{Reach, Shop, TestApp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use stack::Client;
use stack::client::text;

/// The path of the seller's warehouse at Wildberries.
async fn path(shop: &Shop<'_>) -> Result<String> {
    let warehouses = shop.client.get("/wildberries/warehouses").await?;
    Ok(format!("/wildberries/warehouses/{}", warehouses["items"][0]["wbWarehouseId"]))
}

async fn state(client: &Client, path: &str) -> Result<Value> {
    client.post(&format!("{path}/statements"), json!({})).await
}

/// What is to be pushed of the n-th product by whoever pushed everything up to the number.
async fn stated(shop: &Shop<'_>, path: &str, since: i64) -> Result<Vec<(usize, i64)>> {
    let rows = shop.client.all(&format!("{path}/stated?since={since}&limit=2")).await?;
    let place = |row: &Value| shop.products.iter().position(|product| product["id"] == row["productId"]);
    let mut stated = Vec::new();
    for row in &rows {
        assert!(row["number"].as_i64() > Some(since) && row["chrtId"].is_number(), "{row}");
        stated.push((place(row).context("a product")?, row["quantity"].as_i64().context("units")?));
    }
    stated.sort_unstable();
    Ok(stated)
}

async fn brake(client: &Client, percent: i64, units: i64) -> Result<()> {
    let path = format!("/enterprises/{}", enterprise_of(client).await?);
    let mut settings = client.get(&path).await?["settings"].clone();
    settings["publishingBrakePercent"] = json!(percent);
    settings["publishingBrakeUnits"] = json!(units);
    client.patch(&path, json!({ "settings": settings })).await.map(|_| ())
}

#[tokio::test]
async fn publishable_is_the_smaller_of_the_quota_and_what_is_free_less_the_safety() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = path(&shop).await?;
    for (product, units) in [(0, 10), (1, 3), (2, 50), (3, 50)] {
        shop.receive(product, 1, units).await?;
    }
    shop.order(0)?;
    shop.sync("new_orders").await?;
    shop.client.put(&format!("{path}/rule"), json!({ "safety": 4, "quota": 20 })).await?;
    let quotas = json!({ "items": [{ "productId": shop.products[3]["id"], "quota": 7 }] });
    shop.client.put(&format!("{path}/quotas"), quotas).await?;
    let rows = shop.client.all(&format!("{path}/publishable?limit=5")).await?;
    let of = |product: usize| {
        let row = rows.iter().find(|row| row["productId"] == shop.products[product]["id"]).unwrap();
        ["available", "publishable", "stated"].map(|field| row[field].as_i64().unwrap())
    };
    assert_eq!([0, 1, 2, 3, 4].map(of), [[9, 5, 0], [3, 0, 0], [50, 20, 0], [50, 7, 0], [0, 0, 0]]);

    let first = state(&shop.client, &path).await?;
    assert_eq!((&first["number"], &first["products"], &first["unitsRaised"]), (&json!(1), &json!(3), &json!(32)));
    assert_eq!(stated(&shop, &path, 0).await?, [(0, 5), (2, 20), (3, 7)]);
    assert!(stated(&shop, &path, 1).await?.is_empty());
    let again = state(&shop.client, &path).await?;
    assert_eq!((&again["number"], &again["products"]), (&json!(1), &json!(0)), "nothing new, no new number");

    let cleared = json!({ "items": [{ "productId": shop.products[3]["id"] }] });
    shop.client.put(&format!("{path}/quotas"), cleared).await?;
    shop.order(0)?;
    shop.sync("new_orders").await?;
    assert_eq!(state(&shop.client, &path).await?["number"], 2);
    assert_eq!(stated(&shop, &path, 1).await?, [(0, 4), (3, 20)], "only what differs, with the later number");
    Ok(())
}

#[tokio::test]
async fn the_greater_safety_holds_the_warehouses_or_the_products_own() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = path(&shop).await?;
    shop.receive(0, 1, 10).await?;
    shop.receive(1, 1, 10).await?;
    let product = format!("/products/{}", text(&shop.products[0], "id")?);
    shop.client.patch(&product, json!({ "safetyStock": 6 })).await?;
    for (safety, due) in [(0, [4, 10]), (4, [4, 6]), (8, [2, 2])] {
        shop.client.put(&format!("{path}/rule"), json!({ "safety": safety })).await?;
        state(&shop.client, &path).await?;
        let rows = shop.client.all(&format!("{path}/publishable")).await?;
        for (index, due) in due.into_iter().enumerate() {
            let row = rows.iter().find(|row| row["productId"] == shop.products[index]["id"]).context("a product")?;
            assert_eq!((&row["publishable"], &row["stated"]), (&json!(due), &json!(due)), "{safety} {index}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_waits_for_packing_or_is_picked_is_not_published() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = path(&shop).await?;
    shop.receive(0, 1, 3).await?;
    shop.picked(1).await?;
    state(&shop.client, &path).await?;
    assert_eq!(stated(&shop, &path, 0).await?, [(0, 3)]);
    Ok(())
}

#[tokio::test]
async fn a_rise_that_is_too_large_waits_for_another_person_and_a_fall_never_waits() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = path(&shop).await?;
    brake(&shop.client, 50, 10).await?;
    shop.receive(0, 1, 30).await?;
    shop.receive(1, 1, 5).await?;
    assert!(state(&shop.client, &path).await?.get("waiting").is_none(), "the first has nothing to be compared with");
    // A wrong document: thousands that are not there. And an order in between.
    shop.receive(2, 1, 9000).await?;
    shop.order(1)?;
    shop.sync("new_orders").await?;
    let braked = state(&shop.client, &path).await?;
    assert_eq!((&braked["unitsLowered"], &braked["unitsRaised"]), (&json!(1), &json!(0)));
    let waiting = braked["waiting"].clone();
    assert_eq!(
        (&waiting["status"], &waiting["unitsRaised"], &waiting["unitsBefore"]),
        (&json!("waiting"), &json!(9000), &json!(35))
    );
    assert_eq!(stated(&shop, &path, 0).await?, [(0, 30), (1, 4)], "what fell is stated, what rose is not");
    let id = text(&waiting, "id")?;
    assert_eq!(state(&shop.client, &path).await?["waiting"]["id"], id.as_str(), "nobody has to look at the same twice");
    let lines = shop.client.all(&format!("/publications/{id}/lines")).await?;
    assert_eq!(lines, [json!({ "productId": shop.products[2]["id"], "was": 0, "quantity": 9000 })]);

    let approve = format!("/publications/{id}/approve");
    shop.client.refused(&approve, json!({}), "four_eyes").await?;
    let (_, key) = app.key(&shop.client, json!({ "name": "Робот", "permissions": ["wildberries:manage"] })).await?;
    key.refused(&approve, json!({}), "four_eyes").await?;
    let other = app.person(&shop.client, "manager", Reach::Enterprise).await?.client;
    let approved = other.post(&approve, json!({})).await?;
    assert_eq!(approved["status"], "approved");
    assert_ne!(approved["decidedBy"], approved["askedBy"]);
    assert_eq!(stated(&shop, &path, 0).await?, [(0, 30), (1, 4), (2, 9000)]);
    other.refused(&approve, json!({}), "publication_decided").await?;
    shop.client.refused(&format!("/publications/{id}/reject"), json!({}), "publication_decided").await?;
    Ok(())
}

#[tokio::test]
async fn an_approval_states_no_more_than_is_still_there_and_nothing_that_was_not_asked_for() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = path(&shop).await?;
    brake(&shop.client, 10, 0).await?;
    shop.receive(0, 1, 3).await?;
    state(&shop.client, &path).await?;
    shop.receive(0, 1, 2).await?;
    let id = text(&state(&shop.client, &path).await?["waiting"], "id")?;
    for _ in 0..4 {
        shop.order(0)?;
    }
    shop.receive(1, 1, 70).await?;
    shop.sync("new_orders").await?;
    let other = app.person(&shop.client, "manager", Reach::Enterprise).await?.client;
    other.post(&format!("/publications/{id}/approve"), json!({})).await?;
    assert_eq!(stated(&shop, &path, 0).await?, [(0, 1)], "it fell below what was stated before");
    Ok(())
}

#[tokio::test]
async fn a_rise_is_rejected_or_superseded_by_a_larger_one_and_small_ones_pass() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = path(&shop).await?;
    brake(&shop.client, 50, 5).await?;
    shop.receive(0, 1, 10).await?;
    state(&shop.client, &path).await?;
    shop.receive(0, 1, 5).await?;
    assert_eq!(state(&shop.client, &path).await?["unitsRaised"], 5, "no more than five units");
    shop.receive(0, 1, 7).await?;
    assert_eq!(state(&shop.client, &path).await?["unitsRaised"], 7, "less than half of fifteen");
    shop.receive(0, 1, 20).await?;
    let first = text(&state(&shop.client, &path).await?["waiting"], "id")?;
    shop.receive(1, 1, 20).await?;
    let second = text(&state(&shop.client, &path).await?["waiting"], "id")?;
    assert_ne!(first, second);
    let rejected = shop.client.post(&format!("/publications/{second}/reject"), json!({})).await?;
    assert_eq!(rejected["status"], "rejected", "whoever asked may take it back");
    let list = shop.client.all("/publications?limit=1").await?;
    let statuses: Vec<_> = list.iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, ["rejected", "superseded"]);
    assert!(shop.client.all("/publications?status=waiting").await?.is_empty());
    brake(&shop.client, 0, 5).await?;
    assert_eq!(state(&shop.client, &path).await?["unitsRaised"], 40, "the brake is off");
    Ok(())
}

#[tokio::test]
async fn a_freeze_states_zero_for_everything_in_one_audited_act_and_is_undone() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = path(&shop).await?;
    shop.receive(0, 1, 150).await?;
    shop.receive(1, 1, 5).await?;
    state(&shop.client, &path).await?;
    let frozen = shop.client.post("/wildberries/freeze", json!({ "reason": "Ошибка в прайсе" })).await?;
    assert_eq!(frozen["wbWarehouseIds"].as_array().map(Vec::len), Some(1));
    assert_eq!(stated(&shop, &path, 1).await?, [(0, 0), (1, 0)], "everything has to be pushed anew");
    let rule = shop.client.get(&format!("{path}/rule")).await?;
    assert_eq!((&rule["number"], &rule["frozenReason"]), (&json!(2), &json!("Ошибка в прайсе")));
    shop.client.refused(&format!("{path}/statements"), json!({}), "publishing_frozen").await?;
    let again = shop.client.post("/wildberries/freeze", json!({ "reason": "Ещё раз" })).await?;
    assert_eq!(again["wbWarehouseIds"], json!([]));
    let acts = shop.client.all("/audit?action=publishing.frozen").await?;
    assert_eq!(acts.len(), 1);

    shop.order(1)?;
    shop.sync("new_orders").await?;
    shop.client.post("/wildberries/thaw", json!({})).await?;
    assert_eq!(stated(&shop, &path, 2).await?, [(0, 150), (1, 4)], "as before, as far as it is still there");
    assert!(shop.client.all("/publications").await?.is_empty(), "that is no rise");
    assert!(shop.client.get(&format!("{path}/rule")).await?.get("frozenAt").is_none());
    Ok(())
}

#[tokio::test]
async fn nothing_is_published_that_nobody_who_asks_may_manage() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = path(&shop).await?;
    let second = shop.client.post("/warehouses", json!({ "name": "Другой" })).await?;
    let there = app.person(&shop.client, "manager", Reach::Warehouses(&[&text(&second, "id")?])).await?.client;
    for (method, path, body) in [
        (Method::GET, format!("{path}/publishable"), None),
        (Method::GET, format!("{path}/rule"), None),
        (Method::GET, format!("{path}/stated"), None),
        (Method::POST, format!("{path}/statements"), None),
        (Method::PUT, format!("{path}/rule"), Some(json!({ "safety": 1 }))),
        (
            Method::PUT,
            format!("{path}/quotas"),
            Some(json!({ "items": [{ "productId": shop.products[0]["id"], "quota": 1 }] })),
        ),
    ] {
        assert_eq!(there.outcome(method, &path, body).await?, (404, "not_found".to_owned()), "{path}");
    }
    let frozen = there.post("/wildberries/freeze", json!({ "reason": "Моё" })).await?;
    assert_eq!(frozen["wbWarehouseIds"], json!([]), "all that is in reach is nothing");
    let stranger = app.enterprise("Василёк").await?;
    assert_eq!(stranger.outcome(Method::GET, &format!("{path}/publishable"), None).await?.0, 404);
    let wrong = json!({ "items": [{ "productId": shop.account, "quota": 1 }] });
    let answer = shop.client.ask(Method::PUT, &format!("{path}/quotas"), Some(wrong)).await?;
    assert_eq!((answer.status.as_u16(), answer.body["field"].as_str()), (422, Some("items.0.productId")));
    Ok(())
}

/// As many more warehouses at Wildberries, fed by the same own one; answers with the paths of all, by number.
async fn siblings(shop: &Shop<'_>, more: i64) -> Result<Vec<String>> {
    let first =
        shop.client.get("/wildberries/warehouses").await?["items"][0]["wbWarehouseId"].as_i64().context("a number")?;
    let mut admin = shop.app.admin_in(&enterprise_of(&shop.client).await?).await?;
    for number in first + 1..=first + more {
        sqlx::query(
            "INSERT INTO wildberries_warehouses (enterprise_id, account_id, wb_warehouse_id, name, warehouse_id)
             SELECT enterprise_id, account_id, $1, 'Ещё один', warehouse_id FROM wildberries_warehouses WHERE wb_warehouse_id = $2",
        )
        .bind(number)
        .bind(first)
        .execute(&mut admin)
        .await?;
    }
    Ok((first..=first + more).map(|number| format!("/wildberries/warehouses/{number}")).collect())
}

/// Units that are stated of each product, in all of these warehouses together.
async fn together(shop: &Shop<'_>, paths: &[String]) -> Result<BTreeMap<usize, i64>> {
    let mut sums = BTreeMap::new();
    for path in paths {
        for (product, units) in stated(shop, path, 0).await? {
            *sums.entry(product).or_insert(0) += units;
        }
    }
    Ok(sums)
}

#[tokio::test]
async fn warehouses_that_share_a_stock_have_it_one_after_the_other() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let paths = siblings(&shop, 1).await?;
    let [one, other] = &paths[..] else { panic!("two") };
    brake(&shop.client, 0, 0).await?;
    shop.receive(0, 1, 10).await?;
    assert_eq!(state(&shop.client, other).await?["unitsRaised"], 10, "the other has not stated anything yet");
    assert_eq!(state(&shop.client, one).await?["unitsRaised"], 10, "the smaller number comes first");
    assert_eq!((stated(&shop, one, 0).await?, stated(&shop, other, 1).await?), (vec![(0, 10)], vec![(0, 0)]));

    shop.client.put(&format!("{one}/rule"), json!({ "safety": 1, "quota": 4 })).await?;
    state(&shop.client, other).await?;
    assert_eq!(
        (stated(&shop, one, 0).await?, stated(&shop, other, 0).await?),
        (vec![(0, 4)], vec![(0, 6)]),
        "by quota"
    );
    let rows = shop.client.all(&format!("{other}/publishable")).await?;
    let row = rows.iter().find(|row| row["productId"] == shop.products[0]["id"]).context("the product")?;
    assert_eq!((&row["available"], &row["before"], &row["publishable"]), (&json!(10), &json!(4), &json!(6)));

    let rule = shop.client.put(&format!("{one}/rule"), json!({ "safety": 1, "priority": 3 })).await?;
    assert_eq!(rule["priority"], 3);
    state(&shop.client, other).await?;
    assert_eq!(
        (stated(&shop, one, 0).await?, stated(&shop, other, 0).await?),
        (vec![(0, 0)], vec![(0, 10)]),
        "by priority"
    );
    Ok(())
}

/// The product of the third card is sold as one of the first and two of the second.
const SET: usize = 2;
const PARTS: [i64; 2] = [1, 2];

async fn make_set(shop: &Shop<'_>) -> Result<()> {
    let part = |product: usize| json!({ "productId": shop.products[product]["id"], "quantity": PARTS[product] });
    let path = format!("/products/{}", text(&shop.products[SET], "id")?);
    shop.client.patch(&path, json!({ "components": [part(0), part(1)] })).await.map(|_| ())
}

#[tokio::test]
async fn a_bundle_is_published_up_to_its_own_quota_and_its_parts_keep_so_much_back() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = path(&shop).await?;
    make_set(&shop).await?;
    brake(&shop.client, 0, 0).await?;
    shop.receive(0, 1, 10).await?;
    shop.receive(1, 2, 9).await?;
    state(&shop.client, &path).await?;
    assert_eq!(stated(&shop, &path, 0).await?, [(0, 10), (1, 9)], "without a quota of its own it is not published");

    let quota = json!({ "items": [{ "productId": shop.products[SET]["id"], "quota": 3 }] });
    shop.client.put(&format!("{path}/quotas"), quota).await?;
    state(&shop.client, &path).await?;
    assert_eq!(stated(&shop, &path, 0).await?, [(0, 7), (1, 3), (SET, 3)]);
    let rows = shop.client.all(&format!("{path}/publishable")).await?;
    let row = |product: usize| rows.iter().find(|row| row["productId"] == shop.products[product]["id"]);
    let (part, set) = (row(1).context("a part")?, row(SET).context("the set")?);
    assert_eq!((&part["available"], &part["before"], &part["publishable"]), (&json!(9), &json!(6), &json!(3)));
    assert_eq!((&set["available"], &set["quota"], &set["publishable"]), (&json!(4), &json!(3), &json!(3)));

    // Less of a part than the quota asks for: it goes into bundles as far as it does.
    for _ in 0..5 {
        shop.order(1)?;
    }
    shop.sync("new_orders").await?;
    state(&shop.client, &path).await?;
    assert_eq!(stated(&shop, &path, 0).await?, [(0, 7), (1, 0), (SET, 2)]);
    Ok(())
}

#[tokio::test]
async fn whoever_states_when_no_unit_is_stated_twice() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let paths = siblings(&shop, 2).await?;
    make_set(&shop).await?;
    brake(&shop.client, 0, 0).await?;
    let product = format!("/products/{}", text(&shop.products[1], "id")?);
    shop.client.patch(&product, json!({ "safetyStock": 2 })).await?;
    let kept = [0, 2];
    let mut chance = StdRng::seed_from_u64(20_261_203);
    for act in 0..90 {
        let path = &paths[chance.random_range(0..paths.len())];
        let product = chance.random_range(0..kept.len());
        // The set is ordered and has quotas; what lies there is its parts.
        let sold = chance.random_range(0..=SET);
        let warehouse: i64 = path.rsplit('/').next().context("a number")?.parse()?;
        match chance.random_range(0..6) {
            0 | 1 => shop.receive(product, 1, chance.random_range(1..8)).await?,
            2 => {
                for _ in 0..chance.random_range(1..6) {
                    shop.order(sold)?;
                }
                shop.sync("new_orders").await?;
            }
            3 => {
                let mut rule = json!({ "safety": chance.random_range(0..3), "priority": chance.random_range(0..3) });
                if chance.random_bool(0.7) {
                    rule["quota"] = json!(chance.random_range(0..12));
                }
                shop.client.put(&format!("{path}/rule"), rule).await?;
            }
            4 => {
                let quota = json!({ "items": [{ "productId": shop.products[sold]["id"], "quota": chance.random_range(0..9) }] });
                shop.client.put(&format!("{path}/quotas"), quota).await?;
            }
            _ => {
                let body = json!({ "wbWarehouseId": warehouse, "reason": "Проверка" });
                shop.client.post("/wildberries/freeze", body).await?;
            }
        }
        // One alone, or all at once; one that is frozen is thawed, which states, too.
        let frozen = shop.client.get(&format!("{path}/rule")).await?.get("frozenAt").is_some();
        if frozen && chance.random_bool(0.6) {
            shop.client.post("/wildberries/thaw", json!({ "wbWarehouseId": warehouse })).await?;
        } else if chance.random_bool(0.4) {
            let statements: Vec<_> = paths.iter().map(|path| format!("{path}/statements")).collect();
            let all = statements.iter().map(|path| shop.client.outcome(Method::POST, path, None));
            assert!(try_join_all(all).await?.iter().all(|(status, _)| [200, 409].contains(status)));
        } else if frozen || shop.client.outcome(Method::POST, &format!("{path}/statements"), None).await?.0 != 200 {
            continue;
        }
        let mut open = 0;
        for path in &paths {
            open += i32::from(shop.client.get(&format!("{path}/rule")).await?.get("frozenAt").is_none());
        }
        if open == 0 {
            continue;
        }
        let rows = shop.client.all("/inventory?by=product").await?;
        let together = together(&shop, &paths).await?;
        let stated = |product: usize| together.get(&product).copied().unwrap_or(0);
        for (product, in_a_set) in PARTS.into_iter().enumerate() {
            let units = stated(product) + stated(SET) * in_a_set;
            let row = rows.iter().find(|row| row["productId"] == shop.products[product]["id"]);
            let available = row.and_then(|row| row["available"].as_i64()).unwrap_or(0);
            assert!(
                units <= (available - kept[product]).max(0),
                "{act}: {units} of {available} of product {product} are stated"
            );
        }
    }
    assert!(app.count("SELECT count(*) FROM stated_quantities WHERE quantity > 0").await? > 1, "something was stated");
    Ok(())
}

/// What lies behind a page, in its order.
async fn behind(client: &Client, path: &str, page: &Value) -> Result<Vec<Value>> {
    let (mut rows, mut next) = (Vec::new(), page.get("next").cloned());
    while let Some(after) = next {
        let page = client.get(&format!("{path}/stated?limit=1&after={}", after.as_str().context("a cursor")?)).await?;
        rows.extend(page["items"].as_array().context("a list")?.clone());
        next = page.get("next").cloned();
    }
    Ok(rows)
}

#[tokio::test]
async fn what_falls_while_the_pages_are_turned_comes_on_one_of_the_next() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = path(&shop).await?;
    for product in 0..3 {
        shop.receive(product, 1, 5).await?;
    }
    state(&shop.client, &path).await?;
    let first = shop.client.get(&format!("{path}/stated?limit=1")).await?;
    let seen = &first["items"][0];
    let product = shop.products.iter().position(|product| product["id"] == seen["productId"]).context("a product")?;
    assert_eq!((&seen["quantity"], &seen["number"]), (&json!(5), &json!(1)));
    shop.order(product)?;
    shop.sync("new_orders").await?;
    state(&shop.client, &path).await?;
    let rest = behind(&shop.client, &path, &first).await?;
    let numbers: Vec<_> = rest.iter().map(|row| row["number"].clone()).collect();
    assert_eq!(numbers, [1, 1, 2], "in the order in which it was stated");
    assert_eq!((&rest[2]["productId"], &rest[2]["quantity"]), (&seen["productId"], &json!(4)));

    // A freeze in between states everything anew.
    let first = shop.client.get(&format!("{path}/stated?limit=1")).await?;
    shop.client.post("/wildberries/freeze", json!({ "reason": "Ошибка" })).await?;
    let rest = behind(&shop.client, &path, &first).await?;
    let quantities: Vec<_> = rest.iter().map(|row| (row["number"].clone(), row["quantity"].clone())).collect();
    assert_eq!(quantities, vec![(json!(3), json!(0)); 3]);
    Ok(())
}

#[tokio::test]
async fn the_maker_of_a_key_does_not_approve_what_the_key_asked_for() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let path = path(&shop).await?;
    brake(&shop.client, 10, 0).await?;
    shop.receive(0, 1, 3).await?;
    state(&shop.client, &path).await?;
    shop.receive(0, 1, 50).await?;
    let (_, key) = app.key(&shop.client, json!({ "name": "Робот", "permissions": ["wildberries:manage"] })).await?;
    let waiting = state(&key, &path).await?["waiting"].clone();
    assert!(text(&waiting, "askedBy")?.starts_with("key:"));
    let approve = format!("/publications/{}/approve", text(&waiting, "id")?);
    shop.client.refused(&approve, json!({}), "four_eyes").await?;
    let other = app.person(&shop.client, "manager", Reach::Enterprise).await?.client;
    assert_eq!(other.post(&approve, json!({})).await?["status"], "approved");
    Ok(())
}
