//! A transfer leaves, or it does not: what leaves is taken as for an order, what is cancelled on its way comes back.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Transfer, TransferLine, TransferStatus, Transferred, look};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{CellId, LotId, ProductId, StockEntryId, TransferId};
use crate::inventory::batch::{Mode, Verdict, settle};
use crate::inventory::moves::too_little;
use crate::inventory::shelf::{Shelf, Taken, Want};
use crate::inventory::turn::line_up;
use crate::inventory::write::{By, Moved, write};
use crate::inventory::{EntryKind, Outside};
use crate::{Error, Refusal, Result};

/// Sends a planned transfer: all of it or nothing.
pub async fn send_transfer(tx: &mut EnterpriseTx, id: TransferId) -> Result<Transfer> {
    let held = look::lock(tx, id, Permission::MoveStock, look::End::From).await?;
    held.status.check(TransferStatus::InTransit)?;
    look::check_target(tx, held.to_warehouse_id).await?;
    let lines = look::lines(tx, id).await?;
    let products: Vec<_> = lines.iter().map(|line| line.product_id).collect();
    line_up(tx, &products).await?;
    let cells: Vec<_> = lines.iter().filter_map(|line| line.cell_id).collect();
    let mut shelves = Shelves {
        named: Shelf::in_cells(tx, &cells, &products).await?,
        storage: Shelf::in_storage(tx, &[held.from_warehouse_id], &products).await?,
    };
    // Who names a cell comes first: the others can do without it.
    let mut order: Vec<_> = (0..lines.len()).collect();
    order.sort_by_key(|row| lines[*row].cell_id.is_none());
    let mut verdicts: BTreeMap<usize, Verdict<Vec<Moved>>> = BTreeMap::new();
    for row in order {
        verdicts.insert(row, shelves.leave(&held, &lines[row]));
    }
    let rows = settle(Mode::AllOrNothing, verdicts.into_values().collect())?;
    let moved: Vec<_> = rows.into_iter().flatten().flatten().collect();
    write(tx, EntryKind::TransferOut, By { transfer: Some(id), ..By::default() }, &moved).await?;
    let now = tx.now().await?;
    sqlx::query!("UPDATE transfers SET status = 'in_transit', sent_at = $2 WHERE id = $1", id as _, now)
        .execute(tx.conn())
        .await?;
    let quantity: i64 = moved.iter().map(|moved| i64::from(moved.quantity)).sum();
    let facts = json!({ "status": TransferStatus::InTransit, "quantity": quantity });
    audit::noted(tx, Action::TransferSent, Object::of("transfer", id), &facts).await?;
    look::show(tx, id).await
}

/// The same goods as they lie in named cells and as they may be had from anywhere.
struct Shelves {
    named: Shelf,
    storage: Shelf,
}

impl Shelves {
    fn leave(&mut self, held: &look::Locked, line: &TransferLine) -> Verdict<Vec<Moved>> {
        let &TransferLine { product_id, lot_id, cell_id, quantity, .. } = line;
        let want = Want { product_id, warehouse_id: held.from_warehouse_id, cell_id, lot_id, quantity };
        let stock = if cell_id.is_some() { &mut self.named } else { &mut self.storage };
        let from = if cell_id.is_some() { "the cell" } else { "the warehouse" };
        let taken = stock.take(want).map_err(|short| too_little(from, quantity, short))?;
        if cell_id.is_some() {
            for &Taken { cell_id, lot_id, quantity } in &taken {
                // Where orders are not served from, there is nothing to be taken off.
                let same = Want { cell_id: Some(cell_id), lot_id: Some(lot_id), quantity, ..want };
                drop(self.storage.take(same));
            }
        }
        let moved = |Taken { cell_id, lot_id, quantity }| Moved {
            id: StockEntryId::new(),
            product_id,
            lot_id,
            from: cell_id.into(),
            to: Outside::InTransit.into(),
            quantity,
            order: None,
            reason: None,
        };
        Ok(taken.into_iter().map(moved).collect())
    }
}

/// Drops a planned transfer, or takes one back of which nothing has come: its goods lie again where they lay.
pub async fn cancel_transfer(tx: &mut EnterpriseTx, id: TransferId) -> Result<Transferred> {
    let held = look::lock(tx, id, Permission::MoveStock, look::End::From).await?;
    held.status.check(TransferStatus::Cancelled)?;
    let goods = look::goods(tx, id).await?;
    let products: Vec<_> = goods.iter().map(|lot| lot.product_id).collect();
    line_up(tx, &products).await?;
    let mut back = Vec::new();
    for lot in &goods {
        let quantity =
            i32::try_from(lot.in_transit).map_err(|_| Error::Inconsistent("a lot without end".to_owned()))?;
        back.extend(give_back(tx, id, lot.product_id, lot.lot_id, quantity, None).await?);
    }
    write(tx, EntryKind::TransferBack, By { transfer: Some(id), ..By::default() }, &back).await?;
    let now = tx.now().await?;
    sqlx::query!("UPDATE transfers SET status = 'cancelled', closed_at = $2 WHERE id = $1", id as _, now)
        .execute(tx.conn())
        .await?;
    let (before, after) = (json!({ "status": held.status }), json!({ "status": TransferStatus::Cancelled }));
    audit::changed(tx, Action::TransferCancelled, Object::of("transfer", id), &before, &after).await?;
    Ok(Transferred { transfer: look::show(tx, id).await?, freed: products })
}

/// So many units of a lot go back into the cells out of which they were taken.
pub(super) async fn give_back(
    tx: &mut EnterpriseTx,
    id: TransferId,
    product_id: ProductId,
    lot_id: LotId,
    quantity: i32,
    reason: Option<&'static str>,
) -> Result<Vec<Moved>> {
    let taken = sqlx::query!(
        r#"SELECT from_cell_id AS "cell_id!: CellId", quantity FROM stock_entries
           WHERE transfer_id = $1 AND product_id = $2 AND lot_id = $3 AND kind = 'transfer_out' ORDER BY id"#,
        id as _,
        product_id as _,
        lot_id as _,
    )
    .fetch_all(tx.conn())
    .await?;
    let (mut open, mut back) = (quantity, Vec::new());
    for row in taken {
        let quantity = open.min(row.quantity);
        if quantity > 0 {
            open -= quantity;
            back.push(Moved {
                id: StockEntryId::new(),
                product_id,
                lot_id,
                from: Outside::InTransit.into(),
                to: row.cell_id.into(),
                quantity,
                order: None,
                reason,
            });
        }
    }
    if open > 0 {
        return Err(Error::refused(Refusal::TransferExceeded, format!("{open} more than were sent")));
    }
    Ok(back)
}
