//! The ledger line by line: who moved what, why, by which document, and what was there before and after.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{EntryKind, Outside, past};
use crate::access::{Bounds, Permission};
use crate::db::EnterpriseTx;
use crate::ids::{
    CellId, GoodsReceiptId, LotId, OrderId, ProductId, StockDocumentId, StockEntryId, TransferId, WarehouseId,
};
use crate::page::{Page, PageQuery, cursor};
use crate::{Error, Result, clock};

/// Entries that one page looks at; a page of what is rare may be short or empty, and another one behind it.
const LOOKED_AT: i64 = 20_000;

/// The place of an entry in the order of the ledger.
type Key = (DateTime<Utc>, StockEntryId);

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
    /// By this transfer.
    pub transfer_id: Option<TransferId>,
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
    /// By this transfer.
    pub transfer_id: Option<TransferId>,
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
    for (field, moment) in [("from", filter.from), ("to", filter.to)] {
        moment.map_or(Ok(()), |at| clock::check_year(field, at))?;
    }
    if filter.from.zip(filter.to).is_some_and(|(from, to)| from >= to) {
        return Err(Error::invalid("to", "must be later than from"));
    }
    let key = query.key::<Key>()?;
    let mut sql = QueryBuilder::<Postgres>::new(
        "SELECT e.id, e.product_id, e.lot_id, e.from_cell_id, e.from_outside, e.to_cell_id, e.to_outside, e.quantity, e.kind, e.order_id,
                e.receipt_id, e.document_id, e.transfer_id, e.reason, e.actor, e.occurred_at
         FROM (",
    );
    looked_at(&mut sql, filter, key);
    sql.push(") AS e WHERE true");
    narrow(&mut sql, filter, &bounds);
    sql.push(" ORDER BY e.occurred_at, e.id LIMIT ").push_bind(query.limit + 1);
    let rows: Vec<Entry> = sql.build_query_as().fetch_all(tx.conn()).await?;
    let mut page = query.page(rows, |entry| (entry.occurred_at, entry.id));
    if page.next.is_none() {
        let shown = page.items.last().map(|entry| (entry.occurred_at, entry.id));
        page.next =
            last_looked_at(tx, filter, key).await?.map(|last| cursor(&shown.map_or(last, |shown| shown.max(last))));
    }
    turn(tx, &mut page.items, &bounds).await?;
    Ok(page)
}

/// Adds the next entries that an index leads to, in their order: those of the narrowest thing that is named, within the
/// period. What is named besides is looked for among them, so that no page reads the whole ledger.
fn looked_at(sql: &mut QueryBuilder<Postgres>, filter: &EntryFilter, key: Option<Key>) {
    match filter.cell_id {
        // Each side has an index of its own.
        Some(cell) if !filter.names_a_document() => {
            sql.push("SELECT * FROM (");
            for (side, before) in [("to_cell_id", "("), ("from_cell_id", ") UNION ALL (")] {
                sql.push(before)
                    .push("SELECT * FROM stock_entries AS s WHERE s.")
                    .push(side)
                    .push(" = ")
                    .push_bind(cell);
                in_order(sql, filter, key);
            }
            sql.push(")) AS s WHERE true");
        }
        _ => {
            sql.push("SELECT * FROM stock_entries AS s WHERE true");
            if let Some(order) = filter.order_id {
                sql.push(" AND s.order_id = ").push_bind(order);
            } else if let Some(receipt) = filter.receipt_id {
                sql.push(" AND s.receipt_id = ").push_bind(receipt);
            } else if let Some(document) = filter.document_id {
                sql.push(" AND s.document_id = ").push_bind(document);
            } else if let Some(product) = filter.product_id {
                sql.push(" AND s.product_id = ").push_bind(product);
            } else if let Some(actor) = &filter.actor {
                sql.push(" AND s.actor = ").push_bind(actor.clone());
            } else if let Some(kind) = filter.kind {
                sql.push(" AND s.kind = ").push_bind(kind);
            }
        }
    }
    in_order(sql, filter, key);
}

/// Adds the period, the place where the page begins, the order and how many are looked at.
fn in_order(sql: &mut QueryBuilder<Postgres>, filter: &EntryFilter, key: Option<Key>) {
    if let Some(from) = filter.from {
        sql.push(" AND s.occurred_at >= ").push_bind(from);
    }
    if let Some(to) = filter.to {
        sql.push(" AND s.occurred_at < ").push_bind(to);
    }
    if let Some((at, id)) = key {
        sql.push(" AND (s.occurred_at, s.id) > (").push_bind(at).push(", ").push_bind(id).push(")");
    }
    sql.push(" ORDER BY s.occurred_at, s.id LIMIT ").push_bind(LOOKED_AT);
}

/// The last entry that a page has looked at, if behind it there are more.
async fn last_looked_at(tx: &mut EnterpriseTx, filter: &EntryFilter, key: Option<Key>) -> Result<Option<Key>> {
    let mut sql = QueryBuilder::<Postgres>::new("SELECT l.occurred_at, l.id FROM (");
    looked_at(&mut sql, filter, key);
    sql.push(") AS l ORDER BY l.occurred_at, l.id OFFSET ").push_bind(LOOKED_AT - 1);
    Ok(sql.build_query_as().fetch_optional(tx.conn()).await?)
}

