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
    /// Units that orders may have in the own warehouse.
    pub available: i64,
    /// Units that are kept back.
    pub safety: i32,
    /// Units that are published at most.
    pub quota: Option<i32>,
    /// Units that go to bundles, and to warehouses before this one, which the same own warehouse feeds.
    pub before: i64,
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
    let (after, today): (Option<ProductId>, _) = (query.key()?, enterprises::today(tx).await?);
    let rows = sqlx::query_as!(
        Publishable,
        r#"SELECT g.product_id AS "product_id!: ProductId", p.chrt_id, g.available AS "available!", g.safety AS "safety!", g.quota,
                  g.before AS "before!", g.quantity AS "publishable!",
                  CASE WHEN r.frozen_at IS NULL THEN coalesce(s.quantity, 0) ELSE 0 END AS "stated!",
                  greatest(s.number, nullif(r.turned_number, 0)) AS number
           FROM publishing_goals($1, $2, $3, $4, $5, $6) AS g
           JOIN products AS p ON p.id = g.product_id
           LEFT JOIN publishing AS r ON r.account_id = $1 AND r.wb_warehouse_id = $2
           LEFT JOIN stated_quantities AS s ON s.account_id = $1 AND s.wb_warehouse_id = $2 AND s.product_id = g.product_id
           ORDER BY g.product_id"#,
        target.account_id as _,
        target.wb_warehouse_id as _,
        target.warehouse_id as _,
        today,
        after.map_or(uuid::Uuid::nil(), |product| product.0),
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |row| row.product_id))
}

/// What was stated after this number: what has to be pushed by whoever pushed everything up to it. One that is frozen or
/// thawed states everything anew.
///
/// In the order of the numbers, so that what is stated anew while somebody turns the pages comes on one of the next.
pub async fn stated(tx: &mut EnterpriseTx, id: WbWarehouseId, since: i64, query: &PageQuery) -> Result<Page<Stated>> {
    let target = enter(tx, id, Permission::ReadWildberries).await?;
    let (number, product): (i64, ProductId) = query.key()?.unwrap_or((since, ProductId(uuid::Uuid::max())));
    let rows = sqlx::query_as!(
        Stated,
        r#"WITH turned AS MATERIALIZED (
               SELECT turned_number, frozen_at IS NOT NULL AS frozen FROM publishing WHERE account_id = $1 AND wb_warehouse_id = $2
           ), found AS (
               -- What was stated before the last turn counts as stated by it.
               (SELECT s.product_id, s.quantity, t.turned_number AS number, t.frozen
                FROM turned AS t
                JOIN stated_quantities AS s ON s.account_id = $1 AND s.wb_warehouse_id = $2 AND s.number <= t.turned_number
                WHERE t.turned_number > $3 OR (t.turned_number = $3 AND s.product_id > $4)
                ORDER BY s.product_id LIMIT $5)
               UNION ALL
               (SELECT s.product_id, s.quantity, s.number, t.frozen
                FROM stated_quantities AS s CROSS JOIN turned AS t
                WHERE s.account_id = $1 AND s.wb_warehouse_id = $2 AND s.number > t.turned_number
                  AND (s.number, s.product_id) > ($3, $4)
                ORDER BY s.number, s.product_id LIMIT $5)
           )
           SELECT f.product_id AS "product_id!: ProductId", p.chrt_id AS "chrt_id?",
                  CASE WHEN f.frozen THEN 0 ELSE f.quantity END AS "quantity!", f.number AS "number!"
           FROM found AS f JOIN products AS p ON p.id = f.product_id
           ORDER BY f.number, f.product_id LIMIT $5"#,
        target.account_id as _,
        target.wb_warehouse_id as _,
        number,
        product as _,
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |row| (row.number, row.product_id)))
}

/// States what may be published now: less at once, more at once unless it is too much.
pub async fn state(tx: &mut EnterpriseTx, id: WbWarehouseId) -> Result<Statement> {
    let target = enter(tx, id, Permission::ManageWildberries).await?;
    let standing = lock(tx, target).await?;
    standing.refuse_frozen()?;
    state_locked(tx, target, &standing).await
}

