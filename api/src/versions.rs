//! `ETag`, `If-Match` and `If-None-Match` over HTTP. A tag is the object's version, a dash, and a fingerprint of what is
//! shown: `If-Match` compares the version, `If-None-Match` the whole, so that a counter that moves by itself is seen by
//! who polls and no conflict for who edits.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response};
use poem_openapi::types::ToJSON;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::versions::Version;

use crate::idempotency::parameters;

/// Operations that compare the version with what `If-Match` expects. Every other one refuses the header.
pub const EDITS: [&str; 33] = [
    "approve_count",
    "archive_product",
    "archive_warehouse",
    "assign_request",
    "cancel_count",
    "change_category",
    "change_cell",
    "change_count",
    "change_enterprise",
    "change_me",
    "change_product",
    "change_role",
    "change_user",
    "change_warehouse",
    "change_zone",
    "check_product_import",
    "commit_product_import",
    "delete_category",
    "delete_zone",
    "deliver_supply",
    "move_request",
    "publish_supply",
    "recount_lines",
    "reject_count",
    "replace_token",
    "restore_product",
    "restore_warehouse",
    "review_count",
    "set_product_import_columns",
    "set_shipping",
    "set_user_grants",
    "start_count",
    "undo_product_import",
];

/// Where the document describes `If-Match`.
pub const IF_MATCH: &str = "#/components/parameters/IfMatch";

/// What two people may edit.
pub trait Versioned: ToJSON {
    /// How often it was changed.
    fn version(&self) -> Version;
}

/// Objects that show their version.
macro_rules! versioned {
    ($($name:ty),+ $(,)?) => {$(
        impl $crate::versions::Versioned for $name {
            fn version(&self) -> shared::versions::Version {
                self.version
            }
        }
    )+};
}
pub(crate) use versioned;

/// The strong entity tag of an object as it is shown.
pub(crate) fn etag(object: &impl Versioned) -> String {
    let shown = object.to_json().unwrap_or_default().to_string();
    format!("\"{}-{}\"", object.version(), URL_SAFE_NO_PAD.encode(&Sha256::digest(shown)[..9]))
}

/// Answers 304 to who has what would be answered. What has a tag may be kept by its reader, and asked about each time.
pub(crate) async fn answer_unchanged<E: Endpoint>(routes: Arc<E>, request: Request) -> poem::Result<Response> {
    let reads = request.method() == Method::GET || request.method() == Method::HEAD;
    let known: Vec<_> = request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect();
    let mut response = routes.call(request).await?.into_response();
    let Some(etag) =
        response.headers().get(header::ETAG).cloned().filter(|_| reads && response.status() == StatusCode::OK)
    else {
        return Ok(response);
    };
    if knows(&known, &etag) {
        response = Response::builder().status(StatusCode::NOT_MODIFIED).header(header::ETAG, etag).finish();
    }
    keep(response.headers_mut());
    Ok(response)
}

fn keep(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

/// Whether one of these tags is it, weak or strong, or any will do.
fn knows(known: &[HeaderValue], etag: &HeaderValue) -> bool {
    let tags = known.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim);
    tags.into_iter().any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes())
}

/// Shows on each operation which of the headers it takes, and that it may answer 304.
pub(crate) fn declare(document: &mut Value) {
    for (name, shown, description) in [
        (
            "IfMatch",
            "If-Match",
            "The `ETag` of what you edit, or its `version` in quotes: if somebody changed it meanwhile, nothing is done and 412 \
                                 `precondition_failed` says the version it has now. Without the header the last one wins.",
        ),
        (
            "IfNoneMatch",
            "If-None-Match",
            "The `ETag` of what you have: if it is still what would be answered, 304 comes without a body.",
        ),
    ] {
        document["components"]["parameters"][name] = json!({ "name": shown, "in": "header", "required": false, "description": description, "schema": { "type": "string" } });
    }
    let items = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for (method, operation) in items.filter_map(Value::as_object_mut).flat_map(|item| item.iter_mut()) {
        if operation["operationId"].as_str().is_some_and(|id| EDITS.contains(&id)) {
            parameters(operation).push(json!({ "$ref": IF_MATCH }));
        }
        if method == "get" && operation["responses"]["200"]["headers"]["ETAG"].is_object() {
            parameters(operation).push(json!({ "$ref": "#/components/parameters/IfNoneMatch" }));
            operation["responses"]["304"] = json!({ "description": "Not changed since" });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_knows_by_any_of_its_tags() {
        let etag = HeaderValue::from_static("\"3-abc\"");
        let knows = |lines: &[&'static str]| {
            knows(&lines.iter().map(|line| HeaderValue::from_static(line)).collect::<Vec<_>>(), &etag)
        };
        assert!(knows(&["*"]) && knows(&["\"1\", \"3-abc\""]) && knows(&["\"1\"", "W/\"3-abc\""]));
        assert!(!knows(&[]) && !knows(&["\"3\""]) && !knows(&["3-abc"]));
    }
}
