//! Pulls what Wildberries knows, page by page: call, keep, go on. A run that is taken over goes on behind its last page.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shared::db::EnterpriseTx;
use shared::drifts::quarantine::{self, ItemKind};
use shared::ids::{AccountId, SyncRunId};
use shared::jobs::JobRow;
use shared::orders::{self, OrderFacts, StatusFacts};
use shared::supplies;
use shared::sync::{
    self, Counters, PullCatalogue, PullNewOrders, PullOrderHistory, PullStatuses, PullWarehouses, RunItem, SyncKind,
};
use shared::wildberries::methods::{CARDS, NEW_ORDERS, OFFICES, ORDER_STATUSES, ORDERS, WAREHOUSES};
use shared::wildberries::{CallError, CardsCursor, Order, OrderStatuses, Readable, Seller, Unreadable};
use shared::{Error, Result, accounts, products, warehouses};
use tokio::time::Instant;

use crate::ctx::Ctx;
use crate::registry::Run;
use crate::translate;

/// A long pull hands its worker slot back after this long and goes on in the job's next run.
const TURN: Duration = Duration::from_mins(1);
/// When to ask again for a turn that another run has.
const LANE: Duration = Duration::from_secs(1);
/// Orders and statuses per page: Wildberries' bound.
pub(crate) const PAGE: usize = 1000;
const PAGE_LIMIT: u32 = 1000;
/// A list that never ends is given up after so many pages.
const MOST_PAGES: u32 = 10_000;

/// One pull with what it needs: the account, the run if somebody asked for it, and the seller to ask.
pub(crate) struct Pull<'a> {
    ctx: &'a Ctx,
    pub(crate) row: &'a JobRow,
    pub(crate) account_id: AccountId,
    kind: SyncKind,
    run: Option<SyncRunId>,
    pub(crate) seller: Seller,
    until: Instant,
    /// What a timer's pull found; a run counts in its row.
    found: Counters,
    /// What a timer's pull has to say of single items; a run has them already.
    said: Vec<RunItem>,
}

impl<'a> Pull<'a> {
    /// Takes the turn of the kind; nothing for a timer while somebody else has it, because its next beat will do.
    pub(crate) async fn begin(
        ctx: &'a Ctx,
        row: &'a JobRow,
        account_id: AccountId,
        kind: SyncKind,
        run: Option<SyncRunId>,
    ) -> Result<Option<Self>> {
        let mut tx = ctx.db.begin(&row.actor()?).await?;
        if !sync::enter_lane(&mut tx, account_id, kind, row.id).await? {
            let what = "the turn of this kind of sync, which another run has";
            let wait = Error::Unavailable { what, retry_after: Some(LANE), source: None };
            return if run.is_some() { Err(wait) } else { Ok(None) };
        }
        if let Some(run) = run {
            sync::begin(&mut tx, run).await?;
        }
        tx.commit().await?;
        let until = Instant::now() + TURN;
        let seller = match ctx.seller(row, account_id).await {
            Ok(seller) => seller,
            Err(error) => return Err(Self::failed(ctx, row, run, error).await),
        };
        Ok(Some(Self { ctx, row, account_id, kind, run, seller, until, found: Counters::default(), said: Vec::new() }))
    }

    pub(crate) async fn tx(&self) -> Result<EnterpriseTx> {
        self.ctx.db.begin(&self.row.actor()?).await
    }

    /// What the call's failure means; a refusal ends the run.
    pub(crate) async fn judge(&self, error: CallError) -> Error {
        let error = self.ctx.judge(self.row, self.account_id, error).await;
        Self::failed(self.ctx, self.row, self.run, error).await
    }

    async fn failed(ctx: &Ctx, row: &JobRow, run: Option<SyncRunId>, error: Error) -> Error {
        let (Some(run), Error::Refused { refusal, detail, .. }) = (run, &error) else { return error };
        let noted = async {
            let mut tx = ctx.db.begin(&row.actor()?).await?;
            sync::finish(&mut tx, run, Some((refusal.code(), detail))).await?;
            tx.commit().await
        };
        match noted.await {
            Ok(()) => error,
            Err(database) => database,
        }
    }

    /// Where to go on: behind the run's last page, or, for a timer, behind the last finished run's.
    async fn cursor<C: for<'de> Deserialize<'de>>(&self) -> Result<Option<C>> {
        let mut tx = self.tx().await?;
        let cursor = match self.run {
            Some(run) => sync::get(&mut tx, run).await?.cursor,
            None => sync::last_cursor(&mut tx, self.account_id, self.kind).await?,
        };
        Ok(cursor.and_then(|cursor| serde_json::from_value(cursor).ok()))
    }

