//! Work promised by a transaction and done after it: the row is the job, Redis is the doorbell.
//!
//! ```text
//!  queued ──relay or API──▶ sent ──claim──▶ running ──▶ done
//!    ▲  └────────claim, when due───────────▲  │  └─────▶ dead       refused, expired, or three times left behind by a dead worker
//!    │                                        │
//!    └── again later (unavailable) ◀──────────┤
//!    └── lease run out or worker dead ◀───────┘         queued ──▶ cancelled
//! ```
//!
//! `run_at` is also the lease: a row that stays `sent` or `running` past it is due again. Redis may be wiped, double
//! or delay: `claim` is one conditional UPDATE, and `settle` works only while the lease is still ours.

mod bell;
pub mod lease;
mod store;
pub mod workers;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::{Actor, Permission};
use crate::audit::{self, Action, INSTALLATION, Object};
use crate::db::{EnterpriseTx, PlatformTx};
use crate::ids::{EnterpriseId, JobId};
use crate::page::{Page, PageQuery};
use crate::{Error, Refusal, Result};

pub use bell::{Bell, DEPTH, Delivery, Pusher, QueueNames, Ring, connect, run_bell};
pub use lease::Outcome;
pub use store::JobRow;

/// Which worker pool takes the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Queue {
    /// Catalogue, warehouses, statuses, supplies: long and patient.
    Sync,
    /// New orders: nothing waits before it.
    Import,
    /// Printer lanes.
    Print,
    /// The rest.
    Default,
}

impl Queue {
    /// Every queue.
    pub const ALL: [Self; 4] = [Self::Sync, Self::Import, Self::Print, Self::Default];

    /// Its name in Redis, in the table and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Import => "import",
            Self::Print => "print",
            Self::Default => "default",
        }
    }
}

impl std::str::FromStr for Queue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|queue| queue.name() == text).ok_or_else(|| format!("there is no queue {text}"))
    }
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its time.
    Queued,
    /// Its id lies in Redis.
    Sent,
    /// A worker has it.
    Running,
    /// It is done.
    Done,
    /// It will not be tried again; `lastError` says why.
    Dead,
    /// Somebody took it back before it ran.
    Cancelled,
}

/// A promise of work. Payloads carry ids, not copies; they change by adding fields with a default.
pub trait Job: Serialize + DeserializeOwned + Send + Sync {
    /// `noun.verb_object`; never changes, because rows outlive deploys.
    const KIND: &'static str;
    /// Which pool runs it.
    const QUEUE: Queue;
    /// How long it may be put off by what is unavailable before it is given up.
    const PATIENCE: chrono::Duration = chrono::Duration::hours(24);

    /// One unfinished job per enterprise, kind and key.
    fn unique_key(&self) -> Option<String> {
        None
    }
}

/// What became of a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promised {
    /// The job: the new one, or the unfinished one that was already promised.
    pub job_id: JobId,
    /// Whether it is new.
    pub new: bool,
}

impl EnterpriseTx {
    /// Promises the job to run after this transaction: no commit, no job.
    pub async fn enqueue<J: Job>(&mut self, job: &J) -> Result<Promised> {
        let (now, actor, enterprise_id) = (self.now().await?, self.actor().to_string(), self.enterprise_id());
        let whose = (enterprise_id != INSTALLATION).then_some(enterprise_id);
        let promised = store::insert(self.conn(), whose, job, &actor, now, now).await?;
        if promised.new {
            self.ring_on_commit(Ring { job_id: promised.job_id, queue: J::QUEUE });
        }
        Ok(promised)
    }
}

impl EnterpriseTx {
    /// Promises a job in another enterprise, as the installation: nothing in it may tell who promised it.
    pub(crate) async fn enqueue_for<J: Job>(&mut self, enterprise_id: EnterpriseId, job: &J) -> Result<Promised> {
        let now = self.now().await?;
        let promised = store::insert(self.conn(), Some(enterprise_id), job, "platform", now, now).await?;
        if promised.new {
            self.ring_on_commit(Ring { job_id: promised.job_id, queue: J::QUEUE });
        }
        Ok(promised)
    }
}

