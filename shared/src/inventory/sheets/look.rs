//! Reading receipt sheets.

use chrono::{DateTime, Utc};

use super::{Sheet, SheetLine, SheetStatus};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, ProductId, ReceiptCountId, ReceiptSheetId, ReceiptSheetLineId, WarehouseId};
use crate::inventory::batch::{Heading, Mode};
use crate::page::{Page, PageQuery};
use crate::{Error, Result, warehouses};

/// Which sheets to list.
#[derive(Clone, Debug, Default)]
pub struct SheetFilter {
    /// In this warehouse.
    pub warehouse_id: Option<WarehouseId>,
    /// In this status.
    pub status: Option<SheetStatus>,
}

/// What somebody counted.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Ours.
    pub id: ReceiptCountId,
    /// Of which line.
    pub line_id: ReceiptSheetLineId,
    /// Of what.
    pub product_id: ProductId,
    /// In which cell.
    pub cell_id: CellId,
    /// Units; negative where somebody took back what was counted too often.
    pub quantity: i32,
    /// Whether they are put on hold.
    pub quarantine: bool,
    /// Who.
    pub actor: String,
    /// When.
    pub counted_at: DateTime<Utc>,
}

/// Who counted what on a sheet, oldest first.
pub async fn counts(tx: &mut EnterpriseTx, id: ReceiptSheetId, query: &PageQuery) -> Result<Page<Counted>> {
    sheet(tx, id).await?;
    let after: Option<ReceiptCountId> = query.key()?;
    let rows = sqlx::query_as!(
        Counted,
        "SELECT n.id, n.line_id, l.product_id, n.cell_id, n.quantity, n.quarantine, n.actor, n.counted_at
         FROM receipt_counts AS n JOIN receipt_sheet_lines AS l ON l.id = n.line_id
         WHERE l.sheet_id = $1 AND ($2::uuid IS NULL OR n.id > $2)
         ORDER BY n.id LIMIT $3",
        id as _,
        after as _,
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |count| count.id))
}

/// One sheet with its lines.
pub async fn sheet(tx: &mut EnterpriseTx, id: ReceiptSheetId) -> Result<Sheet> {
    let sheet = show(tx, id).await?;
    reach(tx, sheet.warehouse_id, Permission::ReadStock).await?;
    Ok(sheet)
}

/// Sheets in reach, newest first, without their lines.
pub async fn sheets(tx: &mut EnterpriseTx, filter: &SheetFilter, query: &PageQuery) -> Result<Page<Sheet>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let after: Option<ReceiptSheetId> = query.key()?;
    let rows = sqlx::query!(
        "SELECT id, warehouse_id, number, comment, status, receipt_id, actor, created_at FROM receipt_sheets
         WHERE ($1::uuid IS NULL OR warehouse_id = $1) AND ($2::text IS NULL OR status = $2) AND ($3::uuid IS NULL OR id < $3)
           AND ($5::uuid[] IS NULL OR warehouse_id = ANY($5))
         ORDER BY id DESC LIMIT $4",
        filter.warehouse_id as _,
        filter.status as Option<SheetStatus>,
        after as _,
        query.limit + 1,
        bounds.warehouses.as_deref(),
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = rows
        .into_iter()
        .map(|row| Sheet {
            id: row.id,
            warehouse_id: row.warehouse_id,
            number: row.number,
            comment: row.comment,
            status: row.status,
            receipt_id: row.receipt_id,
            actor: row.actor,
            created_at: row.created_at,
            lines: Vec::new(),
        })
        .collect();
    Ok(query.page(rows, |sheet| sheet.id))
}

pub(super) async fn show(tx: &mut EnterpriseTx, id: ReceiptSheetId) -> Result<Sheet> {
    let row = sqlx::query!(
        "SELECT id, warehouse_id, number, comment, status, receipt_id, actor, created_at FROM receipt_sheets WHERE id = $1",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("receipt sheet"))?;
    Ok(Sheet {
        id: row.id,
        warehouse_id: row.warehouse_id,
        number: row.number,
        comment: row.comment,
        status: row.status,
        receipt_id: row.receipt_id,
        actor: row.actor,
        created_at: row.created_at,
        lines: lines(tx, id).await?,
    })
}

pub(super) async fn lines(tx: &mut EnterpriseTx, id: ReceiptSheetId) -> Result<Vec<SheetLine>> {
    Ok(sqlx::query_as!(
        SheetLine,
        r#"SELECT l.id, l.product_id, l.lot_id, t.code AS lot, l.expected, l.reason,
                  coalesce((SELECT sum(n.quantity) FROM receipt_counts AS n WHERE n.line_id = l.id), 0)::bigint AS "counted!",
                  coalesce((SELECT sum(n.quantity) FROM receipt_counts AS n WHERE n.line_id = l.id AND n.quarantine), 0)::bigint AS "quarantined!"
           FROM receipt_sheet_lines AS l JOIN lots AS t ON t.id = l.lot_id
           WHERE l.sheet_id = $1 ORDER BY l.id"#,
        id as _
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What a verb needs to know of the sheet that it holds.
pub(super) struct Locked {
    pub warehouse_id: WarehouseId,
    pub number: String,
    pub status: SheetStatus,
}

impl Locked {
    /// Under which words its goods are put on hold.
    pub fn heading(&self) -> Heading {
        let (warehouse_id, number) = (self.warehouse_id, Some(self.number.clone()));
        Heading { warehouse_id, number, comment: None, mode: Mode::AllOrNothing }
    }
}

pub(super) async fn lock(tx: &mut EnterpriseTx, id: ReceiptSheetId) -> Result<Locked> {
    // Who may nothing at all is told so, whether there is such a sheet or not.
    tx.require(Permission::ReceiveGoods)?;
    let sheet = sqlx::query_as!(
        Locked,
        "SELECT warehouse_id, number, status FROM receipt_sheets WHERE id = $1 FOR NO KEY UPDATE",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("receipt sheet"))?;
    reach(tx, sheet.warehouse_id, Permission::ReceiveGoods).await?;
    Ok(sheet)
}

/// What is out of reach is not there.
async fn reach(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, permission: Permission) -> Result<()> {
    warehouses::enter(tx, warehouse_id, permission).await.map(|_| ()).map_err(|error| match error {
        Error::NotFound(_) => Error::NotFound("receipt sheet"),
        other => other,
    })
}
