//! The front door: what every request meets before its handler, and every answer after it. One file, one question:
//! `connections` how requests come in at all, `address` from whom, `rates` how many, `limits` how large and how long,
//! `cors` whose pages may ask, `headers` what every answer carries.

mod address;
mod connections;
mod cors;
mod guarded;
mod headers;
pub(crate) mod limits;
mod rates;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use poem::error::ResponseError;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::web::{Compress, CompressionAlgo};
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response};
use shared::access::Recognised;
use shared::config::{Door, Rate};
use tracing::{Instrument, Span, field};

use crate::bodies::Unfit;
use crate::problem::{self, Place};
use crate::routes::{Route, Routes};

pub use address::ClientAddress;
pub use connections::{Patience, serve};
pub use rates::{Rates, Standing, UsedUp};

/// What a request is called and which operation it means, for whoever must know before its handler runs.
#[derive(Clone, Debug)]
pub struct Received {
    /// The name of this one request.
    pub request_id: String,
    /// The operation's id, or `none`.
    pub operation: String,
}

/// What the edge itself refuses.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// More bytes than are read.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// Bytes.
        limit: usize,
    },
    /// JSON that is nested deeper than anything we understand.
    #[error("the body is nested deeper than {limit}")]
    TooDeep {
        /// Brackets within brackets.
        limit: u32,
    },
    /// A client that stopped in the middle of a body.
    #[error("the body did not come")]
    BodyTooSlow,
    /// A longer address than is read.
    #[error("the address is longer than {limit} bytes")]
    UriTooLong {
        /// Bytes.
        limit: usize,
    },
    /// More header lines than are read.
    #[error("the header lines are larger than {limit} bytes")]
    HeadersTooLarge {
        /// Bytes.
        limit: usize,
    },
    /// A compressed body: nobody unpacks it, so that nothing small becomes large here.
    #[error("the body is encoded")]
    Encoded,
    /// Text in something else than UTF-8.
    #[error("the body is not said to be UTF-8")]
    Charset,
    /// U+0000 in the address, which no text may hold.
    #[error("the address holds U+0000")]
    Nul,
    /// A body that the document does not allow.
    #[error("the body is not what the document allows")]
    Unfit(Unfit),
    /// More requests than are allowed.
    #[error("too many requests: {}", .0.standing.rate.as_str())]
    TooMany(UsedUp),
    /// The handler did not come to an end.
    #[error("the request took longer than {limit:?}")]
    TimedOut {
        /// How long it was given.
        limit: Duration,
    },
    /// The handler panicked; the panic itself is in the log.
    #[error("the handler panicked")]
    Panicked,
}

