//! Where things are.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use shared::db::Db;
use shared::ids::{WarehouseId, ZoneId};
use shared::warehouses::{self, CellFilter, CellState};

use super::super::{Export, ExportFormat, export};
use super::{listed, whole};
use crate::Tag;
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::warehouses::{Cell, Warehouse, WarehouseUse, Zone};

struct Warehouses {
    archived: bool,
}
listed!(Warehouses => Warehouse, |list, tx, query| Ok(whole(warehouses::list(tx, list.archived).await?)));

/// The zones of one warehouse.
struct ZonesOf(WarehouseId);
listed!(ZonesOf => Zone, |list, tx, query| Ok(whole(warehouses::list_zones(tx, list.0).await?)));

/// What uses one warehouse.
struct UsesOf(WarehouseId);
listed!(UsesOf => WarehouseUse, |list, tx, query| Ok(whole(warehouses::uses(tx, list.0).await?)));

/// The cells of one warehouse.
struct CellsOf {
    warehouse: WarehouseId,
    filter: CellFilter,
}
listed!(CellsOf => Cell, |list, tx, query| {
    Ok(warehouses::cells(tx, list.warehouse, &list.filter, query).await?.map(Into::into))
});

/// Exports.
pub struct Api;

#[OpenApi]
impl Api {
    /// Export own warehouses
    #[oai(path = "/warehouses/export", method = "get", operation_id = "export_warehouses", tag = "Tag::Warehouses")]
    async fn warehouses(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Archived ones instead of those in use.
        archived: Query<Option<bool>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<Warehouse>, ApiError> {
        let list = Warehouses { archived: archived.0.unwrap_or(false) };
        export(&db, actor, "warehouses", format.0.unwrap_or_default(), list).await
    }

    /// Export the zones of a warehouse
    #[oai(
        path = "/warehouses/:id/zones/export",
        method = "get",
        operation_id = "export_zones",
        tag = "Tag::Warehouses"
    )]
    async fn zones(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<Zone>, ApiError> {
        let list = ZonesOf(id.0);
        export(&db, actor, "zones", format.0.unwrap_or_default(), list).await
    }

    /// Export what still uses a warehouse
    #[oai(
        path = "/warehouses/:id/uses/export",
        method = "get",
        operation_id = "export_warehouse_uses",
        tag = "Tag::Warehouses"
    )]
    async fn warehouse_uses(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<WarehouseUse>, ApiError> {
        let list = UsesOf(id.0);
        export(&db, actor, "warehouse-uses", format.0.unwrap_or_default(), list).await
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
        /// In this zone.
        #[oai(name = "zoneId")]
        zone_id: Query<Option<ZoneId>>,
        /// With this text in the code, whatever the case.
        #[oai(validator(max_length = 60))]
        search: Query<Option<String>>,
        /// In this state; absent: in use, whatever lies in them.
        state: Query<Option<CellState>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<Cell>, ApiError> {
        let filter = CellFilter { zone_id: zone_id.0, text: search.0, state: state.0, ..CellFilter::default() };
        export(&db, actor, "cells", format.0.unwrap_or_default(), CellsOf { warehouse: id.0, filter }).await
    }
}
