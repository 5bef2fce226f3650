//! A transfer comes, all at once or in parts; what does not come is explained before it is closed.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::send::give_back;
use super::{TransferGoods, TransferStatus, Transferred, look};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{HoldId, LotId, ProductId, StockEntryId, TransferId};
use crate::inventory::batch::{Batch, Item, Part, Verdict, check_quantity, settle};
use crate::inventory::holds::quarantine;
use crate::inventory::write::{By, Moved, write};
use crate::inventory::{EntryKind, Outside};
use crate::{Error, Refusal, Result};

/// So many units have come.
#[derive(Clone, Debug)]
pub struct ArrivedLine {
    /// What.
    pub item: Item,
    /// The code of the cell where they were put.
    pub cell: String,
    /// Units.
    pub quantity: i32,
    /// Whether they are put on hold until somebody has looked at them.
    pub quarantine: bool,
}

/// Why units do not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
pub enum MissingReason {
    /// Nobody knows where they are.
    Lost,
    /// They broke on the way.
    Damaged,
    /// They never left: they lie where they lay.
    NotLoaded,
}

impl MissingReason {
    fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Damaged => "damaged",
            Self::NotLoaded => "not_loaded",
        }
    }
}

/// So many units do not come.
#[derive(Clone, Debug)]
pub struct MissingLine {
    /// What.
    pub item: Item,
    /// Units.
    pub quantity: i32,
    /// Why.
    pub reason: MissingReason,
}

/// So many of a lot, of what is awaited.
struct Awaited {
    product_id: ProductId,
    lot_id: LotId,
    quantity: i32,
}

/// Takes what has come into the cells. When nothing is awaited any more, the transfer is received.
pub async fn receive_transfer(tx: &mut EnterpriseTx, id: TransferId, lines: &[ArrivedLine]) -> Result<Transferred> {
    let held = look::lock(tx, id, Permission::ReceiveGoods, look::End::To).await?;
    held.status.check(TransferStatus::Receiving)?;
    for (row, line) in lines.iter().enumerate() {
        check_quantity(row, line.quantity)?;
    }
    let heading = held.heading();
    let (items, cells) = (lines.iter().map(|line| &line.item), lines.iter().map(|line| &line.cell));
    let batch = Batch::open(tx, &heading, Permission::ReceiveGoods, items, cells).await?;
    let mut goods = look::goods(tx, id).await?;
    let judge = |(row, line): (usize, &ArrivedLine)| -> Verdict<Vec<(Moved, bool)>> {
        let cell_id = batch.taking_cell(&line.cell)?;
        let come = |awaited: Awaited| (moved(&awaited, cell_id.into(), None), line.quarantine);
        Ok(take(&mut goods, &batch, row, line.quantity)?.into_iter().map(come).collect())
    };
    let verdicts = lines.iter().enumerate().map(judge).collect();
    let come: Vec<_> = settle(heading.mode, verdicts)?.into_iter().flatten().flatten().collect();
    let entries: Vec<_> = come.iter().map(|(moved, _)| *moved).collect();
    write(tx, EntryKind::TransferIn, By { transfer: Some(id), ..By::default() }, &entries).await?;
    quarantine(tx, &heading, come.iter().filter(|(_, quarantine)| *quarantine).filter_map(|(moved, _)| part(moved)))
        .await?;
    let status = if is_over(&goods) { TransferStatus::Received } else { TransferStatus::Receiving };
    finish(tx, id, status, Action::TransferReceived, &entries).await
}

