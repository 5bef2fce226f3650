//! Own warehouses: zones, cells with what they may hold, and the Wildberries warehouses that they feed.
//!
//! A zone says what its cells are for. A cell is where stock lies: a code and a barcode that a scanner reads, a place on
//! the walking path, limits on what it takes. A blocked cell takes nothing in and gives nothing out. The limits are kept
//! by the database (`cells_admit_entries`), so that they hold for every verb that writes to the ledger.

mod admit;
mod archive;
mod cells;
mod change;
mod content;
mod generate;
mod hold;
mod look;
mod pattern;
mod wildberries;
mod zones;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{CellId, WarehouseId};
use crate::versions::Version;
use crate::{Error, Refusal, Result};

pub(crate) use admit::AdmittedByCells;
pub use archive::{Use, UseKind, archive, restore, uses};
pub use cells::{Cell, Mixing, NewCell, add_cells};
pub use change::{CellChange, CellLimits, change_cell, change_cells};
pub use content::{Fill, FloorPlan, WarehouseFill, ZoneFill, fill, floor_plan};
pub use generate::{Generated, NewRows, generate};
pub use hold::{CellVerdict, Outcome, archive_cells, block_cells, restore_cells, unblock_cells};
pub use look::{CellFilter, CellState, cells, get_cell, search_cells};
pub(crate) use look::{Found, find_cell, packing_cell};
pub use pattern::{MAX_CELLS, Walk};
pub use wildberries::{
    OfficeFacts, Relinked, WildberriesWarehouse, WildberriesWarehouseFacts, link, list_wildberries, record_wildberries,
    unlink,
};
pub use zones::{NewZone, Zone, ZoneChange, change_zone, create_zone, delete_zone, list_zones};

/// The code of the cell in which every warehouse keeps what is picked and not yet shipped.
pub const PACKING_CELL: &str = "PACKING";

/// An own warehouse.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Warehouse {
    /// Ours.
    pub id: WarehouseId,
    /// Unique in the enterprise.
    pub name: String,
    /// Where it is.
    pub address: Option<String>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Since when nothing happens there any more.
    pub archived_at: Option<DateTime<Utc>>,
    /// How often it was changed.
    pub version: Version,
}

/// What a zone and its cells are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Purpose {
    /// Where goods are unloaded and counted; orders cannot reserve them yet.
    Receiving,
    /// Stock that orders may reserve.
    Storage,
    /// The same within reach of the pickers.
    Picking,
    /// Picked goods on their way out.
    Packing,
    /// Packed goods that wait for the car.
    Shipping,
    /// What nobody may sell: damaged, suspicious, returned.
    Quarantine,
}

impl Purpose {
    /// In the order in which goods pass.
    pub const ALL: [Self; 6] =
        [Self::Receiving, Self::Quarantine, Self::Storage, Self::Picking, Self::Packing, Self::Shipping];

    /// The word of the API and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Storage => "storage",
            Self::Picking => "picking",
            Self::Packing => "packing",
            Self::Shipping => "shipping",
            Self::Quarantine => "quarantine",
        }
    }

    /// Whether stock is counted there: what is picked and on its way out is not, because each of it is an order's.
    pub fn is_counted(self) -> bool {
        match self {
            Self::Receiving | Self::Quarantine | Self::Storage | Self::Picking => true,
            Self::Packing | Self::Shipping => false,
        }
    }

    /// Whether orders may reserve what lies there.
    pub fn is_sellable(self) -> bool {
        match self {
            Self::Storage | Self::Picking => true,
            Self::Receiving | Self::Packing | Self::Shipping | Self::Quarantine => false,
        }
    }
}

/// What becomes of a value that may be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is absent from now on.
    Clear,
    /// It is this from now on.
    Set(T),
}

impl<T> Edit<T> {
    /// The value afterwards.
    pub fn over(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// What is changed of a warehouse.
#[derive(Clone, Debug, Default)]
pub struct WarehouseChange {
    /// Another name.
    pub name: Option<String>,
    /// Another address, or none.
    pub address: Edit<String>,
}

fn checked_name(name: &str) -> Result<&str> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Error::invalid("name", "must have 1 to 200 characters"));
    }
    Ok(name)
}

fn checked_address(address: Option<&str>) -> Result<Option<&str>> {
    let address = address.map(str::trim).filter(|address| !address.is_empty());
    if address.is_some_and(|address| address.chars().count() > 500) {
        return Err(Error::invalid("address", "must have at most 500 characters"));
    }
    Ok(address)
}

