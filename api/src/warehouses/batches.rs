//! Many cells at once over HTTP: changed, blocked, taken out of use, labelled.

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{CellId, PrinterId, WarehouseId, ZoneId};
use shared::printing::{self, LabelledCells};
use shared::sync;
use shared::warehouses::{self, CellLimits, Mixing, Outcome, Purpose};

use crate::Tag;
use crate::answers::{Accepted, Ending, List};
use crate::auth::Caller;
use crate::clearable::Clearable;
use crate::printing::PrintJob;
use crate::problem::{ApiError, Code};

/// What is changed of many cells alike; what is not named stays.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeCells {
    /// Of these, at most 1000.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub cell_ids: Vec<CellId>,
    /// In another zone; null: in none.
    pub zone_id: Clearable<ZoneId>,
    /// What they are for, if they lie in no zone.
    pub purpose: Option<Purpose>,
    /// What may lie together in each.
    pub mixing: Option<Mixing>,
    /// How many units each takes; null: it is not limited.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub capacity_units: Clearable<i32>,
    /// How much space each has, in millilitres; null: it is not limited.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000000")))]
    pub capacity_volume_ml: Clearable<i64>,
    /// How much each carries, in grams; null: it is not limited.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000000")))]
    pub capacity_weight_g: Clearable<i64>,
}

/// Cells to block.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlockCells {
    /// These, at most 1000.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub cell_ids: Vec<CellId>,
    /// Why, 1 to 500 characters: whoever is refused there reads it.
    #[oai(validator(min_length = 1, max_length = 500))]
    pub reason: String,
}

/// Some cells of a warehouse.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct TheseCells {
    /// These, at most 1000.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub cell_ids: Vec<CellId>,
}

/// What became of one cell of a batch.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct CellVerdict {
    /// Which one.
    pub cell_id: CellId,
    /// What people call it, if it is there.
    pub code: Option<String>,
    /// Whether it is done.
    pub outcome: Outcome,
    /// Which rule said no.
    pub problem: Option<Code>,
    /// In words.
    pub detail: Option<String>,
}

impl From<warehouses::CellVerdict> for CellVerdict {
    fn from(verdict: warehouses::CellVerdict) -> Self {
        let warehouses::CellVerdict { cell_id, code, outcome, refusal, detail } = verdict;
        Self { cell_id, code, outcome, problem: refusal.map(Code::from), detail }
    }
}

/// Labels of cells to print.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrintCellLabels {
    /// On which printer.
    pub printer_id: PrinterId,
    /// Of these cells, at most 1000,
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub cell_ids: Option<Vec<CellId>>,
    /// or of all cells of this zone; neither: of all cells of the warehouse.
    pub zone_id: Option<ZoneId>,
}

/// Many cells at once.
pub struct Api;

#[OpenApi(tag = "Tag::Warehouses")]
impl Api {
    /// Change many cells alike; each has its verdict
    #[oai(path = "/warehouses/:id/cells/change", method = "post", operation_id = "change_cells")]
    async fn change_many(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        body: Json<ChangeCells>,
    ) -> Result<Json<List<CellVerdict>>, ApiError> {
        let body = body.0;
        let limits = CellLimits {
            zone_id: body.zone_id.0,
            purpose: body.purpose,
            mixing: body.mixing,
            capacity_units: body.capacity_units.0,
            capacity_volume_ml: body.capacity_volume_ml.0,
            capacity_weight_g: body.capacity_weight_g.0,
        };
        let mut tx = db.begin(&actor).await?;
        let verdicts = sync::change_cells(&mut tx, id.0, &body.cell_ids, &limits).await?;
        tx.answer(Json(List::of(verdicts))).await
    }

    /// Block cells: nothing goes in or out; each has its verdict
    #[oai(path = "/warehouses/:id/cells/block", method = "post", operation_id = "block_cells")]
    async fn block(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        body: Json<BlockCells>,
    ) -> Result<Json<List<CellVerdict>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let verdicts = warehouses::block_cells(&mut tx, id.0, &body.cell_ids, &body.reason).await?;
        tx.answer(Json(List::of(verdicts))).await
    }

    /// Open blocked cells again; what lies there serves the orders that waited for it
    #[oai(path = "/warehouses/:id/cells/unblock", method = "post", operation_id = "unblock_cells")]
    async fn unblock(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        body: Json<TheseCells>,
    ) -> Result<Json<List<CellVerdict>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let verdicts = sync::unblock_cells(&mut tx, id.0, &body.cell_ids).await?;
        tx.answer(Json(List::of(verdicts))).await
    }

    /// Take empty cells out of use; each has its verdict
    #[oai(path = "/warehouses/:id/cells/archive", method = "post", operation_id = "archive_cells")]
    async fn archive(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        body: Json<TheseCells>,
    ) -> Result<Json<List<CellVerdict>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let verdicts = warehouses::archive_cells(&mut tx, id.0, &body.cell_ids).await?;
        tx.answer(Json(List::of(verdicts))).await
    }

    /// Take archived cells into use again; each has its verdict
    #[oai(path = "/warehouses/:id/cells/restore", method = "post", operation_id = "restore_cells")]
    async fn restore(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        body: Json<TheseCells>,
    ) -> Result<Json<List<CellVerdict>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let verdicts = warehouses::restore_cells(&mut tx, id.0, &body.cell_ids).await?;
        tx.answer(Json(List::of(verdicts))).await
    }

    /// Print labels of cells along the walking path
    #[oai(path = "/warehouses/:id/cells/labels", method = "post", operation_id = "print_cell_labels")]
    async fn print_labels(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        body: Json<PrintCellLabels>,
    ) -> Result<Accepted<PrintJob>, ApiError> {
        let PrintCellLabels { printer_id, cell_ids, zone_id } = body.0;
        let wanted = LabelledCells::of(cell_ids, zone_id)?;
        let mut tx = db.begin(&actor).await?;
        let job = printing::request_cell_labels(&mut tx, id.0, &wanted, printer_id).await?;
        tx.answer(Accepted::of(job)).await
    }
}
