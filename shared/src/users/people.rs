//! Finding people and taking them in.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::PgConnection;

use super::{Email, Grant, NewUser, User, UserFilter, UserStatus, checked_name, grants, rights};
use crate::access::{Grants, Permission, Role};
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{EnterpriseId, UserId};
use crate::page::{Page, PageQuery};
use crate::versions::Version;
use crate::{Error, Refusal, Result};

/// A person of the enterprise.
pub async fn get(tx: &mut EnterpriseTx, id: UserId) -> Result<User> {
    tx.require(Permission::ReadPeople)?;
    show(tx, id).await
}

/// A person of the enterprise, for a verb that has asked for its own permission.
pub(super) async fn show(tx: &mut EnterpriseTx, id: UserId) -> Result<User> {
    members(tx, Some(id), &UserFilter::default(), None, 1).await?.pop().ok_or(Error::NotFound("user"))
}

/// The people of the enterprise, in the order in which they came to the installation.
pub async fn list(tx: &mut EnterpriseTx, filter: &UserFilter, query: &PageQuery) -> Result<Page<User>> {
    tx.require(Permission::ReadPeople)?;
    let after: Option<UserId> = query.key()?;
    let rows = members(tx, None, filter, after, query.limit + 1).await?;
    Ok(query.page(rows, |row| row.id))
}

/// Takes a person into the enterprise: somebody new, or somebody whom the installation knows from another one. Making
/// somebody an administrator takes a recent proof of who asks for it.
pub async fn create(tx: &mut EnterpriseTx, new: &NewUser) -> Result<User> {
    let mine = rights::lock(tx, Permission::ManagePeople).await?;
    check_may_give(tx, &mine, &new.grants).await?;
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let id = find_or_insert(tx.conn(), new, now).await?;
    rights::rights_changed(tx, &[id]).await?;
    join(tx.conn(), enterprise_id, id, now).await?;
    grants::replace(tx.conn(), enterprise_id, id, &new.grants).await?;
    let user = show(tx, id).await?;
    audit::created(tx, Action::UserCreated, Object::of("user", id), &user).await?;
    Ok(user)
}

/// Refuses grants to somebody new that the acting one, who may this much, does not have; administrative ones also without
/// a recent proof of who asks.
pub(super) async fn check_may_give(tx: &mut EnterpriseTx, mine: &Grants, granted: &[Grant]) -> Result<()> {
    let theirs = grants::sum(tx.conn(), granted).await?;
    rights::check_covers(mine, &theirs)?;
    if theirs.are_administrative() { tx.require_confirmed().await } else { Ok(()) }
}

/// Takes the first administrator into an enterprise that was just founded.
pub async fn create_first(tx: &mut EnterpriseTx, enterprise_id: EnterpriseId, new: &NewUser) -> Result<UserId> {
    tx.actor().require_operator()?;
    let (own, now) = (tx.enterprise_id(), tx.now().await?);
    let id = find_or_insert(tx.conn(), new, now).await?;
    tx.enter(enterprise_id).await?;
    join(tx.conn(), enterprise_id, id, now).await?;
    grants::replace(tx.conn(), enterprise_id, id, &new.grants).await?;
    tx.enter(own).await?;
    let facts = json!({ "email": new.email.as_str(), "name": new.name, "grants": new.grants });
    audit::noted_in(tx, enterprise_id, (Action::UserCreated, Object::of("user", id)), &facts).await?;
    Ok(id)
}

/// Takes somebody new into the installation to run it.
pub async fn create_system_administrator(
    tx: &mut EnterpriseTx,
    email: &Email,
    name: &str,
    password_hash: &SecretString,
) -> Result<UserId> {
    tx.actor().require_operator()?;
    let now = tx.now().await?;
    let id = insert(tx.conn(), email, name, password_hash, now).await?;
    sqlx::query!("UPDATE users SET system_administrator = true WHERE id = $1", id as _).execute(tx.conn()).await?;
    let facts = json!({ "email": email.as_str(), "name": name, "systemAdministrator": true });
    audit::noted(tx, Action::UserCreated, Object::of("user", id), &facts).await?;
    Ok(id)
}

/// The acting person; absent for a key.
pub async fn acting(tx: &mut EnterpriseTx) -> Result<Option<User>> {
    match tx.actor().user_id() {
        Some(id) => Ok(Some(show(tx, id).await?)),
        None => Ok(None),
    }
}

/// One who runs the installation, to whom nothing is granted in any enterprise by that.
pub async fn of_installation(tx: &mut EnterpriseTx) -> Result<User> {
    tx.actor().require_operator()?;
    let id = tx.actor().user_id();
    let row = sqlx::query!("SELECT id, email, name, status, created_at, version FROM users WHERE id = $1", id as _)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(Error::NotFound("user"))?;
    let (email, name, created_at, version) = (row.email, row.name, row.created_at, row.version);
    Ok(User { id: row.id, email, name, status: row.status, grants: Vec::new(), created_at, version })
}

