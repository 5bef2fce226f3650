//! Orders that wait for bundles, served once something came for one of their parts.

use shared::Result;
use shared::jobs::JobRow;
use shared::orders::{ReserveBundles, reserve_bundle};

use crate::ctx::Ctx;
use crate::registry::Run;

impl Run for ReserveBundles {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        // Each bundle by itself: nobody waits for the parts of all of them.
        for bundle_id in self.bundle_ids {
            let mut tx = ctx.db.begin(&row.actor()?).await?;
            reserve_bundle(&mut tx, bundle_id).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
