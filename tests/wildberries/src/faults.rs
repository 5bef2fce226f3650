//! The faults that are on, what they have met, and what they remember.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::chance::Chance;
use crate::fault::{Fault, FaultKind};

/// A row of a stock update that was answered 204 and changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IgnoredRow {
    /// The seller.
    pub seller: Uuid,
    /// The seller's warehouse.
    pub warehouse_id: i64,
    /// The size.
    pub chrt_id: i64,
    /// The amount that was not written.
    pub amount: i64,
}

/// A fault that is on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Waiting {
    /// Its number since the start, by which it can be taken away.
    pub number: u64,
    #[serde(flatten)]
    pub fault: Fault,
}

/// All faults.
pub(crate) struct Faults {
    on: Vec<Waiting>,
    count: u64,
    chance: Chance,
    ignored: Vec<IgnoredRow>,
    /// Entries held back from one page for the next, by seller and path.
    held: HashMap<(Uuid, String), Value>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        let chance = Chance::new(seed ^ 0x4641_554C_5453);
        Self { on: Vec::new(), count: 0, chance, ignored: Vec::new(), held: HashMap::new() }
    }

    pub(crate) fn add(&mut self, fault: Fault) -> u64 {
        self.count += 1;
        self.on.push(Waiting { number: self.count, fault });
        self.count
    }

    /// Takes one fault away; `false` if it is not on.
    pub(crate) fn remove(&mut self, number: u64) -> bool {
        let before = self.on.len();
        self.on.retain(|waiting| waiting.number != number);
        self.on.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.on.clear();
        self.held.clear();
    }

    /// Clears everything, and what was remembered.
    pub(crate) fn forget(&mut self) {
        self.clear();
        self.ignored.clear();
    }

    pub(crate) fn waiting(&mut self, now: DateTime<Utc>) -> &[Waiting] {
        self.expire(now);
        &self.on
    }

    fn expire(&mut self, now: DateTime<Utc>) {
        self.on.retain(|waiting| waiting.fault.until.is_none_or(|until| now < until));
    }

    /// The first fault that meets this call; one that counts its calls is used up as it does.
    pub(crate) fn meet(&mut self, now: DateTime<Utc>, method: &str, path: &str, seller: Uuid) -> Option<FaultKind> {
        self.expire(now);
        let chance = &mut self.chance;
        let place = self.on.iter().position(|Waiting { fault, .. }| {
            path.contains(&fault.path)
                && fault.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && fault.seller.is_none_or(|wanted| wanted == seller)
                && fault.share.is_none_or(|share| chance.hits(share))
        })?;
        let fault = &mut self.on[place].fault;
        let kind = fault.kind.clone();
        let endless = fault.share.is_some() || fault.until.is_some();
        match fault.times.or((!endless).then_some(1)) {
            None => {}
            Some(0 | 1) => {
                self.on.remove(place);
            }
            Some(times) => fault.times = Some(times - 1),
        }
        Some(kind)
    }

    /// Whether chance strikes, at so many per cent.
    pub(crate) fn strikes(&mut self, percent: u8) -> bool {
        self.chance.hits(f64::from(percent) / 100.0)
    }

    pub(crate) fn hold(&mut self, seller: Uuid, path: &str, entry: Value) {
        self.held.insert((seller, path.to_owned()), entry);
    }

    pub(crate) fn held(&mut self, seller: Uuid, path: &str) -> Option<Value> {
        self.held.remove(&(seller, path.to_owned()))
    }

    pub(crate) fn remember(&mut self, rows: impl IntoIterator<Item = IgnoredRow>) {
        self.ignored.extend(rows);
    }

    pub(crate) fn ignored(&self) -> &[IgnoredRow] {
        &self.ignored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn met(faults: &mut Faults, at: DateTime<Utc>) -> bool {
        faults.meet(at, "GET", "/ping", Uuid::nil()).is_some()
    }

    #[test]
    fn a_share_is_of_all_calls_and_the_same_for_the_same_seed() {
        let run = |seed| {
            let mut faults = Faults::new(seed);
            faults.add(Fault::once("", FaultKind::Drop).share(0.25));
            (0..1000).map(|_| met(&mut faults, start())).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let hits = run(7).into_iter().filter(|met| *met).count();
        assert!((200..300).contains(&hits), "{hits} of 1000");
    }

    #[test]
    fn a_fault_until_a_moment_meets_every_call_before_it() {
        let mut faults = Faults::new(7);
        let end = start() + chrono::Duration::milliseconds(500);
        faults.add(Fault::once("", FaultKind::Drop).until(end));
        assert!(met(&mut faults, start()) && met(&mut faults, end - chrono::Duration::milliseconds(1)));
        assert!(!met(&mut faults, end));
        assert!(faults.waiting(end).is_empty());
    }

    #[test]
    fn a_fault_is_taken_away_by_its_number() {
        let mut faults = Faults::new(7);
        let (first, second) =
            (faults.add(Fault::once("", FaultKind::Drop)), faults.add(Fault::once("", FaultKind::Hang)));
        assert!(faults.remove(first) && !faults.remove(first));
        assert_eq!(faults.waiting(start())[0].number, second);
    }
}
