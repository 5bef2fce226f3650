//! Service keys: what a program sends instead of an access token. A key is `wbk_` and, in base64url, the enterprise's id
//! and 256 random bits; only the SHA-256 of those bits is kept. Because the key names its enterprise it is looked for
//! under row security, and a key with another enterprise's id finds nothing.
//!
//! A key may never do more than the person who made it: its permissions are checked when it is made, and cut down at
//! each use to what that person may do at this moment. A key whose maker was demoted does less from the next request
//! on; one whose maker was deactivated or removed is not accepted.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::access::{Actor, Grants, Permission, Reach, known};
use crate::audit::{self, Action, Object};
use crate::db::{Db, EnterpriseTx};
use crate::error::RefusedOn;
use crate::ids::{EnterpriseId, KeyId, UserId, WarehouseId};
use crate::page::{Page, PageQuery};
use crate::users::{self, ReachKind};
use crate::{Error, Refusal, Result};

/// How every key begins, so that scanners of leaked secrets know it.
pub const PREFIX: &str = "wbk_";
/// How often the last use is written at most.
const NOTED_EVERY: Duration = Duration::minutes(1);
const SECRET_BYTES: usize = 32;

/// A key as a program sends it.
#[derive(Clone, Debug)]
pub struct Secret {
    enterprise_id: EnterpriseId,
    text: SecretString,
    hash: Vec<u8>,
}

impl Secret {
    fn random(enterprise_id: EnterpriseId) -> Self {
        let mut bytes = [0_u8; SECRET_BYTES];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
        let whole = [enterprise_id.0.as_bytes().as_slice(), bytes.as_slice()].concat();
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(whole));
        Self { enterprise_id, text: SecretString::from(text), hash: Sha256::digest(bytes).to_vec() }
    }

    /// Whether this looks like a key at all: everything else is an access token.
    pub fn is_one(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Reads a key as it was presented.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (enterprise, secret) = bytes.split_at_checked(16)?;
        let enterprise_id = EnterpriseId(Uuid::from_slice(enterprise).ok()?);
        (secret.len() == SECRET_BYTES).then(|| Self {
            enterprise_id,
            text: SecretString::from(text),
            hash: Sha256::digest(secret).to_vec(),
        })
    }

    /// As its owner keeps it.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    fn hint(&self) -> String {
        let text = self.expose();
        text[text.len() - 4..].to_owned()
    }
}

/// A key as people see it: never the key itself.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// Which one.
    pub id: KeyId,
    /// What it is for.
    pub name: String,
    /// Its last four characters.
    pub hint: String,
    /// What it was made for; at no time more than its maker may.
    pub permissions: Vec<Permission>,
    /// How far.
    pub reach: ReachKind,
    /// Where, if it is warehouses.
    pub warehouse_ids: Vec<WarehouseId>,
    /// Who made it.
    pub created_by: UserId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Until when it is accepted.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub used_at: Option<DateTime<Utc>>,
    /// Since when it is not accepted any more.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// What it is for, 1 to 100 characters.
    pub name: String,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// In these warehouses; absent: everywhere.
    pub warehouses: Option<Vec<WarehouseId>>,
    /// Until when it is accepted.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Makes a key; this is the only time that it is shown.
