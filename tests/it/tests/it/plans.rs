//! Questions to a ledger of some size are answered from its indexes, under row security, as the API's role asks them; and
//! no page reads the whole of it. What is explained is what the product asked, word by word.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use anyhow::{Result, ensure};
use chrono::{Duration, Utc};
use it::TestApp;
use shared::access::Actor;
use shared::db::EnterpriseTx;
use shared::ids::{CellId, EnterpriseId, ProductId, WarehouseId};
use shared::inventory::{self, BalanceFilter, EntryFilter, EntryKind, Grouping, InTransitFilter, Scope};
use shared::page::PageQuery;
use sqlx::{AssertSqlSafe, PgConnection};
use stack::Role;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use uuid::Uuid;

const ENTERPRISE: &str = "00000000-0000-0000-0000-0000000000e1";

async fn run(connection: &mut PgConnection, statement: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await?;
    Ok(())
}

/// Four thousand balances with ten entries each; of what was ever kept, every hundredth still is.
async fn filled(app: &TestApp) -> Result<()> {
    let mut admin = app.admin().await?;
    run(
        &mut admin,
        &format!(
            "SET session_replication_role = replica;
             INSERT INTO enterprises (id, name, created_at) VALUES ('{ENTERPRISE}', 'Большая', now());
             INSERT INTO warehouses (enterprise_id, id, name, created_at) VALUES ('{ENTERPRISE}', md5('w')::uuid, 'Склад', now());
             INSERT INTO warehouses (enterprise_id, id, name, created_at) VALUES ('{ENTERPRISE}', md5('w2')::uuid, 'Пустой', now());
             INSERT INTO products (enterprise_id, id, sku, name, created_at, changed_at)
             SELECT '{ENTERPRISE}', md5('p' || n)::uuid, 'S' || n, 'Товар', now(), now() FROM generate_series(0, 399) AS n;
             INSERT INTO lots (enterprise_id, product_id, id, created_at) SELECT enterprise_id, id, id, created_at FROM products;
             INSERT INTO cells (enterprise_id, id, warehouse_id, code, purpose, pick_sequence, created_at)
             SELECT '{ENTERPRISE}', md5('c' || n)::uuid, md5('w')::uuid, 'Я-' || n, 'storage', n, now() FROM generate_series(0, 199) AS n;
             INSERT INTO balances (enterprise_id, cell_id, product_id, lot_id, on_hand, since)
             SELECT '{ENTERPRISE}', md5('c' || n)::uuid, md5('p' || (n * 20 + k) % 400)::uuid, md5('p' || (n * 20 + k) % 400)::uuid, 20, now()
             FROM generate_series(0, 199) AS n, generate_series(0, 19) AS k;
             INSERT INTO stock_entries (enterprise_id, id, product_id, lot_id, from_outside, from_cell_id, to_cell_id, to_outside, quantity, kind, actor, occurred_at)
             SELECT '{ENTERPRISE}', gen_random_uuid(), md5('p' || (n * 20 + k) % 400)::uuid, md5('p' || (n * 20 + k) % 400)::uuid,
                    CASE WHEN i < 5 THEN 'supplier' END, CASE WHEN i >= 5 THEN md5('c' || n)::uuid END,
                    CASE WHEN i < 5 THEN md5('c' || n)::uuid END, CASE WHEN i >= 5 THEN 'adjustment' END,
                    CASE WHEN i < 5 THEN 6 ELSE 2 END, CASE WHEN i < 5 THEN 'receipt' ELSE 'adjust' END,
                    'user:' || n, now() - random() * interval '100 days'
             FROM generate_series(0, 199) AS n, generate_series(0, 19) AS k, generate_series(0, 9) AS i;
             INSERT INTO reservations (enterprise_id, id, order_id, product_id, lot_id, cell_id, quantity, status, created_at, ended_at)
             SELECT '{ENTERPRISE}', md5('r' || n)::uuid, md5('o' || n)::uuid, md5('p' || n % 400)::uuid, md5('p' || n % 400)::uuid,
                    md5('c' || n % 200)::uuid, 1, CASE WHEN n % 100 = 0 THEN 'active' ELSE 'consumed' END, now(),
                    CASE WHEN n % 100 > 0 THEN now() END
             FROM generate_series(1, 20000) AS n;
             INSERT INTO holds (enterprise_id, id, product_id, lot_id, cell_id, quantity, reason, status, created_at, ended_at, document_id)
             SELECT '{ENTERPRISE}', md5('h' || n)::uuid, md5('p' || n % 400)::uuid, md5('p' || n % 400)::uuid, md5('c' || n % 200)::uuid, 1,
                    'damage', CASE WHEN n % 100 = 0 THEN 'active' ELSE 'released' END, now(), CASE WHEN n % 100 > 0 THEN now() END,
                    md5('d' || n)::uuid
             FROM generate_series(1, 20000) AS n;"
        ),
    )
    .await?;
    for table in ["cells", "lots", "balances", "stock_entries", "reservations", "holds"] {
        run(&mut admin, &format!("VACUUM ANALYZE {table}")).await?;
    }
    Ok(())
}

