//! People over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use secrecy::SecretString;
use shared::Error;
use shared::access::{Permission, Role};
use shared::db::Db;
use shared::ids::{EnterpriseId, UserId};
use shared::page::PageQuery;
use shared::users::{self, Email, NewUser, UserStatus};

use crate::Tag;
use crate::answers::{Created, Ending, Page};
use crate::auth::Caller;
use crate::passwords::Passwords;
use crate::problem::ApiError;

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
    /// What they are in this enterprise.
    pub role: Role,
    /// Whether they may sign in.
    pub status: UserStatus,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

impl From<users::User> for User {
    fn from(user: users::User) -> Self {
        let users::User { id, email, name, role, status, created_at } = user;
        Self { id, email, name, role, status, created_at }
    }
}

/// The person who is asking, and what they may do.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Me {
    /// Who.
    pub user: User,
    /// Where.
    pub enterprise_id: EnterpriseId,
    /// What their role allows, as `resource:action`.
    pub permissions: Vec<String>,
}

/// A person to take into the enterprise.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateUser {
    /// What they will sign in with; kept in lower case.
    pub email: String,
    /// As colleagues call them, 1 to 200 characters.
    pub name: String,
    /// What they will be.
    pub role: Role,
    /// Their first password, 12 to 128 characters.
    pub password: String,
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
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<User>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = users::list(&mut tx, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Take a person into the enterprise
    #[oai(path = "/users", method = "post", operation_id = "create_user")]
    async fn create(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        passwords: Data<&Passwords>,
        body: Json<CreateUser>,
    ) -> Result<Created<User>, ApiError> {
        let CreateUser { email, name, role, password } = body.0;
        // Before the hash: it is expensive, and only who may use it gets it. No transaction waits for it.
        actor.require(Permission::ManagePeople)?;
        let email = Email::parse(&email)?;
        let password_hash = passwords.hash(SecretString::from(password), "password").await?;
        let mut tx = db.begin(&actor).await?;
        let user = users::create(&mut tx, &NewUser { email, name, role, password_hash }).await?;
        tx.answer(Created::of(user)).await
    }

    /// See who you are and what you may do
    #[oai(path = "/users/me", method = "get", operation_id = "get_me")]
    async fn me(&self, Caller(actor): Caller, db: Data<&Db>) -> Result<Json<Me>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let user = users::get(&mut tx, actor.user_id().ok_or(Error::NotFound("user"))?).await?;
        tx.commit().await?;
        let allowed = Permission::ALL.iter().filter(|permission| actor.may(**permission));
        let permissions = allowed.map(|permission| permission.code().to_owned()).collect();
        Ok(Json(Me { user: user.into(), enterprise_id: actor.enterprise_id(), permissions }))
    }
}
