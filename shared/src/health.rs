//! What health checks ask the database.

use chrono::{DateTime, Utc};

use crate::Result;
use crate::db::PlatformTx;

/// How many tokens expire within 7 days or have expired, as of the last hour.
pub const EXPIRING_TOKENS: &str = "expiring_tokens";
/// How many differences in Wildberries' answers nobody has acknowledged, as of the last hour.
pub const OPEN_DRIFTS: &str = "open_drifts";
/// How many entries of Wildberries' answers wait to be read, as of the last hour.
pub const QUARANTINED: &str = "quarantined";
/// How many tokens Wildberries refused that were not replaced, as of the last hour.
pub const REFUSED_TOKENS: &str = "refused_tokens";
/// How many balances are not what their entries and reservations say, as of the last check.
pub const STOCK_DIFFERENCES: &str = "stock_differences";
/// Since when every balance of every enterprise has been recomputed, in seconds of Unix time; zero: not yet.
pub const STOCK_PROVED_AT: &str = "stock_proved_at";

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

/// Notes a number about the whole installation, for health checks to show.
pub async fn measure(tx: &mut PlatformTx, name: &str, value: i64) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "INSERT INTO gauges (name, value, measured_at) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value, measured_at = EXCLUDED.measured_at",
        name,
        value,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The number that was noted last under this name; zero before the first time.
pub async fn measured(tx: &mut PlatformTx, name: &str) -> Result<i64> {
    let value = sqlx::query_scalar!("SELECT value FROM gauges WHERE name = $1", name).fetch_optional(tx.conn()).await?;
    Ok(value.unwrap_or(0))
}
