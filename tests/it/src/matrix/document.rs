//! What the published document says of its operations: what each asks of who calls it, and where ids stand.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jsonschema::{Draft, Validator};
use reqwest::Method;
use serde_json::{Map, Value, json};
use shared::access::{ADMINISTER_SYSTEM, BE_A_PERSON, BELONG_TO_ENTERPRISE, Finest};

use crate::Act;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// The step of a pointer that stands for any element of a list.
const EACH: &str = "[]";

/// What an operation asks of who calls it, as `x-permission` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Public,
    /// To be recognised.
    SignedIn,
    /// To have signed in, and not to be a key.
    Person,
    /// To have signed in to an enterprise.
    Member,
    /// To run the installation.
    System,
    /// One of these permissions.
    OneOf(Vec<String>),
}

/// One operation of the document.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its name.
    pub id: String,
    /// How it is asked.
    pub method: Method,
    /// Where, with the names of its parameters in braces.
    pub path: String,
    /// Who may.
    pub needs: Needs,
    /// To what a grant can be narrowed that still gives it.
    pub finest: Finest,
    /// Where ids stand.
    pub positions: Vec<Position>,
    /// What it says it answers, by status; absent: nothing but the status.
    pub shapes: BTreeMap<String, Option<Arc<Validator>>>,
    /// What must be in its query besides ids, with values that are allowed.
    required: BTreeMap<String, String>,
}

/// Where an id stands in a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// In which part.
    pub place: Place,
    /// What it is called.
    pub name: String,
    /// How it is written.
    pub form: Form,
}

/// A part of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The path.
    Path,
    /// The query.
    Query,
    /// The body, by these steps.
    Body(Vec<String>),
}

/// How an id is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Ours.
    Uuid,
    /// Wildberries'.
    Number,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Path => write!(f, "path {}", self.name),
            Place::Query => write!(f, "query {}", self.name),
            Place::Body(steps) => write!(f, "body {}", steps.join(".")),
        }
    }
}

impl Position {
    /// Whether it is an element of a list of ids.
    pub fn is_listed(&self) -> bool {
        matches!(&self.place, Place::Body(steps) if steps.last().is_some_and(|step| step == EACH))
    }

    /// A value in the form that its place wants.
    pub fn value(&self, id: &str) -> Value {
        match (self.form, id.parse::<i64>()) {
            (Form::Number, Ok(number)) => json!(number),
            _ => json!(id),
        }
    }

    /// Something that is no id at all.
    pub fn malformed(&self) -> Value {
        json!("not-an-id")
    }
}

impl Operation {
    /// Whether its path is of one thing.
    pub fn names_one(&self) -> bool {
        self.positions.iter().any(|position| position.place == Place::Path)
    }

    /// What is wrong with this body of an answer, if the document has it otherwise.
    pub fn unfit(&self, status: u16, body: &[u8]) -> Option<String> {
        let shape = self.shapes.get(&status.to_string()).or_else(|| self.shapes.get(&format!("{}XX", status / 100)))?;
        let wrong = match (shape, serde_json::from_slice(body)) {
            (None, _) => (!body.is_empty()).then(|| "there should be no body".to_owned())?,
            (Some(_), Err(error)) => error.to_string(),
            (Some(shape), Ok(body)) => {
                let error = shape.validate(&body).err()?;
                format!("{}: {error}", error.instance_path)
            }
        };
        Some(wrong)
    }
}

/// Every operation of the document. One that does not say who may call it is an error.
pub fn operations(document: &Value) -> Result<Vec<Operation>> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().context("paths")? {
        for method in METHODS {
            if let Some(shown) = item.get(method) {
                let named = || format!("{method} {path}");
                operations.push(operation(document, path, method, shown).with_context(named)?);
            }
        }
    }
    Ok(operations)
}

