//! Making picking requests, and what becomes of their lines when an order leaves them.

use chrono::{DateTime, Utc};

use super::{Priority, Request, RequestStatus, RequestType, look, store};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{MoveLineId, OrderId, PickLineId, ProductId, RequestId, UserId, WarehouseId};
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
    insert_lines(tx, id, &orders).await?;
    orders::step(tx, &orders, OrderStatus::Reserved, OrderStatus::Picking, None).await?;
    let request = look::show(tx, id).await?;
    audit::created(tx, Action::RequestCreated, Object::of("request", id), &request).await?;
    Ok(request)
}

/// One line for each unit that is still to be taken; what was taken before its request was called off lies in packing.
async fn insert_lines(tx: &mut EnterpriseTx, id: RequestId, orders: &[OrderId]) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    let walk = sqlx::query!(
        r#"SELECT r.order_id AS "order_id!: OrderId", r.part, r.product_id, r.cell_id
           FROM reservations AS r
           JOIN cells AS c ON c.id = r.cell_id
           JOIN orders AS o ON o.id = r.order_id
           WHERE r.order_id = ANY($1) AND r.status = 'active' AND c.purpose <> 'packing'
           ORDER BY c.pick_sequence, c.code, r.product_id, o.placed_at, o.wb_order_id, r.part"#,
        &orders.iter().map(|order| order.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO pick_lines (enterprise_id, id, request_id, position, order_id, part, product_id, cell_id)
         SELECT $1, walk.id, $2, walk.position, walk.order_id, walk.part, walk.product_id, walk.cell_id
         FROM unnest($3::uuid[], $4::uuid[], $5::int[], $6::uuid[], $7::uuid[])
              WITH ORDINALITY AS walk (id, order_id, part, product_id, cell_id, position)
         ORDER BY walk.cell_id",
        enterprise_id as _,
        id as _,
        &walk.iter().map(|_| PickLineId::new().0).collect::<Vec<_>>(),
        &walk.iter().map(|unit| unit.order_id.0).collect::<Vec<_>>(),
        &walk.iter().map(|unit| unit.part).collect::<Vec<_>>(),
        &walk.iter().map(|unit| unit.product_id.0).collect::<Vec<_>>(),
        &walk.iter().map(|unit| unit.cell_id.0).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
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

/// Orders that are to be picked anew: what was picked for them counts no more.
pub async fn undo_picks(tx: &mut EnterpriseTx, orders: &[OrderId]) -> Result<()> {
    sqlx::query!(
        "UPDATE pick_lines SET status = 'cancelled', picked_at = NULL, picked_by = NULL WHERE order_id = ANY($1) AND status = 'picked'",
        &orders.iter().map(|order| order.0).collect::<Vec<_>>()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What orders held and hold no more: what was picked of it must go back, the products of the rest are answered.
pub async fn call_back(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    held: Vec<Held>,
    why: &str,
) -> Result<Vec<ProductId>> {
    let packing = warehouses::packing_cell(tx, warehouse_id).await?;
    let (picked, free): (Vec<_>, Vec<_>) = held.into_iter().partition(|unit| unit.cell_id == packing);
    if !picked.is_empty() {
        open_put_back(tx, warehouse_id, &picked, why).await?;
    }
    Ok(free.into_iter().map(|unit| unit.product_id).collect())
}

/// Somebody is asked to bring picked units from packing to the cells they came from.
async fn open_put_back(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, picked: &[Held], why: &str) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    let new = NewPicking {
        warehouse_id,
        orders: None,
        count: 1,
        assignee_id: None,
        priority: Priority::High,
        due_at: None,
        comment: Some(why.to_owned()),
    };
    let id = insert(tx, RequestType::StockMove, &new).await?;
    let lines = sqlx::query!(
        "INSERT INTO move_lines (enterprise_id, id, request_id, order_id, part, product_id, lot_id, from_cell_id, to_cell_id, quantity)
         SELECT $1, u.id, $2, u.order_id, u.part, u.product_id, u.lot_id, u.cell_id, came.from_cell_id, 1
         FROM unnest($3::uuid[], $4::uuid[], $5::int[], $6::uuid[], $7::uuid[], $8::uuid[])
              AS u (id, order_id, part, product_id, lot_id, cell_id)
         CROSS JOIN LATERAL (SELECT e.from_cell_id FROM stock_entries AS e
                             WHERE e.order_id = u.order_id AND e.part = u.part AND e.kind = 'pick'
                             ORDER BY e.id DESC LIMIT 1) AS came",
        enterprise_id as _,
        id as _,
        &picked.iter().map(|_| MoveLineId::new().0).collect::<Vec<_>>(),
        &picked.iter().map(|unit| unit.order_id.0).collect::<Vec<_>>(),
        &picked.iter().map(|unit| unit.part).collect::<Vec<_>>(),
        &picked.iter().map(|unit| unit.product_id.0).collect::<Vec<_>>(),
        &picked.iter().map(|unit| unit.lot_id.0).collect::<Vec<_>>(),
        &picked.iter().map(|unit| unit.cell_id.0).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if usize::try_from(lines) != Ok(picked.len()) {
        return Err(Error::Inconsistent(format!("{lines} of {} units were picked from anywhere", picked.len())));
    }
    Ok(())
}
