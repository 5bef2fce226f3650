//! Scans: a cell, then the items taken out of it or put back into it; at packing, the sticker that was put onto the item.
//! A wrong scan is refused in words that say what to do instead.

use serde::{Deserialize, Serialize};

use super::{PickLineStatus, RequestStatus, RequestType, enter, put_back, store};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, MoveLineId, OrderId, PickLineId, ProductId, RequestId};
use crate::orders::{self, OrderStatus};
use crate::{Error, Refusal, Result, inventory, products, warehouses};

/// What was scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
pub enum ScanKind {
    /// The code of a cell.
    Cell,
    /// A barcode of a product.
    Item,
}

/// One scan.
#[derive(Clone, Debug)]
pub struct Scan {
    /// What.
    pub kind: ScanKind,
    /// As the scanner read it.
    pub code: String,
}

/// What a scan did, and what comes next.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// The line that was picked by it.
    pub picked: Option<PickLineId>,
    /// The line that was put back by it.
    pub put_back: Option<MoveLineId>,
    /// Where to go now: the first open line's position, cell and product.
    pub next: Option<Next>,
    /// Lines still open.
    pub open_lines: i64,
}

/// The next thing to take, or to put back.
#[derive(Clone, Debug)]
pub struct Next {
    /// The pick step.
    pub position: i32,
    /// The cell's code.
    pub cell: String,
    /// What to take.
    pub sku: String,
    /// What it is.
    pub name: String,
}

struct Line {
    id: PickLineId,
    order_id: OrderId,
    part: i32,
    product_id: ProductId,
    cell_id: CellId,
    order_status: OrderStatus,
}

/// Takes a scan in.
pub async fn scan(tx: &mut EnterpriseTx, id: RequestId, scan: &Scan) -> Result<Scanned> {
    enter(tx, id, Permission::WorkRequests).await?;
    let code = scan.code.trim();
    if code.is_empty() || code.chars().count() > 200 {
        return Err(Error::invalid("code", "must have 1 to 200 characters"));
    }
    let request = store::lock(tx, id).await?;
    let takes_back = match request.r#type {
        RequestType::OrderPicking => false,
        RequestType::StockMove => true,
        RequestType::GoodsReceipt | RequestType::StockCount | RequestType::WriteOff | RequestType::Supply => {
            return Err(Error::refused(
                Refusal::RequestTransition,
                "only what is picked or put back is scanned in a request",
            ));
        }
    };
    if request.status != RequestStatus::InProgress {
        return Err(Error::Refused {
            refusal: Refusal::RequestTransition,
            detail: format!("the request is {}: start it first", request.status.name()),
            allowed: vec![RequestStatus::InProgress.name().to_owned()],
        });
    }
    let (mut picked, mut returned) = (None, None);
    match scan.kind {
        ScanKind::Cell => {
            let cell = warehouses::find_cell(tx, request.warehouse_id, code)
                .await?
                .ok_or_else(|| Error::refused(Refusal::CellUnknown, format!("the warehouse has no cell {code}")))?;
            if takes_back {
                put_back::check_cell(&cell)?;
            } else {
                check_cell(tx, id, cell.id, &cell.code).await?;
            }
            stand_at(tx, id, cell.id).await?;
        }
        ScanKind::Item => {
            let cell = request
                .at_cell_id
                .ok_or_else(|| Error::refused(Refusal::CellNotScanned, "scan the cell you stand at first"))?;
            let product_id = products::by_barcode(tx, code).await?;
            if takes_back {
                returned = Some(put_back::put(tx, id, cell, product_id).await?);
            } else {
                picked = Some(take(tx, id, request.warehouse_id, cell, product_id).await?);
            }
        }
    }
    let next = if takes_back { put_back::next(tx, id).await? } else { next(tx, id).await? };
    Ok(Scanned { picked, put_back: returned, next, open_lines: store::open_lines(tx, id).await? })
}

async fn stand_at(tx: &mut EnterpriseTx, id: RequestId, cell: CellId) -> Result<()> {
    sqlx::query!("UPDATE requests SET at_cell_id = $2 WHERE id = $1", id as _, cell as _).execute(tx.conn()).await?;
    Ok(())
}

