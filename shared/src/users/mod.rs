//! People and what they may do. A person belongs to the installation; memberships tie people to enterprises, grants say
//! what they may there. Changes of rights happen one after the other (`rights`), so that nobody grants what they lack
//! and an administrator always stays.

pub mod attempts;
mod change;
pub mod credentials;
mod grants;
pub mod letters;
mod people;
mod rights;
pub mod roles;
pub mod second_factor;
pub mod sessions;
pub mod tokens;
pub mod trail;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::access::Role;
use crate::ids::{RoleId, UserId, WarehouseId};
use crate::versions::Version;
use crate::{Error, Result};

pub use change::{Profile, activate, change, deactivate, remove, rename, set_grants};
pub use grants::{Grant, GrantedRole, MAX_GRANTS, ReachKind};
pub use people::{acting, create, create_first, create_system_administrator, get, list, of_installation};
pub(crate) use rights::{check_covers, effective, hold, lock, rights_changed_in};
pub use rights::{operator, recognise};

/// Whether a person may work in an enterprise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum UserStatus {
    /// They may.
    Active,
    /// They may not.
    Inactive,
}

/// An address of e-mail, in lower case: what people sign in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Checks the shape only: whether letters arrive there, a letter tells.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim().to_lowercase();
        let shaped = text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty()
                && host.contains('.')
                && !host.contains('@')
                && !host.starts_with('.')
                && !host.ends_with('.')
        });
        let plain = text.chars().all(|character| !character.is_whitespace() && !character.is_control());
        if shaped && plain && text.chars().count() <= 254 {
            Ok(Self(text))
        } else {
            Err(Error::invalid("email", "is not an address of e-mail"))
        }
    }

    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A person as one enterprise sees them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Who.
    pub id: UserId,
    /// What they sign in with.
    pub email: String,
    /// As colleagues call them.
    pub name: String,
    /// Whether they may work in this enterprise.
    pub status: UserStatus,
    /// What they may do in this enterprise.
    pub grants: Vec<Grant>,
    /// Since when they belong to it.
    pub created_at: DateTime<Utc>,
    /// How often what the enterprise sees of them was changed.
    pub version: Version,
}

/// A person to take into an enterprise. Who has the address already keeps their name and password.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// What they sign in with.
    pub email: Email,
    /// As colleagues call them; needed by who is new to the installation.
    pub name: Option<String>,
    /// Argon2id, in PHC form; needed by who is new to the installation.
    pub password_hash: Option<SecretString>,
    /// What they will be allowed.
    pub grants: Vec<Grant>,
}

/// Which people to list.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// With this text in name or address, whatever the case.
    pub search: Option<String>,
    /// In this state.
    pub status: Option<UserStatus>,
    /// With this built-in role.
    pub role: Option<Role>,
    /// With this own role.
    pub role_id: Option<RoleId>,
    /// Who may do something in this warehouse, whoever has the requests there.
    pub warehouse_id: Option<WarehouseId>,
}

fn checked_name(name: &str) -> Result<&str> {
    let name = name.trim();
    if (1..=200).contains(&name.chars().count()) {
        Ok(name)
    } else {
        Err(Error::invalid("name", "must have between 1 and 200 characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_lower_case_and_nonsense_is_refused() {
        assert_eq!(Email::parse(" Anna@Example.RU ").expect("is an address").as_str(), "anna@example.ru");
        for nonsense in ["", "anna", "@example.ru", "anna@", "anna@host", "an na@example.ru", "a@b@example.ru", "a@.ru"]
        {
            assert!(Email::parse(nonsense).is_err(), "{nonsense}");
        }
    }
}
