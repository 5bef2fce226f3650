//! What Wildberries told us, in our words, and what it is told: accounts that are followed, sync runs with their counters,
//! and what a change there means here.

mod follow;
mod items;
mod jobs;
mod lanes;
mod publish;
mod runs;

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::accounts::{self, Account, SellerFacts};
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, CellId, ReceiptSheetId, ReceiptSheetLineId, WarehouseId, WbWarehouseId};
use crate::inventory::{self, DiscrepancyReason, GoodsReceipt, ReceiptLine};
use crate::seal::Keyring;
use crate::warehouses::{self, Cell, CellChange, CellLimits, CellVerdict, WildberriesWarehouse};
use crate::wildberries::token::TokenFacts;
use crate::{Result, orders, schedules};

pub use follow::{Followed, apply_statuses};
pub use items::{ItemOutcome, RunItem, items, note_items};
pub use jobs::{PullCatalogue, PullNewOrders, PullOrderHistory, PullStatuses, PullWarehouses, PushStocks, ReadStocks};
pub use lanes::enter_lane;
pub use publish::{approve_publication, freeze_publishing, set_publishing_rule, state_publishable, thaw_publishing};
pub use runs::{
    Counters, SyncRun, SyncRunFilter, begin, finish, get, last_cursor, list, note_page, note_passing, start,
};

/// What a sync run pulls or pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum SyncKind {
    /// Cards, sizes, barcodes.
    Catalogue,
    /// Seller's warehouses and offices.
    Warehouses,
    /// Orders that wait to be assembled.
    NewOrders,
    /// Orders of the last 30 days.
    OrderHistory,
    /// What became of orders and supplies.
    OrderStatuses,
    /// Tell Wildberries what may be sold.
    StockPush,
    /// What Wildberries believes to be in stock, compared with what it was told.
    Stocks,
}

/// Where a sync run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum SyncStatus {
    /// Promised.
    Queued,
    /// Under way.
    Running,
    /// All of it.
    Succeeded,
    /// Some rows could not be read or kept.
    PartiallyFailed,
    /// Not done; says why.
    Failed,
    /// Called off.
    Cancelled,
}

/// How often an account is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    /// New orders.
    pub orders: Duration,
    /// Statuses.
    pub statuses: Duration,
}

/// Stores a seller account and follows it from now on.
pub async fn connect(
    tx: &mut EnterpriseTx,
    keyring: &Keyring,
    rhythm: Rhythm,
    name: &str,
    token: &SecretString,
    facts: &TokenFacts,
    seller: &SellerFacts,
) -> Result<Account> {
    let account = accounts::store(tx, keyring, name, token, facts, seller).await?;
    follow_account(tx, account.id, rhythm).await?;
    Ok(account)
}

async fn follow_account(tx: &mut EnterpriseTx, account_id: AccountId, rhythm: Rhythm) -> Result<()> {
    let jitter = |every: Duration| every / 5;
    schedules::set(tx, &PullNewOrders { account_id, run: None }, rhythm.orders, jitter(rhythm.orders)).await?;
    schedules::set(tx, &PullStatuses { account_id, run: None }, rhythm.statuses, jitter(rhythm.statuses)).await?;
    let hourly = Duration::from_hours(1);
    schedules::set(tx, &PullWarehouses { account_id, run: None }, hourly, jitter(hourly)).await?;
    schedules::set(tx, &PullCatalogue { account_id, run: None }, hourly, jitter(hourly)).await
}

/// Has an own warehouse fulfil a Wildberries warehouse; orders that waited for it are reserved at once. Of a warehouse that
/// fulfilled it before, orders for which nothing is held yet go over to the new one; the others stay where their goods lie.
pub async fn link_warehouse(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    wb_warehouse_id: WbWarehouseId,
    warehouse_id: WarehouseId,
) -> Result<WildberriesWarehouse> {
    let linked = warehouses::link(tx, account_id, wb_warehouse_id, warehouse_id).await?;
    if linked.before.is_some_and(|before| before != warehouse_id) {
        orders::hand_over(tx, account_id, wb_warehouse_id, warehouse_id).await?;
    } else {
        orders::adopt(tx).await?;
    }
    Ok(linked.theirs)
}

/// Opens blocked cells again; what lies there serves the orders that waited for it.
pub async fn unblock_cells(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    cells: &[CellId],
) -> Result<Vec<CellVerdict>> {
    let verdicts = warehouses::unblock_cells(tx, warehouse_id, cells).await?;
    serve_from(tx, cells).await?;
    Ok(verdicts)
}

/// Changes a cell; what may be sold from there now serves the orders that waited for it.
pub async fn change_cell(tx: &mut EnterpriseTx, id: CellId, change: CellChange) -> Result<Cell> {
    let cell = warehouses::change_cell(tx, id, change).await?;
    serve_from(tx, &[id]).await?;
    Ok(cell)
}

/// Changes many cells alike; likewise.
pub async fn change_cells(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    cells: &[CellId],
    limits: &CellLimits,
) -> Result<Vec<CellVerdict>> {
    let verdicts = warehouses::change_cells(tx, warehouse_id, cells, limits).await?;
    serve_from(tx, cells).await?;
    Ok(verdicts)
}

/// The cells and what lies in them are held: who wants to put something else there waits.
async fn serve_from(tx: &mut EnterpriseTx, cells: &[CellId]) -> Result<()> {
    let products = inventory::free_in(tx, cells).await?;
    orders::reserve_waiting(tx, &products).await?;
    Ok(())
}

/// Posts a goods receipt and serves the orders that waited for what came.
pub async fn receive_goods(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    number: &str,
    lines: &[ReceiptLine],
) -> Result<GoodsReceipt> {
    let received = inventory::receive(tx, warehouse_id, number, lines).await?;
    orders::reserve_waiting(tx, &received.products).await?;
    Ok(received.receipt)
}

/// Posts what a receipt sheet has counted, and serves the orders that waited for what came.
pub async fn post_receipt_sheet(
    tx: &mut EnterpriseTx,
    id: ReceiptSheetId,
    reasons: &[(ReceiptSheetLineId, DiscrepancyReason)],
) -> Result<GoodsReceipt> {
    let received = inventory::explain_and_post(tx, id, reasons).await?;
    orders::reserve_waiting(tx, &received.products).await?;
    Ok(received.receipt)
}
