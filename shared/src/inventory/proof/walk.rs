//! The walks over all balances: part after part by day, from end to end at night. Each step is a transaction of its own and
//! leaves a mark from which the next one goes on, whoever takes it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::compare::{self, Compared};
use super::found::{self, Looked};
use super::{Difference, Place, Proof, Scope};
use crate::Result;
use crate::db::{EnterpriseTx, PlatformTx};
use crate::health;
use crate::ids::{CellId, LotId, ProductId};
use crate::jobs::{Job, Queue};

/// Recomputes what changed, a part of the rest, and at night everything, in every enterprise.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ProveStock {}

impl Job for ProveStock {
    const KIND: &'static str = "inventory.prove_stock";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(String::new())
    }
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is more to look at.
    More,
    /// The walk has come to its end.
    Ended,
}

/// Recomputes so many of the balances that changed since they were last recomputed.
pub async fn prove_changed(tx: &mut EnterpriseTx, size: i64) -> Result<Step> {
    let changed = compare::changed(tx, size).await?;
    if changed.is_empty() {
        return Ok(Step::Ended);
    }
    let differences: Vec<_> = changed.iter().map(|row| row.figures).filter(Difference::differs).collect();
    let places: Vec<Place> = changed.iter().map(|row| row.figures.place()).collect();
    found::record(tx, &Looked::At(&places), &differences).await?;
    compare::mark(tx, &changed).await?;
    let now = tx.now().await?;
    let part = Compared {
        balances: i64::try_from(changed.len()).expect("a step is small"),
        entries: changed.iter().map(|row| row.sides).sum(),
        reservations: changed.iter().map(|row| row.promises).sum(),
        holds: changed.iter().map(|row| row.keeps).sum(),
        differences,
    };
    let walk = lock(tx, Scope::Part).await?;
    advance(tx, Scope::Part, walk.place, walk.began_at.unwrap_or(now), &part).await?;
    Ok(if i64::try_from(changed.len()).is_ok_and(|len| len < size) { Step::Ended } else { Step::More })
}

/// Takes the walk of this scope so many balances further. One that has ended begins anew.
pub async fn prove_next(tx: &mut EnterpriseTx, scope: Scope, size: i64) -> Result<Step> {
    let (walk, now) = (lock(tx, scope).await?, tx.now().await?);
    let range = compare::range(tx, walk.place, size).await?;
    let compared = compare::all_in(tx, range, None).await?;
    found::record(tx, &Looked::In(range), &compared.differences).await?;
    advance(tx, scope, range.to, walk.began_at.unwrap_or(now), &compared).await?;
    // A part is told with what was found to have changed just before it; the whole when it has come to its end.
    if scope == Scope::Part || range.to.is_none() {
        end(tx, scope).await?;
    }
    Ok(if range.to.is_some() { Step::More } else { Step::Ended })
}

/// Whether everything is to be recomputed now: the walk is under way, or none has begun since the last three o'clock at
/// night where the enterprise is.
pub async fn whole_is_due(tx: &mut EnterpriseTx) -> Result<bool> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(p.began_at IS NOT NULL OR p.last_began_at < night.began_at, true) AS "due!"
           FROM enterprises AS e
           CROSS JOIN LATERAL (
               SELECT (date_trunc('day', ($2::timestamptz AT TIME ZONE e.time_zone) - interval '3 hours') + interval '3 hours')
                      AT TIME ZONE e.time_zone AS began_at
           ) AS night
           LEFT JOIN stock_proofs AS p ON p.enterprise_id = e.id AND p.scope = 'whole'
           WHERE e.id = $1"#,
        enterprise_id as _,
        now,
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Notes for monitors how much is wrong in all enterprises together, and when the one that has waited longest was last
/// recomputed as a whole.
pub async fn measure(tx: &mut PlatformTx, open: i64, oldest_whole: DateTime<Utc>) -> Result<()> {
    health::measure(tx, health::STOCK_DIFFERENCES, open).await?;
    health::measure(tx, health::STOCK_PROVED_AT, oldest_whole.timestamp()).await
}