pub(super) async fn state_locked(tx: &mut EnterpriseTx, target: Target, standing: &Standing) -> Result<Statement> {
    join(tx, target).await?;
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
    let statement = Statement::of(number, &now, waiting);
    note(tx, target, &statement).await?;
    Ok(statement)
}

impl Statement {
    fn of(number: i64, shifts: &[Shift], waiting: Option<Publication>) -> Self {
        let sum = |raises: bool| {
            let these = shifts.iter().map(Shift::raise).filter(|raise| (*raise > 0) == raises);
            these.map(i64::abs).sum::<i64>()
        };
        Self {
            number,
            products: i64::try_from(shifts.len()).expect("products are countable"),
            units_lowered: sum(false),
            units_raised: sum(true),
            waiting,
        }
    }
}

/// For the audit log, unless nothing was stated or asked for that had not been before.
async fn note(tx: &mut EnterpriseTx, target: Target, statement: &Statement) -> Result<()> {
    let now = tx.now().await?;
    if statement.products == 0 && statement.waiting.as_ref().is_none_or(|waiting| waiting.asked_at < now) {
        return Ok(());
    }
    audit::noted(tx, Action::PublishingStated, Object::of("publishing", target.name().as_str()), statement).await
}

/// Every product of which something else is publishable now than was stated; of what is not sold any more, nothing is.
pub(super) async fn shifts(tx: &mut EnterpriseTx, target: Target) -> Result<Vec<Shift>> {
    let today = enterprises::today(tx).await?;
    Ok(sqlx::query_as!(
        Shift,
        r#"WITH said AS (
               SELECT product_id, quantity FROM stated_quantities WHERE account_id = $1 AND wb_warehouse_id = $2
           )
           SELECT product_id AS "product_id!: ProductId", coalesce(s.quantity, 0) AS "was!", coalesce(g.quantity, 0) AS "quantity!"
           FROM publishing_goals($1, $2, $3, $4, $5, NULL) AS g FULL JOIN said AS s USING (product_id)
           WHERE coalesce(s.quantity, 0) <> coalesce(g.quantity, 0)
           ORDER BY 1"#,
        target.account_id as _,
        target.wb_warehouse_id as _,
        target.warehouse_id as _,
        today,
        uuid::Uuid::nil(),
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The warehouse takes part from now on. What others of the same own warehouse state beyond their share is stated no more,
/// so that together they never state a unit twice.
pub(super) async fn join(tx: &mut EnterpriseTx, target: Target) -> Result<()> {
    sqlx::query!(
        "UPDATE publishing SET takes_part = true WHERE account_id = $1 AND wb_warehouse_id = $2 AND NOT takes_part",
        target.account_id as _,
        target.wb_warehouse_id as _,
    )
    .execute(tx.conn())
    .await?;
    let others = sqlx::query_as!(
        Target,
        "SELECT w.account_id, w.wb_warehouse_id, w.warehouse_id
         FROM wildberries_warehouses AS w
         JOIN publishing AS r ON r.account_id = w.account_id AND r.wb_warehouse_id = w.wb_warehouse_id
         WHERE w.account_id = $1 AND w.wb_warehouse_id <> $2 AND w.warehouse_id = $3 AND w.gone_at IS NULL AND r.takes_part
         ORDER BY w.wb_warehouse_id",
        target.account_id as _,
        target.wb_warehouse_id as _,
        target.warehouse_id as _,
    )
    .fetch_all(tx.conn())
    .await?;
    for other in others {
        let standing = lock(tx, other).await?;
        let lowered: Vec<_> = shifts(tx, other).await?.into_iter().filter(|shift| shift.raise() < 0).collect();
        let number = write(tx, other, &standing, &lowered).await?;
        note(tx, other, &Statement::of(number, &lowered, None)).await?;
    }
    Ok(())
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
