//! Rotation (RFC 9700, 4.14.2): a refresh token is good once. One that was spent and comes again means that two hold it,
//! so the whole family ends. An answer that was lost on its way is no theft: for ten seconds the same client is given the
//! same successor again.

use chrono::{DateTime, Duration, Utc};

use super::own::{EndReason, Which, end};
use super::{ABSOLUTE, Device, IDLE, Session, successor};
use crate::access::Origin;
use crate::db::PlatformTx;
use crate::herald::Change;
use crate::ids::{EnterpriseId, SessionId, UserId};
use crate::users::tokens::RefreshToken;
use crate::users::{letters, trail};
use crate::{Error, Result};

/// How long a lost answer may be asked for again.
const GRACE: Duration = Duration::seconds(10);
/// Sealed successors are of no use after that.
const SUCCESSORS_KEPT: Duration = Duration::minutes(1);
/// Sessions that are over stay in the table for so long, and with them their spent tokens.
const KEPT: Duration = Duration::days(30);

const INVALID: &str = "the refresh token is not valid, or no longer";

/// What became of a refresh.
#[derive(Clone, Debug)]
pub enum Refreshed {
    /// The session goes on with this token: new, or the same again.
    Renewed(Session, RefreshToken),
    /// The token had been spent: its session is over. To be committed before it is told.
    Reused,
}

impl Refreshed {
    /// The session that goes on.
    pub fn into_session(self) -> Result<(Session, RefreshToken)> {
        match self {
            Self::Renewed(session, token) => Ok((session, token)),
            Self::Reused => Err(Error::Unauthenticated(INVALID)),
        }
    }
}

/// Replaces the refresh token and prolongs the session. Of several that bring the same token at once, on whichever
/// process, one makes the successor; the others wait for it on the session's row and are given the same.
pub async fn refresh(
    tx: &mut PlatformTx,
    presented: &RefreshToken,
    device: &Device,
    origin: &Origin,
) -> Result<Refreshed> {
    let successor = RefreshToken::random();
    if let Some(session) = rotate(tx, presented, &successor, device).await? {
        return Ok(Refreshed::Renewed(session, successor));
    }
    let now = tx.now().await?;
    let family = family_of(tx, presented, now).await?.ok_or(Error::Unauthenticated(INVALID))?;
    let lost_answer = now - family.spent_at < GRACE && family.device() == *device;
    if let (true, Some(sealed)) = (lost_answer, &family.successor_sealed) {
        let successor = successor::open(sealed, presented, family.id)?;
        return Ok(Refreshed::Renewed(family.session(), successor));
    }
    let which = Which { session: Some(family.id), ..Which::all_of(family.user_id) };
    end(tx.conn(), now, &which, EndReason::TokenReused).await?;
    tx.announce(Change::Session(family.id));
    letters::warn_of_reuse(tx, family.user_id).await?;
    trail::reused(tx, &family.session(), origin).await?;
    tracing::warn!(session.id = %family.id, user.id = %family.user_id, "A spent refresh token came again: the session is over");
    Ok(Refreshed::Reused)
}

async fn rotate(
    tx: &mut PlatformTx,
    presented: &RefreshToken,
    successor: &RefreshToken,
    device: &Device,
) -> Result<Option<Session>> {
    let now = tx.now().await?;
    let session = sqlx::query_as!(
        Session,
        r#"UPDATE sessions AS s
         SET refresh_hash = $2, used_at = $3, expires_at = least($3 + $4::interval, s.created_at + $5::interval), user_agent = $6, address = $7
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
        device.user_agent,
        device.address,
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(session) = &session {
        sqlx::query!(
            "INSERT INTO spent_refresh_tokens (hash, session_id, spent_at, successor_sealed) VALUES ($1, $2, $3, $4)",
            presented.hash(),
            session.id as _,
            now,
            successor::seal(successor, presented, session.id),
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(session)
}

struct Family {
    id: SessionId,
    user_id: UserId,
    enterprise_id: Option<EnterpriseId>,
    expires_at: DateTime<Utc>,
    user_agent: Option<String>,
    address: Option<String>,
    spent_at: DateTime<Utc>,
    successor_sealed: Option<Vec<u8>>,
}

impl Family {
    /// The client that last refreshed.
    fn device(&self) -> Device {
        Device { user_agent: self.user_agent.clone(), address: self.address.clone() }
    }

    fn session(&self) -> Session {
        let Self { id, user_id, enterprise_id, expires_at, .. } = *self;
        Session { id, user_id, enterprise_id, expires_at }
    }
}

/// The living session to which a spent token belongs.
async fn family_of(tx: &mut PlatformTx, presented: &RefreshToken, now: DateTime<Utc>) -> Result<Option<Family>> {
    Ok(sqlx::query_as!(
        Family,
        r#"SELECT s.id, s.user_id, s.enterprise_id AS "enterprise_id: EnterpriseId", s.expires_at, s.user_agent, s.address,
                  t.spent_at, t.successor_sealed
           FROM spent_refresh_tokens AS t
           JOIN sessions AS s ON s.id = t.session_id
           JOIN users AS u ON u.id = s.user_id
           WHERE t.hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.status = 'active'
             AND ((s.enterprise_id IS NULL AND u.system_administrator)
                  OR EXISTS (SELECT FROM memberships AS m JOIN enterprises AS e ON e.id = m.enterprise_id
                             WHERE m.user_id = s.user_id AND m.enterprise_id = s.enterprise_id
                               AND m.status = 'active' AND e.status = 'active'))"#,
        presented.hash(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Forgets successors that nobody may ask for any more.
pub async fn forget_successors(tx: &mut PlatformTx) -> Result<u64> {
    let before = tx.now().await? - SUCCESSORS_KEPT;
    let done = sqlx::query!(
        "UPDATE spent_refresh_tokens SET successor_sealed = NULL WHERE spent_at < $1 AND successor_sealed IS NOT NULL",
        before
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Deletes sessions that were over thirty days ago, with their spent tokens; at most so many at once.
pub async fn prune(tx: &mut PlatformTx, at_most: i64) -> Result<u64> {
    let before = tx.now().await? - KEPT;
    let done = sqlx::query!(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 OR revoked_at < $1 LIMIT $2)",
        before,
        at_most,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
