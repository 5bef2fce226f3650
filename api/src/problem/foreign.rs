//! What poem and our own edge refuse, in the form of everything else. poem's sentences are not shown where they speak of
//! its insides.

use std::time::Duration;

use poem::error::{ParsePathError as PoemPathError, ParseQueryError, ReadBodyError};
use poem::http::StatusCode;
use poem_openapi::error::{
    AuthorizationError, ContentTypeError, ParseParamError, ParsePathError, ParseRequestPayloadError,
};

use super::{Kind, Told};
use crate::bodies::Unfit;
use crate::edge::{Fault, UsedUp};

/// Where a request went.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The name of this one request.
    pub request_id: String,
    /// The methods that the path knows, comma separated.
    pub allowed_methods: String,
    /// What the parts of the path are called, from the left.
    pub path_parameters: Vec<String>,
}

pub(super) fn told(error: &poem::Error, place: &Place) -> Told {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        of_fault(fault)
    } else if let Some(ParseRequestPayloadError { reason }) = error.downcast_ref() {
        of_body(reason)
    } else if let Some(error) = error.downcast_ref::<ReadBodyError>() {
        of_reading(error)
    } else if let Some(ParseParamError { name, reason }) = error.downcast_ref() {
        Told::new(Kind::Invalid, plain(reason)).at(*name)
    } else if let Some(ParsePathError { name, reason }) = error.downcast_ref() {
        of_path(name, reason, place)
    } else if error.is::<PoemPathError>() {
        Told::new(Kind::NotFound, "there is nothing at this path")
    } else if error.is::<ParseQueryError>() {
        Told::new(Kind::Malformed, "the query cannot be read")
    } else if let Some(error) = error.downcast_ref::<ContentTypeError>() {
        match error {
            ContentTypeError::NotSupported { .. } => Told::new(Kind::UnsupportedMediaType, "send application/json"),
            ContentTypeError::ExpectContentType => {
                Told::new(Kind::UnsupportedMediaType, "say with Content-Type what the body is")
            }
        }
    } else if error.is::<AuthorizationError>() {
        Told::new(Kind::Unauthenticated, "send an access token: Authorization: Bearer …")
    } else {
        of_status(error.status(), place)
    }
}

fn of_fault(fault: &Fault) -> Told {
    let kib = |limit: &usize| format!("at most {} KiB are read", limit / 1024);
    match fault {
        Fault::TooLarge { limit } => Told::new(Kind::PayloadTooLarge, kib(limit)),
        Fault::TooDeep { limit } => Told::new(Kind::Malformed, format!("the JSON is nested deeper than {limit}")),
        Fault::Nul => Told::new(Kind::Malformed, "the address holds the character U+0000"),
        Fault::Unfit(Unfit { field, why, allowed }) if field.is_empty() => {
            Told::new(Kind::Invalid, format!("the body {why}")).allowing(allowed.clone())
        }
        Fault::Unfit(Unfit { field, why, allowed }) => {
            Told::new(Kind::Invalid, format!("{field} {why}")).at(field).allowing(allowed.clone())
        }
        Fault::BodyTooSlow => Told::new(Kind::BodyTooSlow, "nothing of the request was done"),
        Fault::UriTooLong { limit } => Told::new(Kind::UriTooLong, kib(limit)),
        Fault::HeadersTooLarge { limit } => Told::new(Kind::HeadersTooLarge, kib(limit)),
        Fault::Encoded => Told::new(Kind::UnsupportedMediaType, "send the body without Content-Encoding"),
        Fault::Charset => Told::new(Kind::UnsupportedMediaType, "send the body in UTF-8"),
        Fault::TooMany(UsedUp { standing, retry_after }) => {
            let (name, allowance) = (standing.rate.as_str(), standing.allowance);
            let window = allowance.window.as_secs();
            let detail = format!("the allowance {name} is {} in {window} s", allowance.count);
            Told::new(Kind::TooManyRequests, detail).after(*retry_after)
        }
        Fault::TimedOut { limit } => {
            let detail = format!("it was given up after {} seconds, look whether it was done", limit.as_secs());
            Told::new(Kind::TimedOut, detail).after(Duration::from_secs(5))
        }
        Fault::Panicked => Told::internal(),
    }
}

