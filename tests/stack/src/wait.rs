//! The one place that polls: waits until something holds, or says what did not happen in time.

use std::time::{Duration, Instant};

use anyhow::bail;

const STEP: Duration = Duration::from_millis(10);

/// Waits until `holds` is true; after `limit` fails naming `what`.
pub async fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    let end = Instant::now() + limit;
    while !holds() {
        if Instant::now() >= end {
            bail!("{what}: not within {:.1} s", limit.as_secs_f64());
        }
        tokio::time::sleep(STEP).await;
    }
    Ok(())
}

/// Waits until `probe` answers with a value; after `limit` fails naming `what` and the last refusal.
pub async fn until_ok<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let end = Instant::now() + limit;
    loop {
        match probe().await {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= end => {
                return Err(error.context(format!("{what}: not within {:.1} s", limit.as_secs_f64())));
            }
            Err(_) => tokio::time::sleep(STEP).await,
        }
    }
}

/// The same for code without a runtime (the guard, `Drop`): true when it held in time.
pub(crate) fn blocking(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(STEP);
    }
}
