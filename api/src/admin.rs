//! What the one who runs the installation does, on the command line and not over HTTP.

use secrecy::SecretString;
use shared::access::Role;
use shared::db::Db;
use shared::enterprises::TimeZone;
use shared::ids::{EnterpriseId, UserId};
use shared::users::{self, Email, Grant, NewUser};
use shared::{Result, enterprises};

use crate::passwords::Passwords;

/// An enterprise to found, with its first administrator.
#[derive(Clone, Debug)]
pub struct NewEnterprise {
    /// As people call it.
    pub name: String,
    /// What the administrator signs in with.
    pub email: String,
    /// As colleagues call the administrator.
    pub user_name: String,
    /// The administrator's password, 12 to 128 characters.
    pub password: SecretString,
}

/// Founds the enterprise: both of them are there, or none.
pub async fn create_enterprise(db: &Db, passwords: &Passwords, new: NewEnterprise) -> Result<EnterpriseId> {
    let email = Email::parse(&new.email)?;
    let password_hash = passwords.hash(new.password, "password").await?;
    let mut tx = db.platform().await?;
    let facts = enterprises::NewEnterprise { name: new.name, tax_number: None, time_zone: TimeZone::default() };
    let enterprise = enterprises::found(&mut tx, &facts).await?;
    let administrator = NewUser {
        email,
        name: Some(new.user_name),
        password_hash: Some(password_hash),
        grants: vec![Grant::everywhere(Role::Administrator)],
    };
    users::create_first(&mut tx, enterprise.id, &administrator).await?;
    tx.commit().await?;
    Ok(enterprise.id)
}

/// Somebody to run the installation.
#[derive(Clone, Debug)]
pub struct NewSystemAdministrator {
    /// What they sign in with; nobody may have it yet.
    pub email: String,
    /// As others call them.
    pub name: String,
    /// Their password, 12 to 128 characters.
    pub password: SecretString,
}

/// Takes in a system administrator: they found, suspend and activate enterprises and see nothing of what those do.
pub async fn create_system_administrator(
    db: &Db,
    passwords: &Passwords,
    new: NewSystemAdministrator,
) -> Result<UserId> {
    let email = Email::parse(&new.email)?;
    let password_hash = passwords.hash(new.password, "password").await?;
    let mut tx = db.platform().await?;
    let id = users::create_system_administrator(&mut tx, &email, &new.name, &password_hash).await?;
    tx.commit().await?;
    Ok(id)
}
