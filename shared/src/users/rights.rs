//! What a person may do at this moment, and the one place where changes of it are made one after the other and announced.

use sqlx::PgConnection;
use uuid::Uuid;

use super::grants::ReachKind;
use crate::access::{Actor, Grants, Operator, Permission, Reach, Recognised, Role, known};
use crate::db::{EnterpriseTx, PlatformTx};
use crate::herald::Change;
use crate::ids::{EnterpriseId, UserId, WarehouseId};
use crate::{Error, Refusal, Result};

/// Who a person is in an enterprise, or in the installation if none is named, with the rights of this moment. Nobody
/// once the person, their membership or the enterprise is off.
pub async fn recognise(
    tx: &mut PlatformTx,
    user_id: UserId,
    enterprise_id: Option<EnterpriseId>,
) -> Result<Option<Recognised>> {
    let Some(enterprise_id) = enterprise_id else {
        return Ok(operator(tx, user_id).await?.map(Recognised::Operator));
    };
    tx.enter(enterprise_id).await?;
    let grants = load(tx.conn(), enterprise_id, user_id, Whom::Active).await?;
    Ok(grants.map(|grants| Recognised::Actor(Actor::user(enterprise_id, user_id, grants))))
}

/// The person as one who runs the installation, if they are one.
pub async fn operator(tx: &mut PlatformTx, user_id: UserId) -> Result<Option<Operator>> {
    let is_one = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM users WHERE id = $1 AND status = 'active' AND system_administrator) AS "is_one!""#,
        user_id as _
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(is_one.then(|| Operator::recognised(user_id)))
}

/// What a person may do in the enterprise now, whatever their state.
pub(crate) async fn granted(tx: &mut EnterpriseTx, user_id: UserId) -> Result<Grants> {
    let enterprise_id = tx.enterprise_id();
    load(tx.conn(), enterprise_id, user_id, Whom::Anybody).await?.ok_or(Error::NotFound("user"))
}

/// What an active person may do in the enterprise now; absent if they may not even be there.
pub(crate) async fn effective(tx: &mut EnterpriseTx, user_id: UserId) -> Result<Option<Grants>> {
    let enterprise_id = tx.enterprise_id();
    load(tx.conn(), enterprise_id, user_id, Whom::Active).await
}

/// What the acting one may do, read again while changes of rights in this enterprise wait for each other: what is
/// checked against it is true when it is committed. Fails without the permission all over the enterprise.
pub(crate) async fn lock(tx: &mut EnterpriseTx, permission: Permission) -> Result<Grants> {
    tx.require_everywhere(permission)?;
    let enterprise_id = tx.enterprise_id();
    hold(tx.conn(), enterprise_id).await?;
    let grants = match tx.actor().user_id() {
        Some(id) => effective(tx, id).await?.unwrap_or_default(),
        None => tx.actor().grants().cloned().unwrap_or_else(|| Grants::of(Permission::ALL, &Reach::Everywhere)),
    };
    if grants.reach(permission).is_everywhere() { Ok(grants) } else { Err(Error::Forbidden(permission.code())) }
}

