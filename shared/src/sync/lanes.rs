//! Whose turn it is: of one kind and one account one job works at a time, whoever asked for it.

use super::SyncKind;
use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, JobId};

/// Takes the turn, unless a job has it that is running just now; the same job may take it again.
pub async fn enter_lane(tx: &mut EnterpriseTx, account_id: AccountId, kind: SyncKind, job_id: JobId) -> Result<bool> {
    let enterprise_id = tx.enterprise_id();
    let entered = sqlx::query!(
        "INSERT INTO sync_lanes (enterprise_id, account_id, kind, job_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (enterprise_id, account_id, kind) DO UPDATE SET job_id = EXCLUDED.job_id
         WHERE sync_lanes.job_id = EXCLUDED.job_id
            OR NOT EXISTS (SELECT FROM jobs AS j WHERE j.id = sync_lanes.job_id AND j.state = 'running')",
        enterprise_id as _,
        account_id as _,
        kind as SyncKind,
        job_id as _,
    )
    .execute(tx.conn())
    .await?;
    Ok(entered.rows_affected() == 1)
}