/// What is asked of the database on this thread.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Asked {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut statement = Statement::default();
            event.record(&mut statement);
            let Statement { summary, whole } = statement;
            self.0.lock().expect("nobody panicked").push(if whole.trim().is_empty() { summary } else { whole });
        }
    }
}

/// As sqlx tells it: a short one is its own summary.
#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl Asked {
    /// What has been asked of the ledger and its balances since the last time.
    fn take(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.0.lock().expect("nobody panicked"));
        asked.retain(|sql| {
            ["FROM balances", "FROM stock_entries", "JOIN stock_entries"].iter().any(|table| sql.contains(table))
        });
        asked.retain(|sql| {
            ["SELECT", "WITH"].iter().any(|word| sql.trim_start().starts_with(word)) && !sql.contains("UPDATE ")
        });
        asked
    }
}

/// How it would be answered whatever is asked for, where every index is used that can be.
async fn plan(api: &mut PgConnection, sql: &str) -> Result<String> {
    let places =
        (1..=40).take_while(|place| sql.contains(&format!("${place}"))).map(|_| "NULL").collect::<Vec<_>>().join(", ");
    run(api, &format!("PREPARE asked AS {sql}")).await?;
    let given = if places.is_empty() { String::new() } else { format!("({places})") };
    let lines: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN (COSTS OFF) EXECUTE asked{given}")))
        .fetch_all(&mut *api)
        .await?;
    run(api, "DEALLOCATE asked").await?;
    Ok(lines.join("\n"))
}

struct World {
    app: TestApp,
    asked: Asked,
    api: PgConnection,
}

impl World {
    async fn open(app: TestApp, asked: Asked) -> Result<Self> {
        filled(&app).await?;
        let mut api = app.as_role(Role::Api).await?;
        run(&mut api, &format!("SET app.enterprise_id = '{ENTERPRISE}'")).await?;
        run(&mut api, "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_sort = off")
            .await?;
        Ok(Self { app, asked, api })
    }

    async fn begin(&self) -> Result<EnterpriseTx> {
        let actor = Actor::job(EnterpriseId(ENTERPRISE.parse()?), "inventory.prove_stock");
        let tx = self.app.ctx.db.begin(&actor).await?;
        self.asked.take();
        Ok(tx)
    }

    /// What was asked just now is answered from these indexes, and nothing is read from end to end.
    async fn stands_on(&mut self, what: &str, indexes: &[&str]) -> Result<()> {
        let asked = self.asked.take();
        ensure!(!asked.is_empty(), "{what}: nothing was asked");
        let mut plans = Vec::new();
        for sql in &asked {
            plans.push(format!("{sql}\n{}", plan(&mut self.api, sql).await?));
        }
        let plans = plans.join("\n\n");
        for index in indexes {
            assert!(plans.contains(&format!("using {index} ")), "{what}: {index}\n{plans}");
        }
        for table in ["stock_entries", "balances"] {
            assert!(!plans.contains(&format!("Seq Scan on {table}")), "{what}\n{plans}");
        }
        Ok(())
    }
}

fn page(limit: i64, after: Option<String>) -> Result<PageQuery> {
    Ok(PageQuery::new(Some(limit), after)?)
}

async fn named(api: &mut PgConnection, what: &str) -> Result<Uuid> {
    Ok(sqlx::query_scalar("SELECT md5($1)::uuid").bind(what).fetch_one(api).await?)
}

