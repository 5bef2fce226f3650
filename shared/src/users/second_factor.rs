//! The second factor: a code that a telephone makes from a secret and the time (RFC 6238), and ten recovery codes for the
//! day on which the telephone is gone.
//!
//! The secret is sealed like a Wildberries token. Each step of thirty seconds is good once, however many processes are
//! asked at the same moment, and from the fifth wrong code on a person has to wait, twice as long each time.

use base64::Engine;
use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use subtle::ConstantTimeEq;
use totp_rs::{Algorithm, TOTP};

use super::credentials;
use super::sessions::{self, EndReason};
use crate::db::{EnterpriseTx, PlatformTx};
use crate::herald::Change;
use crate::ids::UserId;
use crate::seal::{Keyring, Sealed};
use crate::{Error, Refusal, Result};

/// As the person's telephone shows it.
const ISSUER: &str = "WB Assistant";
const DIGITS: usize = 6;
const STEP: u64 = 30;
/// 160 bits, as RFC 4226 asks for.
const SECRET_BYTES: usize = 20;
const RECOVERY_CODES: usize = 10;
/// So many wrong codes cost nothing but patience.
const FREE_FAILURES: i32 = 5;
const LONGEST_WAIT: Duration = Duration::minutes(15);

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

/// What became of a code. A wrong one is counted: commit before telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It is right, and cannot be used again.
    Right,
    /// It is wrong, or was used.
    Wrong,
    /// Too many were wrong: none is looked at before then.
    Closed(DateTime<Utc>),
    /// The person has no second factor.
    Off,
}

