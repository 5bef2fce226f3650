//! Counting what came: scans and sums, by as many people as stand there.

use serde_json::json;

use super::{Sheet, insert_lines, look};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{CellId, LotId, ProductId, ReceiptCountId, ReceiptSheetId};
use crate::inventory::batch::{Batch, Heading, Item, Mode, Verdict, settle};
use crate::{Error, Refusal, Result};

/// So many units were counted.
#[derive(Clone, Debug)]
pub struct CountLine {
    /// Of what; of a lot that nobody has heard of, too.
    pub item: Item,
    /// The code of the cell where they were put.
    pub cell: String,
    /// Units; negative to take back what was counted too often.
    pub quantity: i32,
    /// Whether they are to be put on hold until somebody has looked at them.
    pub quarantine: bool,
}

/// Adds to what was counted. What was not expected gets a line of its own.
pub async fn count(tx: &mut EnterpriseTx, id: ReceiptSheetId, lines: &[CountLine]) -> Result<Sheet> {
    let sheet = look::lock(tx, id).await?;
    sheet.status.check_open()?;
    for (row, line) in lines.iter().enumerate() {
        if line.quantity == 0 || line.quantity.unsigned_abs() > 1_000_000 {
            let field = format!("lines.{row}.quantity");
            return Err(Error::invalid(field, "must be between -1000000 and 1000000, and not 0"));
        }
    }
    let heading = Heading { warehouse_id: sheet.warehouse_id, number: None, comment: None, mode: Mode::AllOrNothing };
    let (items, cells) = (lines.iter().map(|line| &line.item), lines.iter().map(|line| &line.cell));
    let mut batch = Batch::open(tx, &heading, Permission::ReceiveGoods, items, cells).await?;
    let judge = |(row, line): (usize, &CountLine)| -> Verdict<(ProductId, LotId, CellId)> {
        let cell_id = batch.taking_cell(&line.cell)?;
        Ok((batch.incoming(row)?, batch.own_lot(row)?, cell_id))
    };
    let verdicts = lines.iter().enumerate().map(judge).collect();
    let found: Vec<_> = settle(heading.mode, verdicts)?.into_iter().flatten().collect();
    batch.make_lots(tx, found.iter().map(|(_, lot, _)| *lot)).await?;
    let mut lots: Vec<_> = found.iter().map(|(product, lot, _)| (*product, *lot, 0)).collect();
    lots.sort_unstable();
    lots.dedup();
    insert_lines(tx, id, &lots).await?;
    insert_counts(tx, id, lines, &found).await?;
    check_counts(tx, id).await?;
    let now = tx.now().await?;
    sqlx::query!("UPDATE receipt_sheets SET status = 'counting', changed_at = $2 WHERE id = $1", id as _, now)
        .execute(tx.conn())
        .await?;
    let quantity: i64 = lines.iter().map(|line| i64::from(line.quantity)).sum();
    let facts = json!({ "lines": lines.len(), "quantity": quantity });
    audit::noted(tx, Action::ReceiptSheetCounted, Object::of("receipt_sheet", id), &facts).await?;
    look::show(tx, id).await
}

async fn insert_counts(
    tx: &mut EnterpriseTx,
    sheet_id: ReceiptSheetId,
    lines: &[CountLine],
    found: &[(ProductId, LotId, CellId)],
) -> Result<()> {
    let (enterprise_id, actor, now) = (tx.enterprise_id(), tx.actor().to_string(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO receipt_counts (enterprise_id, id, line_id, cell_id, quantity, quarantine, actor, counted_at)
         SELECT $1, c.id, l.id, c.cell_id, c.quantity, c.quarantine, $2, $3
         FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::int[], $8::boolean[]) AS c (id, lot_id, cell_id, quantity, quarantine)
         JOIN receipt_sheet_lines AS l ON l.sheet_id = $9 AND l.lot_id = c.lot_id
         ORDER BY c.cell_id",
        enterprise_id as _,
        actor,
        now,
        &found.iter().map(|_| ReceiptCountId::new().0).collect::<Vec<_>>(),
        &found.iter().map(|(_, lot, _)| lot.0).collect::<Vec<_>>(),
        &found.iter().map(|(.., cell)| cell.0).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.quantity).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.quarantine).collect::<Vec<_>>(),
        sheet_id as _,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Nobody takes back more than was counted there.
async fn check_counts(tx: &mut EnterpriseTx, id: ReceiptSheetId) -> Result<()> {
    let below = sqlx::query!(
        r#"SELECT p.sku, c.code, sum(n.quantity) AS "sum!"
           FROM receipt_counts AS n
           JOIN receipt_sheet_lines AS l ON l.id = n.line_id
           JOIN products AS p ON p.id = l.product_id
           JOIN cells AS c ON c.id = n.cell_id
           WHERE l.sheet_id = $1
           GROUP BY p.sku, c.code, n.line_id, n.cell_id, n.quarantine
           HAVING sum(n.quantity) NOT BETWEEN 0 AND 1000000
           ORDER BY 1, 2 LIMIT 1"#,
        id as _
    )
    .fetch_optional(tx.conn())
    .await?;
    match below {
        None => Ok(()),
        Some(row) => Err(Error::refused(
            Refusal::ReceiptCountOutOfBounds,
            format!("{} in {} would be counted {} times", row.sku, row.code, row.sum),
        )),
    }
}
