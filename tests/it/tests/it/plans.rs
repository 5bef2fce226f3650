//! Questions to a ledger of some size are answered from its indexes, under row security, as the API's role asks them.

use anyhow::Result;
use it::TestApp;
use sqlx::{AssertSqlSafe, PgConnection};
use stack::Role;

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
             INSERT INTO products (enterprise_id, id, sku, name, created_at, changed_at)
             SELECT '{ENTERPRISE}', md5('p' || n)::uuid, 'S' || n, 'Товар', now(), now() FROM generate_series(0, 399) AS n;
             INSERT INTO lots (enterprise_id, product_id, id, created_at) SELECT enterprise_id, id, id, created_at FROM products;
             INSERT INTO cells (enterprise_id, id, warehouse_id, code, purpose, pick_sequence, created_at)
             SELECT '{ENTERPRISE}', md5('c' || n)::uuid, md5('w')::uuid, 'Я-' || n, 'storage', n, now() FROM generate_series(0, 199) AS n;
             INSERT INTO balances (enterprise_id, cell_id, product_id, lot_id, on_hand, since)
             SELECT '{ENTERPRISE}', md5('c' || n)::uuid, md5('p' || (n * 20 + k) % 400)::uuid, md5('p' || (n * 20 + k) % 400)::uuid, 20, now()
             FROM generate_series(0, 199) AS n, generate_series(0, 19) AS k;
             INSERT INTO stock_entries (enterprise_id, id, product_id, lot_id, from_outside, to_cell_id, quantity, kind, actor, occurred_at)
             SELECT '{ENTERPRISE}', gen_random_uuid(), md5('p' || (n * 20 + k) % 400)::uuid, md5('p' || (n * 20 + k) % 400)::uuid, 'supplier', md5('c' || n)::uuid, 2, 'receipt',
                    'job:test', now() - random() * interval '100 days'
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

/// How it would be answered.
async fn plan(api: &mut PgConnection, query: &str) -> Result<String> {
    let lines: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN (COSTS OFF) {query}"))).fetch_all(api).await?;
    Ok(lines.join("\n"))
}

