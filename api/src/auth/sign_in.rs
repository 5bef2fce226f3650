//! From a password to tokens, and from tokens to later ones.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use secrecy::SecretString;
use shared::ids::{EnterpriseId, SessionId, UserId};
use shared::users::attempts::Kind as Guessed;
use shared::users::sessions::{self, NewSession, Opening, Place, Session};
use shared::users::tokens::RefreshToken;
use shared::users::{Email, second_factor, trail};
use shared::{Error, Result};

use super::Leaving;
use super::device::Client;
use super::guess::{self, Guess};
use crate::answers::NoContent;
use crate::origin::Sender;
use crate::problem::ApiError;
use crate::tokens::Kind;
use crate::{State, Tag};

/// Who signs in, and where.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct Login {
    /// The address of e-mail, in any case.
    #[oai(validator(max_length = 254))]
    pub email: String,
    /// The password.
    #[oai(validator(max_length = 1024))]
    pub password: String,
    /// Which enterprise; needed only by those who belong to several.
    pub enterprise_id: Option<EnterpriseId>,
}

/// The second step of signing in.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginSecondFactor {
    /// From `POST /auth/login`.
    #[oai(validator(max_length = 2048))]
    pub pending_token: String,
    /// Six digits, or a recovery code.
    #[oai(validator(max_length = 64))]
    pub code: String,
    /// Which enterprise; needed only by those who belong to several.
    pub enterprise_id: Option<EnterpriseId>,
}

/// Which session goes on.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refresh {
    /// The last refresh token of the session; it is good once.
    #[oai(validator(max_length = 2048))]
    pub refresh_token: String,
}

/// A signed-in client's tokens.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct SignedIn {
    /// Send it as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// How many seconds the access token is good for.
    pub expires_in: i64,
    /// Exchange it for new tokens with `POST /auth/refresh`; it is good once.
    pub refresh_token: String,
    /// Until when.
    pub refresh_expires_at: DateTime<Utc>,
    /// Who signed in.
    pub user_id: UserId,
    /// Where; absent for a system administrator, who acts in no enterprise.
    pub enterprise_id: Option<EnterpriseId>,
}

/// The password was right; the second factor is still to be given.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct SecondFactorPending {
    /// Send it to `POST /auth/login/second-factor`.
    pub pending_token: String,
    /// How many seconds it is good for.
    pub expires_in: i64,
}

/// What became of a password.
#[derive(Debug, ApiResponse)]
pub enum LoggedIn {
    /// Signed in
    #[oai(status = 200)]
    In(Json<SignedIn>),
    /// The second factor is still to be given
    #[oai(status = 202)]
    Pending(Json<SecondFactorPending>),
}

/// Signing in and out.
pub struct Api;

