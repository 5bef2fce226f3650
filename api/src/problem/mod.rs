//! How any failure looks over HTTP: `application/problem+json` (RFC 9457) with a stable code.
//!
//! A handler answers `Result<_, ApiError>`; whatever poem itself refuses takes the same road through [`render`], which
//! is also the one place where failures are logged.

mod foreign;
mod kinds;

use std::error::Error as _;
use std::time::Duration;

use poem::error::ResponseError;
use poem::http::{StatusCode, header};
use poem::{Body, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{ToJSON, Type};
use poem_openapi::{ApiResponse, Object};
use shared::error::RowRefused;
use shared::{Error, telemetry};

use crate::idempotency;

pub use foreign::Place;
pub use kinds::{Code, Kind};

/// The media type of every failure.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// What poem writes in place of every status of a problem.
pub const RANGE: &str = "4XX";
/// The status of every refusal.
pub const REFUSED: StatusCode = StatusCode::CONFLICT;

/// Why a request was not answered as hoped, as RFC 9457 has it.
#[derive(Clone, Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Problem {
    /// Names the kind of problem: `urn:wb-assistant:problem:` and the code.
    #[oai(rename = "type")]
    pub kind: String,
    /// One English sentence without the facts of the case.
    pub title: String,
    /// The same in Russian.
    pub title_ru: String,
    /// The HTTP status.
    pub status: u16,
    /// The facts of the case.
    pub detail: String,
    /// What to match in programs.
    pub code: Code,
    /// What to name when asking for help; also in the header `X-Request-Id`.
    pub request_id: String,
    /// The value that is wrong, dotted from the body's root.
    pub field: Option<String>,
    /// What would have been accepted.
    pub allowed: Option<Vec<String>>,
    /// The rows of a batch that were refused, where it is done whole or not at all; nothing was done.
    pub rows: Option<Vec<ProblemRow>>,
}

/// A row of a batch that was refused.
#[derive(Clone, Debug, Object)]
pub struct ProblemRow {
    /// Its place in the request, from 0.
    pub row: u32,
    /// What to match in programs.
    pub code: Code,
    /// The facts of the case.
    pub detail: String,
}

impl From<&RowRefused> for ProblemRow {
    fn from(refused: &RowRefused) -> Self {
        let row = u32::try_from(refused.row).unwrap_or(u32::MAX);
        Self { row, code: refused.refusal.into(), detail: refused.detail.clone() }
    }
}

/// Why a handler did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct ApiError {
    error: Error,
    allowed: Vec<String>,
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self { error, allowed: Vec::new() }
    }
}

impl ApiError {
    /// What the verb said.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Also says what would have been accepted.
    #[must_use]
    pub fn allowing(self, allowed: Vec<String>) -> Self {
        Self { allowed, ..self }
    }
}

impl ResponseError for ApiError {
    fn status(&self) -> StatusCode {
        Told::of(&self.error).status
    }
}

