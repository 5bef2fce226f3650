//! Which keys are in use, and sealing every row anew under the current one.
//!
//! Rows go in batches, each in a transaction of its own: whoever kills it loses at most the batch under way, and the next
//! run goes on with what is left. A row is under one key or the other at any moment, and programs open both.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::{COLUMNS, Keyring, Sealed, SealedColumn};
use crate::access::Actor;
use crate::db::{Db, PlatformTx};
use crate::ids::EnterpriseId;
use crate::{Error, Result};

/// How many rows are sealed anew in one transaction.
const BATCH: i64 = 100;
/// As histories name who did it.
const KIND: &str = "admin.rotate_keys";

/// How many rows each key seals, per table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyUse(BTreeMap<(String, &'static str), i64>);

/// What a rotation did.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Rows that were sealed anew by this run.
    pub resealed: u64,
    /// What every row is sealed under now.
    pub key_use: KeyUse,
}

/// Rows are sealed under keys that are not there.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n  "))]
pub struct UnknownKeys(pub Vec<String>);

impl KeyUse {
    /// All rows under this key.
    pub fn rows(&self, key_id: &str) -> i64 {
        self.0.iter().filter(|((id, _), _)| id == key_id).map(|(_, rows)| rows).sum()
    }

    /// Key, table and number of rows.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'static str, i64)> {
        self.0.iter().map(|((key_id, table), rows)| (key_id.as_str(), *table, *rows))
    }

    /// Says which rows nobody can open with these keys.
    pub fn unknown_to(&self, keyring: &Keyring) -> Result<(), UnknownKeys> {
        let unknown: Vec<_> = self
            .iter()
            .filter(|(key_id, ..)| keyring.ids().all(|known| known != *key_id))
            .map(|(key_id, table, rows)| {
                format!(
                    "WB_KEK_FILE: {rows} rows of {table} are sealed under the key {key_id}, which is not in the file: \
                     put it back and run `api admin rotate-keys` before it is removed"
                )
            })
            .collect();
        if unknown.is_empty() { Ok(()) } else { Err(UnknownKeys(unknown)) }
    }
}

/// Counts the rows of every sealed column by their key, over all enterprises.
pub async fn key_use(db: &Db) -> Result<KeyUse> {
    let mut counted = KeyUse::default();
    let mut tx = db.platform().await?;
    let enterprises = enterprises(&mut tx).await?;
    for column in COLUMNS.iter().filter(|column| !column.of_enterprise) {
        count(tx.conn(), column, &mut counted).await?;
    }
    tx.commit().await?;
    for enterprise_id in enterprises {
        let mut tx = db.begin(&Actor::job(enterprise_id, KIND)).await?;
        for column in COLUMNS.iter().filter(|column| column.of_enterprise) {
            count(tx.conn(), column, &mut counted).await?;
        }
        tx.commit().await?;
    }
    Ok(counted)
}

/// Fails if a row is sealed under a key that is not in the keyring: a program would find out only when it needs it.
pub async fn refuse_unknown_keys(db: &Db, keyring: &Keyring) -> Result<Result<(), UnknownKeys>> {
    Ok(key_use(db).await?.unknown_to(keyring))
}

/// Seals every row anew that is not under the current key. `said` hears after each batch how many rows there were so far.
pub async fn rotate(db: &Db, keyring: &Keyring, mut said: impl FnMut(u64)) -> Result<Rotation> {
    let mut resealed = 0;
    let mut tx = db.platform().await?;
    let enterprises = enterprises(&mut tx).await?;
    tx.commit().await?;
    for column in COLUMNS {
        if !column.of_enterprise {
            loop {
                let mut tx = db.platform().await?;
                let rows = reseal(tx.conn(), keyring, column, None).await?;
                tx.commit().await?;
                resealed += rows;
                if rows == 0 {
                    break;
                }
                said(resealed);
            }
            continue;
        }
        for enterprise_id in &enterprises {
            loop {
                let mut tx = db.begin(&Actor::job(*enterprise_id, KIND)).await?;
                let rows = reseal(tx.conn(), keyring, column, Some(enterprise_id.0)).await?;
                tx.commit().await?;
                resealed += rows;
                if rows == 0 {
                    break;
                }
                said(resealed);
            }
        }
    }
    Ok(Rotation { resealed, key_use: key_use(db).await? })
}

/// Suspended ones, too: their secrets are kept as well.
async fn enterprises(tx: &mut PlatformTx) -> Result<Vec<EnterpriseId>> {
    Ok(sqlx::query_scalar!("SELECT id FROM enterprises ORDER BY id").fetch_all(tx.conn()).await?)
}

// The names below come from `COLUMNS` alone, which is why these queries are not checked ones.

async fn count(conn: &mut PgConnection, column: &SealedColumn, counted: &mut KeyUse) -> Result<()> {
    let SealedColumn { table, sealed, key_id, .. } = column;
    let sql = format!("SELECT {key_id}, count(*) FROM {table} WHERE {sealed} IS NOT NULL GROUP BY 1");
    let rows: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(conn).await?;
    for (key_id, rows) in rows {
        *counted.0.entry((key_id, table)).or_default() += rows;
    }
    Ok(())
}

async fn reseal(
    conn: &mut PgConnection,
    keyring: &Keyring,
    column: &SealedColumn,
    enterprise_id: Option<Uuid>,
) -> Result<u64> {
    let SealedColumn { table, sealed, key_id, .. } = column;
    let select = format!(
        "SELECT id, {key_id}, {sealed} FROM {table} WHERE {key_id} <> $1 AND {sealed} IS NOT NULL ORDER BY id LIMIT {BATCH} FOR UPDATE"
    );
    let update = format!("UPDATE {table} SET {sealed} = $2, {key_id} = $3 WHERE id = $1");
    let rows: Vec<(Uuid, String, Vec<u8>)> =
        sqlx::query_as(AssertSqlSafe(select)).bind(keyring.current()).fetch_all(&mut *conn).await?;
    for (id, key_id, bytes) in &rows {
        let identity = column.identity(enterprise_id, *id);
        let old = Sealed { key_id: key_id.clone(), bytes: bytes.clone() };
        let secret = keyring
            .open(&old, &identity)
            .map_err(|problem| Error::Inconsistent(format!("{identity} cannot be opened: {problem}")))?;
        let new = keyring.seal(&secret, &identity);
        sqlx::query(AssertSqlSafe(update.clone()))
            .bind(id)
            .bind(new.bytes)
            .bind(new.key_id)
            .execute(&mut *conn)
            .await?;
    }
    Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
}
