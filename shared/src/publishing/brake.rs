//! Rises that are too large wait for a second person.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::state::{self, Shift};
use super::{Standing, Target, lock};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, ProductId, PublicationId, WbWarehouseId};
use crate::page::{Page, PageQuery};
use crate::{Error, Refusal, Result, api_keys};

/// What became of a rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PublicationStatus {
    /// A second person has to look at it.
    Waiting,
    /// One has, and it was stated as far as it was still there.
    Approved,
    /// One has, and it was not stated.
    Rejected,
    /// A later statement took its place, or publishing was frozen.
    Superseded,
}

/// A rise that was too large to be stated by whoever asked for it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Publication {
    /// Which one.
    pub id: PublicationId,
    /// Of which seller account.
    pub account_id: AccountId,
    /// For which warehouse there.
    pub wb_warehouse_id: WbWarehouseId,
    /// What became of it.
    pub status: PublicationStatus,
    /// Products that rise.
    pub products: i64,
    /// Units that were stated before, of all products.
    pub units_before: i64,
    /// Units by which it would raise them.
    pub units_raised: i64,
    /// Who asked.
    pub asked_by: String,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
}

/// A product of a rise.
#[derive(Clone, Debug)]
pub struct Line {
    /// Which one.
    pub product_id: ProductId,
    /// Units that were stated.
    pub was: i32,
    /// Units that would be.
    pub quantity: i32,
}

/// Which rises to list.
#[derive(Clone, Debug, Default)]
pub struct PublicationFilter {
    /// In this state.
    pub status: Option<PublicationStatus>,
    /// For this warehouse at Wildberries.
    pub wb_warehouse_id: Option<WbWarehouseId>,
}

/// Rises for warehouses in reach, newest first.
pub async fn list(tx: &mut EnterpriseTx, filter: &PublicationFilter, query: &PageQuery) -> Result<Page<Publication>> {
    let bounds = tx.bounds(Permission::ReadWildberries)?;
    let before: Option<PublicationId> = query.key()?;
    let rows = sqlx::query_as!(
        Publication,
        "SELECT p.id, p.account_id, p.wb_warehouse_id, p.status, p.products, p.units_before, p.units_raised, p.asked_by, p.asked_at,
                p.decided_by, p.decided_at
         FROM publications AS p
         JOIN wildberries_warehouses AS w ON w.account_id = p.account_id AND w.wb_warehouse_id = p.wb_warehouse_id
         WHERE ($1::text IS NULL OR p.status = $1) AND ($2::bigint IS NULL OR p.wb_warehouse_id = $2)
           AND ($3::uuid[] IS NULL OR w.warehouse_id = ANY($3)) AND ($4::uuid IS NULL OR p.id < $4)
         ORDER BY p.id DESC LIMIT $5",
        filter.status as Option<PublicationStatus>,
        filter.wb_warehouse_id as _,
        bounds.warehouses.as_deref(),
        before as _,
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |row| row.id))
}

/// What a rise is about.
pub async fn lines(tx: &mut EnterpriseTx, id: PublicationId, query: &PageQuery) -> Result<Page<Line>> {
    enter(tx, id, Permission::ReadWildberries).await?;
    let after: Option<ProductId> = query.key()?;
    let rows = sqlx::query_as!(
        Line,
        "SELECT product_id, was, quantity FROM publication_lines
         WHERE publication_id = $1 AND product_id > $2 ORDER BY product_id LIMIT $3",
        id as _,
        after.map_or(uuid::Uuid::nil(), |product| product.0),
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |row| row.product_id))
}

/// Somebody else has looked at it: it is stated, as far as it is publishable now.
pub async fn approve(tx: &mut EnterpriseTx, id: PublicationId) -> Result<Publication> {
    let (target, standing, publication) = waiting(tx, id).await?;
    let first = api_keys::person_behind(tx, &publication.asked_by).await?;
    tx.actor().require_other_than(&first)?;
    standing.refuse_frozen()?;
    let asked = sqlx::query!("SELECT product_id, quantity FROM publication_lines WHERE publication_id = $1", id as _)
        .fetch_all(tx.conn())
        .await?;
    let asked: HashMap<_, _> = asked.into_iter().map(|row| (row.product_id, row.quantity)).collect();
    state::join(tx, target).await?;
    let now = state::shifts(tx, target).await?;
    let approved = now.into_iter().filter_map(|shift| match asked.get(&shift.product_id) {
        Some(asked) => Some(Shift { quantity: shift.quantity.min(*asked), ..shift }).filter(|shift| shift.raise() != 0),
        // What has fallen meanwhile is stated with it; what has risen was not asked for.
        None => Some(shift).filter(|shift| shift.raise() < 0),
    });
    let approved: Vec<_> = approved.collect();
    state::write(tx, target, &standing, &approved).await?;
    decide(tx, &publication, PublicationStatus::Approved, Action::PublicationApproved).await
}

/// Somebody has looked at it: it is not stated.
pub async fn reject(tx: &mut EnterpriseTx, id: PublicationId) -> Result<Publication> {
    let (_, _, publication) = waiting(tx, id).await?;
    decide(tx, &publication, PublicationStatus::Rejected, Action::PublicationRejected).await
}