/// What monitors are told of one enterprise: how much is wrong, and when everything was last recomputed. One that never was
/// has waited since it was founded.
pub async fn standing(tx: &mut EnterpriseTx) -> Result<(i64, DateTime<Utc>)> {
    let (open, enterprise_id) = (found::open(tx).await?, tx.enterprise_id());
    let since = match last(tx, Scope::Whole).await? {
        Some(proof) => proof.ended_at,
        None => {
            sqlx::query_scalar!("SELECT created_at FROM enterprises WHERE id = $1", enterprise_id as _)
                .fetch_one(tx.conn())
                .await?
        }
    };
    Ok((open, since))
}

struct Walk {
    place: Option<Place>,
    began_at: Option<DateTime<Utc>>,
}

/// Where the walk stands; nobody else takes a step meanwhile.
async fn lock(tx: &mut EnterpriseTx, scope: Scope) -> Result<Walk> {
    let enterprise_id = tx.enterprise_id();
    sqlx::query!(
        "INSERT INTO stock_proofs (enterprise_id, scope) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        enterprise_id as _,
        scope as Scope,
    )
    .execute(tx.conn())
    .await?;
    let row = sqlx::query!(
        "SELECT cell_id, product_id, lot_id, began_at FROM stock_proofs WHERE scope = $1 FOR UPDATE",
        scope as Scope
    )
    .fetch_one(tx.conn())
    .await?;
    let place = row.cell_id.zip(row.product_id).zip(row.lot_id);
    Ok(Walk { place: place.map(|((cell, product), lot)| (cell, product, lot)), began_at: row.began_at })
}

fn apart(place: Option<Place>) -> (Option<CellId>, Option<ProductId>, Option<LotId>) {
    place.map_or((None, None, None), |(cell, product, lot)| (Some(cell), Some(product), Some(lot)))
}

/// Adds the figures of a step to those of the walk.
async fn advance(
    tx: &mut EnterpriseTx,
    scope: Scope,
    place: Option<Place>,
    began_at: DateTime<Utc>,
    part: &Compared,
) -> Result<()> {
    let (cell_id, product_id, lot_id) = apart(place);
    sqlx::query!(
        "UPDATE stock_proofs
         SET cell_id = $2, product_id = $3, lot_id = $4, began_at = $5, balances = balances + $6, entries = entries + $7,
             reservations = reservations + $8, holds = holds + $9, differences = differences + $10
         WHERE scope = $1",
        scope as Scope,
        cell_id as _,
        product_id as _,
        lot_id as _,
        began_at,
        part.balances,
        part.entries,
        part.reservations,
        part.holds,
        i64::try_from(part.differences.len()).expect("a step is small"),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Its figures are the last ones from now on. What is wrong in one place may have been found by several steps of a part.
async fn end(tx: &mut EnterpriseTx, scope: Scope) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE stock_proofs
         SET last_began_at = began_at, last_ended_at = $2, last_balances = balances, last_entries = entries,
             last_reservations = reservations, last_holds = holds,
             last_differences = CASE WHEN scope = 'whole' THEN differences
                                     ELSE (SELECT count(*) FROM stock_differences AS d
                                           WHERE d.ended_at IS NULL AND d.seen_at >= stock_proofs.began_at) END,
             began_at = NULL, balances = 0, entries = 0, reservations = 0, holds = 0, differences = 0
         WHERE scope = $1",
        scope as Scope,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What the last walk, or the last part, came to.
pub(super) async fn last(tx: &mut EnterpriseTx, scope: Scope) -> Result<Option<Proof>> {
    let row = sqlx::query!(
        "SELECT last_began_at, last_ended_at, last_balances, last_entries, last_reservations, last_holds, last_differences
         FROM stock_proofs WHERE scope = $1",
        scope as Scope
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.and_then(|row| {
        Some(Proof {
            began_at: row.last_began_at?,
            ended_at: row.last_ended_at?,
            balances: row.last_balances,
            entries: row.last_entries,
            reservations: row.last_reservations,
            holds: row.last_holds,
            differences: row.last_differences,
        })
    }))
}
