//! Transfers between own warehouses: planned, sent, received in parts, closed; and what is on its way.

use chrono::{DateTime, NaiveDate, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{CellId, LotId, ProductId, TransferId, TransferLineId, WarehouseId};
use shared::inventory::{self, InTransitFilter, MissingReason, TransferFilter, TransferStatus};
use shared::orders;
use shared::page::PageQuery;

use super::rows::{LotName, item};
use crate::Tag;
use crate::answers::{Created, Ending, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;

shown! {
    /// So many units are to go.
    TransferLine from inventory::TransferLine {
        /// Which one.
        id: TransferLineId,
        /// Of what.
        product_id: ProductId,
        /// Of which lot; absent: of any.
        lot_id: Option<LotId>,
        /// Out of which cell; absent: the enterprise's strategy chooses.
        cell_id: Option<CellId>,
        /// Units.
        quantity: i32,
    }
}

shown! {
    /// What became of a lot that left.
    TransferGoods from inventory::TransferGoods {
        /// Of what.
        product_id: ProductId,
        /// Of which lot.
        lot_id: LotId,
        /// The lot's code.
        lot: Option<String>,
        /// Units that left.
        sent: i64,
        /// Of these, have come.
        received: i64,
        /// Of these, came back or never left.
        returned: i64,
        /// Of these, will never come.
        lost: i64,
        /// Of these, are still awaited.
        in_transit: i64,
    }
}

shown! {
    /// What is on its way to a warehouse.
    InTransit from inventory::InTransit {
        /// To which.
        warehouse_id: WarehouseId,
        /// Of what.
        product_id: ProductId,
        /// Of which lot; the one without a code has the product's id.
        lot_id: LotId,
        /// The lot's code.
        lot: Option<String>,
        /// The last day on which the lot may be sold.
        expires_on: Option<NaiveDate>,
        /// Units.
        quantity: i64,
    }
}

/// Goods that go from one own warehouse to another.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Transfer {
    /// Which one.
    pub id: TransferId,
    /// Out of this warehouse.
    pub from_warehouse_id: WarehouseId,
    /// Into this one.
    pub to_warehouse_id: WarehouseId,
    /// Unique in the enterprise.
    pub number: String,
    /// In words.
    pub comment: Option<String>,
    /// Where it is.
    pub status: TransferStatus,
    /// Who planned it.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it left.
    pub sent_at: Option<DateTime<Utc>>,
    /// When nothing was awaited any more.
    pub closed_at: Option<DateTime<Utc>>,
    /// What is to go; empty in lists.
    pub lines: Vec<TransferLine>,
    /// What has left, lot by lot; empty in lists.
    pub goods: Vec<TransferGoods>,
}

impl From<inventory::Transfer> for Transfer {
    fn from(transfer: inventory::Transfer) -> Self {
        let inventory::Transfer {
            id,
            from_warehouse_id,
            to_warehouse_id,
            number,
            comment,
            status,
            actor,
            created_at,
            sent_at,
            closed_at,
            lines,
            goods,
        } = transfer;
        let lines = lines.into_iter().map(Into::into).collect();
        let goods = goods.into_iter().map(Into::into).collect();
        Self {
            id,
            from_warehouse_id,
            to_warehouse_id,
            number,
            comment,
            status,
            actor,
            created_at,
            sent_at,
            closed_at,
            lines,
            goods,
        }
    }
}

/// So many units are to go.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedLine {
    /// Any barcode of the product,
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: Option<String>,
    /// or the product.
    pub product_id: Option<ProductId>,
    /// Of this lot; if absent, of any.
    pub lot: Option<LotName>,
    /// The code of the cell where it lies; if absent, the enterprise's strategy chooses when it leaves.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub cell: Option<String>,
    /// Units, from 1.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub quantity: i32,
}

/// A transfer to be planned.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanTransfer {
    /// Out of this warehouse.
    pub from_warehouse_id: WarehouseId,
    /// Into this one.
    pub to_warehouse_id: WarehouseId,
    /// Unique in the enterprise.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub number: String,
    /// In words.
    #[oai(validator(min_length = 1, max_length = 1000))]
    pub comment: Option<String>,
    /// What is to go, at most 1000.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub lines: Vec<PlannedLine>,
}

/// So many units have come.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArrivedLine {
    /// Any barcode of the product,
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: Option<String>,
    /// or the product.
    pub product_id: Option<ProductId>,
    /// Of this lot; if absent, of any that is awaited, what expires first first.
    pub lot: Option<LotName>,
    /// The code of the cell where they were put.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub cell: String,
    /// Units, from 1.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub quantity: i32,
    /// Whether they are put on hold until somebody has looked at them; `false` if absent.
    pub quarantine: Option<bool>,
}

/// What has come.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceiveTransfer {
    /// At most 1000.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub lines: Vec<ArrivedLine>,
}

