//! Codes as they are given: each is good once.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgConnection;
use subtle::ConstantTimeEq;

use super::{STEP, acting, identity, is_on, recovery, totp};
use crate::audit::{self, Action, Object};
use crate::db::{EnterpriseTx, PlatformTx};
use crate::ids::UserId;
use crate::seal::{Keyring, Sealed};
use crate::users::sessions;
use crate::{Error, Result};

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It is right, and cannot be used again.
    Right,
    /// It is wrong, or was used; or the person has no second factor.
    Wrong,
}

impl Proof {
    /// Fails unless the code was right.
    pub fn require(self) -> Result<()> {
        match self {
            Self::Right => Ok(()),
            Self::Wrong => Err(Error::Unauthenticated("the code is wrong or was used before")),
        }
    }
}

/// Takes a code for somebody who is signing in. Guesses are counted before, by [`attempts`](crate::users::attempts).
pub async fn prove(tx: &mut PlatformTx, keyring: &Keyring, user_id: UserId, code: &str) -> Result<Proof> {
    let now = tx.now().await?;
    take(tx.conn(), now, keyring, user_id, code).await
}

/// Whether the acting person has to give a code with their password.
pub async fn is_asked_for(tx: &mut EnterpriseTx) -> Result<bool> {
    let user_id = acting(tx)?;
    is_on(tx.conn(), user_id).await
}

/// Notes that the acting person, who has just given their password, proved who they are; with a code, if they have a second
/// factor.
pub async fn confirm(tx: &mut EnterpriseTx, keyring: &Keyring, code: Option<&str>) -> Result<Proof> {
    let (user_id, now) = (acting(tx)?, tx.now().await?);
    let proof = match code {
        _ if !is_on(tx.conn(), user_id).await? => Proof::Right,
        Some(code) => take(tx.conn(), now, keyring, user_id, code).await?,
        None => return Err(Error::invalid("code", "is needed: you have a second factor")),
    };
    if proof == Proof::Right {
        sessions::note_confirmed(tx).await?;
        audit::noted(tx, Action::IdentityConfirmed, Object::of("user", user_id), &json!({})).await?;
    }
    Ok(proof)
}

/// The row is held, so that of several who bring the same code at once one is right.
async fn take(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    keyring: &Keyring,
    user_id: UserId,
    code: &str,
) -> Result<Proof> {
    let Some(factor) = lock(conn, user_id).await?.filter(|factor| factor.confirmed_at.is_some()) else {
        return Ok(Proof::Wrong);
    };
    let right = match factor.step_of(keyring, user_id, code, now)? {
        Some(step) => use_step(conn, user_id, step).await?,
        None => recovery::use_code(conn, user_id, code, now).await?,
    };
    Ok(if right { Proof::Right } else { Proof::Wrong })
}

async fn use_step(conn: &mut PgConnection, user_id: UserId, step: i64) -> Result<bool> {
    let done =
        sqlx::query!("UPDATE second_factors SET last_step = $2 WHERE id = $1 AND last_step < $2", user_id as _, step,)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) struct Factor {
    secret_sealed: Vec<u8>,
    secret_key_id: String,
    pub(super) confirmed_at: Option<DateTime<Utc>>,
}

impl Factor {
    /// The step to which the code belongs, one before and one behind being allowed: telephones' clocks differ.
    pub(super) fn step_of(
        &self,
        keyring: &Keyring,
        user_id: UserId,
        code: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<i64>> {
        let sealed = Sealed { key_id: self.secret_key_id.clone(), bytes: self.secret_sealed.clone() };
        let broken =
            |why: String| Error::Inconsistent(format!("the second factor of user {user_id} cannot be read: {why}"));
        let secret = keyring.open(&sealed, &identity(user_id)).map_err(|problem| broken(problem.to_string()))?;
        let secret = STANDARD.decode(secret.expose_secret()).map_err(|error| broken(error.to_string()))?;
        let totp = totp(secret, "")?;
        let now = u64::try_from(now.timestamp()).unwrap_or_default() / STEP;
        let code: String = code.chars().filter(|character| !character.is_whitespace()).collect();
        let fits = |step: &u64| bool::from(totp.generate(step * STEP).as_bytes().ct_eq(code.as_bytes()));
        Ok((now.saturating_sub(1)..=now + 1).find(fits).and_then(|step| i64::try_from(step).ok()))
    }
}

pub(super) async fn lock(conn: &mut PgConnection, user_id: UserId) -> Result<Option<Factor>> {
    Ok(sqlx::query_as!(
        Factor,
        "SELECT secret_sealed, secret_key_id, confirmed_at FROM second_factors WHERE id = $1 FOR UPDATE",
        user_id as _
    )
    .fetch_optional(conn)
    .await?)
}
