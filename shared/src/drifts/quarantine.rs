//! Entries of answers that could not be used: kept sealed, as they came but for the buyer's address and wish, until they can
//! be read. One row per item, however often it comes.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::ReplayQuarantine;
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, JobId, QuarantineId};
use crate::page::{Page, PageQuery};
use crate::seal::{Keyring, Sealed, SealedColumn};
use crate::wildberries::Unreadable;
use crate::{Error, Result};

/// Items of a kind that wait in an account at most: beyond that, a whole list has changed and is asked for anew.
const MOST: i64 = 10_000;
/// Larger than any order or card; what is larger is kept without what it says.
const LARGEST: usize = 256 * 1024;

/// What could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ItemKind {
    /// A card.
    Card,
    /// An office of Wildberries.
    Office,
    /// An order.
    Order,
    /// Both statuses of an order.
    Status,
    /// A warehouse of the seller.
    Warehouse,
}

impl ItemKind {
    /// Where its number stands.
    fn number(self) -> &'static str {
        match self {
            Self::Card => "nmID",
            Self::Office | Self::Order | Self::Status | Self::Warehouse => "id",
        }
    }

    /// What is the buyer's and nobody's business here.
    fn of_the_buyer(self) -> &'static [&'static str] {
        match self {
            Self::Order => &["address", "comment"],
            Self::Card | Self::Office | Self::Status | Self::Warehouse => &[],
        }
    }
}

/// An item, as it is listed: what it says is shown to nobody.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Which one.
    pub id: QuarantineId,
    /// Of which seller account.
    pub account_id: AccountId,
    /// What it is.
    pub kind: ItemKind,
    /// In whose answer it came.
    pub method: String,
    /// Its number at Wildberries, if it has one.
    pub item_id: Option<i64>,
    /// Why it could not be used.
    pub why: String,
    /// When it came first.
    pub first_seen_at: DateTime<Utc>,
    /// When it came last.
    pub last_seen_at: DateTime<Utc>,
    /// When it was read after all.
    pub replayed_at: Option<DateTime<Utc>>,
}

/// Which items to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct ItemFilter {
    /// Only those that wait, or only those that were read after all.
    pub waiting: Option<bool>,
    /// Only these.
    pub kind: Option<ItemKind>,
    /// Only of this account.
    pub account_id: Option<AccountId>,
}

/// The enterprise's items, newest first.
pub async fn list(tx: &mut EnterpriseTx, filter: &ItemFilter, query: &PageQuery) -> Result<Page<Item>> {
    tx.require(Permission::ReadWildberries)?;
    let before: Option<QuarantineId> = query.key()?;
    let rows = sqlx::query_as!(
        Item,
        "SELECT id, account_id, kind, method, item_id, why, first_seen_at, last_seen_at, replayed_at
           FROM quarantine
           WHERE ($1::boolean IS NULL OR (replayed_at IS NULL) = $1)
             AND ($2::text IS NULL OR kind = $2)
             AND ($3::uuid IS NULL OR account_id = $3)
             AND ($4::uuid IS NULL OR id < $4)
           ORDER BY id DESC
           LIMIT $5",
        filter.waiting,
        filter.kind as Option<ItemKind>,
        filter.account_id as _,
        before as _,
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |item| item.id))
}

/// What was promised to be read again.
#[derive(Clone, Copy, Debug)]
pub struct Replay {
    /// By this job.
    pub job_id: JobId,
    /// Items that wait.
    pub waiting: i64,
}

/// Has everything that waits read again now.
pub async fn replay(tx: &mut EnterpriseTx) -> Result<Replay> {
    tx.require(Permission::ManageWildberries)?;
    let waiting = super::waiting(tx).await?.quarantined;
    let job_id = tx.enqueue(&ReplayQuarantine {}).await?.job_id;
    audit::noted(tx, Action::QuarantineReplayed, Object::of("job", job_id), &json!({ "waiting": waiting })).await?;
    Ok(Replay { job_id, waiting })
}

struct New {
    key: String,
    item_id: Option<i64>,
    digest: Vec<u8>,
    raw: SecretString,
    why: String,
}

