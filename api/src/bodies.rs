//! Bodies are held to the document, all of them, in one place: what it does not allow is refused with the name of the
//! field, before a handler sees it. poem alone takes a number or `true` for a text, and `null` for what is left out.
//!
//! Who is asking comes first: a body is looked at when the handler reads it, and that is after its caller was recognised.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, ValidationError, Validator};
use poem::error::ReadBodyError;
use poem::{Body, Endpoint, IntoResponse, Request, Response};
use serde_json::{Map, Value, json};
use shared::users::Email;

use crate::document::schemas_in;
use crate::edge::{Fault, Received};

/// What each operation takes.
#[derive(Debug)]
pub struct Bodies(HashMap<String, Taken>);

/// What one operation takes: compiled when the first body comes.
#[derive(Debug)]
struct Taken {
    schema: Value,
    compiled: OnceLock<Validator>,
}

/// A value that the document does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Where it is, dotted from the body's root; empty for the body itself.
    pub field: String,
    /// What it should be.
    pub why: String,
    /// What would have been accepted, where that can be listed.
    pub allowed: Vec<String>,
}

impl Bodies {
    /// Reads the document.
    pub fn of(document: &Value) -> Self {
        let items = document["paths"].as_object().into_iter().flat_map(|paths| paths.values());
        let operations = items.filter_map(Value::as_object).flat_map(|item| item.values());
        let taken = operations.filter_map(|operation| {
            let content = operation["requestBody"]["content"].as_object()?;
            // A file is what it is: it is looked at by who reads it.
            let (_, json) = content.iter().find(|(kind, _)| kind.starts_with("application/json"))?;
            let schema = json.get("schema")?;
            let taken = Taken { schema: with_its_parts(document, schema), compiled: OnceLock::new() };
            Some((operation["operationId"].as_str()?.to_owned(), taken))
        });
        Self(taken.collect())
    }

    /// Refuses what the operation does not take. What is no JSON is left to who reads it.
    fn judge(&self, operation: &str, body: &[u8]) -> Result<(), Unfit> {
        let Some(taken) = self.0.get(operation) else { return Ok(()) };
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return Ok(()) };
        if let Some(field) = nul(&body, &mut Vec::new()) {
            return Err(Unfit { field, why: "holds the character U+0000".to_owned(), allowed: Vec::new() });
        }
        let validator = taken.compiled.get_or_init(|| compile(&taken.schema));
        validator.validate(&body).map_err(|error| Unfit::of(&error))
    }
}

/// Holds the bodies that `routes` will read to the document.
pub(crate) async fn hold<E: Endpoint>(
    routes: Arc<E>,
    mut request: Request,
    bodies: Arc<Bodies>,
) -> poem::Result<Response> {
    let operation = request.data::<Received>().map(|received| received.operation.clone()).unwrap_or_default();
    if bodies.0.contains_key(&operation) {
        let body = request.take_body();
        let judged = futures::stream::once(async move {
            let body = body.into_bytes().await.map_err(|error| match error {
                ReadBodyError::Io(error) => error,
                other => std::io::Error::other(other),
            })?;
            bodies.judge(&operation, &body).map_err(|unfit| std::io::Error::other(Fault::Unfit(unfit)))?;
            Ok::<_, std::io::Error>(body)
        });
        request.set_body(Body::from_bytes_stream(Box::pin(judged)));
    }
    // Boxed, so that one more layer does not make every future of the layers above larger.
    Box::pin(routes.call(request)).await.map(IntoResponse::into_response)
}

/// The schema with those that it mentions, and no others: each is compiled by itself.
fn with_its_parts(document: &Value, schema: &Value) -> Value {
    let (mut needed, mut open) = (BTreeMap::new(), schemas_in(schema));
    while let Some(name) = open.pop() {
        needed.entry(name).or_insert_with_key(|name| {
            let schema = document["components"]["schemas"][name].clone();
            open.extend(schemas_in(&schema));
            schema
        });
    }
    json!({ "allOf": [schema], "components": { "schemas": needed } })
}

fn compile(schema: &Value) -> Validator {
    jsonschema::options()
        .with_draft(Draft::Draft4)
        .with_format("uuid", |text| text.len() == 36 && uuid::Uuid::try_parse(text).is_ok())
        .with_format("date", |text| text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok())
        .with_format("email", |text| Email::parse(text).is_ok())
        .should_validate_formats(true)
        .build(&with_null(schema))
        .expect("poem writes schemas")
}

/// What the document calls nullable, in the words of JSON Schema.
fn with_null(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut fields: Map<_, _> = fields.iter().map(|(name, value)| (name.clone(), with_null(value))).collect();
            if fields.get("nullable") == Some(&json!(true)) {
                fields["type"] = json!([fields["type"], "null"]);
            }
            Value::Object(fields)
        }
        Value::Array(items) => items.iter().map(with_null).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

