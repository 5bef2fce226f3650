//! The tree that people sort products into.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::CategoryId;
use crate::versions::Version;
use crate::{Error, Refusal, Result};

/// Categories of an enterprise, and how deep they may lie.
const MOST: i64 = 2000;
const DEEPEST: i32 = 10;

/// A branch of the tree.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Category {
    /// Ours.
    pub id: CategoryId,
    /// Below which one; absent at the top.
    pub parent_id: Option<CategoryId>,
    /// Unique among its sisters, whatever the case.
    pub name: String,
    /// With the names above it, divided by ` / `.
    pub path: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// How often it was changed.
    pub version: Version,
}

/// The whole tree, by path.
pub async fn list(tx: &mut EnterpriseTx) -> Result<Vec<Category>> {
    tx.require(Permission::ReadStock)?;
    all(tx).await
}

/// One of them.
pub async fn get(tx: &mut EnterpriseTx, id: CategoryId) -> Result<Category> {
    tx.require(Permission::ReadStock)?;
    show(tx, id).await
}

pub(super) async fn all(tx: &mut EnterpriseTx) -> Result<Vec<Category>> {
    Ok(sqlx::query_as!(
        Category,
        r#"WITH RECURSIVE tree AS (
               SELECT c.id, c.name AS path FROM categories AS c WHERE c.parent_id IS NULL
               UNION ALL
               SELECT c.id, tree.path || ' / ' || c.name FROM categories AS c JOIN tree ON c.parent_id = tree.id
           )
           SELECT c.id, c.parent_id, c.name, tree.path AS "path!", c.created_at, c.version
           FROM tree JOIN categories AS c ON c.id = tree.id ORDER BY tree.path"#
    )
    .fetch_all(tx.conn())
    .await?)
}

async fn show(tx: &mut EnterpriseTx, id: CategoryId) -> Result<Category> {
    all(tx).await?.into_iter().find(|category| category.id == id).ok_or(Error::NotFound("category"))
}

/// Adds one.
pub async fn create(tx: &mut EnterpriseTx, name: &str, parent_id: Option<CategoryId>) -> Result<Category> {
    tx.require_everywhere(Permission::ManageProducts)?;
    let name = checked_name(name)?;
    lock(tx).await?;
    place(tx, None, parent_id).await?;
    let (id, enterprise_id, now) = (CategoryId::new(), tx.enterprise_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO categories (enterprise_id, id, parent_id, name, created_at) VALUES ($1, $2, $3, $4, $5)",
        enterprise_id as _,
        id as _,
        parent_id as _,
        name,
        now,
    )
    .execute(tx.conn())
    .await
    .refused_on("categories_name_key", Refusal::CategoryNameTaken, || {
        format!("there is already a «{name}» beside it")
    })?;
    let category = show(tx, id).await?;
    audit::created(tx, Action::CategoryCreated, Object::of("category", id), &category).await?;
    Ok(category)
}

/// Gives one another name and another place.
pub async fn change(
    tx: &mut EnterpriseTx,
    id: CategoryId,
    name: &str,
    parent_id: Option<CategoryId>,
) -> Result<Category> {
    tx.require_everywhere(Permission::ManageProducts)?;
    let name = checked_name(name)?;
    lock(tx).await?;
    let before = show(tx, id).await?;
    tx.expect(before.version)?;
    place(tx, Some(id), parent_id).await?;
    sqlx::query!("UPDATE categories SET name = $2, parent_id = $3 WHERE id = $1", id as _, name, parent_id as _)
        .execute(tx.conn())
        .await
        .refused_on("categories_name_key", Refusal::CategoryNameTaken, || {
            format!("there is already a «{name}» beside it")
        })?;
    let category = show(tx, id).await?;
    audit::changed(tx, Action::CategoryChanged, Object::of("category", id), &before, &category).await?;
    Ok(category)
}

/// Takes one away in which nothing lies.
pub async fn remove(tx: &mut EnterpriseTx, id: CategoryId) -> Result<()> {
    tx.require_everywhere(Permission::ManageProducts)?;
    lock(tx).await?;
    let category = show(tx, id).await?;
    tx.expect(category.version)?;
    let in_use = || format!("products or categories lie in «{}»", category.path);
    sqlx::query!("DELETE FROM categories WHERE id = $1", id as _)
        .execute(tx.conn())
        .await
        .refused_on("products_category_fkey", Refusal::CategoryInUse, in_use)
        .refused_on("categories_parent_fkey", Refusal::CategoryInUse, in_use)?;
    audit::noted(tx, Action::CategoryRemoved, Object::of("category", id), &category).await
}

/// The tree of an enterprise changes one step at a time: two moves at once could tie it into a ring.
async fn lock(tx: &mut EnterpriseTx) -> Result<()> {
    let name = format!("categories {}", tx.enterprise_id());
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name).fetch_one(tx.conn()).await?;
    Ok(())
}

/// Refuses a place that is not there, too deep, or below the one that is to lie in it.
async fn place(tx: &mut EnterpriseTx, id: Option<CategoryId>, parent_id: Option<CategoryId>) -> Result<()> {
    let tree = all(tx).await?;
    if id.is_none() && i64::try_from(tree.len()).is_ok_and(|there| there >= MOST) {
        return Err(Error::invalid("name", format!("there are already {MOST} categories")));
    }
    let (mut above, mut depth) = (parent_id, 1);
    while let Some(next) = above {
        if Some(next) == id {
            return Err(Error::invalid("parentId", "lies in the category itself"));
        }
        let Some(category) = tree.iter().find(|category| category.id == next) else {
            return Err(Error::invalid("parentId", "is no category of the enterprise"));
        };
        above = category.parent_id;
        depth += 1;
    }
    let below = id.map_or(0, |id| height(&tree, id));
    if depth + below > DEEPEST {
        return Err(Error::invalid("parentId", format!("lies so deep that there would be more than {DEEPEST} levels")));
    }
    Ok(())
}

/// How many levels lie below it.
fn height(tree: &[Category], id: CategoryId) -> i32 {
    let below = tree.iter().filter(|category| category.parent_id == Some(id));
    below.map(|category| 1 + height(tree, category.id)).max().unwrap_or(0)
}

fn checked_name(name: &str) -> Result<&str> {
    let name = name.trim();
    if (1..=100).contains(&name.chars().count()) && !name.contains(|letter: char| letter == '/' || letter.is_control())
    {
        Ok(name)
    } else {
        Err(Error::invalid("name", "must have 1 to 100 characters and no stroke"))
    }
}
