//! Where a request comes from, for the audit log, and what it says of being repeated and of what it expects.

use poem::http::{Method, header};
use poem::{FromRequest, Request, RequestBody};
use shared::Result;
use shared::access::Origin;
use shared::ids::SessionId;
use shared::versions::Expected;

use crate::edge::{ClientAddress, Received};
use crate::idempotency::{self, Repeat};

/// Where a request comes from: a parameter of operations that nobody needs to be signed in for.
#[derive(Clone, Debug)]
pub struct Sender(pub Origin);

impl<'a> FromRequest<'a> for Sender {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(of(request)))
    }
}

fn of(request: &Request) -> Origin {
    let received = request.data::<Received>();
    Origin {
        session_id: None,
        address: request.data::<ClientAddress>().map(|client| client.ip()),
        request_id: received.map(|received| received.request_id.clone()),
        operation: received.map(|received| received.operation.clone()),
        ask: None,
        expected: None,
    }
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
