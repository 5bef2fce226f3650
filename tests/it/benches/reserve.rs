//! What a reservation costs: reserving units by hand and releasing them, as the verbs do it (a document, an audit entry, rows
//! that a trigger counts), against the bare pair of `UPDATE … WHERE` on the same balances, taking turns in one run. Once a
//! hundred lines at a time, as pages of orders and batches come, and once one unit at a time, where the document and its
//! entry weigh most.
//!
//! `cargo wb bench --only reserve`

#![expect(clippy::cast_precision_loss, reason = "figures are rounded for people")]

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use rand::Rng;
use rand::seq::IndexedRandom;
use secrecy::SecretString;
use shared::access::{Actor, Grants, Reach, Role as PersonRole};
use shared::db::{Db, DbOptions};
use shared::ids::{EnterpriseId, ProductId, ReservationId, UserId, WarehouseId};
use shared::inventory::{self, Heading, Item, Mode, ReserveLine};
use sqlx::types::Uuid;
use sqlx::{Connection, PgConnection};
use stack::{Durability, Role, Servers};

const AT_ONCE: usize = 8;
const TURNS: usize = 6;
const TURN: Duration = Duration::from_secs(3);
/// Of batches.
const PROMISE: f64 = 0.50;
/// Products, all in one cell.
const PRODUCTS: i32 = 2000;
/// Lines of a batch, each of another product.
const LINES: usize = 100;

/// Where units are reserved.
struct Place {
    db: Db,
    actor: Actor,
    enterprise: Uuid,
    warehouse: Uuid,
    cell: Uuid,
    products: Vec<Uuid>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let servers = Servers::start(Durability::Durable).await?;
    let migrations = stack::programs::workspace().join("migrations");
    let template = servers.template(&migrations, async |url| stack::servers::migrate(url, &migrations).await).await?;
    let database = servers.fresh_database(&template).await?;
    let admin_url = servers.database_url(Role::Admin, &database);
    let place = fill(&admin_url, &servers.database_url(Role::Api, &database)).await?;
    let mut bare = Vec::new();
    for _ in 0..AT_ONCE {
        bare.push(PgConnection::connect(&admin_url).await.context("connecting")?);
    }
    let (batches, one_by_one) = (place.ratio(&mut bare, LINES).await?, place.ratio(&mut bare, 1).await?);
    let left: i64 = sqlx::query_scalar("SELECT sum(reserved)::bigint FROM balances").fetch_one(&mut bare[0]).await?;
    ensure!(left == 0, "{left} units are still reserved");
    writeln!(std::io::stdout(), "{LINES} lines at a time {batches}; one unit at a time {one_by_one}")?;
    ensure!(batches.ratio() >= PROMISE, "less than {PROMISE}");
    Ok(())
}

/// Units reserved and released a second.
struct Rates {
    verbs: f64,
    bare: f64,
}

impl Rates {
    fn ratio(&self) -> f64 {
        self.verbs / self.bare
    }
}

impl std::fmt::Display for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} reserved and released a second, bare {:.0}: ratio {:.2}", self.verbs, self.bare, self.ratio())
    }
}

/// An enterprise with enough of everything.
async fn fill(admin_url: &str, api_url: &str) -> Result<Place> {
    let mut admin = PgConnection::connect(admin_url).await.context("connecting")?;
    let random = || Uuid::from_u128(rand::rng().random());
    let (enterprise, warehouse, cell) = (random(), random(), random());
    sqlx::query("SELECT set_config('app.enterprise_id', $1, false)")
        .bind(enterprise.to_string())
        .execute(&mut admin)
        .await?;
    for statement in [
        "INSERT INTO enterprises (id, name, created_at) SELECT $1, 'Замер', now() WHERE $2 <> $3",
        "INSERT INTO warehouses (enterprise_id, id, name, created_at) SELECT $1, $2, 'Склад', now() WHERE $2 <> $3",
        "INSERT INTO cells (enterprise_id, id, warehouse_id, code, purpose, pick_sequence, created_at) VALUES ($1, $3, $2, 'A-01', 'storage', 1, now())",
    ] {
        sqlx::query(statement).bind(enterprise).bind(warehouse).bind(cell).execute(&mut admin).await?;
    }
    let products: Vec<Uuid> = sqlx::query_scalar(
        "INSERT INTO products (enterprise_id, id, sku, name, created_at, changed_at)
         SELECT $1, gen_random_uuid(), 'sku-' || n, 'Кроссовки ' || n, now(), now() FROM generate_series(1, $2) AS n RETURNING id",
    )
    .bind(enterprise)
    .bind(PRODUCTS)
    .fetch_all(&mut admin)
    .await?;
    sqlx::query(
        "INSERT INTO stock_entries (enterprise_id, id, product_id, from_outside, to_cell_id, quantity, kind, actor, occurred_at)
         SELECT $1, gen_random_uuid(), p, 'supplier', $2, 1000, 'receipt', 'job:bench', now() FROM unnest($3::uuid[]) AS p",
    )
    .bind(enterprise)
    .bind(cell)
    .bind(&products)
    .execute(&mut admin)
    .await?;
    let options = DbOptions {
        max_connections: u32::try_from(AT_ONCE)?,
        statement_timeout: Duration::from_secs(30),
        application_name: "wb-bench",
    };
    let db = Db::open(&SecretString::from(api_url.to_owned()), &options)?;
    let grants = Grants::of_role(PersonRole::Administrator, &Reach::Everywhere);
    let actor = Actor::user(EnterpriseId(enterprise), UserId(random()), grants);
    Ok(Place { db, actor, enterprise, warehouse, cell, products })
}

