//! How stock moves: turnover of a period, and what does not move at all.

use chrono::{DateTime, TimeDelta, Utc};

use super::BalanceFilter;
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::ProductId;
use crate::page::{Page, PageQuery};
use crate::{Error, Result, clock};
use uuid::Uuid;

/// From one moment, to another one that is not in it any more.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl Span {
    /// Fails unless the first moment is the earlier one, or where a year has no four digits.
    pub fn new(from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Self> {
        clock::check_year("from", from)?;
        clock::check_year("to", to)?;
        if from < to { Ok(Self { from, to }) } else { Err(Error::invalid("to", "must be later than from")) }
    }
}

/// What became of a product within a period, in the warehouses that were asked for and are in reach. What moved between
/// their cells did not leave.
#[derive(Clone, Debug)]
pub struct Turnover {
    /// Of what.
    pub product_id: ProductId,
    /// Units when it began.
    pub opening: i64,
    /// Units that suppliers brought.
    pub received: i64,
    /// Units that came otherwise: returns, corrections, transfers.
    pub other_in: i64,
    /// Units that left for buyers.
    pub shipped: i64,
    /// Units that left otherwise: losses, corrections, transfers.
    pub other_out: i64,
    /// Units when it ended.
    pub closing: i64,
    /// For how many days the closing stock lasts if as much is shipped as in the period; absent if nothing was.
    pub days_of_stock: Option<f64>,
}

/// A product that lies and does not leave.
#[derive(Clone, Debug)]
pub struct SlowMover {
    /// Which one.
    pub product_id: ProductId,
    /// Units.
    pub on_hand: i64,
    /// When one was last shipped, if ever.
    pub last_shipped_at: Option<DateTime<Utc>>,
    /// When some last came from a supplier, if ever.
    pub last_received_at: Option<DateTime<Utc>>,
}

/// Turnover by product, for every product that ever lay there. A cell narrows nothing here.
pub async fn turnover(
    tx: &mut EnterpriseTx,
    span: Span,
    filter: &BalanceFilter,
    query: &PageQuery,
) -> Result<Page<Turnover>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let after: Option<ProductId> = query.key()?;
    let (first, last) = filter.product_id.map_or((Uuid::nil(), Uuid::max()), |product| (product.0, product.0));
    let rows = sqlx::query_as!(
        Turnover,
        r#"WITH stock AS (
               SELECT b.product_id, sum(b.on_hand)::bigint AS on_hand
               FROM balances AS b JOIN cells AS c ON c.id = b.cell_id
               WHERE b.product_id > $3 AND b.product_id BETWEEN $4 AND $5
                 AND ($6::uuid IS NULL OR c.warehouse_id = $6) AND ($7::uuid[] IS NULL OR c.warehouse_id = ANY($7))
               GROUP BY b.product_id ORDER BY b.product_id LIMIT $8
           )
           SELECT s.product_id, s.on_hand - m.since - m.came + m.went AS "opening!", m.received AS "received!",
                  m.came - m.received AS "other_in!", m.shipped AS "shipped!", m.went - m.shipped AS "other_out!",
                  s.on_hand - m.since AS "closing!",
                  CASE WHEN m.shipped > 0
                       THEN round((s.on_hand - m.since) * extract(epoch FROM $2::timestamptz - $1::timestamptz) / 86400 / m.shipped, 1)::float8
                  END AS days_of_stock
           FROM stock AS s
           CROSS JOIN LATERAL (
               SELECT coalesce(sum(x.quantity * x.direction) FILTER (WHERE x.later), 0)::bigint AS since,
                      coalesce(sum(x.quantity) FILTER (WHERE NOT x.later AND x.direction = 1), 0)::bigint AS came,
                      coalesce(sum(x.quantity) FILTER (WHERE NOT x.later AND x.direction = 1 AND x.kind = 'receipt'), 0)::bigint AS received,
                      coalesce(sum(x.quantity) FILTER (WHERE NOT x.later AND x.direction = -1), 0)::bigint AS went,
                      coalesce(sum(x.quantity) FILTER (WHERE NOT x.later AND x.direction = -1 AND x.kind = 'ship'), 0)::bigint AS shipped
               FROM (SELECT e.kind, e.quantity, e.occurred_at >= $2 AS later, (t.id IS NOT NULL)::int - (f.id IS NOT NULL)::int AS direction
                     FROM stock_entries AS e
                     LEFT JOIN cells AS t ON t.id = e.to_cell_id
                          AND ($6::uuid IS NULL OR t.warehouse_id = $6) AND ($7::uuid[] IS NULL OR t.warehouse_id = ANY($7))
                     LEFT JOIN cells AS f ON f.id = e.from_cell_id
                          AND ($6::uuid IS NULL OR f.warehouse_id = $6) AND ($7::uuid[] IS NULL OR f.warehouse_id = ANY($7))
                     WHERE e.product_id = s.product_id AND e.occurred_at >= $1) AS x
           ) AS m
           ORDER BY s.product_id"#,
        span.from,
        span.to,
        after.map_or(Uuid::nil(), |product| product.0),
        first,
        last,
        filter.warehouse_id as _,
        bounds.warehouses.as_deref(),
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |row| row.product_id))
}

