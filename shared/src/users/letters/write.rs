//! What a worker needs to write a letter.

use chrono::{DateTime, Duration, Utc};

use super::{LetterKind, issue};
use crate::Result;
use crate::db::PlatformTx;
use crate::ids::LetterId;
use crate::users::tokens::LetterToken;

/// Nobody is sent a second letter of a reset within that time, however often it is asked for.
const SILENCE: Duration = Duration::minutes(1);
/// Letters that are over stay in the table for so long.
const KEPT: Duration = Duration::days(7);

/// A letter that is to be sent now.
#[derive(Clone, Debug)]
pub struct Written {
    /// What it is about.
    pub kind: LetterKind,
    /// To whom.
    pub email: String,
    /// As they are called.
    pub name: String,
    /// Into which enterprise an invitation leads.
    pub enterprise: Option<String>,
    /// What they answer with, if there is anything to answer.
    pub token: Option<LetterToken>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// Makes the letter's token and tells what to write; nothing if nobody is to get it: it was sent or answered, replaced by a
/// later one, there is no such person, they were just sent one, or the new address is somebody's.
pub async fn write(tx: &mut PlatformTx, id: LetterId) -> Result<Option<Written>> {
    let now = tx.now().await?;
    let row = sqlx::query!(
        r#"SELECT l.kind AS "kind: LetterKind", l.email, coalesce(l.name, u.name) AS "name?", e.name AS "enterprise?"
           FROM letters AS l
           LEFT JOIN users AS u ON (u.id = l.user_id OR (l.user_id IS NULL AND u.email = l.email)) AND u.status = 'active'
           LEFT JOIN enterprises AS e ON e.id = l.enterprise_id
           WHERE l.id = $1 AND l.sent_at IS NULL AND l.used_at IS NULL
             AND (l.kind <> 'invitation' OR (e.status = 'active' AND l.expires_at > $2))
             AND (l.kind <> 'email_change' OR (l.expires_at > $2 AND NOT EXISTS (SELECT FROM users AS t WHERE t.email = l.email)))
             AND (l.kind <> 'password_reset' OR NOT EXISTS
                  (SELECT FROM letters AS o WHERE o.email = l.email AND o.kind = l.kind AND o.id <> l.id AND o.sent_at > $3))
           FOR UPDATE OF l"#,
        id as _,
        now,
        now - SILENCE,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let Some(name) = row.name else { return Ok(None) };
    let token = match row.kind.page() {
        Some(_) => Some(issue(tx.conn(), now, id, row.kind).await?),
        None => None,
    };
    let expires_at = now + row.kind.life();
    Ok(Some(Written { kind: row.kind, email: row.email, name, enterprise: row.enterprise, token, expires_at }))
}

/// The mail server took it.
pub async fn note_sent(tx: &mut PlatformTx, id: LetterId) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!("UPDATE letters SET sent_at = $2 WHERE id = $1", id as _, now).execute(tx.conn()).await?;
    Ok(())
}

/// Deletes letters that were over a week ago; at most so many at once.
pub async fn prune(tx: &mut PlatformTx, at_most: i64) -> Result<u64> {
    let before = tx.now().await? - KEPT;
    let done = sqlx::query!(
        "DELETE FROM letters WHERE id IN (SELECT id FROM letters WHERE created_at < $1 AND expires_at < $1 LIMIT $2)",
        before,
        at_most,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
