//! What may be published now, what was stated last, and stating the one as the other.

use serde::Serialize;

use super::brake::{self, Publication};
use super::{Standing, Target, enter, lock};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{ChrtId, ProductId, WbWarehouseId};
use crate::page::{Page, PageQuery};
use crate::{Result, enterprises};

/// How much of a product may be published, and why.
#[derive(Clone, Debug)]
pub struct Publishable {
    /// Which one.
    pub product_id: ProductId,
    /// Its size at Wildberries.
    pub chrt_id: Option<ChrtId>,
    /// Units that are free in the own warehouse.
    pub available: i64,
    /// Units that are kept back.
    pub safety: i32,
    /// Units that are published at most.
    pub quota: Option<i32>,
    /// Units that may be published now.
    pub publishable: i32,
    /// Units that were stated last; zero while publishing is frozen.
    pub stated: i32,
    /// By which statement; absent if none was about it.
    pub number: Option<i64>,
}

/// What is to be published of a product.
#[derive(Clone, Debug)]
pub struct Stated {
    /// Which one.
    pub product_id: ProductId,
    /// Its size at Wildberries.
    pub chrt_id: Option<ChrtId>,
    /// Units; zero while publishing is frozen.
    pub quantity: i32,
    /// By which statement. Whoever pushed a later one must not push this.
    pub number: i64,
}

/// What a statement did.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// Of the last statement of this warehouse: this one, if it changed anything.
    pub number: i64,
    /// Products of which more or less is to be published than before.
    pub products: i64,
    /// Units that are published no more.
    pub units_lowered: i64,
    /// Units that are published besides.
    pub units_raised: i64,
    /// What waits for a second person, because it would raise too much.
    pub waiting: Option<Publication>,
}

/// What differs between now and the last statement, of one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    pub product_id: ProductId,
    pub was: i32,
    pub quantity: i32,
}

impl Shift {
    pub fn raise(&self) -> i64 {
        i64::from(self.quantity) - i64::from(self.was)
    }
}

/// Products of the seller account with what may be published of each.
pub async fn publishable(tx: &mut EnterpriseTx, id: WbWarehouseId, query: &PageQuery) -> Result<Page<Publishable>> {
    let target = enter(tx, id, Permission::ReadWildberries).await?;
    let after: Option<ProductId> = query.key()?;
    let rows = sqlx::query_as!(
        Publishable,
        r#"SELECT p.id AS product_id, p.chrt_id, f.available AS "available!",
                  greatest(r.safety, p.safety_stock, 0) AS "safety!",
                  coalesce(q.quota, r.quota) AS quota,
                  least(coalesce(q.quota, r.quota), greatest(f.available - greatest(r.safety, p.safety_stock, 0), 0), 1000000)::int AS "publishable!",
                  CASE WHEN r.frozen_at IS NULL THEN coalesce(s.quantity, 0) ELSE 0 END AS "stated!",
                  greatest(s.number, nullif(r.turned_number, 0)) AS number
           FROM products AS p
           CROSS JOIN LATERAL (
               SELECT coalesce(sum(free_units(b)), 0)::bigint AS available
               FROM balances AS b JOIN cells AS c ON c.id = b.cell_id
               WHERE b.product_id = p.id AND c.warehouse_id = $3 AND serves_orders(c)
           ) AS f
           LEFT JOIN publishing AS r ON r.account_id = $1 AND r.wb_warehouse_id = $2
           LEFT JOIN publishing_quotas AS q ON q.account_id = $1 AND q.wb_warehouse_id = $2 AND q.product_id = p.id
           LEFT JOIN stated_quantities AS s ON s.account_id = $1 AND s.wb_warehouse_id = $2 AND s.product_id = p.id
           WHERE p.account_id = $1 AND p.archived_at IS NULL AND p.id > $4
           ORDER BY p.id LIMIT $5"#,
        target.account_id as _,
        target.wb_warehouse_id as _,
        target.warehouse_id as _,
        after.map_or(uuid::Uuid::nil(), |product| product.0),
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |row| row.product_id))
}

/// What was stated after this number: what has to be pushed by whoever pushed everything up to it. One that is frozen or
/// thawed states everything anew.
pub async fn stated(tx: &mut EnterpriseTx, id: WbWarehouseId, since: i64, query: &PageQuery) -> Result<Page<Stated>> {
    let target = enter(tx, id, Permission::ReadWildberries).await?;
    let after: Option<ProductId> = query.key()?;
    let rows = sqlx::query_as!(
        Stated,
        r#"SELECT s.product_id, p.chrt_id AS "chrt_id?", CASE WHEN r.frozen_at IS NULL THEN s.quantity ELSE 0 END AS "quantity!",
                  greatest(s.number, r.turned_number) AS "number!"
           FROM stated_quantities AS s
           JOIN publishing AS r ON r.account_id = s.account_id AND r.wb_warehouse_id = s.wb_warehouse_id
           JOIN products AS p ON p.id = s.product_id
           WHERE s.account_id = $1 AND s.wb_warehouse_id = $2 AND greatest(s.number, r.turned_number) > $3 AND s.product_id > $4
           ORDER BY s.product_id LIMIT $5"#,
        target.account_id as _,
        target.wb_warehouse_id as _,
        since,
        after.map_or(uuid::Uuid::nil(), |product| product.0),
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |row| row.product_id))
}