/// Keeps the rise until somebody decides. One that waits already and is no smaller goes on waiting, so that nobody has to
/// look at the same again; and one that was rejected is not asked for again by a job, only by a person.
pub(super) async fn wait(tx: &mut EnterpriseTx, target: Target, before: i64, raised: &[Shift]) -> Result<Publication> {
    let products: Vec<_> = raised.iter().map(|shift| shift.product_id.0).collect();
    let quantities: Vec<_> = raised.iter().map(|shift| shift.quantity).collect();
    let covering = sqlx::query_scalar!(
        "SELECT p.id FROM publications AS p
         WHERE p.account_id = $1 AND p.wb_warehouse_id = $2
           AND (p.status = 'waiting'
                OR ($5 AND p.status = 'rejected' AND p.id = (SELECT l.id FROM publications AS l
                                                             WHERE l.account_id = $1 AND l.wb_warehouse_id = $2 ORDER BY l.id DESC LIMIT 1)))
           AND NOT EXISTS (SELECT FROM unnest($3::uuid[], $4::int[]) AS n (product_id, quantity)
                           LEFT JOIN publication_lines AS l ON l.publication_id = p.id AND l.product_id = n.product_id
                           WHERE l.quantity IS NULL OR l.quantity < n.quantity)",
        target.account_id as _,
        target.wb_warehouse_id as _,
        &products,
        &quantities,
        tx.actor().is_job(),
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(id) = covering {
        return find(tx, id).await;
    }
    supersede(tx, target).await?;
    let (id, enterprise_id, now) = (PublicationId::new(), tx.enterprise_id(), tx.now().await?);
    let actor = tx.actor().to_string();
    sqlx::query!(
        "INSERT INTO publications (enterprise_id, id, account_id, wb_warehouse_id, products, units_before, units_raised, asked_by, asked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        enterprise_id as _,
        id as _,
        target.account_id as _,
        target.wb_warehouse_id as _,
        i64::try_from(raised.len()).expect("products are countable"),
        before,
        raised.iter().map(Shift::raise).sum::<i64>(),
        actor,
        now,
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO publication_lines (enterprise_id, publication_id, product_id, was, quantity)
         SELECT $1, $2, l.product_id, l.was, l.quantity FROM unnest($3::uuid[], $4::int[], $5::int[]) AS l (product_id, was, quantity)",
        enterprise_id as _,
        id as _,
        &products,
        &raised.iter().map(|shift| shift.was).collect::<Vec<_>>(),
        &quantities,
    )
    .execute(tx.conn())
    .await?;
    find(tx, id).await
}

/// Nobody has to decide any more.
pub(super) async fn supersede(tx: &mut EnterpriseTx, target: Target) -> Result<()> {
    let (now, actor) = (tx.now().await?, tx.actor().to_string());
    sqlx::query!(
        "UPDATE publications SET status = 'superseded', decided_by = $3, decided_at = $4
         WHERE account_id = $1 AND wb_warehouse_id = $2 AND status = 'waiting'",
        target.account_id as _,
        target.wb_warehouse_id as _,
        actor,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A rise that is to be decided, where the actor may: nobody else decides or states meanwhile.
async fn waiting(tx: &mut EnterpriseTx, id: PublicationId) -> Result<(Target, Standing, Publication)> {
    let target = enter(tx, id, Permission::ManageWildberries).await?;
    let standing = lock(tx, target).await?;
    let publication = find(tx, id).await?;
    if publication.status == PublicationStatus::Waiting {
        Ok((target, standing, publication))
    } else {
        let status = format!("the publication is {:?} by now", publication.status).to_lowercase();
        Err(Error::refused(Refusal::PublicationDecided, status))
    }
}

/// For which warehouse it is, where the permission reaches the own warehouse that feeds it.
async fn enter(tx: &mut EnterpriseTx, id: PublicationId, permission: Permission) -> Result<Target> {
    let bounds = tx.bounds(permission)?;
    sqlx::query_as!(
        Target,
        "SELECT w.account_id, w.wb_warehouse_id, w.warehouse_id
         FROM publications AS p
         JOIN wildberries_warehouses AS w ON w.account_id = p.account_id AND w.wb_warehouse_id = p.wb_warehouse_id
         WHERE p.id = $1 AND ($2::uuid[] IS NULL OR w.warehouse_id = ANY($2))",
        id as _,
        bounds.warehouses.as_deref(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("publication"))
}

async fn find(tx: &mut EnterpriseTx, id: PublicationId) -> Result<Publication> {
    sqlx::query_as!(
        Publication,
        "SELECT id, account_id, wb_warehouse_id, status, products, units_before, units_raised, asked_by, asked_at, decided_by, decided_at
         FROM publications WHERE id = $1",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("publication"))
}

async fn decide(
    tx: &mut EnterpriseTx,
    before: &Publication,
    status: PublicationStatus,
    action: Action,
) -> Result<Publication> {
    let (now, actor) = (tx.now().await?, tx.actor().to_string());
    sqlx::query!(
        "UPDATE publications SET status = $2, decided_by = $3, decided_at = $4 WHERE id = $1",
        before.id as _,
        status as PublicationStatus,
        actor,
        now,
    )
    .execute(tx.conn())
    .await?;
    let after = find(tx, before.id).await?;
    audit::noted(tx, action, Object::of("publication", before.id), &after).await?;
    Ok(after)
}