/// Where a text holds U+0000, which Postgres keeps in none.
fn nul(value: &Value, path: &mut Vec<String>) -> Option<String> {
    let within = |name: String, value: &Value, path: &mut Vec<String>| {
        path.push(name);
        let found = nul(value, path);
        path.pop();
        found
    };
    match value {
        Value::String(text) => text.contains('\0').then(|| path.join(".")),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| within(index.to_string(), item, path)),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| within(name.clone(), value, path)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

impl Unfit {
    fn of(error: &ValidationError<'_>) -> Self {
        let (within, why) = said(&error.kind);
        let path = error.instance_path.to_string();
        let path: Vec<_> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).chain(within).collect();
        let allowed = match &error.kind {
            ValidationErrorKind::Enum { options } => {
                options.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        Self { field: path.join("."), why, allowed }
    }
}

/// What is wrong, in words that do not repeat the value, and the field within if it is not the value itself.
fn said(kind: &ValidationErrorKind) -> (Option<String>, String) {
    use ValidationErrorKind as Wrong;
    let why = match kind {
        Wrong::Required { property } => return (property.as_str().map(str::to_owned), "is missing".to_owned()),
        Wrong::AdditionalProperties { unexpected } => {
            return (unexpected.first().cloned(), "is no field of this".to_owned());
        }
        Wrong::Type { kind: TypeKind::Single(kind) } => format!("must be of the type {kind}"),
        Wrong::Enum { .. } => "is none of the known words".to_owned(),
        Wrong::Format { format } if format == "email" => "is not an address of e-mail".to_owned(),
        Wrong::Format { format } => format!("is not written as {format}"),
        Wrong::Pattern { pattern } => format!("must match {pattern}"),
        Wrong::MinLength { limit: 1 } => "must not be empty".to_owned(),
        Wrong::MinLength { limit } => format!("must have at least {limit} characters"),
        Wrong::MaxLength { limit } => format!("must have at most {limit} characters"),
        Wrong::MinItems { limit: 1 } => "must name at least one".to_owned(),
        Wrong::MinItems { limit } => format!("must name at least {limit}"),
        Wrong::MaxItems { limit } => format!("must name at most {limit}"),
        Wrong::Minimum { limit } => format!("must be at least {limit}"),
        Wrong::Maximum { limit } => format!("must be at most {limit}"),
        // The document uses nothing else; should it once, this is true as well.
        _ => "is not what the document allows".to_owned(),
    };
    (None, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(operation: &str, body: &Value) -> Result<(), Unfit> {
        let document: Value = serde_json::from_str(&crate::openapi()).unwrap();
        Bodies::of(&document).judge(operation, &serde_json::to_vec(body).unwrap())
    }

    fn refused(operation: &str, body: &Value) -> (String, String) {
        let unfit = judged(operation, body).unwrap_err();
        (unfit.field, unfit.why)
    }

    #[test]
    fn null_takes_away_what_can_be_taken_away() {
        assert_eq!(judged("change_warehouse", &json!({ "address": null })), Ok(()));
        for field in ["barcode", "zoneId", "capacityUnits", "capacityVolumeMl", "capacityWeightG"] {
            assert_eq!(judged("change_cell", &json!({ field: null })), Ok(()), "{field}");
        }
        for field in ["code", "mixing", "pickSequence", "purpose"] {
            assert!(judged("change_cell", &json!({ field: null })).is_err(), "{field}");
        }
        assert_eq!(refused("change_cell", &json!({ "capacityUnits": 0 })).0, "capacityUnits");
    }

    #[test]
    fn what_the_document_does_not_allow_is_refused_by_name() {
        let warehouse = "01900000-0000-7000-8000-000000000000";
        let of = |field: &str, why: &str| (field.to_owned(), why.to_owned());
        let cell =
            |code: Value| json!({ "cells": [{ "code": "A", "pickSequence": 1 }, { "code": code, "pickSequence": 2 }] });
        assert_eq!(judged("add_cells", &cell(json!("B"))), Ok(()));
        for (operation, body, refusal) in [
            ("create_warehouse", json!({ "name": 5 }), of("name", "must be of the type string")),
            ("create_warehouse", json!({ "name": true }), of("name", "must be of the type string")),
            ("create_warehouse", json!({ "name": "" }), of("name", "must not be empty")),
            (
                "create_warehouse",
                json!({ "name": "Склад", "address": null }),
                of("address", "must be of the type string"),
            ),
            ("create_warehouse", json!({}), of("name", "is missing")),
            ("create_warehouse", json!({ "name": "Склад", "owner": 1 }), of("owner", "is no field of this")),
            ("create_warehouse", json!([]), of("", "must be of the type object")),
            ("create_warehouse", json!({ "name": "Скл\0ад" }), of("name", "holds the character U+0000")),
            ("add_cells", cell(json!(7)), of("cells.1.code", "must be of the type string")),
            ("add_cells", cell(json!("я".repeat(61))), of("cells.1.code", "must have at most 60 characters")),
            ("add_cells", json!({ "cells": [] }), of("cells", "must name at least one")),
            (
                "set_shipping",
                json!({ "date": "2026-1-5", "pointId": 1, "type": "selfShipping" }),
                of("date", "is not written as date"),
            ),
            (
                "create_request",
                json!({ "type": "order_picking", "warehouseId": warehouse.replace('-', "") }),
                of("warehouseId", "is not written as uuid"),
            ),
        ] {
            assert_eq!(refused(operation, &body), refusal, "{body}");
        }
        let unfit = judged("scan", &json!({ "kind": "smell", "code": "5" })).unwrap_err();
        assert_eq!((unfit.field.as_str(), unfit.allowed.contains(&"cell".to_owned())), ("kind", true));
    }

    #[test]
    fn what_is_no_json_is_left_to_who_reads_it() {
        let document: Value = serde_json::from_str(&crate::openapi()).unwrap();
        assert_eq!(Bodies::of(&document).judge("create_warehouse", b"{"), Ok(()));
        assert_eq!(judged("home", &json!({ "anything": 1 })), Ok(()));
    }
}