#[tokio::test]
async fn questions_are_answered_from_their_indexes_and_pages_stop_early() -> Result<()> {
    let asked = Asked::default();
    let app = TestApp::start().await?;
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(asked.clone()));
    let mut world = World::open(app, asked).await?;
    let cell = CellId(named(&mut world.api, "c7").await?);
    let product = ProductId(named(&mut world.api, "p150").await?);

    for (by, index, of_transfers) in [
        (Grouping::Lot, "balances_pkey", None),
        (Grouping::Cell, "balances_pkey", None),
        (Grouping::Warehouse, "balances_product_idx", Some("stock_entries_transfer_idx")),
        (Grouping::Product, "balances_product_idx", Some("stock_entries_transfer_idx")),
    ] {
        let mut tx = world.begin().await?;
        let now = inventory::balances(&mut tx, by, &BalanceFilter::default(), &page(50, None)?).await?;
        assert_eq!(now.items.len(), 50);
        let indexes: Vec<_> = [index].into_iter().chain(of_transfers).collect();
        world.stands_on("balances", &indexes).await?;
        let week = Utc::now() - Duration::days(7);
        inventory::past(&mut tx, week, by, &BalanceFilter::default(), &page(50, None)?).await?;
        world.stands_on("past", &[index, "stock_entries_in_idx", "stock_entries_out_idx"]).await?;
    }

    let of = EntryFilter::default;
    for (what, filter, indexes) in [
        ("everything", of(), &["stock_entries_time_idx"][..]),
        ("a product", EntryFilter { product_id: Some(product), ..of() }, &["stock_entries_product_time_idx"]),
        (
            "a cell",
            EntryFilter { cell_id: Some(cell), ..of() },
            &["stock_entries_in_time_idx", "stock_entries_out_time_idx"],
        ),
        ("an actor", EntryFilter { actor: Some("user:7".to_owned()), ..of() }, &["stock_entries_actor_idx"]),
        ("a kind", EntryFilter { kind: Some(EntryKind::Receipt), ..of() }, &["stock_entries_kind_idx"]),
    ] {
        let mut tx = world.begin().await?;
        let entries = inventory::entries(&mut tx, &filter, &page(50, None)?).await?;
        assert_eq!(entries.items.len(), 50, "{what}");
        // What was there before and after is counted from the same indexes, place by place.
        world.stands_on(what, &[indexes, &["stock_entries_in_idx", "stock_entries_out_idx"]].concat()).await?;
    }

    let mut tx = world.begin().await?;
    inventory::in_transit(&mut tx, &InTransitFilter::default(), &page(50, None)?).await?;
    world.stands_on("in transit", &["stock_entries_transfer_idx"]).await?;
    inventory::changes(&mut tx, &page(50, None)?).await?;
    world.stands_on("the feed", &["balances_number_key"]).await?;
    inventory::prove_changed(&mut tx, 50).await?;
    inventory::prove_next(&mut tx, Scope::Whole, 50).await?;
    world.stands_on("the proof", &["balances_unchecked_idx", "stock_entries_in_idx", "stock_entries_out_idx"]).await
}

#[tokio::test]
async fn no_page_reads_the_whole_ledger_for_what_is_not_there() -> Result<()> {
    let app = TestApp::start().await?;
    let world = World::open(app, Asked::default()).await?;
    let mut api = world.app.as_role(Role::Api).await?;
    let empty = WarehouseId(named(&mut api, "w2").await?);
    let filter = EntryFilter { warehouse_id: Some(empty), ..EntryFilter::default() };
    let (mut after, mut pages) = (None, 0);
    loop {
        let mut tx = world.begin().await?;
        let page = inventory::entries(&mut tx, &filter, &page(50, after)?).await?;
        assert!(page.items.is_empty());
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3, "twenty thousand of forty thousand entries are looked at at once");

    let mut tx = world.begin().await?;
    let before = Utc::now() - Duration::days(3000);
    let past = inventory::past(&mut tx, before, Grouping::Lot, &BalanceFilter::default(), &page(50, None)?).await?;
    assert!(past.items.is_empty() && past.next.is_some(), "fifty places are looked at, and then the next ones");
    Ok(())
}

