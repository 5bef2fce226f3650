//! The walks over all balances: part after part by day, from end to end at night. Each step is a transaction of its own and
//! leaves a mark from which the next one goes on, whoever takes it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::compare::{self, Compared, Range};
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
    settle(tx, Scope::Part, walk.place, now, &part).await?;
    Ok(if i64::try_from(changed.len()).is_ok_and(|len| len < size) { Step::Ended } else { Step::More })
}

/// Takes the walk of this scope so many balances further. One that has ended begins anew.
pub async fn prove_next(tx: &mut EnterpriseTx, scope: Scope, size: i64) -> Result<Step> {
    let (walk, now) = (lock(tx, scope).await?, tx.now().await?);
    let range = compare::range(tx, walk.place, size).await?;
    let compared = compare::all_in(tx, range, None).await?;
    found::record(tx, &Looked::In(range), &compared.differences).await?;
    let began_at = walk.began_at.unwrap_or(now);
    match scope {
        Scope::Part => settle(tx, scope, range.to, now, &compared).await?,
        Scope::Whole => {
            advance(tx, range, began_at, &compared).await?;
            if range.to.is_none() {
                end_whole(tx).await?;
            }
        }
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
/// recomputed as a whole; absent where that is still to come.
pub async fn measure(tx: &mut PlatformTx, open: i64, oldest_whole: Option<DateTime<Utc>>) -> Result<()> {
    health::measure(tx, health::STOCK_DIFFERENCES, open).await?;
    health::measure(tx, health::STOCK_PROVED_AT, oldest_whole.map_or(0, |at| at.timestamp())).await
}

/// What monitors are told of one enterprise: how much is wrong, and when everything was last recomputed.
pub async fn standing(tx: &mut EnterpriseTx) -> Result<(i64, Option<DateTime<Utc>>)> {
    let open = found::open(tx).await?;
    Ok((open, last(tx, Scope::Whole).await?.map(|proof| proof.ended_at)))
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

/// A step that is told by itself: its figures are the last ones.
async fn settle(
    tx: &mut EnterpriseTx,
    scope: Scope,
    place: Option<Place>,
    began_at: DateTime<Utc>,
    part: &Compared,
) -> Result<()> {
    let (cell_id, product_id, lot_id) = apart(place);
    sqlx::query!(
        "UPDATE stock_proofs
         SET cell_id = $2, product_id = $3, last_began_at = $4, last_ended_at = $4, last_balances = $5, last_entries = $6,
             last_reservations = $7, last_holds = $9, last_differences = $8, lot_id = $10
         WHERE scope = $1",
        scope as Scope,
        cell_id as _,
        product_id as _,
        began_at,
        part.balances,
        part.entries,
        part.reservations,
        i64::try_from(part.differences.len()).expect("a step is small"),
        part.holds,
        lot_id as _,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A step of a walk that is told when it has ended.
async fn advance(tx: &mut EnterpriseTx, range: Range, began_at: DateTime<Utc>, part: &Compared) -> Result<()> {
    let (cell_id, product_id, lot_id) = apart(range.to);
    sqlx::query!(
        "UPDATE stock_proofs
         SET cell_id = $1, product_id = $2, began_at = $3, balances = balances + $4, entries = entries + $5,
             reservations = reservations + $6, holds = holds + $8, differences = differences + $7, lot_id = $9
         WHERE scope = 'whole'",
        cell_id as _,
        product_id as _,
        began_at,
        part.balances,
        part.entries,
        part.reservations,
        i64::try_from(part.differences.len()).expect("a step is small"),
        part.holds,
        lot_id as _,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn end_whole(tx: &mut EnterpriseTx) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE stock_proofs
         SET last_began_at = began_at, last_ended_at = $1, last_balances = balances, last_entries = entries,
             last_reservations = reservations, last_holds = holds, last_differences = differences,
             began_at = NULL, balances = 0, entries = 0, reservations = 0, holds = 0, differences = 0
         WHERE scope = 'whole'",
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
