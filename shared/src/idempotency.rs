//! Sent twice, done once. A client names its intention with a key; the answer is kept in the transaction of the effect,
//! and whoever asks again under the key gets it again.
//!
//! [`Db::begin`](crate::db::Db::begin) holds the key for the transaction and finds the kept answer;
//! [`EnterpriseTx::commit_answered`] keeps it. A refusal keeps nothing, a process that dies leaves nothing.

use chrono::Duration;
use sha2::{Digest, Sha256};

use crate::access::Actor;
use crate::db::EnterpriseTx;
use crate::{Error, Result};

/// How long an answer is kept.
pub const KEPT: Duration = Duration::hours(72);

/// A request that may be sent again, by its key. Neither key nor request can be read from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    key: [u8; 32],
    request: [u8; 32],
}

impl Ask {
    /// A request under a key of 1 to 255 printable characters of ASCII; `target` is its path with the query.
    pub fn new(key: &str, method: &str, target: &str, body: &[u8]) -> Result<Self> {
        if !(1..=255).contains(&key.len()) || !key.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(Error::invalid("Idempotency-Key", "must have 1 to 255 printable characters of ASCII"));
        }
        let mut request = Sha256::new();
        // Keyed by the key, which is not kept: a password in a body cannot be guessed from the hash.
        for part in [key.as_bytes(), method.as_bytes(), target.as_bytes(), body] {
            request.update(u64::try_from(part.len()).expect("lengths fit").to_be_bytes());
            request.update(part);
        }
        Ok(Self { key: Sha256::digest(key).into(), request: request.finalize().into() })
    }

    /// What is locked while the request runs. Two keys that share it by chance wait for each other, nothing else.
    fn lock(&self, actor: &Actor) -> i64 {
        let hash =
            Sha256::new().chain_update(actor.enterprise_id().0).chain_update(actor.to_string()).chain_update(self.key);
        let hash = hash.finalize();
        i64::from_be_bytes(hash[..8].try_into().expect("a SHA-256 has 32 bytes"))
    }
}

/// An answer as it was given, to be given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, of the 200s.
    pub status: u16,
    /// The header `ETag`.
    pub etag: Option<String>,
    /// The header `Location`.
    pub location: Option<String>,
    /// JSON, byte for byte.
    pub body: Option<Vec<u8>>,
}

/// Holds the key until the transaction ends. Fails with [`Error::Answered`] if it was answered before, with
/// [`Error::KeyBusy`] while somebody else holds it, with [`Error::KeyReused`] if it named another request.
pub(crate) async fn claim(tx: &mut EnterpriseTx) -> Result<()> {
    let Some(ask) = tx.asked().cloned() else { return Ok(()) };
    let lock = ask.lock(tx.actor());
    let ours =
        sqlx::query_scalar!(r#"SELECT pg_try_advisory_xact_lock($1) AS "ours!""#, lock).fetch_one(tx.conn()).await?;
    if !ours {
        return Err(Error::KeyBusy);
    }
    // A statement of its own, behind the lock: one that began before it could miss what its last holder has just committed.
    let caller = tx.actor().to_string();
    let kept = sqlx::query!(
        "SELECT request_hash, status, etag, location, body FROM idempotency_keys WHERE caller = $1 AND key_hash = $2",
        caller,
        &ask.key[..],
    )
    .fetch_optional(tx.conn())
    .await?;
    match kept {
        None => Ok(()),
        Some(row) if row.request_hash == ask.request => Err(Error::Answered(Box::new(Answer {
            status: u16::try_from(row.status)
                .map_err(|_| Error::Inconsistent("the status of a kept answer".to_owned()))?,
            etag: row.etag,
            location: row.location,
            body: row.body,
        }))),
        Some(_) => Err(Error::KeyReused),
    }
}

impl EnterpriseTx {
    /// Whether the request came under a key, so that its answer is to be kept.
    pub fn is_asked(&self) -> bool {
        self.asked().is_some()
    }

    /// Commits, and keeps the answer if the request came under a key.
    pub async fn commit_answered(mut self, answer: Option<Answer>) -> Result<()> {
        if let Some(answer) = answer
            && let Some(ask) = self.take_asked()
        {
            keep(&mut self, &ask, &answer).await?;
        }
        self.commit().await
    }
}

async fn keep(tx: &mut EnterpriseTx, ask: &Ask, answer: &Answer) -> Result<()> {
    let (enterprise_id, caller, now) = (tx.enterprise_id(), tx.actor().to_string(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO idempotency_keys (enterprise_id, caller, key_hash, request_hash, status, etag, location, body, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        enterprise_id as _,
        caller,
        &ask.key[..],
        &ask.request[..],
        i32::from(answer.status),
        answer.etag,
        answer.location,
        answer.body,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets up to `limit` answers of the enterprise that are older than [`KEPT`]; call again while it finds that many.
pub async fn prune(tx: &mut EnterpriseTx, limit: i64) -> Result<u64> {
    let before = tx.now().await? - KEPT;
    let pruned = sqlx::query!(
        "DELETE FROM idempotency_keys WHERE (caller, key_hash) IN
             (SELECT caller, key_hash FROM idempotency_keys WHERE created_at < $1 LIMIT $2)",
        before,
        limit,
    )
    .execute(tx.conn())
    .await?;
    Ok(pruned.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_from_another_by_every_part_of_it() {
        let ask =
            |key: &str, method: &str, target: &str, body: &str| Ask::new(key, method, target, body.as_bytes()).unwrap();
        let first = ask("k", "POST", "/a", "{}");
        assert_eq!(first, ask("k", "POST", "/a", "{}"));
        for other in [ask("k", "PUT", "/a", "{}"), ask("k", "POST", "/a?b", "{}"), ask("k", "POST", "/a", "{} ")] {
            assert_eq!(first.key, other.key);
            assert_ne!(first.request, other.request);
        }
        assert_ne!(first.request, ask("l", "POST", "/a", "{}").request, "keyed by the key");
        assert_ne!(ask("k", "POST", "/a", "b{}").request, ask("k", "POST", "/ab", "{}").request);
    }

    #[test]
    fn keys_are_printable() {
        for (key, good) in [("a b~!", true), ("", false), ("ключ", false), ("a\tb", false), ("a\nb", false)] {
            assert_eq!(Ask::new(key, "POST", "/", b"").is_ok(), good, "{key}");
        }
        assert!(Ask::new(&"x".repeat(255), "POST", "/", b"").is_ok());
        assert!(Ask::new(&"x".repeat(256), "POST", "/", b"").is_err());
    }
}
