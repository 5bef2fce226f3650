//! Stock counts: of a blind one no more than its lists show.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use shared::counts::{self, CountFilter, CountStatus, LineFilter, LineState, TallyFilter};
use shared::db::Db;
use shared::ids::{CellId, CountId, CountLineId, ProductId, WarehouseId};

use super::super::{Export, ExportFormat, export};
use super::listed;
use crate::Tag;
use crate::auth::Caller;
use crate::counts::{Count, CountCell, CountLine, CountTally};
use crate::problem::ApiError;

listed!(CountFilter => Count, |list, tx, query| Ok(counts::list(tx, list, query).await?.map(Into::into)));

struct CellsOf(CountId);
listed!(CellsOf => CountCell, |list, tx, query| Ok(counts::cells(tx, list.0, query).await?.map(Into::into)));

struct LinesOf(CountId, LineFilter);
listed!(LinesOf => CountLine, |list, tx, query| Ok(counts::lines(tx, list.0, &list.1, query).await?.map(Into::into)));

struct TalliesOf(CountId, TallyFilter);
listed!(TalliesOf => CountTally, |list, tx, query| Ok(counts::tallies(tx, list.0, &list.1, query).await?.map(Into::into)));

/// Exports.
pub struct Api;

#[OpenApi(tag = "Tag::Counts")]
impl Api {
    /// Export counts, newest first
    #[oai(path = "/counts/export", method = "get", operation_id = "export_counts")]
    async fn counts(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// In this status.
        status: Query<Option<CountStatus>>,
        /// In this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<Count>, ApiError> {
        let list = CountFilter { status: status.0, warehouse_id: warehouse_id.0 };
        export(&db, actor, "counts", format.0.unwrap_or_default(), list).await
    }

    /// Export the cells of a count along the walking path
    #[oai(path = "/counts/:id/cells/export", method = "get", operation_id = "export_count_cells")]
    async fn cells(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<CountCell>, ApiError> {
        export(&db, actor, "count-cells", format.0.unwrap_or_default(), CellsOf(id.0)).await
    }

    /// Export the lines of a count along the walking path
    #[oai(path = "/counts/:id/lines/export", method = "get", operation_id = "export_count_lines")]
    async fn lines(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        /// In this state.
        state: Query<Option<LineState>>,
        /// In this cell.
        #[oai(name = "cellId")]
        cell_id: Query<Option<CellId>>,
        /// Of this product.
        #[oai(name = "productId")]
        product_id: Query<Option<ProductId>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<CountLine>, ApiError> {
        let filter = LineFilter { state: state.0, cell_id: cell_id.0, product_id: product_id.0 };
        export(&db, actor, "count-lines", format.0.unwrap_or_default(), LinesOf(id.0, filter)).await
    }

    /// Export who counted what and when
    #[oai(path = "/counts/:id/tallies/export", method = "get", operation_id = "export_count_tallies")]
    async fn tallies(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        /// Of this line.
        #[oai(name = "countLineId")]
        count_line_id: Query<Option<CountLineId>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<CountTally>, ApiError> {
        let filter = TallyFilter { count_line_id: count_line_id.0 };
        export(&db, actor, "count-tallies", format.0.unwrap_or_default(), TalliesOf(id.0, filter)).await
    }
}
