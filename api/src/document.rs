//! The document as it is published: what poem writes, and what poem cannot know. Who may call an operation, which header
//! lines it takes, every status that it may answer with, and that a body has the fields that are named and no others.
//! `bodies` holds requests to it, `cargo wb schemathesis` the answers.

use std::collections::BTreeSet;

use poem::http::StatusCode;
use serde_json::{Map, Value, json};
use shared::page::PageQuery;

use crate::needs::Needs;
use crate::problem::{self, Kind};
use crate::{idempotency, versions};

/// Operations that nobody has to be signed in for and that refuse who does not know a secret.
const JUDGES_OF_SECRETS: [&str; 6] =
    ["accept_invitation", "change_email", "login", "login_second_factor", "refresh", "reset_password"];
/// Operations that only read and still meet a rule: these ask Wildberries, which may not know yet what they are about.
const READS_WITH_RULES: [&str; 1] = ["list_shipping_points"];

/// Completes what poem wrote.
pub fn publish(spec: &str) -> Value {
    let mut document: Value = serde_json::from_str(spec).expect("poem writes JSON");
    say_formats(&mut document);
    close_bodies(&mut document);
    for (_, operation) in operations(&mut document) {
        // poem leaves it out where nobody needs to sign in; said in so many words, nobody has to guess.
        operation.entry("security").or_insert_with(|| json!([]));
        if let Some(needs) = needs(operation) {
            needs.publish(operation);
        }
        bound_pages(operation);
    }
    idempotency::declare(&mut document);
    versions::declare(&mut document);
    let statuses: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.status().as_u16()).collect();
    for status in statuses {
        document["components"]["responses"][name(status)] = response(status);
    }
    for (method, operation) in operations(&mut document) {
        let statuses = statuses_of(method, operation);
        let responses = operation["responses"].as_object_mut().expect("an operation has responses");
        responses.remove(problem::RANGE);
        for status in statuses {
            let reference = json!({ "$ref": format!("#/components/responses/{}", name(status)) });
            // Health checks say 503 in their own form.
            responses.entry(status.to_string()).or_insert(reference);
        }
    }
    document
}

fn operations(document: &mut Value) -> impl Iterator<Item = (&String, &mut Map<String, Value>)> {
    let items = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    let operations = items.filter_map(Value::as_object_mut).flat_map(|item| item.iter_mut());
    operations.filter_map(|(method, operation)| Some((method, operation.as_object_mut()?)))
}

fn id(operation: &Map<String, Value>) -> &str {
    operation["operationId"].as_str().unwrap_or_default()
}

fn needs(operation: &Map<String, Value>) -> Option<Needs> {
    Needs::of(id(operation))
}

/// poem's own names for formats say nothing to anybody else's tools.
fn say_formats(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            match fields.get("format").and_then(Value::as_str) {
                Some("naive-date") => drop(fields.insert("format".to_owned(), json!("date"))),
                Some("uint8" | "uint16" | "uint32" | "uint64") => drop(fields.entry("minimum").or_insert(json!(0))),
                _ => {}
            }
            fields.values_mut().for_each(say_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(say_formats),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What is taken has no fields but those that are named.
fn close_bodies(document: &mut Value) {
    let mut bodies = BTreeSet::new();
    let taken = operations(document).filter_map(|(_, operation)| operation.get("requestBody").cloned());
    let mut open: Vec<_> = taken.flat_map(|body| schemas_in(&body)).collect();
    while let Some(name) = open.pop() {
        if bodies.insert(name.clone()) {
            open.extend(schemas_in(&document["components"]["schemas"][&name]));
        }
    }
    for name in bodies {
        let schema = &mut document["components"]["schemas"][&name];
        if schema["type"] == "object" {
            schema["additionalProperties"] = json!(false);
        }
        // A type of its own would say it in as many places as there are addresses.
        if schema["properties"]["email"].is_object() {
            schema["properties"]["email"]["format"] = json!("email");
        }
    }
}

/// The names of the schemas that this one mentions.
pub(crate) fn schemas_in(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let this = fields.get("$ref").and_then(Value::as_str);
            let this = this.and_then(|reference| reference.strip_prefix("#/components/schemas/")).map(str::to_owned);
            this.into_iter().chain(fields.values().flat_map(schemas_in)).collect()
        }
        Value::Array(items) => items.iter().flat_map(schemas_in).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Every list is read in pages of the same sizes.
fn bound_pages(operation: &mut Map<String, Value>) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for limit in parameters.into_iter().flatten().filter(|parameter| parameter["name"] == "limit") {
        limit["schema"]["minimum"] = json!(1);
        limit["schema"]["maximum"] = json!(PageQuery::MAX);
    }
}

/// The statuses of the problems that an operation may answer with.
fn statuses_of(method: &str, operation: &Map<String, Value>) -> Vec<u16> {
    let (id, needs) = (id(operation), needs(operation));
    let parameters = operation.get("parameters").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let has_path = parameters.iter().any(|parameter| parameter["in"] == "path");
    let has_version = parameters.iter().any(|parameter| parameter["$ref"] == versions::IF_MATCH);
    let has_body = operation.contains_key("requestBody");
    let is_sent_something = has_body || !parameters.is_empty();
    // One thing is got by its id or by something else that names it: it may not be there.
    let is_of_one = has_path || (id.starts_with("get_") && !parameters.is_empty());
    let is_closed = needs != Some(Needs::Public);
    // About the caller themselves, and of that not everything is there.
    let is_ones_own = matches!(needs, Some(Needs::Member | Needs::Person | Needs::SignedIn));
    let table = [
        (StatusCode::BAD_REQUEST, is_sent_something),
        (StatusCode::UNAUTHORIZED, is_closed || JUDGES_OF_SECRETS.contains(&id)),
        (StatusCode::FORBIDDEN, is_closed),
        (StatusCode::NOT_FOUND, is_of_one || has_body || is_ones_own),
        (StatusCode::REQUEST_TIMEOUT, has_body),
        (StatusCode::CONFLICT, method != "get" || READS_WITH_RULES.contains(&id)),
        (StatusCode::PRECONDITION_FAILED, has_version),
        (StatusCode::PAYLOAD_TOO_LARGE, has_body),
        (StatusCode::URI_TOO_LONG, true),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, has_body),
        (StatusCode::UNPROCESSABLE_ENTITY, is_sent_something),
        (StatusCode::TOO_MANY_REQUESTS, true),
        (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, true),
        (StatusCode::INTERNAL_SERVER_ERROR, true),
        (StatusCode::SERVICE_UNAVAILABLE, true),
    ];
    table.into_iter().filter(|(_, may)| *may).map(|(status, _)| status.as_u16()).collect()
}

