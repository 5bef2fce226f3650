//! What every request meets before its handler, and every answer after it: a name, limits of size and time, the form of
//! failures, compression, a line in the log, and headers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt};
use poem::error::ResponseError;
use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use poem::web::{Compress, CompressionAlgo};
use poem::{Body, Endpoint, EndpointExt, IntoResponse, Request, Response};
use shared::access::Recognised;
use tracing::{Instrument, Span, field};

use crate::origin::Asked;
use crate::problem::{self, Place};
use crate::routes::{Route, Routes};

const BODY_LIMIT: usize = 1024 * 1024;
const URI_LIMIT: usize = 8 * 1024;
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Which operation a request means, for whoever must know before its handler runs.
#[derive(Clone, Debug)]
pub struct Operation(pub String);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the edge itself refuses.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// More bytes than are read.
    #[error("the body is too large")]
    TooLarge,
    /// A longer address than is read.
    #[error("the address is too long")]
    UriTooLong,
    /// A compressed body: nobody unpacks it, so that nothing small becomes large here.
    #[error("the body is encoded")]
    Encoded,
    /// The handler did not come to an end.
    #[error("the request took too long")]
    TimedOut,
    /// The handler panicked; the panic itself is in the log.
    #[error("the handler panicked")]
    Panicked,
}

impl ResponseError for Fault {
    fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Wraps the routes. Nothing leaves it as an error: every failure is a problem with all headers.
pub fn around<E>(routes: E, table: Routes) -> impl Endpoint<Output = Response> + 'static
where
    E: Endpoint + 'static,
{
    let table = Arc::new(table);
    routes.around(move |routes, request| {
        let table = Arc::clone(&table);
        async move { Ok(meet(routes, request, &table).await) }
    })
}

async fn meet<E: Endpoint>(routes: Arc<E>, mut request: Request, table: &Routes) -> Response {
    let started = Instant::now();
    let route = table.at(request.uri().path());
    let operation = route.and_then(|route| route.operation(request.method())).unwrap_or("none").to_owned();
    let place = Place {
        request_id: request_id(request.headers()),
        allowed_methods: route.map(Route::methods).unwrap_or_default(),
        path_parameters: route.map(Route::parameters).unwrap_or_default(),
    };
    request.set_data(Operation(operation.clone()));
    let accepts_gzip = accepts_gzip(request.headers());
    let secure = request.header("x-forwarded-proto") == Some("https");
    request.set_data(Asked { request_id: place.request_id.clone(), operation: operation.clone() });
    let span = tracing::info_span!(
        "request",
        request.id = place.request_id,
        operation,
        http.method = %request.method(),
        http.path = request.uri().path(),
        enterprise.id = field::Empty,
        user.id = field::Empty,
        key.id = field::Empty,
    );

    let work = async {
        let answer = match admit(&mut request) {
            Ok(()) => call(&*routes, request).await,
            Err(fault) => Err(fault.into()),
        };
        let response = answer.unwrap_or_else(|error| problem::render(&error, &place));
        log(&operation, response.status(), started.elapsed());
        response
    };
    let mut response = work.instrument(span).await;
    if accepts_gzip && !response.headers().contains_key(header::CONTENT_ENCODING) {
        response = Compress::new(response, CompressionAlgo::GZIP).into_response();
    }
    dress(response.headers_mut(), &place.request_id, secure);
    response
}

async fn call<E: Endpoint>(routes: &E, request: Request) -> poem::Result<Response> {
    match tokio::time::timeout(TIME_LIMIT, AssertUnwindSafe(routes.call(request)).catch_unwind()).await {
        Ok(Ok(answer)) => answer.map(IntoResponse::into_response),
        Ok(Err(_panic)) => Err(Fault::Panicked.into()),
        Err(_) => Err(Fault::TimedOut.into()),
    }
}

/// Limits what is read of the request.
fn admit(request: &mut Request) -> Result<(), Fault> {
    let uri_length = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri_length > URI_LIMIT {
        return Err(Fault::UriTooLong);
    }
    if request.header(header::CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(Fault::Encoded);
    }
    let announced: Option<usize> = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    if announced.is_some_and(|length| length > BODY_LIMIT) {
        return Err(Fault::TooLarge);
    }
    // Counted while it is read: a chunked body announces nothing.
    let mut left = BODY_LIMIT;
    let body = request.take_body().into_bytes_stream().map(move |chunk| {
        let chunk = chunk?;
        left = left.checked_sub(chunk.len()).ok_or_else(|| std::io::Error::other(Fault::TooLarge))?;
        Ok::<_, std::io::Error>(chunk)
    });
    request.set_body(Body::from_bytes_stream(body));
    Ok(())
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

/// Notes in the request's span, and so on every line of its log, who is asking.
pub fn record(caller: &Recognised) {
    let span = Span::current();
    match caller {
        Recognised::Operator(operator) => {
            span.record("user.id", field::display(operator.user_id()));
        }
        Recognised::Actor(actor) => {
            span.record("enterprise.id", field::display(actor.enterprise_id()));
            if let Some(user_id) = actor.user_id() {
                span.record("user.id", field::display(user_id));
            }
            if let Some(key_id) = actor.key_id() {
                span.record("key.id", field::display(key_id));
            }
        }
    }
}

/// The name that a proxy or client gave, if it is harmless to print, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let harmless = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(harmless);
    given.map_or_else(|| format!("{:032x}", rand::random::<u128>()), str::to_owned)
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let quality: f32 = quality.trim().strip_prefix("q=").and_then(|q| q.trim().parse().ok()).unwrap_or(1.0);
        name.trim().eq_ignore_ascii_case("gzip") && quality > 0.0
    })
}

/// Helmet's set and OWASP's for REST. A handler's own `Cache-Control` or `Content-Security-Policy` stays.
const HEADERS: [(&str, &str); 14] = [
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-site"),
    ("origin-agent-cluster", "?1"),
    (
        "permissions-policy",
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()",
    ),
    ("referrer-policy", "no-referrer"),
    ("vary", "Accept-Encoding, Origin"),
    ("x-content-type-options", "nosniff"),
    ("x-dns-prefetch-control", "off"),
    ("x-download-options", "noopen"),
    ("x-frame-options", "DENY"),
    ("x-permitted-cross-domain-policies", "none"),
    ("x-xss-protection", "0"),
];

fn dress(headers: &mut HeaderMap, request_id: &str, secure: bool) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if secure {
        let value = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_its_name_only_if_it_is_harmless() {
        let id =
            |value: &'static str| request_id(&HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(value))]));
        assert_eq!(id("trace-1.a_b"), "trace-1.a_b");
        for value in ["", "a b", "a\"b", "{}", "0123456789012345678901234567890123456789012345678901234567890123456789"]
        {
            assert_eq!(id(value).len(), 32, "{value}");
        }
    }

    #[test]
    fn gzip_is_used_where_it_is_wanted() {
        let accepts = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]))
        };
        assert!(accepts("gzip") && accepts("br, GZIP;q=0.5"));
        assert!(!accepts("") && !accepts("gzip;q=0") && !accepts("br"));
    }
}
