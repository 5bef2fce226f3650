//! Making picking requests, and what becomes of their lines when an order leaves them.

use chrono::{DateTime, Utc};

use super::{Priority, Request, RequestStatus, RequestType, look, store};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{MoveLineId, OrderId, PickLineId, RequestId, UserId, WarehouseId};
use crate::inventory::Held;
use crate::orders::{self, OrderStatus};
use crate::{Error, Refusal, Result, warehouses};

/// The largest picking request, in orders.
pub const MAX_ORDERS: usize = 500;

/// A picking request to be made.
#[derive(Clone, Debug)]
pub struct NewPicking {
    /// In which warehouse.
    pub warehouse_id: WarehouseId,
    /// These orders; when absent, the longest waiting ones.
    pub orders: Option<Vec<OrderId>>,
    /// How many of the longest waiting ones.
    pub count: usize,
    /// For whom.
    pub assignee_id: Option<UserId>,
    /// How urgent.
    pub priority: Priority,
    /// By when.
    pub due_at: Option<DateTime<Utc>>,
    /// In words.
    pub comment: Option<String>,
}

/// Makes a picking request; its lines stand in walking order, from the first cell to the last.
pub async fn create_picking(tx: &mut EnterpriseTx, new: &NewPicking) -> Result<Request> {
    warehouses::enter_open(tx, new.warehouse_id, Permission::ManageRequests).await?;
    let orders = choose(tx, new).await?;
    let id = insert(tx, RequestType::OrderPicking, new).await?;
    let (enterprise_id, lines) = (tx.enterprise_id(), orders.iter().map(|_| PickLineId::new().0).collect::<Vec<_>>());
    let numbers: Vec<_> = orders.iter().map(|order| order.0).collect();
    sqlx::query!(
        "INSERT INTO pick_lines (enterprise_id, id, request_id, position, order_id, product_id, cell_id)
         SELECT $1, ($3::uuid[])[walk.position], $2, walk.position, walk.order_id, walk.product_id, walk.cell_id
         FROM (SELECT r.order_id, r.product_id, r.cell_id,
                      row_number() OVER (ORDER BY c.pick_sequence, c.code, r.product_id, o.placed_at, o.wb_order_id)::int AS position
               FROM reservations AS r
               JOIN cells AS c ON c.id = r.cell_id
               JOIN orders AS o ON o.id = r.order_id
               WHERE r.order_id = ANY($4) AND r.status = 'active') AS walk",
        enterprise_id as _,
        id as _,
        &lines,
        &numbers,
    )
    .execute(tx.conn())
    .await?;
    orders::step(tx, &orders, OrderStatus::Reserved, OrderStatus::Picking, None).await?;
    let request = look::show(tx, id).await?;
    audit::created(tx, Action::RequestCreated, Object::of("request", id), &request).await?;
    Ok(request)
}

