//! One's own address of e-mail over HTTP: asked for, and changed with the token from a letter.

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::users::Email;
use shared::users::attempts::Kind;
use shared::users::letters::{self, LetterKind};
use shared::users::tokens::LetterToken;
use shared::{Result, access::Origin};

use super::invitations::{Letter, delivery};
use super::{Own, guess};
use crate::answers::{Accepted, NoContent};
use crate::edge::ClientAddress;
use crate::origin::Sender;
use crate::problem::ApiError;
use crate::{State, Tag};

/// Another address.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestEmailChange {
    /// With what you want to sign in; kept in lower case.
    #[oai(validator(max_length = 254))]
    pub email: String,
}

/// An answer to the letter.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeEmail {
    /// From the letter.
    #[oai(validator(max_length = 2048))]
    pub token: String,
}

/// Addresses of e-mail.
pub struct Api;

#[OpenApi(tag = "Tag::Auth")]
impl Api {
    /// Ask for another address of e-mail
    ///
    /// Needs a recent sign-in or `POST /auth/confirm`. A letter goes to the new address, which is yours once its token was
    /// sent to `POST /auth/email/change`; it is good for half an hour, and a later one replaces it. Where there is no mail
    /// the answer shows the link. Answers the same whether or not somebody has the address already.
    #[oai(path = "/auth/email/change-requests", method = "post", operation_id = "request_email_change")]
    async fn request(
        &self,
        Own(actor): Own,
        state: Data<&State>,
        body: Json<RequestEmailChange>,
    ) -> Result<Accepted<Letter>, ApiError> {
        let email = Email::parse(&body.0.email)?;
        let mut tx = state.db.begin(&actor).await?;
        let asked = letters::ask_email_change(&mut tx, &email, delivery(&state)).await?;
        tx.commit().await?;
        Ok(Accepted::of(Letter::of(&state, LetterKind::EmailChange, asked)))
    }

    /// Change your address of e-mail with the token from a letter
    ///
    /// From now on you sign in with the new address; the old one is told. Your sessions go on.
    #[oai(path = "/auth/email/change", method = "post", operation_id = "change_email")]
    async fn change(
        &self,
        Sender(origin): Sender,
        state: Data<&State>,
        address: ClientAddress,
        body: Json<ChangeEmail>,
    ) -> Result<NoContent, ApiError> {
        let token = LetterToken::presented(body.0.token);
        let attempt = guess::admit(&state, Kind::EmailChange, address.ip()).await?;
        let changed = changed(&state, &token, &origin).await;
        guess::settle(&state, attempt, &changed).await?;
        changed?;
        Ok(NoContent::Done)
    }
}

async fn changed(state: &State, token: &LetterToken, origin: &Origin) -> Result<()> {
    let mut tx = state.db.platform().await?;
    letters::change_email(&mut tx, token, origin).await?;
    tx.commit().await
}
