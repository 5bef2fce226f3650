//! The second factor: a code that a telephone makes from a secret and the time (RFC 6238), and ten recovery codes for the
//! day on which the telephone is gone.
//!
//! The secret is sealed like a Wildberries token. Each step of thirty seconds is good once, however many processes are
//! asked at the same moment, and who guesses has to wait (`attempts`).

mod proof;
mod recovery;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::json;
use sqlx::PgConnection;
use totp_rs::{Algorithm, TOTP};

use super::credentials;
use super::sessions::{self, EndReason};
use crate::access::Origin;
use crate::audit::{self, Action, INSTALLATION, Object};
use crate::db::{EnterpriseTx, PlatformTx};
use crate::herald::Change;
use crate::ids::UserId;
use crate::seal::Keyring;
use crate::{Error, Refusal, Result};

pub use proof::{Proof, confirm, is_asked_for, prove};

/// As the person's telephone shows it.
const ISSUER: &str = "WB Assistant";
const DIGITS: usize = 6;
const STEP: u64 = 30;
/// 160 bits, as RFC 4226 asks for.
const SECRET_BYTES: usize = 20;

/// A second factor that is being set up: shown once.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// For who types it in: base32.
    pub secret: SecretString,
    /// For who scans it: `otpauth://totp/…`.
    pub uri: SecretString,
}

/// What a person sees of their second factor.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// Since when it is asked for; absent while there is none.
    pub on_since: Option<DateTime<Utc>>,
    /// How many recovery codes are left.
    pub recovery_codes_left: i64,
}

/// Begins to set up a second factor for the acting person; a beginning that was not finished is replaced.
pub async fn begin(tx: &mut EnterpriseTx, keyring: &Keyring) -> Result<Enrolment> {
    tx.require_confirmed().await?;
    let person = credentials::acting_person(tx).await?;
    let mut bytes = [0_u8; SECRET_BYTES];
    rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
    let totp = totp(bytes.to_vec(), &person.email)?;
    let enrolment =
        Enrolment { secret: SecretString::from(totp.get_secret_base32()), uri: SecretString::from(totp.get_url()) };
    let kept = SecretString::from(STANDARD.encode(bytes));
    let (sealed, now) = (keyring.seal(&kept, &identity(person.id)), tx.now().await?);
    let begun = sqlx::query!(
        "INSERT INTO second_factors (id, secret_sealed, secret_key_id, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO UPDATE SET secret_sealed = $2, secret_key_id = $3, created_at = $4, last_step = 0
         WHERE second_factors.confirmed_at IS NULL",
        person.id as _,
        sealed.bytes,
        sealed.key_id,
        now,
    )
    .execute(tx.conn())
    .await?;
    if begun.rows_affected() == 0 {
        return Err(Error::refused(Refusal::SecondFactorOn, "switch it off before you set up another one"));
    }
    Ok(enrolment)
}

/// The first code switches the second factor on; answers with the recovery codes, which are not shown again. The person's
/// other sessions end: they were opened with less.
pub async fn finish(tx: &mut EnterpriseTx, keyring: &Keyring, code: &str) -> Result<Vec<SecretString>> {
    tx.require_confirmed().await?;
    let (user_id, now) = (acting(tx)?, tx.now().await?);
    let factor = proof::lock(tx.conn(), user_id).await?.filter(|factor| factor.confirmed_at.is_none());
    let factor =
        factor.ok_or_else(|| Error::refused(Refusal::SecondFactorNotBegun, "begin with POST /auth/second-factor"))?;
    let step = factor.step_of(keyring, user_id, code, now)?;
    let step =
        step.ok_or_else(|| Error::invalid("code", "is not the one of this moment: is the telephone's clock right?"))?;
    sqlx::query!("UPDATE second_factors SET confirmed_at = $2, last_step = $3 WHERE id = $1", user_id as _, now, step,)
        .execute(tx.conn())
        .await?;
    let codes = recovery::replace(tx.conn(), user_id).await?;
    audit::noted(tx, Action::SecondFactorSet, Object::of("user", user_id), &json!({})).await?;
    sessions::end_others(tx, EndReason::SecondFactorChanged).await?;
    Ok(codes)
}

/// Makes ten new recovery codes; those of before are no good any more.
pub async fn renew_recovery_codes(tx: &mut EnterpriseTx) -> Result<Vec<SecretString>> {
    tx.require_confirmed().await?;
    let user_id = acting(tx)?;
    if !is_on(tx.conn(), user_id).await? {
        return Err(Error::NotFound("second factor"));
    }
    audit::noted(tx, Action::SecondFactorRecoveryRenewed, Object::of("user", user_id), &json!({})).await?;
    recovery::replace(tx.conn(), user_id).await
}

/// Switches the acting person's second factor off. Their other sessions end.
pub async fn disable(tx: &mut EnterpriseTx) -> Result<()> {
    tx.require_confirmed().await?;
    let user_id = acting(tx)?;
    if !remove(tx.conn(), user_id).await? {
        return Err(Error::NotFound("second factor"));
    }
    audit::noted(tx, Action::SecondFactorRemoved, Object::of("user", user_id), &json!({})).await?;
    sessions::end_others(tx, EndReason::SecondFactorChanged).await
}

/// What the operator of the installation does for who lost telephone and recovery codes. Says whether there was one.
pub async fn take_away(tx: &mut PlatformTx, user_id: UserId) -> Result<bool> {
    let (now, there) = (tx.now().await?, remove(tx.conn(), user_id).await?);
    sessions::end(tx.conn(), now, &sessions::Which::all_of(user_id), EndReason::SecondFactorChanged).await?;
    let act = (Action::SecondFactorRemoved, Object::of("user", user_id));
    audit::noted_outside(tx, INSTALLATION, "platform", &Origin::default(), act, &json!({ "there": there })).await?;
    tx.announce(Change::User(user_id));
    Ok(there)
}

/// What the acting person has.
pub async fn status(tx: &mut EnterpriseTx) -> Result<Status> {
    let user_id = acting(tx)?;
    Ok(sqlx::query_as!(
        Status,
        r#"SELECT (SELECT confirmed_at FROM second_factors WHERE id = $1) AS on_since,
                  (SELECT count(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL) AS "recovery_codes_left!""#,
        user_id as _,
    )
    .fetch_one(tx.conn())
    .await?)
}

pub(super) async fn is_on(conn: &mut PgConnection, user_id: UserId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM second_factors WHERE id = $1 AND confirmed_at IS NOT NULL) AS "on!""#,
        user_id as _
    )
    .fetch_one(conn)
    .await?)
}

async fn remove(conn: &mut PgConnection, user_id: UserId) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM second_factors WHERE id = $1", user_id as _).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

fn acting(tx: &EnterpriseTx) -> Result<UserId> {
    tx.actor().user_id().ok_or(Error::NotFound("user"))
}

fn totp(secret: Vec<u8>, email: &str) -> Result<TOTP> {
    // A colon would separate issuer and account in the address.
    let account = email.replace(':', "_");
    TOTP::new(Algorithm::SHA1, DIGITS, 1, STEP, secret, Some(ISSUER.to_owned()), account)
        .map_err(|error| Error::Inconsistent(format!("a second factor cannot be made: {error}")))
}

fn identity(user_id: UserId) -> String {
    format!("second_factors/{user_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, SHA-1, the last six of eight digits.
        let totp = totp(b"12345678901234567890".to_vec(), "anna@example.org").expect("160 bits");
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(totp.generate(time), code);
        }
        assert!(totp.get_url().starts_with("otpauth://totp/WB%20Assistant:anna%40example.org?secret="));
    }
}
