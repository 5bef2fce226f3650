//! Keeping goods by hand: holds, reservations, and giving them back.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{CellId, HoldId, LotId, OrderId, ProductId, ReservationId, StockDocumentId, WarehouseId};
use shared::inventory::{self, HeldFilter, HoldReason};
use shared::orders;
use shared::page::PageQuery;

use super::rows::{LotName, StockPosted, act, item};
use crate::Tag;
use crate::answers::{Ending, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;

shown! {
    /// Stock held for an order, or by hand.
    Reservation from inventory::Reservation {
        /// Which one.
        id: ReservationId,
        /// In which warehouse.
        warehouse_id: WarehouseId,
        /// In which cell.
        cell_id: CellId,
        /// The cell's code.
        cell: String,
        /// Of what.
        product_id: ProductId,
        /// Of which lot.
        lot_id: LotId,
        /// The lot's code.
        lot: Option<String>,
        /// Units.
        quantity: i32,
        /// For this order,
        order_id: Option<OrderId>,
        /// or under this document.
        document_id: Option<StockDocumentId>,
        /// The document's number.
        number: Option<String>,
        /// What the document says.
        comment: Option<String>,
        /// Who reserved by hand.
        actor: Option<String>,
        /// Since when.
        created_at: DateTime<Utc>,
    }
}

shown! {
    /// Goods that nobody may have for now.
    Hold from inventory::Hold {
        /// Which one.
        id: HoldId,
        /// In which warehouse.
        warehouse_id: WarehouseId,
        /// In which cell.
        cell_id: CellId,
        /// The cell's code.
        cell: String,
        /// Of what.
        product_id: ProductId,
        /// Of which lot.
        lot_id: LotId,
        /// The lot's code.
        lot: Option<String>,
        /// Units.
        quantity: i32,
        /// Why.
        reason: HoldReason,
        /// Under which document.
        document_id: StockDocumentId,
        /// The document's number.
        number: Option<String>,
        /// What the document says.
        comment: Option<String>,
        /// Who.
        actor: String,
        /// Since when.
        created_at: DateTime<Utc>,
    }
}

/// So many units of a cell to be put on hold.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct StockHoldLine {
    /// Any barcode of the product,
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: Option<String>,
    /// or the product.
    pub product_id: Option<ProductId>,
    /// Of this lot; if absent, of any, what expires first first.
    pub lot: Option<LotName>,
    /// The code of the cell.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub cell: String,
    /// Units, from 1.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub quantity: i32,
    /// Why.
    pub reason: HoldReason,
}

act! {
    /// Goods to be put on hold.
    HoldStock {
        /// At most 1000.
        lines: StockHoldLine,
    }
}

/// So many units to be reserved.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct StockReserveLine {
    /// Any barcode of the product,
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: Option<String>,
    /// or the product.
    pub product_id: Option<ProductId>,
    /// Of this lot; if absent, the enterprise's strategy chooses.
    pub lot: Option<LotName>,
    /// The code of a storage cell; if absent, the enterprise's strategy chooses.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub cell: Option<String>,
    /// Units, from 1: all of them or none.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub quantity: i32,
}

act! {
    /// Goods to be reserved by hand.
    ReserveStock {
        /// At most 1000.
        lines: StockReserveLine,
    }
}

act! {
    /// Holds to be released.
    ReleaseHolds {
        /// At most 1000.
        ids: HoldId,
    }
}

act! {
    /// Reservations by hand to be released.
    ReleaseReservations {
        /// At most 1000.
        ids: ReservationId,
    }
}

/// What is kept.
pub struct Api;

#[OpenApi(tag = "Tag::Inventory")]
impl Api {
    /// List active holds, oldest first
    #[oai(path = "/inventory/holds", method = "get", operation_id = "list_holds")]
    async fn holds(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
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
    ) -> Result<Json<Page<Hold>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = HeldFilter { product_id: product_id.0, warehouse_id: warehouse_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = inventory::holds(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Put goods on hold: nobody may have them until they are released
    #[oai(path = "/inventory/holds", method = "post", operation_id = "hold_stock")]
    async fn hold(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<HoldStock>,
    ) -> Result<Json<StockPosted>, ApiError> {
        let (heading, lines) = body.0.apart();
        let line = |line: StockHoldLine| {
            let StockHoldLine { barcode, product_id, lot, cell, quantity, reason } = line;
            inventory::HoldLine { item: item(barcode, product_id, lot), cell, quantity, reason }
        };
        let lines: Vec<_> = lines.into_iter().map(line).collect();
        let mut tx = db.begin(&actor).await?;
        let posted = inventory::hold(&mut tx, &heading, &lines).await?;
        tx.answer(Json(posted.into())).await
    }

    /// Release holds; orders that waited for the goods are served at once
    #[oai(path = "/inventory/holds/release", method = "post", operation_id = "release_holds")]
    async fn release_holds(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<ReleaseHolds>,
    ) -> Result<Json<StockPosted>, ApiError> {
        let (heading, ids) = body.0.apart();
        let mut tx = db.begin(&actor).await?;
        let posted = inventory::release_holds(&mut tx, &heading, &ids).await?;
        let posted = orders::serve(&mut tx, posted).await?;
        tx.answer(Json(posted.into())).await
    }

    /// List active reservations, oldest first
    #[oai(path = "/inventory/reservations", method = "get", operation_id = "list_reservations")]
    async fn reservations(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
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
    ) -> Result<Json<Page<Reservation>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = HeldFilter { product_id: product_id.0, warehouse_id: warehouse_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = inventory::reservations(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Reserve goods by hand
    #[oai(path = "/inventory/reservations", method = "post", operation_id = "reserve_stock")]
    async fn reserve(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<ReserveStock>,
    ) -> Result<Json<StockPosted>, ApiError> {
        let (heading, lines) = body.0.apart();
        let line = |line: StockReserveLine| {
            let StockReserveLine { barcode, product_id, lot, cell, quantity } = line;
            inventory::ReserveLine { item: item(barcode, product_id, lot), cell, quantity }
        };
        let lines: Vec<_> = lines.into_iter().map(line).collect();
        let mut tx = db.begin(&actor).await?;
        let posted = inventory::reserve_by_hand(&mut tx, &heading, &lines).await?;
        tx.answer(Json(posted.into())).await
    }

    /// Release reservations that were made by hand; orders that waited for the goods are served at once
    #[oai(path = "/inventory/reservations/release", method = "post", operation_id = "release_reservations")]
    async fn release_reservations(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<ReleaseReservations>,
    ) -> Result<Json<StockPosted>, ApiError> {
        let (heading, ids) = body.0.apart();
        let mut tx = db.begin(&actor).await?;
        let posted = inventory::release_reservations(&mut tx, &heading, &ids).await?;
        let posted = orders::serve(&mut tx, posted).await?;
        tx.answer(Json(posted.into())).await
    }
}
