//! Enterprises: the tenants of the installation. Nothing is shared between them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

use crate::access::{Origin, Role};
use crate::audit::{self, Action, INSTALLATION, Object};
use crate::db::{EnterpriseTx, PlatformTx};
use crate::ids::EnterpriseId;
use crate::page::{Page, PageQuery};
use crate::{Error, Result};

/// Whether its people may work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EnterpriseStatus {
    /// They may.
    Active,
    /// Nobody signs in, timers stand still.
    Suspended,
}

/// A tenant, as one of its people sees it.
#[derive(Clone, Debug)]
pub struct Enterprise {
    /// Which one.
    pub id: EnterpriseId,
    /// As people call it.
    pub name: String,
    /// IANA name of the zone in which its days begin.
    pub time_zone: String,
    /// Whether its people may work.
    pub status: EnterpriseStatus,
    /// What the person is there.
    pub role: Role,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// One of the enterprises to which the acting person belongs. What belongs to others is not found.
pub async fn get(tx: &mut EnterpriseTx, id: EnterpriseId) -> Result<Enterprise> {
    of_person(tx, Some(id), None, 1).await?.pop().ok_or(Error::NotFound("enterprise"))
}

/// The enterprises to which the acting person belongs, oldest first.
pub async fn list(tx: &mut EnterpriseTx, query: &PageQuery) -> Result<Page<Enterprise>> {
    let after: Option<EnterpriseId> = query.key()?;
    let rows = of_person(tx, None, after, query.limit + 1).await?;
    Ok(query.page(rows, |row| row.id))
}

/// Every enterprise of the installation, for what is done for each of them.
pub async fn all(tx: &mut PlatformTx) -> Result<Vec<EnterpriseId>> {
    Ok(sqlx::query_scalar!("SELECT id FROM enterprises ORDER BY id").fetch_all(tx.conn()).await?)
}

/// Founds an enterprise; its first administrator is made by `users`.
pub async fn create(tx: &mut PlatformTx, name: &str) -> Result<EnterpriseId> {
    let name = name.trim();
    if !(1..=200).contains(&name.chars().count()) {
        return Err(Error::invalid("name", "must have between 1 and 200 characters"));
    }
    let (id, now) = (EnterpriseId::new(), tx.now().await?);
    insert(tx.conn(), id, name, now).await?;
    let act = (Action::EnterpriseCreated, Object::of("enterprise", id));
    audit::noted_outside(tx, INSTALLATION, "platform", &Origin::default(), act, &json!({ "name": name })).await?;
    Ok(id)
}

async fn insert(conn: &mut PgConnection, id: EnterpriseId, name: &str, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("INSERT INTO enterprises (id, name, created_at) VALUES ($1, $2, $3)", id as _, name, now)
        .execute(conn)
        .await?;
    Ok(())
}

async fn of_person(
    tx: &mut EnterpriseTx,
    id: Option<EnterpriseId>,
    after: Option<EnterpriseId>,
    limit: i64,
) -> Result<Vec<Enterprise>> {
    let Some(user_id) = tx.actor().user_id() else { return Ok(Vec::new()) };
    Ok(sqlx::query_as!(
        Enterprise,
        "SELECT e.id, e.name, e.time_zone, e.status, m.role, e.created_at
         FROM memberships AS m JOIN enterprises AS e ON e.id = m.enterprise_id
         WHERE m.user_id = $1 AND ($2::uuid IS NULL OR e.id = $2) AND ($3::uuid IS NULL OR e.id > $3)
         ORDER BY e.id
         LIMIT $4",
        user_id as _,
        id as _,
        after as _,
        limit,
    )
    .fetch_all(tx.conn())
    .await?)
}
