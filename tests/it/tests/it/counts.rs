//! Stock counts: what is found corrects what is known, whatever moves meanwhile, once, and never by one person alone.

use anyhow::{Context, Result};
use it::people::enterprise_of;
use it::{Reach, Shop, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use stack::Client;
use stack::client::text;

/// A shop in whose warehouse somebody plans, somebody counts, and the administrator approves.
struct Crew<'a> {
    shop: Shop<'a>,
    planner: Client,
    counter: Client,
}

impl<'a> Crew<'a> {
    async fn gather(app: &'a TestApp) -> Result<Self> {
        let shop = app.shop().await?;
        let planner = app.person(&shop.client, "storekeeper", Reach::Enterprise).await?.client;
        let counter = app.person(&shop.client, "picker", Reach::Enterprise).await?.client;
        Ok(Self { shop, planner, counter })
    }

    /// Plans a count and starts it; what is said of the plan goes beside the rest of it.
    async fn started(&self, plan: Value) -> Result<String> {
        let id = text(&self.planner.post("/counts", self.plan(&plan)).await?, "id")?;
        self.planner.post(&format!("/counts/{id}/start"), json!({})).await?;
        Ok(format!("/counts/{id}"))
    }

    fn plan(&self, more: &Value) -> Value {
        let mut plan = json!({ "warehouseId": self.shop.warehouse, "name": "Пересчёт" });
        for (field, value) in more.as_object().into_iter().flatten() {
            plan[field] = value.clone();
        }
        plan
    }

    fn row(&self, product: usize, cell: &str, quantity: i64) -> Value {
        json!({ "barcode": self.shop.products[product]["barcodes"][0], "cell": cell, "quantity": quantity })
    }

    /// Somebody says that so much lies there.
    async fn tells(&self, who: &Client, count: &str, rows: &[Value]) -> Result<Value> {
        who.post(&format!("{count}/tallies"), json!({ "mode": "all_or_nothing", "lines": rows })).await
    }

    /// From the end of the counting to the ledger, each step by whose it is.
    async fn posted(&self, count: &str) -> Result<Value> {
        self.reviewed(count).await?;
        let posted = self.shop.client.post(&format!("{count}/approve"), json!({})).await?;
        self.shop.app.run_jobs().await?;
        Ok(posted)
    }

    /// From the end of the counting to where it waits for approval.
    async fn reviewed(&self, count: &str) -> Result<()> {
        self.planner.post(&format!("{count}/review"), json!({})).await?;
        let why = json!({ "others": { "reason": "miscounted_before" } });
        self.planner.post(&format!("{count}/explanations"), why).await.map(|_| ())
    }

    /// Cell, units and reserved units of a product; the ledger agrees with itself.
    async fn lies(&self, product: usize) -> Result<Vec<(String, i64, i64)>> {
        let id = text(&self.shop.products[product], "id")?;
        let mut seen = Vec::new();
        for row in self.shop.client.all(&format!("/inventory?productId={id}")).await? {
            let number = |field: &str| row[field].as_i64().with_context(|| format!("{field} in {row}"));
            seen.push((text(&row, "cell")?, number("onHand")?, number("reserved")?));
        }
        seen.sort();
        assert_eq!(self.shop.client.get("/inventory/consistency").await?["differences"], json!([]));
        Ok(seen)
    }

    async fn cell(&self, code: &str) -> Result<Value> {
        Ok(self.shop.client.get(&format!("/cells?code={code}")).await?["items"][0].clone())
    }

    /// The line of a product in a cell.
    async fn line(&self, count: &str, product: usize, cell: &str) -> Result<Value> {
        let id = text(&self.shop.products[product], "id")?;
        let lines = self.shop.client.all(&format!("{count}/lines?productId={id}")).await?;
        lines.into_iter().find(|line| line["cell"] == cell).with_context(|| format!("a line in {cell}"))
    }
}

fn at(cell: &str, on_hand: i64, reserved: i64) -> (String, i64, i64) {
    (cell.to_owned(), on_hand, reserved)
}

#[tokio::test]
async fn whoever_counts_blindly_finds_nothing_that_is_expected_in_any_answer() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    crew.shop.receive(0, 1, 7).await?;
    crew.shop.receive(1, 2, 5).await?;
    let count = crew.started(json!({ "blind": true })).await?;
    let said = crew.tells(&crew.counter, &count, &[crew.row(0, "A-01", 6), crew.row(1, "A-02", 5)]).await?;
    let secrets = ["expected", "expectedAtStart", "difference", "different", "unexplained", "unitsPlus", "unitsMinus"];
    let mut answers = vec![said.to_string()];
    for path in ["", "/lines", "/cells", "/tallies", "/history"] {
        answers.push(crew.counter.get(&format!("{count}{path}")).await?.to_string());
        // Whoever plans may count, too: nobody is shown it.
        answers.push(crew.planner.get(&format!("{count}{path}")).await?.to_string());
    }
    answers.push(crew.counter.get("/counts").await?.to_string());
    for path in ["/lines", "/cells", "/tallies"] {
        let (_, file) = crew.counter.download(&format!("{count}{path}/export?format=json")).await?;
        answers.push(String::from_utf8(file)?);
    }
    for answer in &answers {
        for secret in secrets {
            assert!(!answer.contains(&format!("\"{secret}\"")), "{secret}: {answer}");
        }
    }
    for state in ["different", "unexplained", "problem"] {
        let asked = crew.counter.ask(Method::GET, &format!("{count}/lines?state={state}"), None).await?;
        assert_eq!((asked.status.as_u16(), asked.body["field"].as_str()), (422, Some("state")), "{state}");
    }
    crew.planner.post(&format!("{count}/review"), json!({})).await?;
    assert!(crew.counter.get(&format!("{count}/lines")).await?["items"][0].get("expected").is_none());
    let line = crew.planner.get(&format!("{count}/lines?state=different")).await?["items"][0].clone();
    assert_eq!((&line["expected"], &line["counted"], &line["difference"]), (&json!(7), &json!(6), &json!(-1)));
    Ok(())
}