/// Closes a transfer of which nothing more comes: every unit that is still awaited has its reason.
pub async fn close_transfer(tx: &mut EnterpriseTx, id: TransferId, lines: &[MissingLine]) -> Result<Transferred> {
    let held = look::lock(tx, id, Permission::ReceiveGoods, look::End::To).await?;
    held.status.check(TransferStatus::Received)?;
    for (row, line) in lines.iter().enumerate() {
        check_quantity(row, line.quantity)?;
    }
    let heading = held.heading();
    let items = lines.iter().map(|line| &line.item);
    let batch = Batch::open(tx, &heading, Permission::ReceiveGoods, items, std::iter::empty()).await?;
    let mut goods = look::goods(tx, id).await?;
    let judge = |(row, line): (usize, &MissingLine)| -> Verdict<Vec<(Awaited, MissingReason)>> {
        let missing = take(&mut goods, &batch, row, line.quantity)?;
        Ok(missing.into_iter().map(|awaited| (awaited, line.reason)).collect())
    };
    let verdicts = lines.iter().enumerate().map(judge).collect();
    let missing: Vec<_> = settle(heading.mode, verdicts)?.into_iter().flatten().flatten().collect();
    check_explained(tx, &goods).await?;
    let (mut gone, mut back) = (Vec::new(), Vec::new());
    for (awaited, reason) in &missing {
        match reason {
            MissingReason::Lost | MissingReason::Damaged => {
                gone.push(moved(awaited, Outside::Loss.into(), Some(reason.name())));
            }
            MissingReason::NotLoaded => {
                let &Awaited { product_id, lot_id, quantity } = awaited;
                back.extend(give_back(tx, id, product_id, lot_id, quantity, Some(reason.name())).await?);
            }
        }
    }
    let by = By { transfer: Some(id), ..By::default() };
    write(tx, EntryKind::TransferLoss, by, &gone).await?;
    write(tx, EntryKind::TransferBack, by, &back).await?;
    gone.extend(back);
    finish(tx, id, TransferStatus::Received, Action::TransferClosed, &gone).await
}

/// Takes so many units of what a row names off what is awaited.
fn take(goods: &mut [TransferGoods], batch: &Batch, row: usize, quantity: i32) -> Verdict<Vec<Awaited>> {
    let (product_id, lot_id) = (batch.product(row)?, batch.lot(row)?);
    let fits = |lot: &&mut TransferGoods| lot.product_id == product_id && lot_id.is_none_or(|id| lot.lot_id == id);
    let fitting: Vec<_> = goods.iter_mut().filter(fits).collect();
    let awaited: i64 = fitting.iter().map(|lot| lot.in_transit).sum();
    if awaited < i64::from(quantity) {
        return Err((Refusal::TransferExceeded, format!("{awaited} are on their way, not {quantity}")));
    }
    let (mut open, mut taken) = (quantity, Vec::new());
    for lot in fitting {
        let quantity = open.min(i32::try_from(lot.in_transit).unwrap_or(i32::MAX));
        if quantity > 0 {
            open -= quantity;
            lot.in_transit -= i64::from(quantity);
            taken.push(Awaited { product_id, lot_id: lot.lot_id, quantity });
        }
    }
    Ok(taken)
}

fn moved(awaited: &Awaited, to: crate::inventory::write::Place, reason: Option<&'static str>) -> Moved {
    let &Awaited { product_id, lot_id, quantity } = awaited;
    let from = Outside::InTransit.into();
    Moved { id: StockEntryId::new(), product_id, lot_id, from, to, quantity, order: None, reason }
}

fn part(moved: &Moved) -> Option<Part> {
    let &Moved { product_id, lot_id, quantity, to, .. } = moved;
    Some(Part { id: HoldId::new().0, product_id, lot_id, cell_id: to.cell_id()?, quantity })
}

fn is_over(goods: &[TransferGoods]) -> bool {
    goods.iter().all(|lot| lot.in_transit == 0)
}

async fn check_explained(tx: &mut EnterpriseTx, goods: &[TransferGoods]) -> Result<()> {
    let Some(open) = goods.iter().find(|lot| lot.in_transit > 0) else { return Ok(()) };
    let sku = look::sku(tx, open.product_id).await?;
    let detail = format!("{} of {sku} are on their way, and nobody says why they do not come", open.in_transit);
    Err(Error::refused(Refusal::TransferUnexplained, detail))
}

async fn finish(
    tx: &mut EnterpriseTx,
    id: TransferId,
    status: TransferStatus,
    action: Action,
    entries: &[Moved],
) -> Result<Transferred> {
    let now = tx.now().await?;
    let closed_at = (status == TransferStatus::Received).then_some(now);
    sqlx::query!(
        "UPDATE transfers SET status = $2, closed_at = $3 WHERE id = $1",
        id as _,
        status as TransferStatus,
        closed_at
    )
    .execute(tx.conn())
    .await?;
    let quantity: i64 = entries.iter().map(|moved| i64::from(moved.quantity)).sum();
    audit::noted(tx, action, Object::of("transfer", id), &json!({ "status": status, "quantity": quantity })).await?;
    let freed = entries.iter().filter(|moved| moved.to.cell_id().is_some()).map(|moved| moved.product_id).collect();
    Ok(Transferred { transfer: look::show(tx, id).await?, freed })
}
