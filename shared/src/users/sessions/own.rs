//! What a person sees of their sessions, and how sessions end.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

use super::super::{people, rights};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::herald::Change;
use crate::ids::{EnterpriseId, SessionId, UserId};
use crate::{Error, Result};

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EndReason {
    /// The client said goodbye.
    SignedOut,
    /// Its person ended it from another one.
    Ended,
    /// An administrator ended it.
    EndedByAdministrator,
    /// It was the oldest of too many.
    PushedOut,
    /// The password was changed.
    PasswordChanged,
    /// A second factor came or went.
    SecondFactorChanged,
    /// A spent refresh token came again.
    TokenReused,
}

/// A living session, as its person or an administrator sees it.
#[derive(Clone, Debug)]
pub struct Known {
    /// Which one.
    pub id: SessionId,
    /// Where.
    pub enterprise_id: Option<EnterpriseId>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// From which network it last came.
    pub address: Option<String>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When it was last refreshed: at most ten minutes before it was last used.
    pub used_at: DateTime<Utc>,
    /// When it ends if it is not used.
    pub expires_at: DateTime<Utc>,
    /// Whether it is the one that is asking.
    pub current: bool,
}

/// The sessions of the acting person, wherever they are signed in, newest first.
pub async fn list_own(tx: &mut EnterpriseTx) -> Result<Vec<Known>> {
    let user_id = person(tx)?;
    living(tx, user_id, None).await
}

/// The sessions of a person in this enterprise, newest first.
pub async fn list_of(tx: &mut EnterpriseTx, user_id: UserId) -> Result<Vec<Known>> {
    tx.require(Permission::ManagePeople)?;
    people::show(tx, user_id).await?;
    let enterprise_id = tx.enterprise_id();
    living(tx, user_id, Some(enterprise_id)).await
}

/// Ends the session that is asking. Ending it twice changes nothing.
pub async fn sign_out(tx: &mut EnterpriseTx) -> Result<()> {
    let session = tx.actor().session_id().ok_or(Error::NotFound("session"))?;
    let which = Which { session: Some(session), ..Which::all_of(person(tx)?) };
    end_and_announce(tx, which, EndReason::SignedOut).await.map(drop)
}

/// Ends one of the acting person's sessions. Whoever found a telephone that is signed in shall not lock its person out.
pub async fn end_own(tx: &mut EnterpriseTx, id: SessionId) -> Result<()> {
    tx.require_confirmed().await?;
    let which = Which { session: Some(id), ..Which::all_of(person(tx)?) };
    some(end_and_announce(tx, which, EndReason::Ended).await?)
}

/// Ends all sessions of the acting person but the one that is asking, because the person wants it.
pub async fn end_own_others(tx: &mut EnterpriseTx) -> Result<()> {
    tx.require_confirmed().await?;
    end_others(tx, EndReason::Ended).await
}

/// The same as part of another act.
pub(in crate::users) async fn end_others(tx: &mut EnterpriseTx, reason: EndReason) -> Result<()> {
    let which = Which { but: tx.actor().session_id(), ..Which::all_of(person(tx)?) };
    end_and_announce(tx, which, reason).await.map(drop)
}

/// Ends all sessions of the acting person, in every enterprise.
pub async fn end_everywhere(tx: &mut EnterpriseTx) -> Result<()> {
    let which = Which::all_of(person(tx)?);
    end_and_announce(tx, which, EndReason::SignedOut).await.map(drop)
}

/// Ends one session of a person in this enterprise, or all of them.
pub async fn end_of(tx: &mut EnterpriseTx, user_id: UserId, session: Option<SessionId>) -> Result<()> {
    let mine = rights::lock(tx, Permission::ManagePeople).await?;
    rights::check_covers(&mine, &rights::granted(tx, user_id).await?)?;
    let which = Which { user_id, session, enterprise_id: Some(tx.enterprise_id()), but: None };
    let ended = end_and_announce(tx, which, EndReason::EndedByAdministrator).await?;
    if session.is_some() { some(ended) } else { Ok(()) }
}

