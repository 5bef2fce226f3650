//! Making rows of cells by a pattern: looked at first, then made in one call.

use super::cells::{self, Mixing, NewCell, taken_codes, words};
use super::pattern::{Pattern, Walk};
use super::{Purpose, enter_open, zones};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{WarehouseId, ZoneId};
use crate::{Error, Refusal, Result};

/// Rows of cells to be made.
#[derive(Clone, Debug)]
pub struct NewRows {
    /// The first code and the last one: `A1-01…A9-20`.
    pub pattern: String,
    /// In which zone.
    pub zone_id: Option<ZoneId>,
    /// What they are for, if they lie in no zone; absent: storage.
    pub purpose: Option<Purpose>,
    /// How the walking path goes through the rows.
    pub walk: Walk,
    /// The place of the first cell on the walking path; absent: behind everything that is there.
    pub sequence_from: Option<i32>,
    /// How far apart two cells stand on the walking path.
    pub sequence_step: i32,
    /// What stands before the code in the barcode; absent: the code is what the scanner reads.
    pub barcode_prefix: Option<String>,
    /// What may lie together in each.
    pub mixing: Mixing,
    /// How many units each takes.
    pub capacity_units: Option<i32>,
    /// How much space each has, in millilitres.
    pub capacity_volume_ml: Option<i64>,
    /// How much each carries, in grams.
    pub capacity_weight_g: Option<i64>,
    /// Only look.
    pub dry_run: bool,
}

/// Rows of cells as they are, or as they would be.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Whether they were made.
    pub made: bool,
    /// In the order of the pattern.
    pub cells: Vec<NewCell>,
    /// Codes that the warehouse has already: with them, nothing is made.
    pub taken: Vec<String>,
}

/// Makes the rows, all of them or none; a dry run makes nothing and names what would hinder.
pub async fn generate(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, rows: &NewRows) -> Result<Generated> {
    enter_open(tx, warehouse_id, Permission::ManageWarehouses).await?;
    let cells = spell(tx, warehouse_id, rows).await?;
    let taken = taken_codes(tx, warehouse_id, &cells).await?;
    if rows.dry_run {
        if taken.is_empty() {
            cells::check_readings(tx, warehouse_id, None, &cells).await?;
        }
        return Ok(Generated { made: false, cells, taken });
    }
    if !taken.is_empty() {
        let detail = words(&format!("{} of {} codes are already taken", taken.len(), cells.len()), &taken);
        return Err(Error::refused(Refusal::CellCodeTaken, detail));
    }
    cells::insert(tx, warehouse_id, &cells).await?;
    Ok(Generated { made: true, cells, taken })
}

async fn spell(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, rows: &NewRows) -> Result<Vec<NewCell>> {
    let pattern = Pattern::parse(&rows.pattern)?;
    let purpose = match rows.zone_id {
        Some(zone) => Some(zones::in_warehouse(tx, warehouse_id, zone).await?.purpose),
        None => rows.purpose,
    };
    if !(1..=1000).contains(&rows.sequence_step) {
        return Err(Error::invalid("sequenceStep", "must be between 1 and 1000"));
    }
    let from = match rows.sequence_from {
        Some(from) => i64::from(from),
        None => behind(tx, warehouse_id).await?,
    };
    let codes = pattern.codes();
    let mut cells = Vec::with_capacity(codes.len());
    for (code, place) in codes.into_iter().zip(pattern.places(rows.walk)) {
        let place = i64::try_from(place).unwrap_or(i64::MAX).saturating_mul(i64::from(rows.sequence_step));
        let pick_sequence = i32::try_from(from.saturating_add(place))
            .map_err(|_| Error::invalid("sequenceFrom", "leads the walking path beyond 2147483647"))?;
        let barcode = rows.barcode_prefix.as_ref().map(|prefix| format!("{prefix}{code}"));
        let cell = NewCell {
            code,
            barcode,
            zone_id: rows.zone_id,
            purpose,
            pick_sequence,
            mixing: rows.mixing,
            capacity_units: rows.capacity_units,
            capacity_volume_ml: rows.capacity_volume_ml,
            capacity_weight_g: rows.capacity_weight_g,
        };
        cells::check("", &cell)?;
        cells.push(cell);
    }
    Ok(cells)
}

/// The place behind every storage place on the walking path; packing is behind them all.
async fn behind(tx: &mut EnterpriseTx, warehouse_id: WarehouseId) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(max(pick_sequence), 0)::bigint + 1 AS "next!" FROM cells WHERE warehouse_id = $1 AND code <> 'PACKING'"#,
        warehouse_id as _
    )
    .fetch_one(tx.conn())
    .await?)
}
