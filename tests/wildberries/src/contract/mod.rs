//! Holds exchanges against Wildberries' official OpenAPI documents, which are read from a folder when needed.

mod differences;
mod document;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use jsonschema::{Draft, Validator};
use serde_json::Value;

pub use differences::{DIFFERENCES, Difference, What};
use document::Operation;

use crate::ask::parse_query;
use crate::exchange::Exchange;

/// The official documents, ready to be checked against.
pub struct Contract {
    operations: Vec<Operation>,
    /// Compiled schemas by their text: compiling is slow, and most are never met.
    compiled: Mutex<HashMap<String, std::sync::Arc<Validator>>>,
}

/// Something in an exchange that the documents do not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Number of the exchange.
    pub exchange: u64,
    /// Method, path and status.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "exchange {}, {}: {}", self.exchange, self.place, self.what)
    }
}

impl Contract {
    /// Reads every `*.yaml` of the folder.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let mut operations = Vec::new();
        for entry in std::fs::read_dir(folder).with_context(|| format!("opening {}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
                operations.extend(document::operations(&text).with_context(|| format!("reading {}", path.display()))?);
            }
        }
        ensure!(!operations.is_empty(), "no documents in {}", folder.display());
        Ok(Self { operations, compiled: Mutex::default() })
    }

    /// How many methods the documents describe.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there are none; never so after loading.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Whether the documents describe this method.
    pub fn describes(&self, method: &str, path: &str) -> bool {
        self.find(method, path).is_some()
    }

    /// Checks one exchange.
    pub fn check(&self, exchange: &Exchange) -> Vec<Violation> {
        let mut found = Vec::new();
        self.examine(exchange, &mut found);
        let place = format!("{} {} {}", exchange.method, exchange.path, exchange.status);
        found.into_iter().map(|what| Violation { exchange: exchange.number, place: place.clone(), what }).collect()
    }

    /// Checks many.
    pub fn check_all<E: std::ops::Deref<Target = Exchange>>(&self, exchanges: &[E]) -> Vec<Violation> {
        exchanges.iter().flat_map(|exchange| self.check(exchange)).collect()
    }

    fn find(&self, method: &str, path: &str) -> Option<&Operation> {
        let fitting = self.operations.iter().filter(|known| known.method == method && fits(&known.path, path));
        // `/orders/new` is itself before it is an order called `new`.
        fitting.min_by_key(|known| known.path.matches('{').count())
    }

    fn examine(&self, exchange: &Exchange, found: &mut Vec<String>) {
        let template = exchange.template.unwrap_or_default();
        let Some(operation) = self.find(&exchange.method, &exchange.path) else {
            if differences::known(template, &|what| what == What::Method).is_none() {
                found.push("the documents know no such method".into());
            }
            return;
        };
        // What was refused as wrong need not be right.
        if exchange.status != 400 {
            self.examine_query(operation, exchange, found);
            self.examine_request(operation, exchange, found);
        }
        self.examine_response(operation, exchange, found);
    }

    fn examine_query(&self, operation: &Operation, exchange: &Exchange, found: &mut Vec<String>) {
        let query = parse_query(&exchange.query);
        for name in query.keys() {
            if !operation.parameters.iter().any(|known| known.in_query && known.name == *name) {
                found.push(format!("query parameter {name} is unknown"));
            }
        }
        for parameter in operation.parameters.iter().filter(|known| known.in_query) {
            match query.get(&parameter.name) {
                None if parameter.required => found.push(format!("query parameter {} is missing", parameter.name)),
                None => {}
                Some(text) => {
                    let value = typed(text, &parameter.schema);
                    for error in self.errors(&parameter.schema, &value) {
                        found.push(format!("query parameter {}: {}", parameter.name, error.1));
                    }
                }
            }
        }
    }

    fn examine_request(&self, operation: &Operation, exchange: &Exchange, found: &mut Vec<String>) {
        let Some(schema) = &operation.request else {
            if !exchange.request.is_empty() {
                found.push("the request has a body, the documents give it none".into());
            }
            return;
        };
        match serde_json::from_str::<Value>(&exchange.request) {
            Err(error) => found.push(format!("the request is no JSON: {error}")),
            Ok(body) => {
                found.extend(
                    self.errors(schema, &body).into_iter().map(|(place, what)| format!("request {place}: {what}")),
                );
                unknown_fields(schema, &body, "", found);
            }
        }
    }

    fn examine_response(&self, operation: &Operation, exchange: &Exchange, found: &mut Vec<String>) {
        // A fault spoils an answer on purpose.
        if exchange.fault.is_some() {
            return;
        }
        let status = exchange.status;
        let within = |what| matches!(what, What::Statuses(from, to) if (from..=to).contains(&status));
        let Some(described) = operation.responses.get(&status.to_string()) else {
            if differences::known(&operation.path, &within).is_none() {
                found.push("the documents know no such status here".into());
            }
            return;
        };
        let Some(schema) = &described.schema else {
            if !exchange.response.is_empty() && !described.text {
                found.push("the answer has a body, the documents give it none".into());
            }
            return;
        };
        let Ok(body) = serde_json::from_str::<Value>(&exchange.response) else {
            if !described.text {
                found.push("the answer is no JSON".into());
            }
            return;
        };
        for (place, what) in self.errors(schema, &body) {
            let excused = |known| matches!(known, What::Field(name) if place.ends_with(name));
            if differences::known(&operation.path, &excused).is_none() {
                found.push(format!("answer {place}: {what}"));
            }
        }
    }

    fn errors(&self, schema: &Value, body: &Value) -> Vec<(String, String)> {
        let text = schema.to_string();
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let validator = if let Some(known) = compiled.get(&text) {
            known.clone()
        } else {
            match jsonschema::options().with_draft(Draft::Draft4).build(schema) {
                Ok(built) => compiled.entry(text).or_insert(std::sync::Arc::new(built)).clone(),
                Err(error) => return vec![(String::new(), format!("the documents' schema is broken: {error}"))],
            }
        };
        drop(compiled);
        validator.iter_errors(body).map(|error| (error.instance_path.to_string(), error.to_string())).collect()
    }
}

