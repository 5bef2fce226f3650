//! The audit log's own work: sealing what was written, and partitions for the months to come.

use shared::Result;
use shared::access::Actor;
use shared::audit::{self, MakePartitions, Seal, SealEntries};
use shared::jobs::{Job, JobRow};
use tracing::info;

use crate::ctx::Ctx;
use crate::registry::Run;

impl Run for SealEntries {
    async fn run(self, ctx: &Ctx, _row: &JobRow) -> Result<()> {
        let mut tx = ctx.db.platform().await?;
        let waiting = audit::unsealed(&mut tx).await?;
        tx.commit().await?;
        for enterprise_id in waiting {
            loop {
                let mut tx = ctx.db.begin(&Actor::job(enterprise_id, Self::KIND)).await?;
                let sealed = audit::seal(&mut tx).await?;
                tx.commit().await?;
                let Seal::Sealed(entries, head) = sealed else { break };
                // Whoever keeps the logs elsewhere can hold this against a chain that was made anew.
                info!(enterprise.id = %enterprise_id, entries, audit.head = %head, "Sealed audit entries");
            }
        }
        Ok(())
    }
}

impl Run for MakePartitions {
    async fn run(self, ctx: &Ctx, _row: &JobRow) -> Result<()> {
        let mut tx = ctx.db.platform().await?;
        let made = audit::make_partitions(&mut tx).await?;
        tx.commit().await?;
        if made > 0 {
            info!(made, "Made partitions of the audit log");
        }
        Ok(())
    }
}
