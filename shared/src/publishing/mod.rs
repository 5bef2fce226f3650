//! What Wildberries is to be told of the stock, and what keeps a mistake from being told.
//!
//! Publishable is the smaller of the quota and what is free in the linked own warehouse less the safety, the
//! warehouse's or the product's own, whichever is greater. Where one own warehouse feeds several of an account, they come
//! one after the other, by their priority and then by their number: each has what those before it leave, up to its quota
//! (`publishing_goals`). A bundle is published up to a quota of its own, which its parts keep back. Every statement lowers
//! first what the others state beyond that (`join`). So no unit is stated twice, whoever states when. A frozen one keeps its
//! part for the thaw. A statement writes down what is to be published, under a number that only rises (`state`): less is
//! stated at once, because what is not there must not be sold while somebody thinks; much more waits until a second person
//! approves it (`brake`). A freeze states zero for everything, in one act, and forgets nothing (`freeze`). Where a
//! warehouse `pushes`, the workers state and tell Wildberries by themselves (`push`); any other program that pushes asks what
//! was stated since the last number that it pushed (`stated`).

mod brake;
mod freeze;
mod push;
mod rule;
mod state;

use serde::{Deserialize, Serialize};

use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, WarehouseId, WbWarehouseId};
use crate::{Error, Refusal, Result};

pub use brake::{Line, Publication, PublicationFilter, PublicationStatus, approve, lines, list, reject};
pub use freeze::{Turned, freeze, thaw};
pub use push::{
    Known, Planned, PushState, Pushed, Settled, accounts_pushing, compare, lose, plan, pushed, pushing, refresh,
    refuse, send, settle, sizes, stock, take_back, unsettled,
};
pub use rule::{NewRule, Quota, Rule, rule, set_quotas, set_rule};
pub use state::{Publishable, Stated, Statement, publishable, state, stated};

/// A warehouse at Wildberries whose stock is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "ids of three worlds, each by its own name")]
struct Target {
    account_id: AccountId,
    wb_warehouse_id: WbWarehouseId,
    /// The own warehouse that feeds it; where none does, nothing is free for it.
    warehouse_id: Option<WarehouseId>,
}

impl Target {
    /// For the audit log.
    fn name(self) -> String {
        format!("{}/{}", self.account_id, self.wb_warehouse_id)
    }
}

/// The warehouse at Wildberries, where the permission reaches the own warehouse that feeds it.
async fn enter(tx: &mut EnterpriseTx, id: WbWarehouseId, permission: Permission) -> Result<Target> {
    let bounds = tx.bounds(permission)?;
    sqlx::query_as!(
        Target,
        "SELECT account_id, wb_warehouse_id, warehouse_id FROM wildberries_warehouses
         WHERE wb_warehouse_id = $1 AND gone_at IS NULL AND ($2::uuid[] IS NULL OR warehouse_id = ANY($2))
         ORDER BY account_id LIMIT 1",
        id as _,
        bounds.warehouses.as_deref(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("Wildberries warehouse"))
}

/// Where publishing to a warehouse stands.
struct Standing {
    number: i64,
    frozen: bool,
}

impl Standing {
    fn refuse_frozen(&self) -> Result<()> {
        if self.frozen {
            return Err(Error::refused(Refusal::PublishingFrozen, "publishing is frozen: thaw it first"));
        }
        Ok(())
    }
}

/// Where publishing stands; nobody else states anything for the account until the transaction ends, because its warehouses
/// may share their stock. Who locks several accounts does it in the order of their ids.
async fn lock(tx: &mut EnterpriseTx, target: Target) -> Result<Standing> {
    let enterprise_id = tx.enterprise_id();
    // The random half of the id, as for products.
    let key = target.account_id.0.as_u64_pair().1.cast_signed();
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", key).execute(tx.conn()).await?;
    sqlx::query!(
        "INSERT INTO publishing (enterprise_id, account_id, wb_warehouse_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        enterprise_id as _,
        target.account_id as _,
        target.wb_warehouse_id as _,
    )
    .execute(tx.conn())
    .await?;
    Ok(sqlx::query_as!(
        Standing,
        r#"SELECT number, frozen_at IS NOT NULL AS "frozen!" FROM publishing
           WHERE account_id = $1 AND wb_warehouse_id = $2 FOR NO KEY UPDATE"#,
        target.account_id as _,
        target.wb_warehouse_id as _,
    )
    .fetch_one(tx.conn())
    .await?)
}