impl PlatformTx {
    /// Promises a job of the installation itself.
    pub async fn enqueue<J: Job>(&mut self, job: &J) -> Result<Promised> {
        let now = self.now().await?;
        let promised = store::insert(self.conn(), None, job, "platform", now, now).await?;
        if promised.new {
            self.ring_on_commit(Ring { job_id: promised.job_id, queue: J::QUEUE });
        }
        Ok(promised)
    }
}

/// A promise whose type only a registry of kinds knows: what a timer makes.
#[derive(Clone, Debug)]
pub struct RawJob {
    /// Whose; absent for the installation's own.
    pub enterprise_id: Option<EnterpriseId>,
    /// [`Job::KIND`].
    pub kind: String,
    /// [`Job::QUEUE`].
    pub queue: Queue,
    /// [`Job::PATIENCE`].
    pub patience: chrono::Duration,
    /// [`Job::unique_key`].
    pub unique_key: Option<String>,
    /// The job itself.
    pub payload: serde_json::Value,
}

impl PlatformTx {
    /// Promises what a timer says.
    pub async fn enqueue_raw(&mut self, job: &RawJob) -> Result<Promised> {
        let now = self.now().await?;
        let promised = store::insert_raw(self.conn(), job, "timer", now, now).await?;
        if promised.new {
            self.ring_on_commit(Ring { job_id: promised.job_id, queue: job.queue });
        }
        Ok(promised)
    }
}

/// One of the enterprise's jobs.
pub async fn get(tx: &mut EnterpriseTx, id: JobId) -> Result<JobRow> {
    tx.require(Permission::ReadJobs)?;
    let enterprise_id = tx.enterprise_id();
    store::find(tx.conn(), enterprise_id, id).await?.ok_or(Error::NotFound("job"))
}

/// The enterprise's jobs, newest first.
pub async fn list(tx: &mut EnterpriseTx, filter: JobFilter, query: &PageQuery) -> Result<Page<JobRow>> {
    tx.require(Permission::ReadJobs)?;
    let enterprise_id = tx.enterprise_id();
    let after: Option<JobId> = query.key()?;
    let rows = store::list(tx.conn(), enterprise_id, &filter, after, query.limit + 1).await?;
    Ok(query.page(rows, |row| row.id))
}

/// Takes a job back that no worker has begun.
pub async fn cancel(tx: &mut EnterpriseTx, id: JobId) -> Result<JobRow> {
    tx.require(Permission::ManageJobs)?;
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let row = store::find(tx.conn(), enterprise_id, id).await?.ok_or(Error::NotFound("job"))?;
    if !store::cancel(tx.conn(), enterprise_id, id, now).await? {
        return Err(Error::refused(Refusal::JobNotCancellable, format!("the job is {:?}", row.state).to_lowercase()));
    }
    audit::noted(tx, Action::JobCancelled, Object::of("job", id), &json!({ "kind": row.kind })).await?;
    store::find(tx.conn(), enterprise_id, id).await?.ok_or(Error::NotFound("job"))
}

/// Which jobs to list.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Only these.
    pub state: Option<JobState>,
    /// Only this kind.
    pub kind: Option<String>,
}

impl JobRow {
    /// The actor that a job of an enterprise works as.
    pub fn actor(&self) -> Result<Actor> {
        let enterprise_id =
            self.enterprise_id.ok_or_else(|| Error::Inconsistent(format!("job {} has no enterprise", self.id)))?;
        Ok(Actor::job(enterprise_id, self.kind.clone()))
    }

    /// The payload as its kind's type.
    pub fn payload<J: Job>(&self) -> Result<J> {
        serde_json::from_value(self.payload.clone())
            .map_err(|error| Error::Inconsistent(format!("the payload of job {} cannot be read: {error}", self.id)))
    }
}

/// How urgent, by age, a queue is: for health.
#[derive(Clone, Debug)]
pub struct QueueAge {
    /// Which one.
    pub queue: Queue,
    /// Unfinished rows that are due.
    pub due: i64,
    /// When the oldest of them became due.
    pub oldest: Option<DateTime<Utc>>,
}

/// What waits in each queue, over all enterprises.
pub async fn ages(tx: &mut PlatformTx) -> Result<Vec<QueueAge>> {
    store::ages(tx.conn()).await
}

/// Enterprises whose rows a test or an operator wants to see drained.
pub async fn unfinished(tx: &mut PlatformTx, enterprise_id: EnterpriseId) -> Result<i64> {
    store::unfinished(tx.conn(), enterprise_id).await
}
