//! Changing cells, one or many at once.

use super::cells::{self, Cell, MAX_BATCH, Mixing, NewCell};
use super::hold::{CellVerdict, Outcome, lock_cells};
use super::{Edit, PACKING_CELL, Purpose, enter_open, look, zones};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{CellId, WarehouseId, ZoneId};
use crate::{Error, Refusal, Result};

/// What cells hold and where they lie, as far as it is changed.
#[derive(Clone, Debug, Default)]
pub struct CellLimits {
    /// In another zone, or in none.
    pub zone_id: Edit<ZoneId>,
    /// For this, if it lies in no zone.
    pub purpose: Option<Purpose>,
    /// What may lie together in it.
    pub mixing: Option<Mixing>,
    /// How many units it takes.
    pub capacity_units: Edit<i32>,
    /// How much space it has, in millilitres.
    pub capacity_volume_ml: Edit<i64>,
    /// How much it carries, in grams.
    pub capacity_weight_g: Edit<i64>,
}

/// What is changed of one cell.
#[derive(Clone, Debug, Default)]
pub struct CellChange {
    /// What people call it.
    pub code: Option<String>,
    /// What the scanner reads off it.
    pub barcode: Edit<String>,
    /// Its place on the walking path.
    pub pick_sequence: Option<i32>,
    /// What it holds and where it lies.
    pub limits: CellLimits,
}

/// Changes a cell. What lies in it stays, whatever it takes from now on.
pub async fn change_cell(tx: &mut EnterpriseTx, id: CellId, change: CellChange) -> Result<Cell> {
    tx.require(Permission::ManageWarehouses)?;
    let warehouse_id = look::enter_cell(tx, id, Permission::ManageWarehouses).await?.warehouse_id;
    enter_open(tx, warehouse_id, Permission::ManageWarehouses).await?;
    let before = lock_cells(tx, warehouse_id, &[id]).await?.pop().ok_or(Error::NotFound("cell"))?;
    tx.expect(before.version)?;
    let CellChange { code, barcode, pick_sequence, limits } = change;
    let renamed = code.is_some() || barcode != Edit::Keep;
    if before.code == PACKING_CELL && code.as_ref().is_some_and(|code| *code != before.code) {
        return Err(Error::refused(Refusal::CellBuiltIn, "what is picked is found in the cell of this code"));
    }
    let wanted = limited(tx, &before, &limits).await?;
    let wanted = NewCell {
        code: code.unwrap_or(wanted.code),
        barcode: barcode.over(wanted.barcode),
        pick_sequence: pick_sequence.unwrap_or(wanted.pick_sequence),
        ..wanted
    };
    cells::check("", &wanted)?;
    if renamed {
        cells::check_readings(tx, warehouse_id, Some(id), std::slice::from_ref(&wanted)).await?;
    }
    update(tx, id, &wanted).await?;
    let after = look::by_ids(tx, &[id.0]).await?.pop().ok_or(Error::NotFound("cell"))?;
    audit::changed(tx, Action::CellChanged, Object::of("cell", id), &before, &after).await?;
    Ok(after)
}

/// Changes many cells of a warehouse alike; each has its verdict, and one that is refused hinders no other.
pub async fn change_cells(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    ids: &[CellId],
    limits: &CellLimits,
) -> Result<Vec<CellVerdict>> {
    enter_open(tx, warehouse_id, Permission::ManageWarehouses).await?;
    if ids.is_empty() || ids.len() > MAX_BATCH {
        return Err(Error::invalid("cellIds", format!("must be 1 to {MAX_BATCH}")));
    }
    let there = lock_cells(tx, warehouse_id, ids).await?;
    let mut verdicts = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(before) = there.iter().find(|cell| cell.id == *id) else {
            verdicts.push(CellVerdict::missing(*id));
            continue;
        };
        let wanted = match limited(tx, before, limits).await {
            Ok(wanted) => wanted,
            Err(Error::Refused { refusal, detail, .. }) => {
                verdicts.push(CellVerdict::refused(before, refusal, detail));
                continue;
            }
            Err(other) => return Err(other),
        };
        cells::check("", &wanted)?;
        let outcome = if update(tx, *id, &wanted).await? {
            let after = look::by_ids(tx, &[id.0]).await?.pop().ok_or(Error::NotFound("cell"))?;
            audit::changed(tx, Action::CellChanged, Object::of("cell", *id), before, &after).await?;
            Outcome::Done
        } else {
            Outcome::Unchanged
        };
        verdicts.push(CellVerdict::of(before, outcome));
    }
    Ok(verdicts)
}

/// The cell as it would be. What orders have reserved there is not taken out of their reach.
async fn limited(tx: &mut EnterpriseTx, before: &Cell, limits: &CellLimits) -> Result<NewCell> {
    let zone_id = limits.zone_id.over(before.zone_id);
    let purpose = match zone_id {
        Some(zone) => zones::in_warehouse(tx, before.warehouse_id, zone).await?.purpose,
        None => limits.purpose.unwrap_or(before.purpose),
    };
    if let (Some(wanted), Some(_)) = (limits.purpose, zone_id)
        && wanted != purpose
    {
        return Err(Error::invalid("purpose", "is that of the zone in which the cell lies"));
    }
    if before.code == PACKING_CELL && purpose != before.purpose {
        return Err(Error::refused(Refusal::CellBuiltIn, "what is picked waits for packing in this cell"));
    }
    if before.reserved > 0 && before.purpose.is_sellable() && !purpose.is_sellable() {
        return Err(Error::refused(
            Refusal::CellInUse,
            format!("{} units in cell {} are held for orders", before.reserved, before.code),
        ));
    }
    Ok(NewCell {
        code: before.code.clone(),
        barcode: before.barcode.clone(),
        zone_id,
        purpose: Some(purpose),
        pick_sequence: before.pick_sequence,
        mixing: limits.mixing.unwrap_or(before.mixing),
        capacity_units: limits.capacity_units.over(before.capacity_units),
        capacity_volume_ml: limits.capacity_volume_ml.over(before.capacity_volume_ml),
        capacity_weight_g: limits.capacity_weight_g.over(before.capacity_weight_g),
    })
}

/// Whether anything is different now.
async fn update(tx: &mut EnterpriseTx, id: CellId, wanted: &NewCell) -> Result<bool> {
    let changed = sqlx::query!(
        "UPDATE cells SET code = $2, barcode = $3, zone_id = $4, purpose = $5, pick_sequence = $6, mixing = $7,
                          capacity_units = $8, capacity_volume_ml = $9, capacity_weight_g = $10
         WHERE id = $1 AND (code, barcode, zone_id, purpose, pick_sequence, mixing, capacity_units, capacity_volume_ml, capacity_weight_g)
                           IS DISTINCT FROM ($2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id as _,
        wanted.code,
        wanted.barcode,
        wanted.zone_id as _,
        wanted.purpose.unwrap_or(Purpose::Storage) as Purpose,
        wanted.pick_sequence,
        wanted.mixing as Mixing,
        wanted.capacity_units,
        wanted.capacity_volume_ml,
        wanted.capacity_weight_g,
    )
    .execute(tx.conn())
    .await
    .refused_on("cells_code_key", Refusal::CellCodeTaken, || format!("the warehouse already has a cell {}", wanted.code))
    .refused_on("cells_barcode_key", Refusal::CellBarcodeTaken, || "the barcode is on another cell".to_owned())?;
    Ok(changed.rows_affected() > 0)
}