/// Has poem show the problem's schema. In which single statuses an operation may end, `document` says in place of this.
impl ApiResponse for ApiError {
    fn meta() -> MetaResponses {
        let response = MetaResponse {
            description: "A problem",
            status: None,
            status_range: Some(RANGE.to_owned()),
            content: vec![MetaMediaType { content_type: MEDIA_TYPE, schema: Problem::schema_ref() }],
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

/// What is told to the client; what it is told about is only logged.
#[derive(Debug)]
pub(crate) struct Told {
    status: StatusCode,
    code: Code,
    title: &'static str,
    title_ru: &'static str,
    detail: String,
    field: Option<String>,
    allowed: Vec<String>,
    rows: Vec<ProblemRow>,
    retry_after: Option<Duration>,
    etag: Option<String>,
}

impl Told {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            status: kind.status(),
            code: kind.into(),
            title: kind.title(),
            title_ru: kind.title_ru(),
            detail: detail.into(),
            field: None,
            allowed: Vec::new(),
            rows: Vec::new(),
            retry_after: None,
            etag: None,
        }
    }

    fn at(self, field: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    fn allowing(self, allowed: Vec<String>) -> Self {
        Self { allowed, ..self }
    }

    fn after(self, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..self }
    }

    fn of(error: &Error) -> Self {
        match error {
            Error::NotFound(what) => Self::new(Kind::NotFound, format!("{what} not found")),
            Error::Refused { refusal, detail, allowed } => Self {
                status: REFUSED,
                code: (*refusal).into(),
                title: refusal.title(),
                title_ru: refusal.title_ru(),
                ..Self::new(Kind::Invalid, detail.clone()).allowing(allowed.clone())
            },
            Error::RowsRefused(rows) => Self::rows(rows),
            Error::Invalid { field, why } => Self::new(Kind::Invalid, format!("{field} {why}")).at(field),
            Error::Unauthenticated(why) => Self::new(Kind::Unauthenticated, *why),
            Error::Forbidden(permission) => Self::new(Kind::Forbidden, format!("permission {permission} is missing")),
            Error::StepUpRequired => Self::new(
                Kind::StepUpRequired,
                "this needs your password, and your second factor if you have one, given within the last five minutes: POST /auth/confirm",
            ),
            Error::SecondFactorRequired => Self::new(
                Kind::SecondFactorRequired,
                "administrators of this installation need a second factor: POST /auth/second-factor",
            ),
            Error::TooManyAttempts { retry_after } => {
                Self::new(Kind::TooManyAttempts, "the next one is looked at after the time in Retry-After")
                    .after(*retry_after)
            }
            Error::Changed(version) => {
                let etag = format!("\"{version}\"");
                let told = Self::new(Kind::PreconditionFailed, format!("it is at version {version} by now"));
                Self { etag: Some(etag.clone()), ..told.at("If-Match").allowing(vec![etag]) }
            }
            Error::Answered(answer) => Self {
                status: StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK),
                ..Self::new(Kind::IdempotencyMismatch, "the request was answered before")
            },
            Error::KeyBusy => {
                Self::new(Kind::IdempotencyInProgress, "its answer will be this one's: ask again in a moment")
                    .at("Idempotency-Key")
                    .after(Duration::from_secs(1))
            }
            Error::KeyReused => {
                Self::new(Kind::IdempotencyMismatch, "method, path or body differ from the first request's")
                    .at("Idempotency-Key")
            }
            Error::Unavailable { what, retry_after, .. } => {
                Self::new(Kind::Unavailable, format!("{what} is unavailable, try again"))
                    .after(retry_after.unwrap_or(Duration::from_secs(5)))
            }
            Error::Database(_) if error.is_passing() => {
                Self::new(Kind::DatabaseUnavailable, "try again in a moment").after(Duration::from_secs(1))
            }
            Error::Inconsistent(_) | Error::Database(_) => Self::internal(),
        }
    }

    fn rows(rows: &[RowRefused]) -> Self {
        let Some(RowRefused { row, refusal, detail }) = rows.first() else { return Self::internal() };
        let others = match rows.len() - 1 {
            0 => String::new(),
            others => format!(" (and {others} more)"),
        };
        Self {
            status: StatusCode::CONFLICT,
            code: (*refusal).into(),
            title: refusal.title(),
            title_ru: refusal.title_ru(),
            rows: rows.iter().map(ProblemRow::from).collect(),
            ..Self::new(Kind::Invalid, format!("line {}: {detail}{others}; nothing was done", row + 1))
        }
    }

    fn internal() -> Self {
        Self::new(Kind::Internal, "the request id names it in the log")
    }

    fn body(self, request_id: &str) -> String {
        let Self { status, code, title, title_ru, detail, field, allowed, rows, retry_after: _, etag: _ } = self;
        let problem = Problem {
            kind: format!("urn:wb-assistant:problem:{}", code.as_str()),
            title: title.to_owned(),
            title_ru: title_ru.to_owned(),
            status: status.as_u16(),
            detail,
            code,
            request_id: request_id.to_owned(),
            field,
            allowed: Some(allowed).filter(|allowed| !allowed.is_empty()),
            rows: Some(rows).filter(|rows| !rows.is_empty()),
        };
        problem.to_json().unwrap_or_default().to_string()
    }
}

