//! Every operation of the published document, called with plausible values.

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use stack::client::text;

use crate::Shop;

const NOBODY: &str = "01900000-0000-7000-8000-000000000000";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// What an operation answered: status line, headers and body as they came.
pub struct Answer {
    /// Its id in the document.
    pub operation: String,
    /// The status.
    pub status: u16,
    /// Everything else.
    pub text: String,
}

/// A walk over the whole document.
pub struct Walk {
    document: Value,
    /// Ids by the path that they belong to.
    ids: Vec<(&'static str, String)>,
    token: String,
}

impl Walk {
    /// Calls every operation twice, with everything that may be said and with no more than must be, signed in as the
    /// shop's administrator. What ends sessions comes last.
    pub async fn over(shop: &Shop<'_>) -> Result<Vec<Answer>> {
        let document: Value = serde_json::from_str(&api::openapi()).context("the document is JSON")?;
        let walk = Self { ids: ids(shop).await?, token: shop.token.clone(), document };
        let mut operations: Vec<(String, &str, Value)> = Vec::new();
        for (path, item) in walk.document["paths"].as_object().context("paths")? {
            for method in METHODS {
                if let Some(operation) = item.get(method) {
                    operations.push((path.clone(), method, operation.clone()));
                }
            }
        }
        operations.sort_by_key(|(path, method, _)| (path.starts_with("/auth"), *method == "delete"));
        let mut answers = Vec::new();
        for (path, method, operation) in &operations {
            for whole in [true, false] {
                let address = walk.address(path, operation, whole);
                let body = walk.body(operation, whole);
                let (status, text) = shop.client.raw(method, &address, body).await?;
                let operation = operation["operationId"].as_str().unwrap_or_default().to_owned();
                answers.push(Answer { operation, status, text });
            }
        }
        Ok(answers)
    }

    fn address(&self, path: &str, operation: &Value, whole: bool) -> String {
        let mut address = path.to_owned();
        let mut query = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            let value = match self.sample(&parameter["schema"], name, whole) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            match parameter["in"].as_str() {
                Some("path") => {
                    let value = if name == "id" { self.id_of(path) } else { value };
                    address = address.replace(&format!("{{{name}}}"), &value);
                }
                Some("query") if whole || parameter["required"] == true => query.push(format!("{name}={value}")),
                _ => {}
            }
        }
        if query.is_empty() { address } else { format!("{address}?{}", query.join("&")) }
    }

    fn body(&self, operation: &Value, whole: bool) -> Option<Value> {
        let content = operation["requestBody"]["content"].as_object()?;
        let schema = &content.values().next()?["schema"];
        Some(self.sample(schema, "", whole))
    }

    fn id_of(&self, path: &str) -> String {
        let known = self.ids.iter().find(|(prefix, _)| path.starts_with(prefix));
        known.map_or_else(|| NOBODY.to_owned(), |(_, id)| id.clone())
    }

    /// A value that this schema allows, by the name that it has.
    fn sample(&self, schema: &Value, name: &str, whole: bool) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let known = self.document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null);
            return self.sample(known, name, whole);
        }
        if let Some(first) = ["allOf", "anyOf", "oneOf"].iter().find_map(|word| schema[*word].as_array()?.first()) {
            return self.sample(first, name, whole);
        }
        if let Some(first) = schema["enum"].as_array().and_then(|words| words.first()) {
            return first.clone();
        }
        match schema["type"].as_str() {
            Some("object") => self.object(schema, whole),
            Some("array") => json!([self.sample(&schema["items"], name, whole)]),
            Some("boolean") => json!(true),
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
            Some("string") => self.text(schema, name),
            _ => Value::Null,
        }
    }

    fn object(&self, schema: &Value, whole: bool) -> Value {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let mut object = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if (whole || required.contains(&json!(name))) && property["readOnly"] != true {
                object.insert(name.clone(), self.sample(property, name, whole));
            }
        }
        Value::Object(object)
    }

    fn text(&self, schema: &Value, name: &str) -> Value {
        let known = || {
            self.ids.iter().find(|(prefix, _)| prefix.trim_start_matches('/').starts_with(name.trim_end_matches("Id")))
        };
        json!(match schema["format"].as_str() {
            Some("uuid") if name.len() > 2 => known().map_or(NOBODY, |(_, id)| id),
            Some("uuid") => NOBODY,
            Some("date") => "2030-01-01",
            Some("date-time") => "2030-01-01T00:00:00Z",
            Some("email") => "somebody@example.org",
            _ if name == "token" => &self.token,
            Some("password") => "a long password of nobody",
            _ if name == "host" => "127.0.0.1",
            _ if name == "after" => "bm90aGluZw",
            _ => "канарейка",
        })
    }
}

/// What the shop has of everything that is named in a path.
async fn ids(shop: &Shop<'_>) -> Result<Vec<(&'static str, String)>> {
    let mut ids = vec![
        ("/wildberries/accounts", shop.account.clone()),
        ("/accounts", shop.account.clone()),
        ("/warehouses", shop.warehouse.clone()),
        ("/cells", text(&shop.client.get("/cells?code=A-01").await?["items"][0], "id")?),
        ("/printers", shop.printer.clone()),
    ];
    for list in [
        "/orders",
        "/requests",
        "/supplies",
        "/print-jobs",
        "/products",
        "/categories",
        "/sync-runs",
        "/jobs",
        "/users",
        "/roles",
        "/enterprises",
        "/alarms",
    ] {
        let page = shop.client.get(&format!("{list}?limit=1")).await?;
        if let Some(id) = page["items"][0]["id"].as_str() {
            ids.push((list, id.to_owned()));
        }
    }
    Ok(ids)
}

/// What must stand in an operation's query, for example: `&from=…&to=…`; a period ends after it began.
pub fn required_query(operation: &Value) -> String {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let required = parameters.filter(|one| one["in"] == "query" && one["required"] == true);
    let one = |one: &Value| match (one["name"].as_str(), one["schema"]["format"].as_str()) {
        (Some("to"), _) => "&to=2026-02-01T00:00:00Z".to_owned(),
        (Some(name), Some("date-time")) => format!("&{name}=2026-01-01T00:00:00Z"),
        (name, _) => format!("&{}=1", name.unwrap_or_default()),
    };
    required.map(one).collect()
}
