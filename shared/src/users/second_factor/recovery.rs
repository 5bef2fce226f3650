//! Codes for the day on which the telephone is gone.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use crate::Result;
use crate::ids::UserId;

const CODES: usize = 10;

pub(super) async fn use_code(conn: &mut PgConnection, user_id: UserId, code: &str, now: DateTime<Utc>) -> Result<bool> {
    let used = sqlx::query!(
        "UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND hash = $2 AND used_at IS NULL",
        user_id as _,
        hash(code),
        now,
    )
    .execute(conn)
    .await?;
    Ok(used.rows_affected() == 1)
}

pub(super) async fn replace(conn: &mut PgConnection, user_id: UserId) -> Result<Vec<SecretString>> {
    sqlx::query!("DELETE FROM recovery_codes WHERE user_id = $1", user_id as _).execute(&mut *conn).await?;
    let codes: Vec<_> = (0..CODES).map(|_| code()).collect();
    let hashes: Vec<_> = codes.iter().map(|code| hash(code.expose_secret())).collect();
    sqlx::query!(
        "INSERT INTO recovery_codes (user_id, hash) SELECT $1, unnest($2::bytea[])",
        user_id as _,
        &hashes as _
    )
    .execute(conn)
    .await?;
    Ok(codes)
}

/// Letters and digits that are not taken for others when they are read aloud: 32 of them, five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
const GROUPS: usize = 4;
const GROUP: usize = 6;

/// Four groups of six: 120 bits, enough for a plain hash.
fn code() -> SecretString {
    let mut bytes = [0_u8; GROUPS * GROUP];
    rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
    let letters: Vec<_> = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    let groups: Vec<String> = letters.chunks(GROUP).map(|group| group.iter().collect()).collect();
    SecretString::from(groups.join("-"))
}

/// However it was typed: case, spaces and dashes do not matter.
fn hash(code: &str) -> Vec<u8> {
    let plain: String =
        code.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    Sha256::digest(plain.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_are_long_differ_and_may_be_typed_as_one_likes() {
        let (one, other) = (code(), code());
        assert_eq!(one.expose_secret().len(), 27);
        assert_ne!(one.expose_secret(), other.expose_secret());
        let typed = one.expose_secret().to_uppercase().replace('-', " ");
        assert_eq!(hash(&typed), hash(one.expose_secret()));
        assert_ne!(hash(&typed), hash(other.expose_secret()));
    }
}
