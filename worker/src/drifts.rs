//! Reads again what could not be read, and looks after drifts of all enterprises.
//!
//! First with today's code, from what was kept. What still cannot be read may have been a passing fault of theirs, so
//! Wildberries is asked anew: orders, statuses and warehouses by the pulls that bring them anyway, cards by their numbers.

use std::collections::HashMap;

use chrono::TimeDelta;
use serde_json::Value;
use shared::access::Actor;
use shared::drifts::quarantine::{self, ItemKind, Kept};
use shared::drifts::{self, ReplayQuarantine, Waiting, WatchDrifts};
use shared::health::{OPEN_DRIFTS, QUARANTINED};
use shared::ids::{AccountId, NmId};
use shared::jobs::{Job, JobRow};
use shared::sync::{PullNewOrders, PullOrderHistory, PullStatuses, PullWarehouses};
use shared::wildberries::methods::NEW_ORDERS;
use shared::wildberries::{Card, Order};
use shared::{Result, enterprises, health, orders, products};

use crate::ctx::Ctx;
use crate::registry::Run;
use crate::translate;

/// Items that are read again in one transaction.
const PAGE: i64 = 200;
/// Cards that are asked for one by one in a run; the next run asks for the next ones.
const CARDS_ASKED: usize = 20;
/// An order that did not come so long, although new orders are asked for every few seconds, is new no more.
const STILL_NEW: TimeDelta = TimeDelta::minutes(10);
/// Wildberries lists orders of so many days.
const LISTED: TimeDelta = TimeDelta::days(30);

impl Run for WatchDrifts {
    async fn run(self, ctx: &Ctx, _row: &JobRow) -> Result<()> {
        let mut tx = ctx.db.platform().await?;
        let enterprises = enterprises::active(&mut tx).await?;
        tx.commit().await?;
        let mut all = Waiting::default();
        for enterprise_id in enterprises {
            let mut tx = ctx.db.begin(&Actor::job(enterprise_id, Self::KIND)).await?;
            let waiting = drifts::waiting(&mut tx).await?;
            if waiting.quarantined > 0 {
                tx.enqueue(&ReplayQuarantine {}).await?;
            }
            drifts::tell_of_endings(&mut tx).await?;
            tx.commit().await?;
            all.drifts += waiting.drifts;
            all.quarantined += waiting.quarantined;
        }
        let mut tx = ctx.db.platform().await?;
        health::measure(&mut tx, OPEN_DRIFTS, all.drifts).await?;
        health::measure(&mut tx, QUARANTINED, all.quarantined).await?;
        tx.commit().await
    }
}

impl Run for ReplayQuarantine {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let mut tx = ctx.db.begin(&row.actor()?).await?;
        let accounts = quarantine::accounts(&mut tx).await?;
        drop(tx);
        let mut ended = Ok(());
        for (account_id, kinds) in accounts {
            // A token that is refused keeps one account waiting, not all of them.
            let again = Again { ctx, row, account_id };
            if kinds.contains(&ItemKind::Order) {
                ended = ended.and(again.orders().await);
            }
            if kinds.contains(&ItemKind::Card) {
                ended = ended.and(again.cards().await);
            }
            if kinds.contains(&ItemKind::Status) {
                ended = ended.and(again.statuses().await);
            }
            if kinds.contains(&ItemKind::Warehouse) || kinds.contains(&ItemKind::Office) {
                ended = ended.and(again.warehouses().await);
            }
        }
        ended
    }
}

/// One account's quarantine.
struct Again<'a> {
    ctx: &'a Ctx,
    row: &'a JobRow,
    account_id: AccountId,
}

