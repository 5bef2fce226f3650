//! Reading supplies, and what stands in the way of one.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::{ShippingType, SupplyStatus};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, SupplyId, WbShippingPointId, WbSupplyId, WbWarehouseId};
use crate::page::{Page, PageQuery};
use crate::versions::Version;
use crate::{Error, Result};

/// A supply as clients see it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Supply {
    /// Ours.
    pub id: SupplyId,
    /// Of which account.
    pub account_id: AccountId,
    /// Its name here and at Wildberries.
    pub name: String,
    /// Where it is.
    pub status: SupplyStatus,
    /// Wildberries' number.
    pub wb_supply_id: Option<WbSupplyId>,
    /// Of which seller's warehouse its orders are.
    pub wb_warehouse_id: WbWarehouseId,
    /// 1 small, 2 large, 3 oversized.
    pub cargo_type: i32,
    /// When it is handed over.
    pub shipping_date: Option<NaiveDate>,
    /// Where.
    pub shipping_point_id: Option<WbShippingPointId>,
    /// How.
    pub shipping_type: Option<ShippingType>,
    /// When Wildberries showed these three.
    pub shipping_set_at: Option<DateTime<Utc>>,
    /// Orders in it.
    pub orders: i64,
    /// Of these, seen in it at Wildberries.
    pub orders_at_wildberries: i64,
    /// When it was handed to delivery.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When Wildberries scanned it.
    pub accepted_at: Option<DateTime<Utc>>,
    /// Why the last job did not do it.
    pub problem_code: Option<String>,
    /// In words.
    pub problem_detail: Option<String>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// How often it was changed.
    pub version: Version,
}

/// Which supplies to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct SupplyFilter {
    /// In this status.
    pub status: Option<SupplyStatus>,
}

/// One line of a supply's history.
#[derive(Clone, Debug)]
pub struct HistoryLine {
    /// From where; absent when it was created.
    pub from_status: Option<SupplyStatus>,
    /// To where.
    pub to_status: SupplyStatus,
    /// Who.
    pub actor: String,
    /// Why.
    pub comment: Option<String>,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

/// One supply.
pub async fn get(tx: &mut EnterpriseTx, id: SupplyId) -> Result<Supply> {
    enter(tx, id, Permission::ReadOrders).await?;
    show(tx, id).await
}

/// Fails as if the supply were not there, unless it is in the permission's reach: all of its orders are fulfilled from
/// warehouses in reach; of one without orders, the warehouse that fulfils them now is. One's own is a supply whose
/// orders all lie on lines of one's requests.
pub(crate) async fn enter(tx: &mut EnterpriseTx, id: SupplyId, permission: Permission) -> Result<()> {
    let bounds = tx.bounds(permission)?;
    if bounds.warehouses.is_none() {
        return Ok(());
    }
    let there = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM supplies AS s WHERE s.id = $1 AND supply_in_reach(s.id, $2, $3)) AS "there!""#,
        id as _,
        bounds.warehouses.as_deref(),
        bounds.person,
    )
    .fetch_one(tx.conn())
    .await?;
    if there { Ok(()) } else { Err(Error::NotFound("supply")) }
}

/// One supply, for a verb that has asked for its own permission.
pub(crate) async fn show(tx: &mut EnterpriseTx, id: SupplyId) -> Result<Supply> {
    sqlx::query_as!(
        Supply,
        r#"SELECT s.id, s.account_id, s.name, s.status, s.wb_supply_id, s.wb_warehouse_id, s.cargo_type, s.shipping_date, s.shipping_point_id,
                  s.shipping_type, s.shipping_set_at, s.delivered_at, s.accepted_at, s.problem_code, s.problem_detail, s.created_at, s.version,
                  (SELECT count(*) FROM orders AS o WHERE o.supply_id = s.id) AS "orders!",
                  (SELECT count(*) FROM orders AS o WHERE o.supply_id = s.id AND o.in_supply_at IS NOT NULL) AS "orders_at_wildberries!"
           FROM supplies AS s WHERE s.id = $1"#,
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("supply"))
}

