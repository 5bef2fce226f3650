//! Tokens live 180 days: their owners are told 30, 14, 7, 3 and 1 days before the end, and at the end.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::AccountStatus;
use crate::Result;
use crate::alarms::{self, AlarmKind};
use crate::db::EnterpriseTx;
use crate::jobs::{Job, Queue};

/// How many days before the end an alarm is raised.
const DAYS: [i64; 5] = [30, 14, 7, 3, 1];
/// So many days before the end monitors are told, too.
const SOON: TimeDelta = TimeDelta::days(7);

/// Looks at the tokens of every enterprise: a job of the installation itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct WatchTokens {}

impl Job for WatchTokens {
    const KIND: &'static str = "accounts.watch_tokens";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(String::new())
    }
}

/// What was seen in one enterprise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Tokens that expire within 7 days or have expired.
    pub expiring: i64,
    /// Accounts whose token Wildberries refused.
    pub blocked: i64,
}

/// Raises the alarms that are due. A step that was missed is not made up for: only the nearest one is raised.
pub async fn watch_tokens(tx: &mut EnterpriseTx) -> Result<Watched> {
    let now = tx.now().await?;
    let accounts = sqlx::query!(
        "SELECT id, name, status, token_expires_at FROM wildberries_accounts
         WHERE token_expires_at <= $1 OR status = 'blocked'
         ORDER BY id",
        now + TimeDelta::days(DAYS[0]),
    )
    .fetch_all(tx.conn())
    .await?;
    let mut watched = Watched::default();
    for account in accounts {
        let left = account.token_expires_at - now;
        watched.expiring += i64::from(left <= SOON);
        watched.blocked += i64::from(account.status == AccountStatus::Blocked);
        let Some(step) = step(left) else { continue };
        let kind = if step == 0 { AlarmKind::TokenExpired } else { AlarmKind::TokenExpiring };
        let occasion = format!("{} {step}", account.token_expires_at.timestamp());
        alarms::raise(tx, kind, account.id, &occasion, &detail(&account.name, account.token_expires_at, step)).await?;
    }
    Ok(watched)
}

/// The nearest step that was reached; 0 once the token has expired.
fn step(left: TimeDelta) -> Option<i64> {
    if left <= TimeDelta::zero() {
        return Some(0);
    }
    DAYS.into_iter().rev().find(|days| left <= TimeDelta::days(*days))
}

fn detail(name: &str, expires_at: DateTime<Utc>, step: i64) -> String {
    let at = expires_at.format("%Y-%m-%d %H:%M UTC");
    match step {
        0 => format!("«{name}»: the token expired at {at}: replace it"),
        1 => format!("«{name}»: the token expires at {at}, within a day: replace it"),
        days => format!("«{name}»: the token expires at {at}, within {days} days: replace it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_nearest_step_counts() {
        let step = |hours| step(TimeDelta::hours(hours));
        assert_eq!(step(24 * 30 + 1), None);
        assert_eq!([24 * 30, 24 * 15, 24 * 14, 24 * 8].map(step), [Some(30), Some(30), Some(14), Some(14)]);
        assert_eq!([24 * 7, 24 * 3, 25, 24, 1].map(step), [Some(7), Some(3), Some(3), Some(1), Some(1)]);
        assert_eq!([0, -1].map(step), [Some(0), Some(0)]);
    }
}
