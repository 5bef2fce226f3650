//! The audit log: who did what, from where, with before and after. An entry is a plain insert in the transaction of the
//! act, so that neither is there without the other; a job chains entries afterwards (`seal`), and whoever rewrites one is
//! found by `verify`.
//!
//! Values come in by [`Serialize`], which a secret does not have: a token or a password cannot get here.

mod actions;
mod look;
mod prune;
mod seal;
mod verify;

use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::Origin;
use crate::db::{EnterpriseTx, PlatformTx};
use crate::ids::{AuditEntryId, EnterpriseId};
use crate::{Error, Result};

pub use actions::Action;
pub use look::{AuditFilter, Entry, get, list};
pub use prune::{KEEP_MONTHS, PruneProblem, Pruned, prune};
pub use seal::{Hash, MakePartitions, Seal, SealEntries, make_partitions, seal, unsealed};
pub use verify::{Fault, Verification, verify};

/// Acts of the installation itself, and of people of whom no enterprise is known, lie in a chain of their own.
pub const INSTALLATION: EnterpriseId = EnterpriseId(Uuid::nil());

/// What an act was about.
#[derive(Clone, Debug)]
pub struct Object {
    kind: &'static str,
    id: Option<String>,
}

impl Object {
    /// This one of that kind.
    pub fn of(kind: &'static str, id: impl ToString + Copy) -> Self {
        Self { kind, id: Some(id.to_string()) }
    }

    /// One of that kind; nobody knows which.
    pub fn some(kind: &'static str) -> Self {
        Self { kind, id: None }
    }
}

/// Something is there that was not.
pub async fn created(
    tx: &mut EnterpriseTx,
    action: Action,
    object: Object,
    after: &(impl Serialize + Sync),
) -> Result<()> {
    let after = fields(after)?;
    write(tx, action, &object, None, Some(&after)).await
}

/// Something is different: the fields that differ are kept, as they were and as they are. None is no entry.
pub async fn changed<T: Serialize + Sync>(
    tx: &mut EnterpriseTx,
    action: Action,
    object: Object,
    before: &T,
    after: &T,
) -> Result<()> {
    let (before, after) = difference(&fields(before)?, &fields(after)?);
    if before.is_empty() && after.is_empty() {
        return Ok(());
    }
    write(tx, action, &object, Some(&before), Some(&after)).await
}

/// Something was done; these are the facts of it.
pub async fn noted(
    tx: &mut EnterpriseTx,
    action: Action,
    object: Object,
    facts: &(impl Serialize + Sync),
) -> Result<()> {
    created(tx, action, object, facts).await
}

/// Something was done where no enterprise is open: in the log of this enterprise, or in the installation's own.
pub async fn noted_outside(
    tx: &mut PlatformTx,
    whose: EnterpriseId,
    actor: &str,
    origin: &Origin,
    (action, object): (Action, Object),
    facts: &(impl Serialize + Sync),
) -> Result<()> {
    let (now, facts) = (tx.now().await?, fields(facts)?);
    let open = sqlx::query_scalar!("SELECT coalesce(current_setting('app.enterprise_id', true), '') AS \"open!\"")
        .fetch_one(tx.conn())
        .await?;
    show(tx.conn(), &whose.to_string()).await?;
    let entry = New { whose, now, actor, origin, action, object: &object, before: None, after: Some(&facts) };
    insert(tx.conn(), &entry).await?;
    // Back to what was open before; where nothing was, the policies raise an error again.
    show(tx.conn(), &open).await
}

/// The same as part of an act of the installation: in the log of this enterprise, by who acts.
pub async fn noted_in(
    tx: &mut EnterpriseTx,
    whose: EnterpriseId,
    (action, object): (Action, Object),
    facts: &(impl Serialize + Sync),
) -> Result<()> {
    let (now, facts, own, actor) = (tx.now().await?, fields(facts)?, tx.enterprise_id(), tx.actor().clone());
    show(tx.conn(), &whose.to_string()).await?;
    let (name, origin) = (actor.to_string(), actor.origin());
    let entry = New { whose, now, actor: &name, origin, action, object: &object, before: None, after: Some(&facts) };
    insert(tx.conn(), &entry).await?;
    show(tx.conn(), &own.to_string()).await
}

async fn show(conn: &mut PgConnection, enterprise: &str) -> Result<()> {
    sqlx::query!("SELECT set_config('app.enterprise_id', $1, true)", enterprise).fetch_one(conn).await?;
    Ok(())
}

async fn write(
    tx: &mut EnterpriseTx,
    action: Action,
    object: &Object,
    before: Option<&Map<String, Value>>,
    after: Option<&Map<String, Value>>,
) -> Result<()> {
    let (whose, now, actor) = (tx.enterprise_id(), tx.now().await?, tx.actor().clone());
    let (name, origin) = (actor.to_string(), actor.origin());
    insert(tx.conn(), &New { whose, now, actor: &name, origin, action, object, before, after }).await
}

struct New<'a> {
    whose: EnterpriseId,
    now: chrono::DateTime<chrono::Utc>,
    actor: &'a str,
    origin: &'a Origin,
    action: Action,
    object: &'a Object,
    before: Option<&'a Map<String, Value>>,
    after: Option<&'a Map<String, Value>>,
}

async fn insert(conn: &mut PgConnection, new: &New<'_>) -> Result<()> {
    let value = |map: Option<&Map<String, Value>>| map.cloned().map(Value::Object);
    sqlx::query!(
        "INSERT INTO audit_entries (enterprise_id, id, occurred_at, actor, session_id, address, request_id, operation, action,
                                    object_kind, object_id, before, after)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        new.whose as _,
        AuditEntryId::new() as _,
        new.now,
        new.actor,
        new.origin.session_id as _,
        new.origin.address.map(|address| address.to_string()),
        new.origin.request_id.as_deref(),
        new.origin.operation.as_deref(),
        new.action.code(),
        new.object.kind,
        new.object.id.as_deref(),
        value(new.before),
        value(new.after),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is not an object with fields is a mistake in the program.
fn fields(value: &impl Serialize) -> Result<Map<String, Value>> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Error::Inconsistent("an audit entry without fields".to_owned())),
        Err(error) => Err(Error::Inconsistent(format!("an audit entry cannot be written: {error}"))),
    }
}

type Fields = Map<String, Value>;

fn difference(before: &Fields, after: &Fields) -> (Fields, Fields) {
    let kept = |these: &Fields, those: &Fields| {
        let differs = |(name, value): &(&String, &Value)| those.get(*name) != Some(*value);
        these.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    (kept(before, after), kept(after, before))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_kept() {
        let object = |value: Value| fields(&value).unwrap();
        let (before, after) = difference(
            &object(json!({ "name": "A", "port": 1, "gone": true })),
            &object(json!({ "name": "B", "port": 1, "new": 2 })),
        );
        assert_eq!(
            (Value::from(before), Value::from(after)),
            (json!({ "name": "A", "gone": true }), json!({ "name": "B", "new": 2 }))
        );
        assert!(fields(&"a word").is_err());
    }
}
