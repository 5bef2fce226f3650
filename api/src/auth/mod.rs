//! Signing in, and who is asking: [`Caller`] is the first parameter of every handler, because who you are is asked before
//! what you want.

mod device;
mod email;
mod guess;
mod invitations;
mod known;
mod passwords;
mod second_factor;
mod sessions;
mod sign_in;

use poem::Request;
use poem::http::header;
use poem_openapi::SecurityScheme;
use poem_openapi::auth::Bearer;
use shared::access::{ADMINISTER_SYSTEM, Actor, BELONG_TO_ENTERPRISE, Operator, Permission, Recognised};
use shared::api_keys::{self, Secret};
use shared::enterprises::SecondFactorDuty;
use shared::users::sessions::Acting;
use shared::{Error, Result};

use crate::audit::Denials;
use crate::needs::Needs;
use crate::origin;
use crate::problem::ApiError;
use crate::tokens::Kind;
use crate::{State, edge};

pub use invitations::Letter;
pub(crate) use invitations::delivery;
pub use known::KnownSessions;

/// Everything about signing in that is served.
pub type Apis = (sign_in::Api, sessions::Api, second_factor::Api, passwords::Api, email::Api, invitations::Api);
/// One of each.
pub const APIS: Apis = (sign_in::Api, sessions::Api, second_factor::Api, passwords::Api, email::Api, invitations::Api);

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

/// An access token from `POST /auth/login`, good for ten minutes, or a service key (`wbk_…`). What it may do follows from
/// what was granted to its user at this moment; a key may never do more than the person who made it.
#[derive(Debug, SecurityScheme)]
#[oai(rename = "AccessToken", ty = "bearer", bearer_format = "JWT", checker = "own")]
pub struct Own(pub Actor);

/// An access token from `POST /auth/login`, good for ten minutes, or a service key (`wbk_…`). What it may do follows from
/// what was granted to its user at this moment; a key may never do more than the person who made it.
#[derive(Debug, SecurityScheme)]
#[oai(rename = "AccessToken", ty = "bearer", bearer_format = "JWT", checker = "enrolling")]
pub struct Enrolling(pub Actor);

/// An access token from `POST /auth/login`, good for ten minutes, or a service key (`wbk_…`). What it may do follows from
/// what was granted to its user at this moment; a key may never do more than the person who made it.
#[derive(Debug, SecurityScheme)]
#[oai(rename = "AccessToken", ty = "bearer", bearer_format = "JWT", checker = "leaving")]
pub struct Leaving(pub Actor);

async fn actor(request: &Request, bearer: Bearer) -> poem::Result<Actor> {
    member(admitted(request, &bearer).await?)
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

/// Anybody, for what is their own: in their enterprise, or in the installation that they run.
async fn own(request: &Request, bearer: Bearer) -> poem::Result<Actor> {
    Ok(admitted(request, &bearer).await?.into_actor())
}

/// Also who has yet to set up the second factor that is asked of them.
async fn enrolling(request: &Request, bearer: Bearer) -> poem::Result<Actor> {
    Ok(look(request, &bearer).await?.0.into_actor())
}

/// Anybody may go.
async fn leaving(request: &Request, bearer: Bearer) -> poem::Result<Actor> {
    Ok(look(request, &bearer).await?.0.into_actor())
}

/// Whoever acts in an enterprise.
fn member(recognised: Recognised) -> poem::Result<Actor> {
    match recognised {
        Recognised::Actor(actor) => Ok(actor),
        Recognised::Operator(_) => Err(ApiError::from(Error::Forbidden(BELONG_TO_ENTERPRISE)).into()),
    }
}

async fn admitted(request: &Request, bearer: &Bearer) -> poem::Result<Recognised> {
    match look(request, bearer).await? {
        (recognised, Asked::Given) => Ok(recognised),
        (_, Asked::Lacking) => Err(ApiError::from(Error::SecondFactorRequired).into()),
    }
}

/// Whether the caller has the second factor that is asked of them, if one is.
enum Asked {
    Given,
    Lacking,
}

/// Who is asking, if the operation is open to them.
async fn look(request: &Request, bearer: &Bearer) -> poem::Result<(Recognised, Asked)> {
    let (recognised, asked) = recognise(state_of(request), &bearer.token).await.map_err(ApiError::from)?;
    edge::recognised(request, &recognised).await?;
    let origin = origin::of_caller(request, recognised.actor().session_id()).map_err(ApiError::from)?;
    let recognised = recognised.with_origin(origin);
    Denials::know(request, recognised.actor());
    let operation = request.data::<edge::Received>().map_or("none", |received| received.operation.as_str());
    let needs = Needs::of(operation)
        .ok_or_else(|| Error::Inconsistent(format!("nobody says what operation {operation} needs")))
        .map_err(ApiError::from)?;
    needs.admit(&recognised).map_err(ApiError::from)?;
    Ok((recognised, asked))
}

fn state_of(request: &Request) -> &State {
    request.data().expect("the state is laid around all routes")
}

/// Fails unless the request shows a token that is good: for who must know before the handler asks.
pub(crate) async fn refuse_unknown(request: &Request, state: &State) -> poem::Result<()> {
    let shown = request.header(header::AUTHORIZATION).and_then(|shown| shown.split_once(' '));
    let token = shown.filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let token = token.ok_or(Error::Unauthenticated("no token is shown")).map_err(ApiError::from)?;
    recognise(state, token).await.map_err(ApiError::from)?;
    Ok(())
}

async fn recognise(state: &State, token: &str) -> Result<(Recognised, Asked)> {
    if Secret::is_one(token) {
        let refused = || Error::Unauthenticated("the service key is not valid, or no longer");
        let secret = Secret::parse(token).ok_or_else(refused)?;
        let actor = api_keys::recognise(&state.db, &secret).await?.ok_or_else(refused)?;
        return Ok((Recognised::Actor(actor), Asked::Given));
    }
    // The signature first: a forged token must not cost a question to the database.
    let claims = state.tokens.verify(Kind::Access, token)?;
    let acting = state.sessions.recognise(&state.db, &claims).await?;
    let asked =
        if lacks_second_factor(state.config.require_second_factor, &acting) { Asked::Lacking } else { Asked::Given };
    Ok((acting.who, asked))
}

/// Who manages people is an administrator here, whatever the role is called; so is who runs the installation.
fn lacks_second_factor(installation: bool, acting: &Acting) -> bool {
    let otherwise = if installation { SecondFactorDuty::Administrators } else { SecondFactorDuty::Nobody };
    let asked = match (acting.asked_of.unwrap_or(otherwise), &acting.who) {
        (SecondFactorDuty::Administrators, Recognised::Actor(actor)) => actor.may(Permission::ManagePeople),
        (SecondFactorDuty::Everybody, _) | (SecondFactorDuty::Administrators, Recognised::Operator(_)) => true,
        (SecondFactorDuty::Nobody, _) => false,
    };
    asked && !acting.second_factor
}
