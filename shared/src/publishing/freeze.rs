//! Everything to zero in one act, and back.

use serde::Serialize;
use serde_json::json;

use super::{Target, brake, lock, state};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::WbWarehouseId;
use crate::{Error, Result};

/// What was frozen or thawed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Turned {
    /// The warehouses at Wildberries that were not so before.
    pub wb_warehouse_ids: Vec<WbWarehouseId>,
}

/// From now on zero is stated for everything, in one warehouse at Wildberries or in all that are in reach. What was stated is
/// kept for the thaw; what waited for approval waits no more.
pub async fn freeze(tx: &mut EnterpriseTx, only: Option<WbWarehouseId>, reason: &str) -> Result<Turned> {
    let reason = reason.trim();
    if !(1..=500).contains(&reason.chars().count()) {
        return Err(Error::invalid("reason", "must have between 1 and 500 characters"));
    }
    let targets = targets(tx, only).await?;
    let (now, actor) = (tx.now().await?, tx.actor().to_string());
    let mut turned = Vec::new();
    for target in targets {
        if lock(tx, target).await?.frozen {
            continue;
        }
        brake::supersede(tx, target).await?;
        sqlx::query!(
            "UPDATE publishing
             SET frozen_at = $3, frozen_by = $4, frozen_reason = $5, number = number + 1, turned_number = number + 1
             WHERE account_id = $1 AND wb_warehouse_id = $2",
            target.account_id as _,
            target.wb_warehouse_id as _,
            now,
            actor,
            reason,
        )
        .execute(tx.conn())
        .await?;
        turned.push(target);
    }
    note(tx, Action::PublishingFrozen, &turned, Some(reason)).await
}

/// What was stated before the freeze is stated again, as far as it is still there. What has come meanwhile is compared with
/// that as ever.
pub async fn thaw(tx: &mut EnterpriseTx, only: Option<WbWarehouseId>) -> Result<Turned> {
    let targets = targets(tx, only).await?;
    let mut turned = Vec::new();
    for target in targets {
        if !lock(tx, target).await?.frozen {
            continue;
        }
        sqlx::query!(
            "UPDATE publishing
             SET frozen_at = NULL, frozen_by = NULL, frozen_reason = NULL, number = number + 1, turned_number = number + 1
             WHERE account_id = $1 AND wb_warehouse_id = $2",
            target.account_id as _,
            target.wb_warehouse_id as _,
        )
        .execute(tx.conn())
        .await?;
        let standing = lock(tx, target).await?;
        state::state_locked(tx, target, &standing).await?;
        turned.push(target);
    }
    note(tx, Action::PublishingThawed, &turned, None).await
}

async fn note(tx: &mut EnterpriseTx, action: Action, turned: &[Target], reason: Option<&str>) -> Result<Turned> {
    if !turned.is_empty() {
        let facts = json!({ "warehouses": turned, "reason": reason });
        audit::noted(tx, action, Object::some("publishing"), &facts).await?;
    }
    Ok(Turned { wb_warehouse_ids: turned.iter().map(|target| target.wb_warehouse_id).collect() })
}

/// In the order in which everybody locks them.
async fn targets(tx: &mut EnterpriseTx, only: Option<WbWarehouseId>) -> Result<Vec<Target>> {
    let Some(id) = only else { return all(tx).await };
    Ok(vec![super::enter(tx, id, Permission::ManageWildberries).await?])
}

async fn all(tx: &mut EnterpriseTx) -> Result<Vec<Target>> {
    let bounds = tx.bounds(Permission::ManageWildberries)?;
    Ok(sqlx::query_as!(
        Target,
        "SELECT account_id, wb_warehouse_id, warehouse_id FROM wildberries_warehouses
         WHERE gone_at IS NULL AND ($1::uuid[] IS NULL OR warehouse_id = ANY($1))
         ORDER BY account_id, wb_warehouse_id",
        bounds.warehouses.as_deref(),
    )
    .fetch_all(tx.conn())
    .await?)
}
