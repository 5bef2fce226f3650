//! What the one who runs the installation does, on the command line and not over HTTP.

use std::fmt::Write;

use secrecy::SecretString;
use shared::access::{Actor, Role};
use shared::audit::{self, INSTALLATION};
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

/// What a verification found, one line a chain and one a fault.
#[derive(Clone, Debug, Default)]
pub struct VerifiedAudit {
    /// To be shown.
    pub text: String,
    /// How much is wrong.
    pub faults: i64,
}

/// Recomputes the audit log of one enterprise, or of all and of the installation itself.
pub async fn verify_audit(db: &Db, enterprise: Option<uuid::Uuid>, head: Option<&str>) -> Result<VerifiedAudit> {
    let head = head.map(str::parse).transpose()?;
    let chains = if let Some(id) = enterprise {
        vec![EnterpriseId(id)]
    } else {
        let mut tx = db.platform().await?;
        let all = enterprises::all(&mut tx).await?;
        tx.commit().await?;
        std::iter::once(INSTALLATION).chain(all).collect()
    };
    let mut told = VerifiedAudit::default();
    for id in chains {
        let mut tx = db.begin(&Actor::job(id, "admin.verify_audit")).await?;
        let seen = audit::verify(&mut tx, head).await?;
        tx.commit().await?;
        let name = if id == INSTALLATION { "installation".to_owned() } else { id.to_string() };
        let head = seen.head.map_or_else(|| "none".to_owned(), |head| head.to_string());
        let audit::Verification { seals, entries, pruned, unsealed, faults, .. } = seen;
        // Writing to a string does not fail.
        let _ = writeln!(
            told.text,
            "{name}: {seals} seals, {entries} entries, {pruned} pruned, {unsealed} not yet sealed, head {head}, {faults} faults"
        );
        for fault in &seen.told {
            let seal = fault.seal.map(|seal| format!(" seal {seal}")).unwrap_or_default();
            let entry = fault.entry_id.map(|entry| format!(" entry {entry}")).unwrap_or_default();
            let _ = writeln!(told.text, "  FAULT{seal}{entry}: {}", fault.what);
        }
        told.faults += faults;
    }
    Ok(told)
}