/// The orders to pick, locked: the named ones must all be reserved in this warehouse, the longest waiting ones are
/// taken past what somebody else is just taking.
async fn choose(tx: &mut EnterpriseTx, new: &NewPicking) -> Result<Vec<OrderId>> {
    let wanted = new.orders.as_ref().map_or(new.count, Vec::len);
    if wanted == 0 || wanted > MAX_ORDERS {
        return Err(Error::invalid(
            if new.orders.is_some() { "orderIds" } else { "count" },
            format!("must be 1 to {MAX_ORDERS}"),
        ));
    }
    let Some(named) = &new.orders else {
        let found = sqlx::query_scalar!(
            "SELECT id FROM orders WHERE warehouse_id = $1 AND status = 'reserved' AND supply_id IS NULL
               AND NOT EXISTS (SELECT FROM reservations AS r JOIN cells AS c ON c.id = r.cell_id
                               WHERE r.order_id = orders.id AND r.status = 'active' AND num_nonnulls(c.blocked_at, c.frozen_count_id) > 0)
             ORDER BY placed_at, id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
            new.warehouse_id as _,
            i64::try_from(wanted).expect("bounded"),
        )
        .fetch_all(tx.conn())
        .await?;
        if found.is_empty() {
            return Err(Error::refused(Refusal::OrderNotPickable, "no order of this warehouse waits to be picked"));
        }
        return Ok(found);
    };
    let numbers: Vec<_> = named.iter().map(|order| order.0).collect();
    let rows = sqlx::query!(
        "SELECT id, wb_order_id, status, warehouse_id FROM orders WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
        &numbers
    )
    .fetch_all(tx.conn())
    .await?;
    let reach = tx.require(Permission::ManageRequests)?;
    if rows.len() != named.len() || rows.iter().any(|row| !reach.holds_in(row.warehouse_id)) {
        return Err(Error::NotFound("order"));
    }
    for row in &rows {
        if row.warehouse_id != Some(new.warehouse_id) {
            return Err(Error::refused(
                Refusal::OrderNotPickable,
                format!("order {} belongs to another warehouse", row.wb_order_id),
            ));
        }
        match row.status {
            OrderStatus::Reserved => {}
            OrderStatus::Picking | OrderStatus::Picked | OrderStatus::Packed => {
                return Err(Error::refused(
                    Refusal::OrderAlreadyInRequest,
                    format!("order {} is {}", row.wb_order_id, row.status.name()),
                ));
            }
            OrderStatus::Cancelled => {
                return Err(Error::refused(Refusal::OrderCancelled, format!("order {} is cancelled", row.wb_order_id)));
            }
            OrderStatus::New
            | OrderStatus::OutOfStock
            | OrderStatus::Shipped
            | OrderStatus::Delivered
            | OrderStatus::Impossible
            | OrderStatus::Returned => {
                return Err(Error::refused(
                    Refusal::OrderNotPickable,
                    format!("order {} is {}", row.wb_order_id, row.status.name()),
                ));
            }
        }
    }
    Ok(rows.into_iter().map(|row| row.id).collect())
}

pub(super) async fn insert(tx: &mut EnterpriseTx, r#type: RequestType, new: &NewPicking) -> Result<RequestId> {
    let (id, enterprise_id, now) = (RequestId::new(), tx.enterprise_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO requests (enterprise_id, id, type, status, priority, warehouse_id, due_at, comment, created_at, changed_at)
         VALUES ($1, $2, $3, 'created', $4, $5, $6, $7, $8, $8)",
        enterprise_id as _,
        id as _,
        r#type as RequestType,
        new.priority as Priority,
        new.warehouse_id as _,
        new.due_at,
        new.comment,
        now,
    )
    .execute(tx.conn())
    .await?;
    store::write_history(tx, id, None, RequestStatus::Created, None).await?;
    if let Some(assignee) = new.assignee_id {
        store::assign(tx, id, assignee).await?;
        store::step(tx, id, RequestStatus::Created, RequestStatus::Assigned, None).await?;
    }
    Ok(id)
}

/// Orders that were cancelled or shipped have nothing left to pick.
pub async fn close_lines(tx: &mut EnterpriseTx, orders: &[OrderId]) -> Result<()> {
    sqlx::query!(
        "UPDATE pick_lines SET status = 'cancelled' WHERE order_id = ANY($1) AND status = 'pending'",
        &orders.iter().map(|order| order.0).collect::<Vec<_>>()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A picked unit of a cancelled order must go back: somebody is asked to, from packing to the cell it came from.
pub async fn open_put_back(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, unit: &Held) -> Result<RequestId> {
    let enterprise_id = tx.enterprise_id();
    let home = sqlx::query_scalar!(
        "SELECT from_cell_id FROM stock_entries WHERE order_id = $1 AND kind = 'pick' ORDER BY id DESC LIMIT 1",
        unit.order_id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .flatten()
    .ok_or_else(|| Error::Inconsistent(format!("order {} was picked from nowhere", unit.order_id)))?;
    let new = NewPicking {
        warehouse_id,
        orders: None,
        count: 1,
        assignee_id: None,
        priority: Priority::High,
        due_at: None,
        comment: Some("Заказ отменён: верните товар в ячейку".to_owned()),
    };
    let id = insert(tx, RequestType::StockMove, &new).await?;
    sqlx::query!(
        "INSERT INTO move_lines (enterprise_id, id, request_id, order_id, product_id, from_cell_id, to_cell_id, quantity)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1)",
        enterprise_id as _,
        MoveLineId::new() as _,
        id as _,
        unit.order_id as _,
        unit.product_id as _,
        unit.cell_id as _,
        home as _,
    )
    .execute(tx.conn())
    .await?;
    Ok(id)
}