#[tokio::test]
async fn what_is_picked_before_and_after_the_moment_of_counting_stays_right() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    let shop = &crew.shop;
    shop.receive(0, 1, 10).await?;
    let orders = [shop.order(0)?, shop.order(0)?];
    shop.sync("new_orders").await?;
    let (request, _) = shop.picking(&orders).await?;
    let barcode = text(&json!({ "code": shop.products[0]["barcodes"][0] }), "code")?;
    shop.scan(&request, "cell", "A-01").await?;
    let count = crew.started(json!({})).await?;
    // One is taken, then the rest is counted: two are missing. Then the other one is taken, and four more are moved.
    shop.scan(&request, "item", &barcode).await?;
    crew.tells(&crew.counter, &count, &[crew.row(0, "A-01", 7)]).await?;
    shop.scan(&request, "item", &barcode).await?;
    let moved = json!({ "barcode": barcode, "from": "A-01", "to": "A-03", "quantity": 4 });
    shop.client.post("/inventory/moves", json!({ "warehouseId": shop.warehouse, "lines": [moved] })).await?;
    let line = crew.line(&count, 0, "A-01").await?;
    assert_eq!(
        ["expectedAtStart", "expected", "counted", "difference"].map(|field| line[field].as_i64()),
        [Some(10), Some(9), Some(7), Some(-2)]
    );
    let posted = crew.posted(&count).await?;
    assert_eq!(posted["status"], "posted");
    assert_eq!(crew.lies(0).await?, [at("A-01", 2, 0), at("A-03", 4, 0), at("PACKING", 2, 2)]);
    let document = text(&posted, "documentId")?;
    let entries = shop.client.all(&format!("/inventory/entries?documentId={document}")).await?;
    let entry = entries.first().context("an entry")?;
    assert_eq!((entries.len(), &entry["kind"], &entry["quantity"]), (1, &json!("adjust"), &json!(2)));
    assert_eq!((&entry["toOutside"], &entry["reason"]), (&json!("adjustment"), &json!("miscounted_before")));
    assert_eq!(crew.line(&count, 0, "A-01").await?["entryId"], entry["id"]);
    Ok(())
}

#[tokio::test]
async fn what_was_counted_earlier_is_compared_with_what_was_known_then() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    crew.shop.receive(0, 1, 10).await?;
    let count = crew.started(json!({})).await?;
    app.clock.advance(chrono::Duration::seconds(60));
    let then = app.clock.now();
    app.clock.advance(chrono::Duration::seconds(60));
    let barcode = crew.shop.products[0]["barcodes"][0].clone();
    let line = json!({ "barcode": barcode, "from": "A-01", "to": "A-02", "quantity": 3 });
    let moves = json!({ "warehouseId": crew.shop.warehouse, "lines": [line] });
    crew.shop.client.post("/inventory/moves", moves).await?;
    let mut row = crew.row(0, "A-01", 9);
    row["countedAt"] = json!(then);
    crew.tells(&crew.counter, &count, &[row.clone()]).await?;
    let line = crew.line(&count, 0, "A-01").await?;
    assert_eq!((&line["expected"], &line["difference"]), (&json!(10), &json!(-1)));
    for wrong in [then - chrono::Duration::hours(1), then + chrono::Duration::hours(1)] {
        row["countedAt"] = json!(wrong);
        let body = json!({ "lines": [row] });
        let answer = crew.counter.ask(Method::POST, &format!("{count}/tallies"), Some(body)).await?;
        assert_eq!((answer.status.as_u16(), answer.body["field"].as_str()), (422, Some("lines.0.countedAt")));
    }
    // The moved ones were not at the start; they are counted where they lie now.
    crew.tells(&crew.counter, &count, &[crew.row(0, "A-02", 3)]).await?;
    crew.posted(&count).await?;
    assert_eq!(crew.lies(0).await?, [at("A-01", 6, 0), at("A-02", 3, 0)]);
    Ok(())
}

