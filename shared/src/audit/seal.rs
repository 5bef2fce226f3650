//! Chaining what was written. An act commits with a plain insert; soon after, a job puts the new entries of each
//! enterprise, month by month, under seals that follow one another by SHA-256. Whatever commits late comes into a later
//! seal, so nothing waits for the chain (inside the transaction it would cost most of the throughput).

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::db::{EnterpriseTx, PlatformTx};
use crate::ids::{AuditEntryId, EnterpriseId, SessionId};
use crate::jobs::{Job, Queue};
use crate::{Error, Result};

/// What the first seal of a chain follows.
pub(super) const GENESIS: [u8; 32] = [0; 32];
/// Entries under one seal at most.
const AT_ONCE: i64 = 1000;
/// Months for which partitions are made ahead.
const AHEAD: u32 = 13;

/// The hash of a seal; as text in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::str::FromStr for Hash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).map_err(|_| Error::invalid("head", "is not a SHA-256 in hex"))?;
        Ok(Self(hash))
    }
}

/// Puts new entries of every enterprise under seals.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SealEntries {}

impl Job for SealEntries {
    const KIND: &'static str = "audit.seal_entries";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(String::new())
    }
}

/// Makes the partitions of the months to come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MakePartitions {}

impl Job for MakePartitions {
    const KIND: &'static str = "audit.make_partitions";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(String::new())
    }
}

/// What became of sealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// So many entries are under new seals, the last of them with this hash; there may be more.
    Sealed(usize, Hash),
    /// Everything is under seals, or somebody else is just doing it.
    Nothing,
}

/// An entry as its digest is made of it.
pub(super) struct Row {
    pub enterprise_id: EnterpriseId,
    pub id: AuditEntryId,
    pub occurred_at: DateTime<Utc>,
    pub actor: String,
    pub session_id: Option<SessionId>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub operation: Option<String>,
    pub action: String,
    pub object_kind: String,
    pub object_id: Option<String>,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Row {
    /// Over every field in this order, each with its length before it; absent ones are told from empty ones.
    pub(super) fn digest(&self) -> [u8; 32] {
        let (session, moment) =
            (self.session_id.map(|id| id.to_string()), self.occurred_at.timestamp_micros().to_string());
        let fields = [
            Some(self.enterprise_id.to_string()),
            Some(self.id.to_string()),
            Some(moment),
            Some(self.actor.clone()),
            session,
            self.address.clone(),
            self.request_id.clone(),
            self.operation.clone(),
            Some(self.action.clone()),
            Some(self.object_kind.clone()),
            self.object_id.clone(),
            self.before.clone(),
            self.after.clone(),
        ];
        let mut hash = Sha256::new();
        for field in fields {
            match field {
                None => hash.update([0]),
                Some(text) => {
                    hash.update([1]);
                    hash.update(u64::try_from(text.len()).expect("lengths fit").to_be_bytes());
                    hash.update(text);
                }
            }
        }
        hash.finalize().into()
    }
}

/// A seal's hash: over the seal before it, whose it is, its number, month and moment, and every entry with its digest.
pub(super) fn hash(
    previous: &[u8],
    whose: EnterpriseId,
    number: i64,
    month: NaiveDate,
    sealed_at: DateTime<Utc>,
    entries: &[Uuid],
    digests: &[u8],
) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(whose.0);
    hash.update(number.to_be_bytes());
    hash.update(month.num_days_from_ce().to_be_bytes());
    hash.update(sealed_at.timestamp_micros().to_be_bytes());
    for entry in entries {
        hash.update(entry);
    }
    hash.update(digests);
    hash.finalize().into()
}

pub(super) fn month_of(moment: DateTime<Utc>) -> NaiveDate {
    moment.date_naive().with_day(1).expect("every month has a first day")
}

