//! The front door: what this is and where to go on.

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use crate::problem::ApiError;
use crate::{State, Tag};

/// What answers here.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Home {
    /// What it is.
    pub name: String,
    /// Which version of the document it follows.
    pub version: String,
    /// Where a person reads about it.
    pub docs: Option<String>,
    /// Where a program reads about it.
    pub openapi: Option<String>,
    /// Where a monitor asks.
    pub health: String,
}

/// The front door.
pub struct Api;

#[OpenApi(tag = "Tag::Home")]
impl Api {
    /// See what this is
    #[oai(path = "/", method = "get", operation_id = "home")]
    #[expect(clippy::unused_async, reason = "operations are asynchronous")]
    async fn home(&self, state: Data<&State>) -> Result<Json<Home>, ApiError> {
        let shown = |path: &str| state.config.docs.then(|| path.to_owned());
        Ok(Json(Home {
            name: crate::NAME.to_owned(),
            version: crate::VERSION.to_owned(),
            docs: shown(crate::docs::PAGE),
            openapi: shown(crate::docs::DOCUMENT),
            health: "/health".to_owned(),
        }))
    }
}