#[tokio::test]
async fn a_frozen_cell_gives_and_takes_nothing_and_serves_who_waited_when_it_is_let_go() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    let shop = &crew.shop;
    shop.receive(0, 1, 3).await?;
    let picked = shop.order(0)?;
    shop.sync("new_orders").await?;
    let (request, _) = shop.picking(&[picked]).await?;
    let barcode = text(&json!({ "code": shop.products[0]["barcodes"][0] }), "code")?;
    shop.scan(&request, "cell", "A-01").await?;
    let cells = json!([crew.cell("A-01").await?["id"], crew.cell("A-02").await?["id"]]);
    let count = crew.started(json!({ "freeze": true, "cellIds": cells })).await?;
    assert_eq!(crew.cell("A-01").await?["frozenCountId"], count.trim_start_matches("/counts/"));

    let scan = json!({ "kind": "item", "code": barcode });
    let words = shop.client.refused(&format!("/requests/{request}/scans"), scan, "cell_frozen").await?;
    assert!(words.contains("A-01") && words.contains("Пересчёт"), "{words}");
    for (from, to) in [("A-01", "A-03"), ("A-03", "A-02")] {
        let line = json!({ "barcode": barcode, "from": from, "to": to, "quantity": 1 });
        let moves = json!({ "warehouseId": shop.warehouse, "lines": [line] });
        shop.client.refused("/inventory/moves", moves, "cell_frozen").await?;
    }
    let line = json!({ "barcode": barcode, "cell": "A-02", "quantity": 1 });
    let receipt = json!({ "warehouseId": shop.warehouse, "number": "П-1", "lines": [line] });
    shop.client.refused("/inventory/receipts", receipt, "cell_frozen").await?;
    let waiting = shop.order(0)?;
    shop.sync("new_orders").await?;
    assert_eq!(shop.our(waiting).await?["status"], "out_of_stock", "nothing is reserved from a frozen cell");
    let product = text(&shop.products[0], "id")?;
    let balance = shop.client.get(&format!("/inventory?productId={product}")).await?["items"][0].clone();
    assert_eq!((&balance["onHand"], &balance["available"]), (&json!(3), &json!(0)), "nor is it there to be published");

    // The empty cell is let go when somebody has looked into it, the other one when it holds what was known.
    crew.counter.post(&format!("{count}/empty-cells"), json!({ "cell": "A-02" })).await?;
    assert!(crew.cell("A-02").await?.get("frozenCountId").is_none());
    crew.tells(&crew.counter, &count, &[crew.row(0, "A-01", 3)]).await?;
    assert!(crew.cell("A-01").await?.get("frozenCountId").is_none());
    app.run_jobs().await?;
    assert_eq!(shop.our(waiting).await?["status"], "reserved");
    shop.scan(&request, "item", &barcode).await?;
    assert_eq!(crew.posted(&count).await?["status"], "posted");
    assert_eq!(crew.lies(0).await?, [at("A-01", 2, 1), at("PACKING", 1, 1)]);
    Ok(())
}

#[tokio::test]
async fn a_count_that_is_called_off_lets_its_cells_go_and_leaves_the_ledger_as_it_is() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    let shop = &crew.shop;
    shop.receive(0, 1, 3).await?;
    let count = crew.started(json!({ "freeze": true })).await?;
    let waiting = shop.order(0)?;
    shop.sync("new_orders").await?;
    crew.tells(&crew.counter, &count, &[crew.row(0, "A-01", 1)]).await?;
    crew.planner.post(&format!("{count}/cancel"), json!({ "comment": "ошиблись складом" })).await?;
    app.run_jobs().await?;
    assert_eq!(shop.our(waiting).await?["status"], "reserved");
    assert_eq!(crew.lies(0).await?, [at("A-01", 3, 1)]);
    for step in ["start", "review", "approve", "cancel"] {
        shop.client.refused(&format!("{count}/{step}"), json!({}), "count_transition").await?;
    }
    let history = shop.client.get(&format!("{count}/history")).await?;
    let steps: Vec<_> = history["items"].as_array().context("a list")?.iter().map(|line| &line["toStatus"]).collect();
    assert_eq!(steps, ["planned", "counting", "cancelled"]);
    assert_eq!(history["items"][2]["comment"], "ошиблись складом");
    let again = crew.started(json!({})).await?;
    assert_eq!(shop.client.get(&again).await?["totals"]["lines"], 1, "its cells can be counted anew");
    Ok(())
}

#[tokio::test]
async fn whoever_planned_counted_or_reviewed_does_not_approve_nor_does_a_key_of_theirs() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    let boss = &crew.shop.client;
    crew.shop.receive(0, 1, 3).await?;
    let manager = async || anyhow::Ok(app.person(boss, "administrator", Reach::Enterprise).await?.client);
    let (planner, counter, reviewer) = (manager().await?, manager().await?, manager().await?);
    let key = |name: &str, permission: &str| json!({ "name": name, "permissions": [permission] });
    let (_, counting) = app.key(&counter, key("Сканер", "counts:work")).await?;
    let (_, approving) = app.key(&counter, key("Робот", "counts:approve")).await?;
    let id = text(&planner.post("/counts", crew.plan(&json!({}))).await?, "id")?;
    let count = format!("/counts/{id}");
    planner.post(&format!("{count}/start"), json!({})).await?;
    // What a key counts, its maker has counted.
    crew.tells(&counting, &count, &[crew.row(0, "A-01", 2)]).await?;
    reviewer.post(&format!("{count}/review"), json!({})).await?;
    reviewer.post(&format!("{count}/explanations"), json!({ "others": { "reason": "theft" } })).await?;
    let approve = format!("{count}/approve");
    for party in [&planner, &counter, &reviewer, &approving] {
        party.refused(&approve, json!({}), "four_eyes").await?;
    }
    let storekeeper = app.person(boss, "storekeeper", Reach::Enterprise).await?.client;
    let outcome = storekeeper.outcome(Method::POST, &approve, Some(json!({}))).await?;
    assert_eq!(outcome, (403, "forbidden".to_owned()));
    assert_eq!(boss.post(&approve, json!({})).await?["status"], "posted");
    assert_eq!(crew.lies(0).await?, [at("A-01", 2, 0)]);
    Ok(())
}

