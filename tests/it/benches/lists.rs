//! `GET /products?limit=50` and `GET /inventory?limit=50` of two hundred thousand products through the whole front door,
//! against handlers of poem that run the same SQL and nothing else: one in a transaction that knows its enterprise, one on a
//! pooled connection without tenancy. They take turns in one run.
//!
//! `cargo wb bench --only lists`

#![expect(clippy::cast_precision_loss, reason = "figures are rounded for people")]

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, NaiveDate, Utc};
use futures::future::try_join_all;
use it::{PASSWORD, TestApp};
use poem::listener::TcpAcceptor;
use poem::web::{Data, Json, Query};
use poem::{EndpointExt, Route, Server, get, handler};
use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, FromRow, PgConnection, PgPool};
use stack::Role;
use tokio::net::TcpListener;
use uuid::Uuid;

const PRODUCTS: i32 = 200_000;
const CELLS: i64 = 2000;
const SESSIONS: usize = 8;
const AT_ONCE: usize = 16;
const TURNS: usize = 6;
const TURN: Duration = Duration::from_secs(3);
/// As many as the API has here.
const CONNECTIONS: u32 = 6;
const IN_TRANSACTION: f64 = 0.85;
const POOLED: f64 = 0.65;

/// What the API selects for its first pages. `{p}` and the like name the enterprise where row security does not.
const PRODUCTS_PAGE: &str = "
    SELECT p.id, p.sku, p.name, p.size, p.vendor_code, p.brand, p.category_id, c.subject, p.account_id, p.nm_id, p.chrt_id,
           ARRAY(SELECT b.barcode FROM barcodes AS b WHERE {b} b.product_id = p.id ORDER BY b.barcode) AS barcodes,
           c.photo_url AS card_photo_url, p.photos, p.length_mm, p.width_mm, p.height_mm, p.weight_g, p.min_stock, p.safety_stock,
           p.expiry_control, p.marking_required OR coalesce(c.needs_marking, false) AS marking_required,
           CASE WHEN p.is_bundle THEN (
               SELECT jsonb_agg(jsonb_build_object('productId', k.component_id, 'sku', s.sku, 'quantity', k.quantity) ORDER BY s.sku, s.id)
               FROM bundle_components AS k JOIN products AS s ON {s} s.id = k.component_id WHERE {k} k.bundle_id = p.id
           ) ELSE '[]' END AS components,
           p.created_at, p.changed_at, p.archived_at, p.version
    FROM products AS p
    LEFT JOIN cards AS c ON {c} c.account_id = p.account_id AND c.nm_id = p.nm_id
    WHERE {p} (p.archived_at IS NOT NULL) = false
    ORDER BY p.name, p.id LIMIT $1";

const INVENTORY_PAGE: &str = "
    SELECT b.cell_id, c.code AS cell, c.warehouse_id, b.product_id, b.lot_id, l.code AS lot, l.expires_on, b.on_hand::bigint AS on_hand,
           b.reserved::bigint AS reserved, b.on_hold::bigint AS on_hold, units_for_orders(b, c, l, current_date)::bigint AS available,
           NULL::bigint AS in_transit
    FROM balances AS b
    JOIN cells AS c ON {c} c.id = b.cell_id
    JOIN lots AS l ON {l} l.id = b.lot_id
    WHERE {b} b.on_hand > 0 AND (b.cell_id, b.product_id, b.lot_id)
          > ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000')
    ORDER BY b.cell_id, b.product_id, b.lot_id LIMIT $1";

/// The lists that are measured: where they are, and the fields by which their rows are told apart.
const LISTS: [(&str, &[&str]); 2] = [("/products", &["id"]), ("/inventory", &["cellId", "productId", "lotId"])];

/// A statement as row security completes it, or with the enterprise in its own words.
fn page(sql: &str, enterprise: Option<Uuid>) -> String {
    ["b", "s", "k", "c", "p", "l"].into_iter().fold(sql.to_owned(), |sql, table| {
        let of = enterprise.map_or_else(String::new, |id| format!("{table}.enterprise_id = '{id}' AND"));
        sql.replace(&format!("{{{table}}}"), &of)
    })
}

#[derive(Serialize, FromRow)]
#[serde(rename_all = "camelCase")]
struct Product {
    id: Uuid,
    sku: String,
    name: String,
    size: Option<String>,
    vendor_code: Option<String>,
    brand: Option<String>,
    category_id: Option<Uuid>,
    subject: Option<String>,
    account_id: Option<Uuid>,
    nm_id: Option<i64>,
    chrt_id: Option<i64>,
    barcodes: Vec<String>,
    card_photo_url: Option<String>,
    photos: Vec<String>,
    length_mm: Option<i32>,
    width_mm: Option<i32>,
    height_mm: Option<i32>,
    weight_g: Option<i32>,
    min_stock: Option<i32>,
    safety_stock: Option<i32>,
    expiry_control: bool,
    marking_required: bool,
    components: Value,
    created_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
}

