//! Signing in, and who is asking: [`Caller`] is the first parameter of every handler, because who you are is asked before
//! what you want.

mod device;
mod guess;
mod invitations;
mod known;
mod passwords;
mod second_factor;
mod sessions;
mod sign_in;

use poem::Request;
use poem_openapi::SecurityScheme;
use poem_openapi::auth::Bearer;
use shared::access::{Actor, Permission};
use shared::users::sessions::Recognised;
use shared::{Error, Result};

use crate::problem::ApiError;
use crate::tokens::Kind;
use crate::{State, edge};

pub use known::KnownSessions;

/// Everything about signing in that is served.
pub type Apis = (sign_in::Api, sessions::Api, second_factor::Api, passwords::Api, invitations::Api);
/// One of each.
pub const APIS: Apis = (sign_in::Api, sessions::Api, second_factor::Api, passwords::Api, invitations::Api);

/// An access token from `POST /auth/login`, good for ten minutes. What it may do follows from the role that its user has
/// at this moment.
#[derive(Debug, SecurityScheme)]
#[oai(rename = "AccessToken", ty = "bearer", bearer_format = "JWT", checker = "recognise")]
pub struct Caller(pub Actor);

/// The same token, also from an administrator who has yet to set up the second factor that this installation asks for.
#[derive(Debug, SecurityScheme)]
#[oai(rename = "AccessToken", ty = "bearer", bearer_format = "JWT", checker = "recognise_enrolling")]
pub struct Enrolling(pub Actor);

async fn recognise(request: &Request, bearer: Bearer) -> poem::Result<Actor> {
    let recognised = recognised(request, &bearer).await?;
    let state = state_of(request);
    if lacks_second_factor(state, &recognised) {
        return Err(ApiError::from(Error::SecondFactorRequired).into());
    }
    Ok(recognised.actor)
}

async fn recognise_enrolling(request: &Request, bearer: Bearer) -> poem::Result<Actor> {
    Ok(recognised(request, &bearer).await?.actor)
}

async fn recognised(request: &Request, bearer: &Bearer) -> poem::Result<Recognised> {
    let recognised = session_of(state_of(request), &bearer.token).await.map_err(ApiError::from)?;
    edge::record(&recognised.actor);
    Ok(recognised)
}

fn state_of(request: &Request) -> &State {
    request.data().expect("the state is laid around all routes")
}

async fn session_of(state: &State, token: &str) -> Result<Recognised> {
    // The signature first: a forged token must not cost a question to the database.
    let claims = state.tokens.verify(Kind::Access, token)?;
    state.sessions.recognise(&state.db, &claims).await
}

/// Who manages people is an administrator here, whatever the role is called.
fn lacks_second_factor(state: &State, recognised: &Recognised) -> bool {
    state.config.require_second_factor && !recognised.second_factor && recognised.actor.may(Permission::ManagePeople)
}