#[tokio::test]
async fn differences_are_counted_again_by_somebody_who_has_not_counted_them() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    crew.shop.receive(0, 1, 4).await?;
    crew.shop.receive(1, 1, 4).await?;
    let count = crew.started(json!({})).await?;
    crew.tells(&crew.counter, &count, &[crew.row(0, "A-01", 3), crew.row(1, "A-01", 4)]).await?;
    crew.planner.post(&format!("{count}/review"), json!({})).await?;
    let asked = crew.planner.post(&format!("{count}/recount"), json!({ "byAnother": true })).await?;
    assert_eq!((&asked["status"], &asked["round"]), (&json!("counting"), &json!(2)));
    let tell = |rows: Value| json!({ "mode": "each_row", "lines": rows });
    let path = format!("{count}/tallies");
    let rows = json!([crew.row(0, "A-01", 3), crew.row(1, "A-01", 4)]);
    let answer = crew.counter.post(&path, tell(rows)).await?;
    let problems: Vec<_> = (0..2).map(|row| answer["rows"][row]["problem"].as_str()).collect();
    assert_eq!(problems, [Some("count_recount_by_another"), Some("count_line_closed")]);
    crew.counter
        .refused(&format!("{count}/empty-cells"), json!({ "cell": "A-01" }), "count_recount_by_another")
        .await?;
    crew.tells(&crew.planner, &count, &[crew.row(0, "A-01", 4)]).await?;
    crew.planner.post(&format!("{count}/review"), json!({})).await?;
    crew.planner.refused(&format!("{count}/recount"), json!({}), "count_nothing_to_recount").await?;
    assert_eq!(crew.shop.client.post(&format!("{count}/approve"), json!({})).await?["status"], "posted");
    assert_eq!(crew.lies(0).await?, [at("A-01", 4, 0)]);
    let tallies = crew.shop.client.all(&format!("{count}/tallies")).await?;
    let told: Vec<_> = tallies.iter().map(|tally| (&tally["round"], &tally["quantity"])).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    Ok(())
}

#[tokio::test]
async fn what_two_people_count_differently_is_disputed_until_they_agree_or_it_is_recounted() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    crew.shop.receive(0, 1, 4).await?;
    let count = crew.started(json!({})).await?;
    let other = app.person(&crew.shop.client, "picker", Reach::Enterprise).await?.client;
    let disputed = async || anyhow::Ok(crew.line(&count, 0, "A-01").await?["disputed"] == true);
    crew.tells(&crew.counter, &count, &[crew.row(0, "A-01", 3)]).await?;
    crew.tells(&crew.counter, &count, &[crew.row(0, "A-01", 2)]).await?;
    assert!(!disputed().await?, "whoever counts again replaces what they said");
    crew.tells(&other, &count, &[crew.row(0, "A-01", 4)]).await?;
    assert!(disputed().await?);
    crew.tells(&other, &count, &[crew.row(0, "A-01", 2)]).await?;
    assert!(!disputed().await?);
    crew.tells(&other, &count, &[crew.row(0, "A-01", 4)]).await?;
    crew.planner.post(&format!("{count}/review"), json!({})).await?;
    crew.shop.client.refused(&format!("{count}/approve"), json!({}), "count_disputed").await?;
    let line = crew.line(&count, 0, "A-01").await?;
    crew.planner.post(&format!("{count}/recount"), json!({ "countLineIds": [line["id"]] })).await?;
    crew.tells(&other, &count, &[crew.row(0, "A-01", 4)]).await?;
    assert_eq!(crew.posted(&count).await?["status"], "posted");
    assert_eq!(crew.lies(0).await?, [at("A-01", 4, 0)]);
    Ok(())
}

#[tokio::test]
async fn approved_twice_at_once_it_is_posted_once() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    crew.shop.receive(0, 1, 9).await?;
    let count = crew.started(json!({})).await?;
    crew.tells(&crew.counter, &count, &[crew.row(0, "A-01", 5)]).await?;
    crew.reviewed(&count).await?;
    let other = app.person(&crew.shop.client, "manager", Reach::Enterprise).await?.client;
    let approve = format!("{count}/approve");
    let (one, two) = futures::try_join!(
        crew.shop.client.outcome(Method::POST, &approve, Some(json!({}))),
        other.outcome(Method::POST, &approve, Some(json!({})))
    )?;
    let mut outcomes = [one, two];
    outcomes.sort();
    assert_eq!(outcomes[0].0, 200);
    assert_eq!(outcomes[1], (409, "count_transition".to_owned()));
    assert_eq!(crew.lies(0).await?, [at("A-01", 5, 0)]);
    assert_eq!(app.count("SELECT count(*) FROM stock_entries WHERE kind = 'adjust'").await?, 1);
    Ok(())
}

