//! Keeping goods by hand: on hold, so that nobody may have them, or reserved for somebody who is no order.

use serde::{Deserialize, Serialize};

use super::batch::{
    Batch, DocumentKind, Heading, Item, Part, Posted, Row, StockDocument, Verdict, check_quantity, document, settle,
};
use super::moves::too_little;
use super::shelf::{Shelf, Taken, Want};
use crate::Result;
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::error::RowRefused;
use crate::ids::{CellId, HoldId, ReservationId};

/// Why goods are on hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum HoldReason {
    /// Until somebody has looked at it.
    Quarantine,
    /// Damaged, not written off yet.
    Damage,
    /// Whose it is, or how many, is not settled.
    Dispute,
}

impl HoldReason {
    fn name(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Damage => "damage",
            Self::Dispute => "dispute",
        }
    }
}

/// So many units of a cell to be put on hold.
#[derive(Clone, Debug)]
pub struct HoldLine {
    /// What.
    pub item: Item,
    /// The code of the cell.
    pub cell: String,
    /// Units.
    pub quantity: i32,
    /// Why.
    pub reason: HoldReason,
}

/// So many units to be reserved.
#[derive(Clone, Debug)]
pub struct ReserveLine {
    /// What.
    pub item: Item,
    /// The code of a storage cell; if absent, the enterprise's strategy chooses.
    pub cell: Option<String>,
    /// Units.
    pub quantity: i32,
}

/// Puts goods on hold. What is reserved cannot be.
pub async fn hold(tx: &mut EnterpriseTx, heading: &Heading, lines: &[HoldLine]) -> Result<Posted> {
    for (row, line) in lines.iter().enumerate() {
        check_quantity(row, line.quantity)?;
    }
    let (items, codes) = (lines.iter().map(|line| &line.item), lines.iter().map(|line| &line.cell));
    let batch = Batch::open(tx, heading, Permission::HoldStock, items, codes).await?;
    let mut shelf = Shelf::in_cells(tx, &batch.cells(), &batch.products()).await?;
    let judge = |(row, line): (usize, &HoldLine)| {
        let cell_id = batch.cell(&line.cell)?;
        keep(&batch, &mut shelf, heading, row, (Some(cell_id), &line.cell), line.quantity, || HoldId::new().0)
    };
    let verdicts = lines.iter().enumerate().map(judge).collect();
    let rows: Vec<Row> = settle(heading.mode, verdicts)?;
    let document = document(tx, heading, DocumentKind::Hold, &rows).await?;
    if let Some(document) = &document {
        let reasons =
            rows.iter().zip(lines).flat_map(|(row, line)| row.iter().flatten().map(|_| line.reason.name().to_owned()));
        insert_holds(tx, document, &parts(&rows), &reasons.collect::<Vec<_>>()).await?;
    }
    Ok(Posted { document, rows, freed: Vec::new() })
}

/// Reserves goods by hand. Each line gets all it asks for or nothing.
pub async fn reserve_by_hand(tx: &mut EnterpriseTx, heading: &Heading, lines: &[ReserveLine]) -> Result<Posted> {
    for (row, line) in lines.iter().enumerate() {
        check_quantity(row, line.quantity)?;
    }
    let (items, codes) = (lines.iter().map(|line| &line.item), lines.iter().filter_map(|line| line.cell.as_ref()));
    let batch = Batch::open(tx, heading, Permission::ReserveStock, items, codes).await?;
    let mut shelf = Shelf::in_storage(tx, &[heading.warehouse_id], &batch.products()).await?;
    let judge = |(row, line): (usize, &ReserveLine)| {
        let cell_id = line.cell.as_ref().map(|code| batch.cell(code)).transpose()?;
        let place = line.cell.as_deref().unwrap_or("the warehouse");
        keep(&batch, &mut shelf, heading, row, (cell_id, place), line.quantity, || ReservationId::new().0)
    };
    let verdicts = lines.iter().enumerate().map(judge).collect();
    let rows: Vec<Row> = settle(heading.mode, verdicts)?;
    let document = document(tx, heading, DocumentKind::Reserve, &rows).await?;
    if let Some(document) = &document {
        insert_reservations(tx, document, &parts(&rows)).await?;
    }
    Ok(Posted { document, rows, freed: Vec::new() })
}

/// Puts goods that have just come on hold, until somebody has looked at them: before anybody who waits is served.
pub(super) async fn quarantine(
    tx: &mut EnterpriseTx,
    heading: &Heading,
    parts: impl Iterator<Item = Part>,
) -> Result<()> {
    let rows = [Ok(parts.collect::<Vec<_>>())];
    if rows.iter().flatten().all(Vec::is_empty) {
        return Ok(());
    }
    if let Some(document) = document(tx, heading, DocumentKind::Hold, &rows).await? {
        let parts = self::parts(&rows);
        let reasons = vec![HoldReason::Quarantine.name().to_owned(); parts.len()];
        insert_holds(tx, &document, &parts, &reasons).await?;
    }
    Ok(())
}

fn keep(
    batch: &Batch,
    shelf: &mut Shelf,
    heading: &Heading,
    row: usize,
    (cell_id, place): (Option<CellId>, &str),
    quantity: i32,
    id: impl Fn() -> uuid::Uuid,
) -> Verdict<Vec<Part>> {
    let (product_id, lot_id) = (batch.product(row)?, batch.lot(row)?);
    let want = Want { product_id, warehouse_id: heading.warehouse_id, cell_id, lot_id, quantity };
    let taken = shelf.take(want).map_err(|short| too_little(place, quantity, short))?;
    let part = |Taken { cell_id, lot_id, quantity }| Part { id: id(), product_id, lot_id, cell_id, quantity };
    Ok(taken.into_iter().map(part).collect())
}

fn parts(rows: &[std::result::Result<Vec<Part>, RowRefused>]) -> Vec<Part> {
    rows.iter().flatten().flatten().copied().collect()
}

async fn insert_holds(
    tx: &mut EnterpriseTx,
    document: &StockDocument,
    parts: &[Part],
    reasons: &[String],
) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    sqlx::query!(
        "INSERT INTO holds (enterprise_id, id, product_id, lot_id, cell_id, quantity, reason, created_at, document_id)
         SELECT $1, h.id, h.product_id, h.lot_id, h.cell_id, h.quantity, h.reason, $2, $3
         FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::int[], $9::text[])
              AS h (id, product_id, lot_id, cell_id, quantity, reason)
         ORDER BY h.cell_id",
        enterprise_id as _,
        document.posted_at,
        document.id as _,
        &parts.iter().map(|part| part.id).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.product_id.0).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.lot_id.0).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.cell_id.0).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.quantity).collect::<Vec<_>>(),
        reasons,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn insert_reservations(tx: &mut EnterpriseTx, document: &StockDocument, parts: &[Part]) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    sqlx::query!(
        "INSERT INTO reservations (enterprise_id, id, product_id, lot_id, cell_id, quantity, created_at, document_id)
         SELECT $1, r.id, r.product_id, r.lot_id, r.cell_id, r.quantity, $2, $3
         FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::int[]) AS r (id, product_id, lot_id, cell_id, quantity)
         ORDER BY r.cell_id",
        enterprise_id as _,
        document.posted_at,
        document.id as _,
        &parts.iter().map(|part| part.id).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.product_id.0).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.lot_id.0).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.cell_id.0).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.quantity).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