fn operation(document: &Value, path: &str, method: &str, shown: &Value) -> Result<Operation> {
    let id = shown["operationId"].as_str().context("it has no id")?.to_owned();
    let words = shown["x-permission"].as_array().context("it does not say who may call it")?;
    let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
    let needs = match words[..] {
        [] => bail!("it does not say who may call it"),
        ["public"] => Needs::Public,
        ["signed-in"] => Needs::SignedIn,
        [BE_A_PERSON] => Needs::Person,
        [BELONG_TO_ENTERPRISE] => Needs::Member,
        [ADMINISTER_SYSTEM] => Needs::System,
        _ => Needs::OneOf(words.iter().map(|&word| word.to_owned()).collect()),
    };
    let finest = match shown["x-reach"].as_str() {
        Some("own") => Finest::Own,
        Some("warehouses") => Finest::Warehouses,
        Some("enterprise") => Finest::Enterprise,
        None if !matches!(needs, Needs::OneOf(_)) => Finest::Own,
        other => bail!("its reach is {other:?}"),
    };
    let (mut positions, mut required) = (Vec::new(), BTreeMap::new());
    for parameter in shown["parameters"].as_array().into_iter().flatten() {
        let parameter = resolved(document, parameter);
        let name = parameter["name"].as_str().context("a parameter has no name")?.to_owned();
        let schema = resolved(document, &parameter["schema"]);
        let place = match parameter["in"].as_str() {
            Some("path") => Place::Path,
            Some("query") => Place::Query,
            _ => continue,
        };
        match form(&name, schema) {
            Some(form) => positions.push(Position { place, name, form }),
            None if place == Place::Path => bail!("nobody knows what {name} may be"),
            None if parameter["required"] == true => drop(required.insert(name, sample(schema))),
            None => {}
        }
    }
    for content in shown["requestBody"]["content"].as_object().into_iter().flat_map(Map::values) {
        within(document, &content["schema"], &mut Vec::new(), &mut positions);
    }
    let mut shapes = BTreeMap::new();
    for (status, answer) in shown["responses"].as_object().context("it has no answers")? {
        let content = answer["content"].as_object().into_iter().flat_map(Map::values).next();
        let shape = content.map(|content| shape(document, &content["schema"])).transpose()?;
        shapes.insert(status.clone(), shape.map(Arc::new));
    }
    let method = method.to_uppercase().parse()?;
    Ok(Operation { id, method, path: path.to_owned(), needs, finest, positions, shapes, required })
}

fn shape(document: &Value, schema: &Value) -> Result<Validator> {
    let root = json!({ "allOf": [schema], "components": document["components"] });
    let options = jsonschema::options().with_draft(Draft::Draft4).should_validate_formats(true).build(&root);
    options.map_err(|error| anyhow::anyhow!("{error}"))
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let known = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    known.unwrap_or(schema)
}

/// Ids are what is a UUID, and numbers that are called an id.
fn form(name: &str, schema: &Value) -> Option<Form> {
    match (schema["type"].as_str()?, schema["format"].as_str()) {
        ("string", Some("uuid")) => Some(Form::Uuid),
        ("integer", _) if name.ends_with("Id") || name.ends_with("_id") => Some(Form::Number),
        _ => None,
    }
}

/// A value for what is no id.
fn sample(schema: &Value) -> String {
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (_, Some(format)) if format.ends_with("date") => "2030-01-01".to_owned(),
        (Some("integer"), _) => "1".to_owned(),
        _ => "Москва".to_owned(),
    }
}

fn within(document: &Value, schema: &Value, steps: &mut Vec<String>, found: &mut Vec<Position>) {
    let schema = resolved(document, schema);
    let several = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|word| schema[word].as_array()).flatten();
    several.for_each(|schema| within(document, schema, steps, found));
    if let Some(items) = schema.get("items") {
        steps.push(EACH.to_owned());
        within(document, items, steps, found);
        steps.pop();
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        steps.push(name.clone());
        within(document, property, steps, found);
        steps.pop();
    }
    let name = steps.iter().rfind(|step| *step != EACH).cloned().unwrap_or_default();
    if let Some(form) = form(&name, schema) {
        found.push(Position { place: Place::Body(steps.clone()), name, form });
    }
}