#[tokio::test]
async fn nothing_is_posted_without_a_reason_for_every_difference_nor_while_something_is_uncounted() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    for product in 0..3 {
        crew.shop.receive(product, 1, 4).await?;
    }
    let count = crew.started(json!({})).await?;
    crew.tells(&crew.counter, &count, &[crew.row(0, "A-01", 5)]).await?;
    let review = format!("{count}/review");
    let words = crew.planner.refused(&review, json!({}), "count_uncounted").await?;
    assert!(words.starts_with("2 lines"), "{words}");
    crew.planner.post(&review, json!({ "uncounted": "keep" })).await?;
    let approve = format!("{count}/approve");
    crew.shop.client.refused(&approve, json!({}), "count_unexplained").await?;
    let explain = format!("{count}/explanations");
    let line = crew.line(&count, 0, "A-01").await?["id"].clone();
    let kept = crew.line(&count, 1, "A-01").await?["id"].clone();
    for (body, field) in [
        (json!({ "others": { "reason": "other" } }), "others.comment"),
        (json!({ "lines": [{ "countLineId": line, "reason": "other" }] }), "lines.0.comment"),
        (json!({ "lines": [{ "countLineId": kept, "reason": "lost" }] }), "lines"),
    ] {
        let answer = crew.planner.ask(Method::POST, &explain, Some(body)).await?;
        assert_eq!((answer.status.as_u16(), answer.body["field"].as_str()), (422, Some(field)));
    }
    let why = json!({ "lines": [{ "countLineId": line, "reason": "supplier_error", "comment": "пересорт" }] });
    crew.planner.post(&explain, why).await?;
    // The administrator does not believe it: what was kept is counted, too, and there is none of it.
    let rejected = crew.shop.client.post(&format!("{count}/reject"), json!({ "comment": "посчитайте всё" })).await?;
    assert_eq!((&rejected["status"], &rejected["totals"]["counted"]), (&json!("counting"), &json!(0)));
    crew.tells(&crew.counter, &count, &[crew.row(0, "A-01", 5), crew.row(1, "A-01", 4)]).await?;
    crew.planner.post(&review, json!({ "uncounted": "zero" })).await?;
    crew.planner.post(&explain, json!({ "others": { "reason": "found" } })).await?;
    let posted = crew.shop.client.post(&approve, json!({})).await?;
    let totals = &posted["totals"];
    assert_eq!((&totals["posted"], &totals["unitsPlus"], &totals["unitsMinus"]), (&json!(2), &json!(1), &json!(4)));
    assert_eq!(crew.lies(0).await?, [at("A-01", 5, 0)]);
    assert_eq!(crew.lies(1).await?, [at("A-01", 4, 0)]);
    assert!(crew.lies(2).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_nobody_expected_is_found_and_every_lot_stays_apart() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    let shop = &crew.shop;
    let lot = |code: &str| json!({ "code": code });
    let with = |row: Value, lot: Value| {
        let mut row = row;
        row["lot"] = lot;
        row
    };
    let lines = [with(crew.row(0, "A-01", 3), lot("L-1")), with(crew.row(0, "A-01", 3), lot("L-2"))];
    shop.client
        .post("/inventory/receipts", json!({ "warehouseId": shop.warehouse, "number": "П", "lines": lines }))
        .await?;
    let cell = crew.cell("A-01").await?["id"].clone();
    let count = crew.started(json!({ "cellIds": [cell] })).await?;
    let rows = [
        crew.row(0, "A-01", 3),
        with(crew.row(0, "A-01", 2), lot("L-1")),
        with(crew.row(0, "A-01", 3), lot("L-2")),
        with(crew.row(0, "A-01", 1), lot("L-3")),
        with(crew.row(0, "A-01", 1), lot("L-3")),
        crew.row(5, "A-01", 6),
        crew.row(5, "A-02", 6),
        crew.row(5, "PACKING", 6),
        json!({ "barcode": "0000", "cell": "A-01", "quantity": 1 }),
    ];
    let answer = crew.counter.post(&format!("{count}/tallies"), json!({ "lines": rows })).await?;
    let problems: Vec<_> =
        (0..rows.len()).map(|row| answer["rows"][row]["problem"].as_str().unwrap_or("done")).collect();
    assert_eq!(
        problems,
        [
            "lot_needed",
            "done",
            "done",
            "done",
            "count_row_twice",
            "done",
            "count_outside",
            "cell_of_packing",
            "barcode_unknown"
        ]
    );
    crew.posted(&count).await?;
    let product = text(&shop.products[0], "id")?;
    let mut lots: Vec<_> = shop.client.all(&format!("/inventory?productId={product}")).await?;
    lots.sort_by_key(|row| row["lot"].to_string());
    let lots: Vec<_> = lots.iter().map(|row| (row["lot"].as_str(), row["onHand"].as_i64())).collect();
    assert_eq!(lots, [(Some("L-1"), Some(2)), (Some("L-2"), Some(3)), (Some("L-3"), Some(1))]);
    assert_eq!(crew.lies(5).await?, [at("A-01", 6, 0)]);
    Ok(())
}

#[tokio::test]
async fn missing_units_are_given_back_by_the_youngest_orders_which_get_other_stock_or_wait() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    let shop = &crew.shop;
    shop.receive(0, 1, 3).await?;
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(shop.order(0)?);
        app.clock.advance(chrono::Duration::seconds(5));
        shop.sync("new_orders").await?;
    }
    // The youngest is being picked already, and one more unit lies elsewhere by now.
    let (request, _) = shop.picking(&orders[2..]).await?;
    shop.receive(0, 2, 1).await?;
    let cell = crew.cell("A-01").await?["id"].clone();
    let count = crew.started(json!({ "cellIds": [cell] })).await?;
    crew.tells(&crew.counter, &count, &[crew.row(0, "A-01", 1)]).await?;
    crew.posted(&count).await?;
    let mut statuses = Vec::new();
    for order in &orders {
        statuses.push(text(&shop.our(*order).await?, "status")?);
    }
    assert_eq!(statuses, ["reserved", "reserved", "out_of_stock"]);
    assert_eq!(crew.lies(0).await?, [at("A-01", 1, 1), at("A-02", 1, 1)]);
    let lines = shop.client.get(&format!("/requests/{request}/lines")).await?;
    assert_eq!(lines["items"][0]["status"], "cancelled", "nobody looks for what is not there");
    shop.receive(0, 3, 1).await?;
    assert_eq!(shop.our(orders[2]).await?["status"], "reserved");
    Ok(())
}