async fn check_cell(tx: &mut EnterpriseTx, id: RequestId, cell: CellId, code: &str) -> Result<()> {
    if open_lines(tx, id).await?.iter().any(|line| line.cell_id == cell) {
        return Ok(());
    }
    let words =
        next(tx, id).await?.map_or_else(|| "nothing is left to take".to_owned(), |next| format!("go to {}", next.cell));
    Err(Error::refused(Refusal::WrongCell, format!("nothing of this request lies in {code}: {words}")))
}

async fn take(
    tx: &mut EnterpriseTx,
    id: RequestId,
    warehouse_id: crate::ids::WarehouseId,
    cell: CellId,
    product_id: ProductId,
) -> Result<PickLineId> {
    inventory::line_up(tx, &[product_id]).await?;
    let open = open_lines(tx, id).await?;
    let Some(line) = open.iter().find(|line| line.cell_id == cell && line.product_id == product_id) else {
        return Err(wrong_item(tx, &open, cell, product_id).await?);
    };
    if line.order_status == OrderStatus::Cancelled {
        return Err(Error::refused(
            Refusal::OrderCancelled,
            "STOP: the order was cancelled, leave the item in its cell",
        ));
    }
    let (actor, now) = (tx.actor().to_string(), tx.now().await?);
    let packing = warehouses::packing_cell(tx, warehouse_id).await?;
    if open.iter().filter(|other| other.order_id == line.order_id).count() == 1 {
        orders::step(tx, &[line.order_id], line.order_status, OrderStatus::Picked, None).await?;
    }
    inventory::pick(tx, line.order_id, line.part, packing).await?;
    sqlx::query!(
        "UPDATE pick_lines SET status = $2, picked_at = $3, picked_by = $4 WHERE id = $1",
        line.id as _,
        PickLineStatus::Picked as PickLineStatus,
        now,
        actor,
    )
    .execute(tx.conn())
    .await?;
    Ok(line.id)
}

/// Says what was scanned and what is to be taken instead.
async fn wrong_item(tx: &mut EnterpriseTx, open: &[Line], cell: CellId, product_id: ProductId) -> Result<Error> {
    let scanned = products::show(tx, product_id).await?;
    let expected = match open.iter().find(|line| line.cell_id == cell) {
        Some(line) => {
            let product = products::show(tx, line.product_id).await?;
            format!("take {} «{}»", product.sku, product.name)
        }
        None => "everything of this cell is already taken".to_owned(),
    };
    Ok(Error::refused(Refusal::WrongItem, format!("this is {} «{}»: {expected}", scanned.sku, scanned.name)))
}

/// What is still to be taken, by position; its orders are held, in the order of their ids as everybody holds them.
async fn open_lines(tx: &mut EnterpriseTx, id: RequestId) -> Result<Vec<Line>> {
    Ok(sqlx::query_as!(
        Line,
        "WITH held AS MATERIALIZED (
             SELECT id, status FROM orders
             WHERE id IN (SELECT order_id FROM pick_lines WHERE request_id = $1 AND status = 'pending')
             ORDER BY id FOR NO KEY UPDATE
         )
         SELECT l.id, l.order_id, l.part, l.product_id, l.cell_id, o.status AS order_status
         FROM pick_lines AS l JOIN held AS o ON o.id = l.order_id
         WHERE l.request_id = $1 AND l.status = 'pending' ORDER BY l.position",
        id as _
    )
    .fetch_all(tx.conn())
    .await?)
}

async fn next(tx: &mut EnterpriseTx, id: RequestId) -> Result<Option<Next>> {
    Ok(sqlx::query_as!(
        Next,
        "SELECT l.position, c.code AS cell, p.sku, p.name
         FROM pick_lines AS l JOIN cells AS c ON c.id = l.cell_id JOIN products AS p ON p.id = l.product_id
         WHERE l.request_id = $1 AND l.status = 'pending' ORDER BY l.position LIMIT 1",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?)
}
