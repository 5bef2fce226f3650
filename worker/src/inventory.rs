//! The ledger's proof: what changed, a part of the rest, and at night everything, enterprise by enterprise.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rand::seq::SliceRandom;
use shared::access::Actor;
use shared::ids::EnterpriseId;
use shared::inventory::{self, ProveStock, Scope, Step};
use shared::jobs::{Job, JobRow};
use shared::{Error, Result, enterprises};

use crate::ctx::Ctx;
use crate::registry::Run;

/// Balances of one step: some ten thousandths of a second each.
const CHANGED: i64 = 1000;
const PART: i64 = 2000;
const WHOLE: i64 = 5000;
/// Steps over what changed in one run; a flood waits for the next ones.
const STEPS: usize = 10;
/// For what changed and the parts in one run, over all enterprises.
const PART_TIME: Duration = Duration::from_secs(20);
/// For a walk over everything in one run, over all enterprises; it goes on in the next one.
const WHOLE_TIME: Duration = Duration::from_secs(40);

impl Run for ProveStock {
    /// One enterprise that fails hinders no other; the first failure is that of the job. Where time runs out, the others have
    /// their turn in the next run: it begins with another one each time.
    async fn run(self, ctx: &Ctx, _row: &JobRow) -> Result<()> {
        let mut tx = ctx.db.platform().await?;
        let mut enterprises = enterprises::active(&mut tx).await?;
        tx.commit().await?;
        enterprises.shuffle(&mut rand::rng());
        let (deadline, mut failed) = (Instant::now() + PART_TIME, None);
        for enterprise_id in &enterprises {
            note(&mut failed, prove_parts(ctx, *enterprise_id, deadline).await);
        }
        let deadline = Instant::now() + WHOLE_TIME;
        for enterprise_id in &enterprises {
            note(&mut failed, prove_whole(ctx, *enterprise_id, deadline).await);
        }
        let (open, oldest) = standing(ctx, &enterprises).await?;
        let mut tx = ctx.db.platform().await?;
        inventory::measure(&mut tx, open, oldest).await?;
        tx.commit().await?;
        failed.map_or(Ok(()), Err)
    }
}

fn note(failed: &mut Option<Error>, step: Result<()>) {
    if let Err(error) = step {
        failed.get_or_insert(error);
    }
}

async fn prove_parts(ctx: &Ctx, enterprise_id: EnterpriseId, deadline: Instant) -> Result<()> {
    let actor = Actor::job(enterprise_id, ProveStock::KIND);
    for _ in 0..STEPS {
        if Instant::now() >= deadline {
            return Ok(());
        }
        let mut tx = ctx.db.begin(&actor).await?;
        let step = inventory::prove_changed(&mut tx, CHANGED).await?;
        tx.commit().await?;
        if step == Step::Ended {
            break;
        }
    }
    let mut tx = ctx.db.begin(&actor).await?;
    inventory::prove_next(&mut tx, Scope::Part, PART).await?;
    tx.commit().await
}

async fn prove_whole(ctx: &Ctx, enterprise_id: EnterpriseId, deadline: Instant) -> Result<()> {
    let actor = Actor::job(enterprise_id, ProveStock::KIND);
    let mut tx = ctx.db.begin(&actor).await?;
    let mut step = if inventory::whole_is_due(&mut tx).await? { Step::More } else { Step::Ended };
    tx.commit().await?;
    while step == Step::More && Instant::now() < deadline {
        let mut tx = ctx.db.begin(&actor).await?;
        step = inventory::prove_next(&mut tx, Scope::Whole, WHOLE).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// How much is wrong everywhere, and since when everything has been recomputed.
async fn standing(ctx: &Ctx, enterprises: &[EnterpriseId]) -> Result<(i64, DateTime<Utc>)> {
    let (mut open, mut oldest) = (0, None);
    for enterprise_id in enterprises {
        let mut tx = ctx.db.begin(&Actor::job(*enterprise_id, ProveStock::KIND)).await?;
        let (wrong, proved_at) = inventory::standing(&mut tx).await?;
        tx.commit().await?;
        open += wrong;
        oldest = Some(oldest.map_or(proved_at, |oldest: DateTime<Utc>| oldest.min(proved_at)));
    }
    let mut tx = ctx.db.platform().await?;
    let now = tx.now().await?;
    tx.commit().await?;
    // Where there is no enterprise, nothing waits.
    Ok((open, oldest.unwrap_or(now)))
}