#[derive(Serialize, FromRow)]
#[serde(rename_all = "camelCase")]
struct Balance {
    cell_id: Option<Uuid>,
    cell: Option<String>,
    warehouse_id: Option<Uuid>,
    product_id: Uuid,
    lot_id: Option<Uuid>,
    lot: Option<String>,
    expires_on: Option<NaiveDate>,
    on_hand: i64,
    reserved: i64,
    on_hold: i64,
    available: i64,
    in_transit: Option<i64>,
}

#[derive(Deserialize)]
struct Limit {
    limit: i64,
}

/// A pool, what begins a transaction on it, and whose rows it asks for by itself.
struct Bare {
    pool: PgPool,
    begin: Option<String>,
    enterprise: Option<Uuid>,
}

impl Bare {
    async fn page<T>(&self, sql: &str, limit: i64) -> poem::Result<Json<Value>>
    where
        T: for<'r> FromRow<'r, PgRow> + Serialize + Send + Unpin,
    {
        let rows = self.rows::<T>(sql, limit + 1).await.map_err(poem::error::InternalServerError)?;
        let most = usize::try_from(limit).unwrap_or(0);
        let next = rows.len() > most;
        Ok(Json(json!({ "items": rows.into_iter().take(most).collect::<Vec<_>>(), "next": next })))
    }

    async fn rows<T>(&self, sql: &str, limit: i64) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let query = sqlx::query_as(AssertSqlSafe(page(sql, self.enterprise))).bind(limit);
        let Some(begin) = &self.begin else { return query.fetch_all(&self.pool).await };
        #[expect(clippy::disallowed_methods, reason = "this is the bare thing beside shared::db")]
        let mut tx = self.pool.begin_with(AssertSqlSafe(begin.clone())).await?;
        let rows = query.fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok(rows)
    }
}

#[handler]
async fn products(Data(bare): Data<&Arc<Bare>>, Query(Limit { limit }): Query<Limit>) -> poem::Result<Json<Value>> {
    bare.page::<Product>(PRODUCTS_PAGE, limit).await
}

#[handler]
async fn inventory(Data(bare): Data<&Arc<Bare>>, Query(Limit { limit }): Query<Limit>) -> poem::Result<Json<Value>> {
    bare.page::<Balance>(INVENTORY_PAGE, limit).await
}

/// Starts it; answers with its address.
async fn serve(bare: Bare) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let app = Route::new().at("/products", get(products)).at("/inventory", get(inventory)).data(Arc::new(bare));
    tokio::spawn(Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?).run(app));
    Ok(url)
}

async fn pool(url: &str) -> Result<PgPool> {
    let options: PgConnectOptions = url.parse()?;
    Ok(PgPoolOptions::new().max_connections(CONNECTIONS).min_connections(CONNECTIONS).connect_with(options).await?)
}

/// Signed in, and taking answers as they are: what is packed for the way would be another figure.
async fn clients(app: &TestApp, email: &str) -> Result<Vec<reqwest::Client>> {
    let mut clients = Vec::new();
    for _ in 0..SESSIONS {
        let body = json!({ "email": email, "password": PASSWORD });
        let plain = reqwest::Client::builder().no_proxy().build()?;
        let answer: Value = plain.post(format!("{}/auth/login", app.url)).json(&body).send().await?.json().await?;
        let bearer = format!("Bearer {}", answer["accessToken"].as_str().context("a token")?);
        let headers = [(reqwest::header::AUTHORIZATION, bearer.parse()?)].into_iter().collect();
        clients.push(reqwest::Client::builder().no_proxy().no_gzip().default_headers(headers).build()?);
    }
    Ok(clients)
}

/// What tells the rows of a list apart, and its free units where it has them.
async fn rows(client: &reqwest::Client, url: &str, fields: &[&str]) -> Result<Vec<Vec<Value>>> {
    let page: Value = client.get(url).send().await?.error_for_status()?.json().await?;
    let items = page["items"].as_array().context("a list")?;
    let told = |item: &Value| fields.iter().chain([&"available"]).map(|field| item[*field].clone()).collect();
    Ok(items.iter().map(told).collect())
}

