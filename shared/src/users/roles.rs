//! An enterprise's own roles: named sets of permissions beside the built-in ones.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::rights;
use crate::access::{Grants, Permission, Reach, known};
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{RoleId, UserId};
use crate::versions::Version;
use crate::{Error, Refusal, Result};

/// A role of the enterprise's own.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnRole {
    /// Which one.
    pub id: RoleId,
    /// Unique in the enterprise.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it permits.
    pub permissions: Vec<Permission>,
    /// How many people have it.
    pub people: i64,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub changed_at: DateTime<Utc>,
    /// How often.
    pub version: Version,
}

/// A role to be, or what it should become.
#[derive(Clone, Debug)]
pub struct RoleDraft {
    /// Unique in the enterprise, 1 to 100 characters.
    pub name: String,
    /// What it is for, up to 1000 characters.
    pub description: Option<String>,
    /// What it permits, at least one thing.
    pub permissions: Vec<Permission>,
}

impl RoleDraft {
    fn checked(&self) -> Result<(&str, Vec<String>)> {
        let name = self.name.trim();
        if !(1..=100).contains(&name.chars().count()) {
            return Err(Error::invalid("name", "must have between 1 and 100 characters"));
        }
        if self.description.as_ref().is_some_and(|text| text.chars().count() > 1000) {
            return Err(Error::invalid("description", "must have at most 1000 characters"));
        }
        let mut permissions = self.permissions.clone();
        permissions.sort_unstable();
        permissions.dedup();
        if permissions.is_empty() {
            return Err(Error::invalid("permissions", "must name at least one"));
        }
        Ok((name, permissions.into_iter().map(|permission| permission.code().to_owned()).collect()))
    }

    fn grants(&self) -> Grants {
        Grants::of(&self.permissions, &Reach::Everywhere)
    }
}

/// The enterprise's own roles: a handful.
pub async fn list(tx: &mut EnterpriseTx) -> Result<Vec<OwnRole>> {
    tx.require(Permission::ReadPeople)?;
    show(tx, None).await
}

/// One of them.
pub async fn get(tx: &mut EnterpriseTx, id: RoleId) -> Result<OwnRole> {
    tx.require(Permission::ReadPeople)?;
    one(tx, id).await
}

/// Makes a role. Nobody makes one that permits what they lack.
pub async fn create(tx: &mut EnterpriseTx, draft: &RoleDraft) -> Result<OwnRole> {
    let mine = rights::lock(tx, Permission::ManageRoles).await?;
    let (name, permissions) = draft.checked()?;
    rights::check_covers(&mine, &draft.grants())?;
    let (id, enterprise_id, now) = (RoleId::new(), tx.enterprise_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO roles (enterprise_id, id, name, description, permissions, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $6)",
        enterprise_id as _,
        id as _,
        name,
        draft.description,
        &permissions,
        now,
    )
    .execute(tx.conn())
    .await
    .refused_on("roles_name_key", Refusal::RoleNameTaken, || format!("there is already a role «{name}»"))?;
    let role = one(tx, id).await?;
    audit::created(tx, Action::RoleCreated, Object::of("role", id), &role).await?;
    Ok(role)
}

/// Changes a role, and with it what everybody may who has it.
pub async fn change(tx: &mut EnterpriseTx, id: RoleId, draft: &RoleDraft) -> Result<OwnRole> {
    let mine = rights::lock(tx, Permission::ManageRoles).await?;
    tx.require_confirmed().await?;
    let role = one(tx, id).await?;
    tx.expect(role.version)?;
    let (name, permissions) = draft.checked()?;
    rights::check_covers(&mine, &draft.grants().and(Grants::of(&role.permissions, &Reach::Everywhere)))?;
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE roles SET name = $2, description = $3, permissions = $4, changed_at = $5 WHERE id = $1",
        id as _,
        name,
        draft.description,
        &permissions,
        now,
    )
    .execute(tx.conn())
    .await
    .refused_on("roles_name_key", Refusal::RoleNameTaken, || format!("there is already a role «{name}»"))?;
    let people = holders(tx, id).await?;
    rights::rights_changed(tx, &people).await?;
    let after = one(tx, id).await?;
    audit::changed(tx, Action::RoleChanged, Object::of("role", id), &role, &after).await?;
    Ok(after)
}

/// Deletes a role that nobody has.
pub async fn delete(tx: &mut EnterpriseTx, id: RoleId) -> Result<()> {
    rights::lock(tx, Permission::ManageRoles).await?;
    let role = one(tx, id).await?;
    sqlx::query!("DELETE FROM roles WHERE id = $1", id as _).execute(tx.conn()).await.refused_on(
        "grants_own_role_fkey",
        Refusal::RoleInUse,
        || "give those who have it another one first".to_owned(),
    )?;
    audit::noted(tx, Action::RoleDeleted, Object::of("role", id), &role).await
}

/// A role as the table has it: permissions by their codes.
struct Row {
    id: RoleId,
    name: String,
    description: Option<String>,
    permissions: Vec<String>,
    people: i64,
    created_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
    version: Version,
}

async fn holders(tx: &mut EnterpriseTx, id: RoleId) -> Result<Vec<UserId>> {
    Ok(sqlx::query_scalar!("SELECT DISTINCT user_id FROM grants WHERE role_id = $1", id as _)
        .fetch_all(tx.conn())
        .await?)
}

async fn one(tx: &mut EnterpriseTx, id: RoleId) -> Result<OwnRole> {
    show(tx, Some(id)).await?.pop().ok_or(Error::NotFound("role"))
}

async fn show(tx: &mut EnterpriseTx, id: Option<RoleId>) -> Result<Vec<OwnRole>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT r.id, r.name, r.description, r.permissions, r.created_at, r.changed_at, r.version,
                  (SELECT count(DISTINCT g.user_id) FROM grants AS g WHERE g.role_id = r.id) AS "people!"
           FROM roles AS r WHERE $1::uuid IS NULL OR r.id = $1 ORDER BY r.name"#,
        id as _
    )
    .fetch_all(tx.conn())
    .await?;
    let role = |row: Row| OwnRole {
        id: row.id,
        name: row.name,
        description: row.description,
        permissions: known(&row.permissions),
        people: row.people,
        created_at: row.created_at,
        changed_at: row.changed_at,
        version: row.version,
    };
    Ok(rows.into_iter().map(role).collect())
}
