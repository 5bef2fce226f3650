//! Signed-in clients. Postgres holds the truth; what a process remembers of it is half a second old at most.
//!
//! A session is a family of refresh tokens ([`refresh`]), shown to its person and ended by them or by an administrator
//! (`own`). It ends by itself after seven days without a refresh and after thirty days in any case.

mod own;
mod refresh;
mod successor;

use chrono::{DateTime, Duration, Utc};

use super::tokens::RefreshToken;
use super::{rights, second_factor, trail};
use crate::access::{Origin, Recognised};
use crate::db::PlatformTx;
use crate::enterprises::SecondFactorDuty;
use crate::error::RefusedOn;
use crate::herald::Change;
use crate::ids::{EnterpriseId, SessionId, UserId};
use crate::{Error, Refusal, Result};

pub use own::{
    EndReason, Known, end_everywhere, end_of, end_own, end_own_others, list_of, list_own, note_confirmed, sign_out,
};
pub(super) use own::{Which, end, end_in_enterprise, end_others};
pub use refresh::{Refreshed, forget_successors, prune, refresh};

/// Unused for so long, a session ends.
const IDLE: Duration = Duration::days(7);
/// Used or not, a session ends.
const ABSOLUTE: Duration = Duration::days(30);
/// So many may a person have at once; a further one ends the oldest.
const AT_MOST: i64 = 10;

/// Said to whoever does not get in, whatever the reason.
pub const WRONG: &str = "the e-mail or the password is wrong";

/// The client, as far as it can be told from outside: what its person recognises it by in the list, and what must be the
/// same when a lost answer is asked for again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// As it names itself, at most 200 characters.
    pub user_agent: Option<String>,
    /// Its network: a /24 of IPv4, a /48 of IPv6.
    pub address: Option<String>,
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

/// A session to open, for a person who has given their password.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    /// Under this id: two that are opened under one are one too many.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// Where; absent, in the only enterprise there is.
    pub enterprise_id: Option<EnterpriseId>,
    /// Its first refresh token.
    pub refresh: &'a RefreshToken,
    /// By which client.
    pub device: &'a Device,
    /// From where.
    pub origin: &'a Origin,
}

/// What became of signing in.
#[derive(Clone, Debug)]
pub enum Opening {
    /// The person is in.
    Opened(Session),
    /// The person belongs to these and must name one.
    Choose(Vec<Place>),
    /// The person has a second factor: it is asked for before anything else is said.
    SecondFactor,
}

/// Opens a session for who gave the password, unless a second factor is to be given too.
pub async fn open(tx: &mut PlatformTx, new: &NewSession<'_>) -> Result<Opening> {
    if second_factor::is_on(tx.conn(), new.user_id).await? {
        return Ok(Opening::SecondFactor);
    }
    open_proven(tx, new).await
}

/// Opens a session in the named enterprise, or in the only one, for who gave all that was asked for; for a system
/// administrator who names none, in none. Nobody gets in who is inactive, or whose enterprises are all suspended.
pub async fn open_proven(tx: &mut PlatformTx, new: &NewSession<'_>) -> Result<Opening> {
    // Sessions of one person are opened one after the other, so that they can be counted.
    let active = sqlx::query_scalar!(
        r#"SELECT true AS "active!" FROM users WHERE id = $1 AND status = 'active' FOR NO KEY UPDATE"#,
        new.user_id as _
    )
    .fetch_optional(tx.conn())
    .await?;
    if active.is_some() && new.enterprise_id.is_none() && rights::operator(tx, new.user_id).await?.is_some() {
        return opened(tx, new, None).await;
    }
    let places = sqlx::query_as!(
        Place,
        "SELECT e.id, e.name
         FROM memberships AS m JOIN enterprises AS e ON e.id = m.enterprise_id
         WHERE m.user_id = $1 AND m.status = 'active' AND e.status = 'active'
         ORDER BY e.id",
        new.user_id as _,
    )
    .fetch_all(tx.conn())
    .await?;
    if active.is_none() || places.is_empty() {
        return Err(Error::Unauthenticated(WRONG));
    }
    let chosen = match new.enterprise_id {
        Some(id) => places.iter().find(|place| place.id == id),
        None => places.first().filter(|_| places.len() == 1),
    };
    match chosen.map(|place| place.id) {
        Some(enterprise_id) => opened(tx, new, Some(enterprise_id)).await,
        None => Ok(Opening::Choose(places)),
    }
}

