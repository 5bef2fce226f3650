//! Methods that Wildberries is about to switch off: owners are told 60 and 14 days before, and on the day.

use chrono::{Days, NaiveDate};

use crate::Result;
use crate::access::Permission;
use crate::alarms::{self, AlarmKind};
use crate::db::EnterpriseTx;
use crate::wildberries::calendar::{CALENDAR, SwitchOff};

/// How many days before.
const DAYS: [u64; 2] = [60, 14];

/// Everything that was or will be switched off. It is the same for everybody who may see anything of Wildberries.
pub fn calendar(tx: &EnterpriseTx) -> Result<&'static [SwitchOff]> {
    tx.require(Permission::ReadWildberries)?;
    Ok(CALENDAR)
}

/// Raises the alarms that are due by the calendar.
pub async fn tell_of_endings(tx: &mut EnterpriseTx) -> Result<()> {
    let called: Vec<_> = CALENDAR.iter().copied().filter(SwitchOff::is_called).collect();
    tell_of_those(tx, &called).await
}

/// Raises the alarms that are due for these methods. A step that was missed is not made up for.
pub async fn tell_of_those(tx: &mut EnterpriseTx, endings: &[SwitchOff]) -> Result<()> {
    let today = tx.now().await?.date_naive();
    for ending in endings {
        let Some((on, step)) = ending.on.and_then(|on| Some((on, step(on, today)?))) else { continue };
        let instead = ending.instead.map_or_else(String::new, |instead| format!("; instead: {instead}"));
        let detail = match step {
            0 => format!("{}: switched off since {on}{instead}", ending.method),
            days => format!("{}: will be switched off on {on}, within {days} days{instead}", ending.method),
        };
        alarms::raise(tx, AlarmKind::MethodEnding, None, &format!("{} {step}", ending.method), &detail).await?;
    }
    Ok(())
}

/// The nearest step that was reached; 0 from the day on.
fn step(on: NaiveDate, today: NaiveDate) -> Option<u64> {
    if on <= today {
        return Some(0);
    }
    DAYS.into_iter().rev().find(|days| today.checked_add_days(Days::new(*days)).is_some_and(|then| on <= then))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_nearest_step_counts() {
        let on = NaiveDate::from_ymd_opt(2027, 3, 1).expect("a day");
        let step = |before: u64| step(on, on.checked_sub_days(Days::new(before)).expect("a day"));
        assert_eq!([61, 60, 15, 14, 1, 0].map(step), [None, Some(60), Some(60), Some(14), Some(14), Some(0)]);
    }
}
