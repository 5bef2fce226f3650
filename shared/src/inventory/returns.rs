//! Goods that come back from Wildberries: of orders that were cancelled on their way, or that buyers gave back. The parcel's
//! sticker says which order it is; all of its units come back together, into the cell that whoever unpacks them chooses.

use std::collections::HashMap;

use super::admit::{Rows, judge_rows};
use super::batch::{Batch, DocumentKind, Heading, Posted, Row, Verdict, document, enter, touched};
use super::fulfil::{moved, shipped};
use super::shelf::Shelf;
use super::turn::line_up;
use super::write::{By, Moved, UnitOfOrder, write};
use super::{EntryKind, Outside};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{LotId, OrderId, ProductId, WarehouseId, WbOrderId};
use crate::orders::OrderStatus;
use crate::{Error, Refusal, Result};

/// A parcel that came back.
#[derive(Clone, Debug)]
pub struct ReturnLine {
    /// Of this order,
    pub order_id: Option<OrderId>,
    /// or of the order of this sticker, as a scanner reads it.
    pub sticker: Option<String>,
    /// The code of the cell where its goods were put.
    pub cell: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Returned {
    /// The document and what became of each line.
    pub posted: Posted,
    /// The orders, each with where it was.
    pub orders: Vec<(OrderId, OrderStatus)>,
}

/// An order that may come back.
struct Order {
    id: OrderId,
    wb_order_id: WbOrderId,
    status: OrderStatus,
}

type Units = HashMap<OrderId, Vec<(UnitOfOrder, (ProductId, LotId))>>;

/// Takes the goods of returned orders into the ledger; the orders are locked and still where they were.
pub(crate) async fn receive_returns(
    tx: &mut EnterpriseTx,
    heading: &Heading,
    lines: &[ReturnLine],
) -> Result<Returned> {
    enter(tx, heading, Permission::ReceiveGoods, lines.len()).await?;
    let named = find(tx, lines).await?;
    let ids: Vec<_> = named.iter().flatten().copied().collect();
    let mut units = Units::new();
    for unit in shipped(tx, &ids).await? {
        units.entry(unit.0.order_id).or_default().push(unit);
    }
    let products: Vec<_> = units.values().flatten().map(|(_, (product_id, _))| *product_id).collect();
    line_up(tx, &products).await?;
    let orders = lock(tx, &ids).await?;
    let mut batch = Batch::of_cells(tx, heading, lines.iter().map(|line| &line.cell)).await?;
    let judge = |batch: &mut Batch, _: &mut Shelf, row: usize| -> Verdict<Vec<Moved>> {
        if named[row].is_some() && named[..row].contains(&named[row]) {
            return Err((Refusal::OrderTransition, "a line before it is about the same order".to_owned()));
        }
        judge(batch, &lines[row], named[row].and_then(|id| orders.get(&id)), &units)
    };
    let limited = batch.limited(lines.iter().map(|line| &line.cell));
    let rows = Rows { count: lines.len(), mode: heading.mode, kind: EntryKind::ReturnReceived, limited };
    let judged = judge_rows(tx, &mut batch, &mut Shelf::default(), rows, judge, |moved| *moved).await?;
    let done = judged.iter().zip(&named).filter(|(row, _)| row.is_ok());
    let orders = done.filter_map(|(_, id)| orders.get(id.as_ref()?)).map(|order| (order.id, order.status)).collect();
    let back: Vec<_> = judged.iter().flatten().flatten().copied().collect();
    let rows: Vec<Row> =
        judged.into_iter().map(|row| row.map(|moved| moved.iter().filter_map(Moved::part).collect())).collect();
    let document = document(tx, heading, DocumentKind::Return, &rows).await?;
    let by = By { document: document.as_ref().map(|document| document.id), ..By::default() };
    write(tx, EntryKind::ReturnReceived, by, &back).await?;
    let freed = touched(&rows);
    Ok(Returned { posted: Posted { document, rows, freed }, orders })
}

/// The units that a line brings back.
fn judge(batch: &Batch, line: &ReturnLine, order: Option<&Order>, units: &Units) -> Verdict<Vec<Moved>> {
    let Some(order) = order else {
        return Err(match &line.sticker {
            Some(sticker) => (Refusal::StickerUnknown, format!("no order has the sticker {sticker}")),
            None => (Refusal::OrderUnknown, "there is no such order".to_owned()),
        });
    };
    let (number, from) = (order.wb_order_id, order.status);
    let place = match from {
        OrderStatus::Cancelled => Outside::Returning,
        OrderStatus::Delivered => Outside::Customer,
        OrderStatus::Returned => {
            return Err((Refusal::OrderTransition, format!("order {number} has come back already")));
        }
        OrderStatus::New
        | OrderStatus::OutOfStock
        | OrderStatus::Reserved
        | OrderStatus::Picking
        | OrderStatus::Picked
        | OrderStatus::Packed
        | OrderStatus::Shipped
        | OrderStatus::Impossible => {
            let detail = format!("order {number} is {}: it comes back once it is cancelled or delivered", from.name());
            return Err((Refusal::OrderTransition, detail));
        }
    };
    let Some(units) = units.get(&order.id) else {
        return Err((Refusal::OrderTransition, format!("nothing of order {number} has left")));
    };
    let cell = batch.taking_cell(&line.cell)?;
    Ok(units.iter().map(|(unit, goods)| moved(*unit, *goods, place, cell)).collect())
}

/// The order that each line names, as far as it is in reach.
async fn find(tx: &mut EnterpriseTx, lines: &[ReturnLine]) -> Result<Vec<Option<OrderId>>> {
    for (row, line) in lines.iter().enumerate() {
        if line.order_id.is_some() == line.sticker.is_some() {
            let field = format!("lines.{row}.orderId");
            return Err(Error::invalid(field, "name an orderId or a sticker, one of them"));
        }
    }
    let reach = tx.require(Permission::ReceiveGoods)?;
    let ids: Vec<_> = lines.iter().filter_map(|line| line.order_id.map(|id| id.0)).collect();
    let stickers: Vec<_> =
        lines.iter().filter_map(|line| line.sticker.as_ref().map(|sticker| sticker.trim().to_owned())).collect();
    let rows = sqlx::query!(
        r#"SELECT o.id AS "id!: OrderId", o.warehouse_id AS "warehouse_id?: WarehouseId", NULL::text AS sticker
           FROM orders AS o WHERE o.id = ANY($1)
           UNION ALL
           SELECT o.id, o.warehouse_id, s.barcode FROM stickers AS s JOIN orders AS o ON o.id = s.order_id WHERE s.barcode = ANY($2)"#,
        &ids,
        &stickers,
    )
    .fetch_all(tx.conn())
    .await?;
    let (mut by_id, mut by_sticker) = (HashMap::new(), HashMap::new());
    for row in rows.into_iter().filter(|row| reach.holds_in(row.warehouse_id)) {
        match row.sticker {
            Some(sticker) => by_sticker.insert(sticker, row.id),
            None => by_id.insert(row.id, row.id),
        };
    }
    let find = |line: &ReturnLine| match (&line.sticker, line.order_id) {
        (Some(sticker), _) => by_sticker.get(sticker.trim()).copied(),
        (None, Some(id)) => by_id.get(&id).copied(),
        (None, None) => None,
    };
    Ok(lines.iter().map(find).collect())
}

async fn lock(tx: &mut EnterpriseTx, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>> {
    let rows = sqlx::query_as!(
        Order,
        "SELECT id, wb_order_id, status FROM orders WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
        &ids.iter().map(|id| id.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|order| (order.id, order)).collect())
}
