//! The lists that can be exported: under each list's path with `/export` behind it, by the same filters and the same
//! permission.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use shared::Result;
use shared::db::{Db, EnterpriseTx};
use shared::ids::{CategoryId, CellId, NmId, OrderId, ProductId, SupplyId, WarehouseId};
use shared::inventory::{self, BalanceFilter, EntryFilter};
use shared::orders::{self, OrderFilter, OrderStatus};
use shared::page::{Page, PageQuery};
use shared::products::{self, ProductFilter};
use shared::requests::{self, RequestFilter, RequestStatus, RequestType};
use shared::supplies::{self, SupplyFilter, SupplyStatus};
use shared::warehouses;

use super::{Export, ExportFormat, Listed, export};
use crate::Tag;
use crate::auth::Caller;
use crate::inventory::{Balance, StockEntry};
use crate::orders::Order;
use crate::problem::ApiError;
use crate::products::Product;
use crate::requests::Request;
use crate::supplies::Supply;
use crate::warehouses::Cell;

impl Listed for ProductFilter {
    type Row = Product;

    async fn page(&self, tx: &mut EnterpriseTx, query: &PageQuery) -> Result<Page<Product>> {
        Ok(products::list(tx, self, query).await?.map(Into::into))
    }
}

impl Listed for BalanceFilter {
    type Row = Balance;

    async fn page(&self, tx: &mut EnterpriseTx, query: &PageQuery) -> Result<Page<Balance>> {
        Ok(inventory::balances(tx, self, query).await?.map(Into::into))
    }
}

impl Listed for EntryFilter {
    type Row = StockEntry;

    async fn page(&self, tx: &mut EnterpriseTx, query: &PageQuery) -> Result<Page<StockEntry>> {
        Ok(inventory::entries(tx, self, query).await?.map(Into::into))
    }
}

impl Listed for OrderFilter {
    type Row = Order;

    async fn page(&self, tx: &mut EnterpriseTx, query: &PageQuery) -> Result<Page<Order>> {
        Ok(orders::list(tx, self, query).await?.map(Into::into))
    }
}

impl Listed for RequestFilter {
    type Row = Request;

    async fn page(&self, tx: &mut EnterpriseTx, query: &PageQuery) -> Result<Page<Request>> {
        Ok(requests::list(tx, self, query).await?.map(Into::into))
    }
}

impl Listed for SupplyFilter {
    type Row = Supply;

    async fn page(&self, tx: &mut EnterpriseTx, query: &PageQuery) -> Result<Page<Supply>> {
        Ok(supplies::list(tx, self, query).await?.map(Into::into))
    }
}

/// The cells of one warehouse.
struct CellsOf(WarehouseId);

impl Listed for CellsOf {
    type Row = Cell;

    async fn page(&self, tx: &mut EnterpriseTx, query: &PageQuery) -> Result<Page<Cell>> {
        Ok(warehouses::cells(tx, self.0, query).await?.map(Into::into))
    }
}

/// Exports.
pub struct Api;

#[OpenApi]
impl Api {
    /// Export products by name, or the best first where words are looked for
    #[oai(path = "/products/export", method = "get", operation_id = "export_products", tag = "Tag::Products")]
    #[expect(clippy::too_many_arguments, reason = "one parameter per filter")]
    async fn products(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// With exactly this barcode.
        #[oai(validator(max_length = 128))]
        barcode: Query<Option<String>>,
        /// With these words in some form.
        #[oai(validator(max_length = 200))]
        text: Query<Option<String>>,
        /// Of this card.
        #[oai(name = "nmId")]
        nm_id: Query<Option<NmId>>,
        /// Of this brand.
        #[oai(validator(max_length = 200))]
        brand: Query<Option<String>>,
        /// In this category or one below it.
        #[oai(name = "categoryId")]
        category_id: Query<Option<CategoryId>>,
        /// Those that are archived instead of those that are not.
        archived: Query<Option<bool>>,
        /// With fewer available units than their minimum, in the warehouses in reach.
        #[oai(name = "belowMinimum")]
        below_minimum: Query<Option<bool>>,
        /// Bundles, or what is none.
        bundle: Query<Option<bool>>,
    ) -> Result<Export<Product>, ApiError> {
        let filter = ProductFilter {
            barcode: barcode.0,
            text: text.0,
            nm_id: nm_id.0,
            brand: brand.0,
            category_id: category_id.0,
            archived: archived.0.unwrap_or(false),
            below_minimum: below_minimum.0.unwrap_or(false),
            bundle: bundle.0,
        };
        export(&db, actor, "products", format.0.unwrap_or_default(), filter).await
    }

