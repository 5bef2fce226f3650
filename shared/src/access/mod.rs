//! Who is acting and what may be done, and how far.
//!
//! A **permission** (`permissions`) is one thing that may be done. A **role** is a set of them, built in or of an
//! enterprise's own. A **grant** gives a role with a **reach**: the whole enterprise, warehouses, or one's own requests.
//! What somebody may do is the sum of their grants (`grants`), and `reach` says how far each permission goes. Verbs ask
//! [`Actor::require`]; what has a warehouse asks [`Actor::reach`], and answers for what is out of reach exactly as for
//! what is not there.

mod grants;
mod permissions;
mod reach;

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use crate::audit::INSTALLATION;
use crate::idempotency::Ask;
use crate::ids::{EnterpriseId, KeyId, SessionId, UserId};
use crate::versions::Expected;
use crate::{Error, Refusal, Result};

pub use grants::Grants;
pub use permissions::{Finest, Permission, Role, known};
pub use reach::{Bounds, Reach};

/// What a system administrator may and nobody else: run the installation. It is in no role and cannot be granted.
pub const ADMINISTER_SYSTEM: &str = "system:administer";
/// What everybody may who signed in, and a service key may not: have a password, sessions, a second factor.
pub const BE_A_PERSON: &str = "person";
/// What every person may who acts in an enterprise, and a system administrator or a service key may not.
pub const BELONG_TO_ENTERPRISE: &str = "enterprise:member";

/// Who stands behind a token.
#[derive(Clone, Debug)]
pub enum Recognised {
    /// Somebody in an enterprise.
    Actor(Actor),
    /// Somebody who runs the installation.
    Operator(Operator),
}

impl Recognised {
    /// As who they act: in their enterprise, or in the installation itself.
    pub fn actor(&self) -> &Actor {
        match self {
            Self::Actor(actor) | Self::Operator(Operator(actor)) => actor,
        }
    }

    /// The same.
    pub fn into_actor(self) -> Actor {
        match self {
            Self::Actor(actor) | Self::Operator(Operator(actor)) => actor,
        }
    }

    /// The same one, acting from there.
    #[must_use]
    pub fn with_origin(self, origin: Origin) -> Self {
        match self {
            Self::Actor(actor) => Self::Actor(actor.with_origin(origin)),
            Self::Operator(Operator(actor)) => Self::Operator(Operator(actor.with_origin(origin))),
        }
    }
}

/// A system administrator: runs the installation and sees no enterprise's data. They act in the installation itself, under
/// the nil enterprise, where nothing lies but its own audit log and its kept answers.
#[derive(Clone, Debug)]
pub struct Operator(Actor);

impl Operator {
    /// Only who recognises people makes one.
    pub(crate) fn recognised(id: UserId) -> Self {
        Self(Actor { enterprise_id: INSTALLATION, who: Who::Operator { id }, session: None, origin: Arc::default() })
    }

    /// The same person in this session, in which they last proved at that moment who they are.
    #[must_use]
    pub(crate) fn in_session(self, id: SessionId, confirmed_at: Option<DateTime<Utc>>) -> Self {
        Self(self.0.in_session(id, confirmed_at))
    }

    /// As who they act.
    pub fn actor(&self) -> &Actor {
        &self.0
    }
}

/// For so long after a proof of who they are a person may do sensitive things.
pub const CONFIRMED_FOR: Duration = Duration::minutes(5);

#[derive(Clone, Copy, Debug)]
struct InSession {
    id: SessionId,
    confirmed_at: Option<DateTime<Utc>>,
}

/// Where an act comes from, and what its request said of being repeated and of what it expects. Empty for a job.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The session in which it was asked.
    pub session_id: Option<SessionId>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The name of the one request.
    pub request_id: Option<String>,
    /// The operation of the document.
    pub operation: Option<String>,
    /// The request under its idempotency key.
    pub ask: Option<Ask>,
    /// The version that `If-Match` expects.
    pub expected: Option<Expected>,
}

/// Someone recognised, in one enterprise. Built by the API from a session or a key, and by a worker from a job row.
#[derive(Clone, Debug)]
pub struct Actor {
    enterprise_id: EnterpriseId,
    who: Who,
    session: Option<InSession>,
    origin: Arc<Origin>,
}

#[derive(Clone, Debug)]
enum Who {
    User {
        id: UserId,
        grants: Arc<Grants>,
    },
    Key {
        id: KeyId,
        grants: Arc<Grants>,
    },
    Job {
        kind: String,
    },
    /// A system administrator.
    Operator {
        id: UserId,
    },
    /// Whoever has a shell where the programs run.
    Console,
    /// Not known yet.
    Stranger,
}

