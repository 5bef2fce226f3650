//! The seller's warehouses at Wildberries, and which own warehouse fulfils their orders.

use serde_json::json;

use super::{enter, enter_open};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, WarehouseId, WbOfficeId, WbWarehouseId};
use crate::{Error, Refusal, Result};

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

/// A link that was changed.
#[derive(Clone, Debug)]
pub struct Relinked {
    /// As it is now.
    pub theirs: WildberriesWarehouse,
    /// What fulfilled it before.
    pub before: Option<WarehouseId>,
}

/// Has an own warehouse fulfil the orders of a Wildberries warehouse. Who does not reach everywhere can only hand over
/// what a warehouse in reach fulfils now. One that Wildberries does not name any more has no orders to come.
pub async fn link(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    wb_warehouse_id: WbWarehouseId,
    warehouse_id: WarehouseId,
) -> Result<Relinked> {
    enter_open(tx, warehouse_id, Permission::ManageWildberries).await?;
    let before = lock(tx, account_id, wb_warehouse_id).await?;
    if before.gone {
        return Err(Error::refused(
            Refusal::WildberriesWarehouseGone,
            format!("Wildberries does not name the warehouse «{}» any more", before.name),
        ));
    }
    set(tx, account_id, wb_warehouse_id, before.warehouse_id, Some(warehouse_id)).await
}

/// Nobody fulfils the Wildberries warehouse any more. Refused while orders of it are still to be handed over, because
/// whoever unlinks then would let them be late.
pub async fn unlink(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    wb_warehouse_id: WbWarehouseId,
) -> Result<WildberriesWarehouse> {
    tx.require(Permission::ManageWildberries)?;
    let before = lock(tx, account_id, wb_warehouse_id).await?;
    let Some(warehouse_id) = before.warehouse_id else {
        return Err(Error::refused(Refusal::WarehouseNotLinked, format!("no own warehouse fulfils «{}»", before.name)));
    };
    let warehouse = enter(tx, warehouse_id, Permission::ManageWildberries).await.map_err(|error| match error {
        Error::NotFound(_) => Error::NotFound("Wildberries warehouse"),
        other => other,
    })?;
    let open = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM orders
           WHERE account_id = $1 AND wb_warehouse_id = $2
             AND status IN ('new', 'out_of_stock', 'reserved', 'picking', 'picked', 'packed')"#,
        account_id as _,
        wb_warehouse_id as _,
    )
    .fetch_one(tx.conn())
    .await?;
    if open > 0 {
        return Err(Error::refused(
            Refusal::WarehouseHasOpenOrders,
            format!("{open} orders of «{}» are still to be handed over from «{}»", before.name, warehouse.name),
        ));
    }
    Ok(set(tx, account_id, wb_warehouse_id, before.warehouse_id, None).await?.theirs)
}

struct Linked {
    name: String,
    warehouse_id: Option<WarehouseId>,
    gone: bool,
}

/// Holds the link. One that is out of reach is not there.
async fn lock(tx: &mut EnterpriseTx, account_id: AccountId, wb_warehouse_id: WbWarehouseId) -> Result<Linked> {
    let bounds = tx.bounds(Permission::ManageWildberries)?;
    sqlx::query_as!(
        Linked,
        r#"SELECT name, warehouse_id, gone_at IS NOT NULL AS "gone!" FROM wildberries_warehouses
           WHERE account_id = $1 AND wb_warehouse_id = $2 AND ($3::uuid[] IS NULL OR warehouse_id = ANY($3))
           FOR NO KEY UPDATE"#,
        account_id as _,
        wb_warehouse_id as _,
        bounds.warehouses.as_deref(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("Wildberries warehouse"))
}

async fn set(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    wb_warehouse_id: WbWarehouseId,
    before: Option<WarehouseId>,
    after: Option<WarehouseId>,
) -> Result<Relinked> {
    let theirs = sqlx::query_as!(
        WildberriesWarehouse,
        "UPDATE wildberries_warehouses SET warehouse_id = $3
         WHERE account_id = $1 AND wb_warehouse_id = $2
         RETURNING account_id, wb_warehouse_id, name, office_id, cargo_type, delivery_type, warehouse_id",
        account_id as _,
        wb_warehouse_id as _,
        after as _,
    )
    .fetch_one(tx.conn())
    .await?;
    let action =
        if after.is_some() { Action::WildberriesWarehouseLinked } else { Action::WildberriesWarehouseUnlinked };
    let object = Object::of("wildberries_warehouse", format!("{account_id}/{wb_warehouse_id}").as_str());
    let (was, is) = (json!({ "warehouseId": before }), json!({ "warehouseId": after }));
    audit::changed(tx, action, object, &was, &is).await?;
    Ok(Relinked { theirs, before })
}

/// Keeps what Wildberries says of its warehouses and offices; links stay. If it is the `whole` list, warehouses that it does
/// not name are gone.
pub async fn record_wildberries(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    warehouses: &[WildberriesWarehouseFacts],
    offices: &[OfficeFacts],
    whole: bool,
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
        "UPDATE wildberries_warehouses SET gone_at = $3 WHERE $4 AND account_id = $1 AND gone_at IS NULL AND NOT wb_warehouse_id = ANY($2)",
        account_id as _,
        &there,
        now,
        whole,
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
