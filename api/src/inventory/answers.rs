//! Questions about stock over HTTP: then, since, how fast.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{CellId, LotId, ProductId, WarehouseId};
use shared::inventory::{self, BalanceFilter, Grouping, Span};
use shared::page::PageQuery;

use super::Balance;
use crate::Tag;
use crate::answers::{Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;

shown! {
    /// So much of a product, then.
    PastBalance from inventory::PastBalance {
        /// Where, if it is about one cell.
        cell_id: Option<CellId>,
        /// In which warehouse, if it is about one.
        warehouse_id: Option<WarehouseId>,
        /// Of what.
        product_id: ProductId,
        /// Of which lot, if it is about one; the one without a code has the product's id.
        lot_id: Option<LotId>,
        /// Units there, then.
        on_hand: i64,
    }
}

/// Balances that changed since the cursor.
#[derive(Debug, Object)]
pub struct StockChanges {
    /// As they are now, those that changed longest ago first. One that is empty is there, too.
    pub items: Vec<Balance>,
    /// Send it as `after` the next time, however much later.
    pub next: String,
    /// Whether more is there already: ask again at once.
    pub more: bool,
}

shown! {
    /// What became of a product within a period. What moved between cells that were asked for did not leave.
    Turnover from inventory::Turnover {
        /// Of what.
        product_id: ProductId,
        /// Units when it began.
        opening: i64,
        /// Units that suppliers brought.
        received: i64,
        /// Units that came otherwise: returns, corrections, from other warehouses.
        other_in: i64,
        /// Units that left for buyers.
        shipped: i64,
        /// Units that left otherwise: losses, corrections, to other warehouses.
        other_out: i64,
        /// Units when it ended.
        closing: i64,
        /// For how many days the closing stock lasts if as much is shipped as in the period; absent if nothing was.
        days_of_stock: Option<f64>,
    }
}

shown! {
    /// A product that lies and does not leave.
    SlowMover from inventory::SlowMover {
        /// Which one.
        product_id: ProductId,
        /// Units.
        on_hand: i64,
        /// When one was last shipped, if ever.
        last_shipped_at: Option<DateTime<Utc>>,
        /// When some last came from a supplier, if ever.
        last_received_at: Option<DateTime<Utc>>,
    }
}

/// Answers.
pub struct Api;

#[OpenApi(tag = "Tag::Inventory")]
impl Api {
    /// List what was on hand at a moment in the past
    ///
    /// A page may hold fewer rows than asked for, or none, and yet have a `next`: what held nothing then is left out.
    #[oai(path = "/inventory/past", method = "get", operation_id = "list_past_balances")]
    async fn past(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// When. One that is two minutes old or older does not change any more.
        at: Query<DateTime<Utc>>,
        /// What one row is about; a lot of a product in a cell if absent.
        by: Query<Option<Grouping>>,
        /// Of this product.
        #[oai(name = "productId")]
        product_id: Query<Option<ProductId>>,
        /// In this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// In this cell.
        #[oai(name = "cellId")]
        cell_id: Query<Option<CellId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<PastBalance>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = BalanceFilter { product_id: product_id.0, warehouse_id: warehouse_id.0, cell_id: cell_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = inventory::past(&mut tx, at.0, by.0.unwrap_or_default(), &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// List balances that changed since a cursor
    ///
    /// Nothing that is committed is ever left out, however long ago the cursor was given. A balance that changed several
    /// times is there once, as it is now. Without a cursor all balances come.
    #[oai(path = "/inventory/changes", method = "get", operation_id = "list_stock_changes")]
    async fn changes(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Rows at once, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the answer before.
        after: Query<Option<String>>,
    ) -> Result<Json<StockChanges>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let inventory::Changes { items, next, more } = inventory::changes(&mut tx, &query).await?;
        tx.commit().await?;
        Ok(Json(StockChanges { items: items.into_iter().map(Into::into).collect(), next, more }))
    }

    /// List what came and left in a period, by product
    #[oai(path = "/inventory/turnover", method = "get", operation_id = "list_turnover")]
    async fn turnover(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// The period's first moment.
        from: Query<DateTime<Utc>>,
        /// The first moment behind it.
        to: Query<DateTime<Utc>>,
        /// Of this product.
        #[oai(name = "productId")]
        product_id: Query<Option<ProductId>>,
        /// In this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Turnover>>, ApiError> {
        let (query, span) = (PageQuery::new(limit.0, after.0)?, Span::new(from.0, to.0)?);
        let filter = BalanceFilter { product_id: product_id.0, warehouse_id: warehouse_id.0, cell_id: None };
        let mut tx = db.begin(&actor).await?;
        let page = inventory::turnover(&mut tx, span, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// List products on hand of which nothing was shipped for so many days
    #[oai(path = "/inventory/slow-movers", method = "get", operation_id = "list_slow_movers")]
    async fn slow_movers(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// For how many days, from 1 to 3650.
        #[oai(validator(minimum(value = "1"), maximum(value = "3650")))]
        days: Query<i32>,
        /// In this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<SlowMover>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = BalanceFilter { warehouse_id: warehouse_id.0, ..BalanceFilter::default() };
        let mut tx = db.begin(&actor).await?;
        let page = inventory::slow_movers(&mut tx, days.0, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }
}