impl Actor {
    /// A signed-in person.
    pub fn user(enterprise_id: EnterpriseId, id: UserId, grants: Grants) -> Self {
        Self { enterprise_id, who: Who::User { id, grants: Arc::new(grants) }, session: None, origin: Arc::default() }
    }

    /// The same person in this session, in which they last proved at that moment who they are.
    #[must_use]
    pub fn in_session(self, id: SessionId, confirmed_at: Option<DateTime<Utc>>) -> Self {
        Self { session: Some(InSession { id, confirmed_at }), ..self }
    }

    /// A program with a service key.
    pub fn key(enterprise_id: EnterpriseId, id: KeyId, grants: Grants) -> Self {
        Self { enterprise_id, who: Who::Key { id, grants: Arc::new(grants) }, session: None, origin: Arc::default() }
    }

    /// A job, which may do what its row promises.
    pub fn job(enterprise_id: EnterpriseId, kind: impl Into<String>) -> Self {
        Self { enterprise_id, who: Who::Job { kind: kind.into() }, session: None, origin: Arc::default() }
    }

    /// Whether no person is behind it.
    pub(crate) fn is_job(&self) -> bool {
        matches!(self.who, Who::Job { .. })
    }

    /// Whoever runs the installation by the command line.
    pub fn console() -> Self {
        Self { enterprise_id: INSTALLATION, who: Who::Console, session: None, origin: Arc::default() }
    }

    /// Whoever is about to be recognised in the enterprise that they named: may nothing.
    pub(crate) fn stranger(enterprise_id: EnterpriseId) -> Self {
        Self { enterprise_id, who: Who::Stranger, session: None, origin: Arc::default() }
    }

    /// The same one, acting from there.
    #[must_use]
    pub fn with_origin(self, origin: Origin) -> Self {
        Self { origin: Arc::new(origin), ..self }
    }

    /// The same one beside the request: what is written so is neither its effect nor its answer.
    #[must_use]
    pub fn aside(self) -> Self {
        let origin = Origin { ask: None, expected: None, ..Origin::clone(&self.origin) };
        self.with_origin(origin)
    }

    /// Where the act comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The one enterprise that this actor sees.
    pub fn enterprise_id(&self) -> EnterpriseId {
        self.enterprise_id
    }

    /// The person, if it is one.
    pub fn user_id(&self) -> Option<UserId> {
        match self.who {
            Who::User { id, .. } | Who::Operator { id } => Some(id),
            Who::Key { .. } | Who::Job { .. } | Who::Console | Who::Stranger => None,
        }
    }

    /// The session that is asking, if it is a person.
    pub fn session_id(&self) -> Option<SessionId> {
        self.session.map(|session| session.id)
    }

    /// Fails with [`Error::StepUpRequired`] unless a person proved lately who they are. A job does what a person was
    /// allowed to promise, and is let through; a service key has nobody behind it who could prove anything.
    pub fn require_confirmed(&self, now: DateTime<Utc>) -> Result<()> {
        let lately = match &self.who {
            Who::Job { .. } | Who::Console => true,
            Who::Key { .. } | Who::Stranger => false,
            Who::User { .. } | Who::Operator { .. } => self
                .session
                .and_then(|session| session.confirmed_at)
                .is_some_and(|confirmed_at| now - confirmed_at < CONFIRMED_FOR),
        };
        if lately { Ok(()) } else { Err(Error::StepUpRequired) }
    }

    /// The service key, if it is one.
    pub fn key_id(&self) -> Option<KeyId> {
        match self.who {
            Who::Key { id, .. } => Some(id),
            Who::User { .. } | Who::Job { .. } | Who::Operator { .. } | Who::Console | Who::Stranger => None,
        }
    }

    /// Fails with [`Error::Forbidden`] unless it is somebody who runs the installation.
    pub fn require_operator(&self) -> Result<()> {
        match self.who {
            Who::Operator { .. } | Who::Console => Ok(()),
            Who::User { .. } | Who::Key { .. } | Who::Job { .. } | Who::Stranger => {
                Err(Error::Forbidden(ADMINISTER_SYSTEM))
            }
        }
    }

    /// Each permission with its reach; a job has none of its own, because it needs none.
    pub fn grants(&self) -> Option<&Grants> {
        match &self.who {
            Who::User { grants, .. } | Who::Key { grants, .. } => Some(grants),
            Who::Job { .. } | Who::Operator { .. } | Who::Console | Who::Stranger => None,
        }
    }