pub async fn create(tx: &mut EnterpriseTx, enterprise_id: EnterpriseId, new: &NewApiKey) -> Result<(ApiKey, Secret)> {
    let mine = users::lock(tx, Permission::ManageKeys).await?;
    check_enterprise(tx, enterprise_id)?;
    tx.require_confirmed().await?;
    let created_by = tx.actor().user_id().ok_or(Error::Forbidden(Permission::ManageKeys.code()))?;
    let (name, now) = (new.name.trim(), tx.now().await?);
    if !(1..=100).contains(&name.chars().count()) {
        return Err(Error::invalid("name", "must have between 1 and 100 characters"));
    }
    if new.expires_at.is_some_and(|at| at <= now) {
        return Err(Error::invalid("expiresAt", "lies in the past"));
    }
    let permissions = checked_permissions(&new.permissions)?;
    let reach = match &new.warehouses {
        None => Reach::Everywhere,
        Some(some) if some.is_empty() => return Err(Error::invalid("warehouseIds", "must name at least one")),
        Some(some) => Reach::warehouses(some.iter().copied()),
    };
    if let Some(useless) = permissions.iter().find(|it| reach.clone().at_finest(it.finest()).is_nowhere()) {
        let why = format!("{} is for the whole enterprise and cannot be narrowed to warehouses", useless.code());
        return Err(Error::invalid("permissions", why));
    }
    users::check_covers(&mine, &Grants::of(&permissions, &reach))?;

    let (id, secret) = (KeyId::new(), Secret::random(enterprise_id));
    let kind = if reach.is_everywhere() { ReachKind::Enterprise } else { ReachKind::Warehouses };
    let codes: Vec<_> = permissions.iter().map(|permission| permission.code().to_owned()).collect();
    sqlx::query!(
        "INSERT INTO api_keys (enterprise_id, id, name, secret_hash, hint, permissions, reach, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        enterprise_id as _,
        id as _,
        name,
        secret.hash,
        secret.hint(),
        &codes,
        kind as ReachKind,
        created_by as _,
        now,
        new.expires_at,
    )
    .execute(tx.conn())
    .await?;
    let mut warehouses: Vec<_> = new.warehouses.iter().flatten().map(|id| id.0).collect();
    warehouses.sort_unstable();
    warehouses.dedup();
    sqlx::query!(
        "INSERT INTO api_key_warehouses (enterprise_id, key_id, warehouse_id) SELECT $1, $2, w.id FROM unnest($3::uuid[]) AS w (id)",
        enterprise_id as _,
        id as _,
        &warehouses,
    )
    .execute(tx.conn())
    .await
    .refused_on("api_key_warehouses_warehouse_fkey", Refusal::RightsExceedOwn, String::new)
    .map_err(|error| match error {
        Error::Refused { .. } => Error::invalid("warehouseIds", "names a warehouse that is not there"),
        other => other,
    })?;
    let key = show(tx, id).await?;
    audit::created(tx, Action::ApiKeyCreated, Object::of("api_key", id), &key).await?;
    Ok((key, secret))
}

fn checked_permissions(permissions: &[Permission]) -> Result<Vec<Permission>> {
    let mut permissions = permissions.to_vec();
    permissions.sort_unstable();
    permissions.dedup();
    if permissions.is_empty() {
        return Err(Error::invalid("permissions", "must name at least one"));
    }
    match permissions.iter().find(|permission| permission.is_personal()) {
        None => Ok(permissions),
        Some(personal) => Err(Error::invalid("permissions", format!("{} is for people only", personal.code()))),
    }
}

/// The enterprise's keys, newest first, revoked ones too.
pub async fn list(tx: &mut EnterpriseTx, enterprise_id: EnterpriseId, query: &PageQuery) -> Result<Page<ApiKey>> {
    tx.require_everywhere(Permission::ManageKeys)?;
    check_enterprise(tx, enterprise_id)?;
    let after: Option<KeyId> = query.key()?;
    let rows = select(tx, None, after, query.limit + 1).await?;
    Ok(query.page(rows, |key| key.id))
}

/// One key.
pub async fn get(tx: &mut EnterpriseTx, enterprise_id: EnterpriseId, id: KeyId) -> Result<ApiKey> {
    tx.require_everywhere(Permission::ManageKeys)?;
    check_enterprise(tx, enterprise_id)?;
    show(tx, id).await
}

/// Has the key not accepted from the next request on. Revoking it twice changes nothing.
pub async fn revoke(tx: &mut EnterpriseTx, enterprise_id: EnterpriseId, id: KeyId) -> Result<()> {
    tx.require_everywhere(Permission::ManageKeys)?;
    check_enterprise(tx, enterprise_id)?;
    tx.require_confirmed().await?;
    let (before, now) = (show(tx, id).await?, tx.now().await?);
    sqlx::query!("UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1", id as _, now)
        .execute(tx.conn())
        .await?;
    let after = show(tx, id).await?;
    audit::changed(tx, Action::ApiKeyRevoked, Object::of("api_key", id), &before, &after).await
}

