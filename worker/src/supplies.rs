//! Brings supplies to Wildberries: reads, does what is missing, reads back, records what it saw.

use std::collections::HashSet;
use std::time::Duration;

use shared::ids::{WbOrderId, WbSupplyId};
use shared::jobs::JobRow;
use shared::supplies::{self, DeliverSupply, PublishSupply, SetShipping, ShippingType, Task};
use shared::sync;
use shared::wildberries::{self, CallError, Seller};
use shared::{Error, Refusal, Result};

use crate::ctx::Ctx;
use crate::registry::Run;
use crate::sync::status_facts;

/// Orders per call: Wildberries' bound.
const BATCH: usize = 100;

impl Run for PublishSupply {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let task = open(ctx, row, self.supply_id).await?;
        let seller = ctx.seller(row, task.supply.account_id).await?;
        let result = publish(ctx, row, &task, &seller).await;
        close(ctx, row, &task, result).await
    }
}

impl Run for SetShipping {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let task = open(ctx, row, self.supply_id).await?;
        let seller = ctx.seller(row, task.supply.account_id).await?;
        let result = set_shipping(ctx, row, &task, &seller).await;
        close(ctx, row, &task, result).await
    }
}

impl Run for DeliverSupply {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let task = open(ctx, row, self.supply_id).await?;
        let seller = ctx.seller(row, task.supply.account_id).await?;
        let result = deliver(ctx, row, &task, &seller).await;
        close(ctx, row, &task, result).await
    }
}

async fn open(ctx: &Ctx, row: &JobRow, id: shared::ids::SupplyId) -> Result<Task> {
    let mut tx = ctx.db.begin(&row.actor()?).await?;
    supplies::open_task(&mut tx, id).await
}

/// A refusal is written on the supply, where people look for it.
async fn close(ctx: &Ctx, row: &JobRow, task: &Task, result: Result<()>) -> Result<()> {
    if let Err(Error::Refused { refusal, detail, .. }) = &result {
        let mut tx = ctx.db.begin(&row.actor()?).await?;
        supplies::note_problem(&mut tx, task.supply.id, refusal.code(), detail).await?;
        tx.commit().await?;
    }
    result
}

fn number(task: &Task) -> Result<&WbSupplyId> {
    task.supply
        .wb_supply_id
        .as_ref()
        .ok_or_else(|| Error::refused(Refusal::SupplyNotReady, "the supply is not yet created at Wildberries"))
}

async fn publish(ctx: &Ctx, row: &JobRow, task: &Task, seller: &Seller) -> Result<()> {
    let id = match &task.supply.wb_supply_id {
        Some(id) => id.clone(),
        None => create(ctx, row, task, seller).await?,
    };
    let mut inside = inside(ctx, row, task, seller, &id).await?;
    let missing: Vec<_> = task.orders.iter().copied().filter(|order| !inside.contains(order)).collect();
    let mut refused = None;
    for batch in missing.chunks(BATCH) {
        match seller.add_orders(&id, batch).await {
            Ok(()) => {}
            // Wildberries does not say which order it means: what is inside is read back below.
            Err(CallError::Refused { code, detail, .. }) => refused = Some(format!("{code}: {detail}")),
            Err(error) => return Err(ctx.judge(row, task.supply.account_id, error).await),
        }
    }
    if !missing.is_empty() {
        inside = self::inside(ctx, row, task, seller, &id).await?;
    }
    let outside: Vec<_> = task.orders.iter().filter(|order| !inside.contains(order)).map(ToString::to_string).collect();
    if outside.is_empty() {
        return Ok(());
    }
    let why = refused.unwrap_or_else(|| "they are not in the supply although Wildberries accepted them".to_owned());
    Err(Error::refused(
        Refusal::SupplyRefused,
        format!("orders {} were not taken into the supply ({why})", outside.join(", ")),
    ))
}

/// Creating is not idempotent at Wildberries: unless this is surely the first try, the supply is looked for by its name.
async fn create(ctx: &Ctx, row: &JobRow, task: &Task, seller: &Seller) -> Result<WbSupplyId> {
    let first_try = row.attempts == 1 && row.created_at == task.supply.created_at;
    let found = if first_try {
        Ok(None)
    } else {
        seller.find_supply_by_name(&task.supply.name, 0).await.map(|found| found.supply.map(|supply| supply.id))
    };
    let created = match found {
        Ok(Some(id)) => Ok(id),
        Ok(None) => seller.create_supply(&task.supply.name).await,
        Err(error) => Err(error),
    };
    let id = match created {
        Ok(id) => id,
        Err(error) => return Err(ctx.judge(row, task.supply.account_id, error).await),
    };
    let mut tx = ctx.db.begin(&row.actor()?).await?;
    supplies::record_published(&mut tx, task.supply.id, &id).await?;
    tx.commit().await?;
    Ok(id)
}