/// The acting person has just proved again who they are.
pub async fn note_confirmed(tx: &mut EnterpriseTx) -> Result<()> {
    let (now, session) = (tx.now().await?, tx.actor().session_id());
    let Some(id) = session else { return Err(Error::NotFound("session")) };
    sqlx::query!("UPDATE sessions SET confirmed_at = $2 WHERE id = $1", id as _, now).execute(tx.conn()).await?;
    tx.announce(Change::Session(id));
    Ok(())
}

fn some(ended: u64) -> Result<()> {
    if ended > 0 { Ok(()) } else { Err(Error::NotFound("session")) }
}

fn person(tx: &EnterpriseTx) -> Result<UserId> {
    tx.actor().user_id().ok_or(Error::NotFound("user"))
}

/// Which of a person's sessions.
#[derive(Clone, Copy, Debug)]
pub(in crate::users) struct Which {
    /// Whose.
    pub user_id: UserId,
    /// Only this one.
    pub session: Option<SessionId>,
    /// All but this one.
    pub but: Option<SessionId>,
    /// Only those in this enterprise.
    pub enterprise_id: Option<EnterpriseId>,
}

impl Which {
    /// Every session of the person.
    pub fn all_of(user_id: UserId) -> Self {
        Self { user_id, session: None, but: None, enterprise_id: None }
    }
}

async fn end_and_announce(tx: &mut EnterpriseTx, which: Which, reason: EndReason) -> Result<u64> {
    let now = tx.now().await?;
    let ended = end(tx.conn(), now, &which, reason).await?;
    tx.announce(Change::User(which.user_id));
    if ended > 0 {
        let object = which.session.map_or_else(|| Object::of("user", which.user_id), |id| Object::of("session", id));
        let facts = json!({ "userId": which.user_id, "sessions": ended, "reason": reason });
        audit::noted(tx, Action::SessionEnded, object, &facts).await?;
    }
    Ok(ended)
}

/// Ends every session of a person in this enterprise.
pub(in crate::users) async fn end_in_enterprise(
    tx: &mut EnterpriseTx,
    user_id: UserId,
    reason: EndReason,
) -> Result<()> {
    let which = Which { enterprise_id: Some(tx.enterprise_id()), ..Which::all_of(user_id) };
    end_and_announce(tx, which, reason).await.map(drop)
}

/// Ends them in the table; who calls it announces it.
pub(in crate::users) async fn end(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    which: &Which,
    reason: EndReason,
) -> Result<u64> {
    let done = sqlx::query!(
        "UPDATE sessions SET revoked_at = $1, end_reason = $2
         WHERE user_id = $3 AND revoked_at IS NULL AND expires_at > $1
           AND ($4::uuid IS NULL OR id = $4) AND ($5::uuid IS NULL OR id <> $5) AND ($6::uuid IS NULL OR enterprise_id = $6)",
        now,
        reason as EndReason,
        which.user_id as _,
        which.session as _,
        which.but as _,
        which.enterprise_id as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

async fn living(tx: &mut EnterpriseTx, user_id: UserId, enterprise_id: Option<EnterpriseId>) -> Result<Vec<Known>> {
    let (now, current) = (tx.now().await?, tx.actor().session_id());
    Ok(sqlx::query_as!(
        Known,
        r#"SELECT id, enterprise_id AS "enterprise_id: EnterpriseId", user_agent, address, created_at, used_at, expires_at, coalesce(id = $4, false) AS "current!"
           FROM sessions
           WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND ($3::uuid IS NULL OR enterprise_id = $3)
           ORDER BY created_at DESC, id DESC"#,
        user_id as _,
        now,
        enterprise_id as _,
        current as _,
    )
    .fetch_all(tx.conn())
    .await?)
}
