//! Stock to Wildberries and back: state, tell, read back, tell again what was ignored. What is told is written down before
//! the call, and known only by what is read afterwards.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use shared::ids::{ChrtId, WbOrderId, WbWarehouseId};
use shared::jobs::{JobRow, lease};
use shared::publishing::{self, Known, Planned, Settled};
use shared::sync::{Counters, ItemOutcome, PushStocks, ReadStocks, RunItem};
use shared::wildberries::{CallError, Order, Readable, RefusedSizes, SIZES_AT_ONCE};
use shared::{Error, Result, orders, schedules};

use crate::ctx::Ctx;
use crate::registry::Run;
use crate::sync::{PAGE, Pull, count};
use crate::translate;

/// Wildberries shows what it was told about a second later.
const READ_BACK: Duration = Duration::from_millis(1_500);
/// How long one look at new orders holds: a page a look would spend the budget of the orders.
const LOOK_HOLDS: Duration = Duration::from_secs(1);

impl Run for PushStocks {
    /// A warehouse that fails hinders no other; the first failure is that of the job.
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let Some(mut pull) = Pull::begin(ctx, row, self.account_id, Self::SYNC, self.run).await? else { return Ok(()) };
        let mut tx = pull.tx().await?;
        let warehouses = publishing::pushing(&mut tx, self.account_id).await?;
        if warehouses.is_empty() {
            schedules::stop(&mut tx, &Self { run: None, ..self }).await?;
        }
        tx.commit().await?;
        if !warehouses.is_empty() {
            keep_orders(&pull).await?;
        }
        let (mut failed, mut told) = (None, false);
        for warehouse in warehouses {
            match push(&mut pull, warehouse).await {
                Ok(some) => told |= some,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(error) = failed {
            pull.pause().await?;
            return Err(error);
        }
        if told {
            pull.pause().await?;
            let what = "what Wildberries makes of the stock that it was told";
            return Err(Error::Unavailable { what, retry_after: Some(READ_BACK), source: None });
        }
        pull.end(None).await
    }
}

impl Run for ReadStocks {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let Some(mut pull) = Pull::begin(ctx, row, self.account_id, Self::SYNC, self.run).await? else { return Ok(()) };
        let mut tx = pull.tx().await?;
        let warehouses = publishing::pushing(&mut tx, self.account_id).await?;
        tx.commit().await?;
        let mut differs = false;
        for warehouse in warehouses {
            differs |= compare(&mut pull, warehouse).await?;
        }
        if differs {
            let mut tx = pull.tx().await?;
            tx.enqueue(&PushStocks { account_id: self.account_id, run: None }).await?;
            tx.commit().await?;
        }
        pull.end(None).await
    }
}

