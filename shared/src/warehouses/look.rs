//! Finding cells: in lists, by their ids, and by what a scanner reads off them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Cell, PACKING_CELL, Purpose, enter};
use crate::access::{Bounds, Permission};
use crate::db::EnterpriseTx;
use crate::ids::{CellId, WarehouseId, ZoneId};
use crate::page::{Page, PageQuery};
use crate::{Error, Result};

/// Which cells to list.
#[derive(Clone, Debug, Default)]
pub struct CellFilter {
    /// In this warehouse.
    pub warehouse_id: Option<WarehouseId>,
    /// In this zone.
    pub zone_id: Option<ZoneId>,
    /// For this.
    pub purpose: Option<Purpose>,
    /// With this text in the code, whatever the case.
    pub text: Option<String>,
    /// Of which a scanner reads exactly this: barcode or code.
    pub read_as: Option<String>,
    /// In this state; absent: in use, whatever lies in them.
    pub state: Option<CellState>,
}

/// In which state cells are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
pub enum CellState {
    /// Nothing lies in them.
    Empty,
    /// Something lies in them.
    Occupied,
    /// Nothing goes in or out.
    Blocked,
    /// They are out of use.
    Archived,
}

/// The cells of a warehouse along the walking path.
pub async fn cells(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    filter: &CellFilter,
    query: &PageQuery,
) -> Result<Page<Cell>> {
    enter(tx, warehouse_id, Permission::ReadStock).await?;
    let filter = CellFilter { warehouse_id: Some(warehouse_id), ..filter.clone() };
    let all = Bounds { warehouses: None, person: None };
    let after: Option<Place> = query.key()?;
    let rows = select(tx, &all, None, &filter, after, query.limit + 1).await?;
    Ok(query.page(rows, Place::of))
}

/// Cells of all warehouses in reach, by warehouse and walking path.
pub async fn search_cells(tx: &mut EnterpriseTx, filter: &CellFilter, query: &PageQuery) -> Result<Page<Cell>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let after: Option<Place> = query.key()?;
    let rows = select(tx, &bounds, None, filter, after, query.limit + 1).await?;
    Ok(query.page(rows, Place::of))
}

/// One cell.
pub async fn get_cell(tx: &mut EnterpriseTx, id: CellId) -> Result<Cell> {
    tx.require(Permission::ReadStock)?;
    enter_cell(tx, id, Permission::ReadStock).await
}

/// The cell, if its warehouse is in the permission's reach.
pub(super) async fn enter_cell(tx: &mut EnterpriseTx, id: CellId, permission: Permission) -> Result<Cell> {
    let cell = by_ids(tx, &[id.0]).await?.pop().ok_or(Error::NotFound("cell"))?;
    enter(tx, cell.warehouse_id, permission).await.map_err(|error| match error {
        Error::NotFound(_) => Error::NotFound("cell"),
        other => other,
    })?;
    Ok(cell)
}

/// The cells of these ids, along the walking path.
pub(super) async fn by_ids(tx: &mut EnterpriseTx, ids: &[Uuid]) -> Result<Vec<Cell>> {
    let all = Bounds { warehouses: None, person: None };
    select(tx, &all, Some(ids), &CellFilter::default(), None, i64::from(i32::MAX)).await
}

/// Every cell in use of a warehouse, along the walking path.
pub(super) async fn of_warehouse(tx: &mut EnterpriseTx, warehouse_id: WarehouseId) -> Result<Vec<Cell>> {
    let all = Bounds { warehouses: None, person: None };
    let filter = CellFilter { warehouse_id: Some(warehouse_id), ..CellFilter::default() };
    select(tx, &all, None, &filter, None, i64::from(i32::MAX)).await
}

/// Where a cell stands in lists.
#[derive(Serialize, Deserialize)]
struct Place(WarehouseId, i32, String);

impl Place {
    fn of(cell: &Cell) -> Self {
        Self(cell.warehouse_id, cell.pick_sequence, cell.code.clone())
    }
}

