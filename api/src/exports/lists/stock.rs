//! Stock: how much of what is where, was there, moves, or is kept.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;
use shared::db::Db;
use shared::ids::{CellId, GoodsReceiptId, OrderId, ProductId, StockDocumentId, WarehouseId};
use shared::inventory::{self, BalanceFilter, EntryFilter, EntryKind, Grouping, HeldFilter, Span};

use super::super::{Export, ExportFormat, export};
use super::listed;
use crate::Tag;
use crate::auth::Caller;
use crate::inventory::answers::{PastBalance, SlowMover, Turnover};
use crate::inventory::held::{Hold, Reservation};
use crate::inventory::{Balance, StockEntry};
use crate::problem::ApiError;

struct Balances(Grouping, BalanceFilter);
listed!(Balances => Balance, |list, tx, query| Ok(inventory::balances(tx, list.0, &list.1, query).await?.map(Into::into)));

struct Past(DateTime<Utc>, Grouping, BalanceFilter);
listed!(Past => PastBalance, |list, tx, query| Ok(inventory::past(tx, list.0, list.1, &list.2, query).await?.map(Into::into)));

struct Moved(Span, BalanceFilter);
listed!(Moved => Turnover, |list, tx, query| Ok(inventory::turnover(tx, list.0, &list.1, query).await?.map(Into::into)));

struct Slow(i32, BalanceFilter);
listed!(Slow => SlowMover, |list, tx, query| Ok(inventory::slow_movers(tx, list.0, &list.1, query).await?.map(Into::into)));

listed!(EntryFilter => StockEntry, |list, tx, query| Ok(inventory::entries(tx, list, query).await?.map(Into::into)));

struct Holds(HeldFilter);
listed!(Holds => Hold, |list, tx, query| Ok(inventory::holds(tx, &list.0, query).await?.map(Into::into)));

struct Reservations(HeldFilter);
listed!(Reservations => Reservation, |list, tx, query| Ok(inventory::reservations(tx, &list.0, query).await?.map(Into::into)));

/// Exports.
pub struct Api;

#[OpenApi]
impl Api {
    /// Export balances by lot, cell, warehouse or product
    #[oai(path = "/inventory/export", method = "get", operation_id = "export_balances", tag = "Tag::Inventory")]
    async fn balances(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
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
    ) -> Result<Export<Balance>, ApiError> {
        let filter = BalanceFilter { product_id: product_id.0, warehouse_id: warehouse_id.0, cell_id: cell_id.0 };
        let list = Balances(by.0.unwrap_or_default(), filter);
        export(&db, actor, "balances", format.0.unwrap_or_default(), list).await
    }

    /// Export the stock ledger, oldest first
    #[oai(
        path = "/inventory/entries/export",
        method = "get",
        operation_id = "export_stock_entries",
        tag = "Tag::Inventory"
    )]
    #[expect(clippy::too_many_arguments, reason = "one parameter per filter")]
    async fn entries(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// Of this product.
        #[oai(name = "productId")]
        product_id: Query<Option<ProductId>>,
        /// Into or out of this cell.
        #[oai(name = "cellId")]
        cell_id: Query<Option<CellId>>,
        /// Into or out of cells of this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// For this order.
        #[oai(name = "orderId")]
        order_id: Query<Option<OrderId>>,
        /// By this goods receipt.
        #[oai(name = "receiptId")]
        receipt_id: Query<Option<GoodsReceiptId>>,
        /// By this document.
        #[oai(name = "documentId")]
        document_id: Query<Option<StockDocumentId>>,
        /// Written for this reason.
        kind: Query<Option<EntryKind>>,
        /// By this one: `user:<id>`, `key:<id>` or `job:<kind>`.
        #[oai(name = "actor", validator(max_length = 200))]
        who: Query<Option<String>>,
        /// At this moment or later.
        from: Query<Option<DateTime<Utc>>>,
        /// Before this moment.
        to: Query<Option<DateTime<Utc>>>,
    ) -> Result<Export<StockEntry>, ApiError> {
        let list = EntryFilter {
            product_id: product_id.0,
            cell_id: cell_id.0,
            warehouse_id: warehouse_id.0,
            order_id: order_id.0,
            receipt_id: receipt_id.0,
            document_id: document_id.0,
            kind: kind.0,
            actor: who.0,
            from: from.0,
            to: to.0,
        };
        export(&db, actor, "stock-entries", format.0.unwrap_or_default(), list).await
    }

    /// Export what was on hand at a moment in the past
    #[oai(
        path = "/inventory/past/export",
        method = "get",
        operation_id = "export_past_balances",
        tag = "Tag::Inventory"
    )]
    async fn past(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
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
    ) -> Result<Export<PastBalance>, ApiError> {
        let filter = BalanceFilter { product_id: product_id.0, warehouse_id: warehouse_id.0, cell_id: cell_id.0 };
        let list = Past(at.0, by.0.unwrap_or_default(), filter);
        export(&db, actor, "past-balances", format.0.unwrap_or_default(), list).await
    }

    /// Export what came and left in a period, by product
    #[oai(
        path = "/inventory/turnover/export",
        method = "get",
        operation_id = "export_turnover",
        tag = "Tag::Inventory"
    )]
    async fn turnover(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
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
    ) -> Result<Export<Turnover>, ApiError> {
        let filter = BalanceFilter { product_id: product_id.0, warehouse_id: warehouse_id.0, cell_id: None };
        let list = Moved(Span::new(from.0, to.0)?, filter);
        export(&db, actor, "turnover", format.0.unwrap_or_default(), list).await
    }

    /// Export products on hand of which nothing was shipped for so many days
    #[oai(
        path = "/inventory/slow-movers/export",
        method = "get",
        operation_id = "export_slow_movers",
        tag = "Tag::Inventory"
    )]
    async fn slow_movers(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// For how many days, from 1 to 3650.
        #[oai(validator(minimum(value = "1"), maximum(value = "3650")))]
        days: Query<i32>,
        /// In this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
    ) -> Result<Export<SlowMover>, ApiError> {
        let list = Slow(days.0, BalanceFilter { warehouse_id: warehouse_id.0, ..BalanceFilter::default() });
        export(&db, actor, "slow-movers", format.0.unwrap_or_default(), list).await
    }

    /// Export active holds, oldest first
    #[oai(path = "/inventory/holds/export", method = "get", operation_id = "export_holds", tag = "Tag::Inventory")]
    async fn holds(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// Of this product.
        #[oai(name = "productId")]
        product_id: Query<Option<ProductId>>,
        /// In this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
    ) -> Result<Export<Hold>, ApiError> {
        let list = Holds(HeldFilter { product_id: product_id.0, warehouse_id: warehouse_id.0 });
        export(&db, actor, "holds", format.0.unwrap_or_default(), list).await
    }

    /// Export active reservations, oldest first
    #[oai(
        path = "/inventory/reservations/export",
        method = "get",
        operation_id = "export_reservations",
        tag = "Tag::Inventory"
    )]
    async fn reservations(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// Of this product.
        #[oai(name = "productId")]
        product_id: Query<Option<ProductId>>,
        /// In this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
    ) -> Result<Export<Reservation>, ApiError> {
        let list = Reservations(HeldFilter { product_id: product_id.0, warehouse_id: warehouse_id.0 });
        export(&db, actor, "reservations", format.0.unwrap_or_default(), list).await
    }
}
