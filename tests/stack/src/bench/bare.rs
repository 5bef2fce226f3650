//! The bare thing beside the import: the same rows from ready arrays on one connection, in a twin enterprise with the same
//! products and the same stock.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sqlx::types::Uuid;
use sqlx::{Connection, PgConnection, Row};

use super::LONG;
use crate::client::text;
use crate::{Client, Role, Stack};

const PAGE: i64 = 1000;

/// Catalogue, a linked warehouse, and enough of every product for all orders.
pub(super) async fn stock(client: &Client, account: &Value, orders: usize) -> Result<()> {
    for kind in ["catalogue", "warehouses"] {
        let run = client.post("/sync-runs", json!({ "accountId": account, "kind": kind })).await?;
        client.until(&format!("/sync-runs/{}", text(&run, "id")?), LONG, |run| run["finishedAt"].is_string()).await?;
    }
    let warehouse = text(&client.post("/warehouses", json!({ "name": "Склад" })).await?, "id")?;
    let cells: Vec<_> = (0..200).map(|cell| json!({ "code": format!("A-{cell:03}"), "pickSequence": cell })).collect();
    client.post(&format!("/warehouses/{warehouse}/cells"), json!({ "cells": cells })).await?;
    for there in client.get("/wildberries/warehouses").await?["items"].as_array().context("a list")? {
        let path = format!(
            "/wildberries/accounts/{}/warehouses/{}",
            account.as_str().context("an id")?,
            there["wbWarehouseId"]
        );
        client.put(&path, json!({ "warehouseId": warehouse })).await?;
    }
    let products = client.all("/products").await?;
    let each = orders.div_ceil(products.len()) * 2;
    let line = |(index, product): (usize, &Value)| json!({ "barcode": product["barcodes"][0], "cell": format!("A-{:03}", index % 200), "quantity": each });
    let lines: Vec<_> = products.iter().enumerate().map(line).collect();
    for (index, page) in lines.chunks(1000).enumerate() {
        client
            .post(
                "/inventory/receipts",
                json!({ "warehouseId": warehouse, "number": format!("{index}"), "lines": page }),
            )
            .await?;
    }
    Ok(())
}

/// Copies everything that an import reads into a second enterprise; answers with its id.
pub(super) async fn twin(admin: &mut PgConnection) -> Result<Uuid> {
    let old: Uuid = sqlx::query_scalar("SELECT id FROM enterprises").fetch_one(&mut *admin).await?;
    let new = Uuid::from_u128(old.as_u128() ^ 1);
    sqlx::query("INSERT INTO enterprises (id, name, created_at) VALUES ($1, 'Двойник', now())")
        .bind(new)
        .execute(&mut *admin)
        .await?;
    // The triggers that keep balances obey row security.
    sqlx::query("SELECT set_config('app.enterprise_id', $1, false)").bind(new.to_string()).execute(&mut *admin).await?;
    for table in [
        "wildberries_accounts",
        "warehouses",
        "cells",
        "wildberries_warehouses",
        "cards",
        "products",
        "barcodes",
        "goods_receipts",
        "stock_entries",
    ] {
        let copy = format!(
            "INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(t) || jsonb_build_object('enterprise_id', $2))).*
             FROM {table} AS t WHERE t.enterprise_id = $1"
        );
        sqlx::query(sqlx::AssertSqlSafe(copy))
            .bind(old)
            .bind(new)
            .execute(&mut *admin)
            .await
            .with_context(|| format!("copying {table}"))?;
    }
    sqlx::query("ANALYZE").execute(&mut *admin).await?;
    Ok(new)
}

/// Writes what the import has written into the twin; answers with the orders written and the seconds spent writing.
pub(super) async fn write(stack: &Stack, admin: &mut PgConnection, twin: Uuid) -> Result<(usize, f64)> {
    let mut bare = PgConnection::connect(&stack.servers.database_url(Role::Worker, &stack.database))
        .await
        .context("connecting")?;
    let (mut written, mut spent, mut after) = (0, Duration::ZERO, i64::MIN);
    loop {
        let page = ready(admin, twin, after).await?;
        let Some(last) = page.last else { return Ok((written, spent.as_secs_f64())) };
        let begin = Instant::now();
        let mut tx = bare.begin().await?;
        let enterprise = format!("SET LOCAL app.enterprise_id = '{twin}'");
        sqlx::query(sqlx::AssertSqlSafe(enterprise)).execute(&mut *tx).await?;
        for (statement, rows) in [(ORDERS, &page.orders), (HISTORY, &page.history), (RESERVATIONS, &page.reservations)]
        {
            sqlx::query(statement).bind(rows).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        spent += begin.elapsed();
        (after, written) = (last, written + page.count);
    }
}

/// A page as arrays of composite rows, ready to be unnested.
struct Ready {
    orders: Vec<String>,
    history: Vec<String>,
    reservations: Vec<String>,
    count: usize,
    last: Option<i64>,
}

const ORDERS: &str = "INSERT INTO orders SELECT (r::orders).* FROM unnest($1::text[]) AS r";
const HISTORY: &str = "INSERT INTO order_history SELECT (r::order_history).* FROM unnest($1::text[]) AS r";
const RESERVATIONS: &str = "INSERT INTO reservations SELECT (r::reservations).* FROM unnest($1::text[]) AS r";

async fn ready(admin: &mut PgConnection, twin: Uuid, after: i64) -> Result<Ready> {
    let rows = sqlx::query(
        "SELECT wb_order_id, id, (jsonb_populate_record(NULL::orders, to_jsonb(o) || jsonb_build_object('enterprise_id', $1)))::text AS row
         FROM orders AS o WHERE enterprise_id <> $1 AND wb_order_id > $2 ORDER BY wb_order_id LIMIT $3",
    )
    .bind(twin)
    .bind(after)
    .bind(PAGE)
    .fetch_all(&mut *admin)
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.get("id")).collect();
    let of = |table: &str| {
        format!(
            "SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(t) || jsonb_build_object('enterprise_id', $1)))::text
             FROM {table} AS t WHERE enterprise_id <> $1 AND order_id = ANY($2)"
        )
    };
    let history = sqlx::query_scalar(sqlx::AssertSqlSafe(of("order_history")))
        .bind(twin)
        .bind(&ids)
        .fetch_all(&mut *admin)
        .await?;
    let reservations = sqlx::query_scalar(sqlx::AssertSqlSafe(of("reservations")))
        .bind(twin)
        .bind(&ids)
        .fetch_all(&mut *admin)
        .await?;
    Ok(Ready {
        orders: rows.iter().map(|row| row.get("row")).collect(),
        history,
        reservations,
        count: rows.len(),
        last: rows.last().map(|row| row.get("wb_order_id")),
    })
}
