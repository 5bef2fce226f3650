//! What lay where at a moment in the past: the balance of now, less what came and plus what went since; or, of a moment near
//! the beginning of the ledger, what had come by then less what had gone.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::look::{Key, narrow};
use super::{BalanceFilter, Grouping};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, LotId, ProductId, WarehouseId};
use crate::page::{Page, PageQuery};
use crate::{Error, Result, clock};

/// So much of a product, then.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PastBalance {
    /// Where, if it is about one cell.
    pub cell_id: Option<CellId>,
    /// In which warehouse, if it is about one.
    pub warehouse_id: Option<WarehouseId>,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot, if it is about one.
    pub lot_id: Option<LotId>,
    /// Units there, then.
    pub on_hand: i64,
}

/// What was on hand at a moment and is in reach, by product and place. What a transaction that is under way writes under an
/// earlier moment is seen once it is committed; a moment that is two minutes old does not change any more. A page may be
/// short or empty, and another one behind it: what held nothing then is left out.
pub async fn past(
    tx: &mut EnterpriseTx,
    at: DateTime<Utc>,
    by: Grouping,
    filter: &BalanceFilter,
    query: &PageQuery,
) -> Result<Page<PastBalance>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    if at > tx.now().await? {
        return Err(Error::invalid("at", "is not in the past"));
    }
    clock::check_year("at", at)?;
    let (key, is_early) = (query.key::<Key>()?.unwrap_or_default(), is_early(tx, at).await?);
    // Balances stay when they are empty, so every place that ever held something is among them. A page looks at so many of
    // them as it has rows, however few of them held something then.
    let (columns, same) = match by {
        Grouping::Lot => (
            "b.cell_id, c.warehouse_id, b.product_id, b.lot_id",
            "b.cell_id = a.cell_id AND b.product_id = a.product_id AND b.lot_id = a.lot_id",
        ),
        Grouping::Cell => (
            "b.cell_id, c.warehouse_id, b.product_id, NULL::uuid AS lot_id",
            "b.cell_id = a.cell_id AND b.product_id = a.product_id",
        ),
        Grouping::Warehouse => (
            "NULL::uuid AS cell_id, c.warehouse_id, b.product_id, NULL::uuid AS lot_id",
            "c.warehouse_id = a.warehouse_id AND b.product_id = a.product_id",
        ),
        Grouping::Product => (
            "NULL::uuid AS cell_id, NULL::uuid AS warehouse_id, b.product_id, NULL::uuid AS lot_id",
            "b.product_id = a.product_id",
        ),
    };
    let mut sql = QueryBuilder::<Postgres>::new("WITH asked AS MATERIALIZED (SELECT ");
    sql.push(columns).push(" FROM balances AS b JOIN cells AS c ON c.id = b.cell_id WHERE true");
    narrow(&mut sql, filter, &bounds);
    by.order(&mut sql, key);
    sql.push(" LIMIT ").push_bind(query.limit + 1).push(
        ") SELECT a.cell_id, a.warehouse_id, a.product_id, a.lot_id, old.on_hand
           FROM asked AS a
           CROSS JOIN LATERAL (
               SELECT coalesce(sum(",
    );
    sql.push(if is_early { "came.units - went.units" } else { "b.on_hand - came.units + went.units" });
    sql.push("), 0)::bigint AS on_hand FROM balances AS b JOIN cells AS c ON c.id = b.cell_id");
    for (name, side) in [("came", "to_cell_id"), ("went", "from_cell_id")] {
        sql.push(" CROSS JOIN LATERAL (SELECT coalesce(sum(e.quantity), 0) AS units FROM stock_entries AS e WHERE e.")
            .push(side);
        sql.push(" = b.cell_id AND e.product_id = b.product_id AND e.lot_id = b.lot_id AND e.occurred_at ");
        sql.push(if is_early { "<= " } else { "> " }).push_bind(at).push(") AS ").push(name);
    }
    sql.push(" WHERE ").push(same);
    narrow(&mut sql, filter, &bounds);
    sql.push(") AS old");
    let rows: Vec<PastBalance> = sql.build_query_as().fetch_all(tx.conn()).await?;
    let mut rows: Vec<_> =
        rows.into_iter().map(|row| (by.key(row.cell_id, row.warehouse_id, row.product_id, row.lot_id), row)).collect();
    rows.sort_by_key(|(key, _)| *key);
    let Page { items, next } = query.page(rows, |(key, _)| *key);
    Ok(Page { items: items.into_iter().map(|(_, row)| row).filter(|row| row.on_hand != 0).collect(), next })
}

/// Whether less of the ledger's time lies before the moment than behind it.
pub(super) async fn is_early(tx: &mut EnterpriseTx, at: DateTime<Utc>) -> Result<bool> {
    let now = tx.now().await?;
    let oldest = sqlx::query_scalar!("SELECT occurred_at FROM stock_entries ORDER BY occurred_at, id LIMIT 1")
        .fetch_optional(tx.conn())
        .await?;
    Ok(oldest.is_none_or(|oldest| at - oldest < now - at))
}
