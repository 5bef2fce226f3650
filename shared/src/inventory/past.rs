//! What lay where at a moment in the past: the balance of now, less what came and plus what went since.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::look::narrow;
use super::{BalanceFilter, Grouping};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, ProductId, WarehouseId};
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
    let (one, other) = query.key::<(Uuid, Uuid)>()?.unwrap_or((Uuid::nil(), Uuid::nil()));
    let mut sql = QueryBuilder::<Postgres>::new(match by {
        Grouping::Cell => "SELECT b.cell_id, c.warehouse_id, b.product_id, old.on_hand",
        Grouping::Warehouse => {
            "SELECT NULL::uuid AS cell_id, c.warehouse_id, b.product_id, sum(old.on_hand)::bigint AS on_hand"
        }
        Grouping::Product => {
            "SELECT NULL::uuid AS cell_id, NULL::uuid AS warehouse_id, b.product_id, sum(old.on_hand)::bigint AS on_hand"
        }
    });
    // Balances stay when they are empty, so every place that ever held something is among them. Grouped in the order in
    // which rows are wanted, so that a page reads no more than a page.
    sql.push(match by {
        Grouping::Cell => {
            " FROM (SELECT cell_id, product_id, sum(on_hand) AS on_hand FROM balances GROUP BY cell_id, product_id)"
        }
        Grouping::Warehouse | Grouping::Product => {
            " FROM (SELECT product_id, cell_id, sum(on_hand) AS on_hand FROM balances GROUP BY product_id, cell_id)"
        }
    });
    sql.push(
        " AS b JOIN cells AS c ON c.id = b.cell_id
          CROSS JOIN LATERAL (SELECT coalesce(sum(e.quantity), 0) AS units FROM stock_entries AS e
                              WHERE e.to_cell_id = b.cell_id AND e.product_id = b.product_id AND e.occurred_at > ",
    );
    sql.push_bind(at).push(
        ") AS came
          CROSS JOIN LATERAL (SELECT coalesce(sum(e.quantity), 0) AS units FROM stock_entries AS e
                              WHERE e.from_cell_id = b.cell_id AND e.product_id = b.product_id AND e.occurred_at > ",
    );
    sql.push_bind(at).push(
        ") AS went
          CROSS JOIN LATERAL (SELECT (b.on_hand - came.units + went.units)::bigint AS on_hand) AS old
          WHERE old.on_hand <> 0",
    );
    narrow(&mut sql, filter, &bounds);
    match by {
        Grouping::Cell => {
            sql.push(" AND (b.cell_id, b.product_id) > (").push_bind(one).push(", ").push_bind(other);
            sql.push(") ORDER BY b.cell_id, b.product_id");
        }
        Grouping::Warehouse => {
            sql.push(" AND b.product_id >= ").push_bind(one);
            sql.push(" AND (b.product_id, c.warehouse_id) > (").push_bind(one).push(", ").push_bind(other);
            sql.push(") GROUP BY b.product_id, c.warehouse_id ORDER BY b.product_id, c.warehouse_id");
        }
        Grouping::Product => {
            sql.push(" AND b.product_id > ").push_bind(one);
            sql.push(" GROUP BY b.product_id ORDER BY b.product_id");
        }
    }
    sql.push(" LIMIT ").push_bind(query.limit + 1);
    let rows: Vec<PastBalance> = sql.build_query_as().fetch_all(tx.conn()).await?;
    let place = |row: &PastBalance| match by {
        Grouping::Cell => (row.cell_id.map_or(Uuid::nil(), |cell| cell.0), row.product_id.0),
        Grouping::Warehouse => (row.product_id.0, row.warehouse_id.map_or(Uuid::nil(), |warehouse| warehouse.0)),
        Grouping::Product => (row.product_id.0, Uuid::nil()),
    };
    Ok(query.page(rows, place))
}
