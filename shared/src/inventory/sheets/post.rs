//! Posting a sheet: every difference has its reason, what was counted lies in its cells, what is to be looked at is on hold.

use serde_json::json;

use super::{DiscrepancyReason, Sheet, look};
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{CellId, HoldId, LotId, ProductId, ReceiptSheetId, ReceiptSheetLineId, StockEntryId};
use crate::inventory::batch::Part;
use crate::inventory::holds::quarantine;
use crate::inventory::receive::{Received, insert_receipt};
use crate::inventory::turn::line_up;
use crate::inventory::write::{By, Moved, write};
use crate::inventory::{EntryKind, Outside};
use crate::{Error, Refusal, Result};

/// What was counted of a lot in a cell.
struct Counted {
    product_id: ProductId,
    lot_id: LotId,
    cell_id: CellId,
    quantity: i32,
    quarantine: bool,
}

/// Takes the reasons in and posts the goods receipt. It is refused until every difference has one.
pub async fn explain_and_post(
    tx: &mut EnterpriseTx,
    id: ReceiptSheetId,
    reasons: &[(ReceiptSheetLineId, DiscrepancyReason)],
) -> Result<Received> {
    let sheet = look::lock(tx, id).await?;
    sheet.status.check_open()?;
    explain(tx, id, reasons).await?;
    check_explained(tx, id).await?;
    let counted = sqlx::query_as!(
        Counted,
        r#"SELECT l.product_id, l.lot_id, n.cell_id, sum(n.quantity)::int AS "quantity!", n.quarantine
           FROM receipt_counts AS n JOIN receipt_sheet_lines AS l ON l.id = n.line_id
           WHERE l.sheet_id = $1
           GROUP BY l.id, l.product_id, l.lot_id, n.cell_id, n.quarantine
           HAVING sum(n.quantity) > 0
           ORDER BY l.id, n.cell_id, n.quarantine"#,
        id as _
    )
    .fetch_all(tx.conn())
    .await?;
    if counted.is_empty() {
        return Err(Error::refused(
            Refusal::ReceiptNotCounted,
            "nothing was counted: cancel the sheet if nothing came",
        ));
    }
    let products: Vec<_> = counted.iter().map(|row| row.product_id).collect();
    line_up(tx, &products).await?;
    let quantity = counted.iter().map(|row| i64::from(row.quantity)).sum();
    let receipt = insert_receipt(tx, sheet.warehouse_id, &sheet.number, counted.len(), quantity).await?;
    let came = |row: &Counted| Moved {
        id: StockEntryId::new(),
        product_id: row.product_id,
        lot_id: row.lot_id,
        from: Outside::Supplier.into(),
        to: row.cell_id.into(),
        quantity: row.quantity,
        order: None,
        reason: None,
    };
    let by = By { receipt: Some(receipt.id), ..By::default() };
    write(tx, EntryKind::Receipt, by, &counted.iter().map(came).collect::<Vec<_>>()).await?;
    quarantine(tx, &sheet.heading(), counted.iter().filter(|row| row.quarantine).map(part)).await?;
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE receipt_sheets SET status = 'posted', receipt_id = $2, changed_at = $3 WHERE id = $1",
        id as _,
        receipt.id as _,
        now
    )
    .execute(tx.conn())
    .await?;
    audit::created(tx, Action::GoodsReceiptPosted, Object::of("goods_receipt", receipt.id), &receipt).await?;
    Ok(Received { receipt, products })
}

/// Closes a sheet of which nothing comes. What was counted stays written down.
pub async fn cancel_sheet(tx: &mut EnterpriseTx, id: ReceiptSheetId) -> Result<Sheet> {
    let sheet = look::lock(tx, id).await?;
    sheet.status.check_open()?;
    let now = tx.now().await?;
    sqlx::query!("UPDATE receipt_sheets SET status = 'cancelled', changed_at = $2 WHERE id = $1", id as _, now)
        .execute(tx.conn())
        .await?;
    let (before, after) = (json!({ "status": sheet.status }), json!({ "status": "cancelled" }));
    audit::changed(tx, Action::ReceiptSheetCancelled, Object::of("receipt_sheet", id), &before, &after).await?;
    look::show(tx, id).await
}

async fn explain(
    tx: &mut EnterpriseTx,
    id: ReceiptSheetId,
    reasons: &[(ReceiptSheetLineId, DiscrepancyReason)],
) -> Result<()> {
    if reasons.is_empty() {
        return Ok(());
    }
    let told = sqlx::query!(
        "UPDATE receipt_sheet_lines AS l SET reason = r.reason
         FROM unnest($2::uuid[], $3::text[]) AS r (id, reason) WHERE l.id = r.id AND l.sheet_id = $1",
        id as _,
        &reasons.iter().map(|(line, _)| line.0).collect::<Vec<_>>(),
        &reasons.iter().map(|(_, reason)| reason.name().to_owned()).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    if usize::try_from(told.rows_affected()) != Ok(reasons.len()) {
        return Err(Error::invalid("discrepancies", "must name lines of this sheet, each once"));
    }
    Ok(())
}

async fn check_explained(tx: &mut EnterpriseTx, id: ReceiptSheetId) -> Result<()> {
    let open = look::lines(tx, id).await?;
    let open: Vec<_> =
        open.iter().filter(|line| i64::from(line.expected) != line.counted && line.reason.is_none()).collect();
    let Some(first) = open.first() else { return Ok(()) };
    let sku = sqlx::query_scalar!("SELECT sku FROM products WHERE id = $1", first.product_id as _)
        .fetch_one(tx.conn())
        .await?;
    Err(Error::refused(
        Refusal::ReceiptUnexplained,
        format!(
            "{sku}: {} expected, {} counted, and no reason; {} lines are not explained",
            first.expected,
            first.counted,
            open.len()
        ),
    ))
}

fn part(row: &Counted) -> Part {
    let &Counted { product_id, lot_id, cell_id, quantity, .. } = row;
    Part { id: HoldId::new().0, product_id, lot_id, cell_id, quantity }
}
