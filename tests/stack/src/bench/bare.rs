//! The bare thing beside the import: the same rows from ready arrays on one connection, in a twin enterprise with the same
//! products and the same stock. The arrays go back as the database gave them, byte for byte: nothing is parsed while the
//! clock runs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Connection, Encode, PgConnection, Postgres, Row, Type, TypeInfo, ValueRef};

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
        sqlx::query(AssertSqlSafe(copy))
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
    let tables = [
        Table::read(admin, "orders", "id").await?,
        Table::read(admin, "order_history", "order_id").await?,
        Table::read(admin, "reservations", "order_id").await?,
    ];
    // Taking the arrays is not measured, but should not read whole tables either.
    sqlx::query("ANALYZE orders, order_history, reservations").execute(&mut *admin).await?;
    let (mut written, mut spent, mut after) = (0, Duration::ZERO, i64::MIN);
    loop {
        let page: Vec<(Uuid, i64)> = sqlx::query_as(
            "SELECT id, wb_order_id FROM orders WHERE enterprise_id <> $1 AND wb_order_id > $2 ORDER BY wb_order_id LIMIT $3",
        )
        .bind(twin)
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *admin)
        .await?;
        let Some((_, last)) = page.last() else { return Ok((written, spent.as_secs_f64())) };
        let orders: Vec<_> = page.iter().map(|(id, _)| *id).collect();
        let mut ready = Vec::new();
        for table in &tables {
            ready.push((table.put.clone(), table.arrays(admin, twin, &orders).await?));
        }
        let begin = Instant::now();
        let mut tx = bare.begin().await?;
        sqlx::query(AssertSqlSafe(format!("SET LOCAL app.enterprise_id = '{twin}'"))).execute(&mut *tx).await?;
        for (put, arrays) in ready {
            arrays
                .into_iter()
                .fold(sqlx::query(AssertSqlSafe(put)), sqlx::query::Query::bind)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        spent += begin.elapsed();
        (after, written) = (*last, written + page.len());
    }
}

/// How a table's rows are taken as one array per column, and put back from them.
struct Table {
    take: String,
    put: String,
}

impl Table {
    /// `order` is the column that names the order.
    async fn read(admin: &mut PgConnection, table: &str, order: &str) -> Result<Self> {
        let columns: Vec<(String, String)> = sqlx::query_as(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
             WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        )
        .bind(table)
        .fetch_all(admin)
        .await?;
        let (mut taken, mut put, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (number, (name, kind)) in (1..).zip(&columns) {
            // An array of arrays cannot be unnested by rows.
            let (column, back) = match (name.as_str(), kind.as_str()) {
                ("enterprise_id", _) => ("$1".to_owned(), "r.enterprise_id".to_owned()),
                (_, "text[]") => (format!("array_to_string(t.{name}, ',')"), format!("string_to_array(r.{name}, ',')")),
                _ => (format!("t.{name}"), format!("r.{name}")),
            };
            taken.push(format!("array_agg({column} ORDER BY t.{order})"));
            put.push((format!("${number}"), back));
            names.push(name.clone());
        }
        let (parameters, back): (Vec<_>, Vec<_>) = put.into_iter().unzip();
        let names = names.join(", ");
        Ok(Self {
            take: format!(
                "SELECT {} FROM {table} AS t WHERE t.enterprise_id <> $1 AND t.{order} = ANY($2)",
                taken.join(", ")
            ),
            put: format!(
                "INSERT INTO {table} ({names}) SELECT {} FROM unnest({}) AS r ({names})",
                back.join(", "),
                parameters.join(", ")
            ),
        })
    }

    async fn arrays(&self, admin: &mut PgConnection, twin: Uuid, orders: &[Uuid]) -> Result<Vec<Ready>> {
        let row = sqlx::query(AssertSqlSafe(self.take.clone())).bind(twin).bind(orders).fetch_one(admin).await?;
        (0..row.len())
            .map(|column| {
                let value = row.try_get_raw(column)?;
                let kind = value.type_info().into_owned();
                let bytes = if value.is_null() {
                    None
                } else {
                    Some(value.as_bytes().map_err(anyhow::Error::from_boxed)?.to_vec())
                };
                Ok(Ready { kind, bytes })
            })
            .collect()
    }
}

/// A column's array as the database sent it.
struct Ready {
    kind: PgTypeInfo,
    bytes: Option<Vec<u8>>,
}

impl Type<Postgres> for Ready {
    /// Each value knows its own.
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("unknown")
    }

    fn compatible(kind: &PgTypeInfo) -> bool {
        kind.name().ends_with("[]")
    }
}

impl Encode<'_, Postgres> for Ready {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let Some(bytes) = &self.bytes else { return Ok(IsNull::Yes) };
        buffer.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.kind.clone())
    }
}
