//! Seller accounts at Wildberries: one token each, sealed, never shown again.
//!
//! `custody` opens tokens for calls and notes how the calls went, `expiry` raises alarms before a token ends, `sellers`
//! knows which enterprises follow the same seller, `warnings` says what its owner should know about a token.

mod custody;
mod expiry;
mod sellers;
mod warnings;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{AccountId, EnterpriseId};
use crate::seal::{Keyring, SealedColumn};
use crate::versions::Version;
use crate::wildberries::TokenKind;
use crate::wildberries::token::{Category, TokenFacts};
use crate::{Error, Refusal, Result, alarms, schedules};

pub use custody::{Failed, note_success, record_failure, seller_token};
pub use expiry::{WatchTokens, Watched, watch_tokens};
pub use sellers::{TellOfSharedSeller, tell_of_shared_seller};
pub use warnings::TokenWarning;

/// Whether Wildberries still accepts the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum AccountStatus {
    /// It does.
    Active,
    /// It was refused; nothing is called until the token is replaced.
    Blocked,
}

/// A stored seller account, without its token.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Ours.
    pub id: AccountId,
    /// As the enterprise calls it.
    pub name: String,
    /// Wildberries' id of the seller (`sid`): the owner of the request budget.
    pub seller_id: Uuid,
    /// The seller's legal name.
    pub seller_name: String,
    /// The seller's trade mark.
    pub trade_mark: Option<String>,
    /// Which kind of token it is.
    pub token_kind: TokenKind,
    /// Bit mask of categories, bit *n* being `1 << n`.
    pub token_categories: i64,
    /// Whether it may only read.
    pub token_read_only: bool,
    /// When it stops working.
    pub token_expires_at: DateTime<Utc>,
    /// By which people tell tokens apart; absent where the token was stored before there were fingerprints.
    pub token_fingerprint: Option<String>,
    /// When a call last worked, to the minute.
    pub last_ok_at: Option<DateTime<Utc>>,
    /// Why a call last failed: a word of ours.
    pub last_error_code: Option<String>,
    /// When, to the minute.
    pub last_error_at: Option<DateTime<Utc>>,
    /// Whether Wildberries accepts it.
    pub status: AccountStatus,
    /// Why not.
    pub status_reason: Option<String>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// How often it was changed.
    pub version: Version,
}

/// Who the seller is, as Wildberries told when the token was tried.
#[derive(Clone, Debug)]
pub struct SellerFacts {
    /// Wildberries' id of the seller.
    pub seller_id: Uuid,
    /// The legal name.
    pub name: String,
    /// The trade mark.
    pub trade_mark: Option<String>,
}

/// What the warehouse cannot work without.
pub const NEEDED_CATEGORIES: [Category; 2] = [Category::Content, Category::Marketplace];

/// Refuses a token that could not do the work, before Wildberries is asked about it.
pub fn check_token(facts: &TokenFacts, now: DateTime<Utc>) -> Result<()> {
    if facts.expires_at <= now {
        return Err(Error::refused(
            Refusal::TokenExpired,
            format!("the token expired at {}", facts.expires_at.to_rfc3339()),
        ));
    }
    if facts.test || facts.kind == TokenKind::Test {
        return Err(Error::refused(
            Refusal::TokenWrongKind,
            "a test token works in Wildberries' sandbox only: create a personal token",
        ));
    }
    if facts.kind == TokenKind::Base {
        return Err(Error::refused(
            Refusal::TokenWrongKind,
            "a base token has a few requests an hour, too few to follow orders: create a personal token",
        ));
    }
    let missing: Vec<_> =
        NEEDED_CATEGORIES.into_iter().filter(|category| !facts.has(*category)).map(Category::title).collect();
    if !missing.is_empty() {
        return Err(Error::refused(Refusal::TokenLacksCategory, format!("the token lacks: {}", missing.join(", "))));
    }
    if facts.read_only {
        return Err(Error::refused(
            Refusal::TokenReadOnly,
            "a read-only token cannot create supplies: create one that may write",
        ));
    }
    Ok(())
}

