//! Service keys over HTTP. A key is shown once, when it is made.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::access::Permission;
use shared::api_keys::{self, NewApiKey};
use shared::db::Db;
use shared::ids::{EnterpriseId, KeyId, UserId, WarehouseId};
use shared::page::PageQuery;
use shared::users::ReachKind;

use crate::Tag;
use crate::answers::{Created, Ending, NoContent, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;

shown! {
    /// A service key, without the key itself.
    ApiKey from api_keys::ApiKey {
        /// Which one.
        id: KeyId,
        /// What it is for.
        name: String,
        /// Its last four characters.
        hint: String,
        /// What it was made for; at no time may it do more than its maker.
        permissions: Vec<Permission>,
        /// How far.
        reach: ReachKind,
        /// Where, if the reach is `warehouses`.
        warehouse_ids: Vec<WarehouseId>,
        /// Who made it.
        created_by: UserId,
        /// When.
        created_at: DateTime<Utc>,
        /// Until when it is accepted.
        expires_at: Option<DateTime<Utc>>,
        /// When it was last used, to the minute.
        used_at: Option<DateTime<Utc>>,
        /// Since when it is not accepted any more.
        revoked_at: Option<DateTime<Utc>>,
    }
}

/// A new service key. This is the only time that the key itself is shown.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct CreatedApiKey {
    /// What will be seen of it from now on.
    pub key: ApiKey,
    /// The key: send it as `Authorization: Bearer wbk_…`.
    pub secret: String,
}

/// A service key to make.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateApiKey {
    /// What it is for, 1 to 100 characters.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    /// What it may do, at least one thing, and nothing that the caller lacks; rights over people, roles, keys, tokens
    /// and the enterprise itself are for people only.
    #[oai(validator(min_items = 1))]
    pub permissions: Vec<Permission>,
    /// In these warehouses; absent: everywhere.
    #[oai(validator(min_items = 1))]
    pub warehouse_ids: Option<Vec<WarehouseId>>,
    /// Until when it is accepted; absent: until it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Service keys.
pub struct Api;

#[OpenApi(tag = "Tag::Enterprises")]
impl Api {
    /// List service keys, newest first, revoked ones too
    #[oai(path = "/enterprises/:id/api-keys", method = "get", operation_id = "list_api_keys")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<EnterpriseId>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<ApiKey>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = api_keys::list(&mut tx, id.0, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Make a service key; it is shown in this answer and never again
    ///
    /// Needs a recent sign-in or `POST /auth/confirm`.
    #[oai(path = "/enterprises/:id/api-keys", method = "post", operation_id = "create_api_key")]
    async fn create(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<EnterpriseId>,
        body: Json<CreateApiKey>,
    ) -> Result<Created<CreatedApiKey>, ApiError> {
        let CreateApiKey { name, permissions, warehouse_ids, expires_at } = body.0;
        let new = NewApiKey { name, permissions, warehouses: warehouse_ids, expires_at };
        let mut tx = db.begin(&actor).await?;
        let (key, secret) = api_keys::create(&mut tx, id.0, &new).await?;
        tx.commit().await?;
        Ok(Created::New(Json(CreatedApiKey { key: key.into(), secret: secret.expose().to_owned() })))
    }

    /// Get a service key, without the key itself
    #[oai(path = "/enterprises/:id/api-keys/:key_id", method = "get", operation_id = "get_api_key")]
    async fn get(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<EnterpriseId>,
        key_id: Path<KeyId>,
    ) -> Result<Json<ApiKey>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let key = api_keys::get(&mut tx, id.0, key_id.0).await?;
        tx.commit().await?;
        Ok(Json(key.into()))
    }

    /// Revoke a service key, from its next request on
    ///
    /// Needs a recent sign-in or `POST /auth/confirm`.
    #[oai(path = "/enterprises/:id/api-keys/:key_id", method = "delete", operation_id = "revoke_api_key")]
    async fn revoke(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<EnterpriseId>,
        key_id: Path<KeyId>,
    ) -> Result<NoContent, ApiError> {
        let mut tx = db.begin(&actor).await?;
        api_keys::revoke(&mut tx, id.0, key_id.0).await?;
        tx.answer(NoContent::Done).await
    }
}
