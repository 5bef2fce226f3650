//! What buyers and Wildberries do to orders and supplies: the moves that no seller's method makes.

use anyhow::{Result, anyhow, bail, ensure};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::cabinet::Cabinet;
use crate::label::Key;
use crate::order::{Order, SupplierStatus, WbStatus};

/// An act of the buyer or of Wildberries on one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuyerAct {
    /// The buyer cancels, however far the order is.
    Cancel,
    /// The buyer thinks better of it within the first hour, before assembly.
    Decline,
    /// Wildberries cancels.
    WbCancel,
    /// Wildberries accepts the parcel; closes and scans its supply if need be.
    Sort,
    /// The parcel comes to the pick-up point.
    Arrive,
    /// The buyer takes it; every step before is made up for.
    Receive,
    /// The buyer refuses it at the pick-up point.
    Refuse,
    /// Wildberries finds it damaged.
    Defect,
    /// Delivery is late.
    Postpone,
}

impl BuyerAct {
    /// All of them, in the order of a parcel's life.
    pub const ALL: [Self; 9] = [
        Self::Sort,
        Self::Arrive,
        Self::Receive,
        Self::Cancel,
        Self::Decline,
        Self::WbCancel,
        Self::Refuse,
        Self::Defect,
        Self::Postpone,
    ];
}

impl Order {
    /// Where an act would bring the order; refused in words where the state machine knows no such step.
    fn after(&self, act: BuyerAct, now: DateTime<Utc>) -> Result<WbStatus> {
        let (id, seller, wb) = (self.id, self.supplier_status, self.wb_status);
        let young = now - self.created_at <= Duration::hours(1);
        ensure!(seller != SupplierStatus::Cancel, "order {id} is cancelled");
        ensure!(!wb.is_final(), "order {id} has ended: {wb:?}");
        let taken = matches!(seller, SupplierStatus::Confirm | SupplierStatus::Complete);
        Ok(match act {
            BuyerAct::Decline if seller == SupplierStatus::New && young => WbStatus::DeclinedByClient,
            BuyerAct::Decline => bail!("order {id} can be declined in the first hour and before assembly only"),
            BuyerAct::Cancel if taken => WbStatus::CanceledByClient,
            BuyerAct::Cancel if young => WbStatus::DeclinedByClient,
            BuyerAct::Cancel | BuyerAct::WbCancel => WbStatus::Canceled,
            BuyerAct::Defect if taken => WbStatus::Defect,
            BuyerAct::Refuse if wb == WbStatus::ReadyForPickup => WbStatus::CanceledByClient,
            BuyerAct::Arrive if wb == WbStatus::Sorted => WbStatus::ReadyForPickup,
            BuyerAct::Postpone if seller == SupplierStatus::Complete => WbStatus::PostponedDelivery,
            BuyerAct::Sort if taken => WbStatus::Sorted,
            BuyerAct::Receive if taken => WbStatus::Sold,
            BuyerAct::Sort
            | BuyerAct::Receive
            | BuyerAct::Arrive
            | BuyerAct::Refuse
            | BuyerAct::Defect
            | BuyerAct::Postpone => bail!("order {id} is {seller:?}/{wb:?}: {act:?} does not follow"),
        })
    }

    /// Whether the act is a step that the state machine knows from here.
    pub fn may(&self, act: BuyerAct, now: DateTime<Utc>) -> bool {
        self.after(act, now).is_ok()
    }
}

impl Cabinet {
    /// Lets the buyer or Wildberries act; an act the state machine does not know is refused in words.
    pub(crate) fn act(&mut self, id: i64, act: BuyerAct, now: DateTime<Utc>) -> Result<()> {
        let order = self.orders.get(id).ok_or_else(|| anyhow!("no order {id}"))?;
        let next = order.after(act, now)?;
        if matches!(act, BuyerAct::Sort | BuyerAct::Receive) {
            self.scan_item(id, now)?;
        }
        self.orders.change(id, |order| order.wb_status = next);
        Ok(())
    }

    fn scan_item(&mut self, id: i64, now: DateTime<Utc>) -> Result<()> {
        let supply =
            self.orders.get(id).and_then(|order| order.supply).ok_or_else(|| anyhow!("order {id} is in no supply"))?;
        self.close_supply(supply, now);
        if let Some(supply) = self.supplies.get_mut(&supply) {
            supply.scanned_at.get_or_insert(now);
        }
        self.orders.change(id, |order| {
            order.scanned = true;
            order.reshipment = false;
        });
        Ok(())
    }

    /// Wildberries scans a supply: the named orders, or all that are still wanted. The first item closes it.
    pub(crate) fn scan(&mut self, supply: &str, only: Option<&[i64]>, now: DateTime<Utc>) -> Result<Vec<i64>> {
        let held = self.supply(supply).map_err(|_| anyhow!("no supply {supply}"))?.orders.clone();
        let waiting = |id: &i64| self.orders.get(*id).is_some_and(|order| order.wb_status == WbStatus::Waiting);
        let seen: Vec<i64> =
            held.into_iter().filter(|id| only.is_none_or(|only| only.contains(id))).filter(waiting).collect();
        ensure!(!seen.is_empty(), "nothing in {supply} is left to scan");
        for id in &seen {
            self.act(*id, BuyerAct::Sort, now)?;
        }
        Ok(seen)
    }

    /// Wildberries gives up looking for what it did not find in a scanned supply.
    pub(crate) fn lose(&mut self, supply: &str) -> Result<Vec<i64>> {
        let found = self.supply(supply).map_err(|_| anyhow!("no supply {supply}"))?;
        ensure!(found.scanned_at.is_some(), "{supply} was not scanned");
        let lost: Vec<i64> = found
            .orders
            .iter()
            .copied()
            .filter(|id| {
                self.orders.get(*id).is_some_and(|order| !order.scanned && order.wb_status == WbStatus::Waiting)
            })
            .collect();
        for id in &lost {
            self.orders.change(*id, |order| order.reshipment = true);
        }
        Ok(lost)
    }

    /// The state's register rules on an identifier.
    pub(crate) fn rule(&mut self, id: i64, key: Key, decision: &str) -> Result<()> {
        let order = self.orders.get(id).ok_or_else(|| anyhow!("no order {id}"))?;
        let written = order.labels.iter().any(|label| label.key == key && label.value.is_some());
        ensure!(written, "order {id} has no {key:?} to rule on");
        self.orders.change(id, |order| {
            for label in order.labels.iter_mut().filter(|label| label.key == key) {
                label.ruling = Some(decision.to_owned());
            }
        });
        Ok(())
    }
}