/// One supply, held for a change, in the version that the request expects.
pub(super) async fn lock(tx: &mut EnterpriseTx, id: SupplyId) -> Result<Supply> {
    let version = sqlx::query_scalar!("SELECT version FROM supplies WHERE id = $1 FOR NO KEY UPDATE", id as _)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(Error::NotFound("supply"))?;
    tx.expect(version)?;
    show(tx, id).await
}

/// Supplies in reach, newest first.
pub async fn list(tx: &mut EnterpriseTx, filter: &SupplyFilter, query: &PageQuery) -> Result<Page<Supply>> {
    let bounds = tx.bounds(Permission::ReadOrders)?;
    let after: Option<SupplyId> = query.key()?;
    let rows = sqlx::query_as!(
        Supply,
        r#"SELECT s.id, s.account_id, s.name, s.status, s.wb_supply_id, s.wb_warehouse_id, s.cargo_type, s.shipping_date, s.shipping_point_id,
                  s.shipping_type, s.shipping_set_at, s.delivered_at, s.accepted_at, s.problem_code, s.problem_detail, s.created_at, s.version,
                  (SELECT count(*) FROM orders AS o WHERE o.supply_id = s.id) AS "orders!",
                  (SELECT count(*) FROM orders AS o WHERE o.supply_id = s.id AND o.in_supply_at IS NOT NULL) AS "orders_at_wildberries!"
           FROM supplies AS s
           WHERE ($1::text IS NULL OR s.status = $1) AND ($2::uuid IS NULL OR s.id < $2)
             AND ($4::uuid[] IS NULL OR supply_in_reach(s.id, $4, $5))
           ORDER BY s.id DESC LIMIT $3"#,
        filter.status as Option<SupplyStatus>,
        after as _,
        query.limit + 1,
        bounds.warehouses.as_deref(),
        bounds.person,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |supply| supply.id))
}

/// What happened to a supply, oldest first.
pub async fn history(tx: &mut EnterpriseTx, id: SupplyId) -> Result<Vec<HistoryLine>> {
    get(tx, id).await?;
    Ok(sqlx::query_as!(
        HistoryLine,
        "SELECT from_status, to_status, actor, comment, occurred_at FROM supply_history WHERE supply_id = $1 ORDER BY id",
        id as _
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The supplies of an account that Wildberries may still close or scan.
pub async fn open_of_account(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
) -> Result<Vec<(SupplyId, SupplyStatus, WbSupplyId)>> {
    let rows = sqlx::query!(
        r#"SELECT id, status, wb_supply_id AS "wb_supply_id!: WbSupplyId" FROM supplies
           WHERE account_id = $1 AND status IN ('open', 'delivering') AND wb_supply_id IS NOT NULL ORDER BY id"#,
        account_id as _
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.status, row.wb_supply_id)).collect())
}

/// Every reason why Wildberries would refuse to take the supply, each with the remedy.
pub(super) async fn hindrances(tx: &mut EnterpriseTx, supply: &Supply) -> Result<Vec<String>> {
    let mut hindrances = Vec::new();
    if supply.status == SupplyStatus::Draft {
        hindrances.push("the supply is not yet created at Wildberries".to_owned());
    }
    let counts = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE status NOT IN ('cancelled', 'impossible')) AS "live!",
                  count(*) FILTER (WHERE status NOT IN ('cancelled', 'impossible') AND in_supply_at IS NULL) AS "missing!",
                  count(*) FILTER (WHERE status IN ('out_of_stock', 'reserved', 'picking')) AS "unpicked!"
           FROM orders WHERE supply_id = $1"#,
        supply.id as _
    )
    .fetch_one(tx.conn())
    .await?;
    if counts.live == 0 {
        hindrances.push("no order is left in the supply".to_owned());
    }
    if counts.missing > 0 {
        hindrances.push(format!("{} orders are not yet in the supply at Wildberries", counts.missing));
    }
    if counts.unpicked > 0 {
        hindrances.push(format!("{} orders are not yet picked", counts.unpicked));
    }
    if supply.shipping_date.is_none() {
        hindrances.push("shipping date, point and type are not set".to_owned());
    } else if supply.shipping_set_at.is_none() {
        hindrances.push("Wildberries has not yet confirmed shipping date, point and type".to_owned());
    }
    Ok(hindrances)
}