#[tokio::test]
async fn sums_of_a_place_are_read_from_an_index_alone_and_pages_stop_early() -> Result<()> {
    let app = TestApp::start().await?;
    filled(&app).await?;
    let mut api = app.as_role(Role::Api).await?;
    run(&mut api, &format!("SET app.enterprise_id = '{ENTERPRISE}'")).await?;
    let (cell, product) = ("md5('c7')::uuid", "md5('p150')::uuid");
    for (index, side) in [("stock_entries_in_idx", "to_cell_id"), ("stock_entries_out_idx", "from_cell_id")] {
        for query in [
            format!("SELECT sum(quantity) FROM stock_entries WHERE {side} = {cell} AND product_id = {product} AND lot_id = {product}"),
            format!(
                "SELECT sum(quantity) FROM stock_entries
                 WHERE {side} = {cell} AND product_id = {product} AND lot_id = {product} AND occurred_at > now() - interval '9 days'"
            ),
        ] {
            let plan = plan(&mut api, &query).await?;
            assert!(plan.contains(&format!("Index Only Scan using {index}")), "{query}\n{plan}");
        }
        // Of a small ledger the planner takes a stretch of places by their pages.
        let stretch = format!(
            "SELECT {side}, product_id, lot_id, sum(quantity) FROM stock_entries
             WHERE {side} IS NOT NULL AND ({side}, product_id, lot_id) > ({cell}, {product}, {product})
               AND ({side}, product_id, lot_id) <= ({cell}, 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'ffffffff-ffff-ffff-ffff-ffffffffffff')
             GROUP BY 1, 2, 3"
        );
        let plan = plan(&mut api, &stretch).await?;
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{stretch}\n{plan}");
    }
    let reads = [
        ("balances_pkey", format!(
            "SELECT b.cell_id, b.product_id, free_units(b), l.code FROM balances AS b JOIN cells AS c ON c.id = b.cell_id JOIN lots AS l ON l.id = b.lot_id
             WHERE b.on_hand > 0 AND (b.cell_id, b.product_id, b.lot_id) > ({cell}, {product}, {product})
             ORDER BY b.cell_id, b.product_id, b.lot_id LIMIT 50")),
        ("balances_pkey", format!(
            "SELECT b.cell_id, c.code, b.product_id, sum(b.on_hand) FROM balances AS b JOIN cells AS c ON c.id = b.cell_id
             WHERE b.on_hand > 0 AND (b.cell_id, b.product_id) > ({cell}, {product})
             GROUP BY b.cell_id, c.code, c.warehouse_id, b.product_id ORDER BY b.cell_id, b.product_id LIMIT 50")),
        ("balances_product_idx", format!(
            "SELECT b.product_id, sum(b.on_hand), sum(free_units(b)) FILTER (WHERE serves_orders(c))
             FROM balances AS b JOIN cells AS c ON c.id = b.cell_id
             WHERE b.on_hand > 0 AND b.product_id > {product} GROUP BY b.product_id ORDER BY b.product_id LIMIT 10")),
        ("balances_product_idx", format!("SELECT on_hand FROM balances WHERE product_id = {product}")),
        ("balances_unchecked_idx", "SELECT cell_id FROM balances WHERE checked_at IS NULL ORDER BY cell_id, product_id, lot_id LIMIT 9".to_owned()),
        ("balances_number_key", "SELECT cell_id FROM balances WHERE number > 3 AND number <= 9 ORDER BY number LIMIT 9".to_owned()),
        ("stock_entries_product_time_idx", format!(
            "SELECT id FROM stock_entries WHERE product_id = {product} AND (occurred_at, id) > (now() - interval '9 days', {cell})
             ORDER BY occurred_at, id LIMIT 9")),
        ("stock_entries_time_idx",
         "SELECT id FROM stock_entries WHERE occurred_at >= now() - interval '9 days' ORDER BY occurred_at, id LIMIT 9".to_owned()),
    ];
    let kept = [("reservations_active_idx", "reservations"), ("holds_active_idx", "holds")].map(|(index, table)| {
        // Joined as the lists are.
        let query = format!(
            "SELECT k.id, c.code, l.code FROM {table} AS k JOIN cells AS c ON c.id = k.cell_id JOIN lots AS l ON l.id = k.lot_id
             WHERE k.status = 'active' AND k.id > {cell} ORDER BY k.id LIMIT 9"
        );
        (index, query)
    });
    for (index, query) in reads.into_iter().chain(kept) {
        let plan = plan(&mut api, &query).await?;
        assert!(plan.contains(&format!("using {index}")) && !plan.contains("Seq Scan on balances"), "{query}\n{plan}");
        assert!(!plan.contains("Seq Scan on stock_entries") && !plan.contains("serves_orders("), "{query}\n{plan}");
    }
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
             INSERT INTO move_lines (enterprise_id, id, request_id, order_id, product_id, from_cell_id, to_cell_id, quantity)
             SELECT '{ENTERPRISE}', gen_random_uuid(), {lines}, md5('c2')::uuid, 1 FROM generate_series(1, 20000) AS n;
             INSERT INTO reservations (enterprise_id, id, product_id, lot_id, cell_id, order_id, quantity, status, created_at)
             SELECT '{ENTERPRISE}', gen_random_uuid(), md5('p' || n % 400)::uuid, md5('p' || n % 400)::uuid, md5('c1')::uuid, md5('o' || n)::uuid, 1,
                    'active', now() FROM generate_series(1, 20000) AS n;"
        ),
    )
    .await?;
    for table in ["pick_lines", "move_lines", "reservations"] {
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
    ] {
        let plan = plan(&mut api, query).await?;
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{query}\n{plan}");
    }
    Ok(())
}