/// Has changes of rights in the enterprise wait until the transaction ends.
pub(crate) async fn hold(conn: &mut PgConnection, enterprise_id: EnterpriseId) -> Result<()> {
    sqlx::query!("SELECT id FROM enterprises WHERE id = $1 FOR NO KEY UPDATE", enterprise_id as _)
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// What an active person may do in an enterprise that the transaction has entered; absent if they may not even be there.
pub(super) async fn of_active(
    conn: &mut PgConnection,
    enterprise_id: EnterpriseId,
    user_id: UserId,
) -> Result<Option<Grants>> {
    load(conn, enterprise_id, user_id, Whom::Active).await
}

/// Nobody grants, changes or takes away what they lack.
pub(crate) fn check_covers(mine: &Grants, others: &Grants) -> Result<()> {
    let Some(lacking) = mine.lack_of(others) else { return Ok(()) };
    Err(Error::refused(Refusal::RightsExceedOwn, format!("you lack {}, or lack it that far", lacking.code())))
}

/// Announces that what these people may do has changed: what was remembered of it is stale once this is committed. Before
/// their memberships are touched: everybody who locks both locks people first.
pub(crate) async fn rights_changed(tx: &mut EnterpriseTx, people: &[UserId]) -> Result<()> {
    for id in people {
        tx.announce(Change::User(*id));
    }
    bump(tx.conn(), people).await
}

/// The same for somebody who is not acting.
pub(super) async fn rights_changed_of(tx: &mut PlatformTx, user_id: UserId) -> Result<()> {
    tx.announce(Change::User(user_id));
    bump(tx.conn(), &[user_id]).await
}

/// The same for everybody of an enterprise.
pub(crate) async fn rights_changed_in(tx: &mut EnterpriseTx, enterprise_id: EnterpriseId) -> Result<()> {
    let people = sqlx::query_scalar!("SELECT user_id FROM memberships WHERE enterprise_id = $1", enterprise_id as _)
        .fetch_all(tx.conn())
        .await?;
    tx.announce(Change::Enterprise(enterprise_id));
    bump(tx.conn(), &people).await
}

async fn bump(conn: &mut PgConnection, people: &[UserId]) -> Result<()> {
    // Locked in one order by everybody: people belong to several enterprises.
    sqlx::query!(
        "UPDATE users SET rights_version = rights_version + 1
         WHERE id IN (SELECT id FROM users WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE)",
        &people.iter().map(|id| id.0).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether anybody administers the whole enterprise, which the transaction has entered.
pub(super) async fn has_administrator(conn: &mut PgConnection, enterprise_id: EnterpriseId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM grants AS g
               JOIN memberships AS m ON m.enterprise_id = g.enterprise_id AND m.user_id = g.user_id
               JOIN users AS u ON u.id = g.user_id
               WHERE g.enterprise_id = $1 AND g.role = 'administrator' AND g.reach = 'enterprise'
                 AND m.status = 'active' AND u.status = 'active') AS "there!""#,
        enterprise_id as _
    )
    .fetch_one(conn)
    .await?)
}

/// Refuses if nobody would be left who administers the whole enterprise.
pub(super) async fn keep_an_administrator(tx: &mut EnterpriseTx) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    if has_administrator(tx.conn(), enterprise_id).await? {
        return Ok(());
    }
    Err(Error::refused(Refusal::LastAdministrator, "make somebody else an administrator of the whole enterprise first"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whom {
    Active,
    Anybody,
}

struct Granted {
    role: Option<Role>,
    permissions: Option<Vec<String>>,
    reach: Option<ReachKind>,
    warehouses: Vec<Uuid>,
}

/// The sum of a member's grants; absent for who is no member, or not in the state that was asked for.
async fn load(
    conn: &mut PgConnection,
    enterprise_id: EnterpriseId,
    user_id: UserId,
    whom: Whom,
) -> Result<Option<Grants>> {
    let rows = sqlx::query_as!(
        Granted,
        r#"SELECT g.role AS "role?: Role", r.permissions AS "permissions?", g.reach AS "reach?: ReachKind",
                  ARRAY(SELECT w.warehouse_id FROM grant_warehouses AS w
                        WHERE w.enterprise_id = g.enterprise_id AND w.grant_id = g.id) AS "warehouses!"
           FROM memberships AS m
           JOIN users AS u ON u.id = m.user_id
           JOIN enterprises AS e ON e.id = m.enterprise_id
           LEFT JOIN grants AS g ON g.enterprise_id = m.enterprise_id AND g.user_id = m.user_id
           LEFT JOIN roles AS r ON r.enterprise_id = g.enterprise_id AND r.id = g.role_id
           WHERE m.enterprise_id = $1 AND m.user_id = $2 AND m.status <> 'removed'
             AND ($3 OR (m.status = 'active' AND u.status = 'active' AND e.status = 'active'))"#,
        enterprise_id as _,
        user_id as _,
        whom == Whom::Anybody,
    )
    .fetch_all(conn)
    .await?;
    // A member to whom nothing was granted still has one row.
    Ok((!rows.is_empty()).then(|| rows.into_iter().map(summand).fold(Grants::default(), Grants::and)))
}

fn summand(row: Granted) -> Grants {
    let permissions = row.role.map_or_else(|| known(&row.permissions.unwrap_or_default()), Role::permissions);
    let reach = match row.reach {
        None => Reach::NOWHERE,
        Some(ReachKind::Enterprise) => Reach::Everywhere,
        Some(ReachKind::Warehouses) => Reach::warehouses(row.warehouses.into_iter().map(WarehouseId)),
        Some(ReachKind::Own) => Reach::own(),
    };
    Grants::of(&permissions, &reach)
}