#[OpenApi(tag = "Tag::Auth")]
impl Api {
    /// Sign in
    ///
    /// Answers the same to an unknown address, a wrong password and a person who may not sign in. Who has a second factor is
    /// answered 202 and a token for `POST /auth/login/second-factor`.
    #[oai(path = "/auth/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        Sender(origin): Sender,
        state: Data<&State>,
        client: Client,
        body: Json<Login>,
    ) -> Result<LoggedIn, ApiError> {
        let Login { email, password, enterprise_id } = body.0;
        let guess = Guess::at(&state, Email::parse(&email)?, SecretString::from(password)).await?;
        let user_id = guess.sign_in(&state, &origin).await?.id;
        let (id, refresh) = (SessionId::new(), RefreshToken::random());
        let mut tx = state.db.platform().await?;
        let new = NewSession { id, user_id, enterprise_id, refresh: &refresh, device: &client.0, origin: &origin };
        let opening = sessions::open(&mut tx, &new).await?;
        let now = tx.now().await?;
        let answer = match opening {
            Opening::Opened(session) => LoggedIn::In(Json(signed_in(&state, &session, &refresh, now)?)),
            Opening::SecondFactor => LoggedIn::Pending(Json(pending(&state, id, user_id, now)?)),
            Opening::Choose(places) => return Err(choose(&places)),
        };
        tx.commit().await?;
        Ok(answer)
    }

    /// Sign in: the second factor
    ///
    /// A code from the telephone is good once, a recovery code too. From the fifth wrong one on there is a wait.
    #[oai(path = "/auth/login/second-factor", method = "post", operation_id = "login_second_factor")]
    async fn second_factor(
        &self,
        Sender(origin): Sender,
        state: Data<&State>,
        client: Client,
        body: Json<LoginSecondFactor>,
    ) -> Result<Json<SignedIn>, ApiError> {
        let LoginSecondFactor { pending_token, code, enterprise_id } = body.0;
        let claims = state.tokens.verify(Kind::Pending, &pending_token)?;
        let (refresh, user_id) = (RefreshToken::random(), claims.sub);
        let mut tx = state.db.platform().await?;
        claims.check_time(Kind::Pending, tx.now().await?)?;
        drop(tx);
        let new = NewSession {
            id: claims.sid,
            user_id,
            enterprise_id,
            refresh: &refresh,
            device: &client.0,
            origin: &origin,
        };
        let attempt = guess::admit(&state, Guessed::SecondFactor, user_id).await?;
        let opened = opened_with(&state, &new, &code).await;
        guess::settle(&state, attempt, &opened).await?;
        if let Err(Error::Unauthenticated(_)) = &opened {
            let mut tx = state.db.platform().await?;
            trail::code_refused(&mut tx, user_id, &origin).await?;
            tx.commit().await?;
        }
        match opened? {
            (Opening::Opened(session), now) => Ok(Json(signed_in(&state, &session, &refresh, now)?)),
            (Opening::SecondFactor, _) => Err(Error::Unauthenticated(sessions::WRONG).into()),
            (Opening::Choose(places), _) => Err(choose(&places)),
        }
    }

    /// Get new tokens
    ///
    /// The refresh token is replaced. If the answer is lost, the same client may ask again for ten seconds and is given the
    /// same new one. A replaced token that comes later, or from another client, ends the session.
    #[oai(path = "/auth/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(
        &self,
        Sender(origin): Sender,
        state: Data<&State>,
        client: Client,
        body: Json<Refresh>,
    ) -> Result<Json<SignedIn>, ApiError> {
        let presented = RefreshToken::presented(body.0.refresh_token);
        let mut tx = state.db.platform().await?;
        let refreshed = sessions::refresh(&mut tx, &presented, &client.0, &origin).await?;
        let now = tx.now().await?;
        tx.commit().await?;
        let (session, refresh) = refreshed.into_session()?;
        Ok(Json(signed_in(&state, &session, &refresh, now)?))
    }

    /// Sign out
    ///
    /// Ends the session of the access token at once, its refresh token included.
    #[oai(path = "/auth/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, Leaving(actor): Leaving, state: Data<&State>) -> Result<NoContent, ApiError> {
        let mut tx = state.db.begin(&actor).await?;
        sessions::sign_out(&mut tx).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }

    /// Sign out everywhere
    ///
    /// Ends every session of the person, in every enterprise, this one included.
    #[oai(path = "/auth/logout-everywhere", method = "post", operation_id = "logout_everywhere")]
    async fn logout_everywhere(&self, Leaving(actor): Leaving, state: Data<&State>) -> Result<NoContent, ApiError> {
        let mut tx = state.db.begin(&actor).await?;
        sessions::end_everywhere(&mut tx).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }
}

/// The session of who gives the code, too. Where an enterprise is still to be named nothing is committed: the code is good
/// for the next try.
async fn opened_with(state: &State, new: &NewSession<'_>, code: &str) -> Result<(Opening, DateTime<Utc>)> {
    let mut tx = state.db.platform().await?;
    let now = tx.now().await?;
    second_factor::prove(&mut tx, &state.config.keyring, new.user_id, code).await?.require()?;
    let opening = sessions::open_proven(&mut tx, new).await?;
    match opening {
        Opening::Opened(_) => tx.commit().await?,
        Opening::SecondFactor | Opening::Choose(_) => drop(tx),
    }
    Ok((opening, now))
}

fn choose(places: &[Place]) -> ApiError {
    let named: Vec<_> = places.iter().map(|place| format!("{} ({})", place.id, place.name)).collect();
    let error = Error::invalid("enterpriseId", format!("must be one of {}", named.join(", ")));
    ApiError::from(error).allowing(places.iter().map(|place| place.id.to_string()).collect())
}

fn pending(state: &State, id: SessionId, user_id: UserId, now: DateTime<Utc>) -> Result<SecondFactorPending> {
    Ok(SecondFactorPending {
        pending_token: state.tokens.sign(Kind::Pending, id, user_id, now)?,
        expires_in: Kind::Pending.life().num_seconds(),
    })
}

fn signed_in(state: &State, session: &Session, refresh: &RefreshToken, now: DateTime<Utc>) -> Result<SignedIn> {
    Ok(SignedIn {
        access_token: state.tokens.sign(Kind::Access, session.id, session.user_id, now)?,
        token_type: "Bearer".to_owned(),
        expires_in: Kind::Access.life().num_seconds(),
        refresh_token: refresh.expose().to_owned(),
        refresh_expires_at: session.expires_at,
        user_id: session.user_id,
        enterprise_id: session.enterprise_id,
    })
}
