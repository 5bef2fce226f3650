//! Labels of cells: printed along the walking path, as often as somebody asks, because a label that fell off is printed
//! again; and shown as they will be.

use super::label::{CellLabel, dots};
use super::{Items, PrintJob, RunLane, insert, insert_items, look, printers};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{CellId, PrinterId, WarehouseId, ZoneId};
use crate::{Error, Result, enterprises, warehouses};

/// The most labels of one print job.
pub const MAX_LABELS: usize = 1000;
/// What a preview is drawn for where no printer is named.
const USUAL_DPI: i32 = 203;

/// Of which cells of a warehouse labels are wanted.
#[derive(Clone, Debug)]
pub enum LabelledCells {
    /// Of these.
    These(Vec<CellId>),
    /// Of a zone's.
    OfZone(ZoneId),
    /// Of all.
    All,
}

impl LabelledCells {
    /// As a client names them: cells, a zone, or neither.
    pub fn of(cells: Option<Vec<CellId>>, zone: Option<ZoneId>) -> Result<Self> {
        match (cells, zone) {
            (Some(cells), None) => Ok(Self::These(cells)),
            (None, Some(zone)) => Ok(Self::OfZone(zone)),
            (None, None) => Ok(Self::All),
            (Some(_), Some(_)) => Err(Error::invalid("zoneId", "name cells or a zone, not both")),
        }
    }
}

/// Has labels of cells printed.
pub async fn request_cell_labels(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    wanted: &LabelledCells,
    printer_id: PrinterId,
) -> Result<PrintJob> {
    warehouses::enter_open(tx, warehouse_id, Permission::PrintLabels).await?;
    printers::show(tx, printer_id).await?;
    let cells = choose(tx, warehouse_id, wanted).await?;
    let id = insert(tx, printer_id, super::Batch::Warehouse(warehouse_id)).await?;
    insert_items(tx, id, Items::Cells(&cells)).await?;
    tx.enqueue(&RunLane { printer_id }).await?;
    let job = look::show(tx, id).await?;
    audit::created(tx, Action::PrintJobCreated, Object::of("print_job", id), &job).await?;
    Ok(job)
}

async fn choose(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, wanted: &LabelledCells) -> Result<Vec<CellId>> {
    let (these, zone) = match wanted {
        LabelledCells::These(ids) => (Some(ids.iter().map(|id| id.0).collect::<Vec<_>>()), None),
        LabelledCells::OfZone(zone) => (None, Some(*zone)),
        LabelledCells::All => (None, None),
    };
    let bound = || Error::invalid("cellIds", format!("must be 1 to {MAX_LABELS} cells of the warehouse"));
    if these.as_ref().is_some_and(|ids| ids.is_empty() || ids.len() > MAX_LABELS) {
        return Err(bound());
    }
    let found = sqlx::query_scalar!(
        "SELECT id FROM cells
         WHERE warehouse_id = $1 AND archived_at IS NULL AND ($2::uuid[] IS NULL OR id = ANY($2)) AND ($3::uuid IS NULL OR zone_id = $3)
         ORDER BY pick_sequence, code LIMIT 1001",
        warehouse_id as _,
        these.as_deref(),
        zone as _,
    )
    .fetch_all(tx.conn())
    .await?;
    let missing = these.is_some_and(|ids| ids.iter().any(|id| !found.contains(&CellId(*id))));
    if missing {
        return Err(Error::NotFound("cell"));
    }
    if found.is_empty() || found.len() > MAX_LABELS {
        return Err(bound());
    }
    Ok(found)
}

/// The label of a cell as it comes out of this printer; without one, as the enterprise's labels are.
pub async fn preview_cell_label(tx: &mut EnterpriseTx, id: CellId, printer_id: Option<PrinterId>) -> Result<String> {
    let cell = warehouses::get_cell(tx, id).await?;
    let (width_mm, height_mm, dpi) = if let Some(printer) = printer_id {
        let printer = super::get_printer(tx, printer).await?;
        (printer.label_width_mm, printer.label_height_mm, printer.dpi)
    } else {
        let settings = enterprises::settings(tx).await?;
        (settings.label_width_mm, settings.label_height_mm, USUAL_DPI)
    };
    let names = sqlx::query!(
        r#"SELECT w.name AS warehouse, z.name AS "zone?" FROM cells AS c
           JOIN warehouses AS w ON w.id = c.warehouse_id LEFT JOIN zones AS z ON z.id = c.zone_id
           WHERE c.id = $1"#,
        id as _
    )
    .fetch_one(tx.conn())
    .await?;
    let reading = cell.barcode.unwrap_or_else(|| cell.code.clone());
    let label = CellLabel { code: cell.code, reading, warehouse: names.warehouse, zone: names.zone };
    label.svg(dots(width_mm, dpi), dots(height_mm, dpi))
}
