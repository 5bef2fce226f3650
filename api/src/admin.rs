//! What the one who runs the installation does, on the command line and not over HTTP.

use std::fmt::Write;

use secrecy::SecretString;
use shared::access::{Actor, Role};
use shared::audit::{self, INSTALLATION};
use shared::db::Db;
use shared::enterprises::TimeZone;
use shared::ids::{EnterpriseId, UserId};
use shared::users::letters::{self, LetterKind};
use shared::users::{self, Email, Grant, NewUser, credentials, second_factor};
use shared::{Error, Result, enterprises};
use url::Url;

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
    let password_hash =
        passwords.hash_for(new.password, "password", &[email.as_str(), &new.name, &new.user_name]).await?;
    let mut tx = db.begin(&Actor::console()).await?;
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
    let password_hash = passwords.hash_for(new.password, "password", &[email.as_str(), &new.name]).await?;
    let mut tx = db.begin(&Actor::console()).await?;
    let id = users::create_system_administrator(&mut tx, &email, &new.name, &password_hash).await?;
    tx.commit().await?;
    Ok(id)
}

/// A link with which a person chooses a new password, to be passed on by whoever runs the installation.
pub async fn reset_link(db: &Db, email: &str, clients: Option<&Url>) -> Result<SecretString> {
    let mut tx = db.platform().await?;
    let token = letters::reset_by_operator(&mut tx, &Email::parse(email)?).await?;
    tx.commit().await?;
    Ok(letters::link(clients, LetterKind::PasswordReset, &token))
}

/// Takes a person's second factor away and ends their sessions.
pub async fn reset_second_factor(db: &Db, email: &str) -> Result<()> {
    let mut tx = db.platform().await?;
    let person = credentials::find_person(&mut tx, &Email::parse(email)?).await?;
    let person = person.ok_or(Error::NotFound("active user"))?;
    if !second_factor::take_away(&mut tx, person.id).await? {
        return Err(Error::NotFound("second factor"));
    }
    tx.commit().await
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