#[tokio::main]
async fn main() -> Result<()> {
    let app = TestApp::start().await?;
    let email = app.founded("Ромашка").await?;
    let clients = clients(&app, &email).await?;
    let mut admin = app.admin().await?;
    let enterprise: Uuid = sqlx::query_scalar("SELECT id FROM enterprises").fetch_one(&mut admin).await?;
    let mut admin = app.admin_in(&enterprise.to_string()).await?;
    sqlx::query(
        "INSERT INTO products (enterprise_id, id, sku, name, vendor_code, brand, weight_g, created_at, changed_at)
         SELECT $1, gen_random_uuid(), 'sku-' || n, 'Кроссовки летние ' || n, 'sku', 'Ромашка', 300, now(), now()
         FROM generate_series(1, $2) AS n",
    )
    .bind(enterprise)
    .bind(PRODUCTS)
    .execute(&mut admin)
    .await?;
    sqlx::query(
        "INSERT INTO barcodes (enterprise_id, product_id, barcode) SELECT enterprise_id, id, '46' || sku FROM products",
    )
    .execute(&mut admin)
    .await?;
    store(&mut admin, enterprise).await?;
    sqlx::query("VACUUM ANALYZE products, barcodes, balances, cells, lots").execute(&mut admin).await?;

    let begin = format!("BEGIN; SET LOCAL app.enterprise_id = '{enterprise}'");
    let guarded = Bare { pool: pool(&app.database_url(Role::Api)).await?, begin: Some(begin), enterprise: None };
    // As superuser, whom row security does not bind.
    let pooled = Bare { pool: pool(&app.admin_url()).await?, begin: None, enterprise: Some(enterprise) };
    let urls = [app.url.clone(), serve(guarded).await?, serve(pooled).await?];
    let (mut told, mut held) = (Vec::new(), true);
    for (path, fields) in LISTS {
        let urls = urls.each_ref().map(|url| format!("{url}{path}?limit=50"));
        let first = rows(&clients[0], &urls[0], fields).await?;
        for url in &urls {
            ensure!(first.len() == 50 && rows(&clients[0], url, fields).await? == first, "all answer the same");
        }
        let mut rates = [0.0; 3];
        for _ in 0..TURNS {
            for (rate, url) in rates.iter_mut().zip(&urls) {
                *rate += turn(&clients, url).await? / TURNS as f64;
            }
        }
        let [ours, guarded, pooled] = rates;
        held &= ours / guarded >= IN_TRANSACTION && ours / pooled >= POOLED;
        told.push(format!(
            "{path} {ours:.0} answers/s; in a transaction {guarded:.0}: ratio {:.2}; pooled without tenancy {pooled:.0}: ratio {:.2}",
            ours / guarded,
            ours / pooled
        ));
    }
    writeln!(std::io::stdout(), "{}", told.join("; "))?;
    ensure!(held, "less than {IN_TRANSACTION} or {POOLED}");
    Ok(())
}

/// Lays some units of every product into one of many cells.
async fn store(admin: &mut PgConnection, enterprise: Uuid) -> Result<()> {
    let warehouse = Uuid::from_u128(rand::rng().random());
    sqlx::query("INSERT INTO warehouses (enterprise_id, id, name, created_at) VALUES ($1, $2, 'Склад', now())")
        .bind(enterprise)
        .bind(warehouse)
        .execute(&mut *admin)
        .await?;
    sqlx::query(
        "INSERT INTO cells (enterprise_id, id, warehouse_id, code, purpose, pick_sequence, created_at)
         SELECT $1, gen_random_uuid(), $2, 'A-' || n, 'storage', n, now() FROM generate_series(0, $3 - 1) AS n",
    )
    .bind(enterprise)
    .bind(warehouse)
    .bind(CELLS)
    .execute(&mut *admin)
    .await?;
    sqlx::query(
        "INSERT INTO stock_entries (enterprise_id, id, product_id, from_outside, to_cell_id, quantity, kind, actor, occurred_at)
         SELECT $1, gen_random_uuid(), p.id, 'supplier', c.id, 5, 'receipt', 'job:bench', now()
         FROM (SELECT id, row_number() OVER () % $2 AS n FROM products) AS p
         JOIN cells AS c ON c.code = 'A-' || p.n",
    )
    .bind(enterprise)
    .bind(CELLS)
    .execute(&mut *admin)
    .await?;
    Ok(())
}

/// Answers a second over one turn.
async fn turn(clients: &[reqwest::Client], url: &str) -> Result<f64> {
    let (begin, answered) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let asking = (0..AT_ONCE).map(|index| {
        let (client, answered, url) = (clients[index % clients.len()].clone(), Arc::clone(&answered), url.to_owned());
        async move {
            while begin.elapsed() < TURN {
                client.get(&url).send().await?.error_for_status()?.bytes().await?;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        }
    });
    try_join_all(asking).await?;
    Ok(answered.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64())
}
