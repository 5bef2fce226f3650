//! Grants: a role, built in or an enterprise's own, with a reach. A person has up to twenty of them.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::access::{Grants, Permission, Reach, Role, known};
use crate::db::EnterpriseTx;
use crate::ids::{EnterpriseId, GrantId, RoleId, UserId, WarehouseId};
use crate::{Error, Result};

/// What kind of reach a grant has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ReachKind {
    /// All over the enterprise.
    Enterprise,
    /// In the named warehouses.
    Warehouses,
    /// In the person's own requests, with what hangs on them.
    Own,
}

/// Which role is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GrantedRole {
    /// A built-in one.
    BuiltIn(Role),
    /// One of the enterprise's own.
    Own(RoleId),
}

/// A role with a reach: to be granted, or as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Which role.
    pub role: GrantedRole,
    /// How far.
    pub reach: ReachKind,
    /// Where, if it is warehouses.
    pub warehouses: Vec<WarehouseId>,
}

/// The most grants of one person.
pub const MAX_GRANTS: usize = 20;

impl Grant {
    /// A built-in role all over the enterprise.
    pub fn everywhere(role: Role) -> Self {
        Self { role: GrantedRole::BuiltIn(role), reach: ReachKind::Enterprise, warehouses: Vec::new() }
    }

    fn check(&self, index: usize) -> Result<()> {
        let distinct: BTreeSet<_> = self.warehouses.iter().collect();
        let fits = match self.reach {
            ReachKind::Warehouses => !self.warehouses.is_empty() && distinct.len() == self.warehouses.len(),
            ReachKind::Enterprise | ReachKind::Own => self.warehouses.is_empty(),
        };
        if fits {
            return Ok(());
        }
        Err(Error::invalid(
            format!("grants.{index}.warehouseIds"),
            "must name warehouses, each once, exactly if the reach is warehouses",
        ))
    }

    fn reach(&self) -> Reach {
        match self.reach {
            ReachKind::Enterprise => Reach::Everywhere,
            ReachKind::Warehouses => Reach::warehouses(self.warehouses.iter().copied()),
            ReachKind::Own => Reach::own(),
        }
    }
}

/// What grants would permit in all. Fails for a role or a warehouse that the enterprise does not have.
pub(super) async fn sum(conn: &mut PgConnection, grants: &[Grant]) -> Result<Grants> {
    if grants.is_empty() || grants.len() > MAX_GRANTS {
        return Err(Error::invalid("grants", format!("must be 1 to {MAX_GRANTS}")));
    }
    for (index, grant) in grants.iter().enumerate() {
        grant.check(index)?;
    }
    match gone(conn, grants).await? {
        Some(Gone::Role { grant }) => {
            return Err(Error::invalid(format!("grants.{grant}.roleId"), "is no role of the enterprise"));
        }
        Some(Gone::Warehouse { grant }) => {
            let field = format!("grants.{grant}.warehouseIds");
            return Err(Error::invalid(field, "names a warehouse that is not there"));
        }
        None => {}
    }
    let mut sum = Grants::default();
    for grant in grants {
        let permissions = match grant.role {
            GrantedRole::BuiltIn(role) => role.permissions(),
            GrantedRole::Own(id) => permissions_of(conn, id).await?,
        };
        sum = sum.and(Grants::of(&permissions, &grant.reach()));
    }
    Ok(sum)
}

/// What a grant names that the enterprise does not have, or not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// The role of the grant at this place.
    Role { grant: usize },
    /// A warehouse of the grant at this place.
    Warehouse { grant: usize },
}

