//! Which balances changed since a cursor, however old it is.
//!
//! A balance that changed has no number. Numbers are given to what is committed, under a lock, by whoever reads: so they
//! rise in the order in which they become visible, and a reader of number n has missed nothing up to n. A balance that
//! changes again gets a new number: the feed holds each balance once, as it is now, and never grows beyond them.
//!
//! What a balance tells changes without a word of the ledger, too: with its cell (a trigger sees to that), and when the
//! last day of its lot is over, which the first reader of the new day sees to.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};

use super::BalanceFilter;
use super::line_up;
use super::look::{Balance, FROM_BALANCES, narrow, one_lot};
use crate::access::{Bounds, Permission};
use crate::db::EnterpriseTx;
use crate::page::{PageQuery, cursor};
use crate::{Result, enterprises};

/// Balances that get a number in one request.
const AT_ONCE: i64 = 1000;

/// Where a reader stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Read {
    up_to: i64,
}

/// Balances that changed.
#[derive(Clone, Debug)]
pub struct Changes {
    /// As they are now, those that changed longest ago first; zero is a balance, too.
    pub items: Vec<Balance>,
    /// Send it as `after` the next time.
    pub next: String,
    /// Whether more is there already.
    pub more: bool,
}

#[derive(sqlx::FromRow)]
struct Numbered {
    number: i64,
    #[sqlx(flatten)]
    balance: Balance,
}

/// The balances in reach that changed since the cursor; without one, all of them.
pub async fn changes(tx: &mut EnterpriseTx, query: &PageQuery) -> Result<Changes> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let after = query.key::<Read>()?.map_or(0, |read| read.up_to);
    let today = enterprises::today(tx).await?;
    expire(tx, today).await?;
    let mut up_to = last_number(tx).await?;
    let mut rows = told(tx, (after, up_to), query.limit, &bounds, today).await?;
    let mut waiting = is_waiting(tx).await?;
    if waiting && full(&rows, query).is_none() {
        waiting = number_waiting(tx, AT_ONCE).await? == AT_ONCE;
        up_to = last_number(tx).await?;
        rows = told(tx, (after, up_to), query.limit, &bounds, today).await?;
    }
    let last = full(&rows, query);
    let read = Read { up_to: last.unwrap_or(up_to).max(after) };
    let more = last.is_some_and(|last| last < up_to) || waiting;
    Ok(Changes { items: rows.into_iter().map(|row| row.balance).collect(), next: cursor(&read), more })
}

/// The last number of a page that is full: behind it more may lie.
fn full(rows: &[Numbered], query: &PageQuery) -> Option<i64> {
    let is_full = i64::try_from(rows.len()).is_ok_and(|len| len >= query.limit);
    rows.last().filter(|_| is_full).map(|row| row.number)
}

async fn last_number(tx: &mut EnterpriseTx) -> Result<i64> {
    let number = sqlx::query_scalar!("SELECT number FROM stock_feeds").fetch_optional(tx.conn()).await?;
    Ok(number.unwrap_or(0))
}

async fn told(
    tx: &mut EnterpriseTx,
    (after, up_to): (i64, i64),
    limit: i64,
    bounds: &Bounds,
    today: NaiveDate,
) -> Result<Vec<Numbered>> {
    let mut sql = QueryBuilder::<Postgres>::new("SELECT b.number, ");
    one_lot(&mut sql, today);
    sql.push(FROM_BALANCES).push(" WHERE b.number > ");
    sql.push_bind(after).push(" AND b.number <= ").push_bind(up_to);
    narrow(&mut sql, &BalanceFilter::default(), bounds);
    sql.push(" ORDER BY b.number LIMIT ").push_bind(limit);
    Ok(sql.build_query_as().fetch_all(tx.conn()).await?)
}

/// Lots whose last day is over since the feed was last asked are free for nobody any more: their balances are told anew.
async fn expire(tx: &mut EnterpriseTx, today: NaiveDate) -> Result<()> {
    let seen = sqlx::query_scalar!("SELECT day FROM stock_feeds").fetch_optional(tx.conn()).await?.flatten();
    if seen.is_some_and(|day| day >= today) {
        return Ok(());
    }
    let products = sqlx::query_scalar!(
        "SELECT DISTINCT product_id FROM lots WHERE expires_on < $1 AND ($2::date IS NULL OR expires_on >= $2)",
        today,
        seen,
    )
    .fetch_all(tx.conn())
    .await?;
    line_up(tx, &products).await?;
    sqlx::query!(
        "UPDATE balances AS b SET number = NULL FROM lots AS l
         WHERE l.product_id = b.product_id AND l.id = b.lot_id AND l.expires_on < $1 AND ($2::date IS NULL OR l.expires_on >= $2)
           AND b.on_hand > 0 AND b.number IS NOT NULL",
        today,
        seen,
    )
    .execute(tx.conn())
    .await?;
    let enterprise_id = tx.enterprise_id();
    sqlx::query!(
        "INSERT INTO stock_feeds (enterprise_id, number, day) VALUES ($1, 0, $2)
         ON CONFLICT (enterprise_id) DO UPDATE SET day = greatest(stock_feeds.day, EXCLUDED.day)",
        enterprise_id as _,
        today,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn is_waiting(tx: &mut EnterpriseTx) -> Result<bool> {
    Ok(sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM balances WHERE number IS NULL) AS "waiting!""#)
        .fetch_one(tx.conn())
        .await?)
}

/// Gives numbers to so many balances that changed; who holds one just now is not waited for, because it changes again.
/// Until this is committed nobody else gives numbers.
async fn number_waiting(tx: &mut EnterpriseTx, limit: i64) -> Result<i64> {
    let enterprise_id = tx.enterprise_id();
    sqlx::query!(
        "INSERT INTO stock_feeds (enterprise_id, number) VALUES ($1, 0) ON CONFLICT DO NOTHING",
        enterprise_id as _
    )
    .execute(tx.conn())
    .await?;
    let last = sqlx::query_scalar!("SELECT number FROM stock_feeds FOR UPDATE").fetch_one(tx.conn()).await?;
    let numbered = sqlx::query!(
        "WITH waiting AS MATERIALIZED (
             SELECT cell_id, product_id, lot_id FROM balances WHERE number IS NULL
             LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
         ), numbers AS (
             SELECT cell_id, product_id, lot_id, $2 + row_number() OVER (ORDER BY cell_id, product_id, lot_id) AS number FROM waiting
         )
         UPDATE balances AS b SET number = n.number FROM numbers AS n
         WHERE (b.cell_id, b.product_id, b.lot_id) = (n.cell_id, n.product_id, n.lot_id)",
        limit,
        last,
    )
    .execute(tx.conn())
    .await?;
    let numbered = i64::try_from(numbered.rows_affected()).expect("a page is small");
    sqlx::query!("UPDATE stock_feeds SET number = number + $1", numbered).execute(tx.conn()).await?;
    Ok(numbered)
}