/// Stores a checked token of a seller that is not stored yet.
pub async fn store(
    tx: &mut EnterpriseTx,
    keyring: &Keyring,
    name: &str,
    token: &SecretString,
    facts: &TokenFacts,
    seller: &SellerFacts,
) -> Result<Account> {
    tx.require(Permission::ManageTokens)?;
    tx.require_confirmed().await?;
    same_seller(facts, seller.seller_id)?;
    let name = checked_name(name)?;
    let (id, enterprise_id, now) = (AccountId::new(), tx.enterprise_id(), tx.now().await?);
    let identity = identity(enterprise_id, id);
    let sealed = keyring.seal(token, &identity);
    sqlx::query!(
        "INSERT INTO wildberries_accounts (enterprise_id, id, name, seller_id, seller_name, trade_mark, token_sealed, token_key_id,
                                           token_kind, token_categories, token_read_only, token_expires_at, token_fingerprint,
                                           last_ok_at, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $14)",
        enterprise_id as _,
        id as _,
        name,
        seller.seller_id,
        seller.name,
        seller.trade_mark,
        sealed.bytes,
        sealed.key_id,
        facts.kind as TokenKind,
        facts.categories,
        facts.read_only,
        facts.expires_at,
        keyring.fingerprint(token, &identity),
        now,
    )
    .execute(tx.conn())
    .await
    .refused_on("wildberries_accounts_seller_key", Refusal::AccountAlreadyStored, || {
        format!("{} is already stored: replace its token instead", seller.name)
    })?;
    sellers::claim(tx, id, seller.seller_id, name).await?;
    let account = get(tx, id).await?;
    audit::created(tx, Action::AccountConnected, Object::of("account", id), &account).await?;
    Ok(account)
}

/// Replaces the token by another one of the same seller.
pub async fn replace_token(
    tx: &mut EnterpriseTx,
    keyring: &Keyring,
    id: AccountId,
    token: &SecretString,
    facts: &TokenFacts,
    seller: &SellerFacts,
) -> Result<Account> {
    tx.require(Permission::ManageTokens)?;
    tx.require_confirmed().await?;
    same_seller(facts, seller.seller_id)?;
    let version = lock(tx, id).await?;
    tx.expect(version)?;
    let account = get(tx, id).await?;
    same_seller(facts, account.seller_id)?;
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let identity = identity(enterprise_id, id);
    let sealed = keyring.seal(token, &identity);
    sqlx::query!(
        "UPDATE wildberries_accounts
         SET token_sealed = $2, token_key_id = $3, token_kind = $4, token_categories = $5, token_read_only = $6, token_expires_at = $7,
             token_fingerprint = $8, status = 'active', status_reason = NULL, last_ok_at = $9, changed_at = $9
         WHERE id = $1",
        id as _,
        sealed.bytes,
        sealed.key_id,
        facts.kind as TokenKind,
        facts.categories,
        facts.read_only,
        facts.expires_at,
        keyring.fingerprint(token, &identity),
        now,
    )
    .execute(tx.conn())
    .await?;
    alarms::end_of_token(tx, id).await?;
    schedules::resume(tx, &timers_of(id)).await?;
    let replaced = get(tx, id).await?;
    audit::changed(tx, Action::AccountTokenReplaced, Object::of("account", id), &account, &replaced).await?;
    Ok(replaced)
}

/// Holds the account for a change; answers with the version that is to be changed.
async fn lock(tx: &mut EnterpriseTx, id: AccountId) -> Result<Version> {
    sqlx::query_scalar!("SELECT version FROM wildberries_accounts WHERE id = $1 FOR NO KEY UPDATE", id as _)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(Error::NotFound("account"))
}

/// One account.
pub async fn get(tx: &mut EnterpriseTx, id: AccountId) -> Result<Account> {
    sqlx::query_as!(
        Account,
        "SELECT id, name, seller_id, seller_name, trade_mark, token_kind, token_categories, token_read_only, token_expires_at,
                token_fingerprint, last_ok_at, last_error_code, last_error_at, status, status_reason, created_at, version
         FROM wildberries_accounts WHERE id = $1",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("account"))
}

/// All accounts: an enterprise has a handful.
pub async fn list(tx: &mut EnterpriseTx) -> Result<Vec<Account>> {
    tx.require(Permission::ReadWildberries)?;
    Ok(sqlx::query_as!(
        Account,
        "SELECT id, name, seller_id, seller_name, trade_mark, token_kind, token_categories, token_read_only, token_expires_at,
                token_fingerprint, last_ok_at, last_error_code, last_error_at, status, status_reason, created_at, version
         FROM wildberries_accounts ORDER BY id"
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What the sealed bytes are bound to, as the registry of sealed columns has it.
fn identity(enterprise_id: EnterpriseId, id: AccountId) -> String {
    const TOKENS: SealedColumn = SealedColumn::of_enterprise("wildberries_accounts", "token_sealed", "token_key_id");
    TOKENS.identity(Some(enterprise_id.0), id.0)
}

/// What the payloads of the account's timers have in common.
fn timers_of(id: AccountId) -> serde_json::Value {
    serde_json::json!({ "account_id": id })
}

fn same_seller(facts: &TokenFacts, seller_id: Uuid) -> Result<()> {
    if facts.seller_id == seller_id {
        return Ok(());
    }
    Err(Error::refused(Refusal::AccountOfAnotherSeller, "the token was issued to another seller"))
}

fn checked_name(name: &str) -> Result<&str> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Error::invalid("name", "must have 1 to 200 characters"));
    }
    Ok(name)
}
