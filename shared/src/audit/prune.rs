//! After a year a month of entries is exported and dropped: by the owner of the schema, because the programs' roles can
//! do neither. The seals stay, and so does the proof that the export is what was there.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Months, NaiveDate, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use super::INSTALLATION;
use super::seal::{Row, month_of};
use crate::db::{DbOptions, connect_options};
use crate::ids::{AuditEntryId, EnterpriseId};

/// How long entries are kept at least, in months.
pub const KEEP_MONTHS: u32 = 12;
const AT_ONCE: i64 = 1000;

/// A month that was exported and dropped.
#[derive(Clone, Debug)]
pub struct Pruned {
    /// Its first day.
    pub month: NaiveDate,
    /// How many entries it had, over all enterprises.
    pub entries: i64,
    /// Where they are now, one JSON object a line.
    pub file: PathBuf,
}

/// Why a month was not dropped.
#[derive(Debug, thiserror::Error)]
pub enum PruneProblem {
    /// Less than [`KEEP_MONTHS`] were to be kept.
    #[error("at least {KEEP_MONTHS} months are kept")]
    TooSoon,
    /// The address of the database is wrong.
    #[error("the address of the database is wrong")]
    Address(#[source] crate::Error),
    /// The database refused or did not answer.
    #[error("the database refused: the role must be the owner of the schema")]
    Database(#[from] sqlx::Error),
    /// The export cannot be written.
    #[error("the export {0} cannot be written")]
    Export(PathBuf, #[source] std::io::Error),
    /// An entry is not what was sealed, or not sealed at all.
    #[error("the entry {entry_id} of {month} is not as it was sealed: verify the log first")]
    Unproven {
        /// Of which month.
        month: NaiveDate,
        /// Which one.
        entry_id: AuditEntryId,
    },
    /// Sealed entries are not there.
    #[error("{missing} sealed entries of {month} are missing: verify the log first")]
    Missing {
        /// Of which month.
        month: NaiveDate,
        /// How many.
        missing: usize,
    },
}

/// Exports every month that ended more than `keep_months` ago into `folder` and drops it, oldest first. The export is on
/// the disk before the month is gone; a month that is not as it was sealed stays.
pub async fn prune(owner: &SecretString, keep_months: u32, folder: &Path) -> Result<Vec<Pruned>, PruneProblem> {
    if keep_months < KEEP_MONTHS {
        return Err(PruneProblem::TooSoon);
    }
    let options = DbOptions {
        max_connections: 1,
        statement_timeout: std::time::Duration::from_mins(10),
        application_name: "wb-prune-audit",
    };
    let options = connect_options(owner, &options).map_err(PruneProblem::Address)?;
    let mut conn = options.options([("lock_timeout", "5s")]).connect().await?;
    let now: DateTime<Utc> = sqlx::query_scalar("SELECT now()").fetch_one(&mut conn).await?;
    let first_kept = month_of(now) - Months::new(keep_months);
    let mut pruned = Vec::new();
    for month in months(&mut conn).await?.into_iter().filter(|month| *month < first_kept) {
        let file = folder.join(format!("audit-{}.jsonl", month.format("%Y-%m")));
        let (entries, sha256) = export(&mut conn, month, &file).await?;
        drop_month(&mut conn, month, entries, &sha256).await?;
        pruned.push(Pruned { month, entries, file });
    }
    conn.close().await?;
    Ok(pruned)
}

fn table(month: NaiveDate) -> String {
    format!("audit_entries_{}", month.format("%Y_%m"))
}

/// The months that have a partition of their own.
async fn months(conn: &mut PgConnection) -> Result<Vec<NaiveDate>, sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'audit_entries'::regclass ORDER BY 1",
    )
    .fetch_all(conn)
    .await?;
    let month = |name: &String| {
        let (year, month) = name.strip_prefix("audit_entries_")?.split_once('_')?;
        NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)
    };
    Ok(names.iter().filter_map(month).collect())
}

