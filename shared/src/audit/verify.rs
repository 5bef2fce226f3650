//! Recomputing the chain of an enterprise from its first seal to its last, and every entry under it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::seal::{GENESIS, Hash, Row, hash, month_of};
use crate::Result;
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::AuditEntryId;

/// Seals read at once.
const AT_ONCE: i64 = 200;
/// Faults that are told; more are counted.
const TOLD: usize = 100;

/// Something that is not as it was when it was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Under which seal; absent: under none though it should be.
    pub seal: Option<i64>,
    /// Which entry, where it is one.
    pub entry_id: Option<AuditEntryId>,
    /// What is wrong.
    pub what: &'static str,
}

/// The whole chain recomputed.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// Seals followed.
    pub seals: i64,
    /// Entries compared with their digests.
    pub entries: i64,
    /// Entries of months that were exported and dropped.
    pub pruned: i64,
    /// Entries that wait for a seal.
    pub unsealed: i64,
    /// The hash of the last seal: kept elsewhere, it proves that nothing was cut off since.
    pub head: Option<Hash>,
    /// Whether the hash that was asked about is in the chain; absent if none was.
    pub holds_head: Option<bool>,
    /// How much is wrong; none is the promise.
    pub faults: i64,
    /// The first hundred of it.
    pub told: Vec<Fault>,
}

impl Verification {
    fn fault(&mut self, seal: Option<i64>, entry_id: Option<Uuid>, what: &'static str) {
        self.faults += 1;
        if self.told.len() < TOLD {
            self.told.push(Fault { seal, entry_id: entry_id.map(AuditEntryId), what });
        }
    }
}

struct SealRow {
    number: i64,
    month: NaiveDate,
    entries: Vec<Uuid>,
    digests: Vec<u8>,
    previous_hash: Vec<u8>,
    hash: Vec<u8>,
    sealed_at: DateTime<Utc>,
}

/// Follows the chain of the enterprise. `head` is the hash of an earlier last seal, kept outside the database.
pub async fn verify(tx: &mut EnterpriseTx, head: Option<Hash>) -> Result<Verification> {
    tx.require(Permission::ReadAudit)?;
    let pruned: HashSet<_> =
        sqlx::query_scalar!("SELECT month FROM audit_prunings").fetch_all(tx.conn()).await?.into_iter().collect();
    let mut seen = Verification { holds_head: head.map(|_| false), ..Verification::default() };
    let (mut number, mut previous) = (0, GENESIS.to_vec());
    loop {
        let seals = sqlx::query_as!(
            SealRow,
            "SELECT number, month, entries, digests, previous_hash, hash, sealed_at FROM audit_seals
             WHERE number > $1 ORDER BY number LIMIT $2",
            number,
            AT_ONCE,
        )
        .fetch_all(tx.conn())
        .await?;
        if seals.is_empty() {
            break;
        }
        let entries = entries(tx, &seals).await?;
        for seal in seals {
            if seal.number != number + 1 {
                seen.fault(Some(seal.number), None, "seals before this one are missing");
            } else if seal.previous_hash != previous {
                seen.fault(Some(seal.number), None, "the seal does not follow the one before it");
            }
            follow(tx, &mut seen, &seal, &entries, &pruned);
            if head.is_some_and(|head| seal.hash == head.0) {
                seen.holds_head = Some(true);
            }
            (number, previous) = (seal.number, seal.hash);
        }
    }
    seen.head = (number > 0).then(|| previous.try_into().ok().map(Hash)).flatten();
    if seen.holds_head == Some(false) {
        seen.fault(None, None, "the chain does not hold the hash that was kept outside");
    }
    unsealed(tx, &mut seen).await?;
    Ok(seen)
}

fn follow(
    tx: &EnterpriseTx,
    seen: &mut Verification,
    seal: &SealRow,
    entries: &HashMap<Uuid, Row>,
    pruned: &HashSet<NaiveDate>,
) {
    let (number, whose) = (seal.number, tx.enterprise_id());
    let hash = hash(&seal.previous_hash, whose, number, seal.month, seal.sealed_at, &seal.entries, &seal.digests);
    if seal.hash != hash {
        seen.fault(Some(number), None, "the seal was changed");
    }
    seen.seals += 1;
    for (id, digest) in seal.entries.iter().zip(seal.digests.chunks(32)) {
        match entries.get(id) {
            Some(row) if row.digest() != digest || month_of(row.occurred_at) != seal.month => {
                seen.fault(Some(number), Some(*id), "the entry was changed");
            }
            Some(_) => seen.entries += 1,
            None if pruned.contains(&seal.month) => seen.pruned += 1,
            None => seen.fault(Some(number), Some(*id), "the entry is missing"),
        }
    }
}

async fn entries(tx: &mut EnterpriseTx, seals: &[SealRow]) -> Result<HashMap<Uuid, Row>> {
    let ids: Vec<_> = seals.iter().flat_map(|seal| &seal.entries).copied().collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT enterprise_id, id, occurred_at, actor, session_id, address, request_id, operation, action, object_kind, object_id,
                before::text AS before, after::text AS after
         FROM audit_entries WHERE id = ANY($1)",
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.0, row)).collect())
}

/// What is under no seal is either new, or was slipped in behind the chain's back.
async fn unsealed(tx: &mut EnterpriseTx, seen: &mut Verification) -> Result<()> {
    let rows = sqlx::query!(
        r#"WITH since AS MATERIALIZED (
               SELECT coalesce(max(occurred_to) - interval '5 minutes', '-infinity') AS at FROM audit_seals
           ), sealed AS MATERIALIZED (
               SELECT unnest(entries) AS id FROM audit_seals
           )
           SELECT e.id, e.occurred_at >= since.at AS "fresh!"
           FROM audit_entries AS e, since
           WHERE NOT EXISTS (SELECT FROM sealed WHERE sealed.id = e.id)"#
    )
    .fetch_all(tx.conn())
    .await?;
    for row in rows {
        if row.fresh {
            seen.unsealed += 1;
        } else {
            seen.fault(None, Some(row.id.0), "the entry was slipped in behind the chain");
        }
    }
    Ok(())
}
