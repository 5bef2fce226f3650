//! Who answers a letter shows that they read it. The token is good once.

use secrecy::SecretString;
use serde_json::json;

use super::LetterKind;
use crate::access::Origin;
use crate::audit::{self, Action, Object};
use crate::db::PlatformTx;
use crate::ids::UserId;
use crate::users::credentials::{self, Person};
use crate::users::tokens::LetterToken;
use crate::users::{Email, people};
use crate::{Error, Result};

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

/// Joins the enterprise that invited.
pub async fn accept(tx: &mut PlatformTx, token: &LetterToken, newcomer: Newcomer) -> Result<()> {
    let now = tx.now().await?;
    let row = sqlx::query!(
        r#"UPDATE letters AS l SET used_at = $2 FROM enterprises AS e
           WHERE l.token_hash = $1 AND l.kind = 'invitation' AND l.used_at IS NULL AND l.expires_at > $2
             AND e.id = l.enterprise_id AND e.status = 'active'
           RETURNING l.email, l.role AS "role!", l.enterprise_id AS "enterprise_id!""#,
        token.hash(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::Unauthenticated(INVALID))?;
    let id = match newcomer {
        Newcomer::New { name, password_hash } => {
            people::insert(tx.conn(), &Email::parse(&row.email)?, &name, &password_hash, now).await?
        }
        Newcomer::Known(id) => id,
    };
    people::join_as(tx, row.enterprise_id, id, row.role).await?;
    let act = (Action::UserCreated, Object::of("user", id));
    let facts = json!({ "email": row.email, "role": row.role, "by": "invitation" });
    audit::noted_outside(tx, row.enterprise_id, &format!("user:{id}"), &Origin::default(), act, &facts).await
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
pub async fn reset_password(tx: &mut PlatformTx, token: &LetterToken, password_hash: &SecretString) -> Result<()> {
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
    credentials::reset_password(tx, person.id, password_hash).await
}