/// Whose entries wait for a seal.
pub async fn unsealed(tx: &mut PlatformTx) -> Result<Vec<EnterpriseId>> {
    let ids =
        sqlx::query_scalar!(r#"SELECT audit_unsealed AS "id!" FROM audit_unsealed()"#).fetch_all(tx.conn()).await?;
    Ok(ids.into_iter().map(EnterpriseId).collect())
}

/// Puts up to a thousand entries of the enterprise under seals; call again until it finds nothing.
pub async fn seal(tx: &mut EnterpriseTx) -> Result<Seal> {
    let whose = tx.enterprise_id();
    let lock = format!("audit_seals/{whose}");
    let ours = sqlx::query_scalar!(r#"SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS "ours!""#, lock)
        .fetch_one(tx.conn())
        .await?;
    if !ours {
        return Ok(Seal::Nothing);
    }
    let rows = waiting(tx).await?;
    let last = sqlx::query!("SELECT number, hash FROM audit_seals ORDER BY number DESC LIMIT 1")
        .fetch_optional(tx.conn())
        .await?;
    let (mut number, mut previous) = last.map_or((0, GENESIS.to_vec()), |last| (last.number, last.hash));
    let now = tx.now().await?;
    for range in rows.chunk_by(|one, other| month_of(one.occurred_at) == month_of(other.occurred_at)) {
        let (first, last) = (range.first().expect("a range has rows"), range.last().expect("a range has rows"));
        let entries: Vec<_> = range.iter().map(|row| row.id.0).collect();
        let digests: Vec<u8> = range.iter().flat_map(Row::digest).collect();
        let month = month_of(first.occurred_at);
        number += 1;
        let hash = hash(&previous, whose, number, month, now, &entries, &digests);
        sqlx::query!(
            "INSERT INTO audit_seals (enterprise_id, number, month, occurred_from, occurred_to, entries, digests, previous_hash, hash, sealed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            whose as _,
            number,
            month,
            first.occurred_at,
            last.occurred_at,
            &entries,
            digests,
            previous,
            &hash[..],
            now,
        )
        .execute(tx.conn())
        .await?;
        previous = hash.to_vec();
    }
    if rows.is_empty() {
        return Ok(Seal::Nothing);
    }
    Ok(Seal::Sealed(rows.len(), Hash(previous.try_into().expect("a SHA-256 has 32 bytes"))))
}

/// Entries under no seal, oldest first. No transaction lives for five minutes: nothing older than that before the newest
/// sealed entry can still arrive.
async fn waiting(tx: &mut EnterpriseTx) -> Result<Vec<Row>> {
    Ok(sqlx::query_as!(
        Row,
        r#"WITH since AS MATERIALIZED (
               SELECT coalesce(max(occurred_to) - interval '5 minutes', '-infinity') AS at FROM audit_seals
           ), sealed AS MATERIALIZED (
               SELECT unnest(s.entries) AS id FROM audit_seals AS s, since WHERE s.occurred_to >= since.at
           )
           SELECT e.enterprise_id, e.id, e.occurred_at, e.actor, e.session_id, e.address, e.request_id, e.operation, e.action,
                  e.object_kind, e.object_id, e.before::text AS before, e.after::text AS after
           FROM audit_entries AS e, since
           WHERE e.occurred_at >= since.at AND NOT EXISTS (SELECT FROM sealed WHERE sealed.id = e.id)
           ORDER BY e.occurred_at, e.id LIMIT $1"#,
        AT_ONCE
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Makes the partitions of this month and the thirteen after it.
pub async fn make_partitions(tx: &mut PlatformTx) -> Result<u32> {
    let (today, mut made) = (tx.now().await?.date_naive(), 0);
    for ahead in 0..=AHEAD {
        let day = today.with_day(1).expect("every month has a first day") + Months::new(ahead);
        let new = sqlx::query_scalar!(r#"SELECT audit_make_partition($1) AS "new!""#, day).fetch_one(tx.conn()).await?;
        made += u32::from(new);
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            enterprise_id: EnterpriseId(Uuid::nil()),
            id: AuditEntryId(Uuid::from_u128(1)),
            occurred_at: DateTime::UNIX_EPOCH,
            actor: "user:1".to_owned(),
            session_id: None,
            address: None,
            request_id: None,
            operation: Some("create_printer".to_owned()),
            action: "printer.added".to_owned(),
            object_kind: "printer".to_owned(),
            object_id: Some("7".to_owned()),
            before: None,
            after: Some(r#"{"name": "A"}"#.to_owned()),
        }
    }

    #[test]
    fn every_field_counts_and_none_runs_into_the_next() {
        let first = row().digest();
        let others = [
            Row { actor: "user:2".to_owned(), ..row() },
            Row { address: Some(String::new()), ..row() },
            Row { address: Some("10.0.0.1".to_owned()), ..row() },
            Row { request_id: Some("10.0.0.1".to_owned()), ..row() },
            Row { before: row().after, after: None, ..row() },
            Row { object_kind: "printe".to_owned(), object_id: Some("r7".to_owned()), ..row() },
            Row { occurred_at: DateTime::UNIX_EPOCH + chrono::Duration::microseconds(1), ..row() },
        ];
        let mut digests: Vec<_> = others.iter().map(Row::digest).collect();
        digests.push(first);
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), others.len() + 1);
        assert_eq!(first, row().digest());
    }
}
