//! Invitations over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use secrecy::{ExposeSecret, SecretString};
use shared::ids::LetterId;
use shared::users::Email;
use shared::users::attempts::Kind;
use shared::users::letters::{self, Asked, Delivery, LetterKind, NewInvitation, Newcomer};
use shared::users::tokens::LetterToken;

use super::Caller;
use super::guess::{self, Guess};
use crate::answers::{Accepted, NoContent};
use crate::edge::ClientAddress;
use crate::origin::Sender;
use crate::problem::ApiError;
use crate::users::{Grant, granted};
use crate::{State, Tag};

/// Somebody to invite.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct InviteUser {
    /// Whom; kept in lower case.
    #[oai(validator(max_length = 254))]
    pub email: String,
    /// As colleagues will call them, 1 to 200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
    /// What they will be allowed, 1 to 20 grants; none of it more than the caller may.
    pub grants: Vec<Grant>,
}

/// An answer to an invitation.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcceptInvitation {
    /// From the letter.
    #[oai(validator(max_length = 2048))]
    pub token: String,
    /// The first password, 12 to 128 characters; the password they have, of somebody who belongs to another enterprise.
    #[oai(validator(max_length = 1024))]
    pub password: String,
    /// As they call themselves; as in the invitation if absent.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: Option<String>,
}

/// A letter that was asked for.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Letter {
    /// Which one.
    pub id: LetterId,
    /// Until when it can be answered.
    pub expires_at: DateTime<Utc>,
    /// To be passed on by hand; absent where it goes by mail.
    pub link: Option<String>,
}

impl Letter {
    pub(crate) fn of(state: &State, kind: LetterKind, asked: Asked) -> Self {
        let link = asked.token.map(|token| letters::link(state.config.public_url.as_ref(), kind, &token));
        Self { id: asked.id, expires_at: asked.expires_at, link: link.map(|link| link.expose_secret().to_owned()) }
    }
}

/// By mail where that is set up.
pub(crate) fn delivery(state: &State) -> Delivery {
    if state.config.mail { Delivery::Mail } else { Delivery::ByHand }
}

/// Invitations.
pub struct Api;

#[OpenApi]
impl Api {
    /// Invite somebody into the enterprise
    ///
    /// Answers the same whether or not the address is known elsewhere. By mail where that is set up; else the answer shows
    /// the link. It is good for a day, and a later invitation replaces it. Who invites an administrator needs a recent sign-in
    /// or `POST /auth/confirm`.
    #[oai(path = "/users/invitations", method = "post", operation_id = "invite_user", tag = "Tag::Users")]
    async fn invite(
        &self,
        Caller(actor): Caller,
        state: Data<&State>,
        body: Json<InviteUser>,
    ) -> Result<Accepted<Letter>, ApiError> {
        let InviteUser { email, name, grants } = body.0;
        let new = NewInvitation { email: Email::parse(&email)?, name, grants: granted(grants)? };
        let mut tx = state.db.begin(&actor).await?;
        let asked = letters::invite(&mut tx, &new, delivery(&state)).await?;
        tx.commit().await?;
        Ok(Accepted::of(Letter::of(&state, LetterKind::Invitation, asked)))
    }

    /// Accept an invitation with the token from its letter
    ///
    /// Gives exactly what the invitation grants. If a role or a warehouse that it names is gone, or whoever invited could not
    /// grant it any more, 409 `invitation_outdated` says which. Nobody is signed in by it.
    #[oai(path = "/auth/invitations/accept", method = "post", operation_id = "accept_invitation", tag = "Tag::Auth")]
    async fn accept(
        &self,
        Sender(origin): Sender,
        state: Data<&State>,
        address: ClientAddress,
        body: Json<AcceptInvitation>,
    ) -> Result<NoContent, ApiError> {
        let AcceptInvitation { token, password, name } = body.0;
        let token = LetterToken::presented(token);
        let newcomer = newcomer(&state, address, &token, SecretString::from(password), name).await?;
        let mut tx = state.db.platform().await?;
        letters::accept(&mut tx, &token, newcomer, &origin).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }
}

/// Who accepts. No transaction is open while Argon2 runs.
async fn newcomer(
    state: &State,
    address: ClientAddress,
    token: &LetterToken,
    password: SecretString,
    name: Option<String>,
) -> Result<Newcomer, ApiError> {
    let attempt = guess::admit(state, Kind::Invitation, address.ip()).await?;
    let mut tx = state.db.platform().await?;
    let invited = letters::invited(&mut tx, token).await;
    drop(tx);
    guess::settle(state, attempt, &invited).await?;
    let invited = invited?;
    if invited.person.is_some() {
        let guess = Guess { email: Email::parse(&invited.email)?, person: invited.person, password };
        return Ok(Newcomer::Known(guess.judge(state).await?.id));
    }
    let name = name.unwrap_or(invited.name);
    let password_hash = state.passwords.hash_for(password, "password", &[&invited.email, &name]).await?;
    Ok(Newcomer::New { name, password_hash })
}
