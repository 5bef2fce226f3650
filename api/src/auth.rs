//! Signing in, and who is asking: [`Caller`] is the first parameter of every handler, because who you are is asked before
//! what you want.

use poem::web::Data;
use poem::{FromRequest, Request, RequestBody};
use poem_openapi::auth::{Bearer, BearerAuthorization};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi, SecurityScheme};
use secrecy::SecretString;
use shared::access::{ADMINISTER_SYSTEM, Actor, BELONG_TO_ENTERPRISE, Operator, Recognised};
use shared::api_keys::{self, Secret};
use shared::ids::{EnterpriseId, SessionId, UserId};
use shared::users::Email;
use shared::users::attempts;
use shared::users::sessions::{self, Opening, RefreshToken, Session};
use shared::{Error, Result};

use crate::answers::NoContent;
use crate::problem::ApiError;
use crate::{State, Tag, edge, needs::Needs, tokens};

/// An access token from `POST /auth/login`, good for ten minutes, or a service key (`wbk_…`). What it may do follows from
/// what was granted to its user at this moment; a key may never do more than the person who made it.
#[derive(Debug, SecurityScheme)]
#[oai(rename = "AccessToken", ty = "bearer", bearer_format = "JWT", checker = "actor")]
pub struct Caller(pub Actor);

/// An access token from `POST /auth/login`, good for ten minutes, or a service key (`wbk_…`). What it may do follows from
/// what was granted to its user at this moment; a key may never do more than the person who made it.
#[derive(Debug, SecurityScheme)]
#[oai(rename = "AccessToken", ty = "bearer", bearer_format = "JWT", checker = "operator")]
pub struct SystemAdministrator(pub Operator);

/// An access token from `POST /auth/login`, good for ten minutes, or a service key (`wbk_…`). What it may do follows from
/// what was granted to its user at this moment; a key may never do more than the person who made it.
#[derive(Debug, SecurityScheme)]
#[oai(rename = "AccessToken", ty = "bearer", bearer_format = "JWT", checker = "anybody")]
pub struct Anybody(pub Recognised);

async fn actor(request: &Request, bearer: Bearer) -> poem::Result<Actor> {
    match admitted(request, &bearer).await? {
        Recognised::Actor(actor) => Ok(actor),
        Recognised::Operator(_) => Err(ApiError::from(Error::Forbidden(BELONG_TO_ENTERPRISE)).into()),
    }
}

async fn operator(request: &Request, bearer: Bearer) -> poem::Result<Operator> {
    match admitted(request, &bearer).await? {
        Recognised::Operator(operator) => Ok(operator),
        Recognised::Actor(_) => Err(ApiError::from(Error::Forbidden(ADMINISTER_SYSTEM)).into()),
    }
}

async fn anybody(request: &Request, bearer: Bearer) -> poem::Result<Recognised> {
    admitted(request, &bearer).await
}

/// Who is asking, if the operation is open to them.
async fn admitted(request: &Request, bearer: &Bearer) -> poem::Result<Recognised> {
    let recognised = recognise(state_of(request), &bearer.token).await.map_err(ApiError::from)?;
    edge::recognised(request, &recognised).await?;
    let operation = request.data::<edge::Operation>().map_or("none", |operation| operation.0.as_str());
    let needs = Needs::of(operation)
        .ok_or_else(|| Error::Inconsistent(format!("nobody says what operation {operation} needs")))
        .map_err(ApiError::from)?;
    needs.admit(&recognised).map_err(ApiError::from)?;
    Ok(recognised)
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

async fn recognise(state: &State, token: &str) -> Result<Recognised> {
    if Secret::is_one(token) {
        let refused = || Error::Unauthenticated("the service key is not valid, or no longer");
        let secret = Secret::parse(token).ok_or_else(refused)?;
        return api_keys::recognise(&state.db, &secret).await?.map(Recognised::Actor).ok_or_else(refused);
    }
    let claims = state.tokens.verify(token)?;
    let mut tx = state.db.platform().await?;
    claims.check_time(tx.now().await?)?;
    let recognised = sessions::recognise(&mut tx, claims.sid, claims.sub).await?;
    recognised.ok_or(Error::Unauthenticated("the session is over"))
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
    /// Which enterprise; needed only by those who belong to several. A system administrator who names none acts in none.
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
    pub refresh_expires_at: chrono::DateTime<chrono::Utc>,
    /// Who signed in.
    pub user_id: UserId,
    /// Where; absent for a system administrator, who acts in no enterprise.
    pub enterprise_id: Option<EnterpriseId>,
}

/// Signing in and out.
pub struct Api;

#[OpenApi(tag = "Tag::Auth")]
impl Api {
    /// Sign in
    ///
    /// Answers the same to an unknown address, a wrong password and a person who may not sign in.
    #[oai(path = "/auth/login", method = "post", operation_id = "login")]
    async fn login(&self, state: Data<&State>, body: Json<Login>) -> Result<Json<SignedIn>, ApiError> {
        let Login { email, password, enterprise_id } = body.0;
        let user_id = check_password(&state, &Email::parse(&email)?, SecretString::from(password)).await?;
        let refresh = RefreshToken::random();
        let mut tx = state.db.platform().await?;
        let session = match sessions::open(&mut tx, user_id, enterprise_id, &refresh).await? {
            Opening::Opened(session) => session,
            Opening::Choose(places) => return Err(choose(&places)),
        };
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
        Anybody(_caller): Anybody,
        session: CurrentSession,
        state: Data<&State>,
    ) -> Result<NoContent, ApiError> {
        let mut tx = state.db.platform().await?;
        sessions::close(&mut tx, session.0).await?;
        tx.commit().await?;
        Ok(NoContent::Done)
    }
}

/// No transaction is open while Argon2 runs, and it runs whether or not there is such a person. It does not run for who
/// has guessed too often, right or wrong.
async fn check_password(state: &State, email: &Email, password: SecretString) -> Result<UserId> {
    let mut tx = state.db.platform().await?;
    let attempt = attempts::admit(&mut tx, attempts::Kind::Password, email.into()).await?;
    let enterprises = attempts::allowances(&mut tx, email).await?;
    let person = sessions::find_person(&mut tx, email).await?;
    tx.commit().await?;
    let (id, hash) = person.map(|person| (person.id, person.password_hash)).unzip();
    let outcome = match state.rates.sign_in(&enterprises).await {
        Ok(()) => state.passwords.verify(password, hash).await,
        Err(refused) => Err(refused),
    };
    let mut tx = state.db.platform().await?;
    match &outcome {
        Ok(true) if id.is_some() => attempt.succeeded(&mut tx).await?,
        Ok(_) => attempt.failed(),
        Err(_) => attempt.withdrawn(&mut tx).await?,
    }
    tx.commit().await?;
    let same = outcome?;
    id.filter(|_| same).ok_or(Error::Unauthenticated(sessions::WRONG))
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
    })
}
