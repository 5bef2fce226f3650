//! What the one who runs the installation does, on the command line and not over HTTP.

use secrecy::SecretString;
use shared::access::Role;
use shared::db::Db;
use shared::ids::EnterpriseId;
use shared::users::{self, Email, NewUser};
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
    let id = enterprises::create(&mut tx, &new.name).await?;
    let administrator = NewUser { email, name: new.user_name, role: Role::Administrator, password_hash };
    users::create_first(&mut tx, id, &administrator).await?;
    tx.commit().await?;
    Ok(id)
}