/// Writes the month's entries of every enterprise, each with its digest; answers with their number and the file's hash.
async fn export(conn: &mut PgConnection, month: NaiveDate, path: &Path) -> Result<(i64, [u8; 32]), PruneProblem> {
    let failed = |error| PruneProblem::Export(path.to_owned(), error);
    // Under its own name only once it is whole; while the month is there, it can be exported again.
    let part = path.with_extension("part");
    let file = File::create(&part).map_err(failed)?;
    let (mut out, mut hash, mut count) = (BufWriter::new(file), Sha256::new(), 0);
    let ids: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM enterprises ORDER BY id").fetch_all(&mut *conn).await?;
    for whose in std::iter::once(INSTALLATION).chain(ids.into_iter().map(EnterpriseId)) {
        // Row security binds the owner too: it reads one enterprise after the other.
        sqlx::query("SELECT set_config('app.enterprise_id', $1, false)")
            .bind(whose.to_string())
            .execute(&mut *conn)
            .await?;
        let mut sealed = sealed(conn, month).await?;
        let mut after = (DateTime::UNIX_EPOCH, AuditEntryId(Uuid::nil()));
        loop {
            let rows = page(conn, month, after).await?;
            for row in &rows {
                let digest = row.digest();
                if sealed.remove(&row.id.0) != Some(digest) {
                    return Err(PruneProblem::Unproven { month, entry_id: row.id });
                }
                let line = format!("{}\n", line(row, &digest));
                hash.update(&line);
                out.write_all(line.as_bytes()).map_err(failed)?;
                after = (row.occurred_at, row.id);
                count += 1;
            }
            if rows.is_empty() {
                break;
            }
        }
        if !sealed.is_empty() {
            return Err(PruneProblem::Missing { month, missing: sealed.len() });
        }
    }
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&part, path).map_err(failed)?;
    Ok((count, hash.finalize().into()))
}

async fn sealed(conn: &mut PgConnection, month: NaiveDate) -> Result<HashMap<Uuid, [u8; 32]>, sqlx::Error> {
    let seals =
        sqlx::query!("SELECT entries, digests FROM audit_seals WHERE month = $1", month).fetch_all(conn).await?;
    let of = |(id, digest): (Uuid, &[u8])| Some((id, digest.try_into().ok()?));
    Ok(seals.iter().flat_map(|seal| seal.entries.iter().copied().zip(seal.digests.chunks(32)).filter_map(of)).collect())
}

async fn page(
    conn: &mut PgConnection,
    month: NaiveDate,
    after: (DateTime<Utc>, AuditEntryId),
) -> Result<Vec<Row>, sqlx::Error> {
    let begin = month.and_time(chrono::NaiveTime::MIN).and_utc();
    let end = (month + Months::new(1)).and_time(chrono::NaiveTime::MIN).and_utc();
    sqlx::query_as!(
        Row,
        "SELECT enterprise_id, id, occurred_at, actor, session_id, address, request_id, operation, action, object_kind, object_id,
                before::text AS before, after::text AS after
         FROM audit_entries
         WHERE occurred_at >= $1 AND occurred_at < $2 AND (occurred_at, id) > ($3, $4::uuid)
         ORDER BY occurred_at, id LIMIT $5",
        begin,
        end,
        after.0,
        after.1 as _,
        AT_ONCE,
    )
    .fetch_all(conn)
    .await
}

fn line(row: &Row, digest: &[u8; 32]) -> Value {
    let object = |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    json!({
        "enterpriseId": row.enterprise_id,
        "id": row.id,
        "occurredAt": row.occurred_at,
        "actor": row.actor,
        "sessionId": row.session_id,
        "address": row.address,
        "requestId": row.request_id,
        "operation": row.operation,
        "action": row.action,
        "objectKind": row.object_kind,
        "objectId": row.object_id,
        "before": object(&row.before),
        "after": object(&row.after),
        "digest": hex::encode(digest),
    })
}

async fn drop_month(conn: &mut PgConnection, month: NaiveDate, entries: i64, sha256: &[u8]) -> Result<(), sqlx::Error> {
    let table = table(month);
    let mut tx = conn.begin().await?;
    sqlx::raw_sql(AssertSqlSafe(format!("ALTER TABLE audit_entries DETACH PARTITION {table}; DROP TABLE {table}")))
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "INSERT INTO audit_prunings (month, entries, sha256, pruned_at) VALUES ($1, $2, $3, now())",
        month,
        entries,
        sha256
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
