//! Reads an OpenAPI 3.0 document into operations whose schemas are plain JSON Schema: references resolved, `nullable` a union.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

/// One method of the documents.
#[derive(Debug)]
pub(super) struct Operation {
    /// Upper case.
    pub method: String,
    /// Path with its variables in braces.
    pub path: String,
    /// Parameters of path and query.
    pub parameters: Vec<Parameter>,
    pub request: Option<Value>,
    /// Status to body.
    pub responses: BTreeMap<String, Described>,
}

/// What a document says of an answer's body.
#[derive(Debug)]
pub(super) struct Described {
    pub schema: Option<Value>,
    /// Whether the body may be something other than JSON.
    pub text: bool,
}

#[derive(Debug)]
pub(super) struct Parameter {
    pub name: String,
    pub in_query: bool,
    pub required: bool,
    pub schema: Value,
}

const METHODS: &[&str] = &["get", "post", "put", "patch", "delete"];

/// All operations of one document.
pub(super) fn operations(text: &str) -> Result<Vec<Operation>> {
    let document = to_json(serde_yaml_ng::from_str(text).context("parsing YAML")?)?;
    let mut found = Vec::new();
    let Some(paths) = document["paths"].as_object() else { bail!("the document has no paths") };
    for (path, methods) in paths {
        for method in METHODS {
            let Some(described) = methods.get(method) else { continue };
            let shared = methods["parameters"].as_array().into_iter().flatten();
            let own = described["parameters"].as_array().into_iter().flatten();
            let parameters = shared.chain(own).map(|parameter| parameter_of(&document, parameter)).collect();
            let body = resolve(&document, &described["requestBody"], 0);
            let mut responses = BTreeMap::new();
            for (status, response) in described["responses"].as_object().into_iter().flatten() {
                responses.insert(status.clone(), body_of(&resolve(&document, response, 0)["content"]));
            }
            found.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                parameters,
                request: body_of(&body["content"]).schema,
                responses,
            });
        }
    }
    Ok(found)
}

fn parameter_of(document: &Value, parameter: &Value) -> Parameter {
    let parameter = resolve(document, parameter, 0);
    Parameter {
        name: parameter["name"].as_str().unwrap_or_default().to_owned(),
        in_query: parameter["in"] == "query",
        required: parameter["required"] == true,
        schema: parameter["schema"].clone(),
    }
}

fn body_of(content: &Value) -> Described {
    let types = content.as_object().into_iter().flatten();
    let json = types.clone().find(|(kind, _)| kind.contains("json"));
    let schema = json.map(|(_, body)| body["schema"].clone()).filter(|schema| !schema.is_null());
    Described { schema, text: types.into_iter().any(|(kind, _)| !kind.contains("json")) }
}

/// YAML's statuses may be numbers; JSON's keys are text.
fn to_json(yaml: Yaml) -> Result<Value> {
    Ok(match yaml {
        Yaml::Mapping(fields) => {
            let mut object = Map::new();
            for (key, value) in fields {
                let key = match key {
                    Yaml::String(key) => key,
                    Yaml::Number(number) => number.to_string(),
                    Yaml::Bool(word) => word.to_string(),
                    Yaml::Null => "null".to_owned(),
                    other => bail!("a key that is no text: {other:?}"),
                };
                object.insert(key, to_json(value)?);
            }
            Value::Object(object)
        }
        Yaml::Sequence(list) => Value::Array(list.into_iter().map(to_json).collect::<Result<_>>()?),
        Yaml::Tagged(tagged) => to_json(tagged.value)?,
        plain => serde_json::to_value(plain).context("a plain value")?,
    })
}

/// Copies a part of the document with everything it refers to.
fn resolve(document: &Value, part: &Value, depth: usize) -> Value {
    // A schema that contains itself ends in one that permits anything.
    if depth > 40 {
        return json!({});
    }
    match part {
        Value::Object(fields) => {
            if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                let target = document.pointer(target.trim_start_matches('#')).unwrap_or(&Value::Null);
                return resolve(document, target, depth + 1);
            }
            let mut copy = Map::new();
            for (name, value) in fields {
                if !matches!(name.as_str(), "example" | "examples" | "description") || value.get("type").is_some() {
                    copy.insert(name.clone(), resolve(document, value, depth + 1));
                }
            }
            // The alternatives of these documents overlap: what fits one as a rule fits others too.
            if let Some(alternatives) = copy.remove("oneOf") {
                copy.insert("anyOf".into(), alternatives);
            }
            if copy.remove("nullable") == Some(Value::Bool(true)) {
                permit_null(&mut copy);
            }
            Value::Object(copy)
        }
        Value::Array(list) => list.iter().map(|value| resolve(document, value, depth + 1)).collect(),
        plain => plain.clone(),
    }
}

fn permit_null(schema: &mut Map<String, Value>) {
    if let Some(kind) = schema.get("type").filter(|kind| kind.is_string()).cloned() {
        schema.insert("type".into(), json!([kind, "null"]));
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nullable_becomes_a_union_and_references_are_followed() {
        let text = "
paths:
  /things/{id}:
    get:
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
      responses:
        200:
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
components:
  schemas:
    Thing: {type: object, properties: {name: {type: string, nullable: true, enum: [a]}}}
";
        let found = operations(text).unwrap();
        let schema = found[0].responses["200"].schema.as_ref().unwrap();
        assert_eq!(schema["properties"]["name"], json!({ "type": ["string", "null"], "enum": ["a", null] }));
    }
}
