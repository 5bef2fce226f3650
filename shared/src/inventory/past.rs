//! What lay where at a moment in the past: the balance of now, less what came and plus what went since.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::look::{Key, narrow};
use super::{BalanceFilter, Grouping};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, LotId, ProductId, WarehouseId};
use crate::page::{Page, PageQuery};
use crate::{Error, Result};

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
/// earlier moment is seen once it is committed; a moment that is two minutes old does not change any more.
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
    let key = query.key::<Key>()?.unwrap_or_default();
    let mut sql = QueryBuilder::<Postgres>::new(match by {
        Grouping::Lot => "SELECT b.cell_id, c.warehouse_id, b.product_id, b.lot_id, old.on_hand",
        Grouping::Cell => {
            "SELECT b.cell_id, c.warehouse_id, b.product_id, NULL::uuid AS lot_id, sum(old.on_hand)::bigint AS on_hand"
        }
        Grouping::Warehouse => {
            "SELECT NULL::uuid AS cell_id, c.warehouse_id, b.product_id, NULL::uuid AS lot_id, sum(old.on_hand)::bigint AS on_hand"
        }
        Grouping::Product => {
            "SELECT NULL::uuid AS cell_id, NULL::uuid AS warehouse_id, b.product_id, NULL::uuid AS lot_id,
                    sum(old.on_hand)::bigint AS on_hand"
        }
    });
    // Balances stay when they are empty, so every place that ever held something is among them.
    sql.push(
        " FROM balances AS b JOIN cells AS c ON c.id = b.cell_id
          CROSS JOIN LATERAL (SELECT coalesce(sum(e.quantity), 0) AS units FROM stock_entries AS e
                              WHERE e.to_cell_id = b.cell_id AND e.product_id = b.product_id AND e.lot_id = b.lot_id AND e.occurred_at > ",
    );
    sql.push_bind(at).push(
        ") AS came
          CROSS JOIN LATERAL (SELECT coalesce(sum(e.quantity), 0) AS units FROM stock_entries AS e
                              WHERE e.from_cell_id = b.cell_id AND e.product_id = b.product_id AND e.lot_id = b.lot_id AND e.occurred_at > ",
    );
    sql.push_bind(at).push(
        ") AS went
          CROSS JOIN LATERAL (SELECT (b.on_hand - came.units + went.units)::bigint AS on_hand) AS old
          WHERE old.on_hand <> 0",
    );
    narrow(&mut sql, filter, &bounds);
    by.order(&mut sql, key);
    sql.push(" LIMIT ").push_bind(query.limit + 1);
    let rows: Vec<PastBalance> = sql.build_query_as().fetch_all(tx.conn()).await?;
    Ok(query.page(rows, |row| by.key(row.cell_id, row.warehouse_id, row.product_id, row.lot_id)))
}
