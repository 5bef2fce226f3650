//! What the audit log keeps of signing in and of what people do before an enterprise is open: what concerns a known person
//! lies in the logs of their enterprises, what concerns nobody known, or who runs the installation, in the installation's own.

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::Email;
use super::sessions::{EndReason, Session};
use crate::Result;
use crate::access::{Actor, Origin};
use crate::audit::{self, Action, INSTALLATION, Object};
use crate::db::{Db, PlatformTx};
use crate::ids::UserId;

/// Somebody signed in.
pub(super) async fn opened(tx: &mut PlatformTx, session: &Session, origin: &Origin) -> Result<()> {
    let origin = Origin { session_id: Some(session.id), ..origin.clone() };
    let act = (Action::SessionOpened, Object::of("session", session.id));
    let facts = json!({ "userId": session.user_id, "expiresAt": session.expires_at });
    let whose = session.enterprise_id.unwrap_or(INSTALLATION);
    audit::noted_outside(tx, whose, &format!("user:{}", session.user_id), &origin, act, &facts).await
}

/// A new session pushed an old one out.
pub(super) async fn pushed_out(tx: &mut PlatformTx, session: &Session, origin: &Origin) -> Result<()> {
    let act = (Action::SessionEnded, Object::of("session", session.id));
    let facts = json!({ "userId": session.user_id, "sessions": 1, "reason": EndReason::PushedOut });
    let whose = session.enterprise_id.unwrap_or(INSTALLATION);
    audit::noted_outside(tx, whose, &format!("user:{}", session.user_id), origin, act, &facts).await
}

/// A spent refresh token of the session came again, and ended it.
pub(super) async fn reused(tx: &mut PlatformTx, session: &Session, origin: &Origin) -> Result<()> {
    let act = (Action::SessionTokenReused, Object::of("session", session.id));
    let facts = json!({ "userId": session.user_id });
    let whose = session.enterprise_id.unwrap_or(INSTALLATION);
    audit::noted_outside(tx, whose, "nobody", origin, act, &facts).await
}

/// Somebody did not get in: with the wrong password of this person, or as nobody. The address of e-mail is shown in part,
/// because people type passwords into the wrong field.
pub async fn refused(tx: &mut PlatformTx, email: &Email, user_id: Option<UserId>, origin: &Origin) -> Result<()> {
    let facts = json!({ "email": masked(email.as_str()), "gave": "password" });
    let object = || user_id.map_or_else(|| Object::some("user"), |id| Object::of("user", id));
    // Of nobody the same is asked and written as of somebody: the time must not tell one from the other.
    let whoever = user_id.unwrap_or(UserId(Uuid::nil()));
    of_person(tx, whoever, "nobody", origin, || (Action::SessionRefused, object()), &facts).await
}

/// Somebody gave the password and a wrong code.
pub async fn code_refused(tx: &mut PlatformTx, user_id: UserId, origin: &Origin) -> Result<()> {
    let act = || (Action::SessionRefused, Object::of("user", user_id));
    of_person(tx, user_id, "nobody", origin, act, &json!({ "gave": "code" })).await
}

/// Who is signed in did not prove who they are: the request's own transaction is gone by then.
pub async fn identity_refused(db: &Db, actor: &Actor, gave: &str) -> Result<()> {
    let mut tx = db.begin(&actor.clone().aside()).await?;
    if let Some(id) = actor.user_id() {
        audit::noted(&mut tx, Action::IdentityRefused, Object::of("user", id), &json!({ "gave": gave })).await?;
    }
    tx.commit().await
}

/// Keeps an act in the logs of all enterprises to which a person belongs; of who belongs to none, in the installation's.
pub(super) async fn of_person(
    tx: &mut PlatformTx,
    user_id: UserId,
    actor: &str,
    origin: &Origin,
    act: impl Fn() -> (Action, Object),
    facts: &(impl Serialize + Sync),
) -> Result<()> {
    let mut logs = sqlx::query_scalar!(
        "SELECT enterprise_id FROM memberships WHERE user_id = $1 AND status <> 'removed' ORDER BY 1",
        user_id as _
    )
    .fetch_all(tx.conn())
    .await?;
    if logs.is_empty() {
        logs.push(INSTALLATION);
    }
    for whose in logs {
        audit::noted_outside(tx, whose, actor, origin, act(), facts).await?;
    }
    Ok(())
}

/// The first letter and the domain.
fn masked(email: &str) -> String {
    let (name, domain) = email.split_once('@').unwrap_or((email, ""));
    format!("{}***@{domain}", name.chars().next().map(String::from).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_in_part() {
        assert_eq!(masked("anna@example.ru"), "a***@example.ru");
        assert_eq!(masked("Ж@пример.рф"), "Ж***@пример.рф");
    }
}
