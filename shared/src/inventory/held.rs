//! What is kept now: reservations and holds, each with the order or the document that says why.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::HoldReason;
use crate::Result;
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, HoldId, LotId, OrderId, ProductId, ReservationId, StockDocumentId, WarehouseId};
use crate::page::{Page, PageQuery};

/// Stock held for an order, or by hand.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// Ours.
    pub id: ReservationId,
    /// In which warehouse.
    pub warehouse_id: WarehouseId,
    /// In which cell.
    pub cell_id: CellId,
    /// The cell's code.
    pub cell: String,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot.
    pub lot_id: LotId,
    /// The lot's code.
    pub lot: Option<String>,
    /// Units.
    pub quantity: i32,
    /// For this order,
    pub order_id: Option<OrderId>,
    /// or under this document.
    pub document_id: Option<StockDocumentId>,
    /// The document's number.
    pub number: Option<String>,
    /// What the document says.
    pub comment: Option<String>,
    /// Who reserved by hand.
    pub actor: Option<String>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// Goods that nobody may have for now.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Ours.
    pub id: HoldId,
    /// In which warehouse.
    pub warehouse_id: WarehouseId,
    /// In which cell.
    pub cell_id: CellId,
    /// The cell's code.
    pub cell: String,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot.
    pub lot_id: LotId,
    /// The lot's code.
    pub lot: Option<String>,
    /// Units.
    pub quantity: i32,
    /// Why.
    pub reason: HoldReason,
    /// Under which document.
    pub document_id: StockDocumentId,
    /// The document's number.
    pub number: Option<String>,
    /// What the document says.
    pub comment: Option<String>,
    /// Who.
    pub actor: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// Which reservations or holds to list.
#[derive(Clone, Debug, Default)]
pub struct HeldFilter {
    /// Of this product.
    pub product_id: Option<ProductId>,
    /// In this warehouse.
    pub warehouse_id: Option<WarehouseId>,
}

/// Active reservations in reach, oldest first. One's own are those of the orders in one's requests.
pub async fn reservations(tx: &mut EnterpriseTx, filter: &HeldFilter, query: &PageQuery) -> Result<Page<Reservation>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let after: Option<ReservationId> = query.key()?;
    let rows = sqlx::query_as!(
        Reservation,
        r#"SELECT r.id, c.warehouse_id, r.cell_id, c.code AS cell, r.product_id, r.lot_id, l.code AS lot, r.quantity, r.order_id,
                  r.document_id, d.number AS "number?", d.comment AS "comment?", d.actor AS "actor?", r.created_at
           FROM reservations AS r
           JOIN cells AS c ON c.id = r.cell_id
           JOIN lots AS l ON l.id = r.lot_id
           LEFT JOIN stock_documents AS d ON d.id = r.document_id
           WHERE r.status = 'active'
             AND ($1::uuid IS NULL OR r.product_id = $1) AND ($2::uuid IS NULL OR c.warehouse_id = $2) AND r.id > $3
             AND ($5::uuid[] IS NULL OR c.warehouse_id = ANY($5)
                  OR EXISTS (SELECT FROM pick_lines AS p JOIN requests AS q ON q.id = p.request_id
                             WHERE p.order_id = r.order_id AND q.assignee_id = $6))
           ORDER BY r.id LIMIT $4"#,
        filter.product_id as _,
        filter.warehouse_id as _,
        after.map_or(Uuid::nil(), |id| id.0),
        query.limit + 1,
        bounds.warehouses.as_deref(),
        bounds.person,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |reservation| reservation.id))
}

/// Active holds in reach, oldest first. Nothing is one's own here.
pub async fn holds(tx: &mut EnterpriseTx, filter: &HeldFilter, query: &PageQuery) -> Result<Page<Hold>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let after: Option<HoldId> = query.key()?;
    let rows = sqlx::query_as!(
        Hold,
        "SELECT h.id, c.warehouse_id, h.cell_id, c.code AS cell, h.product_id, h.lot_id, l.code AS lot, h.quantity, h.reason,
                h.document_id, d.number, d.comment, d.actor, h.created_at
         FROM holds AS h
         JOIN cells AS c ON c.id = h.cell_id
         JOIN lots AS l ON l.id = h.lot_id
         JOIN stock_documents AS d ON d.id = h.document_id
         WHERE h.status = 'active'
           AND ($1::uuid IS NULL OR h.product_id = $1) AND ($2::uuid IS NULL OR c.warehouse_id = $2) AND h.id > $3
           AND ($5::uuid[] IS NULL OR c.warehouse_id = ANY($5))
         ORDER BY h.id LIMIT $4",
        filter.product_id as _,
        filter.warehouse_id as _,
        after.map_or(Uuid::nil(), |id| id.0),
        query.limit + 1,
        bounds.warehouses.as_deref(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |hold| hold.id))
}
