//! Another address of e-mail: asked for by its person, theirs once they have read the letter that went there. The old
//! address is told, and sessions go on.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{About, Asked, Delivery, LetterKind, SendLetter, deliver, insert};
use crate::access::Origin;
use crate::audit::{self, Action, Object};
use crate::db::{EnterpriseTx, PlatformTx};
use crate::error::RefusedOn;
use crate::ids::UserId;
use crate::users::tokens::LetterToken;
use crate::users::{Email, credentials, trail};
use crate::{Error, Refusal, Result};

const INVALID: &str = "the token is not valid, or no longer";

/// Asks for another address for the acting person; what they asked for before is no good any more. Whether somebody has the
/// address already is told to nobody but who reads mail there. Without mail the person passes the token on to themselves:
/// no address is ever written to then.
pub async fn ask_email_change(tx: &mut EnterpriseTx, email: &Email, delivery: Delivery) -> Result<Asked> {
    tx.require_confirmed().await?;
    let (person, now) = (credentials::acting_person(tx).await?, tx.now().await?);
    if person.email == email.as_str() {
        return Err(Error::invalid("email", "is your address already"));
    }
    withdraw_email_changes(tx.conn(), now, person.id).await?;
    let actor = tx.actor().to_string();
    let about = About::Person(person.id);
    let asked = insert(tx.conn(), now, LetterKind::EmailChange, email.as_str(), &actor, about).await?;
    let facts = json!({ "email": email.as_str() });
    audit::noted(tx, Action::UserEmailAsked, Object::of("user", person.id), &facts).await?;
    deliver(tx, asked, LetterKind::EmailChange, delivery).await
}

/// Gives the person of the letter its address. Resets that are on their way to the old one are no good any more.
pub async fn change_email(tx: &mut PlatformTx, token: &LetterToken, origin: &Origin) -> Result<()> {
    let now = tx.now().await?;
    let letter = sqlx::query!(
        r#"UPDATE letters SET used_at = $2
           WHERE token_hash = $1 AND kind = 'email_change' AND used_at IS NULL AND expires_at > $2
           RETURNING email, user_id AS "user_id!""#,
        token.hash(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::Unauthenticated(INVALID))?;
    let before = sqlx::query_scalar!(
        "SELECT email FROM users WHERE id = $1 AND status = 'active' FOR NO KEY UPDATE",
        letter.user_id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::Unauthenticated(INVALID))?;
    sqlx::query!("UPDATE users SET email = $2 WHERE id = $1", letter.user_id as _, letter.email)
        .execute(tx.conn())
        .await
        .refused_on("users_email_key", Refusal::EmailTaken, || format!("{} is taken", letter.email))?;
    sqlx::query!(
        "UPDATE letters SET expires_at = $2
         WHERE email = $1 AND kind IN ('password_reset', 'token_reused') AND used_at IS NULL AND expires_at > $2",
        before,
        now,
    )
    .execute(tx.conn())
    .await?;
    let actor = format!("user:{}", letter.user_id);
    let act = || (Action::UserEmailChanged, Object::of("user", letter.user_id));
    trail::of_person(tx, letter.user_id, &actor, origin, act, &json!({ "from": before, "to": letter.email })).await?;
    let about = About::Person(letter.user_id);
    let notice = insert(tx.conn(), now, LetterKind::EmailChanged, &before, &actor, about).await?;
    tx.enqueue(&SendLetter { letter_id: notice.id }).await.map(drop)
}

/// Addresses that a person asked for and has not confirmed are not taken any more.
pub(in crate::users) async fn withdraw_email_changes(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user_id: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE letters SET expires_at = $2
         WHERE user_id = $1 AND kind = 'email_change' AND used_at IS NULL AND expires_at > $2",
        user_id as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}
