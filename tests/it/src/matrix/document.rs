//! What the published document says of its operations: what each asks of who calls it, and where ids stand.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jsonschema::{Draft, Validator};
use reqwest::Method;
use serde_json::{Map, Value, json};
use shared::access::{ADMINISTER_SYSTEM, BE_A_PERSON, BELONG_TO_ENTERPRISE, Finest};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// What is asked for where a text is needed that is no id.
pub const SAMPLE: &str = "Москва";
/// The step of a body that stands for any element of a list.
pub const EACH: &str = "[]";

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
    /// What it says it answers, by status or range of them.
    shapes: BTreeMap<String, Shape>,
    /// What must be in its query besides ids, with values that are allowed.
    pub required: BTreeMap<String, String>,
}

/// What an operation says that it answers with a status.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Whether it is a failure in the form of all failures.
    pub is_problem: bool,
    /// By media type, without its parameters.
    bodies: BTreeMap<String, Arc<Validator>>,
}

impl Shape {
    /// What is wrong with this body of this media type, if the document has it otherwise.
    pub fn unfit(&self, kind: &str, body: &[u8]) -> Option<String> {
        if self.bodies.is_empty() {
            return (!body.is_empty()).then(|| "there should be no body".to_owned());
        }
        let Some(shape) = self.bodies.get(plain(kind)) else {
            return Some(format!("nothing is said of {kind:?}"));
        };
        // Otherwise it is a text, or a file.
        let told = if plain(kind).ends_with("json") {
            serde_json::from_slice(body)
        } else {
            Ok(Value::String(String::from_utf8_lossy(body).into_owned()))
        };
        match told {
            Err(error) => Some(error.to_string()),
            Ok(body) => shape.validate(&body).err().map(|error| format!("{}: {error}", error.instance_path)),
        }
    }
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
}

impl Operation {
    /// Whether its path is of one thing.
    pub fn names_one(&self) -> bool {
        self.positions.iter().any(|position| position.place == Place::Path)
    }

    /// What it says it answers with this status.
    pub fn shape(&self, status: u16) -> Option<&Shape> {
        self.shapes.get(&status.to_string()).or_else(|| self.shapes.get(&format!("{}XX", status / 100)))
    }
}

/// Every operation of the document. One that does not say who may call it is an error.
pub fn operations(document: &Value) -> Result<Vec<Operation>> {
    let (mut operations, mut known) = (Vec::new(), HashMap::new());
    for (path, item) in document["paths"].as_object().context("paths")? {
        for method in METHODS {
            if let Some(shown) = item.get(method) {
                let named = || format!("{method} {path}");
                operations.push(operation(document, path, method, shown, &mut known).with_context(named)?);
            }
        }
    }
    Ok(operations)
}

/// Shapes by their schemas: all failures have the same one.
type Known = HashMap<String, Arc<Validator>>;

fn operation(document: &Value, path: &str, method: &str, shown: &Value, known: &mut Known) -> Result<Operation> {
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
            None if parameter["required"] == true => {
                let value = sample(&name, schema);
                required.insert(name, value);
            }
            None => {}
        }
    }
    for content in shown["requestBody"]["content"].as_object().into_iter().flat_map(Map::values) {
        within(document, &content["schema"], &mut Vec::new(), &mut positions);
    }
    let mut shapes = BTreeMap::new();
    for (status, answer) in shown["responses"].as_object().context("it has no answers")? {
        let (mut is_problem, mut bodies) = (false, BTreeMap::new());
        for (kind, content) in resolved(document, answer)["content"].as_object().into_iter().flatten() {
            let kind = plain(kind);
            is_problem |= kind == "application/problem+json";
            bodies.insert(kind.to_owned(), shape(document, &content["schema"], known)?);
        }
        shapes.insert(status.clone(), Shape { is_problem, bodies });
    }
    let method = method.to_uppercase().parse()?;
    Ok(Operation { id, method, path: path.to_owned(), needs, finest, positions, shapes, required })
}

/// A media type without its parameters.
fn plain(kind: &str) -> &str {
    kind.split(';').next().unwrap_or_default().trim()
}

fn shape(document: &Value, schema: &Value, known: &mut Known) -> Result<Arc<Validator>> {
    let text = schema.to_string();
    if let Some(shape) = known.get(&text) {
        return Ok(Arc::clone(shape));
    }
    let root = json!({ "allOf": [schema], "components": document["components"] });
    let options = jsonschema::options().with_draft(Draft::Draft4).should_validate_formats(true).build(&root);
    let shape = Arc::new(options.map_err(|error| anyhow::anyhow!("{error}"))?);
    known.insert(text, Arc::clone(&shape));
    Ok(shape)
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

/// A value for what is no id; a period ends after it began.
fn sample(name: &str, schema: &Value) -> String {
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (_, Some("date-time")) if name == "to" => "2026-02-01T00:00:00Z".to_owned(),
        (_, Some("date-time")) => "2026-01-01T00:00:00Z".to_owned(),
        (_, Some(format)) if format.ends_with("date") => "2030-01-01".to_owned(),
        (Some("integer"), _) => "1".to_owned(),
        _ => SAMPLE.to_owned(),
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