impl Proof {
    /// Fails unless the code was right.
    pub fn require(self) -> Result<()> {
        match self {
            Self::Right => Ok(()),
            Self::Wrong | Self::Off => Err(Error::Unauthenticated("the code is wrong or was used before")),
            Self::Closed(_) => Err(Error::Unauthenticated("too many wrong codes: wait before you try again")),
        }
    }
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
    let kept = SecretString::from(base64::engine::general_purpose::STANDARD.encode(bytes));
    let (sealed, now) = (keyring.seal(&kept, &identity(person.id)), tx.now().await?);
    let begun = sqlx::query!(
        "INSERT INTO second_factors (user_id, secret_sealed, secret_key_id, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id) DO UPDATE SET secret_sealed = $2, secret_key_id = $3, created_at = $4, last_step = 0, failures = 0, closed_until = NULL
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
    let factor = lock(tx.conn(), user_id).await?.filter(|factor| factor.confirmed_at.is_none());
    let factor =
        factor.ok_or_else(|| Error::refused(Refusal::SecondFactorNotBegun, "begin with POST /auth/second-factor"))?;
    let step = factor.step_of(keyring, user_id, code, now)?;
    let step =
        step.ok_or_else(|| Error::invalid("code", "is not the one of this moment: is the telephone's clock right?"))?;
    sqlx::query!(
        "UPDATE second_factors SET confirmed_at = $2, last_step = $3 WHERE user_id = $1",
        user_id as _,
        now,
        step,
    )
    .execute(tx.conn())
    .await?;
    let codes = replace_recovery_codes(tx.conn(), user_id).await?;
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
    replace_recovery_codes(tx.conn(), user_id).await
}

/// Switches the acting person's second factor off. Their other sessions end.
pub async fn disable(tx: &mut EnterpriseTx) -> Result<()> {
    tx.require_confirmed().await?;
    let user_id = acting(tx)?;
    if !remove(tx.conn(), user_id).await? {
        return Err(Error::NotFound("second factor"));
    }
    sessions::end_others(tx, EndReason::SecondFactorChanged).await
}

/// What the operator of the installation does for who lost telephone and recovery codes. Says whether there was one.
pub async fn take_away(tx: &mut PlatformTx, user_id: UserId) -> Result<bool> {
    let (now, there) = (tx.now().await?, remove(tx.conn(), user_id).await?);
    sessions::end(tx.conn(), now, &sessions::Which::all_of(user_id), EndReason::SecondFactorChanged).await?;
    tx.announce(Change::User(user_id));
    Ok(there)
}

/// What the acting person has.
pub async fn status(tx: &mut EnterpriseTx) -> Result<Status> {
    let user_id = acting(tx)?;
    Ok(sqlx::query_as!(
        Status,
        r#"SELECT (SELECT confirmed_at FROM second_factors WHERE user_id = $1) AS on_since,
                  (SELECT count(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL) AS "recovery_codes_left!""#,
        user_id as _,
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Takes a code for somebody who is signing in.
pub async fn prove(tx: &mut PlatformTx, keyring: &Keyring, user_id: UserId, code: &str) -> Result<Proof> {
    let now = tx.now().await?;
    take(tx.conn(), now, keyring, user_id, code).await
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
    }
    Ok(proof)
}

pub(super) async fn is_on(conn: &mut PgConnection, user_id: UserId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM second_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL) AS "on!""#,
        user_id as _
    )
    .fetch_one(conn)
    .await?)
}

/// The row is held, so that guesses at one person's code are looked at one after the other and each is counted.
async fn take(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    keyring: &Keyring,
    user_id: UserId,
    code: &str,
) -> Result<Proof> {
    let Some(factor) = lock(conn, user_id).await?.filter(|factor| factor.confirmed_at.is_some()) else {
        return Ok(Proof::Off);
    };
    if let Some(until) = factor.closed_until.filter(|until| *until > now) {
        return Ok(Proof::Closed(until));
    }
    let right = match factor.step_of(keyring, user_id, code, now)? {
        Some(step) => use_step(conn, user_id, step).await?,
        None => use_recovery_code(conn, user_id, code, now).await?,
    };
    if right {
        return Ok(Proof::Right);
    }
    let failures = factor.failures.saturating_add(1);
    let closed_until = wait_after(failures).map(|wait| now + wait);
    sqlx::query!(
        "UPDATE second_factors SET failures = $2, closed_until = $3 WHERE user_id = $1",
        user_id as _,
        failures,
        closed_until,
    )
    .execute(conn)
    .await?;
    Ok(Proof::Wrong)
}

/// One second after the fifth wrong code, twice as long after each further one.
fn wait_after(failures: i32) -> Option<Duration> {
    let doublings = u32::try_from(failures - FREE_FAILURES).ok()?;
    let seconds = 1_i64.checked_shl(doublings.min(30)).unwrap_or(i64::MAX);
    Some(Duration::seconds(seconds).min(LONGEST_WAIT))
}

async fn use_step(conn: &mut PgConnection, user_id: UserId, step: i64) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE second_factors SET last_step = $2, failures = 0, closed_until = NULL WHERE user_id = $1 AND last_step < $2",
        user_id as _,
        step,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn use_recovery_code(conn: &mut PgConnection, user_id: UserId, code: &str, now: DateTime<Utc>) -> Result<bool> {
    let used = sqlx::query!(
        "UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND hash = $2 AND used_at IS NULL",
        user_id as _,
        recovery_hash(code),
        now,
    )
    .execute(&mut *conn)
    .await?;
    if used.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!("UPDATE second_factors SET failures = 0, closed_until = NULL WHERE user_id = $1", user_id as _)
        .execute(conn)
        .await?;
    Ok(true)
}

async fn replace_recovery_codes(conn: &mut PgConnection, user_id: UserId) -> Result<Vec<SecretString>> {
    sqlx::query!("DELETE FROM recovery_codes WHERE user_id = $1", user_id as _).execute(&mut *conn).await?;
    let codes: Vec<_> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
    let hashes: Vec<_> = codes.iter().map(|code| recovery_hash(code.expose_secret())).collect();
    sqlx::query!(
        "INSERT INTO recovery_codes (user_id, hash) SELECT $1, unnest($2::bytea[])",
        user_id as _,
        &hashes as _
    )
    .execute(conn)
    .await?;
    Ok(codes)
}

async fn remove(conn: &mut PgConnection, user_id: UserId) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM second_factors WHERE user_id = $1", user_id as _).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

struct Factor {
    secret_sealed: Vec<u8>,
    secret_key_id: String,
    confirmed_at: Option<DateTime<Utc>>,
    failures: i32,
    closed_until: Option<DateTime<Utc>>,
}

impl Factor {
    /// The step to which the code belongs, one before and one behind being allowed: telephones' clocks differ.
    fn step_of(&self, keyring: &Keyring, user_id: UserId, code: &str, now: DateTime<Utc>) -> Result<Option<i64>> {
        let sealed = Sealed { key_id: self.secret_key_id.clone(), bytes: self.secret_sealed.clone() };
        let broken =
            |why: String| Error::Inconsistent(format!("the second factor of user {user_id} cannot be read: {why}"));
        let secret = keyring.open(&sealed, &identity(user_id)).map_err(|problem| broken(problem.to_string()))?;
        let secret = base64::engine::general_purpose::STANDARD
            .decode(secret.expose_secret())
            .map_err(|error| broken(error.to_string()))?;
        let totp = totp(secret, "")?;
        let now = u64::try_from(now.timestamp()).unwrap_or_default() / STEP;
        let code: String = code.chars().filter(|character| !character.is_whitespace()).collect();
        let fits = |step: &u64| bool::from(totp.generate(step * STEP).as_bytes().ct_eq(code.as_bytes()));
        Ok((now.saturating_sub(1)..=now + 1).find(fits).and_then(|step| i64::try_from(step).ok()))
    }
}

async fn lock(conn: &mut PgConnection, user_id: UserId) -> Result<Option<Factor>> {
    Ok(sqlx::query_as!(
        Factor,
        "SELECT secret_sealed, secret_key_id, confirmed_at, failures, closed_until FROM second_factors WHERE user_id = $1 FOR UPDATE",
        user_id as _
    )
    .fetch_optional(conn)
    .await?)
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

/// Letters and digits that are not taken for others when they are read aloud: 32 of them, five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
const GROUPS: usize = 4;
const GROUP: usize = 6;

/// Four groups of six: 120 bits, enough for a plain hash.
fn recovery_code() -> SecretString {
    let mut bytes = [0_u8; GROUPS * GROUP];
    rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
    let letters: Vec<_> = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    let groups: Vec<String> = letters.chunks(GROUP).map(|group| group.iter().collect()).collect();
    SecretString::from(groups.join("-"))
}

/// However it was typed: case, spaces and dashes do not matter.
fn recovery_hash(code: &str) -> Vec<u8> {
    let plain: String =
        code.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    Sha256::digest(plain.as_bytes()).to_vec()
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

    #[test]
    fn the_wait_doubles_from_the_fifth_wrong_code_and_ends_at_a_quarter_of_an_hour() {
        let seconds = |failures| wait_after(failures).map(|wait| wait.num_seconds());
        assert_eq!(
            [4, 5, 6, 7, 14, 15, 1000].map(seconds),
            [None, Some(1), Some(2), Some(4), Some(512), Some(900), Some(900)]
        );
    }

    #[test]
    fn recovery_codes_are_long_differ_and_may_be_typed_as_one_likes() {
        let (one, other) = (recovery_code(), recovery_code());
        assert_eq!(one.expose_secret().len(), 27);
        assert_ne!(one.expose_secret(), other.expose_secret());
        let typed = one.expose_secret().to_uppercase().replace('-', " ");
        assert_eq!(recovery_hash(&typed), recovery_hash(one.expose_secret()));
        assert_ne!(recovery_hash(&typed), recovery_hash(other.expose_secret()));
    }
}
