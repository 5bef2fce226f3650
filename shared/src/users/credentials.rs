//! Passwords as the table keeps them. Hashing is the API's; no transaction is open meanwhile.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::PgConnection;

use super::sessions::{self, EndReason};
use super::{Email, letters, trail};
use crate::access::Origin;
use crate::audit::{self, Action, Object};
use crate::db::{EnterpriseTx, PlatformTx};
use crate::herald::Change;
use crate::ids::UserId;
use crate::{Error, Result};

/// Somebody who may sign in, if the password is theirs.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// What they sign in with.
    pub email: String,
    /// As colleagues call them.
    pub name: String,
    /// Argon2id, in PHC form.
    pub password_hash: SecretString,
}

/// The person with this address, unless they are inactive.
pub async fn find_person(tx: &mut PlatformTx, email: &Email) -> Result<Option<Person>> {
    person(tx.conn(), None, Some(email.as_str())).await
}

/// The acting person, with what their password is compared to.
pub async fn acting_person(tx: &mut EnterpriseTx) -> Result<Person> {
    let id = tx.actor().user_id().ok_or(Error::NotFound("user"))?;
    person(tx.conn(), Some(id), None).await?.ok_or(Error::NotFound("user"))
}

/// Keeps the acting person's new password. Their other sessions end; this one goes on, confirmed.
pub async fn change_password(tx: &mut EnterpriseTx, password_hash: &SecretString) -> Result<()> {
    let (id, now) = (tx.actor().user_id().ok_or(Error::NotFound("user"))?, tx.now().await?);
    set_password(tx.conn(), now, id, password_hash).await?;
    audit::noted(tx, Action::PasswordChanged, Object::of("user", id), &json!({})).await?;
    sessions::note_confirmed(tx).await?;
    sessions::end_others(tx, EndReason::PasswordChanged).await
}

/// Keeps a person's new password when they have shown that they read our letter. All their sessions end.
pub(super) async fn reset_password(
    tx: &mut PlatformTx,
    id: UserId,
    password_hash: &SecretString,
    origin: &Origin,
) -> Result<()> {
    let now = tx.now().await?;
    set_password(tx.conn(), now, id, password_hash).await?;
    sessions::end(tx.conn(), now, &sessions::Which::all_of(id), EndReason::PasswordChanged).await?;
    let act = || (Action::PasswordChanged, Object::of("user", id));
    trail::of_person(tx, id, &format!("user:{id}"), origin, act, &json!({ "by": "letter" })).await?;
    tx.announce(Change::User(id));
    Ok(())
}

/// Keeps the same password hashed anew, with the costs of today; not if it was changed meanwhile.
pub async fn keep_rehashed(tx: &mut PlatformTx, person: &Person, password_hash: &SecretString) -> Result<()> {
    sqlx::query!(
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
        person.id as _,
        person.password_hash.expose_secret(),
        password_hash.expose_secret(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A new address that was asked for under the old password is not taken any more.
async fn set_password(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: UserId,
    password_hash: &SecretString,
) -> Result<()> {
    sqlx::query!("UPDATE users SET password_hash = $2 WHERE id = $1", id as _, password_hash.expose_secret())
        .execute(&mut *conn)
        .await?;
    letters::withdraw_email_changes(conn, now, id).await
}

async fn person(conn: &mut PgConnection, id: Option<UserId>, email: Option<&str>) -> Result<Option<Person>> {
    let row = sqlx::query!(
        "SELECT id, email, name, password_hash FROM users WHERE (id = $1 OR email = $2) AND status = 'active'",
        id as _,
        email,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Person {
        id: row.id,
        email: row.email,
        name: row.name,
        password_hash: SecretString::from(row.password_hash),
    }))
}
