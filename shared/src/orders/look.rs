//! Reading orders.

use chrono::{DateTime, Utc};

use super::OrderStatus;
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, ChrtId, NmId, OrderId, ProductId, SupplyId, WarehouseId, WbOrderId, WbWarehouseId};
use crate::page::{Page, PageQuery};
use crate::{Error, Result};

/// An order as clients see it.
#[derive(Clone, Debug)]
pub struct Order {
    /// Ours.
    pub id: OrderId,
    /// Of which account.
    pub account_id: AccountId,
    /// Wildberries' number.
    pub wb_order_id: WbOrderId,
    /// Where it is here.
    pub status: OrderStatus,
    /// Where it is there, moved by the seller.
    pub supplier_status: String,
    /// Where it is there, moved by Wildberries and the buyer.
    pub wb_status: String,
    /// What was ordered, if the catalogue knows it.
    pub product_id: Option<ProductId>,
    /// From where it is fulfilled.
    pub warehouse_id: Option<WarehouseId>,
    /// The seller's warehouse at Wildberries.
    pub wb_warehouse_id: WbWarehouseId,
    /// The card.
    pub nm_id: NmId,
    /// The size.
    pub chrt_id: ChrtId,
    /// The seller's article code.
    pub article: String,
    /// The barcode that Wildberries names.
    pub barcode: Option<String>,
    /// Minor units; only for who may see money there.
    pub price_minor: Option<i64>,
    /// ISO 4217; likewise.
    pub currency: Option<String>,
    /// Marks that must be given before delivery.
    pub required_marks: Vec<String>,
    /// In which supply.
    pub supply_id: Option<SupplyId>,
    /// When Wildberries showed it in that supply.
    pub in_supply_at: Option<DateTime<Utc>>,
    /// The human code of its sticker, once fetched.
    pub sticker: Option<String>,
    /// When the buyer ordered.
    pub placed_at: DateTime<Utc>,
    /// When it was imported.
    pub imported_at: DateTime<Utc>,
    /// When anything changed.
    pub changed_at: DateTime<Utc>,
}

/// Which orders to list.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// In this status.
    pub status: Option<OrderStatus>,
    /// In this supply.
    pub supply_id: Option<SupplyId>,
    /// With this number at Wildberries.
    pub wb_order_id: Option<WbOrderId>,
}

/// One line of an order's history.
#[derive(Clone, Debug)]
pub struct HistoryLine {
    /// From where; absent when it arrived.
    pub from_status: Option<OrderStatus>,
    /// To where.
    pub to_status: OrderStatus,
    /// Who.
    pub actor: String,
    /// Why.
    pub comment: Option<String>,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

/// One order.
pub async fn get(tx: &mut EnterpriseTx, id: OrderId) -> Result<Order> {
    enter(tx, id, Permission::ReadOrders).await?;
    show(tx, id).await
}

/// Fails as if the order were not there, unless it is in the permission's reach: fulfilled from a warehouse in reach, or
/// on a line of one's own request.
pub(crate) async fn enter(tx: &mut EnterpriseTx, id: OrderId, permission: Permission) -> Result<()> {
    let bounds = tx.bounds(permission)?;
    if bounds.warehouses.is_none() {
        return Ok(());
    }
    let there = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM orders AS o
               WHERE o.id = $1 AND (o.warehouse_id = ANY($2)
                   OR EXISTS (SELECT FROM pick_lines AS l JOIN requests AS r ON r.id = l.request_id
                              WHERE l.order_id = o.id AND r.assignee_id = $3))) AS "there!""#,
        id as _,
        bounds.warehouses.as_deref(),
        bounds.person,
    )
    .fetch_one(tx.conn())
    .await?;
    if there { Ok(()) } else { Err(Error::NotFound("order")) }
}

/// Leaves out what only who may see money there is shown.
fn without_money(tx: &EnterpriseTx, order: Order) -> Order {
    if tx.actor().reach(Permission::ReadMoney).holds_in(order.warehouse_id) {
        return order;
    }
    Order { price_minor: None, currency: None, ..order }
}

/// One order, for a verb that has asked for its own permission.
pub(super) async fn show(tx: &mut EnterpriseTx, id: OrderId) -> Result<Order> {
    let order = sqlx::query_as!(
        Order,
        r#"SELECT o.id, o.account_id, o.wb_order_id, o.status, o.supplier_status, o.wb_status, o.product_id, o.warehouse_id, o.wb_warehouse_id,
                  o.nm_id, o.chrt_id, o.article, o.barcode, o.price_minor AS "price_minor?", o.currency AS "currency?", o.required_marks, o.supply_id, o.in_supply_at,
                  (SELECT s.part_a || ' ' || s.part_b FROM stickers AS s WHERE s.order_id = o.id) AS sticker, o.placed_at, o.imported_at, o.changed_at
           FROM orders AS o
           WHERE o.id = $1"#,
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("order"))?;
    Ok(without_money(tx, order))
}

/// Orders in reach, the longest waiting first.
pub async fn list(tx: &mut EnterpriseTx, filter: &OrderFilter, query: &PageQuery) -> Result<Page<Order>> {
    let bounds = tx.bounds(Permission::ReadOrders)?;
    let after: Option<(DateTime<Utc>, OrderId)> = query.key()?;
    let (placed_at, id) = after.unzip();
    let rows = sqlx::query_as!(
        Order,
        r#"SELECT o.id, o.account_id, o.wb_order_id, o.status, o.supplier_status, o.wb_status, o.product_id, o.warehouse_id, o.wb_warehouse_id,
                  o.nm_id, o.chrt_id, o.article, o.barcode, o.price_minor AS "price_minor?", o.currency AS "currency?", o.required_marks, o.supply_id, o.in_supply_at,
                  (SELECT s.part_a || ' ' || s.part_b FROM stickers AS s WHERE s.order_id = o.id) AS sticker, o.placed_at, o.imported_at, o.changed_at
           FROM orders AS o
           WHERE ($1::text IS NULL OR o.status = $1) AND ($2::uuid IS NULL OR o.supply_id = $2) AND ($3::bigint IS NULL OR o.wb_order_id = $3)
             AND ($4::timestamptz IS NULL OR (o.placed_at, o.id) > ($4, $5::uuid))
             AND ($7::uuid[] IS NULL OR o.warehouse_id = ANY($7)
                  OR EXISTS (SELECT FROM pick_lines AS l JOIN requests AS r ON r.id = l.request_id
                             WHERE l.order_id = o.id AND r.assignee_id = $8))
           ORDER BY o.placed_at, o.id LIMIT $6"#,
        filter.status as Option<OrderStatus>,
        filter.supply_id as _,
        filter.wb_order_id as _,
        placed_at,
        id as _,
        query.limit + 1,
        bounds.warehouses.as_deref(),
        bounds.person,
    )
    .fetch_all(tx.conn())
    .await?;
    let page = query.page(rows, |order| (order.placed_at, order.id));
    Ok(page.map(|order| without_money(tx, order)))
}

/// What happened to an order, oldest first.
pub async fn history(tx: &mut EnterpriseTx, id: OrderId) -> Result<Vec<HistoryLine>> {
    get(tx, id).await?;
    Ok(sqlx::query_as!(
        HistoryLine,
        "SELECT from_status, to_status, actor, comment, occurred_at FROM order_history WHERE order_id = $1 ORDER BY id",
        id as _
    )
    .fetch_all(tx.conn())
    .await?)
}