    /// A page is kept: counted in the run, in the transaction that keeps it.
    pub(crate) async fn page(
        &mut self,
        tx: &mut EnterpriseTx,
        cursor: &impl Serialize,
        counters: Counters,
    ) -> Result<()> {
        if let Some(run) = self.run {
            let cursor = serde_json::to_value(cursor).map_err(|error| Error::Inconsistent(error.to_string()))?;
            sync::note_page(tx, run, &cursor, counters).await?;
        }
        self.found.seen += counters.seen;
        self.found.added += counters.added;
        self.found.changed += counters.changed;
        self.found.failed += counters.failed;
        Ok(())
    }

    /// What is to be said of single items, in the transaction that keeps them.
    pub(crate) async fn items(&mut self, tx: &mut EnterpriseTx, items: Vec<RunItem>) -> Result<()> {
        match self.run {
            Some(run) if !items.is_empty() => sync::note_items(tx, run, &items).await?,
            Some(_) => {}
            None => self.said.extend(items),
        }
        Ok(())
    }

    /// Everything was read: the run is finished; a timer's pull leaves a line if it found something.
    pub(crate) async fn end(self, cursor: Option<serde_json::Value>) -> Result<()> {
        let mut tx = self.tx().await?;
        accounts::note_success(&mut tx, self.account_id).await?;
        match self.run {
            Some(run) => sync::finish(&mut tx, run, None).await?,
            None => self.leave(&mut tx, cursor.as_ref()).await?,
        }
        tx.commit().await
    }

    /// The job goes on later: a timer's pull leaves a line of what it has found so far.
    pub(crate) async fn pause(self) -> Result<()> {
        if self.run.is_some() {
            return Ok(());
        }
        let mut tx = self.tx().await?;
        self.leave(&mut tx, None).await?;
        tx.commit().await
    }

    async fn leave(&self, tx: &mut EnterpriseTx, cursor: Option<&serde_json::Value>) -> Result<()> {
        if self.found.added + self.found.changed + self.found.failed == 0 && self.said.is_empty() {
            return Ok(());
        }
        let run = sync::note_passing(tx, self.account_id, self.kind, self.row.id, self.found, cursor).await?;
        if self.said.is_empty() { Ok(()) } else { sync::note_items(tx, run, &self.said).await }
    }

    /// Keeps what could not be read of a list until it can be, and lets go of what was read after all. `all`: it is everything
    /// that the method has to say.
    async fn sort(
        &self,
        tx: &mut EnterpriseTx,
        (kind, method, path): (ItemKind, &'static str, &str),
        unreadable: &[Unreadable],
        read: &[i64],
        all: bool,
    ) -> Result<()> {
        if let Some(first) = unreadable.first() {
            let entries = unreadable.len();
            tracing::warn!("{entries} entries of {method} cannot be read and are kept: {}", first.why);
            self.seller.noticed().unreadable(method, path, &first.why, entries);
        }
        quarantine::came(tx, self.account_id, kind, method, read, all && unreadable.is_empty()).await?;
        quarantine::keep(tx, &self.ctx.keyring, self.account_id, kind, method, unreadable).await
    }

    fn check_turn(&self) -> Result<()> {
        if self.run.is_some() && (Instant::now() > self.until || self.ctx.stop.is_cancelled()) {
            return Err(Error::Unavailable {
                what: "the rest of the pages",
                retry_after: Some(Duration::ZERO),
                source: None,
            });
        }
        Ok(())
    }
}

impl Run for PullCatalogue {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let Some(mut pull) = Pull::begin(ctx, row, self.account_id, Self::SYNC, self.run).await? else { return Ok(()) };
        let mut cursor: Option<CardsCursor> = pull.cursor().await?;
        for _ in 0..MOST_PAGES {
            pull.check_turn()?;
            let page = match pull.seller.cards(cursor.as_ref()).await {
                Ok(page) => page,
                Err(error) => return Err(pull.judge(error).await),
            };
            let facts: Vec<_> = page.cards.items.iter().filter_map(translate::card).collect();
            let seen = page.cards.items.len() + page.cards.unreadable.len();
            let mut tx = pull.tx().await?;
            let read: Vec<_> = facts.iter().map(|card| card.nm_id.0).collect();
            pull.sort(&mut tx, (ItemKind::Card, CARDS, "cards[]"), &page.cards.unreadable, &read, false).await?;
            let recorded = products::record_cards(&mut tx, self.account_id, &facts).await?;
            orders::adopt(&mut tx).await?;
            cursor = page.cursor.or(cursor);
            let counters = Counters {
                seen: count(seen),
                added: recorded.added,
                changed: recorded.changed,
                failed: recorded.barcode_conflicts + count(seen - facts.len()),
            };
            pull.page(&mut tx, &cursor, counters).await?;
            tx.commit().await?;
            if page.is_last {
                break;
            }
        }
        let cursor = serde_json::to_value(&cursor).ok();
        pull.end(cursor).await
    }
}

