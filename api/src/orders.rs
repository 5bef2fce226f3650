//! Orders over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{AccountId, ChrtId, NmId, OrderId, ProductId, SupplyId, WarehouseId, WbOrderId, WbWarehouseId};
use shared::orders::{self, OrderFilter, OrderStatus};
use shared::page::PageQuery;

use crate::Tag;
use crate::answers::{Ending, List, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;

shown! {
    /// An assembly order: one unit for one buyer.
    Order from orders::Order {
        /// Which one.
        id: OrderId,
        /// Of which seller account.
        account_id: AccountId,
        /// Its number at Wildberries.
        wb_order_id: WbOrderId,
        /// Where it is in our warehouse.
        status: OrderStatus,
        /// Where it is at Wildberries, moved by the seller, exactly as Wildberries names it.
        supplier_status: String,
        /// Where it is at Wildberries, moved by Wildberries and the buyer, exactly as Wildberries names it.
        wb_status: String,
        /// What was ordered, if the catalogue knows it.
        product_id: Option<ProductId>,
        /// From where it is fulfilled.
        warehouse_id: Option<WarehouseId>,
        /// The seller's warehouse at Wildberries.
        wb_warehouse_id: WbWarehouseId,
        /// The card.
        nm_id: NmId,
        /// The size.
        chrt_id: ChrtId,
        /// The seller's article code.
        article: String,
        /// The barcode that Wildberries names.
        barcode: Option<String>,
        /// Minor units of the currency; absent without `money:read` there.
        price_minor: Option<i64>,
        /// ISO 4217; absent without `money:read` there.
        currency: Option<String>,
        /// Marks that must be given before delivery.
        required_marks: Vec<String>,
        /// In which supply.
        supply_id: Option<SupplyId>,
        /// When Wildberries showed it in that supply.
        in_supply_at: Option<DateTime<Utc>>,
        /// The human code of its sticker, once fetched.
        sticker: Option<String>,
        /// When the buyer ordered.
        placed_at: DateTime<Utc>,
        /// When it was imported.
        imported_at: DateTime<Utc>,
        /// When anything changed.
        changed_at: DateTime<Utc>,
    }
}

shown! {
    /// One line of an order's history.
    OrderHistoryLine from orders::HistoryLine {
        /// From where; absent when it arrived.
        from_status: Option<OrderStatus>,
        /// To where.
        to_status: OrderStatus,
        /// Who: `user:<id>`, `key:<id>` or `job:<kind>`.
        actor: String,
        /// Why.
        comment: Option<String>,
        /// When.
        occurred_at: DateTime<Utc>,
    }
}

/// A sticker that was scanned onto its item.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct PackOrder {
    /// What the sticker's code reads as.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub sticker: String,
}

/// Orders.
pub struct Api;

#[OpenApi(tag = "Tag::Orders")]
impl Api {
    /// List orders, the longest waiting first
    #[oai(path = "/orders", method = "get", operation_id = "list_orders")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// In this status.
        status: Query<Option<OrderStatus>>,
        /// In this supply.
        #[oai(name = "supplyId")]
        supply_id: Query<Option<SupplyId>>,
        /// With this number at Wildberries.
        #[oai(name = "wbOrderId")]
        wb_order_id: Query<Option<WbOrderId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Order>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = OrderFilter { status: status.0, supply_id: supply_id.0, wb_order_id: wb_order_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = orders::list(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Get an order
    #[oai(path = "/orders/:id", method = "get", operation_id = "get_order")]
    async fn get(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<OrderId>) -> Result<Json<Order>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let order = orders::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(order.into()))
    }

    /// See what happened to an order
    #[oai(path = "/orders/:id/history", method = "get", operation_id = "get_order_history")]
    async fn history(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<OrderId>,
    ) -> Result<Json<List<OrderHistoryLine>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let history = orders::history(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(List::of(history)))
    }

    /// Pack the order whose sticker was scanned onto its item
    #[oai(path = "/orders/pack", method = "post", operation_id = "pack_order")]
    async fn pack(&self, Caller(actor): Caller, db: Data<&Db>, body: Json<PackOrder>) -> Result<Json<Order>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let order = orders::pack(&mut tx, &body.sticker).await?;
        tx.answer(Json(order.into())).await
    }
}
