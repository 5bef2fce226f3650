//! Worker processes as they live: a row to look at, and a session lock whose end tells everybody that its holder is dead.

use sqlx::{Connection, PgConnection};

use super::Queue;
use crate::db::{Db, PlatformTx};
use crate::ids::WorkerId;
use crate::{Error, Result};

/// Who a worker process is.
#[derive(Clone, Debug)]
pub struct Worker {
    /// New with every start.
    pub id: WorkerId,
    /// The machine.
    pub host: String,
    /// The process on it.
    pub pid: i32,
    /// What it serves.
    pub queues: Vec<Queue>,
}

/// The lock that a living worker holds, on a connection of its own.
#[derive(Debug)]
pub struct LifeLine {
    connection: PgConnection,
    key: i64,
}

impl LifeLine {
    /// Takes a new lock. A broken line's lock is not taken again: its session may outlive its connection.
    pub async fn take(db: &Db) -> Result<Self> {
        let mut connection = db.detached().await?;
        let (_, random) = WorkerId::new().0.as_u64_pair();
        let key = (random >> 1).cast_signed();
        let ours = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "ours!""#, key)
            .fetch_one(&mut connection)
            .await?;
        if ours {
            Ok(Self { connection, key })
        } else {
            Err(Error::Inconsistent(format!("worker lock {key} is taken")))
        }
    }

    /// Fails when the connection, and with it the lock, is gone.
    pub async fn check(&mut self) -> Result<()> {
        Ok(self.connection.ping().await?)
    }
}

/// Shows the worker, from when it holds its line.
pub async fn announce(tx: &mut PlatformTx, worker: &Worker, line: &LifeLine) -> Result<()> {
    let now = tx.now().await?;
    let queues: Vec<_> = worker.queues.iter().map(|queue| queue.name().to_owned()).collect();
    sqlx::query!(
        "INSERT INTO workers (id, lock_key, host, pid, queues, started_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $6)
         ON CONFLICT (id) DO UPDATE SET lock_key = EXCLUDED.lock_key, seen_at = EXCLUDED.seen_at",
        worker.id as _,
        line.key,
        worker.host,
        worker.pid,
        &queues,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that the worker lives; false when its row is gone.
pub async fn seen(tx: &mut PlatformTx, id: WorkerId) -> Result<bool> {
    let now = tx.now().await?;
    let seen = sqlx::query!("UPDATE workers SET seen_at = $2 WHERE id = $1", id as _, now).execute(tx.conn()).await?;
    Ok(seen.rows_affected() == 1)
}

/// Removes the row of a worker that ends in order.
pub async fn leave(tx: &mut PlatformTx, id: WorkerId) -> Result<()> {
    sqlx::query!("DELETE FROM workers WHERE id = $1", id as _).execute(tx.conn()).await?;
    Ok(())
}

/// Removes the rows of workers that did not end in order and were not seen for a minute. One that is alive after all
/// announces itself again.
pub async fn forget_dead(tx: &mut PlatformTx) -> Result<u64> {
    let now = tx.now().await?;
    let forgotten = sqlx::query!("DELETE FROM workers WHERE seen_at < $1::timestamptz - interval '1 minute'", now)
        .execute(tx.conn())
        .await?;
    Ok(forgotten.rows_affected())
}
