//! Guesses at secrets: passwords, second factors, the tokens of letters. From the fifth failure on the next guess has to wait, 1 s, 2 s,
//! 4 s and so on up to 15 minutes; a success forgets the failures.
//!
//! An attempt is written down as a failure before anything is compared, so that a thousand guesses at once do not pass
//! together; [`Attempt::succeeded`] and [`Attempt::withdrawn`] take it back. Postgres is the one place of the counters:
//! they hold whether Redis is there or not, and without Postgres nobody signs in anyway. Sessions are not touched.

use std::net::IpAddr;

use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Email;
use crate::db::PlatformTx;
use crate::ids::UserId;
use crate::{Error, Result};

/// So many failures cost nothing: people mistype.
const FREE: i32 = 4;
const LONGEST: Duration = Duration::minutes(15);
/// Without an attempt for so long, failures are forgotten.
const MEMORY: Duration = Duration::hours(24);
/// How many forgotten rows an attempt takes along.
const SWEEP: i64 = 10;
/// Strangers share allowances like people of enterprises do: see [`allowances`].
const ENTERPRISES_OF_STRANGERS: u8 = 16;

/// What is being guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A password at sign-in.
    Password,
    /// A code of a second factor, or a recovery code.
    SecondFactor,
    /// The token of a letter for a new password.
    Reset,
    /// The token of an invitation.
    Invitation,
    /// The token of a letter to a new address of e-mail.
    EmailChange,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::SecondFactor => "second_factor",
            Self::Reset => "reset",
            Self::Invitation => "invitation",
            Self::EmailChange => "email_change",
        }
    }
}

/// Whose secret is being guessed: a person's, or, where a secret is looked for that may be anybody's, from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject([u8; 32]);

impl From<&Email> for Subject {
    fn from(email: &Email) -> Self {
        Self(Sha256::digest(email.as_str()).into())
    }
}

impl From<UserId> for Subject {
    fn from(id: UserId) -> Self {
        Self(Sha256::digest(id.to_string()).into())
    }
}

impl From<IpAddr> for Subject {
    /// Of IPv6 the network, because every client has a whole one.
    fn from(address: IpAddr) -> Self {
        let network = match address.to_canonical() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets()[..8].to_vec(),
        };
        Self(Sha256::new().chain_update(b"address:").chain_update(network).finalize().into())
    }
}

/// A guess that may be evaluated. It counts as a failure until one of its verbs says otherwise.
#[derive(Clone, Copy, Debug)]
#[must_use = "say how it ended"]
pub struct Attempt {
    kind: Kind,
    subject: Subject,
}

impl Attempt {
    /// It was wrong: that is how it stands already.
    pub fn failed(self) {}

    /// It was right: all failures are forgotten.
    pub async fn succeeded(self, tx: &mut PlatformTx) -> Result<()> {
        sqlx::query!(
            "DELETE FROM login_failures WHERE kind = $1 AND subject = $2",
            self.kind.as_str(),
            &self.subject.0[..],
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }

    /// It was not evaluated after all, because something else did not work.
    pub async fn withdrawn(self, tx: &mut PlatformTx) -> Result<()> {
        let now = tx.now().await?;
        sqlx::query!(
            "WITH gone AS (DELETE FROM login_failures WHERE kind = $1 AND subject = $2 AND failures = 1)
             UPDATE login_failures SET failures = failures - 1, next_at = $3
             WHERE kind = $1 AND subject = $2 AND failures > 1",
            self.kind.as_str(),
            &self.subject.0[..],
            now,
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }
}

/// Lets a guess be evaluated, or says how long it has to wait. Commit before comparing anything: the comparison takes
/// long, and others must see that this guess is under way.
pub async fn admit(tx: &mut PlatformTx, kind: Kind, subject: Subject) -> Result<Attempt> {
    let now = tx.now().await?;
    let admitted = sqlx::query_scalar!(
        "INSERT INTO login_failures AS f (kind, subject, failures, last_at, next_at) VALUES ($1, $2, 1, $3, $3)
         ON CONFLICT (kind, subject) DO UPDATE
         SET failures = CASE WHEN f.last_at < $4 THEN 1 ELSE least(f.failures + 1, 1000) END,
             last_at = $3,
             next_at = $3 + CASE WHEN f.last_at < $4 OR f.failures < $5 THEN interval '0'
                                 ELSE least($6::interval, interval '1 second' * power(2, least(f.failures - $5, 20))) END
         WHERE f.next_at <= $3
         RETURNING f.failures",
        kind.as_str(),
        &subject.0[..],
        now,
        now - MEMORY,
        FREE,
        LONGEST as _,
    )
    .fetch_optional(tx.conn())
    .await?;
    if admitted.is_some() {
        forget(tx, now).await?;
        return Ok(Attempt { kind, subject });
    }
    let next_at = sqlx::query_scalar!(
        "SELECT next_at FROM login_failures WHERE kind = $1 AND subject = $2",
        kind.as_str(),
        &subject.0[..],
    )
    .fetch_optional(tx.conn())
    .await?;
    let wait = next_at.map_or(Duration::zero(), |next_at| next_at - now);
    Err(Error::TooManyAttempts { retry_after: wait.to_std().unwrap_or_default() })
}

/// Takes forgotten rows along, a few at a time, so that no timer is needed. Only after the own row is held: whoever waits for
/// a row while holding others could wait for each other.
async fn forget(tx: &mut PlatformTx, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "DELETE FROM login_failures AS f
         USING (SELECT kind, subject FROM login_failures WHERE last_at < $1 ORDER BY last_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old
         WHERE f.kind = old.kind AND f.subject = old.subject",
        now - MEMORY,
        SWEEP,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whose allowance an attempt to sign in uses: that of each enterprise of the person. Strangers have sixteen enterprises
/// that do not exist, so that being refused for an enterprise does not tell a person from a stranger.
pub async fn allowances(tx: &mut PlatformTx, email: &Email) -> Result<Vec<Uuid>> {
    let mut enterprises = sqlx::query_scalar!(
        r#"SELECT m.enterprise_id AS "id!: Uuid" FROM users AS u JOIN memberships AS m ON m.user_id = u.id WHERE u.email = $1"#,
        email.as_str(),
    )
    .fetch_all(tx.conn())
    .await?;
    if enterprises.is_empty() {
        let share = Subject::from(email).0[0] % ENTERPRISES_OF_STRANGERS;
        enterprises.push(Uuid::from_u128(share.into()));
    }
    Ok(enterprises)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_counted_by_its_network_where_a_client_has_a_whole_one() {
        let subject = |text: &str| Subject::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(subject("2001:db8::1"), subject("2001:db8::ffff:2"));
        assert_ne!(subject("2001:db8::1"), subject("2001:db8:0:1::1"));
        assert_ne!(subject("192.0.2.1"), subject("192.0.2.2"));
        assert_eq!(subject("::ffff:192.0.2.1"), subject("192.0.2.1"));
    }
}
