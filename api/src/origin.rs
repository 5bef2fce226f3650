//! Where a request comes from, for the audit log, and what it says of being repeated and of what it expects.

use std::net::IpAddr;

use poem::http::{Method, header};
use poem::{FromRequest, Request, RequestBody};
use shared::Result;
use shared::access::Origin;
use shared::ids::SessionId;
use shared::versions::Expected;

use crate::idempotency::{self, Repeat};

/// How the edge calls a request and what it asks for, as it lays it beside the request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The name of this one request.
    pub request_id: String,
    /// The operation's id, or `none`.
    pub operation: String,
}

/// Where a request comes from: a parameter of operations that nobody needs to be signed in for.
#[derive(Clone, Debug)]
pub struct Sender(pub Origin);

impl<'a> FromRequest<'a> for Sender {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(of(request)))
    }
}

fn of(request: &Request) -> Origin {
    let asked = request.data::<Asked>();
    Origin {
        session_id: None,
        address: address(request),
        request_id: asked.map(|asked| asked.request_id.clone()),
        operation: asked.map(|asked| asked.operation.clone()),
        ask: None,
        expected: None,
    }
}

fn address(request: &Request) -> Option<IpAddr> {
    request.remote_addr().as_socket_addr().map(|address| address.ip().to_canonical())
}

/// Of a request whose caller is known. Only what changes something can be repeated or expect anything.
pub(crate) fn of_caller(request: &Request, session_id: Option<SessionId>) -> Result<Origin> {
    let origin = Origin { session_id, ..of(request) };
    if !changes(request.method()) {
        return Ok(origin);
    }
    let may_repeat = origin.operation.as_deref().is_some_and(idempotency::accepts);
    let ask = match request.data::<Repeat>() {
        Some(repeat) if may_repeat => Some(repeat.ask()?),
        Some(_) | None => None,
    };
    // A header may come in several lines; together they are one list.
    let lines: Vec<_> =
        request.headers().get_all(header::IF_MATCH).iter().map(|line| line.to_str().unwrap_or("?")).collect();
    let expected = if lines.is_empty() { None } else { Some(Expected::parse(&lines.join(","))?) };
    Ok(Origin { ask, expected, ..origin })
}

/// Whether a request of this method changes anything.
pub(crate) fn changes(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method)
}