/// What was bought up to now is reserved before anything is stated.
async fn keep_orders(pull: &Pull<'_>) -> Result<()> {
    let new = new_orders(pull).await?;
    let facts: Vec<_> = new.items.iter().filter_map(|order| translate::order(order, "new", "waiting")).collect();
    for page in facts.chunks(PAGE) {
        let mut tx = pull.tx().await?;
        orders::import(&mut tx, pull.account_id, page).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn new_orders(pull: &Pull<'_>) -> Result<Readable<Order>> {
    match pull.seller.new_orders().await {
        Ok(new) => Ok(new),
        Err(error) => Err(pull.judge(error).await),
    }
}

/// Settles what was told before, and tells what is new; answers whether anything was told.
async fn push(pull: &mut Pull<'_>, warehouse: WbWarehouseId) -> Result<bool> {
    // Where something was told already, this brings it to its end: what is sold meanwhile is the next beat's.
    let states = !settle(pull, warehouse).await?;
    let mut tx = pull.tx().await?;
    let known = publishing::refresh(&mut tx, pull.account_id, warehouse, states).await?;
    tx.commit().await?;
    let (mut behind, mut told, mut last_look) = (None, false, None);
    loop {
        let mut tx = pull.tx().await?;
        let mut rows = publishing::plan(&mut tx, pull.account_id, warehouse, behind, count(SIZES_AT_ONCE)).await?;
        tx.commit().await?;
        let Some(last) = rows.last() else { return Ok(told) };
        behind = Some(last.product_id);
        subtract(pull, warehouse, &known, &mut rows, &mut last_look).await?;
        tell(pull, warehouse, &rows).await?;
        told = true;
    }
}

/// When the last look was, and what was there: order, warehouse, size.
type Look = Option<(Instant, Vec<(i64, i64, i64)>)>;

/// The last look before amounts are overwritten: what was bought since must not come back. An order that cannot be read was
/// bought, too, if it says what.
async fn subtract(
    pull: &Pull<'_>,
    warehouse: WbWarehouseId,
    known: &Known,
    rows: &mut [Planned],
    last_look: &mut Look,
) -> Result<()> {
    if last_look.as_ref().is_none_or(|(at, _)| at.elapsed() > LOOK_HOLDS) {
        let new = new_orders(pull).await?;
        let read = new.items.iter().filter_map(|order| Some((order.id.0, order.warehouse_id?.0, order.chrt_id?.0)));
        let number = |raw: &Value, field: &str| raw.get(field).and_then(Value::as_i64);
        let unread = new.unreadable.iter().filter_map(|entry| {
            let number = |field| number(&entry.raw, field);
            Some((number("id")?, number("warehouseId")?, number("chrtId")?))
        });
        *last_look = Some((Instant::now(), read.chain(unread).collect()));
    }
    let bought = last_look.iter().flat_map(|(_, orders)| orders).filter(|(_, place, _)| *place == warehouse.0);
    known.subtract(rows, bought.map(|(id, _, size)| (WbOrderId(*id), ChrtId(*size))));
    Ok(())
}

/// Tells one page.
async fn tell(pull: &mut Pull<'_>, warehouse: WbWarehouseId, rows: &[Planned]) -> Result<()> {
    let mut tx = pull.tx().await?;
    publishing::send(&mut tx, pull.account_id, warehouse, rows).await?;
    if !lease::is_ours(&mut tx, pull.row.id, pull.row.attempts).await? {
        let what = "the run of this job, which went over to another worker";
        return Err(Error::Unavailable { what, retry_after: None, source: None });
    }
    tx.commit().await?;
    let answer = pull.seller.put_stocks(warehouse, &publishing::stock(rows)).await;
    let mut tx = pull.tx().await?;
    match answer {
        // 204 says nothing: it is read back.
        Ok(refused) if refused.is_empty() => tx.commit().await,
        Ok(refused) => {
            publishing::refuse(&mut tx, pull.account_id, warehouse, rows, &refused).await?;
            let items: Vec<_> = refused.iter().filter(|refused| !refused.is_busy()).flat_map(refusals).collect();
            let counters = Counters { failed: count(items.len()), ..Counters::default() };
            pull.items(&mut tx, items).await?;
            pull.page(&mut tx, &(), counters).await?;
            tx.commit().await
        }
        Err(error) => {
            if error.is_uncertain() {
                publishing::lose(&mut tx, pull.account_id, warehouse, rows).await?;
            } else if let CallError::Refused { code, .. } | CallError::NotFound { code, .. } = &error {
                let sizes = rows.iter().map(|row| row.chrt_id).collect();
                let refused = [RefusedSizes { code: code.clone(), detail: error.fact(), sizes }];
                publishing::refuse(&mut tx, pull.account_id, warehouse, rows, &refused).await?;
            } else {
                publishing::take_back(&mut tx, pull.account_id, warehouse, rows).await?;
            }
            tx.commit().await?;
            Err(pull.judge(error).await)
        }
    }
}

fn refusals(refused: &RefusedSizes) -> impl Iterator<Item = RunItem> {
    refused.sizes.iter().map(|size| RunItem {
        position: 0,
        item: size.to_string(),
        outcome: ItemOutcome::Failed,
        code: if refused.code.is_empty() { "refused".to_owned() } else { refused.code.clone() },
        detail: refused.detail.clone(),
    })
}

/// Reads back what was told and is not settled; answers whether there was any.
async fn settle(pull: &mut Pull<'_>, warehouse: WbWarehouseId) -> Result<bool> {
    let mut behind: Option<ChrtId> = None;
    loop {
        let mut tx = pull.tx().await?;
        let sizes = publishing::unsettled(&mut tx, pull.account_id, warehouse, behind, count(SIZES_AT_ONCE)).await?;
        tx.commit().await?;
        let Some(last) = sizes.last() else { return Ok(behind.is_some()) };
        behind = Some(*last);
        let shown = shown(pull, warehouse, &sizes).await?;
        let mut tx = pull.tx().await?;
        let settled = publishing::settle(&mut tx, pull.account_id, warehouse, &sizes, &shown).await?;
        let counters = Counters {
            seen: count(sizes.len()),
            changed: settled.confirmed,
            failed: count(settled.put_off.len()),
            ..Counters::default()
        };
        pull.items(&mut tx, words(&settled)).await?;
        pull.page(&mut tx, &(), counters).await?;
        tx.commit().await?;
    }
}

fn words(settled: &Settled) -> Vec<RunItem> {
    let item = |size: &ChrtId, outcome, code: &str, detail: &str| RunItem {
        position: 0,
        item: size.to_string(),
        outcome,
        code: code.to_owned(),
        detail: detail.to_owned(),
    };
    let put_off = settled.put_off.iter().map(|size| {
        item(size, ItemOutcome::Failed, "ignored", "Wildberries shows another quantity than it was told several times")
    });
    let repaired = settled.repaired.iter().map(|size| {
        item(size, ItemOutcome::Repaired, "repaired", "Wildberries shows what it was told, which it did not before")
    });
    put_off.chain(repaired).collect()
}

async fn shown(pull: &Pull<'_>, warehouse: WbWarehouseId, sizes: &[ChrtId]) -> Result<BTreeMap<ChrtId, i64>> {
    match pull.seller.stocks(warehouse, sizes).await {
        Ok(shown) => Ok(shown),
        Err(error) => Err(pull.judge(error).await),
    }
}

/// Compares every size of the account's products in one warehouse; answers whether any differs.
async fn compare(pull: &mut Pull<'_>, warehouse: WbWarehouseId) -> Result<bool> {
    let (mut behind, mut differs): (Option<ChrtId>, _) = (None, false);
    loop {
        let mut tx = pull.tx().await?;
        let (sizes, asked_at) =
            (publishing::sizes(&mut tx, pull.account_id, behind, count(SIZES_AT_ONCE)).await?, tx.now().await?);
        tx.commit().await?;
        let Some(last) = sizes.last() else { return Ok(differs) };
        behind = Some(*last);
        let shown = shown(pull, warehouse, &sizes).await?;
        let mut tx = pull.tx().await?;
        let differing = publishing::compare(&mut tx, pull.account_id, warehouse, asked_at, &shown).await?;
        differs |= !differing.is_empty();
        let counters = Counters { seen: count(sizes.len()), changed: count(differing.len()), ..Counters::default() };
        let items = differing.iter().map(|size| RunItem {
            position: 0,
            item: size.to_string(),
            outcome: ItemOutcome::Differing,
            code: "differs".to_owned(),
            detail: "Wildberries has another quantity than it was told: it is told again".to_owned(),
        });
        pull.items(&mut tx, items.collect()).await?;
        pull.page(&mut tx, &(), counters).await?;
        tx.commit().await?;
    }
}
