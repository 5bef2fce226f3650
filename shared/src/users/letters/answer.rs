//! Who answers a letter shows that they read it. The token is good once.

use secrecy::SecretString;
use serde_json::json;

use super::{LetterKind, OPERATOR};
use crate::access::Origin;
use crate::audit::{self, Action, Object};
use crate::db::PlatformTx;
use crate::ids::{EnterpriseId, UserId};
use crate::users::credentials::{self, Person};
use crate::users::tokens::LetterToken;
use crate::users::{Email, Grant, grants, people, rights};
use crate::{Error, Refusal, Result};

const INVALID: &str = "the token is not valid, or no longer";

/// Whom an invitation is for.
#[derive(Clone, Debug)]
pub struct Invited {
    /// Their address.
    pub email: String,
    /// As the one who invited them calls them.
    pub name: String,
    /// They themselves, if they belong to another enterprise already.
    pub person: Option<Person>,
}

/// Who accepts an invitation.
#[derive(Clone, Debug)]
pub enum Newcomer {
    /// Somebody new, who calls themselves so and whose first password was hashed.
    New {
        /// As colleagues will call them.
        name: String,
        /// Argon2id, in PHC form.
        password_hash: SecretString,
    },
    /// A person of another enterprise, who gave their password: the letter alone does not open what they have there.
    Known(UserId),
}

/// Whom the invitation with this token is for.
pub async fn invited(tx: &mut PlatformTx, token: &LetterToken) -> Result<Invited> {
    let now = tx.now().await?;
    let row = sqlx::query!(
        r#"SELECT l.email, l.name AS "name!"
           FROM letters AS l JOIN enterprises AS e ON e.id = l.enterprise_id
           WHERE l.token_hash = $1 AND l.kind = 'invitation' AND l.used_at IS NULL AND l.expires_at > $2 AND e.status = 'active'"#,
        token.hash(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::Unauthenticated(INVALID))?;
    let person = credentials::find_person(tx, &Email::parse(&row.email)?).await?;
    Ok(Invited { email: row.email, name: row.name, person })
}

/// Joins the enterprise that invited, with exactly what the invitation grants. Refused, and not used up, if a role or a
/// warehouse that it names is gone, or if who invited could not grant it any more.
pub async fn accept(tx: &mut PlatformTx, token: &LetterToken, newcomer: Newcomer, origin: &Origin) -> Result<()> {
    let now = tx.now().await?;
    // An invitation of the release before names a role instead of grants.
    let row = sqlx::query!(
        r#"UPDATE letters AS l SET used_at = $2 FROM enterprises AS e
           WHERE l.token_hash = $1 AND l.kind = 'invitation' AND l.used_at IS NULL AND l.expires_at > $2
             AND e.id = l.enterprise_id AND e.status = 'active'
           RETURNING l.id, l.email, l.actor, l.enterprise_id AS "enterprise_id!",
                     coalesce(l.grants, jsonb_build_array(jsonb_build_object(
                         'role', jsonb_build_object('builtIn', l.role), 'reach', 'enterprise', 'warehouses', '[]'::jsonb))) AS "grants!""#,
        token.hash(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::Unauthenticated(INVALID))?;
    let granted: Vec<Grant> = serde_json::from_value(row.grants)
        .map_err(|error| Error::Inconsistent(format!("the grants of invitation {}: {error}", row.id)))?;
    tx.enter(row.enterprise_id).await?;
    check_still_good(tx, row.enterprise_id, &row.actor, &granted).await?;
    let id = match newcomer {
        Newcomer::New { name, password_hash } => {
            people::insert(tx.conn(), &Email::parse(&row.email)?, &name, &password_hash, now).await?
        }
        Newcomer::Known(id) => id,
    };
    rights::rights_changed_of(tx, id).await?;
    people::join(tx.conn(), row.enterprise_id, id, now).await?;
    grants::replace(tx.conn(), row.enterprise_id, id, &granted).await?;
    let act = (Action::UserCreated, Object::of("user", id));
    let facts = json!({ "email": row.email, "grants": granted, "by": "invitation" });
    audit::noted_outside(tx, row.enterprise_id, &format!("user:{id}"), origin, act, &facts).await
}

/// While changes of rights wait: what is given is there, and who promised it could still give it.
async fn check_still_good(
    tx: &mut PlatformTx,
    enterprise_id: EnterpriseId,
    invited_by: &str,
    granted: &[Grant],
) -> Result<()> {
    let outdated = |why: &str| Error::refused(Refusal::InvitationOutdated, format!("{why}: ask to be invited again"));
    rights::hold(tx.conn(), enterprise_id).await?;
    match grants::gone(tx.conn(), granted).await? {
        Some(grants::Gone::Role { .. }) => return Err(outdated("a role that the invitation grants was deleted")),
        Some(grants::Gone::Warehouse { .. }) => return Err(outdated("a warehouse that the invitation names is gone")),
        None => {}
    }
    if invited_by == OPERATOR {
        return if rights::has_administrator(tx.conn(), enterprise_id).await? {
            Err(outdated("the enterprise has an administrator by now"))
        } else {
            Ok(())
        };
    }
    let theirs = grants::sum(tx.conn(), granted).await?;
    let inviter = invited_by.strip_prefix("user:").and_then(|id| id.parse().ok()).map(UserId);
    let mine = match inviter {
        Some(id) => rights::of_active(tx.conn(), enterprise_id, id).await?.unwrap_or_default(),
        None => return Err(Error::Inconsistent(format!("an invitation by {invited_by}"))),
    };
    match mine.lack_of(&theirs) {
        Some(_) => Err(outdated("who invited you may not grant this any more")),
        None => Ok(()),
    }
}

/// Whose password the reset with this token changes.
pub async fn person_of_reset(tx: &mut PlatformTx, token: &LetterToken) -> Result<Person> {
    let now = tx.now().await?;
    let email = sqlx::query_scalar!(
        "SELECT email FROM letters WHERE token_hash = $1 AND kind IN ('password_reset', 'token_reused') AND used_at IS NULL AND expires_at > $2",
        token.hash(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::Unauthenticated(INVALID))?;
    credentials::find_person(tx, &Email::parse(&email)?).await?.ok_or(Error::Unauthenticated(INVALID))
}

/// Changes the password of who read the letter. Their sessions end, and so do other resets that are on their way; the second
/// factor is asked for at the next sign-in as ever.
pub async fn reset_password(
    tx: &mut PlatformTx,
    token: &LetterToken,
    password_hash: &SecretString,
    origin: &Origin,
) -> Result<()> {
    let person = person_of_reset(tx, token).await?;
    let now = tx.now().await?;
    let used = sqlx::query!(
        "UPDATE letters SET used_at = $2 WHERE token_hash = $1 AND kind IN ('password_reset', 'token_reused') AND used_at IS NULL AND expires_at > $2",
        token.hash(),
        now,
    )
    .execute(tx.conn())
    .await?;
    if used.rows_affected() == 0 {
        return Err(Error::Unauthenticated(INVALID));
    }
    sqlx::query!(
        "UPDATE letters SET expires_at = $3
         WHERE email = $1 AND kind = $2 AND used_at IS NULL AND expires_at > $3",
        person.email,
        LetterKind::PasswordReset as LetterKind,
        now,
    )
    .execute(tx.conn())
    .await?;
    credentials::reset_password(tx, person.id, password_hash, origin).await
}
