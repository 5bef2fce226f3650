//! Reading the ledger: balances, entries, and the proof that they agree.

use chrono::{DateTime, NaiveDate, Utc};

use super::{EntryKind, Outside, line_up};
use crate::Result;
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{
    CellId, GoodsReceiptId, LotId, OrderId, ProductId, StockDocumentId, StockEntryId, TransferId, WarehouseId,
};
use crate::page::{Page, PageQuery};

/// So much of one lot of a product in a cell.
#[derive(Clone, Debug)]
pub struct Balance {
    /// Where.
    pub cell_id: CellId,
    /// The cell's code.
    pub cell: String,
    /// In which warehouse.
    pub warehouse_id: WarehouseId,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot.
    pub lot_id: LotId,
    /// The lot's code; absent where nobody told lots apart.
    pub lot: Option<String>,
    /// The last day on which the lot may be sold.
    pub expires_on: Option<NaiveDate>,
    /// Units there.
    pub on_hand: i32,
    /// Of these, held for orders or by hand.
    pub reserved: i32,
    /// Of these, kept from everybody.
    pub on_hold: i32,
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

/// One line of the ledger.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Ours; later entries have greater ids.
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
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Of this product.
    pub product_id: Option<ProductId>,
    /// For this order.
    pub order_id: Option<OrderId>,
}

/// A balance that is not what its rows say.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Where.
    pub cell_id: CellId,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot.
    pub lot_id: LotId,
    /// What the balance says.
    pub on_hand: i64,
    /// What the entries sum to.
    pub entries: i64,
    /// What the balance says.
    pub reserved: i64,
    /// What the active reservations sum to.
    pub reservations: i64,
    /// What the balance says.
    pub on_hold: i64,
    /// What the active holds sum to.
    pub holds: i64,
}

/// The whole ledger recomputed.
#[derive(Clone, Debug)]
pub struct Consistency {
    /// Balances compared.
    pub balances: i64,
    /// Entries summed.
    pub entries: i64,
    /// Active reservations summed.
    pub reservations: i64,
    /// Active holds summed.
    pub holds: i64,
    /// The first hundred balances that are wrong; none is the promise.
    pub differences: Vec<Difference>,
}

/// Balances in reach that are not zero, by cell, product and lot. One's own are those of the cells to which one's requests lead.
pub async fn balances(tx: &mut EnterpriseTx, filter: &BalanceFilter, query: &PageQuery) -> Result<Page<Balance>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let after: Option<(CellId, ProductId, LotId)> = query.key()?;
    let (cell_id, product_id, lot_id) =
        after.map_or((None, None, None), |(cell, product, lot)| (Some(cell), Some(product), Some(lot)));
    let rows = sqlx::query_as!(
        Balance,
        "SELECT b.cell_id, c.code AS cell, c.warehouse_id, b.product_id, b.lot_id, l.code AS lot, l.expires_on, b.on_hand, b.reserved, b.on_hold
         FROM balances AS b JOIN cells AS c ON c.id = b.cell_id JOIN lots AS l ON l.id = b.lot_id
         WHERE b.on_hand > 0
           AND ($1::uuid IS NULL OR b.product_id = $1) AND ($2::uuid IS NULL OR c.warehouse_id = $2) AND ($3::uuid IS NULL OR b.cell_id = $3)
           AND ($4::uuid IS NULL OR (b.cell_id, b.product_id, b.lot_id) > ($4, $5::uuid, $9::uuid))
           AND ($7::uuid[] IS NULL OR c.warehouse_id = ANY($7)
                OR EXISTS (SELECT FROM pick_lines AS l JOIN requests AS r ON r.id = l.request_id
                           WHERE l.cell_id = b.cell_id AND l.product_id = b.product_id AND r.assignee_id = $8))
         ORDER BY b.cell_id, b.product_id, b.lot_id LIMIT $6",
        filter.product_id as _,
        filter.warehouse_id as _,
        filter.cell_id as _,
        cell_id as _,
        product_id as _,
        query.limit + 1,
        bounds.warehouses.as_deref(),
        bounds.person,
        lot_id as _,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |balance| (balance.cell_id, balance.product_id, balance.lot_id)))
}

