//! Who is acting and what may be done: the one table of roles and permissions.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::idempotency::Ask;
use crate::ids::{EnterpriseId, SessionId, UserId};
use crate::versions::Expected;
use crate::{Error, Result};

/// A built-in role of a person in an enterprise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Role {
    /// Everything in the enterprise.
    Administrator,
    /// Everything but people and tokens.
    Manager,
    /// Stock, receipts, counts, moves and printing.
    Storekeeper,
    /// Requests, scanning and printing.
    Picker,
    /// Reads only.
    Viewer,
}

impl Role {
    /// Every built-in role.
    pub const ALL: [Self; 5] = [Self::Administrator, Self::Manager, Self::Storekeeper, Self::Picker, Self::Viewer];
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $code:literal => $roles:expr;)+) => {
        /// One thing that may be done, written `resource:action`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Permission {
            $($(#[$doc])* $name,)+
        }

        impl Permission {
            /// Every permission there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name that clients see.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The roles that have it.
            pub fn roles(self) -> &'static [Role] {
                match self { $(Self::$name => &$roles,)+ }
            }
        }
    };
}

use Role::{Administrator, Manager, Picker, Storekeeper, Viewer};

permissions! {
    /// See enterprises, people and roles.
    ReadPeople = "people:read" => [Administrator, Manager];
    /// Invite and change people.
    ManagePeople = "people:manage" => [Administrator];
    /// Store and replace Wildberries tokens.
    ManageTokens = "tokens:manage" => [Administrator];
    /// See accounts, offices and Wildberries warehouses.
    ReadWildberries = "wildberries:read" => [Administrator, Manager, Storekeeper, Viewer];
    /// Link warehouses, start syncs.
    ManageWildberries = "wildberries:manage" => [Administrator, Manager];
    /// See warehouses, cells, products and stock.
    ReadStock = "stock:read" => [Administrator, Manager, Storekeeper, Picker, Viewer];
    /// Create warehouses and cells.
    ManageWarehouses = "warehouses:manage" => [Administrator, Manager, Storekeeper];
    /// Create and change own products.
    ManageProducts = "products:manage" => [Administrator, Manager];
    /// Post goods receipts.
    ReceiveGoods = "stock:receive" => [Administrator, Manager, Storekeeper];
    /// See orders and supplies.
    ReadOrders = "orders:read" => [Administrator, Manager, Storekeeper, Picker, Viewer];
    /// Create, ship and deliver supplies.
    ManageSupplies = "supplies:manage" => [Administrator, Manager];
    /// See requests.
    ReadRequests = "requests:read" => [Administrator, Manager, Storekeeper, Picker, Viewer];
    /// Create, assign and cancel requests.
    ManageRequests = "requests:manage" => [Administrator, Manager];
    /// Work on requests: start, scan, complete.
    WorkRequests = "requests:work" => [Administrator, Manager, Storekeeper, Picker];
    /// See printers and print jobs.
    ReadPrinting = "printing:read" => [Administrator, Manager, Storekeeper, Picker, Viewer];
    /// Print stickers and resolve uncertain labels.
    PrintLabels = "printing:print" => [Administrator, Manager, Storekeeper, Picker];
    /// Add printers.
    ManagePrinters = "printers:manage" => [Administrator];
    /// See and cancel jobs.
    ReadJobs = "jobs:read" => [Administrator, Manager];
    /// Search and verify the audit log.
    ReadAudit = "audit:read" => [Administrator];
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

/// Someone recognised, in one enterprise. Built by the API from a session and by a worker from a job row.
#[derive(Clone, Debug)]
pub struct Actor {
    enterprise_id: EnterpriseId,
    who: Who,
    origin: Arc<Origin>,
}

#[derive(Clone, Debug)]
enum Who {
    User { id: UserId, role: Role },
    Job { kind: String },
}

impl Actor {
    /// A signed-in person.
    pub fn user(enterprise_id: EnterpriseId, id: UserId, role: Role) -> Self {
        Self { enterprise_id, who: Who::User { id, role }, origin: Arc::default() }
    }

    /// A job, which may do what its row promises.
    pub fn job(enterprise_id: EnterpriseId, kind: impl Into<String>) -> Self {
        Self { enterprise_id, who: Who::Job { kind: kind.into() }, origin: Arc::default() }
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
            Who::User { id, .. } => Some(id),
            Who::Job { .. } => None,
        }
    }

    /// Whether the actor has the permission. Jobs have all of them: what they do was allowed when they were promised.
    pub fn may(&self, permission: Permission) -> bool {
        match &self.who {
            Who::User { role, .. } => permission.roles().contains(role),
            Who::Job { .. } => true,
        }
    }

    /// Fails with [`Error::Forbidden`] unless the actor has the permission.
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.may(permission) { Ok(()) } else { Err(Error::Forbidden(permission.code())) }
    }
}

/// As histories and the ledger keep it: `user:<id>` or `job:<kind>`.
impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.who {
            Who::User { id, .. } => write!(f, "user:{id}"),
            Who::Job { kind } => write!(f, "job:{kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_administrator_may_do_everything_and_a_viewer_only_reads() {
        for permission in Permission::ALL {
            assert!(permission.roles().contains(&Role::Administrator), "{}", permission.code());
            if permission.roles().contains(&Role::Viewer) {
                assert!(permission.code().ends_with(":read"), "{}", permission.code());
            }
        }
    }
}
