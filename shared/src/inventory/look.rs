//! What is where, and how much of it is free: by lot, by cell, by warehouse, by product.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::turn::line_up;
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
    /// Beside these, on their way here; absent where the answer is about cells, in which nothing is on its way.
    pub in_transit: Option<i64>,
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

/// Balances in reach that are not zero, by product and place; by warehouse and by product also what is on its way there,
/// even where nothing lies yet. One's own are those of the cells to which one's requests lead.
pub async fn balances(
    tx: &mut EnterpriseTx,
    by: Grouping,
    filter: &BalanceFilter,
    query: &PageQuery,
) -> Result<Page<Balance>> {
    let (bounds, today) = (tx.bounds(Permission::ReadStock)?, enterprises::today(tx).await?);
    let key = query.key::<Key>()?.unwrap_or_default();
    let mut sql = QueryBuilder::<Postgres>::new("SELECT ");
    match by {
        Grouping::Lot => {
            one_lot(&mut sql, today);
            sql.push(FROM_BALANCES).push(" WHERE b.on_hand > 0");
            narrow(&mut sql, filter, &bounds);
            by.order(&mut sql, key);
        }
        Grouping::Cell => {
            sql.push(
                "b.cell_id, c.code AS cell, c.warehouse_id, b.product_id, NULL::uuid AS lot_id, NULL::text AS lot,
                 NULL::date AS expires_on, NULL::bigint AS in_transit, ",
            );
            summed(&mut sql, today);
            sql.push(FROM_BALANCES).push(" WHERE b.on_hand > 0");
            narrow(&mut sql, filter, &bounds);
            by.order(&mut sql, key);
        }
        Grouping::Warehouse | Grouping::Product => {
            let warehouse = if by == Grouping::Warehouse { "c.warehouse_id" } else { "NULL::uuid AS warehouse_id" };
            sql.push(
                "NULL::uuid AS cell_id, NULL::text AS cell, s.warehouse_id, s.product_id, NULL::uuid AS lot_id, NULL::text AS lot,
                 NULL::date AS expires_on, sum(s.on_hand)::bigint AS on_hand, sum(s.reserved)::bigint AS reserved,
                 sum(s.on_hold)::bigint AS on_hold, sum(s.available)::bigint AS available, sum(s.in_transit)::bigint AS in_transit
                 FROM ((SELECT ",
            );
            // Of both sides no more is read than a page: what is among its rows is among the first of each side.
            sql.push(warehouse).push(", b.product_id, ");
            summed(&mut sql, today);
            sql.push(if filter.cell_id.is_none() { ", 0" } else { ", NULL" }).push("::bigint AS in_transit");
            sql.push(FROM_BALANCES).push(" WHERE b.on_hand > 0");
            narrow(&mut sql, filter, &bounds);
            by.order(&mut sql, key);
            sql.push(" LIMIT ").push_bind(query.limit + 1).push(")");
            if filter.cell_id.is_none() {
                sql.push(" UNION ALL (SELECT ").push(warehouse).push(", b.product_id, 0, 0, 0, 0, ").push(AWAITED);
                sql.push("::bigint").push(ON_THE_WAY);
                narrow_to(&mut sql, filter, &bounds);
                by.behind(&mut sql, key);
                by.group(&mut sql);
                sql.push(" HAVING ").push(AWAITED).push(" > 0");
                by.sort(&mut sql);
                sql.push(" LIMIT ").push_bind(query.limit + 1).push(")");
            }
            sql.push(") AS s GROUP BY s.product_id, s.warehouse_id ORDER BY s.product_id, s.warehouse_id");
        }
    }
    sql.push(" LIMIT ").push_bind(query.limit + 1);
    let rows: Vec<Balance> = sql.build_query_as().fetch_all(tx.conn()).await?;
    Ok(query.page(rows, |row| by.key(row.cell_id, row.warehouse_id, row.product_id, row.lot_id)))
}

/// The balances `b`, each with its cell `c` and its lot `l`.
pub(super) const FROM_BALANCES: &str =
    " FROM balances AS b JOIN cells AS c ON c.id = b.cell_id JOIN lots AS l ON l.id = b.lot_id";

/// What the entries `b` of transfers leave on its way.
const AWAITED: &str = "sum(CASE WHEN b.to_outside = 'in_transit' THEN b.quantity ELSE -b.quantity END)";

/// Entries `b` of the transfers `c` that are not over; a transfer's warehouse is the one that awaits it. Read transfer by
/// transfer: in the order of the products, which a page wants, the whole ledger would be read for the few that are.
const ON_THE_WAY: &str =
    " FROM (SELECT id, to_warehouse_id AS warehouse_id FROM transfers WHERE status IN ('in_transit', 'receiving')) AS c
    CROSS JOIN LATERAL (SELECT e.product_id, e.to_outside, e.quantity FROM stock_entries AS e WHERE e.transfer_id = c.id OFFSET 0) AS b
    WHERE true";

/// Adds the columns of one lot of a product in a cell.
pub(super) fn one_lot(sql: &mut QueryBuilder<Postgres>, today: NaiveDate) {
    sql.push(
        "b.cell_id, c.code AS cell, c.warehouse_id, b.product_id, b.lot_id, l.code AS lot, l.expires_on,
         b.on_hand::bigint AS on_hand, b.reserved::bigint AS reserved, b.on_hold::bigint AS on_hold, units_for_orders(b, c, l, ",
    );
    sql.push_bind(today).push(")::bigint AS available, NULL::bigint AS in_transit");
}

/// Adds what several lots that lie there sum to.
fn summed(sql: &mut QueryBuilder<Postgres>, today: NaiveDate) {
    sql.push(
        "sum(b.on_hand)::bigint AS on_hand, sum(b.reserved)::bigint AS reserved, sum(b.on_hold)::bigint AS on_hold,
         sum(units_for_orders(b, c, l, ",
    );
    sql.push_bind(today).push("))::bigint AS available");
}

/// The place of a row in the order of its answer.
pub(super) type Key = (Uuid, Uuid, Uuid);

impl Grouping {
    /// Adds which rows of the balances `b` in the cells `c` lie behind a key, how they are grouped, and in which order.
    pub(super) fn order(self, sql: &mut QueryBuilder<Postgres>, key: Key) {
        self.behind(sql, key);
        self.group(sql);
        self.sort(sql);
    }

    fn behind(self, sql: &mut QueryBuilder<Postgres>, (one, other, third): Key) {
        match self {
            Self::Lot => {
                sql.push(" AND (b.cell_id, b.product_id, b.lot_id) > (").push_bind(one).push(", ").push_bind(other);
                sql.push(", ").push_bind(third).push(")");
            }
            Self::Cell => {
                sql.push(" AND (b.cell_id, b.product_id) > (").push_bind(one).push(", ").push_bind(other).push(")");
            }
            Self::Warehouse => {
                // The first condition is the one that an index knows.
                sql.push(" AND b.product_id >= ").push_bind(one);
                sql.push(" AND (b.product_id, c.warehouse_id) > (")
                    .push_bind(one)
                    .push(", ")
                    .push_bind(other)
                    .push(")");
            }
            Self::Product => {
                sql.push(" AND b.product_id > ").push_bind(one);
            }
        }
    }

    fn group(self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(match self {
            Self::Lot => "",
            Self::Cell => " GROUP BY b.cell_id, c.code, c.warehouse_id, b.product_id",
            Self::Warehouse => " GROUP BY b.product_id, c.warehouse_id",
            Self::Product => " GROUP BY b.product_id",
        });
    }

    fn sort(self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(match self {
            Self::Lot => " ORDER BY b.cell_id, b.product_id, b.lot_id",
            Self::Cell => " ORDER BY b.cell_id, b.product_id",
            Self::Warehouse => " ORDER BY b.product_id, c.warehouse_id",
            Self::Product => " ORDER BY b.product_id",
        });
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

/// The same about entries `b` of the transfers `c`. What is on its way is nobody's own.
fn narrow_to(sql: &mut QueryBuilder<Postgres>, filter: &BalanceFilter, bounds: &Bounds) {
    if let Some(product) = filter.product_id {
        sql.push(" AND b.product_id = ").push_bind(product);
    }
    if let Some(warehouse) = filter.warehouse_id {
        sql.push(" AND c.warehouse_id = ").push_bind(warehouse);
    }
    if let Some(warehouses) = &bounds.warehouses {
        sql.push(" AND c.warehouse_id = ANY(").push_bind(warehouses.clone()).push(")");
    }
}

/// Waits for our turn at whatever lies in these cells, before the cells are held: whoever writes to the ledger lines up first.
pub(crate) async fn line_up_at(tx: &mut EnterpriseTx, cells: &[CellId]) -> Result<Vec<ProductId>> {
    let products = products_in(tx, cells).await?;
    line_up(tx, &products).await?;
    Ok(products)
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