#[tokio::test]
async fn what_uses_a_product_is_found_by_the_product() -> Result<()> {
    let app = TestApp::start().await?;
    filled(&app).await?;
    let mut admin = app.admin().await?;
    let lines = "md5('r' || n % 500)::uuid, md5('o' || n)::uuid, md5('p' || n % 400)::uuid, md5('c1')::uuid";
    run(
        &mut admin,
        &format!(
            "SET session_replication_role = replica;
             INSERT INTO pick_lines (enterprise_id, id, request_id, order_id, product_id, cell_id, position)
             SELECT '{ENTERPRISE}', gen_random_uuid(), {lines}, n FROM generate_series(1, 20000) AS n;
             INSERT INTO move_lines (enterprise_id, id, request_id, order_id, product_id, from_cell_id, to_cell_id, lot_id, quantity)
             SELECT '{ENTERPRISE}', gen_random_uuid(), {lines}, md5('c2')::uuid, md5('p' || n % 400)::uuid, 1 FROM generate_series(1, 20000) AS n;
             INSERT INTO reservations (enterprise_id, id, product_id, lot_id, cell_id, order_id, quantity, status, created_at)
             SELECT '{ENTERPRISE}', gen_random_uuid(), md5('p' || n % 400)::uuid, md5('p' || n % 400)::uuid, md5('c1')::uuid, md5('x' || n)::uuid, 1,
                    'active', now() FROM generate_series(1, 20000) AS n;
             INSERT INTO receipt_sheet_lines (enterprise_id, id, sheet_id, product_id, lot_id, expected)
             SELECT '{ENTERPRISE}', gen_random_uuid(), md5('s' || n)::uuid, md5('p' || n % 400)::uuid, md5('p' || n % 400)::uuid, 1
             FROM generate_series(1, 20000) AS n;
             INSERT INTO transfer_lines (enterprise_id, id, transfer_id, product_id, quantity)
             SELECT '{ENTERPRISE}', gen_random_uuid(), md5('t' || n % 500)::uuid, md5('p' || n % 400)::uuid, 1 FROM generate_series(1, 20000) AS n;
             INSERT INTO count_targets (enterprise_id, count_id, position, product_id)
             SELECT '{ENTERPRISE}', md5('k' || n)::uuid, 1, md5('p' || n % 400)::uuid FROM generate_series(1, 20000) AS n;
             INSERT INTO count_lines (enterprise_id, id, count_id, cell_id, product_id, lot_id, round, expected_at_start, expected)
             SELECT '{ENTERPRISE}', gen_random_uuid(), md5('k' || n)::uuid, md5('c1')::uuid, md5('p' || n % 400)::uuid, md5('p' || n % 400)::uuid, 1, 1, 1
             FROM generate_series(1, 20000) AS n;"
        ),
    )
    .await?;
    let tables = [
        "pick_lines",
        "move_lines",
        "reservations",
        "receipt_sheet_lines",
        "transfer_lines",
        "count_targets",
        "count_lines",
    ];
    for table in tables {
        run(&mut admin, &format!("VACUUM ANALYZE {table}")).await?;
    }
    let mut api = app.as_role(Role::Api).await?;
    run(&mut api, &format!("SET app.enterprise_id = '{ENTERPRISE}'")).await?;
    for (index, query) in [
        (
            "pick_lines_product_idx",
            "SELECT request_id FROM pick_lines WHERE product_id = ANY(ARRAY[md5('p150')::uuid])",
        ),
        (
            "move_lines_product_idx",
            "SELECT request_id FROM move_lines WHERE product_id = ANY(ARRAY[md5('p150')::uuid])",
        ),
        (
            "reservations_active_product_idx",
            "SELECT quantity FROM reservations WHERE product_id = ANY(ARRAY[md5('p150')::uuid]) AND status = 'active'",
        ),
        (
            "receipt_sheet_lines_product_idx",
            "SELECT sheet_id FROM receipt_sheet_lines WHERE product_id = ANY(ARRAY[md5('p150')::uuid])",
        ),
        (
            "transfer_lines_product_idx",
            "SELECT transfer_id FROM transfer_lines WHERE product_id = ANY(ARRAY[md5('p150')::uuid])",
        ),
        (
            "count_targets_product_idx",
            "SELECT count_id FROM count_targets WHERE product_id = ANY(ARRAY[md5('p150')::uuid])",
        ),
        (
            "count_lines_product_idx",
            "SELECT count_id FROM count_lines WHERE product_id = ANY(ARRAY[md5('p150')::uuid])",
        ),
    ] {
        let plan = plan(&mut api, query).await?;
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{query}\n{plan}");
    }
    Ok(())
}
