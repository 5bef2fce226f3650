//! The walk over an answer beside its shape.

use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value};

use super::drift::{DriftKind, shown};
use super::{Field, Kind};

/// How deep a sample goes.
const DEPTH: usize = 3;
/// Fields of one object that a sample shows.
const MOST_FIELDS: usize = 40;

/// A difference that was come by.
pub(super) struct Sight<'a> {
    pub path: String,
    pub kind: DriftKind,
    pub word: String,
    of: Of<'a>,
}

/// What a sample is made of, if somebody wants it.
enum Of<'a> {
    Value(&'a Value),
    Around(&'a Map<String, Value>),
    Types(&'static str, &'a Value),
}

impl Sight<'_> {
    /// What is shown of it.
    pub fn sample(&self) -> String {
        match self.of {
            Of::Value(value) => outline(value, DEPTH),
            Of::Around(fields) => outline_of(fields, DEPTH),
            Of::Types(known, value) => format!("{known} → {}", outline(value, DEPTH)),
        }
    }
}

/// Tells of everything that is not as the shape has it.
pub(super) fn over<'a>(shape: &Kind, answer: &'a Value, tell: &mut dyn FnMut(Sight<'a>)) {
    let mut walk = Walk { path: Vec::new(), tell };
    match answer {
        Value::Null => walk.changed(shape, answer),
        _ => walk.value(shape, answer),
    }
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a str),
    Entry,
}

struct Walk<'a, 't> {
    path: Vec<Step<'a>>,
    tell: &'t mut dyn FnMut(Sight<'a>),
}

impl<'a> Walk<'a, '_> {
    fn value(&mut self, kind: &Kind, value: &'a Value) {
        match (kind, value) {
            (_, Value::Null)
            | (Kind::Anything, _)
            | (Kind::Flag, Value::Bool(_))
            | (Kind::Number, Value::Number(_))
            | (Kind::Text, Value::String(_)) => {}
            (Kind::Whole, Value::Number(number)) if !number.is_f64() => {}
            (Kind::Moment, Value::String(text)) if text.is_empty() || DateTime::parse_from_rfc3339(text).is_ok() => {}
            (Kind::Day, Value::String(text)) if text.is_empty() || day(text) => {}
            (Kind::Word(words), Value::String(word)) => {
                if !words.contains(&word.as_str()) {
                    self.tell(DriftKind::UnknownWord, shown(word).into_owned(), Of::Value(value));
                }
            }
            (Kind::Code(codes), Value::Number(number)) if !number.is_f64() => {
                if number.as_i64().is_none_or(|number| !codes.contains(&number)) {
                    self.tell(DriftKind::UnknownWord, number.to_string(), Of::Value(value));
                }
            }
            (Kind::List(each), Value::Array(entries)) => {
                self.path.push(Step::Entry);
                for entry in entries {
                    match entry {
                        Value::Null => self.changed(each, entry),
                        _ => self.value(each, entry),
                    }
                }
                self.path.pop();
            }
            (Kind::Object(parts), Value::Object(fields)) => self.object(parts, fields),
            _ => self.changed(kind, value),
        }
    }

    fn object(&mut self, parts: &'static [&'static [Field]], fields: &'a Map<String, Value>) {
        for (name, value) in fields {
            self.path.push(Step::Field(name));
            match parts.iter().flat_map(|part| part.iter()).find(|field| field.name == name) {
                Some(field) => self.value(&field.kind, value),
                None => self.tell(DriftKind::NewField, String::new(), Of::Value(value)),
            }
            self.path.pop();
        }
        for field in parts.iter().flat_map(|part| part.iter()).filter(|field| field.always) {
            if fields.get(field.name).is_none_or(Value::is_null) {
                self.path.push(Step::Field(field.name));
                self.tell(DriftKind::MissingField, String::new(), Of::Around(fields));
                self.path.pop();
            }
        }
    }

    fn changed(&mut self, known: &Kind, value: &'a Value) {
        self.tell(DriftKind::ChangedType, word(value).to_owned(), Of::Types(known.word(), value));
    }

    fn tell(&mut self, kind: DriftKind, word: String, of: Of<'a>) {
        let path = written(&self.path);
        (self.tell)(Sight { path, kind, word, of });
    }
}

fn written(steps: &[Step<'_>]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Entry => path.push_str("[]"),
            Step::Field(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&shown(name));
            }
        }
    }
    if path.is_empty() { ".".to_owned() } else { path }
}

fn day(text: &str) -> bool {
    text.get(..10).unwrap_or(text).parse::<NaiveDate>().is_ok()
}

/// The type of what came.
fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Names and types, as deep as `depth`; of a list the first entry.
fn outline(value: &Value, depth: usize) -> String {
    match value {
        Value::Array(entries) => match entries.first().filter(|_| depth > 0) {
            Some(first) => format!("[{}]", outline(first, depth - 1)),
            None => "[]".to_owned(),
        },
        Value::Object(fields) if depth > 0 => outline_of(fields, depth),
        other => word(other).to_owned(),
    }
}

fn outline_of(fields: &Map<String, Value>, depth: usize) -> String {
    let field = |(name, value): (&String, &Value)| format!("{}: {}", shown(name), outline(value, depth - 1));
    let shown: Vec<_> = fields.iter().take(MOST_FIELDS).map(field).collect();
    let more = if fields.len() > MOST_FIELDS { ", …" } else { "" };
    format!("{{{}{more}}}", shown.join(", "))
}
