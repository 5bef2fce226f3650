//! The one table of permissions: what each is called, to what a grant of it can be narrowed, and which built-in roles
//! have it.

use serde::{Deserialize, Serialize};

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
    /// Reads only; no money.
    Viewer,
}

impl Role {
    /// Every built-in role.
    pub const ALL: [Self; 5] = [Self::Administrator, Self::Manager, Self::Storekeeper, Self::Picker, Self::Viewer];

    /// The word of the API and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Manager => "manager",
            Self::Storekeeper => "storekeeper",
            Self::Picker => "picker",
            Self::Viewer => "viewer",
        }
    }

    /// As Russian-speaking people call it.
    pub fn title_ru(self) -> &'static str {
        match self {
            Self::Administrator => "Администратор",
            Self::Manager => "Менеджер",
            Self::Storekeeper => "Кладовщик",
            Self::Picker => "Сборщик",
            Self::Viewer => "Наблюдатель",
        }
    }

    /// What it permits.
    pub fn permissions(self) -> Vec<Permission> {
        Permission::ALL.iter().copied().filter(|permission| permission.roles().contains(&self)).collect()
    }
}

/// To what a grant of a permission can be narrowed. A grant with a narrower reach does not give the permission at all:
/// what belongs to the enterprise as a whole cannot be permitted in one warehouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
pub enum Finest {
    /// To nothing smaller than the enterprise.
    Enterprise,
    /// To warehouses.
    Warehouses,
    /// To warehouses, or to a person's own requests with what hangs on them.
    Own,
}

impl Finest {
    /// The word of the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enterprise => "enterprise",
            Self::Warehouses => "warehouses",
            Self::Own => "own",
        }
    }
}

