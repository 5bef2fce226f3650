//! Every try at a secret goes through here and nowhere else: passwords at sign-in, at a confirmation, at a change, at an
//! invitation of somebody who is known; codes of second factors; tokens of letters. Who has guessed too often has to wait,
//! whether or not there is such a person and whether or not the guess is right.

use secrecy::SecretString;
use shared::access::{Actor, Origin};
use shared::users::attempts::{self, Attempt, Kind, Subject};
use shared::users::credentials::{self, Person};
use shared::users::{Email, second_factor, sessions, trail};
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
        let attempt = attempts::admit(&mut tx, Kind::Password, (&email).into()).await?;
        let enterprises = attempts::allowances(&mut tx, &email).await?;
        tx.commit().await?;
        let hash = person.as_ref().map(|person| person.password_hash.clone());
        let outcome = match state.rates.sign_in(&enterprises).await {
            Ok(()) => state.passwords.verify(password.clone(), hash).await,
            Err(refused) => Err(refused),
        };
        let judged = outcome.and_then(|verdict| match person {
            Some(person) if verdict != Verdict::Wrong => Ok((person, verdict)),
            Some(_) | None => Err(Error::Unauthenticated(sessions::WRONG)),
        });
        settle(state, attempt, &judged).await?;
        tracing::debug!(right = judged.is_ok(), "Judged a guess at the password of {}", email.as_str());
        let (person, verdict) = judged?;
        if verdict == Verdict::Outdated {
            let password_hash = state.passwords.hash_again(password).await?;
            let mut tx = state.db.platform().await?;
            credentials::keep_rehashed(&mut tx, &person, &password_hash).await?;
            tx.commit().await?;
        }
        Ok(person)
    }
}

/// Lets a try at a secret be evaluated, or says how long it has to wait.
pub(super) async fn admit(state: &State, kind: Kind, subject: impl Into<Subject>) -> Result<Attempt> {
    let mut tx = state.db.platform().await?;
    let attempt = attempts::admit(&mut tx, kind, subject.into()).await?;
    tx.commit().await?;
    Ok(attempt)
}

/// Says how it ended. What failed for another reason than the secret was no try.
pub(super) async fn settle<T>(state: &State, attempt: Attempt, outcome: &Result<T>) -> Result<()> {
    let mut tx = state.db.platform().await?;
    match outcome {
        Ok(_) => attempt.succeeded(&mut tx).await?,
        Err(Error::Unauthenticated(_)) => attempt.failed(),
        Err(_) => attempt.withdrawn(&mut tx).await?,
    }
    tx.commit().await
}

/// The acting person, if this is their password.
pub(super) async fn password(state: &State, actor: &Actor, password: String) -> Result<Person> {
    let person = acting_person(state, actor).await?;
    let guess =
        Guess { email: Email::parse(&person.email)?, person: Some(person), password: SecretString::from(password) };
    let judged = guess.judge(state).await;
    if let Err(Error::Unauthenticated(_)) = &judged {
        trail::identity_refused(&state.db, actor, "password").await?;
    }
    judged
}

/// Notes that the acting person, who has just given their password, proved who they are; with a code, if they have a second
/// factor.
pub(super) async fn confirm(state: &State, actor: &Actor, person: &Person, code: Option<&str>) -> Result<()> {
    let attempt = match code {
        Some(_) => Some(admit(state, Kind::SecondFactor, person.id).await?),
        None => None,
    };
    let confirmed = confirmed(state, actor, code).await;
    if let Some(attempt) = attempt {
        settle(state, attempt, &confirmed).await?;
    }
    if let Err(Error::Unauthenticated(_)) = &confirmed {
        trail::identity_refused(&state.db, actor, "code").await?;
    }
    confirmed
}

async fn confirmed(state: &State, actor: &Actor, code: Option<&str>) -> Result<()> {
    let mut tx = state.db.begin(actor).await?;
    second_factor::confirm(&mut tx, &state.config.keyring, code).await?.require()?;
    tx.commit().await
}

/// The acting person, with what their password is compared to.
pub(super) async fn acting_person(state: &State, actor: &Actor) -> Result<Person> {
    let mut tx = state.db.begin(actor).await?;
    let person = credentials::acting_person(&mut tx).await?;
    tx.commit().await?;
    Ok(person)
}