/// Who acts with this key, with the rights of this moment; nobody once the key, its maker or the enterprise is off.
pub async fn recognise(db: &Db, secret: &Secret) -> Result<Option<Actor>> {
    let enterprise_id = secret.enterprise_id;
    let mut tx = db.begin(&Actor::stranger(enterprise_id)).await?;
    let now = tx.now().await?;
    let Some(key) = sqlx::query!(
        r#"SELECT k.id, k.permissions, k.reach, k.created_by, k.used_at,
                  ARRAY(SELECT w.warehouse_id FROM api_key_warehouses AS w WHERE w.key_id = k.id) AS "warehouses!"
           FROM api_keys AS k
           WHERE k.secret_hash = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)"#,
        secret.hash,
        now,
    )
    .fetch_optional(tx.conn())
    .await?
    else {
        return Ok(None);
    };
    let Some(makers) = users::effective(&mut tx, key.created_by).await? else { return Ok(None) };
    let reach = match key.reach {
        ReachKind::Enterprise => Reach::Everywhere,
        ReachKind::Warehouses | ReachKind::Own => Reach::warehouses(key.warehouses.into_iter().map(WarehouseId)),
    };
    let grants = Grants::of(&known(&key.permissions), &reach).within(&makers);
    if key.used_at.is_none_or(|at| at <= now - NOTED_EVERY) {
        sqlx::query!("UPDATE api_keys SET used_at = $2 WHERE id = $1", key.id as _, now).execute(tx.conn()).await?;
    }
    tx.commit().await?;
    Ok(Some(Actor::key(enterprise_id, key.id, grants)))
}

/// Who answers for an act, as histories name them: for a key its maker, for everybody else they themselves.
pub async fn person_behind(tx: &mut EnterpriseTx, who: &str) -> Result<String> {
    let Some(id) = who.strip_prefix("key:").and_then(|id| id.parse::<Uuid>().ok()) else { return Ok(who.to_owned()) };
    let maker =
        sqlx::query_scalar!("SELECT created_by FROM api_keys WHERE id = $1", id).fetch_optional(tx.conn()).await?;
    Ok(maker.map_or_else(|| who.to_owned(), |maker| format!("user:{maker}")))
}

/// Keys of another enterprise are as little there as the enterprise itself.
fn check_enterprise(tx: &EnterpriseTx, id: EnterpriseId) -> Result<()> {
    if tx.enterprise_id() == id { Ok(()) } else { Err(Error::NotFound("enterprise")) }
}

async fn show(tx: &mut EnterpriseTx, id: KeyId) -> Result<ApiKey> {
    select(tx, Some(id), None, 1).await?.pop().ok_or(Error::NotFound("key"))
}

async fn select(tx: &mut EnterpriseTx, id: Option<KeyId>, after: Option<KeyId>, limit: i64) -> Result<Vec<ApiKey>> {
    let rows = sqlx::query!(
        r#"SELECT k.id, k.name, k.hint, k.permissions, k.reach, k.created_by, k.created_at, k.expires_at, k.used_at, k.revoked_at,
                  ARRAY(SELECT w.warehouse_id FROM api_key_warehouses AS w WHERE w.key_id = k.id ORDER BY 1) AS "warehouses!"
           FROM api_keys AS k
           WHERE ($1::uuid IS NULL OR k.id = $1) AND ($2::uuid IS NULL OR k.id < $2)
           ORDER BY k.id DESC LIMIT $3"#,
        id as _,
        after as _,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let keys = rows.into_iter().map(|row| ApiKey {
        id: row.id,
        name: row.name,
        hint: row.hint,
        permissions: known(&row.permissions),
        reach: row.reach,
        warehouse_ids: row.warehouses.into_iter().map(WarehouseId).collect(),
        created_by: row.created_by,
        created_at: row.created_at,
        expires_at: row.expires_at,
        used_at: row.used_at,
        revoked_at: row.revoked_at,
    });
    Ok(keys.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_made_and_nothing_else_is_one() {
        let made = Secret::random(EnterpriseId::new());
        let read = Secret::parse(made.expose()).unwrap();
        assert_eq!((read.enterprise_id, &read.hash, read.hint()), (made.enterprise_id, &made.hash, made.hint()));
        assert_eq!(made.expose().len(), PREFIX.len() + 64);
        assert_ne!(made.hash, Secret::random(made.enterprise_id).hash);
        let text = made.expose();
        for wrong in ["", "wbk_", "wbk_абв", &text[4..], &text[..text.len() - 4], &format!("{text}AAAA")] {
            assert!(Secret::parse(wrong).is_none(), "{wrong}");
        }
        assert!(!format!("{made:?}").contains(&text[4..]));
    }

    #[test]
    fn a_key_cannot_make_people_rights_or_keys() {
        for permission in Permission::ALL {
            assert_eq!(checked_permissions(&[*permission]).is_err(), permission.is_personal(), "{}", permission.code());
        }
    }
}
