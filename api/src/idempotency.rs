//! `Idempotency-Key` over HTTP: accepted wherever something changes, required nowhere. The first answer is kept with its
//! effect; asked again, it comes again with `Idempotent-Replayed: true`.

use std::sync::Arc;

use poem::http::{StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response};
use poem_openapi::payload::{Json, Payload};
use serde_json::{Value, json};
use shared::Result;
use shared::idempotency::{Answer, Ask};

use crate::edge::{Received, limits};
use crate::origin::changes;
use crate::{State, auth};

const KEY: &str = "Idempotency-Key";
const REPLAYED: &str = "Idempotent-Replayed";

/// Operations that change something and know no key, each with the reason. What answers a secret is never kept.
pub const EXCLUDED: [(&str, &str); 20] = [
    ("accept_invitation", "nobody is signed in for it, and its token is good once"),
    ("begin_second_factor", "it answers a secret"),
    ("change_email", "nobody is signed in for it, and its token is good once"),
    ("change_password", "it carries passwords, and doing it twice changes nothing"),
    ("confirm_identity", "it is a proof, which is not repeated but given again"),
    ("create_api_key", "it answers a secret"),
    ("disable_second_factor", "it needs a fresh proof each time, and doing it twice changes nothing"),
    ("finish_second_factor", "it answers recovery codes"),
    ("invite_administrator", "it may answer a link, and a later invitation replaces the one before"),
    ("invite_user", "it may answer a link, and a later invitation replaces the one before"),
    ("login", "it answers tokens"),
    ("login_second_factor", "it answers tokens"),
    ("logout", "it ends the session that a repeat would need, and ending it twice changes nothing"),
    ("logout_everywhere", "it ends the session that a repeat would need"),
    ("refresh", "it answers tokens, and a repeat is how a stolen one shows"),
    ("renew_recovery_codes", "it answers recovery codes"),
    ("request_email_change", "it may answer a link, and a later request replaces the one before"),
    ("request_password_reset", "nobody is signed in for it, and it answers nothing"),
    ("reset_password", "nobody is signed in for it, and its token is good once"),
    ("reset_user_password", "it may answer a link"),
];

/// Whether an operation takes part.
pub fn accepts(operation: &str) -> bool {
    EXCLUDED.iter().all(|(excluded, _)| *excluded != operation)
}

/// A request that came under a key. Whether the key is a good one is only told to who may ask at all.
#[derive(Clone, Debug)]
pub struct Repeat(Arc<Result<Ask>>);

impl Repeat {
    /// The request, or what is wrong with its key.
    pub fn ask(&self) -> Result<Ask> {
        match &*self.0 {
            Ok(ask) => Ok(ask.clone()),
            Err(error) => Err(shared::Error::invalid(KEY, error.to_string().trim_start_matches(&format!("{KEY}: ")))),
        }
    }
}

/// Reads the body of a request that came under a key and lays both beside it: who takes the body reads it as it was.
pub(crate) async fn read<E: Endpoint>(routes: Arc<E>, mut request: Request, state: State) -> poem::Result<Response> {
    // Nobody's body is read who does not even claim to be somebody; and a large one only of who is recognised.
    let claims = request.headers().contains_key(header::AUTHORIZATION);
    if let Some(key) = request.headers().get(KEY).filter(|_| claims && changes(request.method())) {
        let key = key.to_str().unwrap_or_default().to_owned();
        if request.data::<Received>().is_none_or(|received| limits::is_large(&received.operation)) {
            auth::refuse_unknown(&request, &state).await?;
        }
        let (method, target) = (request.method().to_string(), request.original_uri().to_string());
        let body = request.take_body().into_vec().await?;
        request.set_data(Repeat(Arc::new(Ask::new(&key, &method, &target, &body))));
        request.set_body(body);
    }
    routes.call(request).await.map(IntoResponse::into_response)
}

/// A kept answer, given again.
pub(crate) fn replay(answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = Response::builder().status(status).header(REPLAYED, "true");
    for (name, value) in [(header::ETAG, &answer.etag), (header::LOCATION, &answer.location)] {
        if let Some(value) = value {
            response = response.header(name, value);
        }
    }
    match &answer.body {
        Some(body) => response.content_type(Json::<Value>::CONTENT_TYPE).body(body.clone()),
        None => response.finish(),
    }
}

/// Shows the header on every operation that takes it, so that generated clients offer it.
pub(crate) fn declare(document: &mut Value) {
    document["components"]["parameters"]["IdempotencyKey"] = json!({
        "name": KEY,
        "in": "header",
        "required": false,
        "description": "Names this intention, unique for the caller: sent again within 72 hours with the same key, the request has no second \
                        effect and the first answer comes again with `Idempotent-Replayed: true`. 409 `idempotency_in_progress`: the first \
                        one is still running. 422 `idempotency_mismatch`: the key belongs to another request.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$" },
    });
    for operation in changing(document) {
        if operation["operationId"].as_str().is_some_and(accepts) {
            parameters(operation).push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
        }
    }
}

/// Every operation that changes something.
fn changing(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let items = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    let operations = items.filter_map(Value::as_object_mut).flat_map(|item| item.iter_mut());
    operations
        .filter(|(method, _)| ["post", "put", "patch", "delete"].contains(&method.as_str()))
        .map(|(_, operation)| operation)
}

/// The operation's list of parameters, made if there is none.
pub(crate) fn parameters(operation: &mut Value) -> &mut Vec<Value> {
    let list =
        operation.as_object_mut().expect("an operation is an object").entry("parameters").or_insert_with(|| json!([]));
    list.as_array_mut().expect("parameters are a list")
}
