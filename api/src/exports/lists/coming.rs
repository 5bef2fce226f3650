//! What comes: receipt sheets with their counts, transfers, and what is on its way.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use shared::db::Db;
use shared::ids::{ProductId, ReceiptSheetId, WarehouseId};
use shared::inventory::{self, InTransitFilter, SheetFilter, SheetStatus, TransferFilter, TransferStatus};

use super::super::{Export, ExportFormat, export};
use super::listed;
use crate::Tag;
use crate::auth::Caller;
use crate::inventory::receipts::{CountedLine, ReceiptSheet};
use crate::inventory::transfers::{InTransit, Transfer};
use crate::problem::ApiError;

listed!(SheetFilter => ReceiptSheet, |list, tx, query| Ok(inventory::sheets(tx, list, query).await?.map(Into::into)));

/// Who counted what on one sheet.
struct CountsOf(ReceiptSheetId);
listed!(CountsOf => CountedLine, |list, tx, query| Ok(inventory::counts(tx, list.0, query).await?.map(Into::into)));

listed!(TransferFilter => Transfer, |list, tx, query| Ok(inventory::transfers(tx, list, query).await?.map(Into::into)));

listed!(InTransitFilter => InTransit, |list, tx, query| {
    Ok(inventory::in_transit(tx, list, query).await?.map(Into::into))
});

/// Exports.
pub struct Api;

#[OpenApi]
impl Api {
    /// Export receipt sheets, newest first
    #[oai(
        path = "/inventory/receipt-sheets/export",
        method = "get",
        operation_id = "export_receipt_sheets",
        tag = "Tag::Inventory"
    )]
    async fn sheets(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// In this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// In this status.
        status: Query<Option<SheetStatus>>,
    ) -> Result<Export<ReceiptSheet>, ApiError> {
        let list = SheetFilter { warehouse_id: warehouse_id.0, status: status.0 };
        export(&db, actor, "receipt-sheets", format.0.unwrap_or_default(), list).await
    }

    /// Export who counted what on a receipt sheet, oldest first
    #[oai(
        path = "/inventory/receipt-sheets/:id/counts/export",
        method = "get",
        operation_id = "export_receipt_counts",
        tag = "Tag::Inventory"
    )]
    async fn counts(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ReceiptSheetId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<CountedLine>, ApiError> {
        let list = CountsOf(id.0);
        export(&db, actor, "receipt-counts", format.0.unwrap_or_default(), list).await
    }

    /// Export transfers, newest first
    #[oai(
        path = "/inventory/transfers/export",
        method = "get",
        operation_id = "export_transfers",
        tag = "Tag::Inventory"
    )]
    async fn transfers(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// Out of this warehouse or into it.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// In this status.
        status: Query<Option<TransferStatus>>,
    ) -> Result<Export<Transfer>, ApiError> {
        let list = TransferFilter { warehouse_id: warehouse_id.0, status: status.0 };
        export(&db, actor, "transfers", format.0.unwrap_or_default(), list).await
    }

    /// Export what is on its way to warehouses
    #[oai(
        path = "/inventory/in-transit/export",
        method = "get",
        operation_id = "export_in_transit",
        tag = "Tag::Inventory"
    )]
    async fn in_transit(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// To this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// Of this product.
        #[oai(name = "productId")]
        product_id: Query<Option<ProductId>>,
    ) -> Result<Export<InTransit>, ApiError> {
        let list = InTransitFilter { warehouse_id: warehouse_id.0, product_id: product_id.0 };
        export(&db, actor, "in-transit", format.0.unwrap_or_default(), list).await
    }
}