/// What hyper refused before it was a request.
pub(super) fn unreadable(status: StatusCode) -> Told {
    match status {
        StatusCode::URI_TOO_LONG => Told::new(Kind::UriTooLong, "the address is longer than anything that is read"),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            Told::new(Kind::HeadersTooLarge, "there are more or longer header lines than are read")
        }
        _ => Told::new(Kind::Malformed, "this is not a request of HTTP/1.1"),
    }
}

/// A body that is not JSON at all is malformed; JSON with a wrong value in it is invalid.
fn of_body(reason: &str) -> Told {
    let of_types =
        ["failed to parse \"", "Expected input type", "Type \""].iter().any(|start| reason.starts_with(start));
    if !of_types {
        return Told::new(Kind::Malformed, format!("the body is not JSON: {reason}"));
    }
    let told = Told::new(Kind::Invalid, plain(reason));
    match quoted_field(reason) {
        Some(field) => told.at(field),
        None => told,
    }
}

/// poem-openapi names a field only in its sentences: between back quotes.
fn quoted_field(reason: &str) -> Option<&str> {
    reason.split('`').nth(1).filter(|field| !field.is_empty())
}

fn of_reading(error: &ReadBodyError) -> Told {
    match error {
        ReadBodyError::PayloadTooLarge => Told::new(Kind::PayloadTooLarge, "it is more than is read"),
        ReadBodyError::Io(error) => {
            fault_in(error).map_or_else(|| Told::new(Kind::Malformed, "the body broke off"), of_fault)
        }
        ReadBodyError::Utf8(_) => Told::new(Kind::Malformed, "the body is not UTF-8"),
        ReadBodyError::BodyHasBeenTaken => Told::internal(),
    }
}

/// Our limit reports through the stream, which wraps it in errors of input and output.
fn fault_in(error: &std::io::Error) -> Option<&Fault> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| inner.downcast_ref::<std::io::Error>().and_then(fault_in))
}

/// poem-openapi counts the parts of a path (`param0`); the document has their names.
fn of_path(name: &str, reason: &str, place: &Place) -> Told {
    let index: Option<usize> = name.strip_prefix("param").and_then(|index| index.parse().ok());
    let told = Told::new(Kind::Invalid, format!("the path has a wrong part: {}", plain(reason)));
    match index.and_then(|index| place.path_parameters.get(index)) {
        Some(name) => told.at(name),
        None => told,
    }
}

fn of_status(status: StatusCode, place: &Place) -> Told {
    match status {
        StatusCode::NOT_FOUND => Told::new(Kind::NotFound, "there is nothing at this path"),
        StatusCode::METHOD_NOT_ALLOWED => {
            let methods = place.allowed_methods.split(", ").map(str::to_owned).collect();
            Told::new(Kind::MethodNotAllowed, "the path knows other methods").allowing(methods)
        }
        StatusCode::UNAUTHORIZED => Told::new(Kind::Unauthenticated, "send an access token"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Told::new(Kind::UnsupportedMediaType, "send application/json"),
        status if status.is_client_error() => Told::new(Kind::Malformed, "the request cannot be read"),
        _ => Told::internal(),
    }
}

/// poem-openapi's sentence without the names of types that it went through.
fn plain(reason: &str) -> String {
    let reason = reason.split(" (occurred while parsing").next().unwrap_or(reason);
    match reason.strip_prefix("failed to parse \"").and_then(|rest| rest.split_once("\": ")) {
        Some((_, sentence)) => sentence.to_owned(),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_lose_the_names_of_types() {
        assert_eq!(
            plain(r#"failed to parse "string(uuid)": invalid character (occurred while parsing "Order")"#),
            "invalid character"
        );
        assert_eq!(plain("anything else"), "anything else");
    }

    #[test]
    fn a_part_of_the_path_has_the_name_that_the_document_gives_it() {
        let place = Place { path_parameters: vec!["id".to_owned(), "cell".to_owned()], ..Place::default() };
        let told = of_path("param1", r#"failed to parse "string(uuid)": invalid length"#, &place);
        assert_eq!(told.field.as_deref(), Some("cell"));
        assert!(!told.detail.contains("param"), "{}", told.detail);
    }

    #[test]
    fn a_wrong_value_is_told_from_a_body_that_is_not_json() {
        assert_eq!(of_body("expected value at line 1 column 2").status, StatusCode::BAD_REQUEST);
        let told = of_body(r#"failed to parse "Login": unknown field `admin`."#);
        assert_eq!((told.status, told.field.as_deref()), (StatusCode::UNPROCESSABLE_ENTITY, Some("admin")));
    }
}
