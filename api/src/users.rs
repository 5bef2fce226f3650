//! People over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use secrecy::SecretString;
use shared::access::{Grants, Permission, Reach, Recognised, Role};
use shared::db::Db;
use shared::ids::{EnterpriseId, KeyId, RoleId, UserId, WarehouseId};
use shared::page::PageQuery;
use shared::users::{self, Email, GrantedRole, NewUser, Profile, ReachKind, UserFilter, UserStatus};
use shared::versions::Version;
use shared::{Error, Result};

use crate::Tag;
use crate::answers::{Current, Ending, Fresh, NoContent, Page};
use crate::auth::{Anybody, Caller};
use crate::passwords::Passwords;
use crate::problem::ApiError;
use crate::versions::versioned;

/// A role with a reach: what makes up what a person may do.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields, skip_serializing_if_is_none)]
pub struct Grant {
    /// A built-in role,
    pub role: Option<Role>,
    /// or one of the enterprise's own.
    pub role_id: Option<RoleId>,
    /// How far.
    pub reach: ReachKind,
    /// Where, if the reach is `warehouses`.
    pub warehouse_ids: Option<Vec<WarehouseId>>,
}

impl From<users::Grant> for Grant {
    fn from(grant: users::Grant) -> Self {
        let (role, role_id) = match grant.role {
            GrantedRole::BuiltIn(role) => (Some(role), None),
            GrantedRole::Own(id) => (None, Some(id)),
        };
        let warehouse_ids = Some(grant.warehouses).filter(|warehouses| !warehouses.is_empty());
        Self { role, role_id, reach: grant.reach, warehouse_ids }
    }
}

/// The grants of a body.
pub(crate) fn granted(grants: Vec<Grant>) -> Result<Vec<users::Grant>> {
    let one = |(index, grant): (usize, Grant)| {
        let role = match (grant.role, grant.role_id) {
            (Some(role), None) => GrantedRole::BuiltIn(role),
            (None, Some(id)) => GrantedRole::Own(id),
            _ => return Err(Error::invalid(format!("grants.{index}.role"), "name either role or roleId")),
        };
        let warehouses = grant.warehouse_ids.unwrap_or_default();
        Ok(users::Grant { role, reach: grant.reach, warehouses })
    };
    grants.into_iter().enumerate().map(one).collect()
}

/// A person of the enterprise.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct User {
    /// Who.
    pub id: UserId,
    /// What they sign in with.
    pub email: String,
    /// As colleagues call them.
    pub name: String,
    /// Whether they may work in this enterprise.
    pub status: UserStatus,
    /// What they may do in this enterprise: the sum of these.
    pub grants: Vec<Grant>,
    /// Since when they belong to it.
    pub created_at: DateTime<Utc>,
    /// How often what the enterprise sees of them was changed.
    pub version: Version,
}

versioned!(User);

impl From<users::User> for User {
    fn from(user: users::User) -> Self {
        let users::User { id, email, name, status, grants, created_at, version } = user;
        Self { id, email, name, status, grants: grants.into_iter().map(Into::into).collect(), created_at, version }
    }
}

/// A permission with its reach: where one of the three holds.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct EffectivePermission {
    /// What may be done.
    pub permission: Permission,
    /// All over the enterprise.
    pub everywhere: bool,
    /// In these warehouses.
    pub warehouse_ids: Vec<WarehouseId>,
    /// In one's own requests, with what hangs on them.
    pub own: bool,
}

impl From<(Permission, &Reach)> for EffectivePermission {
    fn from((permission, reach): (Permission, &Reach)) -> Self {
        let (everywhere, warehouse_ids, own) = match reach {
            Reach::Everywhere => (true, Vec::new(), false),
            Reach::Within { warehouses, own } => (false, warehouses.iter().copied().collect(), *own),
        };
        Self { permission, everywhere, warehouse_ids, own }
    }
}

/// Who is asking, and what they may do: what a client can hide follows from this.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Me {
    /// The person; absent for a service key.
    pub user: Option<User>,
    /// The service key; absent for a person.
    pub key_id: Option<KeyId>,
    /// Where; absent for a system administrator.
    pub enterprise_id: Option<EnterpriseId>,
    /// Whether this is a session of one who runs the installation.
    pub system_administrator: bool,
    /// Every permission that is there in whatever reach.
    pub permissions: Vec<EffectivePermission>,
}

fn effective(grants: Option<&Grants>) -> Vec<EffectivePermission> {
    grants.into_iter().flat_map(Grants::iter).map(Into::into).collect()
}

/// A person to take into the enterprise. Who has the address already, from another enterprise, keeps name and password.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateUser {
    /// What they sign in with; kept in lower case.
    #[oai(validator(max_length = 254))]
    pub email: String,
    /// As colleagues call them, 1 to 200 characters; needed by who is new to the installation.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: Option<String>,
    /// Their first password, 12 to 128 characters; needed by who is new to the installation.
    #[oai(validator(min_length = 12, max_length = 128))]
    pub password: Option<String>,
    /// What they may do, 1 to 20 grants; none of it more than the caller may.
    #[oai(validator(min_items = 1, max_items = 20))]
    pub grants: Vec<Grant>,
}

/// What of a colleague's profile should change.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeUser {
    /// As colleagues call them, 1 to 200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: Option<String>,
    /// What they sign in with; kept in lower case.
    #[oai(validator(max_length = 254))]
    pub email: Option<String>,
}

/// What of one's own profile should change.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeMe {
    /// As colleagues call you, 1 to 200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
}