#[tokio::test]
async fn a_bundle_of_which_a_part_is_missing_gives_back_the_others_and_is_picked_anew_later() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    let shop = &crew.shop;
    let part = |product: usize| json!({ "productId": shop.products[product]["id"], "quantity": 1 });
    let set = format!("/products/{}", text(&shop.products[0], "id")?);
    shop.client.patch(&set, json!({ "components": [part(1), part(2)] })).await?;
    shop.receive(1, 1, 1).await?;
    shop.receive(2, 2, 1).await?;
    let number = shop.order(0)?;
    shop.sync("new_orders").await?;
    let (request, lines) = shop.picking(&[number]).await?;
    shop.scan(&request, "cell", "A-01").await?;
    shop.scan(&request, "item", lines[0]["barcodes"][0].as_str().context("a barcode")?).await?;

    let cell = crew.cell("A-02").await?["id"].clone();
    let count = crew.started(json!({ "cellIds": [cell] })).await?;
    crew.tells(&crew.counter, &count, &[crew.row(2, "A-02", 0)]).await?;
    crew.posted(&count).await?;
    assert_eq!(shop.our(number).await?["status"], "out_of_stock");
    assert!(shop.client.all("/inventory/reservations").await?.is_empty());
    let back = shop.client.get("/requests?type=stock_move").await?;
    let back = text(&back["items"][0], "id")?;
    shop.client.post(&format!("/requests/{back}/status"), json!({ "status": "in_progress" })).await?;
    shop.scan(&back, "cell", "A-01").await?;
    shop.scan(&back, "item", lines[0]["barcodes"][0].as_str().context("a barcode")?).await?;

    shop.receive(2, 3, 1).await?;
    app.run_jobs().await?;
    assert_eq!(shop.our(number).await?["status"], "reserved");
    let (request, lines) = shop.picking(&[number]).await?;
    assert_eq!(lines.len(), 2);
    for line in &lines {
        shop.scan(&request, "cell", &text(line, "cell")?).await?;
        shop.scan(&request, "item", line["barcodes"][0].as_str().context("a barcode")?).await?;
    }
    assert_eq!(shop.our(number).await?["status"], "picked");
    assert_eq!(crew.lies(1).await?, [at("PACKING", 1, 1)]);
    Ok(())
}

#[tokio::test]
async fn what_is_kept_by_hand_is_not_counted_away() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    let shop = &crew.shop;
    shop.receive(0, 1, 3).await?;
    let line = json!({ "barcode": shop.products[0]["barcodes"][0], "cell": "A-01", "quantity": 2, "reason": "damage" });
    let held = shop.client.post("/inventory/holds", json!({ "warehouseId": shop.warehouse, "lines": [line] })).await?;
    let count = crew.started(json!({})).await?;
    crew.tells(&crew.counter, &count, &[crew.row(0, "A-01", 1)]).await?;
    crew.reviewed(&count).await?;
    let approve = format!("{count}/approve");
    let answer = shop.client.ask(Method::POST, &approve, Some(json!({}))).await?;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "not_enough_stock"));
    let words = answer.body["rows"][0]["detail"].as_str().unwrap_or_default();
    assert!(words.contains("A-01") && words.contains("1 of them are on hold"), "{words}");
    assert_eq!(shop.client.get(&count).await?["status"], "review", "nothing is done");
    let ids = json!({ "warehouseId": shop.warehouse, "ids": [held["rows"][0]["parts"][0]["id"]] });
    shop.client.post("/inventory/holds/release", ids).await?;
    assert_eq!(shop.client.post(&approve, json!({})).await?["status"], "posted");
    assert_eq!(crew.lies(0).await?, [at("A-01", 1, 0)]);
    Ok(())
}

#[tokio::test]
async fn a_cell_is_counted_by_one_count_at_a_time_and_not_corrected_by_hand_meanwhile() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    let shop = &crew.shop;
    shop.receive(0, 1, 3).await?;
    shop.receive(1, 1, 3).await?;
    let product = shop.products[0]["id"].clone();
    let first = crew.started(json!({ "productIds": [product], "name": "Первый" })).await?;
    let second = text(&crew.planner.post("/counts", crew.plan(&json!({}))).await?, "id")?;
    let words = crew.planner.refused(&format!("/counts/{second}/start"), json!({}), "cell_under_count").await?;
    assert!(words.contains("A-01") && words.contains("Первый"), "{words}");
    let line = |product: usize| json!({ "barcode": shop.products[product]["barcodes"][0], "cell": "A-01", "change": 1, "reason": "found" });
    let adjusted = |product: usize| json!({ "warehouseId": shop.warehouse, "lines": [line(product)] });
    shop.client.refused("/inventory/adjustments", adjusted(0), "cell_under_count").await?;
    shop.client.post("/inventory/adjustments", adjusted(1)).await?;
    // A count of a product finds it in every cell, and nothing else.
    let rows = json!({ "lines": [crew.row(0, "A-03", 2), crew.row(1, "A-01", 3)] });
    let answer = crew.counter.post(&format!("{first}/tallies"), rows).await?;
    assert_eq!((&answer["rows"][0]["done"], &answer["rows"][1]["problem"]), (&json!(true), &json!("count_outside")));
    crew.tells(&crew.counter, &first, &[crew.row(0, "A-01", 1)]).await?;
    crew.posted(&first).await?;
    assert_eq!(crew.lies(0).await?, [at("A-01", 1, 0), at("A-03", 2, 0)]);
    crew.planner.post(&format!("/counts/{second}/start"), json!({})).await?;
    let words = shop.client.refused("/inventory/adjustments", adjusted(1), "cell_under_count").await?;
    assert!(words.contains("Пересчёт"), "{words}");
    Ok(())
}

