//! What is where, and how much of it is free: by cell, by warehouse, by product.

use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::Result;
use crate::access::{Bounds, Permission};
use crate::db::EnterpriseTx;
use crate::ids::{CellId, ProductId, WarehouseId};
use crate::page::{Page, PageQuery};

/// What one line of the answer is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
pub enum Grouping {
    /// A product in a cell.
    #[default]
    Cell,
    /// A product in a warehouse.
    Warehouse,
    /// A product, wherever it lies.
    Product,
}

/// So much of a product.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Balance {
    /// Where, if it is about one cell.
    pub cell_id: Option<CellId>,
    /// The cell's code.
    pub cell: Option<String>,
    /// In which warehouse, if it is about one.
    pub warehouse_id: Option<WarehouseId>,
    /// Of what.
    pub product_id: ProductId,
    /// Units there.
    pub on_hand: i64,
    /// Of these, held for orders.
    pub reserved: i64,
    /// Of these, free for orders: what lies where orders are served from and is held for none.
    pub available: i64,
}

/// Which balances to list.
#[derive(Clone, Debug, Default)]
pub struct BalanceFilter {
    /// Of this product.
    pub product_id: Option<ProductId>,
    /// In this warehouse.
    pub warehouse_id: Option<WarehouseId>,
    /// In this cell.
    pub cell_id: Option<CellId>,
}

/// Balances in reach that are not zero, by product and place. One's own are those of the cells to which one's requests lead.
pub async fn balances(
    tx: &mut EnterpriseTx,
    by: Grouping,
    filter: &BalanceFilter,
    query: &PageQuery,
) -> Result<Page<Balance>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let (one, other) = query.key::<(Uuid, Uuid)>()?.unwrap_or((Uuid::nil(), Uuid::nil()));
    let mut sql = QueryBuilder::<Postgres>::new(match by {
        Grouping::Cell => {
            "SELECT b.cell_id, c.code AS cell, c.warehouse_id, b.product_id, b.on_hand::bigint AS on_hand, b.reserved::bigint AS reserved,
                    CASE WHEN serves_orders(c) THEN free_units(b) ELSE 0 END::bigint AS available"
        }
        Grouping::Warehouse => {
            "SELECT NULL::uuid AS cell_id, NULL::text AS cell, c.warehouse_id, b.product_id, sum(b.on_hand)::bigint AS on_hand,
                    sum(b.reserved)::bigint AS reserved,
                    coalesce(sum(free_units(b)) FILTER (WHERE serves_orders(c)), 0)::bigint AS available"
        }
        Grouping::Product => {
            "SELECT NULL::uuid AS cell_id, NULL::text AS cell, NULL::uuid AS warehouse_id, b.product_id, sum(b.on_hand)::bigint AS on_hand,
                    sum(b.reserved)::bigint AS reserved,
                    coalesce(sum(free_units(b)) FILTER (WHERE serves_orders(c)), 0)::bigint AS available"
        }
    });
    sql.push(" FROM balances AS b JOIN cells AS c ON c.id = b.cell_id WHERE b.on_hand > 0");
    narrow(&mut sql, filter, &bounds);
    match by {
        Grouping::Cell => {
            sql.push(" AND (b.cell_id, b.product_id) > (").push_bind(one).push(", ").push_bind(other);
            sql.push(") ORDER BY b.cell_id, b.product_id");
        }
        Grouping::Warehouse => {
            // The first condition is the one that an index knows.
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
    let rows: Vec<Balance> = sql.build_query_as().fetch_all(tx.conn()).await?;
    let place = |row: &Balance| match by {
        Grouping::Cell => (row.cell_id.map_or(Uuid::nil(), |cell| cell.0), row.product_id.0),
        Grouping::Warehouse => (row.product_id.0, row.warehouse_id.map_or(Uuid::nil(), |warehouse| warehouse.0)),
        Grouping::Product => (row.product_id.0, Uuid::nil()),
    };
    Ok(query.page(rows, place))
}

/// Adds what narrows a question about the balances `b` in the cells `c`: what was asked for, and how far the asker sees.
pub(super) fn narrow(sql: &mut QueryBuilder<Postgres>, filter: &BalanceFilter, bounds: &Bounds) {
    if let Some(product) = filter.product_id {
        sql.push(" AND b.product_id = ").push_bind(product);
    }
    if let Some(warehouse) = filter.warehouse_id {
        sql.push(" AND c.warehouse_id = ").push_bind(warehouse);
    }
    if let Some(cell) = filter.cell_id {
        sql.push(" AND b.cell_id = ").push_bind(cell);
    }
    if let Some(warehouses) = &bounds.warehouses {
        sql.push(" AND (c.warehouse_id = ANY(").push_bind(warehouses.clone()).push(")");
        if let Some(person) = bounds.person {
            sql.push(
                " OR EXISTS (SELECT FROM pick_lines AS l JOIN requests AS r ON r.id = l.request_id
                             WHERE l.cell_id = b.cell_id AND l.product_id = b.product_id AND r.assignee_id = ",
            );
            sql.push_bind(person).push(")");
        }
        sql.push(")");
    }
}

/// What lies in these cells and is held for nobody.
pub(crate) async fn free_in(tx: &mut EnterpriseTx, cells: &[CellId]) -> Result<Vec<ProductId>> {
    Ok(sqlx::query_scalar!(
        "SELECT DISTINCT product_id FROM balances WHERE cell_id = ANY($1) AND on_hand > reserved ORDER BY product_id",
        &cells.iter().map(|cell| cell.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?)
}
