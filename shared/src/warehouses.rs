//! Own warehouses with their cells, and the Wildberries warehouses that they feed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{AccountId, CellId, WarehouseId, WbOfficeId, WbWarehouseId};
use crate::page::{Page, PageQuery};
use crate::versions::Version;
use crate::{Error, Refusal, Result};

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
    /// How often it was changed.
    pub version: Version,
}

/// What a cell is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum CellPurpose {
    /// Stock that orders may reserve.
    Storage,
    /// Picked goods on their way out.
    Packing,
}

/// A storage place.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Ours.
    pub id: CellId,
    /// Where.
    pub warehouse_id: WarehouseId,
    /// What the scanner reads off it.
    pub code: String,
    /// What it is for.
    pub purpose: CellPurpose,
    /// Its place on the walking path; smaller is earlier.
    pub pick_sequence: i32,
    /// How often it was changed.
    pub version: Version,
}

/// A cell to be made.
#[derive(Clone, Debug)]
pub struct NewCell {
    /// What the scanner will read.
    pub code: String,
    /// Its place on the walking path.
    pub pick_sequence: i32,
}

/// The seller's virtual warehouse at Wildberries.
#[derive(Clone, Debug)]
pub struct WildberriesWarehouse {
    /// Whose.
    pub account_id: AccountId,
    /// Its number there.
    pub wb_warehouse_id: WbWarehouseId,
    /// Its name there.
    pub name: String,
    /// The office it is tied to.
    pub office_id: Option<WbOfficeId>,
    /// 1 small, 2 large, 3 oversized.
    pub cargo_type: Option<i32>,
    /// 1 is FBS.
    pub delivery_type: Option<i32>,
    /// The own warehouse that fulfils its orders.
    pub warehouse_id: Option<WarehouseId>,
}

/// What Wildberries says of one of its warehouses.
#[derive(Clone, Debug)]
pub struct WildberriesWarehouseFacts {
    /// Its number.
    pub wb_warehouse_id: WbWarehouseId,
    /// Its name.
    pub name: String,
    /// The office it is tied to.
    pub office_id: Option<WbOfficeId>,
    /// 1 small, 2 large, 3 oversized.
    pub cargo_type: Option<i32>,
    /// 1 is FBS.
    pub delivery_type: Option<i32>,
}

/// What Wildberries says of one of its offices.
#[derive(Clone, Debug)]
pub struct OfficeFacts {
    /// Its number.
    pub office_id: WbOfficeId,
    /// Its name.
    pub name: String,
    /// Its city.
    pub city: Option<String>,
    /// Its address.
    pub address: Option<String>,
}

/// Opens a warehouse with its packing cell.
pub async fn create(tx: &mut EnterpriseTx, name: &str, address: Option<&str>) -> Result<Warehouse> {
    tx.require_everywhere(Permission::ManageWarehouses)?;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Error::invalid("name", "must have 1 to 200 characters"));
    }
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

/// One warehouse.
pub async fn get(tx: &mut EnterpriseTx, id: WarehouseId) -> Result<Warehouse> {
    enter(tx, id, Permission::ReadStock).await
}

/// The warehouse in which something is to be done. One that is out of the permission's reach is not found.
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

async fn show(tx: &mut EnterpriseTx, id: WarehouseId) -> Result<Warehouse> {
    sqlx::query_as!(Warehouse, "SELECT id, name, address, created_at, version FROM warehouses WHERE id = $1", id as _)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(Error::NotFound("warehouse"))
}

