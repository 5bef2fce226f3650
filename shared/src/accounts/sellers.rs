//! Which enterprises follow the same seller. That is allowed (an owner may move, or run two installations of one shop
//! by mistake), but both owners are told, and neither is told who the other one is.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Result;
use crate::alarms::{self, AlarmKind};
use crate::db::EnterpriseTx;
use crate::ids::AccountId;
use crate::jobs::{Job, Queue};

/// Tells the owner of an account that its seller is now followed by somebody else, too.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct TellOfSharedSeller {
    /// The seller at Wildberries.
    pub seller_id: Uuid,
}

impl Job for TellOfSharedSeller {
    const KIND: &'static str = "accounts.tell_of_shared_seller";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(self.seller_id.to_string())
    }
}

/// The enterprise follows the seller from now on. Whoever did so already is told, and so is this one.
pub(super) async fn claim(tx: &mut EnterpriseTx, id: AccountId, seller_id: Uuid, name: &str) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    // Two that connect the same seller at once would not see each other.
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('seller ' || $1::text, 0))", seller_id.to_string())
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "INSERT INTO wildberries_sellers (seller_id, enterprise_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        seller_id,
        enterprise_id as _,
    )
    .execute(tx.conn())
    .await?;
    let others = sqlx::query_scalar!(
        "SELECT enterprise_id FROM wildberries_sellers WHERE seller_id = $1 AND enterprise_id <> $2 ORDER BY enterprise_id",
        seller_id,
        enterprise_id as _,
    )
    .fetch_all(tx.conn())
    .await?;
    if others.is_empty() {
        return Ok(());
    }
    tell(tx, id, seller_id, name).await?;
    for other in others {
        tx.enqueue_for(other, &TellOfSharedSeller { seller_id }).await?;
    }
    Ok(())
}

/// Tells the owner of the account, if the enterprise still has it.
pub async fn tell_of_shared_seller(tx: &mut EnterpriseTx, seller_id: Uuid) -> Result<()> {
    let account = sqlx::query!("SELECT id, name FROM wildberries_accounts WHERE seller_id = $1", seller_id)
        .fetch_optional(tx.conn())
        .await?;
    match account {
        Some(account) => tell(tx, account.id, seller_id, &account.name).await,
        None => Ok(()),
    }
}

async fn tell(tx: &mut EnterpriseTx, id: AccountId, seller_id: Uuid, name: &str) -> Result<()> {
    let detail = format!(
        "«{name}»: if that was not you, withdraw the token in the seller's cabinet; both share Wildberries' request limits"
    );
    alarms::raise(tx, AlarmKind::SellerShared, id, &seller_id.to_string(), &detail).await?;
    Ok(())
}