#[tokio::test]
async fn items_are_scanned_one_by_one_by_several_people_each_at_their_own_cell() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    crew.shop.receive(0, 1, 3).await?;
    crew.shop.receive(0, 2, 1).await?;
    let count = crew.started(json!({})).await?;
    let path = format!("{count}/scans");
    let barcode = crew.shop.products[0]["barcodes"][0].clone();
    let scan = |kind: &str, code: &Value| json!({ "kind": kind, "code": code });
    crew.counter.refused(&path, scan("item", &barcode), "cell_not_scanned").await?;
    crew.counter.refused(&path, scan("cell", &json!("Z-99")), "cell_unknown").await?;
    crew.counter.post(&path, scan("cell", &json!("A-01"))).await?;
    crew.planner.post(&path, scan("cell", &json!("A-02"))).await?;
    for said in 1..=3 {
        let scanned = crew.counter.post(&path, scan("item", &barcode)).await?;
        assert_eq!((&scanned["cell"], &scanned["counted"]), (&json!("A-01"), &json!(said)));
    }
    let scanned = crew.planner.post(&path, scan("item", &barcode)).await?;
    assert_eq!((&scanned["cell"], &scanned["counted"]), (&json!("A-02"), &json!(1)));
    crew.counter.refused(&path, scan("item", &json!("0000")), "barcode_unknown").await?;
    let totals = crew.shop.client.get(&count).await?["totals"].clone();
    assert_eq!((&totals["progress"], &totals["different"]), (&json!(100), &json!(0)));
    Ok(())
}

#[tokio::test]
async fn a_request_asks_to_count_and_goes_where_its_count_goes() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    let shop = &crew.shop;
    shop.receive(0, 1, 3).await?;
    let own = app.person(&shop.client, "picker", Reach::Own).await?;
    let stranger = app.person(&shop.client, "picker", Reach::Own).await?.client;
    let planned = crew.planner.post("/counts", crew.plan(&json!({ "assigneeId": own.id }))).await?;
    let (count, request) = (format!("/counts/{}", text(&planned, "id")?), text(&planned, "requestId")?);
    let request = format!("/requests/{request}");
    let shown = own.client.get(&request).await?;
    assert_eq!((&shown["type"], &shown["status"]), (&json!("stock_count"), &json!("assigned")));
    assert_eq!(stranger.outcome(Method::GET, &count, None).await?, (404, "not_found".to_owned()));
    let to = |status: &str| json!({ "status": status, "comment": "пора" });
    let steps = format!("{request}/status");
    crew.planner.post(&steps, to("in_progress")).await?;
    assert_eq!(own.client.get(&request).await?["openLines"], 1);
    crew.planner.refused(&steps, to("in_review"), "count_uncounted").await?;
    crew.tells(&own.client, &count, &[crew.row(0, "A-01", 1)]).await?;
    crew.planner.post(&steps, to("in_review")).await?;
    crew.planner.post(&format!("{count}/explanations"), json!({ "others": { "reason": "damaged" } })).await?;
    shop.client.post(&steps, to("rejected")).await?;
    assert_eq!(shop.client.get(&request).await?["status"], "in_progress");
    crew.tells(&own.client, &count, &[crew.row(0, "A-01", 2)]).await?;
    crew.planner.post(&steps, to("in_review")).await?;
    crew.planner.post(&format!("{count}/explanations"), json!({ "others": { "reason": "damaged" } })).await?;
    assert_eq!(shop.client.post(&steps, to("completed")).await?["status"], "completed");
    assert_eq!(shop.client.get(&count).await?["status"], "posted");
    assert_eq!(crew.lies(0).await?, [at("A-01", 2, 0)]);
    shop.client.refused(&steps, to("completed"), "request_transition").await?;
    assert_eq!(app.count("SELECT count(*) FROM stock_entries WHERE kind = 'adjust'").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_plan_is_changed_until_it_starts_and_names_what_is_there() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    let second = crew.shop.second_warehouse().await?;
    let cell = crew.cell("A-01").await?["id"].clone();
    let theirs =
        crew.shop.client.get(&format!("/warehouses/{}/cells", second.warehouse)).await?["items"][0]["id"].clone();
    let packing = crew.cell("PACKING").await?["id"].clone();
    let answer =
        crew.planner.ask(Method::POST, "/counts", Some(crew.plan(&json!({ "cellIds": [cell, theirs] })))).await?;
    assert_eq!((answer.status.as_u16(), answer.body["field"].as_str()), (422, Some("cellIds")));
    let both = json!({ "cellIds": [cell], "productIds": [crew.shop.products[0]["id"]] });
    assert_eq!(crew.planner.outcome(Method::POST, "/counts", Some(crew.plan(&both))).await?.0, 422);
    let id = text(&crew.planner.post("/counts", crew.plan(&json!({ "comment": "раз" }))).await?, "id")?;
    let count = format!("/counts/{id}");
    let change = json!({ "name": "Ячейка", "comment": null, "cellIds": [cell], "blind": true });
    let changed = crew.planner.patch(&count, change).await?;
    assert_eq!((&changed["scope"], &changed["cellIds"]), (&json!("cells"), &json!([cell])));
    assert!(changed.get("comment").is_none() && changed["blind"] == true && changed["version"] == 2);
    let zone = json!({ "name": "Пустая", "purpose": "storage" });
    let zone = text(&crew.shop.client.post(&format!("/warehouses/{}/zones", crew.shop.warehouse), zone).await?, "id")?;
    crew.planner.patch(&count, json!({ "zoneIds": [zone] })).await?;
    crew.planner.refused(&format!("{count}/start"), json!({}), "count_empty").await?;
    crew.shop.client.delete(&format!("/zones/{zone}")).await?;
    crew.planner.refused(&format!("{count}/start"), json!({}), "count_empty").await?;
    let refused = crew.planner.ask(Method::PATCH, &count, Some(json!({ "cellIds": [packing] }))).await?;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "cell_of_packing"));
    crew.planner.patch(&count, json!({ "cellIds": [cell] })).await?;
    crew.planner.post(&format!("{count}/start"), json!({})).await?;
    let late = crew.planner.ask(Method::PATCH, &count, Some(json!({ "name": "Поздно" }))).await?;
    assert_eq!((late.status.as_u16(), late.code()), (409, "count_transition"));
    Ok(())
}