/// Opens a warehouse with its packing cell.
pub async fn create(tx: &mut EnterpriseTx, name: &str, address: Option<&str>) -> Result<Warehouse> {
    tx.require_everywhere(Permission::ManageWarehouses)?;
    let (name, address) = (checked_name(name)?, checked_address(address)?);
    let (id, enterprise_id, now) = (WarehouseId::new(), tx.enterprise_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO warehouses (enterprise_id, id, name, address, created_at) VALUES ($1, $2, $3, $4, $5)",
        enterprise_id as _,
        id as _,
        name,
        address,
        now
    )
    .execute(tx.conn())
    .await
    .refused_on("warehouses_name_key", Refusal::WarehouseNameTaken, || {
        format!("there is already a warehouse «{name}»")
    })?;
    sqlx::query!(
        "INSERT INTO cells (enterprise_id, id, warehouse_id, code, purpose, pick_sequence, created_at)
         VALUES ($1, $2, $3, $4, 'packing', 2147483647, $5)",
        enterprise_id as _,
        CellId::new() as _,
        id as _,
        PACKING_CELL,
        now
    )
    .execute(tx.conn())
    .await?;
    let warehouse = show(tx, id).await?;
    audit::created(tx, Action::WarehouseCreated, Object::of("warehouse", id), &warehouse).await?;
    Ok(warehouse)
}

/// Changes name and address.
pub async fn change(tx: &mut EnterpriseTx, id: WarehouseId, change: WarehouseChange) -> Result<Warehouse> {
    enter(tx, id, Permission::ManageWarehouses).await?;
    let before = lock(tx, id).await?;
    let name = change.name.unwrap_or_else(|| before.name.clone());
    let name = checked_name(&name)?;
    let address = change.address.over(before.address.clone());
    let address = checked_address(address.as_deref())?;
    sqlx::query!("UPDATE warehouses SET name = $2, address = $3 WHERE id = $1", id as _, name, address)
        .execute(tx.conn())
        .await
        .refused_on("warehouses_name_key", Refusal::WarehouseNameTaken, || {
            format!("there is already a warehouse «{name}»")
        })?;
    let after = show(tx, id).await?;
    audit::changed(tx, Action::WarehouseChanged, Object::of("warehouse", id), &before, &after).await?;
    Ok(after)
}

/// One warehouse.
pub async fn get(tx: &mut EnterpriseTx, id: WarehouseId) -> Result<Warehouse> {
    enter(tx, id, Permission::ReadStock).await
}

/// The warehouse in which something is to be seen. One that is out of the permission's reach is not found.
pub(crate) async fn enter(tx: &mut EnterpriseTx, id: WarehouseId, permission: Permission) -> Result<Warehouse> {
    let reach = tx.require(permission)?;
    if !reach.holds_in(Some(id)) {
        let person = tx.bounds(permission)?.person;
        let own = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM requests WHERE warehouse_id = $1 AND assignee_id = $2) AS "own!""#,
            id as _,
            person
        )
        .fetch_one(tx.conn())
        .await?;
        if !own {
            return Err(Error::NotFound("warehouse"));
        }
    }
    show(tx, id).await
}

/// The same where something is to be done: nothing is done in an archived one.
pub(crate) async fn enter_open(tx: &mut EnterpriseTx, id: WarehouseId, permission: Permission) -> Result<Warehouse> {
    let warehouse = enter(tx, id, permission).await?;
    if warehouse.archived_at.is_some() {
        return Err(Error::refused(
            Refusal::WarehouseArchived,
            format!("«{}» is archived: restore it first", warehouse.name),
        ));
    }
    Ok(warehouse)
}

async fn show(tx: &mut EnterpriseTx, id: WarehouseId) -> Result<Warehouse> {
    sqlx::query_as!(
        Warehouse,
        "SELECT id, name, address, created_at, archived_at, version FROM warehouses WHERE id = $1",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("warehouse"))
}

/// Holds the warehouse for an edit, if it is the version that the request expects.
async fn lock(tx: &mut EnterpriseTx, id: WarehouseId) -> Result<Warehouse> {
    sqlx::query!("SELECT id FROM warehouses WHERE id = $1 FOR UPDATE", id as _).fetch_optional(tx.conn()).await?;
    let warehouse = show(tx, id).await?;
    tx.expect(warehouse.version)?;
    Ok(warehouse)
}

/// Every own warehouse in reach: an enterprise has a handful. Archived ones are shown when they are asked for.
pub async fn list(tx: &mut EnterpriseTx, archived: bool) -> Result<Vec<Warehouse>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    Ok(sqlx::query_as!(
        Warehouse,
        "SELECT w.id, w.name, w.address, w.created_at, w.archived_at, w.version FROM warehouses AS w
         WHERE (w.archived_at IS NOT NULL) = $3
           AND ($1::uuid[] IS NULL OR w.id = ANY($1)
                OR EXISTS (SELECT FROM requests AS r WHERE r.warehouse_id = w.id AND r.assignee_id = $2))
         ORDER BY w.id",
        bounds.warehouses.as_deref(),
        bounds.person,
        archived,
    )
    .fetch_all(tx.conn())
    .await?)
}