impl Place {
    async fn ratio(&self, bare: &mut [PgConnection], lines: usize) -> Result<Rates> {
        self.by_verbs(lines, Duration::from_secs(1)).await?;
        let mut rates = Rates { verbs: 0.0, bare: 0.0 };
        for _ in 0..TURNS {
            rates.bare += self.by_pairs(bare, lines).await? / TURNS as f64;
            rates.verbs += self.by_verbs(lines, TURN).await? / TURNS as f64;
        }
        Ok(rates)
    }

    /// By the verbs.
    async fn by_verbs(&self, lines: usize, turn: Duration) -> Result<f64> {
        let begin = Instant::now();
        let acting = (0..AT_ONCE).map(|_| async {
            let mut done = 0_usize;
            while begin.elapsed() < turn {
                self.reserve_and_release(lines).await?;
                done += lines;
            }
            anyhow::Ok(done)
        });
        let done: usize = try_join_all(acting).await?.into_iter().sum();
        Ok(done as f64 / begin.elapsed().as_secs_f64())
    }

    /// So many products, in the order of their ids.
    fn some(&self, lines: usize) -> Vec<Uuid> {
        let mut some: Vec<_> = self.products.choose_multiple(&mut rand::rng(), lines).copied().collect();
        some.sort_unstable();
        some
    }

    async fn reserve_and_release(&self, lines: usize) -> Result<()> {
        let heading = Heading {
            warehouse_id: WarehouseId(self.warehouse),
            number: None,
            comment: None,
            mode: Mode::AllOrNothing,
        };
        let line = |product: Uuid| {
            let item = Item { barcode: None, product_id: Some(ProductId(product)), lot: None };
            ReserveLine { item, cell: None, quantity: 1 }
        };
        let wanted: Vec<_> = self.some(lines).into_iter().map(line).collect();
        let mut tx = self.db.begin(&self.actor).await?;
        let posted = inventory::reserve_by_hand(&mut tx, &heading, &wanted).await?;
        tx.commit().await?;
        let ids: Vec<_> = posted.rows.iter().flatten().flatten().map(|part| ReservationId(part.id)).collect();
        ensure!(ids.len() == lines, "there is enough");
        let mut tx = self.db.begin(&self.actor).await?;
        inventory::release_reservations(&mut tx, &heading, &ids).await?;
        Ok(tx.commit().await?)
    }

    /// By bare statements, one for each unit; as many of them in a transaction as a batch has lines.
    async fn by_pairs(&self, connections: &mut [PgConnection], lines: usize) -> Result<f64> {
        let begin = Instant::now();
        let acting = connections.iter_mut().map(|connection| async move {
            let mut done = 0_usize;
            while begin.elapsed() < TURN {
                let products = self.some(lines);
                for statement in [
                    "UPDATE balances SET reserved = reserved + 1
                     WHERE enterprise_id = $1 AND cell_id = $2 AND product_id = $3 AND lot_id = $3 AND on_hand - reserved - on_hold >= 1",
                    "UPDATE balances SET reserved = reserved - 1
                     WHERE enterprise_id = $1 AND cell_id = $2 AND product_id = $3 AND lot_id = $3 AND reserved >= 1",
                ] {
                    let mut tx = connection.begin().await?;
                    for product in &products {
                        let query = sqlx::query(statement).bind(self.enterprise).bind(self.cell).bind(product);
                        ensure!(query.execute(&mut *tx).await?.rows_affected() == 1, "there is enough");
                    }
                    tx.commit().await?;
                }
                done += lines;
            }
            anyhow::Ok(done)
        });
        let done: usize = try_join_all(acting).await?.into_iter().sum();
        Ok(done as f64 / begin.elapsed().as_secs_f64())
    }
}