/// What is asked of an operation, with ids at their places.
#[derive(Clone, Debug)]
pub struct Ask {
    path: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
    body: Option<Value>,
}

impl Ask {
    /// With nothing but what must be there, the ids of the path among it.
    pub fn plain(operation: &Operation, ids: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { path: ids.into_iter().collect(), query: operation.required.clone(), body: None }
    }

    /// As an example has it.
    pub fn of(operation: &Operation, act: Act) -> Result<Self> {
        let (path, query) = act.path.split_once('?').unwrap_or((&act.path, ""));
        let (told, given): (Vec<_>, Vec<_>) = (operation.path.split('/').collect(), path.split('/').collect());
        let fits = told.len() == given.len() && act.method == operation.method;
        let (mut path, mut all_fit) = (BTreeMap::new(), fits);
        for (told, given) in told.iter().zip(&given) {
            match told.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => drop(path.insert(name.to_owned(), (*given).to_owned())),
                None => all_fit &= told == given,
            }
        }
        anyhow::ensure!(all_fit, "{} {} is no example of {}", act.method, act.path, operation.id);
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let query = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Self { path, query, body: act.body })
    }

    /// Where it goes.
    pub fn address(&self, operation: &Operation) -> String {
        let path = self
            .path
            .iter()
            .fold(operation.path.clone(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
        let query: Vec<_> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }

    /// What it carries.
    pub fn body(&self) -> Option<Value> {
        self.body.clone()
    }

    /// Whether an id stands there.
    pub fn has(&self, position: &Position) -> bool {
        match &position.place {
            Place::Path => self.path.contains_key(&position.name),
            Place::Query => self.query.contains_key(&position.name),
            Place::Body(steps) => self.body.as_ref().is_some_and(|body| find(body, steps).is_some()),
        }
    }

    /// The same with this id there, in the place of what was there.
    #[must_use]
    pub fn with(&self, position: &Position, id: &Value) -> Self {
        let mut ask = self.clone();
        let text = || id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        match &position.place {
            Place::Path => drop(ask.path.insert(position.name.clone(), text())),
            Place::Query => drop(ask.query.insert(position.name.clone(), text())),
            Place::Body(steps) => {
                if let Some(body) = &mut ask.body {
                    put(body, steps, id);
                }
            }
        }
        ask
    }

    /// The same with this id behind those that are there.
    #[must_use]
    pub fn with_also(&self, position: &Position, id: &Value) -> Self {
        let mut ask = self.clone();
        if let (Place::Body(steps), Some(body)) = (&position.place, &mut ask.body)
            && let Some(list) = list(body, &steps[..steps.len().saturating_sub(1)])
        {
            list.push(id.clone());
        }
        ask
    }

    /// Without a body.
    #[must_use]
    pub fn without_body(&self) -> Self {
        Self { body: None, ..self.clone() }
    }
}

fn find<'a>(value: &'a Value, steps: &[String]) -> Option<&'a Value> {
    steps.iter().try_fold(value, |value, step| if step == EACH { value.get(0) } else { value.get(step) })
}

fn put(value: &mut Value, steps: &[String], id: &Value) {
    match steps {
        [] => *value = id.clone(),
        [each] if each == EACH => *value = json!([id]),
        [step, rest @ ..] => {
            let inner = if step == EACH { value.get_mut(0) } else { value.get_mut(step) };
            if let Some(inner) = inner {
                put(inner, rest, id);
            }
        }
    }
}

fn list<'a>(value: &'a mut Value, steps: &[String]) -> Option<&'a mut Vec<Value>> {
    let found =
        steps.iter().try_fold(value, |value, step| if step == EACH { value.get_mut(0) } else { value.get_mut(step) });
    found?.as_array_mut()
}