/// Waits for our turn at whatever lies in these cells, before the cells are held: whoever writes to the ledger lines up first.
pub(crate) async fn line_up_at(tx: &mut EnterpriseTx, cells: &[CellId]) -> Result<Vec<ProductId>> {
    let products = sqlx::query_scalar!(
        "SELECT DISTINCT product_id FROM balances WHERE cell_id = ANY($1) AND on_hand > 0",
        &cells.iter().map(|cell| cell.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    line_up(tx, &products).await?;
    Ok(products)
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

/// The ledger as far as it is in reach, oldest first: what entered or left a cell of these warehouses, and what became
/// later of their orders.
pub async fn entries(tx: &mut EnterpriseTx, filter: &EntryFilter, query: &PageQuery) -> Result<Page<Entry>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let after: Option<StockEntryId> = query.key()?;
    let rows = sqlx::query_as!(
        Entry,
        "SELECT e.id, e.product_id, e.lot_id, e.from_cell_id, e.from_outside, e.to_cell_id, e.to_outside, e.quantity, e.kind, e.order_id,
                e.receipt_id, e.document_id, e.transfer_id, e.reason, e.actor, e.occurred_at
         FROM stock_entries AS e
         WHERE ($1::uuid IS NULL OR e.product_id = $1) AND ($2::uuid IS NULL OR e.order_id = $2) AND ($3::uuid IS NULL OR e.id > $3)
           AND ($5::uuid[] IS NULL
                OR EXISTS (SELECT FROM cells AS c WHERE c.id IN (e.from_cell_id, e.to_cell_id) AND c.warehouse_id = ANY($5))
                OR EXISTS (SELECT FROM orders AS o WHERE o.id = e.order_id AND o.warehouse_id = ANY($5))
                OR EXISTS (SELECT FROM pick_lines AS l JOIN requests AS r ON r.id = l.request_id
                           WHERE l.order_id = e.order_id AND r.assignee_id = $6))
         ORDER BY e.id LIMIT $4",
        filter.product_id as _,
        filter.order_id as _,
        after as _,
        query.limit + 1,
        bounds.warehouses.as_deref(),
        bounds.person,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |entry| entry.id))
}

/// Recomputes every balance in reach from its entries and reservations and names what differs. Nothing is one's own here.
pub async fn consistency(tx: &mut EnterpriseTx) -> Result<Consistency> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let warehouses = bounds.warehouses.as_deref();
    let counts = sqlx::query!(
        r#"WITH reached AS (SELECT id FROM cells WHERE $1::uuid[] IS NULL OR warehouse_id = ANY($1))
           SELECT (SELECT count(*) FROM balances AS b WHERE $1 IS NULL OR b.cell_id IN (SELECT id FROM reached)) AS "balances!",
                  (SELECT count(*) FROM stock_entries AS e
                   WHERE $1 IS NULL OR e.from_cell_id IN (SELECT id FROM reached) OR e.to_cell_id IN (SELECT id FROM reached)) AS "entries!",
                  (SELECT count(*) FROM reservations AS r
                   WHERE r.status = 'active' AND ($1 IS NULL OR r.cell_id IN (SELECT id FROM reached))) AS "reservations!",
                  (SELECT count(*) FROM holds AS h
                   WHERE h.status = 'active' AND ($1 IS NULL OR h.cell_id IN (SELECT id FROM reached))) AS "holds!""#,
        warehouses,
    )
    .fetch_one(tx.conn())
    .await?;
    let rows = sqlx::query!(
        r#"WITH summed AS (
               SELECT cell_id, product_id, lot_id, sum(quantity) AS quantity
               FROM (SELECT to_cell_id AS cell_id, product_id, lot_id, quantity FROM stock_entries WHERE to_cell_id IS NOT NULL
                     UNION ALL
                     SELECT from_cell_id, product_id, lot_id, -quantity FROM stock_entries WHERE from_cell_id IS NOT NULL) AS sides
               GROUP BY 1, 2, 3
           ), held AS (
               SELECT cell_id, product_id, lot_id, sum(quantity) AS quantity FROM reservations WHERE status = 'active' GROUP BY 1, 2, 3
           ), kept AS (
               SELECT cell_id, product_id, lot_id, sum(quantity) AS quantity FROM holds WHERE status = 'active' GROUP BY 1, 2, 3
           )
           SELECT cell_id AS "cell_id!", product_id AS "product_id!", lot_id AS "lot_id!", coalesce(b.on_hand, 0)::bigint AS "on_hand!",
                  coalesce(s.quantity, 0)::bigint AS "entries!", coalesce(b.reserved, 0)::bigint AS "reserved!",
                  coalesce(r.quantity, 0)::bigint AS "reservations!", coalesce(b.on_hold, 0)::bigint AS "on_hold!",
                  coalesce(h.quantity, 0)::bigint AS "holds!"
           FROM balances AS b
           FULL JOIN summed AS s USING (cell_id, product_id, lot_id)
           FULL JOIN held AS r USING (cell_id, product_id, lot_id)
           FULL JOIN kept AS h USING (cell_id, product_id, lot_id)
           WHERE (coalesce(b.on_hand, 0) <> coalesce(s.quantity, 0) OR coalesce(b.reserved, 0) <> coalesce(r.quantity, 0)
                  OR coalesce(b.on_hold, 0) <> coalesce(h.quantity, 0))
             AND ($1::uuid[] IS NULL OR EXISTS (SELECT FROM cells AS c WHERE c.id = cell_id AND c.warehouse_id = ANY($1)))
           ORDER BY 1, 2, 3 LIMIT 100"#,
        warehouses,
    )
    .fetch_all(tx.conn())
    .await?;
    let differences = rows
        .into_iter()
        .map(|row| Difference {
            cell_id: CellId(row.cell_id),
            product_id: ProductId(row.product_id),
            lot_id: LotId(row.lot_id),
            on_hand: row.on_hand,
            entries: row.entries,
            reserved: row.reserved,
            reservations: row.reservations,
            on_hold: row.on_hold,
            holds: row.holds,
        })
        .collect();
    Ok(Consistency {
        balances: counts.balances,
        entries: counts.entries,
        reservations: counts.reservations,
        holds: counts.holds,
        differences,
    })
}