/// States what may be published now: less at once, more at once unless it is too much.
pub async fn state(tx: &mut EnterpriseTx, id: WbWarehouseId) -> Result<Statement> {
    let target = enter(tx, id, Permission::ManageWildberries).await?;
    let standing = lock(tx, target).await?;
    standing.refuse_frozen()?;
    state_locked(tx, target, &standing).await
}

pub(super) async fn state_locked(tx: &mut EnterpriseTx, target: Target, standing: &Standing) -> Result<Statement> {
    let shifts = shifts(tx, target).await?;
    let (raised, lowered): (Vec<_>, Vec<_>) = shifts.into_iter().partition(|shift| shift.raise() > 0);
    let settings = enterprises::settings(tx).await?;
    let before = units(tx, target).await?;
    let raise = raised.iter().map(Shift::raise).sum();
    // What was never stated cannot be compared with.
    let braked = standing.number > 0 && settings.brakes(before, raise);
    let (now, waiting) = if braked {
        let waiting = brake::wait(tx, target, before, &raised).await?;
        (lowered, Some(waiting))
    } else {
        brake::supersede(tx, target).await?;
        ([lowered, raised].concat(), None)
    };
    let number = write(tx, target, standing, &now).await?;
    let sum = |raises: bool| {
        let these = now.iter().map(Shift::raise).filter(|raise| (*raise > 0) == raises);
        these.map(i64::abs).sum::<i64>()
    };
    let statement = Statement {
        number,
        products: i64::try_from(now.len()).expect("products are countable"),
        units_lowered: sum(false),
        units_raised: sum(true),
        waiting,
    };
    if !now.is_empty() || statement.waiting.is_some() {
        let object = Object::of("publishing", target.name().as_str());
        audit::noted(tx, Action::PublishingStated, object, &statement).await?;
    }
    Ok(statement)
}

/// Every product of which something else is publishable now than was stated; of what is not sold any more, nothing is.
pub(super) async fn shifts(tx: &mut EnterpriseTx, target: Target) -> Result<Vec<Shift>> {
    Ok(sqlx::query_as!(
        Shift,
        r#"WITH free AS (
               SELECT b.product_id, sum(free_units(b)) AS available
               FROM balances AS b JOIN cells AS c ON c.id = b.cell_id
               WHERE c.warehouse_id = $3 AND serves_orders(c) AND free_units(b) > 0
               GROUP BY 1
           ), goals AS (
               SELECT p.id AS product_id,
                      least(coalesce(q.quota, r.quota), greatest(coalesce(f.available, 0) - greatest(r.safety, p.safety_stock), 0), 1000000)::int AS quantity
               FROM products AS p
               JOIN publishing AS r ON r.account_id = $1 AND r.wb_warehouse_id = $2
               LEFT JOIN free AS f ON f.product_id = p.id
               LEFT JOIN publishing_quotas AS q ON q.account_id = $1 AND q.wb_warehouse_id = $2 AND q.product_id = p.id
               WHERE p.account_id = $1 AND p.archived_at IS NULL
           ), said AS (
               SELECT product_id, quantity FROM stated_quantities WHERE account_id = $1 AND wb_warehouse_id = $2
           )
           SELECT product_id AS "product_id!: ProductId", coalesce(s.quantity, 0) AS "was!", coalesce(g.quantity, 0) AS "quantity!"
           FROM goals AS g FULL JOIN said AS s USING (product_id)
           WHERE coalesce(s.quantity, 0) <> coalesce(g.quantity, 0)
           ORDER BY 1"#,
        target.account_id as _,
        target.wb_warehouse_id as _,
        target.warehouse_id as _,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Units that were stated last, of all products.
async fn units(tx: &mut EnterpriseTx, target: Target) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(sum(quantity), 0)::bigint AS "units!" FROM stated_quantities WHERE account_id = $1 AND wb_warehouse_id = $2"#,
        target.account_id as _,
        target.wb_warehouse_id as _,
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Writes these quantities down under the next number; answers the last number.
pub(super) async fn write(tx: &mut EnterpriseTx, target: Target, standing: &Standing, shifts: &[Shift]) -> Result<i64> {
    if shifts.is_empty() {
        return Ok(standing.number);
    }
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let number = sqlx::query_scalar!(
        "UPDATE publishing SET number = number + 1 WHERE account_id = $1 AND wb_warehouse_id = $2 RETURNING number",
        target.account_id as _,
        target.wb_warehouse_id as _,
    )
    .fetch_one(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO stated_quantities (enterprise_id, account_id, wb_warehouse_id, product_id, quantity, number, stated_at)
         SELECT $1, $2, $3, s.product_id, s.quantity, $4, $5 FROM unnest($6::uuid[], $7::int[]) AS s (product_id, quantity)
         ON CONFLICT (enterprise_id, account_id, wb_warehouse_id, product_id) DO UPDATE
         SET quantity = EXCLUDED.quantity, number = EXCLUDED.number, stated_at = EXCLUDED.stated_at",
        enterprise_id as _,
        target.account_id as _,
        target.wb_warehouse_id as _,
        number,
        now,
        &shifts.iter().map(|shift| shift.product_id.0).collect::<Vec<_>>(),
        &shifts.iter().map(|shift| shift.quantity).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(number)
}
