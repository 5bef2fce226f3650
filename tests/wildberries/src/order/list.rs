//! All orders of a seller, and what of them is looked for often.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{Order, SupplierStatus, WbStatus};

/// All orders of a seller; ids rise without gaps, so that an id is a place in the list.
#[derive(Debug)]
pub(crate) struct Orders {
    first: i64,
    list: Vec<Order>,
    fresh: BTreeSet<i64>,
    lost: BTreeSet<i64>,
    counts: BTreeMap<(SupplierStatus, WbStatus), usize>,
    /// Whether no order was placed before the one in front of it.
    in_time: bool,
}

impl Orders {
    pub(crate) fn new(first: i64) -> Self {
        Self {
            first,
            list: Vec::new(),
            fresh: BTreeSet::new(),
            lost: BTreeSet::new(),
            counts: BTreeMap::new(),
            in_time: true,
        }
    }

    pub(crate) fn reserve(&mut self, count: usize) {
        self.list.reserve(count);
    }

    pub(crate) fn next_id(&self) -> i64 {
        self.first + i64::try_from(self.list.len()).unwrap_or(i64::MAX)
    }

    pub(crate) fn push(&mut self, order: Order) {
        self.fresh.insert(order.id);
        *self.counts.entry((order.supplier_status, order.wb_status)).or_default() += 1;
        self.in_time &= self.list.last().is_none_or(|last| last.created_at <= order.created_at);
        self.list.push(order);
    }

    pub(crate) fn get(&self, id: i64) -> Option<&Order> {
        self.list.get(usize::try_from(id.checked_sub(self.first)?).ok()?)
    }

    /// Changes an order and keeps the lists of new and lost ones and the counts right.
    pub(crate) fn change(&mut self, id: i64, act: impl FnOnce(&mut Order)) {
        let place = id.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        let Some(order) = place.and_then(|place| self.list.get_mut(place)) else { return };
        let before = (order.supplier_status, order.wb_status);
        act(order);
        let after = (order.supplier_status, order.wb_status);
        if order.supplier_status != SupplierStatus::New || order.wb_status.is_final() {
            self.fresh.remove(&id);
        }
        if order.reshipment {
            self.lost.insert(id);
        } else {
            self.lost.remove(&id);
        }
        if before != after {
            if let Some(count) = self.counts.get_mut(&before) {
                *count -= 1;
            }
            *self.counts.entry(after).or_default() += 1;
        }
    }

    /// How many orders are in each pair of statuses.
    pub(crate) fn counts(&self) -> &BTreeMap<(SupplierStatus, WbStatus), usize> {
        &self.counts
    }

    /// Orders that wait for another supply.
    pub(crate) fn lost(&self) -> impl Iterator<Item = &Order> {
        self.lost.iter().filter_map(|id| self.get(*id))
    }

    pub(crate) fn all(&self) -> &[Order] {
        &self.list
    }

    /// New orders that are still wanted.
    pub(crate) fn fresh(&self) -> impl Iterator<Item = &Order> {
        self.fresh.iter().filter_map(|id| self.get(*id))
    }

    /// Orders with an id above the given one that were placed from one moment until just before another.
    pub(crate) fn between(&self, id: i64, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = &Order> {
        let start = usize::try_from(id.saturating_sub(self.first).saturating_add(1)).unwrap_or(0).min(self.list.len());
        // As a rule orders lie in the order of time, and what is too old or too young need not be looked at.
        let (start, end) = if self.in_time {
            let place = |at| self.list.partition_point(|order| order.created_at < at);
            (start.max(place(from)), place(to))
        } else {
            (start, self.list.len())
        };
        let within = move |order: &&Order| from <= order.created_at && order.created_at < to;
        self.list.get(start..end).unwrap_or(&[]).iter().filter(within)
    }
}
