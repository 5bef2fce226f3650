//! Giving back what was kept by hand. An order's reservation is not: it ends with the order.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::batch::{
    DocumentKind, Heading, Part, Posted, Row, StockDocument, Verdict, document, enter, settle, touched,
};
use super::turn::line_up;
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, HoldId, LotId, OrderId, ProductId, ReservationId};
use crate::{Refusal, Result};

/// A reservation or a hold of the warehouse, as it stands.
struct Kept {
    id: Uuid,
    product_id: ProductId,
    lot_id: LotId,
    cell_id: CellId,
    quantity: i32,
    order_id: Option<OrderId>,
    is_active: bool,
}

/// Releases holds; the goods may be had again.
pub async fn release_holds(tx: &mut EnterpriseTx, heading: &Heading, ids: &[HoldId]) -> Result<Posted> {
    enter(tx, heading, Permission::HoldStock, ids.len()).await?;
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let products =
        sqlx::query_scalar!("SELECT product_id FROM holds WHERE id = ANY($1)", &ids).fetch_all(tx.conn()).await?;
    line_up(tx, &products).await?;
    // Read when it is our turn: what a moment ago was active may have ended.
    let kept = sqlx::query_as!(
        Kept,
        r#"SELECT h.id AS "id: Uuid", h.product_id, h.lot_id, h.cell_id, h.quantity, NULL::uuid AS "order_id: OrderId",
                  h.status = 'active' AS "is_active!"
           FROM holds AS h JOIN cells AS c ON c.id = h.cell_id
           WHERE h.id = ANY($1) AND c.warehouse_id = $2"#,
        &ids,
        heading.warehouse_id as _,
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = judge(heading, &ids, kept, Refusal::HoldUnknown, Refusal::HoldEnded)?;
    let document = document(tx, heading, DocumentKind::Release, &rows).await?;
    if let Some(StockDocument { id, posted_at, .. }) = &document {
        sqlx::query!(
            "UPDATE holds SET status = 'released', ended_at = $2, ended_document_id = $3 WHERE id = ANY($1) AND status = 'active'",
            &done(&rows),
            posted_at,
            *id as _,
        )
        .execute(tx.conn())
        .await?;
    }
    let freed = touched(&rows);
    Ok(Posted { document, rows, freed })
}

/// Releases reservations that were made by hand.
pub async fn release_reservations(tx: &mut EnterpriseTx, heading: &Heading, ids: &[ReservationId]) -> Result<Posted> {
    enter(tx, heading, Permission::ReserveStock, ids.len()).await?;
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let products = sqlx::query_scalar!("SELECT product_id FROM reservations WHERE id = ANY($1)", &ids)
        .fetch_all(tx.conn())
        .await?;
    line_up(tx, &products).await?;
    let kept = sqlx::query_as!(
        Kept,
        r#"SELECT r.id AS "id: Uuid", r.product_id, r.lot_id, r.cell_id, r.quantity, r.order_id, r.status = 'active' AS "is_active!"
           FROM reservations AS r JOIN cells AS c ON c.id = r.cell_id
           WHERE r.id = ANY($1) AND c.warehouse_id = $2"#,
        &ids,
        heading.warehouse_id as _,
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = judge(heading, &ids, kept, Refusal::ReservationUnknown, Refusal::ReservationEnded)?;
    let document = document(tx, heading, DocumentKind::Release, &rows).await?;
    if let Some(StockDocument { id, posted_at, .. }) = &document {
        sqlx::query!(
            "UPDATE reservations SET status = 'released', ended_at = $2, ended_document_id = $3 WHERE id = ANY($1) AND status = 'active'",
            &done(&rows),
            posted_at,
            *id as _,
        )
        .execute(tx.conn())
        .await?;
    }
    let freed = touched(&rows);
    Ok(Posted { document, rows, freed })
}

/// One named twice is released by the first line and has ended for the second.
fn judge(heading: &Heading, ids: &[Uuid], kept: Vec<Kept>, unknown: Refusal, ended: Refusal) -> Result<Vec<Row>> {
    let kept: HashMap<_, _> = kept.into_iter().map(|kept| (kept.id, kept)).collect();
    let mut seen = HashSet::new();
    let verdict = |id: &Uuid| -> Verdict<Vec<Part>> {
        // Which one, the row says; an id that is not there is told like one of somebody else.
        let kept = kept.get(id).ok_or_else(|| (unknown, "the warehouse has no such id".to_owned()))?;
        if let Some(order) = kept.order_id {
            return Err((Refusal::ReservationOfOrder, format!("it is held for order {order}")));
        }
        if !kept.is_active || !seen.insert(*id) {
            return Err((ended, "it has already ended".to_owned()));
        }
        let &Kept { id, product_id, lot_id, cell_id, quantity, .. } = kept;
        Ok(vec![Part { id, product_id, lot_id, cell_id, quantity }])
    };
    settle(heading.mode, ids.iter().map(verdict).collect())
}

fn done(rows: &[Row]) -> Vec<Uuid> {
    rows.iter().flatten().flatten().map(|part| part.id).collect()
}