/// Keeps what could not be used, in the transaction that keeps the rest of the page.
pub async fn keep(
    tx: &mut EnterpriseTx,
    keyring: &Keyring,
    account_id: AccountId,
    kind: ItemKind,
    method: &str,
    unreadable: &[Unreadable],
) -> Result<()> {
    if unreadable.is_empty() {
        return Ok(());
    }
    let mut items: HashMap<_, _> =
        unreadable.iter().map(|entry| new(kind, entry)).map(|new| (new.key.clone(), new)).collect();
    let now = tx.now().await?;
    let (keys, digests): (Vec<_>, Vec<_>) = items.values().map(|new| (new.key.clone(), new.digest.clone())).unzip();
    // What comes with every look is not sealed with every look.
    let known = sqlx::query_scalar!(
        "UPDATE quarantine AS q SET last_seen_at = greatest(q.last_seen_at, $3)
         FROM unnest($4::text[], $5::bytea[]) AS n (item_key, digest)
         WHERE q.account_id = $1 AND q.kind = $2 AND q.item_key = n.item_key AND q.digest = n.digest AND q.replayed_at IS NULL
         RETURNING q.item_key",
        account_id as _,
        kind as ItemKind,
        now,
        &keys,
        &digests,
    )
    .fetch_all(tx.conn())
    .await?;
    for key in known {
        items.remove(&key);
    }
    if items.is_empty() {
        return Ok(());
    }
    let waiting = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM quarantine WHERE account_id = $1 AND kind = $2 AND replayed_at IS NULL"#,
        account_id as _,
        kind as ItemKind,
    )
    .fetch_one(tx.conn())
    .await?;
    let room = usize::try_from(MOST - waiting).unwrap_or(0);
    if items.len() > room {
        tracing::warn!(account.id = %account_id, "The quarantine is full: {} entries are not kept", items.len() - room);
    }
    let mut items: Vec<_> = items.into_values().collect();
    items.sort_by(|one, other| one.key.cmp(&other.key));
    for item in items.into_iter().take(room) {
        put(tx, keyring, account_id, kind, method, item).await?;
    }
    Ok(())
}

