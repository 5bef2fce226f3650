//! People and their roles. A person belongs to the installation; memberships tie people to enterprises.

pub mod sessions;
pub mod trail;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

use crate::access::{Origin, Permission, Role};
use crate::audit::{self, Action, Object};
use crate::db::{EnterpriseTx, PlatformTx};
use crate::error::RefusedOn;
use crate::ids::{EnterpriseId, UserId};
use crate::page::{Page, PageQuery};
use crate::{Error, Refusal, Result};

/// Whether a person may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum UserStatus {
    /// They may.
    Active,
    /// They may not.
    Inactive,
}

/// An address of e-mail, in lower case: what people sign in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Checks the shape only: whether letters arrive there, a letter tells.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim().to_lowercase();
        let shaped = text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty()
                && host.contains('.')
                && !host.contains('@')
                && !host.starts_with('.')
                && !host.ends_with('.')
        });
        let plain = text.chars().all(|character| !character.is_whitespace() && !character.is_control());
        if shaped && plain && text.chars().count() <= 254 {
            Ok(Self(text))
        } else {
            Err(Error::invalid("email", "is not an address of e-mail"))
        }
    }

    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A person as one enterprise sees them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
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

/// A person to be.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// What they will sign in with.
    pub email: Email,
    /// As colleagues call them.
    pub name: String,
    /// What they will be.
    pub role: Role,
    /// Argon2id, in PHC form.
    pub password_hash: SecretString,
}

/// A person of the enterprise.
pub async fn get(tx: &mut EnterpriseTx, id: UserId) -> Result<User> {
    if tx.actor().user_id() != Some(id) {
        tx.require(Permission::ReadPeople)?;
    }
    let enterprise_id = tx.enterprise_id();
    members(tx.conn(), enterprise_id, Some(id), None, 1).await?.pop().ok_or(Error::NotFound("user"))
}

/// The people of the enterprise, in the order in which they came.
pub async fn list(tx: &mut EnterpriseTx, query: &PageQuery) -> Result<Page<User>> {
    tx.require(Permission::ReadPeople)?;
    let enterprise_id = tx.enterprise_id();
    let after: Option<UserId> = query.key()?;
    let rows = members(tx.conn(), enterprise_id, None, after, query.limit + 1).await?;
    Ok(query.page(rows, |row| row.id))
}

/// Takes a new person into the enterprise.
pub async fn create(tx: &mut EnterpriseTx, new: &NewUser) -> Result<User> {
    tx.require(Permission::ManagePeople)?;
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let id = insert(tx.conn(), enterprise_id, new, now).await?;
    let user = get(tx, id).await?;
    audit::created(tx, Action::UserCreated, Object::of("user", id), &user).await?;
    Ok(user)
}

/// Takes the first person into an enterprise that was just founded.
pub async fn create_first(tx: &mut PlatformTx, enterprise_id: EnterpriseId, new: &NewUser) -> Result<UserId> {
    let now = tx.now().await?;
    let id = insert(tx.conn(), enterprise_id, new, now).await?;
    let act = (Action::UserCreated, Object::of("user", id));
    let facts = json!({ "email": new.email.as_str(), "name": new.name, "role": new.role });
    audit::noted_outside(tx, enterprise_id, "platform", &Origin::default(), act, &facts).await?;
    Ok(id)
}

async fn insert(
    conn: &mut PgConnection,
    enterprise_id: EnterpriseId,
    new: &NewUser,
    now: DateTime<Utc>,
) -> Result<UserId> {
    let name = new.name.trim();
    if !(1..=200).contains(&name.chars().count()) {
        return Err(Error::invalid("name", "must have between 1 and 200 characters"));
    }
    let id = UserId::new();
    sqlx::query!(
        "INSERT INTO users (id, email, name, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)",
        id as _,
        new.email.as_str(),
        name,
        new.password_hash.expose_secret(),
        now,
    )
    .execute(&mut *conn)
    .await
    .refused_on("users_email_key", Refusal::EmailTaken, || format!("{} is taken", new.email.as_str()))?;
    sqlx::query!(
        "INSERT INTO memberships (enterprise_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)",
        enterprise_id as _,
        id as _,
        new.role as Role,
        now,
    )
    .execute(conn)
    .await?;
    Ok(id)
}

async fn members(
    conn: &mut PgConnection,
    enterprise_id: EnterpriseId,
    id: Option<UserId>,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<User>> {
    Ok(sqlx::query_as!(
        User,
        "SELECT u.id, u.email, u.name, m.role, u.status, u.created_at
         FROM memberships AS m JOIN users AS u ON u.id = m.user_id
         WHERE m.enterprise_id = $1 AND ($2::uuid IS NULL OR u.id = $2) AND ($3::uuid IS NULL OR u.id > $3)
         ORDER BY u.id
         LIMIT $4",
        enterprise_id as _,
        id as _,
        after as _,
        limit,
    )
    .fetch_all(conn)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_lower_case_and_nonsense_is_refused() {
        assert_eq!(Email::parse(" Anna@Example.RU ").expect("is an address").as_str(), "anna@example.ru");
        for nonsense in ["", "anna", "@example.ru", "anna@", "anna@host", "an na@example.ru", "a@b@example.ru", "a@.ru"]
        {
            assert!(Email::parse(nonsense).is_err(), "{nonsense}");
        }
    }
}
