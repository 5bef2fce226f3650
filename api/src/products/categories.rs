//! Categories over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::CategoryId;
use shared::products::categories;
use shared::versions::Version;

use crate::Tag;
use crate::answers::{Current, Ending, Fresh, List, NoContent, shown};
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::versions::versioned;

shown! {
    /// A branch of the tree that products are sorted into.
    Category from categories::Category {
        /// Which one.
        id: CategoryId,
        /// Below which one; absent at the top.
        parent_id: Option<CategoryId>,
        /// Unique among its sisters, whatever the case.
        name: String,
        /// With the names above it, divided by ` / `.
        path: String,
        /// Since when.
        created_at: DateTime<Utc>,
        /// How often it was changed: `If-Match` compares it.
        version: Version,
    }
}

versioned!(Category);

/// A category as it is to be.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetCategory {
    /// 1 to 100 characters, no stroke.
    #[oai(validator(min_length = 1, max_length = 100, pattern = "^[^/]*$"))]
    pub name: String,
    /// Below which one; absent: at the top.
    pub parent_id: Option<CategoryId>,
}

/// Categories.
pub struct Api;

#[OpenApi(tag = "Tag::Products")]
impl Api {
    /// List the whole tree by path
    #[oai(path = "/categories", method = "get", operation_id = "list_categories")]
    async fn list(&self, Caller(actor): Caller, db: Data<&Db>) -> Result<Json<List<Category>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let tree = categories::list(&mut tx).await?;
        tx.commit().await?;
        Ok(Json(List::of(tree)))
    }

    /// Add a category
    #[oai(path = "/categories", method = "post", operation_id = "create_category")]
    async fn create(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<SetCategory>,
    ) -> Result<Fresh<Category>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let category = categories::create(&mut tx, &body.name, body.parent_id).await?;
        tx.answer(Fresh::of(category)).await
    }

    /// Get a category
    #[oai(path = "/categories/:id", method = "get", operation_id = "get_category")]
    async fn get(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CategoryId>,
    ) -> Result<Current<Category>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let category = categories::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Current::of(category))
    }

    /// Give a category another name or place
    #[oai(path = "/categories/:id", method = "put", operation_id = "change_category")]
    async fn change(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CategoryId>,
        body: Json<SetCategory>,
    ) -> Result<Current<Category>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let category = categories::change(&mut tx, id.0, &body.name, body.parent_id).await?;
        tx.answer(Current::of(category)).await
    }

    /// Remove a category in which nothing lies
    #[oai(path = "/categories/:id", method = "delete", operation_id = "delete_category")]
    async fn remove(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<CategoryId>) -> Result<NoContent, ApiError> {
        let mut tx = db.begin(&actor).await?;
        categories::remove(&mut tx, id.0).await?;
        tx.answer(NoContent::Done).await
    }
}