    /// How far the permission goes. For jobs everywhere: what they do was allowed when they were promised.
    pub fn reach(&self, permission: Permission) -> Reach {
        match &self.who {
            Who::User { grants, .. } | Who::Key { grants, .. } => grants.reach(permission),
            Who::Job { .. } => Reach::Everywhere,
            Who::Operator { .. } | Who::Console | Who::Stranger => Reach::NOWHERE,
        }
    }

    /// Whether the actor has the permission, however far.
    pub fn may(&self, permission: Permission) -> bool {
        !self.reach(permission).is_nowhere()
    }

    /// Fails with [`Error::Forbidden`] unless the actor has the permission, however far; answers how far.
    pub fn require(&self, permission: Permission) -> Result<Reach> {
        let reach = self.reach(permission);
        if reach.is_nowhere() { Err(Error::Forbidden(permission.code())) } else { Ok(reach) }
    }

    /// Four eyes: refuses an approval unless a person gives it who is not the one (as histories name them) whose act is
    /// approved. A key gives none, because its maker would be both; where a key asked, its maker is the first
    /// (`api_keys::person_behind`).
    pub fn require_other_than(&self, first: &str) -> Result<()> {
        match self.user_id() {
            Some(_) if self.to_string() != first => Ok(()),
            _ => Err(Error::refused(
                Refusal::FourEyes,
                "whoever asks for an approval does not give it, and a program gives none",
            )),
        }
    }

    /// The same as queries ask for it.
    pub fn bounds(&self, permission: Permission) -> Result<Bounds> {
        Ok(match self.require(permission)? {
            Reach::Everywhere => Bounds { warehouses: None, person: None },
            Reach::Within { warehouses, own } => Bounds {
                warehouses: Some(warehouses.into_iter().map(|id| id.0).collect()),
                person: self.user_id().filter(|_| own).map(|id| id.0),
            },
        })
    }
}

/// As histories and the ledger keep it: `user:<id>`, `key:<id>` or `job:<kind>`; `platform` for the command line.
impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.who {
            Who::User { id, .. } | Who::Operator { id } => write!(f, "user:{id}"),
            Who::Key { id, .. } => write!(f, "key:{id}"),
            Who::Job { kind } => write!(f, "job:{kind}"),
            Who::Console => f.write_str("platform"),
            Who::Stranger => f.write_str("stranger"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::WarehouseId;

    #[test]
    fn a_reach_becomes_the_bounds_of_a_query() {
        let (enterprise, user, warehouse) = (EnterpriseId::new(), UserId::new(), WarehouseId::new());
        let actor = |grants| Actor::user(enterprise, user, grants);
        let everywhere = actor(Grants::of_role(Role::Viewer, &Reach::Everywhere));
        assert_eq!(everywhere.bounds(Permission::ReadOrders).unwrap(), Bounds { warehouses: None, person: None });
        assert!(matches!(everywhere.bounds(Permission::ReadMoney), Err(Error::Forbidden("money:read"))));
        let own = actor(Grants::of_role(Role::Picker, &Reach::own()));
        assert_eq!(
            own.bounds(Permission::ReadOrders).unwrap(),
            Bounds { warehouses: Some(vec![]), person: Some(user.0) }
        );
        let there = actor(Grants::of_role(Role::Picker, &Reach::warehouses([warehouse])));
        assert_eq!(
            there.bounds(Permission::ReadOrders).unwrap(),
            Bounds { warehouses: Some(vec![warehouse.0]), person: None }
        );
    }

    #[test]
    fn an_approval_takes_a_second_person() {
        let enterprise = EnterpriseId::new();
        let person = |id| Actor::user(enterprise, id, Grants::default());
        let (first, second) = (person(UserId::new()), person(UserId::new()));
        assert!(second.require_other_than(&first.to_string()).is_ok());
        for nobody in [&first, &Actor::key(enterprise, KeyId::new(), Grants::default()), &Actor::job(enterprise, "a.b")]
        {
            let refused = nobody.require_other_than(&first.to_string());
            assert!(matches!(refused, Err(Error::Refused { refusal: Refusal::FourEyes, .. })), "{nobody}");
        }
    }

    #[test]
    fn a_stranger_may_nothing_and_a_job_everything() {
        let enterprise = EnterpriseId::new();
        for permission in Permission::ALL {
            assert!(!Actor::stranger(enterprise).may(*permission));
            assert!(!Operator::recognised(UserId::new()).actor().may(*permission), "it sees no enterprise's data");
            assert!(Actor::job(enterprise, "sync.pull").reach(*permission).is_everywhere());
        }
    }
}