impl ResponseError for Fault {
    fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooDeep { .. } | Self::Nul => StatusCode::BAD_REQUEST,
            Self::Unfit(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::UriTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::HeadersTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Encoded | Self::Charset => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::TimedOut { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Operations that try a secret, or have a letter written: their addresses have an allowance for that, beside the one for
/// requests.
const SIGN_IN: &[&str] = &[
    "accept_invitation",
    "change_email",
    "confirm_identity",
    "login",
    "login_second_factor",
    "request_password_reset",
    "reset_password",
];

/// The same of what clients do by themselves, many behind one address: only what was refused is counted.
const RENEWAL: &[&str] = &["refresh"];

/// What an enterprise has an allowance of its own for.
fn work(operation: &str) -> Option<Rate> {
    match operation {
        "create_print_job" => Some(Rate::Labels),
        operation if operation.starts_with("export_") => Some(Rate::Exports),
        _ => None,
    }
}

/// The names of operations that the edge's tables know.
#[cfg(test)]
pub(crate) fn named() -> impl Iterator<Item = &'static str> {
    SIGN_IN.iter().chain(RENEWAL).copied().chain(["create_print_job"]).chain(limits::named())
}

/// What the edge needs to know.
#[derive(Debug)]
pub struct Edge {
    /// Which paths there are.
    pub routes: Routes,
    /// What is believed and allowed.
    pub door: Door,
    /// Who has asked how much.
    pub rates: Rates,
}

/// What the edge knows of one request while it is being answered; the request carries it.
#[derive(Debug)]
struct Visit {
    operation: String,
    client: ClientAddress,
    rates: Rates,
    standings: Mutex<Vec<Standing>>,
}

impl Visit {
    /// Before anybody is asked who it is. Who shows a token is counted by it, and by address only if it is not good.
    async fn enter(&self, has_token: bool) -> Result<(), Fault> {
        let client = self.client.counted();
        if self.operation.starts_with("health") {
            return self.count(Rate::Health, &client).await;
        }
        // Whatever token comes with it: who tries secrets would else only have to add one.
        if SIGN_IN.contains(&self.operation.as_str()) {
            self.count(Rate::SignIn, &client).await?;
        }
        if RENEWAL.contains(&self.operation.as_str()) {
            self.rates.check(Rate::SignIn, &client).map_err(|used_up| self.refuse(used_up))?;
        }
        if has_token {
            return self.rates.check(Rate::Address, &client).map_err(|used_up| self.refuse(used_up));
        }
        self.count(Rate::Address, &client).await
    }

    async fn count(&self, rate: Rate, whom: &str) -> Result<(), Fault> {
        let standing = self.rates.take(rate, whom).await.map_err(|used_up| self.refuse(used_up))?;
        self.note(standing);
        Ok(())
    }

    fn refuse(&self, used_up: UsedUp) -> Fault {
        self.note(used_up.standing);
        Fault::TooMany(used_up)
    }

    fn note(&self, standing: Standing) {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner).push(standing);
    }

    fn standings(&self) -> Vec<Standing> {
        std::mem::take(&mut *self.standings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Somebody was recognised: notes it in the request's span, and so on every line of its log, and counts the request.
pub async fn recognised(request: &Request, caller: &Recognised) -> poem::Result<()> {
    let span = Span::current();
    let (whom, enterprise) = match caller {
        Recognised::Operator(operator) => {
            let actor = operator.actor();
            if let Some(user_id) = actor.user_id() {
                span.record("user.id", field::display(user_id));
            }
            (actor.to_string(), None)
        }
        Recognised::Actor(actor) => {
            span.record("enterprise.id", field::display(actor.enterprise_id()));
            if let Some(user_id) = actor.user_id() {
                span.record("user.id", field::display(user_id));
            }
            if let Some(key_id) = actor.key_id() {
                span.record("key.id", field::display(key_id));
            }
            (actor.to_string(), Some(actor.enterprise_id().to_string()))
        }
    };
    let Some(visit) = request.data::<Arc<Visit>>() else { return Ok(()) };
    // One after the other: whoever asks too much must not use up what belongs to colleagues.
    visit.count(Rate::User, &whom).await?;
    let Some(enterprise) = enterprise else { return Ok(()) };
    visit.count(Rate::Enterprise, &enterprise).await?;
    if let Some(rate) = work(&visit.operation) {
        visit.count(rate, &enterprise).await?;
    }
    Ok(())
}

/// Wraps the routes. Nothing leaves it as an error: every failure is a problem with all headers.
pub fn around<E>(routes: E, edge: Edge) -> impl Endpoint<Output = Response> + 'static
where
    E: Endpoint + 'static,
{
    let edge = Arc::new(edge);
    routes.around(move |routes, request| {
        let edge = Arc::clone(&edge);
        async move { Ok(meet(&*routes, request, &edge).await) }
    })
}

async fn meet<E: Endpoint>(routes: &E, mut request: Request, edge: &Edge) -> Response {
    let started = Instant::now();
    let route = edge.routes.at(request.uri().path());
    let operation = route.and_then(|route| route.operation(request.method())).unwrap_or("none").to_owned();
    let place = Place {
        request_id: headers::request_id(request.headers()),
        allowed_methods: route.map(Route::methods).unwrap_or_default(),
        path_parameters: route.map(Route::parameters).unwrap_or_default(),
    };
    let origin = address::origin(&request, &edge.door.proxies);
    let page = cors::admitted(&request, &edge.door.origins);
    let accepts_gzip = headers::accepts_gzip(request.headers());
    let visit =
        Arc::new(Visit { operation, client: origin.client, rates: edge.rates.clone(), standings: Mutex::default() });
    request.set_data(Received { request_id: place.request_id.clone(), operation: visit.operation.clone() });
    request.set_data(origin.client);
    request.set_data(Arc::clone(&visit));
    let span = tracing::info_span!(
        "request",
        request.id = place.request_id,
        operation = visit.operation,
        http.method = %request.method(),
        http.path = request.uri().path(),
        client.address = %origin.client,
        enterprise.id = field::Empty,
        user.id = field::Empty,
        key.id = field::Empty,
    );

    let work = async {
        let answer = answer(routes, request, &visit, &place, page.as_ref()).await;
        let response = answer.unwrap_or_else(|error| problem::render(&error, &place));
        log(&visit.operation, response.status(), started.elapsed());
        response
    };
    let mut response = work.instrument(span).await;
    let is_empty = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if accepts_gzip && !is_empty && !response.headers().contains_key(header::CONTENT_ENCODING) {
        response = Compress::new(response, CompressionAlgo::GZIP).into_response();
    }
    if let Some(page) = page {
        cors::dress(response.headers_mut(), page);
    }
    rates::tell(response.headers_mut(), &visit.standings());
    headers::dress(response.headers_mut(), &place.request_id, origin.secure);
    response
}

async fn answer<E: Endpoint>(
    routes: &E,
    mut request: Request,
    visit: &Visit,
    place: &Place,
    page: Option<&HeaderValue>,
) -> poem::Result<Response> {
    let has_token = request.headers().contains_key(header::AUTHORIZATION);
    visit.enter(has_token).await?;
    limits::admit(&mut request, &visit.operation)?;
    if request.method() == Method::OPTIONS && !place.allowed_methods.is_empty() {
        return Ok(cors::options(&place.allowed_methods, page.filter(|_| cors::is_preflight(&request))));
    }
    let answer = call(routes, request, limits::time(&visit.operation)).await;
    let status = answer.as_ref().map_or_else(poem::Error::status, Response::status);
    if status == StatusCode::UNAUTHORIZED {
        let client = visit.client.counted();
        if RENEWAL.contains(&visit.operation.as_str()) {
            visit.count(Rate::SignIn, &client).await?;
        }
        if has_token {
            visit.count(Rate::Address, &client).await?;
        }
    }
    answer
}

async fn call<E: Endpoint>(routes: &E, request: Request, limit: Duration) -> poem::Result<Response> {
    match tokio::time::timeout(limit, AssertUnwindSafe(routes.call(request)).catch_unwind()).await {
        Ok(Ok(answer)) => answer.map(IntoResponse::into_response),
        Ok(Err(_panic)) => Err(Fault::Panicked.into()),
        Err(_) => Err(Fault::TimedOut { limit }.into()),
    }
}

fn log(operation: &str, status: StatusCode, elapsed: Duration) {
    let (status, elapsed_ms) = (status.as_u16(), elapsed.as_secs_f64() * 1000.0);
    // Monitors ask every few seconds: their questions are not worth a line.
    if operation.starts_with("health") {
        tracing::debug!(status, elapsed_ms, "Answered {operation}");
    } else {
        tracing::info!(status, elapsed_ms, "Answered {operation}");
    }
}

#[cfg(test)]
mod tests;
