//! Roles over HTTP: the built-in ones, and an enterprise's own.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::Error;
use shared::access::{Permission, Role};
use shared::db::{Db, EnterpriseTx};
use shared::ids::RoleId;
use shared::users::roles::{self, RoleDraft};
use shared::versions::Version;

use crate::Tag;
use crate::answers::{Current, Ending, Fresh, List, NoContent, shown};
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::versions::versioned;

shown! {
    /// A role of the enterprise's own.
    OwnRole from roles::OwnRole {
        /// Which one.
        id: RoleId,
        /// Unique in the enterprise.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// What it permits.
        permissions: Vec<Permission>,
        /// How many people have it.
        people: i64,
        /// Since when.
        created_at: DateTime<Utc>,
        /// When it was last changed.
        changed_at: DateTime<Utc>,
        /// How often.
        version: Version,
    }
}

versioned!(OwnRole);

/// A role that can be granted.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct GrantableRole {
    /// The built-in role; absent for an own one.
    pub role: Option<Role>,
    /// The own role; absent for a built-in one.
    pub role_id: Option<RoleId>,
    /// What it is called; a built-in one in Russian.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it permits, granted all over the enterprise.
    pub permissions: Vec<Permission>,
}

impl From<Role> for GrantableRole {
    fn from(role: Role) -> Self {
        Self {
            role: Some(role),
            role_id: None,
            name: role.title_ru().to_owned(),
            description: None,
            permissions: role.permissions(),
        }
    }
}

impl From<roles::OwnRole> for GrantableRole {
    fn from(own: roles::OwnRole) -> Self {
        let roles::OwnRole { id, name, description, permissions, .. } = own;
        Self { role: None, role_id: Some(id), name, description, permissions }
    }
}

/// Every role that can be granted, the built-in ones first.
pub(crate) async fn grantable(tx: &mut EnterpriseTx) -> Result<Vec<GrantableRole>, Error> {
    let own = roles::list(tx).await?;
    Ok(Role::ALL.into_iter().map(Into::into).chain(own.into_iter().map(Into::into)).collect())
}

/// A role to be, or what it should become.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct WriteRole {
    /// Unique in the enterprise, 1 to 100 characters.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    /// What it is for, up to 1000 characters.
    #[oai(validator(max_length = 1000))]
    pub description: Option<String>,
    /// What it permits, at least one thing, and nothing that the caller lacks.
    #[oai(validator(min_items = 1))]
    pub permissions: Vec<Permission>,
}

impl From<WriteRole> for RoleDraft {
    fn from(role: WriteRole) -> Self {
        let WriteRole { name, description, permissions } = role;
        Self { name, description, permissions }
    }
}

/// Roles.
pub struct Api;

#[OpenApi(tag = "Tag::Users")]
impl Api {
    /// List the roles that can be granted, the built-in ones first
    #[oai(path = "/roles", method = "get", operation_id = "list_roles")]
    async fn list(&self, Caller(actor): Caller, db: Data<&Db>) -> Result<Json<List<GrantableRole>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let items = grantable(&mut tx).await?;
        tx.commit().await?;
        Ok(Json(List { items }))
    }

    /// Make a role of the enterprise's own
    #[oai(path = "/roles", method = "post", operation_id = "create_role")]
    async fn create(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<WriteRole>,
    ) -> Result<Fresh<OwnRole>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let role = roles::create(&mut tx, &body.0.into()).await?;
        tx.answer(Fresh::of(role)).await
    }

    /// Get a role of the enterprise's own
    #[oai(path = "/roles/:id", method = "get", operation_id = "get_role")]
    async fn get(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<RoleId>) -> Result<Current<OwnRole>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let role = roles::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Current::of(role))
    }

    /// Change a role, and with it what everybody may do who has it, from their next request on
    ///
    /// Needs a recent sign-in or `POST /auth/confirm`.
    #[oai(path = "/roles/:id", method = "put", operation_id = "change_role")]
    async fn change(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<RoleId>,
        body: Json<WriteRole>,
    ) -> Result<Current<OwnRole>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let role = roles::change(&mut tx, id.0, &body.0.into()).await?;
        tx.answer(Current::of(role)).await
    }

    /// Delete a role that nobody has
    #[oai(path = "/roles/:id", method = "delete", operation_id = "delete_role")]
    async fn delete(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<RoleId>) -> Result<NoContent, ApiError> {
        let mut tx = db.begin(&actor).await?;
        roles::delete(&mut tx, id.0).await?;
        tx.answer(NoContent::Done).await
    }
}
