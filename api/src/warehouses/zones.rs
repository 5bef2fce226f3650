//! Zones of a warehouse over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{WarehouseId, ZoneId};
use shared::versions::Version;
use shared::warehouses::{self, NewZone, Purpose, ZoneChange};

use crate::Tag;
use crate::answers::{Current, Ending, Fresh, List, NoContent, shown};
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::versions::versioned;

shown! {
    /// A part of a warehouse.
    Zone from warehouses::Zone {
        /// Which one.
        id: ZoneId,
        /// Where.
        warehouse_id: WarehouseId,
        /// Unique in the warehouse.
        name: String,
        /// What its cells are for.
        purpose: Purpose,
        /// Its place among the zones; smaller is earlier.
        position: i32,
        /// Since when.
        created_at: DateTime<Utc>,
        /// How often it was changed: `If-Match` compares it.
        version: Version,
    }
}

versioned!(Zone);

/// A zone to make.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateZone {
    /// Unique in the warehouse, 1 to 100 characters.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    /// What its cells are for.
    pub purpose: Purpose,
    /// Its place among the zones; absent: the last.
    pub position: Option<i32>,
}

/// What is changed of a zone; what is not named stays.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeZone {
    /// Unique in the warehouse, 1 to 100 characters.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: Option<String>,
    /// What its cells are for: only while it has none.
    pub purpose: Option<Purpose>,
    /// Its place among the zones.
    pub position: Option<i32>,
}

/// Zones.
pub struct Api;

#[OpenApi(tag = "Tag::Warehouses")]
impl Api {
    /// List the zones of a warehouse in their order
    #[oai(path = "/warehouses/:id/zones", method = "get", operation_id = "list_zones")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
    ) -> Result<Json<List<Zone>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let zones = warehouses::list_zones(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(List::of(zones)))
    }

    /// Make a zone in a warehouse
    #[oai(path = "/warehouses/:id/zones", method = "post", operation_id = "create_zone")]
    async fn create(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<WarehouseId>,
        body: Json<CreateZone>,
    ) -> Result<Fresh<Zone>, ApiError> {
        let CreateZone { name, purpose, position } = body.0;
        let mut tx = db.begin(&actor).await?;
        let zone = warehouses::create_zone(&mut tx, id.0, &NewZone { name, purpose, position }).await?;
        tx.answer(Fresh::of(zone)).await
    }

    /// Change a zone
    #[oai(path = "/zones/:id", method = "patch", operation_id = "change_zone")]
    async fn change(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ZoneId>,
        body: Json<ChangeZone>,
    ) -> Result<Current<Zone>, ApiError> {
        let ChangeZone { name, purpose, position } = body.0;
        let mut tx = db.begin(&actor).await?;
        let zone = warehouses::change_zone(&mut tx, id.0, &ZoneChange { name, purpose, position }).await?;
        tx.answer(Current::of(zone)).await
    }

    /// Remove a zone that has no cells
    #[oai(path = "/zones/:id", method = "delete", operation_id = "delete_zone")]
    async fn delete(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<ZoneId>) -> Result<NoContent, ApiError> {
        let mut tx = db.begin(&actor).await?;
        warehouses::delete_zone(&mut tx, id.0).await?;
        tx.answer(NoContent::Done).await
    }
}
