//! What is where, and how much of it is free: by lot, by cell, by warehouse, by product.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::access::{Bounds, Permission};
use crate::db::EnterpriseTx;
use crate::ids::{CellId, LotId, ProductId, WarehouseId};
use crate::page::{Page, PageQuery};
use crate::{Result, enterprises};

/// What one line of the answer is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
pub enum Grouping {
    /// A lot of a product in a cell.
    #[default]
    Lot,
    /// A product in a cell.
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
    /// Of which lot, if it is about one.
    pub lot_id: Option<LotId>,
    /// The lot's code; absent where nobody told lots apart.
    pub lot: Option<String>,
    /// The last day on which the lot may be sold.
    pub expires_on: Option<NaiveDate>,
    /// Units there.
    pub on_hand: i64,
    /// Of these, held for orders or by hand.
    pub reserved: i64,
    /// Of these, kept from everybody.
    pub on_hold: i64,
    /// Of these, free for orders: what lies where orders are served from, may still be sold and is kept for none.
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
    let (bounds, today) = (tx.bounds(Permission::ReadStock)?, enterprises::today(tx).await?);
    let (one, other, third) = query.key::<Key>()?.unwrap_or_default();
    let mut sql = QueryBuilder::<Postgres>::new("SELECT ");
    match by {
        Grouping::Lot => one_lot(&mut sql, today),
        Grouping::Cell => summed(&mut sql, "b.cell_id, c.code AS cell, c.warehouse_id", today),
        Grouping::Warehouse => summed(&mut sql, "NULL::uuid AS cell_id, NULL::text AS cell, c.warehouse_id", today),
        Grouping::Product => {
            summed(&mut sql, "NULL::uuid AS cell_id, NULL::text AS cell, NULL::uuid AS warehouse_id", today);
        }
    }
    sql.push(FROM_BALANCES).push(" WHERE b.on_hand > 0");
    narrow(&mut sql, filter, &bounds);
    by.order(&mut sql, (one, other, third));
    sql.push(" LIMIT ").push_bind(query.limit + 1);
    let rows: Vec<Balance> = sql.build_query_as().fetch_all(tx.conn()).await?;
    Ok(query.page(rows, |row| by.key(row.cell_id, row.warehouse_id, row.product_id, row.lot_id)))
}

/// The balances `b`, each with its cell `c` and its lot `l`.
pub(super) const FROM_BALANCES: &str =
    " FROM balances AS b JOIN cells AS c ON c.id = b.cell_id JOIN lots AS l ON l.id = b.lot_id";

/// Adds the columns of one lot of a product in a cell.
pub(super) fn one_lot(sql: &mut QueryBuilder<Postgres>, today: NaiveDate) {
    sql.push(
        "b.cell_id, c.code AS cell, c.warehouse_id, b.product_id, b.lot_id, l.code AS lot, l.expires_on,
         b.on_hand::bigint AS on_hand, b.reserved::bigint AS reserved, b.on_hold::bigint AS on_hold, units_for_orders(b, c, l, ",
    );
    sql.push_bind(today).push(")::bigint AS available");
}

/// Adds the same columns of several lots together, which lie there.
fn summed(sql: &mut QueryBuilder<Postgres>, there: &str, today: NaiveDate) {
    sql.push(there).push(
        ", b.product_id, NULL::uuid AS lot_id, NULL::text AS lot, NULL::date AS expires_on, sum(b.on_hand)::bigint AS on_hand,
         sum(b.reserved)::bigint AS reserved, sum(b.on_hold)::bigint AS on_hold, sum(units_for_orders(b, c, l, ",
    );
    sql.push_bind(today).push("))::bigint AS available");
}

/// The place of a row in the order of its answer.
pub(super) type Key = (Uuid, Uuid, Uuid);

impl Grouping {
    /// Adds which rows of the balances `b` in the cells `c` lie behind a key, how they are grouped, and in which order.
    pub(super) fn order(self, sql: &mut QueryBuilder<Postgres>, (one, other, third): Key) {
        match self {
            Self::Lot => {
                sql.push(" AND (b.cell_id, b.product_id, b.lot_id) > (").push_bind(one).push(", ").push_bind(other);
                sql.push(", ").push_bind(third).push(") ORDER BY b.cell_id, b.product_id, b.lot_id");
            }
            Self::Cell => {
                sql.push(" AND (b.cell_id, b.product_id) > (").push_bind(one).push(", ").push_bind(other);
                sql.push(") GROUP BY b.cell_id, c.code, c.warehouse_id, b.product_id ORDER BY b.cell_id, b.product_id");
            }
            Self::Warehouse => {
                // The first condition is the one that an index knows.
                sql.push(" AND b.product_id >= ").push_bind(one);
                sql.push(" AND (b.product_id, c.warehouse_id) > (").push_bind(one).push(", ").push_bind(other);
                sql.push(") GROUP BY b.product_id, c.warehouse_id ORDER BY b.product_id, c.warehouse_id");
            }
            Self::Product => {
                sql.push(" AND b.product_id > ").push_bind(one);
                sql.push(" GROUP BY b.product_id ORDER BY b.product_id");
            }
        }
    }

    /// Where a row stands in that order.
    pub(super) fn key(
        self,
        cell: Option<CellId>,
        warehouse: Option<WarehouseId>,
        product: ProductId,
        lot: Option<LotId>,
    ) -> Key {
        let cell = cell.map_or(Uuid::nil(), |cell| cell.0);
        match self {
            Self::Lot => (cell, product.0, lot.map_or(Uuid::nil(), |lot| lot.0)),
            Self::Cell => (cell, product.0, Uuid::nil()),
            Self::Warehouse => (product.0, warehouse.map_or(Uuid::nil(), |warehouse| warehouse.0), Uuid::nil()),
            Self::Product => (product.0, Uuid::nil(), Uuid::nil()),
        }
    }
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

/// What lies in these cells, by id.
pub(crate) async fn products_in(tx: &mut EnterpriseTx, cells: &[CellId]) -> Result<Vec<ProductId>> {
    Ok(sqlx::query_scalar!(
        "SELECT DISTINCT product_id FROM balances WHERE cell_id = ANY($1) AND on_hand > 0 ORDER BY product_id",
        &cells.iter().map(|cell| cell.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What lies in these cells and is held for nobody.
pub(crate) async fn free_in(tx: &mut EnterpriseTx, cells: &[CellId]) -> Result<Vec<ProductId>> {
    Ok(sqlx::query_scalar!(
        "SELECT DISTINCT product_id FROM balances WHERE cell_id = ANY($1) AND on_hand > reserved + on_hold ORDER BY product_id",
        &cells.iter().map(|cell| cell.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?)
}
