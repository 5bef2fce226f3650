//! Orders on their way out.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use shared::db::Db;
use shared::ids::{RequestId, SupplyId, WbOrderId};
use shared::orders::{self, OrderFilter, OrderStatus};
use shared::requests::{self, RequestFilter, RequestStatus, RequestType};
use shared::supplies::{self, SupplyFilter, SupplyStatus};

use super::super::{Export, ExportFormat, export};
use super::{listed, whole};
use crate::Tag;
use crate::auth::Caller;
use crate::orders::Order;
use crate::problem::ApiError;
use crate::requests::{MoveLine, PickLine, Request};
use crate::supplies::Supply;

listed!(OrderFilter => Order, |list, tx, query| Ok(orders::list(tx, list, query).await?.map(Into::into)));

listed!(RequestFilter => Request, |list, tx, query| Ok(requests::list(tx, list, query).await?.map(Into::into)));

/// The lines of one request.
struct LinesOf(RequestId);
listed!(LinesOf => PickLine, |list, tx, query| Ok(whole(requests::lines(tx, list.0).await?)));

/// What one request asks to put back.
struct MovesOf(RequestId);
listed!(MovesOf => MoveLine, |list, tx, query| Ok(whole(requests::moves(tx, list.0).await?)));

listed!(SupplyFilter => Supply, |list, tx, query| Ok(supplies::list(tx, list, query).await?.map(Into::into)));

/// Exports.
pub struct Api;

#[OpenApi]
impl Api {
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
        /// With this number at Wildberries.
        #[oai(name = "wbOrderId")]
        wb_order_id: Query<Option<WbOrderId>>,
    ) -> Result<Export<Order>, ApiError> {
        let filter = OrderFilter { status: status.0, supply_id: supply_id.0, wb_order_id: wb_order_id.0 };
        export(&db, actor, "orders", format.0.unwrap_or_default(), filter).await
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

    /// Export the lines of a request along the walking path
    #[oai(
        path = "/requests/:id/lines/export",
        method = "get",
        operation_id = "export_request_lines",
        tag = "Tag::Requests"
    )]
    async fn request_lines(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<RequestId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<PickLine>, ApiError> {
        let list = LinesOf(id.0);
        export(&db, actor, "request-lines", format.0.unwrap_or_default(), list).await
    }

    /// Export what a request to put back asks for
    #[oai(
        path = "/requests/:id/moves/export",
        method = "get",
        operation_id = "export_request_moves",
        tag = "Tag::Requests"
    )]
    async fn request_moves(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<RequestId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<MoveLine>, ApiError> {
        export(&db, actor, "request-moves", format.0.unwrap_or_default(), MovesOf(id.0)).await
    }
}