/// Every own warehouse in reach: an enterprise has a handful.
pub async fn list(tx: &mut EnterpriseTx) -> Result<Vec<Warehouse>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    Ok(sqlx::query_as!(
        Warehouse,
        "SELECT w.id, w.name, w.address, w.created_at, w.version FROM warehouses AS w
         WHERE $1::uuid[] IS NULL OR w.id = ANY($1)
            OR EXISTS (SELECT FROM requests AS r WHERE r.warehouse_id = w.id AND r.assignee_id = $2)
         ORDER BY w.id",
        bounds.warehouses.as_deref(),
        bounds.person,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Adds storage cells, all of them or none.
pub async fn add_cells(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, cells: &[NewCell]) -> Result<Vec<Cell>> {
    enter(tx, warehouse_id, Permission::ManageWarehouses).await?;
    if cells.is_empty() || cells.len() > 1000 {
        return Err(Error::invalid("cells", "must be 1 to 1000"));
    }
    for (index, cell) in cells.iter().enumerate() {
        if cell.code.trim() != cell.code || cell.code.is_empty() || cell.code.chars().count() > 60 {
            return Err(Error::invalid(
                format!("cells.{index}.code"),
                "must have 1 to 60 characters and no blanks around",
            ));
        }
    }
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let ids: Vec<_> = cells.iter().map(|_| CellId::new().0).collect();
    let codes: Vec<_> = cells.iter().map(|cell| cell.code.clone()).collect();
    let sequences: Vec<_> = cells.iter().map(|cell| cell.pick_sequence).collect();
    let added = sqlx::query_as!(
        Cell,
        "INSERT INTO cells (enterprise_id, id, warehouse_id, code, purpose, pick_sequence, created_at)
         SELECT $1, new.id, $2, new.code, 'storage', new.pick_sequence, $3
         FROM unnest($4::uuid[], $5::text[], $6::int[]) AS new (id, code, pick_sequence)
         RETURNING id, warehouse_id, code, purpose, pick_sequence, version",
        enterprise_id as _,
        warehouse_id as _,
        now,
        &ids,
        &codes,
        &sequences,
    )
    .fetch_all(tx.conn())
    .await
    .refused_on("cells_code_key", Refusal::CellCodeTaken, || {
        "one of the codes is already taken, or named twice".to_owned()
    })?;
    audit::noted(tx, Action::CellsAdded, Object::of("warehouse", warehouse_id), &json!({ "codes": codes })).await?;
    Ok(added)
}

/// The cells of a warehouse along the walking path.
pub async fn cells(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, query: &PageQuery) -> Result<Page<Cell>> {
    get(tx, warehouse_id).await?;
    let after: Option<(i32, String)> = query.key()?;
    let (sequence, code) = after.unzip();
    let rows = sqlx::query_as!(
        Cell,
        "SELECT id, warehouse_id, code, purpose, pick_sequence, version FROM cells
         WHERE warehouse_id = $1 AND ($2::int IS NULL OR (pick_sequence, code) > ($2, $3::text))
         ORDER BY pick_sequence, code LIMIT $4",
        warehouse_id as _,
        sequence,
        code,
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |cell| (cell.pick_sequence, cell.code.clone())))
}

/// The cell with this code.
pub async fn find_cell(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, code: &str) -> Result<Option<Cell>> {
    Ok(sqlx::query_as!(
        Cell,
        "SELECT id, warehouse_id, code, purpose, pick_sequence, version FROM cells WHERE warehouse_id = $1 AND code = $2",
        warehouse_id as _,
        code,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// The cell for picked goods.
pub async fn packing_cell(tx: &mut EnterpriseTx, warehouse_id: WarehouseId) -> Result<CellId> {
    sqlx::query_scalar!("SELECT id FROM cells WHERE warehouse_id = $1 AND purpose = 'packing'", warehouse_id as _)
        .fetch_optional(tx.conn())
        .await?
        .ok_or_else(|| Error::Inconsistent(format!("warehouse {warehouse_id} has no packing cell")))
}

/// What Wildberries' warehouses of all accounts are: those that an own warehouse in reach fulfils.
pub async fn list_wildberries(tx: &mut EnterpriseTx) -> Result<Vec<WildberriesWarehouse>> {
    let bounds = tx.bounds(Permission::ReadWildberries)?;
    Ok(sqlx::query_as!(
        WildberriesWarehouse,
        "SELECT account_id, wb_warehouse_id, name, office_id, cargo_type, delivery_type, warehouse_id
         FROM wildberries_warehouses
         WHERE gone_at IS NULL AND ($1::uuid[] IS NULL OR warehouse_id = ANY($1))
         ORDER BY account_id, wb_warehouse_id",
        bounds.warehouses.as_deref(),
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Has an own warehouse fulfil the orders of a Wildberries warehouse. Who does not reach everywhere can only hand over
/// what a warehouse in reach fulfils now.
pub async fn link(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    wb_warehouse_id: WbWarehouseId,
    warehouse_id: WarehouseId,
) -> Result<WildberriesWarehouse> {
    enter(tx, warehouse_id, Permission::ManageWildberries).await?;
    let bounds = tx.bounds(Permission::ManageWildberries)?;
    let before = sqlx::query_scalar!(
        "SELECT warehouse_id FROM wildberries_warehouses WHERE account_id = $1 AND wb_warehouse_id = $2 FOR NO KEY UPDATE",
        account_id as _,
        wb_warehouse_id as _,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("Wildberries warehouse"))?;
    let linked = sqlx::query_as!(
        WildberriesWarehouse,
        "UPDATE wildberries_warehouses SET warehouse_id = $3
         WHERE account_id = $1 AND wb_warehouse_id = $2 AND ($4::uuid[] IS NULL OR warehouse_id = ANY($4))
         RETURNING account_id, wb_warehouse_id, name, office_id, cargo_type, delivery_type, warehouse_id",
        account_id as _,
        wb_warehouse_id as _,
        warehouse_id as _,
        bounds.warehouses.as_deref(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("Wildberries warehouse"))?;
    let object = Object::of("wildberries_warehouse", format!("{account_id}/{wb_warehouse_id}").as_str());
    let (before, after) = (json!({ "warehouseId": before }), json!({ "warehouseId": warehouse_id }));
    audit::changed(tx, Action::WildberriesWarehouseLinked, object, &before, &after).await?;
    Ok(linked)
}

/// Keeps what Wildberries says of its warehouses and offices; links stay.
pub async fn record_wildberries(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    warehouses: &[WildberriesWarehouseFacts],
    offices: &[OfficeFacts],
) -> Result<()> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    for facts in warehouses {
        sqlx::query!(
            "INSERT INTO wildberries_warehouses (enterprise_id, account_id, wb_warehouse_id, name, office_id, cargo_type, delivery_type)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (enterprise_id, account_id, wb_warehouse_id) DO UPDATE
             SET name = EXCLUDED.name, office_id = EXCLUDED.office_id, cargo_type = EXCLUDED.cargo_type,
                 delivery_type = EXCLUDED.delivery_type, gone_at = NULL",
            enterprise_id as _,
            account_id as _,
            facts.wb_warehouse_id as _,
            facts.name,
            facts.office_id as _,
            facts.cargo_type,
            facts.delivery_type,
        )
        .execute(tx.conn())
        .await?;
    }
    let there: Vec<_> = warehouses.iter().map(|facts| facts.wb_warehouse_id.0).collect();
    sqlx::query!(
        "UPDATE wildberries_warehouses SET gone_at = $3 WHERE account_id = $1 AND gone_at IS NULL AND NOT wb_warehouse_id = ANY($2)",
        account_id as _,
        &there,
        now,
    )
    .execute(tx.conn())
    .await?;
    let ids: Vec<_> = offices.iter().map(|office| office.office_id.0).collect();
    let names: Vec<_> = offices.iter().map(|office| office.name.clone()).collect();
    let cities: Vec<_> = offices.iter().map(|office| office.city.clone()).collect();
    let addresses: Vec<_> = offices.iter().map(|office| office.address.clone()).collect();
    sqlx::query!(
        "INSERT INTO wildberries_offices (enterprise_id, account_id, office_id, name, city, address)
         SELECT $1, $2, o.id, o.name, o.city, o.address FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[]) AS o (id, name, city, address)
         ON CONFLICT (enterprise_id, account_id, office_id) DO UPDATE SET name = EXCLUDED.name, city = EXCLUDED.city, address = EXCLUDED.address",
        enterprise_id as _,
        account_id as _,
        &ids,
        &names,
        &cities as &[Option<String>],
        &addresses as &[Option<String>],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
