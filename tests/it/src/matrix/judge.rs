//! What must be true of answers, whoever asked for what: small questions with an answer in words.

use std::collections::BTreeSet;

use serde_json::Value;
use stack::client::Exchange;

use super::document::{Operation, Position};
use super::rows::About;

/// What differs from request to request by its nature. The request id does not: all are asked under the same one.
const PASSING: [&str; 3] = ["date", "ratelimit", "ratelimit-remaining"];

/// Whether two answers are the same, byte for byte, with every header that says something.
pub fn differ(one: &Exchange, other: &Exchange) -> Option<String> {
    if one.status != other.status {
        return Some(format!("{} and {}: {} / {}", one.status, other.status, words(one), words(other)));
    }
    let telling = |exchange: &Exchange| -> Vec<_> {
        let lasts =
            |(name, _): &&(String, String)| !PASSING.contains(&name.as_str()) && !name.starts_with("ratelimit-");
        exchange.headers.iter().filter(lasts).cloned().collect()
    };
    let (headers, others) = (telling(one), telling(other));
    if let Some(header) = headers.iter().find(|header| !others.contains(header)) {
        return Some(format!("header {header:?} and not so in {others:?}"));
    }
    if headers.len() != others.len() {
        return Some(format!("headers {headers:?} and {others:?}"));
    }
    (one.body != other.body).then(|| format!("{} / {}", words(one), words(other)))
}

/// What a batch that has a verdict for each row says of one that it refused, without the ids; nothing where it did the row.
pub fn refused_row(answer: &Exchange, about: About) -> Option<Value> {
    let body = json(answer);
    let rows = ["items", "rows"].iter().find_map(|name| body[name].as_array()).filter(|_| answer.status < 300)?;
    let row = match about {
        About::First => rows.first(),
        About::Last => rows.last(),
    };
    let row = row.filter(|row| row["problem"].is_string())?;
    let text = row.to_string();
    let named: Vec<_> = uuids(&text).collect();
    serde_json::from_str(&named.iter().fold(text.clone(), |text, id| text.replace(id, "an id"))).ok()
}

/// Whether the answer is this refusal.
pub fn is_not(answer: &Exchange, status: u16, code: &str) -> Option<String> {
    let fits = answer.status == status && json(answer)["code"] == code;
    (!fits).then(|| format!("{status} {code} is due, it answered {}", brief(answer)))
}

/// Whether a value that is none was refused, and named.
pub fn names_not(answer: &Exchange, position: &Position) -> Option<String> {
    let problem = json(answer);
    let field = problem["field"].as_str().unwrap_or_default();
    let fits = (400..500).contains(&answer.status) && ![401, 403, 404].contains(&answer.status);
    let named = field.split(['.', '[']).any(|part| part == position.name);
    (!fits || !named).then(|| format!("what is wrong should be named, it answered {}", brief(answer)))
}

/// Whether what may be done to one's own is refused as if it might not, or fails.
pub fn shuts_out(operation: &Operation, answer: &Exchange) -> Option<String> {
    let shut = fails(operation, answer) || [400, 401, 403, 404, 405, 415, 429].contains(&answer.status);
    shut.then(|| format!("it may be done and answered {}", brief(answer)))
}

/// Whether it failed; what monitors watch says 503 in words of its own.
fn fails(operation: &Operation, answer: &Exchange) -> bool {
    answer.status >= 500 && operation.shape(answer.status).is_none_or(|shape| shape.is_problem)
}

/// Whether the answer is none that the document has.
pub fn is_outside(operation: &Operation, answer: &Exchange) -> Option<String> {
    let Some(shape) = operation.shape(answer.status) else {
        return Some(format!("the document knows no {}: {}", answer.status, brief(answer)));
    };
    if fails(operation, answer) {
        return Some(format!("it failed: {}", brief(answer)));
    }
    let header = |name: &str| answer.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    if let Some(wrong) = shape.unfit(header("content-type").unwrap_or_default(), &answer.body) {
        return Some(format!("it is not as the document has it: {wrong}: {}", brief(answer)));
    }
    if !shape.is_problem {
        return None;
    }
    let problem = json(answer);
    let is_problem = header("content-type") == Some("application/problem+json; charset=utf-8")
        && problem["status"] == answer.status
        && header("x-request-id") == problem["requestId"].as_str();
    (!is_problem).then(|| format!("it is no problem: {}", brief(answer)))
}

/// An id of others that the answer tells and the question did not.
pub fn tells(answer: &Exchange, asked: &str, theirs: &BTreeSet<String>) -> Option<String> {
    let text = String::from_utf8_lossy(&answer.body);
    let told = uuids(&text).find(|id| theirs.contains(*id) && !asked.contains(*id))?;
    Some(format!("it tells {told}, which is others': {}", words(answer)))
}

fn uuids(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let dashed = move |from: usize| [8, 13, 18, 23].iter().all(|dash| bytes.get(from + dash) == Some(&b'-'));
    let first = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'-').map(|(at, _)| at);
    first
        .filter_map(move |at| at.checked_sub(8).filter(|from| dashed(*from)).and_then(|from| text.get(from..from + 36)))
}

fn json(answer: &Exchange) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
}

fn brief(answer: &Exchange) -> String {
    format!("{} {}", answer.status, words(answer))
}

fn words(answer: &Exchange) -> String {
    String::from_utf8_lossy(&answer.body).chars().take(400).collect()
}