/// So many cells of their own with three units of the first product in each; answers with their codes.
async fn many_cells(crew: &Crew<'_>, count: usize) -> Result<Vec<String>> {
    let enterprise = enterprise_of(&crew.shop.client).await?;
    let codes: Vec<_> = (0..count).map(|number| format!("Б-{number:05}")).collect();
    let mut admin = crew.shop.app.admin_in(&enterprise).await?;
    sqlx::query(
        "WITH made AS (INSERT INTO cells (enterprise_id, id, warehouse_id, code, purpose, pick_sequence, created_at)
                       SELECT $1::uuid, gen_random_uuid(), $2::uuid, code, 'storage', 1000, now() FROM unnest($3::text[]) AS code
                       RETURNING id)
         INSERT INTO stock_entries (enterprise_id, id, product_id, lot_id, from_outside, to_cell_id, quantity, kind, actor, occurred_at)
         SELECT $1::uuid, gen_random_uuid(), $4::uuid, $4::uuid, 'adjustment', id, 3, 'adjust', 'platform', now() FROM made",
    )
    .bind(&enterprise)
    .bind(&crew.shop.warehouse)
    .bind(&codes)
    .bind(text(&crew.shop.products[0], "id")?)
    .execute(&mut admin)
    .await?;
    Ok(codes)
}

#[tokio::test]
async fn a_large_count_is_posted_page_by_page_each_line_once_and_comes_back_with_what_could_not_be() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    let boss = &crew.shop.client;
    let codes = many_cells(&crew, 620).await?;
    let count = crew.started(json!({})).await?;
    let rows: Vec<_> = codes.iter().map(|code| crew.row(0, code, 4)).collect();
    crew.tells(&crew.counter, &count, &rows).await?;
    crew.reviewed(&count).await?;
    let cell = crew.cell(&codes[600]).await?["id"].clone();
    let cells = format!("/warehouses/{}/cells", crew.shop.warehouse);
    boss.post(&format!("{cells}/block"), json!({ "cellIds": [cell], "reason": "мокро" })).await?;
    assert_eq!(boss.post(&format!("{count}/approve"), json!({})).await?["status"], "posting");
    app.run_jobs().await?;
    let back = boss.get(&count).await?;
    assert_eq!(
        (&back["status"], &back["totals"]["posted"], &back["totals"]["problems"]),
        (&json!("review"), &json!(619), &json!(1))
    );
    let problem = boss.all(&format!("{count}/lines?state=problem")).await?;
    assert!(problem[0]["problem"].as_str().unwrap_or_default().contains("мокро"), "{problem:?}");
    boss.post(&format!("{cells}/unblock"), json!({ "cellIds": [cell] })).await?;
    assert_eq!(boss.post(&format!("{count}/approve"), json!({})).await?["status"], "posted");
    let units: i64 = crew.lies(0).await?.iter().map(|(_, on_hand, _)| on_hand).sum();
    assert_eq!(units, 4 * 620);
    let entries = "SELECT count(*) FROM stock_entries WHERE document_id IS NOT NULL";
    assert_eq!(app.count(entries).await?, 620);
    Ok(())
}

#[tokio::test]
async fn a_warehouse_of_twenty_thousand_cells_is_frozen_counted_and_let_go() -> Result<()> {
    let app = TestApp::start().await?;
    let crew = Crew::gather(&app).await?;
    many_cells(&crew, 20_000).await?;
    let began = std::time::Instant::now();
    let count = crew.started(json!({ "freeze": true })).await?;
    let started = began.elapsed();
    let totals = crew.shop.client.get(&count).await?["totals"].clone();
    assert_eq!(
        (&totals["lines"], &totals["cells"], &totals["frozenCells"]),
        (&json!(20_000), &json!(20_004), &json!(20_004))
    );
    let began = std::time::Instant::now();
    crew.planner.post(&format!("{count}/cancel"), json!({})).await?;
    println!("20000 cells: started in {started:?}, let go in {:?}", began.elapsed());
    assert_eq!(crew.shop.client.get(&count).await?["totals"]["frozenCells"], 0);
    Ok(())
}
