//! Signed-in clients. A session lives in Postgres and is asked there on every request: what is revoked or demoted is
//! so at once. The refresh token is 256 random bits, kept as its SHA-256, and replaced whenever it is used.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::{Email, rights};
use crate::access::Recognised;
use crate::db::{EnterpriseTx, PlatformTx};
use crate::ids::{EnterpriseId, SessionId, UserId};
use crate::{Error, Result};

/// Unused for so long, a session ends.
const IDLE: Duration = Duration::days(7);
/// Used or not, a session ends.
const ABSOLUTE: Duration = Duration::days(30);

/// Said to whoever does not get in, whatever the reason.
pub const WRONG: &str = "the e-mail or the password is wrong";

/// What a client keeps to get new access tokens.
#[derive(Clone, Debug)]
pub struct RefreshToken(SecretString);

impl RefreshToken {
    /// A new one.
    pub fn random() -> Self {
        let mut bytes = [0_u8; 32];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
        Self(SecretString::from(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// As a client presents it.
    pub fn presented(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// As the client keeps it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.expose().as_bytes()).to_vec()
    }
}

/// Somebody who may sign in, if the password is theirs.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// Argon2id, in PHC form.
    pub password_hash: SecretString,
}

/// A signed-in client.
#[derive(Clone, Debug)]
pub struct Session {
    /// Which one.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// Where; absent for a system administrator's, who acts in none.
    pub enterprise_id: Option<EnterpriseId>,
    /// Until when it can be refreshed.
    pub expires_at: DateTime<Utc>,
}

/// An enterprise in which a person may sign in.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which one.
    pub id: EnterpriseId,
    /// As people call it.
    pub name: String,
}

/// What became of signing in.
#[derive(Clone, Debug)]
pub enum Opening {
    /// The person is in.
    Opened(Session),
    /// The person belongs to these and must name one.
    Choose(Vec<Place>),
}

/// The person with this address, unless they are inactive.
pub async fn find_person(tx: &mut PlatformTx, email: &Email) -> Result<Option<Person>> {
    let row =
        sqlx::query!("SELECT id, password_hash FROM users WHERE email = $1 AND status = 'active'", email.as_str())
            .fetch_optional(tx.conn())
            .await?;
    Ok(row.map(|row| Person { id: row.id, password_hash: SecretString::from(row.password_hash) }))
}

/// Opens a session in the named enterprise, or in the only one; for a system administrator who names none, in none.
/// Nobody whose enterprises are all suspended gets in.
pub async fn open(
    tx: &mut PlatformTx,
    user_id: UserId,
    enterprise_id: Option<EnterpriseId>,
    refresh: &RefreshToken,
) -> Result<Opening> {
    if enterprise_id.is_none() && rights::operator(tx, user_id).await?.is_some() {
        return Ok(Opening::Opened(insert(tx, user_id, None, refresh).await?));
    }
    let mut places = sqlx::query_as!(
        Place,
        "SELECT e.id, e.name
         FROM memberships AS m JOIN enterprises AS e ON e.id = m.enterprise_id
         WHERE m.user_id = $1 AND m.status = 'active' AND e.status = 'active'
         ORDER BY e.id",
        user_id as _,
    )
    .fetch_all(tx.conn())
    .await?;
    if places.is_empty() {
        return Err(Error::Unauthenticated(WRONG));
    }
    let chosen = match enterprise_id {
        Some(id) => places.iter().position(|place| place.id == id),
        None => (places.len() == 1).then_some(0),
    };
    let Some(chosen) = chosen else { return Ok(Opening::Choose(places)) };
    let place = places.swap_remove(chosen);
    Ok(Opening::Opened(insert(tx, user_id, Some(place.id), refresh).await?))
}

async fn insert(
    tx: &mut PlatformTx,
    user_id: UserId,
    enterprise_id: Option<EnterpriseId>,
    refresh: &RefreshToken,
) -> Result<Session> {
    let now = tx.now().await?;
    let (id, expires_at) = (SessionId::new(), now + IDLE);
    sqlx::query!(
        "INSERT INTO sessions (id, user_id, enterprise_id, refresh_hash, created_at, used_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $5, $6)",
        id as _,
        user_id as _,
        enterprise_id as _,
        refresh.hash(),
        now,
        expires_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(Session { id, user_id, enterprise_id, expires_at })
}

/// Replaces the refresh token and prolongs the session, in one statement: of several that bring the same token one succeeds.
pub async fn refresh(tx: &mut PlatformTx, presented: &RefreshToken, successor: &RefreshToken) -> Result<Session> {
    let now = tx.now().await?;
    sqlx::query_as!(
        Session,
        r#"UPDATE sessions AS s
           SET refresh_hash = $2, used_at = $3, expires_at = least($3 + $4::interval, s.created_at + $5::interval)
           FROM users AS u
           WHERE s.refresh_hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $3
             AND u.id = s.user_id AND u.status = 'active'
             AND ((s.enterprise_id IS NULL AND u.system_administrator)
                  OR EXISTS (SELECT FROM memberships AS m JOIN enterprises AS e ON e.id = m.enterprise_id
                             WHERE m.user_id = s.user_id AND m.enterprise_id = s.enterprise_id
                               AND m.status = 'active' AND e.status = 'active'))
           RETURNING s.id, s.user_id, s.enterprise_id AS "enterprise_id: EnterpriseId", s.expires_at"#,
        presented.hash(),
        successor.hash(),
        now,
        IDLE as _,
        ABSOLUTE as _,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::Unauthenticated("the refresh token is not valid, or no longer"))
}

/// Who is acting in this session, with the rights of this moment; nobody once the session, the person or the enterprise is off.
pub async fn recognise(tx: &mut PlatformTx, id: SessionId, user_id: UserId) -> Result<Option<Recognised>> {
    let now = tx.now().await?;
    let row = sqlx::query!(
        r#"SELECT enterprise_id AS "enterprise_id: EnterpriseId" FROM sessions
           WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3"#,
        id as _,
        user_id as _,
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    rights::recognise(tx, user_id, row.enterprise_id).await
}

/// Ends every session of a person in the enterprise.
pub(super) async fn end_in_enterprise(tx: &mut EnterpriseTx, user_id: UserId) -> Result<()> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    sqlx::query!(
        "UPDATE sessions SET revoked_at = $3 WHERE enterprise_id = $1 AND user_id = $2 AND revoked_at IS NULL",
        enterprise_id as _,
        user_id as _,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends a session. Ending it twice changes nothing.
pub async fn close(tx: &mut PlatformTx, id: SessionId) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!("UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", id as _, now)
        .execute(tx.conn())
        .await?;
    Ok(())
}
