//! What the words of the search cost whoever records products: pages as the sync of the catalogue writes them, in turns with
//! the triggers and without.

use std::time::Instant;

use anyhow::{Context, Result};
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::bench::Figure;
use crate::{Role, Stack};

const TURNS: usize = 4;
const PAGES: usize = 10;
const PAGE: usize = 1000;

const INSERT: &str =
    "INSERT INTO products (enterprise_id, id, sku, name, vendor_code, brand, created_at, changed_at)
     SELECT $1, p.id, p.sku, p.name, p.sku, 'Ромашка', now(), now() FROM unnest($2::uuid[], $3::text[], $4::text[]) AS p (id, sku, name)";

/// Twenty thousand products with the triggers, and twenty thousand without.
pub(super) async fn figure(stack: &Stack, admin: &mut PgConnection, enterprise: Uuid) -> Result<Figure> {
    let url = stack.servers.database_url(Role::Worker, &stack.database);
    let mut worker = PgConnection::connect(&url).await.context("connecting")?;
    let (mut with, mut without) = (0.0, 0.0);
    for turn in 0..TURNS {
        let on = turn % 2 == 0;
        let switch = if on { "ENABLE" } else { "DISABLE" };
        sqlx::query(AssertSqlSafe(format!("ALTER TABLE products {switch} TRIGGER product_search_follow_new")))
            .execute(&mut *admin)
            .await?;
        let begin = Instant::now();
        for page in 0..PAGES {
            record(&mut worker, enterprise, turn * PAGES + page).await?;
        }
        *(if on { &mut with } else { &mut without }) += begin.elapsed().as_secs_f64();
    }
    let rate = |seconds: f64| (TURNS / 2 * PAGES * PAGE) as f64 / seconds;
    let (with, without) = (rate(with), rate(without));
    Ok(Figure {
        what: "new products with their words, against the same without",
        promise: "≥ 2,000 products/s: Wildberries gives 167 cards a second",
        reached: format!("{with:.0} products/s, without {without:.0}: ratio {:.2}", with / without),
        held: with >= 2000.0,
    })
}

async fn record(worker: &mut PgConnection, enterprise: Uuid, page: usize) -> Result<()> {
    let opening = format!("BEGIN; SET LOCAL app.enterprise_id = '{enterprise}'");
    let (mut ids, mut skus, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..PAGE {
        let number = page * PAGE + row;
        ids.push(Uuid::from_u128(rand::random()));
        skus.push(format!("SYNC-{number}"));
        names.push(format!("Полотенце махровое банное с вышивкой, набор {number}"));
    }
    let mut tx = worker.begin_with(AssertSqlSafe(opening)).await?;
    sqlx::query(INSERT).bind(enterprise).bind(ids).bind(skus).bind(names).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}