async fn select(
    tx: &mut EnterpriseTx,
    bounds: &Bounds,
    ids: Option<&[Uuid]>,
    filter: &CellFilter,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Cell>> {
    let (warehouse, sequence, code) = match after {
        Some(Place(warehouse, sequence, code)) => (Some(warehouse), Some(sequence), Some(code)),
        None => (None, None, None),
    };
    let text = filter.text.as_deref().map(containing);
    let (blocked, empty) = match filter.state {
        Some(CellState::Empty) => (None, Some(true)),
        Some(CellState::Occupied) => (None, Some(false)),
        Some(CellState::Blocked) => (Some(true), None),
        Some(CellState::Archived) | None => (None, None),
    };
    Ok(sqlx::query_as!(
        Cell,
        r#"SELECT c.id, c.warehouse_id, c.zone_id, c.code, c.barcode, c.purpose, c.pick_sequence, c.mixing,
                  c.capacity_units, c.capacity_volume_ml, c.capacity_weight_g,
                  c.blocked_at, c.blocked_reason, c.blocked_by, c.frozen_count_id, c.archived_at, c.version,
                  t.units AS "units!", t.reserved AS "reserved!", t.products AS "products!",
                  t.volume_ml AS "volume_ml!", t.weight_g AS "weight_g!", t.unmeasured AS "unmeasured_units!"
           FROM cells AS c CROSS JOIN LATERAL cell_content(c.enterprise_id, c.id) AS t
           WHERE ($1::uuid[] IS NULL OR c.id = ANY($1)) AND ($2::uuid IS NULL OR c.warehouse_id = $2)
             AND ($3::uuid IS NULL OR c.zone_id = $3) AND ($4::text IS NULL OR c.purpose = $4)
             AND ($5::text IS NULL OR c.code ILIKE $5) AND ($6::text IS NULL OR c.barcode = $6 OR c.code = $6)
             AND ($7::boolean IS NULL OR (c.blocked_at IS NOT NULL) = $7) AND ($8::boolean IS NULL OR (t.units = 0) = $8)
             AND ($1 IS NOT NULL OR (c.archived_at IS NOT NULL) = $9)
             AND ($10::uuid[] IS NULL OR c.warehouse_id = ANY($10)
                  OR EXISTS (SELECT FROM requests AS r WHERE r.warehouse_id = c.warehouse_id AND r.assignee_id = $11))
             AND ($12::uuid IS NULL OR (c.warehouse_id, c.pick_sequence, c.code) > ($12, $13::int, $14::text))
           ORDER BY c.warehouse_id, c.pick_sequence, c.code LIMIT $15"#,
        ids,
        filter.warehouse_id as _,
        filter.zone_id as _,
        filter.purpose as Option<Purpose>,
        text,
        filter.read_as,
        blocked,
        empty,
        filter.state == Some(CellState::Archived),
        bounds.warehouses.as_deref(),
        bounds.person,
        warehouse as _,
        sequence,
        code,
        limit,
    )
    .fetch_all(tx.conn())
    .await?)
}

fn containing(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

/// A cell as a scanner finds it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Ours.
    pub id: CellId,
    /// What people call it.
    pub code: String,
    /// What its zone is for.
    pub purpose: Purpose,
}

/// The cell off which this is read: by its barcode, else by its code.
pub(crate) async fn find_cell(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    reading: &str,
) -> Result<Option<Found>> {
    Ok(sqlx::query_as!(
        Found,
        "SELECT id, code, purpose FROM cells WHERE warehouse_id = $1 AND (barcode = $2 OR code = $2) AND archived_at IS NULL
         ORDER BY (barcode = $2) DESC NULLS LAST LIMIT 1",
        warehouse_id as _,
        reading,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// The cell for picked goods.
pub(crate) async fn packing_cell(tx: &mut EnterpriseTx, warehouse_id: WarehouseId) -> Result<CellId> {
    sqlx::query_scalar!("SELECT id FROM cells WHERE warehouse_id = $1 AND code = $2", warehouse_id as _, PACKING_CELL)
        .fetch_optional(tx.conn())
        .await?
        .ok_or_else(|| Error::Inconsistent(format!("warehouse {warehouse_id} has no packing cell")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_taken_by_its_letters() {
        assert_eq!(containing(r"A_1%\"), r"%A\_1\%\\%");
    }
}
