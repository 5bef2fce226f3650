//! Shows that this process lives: a row that is refreshed, and a session lock that ends with the process.

use std::time::Duration;

use shared::Result;
use shared::db::Db;
use shared::ids::WorkerId;
use shared::jobs::Queue;
use shared::jobs::workers::{self, LifeLine, Worker};
use tokio::time::{sleep, timeout};

use crate::pulse::{Outage, Pulse};

const EVERY: Duration = Duration::from_secs(2);

/// When a session of ours with the database was last found broken.
pub(crate) const BROKEN: &str = "broken session";

/// This process, as others see it.
pub fn this_process(queues: Vec<Queue>) -> Worker {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "unknown" } else { host.trim() };
    Worker { id: WorkerId::new(), host: host.to_owned(), pid: std::process::id().cast_signed(), queues }
}

/// Shows the worker for the first time: before it takes a job, or the others would take it for dead.
pub async fn arrive(db: &Db, worker: &Worker) -> Result<LifeLine> {
    let line = LifeLine::take(db).await?;
    let mut tx = db.platform().await?;
    workers::announce(&mut tx, worker, &line).await?;
    tx.commit().await?;
    Ok(line)
}

/// Stays, and comes back with a new line when the old one breaks. What ran meanwhile may be taken over: the lease's fence
/// sorts that out.
pub async fn stay(db: Db, worker: Worker, line: LifeLine, pulse: Pulse) {
    let mut line = Some(line);
    let mut staying = Outage::of("Showing that this worker lives");
    loop {
        sleep(EVERY).await;
        line = match line.take() {
            Some(line) => intact(line).await,
            None => None,
        };
        if line.is_none() {
            pulse.beat(BROKEN);
        }
        if staying.saw(show(&db, &worker, &mut line).await).is_some() {
            pulse.beat("presence");
        }
    }
}

/// A line that does not answer in time is as good as broken: its session may be gone.
async fn intact(mut line: LifeLine) -> Option<LifeLine> {
    matches!(timeout(EVERY, line.check()).await, Ok(Ok(()))).then_some(line)
}

/// A failure here keeps the line: as long as it holds, the worker counts as alive.
async fn show(db: &Db, worker: &Worker, line: &mut Option<LifeLine>) -> Result<()> {
    if line.is_none() || !refresh(db, worker.id).await? {
        *line = Some(arrive(db, worker).await?);
    }
    Ok(())
}

async fn refresh(db: &Db, id: WorkerId) -> Result<bool> {
    let mut tx = db.platform().await?;
    let seen = workers::seen(&mut tx, id).await?;
    tx.commit().await?;
    Ok(seen)
}

/// Goes in order.
pub async fn leave(db: &Db, id: WorkerId) -> Result<()> {
    let mut tx = db.platform().await?;
    workers::leave(&mut tx, id).await?;
    tx.commit().await
}
