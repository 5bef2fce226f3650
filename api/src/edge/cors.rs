//! Whose pages may call the API from a browser: those of `CORS_ORIGINS`, named exactly, and by default none. A stranger's
//! page gets an answer without `Access-Control-Allow-Origin`, which its browser then keeps from it. There are no cookies
//! and so no credentials to allow.

use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};
use shared::config::Origins;

/// What a page may send.
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id";
/// What a page may read of an answer, beside what every page may.
const RESPONSE_HEADERS: &str = "Allow, ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, RateLimit-Limit, \
                                RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Request-Id";
/// For how many seconds a browser may remember it.
const REMEMBERED: &str = "600";

/// The origin of the page that asks, if pages of it may.
pub(super) fn admitted(request: &Request, origins: &Origins) -> Option<HeaderValue> {
    let origin = request.headers().get(header::ORIGIN)?;
    origin.to_str().is_ok_and(|origin| origins.admit(origin)).then(|| origin.clone())
}

/// Whether a browser asks if a page may ask.
pub(super) fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// What a path may be asked, for anybody who asks that; nobody has to be signed in for it.
pub(super) fn options(methods: &str, preflight_of: Option<&HeaderValue>) -> Response {
    let mut response = Response::builder().status(StatusCode::NO_CONTENT).header(header::ALLOW, methods);
    if preflight_of.is_some() {
        response = response
            .header(header::ACCESS_CONTROL_ALLOW_METHODS, methods)
            .header(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS)
            .header(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    }
    response.finish()
}

/// Lets the page read the answer.
pub(super) fn dress(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
}