impl Run for PullWarehouses {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let Some(mut pull) = Pull::begin(ctx, row, self.account_id, Self::SYNC, self.run).await? else { return Ok(()) };
        let there = async { Ok((pull.seller.warehouses().await?, pull.seller.offices().await?)) };
        let (found, offices) = match there.await {
            Ok(there) => there,
            Err(error) => return Err(pull.judge(error).await),
        };
        let facts: Vec<_> = found.items.iter().map(translate::warehouse).collect();
        let office_facts: Vec<_> = offices.items.iter().map(translate::office).collect();
        let mut tx = pull.tx().await?;
        let read: Vec<_> = facts.iter().map(|warehouse| warehouse.wb_warehouse_id.0).collect();
        pull.sort(&mut tx, (ItemKind::Warehouse, WAREHOUSES, "[]"), &found.unreadable, &read, true).await?;
        let read: Vec<_> = office_facts.iter().map(|office| office.office_id.0).collect();
        pull.sort(&mut tx, (ItemKind::Office, OFFICES, "[]"), &offices.unreadable, &read, true).await?;
        // One that cannot be read is there all the same.
        let whole = found.unreadable.is_empty();
        warehouses::record_wildberries(&mut tx, self.account_id, &facts, &office_facts, whole).await?;
        let counters =
            Counters { seen: count(facts.len()), failed: count(found.unreadable.len()), ..Counters::default() };
        pull.page(&mut tx, &(), counters).await?;
        tx.commit().await?;
        pull.end(None).await
    }
}

impl Run for PullNewOrders {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let Some(mut pull) = Pull::begin(ctx, row, self.account_id, Self::SYNC, self.run).await? else { return Ok(()) };
        let new = match pull.seller.new_orders().await {
            Ok(new) => new,
            Err(error) => return Err(pull.judge(error).await),
        };
        let facts: Vec<_> = new.items.iter().filter_map(|order| translate::order(order, "new", "waiting")).collect();
        let mut unreadable = new.unreadable.as_slice();
        let mut pages = facts.chunks(PAGE);
        while let Some(page) = pages.next().or((!unreadable.is_empty()).then_some(&[][..])) {
            keep_orders(&mut pull, page, &(), (NEW_ORDERS, unreadable, new.unreadable.is_empty()), None).await?;
            unreadable = &[];
        }
        pull.end(None).await
    }
}

/// Where a pull of the last 30 days is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct HistoryCursor {
    next: i64,
    /// Unix seconds, fixed when the run began.
    from: i64,
    to: i64,
}

impl Run for PullOrderHistory {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let Some(mut pull) = Pull::begin(ctx, row, self.account_id, Self::SYNC, self.run).await? else { return Ok(()) };
        let now = row.created_at.timestamp();
        let fresh = HistoryCursor { next: 0, from: now - 30 * 86_400 + 60, to: now };
        let mut cursor = pull.cursor().await?.filter(|_| self.run.is_some()).unwrap_or(fresh);
        for _ in 0..MOST_PAGES {
            pull.check_turn()?;
            let page = match pull.seller.orders(cursor.next, moment(cursor.from), moment(cursor.to), PAGE_LIMIT).await {
                Ok(page) => page,
                Err(error) => return Err(pull.judge(error).await),
            };
            let statuses = statuses_of(&pull, &page.orders.items).await?;
            let by_order: HashMap<_, _> = statuses.items.iter().map(|status| (status.id, status)).collect();
            // An order that Wildberries gives no status for is left to the next pull.
            let facts: Vec<_> = page
                .orders
                .items
                .iter()
                .filter_map(|order| {
                    let status = by_order.get(&order.id)?;
                    translate::order(order, status.supplier_status.as_str(), status.wb_status.as_str())
                })
                .collect();
            // The list ends with 0, with no next, with the same next, or with an empty page: all four are seen.
            let begins = cursor.next == 0;
            let ends = page.next.is_none_or(|next| next == 0 || next == cursor.next);
            cursor.next = page.next.unwrap_or(0);
            keep_orders(&mut pull, &facts, &cursor, (ORDERS, &page.orders.unreadable, begins && ends), Some(&statuses))
                .await?;
            if ends {
                break;
            }
        }
        pull.end(None).await
    }
}