/// What a person may do from now on.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetGrants {
    /// 1 to 20; they replace all that the person had.
    #[oai(validator(min_items = 1, max_items = 20))]
    pub grants: Vec<Grant>,
}

/// People.
pub struct Api;

#[OpenApi(tag = "Tag::Users")]
impl Api {
    /// List the people of the enterprise
    #[oai(path = "/users", method = "get", operation_id = "list_users")]
    async fn list(
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
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<User>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = UserFilter {
            search: search.0,
            status: status.0,
            role: role.0,
            role_id: role_id.0,
            warehouse_id: warehouse_id.0,
        };
        let mut tx = db.begin(&actor).await?;
        let page = users::list(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Take a person into the enterprise
    ///
    /// Who makes an administrator needs a recent sign-in or `POST /auth/confirm`.
    #[oai(path = "/users", method = "post", operation_id = "create_user")]
    async fn create(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        passwords: Data<&Passwords>,
        body: Json<CreateUser>,
    ) -> Result<Fresh<User>, ApiError> {
        let CreateUser { email, name, password, grants } = body.0;
        // Before the hash: it is expensive, and only who may use it gets it. No transaction waits for it.
        actor.require(Permission::ManagePeople)?;
        let (email, grants) = (Email::parse(&email)?, granted(grants)?);
        let password_hash = hashed(&passwords, password).await?;
        let mut tx = db.begin(&actor).await?;
        let user = users::create(&mut tx, &NewUser { email, name, password_hash, grants }).await?;
        tx.answer(Fresh::of(user)).await
    }

    /// See who you are and what you may do
    #[oai(path = "/users/me", method = "get", operation_id = "get_me")]
    async fn me(&self, Anybody(caller): Anybody, db: Data<&Db>) -> Result<Json<Me>, ApiError> {
        Ok(Json(match caller {
            Recognised::Actor(actor) => {
                let mut tx = db.begin(&actor).await?;
                let user = users::acting(&mut tx).await?;
                tx.commit().await?;
                Me {
                    user: user.map(Into::into),
                    key_id: actor.key_id(),
                    enterprise_id: Some(actor.enterprise_id()),
                    system_administrator: false,
                    permissions: effective(actor.grants()),
                }
            }
            Recognised::Operator(operator) => {
                let mut tx = db.begin(operator.actor()).await?;
                let user = users::of_installation(&mut tx).await?;
                tx.commit().await?;
                Me {
                    user: Some(user.into()),
                    key_id: None,
                    enterprise_id: None,
                    system_administrator: true,
                    permissions: Vec::new(),
                }
            }
        }))
    }

    /// Change your own profile
    #[oai(path = "/users/me", method = "patch", operation_id = "change_me")]
    async fn change_me(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<ChangeMe>,
    ) -> Result<Current<User>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let user = users::rename(&mut tx, &body.name).await?;
        tx.answer(Current::of(user)).await
    }

    /// Get a person of the enterprise
    #[oai(path = "/users/:id", method = "get", operation_id = "get_user")]
    async fn get(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<UserId>) -> Result<Current<User>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let user = users::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Current::of(user))
    }

    /// Change the profile of a colleague who belongs to no other enterprise
    ///
    /// Another address of e-mail needs a recent sign-in or `POST /auth/confirm`.
    #[oai(path = "/users/:id", method = "patch", operation_id = "change_user")]
    async fn change(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<UserId>,
        body: Json<ChangeUser>,
    ) -> Result<Current<User>, ApiError> {
        let ChangeUser { name, email } = body.0;
        let profile = Profile { name, email: email.as_deref().map(Email::parse).transpose()? };
        let mut tx = db.begin(&actor).await?;
        let user = users::change(&mut tx, id.0, &profile).await?;
        tx.answer(Current::of(user)).await
    }

    /// Let a person work again
    #[oai(path = "/users/:id/activate", method = "post", operation_id = "activate_user")]
    async fn activate(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<UserId>,
    ) -> Result<Current<User>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let user = users::activate(&mut tx, id.0).await?;
        tx.answer(Current::of(user)).await
    }

    /// Let a person work no more, from their next request on
    #[oai(path = "/users/:id/deactivate", method = "post", operation_id = "deactivate_user")]
    async fn deactivate(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<UserId>,
    ) -> Result<Current<User>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let user = users::deactivate(&mut tx, id.0).await?;
        tx.answer(Current::of(user)).await
    }

    /// Say what a person may do, from their next request on
    ///
    /// Needs a recent sign-in or `POST /auth/confirm`.
    #[oai(path = "/users/:id/grants", method = "put", operation_id = "set_user_grants")]
    async fn set_grants(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<UserId>,
        body: Json<SetGrants>,
    ) -> Result<Current<User>, ApiError> {
        let grants = granted(body.0.grants)?;
        let mut tx = db.begin(&actor).await?;
        let user = users::set_grants(&mut tx, id.0, &grants).await?;
        tx.answer(Current::of(user)).await
    }

    /// Take a person out of the enterprise
    ///
    /// Histories and requests go on naming them.
    #[oai(path = "/users/:id", method = "delete", operation_id = "remove_user")]
    async fn remove(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<UserId>) -> Result<NoContent, ApiError> {
        let mut tx = db.begin(&actor).await?;
        users::remove(&mut tx, id.0).await?;
        tx.answer(NoContent::Done).await
    }
}

/// The hash of a password, where one was given.
pub(crate) async fn hashed(passwords: &Passwords, password: Option<String>) -> Result<Option<SecretString>> {
    match password {
        Some(password) => Ok(Some(passwords.hash(SecretString::from(password), "password").await?)),
        None => Ok(None),
    }
}
