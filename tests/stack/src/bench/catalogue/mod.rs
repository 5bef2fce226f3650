//! The catalogue at its size: a price list of a hundred thousand products, two hundred thousand products to look up and to
//! search, what the words of a search cost whoever writes products. `cargo wb bench --only catalogue` measures this alone.

mod asked;
mod price;
mod sync;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::tell;
use crate::programs::Profile;
use crate::{Client, Options, Stack, Steps};

/// In the end, those of the price list among them.
const PRODUCTS: i64 = 200_000;

/// Measures on a stack of its own.
pub(super) async fn run(broken: &mut Vec<&'static str>, steps: &mut Steps) -> Result<()> {
    let options = Options { profile: Profile::Release, workers: 1, private: true, ..Options::default() };
    let stack = Stack::up_with(options, steps).await?;
    let owner = &stack.administrator;
    let client = Client::new(&stack.api_url)?.sign_in(&owner.email, &owner.password).await?;
    for figure in steps.step("Import a price list of 100,000 products", price::figures(&stack, &client)).await? {
        tell(steps, broken, &figure);
    }
    let mut admin = stack.servers.admin(&stack.database).await?;
    let enterprise: Uuid = sqlx::query_scalar("SELECT id FROM enterprises").fetch_one(&mut admin).await?;
    steps.step("Fill up to 200,000 products", fill(&mut admin, enterprise)).await?;
    // The first session is good for ten minutes.
    let client = Client::new(&stack.api_url)?.sign_in(&owner.email, &owner.password).await?;
    for figure in steps.step("Look up and search", asked::figures(&client, &mut admin)).await? {
        tell(steps, broken, &figure);
    }
    let figure = steps.step("Record new products", sync::figure(&stack, &mut admin, enterprise)).await?;
    tell(steps, broken, &figure);
    stack.down().await
}

/// Names as shops have them: no two alike, and their words in many.
async fn fill(admin: &mut PgConnection, enterprise: Uuid) -> Result<()> {
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM products").fetch_one(&mut *admin).await?;
    // The lot that each product has is written by its owner, whom row security binds.
    sqlx::query("SELECT set_config('app.enterprise_id', $1, false)")
        .bind(enterprise.to_string())
        .execute(&mut *admin)
        .await?;
    sqlx::query(
        "WITH words AS (
             SELECT ARRAY['Футболка', 'Кружка', 'Кроссовки', 'Рюкзак', 'Шапка', 'Полотенце', 'Тарелка', 'Чехол', 'Лампа', 'Платье',
                          'Ботинки', 'Зонт', 'Куртка', 'Ремень', 'Игрушка', 'Подушка', 'Сумка', 'Носки', 'Перчатки', 'Шарф'] AS nouns,
                    ARRAY['летняя', 'зимняя', 'детская', 'женская', 'мужская', 'спортивная', 'складная', 'вязаная', 'кожаная',
                          'хлопковая', 'шерстяная', 'подарочная', 'дорожная'] AS kinds,
                    ARRAY['красная', 'синяя', 'зелёная', 'чёрная', 'белая', 'жёлтая', 'серая', 'розовая', 'голубая', 'бежевая',
                          'оранжевая'] AS colours
         )
         INSERT INTO products (enterprise_id, id, sku, name, vendor_code, brand, created_at, changed_at)
         SELECT $1, gen_random_uuid(), 'WBA-' || n, concat_ws(' ', nouns[1 + n % 20], kinds[1 + n % 13], colours[1 + n % 11], n),
                'VC-' || n / 4, 'Бренд ' || n % 300, now(), now()
         FROM words, generate_series(1, $2) AS n",
    )
    .bind(enterprise)
    .bind(PRODUCTS - there)
    .execute(&mut *admin)
    .await
    .context("filling")?;
    sqlx::query(
        "INSERT INTO barcodes (enterprise_id, product_id, barcode, source)
         SELECT enterprise_id, id, '20' || lpad(split_part(sku, '-', 2), 11, '0'), 'own' FROM products WHERE sku LIKE 'WBA-%'",
    )
    .execute(&mut *admin)
    .await?;
    for table in ["products", "barcodes", "product_search"] {
        sqlx::query(sqlx::AssertSqlSafe(format!("VACUUM ANALYZE {table}"))).execute(&mut *admin).await?;
    }
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM products").fetch_one(&mut *admin).await?;
    ensure!(there == PRODUCTS, "{there} products");
    Ok(())
}

/// Long enough for a step of the import, and for the database to count what was read.
const LONG: Duration = Duration::from_mins(10);