/// So many units do not come.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct MissingLine {
    /// Any barcode of the product,
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: Option<String>,
    /// or the product.
    pub product_id: Option<ProductId>,
    /// Of this lot; if absent, of any that is awaited.
    pub lot: Option<LotName>,
    /// Units, from 1.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub quantity: i32,
    /// Why.
    pub reason: MissingReason,
}

/// Why the rest does not come.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloseTransfer {
    /// All that is still awaited, at most 1000.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub missing: Vec<MissingLine>,
}

/// Transfers.
pub struct Api;

#[OpenApi(tag = "Tag::Inventory")]
impl Api {
    /// List transfers, newest first
    #[oai(path = "/inventory/transfers", method = "get", operation_id = "list_transfers")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Out of this warehouse or into it.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// In this status.
        status: Query<Option<TransferStatus>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Transfer>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = TransferFilter { warehouse_id: warehouse_id.0, status: status.0 };
        let mut tx = db.begin(&actor).await?;
        let page = inventory::transfers(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Plan a transfer between two own warehouses; nothing moves yet
    #[oai(path = "/inventory/transfers", method = "post", operation_id = "plan_transfer")]
    async fn plan(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<PlanTransfer>,
    ) -> Result<Created<Transfer>, ApiError> {
        let PlanTransfer { from_warehouse_id, to_warehouse_id, number, comment, lines } = body.0;
        let line = |PlannedLine { barcode, product_id, lot, cell, quantity }| inventory::NewTransferLine {
            item: item(barcode, product_id, lot),
            cell,
            quantity,
        };
        let lines = lines.into_iter().map(line).collect();
        let mut tx = db.begin(&actor).await?;
        let new = inventory::NewTransfer { from_warehouse_id, to_warehouse_id, number, comment, lines };
        let transfer = inventory::plan_transfer(&mut tx, &new).await?;
        tx.answer(Created::of(transfer)).await
    }

    /// Get a transfer with its lines
    #[oai(path = "/inventory/transfers/:id", method = "get", operation_id = "get_transfer")]
    async fn get(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<TransferId>,
    ) -> Result<Json<Transfer>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let transfer = inventory::transfer(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(transfer.into()))
    }

    /// Send a planned transfer, all of it or nothing; from now on its goods are in transit
    #[oai(path = "/inventory/transfers/:id/send", method = "post", operation_id = "send_transfer")]
    async fn send(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<TransferId>,
    ) -> Result<Json<Transfer>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let transfer = inventory::send_transfer(&mut tx, id.0).await?;
        tx.answer(Json(transfer.into())).await
    }

    /// Receive what has come of a transfer, all at once or in parts; orders that waited for the goods are served at once
    #[oai(path = "/inventory/transfers/:id/receive", method = "post", operation_id = "receive_transfer")]
    async fn receive(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<TransferId>,
        body: Json<ReceiveTransfer>,
    ) -> Result<Json<Transfer>, ApiError> {
        let line = |ArrivedLine { barcode, product_id, lot, cell, quantity, quarantine }| inventory::ArrivedLine {
            item: item(barcode, product_id, lot),
            cell,
            quantity,
            quarantine: quarantine.unwrap_or(false),
        };
        let lines: Vec<_> = body.0.lines.into_iter().map(line).collect();
        let mut tx = db.begin(&actor).await?;
        let done = inventory::receive_transfer(&mut tx, id.0, &lines).await?;
        let done = orders::serve(&mut tx, done).await?;
        tx.answer(Json(done.transfer.into())).await
    }

    /// Close a transfer of which nothing more comes; what is still awaited needs its reason
    #[oai(path = "/inventory/transfers/:id/close", method = "post", operation_id = "close_transfer")]
    async fn close(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<TransferId>,
        body: Json<CloseTransfer>,
    ) -> Result<Json<Transfer>, ApiError> {
        let line = |MissingLine { barcode, product_id, lot, quantity, reason }| inventory::MissingLine {
            item: item(barcode, product_id, lot),
            quantity,
            reason,
        };
        let lines: Vec<_> = body.0.missing.into_iter().map(line).collect();
        let mut tx = db.begin(&actor).await?;
        let done = inventory::close_transfer(&mut tx, id.0, &lines).await?;
        let done = orders::serve(&mut tx, done).await?;
        tx.answer(Json(done.transfer.into())).await
    }

    /// Drop a planned transfer, or take one back of which nothing has come: its goods lie again where they lay
    #[oai(path = "/inventory/transfers/:id/cancel", method = "post", operation_id = "cancel_transfer")]
    async fn cancel(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<TransferId>,
    ) -> Result<Json<Transfer>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let done = inventory::cancel_transfer(&mut tx, id.0).await?;
        let done = orders::serve(&mut tx, done).await?;
        tx.answer(Json(done.transfer.into())).await
    }

    /// List what is on its way to warehouses
    #[oai(path = "/inventory/in-transit", method = "get", operation_id = "list_in_transit")]
    async fn in_transit(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// To this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// Of this product.
        #[oai(name = "productId")]
        product_id: Query<Option<ProductId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<InTransit>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = InTransitFilter { warehouse_id: warehouse_id.0, product_id: product_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = inventory::in_transit(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }
}
