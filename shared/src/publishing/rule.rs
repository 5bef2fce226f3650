//! How much of the stock may be published.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use super::{Target, enter, lock};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, ProductId, WarehouseId, WbWarehouseId};
use crate::{Error, Result};

/// Quotas that are set at once.
const MAX_QUOTAS: usize = 1000;
/// The largest quota, safety and priority.
const MAX_UNITS: i32 = 1_000_000;

/// How publishing to a warehouse at Wildberries is ruled, and where it stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Of which seller account.
    pub account_id: AccountId,
    /// The warehouse there.
    pub wb_warehouse_id: WbWarehouseId,
    /// The own warehouse that feeds it.
    pub warehouse_id: Option<WarehouseId>,
    /// Units of each product that are kept back.
    pub safety: i32,
    /// Units of each product that are published at most; absent: as many as there are.
    pub quota: Option<i32>,
    /// Its place among the warehouses that the same own one feeds: the smaller comes first.
    pub priority: i32,
    /// Whether the workers state by themselves and tell Wildberries.
    pub pushes: bool,
    /// Of the last statement; 0 before the first.
    pub number: i64,
    /// Since when zero is stated for everything.
    pub frozen_at: Option<DateTime<Utc>>,
    /// Who froze it.
    pub frozen_by: Option<String>,
    /// Why.
    pub frozen_reason: Option<String>,
}

/// A quota of one product.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Which one.
    pub product_id: ProductId,
    /// Units at most; absent: the warehouse's quota holds.
    pub quota: Option<i32>,
}

/// The rule of a warehouse.
pub async fn rule(tx: &mut EnterpriseTx, id: WbWarehouseId) -> Result<Rule> {
    let target = enter(tx, id, Permission::ReadWildberries).await?;
    show(tx, target).await
}

/// What a rule may say.
#[derive(Clone, Copy, Debug)]
pub struct NewRule {
    /// Units of each product that are kept back.
    pub safety: i32,
    /// Units of each product that are published at most; absent: as many as there are.
    pub quota: Option<i32>,
    /// Its place among the warehouses that the same own one feeds.
    pub priority: i32,
    /// Whether the workers state by themselves and tell Wildberries; absent: as it is.
    pub pushes: Option<bool>,
}

/// Sets what is kept back of each product, how much of each is published at most, and which place the warehouse has among
/// those that share its stock; it holds from the next statement on. And whether the workers push.
pub async fn set_rule(tx: &mut EnterpriseTx, id: WbWarehouseId, new: NewRule) -> Result<Rule> {
    let target = enter(tx, id, Permission::ManageWildberries).await?;
    let NewRule { safety, quota, priority, pushes } = new;
    check("safety", safety)?;
    check("priority", priority)?;
    quota.map_or(Ok(()), |quota| check("quota", quota))?;
    lock(tx, target).await?;
    let before = show(tx, target).await?;
    sqlx::query!(
        "UPDATE publishing SET safety = $3, quota = $4, priority = $5, pushes = coalesce($6, pushes) WHERE account_id = $1 AND wb_warehouse_id = $2",
        target.account_id as _,
        target.wb_warehouse_id as _,
        safety,
        quota,
        priority,
        pushes,
    )
    .execute(tx.conn())
    .await?;
    let after = show(tx, target).await?;
    let object = Object::of("publishing", target.name().as_str());
    audit::changed(tx, Action::PublishingRuleSet, object, &before, &after).await?;
    Ok(after)
}

/// Sets quotas of single products, all of them or none.
pub async fn set_quotas(tx: &mut EnterpriseTx, id: WbWarehouseId, quotas: &[Quota]) -> Result<()> {
    let target = enter(tx, id, Permission::ManageWildberries).await?;
    if quotas.is_empty() || quotas.len() > MAX_QUOTAS {
        return Err(Error::invalid("items", format!("must be 1 to {MAX_QUOTAS}")));
    }
    let mut named = HashSet::new();
    for (index, quota) in quotas.iter().enumerate() {
        quota.quota.map_or(Ok(()), |units| check(&format!("items.{index}.quota"), units))?;
        if !named.insert(quota.product_id) {
            return Err(Error::invalid(format!("items.{index}.productId"), "is named twice"));
        }
    }
    let products: Vec<_> = quotas.iter().map(|quota| quota.product_id.0).collect();
    let known = sqlx::query_scalar!(
        "SELECT id FROM products WHERE id = ANY($1) AND account_id = $2",
        &products,
        target.account_id as _
    )
    .fetch_all(tx.conn())
    .await?;
    let known: HashSet<_> = known.into_iter().collect();
    if let Some(index) = quotas.iter().position(|quota| !known.contains(&quota.product_id)) {
        return Err(Error::invalid(format!("items.{index}.productId"), "is no product of this seller account"));
    }
    lock(tx, target).await?;
    write(tx, target, quotas).await?;
    let facts: Vec<_> =
        quotas.iter().map(|quota| json!({ "productId": quota.product_id, "quota": quota.quota })).collect();
    let object = Object::of("publishing", target.name().as_str());
    audit::noted(tx, Action::PublishingQuotasSet, object, &json!({ "quotas": facts })).await
}

async fn write(tx: &mut EnterpriseTx, target: Target, quotas: &[Quota]) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    let (set, cleared): (Vec<&Quota>, Vec<&Quota>) = quotas.iter().partition(|quota| quota.quota.is_some());
    sqlx::query!(
        "DELETE FROM publishing_quotas WHERE account_id = $1 AND wb_warehouse_id = $2 AND product_id = ANY($3)",
        target.account_id as _,
        target.wb_warehouse_id as _,
        &cleared.iter().map(|quota| quota.product_id.0).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO publishing_quotas (enterprise_id, account_id, wb_warehouse_id, product_id, quota)
         SELECT $1, $2, $3, q.product_id, q.quota FROM unnest($4::uuid[], $5::int[]) AS q (product_id, quota)
         ON CONFLICT (enterprise_id, account_id, wb_warehouse_id, product_id) DO UPDATE SET quota = EXCLUDED.quota",
        enterprise_id as _,
        target.account_id as _,
        target.wb_warehouse_id as _,
        &set.iter().map(|quota| quota.product_id.0).collect::<Vec<_>>(),
        &set.iter().filter_map(|quota| quota.quota).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn check(field: &str, units: i32) -> Result<()> {
    if (0..=MAX_UNITS).contains(&units) {
        Ok(())
    } else {
        Err(Error::invalid(field, format!("must be between 0 and {MAX_UNITS}")))
    }
}

pub(super) async fn show(tx: &mut EnterpriseTx, target: Target) -> Result<Rule> {
    Ok(sqlx::query_as!(
        Rule,
        r#"SELECT w.account_id, w.wb_warehouse_id, w.warehouse_id, coalesce(p.safety, 0) AS "safety!", p.quota AS "quota?",
                  coalesce(p.priority, 0) AS "priority!", coalesce(p.pushes, false) AS "pushes!", coalesce(p.number, 0) AS "number!", p.frozen_at AS "frozen_at?", p.frozen_by AS "frozen_by?",
                  p.frozen_reason AS "frozen_reason?"
           FROM wildberries_warehouses AS w
           LEFT JOIN publishing AS p ON p.account_id = w.account_id AND p.wb_warehouse_id = w.wb_warehouse_id
           WHERE w.account_id = $1 AND w.wb_warehouse_id = $2"#,
        target.account_id as _,
        target.wb_warehouse_id as _,
    )
    .fetch_one(tx.conn())
    .await?)
}
