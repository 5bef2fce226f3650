//! Rows of cells by a pattern over HTTP: looked at, then made.

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{WarehouseId, ZoneId};
use shared::warehouses::{self, Mixing, NewCell, NewRows, Purpose, Walk};

use crate::Tag;
use crate::answers::Ending;
use crate::auth::Caller;
use crate::problem::ApiError;

/// Rows of cells to make, all of them or none.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenerateCells {
    /// The first code and the last one, `A1-01…A9-20`: what differs between them runs, the last part fastest. Two dots or
    /// three are as good as the sign. At most 5000 cells.
    #[oai(validator(min_length = 1, max_length = 130))]
    pub pattern: String,
    /// Only look: what would be made, and what hinders.
    pub dry_run: bool,
    /// In which zone.
    pub zone_id: Option<ZoneId>,
    /// What they are for, if they lie in no zone; absent: storage.
    pub purpose: Option<Purpose>,
    /// How the walking path goes through the rows; absent: straight.
    pub walk: Option<Walk>,
    /// The place of the first cell on the walking path; absent: behind everything that is there.
    pub sequence_from: Option<i32>,
    /// How far apart two cells stand on the walking path, 1 to 1000; absent: 1.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
    pub sequence_step: Option<i32>,
    /// What stands before the code in the barcode; absent: the scanner reads the code.
    #[oai(validator(max_length = 68))]
    pub barcode_prefix: Option<String>,
    /// What may lie together in each; absent: anything.
    pub mixing: Option<Mixing>,
    /// How many units each takes.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub capacity_units: Option<i32>,
    /// How much space each has, in millilitres.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000000")))]
    pub capacity_volume_ml: Option<i64>,
    /// How much each carries, in grams.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000000")))]
    pub capacity_weight_g: Option<i64>,
}

/// A cell by a pattern.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct GeneratedCell {
    /// What people call it.
    pub code: String,
    /// What the scanner reads, if it is not the code.
    pub barcode: Option<String>,
    /// Its place on the walking path.
    pub pick_sequence: i32,
}

/// Rows of cells as they are, or as they would be.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct GeneratedCells {
    /// Whether they were made: not by a dry run.
    pub made: bool,
    /// How many.
    pub count: i64,
    /// In the order of the pattern.
    pub cells: Vec<GeneratedCell>,
    /// Codes that the warehouse has already: with them, nothing is made.
    pub taken: Vec<String>,
}

impl From<warehouses::Generated> for GeneratedCells {
    fn from(generated: warehouses::Generated) -> Self {
        let warehouses::Generated { made, cells, taken } = generated;
        let shown = |NewCell { code, barcode, pick_sequence, .. }| GeneratedCell { code, barcode, pick_sequence };
        let count = i64::try_from(cells.len()).unwrap_or(i64::MAX);
        Self { made, count, cells: cells.into_iter().map(shown).collect(), taken }
    }
}

/// Rows of cells.
pub struct Api;

#[OpenApi(tag = "Tag::Warehouses")]
impl Api {
    /// Make rows of cells by a pattern, or see what would be made
    #[oai(path = "/warehouses/:id/cells/generate", method = "post", operation_id = "generate_cells")]
    async fn generate(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        body: Json<GenerateCells>,
    ) -> Result<Json<GeneratedCells>, ApiError> {
        let body = body.0;
        let rows = NewRows {
            pattern: body.pattern,
            dry_run: body.dry_run,
            zone_id: body.zone_id,
            purpose: body.purpose,
            walk: body.walk.unwrap_or_default(),
            sequence_from: body.sequence_from,
            sequence_step: body.sequence_step.unwrap_or(1),
            barcode_prefix: body.barcode_prefix,
            mixing: body.mixing.unwrap_or_default(),
            capacity_units: body.capacity_units,
            capacity_volume_ml: body.capacity_volume_ml,
            capacity_weight_g: body.capacity_weight_g,
        };
        let mut tx = db.begin(&actor).await?;
        let generated = warehouses::generate(&mut tx, id.0, &rows).await?;
        tx.answer(Json(generated.into())).await
    }
}
