//! Wildberries' two statuses of an order, kept exactly as it names them. What they mean for stock and people is
//! `sync::follow`'s business.

use super::OrderStatus;
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, OrderId, ProductId, WarehouseId, WbOrderId};
use crate::{Result, inventory};

/// The two statuses that Wildberries keeps, exactly as it names them.
#[derive(Clone, Debug)]
pub struct StatusFacts {
    /// Which order.
    pub wb_order_id: WbOrderId,
    /// Moved by the seller.
    pub supplier_status: String,
    /// Moved by Wildberries and the buyer.
    pub wb_status: String,
}

impl StatusFacts {
    /// By the buyer, the seller or Wildberries.
    pub fn is_cancelled(&self) -> bool {
        is_cancelled(&self.supplier_status, &self.wb_status)
    }

    /// Out of our hands, by our delivery or because Wildberries scanned it.
    pub fn is_shipped(&self) -> bool {
        is_shipped(&self.supplier_status, &self.wb_status)
    }
}

/// A cancellation by the buyer or by Wildberries shows in `wbStatus` alone; unknown words that begin like one count too.
pub(super) fn is_cancelled(supplier_status: &str, wb_status: &str) -> bool {
    supplier_status.starts_with("cancel")
        || wb_status.starts_with("cancel")
        || matches!(wb_status, "declined_by_client" | "defect")
}

pub(super) fn is_shipped(supplier_status: &str, wb_status: &str) -> bool {
    supplier_status == "complete" || matches!(wb_status, "sorted" | "ready_for_pickup" | "sold")
}

/// The orders that Wildberries may still change, from a number on.
pub async fn followed(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    after: Option<WbOrderId>,
    limit: i64,
) -> Result<Vec<WbOrderId>> {
    Ok(sqlx::query_scalar!(
        "SELECT wb_order_id FROM orders
         WHERE account_id = $1 AND status NOT IN ('delivered', 'cancelled', 'returned', 'impossible') AND wb_order_id > $2
         ORDER BY wb_order_id LIMIT $3",
        account_id as _,
        after.map_or(i64::MIN, |id| id.0),
        limit,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// An order whose statuses were not the known ones.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Ours.
    pub id: OrderId,
    /// Wildberries' number.
    pub wb_order_id: WbOrderId,
    /// Where it is here.
    pub status: OrderStatus,
    /// What was ordered.
    pub product_id: Option<ProductId>,
    /// From where it is fulfilled.
    pub warehouse_id: Option<WarehouseId>,
}

/// Keeps the statuses and returns the orders, locked, whose statuses are news. Their products are ours before they are.
pub async fn record_statuses(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    facts: &[StatusFacts],
) -> Result<Vec<Changed>> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let orders = with_news(tx, account_id, facts).await?;
    inventory::line_up_for(tx, &orders).await?;
    // What is news is looked up number by number in the index, then locked in the one order that everybody keeps.
    let mut news = sqlx::query!(
        r#"WITH news AS MATERIALIZED (
               SELECT o.id, f.supplier_status, f.wb_status
               FROM unnest($3::bigint[], $4::text[], $5::text[]) AS f (wb_order_id, supplier_status, wb_status)
               CROSS JOIN LATERAL (SELECT o.id, o.supplier_status, o.wb_status FROM orders AS o
                                   WHERE o.enterprise_id = $1 AND o.account_id = $2 AND o.wb_order_id = f.wb_order_id LIMIT 1) AS o
               WHERE (o.supplier_status, o.wb_status) IS DISTINCT FROM (f.supplier_status, f.wb_status)
           )
           SELECT o.id, o.wb_order_id, o.status, o.product_id, o.warehouse_id,
                  news.supplier_status AS "supplier_status!", news.wb_status AS "wb_status!"
           FROM news JOIN orders AS o ON o.id = news.id
           WHERE (o.supplier_status, o.wb_status) IS DISTINCT FROM (news.supplier_status, news.wb_status)
           ORDER BY o.id
           FOR NO KEY UPDATE OF o"#,
        enterprise_id as _,
        account_id as _,
        &facts.iter().map(|fact| fact.wb_order_id.0).collect::<Vec<_>>(),
        &facts.iter().map(|fact| fact.supplier_status.clone()).collect::<Vec<_>>(),
        &facts.iter().map(|fact| fact.wb_status.clone()).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    if news.is_empty() {
        return Ok(Vec::new());
    }
    news.dedup_by_key(|order| order.id);
    sqlx::query!(
        "UPDATE orders AS o SET supplier_status = n.supplier_status, wb_status = n.wb_status, changed_at = $4
         FROM unnest($1::uuid[], $2::text[], $3::text[]) AS n (id, supplier_status, wb_status)
         WHERE o.id = n.id",
        &news.iter().map(|order| order.id.0).collect::<Vec<_>>(),
        &news.iter().map(|order| order.supplier_status.clone()).collect::<Vec<_>>(),
        &news.iter().map(|order| order.wb_status.clone()).collect::<Vec<_>>(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(news
        .into_iter()
        .map(|order| Changed {
            id: order.id,
            wb_order_id: order.wb_order_id,
            status: order.status,
            product_id: order.product_id,
            warehouse_id: order.warehouse_id,
        })
        .collect())
}

/// The orders whose statuses are news.
async fn with_news(tx: &mut EnterpriseTx, account_id: AccountId, facts: &[StatusFacts]) -> Result<Vec<OrderId>> {
    let enterprise_id = tx.enterprise_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT o.id AS "id!: OrderId"
           FROM unnest($3::bigint[], $4::text[], $5::text[]) AS f (wb_order_id, supplier_status, wb_status)
           CROSS JOIN LATERAL (SELECT o.id, o.supplier_status, o.wb_status FROM orders AS o
                               WHERE o.enterprise_id = $1 AND o.account_id = $2 AND o.wb_order_id = f.wb_order_id LIMIT 1) AS o
           WHERE (o.supplier_status, o.wb_status) IS DISTINCT FROM (f.supplier_status, f.wb_status)"#,
        enterprise_id as _,
        account_id as _,
        &facts.iter().map(|fact| fact.wb_order_id.0).collect::<Vec<_>>(),
        &facts.iter().map(|fact| fact.supplier_status.clone()).collect::<Vec<_>>(),
        &facts.iter().map(|fact| fact.wb_status.clone()).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?)
}
