//! Signing in, and who is asking: [`Caller`] is the first parameter of every handler, because who you are is asked before
//! what you want.

use poem::web::Data;
use poem::{FromRequest, Request, RequestBody};
use poem_openapi::auth::{Bearer, BearerAuthorization};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi, SecurityScheme};
use secrecy::SecretString;
use shared::access::{Actor, Origin, Role};
use shared::ids::{EnterpriseId, SessionId, UserId};
use shared::users::Email;
use shared::users::sessions::{self, Opening, RefreshToken, Session};
use shared::users::trail;
use shared::{Error, Result};

use crate::answers::NoContent;
use crate::audit::Denials;
use crate::origin::{self, Sender};
use crate::problem::ApiError;
use crate::{State, Tag, edge, tokens};

/// An access token from `POST /auth/login`, good for ten minutes. What it may do follows from the role that its user has
/// at this moment.
#[derive(Debug, SecurityScheme)]
#[oai(rename = "AccessToken", ty = "bearer", bearer_format = "JWT", checker = "recognise")]
pub struct Caller(pub Actor);

async fn recognise(request: &Request, bearer: Bearer) -> poem::Result<Actor> {
    let (actor, session_id) = actor_of(state_of(request), &bearer.token).await.map_err(ApiError::from)?;
    edge::record(&actor);
    let origin = origin::of_caller(request, session_id).map_err(ApiError::from)?;
    let actor = actor.with_origin(origin);
    Denials::know(request, &actor);
    Ok(actor)
}

/// The session of the token that [`Caller`] has accepted: a second parameter, for what concerns the session itself.
#[derive(Clone, Copy, Debug)]
pub struct CurrentSession(pub SessionId);

impl<'a> FromRequest<'a> for CurrentSession {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let bearer = Bearer::from_request(request)?;
        let claims = state_of(request).tokens.verify(&bearer.token).map_err(ApiError::from)?;
        Ok(Self(claims.sid))
    }
}

fn state_of(request: &Request) -> &State {
    request.data().expect("the state is laid around all routes")
}

async fn actor_of(state: &State, token: &str) -> Result<(Actor, SessionId)> {
    let claims = state.tokens.verify(token)?;
    let mut tx = state.db.platform().await?;
    claims.check_time(tx.now().await?)?;
    let actor = sessions::recognise(&mut tx, claims.sid, claims.sub).await?;
    Ok((actor.ok_or(Error::Unauthenticated("the session is over"))?, claims.sid))
}

/// Who signs in, and where.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct Login {
    /// The address of e-mail, in any case.
    pub email: String,
    /// The password.
    #[oai(validator(max_length = 1024))]
    pub password: String,
    /// Which enterprise; needed only by those who belong to several.
    pub enterprise_id: Option<EnterpriseId>,
}

/// Which session goes on.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refresh {
    /// The last refresh token of the session; it is good once.
    #[oai(validator(max_length = 256))]
    pub refresh_token: String,
}

/// A signed-in client's tokens.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
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
    pub refresh_expires_at: chrono::DateTime<chrono::Utc>,
    /// Who signed in.
    pub user_id: UserId,
    /// Where.
    pub enterprise_id: EnterpriseId,
    /// As what.
    pub role: Role,
}

/// Signing in and out.
pub struct Api;

#[OpenApi(tag = "Tag::Auth")]
impl Api {
    /// Sign in
    ///
    /// Answers the same to an unknown address, a wrong password and a person who may not sign in.
    #[oai(path = "/auth/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        Sender(origin): Sender,
        state: Data<&State>,
        body: Json<Login>,
    ) -> Result<Json<SignedIn>, ApiError> {
        let Login { email, password, enterprise_id } = body.0;
        let user_id = check_password(&state, &Email::parse(&email)?, SecretString::from(password), &origin).await?;
        let refresh = RefreshToken::random();
        let mut tx = state.db.platform().await?;
        let session = match sessions::open(&mut tx, user_id, enterprise_id, &refresh).await? {
            Opening::Opened(session) => session,
            Opening::Choose(places) => return Err(choose(&places)),
        };
        trail::opened(&mut tx, &session, &origin).await?;
        let signed_in = signed_in(&state, &session, &refresh, tx.now().await?)?;
        tx.commit().await?;
        Ok(Json(signed_in))
    }

    /// Get new tokens
    ///
    /// The refresh token is replaced: the old one is not accepted again.
    #[oai(path = "/auth/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(&self, state: Data<&State>, body: Json<Refresh>) -> Result<Json<SignedIn>, ApiError> {
        let refresh = RefreshToken::random();
        let mut tx = state.db.platform().await?;
        let session = sessions::refresh(&mut tx, &RefreshToken::presented(body.0.refresh_token), &refresh).await?;
        let signed_in = signed_in(&state, &session, &refresh, tx.now().await?)?;
        tx.commit().await?;
        Ok(Json(signed_in))
    }

    /// Sign out
    ///
    /// Ends the session of the access token at once, its refresh token included.
    #[oai(path = "/auth/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        Caller(actor): Caller,
        session: CurrentSession,
        state: Data<&State>,
    ) -> Result<NoContent, ApiError> {
        let mut tx = state.db.platform().await?;
        sessions::close(&mut tx, session.0).await?;
        trail::ended(&mut tx, session.0, &actor.to_string(), actor.origin()).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }
}

/// No transaction is open while Argon2 runs, and it runs whether or not there is such a person.
async fn check_password(state: &State, email: &Email, password: SecretString, origin: &Origin) -> Result<UserId> {
    let mut tx = state.db.platform().await?;
    let person = sessions::find_person(&mut tx, email).await?;
    tx.commit().await?;
    let (id, hash) = person.map(|person| (person.id, person.password_hash)).unzip();
    let same = state.passwords.verify(password, hash).await?;
    if let Some(id) = id.filter(|_| same) {
        return Ok(id);
    }
    let mut tx = state.db.platform().await?;
    trail::refused(&mut tx, email, id, origin).await?;
    tx.commit().await?;
    Err(Error::Unauthenticated(sessions::WRONG))
}

fn choose(places: &[sessions::Place]) -> ApiError {
    let named: Vec<_> = places.iter().map(|place| format!("{} ({})", place.id, place.name)).collect();
    let error = Error::invalid("enterpriseId", format!("must be one of {}", named.join(", ")));
    ApiError::from(error).allowing(places.iter().map(|place| place.id.to_string()).collect())
}

fn signed_in(
    state: &State,
    session: &Session,
    refresh: &RefreshToken,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<SignedIn> {
    Ok(SignedIn {
        access_token: state.tokens.sign(session.id, session.user_id, now)?,
        token_type: "Bearer".to_owned(),
        expires_in: tokens::LIFE.num_seconds(),
        refresh_token: refresh.expose().to_owned(),
        refresh_expires_at: session.expires_at,
        user_id: session.user_id,
        enterprise_id: session.enterprise_id,
        role: session.role,
    })
}