/// Products on hand of which nothing was shipped for so many days although they were there.
pub async fn slow_movers(
    tx: &mut EnterpriseTx,
    days: i32,
    filter: &BalanceFilter,
    query: &PageQuery,
) -> Result<Page<SlowMover>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    if !(1..=3650).contains(&days) {
        return Err(Error::invalid("days", "must be between 1 and 3650"));
    }
    let since = tx.now().await? - TimeDelta::days(i64::from(days));
    let after: Option<ProductId> = query.key()?;
    let rows = sqlx::query_as!(
        SlowMover,
        r#"WITH slow AS (
               SELECT b.product_id, sum(b.on_hand)::bigint AS on_hand
               FROM balances AS b JOIN cells AS c ON c.id = b.cell_id
               WHERE b.on_hand > 0 AND b.product_id > $2
                 AND ($3::uuid IS NULL OR c.warehouse_id = $3) AND ($4::uuid[] IS NULL OR c.warehouse_id = ANY($4))
               GROUP BY b.product_id
               HAVING NOT EXISTS (SELECT FROM stock_entries AS e JOIN cells AS f ON f.id = e.from_cell_id
                                  WHERE e.kind = 'ship' AND e.product_id = b.product_id AND e.occurred_at >= $1
                                    AND ($3::uuid IS NULL OR f.warehouse_id = $3) AND ($4::uuid[] IS NULL OR f.warehouse_id = ANY($4)))
                  AND EXISTS (SELECT FROM stock_entries AS e JOIN cells AS t ON t.id = e.to_cell_id
                              WHERE e.product_id = b.product_id AND e.occurred_at < $1
                                AND ($3::uuid IS NULL OR t.warehouse_id = $3) AND ($4::uuid[] IS NULL OR t.warehouse_id = ANY($4)))
               ORDER BY b.product_id LIMIT $5
           )
           SELECT s.product_id, s.on_hand AS "on_hand!",
                  (SELECT e.occurred_at FROM stock_entries AS e JOIN cells AS f ON f.id = e.from_cell_id
                   WHERE e.kind = 'ship' AND e.product_id = s.product_id
                     AND ($3::uuid IS NULL OR f.warehouse_id = $3) AND ($4::uuid[] IS NULL OR f.warehouse_id = ANY($4))
                   ORDER BY e.occurred_at DESC LIMIT 1) AS last_shipped_at,
                  (SELECT e.occurred_at FROM stock_entries AS e JOIN cells AS t ON t.id = e.to_cell_id
                   WHERE e.kind = 'receipt' AND e.product_id = s.product_id
                     AND ($3::uuid IS NULL OR t.warehouse_id = $3) AND ($4::uuid[] IS NULL OR t.warehouse_id = ANY($4))
                   ORDER BY e.occurred_at DESC LIMIT 1) AS last_received_at
           FROM slow AS s
           ORDER BY s.product_id"#,
        since,
        after.map_or(Uuid::nil(), |product| product.0),
        filter.warehouse_id as _,
        bounds.warehouses.as_deref(),
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |row| row.product_id))
}
