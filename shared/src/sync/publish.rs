//! What is stated goes to Wildberries at once where its warehouse pushes, and what is sold or comes in, by the timer.

use std::time::Duration;

use super::{PushStocks, ReadStocks};
use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::{PublicationId, WbWarehouseId};
use crate::publishing::{self, NewRule, Publication, Rule, Statement, Turned};
use crate::schedules;

/// How often an account's stock is stated and pushed.
const PUSH_EVERY: Duration = Duration::from_secs(15);
/// How often what Wildberries shows is compared with what it was told.
const READ_EVERY: Duration = Duration::from_mins(30);

/// Sets the rule of a warehouse; one that pushes from now on is pushed at once and followed.
pub async fn set_publishing_rule(tx: &mut EnterpriseTx, id: WbWarehouseId, new: NewRule) -> Result<Rule> {
    let rule = publishing::set_rule(tx, id, new).await?;
    if rule.pushes {
        let account_id = rule.account_id;
        // What Wildberries has by itself is read first: it is to become what is stated.
        schedules::set(tx, &ReadStocks { account_id, run: None }, READ_EVERY, READ_EVERY / 5).await?;
        schedules::set(tx, &PushStocks { account_id, run: None }, PUSH_EVERY, PUSH_EVERY / 5).await?;
        tx.enqueue(&ReadStocks { account_id, run: None }).await?;
        tx.enqueue(&PushStocks { account_id, run: None }).await?;
    }
    Ok(rule)
}

/// States what may be published now, and pushes it.
pub async fn state_publishable(tx: &mut EnterpriseTx, id: WbWarehouseId) -> Result<Statement> {
    let statement = publishing::state(tx, id).await?;
    push(tx, &[id]).await?;
    Ok(statement)
}

/// Has a rise stated that somebody else asked for, and pushes it.
pub async fn approve_publication(tx: &mut EnterpriseTx, id: PublicationId) -> Result<Publication> {
    let publication = publishing::approve(tx, id).await?;
    push(tx, &[publication.wb_warehouse_id]).await?;
    Ok(publication)
}

/// Everything to zero, here and at Wildberries.
pub async fn freeze_publishing(tx: &mut EnterpriseTx, only: Option<WbWarehouseId>, reason: &str) -> Result<Turned> {
    let turned = publishing::freeze(tx, only, reason).await?;
    push(tx, &turned.wb_warehouse_ids).await?;
    Ok(turned)
}

/// And back.
pub async fn thaw_publishing(tx: &mut EnterpriseTx, only: Option<WbWarehouseId>) -> Result<Turned> {
    let turned = publishing::thaw(tx, only).await?;
    push(tx, &turned.wb_warehouse_ids).await?;
    Ok(turned)
}

async fn push(tx: &mut EnterpriseTx, ids: &[WbWarehouseId]) -> Result<()> {
    for account_id in publishing::accounts_pushing(tx, ids).await? {
        tx.enqueue(&PushStocks { account_id, run: None }).await?;
    }
    Ok(())
}