async fn put(
    tx: &mut EnterpriseTx,
    keyring: &Keyring,
    account_id: AccountId,
    kind: ItemKind,
    method: &str,
    item: New,
) -> Result<()> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    // What is sealed is bound to its row: the row comes first, and may have been there before.
    let id = sqlx::query_scalar!(
        "INSERT INTO quarantine (enterprise_id, id, account_id, kind, method, item_key, item_id, why, digest, first_seen_at, last_seen_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
           ON CONFLICT (enterprise_id, account_id, kind, item_key) DO UPDATE
           SET method = EXCLUDED.method, why = EXCLUDED.why, digest = EXCLUDED.digest, replayed_at = NULL,
               last_seen_at = greatest(quarantine.last_seen_at, EXCLUDED.last_seen_at)
           RETURNING id",
        enterprise_id as _,
        QuarantineId::new() as _,
        account_id as _,
        kind as ItemKind,
        method,
        item.key,
        item.item_id,
        item.why,
        item.digest,
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    let fits = item.raw.expose_secret().len() <= LARGEST;
    let sealed = fits.then(|| keyring.seal(&item.raw, &RAW.identity(Some(enterprise_id.0), id.0)));
    let (bytes, key_id) = sealed.map(|sealed| (sealed.bytes, sealed.key_id)).unzip();
    sqlx::query!(
        "UPDATE quarantine SET raw_sealed = $2, raw_key_id = $3 WHERE id = $1",
        id as _,
        bytes as Option<Vec<u8>>,
        key_id as Option<String>,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

const RAW: SealedColumn = SealedColumn::of_enterprise("quarantine", "raw_sealed", "raw_key_id");

fn new(kind: ItemKind, entry: &Unreadable) -> New {
    let mut raw = entry.raw.clone();
    if let Some(fields) = raw.as_object_mut() {
        for name in kind.of_the_buyer() {
            fields.remove(*name);
        }
    }
    let number = raw.get(kind.number());
    let item_id = number.and_then(|number| number.as_i64().or_else(|| number.as_str()?.parse().ok()));
    let raw = raw.to_string();
    let digest = Sha256::digest(raw.as_bytes()).to_vec();
    let key = item_id.map_or_else(|| hex::encode(&digest), |number| number.to_string());
    New { key, item_id, digest, raw: SecretString::from(raw), why: entry.why.clone() }
}

/// These came and were read: if they had waited, they do no more. If it was `all` that the method has to say, and all of it
/// was read, nothing waits any more that has no number to be known by.
pub async fn came(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    kind: ItemKind,
    method: &str,
    numbers: &[i64],
    all: bool,
) -> Result<()> {
    if numbers.is_empty() {
        return Ok(());
    }
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE quarantine SET replayed_at = $4, raw_sealed = NULL, raw_key_id = NULL
         WHERE account_id = $1 AND kind = $2 AND replayed_at IS NULL
           AND (item_id = ANY($3) OR ($5 AND item_id IS NULL AND method = $6))",
        account_id as _,
        kind as ItemKind,
        numbers,
        now,
        all,
        method,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// An item that waits, opened.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Which one.
    pub id: QuarantineId,
    /// In whose answer it came.
    pub method: String,
    /// Its number at Wildberries.
    pub item_id: Option<i64>,
    /// When it came last.
    pub last_seen_at: DateTime<Utc>,
    /// What it says; nothing of what was too large. Never log it.
    pub raw: Option<Value>,
}

/// Accounts of which something waits.
pub async fn accounts(tx: &mut EnterpriseTx) -> Result<Vec<(AccountId, HashSet<ItemKind>)>> {
    let rows = sqlx::query!(
        "SELECT DISTINCT account_id, kind FROM quarantine
           WHERE replayed_at IS NULL ORDER BY 1, 2"
    )
    .fetch_all(tx.conn())
    .await?;
    let mut accounts: Vec<(AccountId, HashSet<ItemKind>)> = Vec::new();
    for row in rows {
        match accounts.last_mut() {
            Some((account_id, kinds)) if *account_id == row.account_id => drop(kinds.insert(row.kind)),
            _ => accounts.push((row.account_id, HashSet::from([row.kind]))),
        }
    }
    Ok(accounts)
}

/// What waits of a kind, oldest first, behind `after`.
pub async fn waiting(
    tx: &mut EnterpriseTx,
    keyring: &Keyring,
    account_id: AccountId,
    kind: ItemKind,
    after: Option<QuarantineId>,
    limit: i64,
) -> Result<Vec<Kept>> {
    let enterprise_id = tx.enterprise_id();
    let rows = sqlx::query!(
        "SELECT id, method, item_id, last_seen_at, raw_sealed, raw_key_id FROM quarantine
           WHERE account_id = $1 AND kind = $2 AND replayed_at IS NULL AND ($3::uuid IS NULL OR id > $3)
           ORDER BY id LIMIT $4",
        account_id as _,
        kind as ItemKind,
        after as _,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        let raw = match row.raw_sealed.zip(row.raw_key_id) {
            None => None,
            Some((bytes, key_id)) => {
                let identity = RAW.identity(Some(enterprise_id.0), row.id.0);
                let open = keyring
                    .open(&Sealed { key_id, bytes }, &identity)
                    .map_err(|problem| Error::Inconsistent(format!("{identity} cannot be opened: {problem}")))?;
                serde_json::from_str(open.expose_secret()).ok()
            }
        };
        kept.push(Kept { id: row.id, method: row.method, item_id: row.item_id, last_seen_at: row.last_seen_at, raw });
    }
    Ok(kept)
}

/// These were read after all: nothing of them is kept but that they were there.
pub async fn replayed(tx: &mut EnterpriseTx, ids: &[QuarantineId]) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE quarantine SET replayed_at = $2, raw_sealed = NULL, raw_key_id = NULL WHERE id = ANY($1) AND replayed_at IS NULL",
        &ids.iter().map(|id| id.0).collect::<Vec<_>>(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Wildberries was asked for it anew, and it still cannot be read: others come first the next time.
pub async fn asked(tx: &mut EnterpriseTx, id: QuarantineId) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!("UPDATE quarantine SET last_seen_at = greatest(last_seen_at, $2) WHERE id = $1", id as _, now)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Whether statuses wait of orders that are not here, and so are followed by nobody.
pub async fn has_statuses_of_unknown_orders(tx: &mut EnterpriseTx, account_id: AccountId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM quarantine AS q
               WHERE q.account_id = $1 AND q.kind = 'status' AND q.replayed_at IS NULL AND q.item_id IS NOT NULL
                 AND NOT EXISTS (SELECT FROM orders AS o
                                 WHERE o.enterprise_id = q.enterprise_id AND o.account_id = q.account_id AND o.wb_order_id = q.item_id)
           ) AS "unknown!""#,
        account_id as _,
    )
    .fetch_one(tx.conn())
    .await?)
}
