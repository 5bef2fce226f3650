//! What health checks ask the database.

use chrono::{DateTime, Utc};

use crate::Result;
use crate::db::PlatformTx;

/// Rewrites the one row of the probe: a read-only or full database fails here.
pub async fn write_probe(tx: &mut PlatformTx) -> Result<()> {
    sqlx::query!("UPDATE health_probe SET written_at = clock_timestamp()").execute(tx.conn()).await?;
    Ok(())
}

/// What the database's clock shows, whatever clock the transaction works with.
pub async fn database_time(tx: &mut PlatformTx) -> Result<DateTime<Utc>> {
    Ok(sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(tx.conn()).await?)
}

/// How many workers showed themselves within the last 15 seconds.
pub async fn workers_seen(tx: &mut PlatformTx) -> Result<i64> {
    let now = tx.now().await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM workers WHERE seen_at > $1::timestamptz - interval '15 seconds'"#,
        now
    )
    .fetch_one(tx.conn())
    .await?)
}
