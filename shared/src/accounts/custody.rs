//! The one place where a stored token is opened, and what is kept of how its calls went.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{AccountStatus, identity, timers_of};
use crate::alarms::{self, AlarmKind};
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::AccountId;
use crate::seal::{Keyring, Sealed};
use crate::wildberries::{CallError, SellerToken};
use crate::{Error, Refusal, Result, schedules};

/// A call that failed, as far as its account is concerned.
#[derive(Clone, Debug)]
pub struct Failed {
    code: &'static str,
    blocks: bool,
    reason: String,
}

impl Failed {
    /// What is kept of the failure; nothing where no call was made.
    pub fn of(error: &CallError) -> Option<Self> {
        Some(Self { code: error.word()?, blocks: error.blocks_the_account(), reason: error.to_string() })
    }
}

/// The token for a call, or the refusal that says why there will be none.
pub async fn seller_token(tx: &mut EnterpriseTx, keyring: &Keyring, id: AccountId) -> Result<SellerToken> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let row = sqlx::query!(
        "SELECT seller_id, token_sealed, token_key_id, token_kind, token_categories, token_read_only, token_expires_at, status, status_reason
         FROM wildberries_accounts WHERE id = $1",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("account"))?;
    if row.status == AccountStatus::Blocked {
        return Err(Error::refused(Refusal::AccountBlocked, row.status_reason.unwrap_or_default()));
    }
    if row.token_expires_at <= now {
        return Err(Error::refused(
            Refusal::TokenExpired,
            format!("the token expired at {}", row.token_expires_at.to_rfc3339()),
        ));
    }
    let sealed = Sealed { key_id: row.token_key_id, bytes: row.token_sealed };
    let token = keyring
        .open(&sealed, &identity(enterprise_id, id))
        .map_err(|problem| Error::Inconsistent(format!("the token of account {id} cannot be opened: {problem}")))?;
    Ok(SellerToken {
        token,
        kind: row.token_kind,
        seller_id: row.seller_id,
        categories: row.token_categories,
        read_only: row.token_read_only,
    })
}

/// A call worked. Written at most once a minute, however many calls and programs there are.
pub async fn note_success(tx: &mut EnterpriseTx, id: AccountId) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE wildberries_accounts SET last_ok_at = $2
         WHERE id = $1 AND (last_ok_at IS NULL OR last_ok_at <= $2::timestamptz - interval '1 minute')",
        id as _,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A call failed, made with the token that was stored at `token_of`. One that Wildberries does not accept blocks the
/// account: its timers stand still, nothing is called until the token is replaced, and its owner is told once.
/// A token that was stored since then is not judged by the failure of the one before.
pub async fn record_failure(
    tx: &mut EnterpriseTx,
    id: AccountId,
    token_of: DateTime<Utc>,
    failed: &Failed,
) -> Result<()> {
    if failed.blocks { block(tx, id, token_of, failed).await } else { note_failure(tx, id, failed.code).await }
}

async fn note_failure(tx: &mut EnterpriseTx, id: AccountId, code: &str) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE wildberries_accounts SET last_error_code = $2, last_error_at = $3
         WHERE id = $1 AND (last_error_at IS NULL OR last_error_at <= $3::timestamptz - interval '1 minute')",
        id as _,
        code,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn block(tx: &mut EnterpriseTx, id: AccountId, token_of: DateTime<Utc>, failed: &Failed) -> Result<()> {
    let now = tx.now().await?;
    let blocked = sqlx::query_scalar!(
        "UPDATE wildberries_accounts
         SET status = 'blocked', status_reason = $2, last_error_code = $3, last_error_at = $4, changed_at = $4
         WHERE id = $1 AND status = 'active' AND changed_at <= $5
         RETURNING name",
        id as _,
        failed.reason,
        failed.code,
        now,
        token_of,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(name) = blocked else { return Ok(()) };
    schedules::pause(tx, &timers_of(id)).await?;
    let detail = format!("«{name}»: nothing is asked of Wildberries until its token is replaced");
    alarms::raise(tx, AlarmKind::TokenRefused, id, &now.to_rfc3339(), &detail).await?;
    audit::noted(tx, Action::AccountBlocked, Object::of("account", id), &json!({ "reason": failed.reason })).await
}
