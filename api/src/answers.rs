//! The shapes that answers share.

use poem_openapi::payload::Json;
use poem_openapi::types::{ParseFromJSON, ToJSON};
use poem_openapi::{ApiResponse, Object};

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

/// It is done and there is nothing to show.
#[derive(Debug, ApiResponse)]
pub enum NoContent {
    /// Done
    #[oai(status = 204)]
    Done,
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
