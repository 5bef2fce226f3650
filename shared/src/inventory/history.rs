//! The ledger line by line: who moved what, why, by which document, and what was there before and after.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{EntryKind, Outside};
use crate::access::{Bounds, Permission};
use crate::db::EnterpriseTx;
use crate::ids::{CellId, GoodsReceiptId, LotId, OrderId, ProductId, StockDocumentId, StockEntryId, WarehouseId};
use crate::page::{Page, PageQuery};
use crate::{Error, Result};

/// Units of the lot in a cell, just before and just after an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Before.
    pub before: i64,
    /// After.
    pub after: i64,
}

/// One line of the ledger.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Entry {
    /// Ours.
    pub id: StockEntryId,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot.
    pub lot_id: LotId,
    /// Taken from a cell,
    pub from_cell_id: Option<CellId>,
    /// or from outside.
    pub from_outside: Option<Outside>,
    /// Given to a cell,
    pub to_cell_id: Option<CellId>,
    /// or to the outside.
    pub to_outside: Option<Outside>,
    /// Units.
    pub quantity: i32,
    /// Why.
    pub kind: EntryKind,
    /// For this order.
    pub order_id: Option<OrderId>,
    /// By this goods receipt.
    pub receipt_id: Option<GoodsReceiptId>,
    /// By this document.
    pub document_id: Option<StockDocumentId>,
    /// For this reason, if it was corrected or written off.
    pub reason: Option<String>,
    /// Who.
    pub actor: String,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// What it left in the cell that it took from, where that cell is in reach.
    #[sqlx(skip)]
    pub from_turn: Option<Turn>,
    /// What it made in the cell that it gave to, where that cell is in reach.
    #[sqlx(skip)]
    pub to_turn: Option<Turn>,
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Of this product.
    pub product_id: Option<ProductId>,
    /// Into or out of this cell.
    pub cell_id: Option<CellId>,
    /// Into or out of cells of this warehouse.
    pub warehouse_id: Option<WarehouseId>,
    /// For this order.
    pub order_id: Option<OrderId>,
    /// By this goods receipt.
    pub receipt_id: Option<GoodsReceiptId>,
    /// By this document.
    pub document_id: Option<StockDocumentId>,
    /// Written for this reason.
    pub kind: Option<EntryKind>,
    /// By this one: `user:<id>`, `key:<id>` or `job:<kind>`.
    pub actor: Option<String>,
    /// At this moment or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this moment.
    pub to: Option<DateTime<Utc>>,
}

/// The ledger as far as it is in reach, oldest first: what entered or left a cell of these warehouses, and what became
/// later of their orders.
pub async fn entries(tx: &mut EnterpriseTx, filter: &EntryFilter, query: &PageQuery) -> Result<Page<Entry>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    if filter.from.zip(filter.to).is_some_and(|(from, to)| from >= to) {
        return Err(Error::invalid("to", "must be later than from"));
    }
    let mut sql = QueryBuilder::<Postgres>::new(
        "SELECT e.id, e.product_id, e.lot_id, e.from_cell_id, e.from_outside, e.to_cell_id, e.to_outside, e.quantity, e.kind, e.order_id,
                e.receipt_id, e.document_id, e.reason, e.actor, e.occurred_at
         FROM ",
    );
    match filter.cell_id {
        // Each side has an index of its own.
        Some(cell) => {
            sql.push("(SELECT * FROM stock_entries WHERE to_cell_id = ").push_bind(cell);
            sql.push(" UNION ALL SELECT * FROM stock_entries WHERE from_cell_id = ").push_bind(cell);
            sql.push(") AS e WHERE true");
        }
        None => {
            sql.push("stock_entries AS e WHERE true");
        }
    }
    narrow(&mut sql, filter, &bounds);
    if let Some((at, id)) = query.key::<(DateTime<Utc>, StockEntryId)>()? {
        sql.push(" AND (e.occurred_at, e.id) > (").push_bind(at).push(", ").push_bind(id).push(")");
    }
    sql.push(" ORDER BY e.occurred_at, e.id LIMIT ").push_bind(query.limit + 1);
    let rows: Vec<Entry> = sql.build_query_as().fetch_all(tx.conn()).await?;
    let mut page = query.page(rows, |entry| (entry.occurred_at, entry.id));
    turn(tx, &mut page.items, &bounds).await?;
    Ok(page)
}

