//! Imports of products: page after page, each with its mark in one transaction. A long import hands its worker slot back
//! and goes on in the job's next run.

use std::time::Duration;

use shared::db::EnterpriseTx;
use shared::ids::ProductImportId;
use shared::jobs::{JobRow, lease};
use shared::products::imports::{
    CheckImport, CommitImport, Progress, Seen, UndoImport, check_page, commit_page, undo_page,
};
use shared::{Error, Result};
use tokio::time::Instant;

use crate::ctx::Ctx;
use crate::registry::Run;

/// After this long others have their turn.
const TURN: Duration = Duration::from_mins(1);

/// What a step does with each page.
enum Step {
    /// With what this run of the job has read so far.
    Check(Option<Seen>),
    Commit,
    Undo,
}

impl Step {
    async fn page(&mut self, tx: &mut EnterpriseTx, id: ProductImportId) -> Result<Progress> {
        match self {
            Self::Check(seen) => check_page(tx, id, seen).await,
            // Somebody took a SKU or a barcode, or a category away, in the very moment: looked at again, that is seen.
            Self::Commit => match commit_page(tx, id).await {
                Err(Error::Refused { .. } | Error::Invalid { .. }) => {
                    Err(later("a SKU, a barcode or a category that somebody just took"))
                }
                page => page,
            },
            Self::Undo => undo_page(tx, id).await,
        }
    }

    /// One page after the other until it has ended.
    async fn run(mut self, ctx: &Ctx, row: &JobRow, id: ProductImportId) -> Result<()> {
        let until = Instant::now() + TURN;
        loop {
            let mut tx = ctx.db.begin(&row.actor()?).await?;
            let progress = self.page(&mut tx, id).await?;
            if !lease::note_progress(&mut tx, row.id, row.attempts, progress.percent).await? {
                return Err(later("the job, which somebody else took over,"));
            }
            tx.commit().await?;
            if progress.ended {
                return Ok(());
            }
            if Instant::now() > until || ctx.stop.is_cancelled() {
                return Err(later("the rest of the rows"));
            }
        }
    }
}

fn later(what: &'static str) -> Error {
    Error::Unavailable { what, retry_after: Some(Duration::ZERO), source: None }
}

impl Run for CheckImport {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        Step::Check(None).run(ctx, row, self.import_id).await
    }
}

impl Run for CommitImport {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        Step::Commit.run(ctx, row, self.import_id).await
    }
}

impl Run for UndoImport {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        Step::Undo.run(ctx, row, self.import_id).await
    }
}