/// Whether a path is an instance of a template.
fn fits(template: &str, path: &str) -> bool {
    let (mut known, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (known.next(), given.next()) {
            (None, None) => return true,
            (Some(known), Some(given)) if known == given || known.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// A query parameter as the type its schema wants.
fn typed(text: &str, schema: &Value) -> Value {
    let plain = || Value::String(text.to_owned());
    match schema["type"].as_str() {
        Some("integer" | "number" | "boolean") => serde_json::from_str(text).unwrap_or_else(|_| plain()),
        Some("array") => text.split(',').map(|item| typed(item, &schema["items"])).collect(),
        _ => plain(),
    }
}

/// Wildberries ignores unknown fields in silence, so that nobody but this check would see a misspelt one.
fn unknown_fields(schema: &Value, body: &Value, place: &str, found: &mut Vec<String>) {
    match body {
        Value::Object(fields) => {
            for (name, value) in fields {
                let known: Vec<&Value> =
                    alternatives(schema).filter_map(|schema| schema["properties"].get(name)).collect();
                let open = alternatives(schema).all(|schema| schema.get("properties").is_none());
                if known.is_empty() && !open {
                    found.push(format!("request {place}/{name}: the documents know no such field"));
                }
                for schema in known {
                    unknown_fields(schema, value, &format!("{place}/{name}"), found);
                }
            }
        }
        Value::Array(list) => {
            for (number, value) in list.iter().enumerate() {
                unknown_fields(&schema["items"], value, &format!("{place}/{number}"), found);
            }
        }
        _ => {}
    }
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let joined = ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|word| schema.get(word)?.as_array()).flatten();
    std::iter::once(schema).chain(joined)
}