/// Answers the failure as a problem and logs it, once.
pub fn render(error: &poem::Error, place: &Place) -> Response {
    if let Some(ApiError { error: Error::Answered(answer), .. }) = error.downcast_ref::<ApiError>() {
        return idempotency::replay(answer);
    }
    let told = match error.downcast_ref::<ApiError>() {
        Some(ApiError { error, allowed }) if !allowed.is_empty() => Told::of(error).allowing(allowed.clone()),
        Some(ApiError { error, .. }) => Told::of(error),
        None => foreign::told(error, place),
    };
    let code = told.code.as_str();
    if told.status.is_server_error() {
        tracing::error!(code, "{}", cause(error));
    } else {
        // What was wrong with the request is told to whoever sent it: it may repeat what was sent.
        tracing::debug!(code, "Refused");
    }
    respond(told, &place.request_id, &place.allowed_methods)
}

/// The whole chain in one line; poem's own error only repeats the first of it.
fn cause(error: &poem::Error) -> String {
    match error.downcast_ref::<ApiError>() {
        Some(ApiError { error, .. }) => telemetry::chain(error),
        None => error.source().map_or_else(|| error.to_string(), telemetry::chain),
    }
}

/// The body of an answer to what was no request at all, which hyper refused with this status.
pub fn unreadable(status: StatusCode, request_id: &str) -> String {
    foreign::unreadable(status).body(request_id)
}

fn respond(told: Told, request_id: &str, methods: &str) -> Response {
    let (status, retry_after, etag) = (told.status, told.retry_after, told.etag.clone());
    let body = Body::from(told.body(request_id));
    let mut response = Response::builder().status(status).content_type(MEDIA_TYPE);
    if status == StatusCode::UNAUTHORIZED {
        response = response.header(header::WWW_AUTHENTICATE, "Bearer");
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response = response.header(header::ALLOW, methods);
    }
    if let Some(after) = retry_after {
        response = response.header(header::RETRY_AFTER, after.as_millis().div_ceil(1000).max(1).to_string());
    }
    if let Some(etag) = etag {
        response = response.header(header::ETAG, etag);
    }
    response.body(body)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use shared::Refusal;

    use super::*;

    async fn rendered(error: Error) -> (Response, Value) {
        let place = Place { request_id: "r-1".to_owned(), ..Place::default() };
        let mut response = render(&poem::Error::from(ApiError::from(error)), &place);
        let body = response.take_body().into_string().await.unwrap();
        assert_eq!(response.content_type(), Some(MEDIA_TYPE));
        (response, serde_json::from_str(&body).unwrap())
    }

    #[tokio::test]
    async fn every_error_has_its_status_and_code() {
        let table = [
            (Error::NotFound("order"), 404, "not_found"),
            (Error::refused(Refusal::OrderCancelled, "order 5 is cancelled"), 409, "order_cancelled"),
            (Error::invalid("limit", "is too large"), 422, "invalid"),
            (Error::Unauthenticated("the token has expired"), 401, "unauthenticated"),
            (Error::Forbidden("people:manage"), 403, "forbidden"),
            (Error::TooManyAttempts { retry_after: Duration::from_secs(4) }, 429, "too_many_attempts"),
            (Error::unavailable("Wildberries", "they sleep"), 503, "unavailable"),
            (Error::Inconsistent("balance of cell 5".to_owned()), 500, "internal"),
        ];
        for (error, status, code) in table {
            let (response, body) = rendered(error).await;
            assert_eq!((response.status().as_u16(), body["code"].as_str()), (status, Some(code)));
            assert_eq!(body["requestId"], "r-1");
            assert_eq!(body["type"], format!("urn:wb-assistant:problem:{code}"));
            assert_eq!(response.header("retry-after").is_some(), matches!(status, 429 | 503));
            assert_eq!(response.header("www-authenticate").is_some(), status == 401);
            assert!(!body.to_string().contains("they sleep") && !body.to_string().contains("balance"), "{body}");
        }
    }

    #[tokio::test]
    async fn a_refusal_says_what_is_allowed_in_two_languages() {
        let error = Error::Refused {
            refusal: Refusal::OrderTransition,
            detail: "order 5 is shipped".to_owned(),
            allowed: vec!["delivered".to_owned()],
        };
        let (_, body) = rendered(error).await;
        assert_eq!(body["detail"], "order 5 is shipped");
        assert_eq!(body["title"], Refusal::OrderTransition.title());
        assert_eq!(body["titleRu"], Refusal::OrderTransition.title_ru());
        assert_eq!(body["allowed"], serde_json::json!(["delivered"]));
        assert!(body.get("field").is_none());
    }
}