async fn opened(tx: &mut PlatformTx, new: &NewSession<'_>, enterprise_id: Option<EnterpriseId>) -> Result<Opening> {
    let expires_at = insert(tx, new, enterprise_id).await?;
    push_out(tx, new.user_id, new.origin).await?;
    let session = Session { id: new.id, user_id: new.user_id, enterprise_id, expires_at };
    trail::opened(tx, &session, new.origin).await?;
    Ok(Opening::Opened(session))
}

async fn insert(
    tx: &mut PlatformTx,
    new: &NewSession<'_>,
    enterprise_id: Option<EnterpriseId>,
) -> Result<DateTime<Utc>> {
    let now = tx.now().await?;
    let expires_at = now + IDLE;
    sqlx::query!(
        "INSERT INTO sessions (id, user_id, enterprise_id, refresh_hash, created_at, used_at, confirmed_at, expires_at, user_agent, address)
         VALUES ($1, $2, $3, $4, $5, $5, $5, $6, $7, $8)",
        new.id as _,
        new.user_id as _,
        enterprise_id as _,
        new.refresh.hash(),
        now,
        expires_at,
        new.device.user_agent,
        new.device.address,
    )
    .execute(tx.conn())
    .await
    .refused_on("sessions_pkey", Refusal::SignInUsed, || "this sign-in was already completed".to_owned())?;
    Ok(expires_at)
}

async fn push_out(tx: &mut PlatformTx, user_id: UserId, origin: &Origin) -> Result<()> {
    let now = tx.now().await?;
    let pushed = sqlx::query_as!(
        Session,
        r#"UPDATE sessions SET revoked_at = $2, end_reason = 'pushed_out'
         WHERE id IN (SELECT id FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC OFFSET $3)
         RETURNING id, user_id, enterprise_id AS "enterprise_id: EnterpriseId", expires_at"#,
        user_id as _,
        now,
        AT_MOST,
    )
    .fetch_all(tx.conn())
    .await?;
    for session in pushed {
        tx.announce(Change::Session(session.id));
        trail::pushed_out(tx, &session, origin).await?;
    }
    Ok(())
}

/// Who is acting in a session, at this moment.
#[derive(Clone, Debug)]
pub struct Acting {
    /// Who, with the rights of this moment.
    pub who: Recognised,
    /// Until when the session lives.
    pub expires_at: DateTime<Utc>,
    /// Whether a second factor is set up.
    pub second_factor: bool,
    /// Of whom the enterprise asks for one; absent: of whom the installation does.
    pub asked_of: Option<SecondFactorDuty>,
}

/// Who is acting in this session; nobody once the session, the person or the enterprise is off.
pub async fn recognise(tx: &mut PlatformTx, id: SessionId, user_id: UserId) -> Result<Option<Acting>> {
    let now = tx.now().await?;
    let row = sqlx::query!(
        r#"SELECT s.enterprise_id AS "enterprise_id: EnterpriseId", s.confirmed_at, s.expires_at,
                  e.require_second_factor AS "asked_of?: SecondFactorDuty",
                  EXISTS (SELECT FROM second_factors AS f WHERE f.id = s.user_id AND f.confirmed_at IS NOT NULL) AS "second_factor!"
           FROM sessions AS s LEFT JOIN enterprises AS e ON e.id = s.enterprise_id
           WHERE s.id = $1 AND s.user_id = $2 AND s.revoked_at IS NULL AND s.expires_at > $3"#,
        id as _,
        user_id as _,
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let who = match rights::recognise(tx, user_id, row.enterprise_id).await? {
        None => return Ok(None),
        Some(Recognised::Actor(actor)) => Recognised::Actor(actor.in_session(id, row.confirmed_at)),
        Some(Recognised::Operator(operator)) => Recognised::Operator(operator.in_session(id, row.confirmed_at)),
    };
    let (expires_at, second_factor, asked_of) = (row.expires_at, row.second_factor, row.asked_of);
    Ok(Some(Acting { who, expires_at, second_factor, asked_of }))
}
