//! Stock counts that take more than one transaction: corrections page by page, and serving who waited for frozen cells. Each
//! page and its mark are one transaction, so a job that was cut off goes on behind its last page.

use std::time::Duration;

use shared::counts::{PostCount, ServeThawed, post_page, serve_thawed_page};
use shared::jobs::{JobRow, lease};
use shared::{Error, Result};
use tokio::time::Instant;

use crate::ctx::Ctx;
use crate::registry::Run;

/// After this long others have their turn.
const TURN: Duration = Duration::from_mins(1);

impl Run for PostCount {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let until = Instant::now() + TURN;
        loop {
            let mut tx = ctx.db.begin(&row.actor()?).await?;
            let progress = post_page(&mut tx, self.count_id).await?;
            if !lease::note_progress(&mut tx, row.id, row.attempts, progress.percent).await? {
                return Err(later("the job, which somebody else took over,"));
            }
            tx.commit().await?;
            if progress.ended {
                return Ok(());
            }
            if Instant::now() > until || ctx.stop.is_cancelled() {
                return Err(later("the rest of the count"));
            }
        }
    }
}

impl Run for ServeThawed {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let until = Instant::now() + TURN;
        loop {
            let mut tx = ctx.db.begin(&row.actor()?).await?;
            let more = serve_thawed_page(&mut tx, self.count_id).await?;
            tx.commit().await?;
            if !more {
                return Ok(());
            }
            if Instant::now() > until || ctx.stop.is_cancelled() {
                return Err(later("the rest of the cells"));
            }
        }
    }
}

fn later(what: &'static str) -> Error {
    Error::Unavailable { what, retry_after: Some(Duration::ZERO), source: None }
}
