//! People, what they may do, and what they did.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use shared::access::Role;
use shared::api_keys;
use shared::audit::{self, AuditFilter};
use shared::db::Db;
use shared::ids::{EnterpriseId, RoleId, WarehouseId};
use shared::users::{self, UserFilter, UserStatus};

use super::super::{Export, ExportFormat, export};
use super::{listed, whole};
use crate::Tag;
use crate::api_keys::ApiKey;
use crate::audit::AuditEntry;
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::roles::GrantableRole;
use crate::users::User;

listed!(UserFilter => User, |list, tx, query| Ok(users::list(tx, list, query).await?.map(Into::into)));

struct Roles;
listed!(Roles => GrantableRole, |_list, tx, query| Ok(whole(crate::roles::grantable(tx).await?)));

/// The service keys of one enterprise.
struct KeysOf(EnterpriseId);
listed!(KeysOf => ApiKey, |list, tx, query| Ok(api_keys::list(tx, list.0, query).await?.map(Into::into)));

listed!(AuditFilter => AuditEntry, |list, tx, query| Ok(audit::list(tx, list, query).await?.map(Into::into)));

/// Exports.
pub struct Api;

#[OpenApi]
impl Api {
    /// Export the people of the enterprise
    #[oai(path = "/users/export", method = "get", operation_id = "export_users", tag = "Tag::Users")]
    async fn users(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// With this text in name or address, whatever the case.
        #[oai(validator(max_length = 200))]
        search: Query<Option<String>>,
        /// In this state.
        status: Query<Option<UserStatus>>,
        /// With this built-in role.
        role: Query<Option<Role>>,
        /// With this own role.
        #[oai(name = "roleId")]
        role_id: Query<Option<RoleId>>,
        /// Who may do something in this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<User>, ApiError> {
        let list = UserFilter {
            search: search.0,
            status: status.0,
            role: role.0,
            role_id: role_id.0,
            warehouse_id: warehouse_id.0,
        };
        export(&db, actor, "users", format.0.unwrap_or_default(), list).await
    }

    /// Export built-in and own roles
    #[oai(path = "/roles/export", method = "get", operation_id = "export_roles", tag = "Tag::Users")]
    async fn roles(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<GrantableRole>, ApiError> {
        let list = Roles;
        export(&db, actor, "roles", format.0.unwrap_or_default(), list).await
    }

    /// Export service keys, without what they sign in with
    #[oai(
        path = "/enterprises/:id/api-keys/export",
        method = "get",
        operation_id = "export_api_keys",
        tag = "Tag::Enterprises"
    )]
    async fn api_keys(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<EnterpriseId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<ApiKey>, ApiError> {
        let list = KeysOf(id.0);
        export(&db, actor, "api-keys", format.0.unwrap_or_default(), list).await
    }

    /// Export acts, newest first
    #[oai(path = "/audit/export", method = "get", operation_id = "export_audit_entries", tag = "Tag::Audit")]
    #[expect(clippy::too_many_arguments, reason = "one parameter per filter")]
    async fn audit(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// By this one: `user:<id>` or `job:<kind>`.
        by: Query<Option<String>>,
        /// Only this act.
        action: Query<Option<String>>,
        /// About something of this kind, for example `printer`.
        #[oai(name = "objectKind")]
        object_kind: Query<Option<String>>,
        /// About this one.
        #[oai(name = "objectId")]
        object_id: Query<Option<String>>,
        /// By this request.
        #[oai(name = "requestId")]
        request_id: Query<Option<String>>,
        /// From this moment on.
        from: Query<Option<DateTime<Utc>>>,
        /// Before this moment.
        until: Query<Option<DateTime<Utc>>>,
        /// With this text in the object, in before or in after, whatever the case.
        text: Query<Option<String>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<AuditEntry>, ApiError> {
        let list = AuditFilter {
            actor: by.0,
            action: action.0,
            object_kind: object_kind.0,
            object_id: object_id.0,
            request_id: request_id.0,
            from: from.0,
            until: until.0,
            text: text.0,
        };
        export(&db, actor, "audit", format.0.unwrap_or_default(), list).await
    }
}
