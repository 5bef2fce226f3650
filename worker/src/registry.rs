//! Kinds of jobs and who runs them.

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use shared::jobs::{Job, JobRow, Queue, RawJob};
use shared::schedules::Due;
use shared::{Error, Result};

use crate::ctx::Ctx;

/// What a job does in the world. It reads, calls, records, never holds a transaction over a call, and may be run again
/// from the start at any time.
pub trait Run: Job + 'static {
    /// Does it. [`Error::Unavailable`] and passing database errors mean "again later", every other error "never".
    fn run(self, ctx: &Ctx, row: &JobRow) -> impl Future<Output = Result<()>> + Send;
}

/// Every kind that this program runs.
#[derive(Debug, Default)]
pub struct Registry(BTreeMap<&'static str, Kind>);

#[derive(Debug)]
struct Kind {
    queue: Queue,
    patience: chrono::Duration,
    unique_key: fn(&Value) -> Result<Option<String>>,
    run: fn(Ctx, JobRow) -> BoxFuture<'static, Result<()>>,
}

impl Registry {
    /// Adds a kind. Two of one name are a mistake in the program.
    #[must_use]
    pub fn job<J: Run>(mut self) -> Self {
        let kind = Kind { queue: J::QUEUE, patience: J::PATIENCE, unique_key: unique_key::<J>, run: run::<J> };
        assert!(self.0.insert(J::KIND, kind).is_none(), "the kind {} is there twice", J::KIND);
        self
    }

    /// The run of a claimed row; absent when this program does not know the kind.
    pub(crate) fn run(&self, ctx: &Ctx, row: &JobRow) -> Option<BoxFuture<'static, Result<()>>> {
        self.0.get(row.kind.as_str()).map(|kind| (kind.run)(ctx.clone(), row.clone()))
    }

    /// What a due timer promises; absent when this program does not know the kind.
    pub(crate) fn promise(&self, due: Due) -> Result<Option<RawJob>> {
        let Some(kind) = self.0.get(due.kind.as_str()) else { return Ok(None) };
        let unique_key = (kind.unique_key)(&due.payload)?;
        let Due { enterprise_id, kind: name, payload } = due;
        Ok(Some(RawJob { enterprise_id, kind: name, queue: kind.queue, patience: kind.patience, unique_key, payload }))
    }
}

fn run<J: Run>(ctx: Ctx, row: JobRow) -> BoxFuture<'static, Result<()>> {
    async move {
        let ctx = ctx.of_one_job();
        let ended = row.payload::<J>()?.run(&ctx, &row).await;
        ctx.keep_noticed(&row).await;
        ended
    }
    .boxed()
}

fn unique_key<J: Run>(payload: &Value) -> Result<Option<String>> {
    let job: J = serde_json::from_value(payload.clone())
        .map_err(|error| Error::Inconsistent(format!("the timer's payload of {} cannot be read: {error}", J::KIND)))?;
    Ok(job.unique_key())
}