/// The first thing that grants name and that is not there. What is there stays until the transaction ends.
pub(super) async fn gone(conn: &mut PgConnection, grants: &[Grant]) -> Result<Option<Gone>> {
    for (index, grant) in grants.iter().enumerate() {
        if let GrantedRole::Own(id) = grant.role {
            let there = sqlx::query_scalar!("SELECT id FROM roles WHERE id = $1 FOR KEY SHARE", id as _)
                .fetch_optional(&mut *conn)
                .await?;
            if there.is_none() {
                return Ok(Some(Gone::Role { grant: index }));
            }
        }
        let named: Vec<_> = grant.warehouses.iter().map(|id| id.0).collect();
        let there =
            sqlx::query_scalar!("SELECT id FROM warehouses WHERE id = ANY($1) ORDER BY id FOR KEY SHARE", &named)
                .fetch_all(&mut *conn)
                .await?;
        if there.len() < named.len() {
            return Ok(Some(Gone::Warehouse { grant: index }));
        }
    }
    Ok(None)
}

async fn permissions_of(conn: &mut PgConnection, id: RoleId) -> Result<Vec<Permission>> {
    let codes = sqlx::query_scalar!("SELECT permissions FROM roles WHERE id = $1", id as _).fetch_one(conn).await?;
    Ok(known(&codes))
}

/// Puts these grants, which were summed up before, in place of all that the person had.
pub(super) async fn replace(
    conn: &mut PgConnection,
    enterprise_id: EnterpriseId,
    user_id: UserId,
    grants: &[Grant],
) -> Result<()> {
    clear(conn, user_id).await?;
    // What a person may do is part of what two people may edit: the membership counts it.
    sqlx::query!(
        "UPDATE memberships SET version = version + 1 WHERE enterprise_id = $1 AND user_id = $2",
        enterprise_id as _,
        user_id as _,
    )
    .execute(&mut *conn)
    .await?;
    for grant in grants {
        let id = GrantId::new();
        let (role, role_id) = match grant.role {
            GrantedRole::BuiltIn(role) => (Some(role), None),
            GrantedRole::Own(role_id) => (None, Some(role_id)),
        };
        sqlx::query!(
            "INSERT INTO grants (enterprise_id, id, user_id, role, role_id, reach) VALUES ($1, $2, $3, $4, $5, $6)",
            enterprise_id as _,
            id as _,
            user_id as _,
            role as Option<Role>,
            role_id as _,
            grant.reach as ReachKind,
        )
        .execute(&mut *conn)
        .await?;
        sqlx::query!(
            "INSERT INTO grant_warehouses (enterprise_id, grant_id, warehouse_id) SELECT $1, $2, w.id FROM unnest($3::uuid[]) AS w (id)",
            enterprise_id as _,
            id as _,
            &grant.warehouses.iter().map(|id| id.0).collect::<Vec<_>>(),
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Takes all that the person had.
pub(super) async fn clear(conn: &mut PgConnection, user_id: UserId) -> Result<()> {
    sqlx::query!("DELETE FROM grants WHERE user_id = $1", user_id as _).execute(conn).await?;
    Ok(())
}

/// What was granted to these people.
pub(super) async fn of(tx: &mut EnterpriseTx, people: &[UserId]) -> Result<HashMap<UserId, Vec<Grant>>> {
    let rows = sqlx::query!(
        r#"SELECT g.user_id, g.role, g.role_id, g.reach,
                  ARRAY(SELECT w.warehouse_id FROM grant_warehouses AS w WHERE w.grant_id = g.id ORDER BY w.warehouse_id) AS "warehouses!"
           FROM grants AS g WHERE g.user_id = ANY($1) ORDER BY g.id"#,
        &people.iter().map(|id| id.0).collect::<Vec<_>>()
    )
    .fetch_all(tx.conn())
    .await?;
    let mut of: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        let role = match (row.role, row.role_id) {
            (Some(role), _) => GrantedRole::BuiltIn(role),
            (None, Some(id)) => GrantedRole::Own(id),
            (None, None) => return Err(Error::Inconsistent(format!("a grant of {} names no role", row.user_id))),
        };
        let warehouses = row.warehouses.into_iter().map(WarehouseId).collect();
        of.entry(row.user_id).or_default().push(Grant { role, reach: row.reach, warehouses });
    }
    Ok(of)
}
