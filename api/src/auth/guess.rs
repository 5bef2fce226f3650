//! Every guess at a password goes through here and nowhere else: at sign-in, at a confirmation, at a change, at an
//! invitation of somebody who is known. Who has guessed too often has to wait, whether or not there is such a person and
//! whether or not the guess is right.

use secrecy::SecretString;
use shared::access::Origin;
use shared::users::credentials::{self, Person};
use shared::users::{Email, attempts, sessions, trail};
use shared::{Error, Result};

use crate::State;
use crate::passwords::Verdict;

/// Somebody says that this is the password of this address.
pub(super) struct Guess {
    /// The address, whether or not there is a person who has it.
    pub email: Email,
    /// The person, if there is one who may sign in.
    pub person: Option<Person>,
    /// What they say.
    pub password: SecretString,
}

impl Guess {
    /// A guess at the password of whoever has this address.
    pub async fn at(state: &State, email: Email, password: SecretString) -> Result<Self> {
        let mut tx = state.db.platform().await?;
        let person = credentials::find_person(&mut tx, &email).await?;
        tx.commit().await?;
        Ok(Self { email, person, password })
    }

    /// The person whose password it is; who does not get in is kept in the audit log.
    pub async fn sign_in(self, state: &State, origin: &Origin) -> Result<Person> {
        let (email, known) = (self.email.clone(), self.person.as_ref().map(|person| person.id));
        let judged = self.judge(state).await;
        if let Err(Error::Unauthenticated(_)) = &judged {
            let mut tx = state.db.platform().await?;
            trail::refused(&mut tx, &email, known, origin).await?;
            tx.commit().await?;
        }
        judged
    }

    /// The person whose password it is. No transaction is open while Argon2 runs, and it runs whether or not there is such
    /// a person. A hash that was made with lower costs than today's is made anew.
    pub async fn judge(self, state: &State) -> Result<Person> {
        let Self { email, person, password } = self;
        let mut tx = state.db.platform().await?;
        let attempt = attempts::admit(&mut tx, attempts::Kind::Password, (&email).into()).await?;
        let enterprises = attempts::allowances(&mut tx, &email).await?;
        tx.commit().await?;
        let hash = person.as_ref().map(|person| person.password_hash.clone());
        let outcome = match state.rates.sign_in(&enterprises).await {
            Ok(()) => state.passwords.verify(password.clone(), hash).await,
            Err(refused) => Err(refused),
        };
        let right = matches!(outcome, Ok(verdict) if verdict != Verdict::Wrong) && person.is_some();
        let mut tx = state.db.platform().await?;
        match &outcome {
            Ok(_) if right => attempt.succeeded(&mut tx).await?,
            Ok(_) => attempt.failed(),
            Err(_) => attempt.withdrawn(&mut tx).await?,
        }
        tx.commit().await?;
        let verdict = outcome?;
        let person = person.filter(|_| verdict != Verdict::Wrong);
        tracing::debug!(right = person.is_some(), "Judged a guess at the password of {}", email.as_str());
        if let (Some(person), Verdict::Outdated) = (&person, verdict) {
            let password_hash = state.passwords.hash_again(password).await?;
            let mut tx = state.db.platform().await?;
            credentials::keep_rehashed(&mut tx, person, &password_hash).await?;
            tx.commit().await?;
        }
        person.ok_or(Error::Unauthenticated(sessions::WRONG))
    }
}