async fn inside(ctx: &Ctx, row: &JobRow, task: &Task, seller: &Seller, id: &WbSupplyId) -> Result<HashSet<WbOrderId>> {
    let inside = match seller.supply_order_ids(id).await {
        Ok(inside) => inside,
        Err(error) => return Err(ctx.judge(row, task.supply.account_id, error).await),
    };
    let mut tx = ctx.db.begin(&row.actor()?).await?;
    supplies::record_orders(&mut tx, task.supply.id, &inside).await?;
    tx.commit().await?;
    Ok(inside.into_iter().collect())
}

async fn set_shipping(ctx: &Ctx, row: &JobRow, task: &Task, seller: &Seller) -> Result<()> {
    let id = number(task)?;
    let (Some(date), Some(point), Some(kind)) =
        (task.supply.shipping_date, task.supply.shipping_point_id, task.supply.shipping_type)
    else {
        return Err(Error::Inconsistent(format!("supply {} has no shipping parameters to set", task.supply.id)));
    };
    let theirs = match kind {
        ShippingType::SelfShipping => wildberries::ShippingType::SelfShipping,
        ShippingType::TransportCompany => wildberries::ShippingType::TransportCompany,
    };
    if let Err(error) = seller.set_shipping_method(id, date, point, &theirs).await {
        return Err(ctx.judge(row, task.supply.account_id, error).await);
    }
    let seen = match seller.supply(id).await {
        Ok(seen) => seen,
        Err(error) => return Err(ctx.judge(row, task.supply.account_id, error).await),
    };
    if seen.shipping_date != Some(date)
        || seen.shipping_point_id != Some(point)
        || seen.shipping_type.as_ref() != Some(&theirs)
    {
        return Err(Error::refused(
            Refusal::SupplyRefused,
            "Wildberries accepted the shipping parameters and does not show them",
        ));
    }
    let mut tx = ctx.db.begin(&row.actor()?).await?;
    supplies::record_shipping(&mut tx, task.supply.id).await?;
    tx.commit().await
}

async fn deliver(ctx: &Ctx, row: &JobRow, task: &Task, seller: &Seller) -> Result<()> {
    let (id, account_id) = (number(task)?, task.supply.account_id);
    if is_done(ctx, row, task, seller, id).await? {
        return record_delivered(ctx, row, task).await;
    }
    drop_cancelled(ctx, row, task, seller).await?;
    match seller.deliver(id).await {
        Ok(()) => {}
        Err(CallError::Refused { code, detail, .. }) => {
            // A supply that somebody closed meanwhile is refused too.
            if !is_done(ctx, row, task, seller, id).await? {
                return Err(Error::refused(Refusal::SupplyRefused, format!("{code}: {detail}")));
            }
        }
        Err(error) => return Err(ctx.judge(row, account_id, error).await),
    }
    if is_done(ctx, row, task, seller, id).await? {
        return record_delivered(ctx, row, task).await;
    }
    Err(Error::Unavailable {
        what: "the delivered supply at Wildberries",
        retry_after: Some(Duration::from_secs(2)),
        source: None,
    })
}

async fn is_done(ctx: &Ctx, row: &JobRow, task: &Task, seller: &Seller, id: &WbSupplyId) -> Result<bool> {
    match seller.supply(id).await {
        Ok(seen) => Ok(seen.done),
        Err(error) => Err(ctx.judge(row, task.supply.account_id, error).await),
    }
}

/// The last look before the irreversible: orders that the buyer cancelled are not handed over.
async fn drop_cancelled(ctx: &Ctx, row: &JobRow, task: &Task, seller: &Seller) -> Result<()> {
    for page in task.orders.chunks(1000) {
        let statuses = match seller.order_statuses(page).await {
            Ok(statuses) => statuses,
            Err(error) => return Err(ctx.judge(row, task.supply.account_id, error).await),
        };
        let mut tx = ctx.db.begin(&row.actor()?).await?;
        sync::apply_statuses(&mut tx, task.supply.account_id, &status_facts(&statuses.items)).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn record_delivered(ctx: &Ctx, row: &JobRow, task: &Task) -> Result<()> {
    let mut tx = ctx.db.begin(&row.actor()?).await?;
    supplies::record_delivered(&mut tx, task.supply.id).await?;
    tx.commit().await
}