    /// Export balances by cell and product
    #[oai(path = "/inventory/export", method = "get", operation_id = "export_balances", tag = "Tag::Inventory")]
    async fn balances(
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
        /// In this cell.
        #[oai(name = "cellId")]
        cell_id: Query<Option<CellId>>,
    ) -> Result<Export<Balance>, ApiError> {
        let filter = BalanceFilter { product_id: product_id.0, warehouse_id: warehouse_id.0, cell_id: cell_id.0 };
        export(&db, actor, "balances", format.0.unwrap_or_default(), filter).await
    }

    /// Export the stock ledger, oldest first
    #[oai(
        path = "/inventory/entries/export",
        method = "get",
        operation_id = "export_stock_entries",
        tag = "Tag::Inventory"
    )]
    async fn entries(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// Of this product.
        #[oai(name = "productId")]
        product_id: Query<Option<ProductId>>,
        /// For this order.
        #[oai(name = "orderId")]
        order_id: Query<Option<OrderId>>,
    ) -> Result<Export<StockEntry>, ApiError> {
        let filter = EntryFilter { product_id: product_id.0, order_id: order_id.0 };
        export(&db, actor, "stock-entries", format.0.unwrap_or_default(), filter).await
    }

    /// Export orders, the longest waiting first; prices where they may be seen
    #[oai(path = "/orders/export", method = "get", operation_id = "export_orders", tag = "Tag::Orders")]
    async fn orders(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// In this status.
        status: Query<Option<OrderStatus>>,
        /// In this supply.
        #[oai(name = "supplyId")]
        supply_id: Query<Option<SupplyId>>,
    ) -> Result<Export<Order>, ApiError> {
        let filter = OrderFilter { status: status.0, supply_id: supply_id.0, ..OrderFilter::default() };
        export(&db, actor, "orders", format.0.unwrap_or_default(), filter).await
    }

    /// Export the cells of a warehouse along the walking path
    #[oai(
        path = "/warehouses/:id/cells/export",
        method = "get",
        operation_id = "export_cells",
        tag = "Tag::Warehouses"
    )]
    async fn cells(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<Cell>, ApiError> {
        export(&db, actor, "cells", format.0.unwrap_or_default(), CellsOf(id.0)).await
    }

    /// Export requests
    #[oai(path = "/requests/export", method = "get", operation_id = "export_requests", tag = "Tag::Requests")]
    async fn requests(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// In this status.
        status: Query<Option<RequestStatus>>,
        /// Of this type.
        r#type: Query<Option<RequestType>>,
    ) -> Result<Export<Request>, ApiError> {
        let filter = RequestFilter { status: status.0, r#type: r#type.0 };
        export(&db, actor, "requests", format.0.unwrap_or_default(), filter).await
    }

    /// Export supplies
    #[oai(path = "/supplies/export", method = "get", operation_id = "export_supplies", tag = "Tag::Supplies")]
    async fn supplies(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// In this status.
        status: Query<Option<SupplyStatus>>,
    ) -> Result<Export<Supply>, ApiError> {
        let filter = SupplyFilter { status: status.0 };
        export(&db, actor, "supplies", format.0.unwrap_or_default(), filter).await
    }
}