async fn statuses_of(pull: &Pull<'_>, orders: &[Order]) -> Result<Readable<OrderStatuses>> {
    let numbers: Vec<_> = orders.iter().map(|order| order.id).collect();
    match pull.seller.order_statuses(&numbers).await {
        Ok(statuses) => Ok(statuses),
        Err(error) => Err(pull.judge(error).await),
    }
}

async fn sort_statuses(
    pull: &Pull<'_>,
    tx: &mut EnterpriseTx,
    statuses: &Readable<OrderStatuses>,
    all: bool,
) -> Result<()> {
    let read: Vec<_> = statuses.items.iter().map(|status| status.id.0).collect();
    pull.sort(tx, (ItemKind::Status, ORDER_STATUSES, "orders[]"), &statuses.unreadable, &read, all).await
}

async fn keep_orders(
    pull: &mut Pull<'_>,
    facts: &[OrderFacts],
    cursor: &impl Serialize,
    (method, unreadable, all): (&'static str, &[Unreadable], bool),
    statuses: Option<&Readable<OrderStatuses>>,
) -> Result<()> {
    let mut tx = pull.tx().await?;
    let read: Vec<_> = facts.iter().map(|order| order.wb_order_id.0).collect();
    pull.sort(&mut tx, (ItemKind::Order, method, "orders[]"), unreadable, &read, all).await?;
    if let Some(statuses) = statuses {
        sort_statuses(pull, &mut tx, statuses, false).await?;
    }
    let imported = orders::import(&mut tx, pull.account_id, facts).await?;
    let counters = Counters {
        seen: count(facts.len() + unreadable.len()),
        added: imported.added,
        changed: 0,
        failed: count(unreadable.len()),
    };
    pull.page(&mut tx, cursor, counters).await?;
    tx.commit().await
}

impl Run for PullStatuses {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let Some(mut pull) = Pull::begin(ctx, row, self.account_id, Self::SYNC, self.run).await? else { return Ok(()) };
        let mut after = None;
        loop {
            let mut tx = pull.tx().await?;
            let numbers = orders::followed(&mut tx, self.account_id, after, count(PAGE)).await?;
            drop(tx);
            let Some(last) = numbers.last().copied() else { break };
            let statuses = match pull.seller.order_statuses(&numbers).await {
                Ok(statuses) => statuses,
                Err(error) => return Err(pull.judge(error).await),
            };
            let mut tx = pull.tx().await?;
            let all = after.is_none() && numbers.len() < PAGE;
            sort_statuses(&pull, &mut tx, &statuses, all).await?;
            let followed = sync::apply_statuses(&mut tx, self.account_id, &status_facts(&statuses.items)).await?;
            let counters = Counters {
                seen: count(statuses.items.len()),
                changed: followed.changed,
                failed: count(statuses.unreadable.len()),
                ..Counters::default()
            };
            pull.page(&mut tx, &(), counters).await?;
            tx.commit().await?;
            after = Some(last);
        }
        follow_supplies(&pull).await?;
        pull.end(None).await
    }
}

/// Supplies that Wildberries closed by itself or has scanned.
async fn follow_supplies(pull: &Pull<'_>) -> Result<()> {
    let mut tx = pull.tx().await?;
    let open = supplies::open_of_account(&mut tx, pull.account_id).await?;
    drop(tx);
    for (id, _, number) in open {
        let seen = match pull.seller.supply(&number).await {
            Ok(seen) => seen,
            Err(CallError::NotFound { .. }) => continue,
            Err(error) => return Err(pull.judge(error).await),
        };
        let mut tx = pull.tx().await?;
        if seen.scanned_at.is_some() {
            supplies::record_accepted(&mut tx, id).await?;
        } else if seen.done {
            supplies::record_delivered(&mut tx, id).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// Statuses in our words.
pub(crate) fn status_facts(statuses: &[OrderStatuses]) -> Vec<StatusFacts> {
    statuses
        .iter()
        .map(|status| StatusFacts {
            wb_order_id: status.id,
            supplier_status: status.supplier_status.as_str().to_owned(),
            wb_status: status.wb_status.as_str().to_owned(),
        })
        .collect()
}

fn moment(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

pub(crate) fn count(rows: usize) -> i64 {
    i64::try_from(rows).expect("a page is small")
}
