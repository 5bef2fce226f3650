//! The shapes that answers share, and how a changing operation ends: its answer is kept with its effect, then given.

use poem_openapi::payload::Json;
use poem_openapi::types::{ParseFromJSON, ToJSON};
use poem_openapi::{ApiResponse, Object};
use shared::db::EnterpriseTx;
use shared::idempotency;

use crate::problem::ApiError;
use crate::versions::{Versioned, etag};

/// What a changing operation answers, as it is kept for who asks again under the same key.
pub trait Answer: Send {
    /// Exactly what is sent.
    fn kept(&self) -> idempotency::Answer;
}

/// The last line of a changing operation.
pub trait Ending {
    /// Makes the effect true together with its answer, and answers.
    fn answer<A: Answer>(self, answer: A) -> impl Future<Output = Result<A, ApiError>> + Send;
}

impl Ending for EnterpriseTx {
    async fn answer<A: Answer>(self, answer: A) -> Result<A, ApiError> {
        // Rendered before: a reference to the answer must not wait for the database.
        let kept = self.is_asked().then(|| answer.kept());
        self.commit_answered(kept).await?;
        Ok(answer)
    }
}

fn kept<T: ToJSON>(status: u16, etag: Option<&String>, body: &Json<T>) -> idempotency::Answer {
    // As poem renders it.
    let body = serde_json::to_vec(&body.0.to_json()).expect("JSON is written as it was made");
    idempotency::Answer { status, etag: etag.cloned(), location: None, body: Some(body) }
}

impl<T: ToJSON + Send> Answer for Json<T> {
    fn kept(&self) -> idempotency::Answer {
        kept(200, None, self)
    }
}

/// Something that two people may edit, as it is now.
#[derive(Debug, ApiResponse)]
pub enum Current<T: ParseFromJSON + ToJSON> {
    /// As it is now
    #[oai(status = 200)]
    Now(
        Json<T>,
        /// Send it as `If-Match` when you edit, as `If-None-Match` when you look again.
        #[oai(header = "ETag")]
        String,
    ),
}

impl<T: ParseFromJSON + ToJSON + Versioned> Current<T> {
    /// Something of the domain, as it looks over HTTP.
    pub fn of(object: impl Into<T>) -> Self {
        let object = object.into();
        let tag = etag(&object);
        Self::Now(Json(object), tag)
    }
}

impl<T: ParseFromJSON + ToJSON + Send> Answer for Current<T> {
    fn kept(&self) -> idempotency::Answer {
        let Self::Now(body, tag) = self;
        kept(200, Some(tag), body)
    }
}

/// Something new that two people may edit.
#[derive(Debug, ApiResponse)]
pub enum Fresh<T: ParseFromJSON + ToJSON> {
    /// As it is now
    #[oai(status = 201)]
    New(
        Json<T>,
        /// Send it as `If-Match` when you edit.
        #[oai(header = "ETag")]
        String,
    ),
}

impl<T: ParseFromJSON + ToJSON + Versioned> Fresh<T> {
    /// Something of the domain, as it looks over HTTP.
    pub fn of(new: impl Into<T>) -> Self {
        let new = new.into();
        let tag = etag(&new);
        Self::New(Json(new), tag)
    }
}

impl<T: ParseFromJSON + ToJSON + Send> Answer for Fresh<T> {
    fn kept(&self) -> idempotency::Answer {
        let Self::New(body, tag) = self;
        kept(201, Some(tag), body)
    }
}

/// One page of a list.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Page<T: ParseFromJSON + ToJSON> {
    /// The rows.
    pub items: Vec<T>,
    /// Send it as `after` to get the next page; absent on the last one.
    pub next: Option<String>,
}

impl<T: ParseFromJSON + ToJSON> Page<T> {
    /// A page of the domain, as it looks over HTTP.
    pub fn of(page: shared::page::Page<impl Into<T>>) -> Self {
        let page = page.map(Into::into);
        Self { items: page.items, next: page.next }
    }
}

/// Something new is there.
#[derive(Debug, ApiResponse)]
pub enum Created<T: ParseFromJSON + ToJSON> {
    /// As it is now
    #[oai(status = 201)]
    New(Json<T>),
}

impl<T: ParseFromJSON + ToJSON> Created<T> {
    /// Something of the domain, as it looks over HTTP.
    pub fn of(new: impl Into<T>) -> Self {
        Self::New(Json(new.into()))
    }
}

impl<T: ParseFromJSON + ToJSON + Send> Answer for Created<T> {
    fn kept(&self) -> idempotency::Answer {
        let Self::New(body) = self;
        kept(201, None, body)
    }
}

/// It is done and there is nothing to show.
#[derive(Debug, ApiResponse)]
pub enum NoContent {
    /// Done
    #[oai(status = 204)]
    Done,
}

impl Answer for NoContent {
    fn kept(&self) -> idempotency::Answer {
        idempotency::Answer { status: 204, etag: None, location: None, body: None }
    }
}

/// It is promised and will be done by a worker.
#[derive(Debug, ApiResponse)]
pub enum Accepted<T: ParseFromJSON + ToJSON> {
    /// Promised
    #[oai(status = 202)]
    Promised(Json<T>),
}

impl<T: ParseFromJSON + ToJSON> Accepted<T> {
    /// Something of the domain, as it looks over HTTP.
    pub fn of(promised: impl Into<T>) -> Self {
        Self::Promised(Json(promised.into()))
    }
}

impl<T: ParseFromJSON + ToJSON + Send> Answer for Accepted<T> {
    fn kept(&self) -> idempotency::Answer {
        let Self::Promised(body) = self;
        kept(202, None, body)
    }
}

/// A list that is short enough to come whole.
#[derive(Debug, Object)]
pub struct List<T: ParseFromJSON + ToJSON> {
    /// All rows.
    pub items: Vec<T>,
}

impl<T: ParseFromJSON + ToJSON> List<T> {
    /// Rows of the domain, as they look over HTTP.
    pub fn of(rows: Vec<impl Into<T>>) -> Self {
        Self { items: rows.into_iter().map(Into::into).collect() }
    }
}

/// A domain type as it looks over HTTP: the fields that are shown, in camelCase, each with its meaning.
macro_rules! shown {
    ($(#[$meta:meta])* $name:ident from $domain:path { $($(#[$field_meta:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, poem_openapi::Object)]
        #[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)+
        }

        impl From<$domain> for $name {
            fn from(domain: $domain) -> Self {
                Self { $($field: domain.$field.into(),)+ }
            }
        }
    };
}
pub(crate) use shown;