pub(super) async fn find_or_insert(conn: &mut PgConnection, new: &NewUser, now: DateTime<Utc>) -> Result<UserId> {
    let there = sqlx::query_scalar!("SELECT id FROM users WHERE email = $1", new.email.as_str())
        .fetch_optional(&mut *conn)
        .await?;
    if let Some(id) = there {
        return Ok(id);
    }
    let missing = |field: &'static str| Error::invalid(field, "is needed: nobody has this address yet");
    let name = new.name.as_deref().ok_or_else(|| missing("name"))?;
    let password_hash = new.password_hash.as_ref().ok_or_else(|| missing("password"))?;
    insert(conn, &new.email, name, password_hash, now).await
}

pub(super) async fn insert(
    conn: &mut PgConnection,
    email: &Email,
    name: &str,
    password_hash: &SecretString,
    now: DateTime<Utc>,
) -> Result<UserId> {
    let (id, name) = (UserId::new(), checked_name(name)?);
    sqlx::query!(
        "INSERT INTO users (id, email, name, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)",
        id as _,
        email.as_str(),
        name,
        password_hash.expose_secret(),
        now,
    )
    .execute(conn)
    .await
    .refused_on("users_email_key", Refusal::EmailTaken, || format!("{} is taken", email.as_str()))?;
    Ok(id)
}

/// Makes the person a member, or again one. Without grants they may nothing yet.
pub(super) async fn join(
    conn: &mut PgConnection,
    enterprise_id: EnterpriseId,
    user_id: UserId,
    now: DateTime<Utc>,
) -> Result<()> {
    let joined = sqlx::query!(
        "INSERT INTO memberships (enterprise_id, user_id, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (enterprise_id, user_id) DO UPDATE SET status = 'active', created_at = EXCLUDED.created_at
         WHERE memberships.status = 'removed'",
        enterprise_id as _,
        user_id as _,
        now,
    )
    .execute(conn)
    .await?;
    if joined.rows_affected() == 1 {
        return Ok(());
    }
    Err(Error::refused(Refusal::AlreadyMember, "change what they may do with PUT /users/{id}/grants"))
}

struct Member {
    id: UserId,
    email: String,
    name: String,
    status: UserStatus,
    created_at: DateTime<Utc>,
    version: Version,
}

async fn members(
    tx: &mut EnterpriseTx,
    id: Option<UserId>,
    filter: &UserFilter,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<User>> {
    let enterprise_id = tx.enterprise_id();
    let pattern = filter
        .search
        .as_deref()
        .map(|text| format!("%{}%", text.trim().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")));
    let rows = sqlx::query_as!(
        Member,
        r#"SELECT u.id, u.email, u.name, m.created_at, m.version,
                  CASE WHEN u.status = 'active' THEN m.status ELSE u.status END AS "status!: UserStatus"
           FROM memberships AS m JOIN users AS u ON u.id = m.user_id
           WHERE m.enterprise_id = $1 AND m.status <> 'removed'
             AND ($2::uuid IS NULL OR u.id = $2) AND ($3::uuid IS NULL OR u.id > $3)
             AND ($4::text IS NULL OR u.name ILIKE $4 OR u.email ILIKE $4)
             AND ($5::text IS NULL OR CASE WHEN u.status = 'active' THEN m.status ELSE u.status END = $5)
             AND ($6::text IS NULL OR EXISTS (SELECT FROM grants AS g WHERE g.user_id = u.id AND g.role = $6))
             AND ($7::uuid IS NULL OR EXISTS (SELECT FROM grants AS g WHERE g.user_id = u.id AND g.role_id = $7))
             AND ($8::uuid IS NULL OR EXISTS (
                     SELECT FROM grants AS g
                     WHERE g.user_id = u.id
                       AND (g.reach = 'enterprise'
                            OR EXISTS (SELECT FROM grant_warehouses AS w WHERE w.grant_id = g.id AND w.warehouse_id = $8))))
           ORDER BY u.id
           LIMIT $9"#,
        enterprise_id as _,
        id as _,
        after as _,
        pattern,
        filter.status as Option<UserStatus>,
        filter.role as Option<Role>,
        filter.role_id as _,
        filter.warehouse_id as _,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let people: Vec<_> = rows.iter().map(|row| row.id).collect();
    let mut granted = grants::of(tx, &people).await?;
    let user = |Member { id, email, name, status, created_at, version }| {
        let grants: Vec<Grant> = granted.remove(&id).unwrap_or_default();
        User { id, email, name, status, grants, created_at, version }
    };
    Ok(rows.into_iter().map(user).collect())
}