impl EntryFilter {
    /// What has few entries, wherever they lie.
    fn names_a_document(&self) -> bool {
        self.order_id.is_some() || self.receipt_id.is_some() || self.document_id.is_some()
    }
}

fn narrow(sql: &mut QueryBuilder<Postgres>, filter: &EntryFilter, bounds: &Bounds) {
    if let Some(product) = filter.product_id {
        sql.push(" AND e.product_id = ").push_bind(product);
    }
    if let Some(cell) = filter.cell_id {
        sql.push(" AND ").push_bind(cell).push(" IN (e.from_cell_id, e.to_cell_id)");
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
    if let Some(transfer) = filter.transfer_id {
        sql.push(" AND e.transfer_id = ").push_bind(transfer);
    }
    if let Some(kind) = filter.kind {
        sql.push(" AND e.kind = ").push_bind(kind);
    }
    if let Some(actor) = &filter.actor {
        sql.push(" AND e.actor = ").push_bind(actor.clone());
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

/// Adds what was in the cells before and after. Of two entries at one moment the one with the smaller id counts as the
/// earlier one. Cells out of reach are left out.
///
/// What was there before the first of them is counted from the side on which less of the ledger lies: from nothing on, or
/// from the balance of now back.
async fn turn(tx: &mut EnterpriseTx, entries: &mut [Entry], bounds: &Bounds) -> Result<()> {
    let Some(last) = entries.last().map(|entry| (entry.occurred_at, entry.id.0)) else { return Ok(()) };
    let is_early = past::is_early(tx, last.0).await?;
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
               SELECT p.cell_id, p.product_id, p.lot_id, p.occurred_at, p.id,
                      CASE WHEN $8 THEN 0 ELSE b.on_hand END::bigint AS known,
                      CASE WHEN $8 THEN '-infinity' ELSE p.occurred_at END AS low, CASE WHEN $8 THEN p.occurred_at ELSE 'infinity' END AS high,
                      CASE WHEN $8 THEN 1 ELSE -1 END AS sign
               FROM unnest($1::uuid[], $2::uuid[], $7::uuid[], $3::timestamptz[], $4::uuid[]) AS p (cell_id, product_id, lot_id, occurred_at, id)
               JOIN balances AS b USING (cell_id, product_id, lot_id)
               JOIN cells AS c ON c.id = p.cell_id
               WHERE $6::uuid[] IS NULL OR c.warehouse_id = ANY($6)
           ), counted AS (
               SELECT p.*, p.known + p.sign * (came.units - went.units) AS on_hand
               FROM places AS p
               CROSS JOIN LATERAL (SELECT coalesce(sum(e.quantity), 0)::bigint AS units FROM stock_entries AS e
                                   WHERE e.to_cell_id = p.cell_id AND e.product_id = p.product_id AND e.lot_id = p.lot_id
                                     AND e.occurred_at BETWEEN p.low AND p.high
                                     AND ((e.occurred_at, e.id) < (p.occurred_at, p.id)) = $8) AS came
               CROSS JOIN LATERAL (SELECT coalesce(sum(e.quantity), 0)::bigint AS units FROM stock_entries AS e
                                   WHERE e.from_cell_id = p.cell_id AND e.product_id = p.product_id AND e.lot_id = p.lot_id
                                     AND e.occurred_at BETWEEN p.low AND p.high
                                     AND ((e.occurred_at, e.id) < (p.occurred_at, p.id)) = $8) AS went
           ), sides AS (
               SELECT p.cell_id, p.product_id, p.lot_id, p.on_hand, e.id, e.occurred_at, e.quantity AS change
               FROM counted AS p JOIN stock_entries AS e ON e.to_cell_id = p.cell_id AND e.product_id = p.product_id AND e.lot_id = p.lot_id
               WHERE (e.occurred_at, e.id) >= (p.occurred_at, p.id) AND (e.occurred_at, e.id) <= ($9, $10)
               UNION ALL
               SELECT p.cell_id, p.product_id, p.lot_id, p.on_hand, e.id, e.occurred_at, -e.quantity
               FROM counted AS p JOIN stock_entries AS e ON e.from_cell_id = p.cell_id AND e.product_id = p.product_id AND e.lot_id = p.lot_id
               WHERE (e.occurred_at, e.id) >= (p.occurred_at, p.id) AND (e.occurred_at, e.id) <= ($9, $10)
           ), turns AS (
               SELECT cell_id, id, change,
                      on_hand + sum(change) OVER (PARTITION BY cell_id, product_id, lot_id ORDER BY occurred_at, id) AS after
               FROM sides
           )
           SELECT cell_id AS "cell_id!: CellId", id AS "id!", (after - change)::bigint AS "before!", after::bigint AS "after!"
           FROM turns WHERE id = ANY($5)"#,
        &cells,
        &products,
        &moments,
        &ids,
        &wanted,
        bounds.warehouses.as_deref(),
        &lots,
        is_early,
        last.0,
        last.1,
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
