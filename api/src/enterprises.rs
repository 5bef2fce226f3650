//! Enterprises over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::access::Role;
use shared::db::Db;
use shared::enterprises::{self, EnterpriseStatus};
use shared::ids::EnterpriseId;
use shared::page::PageQuery;

use crate::Tag;
use crate::answers::Page;
use crate::auth::Caller;
use crate::problem::ApiError;

/// A tenant: nothing is shared between enterprises.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Enterprise {
    /// Which one.
    pub id: EnterpriseId,
    /// As people call it.
    pub name: String,
    /// IANA name of the zone in which its days begin.
    pub time_zone: String,
    /// Whether its people may work.
    pub status: EnterpriseStatus,
    /// What the caller is there.
    pub role: Role,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

impl From<enterprises::Enterprise> for Enterprise {
    fn from(enterprise: enterprises::Enterprise) -> Self {
        let enterprises::Enterprise { id, name, time_zone, status, role, created_at } = enterprise;
        Self { id, name, time_zone, status, role, created_at }
    }
}

/// Enterprises.
pub struct Api;

#[OpenApi(tag = "Tag::Enterprises")]
impl Api {
    /// List the enterprises to which you belong
    #[oai(path = "/enterprises", method = "get", operation_id = "list_enterprises")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Enterprise>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = enterprises::list(&mut tx, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Get one of the enterprises to which you belong
    #[oai(path = "/enterprises/:id", method = "get", operation_id = "get_enterprise")]
    async fn get(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<EnterpriseId>,
    ) -> Result<Json<Enterprise>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let enterprise = enterprises::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(enterprise.into()))
    }
}
