//! Passwords over HTTP: proved again, changed, forgotten.

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use secrecy::SecretString;
use shared::access::Actor;
use shared::ids::UserId;
use shared::users::Email;
use shared::users::attempts::Kind;
use shared::users::credentials::{self, Person};
use shared::users::letters::{self, LetterKind};
use shared::users::tokens::LetterToken;

use super::invitations::{Letter, delivery};
use super::{Caller, Enrolling, guess};
use crate::answers::{Accepted, NoContent};
use crate::edge::ClientAddress;
use crate::origin::Sender;
use crate::problem::ApiError;
use crate::{State, Tag};

/// Who you are, once more.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct Confirm {
    /// Your password.
    #[oai(validator(max_length = 1024))]
    pub password: String,
    /// Six digits or a recovery code, if you have a second factor.
    #[oai(validator(max_length = 64))]
    pub code: Option<String>,
}

/// Another password.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangePassword {
    /// The new one, 12 to 128 characters.
    #[oai(validator(min_length = 12, max_length = 128))]
    pub password: String,
    /// The one of before; not needed within five minutes after a sign-in or `POST /auth/confirm`.
    #[oai(validator(max_length = 1024))]
    pub current_password: Option<String>,
}

/// Who forgot their password.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestPasswordReset {
    /// What they sign in with.
    #[oai(validator(max_length = 254))]
    pub email: String,
}

/// An answer to the letter.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResetPassword {
    /// From the letter.
    #[oai(validator(max_length = 2048))]
    pub token: String,
    /// The new password, 12 to 128 characters.
    #[oai(validator(min_length = 12, max_length = 128))]
    pub password: String,
}

/// It is noted; whether anything follows is not told.
#[derive(Debug, ApiResponse)]
pub enum Noted {
    /// Noted
    #[oai(status = 202)]
    Done,
}

/// Passwords.
pub struct Api;

#[OpenApi]
impl Api {
    /// Confirm who you are
    ///
    /// For five minutes after it, and after signing in, sensitive things can be done: what answers `step_up_required`.
    #[oai(path = "/auth/confirm", method = "post", operation_id = "confirm_identity", tag = "Tag::Auth")]
    async fn confirm(
        &self,
        Enrolling(actor): Enrolling,
        state: Data<&State>,
        body: Json<Confirm>,
    ) -> Result<NoContent, ApiError> {
        let Confirm { password, code } = body.0;
        let person = guess::password(&state, &actor, password).await?;
        guess::confirm(&state, &actor, &person, code.as_deref()).await?;
        Ok(NoContent::Done)
    }

    /// Change your password
    ///
    /// Your other sessions end.
    #[oai(path = "/auth/password", method = "put", operation_id = "change_password", tag = "Tag::Auth")]
    async fn change(
        &self,
        Enrolling(actor): Enrolling,
        state: Data<&State>,
        body: Json<ChangePassword>,
    ) -> Result<NoContent, ApiError> {
        let ChangePassword { password, current_password } = body.0;
        let person = match current_password {
            Some(current) => guess::password(&state, &actor, current).await?,
            None => confirmed(&state, &actor).await?,
        };
        let about = [person.email.as_str(), person.name.as_str()];
        let password_hash = state.passwords.hash_for(SecretString::from(password), "password", &about).await?;
        let mut tx = state.db.begin(&actor).await?;
        credentials::change_password(&mut tx, &password_hash).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }

    /// Ask for a letter that lets you choose a new password
    ///
    /// Answers the same whether or not there is such a person. The letter is good for half an hour.
    #[oai(
        path = "/auth/password/reset-requests",
        method = "post",
        operation_id = "request_password_reset",
        tag = "Tag::Auth"
    )]
    async fn request_reset(&self, state: Data<&State>, body: Json<RequestPasswordReset>) -> Result<Noted, ApiError> {
        let email = Email::parse(&body.0.email)?;
        let mut tx = state.db.platform().await?;
        letters::ask_reset(&mut tx, &email).await?;
        tx.commit().await?;
        Ok(Noted::Done)
    }

    /// Choose a new password with the token from a letter
    ///
    /// Every session of the person ends. A second factor is asked for at the next sign-in as ever.
    #[oai(path = "/auth/password/reset", method = "post", operation_id = "reset_password", tag = "Tag::Auth")]
    async fn reset(
        &self,
        Sender(origin): Sender,
        state: Data<&State>,
        address: ClientAddress,
        body: Json<ResetPassword>,
    ) -> Result<NoContent, ApiError> {
        let ResetPassword { token, password } = body.0;
        let token = LetterToken::presented(token);
        let attempt = guess::admit(&state, Kind::Reset, address.ip()).await?;
        // Before the hash, which is expensive, and again with it.
        let mut tx = state.db.platform().await?;
        let person = letters::person_of_reset(&mut tx, &token).await;
        drop(tx);
        guess::settle(&state, attempt, &person).await?;
        let person = person?;
        let about = [person.email.as_str(), person.name.as_str()];
        let password_hash = state.passwords.hash_for(SecretString::from(password), "password", &about).await?;
        let mut tx = state.db.platform().await?;
        letters::reset_password(&mut tx, &token, &password_hash, &origin).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }

    /// Have a person of the enterprise choose a new password
    ///
    /// Needs a recent sign-in or `POST /auth/confirm`. By mail where that is set up; else the answer shows the link, if the
    /// person belongs to this enterprise alone.
    #[oai(
        path = "/users/:id/password-reset",
        method = "post",
        operation_id = "reset_user_password",
        tag = "Tag::Users"
    )]
    async fn reset_for(
        &self,
        Caller(actor): Caller,
        state: Data<&State>,
        id: Path<UserId>,
    ) -> Result<Accepted<Letter>, ApiError> {
        let mut tx = state.db.begin(&actor).await?;
        let asked = letters::reset_for(&mut tx, id.0, delivery(&state)).await?;
        tx.commit().await?;
        Ok(Accepted::of(Letter::of(&state, LetterKind::PasswordReset, asked)))
    }
}

/// The acting person, if they proved lately who they are.
async fn confirmed(state: &State, actor: &Actor) -> Result<Person, ApiError> {
    let mut tx = state.db.begin(actor).await?;
    tx.require_confirmed().await?;
    tx.commit().await?;
    Ok(guess::acting_person(state, actor).await?)
}
