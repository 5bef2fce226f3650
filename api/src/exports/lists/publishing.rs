//! What Wildberries is told of the stock.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use shared::db::Db;
use shared::ids::{PublicationId, WbWarehouseId};
use shared::publishing::{self, PublicationFilter, PublicationStatus, PushState};

use super::super::{Export, ExportFormat, export};
use super::listed;
use crate::Tag;
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::publishing::{Publication, PublicationLine, Publishable, PushedQuantity, StatedQuantity};

listed!(PublicationFilter => Publication, |list, tx, query| Ok(publishing::list(tx, list, query).await?.map(Into::into)));

struct LinesOf(PublicationId);
listed!(LinesOf => PublicationLine, |list, tx, query| Ok(publishing::lines(tx, list.0, query).await?.map(Into::into)));

struct PublishableIn(WbWarehouseId);
listed!(PublishableIn => Publishable, |list, tx, query| Ok(publishing::publishable(tx, list.0, query).await?.map(Into::into)));

struct StatedIn(WbWarehouseId, i64);
listed!(StatedIn => StatedQuantity, |list, tx, query| Ok(publishing::stated(tx, list.0, list.1, query).await?.map(Into::into)));

struct PushedTo(WbWarehouseId, Option<PushState>);
listed!(PushedTo => PushedQuantity, |list, tx, query| Ok(publishing::pushed(tx, list.0, list.1, query).await?.map(Into::into)));

/// Exports.
pub struct Api;

#[OpenApi]
impl Api {
    /// Export rises that were too large for one person, newest first
    #[oai(
        path = "/publications/export",
        method = "get",
        operation_id = "export_publications",
        tag = "Tag::Wildberries"
    )]
    async fn publications(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// In this state.
        status: Query<Option<PublicationStatus>>,
        /// For this warehouse at Wildberries.
        #[oai(name = "wbWarehouseId")]
        wb_warehouse_id: Query<Option<WbWarehouseId>>,
    ) -> Result<Export<Publication>, ApiError> {
        let list = PublicationFilter { status: status.0, wb_warehouse_id: wb_warehouse_id.0 };
        export(&db, actor, "publications", format.0.unwrap_or_default(), list).await
    }

    /// Export the products of a rise
    #[oai(
        path = "/publications/:id/lines/export",
        method = "get",
        operation_id = "export_publication_lines",
        tag = "Tag::Wildberries"
    )]
    async fn lines(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<PublicationId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<PublicationLine>, ApiError> {
        let list = LinesOf(id.0);
        export(&db, actor, "publication-lines", format.0.unwrap_or_default(), list).await
    }

    /// Export how much of each product may be published in a Wildberries warehouse
    #[oai(
        path = "/wildberries/warehouses/:wb_warehouse_id/publishable/export",
        method = "get",
        operation_id = "export_publishable",
        tag = "Tag::Wildberries"
    )]
    async fn publishable(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        wb_warehouse_id: Path<WbWarehouseId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<Publishable>, ApiError> {
        let list = PublishableIn(wb_warehouse_id.0);
        export(&db, actor, "publishable", format.0.unwrap_or_default(), list).await
    }

    /// Export the sizes that Wildberries was told of, and what became of it
    #[oai(
        path = "/wildberries/warehouses/:wb_warehouse_id/pushed/export",
        method = "get",
        operation_id = "export_pushed",
        tag = "Tag::Wildberries"
    )]
    async fn pushed(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        wb_warehouse_id: Path<WbWarehouseId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// In this state.
        state: Query<Option<PushState>>,
    ) -> Result<Export<PushedQuantity>, ApiError> {
        let list = PushedTo(wb_warehouse_id.0, state.0);
        export(&db, actor, "pushed", format.0.unwrap_or_default(), list).await
    }

    /// Export what is to be published in a Wildberries warehouse, as it was stated
    #[oai(
        path = "/wildberries/warehouses/:wb_warehouse_id/stated/export",
        method = "get",
        operation_id = "export_stated",
        tag = "Tag::Wildberries"
    )]
    async fn stated(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        wb_warehouse_id: Path<WbWarehouseId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// Only what was stated after this number; everything if absent.
        #[oai(validator(minimum(value = "0")))]
        since: Query<Option<i64>>,
    ) -> Result<Export<StatedQuantity>, ApiError> {
        let list = StatedIn(wb_warehouse_id.0, since.0.unwrap_or(0));
        export(&db, actor, "stated", format.0.unwrap_or_default(), list).await
    }
}