impl Again<'_> {
    /// What is kept of a kind, page by page.
    async fn page(&self, kind: ItemKind, last: Option<&Kept>) -> Result<Vec<Kept>> {
        let mut tx = self.ctx.db.begin(&self.row.actor()?).await?;
        let after = last.map(|last| last.id);
        quarantine::waiting(&mut tx, &self.ctx.keyring, self.account_id, kind, after, PAGE).await
    }

    async fn orders(&self) -> Result<()> {
        let (mut last, mut still_new, mut listed): (Option<Kept>, bool, bool) = (None, false, false);
        loop {
            let page = self.page(ItemKind::Order, last.as_ref()).await?;
            if page.is_empty() {
                break;
            }
            let read: Vec<_> =
                page.iter().filter_map(|kept| Some((kept, Order::read(kept.raw.as_ref()?).ok()?))).collect();
            let numbers: Vec<_> = read.iter().map(|(_, order)| order.id).collect();
            let mut done = Vec::new();
            if !numbers.is_empty() {
                // What an order was when it came may be long ago.
                let seller = self.ctx.seller(self.row, self.account_id).await?;
                let statuses = match seller.order_statuses(&numbers).await {
                    Ok(statuses) => statuses,
                    Err(error) => return Err(self.ctx.judge(self.row, self.account_id, error).await),
                };
                let statuses: HashMap<_, _> = statuses.items.iter().map(|status| (status.id, status)).collect();
                let mut facts = Vec::new();
                for (kept, order) in &read {
                    let Some(status) = statuses.get(&order.id) else { continue };
                    let order = translate::order(order, status.supplier_status.as_str(), status.wb_status.as_str());
                    if let Some(order) = order {
                        facts.push(order);
                        done.push(kept.id);
                    }
                }
                let mut tx = self.ctx.db.begin(&self.row.actor()?).await?;
                orders::import(&mut tx, self.account_id, &facts).await?;
                quarantine::replayed(&mut tx, &done).await?;
                tx.commit().await?;
            }
            for kept in page.iter().filter(|kept| !done.contains(&kept.id)) {
                let ago = self.row.created_at - kept.last_seen_at;
                if kept.method == NEW_ORDERS && ago < STILL_NEW {
                    still_new = true;
                } else if ago < LISTED {
                    listed = true;
                }
            }
            last = page.into_iter().next_back();
        }
        let mut tx = self.ctx.db.begin(&self.row.actor()?).await?;
        // Marks that an order needs are told among the new ones alone.
        if still_new {
            tx.enqueue(&PullNewOrders { account_id: self.account_id, run: None }).await?;
        }
        if listed {
            tx.enqueue(&PullOrderHistory { account_id: self.account_id, run: None }).await?;
        }
        tx.commit().await
    }

    async fn cards(&self) -> Result<()> {
        let (mut last, mut unread): (Option<Kept>, Vec<Kept>) = (None, Vec::new());
        loop {
            let page = self.page(ItemKind::Card, last.as_ref()).await?;
            if page.is_empty() {
                break;
            }
            let (mut done, mut facts) = (Vec::new(), Vec::new());
            for kept in &page {
                let read = kept.raw.as_ref().and_then(|raw| Card::read(raw).ok());
                if let Some(card) = read.as_ref().and_then(translate::card) {
                    facts.push(card);
                    done.push(kept.id);
                }
            }
            self.record(&facts, &done).await?;
            unread.extend(page.iter().filter(|kept| !done.contains(&kept.id)).cloned());
            last = page.into_iter().next_back();
        }
        if unread.is_empty() {
            return Ok(());
        }
        // Not always the same ones: those that waited longest without being seen come first.
        unread.sort_by_key(|kept| kept.last_seen_at);
        let seller = self.ctx.seller(self.row, self.account_id).await?;
        for kept in unread.into_iter().take(CARDS_ASKED) {
            let code = kept.raw.as_ref().and_then(|raw| raw.get("vendorCode")).and_then(Value::as_str);
            let number = kept.item_id.map(NmId);
            let Some(text) = number.map(|number| number.to_string()).or(code.map(str::to_owned)) else { continue };
            let found = match seller.find_cards(&text).await {
                Ok(found) => found,
                Err(error) => return Err(self.ctx.judge(self.row, self.account_id, error).await),
            };
            let is_it =
                |card: &&Card| number.map_or(card.vendor_code.as_deref() == code, |number| card.nm_id == number);
            let card = found.items.iter().find(is_it);
            if let Some(facts) = card.and_then(translate::card) {
                self.record(&[facts], &[kept.id]).await?;
            } else {
                let mut tx = self.ctx.db.begin(&self.row.actor()?).await?;
                quarantine::asked(&mut tx, kept.id).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    async fn record(&self, facts: &[products::CardFacts], done: &[shared::ids::QuarantineId]) -> Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        let mut tx = self.ctx.db.begin(&self.row.actor()?).await?;
        products::record_cards(&mut tx, self.account_id, facts).await?;
        orders::adopt(&mut tx).await?;
        quarantine::replayed(&mut tx, done).await?;
        tx.commit().await
    }

    /// What an order was some time ago is worth nothing: it is asked what it is. An order that is not here yet, because it
    /// had no status, comes with the list.
    async fn statuses(&self) -> Result<()> {
        let mut tx = self.ctx.db.begin(&self.row.actor()?).await?;
        tx.enqueue(&PullStatuses { account_id: self.account_id, run: None }).await?;
        if quarantine::has_statuses_of_unknown_orders(&mut tx, self.account_id).await? {
            tx.enqueue(&PullOrderHistory { account_id: self.account_id, run: None }).await?;
        }
        tx.commit().await
    }

    async fn warehouses(&self) -> Result<()> {
        let mut tx = self.ctx.db.begin(&self.row.actor()?).await?;
        tx.enqueue(&PullWarehouses { account_id: self.account_id, run: None }).await?;
        tx.commit().await
    }
}