fn name(status: u16) -> String {
    format!("Problem{status}")
}

/// What a problem with this status looks like.
fn response(status: u16) -> Value {
    let kinds = Kind::ALL.iter().filter(|kind| kind.status().as_u16() == status);
    let mut titles: Vec<_> = kinds.map(|kind| format!("{} (`{}`)", kind.title(), kind.code())).collect();
    if status == problem::REFUSED.as_u16() {
        titles.insert(0, "A rule refused it (every other code)".to_owned());
    }
    let text = |description| json!({ "description": description, "required": true, "schema": { "type": "string" } });
    let mut headers = json!({ "X-Request-Id": text("What to name when asking for help.") });
    if status == 401 {
        headers["WWW-Authenticate"] = text("How to sign in.");
    }
    if status == 429 || status == 503 {
        headers["Retry-After"] = json!({
            "description": "After so many seconds it is worth another try.",
            "required": true,
            "schema": { "type": "integer", "minimum": 1 },
        });
    }
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({
        "description": titles.join("; "),
        "headers": headers,
        "content": { problem::MEDIA_TYPE: { "schema": schema } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        serde_json::from_str(&crate::openapi()).unwrap()
    }

    fn references(value: &Value) -> Vec<String> {
        match value {
            Value::Object(fields) => {
                let this = fields.get("$ref").and_then(Value::as_str).map(str::to_owned);
                this.into_iter().chain(fields.values().flat_map(references)).collect()
            }
            Value::Array(items) => items.iter().flat_map(references).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        for reference in references(&document) {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
    }

    #[test]
    fn the_lists_name_operations_that_there_are() {
        let mut document = document();
        let known: Vec<_> = operations(&mut document).map(|(_, operation)| id(operation).to_owned()).collect();
        for listed in JUDGES_OF_SECRETS.iter().chain(&READS_WITH_RULES) {
            assert!(known.iter().any(|id| id == listed), "{listed}");
        }
    }

    #[test]
    fn what_is_taken_has_bounds_and_no_fields_without_a_name() {
        let mut document = document();
        let taken: Vec<_> =
            operations(&mut document).filter_map(|(_, operation)| operation.get("requestBody").cloned()).collect();
        let mut open: Vec<_> = taken.iter().flat_map(schemas_in).collect();
        let (mut seen, mut texts) = (BTreeSet::new(), 0);
        while let Some(name) = open.pop() {
            seen.insert(name.clone());
            let schema = &document["components"]["schemas"][&name];
            open.extend(schemas_in(schema).into_iter().filter(|name| !seen.contains(name)));
            if schema["type"] == "object" {
                assert_eq!(schema["additionalProperties"], false, "{name}");
            }
            for (field, of) in schema["properties"].as_object().into_iter().flatten() {
                let open = of["type"] == "string" && of["format"].is_null() && of["enum"].is_null();
                assert!(!open || of["maxLength"].is_u64() || of["pattern"].is_string(), "{name}.{field} has no end");
                texts += u32::from(open);
            }
        }
        assert!(texts > 20, "{texts} texts");
    }
}
