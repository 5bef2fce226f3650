//! A question: an operation with ids at their places.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use super::document::{EACH, Operation, Place, Position};
use crate::Act;

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
