//! Zones: parts of a warehouse, each for one purpose.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Purpose, enter, enter_open};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{WarehouseId, ZoneId};
use crate::versions::Version;
use crate::{Error, Refusal, Result};

/// A part of a warehouse.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Zone {
    /// Ours.
    pub id: ZoneId,
    /// Where.
    pub warehouse_id: WarehouseId,
    /// Unique in the warehouse.
    pub name: String,
    /// What its cells are for.
    pub purpose: Purpose,
    /// Its place among the zones; smaller is earlier.
    pub position: i32,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// How often it was changed.
    pub version: Version,
}

/// A zone to be made.
#[derive(Clone, Debug)]
pub struct NewZone {
    /// Unique in the warehouse.
    pub name: String,
    /// What its cells are for.
    pub purpose: Purpose,
    /// Its place among the zones; absent: the last.
    pub position: Option<i32>,
}

/// What is changed of a zone.
#[derive(Clone, Debug, Default)]
pub struct ZoneChange {
    /// Another name.
    pub name: Option<String>,
    /// Another purpose: only while it has no cells.
    pub purpose: Option<Purpose>,
    /// Another place.
    pub position: Option<i32>,
}

fn checked_name(name: &str) -> Result<&str> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(Error::invalid("name", "must have 1 to 100 characters"));
    }
    Ok(name)
}

fn name_taken(name: &str) -> String {
    format!("the warehouse already has a zone «{name}»")
}

/// Makes a zone.
pub async fn create_zone(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, new: &NewZone) -> Result<Zone> {
    enter_open(tx, warehouse_id, Permission::ManageWarehouses).await?;
    let name = checked_name(&new.name)?;
    let (id, enterprise_id, now) = (ZoneId::new(), tx.enterprise_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO zones (enterprise_id, id, warehouse_id, name, purpose, position, created_at)
         VALUES ($1, $2, $3, $4, $5, coalesce($6, (SELECT least(max(z.position), 2147483646) + 1 FROM zones AS z WHERE z.warehouse_id = $3), 1), $7)",
        enterprise_id as _,
        id as _,
        warehouse_id as _,
        name,
        new.purpose as Purpose,
        new.position,
        now,
    )
    .execute(tx.conn())
    .await
    .refused_on("zones_name_key", Refusal::ZoneNameTaken, || name_taken(name))?;
    let zone = show(tx, id).await?;
    audit::created(tx, Action::ZoneCreated, Object::of("zone", id), &zone).await?;
    Ok(zone)
}

/// Changes a zone.
pub async fn change_zone(tx: &mut EnterpriseTx, id: ZoneId, change: &ZoneChange) -> Result<Zone> {
    let before = lock(tx, id).await?;
    let name = change.name.as_deref().unwrap_or(&before.name);
    let name = checked_name(name)?;
    sqlx::query!(
        "UPDATE zones SET name = $2, purpose = $3, position = $4 WHERE id = $1",
        id as _,
        name,
        change.purpose.unwrap_or(before.purpose) as Purpose,
        change.position.unwrap_or(before.position),
    )
    .execute(tx.conn())
    .await
    .refused_on("zones_name_key", Refusal::ZoneNameTaken, || name_taken(name))
    .refused_on("cells_zone_fkey", Refusal::ZoneInUse, || {
        format!("zone «{}» has cells: what they are for does not change under them", before.name)
    })?;
    let after = show(tx, id).await?;
    audit::changed(tx, Action::ZoneChanged, Object::of("zone", id), &before, &after).await?;
    Ok(after)
}

/// Removes a zone that has no cells.
pub async fn delete_zone(tx: &mut EnterpriseTx, id: ZoneId) -> Result<()> {
    let before = lock(tx, id).await?;
    sqlx::query!("DELETE FROM zones WHERE id = $1", id as _).execute(tx.conn()).await.refused_on(
        "cells_zone_fkey",
        Refusal::ZoneInUse,
        || format!("zone «{}» has cells: move them to another zone first", before.name),
    )?;
    audit::noted(tx, Action::ZoneDeleted, Object::of("zone", id), &before).await
}

/// The zones of a warehouse in their order.
pub async fn list_zones(tx: &mut EnterpriseTx, warehouse_id: WarehouseId) -> Result<Vec<Zone>> {
    enter(tx, warehouse_id, Permission::ReadStock).await?;
    of_warehouse(tx, warehouse_id).await
}

/// The same, for a verb that has asked for its own permission.
pub(super) async fn of_warehouse(tx: &mut EnterpriseTx, warehouse_id: WarehouseId) -> Result<Vec<Zone>> {
    Ok(sqlx::query_as!(
        Zone,
        "SELECT id, warehouse_id, name, purpose, position, created_at, version FROM zones
         WHERE warehouse_id = $1 ORDER BY position, name",
        warehouse_id as _
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The zone of this warehouse.
pub(super) async fn in_warehouse(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, id: ZoneId) -> Result<Zone> {
    find(tx, id).await?.filter(|zone| zone.warehouse_id == warehouse_id).ok_or(Error::NotFound("zone"))
}

async fn show(tx: &mut EnterpriseTx, id: ZoneId) -> Result<Zone> {
    find(tx, id).await?.ok_or(Error::NotFound("zone"))
}

async fn find(tx: &mut EnterpriseTx, id: ZoneId) -> Result<Option<Zone>> {
    Ok(sqlx::query_as!(
        Zone,
        "SELECT id, warehouse_id, name, purpose, position, created_at, version FROM zones WHERE id = $1",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Holds the zone for an edit, if its warehouse is in reach and it is the version that the request expects.
async fn lock(tx: &mut EnterpriseTx, id: ZoneId) -> Result<Zone> {
    tx.require(Permission::ManageWarehouses)?;
    let warehouse_id = show(tx, id).await?.warehouse_id;
    enter_open(tx, warehouse_id, Permission::ManageWarehouses).await.map_err(|error| match error {
        Error::NotFound(_) => Error::NotFound("zone"),
        other => other,
    })?;
    sqlx::query!("SELECT id FROM zones WHERE id = $1 FOR UPDATE", id as _).fetch_optional(tx.conn()).await?;
    let zone = show(tx, id).await?;
    tx.expect(zone.version)?;
    Ok(zone)
}
