//! How full cells, zones and warehouses are.

use chrono::NaiveDateTime;

use super::look;
use super::{Cell, Purpose, Warehouse, Zone, enter, zones};
use crate::Result;
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::enterprises::{self, Language, TimeZone};
use crate::ids::{WarehouseId, ZoneId};

impl Cell {
    /// How full it is, in percent, by whichever of its limits is reached first; absent where it has no limit. What is
    /// over the limit is more than 100: limits bind what comes, not what lies there.
    pub fn fill_percent(&self) -> Option<i64> {
        let limits = [
            (self.units, self.capacity_units.map(i64::from)),
            (self.volume_ml, self.capacity_volume_ml),
            (self.weight_g, self.capacity_weight_g),
        ];
        limits.into_iter().filter_map(|(used, limit)| Some(percent(used, limit?))).max()
    }
}

/// A hundred is only said of what is full, and nothing only of what is empty.
fn percent(used: i64, limit: i64) -> i64 {
    let rounded = used.saturating_mul(100).saturating_add(limit / 2) / limit.max(1);
    match rounded {
        0 if used > 0 => 1,
        100 if used < limit => 99,
        100 if used > limit => 101,
        rounded => rounded,
    }
}

/// How full some cells are together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Cells in use.
    pub cells: i64,
    /// Of these, blocked.
    pub blocked_cells: i64,
    /// Of these, with something in them.
    pub occupied_cells: i64,
    /// Units that lie there.
    pub units: i64,
    /// Of these, held for orders.
    pub reserved: i64,
    /// What they take up, in millilitres, as far as it is known.
    pub volume_ml: i64,
    /// What they weigh, in grams, as far as it is known.
    pub weight_g: i64,
    /// Units of which size or weight is not known.
    pub unmeasured_units: i64,
    /// The room of the cells that count units, and how much of it is used.
    pub units_of: Part,
    /// The room of the cells that measure volume, in millilitres, and how much of it is used.
    pub volume_of: Part,
    /// The room of the cells that measure weight, in grams, and how much of it is used.
    pub weight_of: Part,
}

/// What is used of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// So much.
    pub used: i64,
    /// Of so much; 0: nothing is limited.
    pub limit: i64,
}

impl Part {
    fn add(&mut self, used: i64, limit: Option<i64>) {
        if let Some(limit) = limit {
            self.used += used;
            self.limit += limit;
        }
    }

    /// The limit, where there is one.
    pub fn limit(self) -> Option<i64> {
        Some(self.limit).filter(|limit| *limit > 0)
    }
}

impl Fill {
    /// Of these cells.
    pub fn of<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Self {
        let mut fill = Self::default();
        for cell in cells {
            fill.cells += 1;
            fill.blocked_cells += i64::from(cell.blocked_at.is_some());
            fill.occupied_cells += i64::from(cell.units > 0);
            fill.units += cell.units;
            fill.reserved += cell.reserved;
            fill.volume_ml += cell.volume_ml;
            fill.weight_g += cell.weight_g;
            fill.unmeasured_units += cell.unmeasured_units;
            fill.units_of.add(cell.units, cell.capacity_units.map(i64::from));
            fill.volume_of.add(cell.volume_ml, cell.capacity_volume_ml);
            fill.weight_of.add(cell.weight_g, cell.capacity_weight_g);
        }
        fill
    }

    /// How full they are, in percent, by whichever limit is nearest; absent where no cell has one.
    pub fn percent(&self) -> Option<i64> {
        let parts = [self.units_of, self.volume_of, self.weight_of];
        parts.into_iter().filter_map(|part| Some(percent(part.used, part.limit()?))).max()
    }
}

/// How full a zone is.
#[derive(Clone, Debug)]
pub struct ZoneFill {
    /// Which one; absent: the cells in no zone.
    pub zone_id: Option<ZoneId>,
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub purpose: Option<Purpose>,
    /// How full it is.
    pub fill: Fill,
}

/// How full a warehouse is, as a whole and by zones.
#[derive(Clone, Debug)]
pub struct WarehouseFill {
    /// Which one.
    pub warehouse_id: WarehouseId,
    /// All of its cells.
    pub fill: Fill,
    /// By zones in their order, then what lies in none.
    pub zones: Vec<ZoneFill>,
}

/// How full the warehouse is.
pub async fn fill(tx: &mut EnterpriseTx, warehouse_id: WarehouseId) -> Result<WarehouseFill> {
    enter(tx, warehouse_id, Permission::ReadStock).await?;
    let zones = zones::of_warehouse(tx, warehouse_id).await?;
    let cells = look::of_warehouse(tx, warehouse_id).await?;
    let of = |zone: Option<ZoneId>| Fill::of(cells.iter().filter(|cell| cell.zone_id == zone));
    let mut by_zone: Vec<_> = zones
        .into_iter()
        .map(|zone| ZoneFill {
            zone_id: Some(zone.id),
            name: Some(zone.name),
            purpose: Some(zone.purpose),
            fill: of(Some(zone.id)),
        })
        .collect();
    let loose = of(None);
    if loose.cells > 0 {
        by_zone.push(ZoneFill { zone_id: None, name: None, purpose: None, fill: loose });
    }
    Ok(WarehouseFill { warehouse_id, fill: Fill::of(&cells), zones: by_zone })
}

/// A warehouse as it is drawn.
#[derive(Clone, Debug)]
pub struct FloorPlan {
    /// Which one.
    pub warehouse: Warehouse,
    /// Its zones in their order.
    pub zones: Vec<Zone>,
    /// Its cells in use, along the walking path.
    pub cells: Vec<Cell>,
    /// In which language it is written.
    pub language: Language,
    /// As of when, as clocks of the enterprise show it.
    pub at: NaiveDateTime,
}

/// What a map of the warehouse shows.
pub async fn floor_plan(tx: &mut EnterpriseTx, warehouse_id: WarehouseId) -> Result<FloorPlan> {
    let warehouse = enter(tx, warehouse_id, Permission::ReadStock).await?;
    let zones = zones::of_warehouse(tx, warehouse_id).await?;
    let cells = look::of_warehouse(tx, warehouse_id).await?;
    let (now, whose) = (tx.now().await?, tx.enterprise_id());
    let enterprise = enterprises::get(tx, whose).await?;
    let at = TimeZone::parse(&enterprise.time_zone).unwrap_or_default().local(now);
    Ok(FloorPlan { warehouse, zones, cells, language: enterprise.settings.language, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_is_full_and_empty_is_empty() {
        let cases =
            [((0, 40), 0), ((1, 1000), 1), ((12, 40), 30), ((999, 1000), 99), ((40, 40), 100), ((1001, 1000), 101)];
        for ((used, limit), expected) in cases {
            assert_eq!(percent(used, limit), expected, "{used} of {limit}");
        }
        assert!(percent(i64::MAX, 1) > 100, "nothing overflows");
    }
}
