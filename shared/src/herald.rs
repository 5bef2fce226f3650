//! What a commit makes known to every process at once: whose rights are not what they were.
//!
//! A verb says [`EnterpriseTx::announce`](crate::db::EnterpriseTx::announce); nothing is told before the commit, and
//! nothing if there is none. It is a courtesy, not a promise: whoever keeps what it knows of a session keeps it for half a
//! second at most, so that a change that nobody announced, or whose announcement was lost, holds a moment later all the same.

use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

use crate::ids::{EnterpriseId, SessionId, UserId};

/// Whose rights have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Of one signed-in client: it is signed out, or was confirmed anew.
    Session(SessionId),
    /// Of a person, wherever they are signed in: roles, password, second factor, disabled.
    User(UserId),
    /// Of everybody in an enterprise: it was suspended.
    Enterprise(EnterpriseId),
}

/// As it goes over the wire: `user:<id>`.
impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session(id) => write!(f, "session:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Enterprise(id) => write!(f, "enterprise:{id}"),
        }
    }
}

/// It is not a change, or one that this program does not know yet.
#[derive(Debug, thiserror::Error)]
#[error("this is not a change")]
pub struct NotAChange;

impl FromStr for Change {
    type Err = NotAChange;

    fn from_str(text: &str) -> Result<Self, NotAChange> {
        let (what, id) = text.split_once(':').ok_or(NotAChange)?;
        let id = Uuid::parse_str(id).map_err(|_| NotAChange)?;
        match what {
            "session" => Ok(Self::Session(SessionId(id))),
            "user" => Ok(Self::User(UserId(id))),
            "enterprise" => Ok(Self::Enterprise(EnterpriseId(id))),
            _ => Err(NotAChange),
        }
    }
}

/// Who is told of changes after the commit, before the one who committed goes on.
#[derive(Clone)]
pub struct Herald(Option<Arc<dyn Fn(Change) + Send + Sync>>);

impl Herald {
    /// Nobody is told.
    pub fn silent() -> Self {
        Self(None)
    }

    /// Tells this listener, which must not wait for anything.
    pub fn new(listener: impl Fn(Change) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    pub(crate) fn tell(&self, changes: Vec<Change>) {
        if let Some(listener) = &self.0 {
            for change in changes {
                listener(change);
            }
        }
    }
}

impl std::fmt::Debug for Herald {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Herald").field(&self.0.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_as_it_was_written_and_nothing_else_is() {
        let changes =
            [Change::Session(SessionId::new()), Change::User(UserId::new()), Change::Enterprise(EnterpriseId::new())];
        for change in changes {
            assert_eq!(change.to_string().parse::<Change>().expect("it was written here"), change);
        }
        for nonsense in ["", "user", "user:", "user:5", "order:01900000-0000-7000-8000-000000000000"] {
            assert!(nonsense.parse::<Change>().is_err(), "{nonsense}");
        }
    }
}
