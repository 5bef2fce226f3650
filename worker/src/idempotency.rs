//! Forgetting answers that nobody asks for again.

use serde::{Deserialize, Serialize};
use shared::access::Actor;
use shared::audit::INSTALLATION;
use shared::jobs::{Job, JobRow, Queue};
use shared::{Result, enterprises, idempotency};

use crate::ctx::Ctx;
use crate::registry::Run;

const AT_ONCE: i64 = 1000;

/// Forgets answers that were kept for more than 72 hours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PruneAnswers {}

impl Job for PruneAnswers {
    const KIND: &'static str = "idempotency.prune_answers";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(String::new())
    }
}

impl Run for PruneAnswers {
    async fn run(self, ctx: &Ctx, _row: &JobRow) -> Result<()> {
        let mut tx = ctx.db.platform().await?;
        let enterprises = enterprises::all(&mut tx).await?;
        tx.commit().await?;
        for enterprise_id in std::iter::once(INSTALLATION).chain(enterprises) {
            loop {
                let mut tx = ctx.db.begin(&Actor::job(enterprise_id, Self::KIND)).await?;
                let pruned = idempotency::prune(&mut tx, AT_ONCE).await?;
                tx.commit().await?;
                if pruned < AT_ONCE.unsigned_abs() {
                    break;
                }
            }
        }
        Ok(())
    }
}