// `tt` and not `literal`: an attribute macro would not see into a literal fragment.
macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $code:tt, $finest:ident => $roles:expr;)+) => {
        /// One thing that may be done, written `resource:action`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
        pub enum Permission {
            $($(#[$doc])* #[serde(rename = $code)] #[cfg_attr(feature = "openapi", oai(rename = $code))] $name,)+
        }

        impl Permission {
            /// Every permission there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name that clients see.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// To what a grant of it can be narrowed.
            pub fn finest(self) -> Finest {
                match self { $(Self::$name => Finest::$finest,)+ }
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
    /// See people and roles.
    ReadPeople = "people:read", Enterprise => [Administrator, Manager];
    /// Invite and change people and what they may do.
    ManagePeople = "people:manage", Enterprise => [Administrator];
    /// Create and change own roles.
    ManageRoles = "roles:manage", Enterprise => [Administrator];
    /// See, create and revoke service keys.
    ManageKeys = "keys:manage", Enterprise => [Administrator];
    /// Change the enterprise's name, tax number, time zone and settings.
    ManageEnterprise = "enterprise:manage", Enterprise => [Administrator];
    /// Store and replace Wildberries tokens.
    ManageTokens = "tokens:manage", Enterprise => [Administrator];
    /// See accounts, offices and Wildberries warehouses.
    ReadWildberries = "wildberries:read", Warehouses => [Administrator, Manager, Storekeeper, Viewer];
    /// Link warehouses, start syncs.
    ManageWildberries = "wildberries:manage", Warehouses => [Administrator, Manager];
    /// See warehouses, cells, products and stock.
    ReadStock = "stock:read", Own => [Administrator, Manager, Storekeeper, Picker, Viewer];
    /// Create warehouses and cells.
    ManageWarehouses = "warehouses:manage", Warehouses => [Administrator, Manager, Storekeeper];
    /// Create and change own products.
    ManageProducts = "products:manage", Enterprise => [Administrator, Manager];
    /// Post goods receipts.
    ReceiveGoods = "stock:receive", Warehouses => [Administrator, Manager, Storekeeper];
    /// Move goods from cell to cell.
    MoveStock = "stock:move", Warehouses => [Administrator, Manager, Storekeeper];
    /// Correct balances and write goods off.
    AdjustStock = "stock:adjust", Warehouses => [Administrator, Manager, Storekeeper];
    /// Put goods on hold and release them.
    HoldStock = "stock:hold", Warehouses => [Administrator, Manager, Storekeeper];
    /// Reserve goods by hand and release them.
    ReserveStock = "stock:reserve", Warehouses => [Administrator, Manager, Storekeeper];
    /// See stock counts; of a blind one not what is expected, until it is reviewed.
    ReadCounts = "counts:read", Own => [Administrator, Manager, Storekeeper, Picker, Viewer];
    /// Count: send what was counted.
    WorkCounts = "counts:work", Own => [Administrator, Manager, Storekeeper, Picker];
    /// Plan, start, review and call off stock counts.
    ManageCounts = "counts:manage", Warehouses => [Administrator, Manager, Storekeeper];
    /// Approve what a stock count found by somebody else, or reject it.
    ApproveCounts = "counts:approve", Warehouses => [Administrator, Manager];
    /// See orders and supplies.
    ReadOrders = "orders:read", Own => [Administrator, Manager, Storekeeper, Picker, Viewer];
    /// See prices, costs and payouts wherever they stand.
    ReadMoney = "money:read", Warehouses => [Administrator, Manager];
    /// Create, ship and deliver supplies.
    ManageSupplies = "supplies:manage", Warehouses => [Administrator, Manager];
    /// See requests.
    ReadRequests = "requests:read", Own => [Administrator, Manager, Storekeeper, Picker, Viewer];
    /// Create, assign and cancel requests.
    ManageRequests = "requests:manage", Warehouses => [Administrator, Manager];
    /// Work on requests: start, scan, complete.
    WorkRequests = "requests:work", Own => [Administrator, Manager, Storekeeper, Picker];
    /// See printers and print jobs.
    ReadPrinting = "printing:read", Own => [Administrator, Manager, Storekeeper, Picker, Viewer];
    /// Print stickers and resolve uncertain labels.
    PrintLabels = "printing:print", Own => [Administrator, Manager, Storekeeper, Picker];
    /// Add printers.
    ManagePrinters = "printers:manage", Enterprise => [Administrator];
    /// See alarms.
    ReadAlarms = "alarms:read", Enterprise => [Administrator, Manager, Viewer];
    /// Say that an alarm was seen.
    AcknowledgeAlarms = "alarms:acknowledge", Enterprise => [Administrator, Manager];
    /// See jobs.
    ReadJobs = "jobs:read", Enterprise => [Administrator, Manager];
    /// Take jobs back.
    ManageJobs = "jobs:manage", Enterprise => [Administrator, Manager];
    /// Search and verify the audit log.
    ReadAudit = "audit:read", Enterprise => [Administrator];
}

impl Permission {
    /// The permission of this name.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.code() == code)
    }

    /// Whether only a person may have it: a key that could make keys, people or rights would outlive its revocation.
    pub fn is_personal(self) -> bool {
        matches!(
            self,
            Self::ManagePeople | Self::ManageRoles | Self::ManageKeys | Self::ManageEnterprise | Self::ManageTokens
        )
    }
}

/// The permissions of these names. A name that is not known any more permits nothing.
pub fn known(codes: &[String]) -> Vec<Permission> {
    codes.iter().filter_map(|code| Permission::parse(code)).collect()
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
        assert!(!Role::Viewer.permissions().contains(&Permission::ReadMoney));
    }

    #[test]
    fn a_manager_lacks_people_rights_and_tokens_only() {
        let lacking: Vec<_> = Permission::ALL
            .iter()
            .filter(|permission| !permission.roles().contains(&Role::Manager))
            .map(|permission| permission.code())
            .collect();
        assert_eq!(
            lacking,
            [
                "people:manage",
                "roles:manage",
                "keys:manage",
                "enterprise:manage",
                "tokens:manage",
                "printers:manage",
                "audit:read"
            ]
        );
    }

    #[test]
    fn codes_are_unique_resources_and_actions_and_are_found_again() {
        for permission in Permission::ALL {
            assert_eq!(permission.code().split(':').count(), 2);
            assert_eq!(Permission::parse(permission.code()), Some(*permission));
        }
        assert_eq!(known(&["stock:read".to_owned(), "stock:steal".to_owned()]), [Permission::ReadStock]);
    }
}
