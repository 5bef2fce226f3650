//! What the audit log keeps of signing in. It happens before an enterprise is open: what concerns a known person lies in
//! the logs of their enterprises, what concerns nobody known in the installation's own.

use serde_json::json;

use super::Email;
use super::sessions::Session;
use crate::Result;
use crate::access::Origin;
use crate::audit::{self, Action, INSTALLATION, Object};
use crate::db::PlatformTx;
use crate::ids::UserId;

/// Somebody signed in.
pub async fn opened(tx: &mut PlatformTx, session: &Session, origin: &Origin) -> Result<()> {
    let origin = Origin { session_id: Some(session.id), ..origin.clone() };
    let act = (Action::SessionOpened, Object::of("session", session.id));
    let facts = json!({ "userId": session.user_id, "expiresAt": session.expires_at });
    let whose = session.enterprise_id.unwrap_or(INSTALLATION);
    audit::noted_outside(tx, whose, &format!("user:{}", session.user_id), &origin, act, &facts).await
}

/// A spent refresh token of the session came again, and ended it.
pub async fn reused(tx: &mut PlatformTx, session: &Session, origin: &Origin) -> Result<()> {
    let act = (Action::SessionTokenReused, Object::of("session", session.id));
    let facts = json!({ "userId": session.user_id });
    let whose = session.enterprise_id.unwrap_or(INSTALLATION);
    audit::noted_outside(tx, whose, "nobody", origin, act, &facts).await
}

/// Somebody did not get in: with the wrong password of this person, or as nobody. The address of e-mail is shown in part,
/// because people type passwords into the wrong field.
pub async fn refused(tx: &mut PlatformTx, email: &Email, user_id: Option<UserId>, origin: &Origin) -> Result<()> {
    let facts = json!({ "email": masked(email.as_str()) });
    let Some(user_id) = user_id else {
        let act = (Action::SessionRefused, Object::some("user"));
        return audit::noted_outside(tx, INSTALLATION, "nobody", origin, act, &facts).await;
    };
    let enterprises =
        sqlx::query_scalar!("SELECT enterprise_id FROM memberships WHERE user_id = $1 ORDER BY 1", user_id as _)
            .fetch_all(tx.conn())
            .await?;
    for enterprise_id in enterprises {
        let act = (Action::SessionRefused, Object::of("user", user_id));
        audit::noted_outside(tx, enterprise_id, "nobody", origin, act, &facts).await?;
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
