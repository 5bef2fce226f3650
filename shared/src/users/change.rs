//! What becomes of people in an enterprise: their profile, whether they may work, what they may do, and their leaving.
//!
//! Every change takes the lock of `rights`. Nobody changes who may more than they, nobody changes their own access, and
//! an administrator of the whole enterprise always stays.

use super::sessions::{self, EndReason};
use super::{Email, Grant, User, checked_name, grants, people, rights};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::UserId;
use crate::{Error, Refusal, Result};

/// What of a person's profile should become what.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// As colleagues call them.
    pub name: Option<String>,
    /// What they sign in with.
    pub email: Option<Email>,
}

/// Changes a colleague's profile. It belongs to the person, so nobody changes it for somebody of other enterprises, too.
pub async fn change(tx: &mut EnterpriseTx, id: UserId, profile: &Profile) -> Result<User> {
    let user = lock_other(tx, id).await?;
    tx.expect(user.version)?;
    let elsewhere = sqlx::query_scalar!(
        r#"SELECT u.system_administrator OR EXISTS (
               SELECT FROM memberships AS m WHERE m.user_id = u.id AND m.enterprise_id <> $2 AND m.status <> 'removed') AS "elsewhere!"
           FROM users AS u WHERE u.id = $1"#,
        id as _,
        tx.enterprise_id() as _,
    )
    .fetch_one(tx.conn())
    .await?;
    if elsewhere {
        return Err(Error::refused(
            Refusal::PersonOfSeveralEnterprises,
            format!("{} must change their profile themselves", user.name),
        ));
    }
    if profile.email.is_some() {
        // Whoever changes the address can have the next reset sent to themselves.
        tx.require_confirmed().await?;
    }
    let name = profile.name.as_deref().map(checked_name).transpose()?;
    let email = profile.email.as_ref().map(Email::as_str);
    sqlx::query!(
        "UPDATE users SET name = coalesce($2, name), email = coalesce($3, email) WHERE id = $1",
        id as _,
        name,
        email,
    )
    .execute(tx.conn())
    .await
    .refused_on("users_email_key", Refusal::EmailTaken, || format!("{} is taken", email.unwrap_or_default()))?;
    changed(tx, &user).await
}

/// Changes how colleagues call the acting person.
pub async fn rename(tx: &mut EnterpriseTx, name: &str) -> Result<User> {
    let id = tx.actor().user_id().ok_or(Error::NotFound("user"))?;
    let enterprise_id = tx.enterprise_id();
    rights::hold(tx.conn(), enterprise_id).await?;
    let before = people::show(tx, id).await?;
    tx.expect(before.version)?;
    sqlx::query!("UPDATE users SET name = $2 WHERE id = $1", id as _, checked_name(name)?).execute(tx.conn()).await?;
    changed(tx, &before).await
}

/// Lets a person work again.
pub async fn activate(tx: &mut EnterpriseTx, id: UserId) -> Result<User> {
    let before = lock_other(tx, id).await?;
    set_status(tx, id, "active").await?;
    changed(tx, &before).await
}

/// Lets a person work no more, from their next request on. What they may do is kept for their return.
pub async fn deactivate(tx: &mut EnterpriseTx, id: UserId) -> Result<User> {
    let before = lock_other(tx, id).await?;
    set_status(tx, id, "inactive").await?;
    sessions::end_in_enterprise(tx, id, EndReason::EndedByAdministrator).await?;
    rights::keep_an_administrator(tx).await?;
    changed(tx, &before).await
}

/// Takes a person out of the enterprise. Histories and requests go on naming them; nobody finds them any more.
pub async fn remove(tx: &mut EnterpriseTx, id: UserId) -> Result<()> {
    let user = lock_other(tx, id).await?;
    set_status(tx, id, "removed").await?;
    audit::noted(tx, Action::UserRemoved, Object::of("user", id), &user).await?;
    grants::clear(tx.conn(), id).await?;
    sessions::end_in_enterprise(tx, id, EndReason::EndedByAdministrator).await?;
    rights::keep_an_administrator(tx).await
}

/// Puts these grants in place of all that the person had, from their next request on.
pub async fn set_grants(tx: &mut EnterpriseTx, id: UserId, granted: &[Grant]) -> Result<User> {
    let mine = rights::lock(tx, Permission::ManagePeople).await?;
    tx.require_confirmed().await?;
    let before = check_other(tx, id).await?;
    tx.expect(before.version)?;
    let theirs = rights::granted(tx, id).await?.and(grants::sum(tx.conn(), granted).await?);
    rights::check_covers(&mine, &theirs)?;
    let enterprise_id = tx.enterprise_id();
    rights::rights_changed(tx, &[id]).await?;
    grants::replace(tx.conn(), enterprise_id, id, granted).await?;
    rights::keep_an_administrator(tx).await?;
    changed(tx, &before).await
}

/// The person as they are now, with the change kept in the audit log.
async fn changed(tx: &mut EnterpriseTx, before: &User) -> Result<User> {
    let after = people::show(tx, before.id).await?;
    audit::changed(tx, Action::UserChanged, Object::of("user", before.id), before, &after).await?;
    Ok(after)
}

/// Holds all rights of the enterprise still; fails unless the acting one may change this person.
async fn lock_other(tx: &mut EnterpriseTx, id: UserId) -> Result<User> {
    let mine = rights::lock(tx, Permission::ManagePeople).await?;
    let user = check_other(tx, id).await?;
    rights::check_covers(&mine, &rights::granted(tx, id).await?)?;
    Ok(user)
}

async fn check_other(tx: &mut EnterpriseTx, id: UserId) -> Result<User> {
    let user = people::show(tx, id).await?;
    if tx.actor().user_id() == Some(id) {
        return Err(Error::refused(Refusal::OwnAccess, "ask another administrator"));
    }
    Ok(user)
}

async fn set_status(tx: &mut EnterpriseTx, id: UserId, status: &str) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    rights::rights_changed(tx, &[id]).await?;
    sqlx::query!(
        "UPDATE memberships SET status = $3 WHERE enterprise_id = $1 AND user_id = $2",
        enterprise_id as _,
        id as _,
        status,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