fn narrow(sql: &mut QueryBuilder<Postgres>, filter: &EntryFilter, bounds: &Bounds) {
    if let Some(product) = filter.product_id {
        sql.push(" AND e.product_id = ").push_bind(product);
    }
    if let Some(warehouse) = filter.warehouse_id {
        sql.push(
            " AND EXISTS (SELECT FROM cells AS c WHERE c.id IN (e.from_cell_id, e.to_cell_id) AND c.warehouse_id = ",
        );
        sql.push_bind(warehouse).push(")");
    }
    if let Some(order) = filter.order_id {
        sql.push(" AND e.order_id = ").push_bind(order);
    }
    if let Some(receipt) = filter.receipt_id {
        sql.push(" AND e.receipt_id = ").push_bind(receipt);
    }
    if let Some(document) = filter.document_id {
        sql.push(" AND e.document_id = ").push_bind(document);
    }
    if let Some(kind) = filter.kind {
        sql.push(" AND e.kind = ").push_bind(kind);
    }
    if let Some(actor) = &filter.actor {
        sql.push(" AND e.actor = ").push_bind(actor.clone());
    }
    if let Some(from) = filter.from {
        sql.push(" AND e.occurred_at >= ").push_bind(from);
    }
    if let Some(to) = filter.to {
        sql.push(" AND e.occurred_at < ").push_bind(to);
    }
    if let Some(warehouses) = &bounds.warehouses {
        sql.push(" AND (EXISTS (SELECT FROM cells AS c WHERE c.id IN (e.from_cell_id, e.to_cell_id) AND c.warehouse_id = ANY(");
        sql.push_bind(warehouses.clone());
        sql.push(")) OR EXISTS (SELECT FROM orders AS o WHERE o.id = e.order_id AND o.warehouse_id = ANY(");
        sql.push_bind(warehouses.clone()).push("))");
        if let Some(person) = bounds.person {
            sql.push(
                " OR EXISTS (SELECT FROM pick_lines AS l JOIN requests AS r ON r.id = l.request_id
                             WHERE l.order_id = e.order_id AND r.assignee_id = ",
            );
            sql.push_bind(person).push(")");
        }
        sql.push(")");
    }
}

/// Adds what was in the cells before and after: the balance of now, less everything that came later. Of two entries at one
/// moment the one with the smaller id counts as the earlier one. Cells out of reach are left out.
async fn turn(tx: &mut EnterpriseTx, entries: &mut [Entry], bounds: &Bounds) -> Result<()> {
    let mut first: BTreeMap<(Uuid, Uuid, Uuid), (DateTime<Utc>, Uuid)> = BTreeMap::new();
    for entry in entries.iter() {
        let cells: BTreeSet<_> = [entry.from_cell_id, entry.to_cell_id].into_iter().flatten().collect();
        for cell in cells {
            first.entry((cell.0, entry.product_id.0, entry.lot_id.0)).or_insert((entry.occurred_at, entry.id.0));
        }
    }
    if first.is_empty() {
        return Ok(());
    }
    let (places, firsts): (Vec<(Uuid, Uuid, Uuid)>, Vec<_>) = first.into_iter().unzip();
    let cells: Vec<_> = places.iter().map(|(cell, ..)| *cell).collect();
    let products: Vec<_> = places.iter().map(|(_, product, _)| *product).collect();
    let lots: Vec<_> = places.iter().map(|(.., lot)| *lot).collect();
    let (moments, ids): (Vec<_>, Vec<_>) = firsts.into_iter().unzip();
    let wanted: Vec<_> = entries.iter().map(|entry| entry.id.0).collect();
    let rows = sqlx::query!(
        r#"WITH places AS (
               SELECT p.cell_id, p.product_id, p.lot_id, p.occurred_at, p.id, b.on_hand
               FROM unnest($1::uuid[], $2::uuid[], $7::uuid[], $3::timestamptz[], $4::uuid[]) AS p (cell_id, product_id, lot_id, occurred_at, id)
               JOIN balances AS b USING (cell_id, product_id, lot_id)
               JOIN cells AS c ON c.id = p.cell_id
               WHERE $6::uuid[] IS NULL OR c.warehouse_id = ANY($6)
           ), sides AS (
               SELECT p.cell_id, p.product_id, p.lot_id, p.on_hand::bigint AS on_hand, e.id, e.occurred_at, e.quantity AS change
               FROM places AS p JOIN stock_entries AS e ON e.to_cell_id = p.cell_id AND e.product_id = p.product_id AND e.lot_id = p.lot_id
               WHERE (e.occurred_at, e.id) >= (p.occurred_at, p.id)
               UNION ALL
               SELECT p.cell_id, p.product_id, p.lot_id, p.on_hand::bigint AS on_hand, e.id, e.occurred_at, -e.quantity
               FROM places AS p JOIN stock_entries AS e ON e.from_cell_id = p.cell_id AND e.product_id = p.product_id AND e.lot_id = p.lot_id
               WHERE (e.occurred_at, e.id) >= (p.occurred_at, p.id)
           ), turns AS (
               SELECT cell_id, id, change,
                      on_hand - sum(change) OVER (PARTITION BY cell_id, product_id, lot_id ORDER BY occurred_at DESC, id DESC) AS before
               FROM sides
           )
           SELECT cell_id AS "cell_id!: CellId", id AS "id!", before AS "before!", before + change AS "after!"
           FROM turns WHERE id = ANY($5)"#,
        &cells,
        &products,
        &moments,
        &ids,
        &wanted,
        bounds.warehouses.as_deref(),
        &lots,
    )
    .fetch_all(tx.conn())
    .await?;
    let turns: HashMap<_, _> =
        rows.into_iter().map(|row| ((row.id, row.cell_id), Turn { before: row.before, after: row.after })).collect();
    for entry in entries {
        let at = |cell: Option<CellId>| turns.get(&(entry.id.0, cell?)).copied();
        (entry.from_turn, entry.to_turn) = (at(entry.from_cell_id), at(entry.to_cell_id));
    }
    Ok(())
}
