//! What Wildberries is told of the stock, size by size, and what it makes of it.
//!
//! ```text
//!  (stated) ──send──▶ sent ──read back──▶ confirmed            what it shows is what it was told, or less by what was sold since
//!                      │ ▲ └────────────▶ ignored ──send──▶    it shows something else: it is told again, and the repair is listed
//!        no answer ──▶ unknown ──read back──▶ the same
//!                      └─ refused by name ──▶ refused ──send, when it is due──▶
//! ```
//!
//! A row is written before its call and settled by reading back, never by an answer alone: Wildberries says 204 to what it
//! ignores. Amounts are absolute, so that what is told twice is told once; they are made from a statement and from the orders
//! that came since, so that no unit comes back that a buyer has just bought.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Target, enter, lock, state};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, ChrtId, ProductId, WbOrderId, WbWarehouseId};
use crate::page::{Page, PageQuery};
use crate::wildberries::{MOST_UNITS, RefusedSizes, StockRow};
use crate::{Error, Result};

/// After so many calls in vain a size has to wait longer and longer.
const PATIENT: i32 = 3;
/// The longest that it waits.
const LONGEST_WAIT: i32 = 60;
/// How long a warehouse is left alone that Wildberries is busy with.
const BUSY: TimeDelta = TimeDelta::seconds(10);
/// How long a size waits that Wildberries does not know yet: a new card is there half an hour later at the latest.
const UNKNOWN_SIZE: TimeDelta = TimeDelta::minutes(5);

/// What became of an amount that Wildberries was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PushState {
    /// It is being told, or was and is not read back yet.
    Sent,
    /// The call had no answer: it is read back before anything else.
    Unknown,
    /// Wildberries shows it.
    Confirmed,
    /// Wildberries shows something else: it is told again.
    Ignored,
    /// Wildberries does not take it, and says why.
    Refused,
}

/// A size as Wildberries was told of it.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// Which product.
    pub product_id: ProductId,
    /// Its size at Wildberries.
    pub chrt_id: ChrtId,
    /// Units that it was told.
    pub quantity: i32,
    /// Of the statement that they are from; 0 where nobody stated anything and Wildberries had something.
    pub number: i64,
    /// What became of it.
    pub state: PushState,
    /// Calls since Wildberries last showed what it had been told.
    pub attempts: i32,
    /// Why it does not take it: Wildberries' code.
    pub code: Option<String>,
    /// The same in Wildberries' words.
    pub detail: Option<String>,
    /// Units that it showed last; absent where it has shown nothing, which is not zero.
    pub seen: Option<i64>,
    /// When it was told last.
    pub sent_at: DateTime<Utc>,
    /// When it became known what came of it.
    pub settled_at: Option<DateTime<Utc>>,
    /// Until when it is not told again.
    pub due_at: Option<DateTime<Utc>>,
}

/// An amount to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Of which product.
    pub product_id: ProductId,
    /// Its size.
    pub chrt_id: ChrtId,
    /// Units.
    pub quantity: i32,
    /// Of the statement that they are from.
    pub number: i64,
}

/// Orders for the warehouse that nobody had begun, as far as they were known when it was last stated: what they took is not
/// in the amounts.
#[derive(Clone, Debug, Default)]
pub struct Known(HashSet<WbOrderId>);

/// What was read back came to this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Sizes of which Wildberries shows what it was told.
    pub confirmed: i64,
    /// Those among them that it had not taken before.
    pub repaired: Vec<ChrtId>,
    /// Sizes of which it still shows something else, so that they have to wait.
    pub put_off: Vec<ChrtId>,
}

/// Sizes of a warehouse at Wildberries as it was told of them, by product.
pub async fn pushed(
    tx: &mut EnterpriseTx,
    id: WbWarehouseId,
    state: Option<PushState>,
    query: &PageQuery,
) -> Result<Page<Pushed>> {
    let target = enter(tx, id, Permission::ReadWildberries).await?;
    let after: Option<ProductId> = query.key()?;
    let rows = sqlx::query_as!(
        Pushed,
        "SELECT product_id, chrt_id, quantity, number, state, attempts, code, detail, seen, sent_at, settled_at, due_at
         FROM pushed_quantities
         WHERE account_id = $1 AND wb_warehouse_id = $2 AND ($3::text IS NULL OR state = $3) AND ($4::uuid IS NULL OR product_id > $4)
         ORDER BY product_id LIMIT $5",
        target.account_id as _,
        target.wb_warehouse_id as _,
        state as Option<PushState>,
        after as _,
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |row| row.product_id))
}

/// The account's warehouses at Wildberries to which stock is pushed.
pub async fn pushing(tx: &mut EnterpriseTx, account_id: AccountId) -> Result<Vec<WbWarehouseId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT p.wb_warehouse_id AS "id: WbWarehouseId" FROM publishing AS p
           JOIN wildberries_warehouses AS w ON w.account_id = p.account_id AND w.wb_warehouse_id = p.wb_warehouse_id
           WHERE p.account_id = $1 AND p.pushes AND w.gone_at IS NULL ORDER BY p.wb_warehouse_id"#,
        account_id as _
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The accounts of those of these warehouses at Wildberries to which stock is pushed.
pub async fn accounts_pushing(tx: &mut EnterpriseTx, ids: &[WbWarehouseId]) -> Result<Vec<AccountId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT DISTINCT account_id AS "id!: AccountId" FROM publishing WHERE pushes AND wb_warehouse_id = ANY($1) ORDER BY 1"#,
        &ids.iter().map(|id| id.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Answers what is known; whoever begins a push also `states` what may be published now, unless publishing is frozen.
pub async fn refresh(tx: &mut EnterpriseTx, account_id: AccountId, id: WbWarehouseId, states: bool) -> Result<Known> {
    let target = target(tx, account_id, id).await?;
    let standing = lock(tx, target).await?;
    // Before anything is stated: an order that comes in between is rather taken off twice than not at all.
    let known = sqlx::query_scalar!(
        r#"SELECT wb_order_id AS "id: WbOrderId" FROM orders
           WHERE account_id = $1 AND wb_warehouse_id = $2 AND supplier_status = 'new'"#,
        target.account_id as _,
        target.wb_warehouse_id as _,
    )
    .fetch_all(tx.conn())
    .await?;
    if states && !standing.frozen {
        state::state_locked(tx, target, &standing).await?;
    }
    Ok(Known(known.into_iter().collect()))
}

/// So many amounts behind this product that Wildberries has not been told yet, or not with success.
pub async fn plan(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    id: WbWarehouseId,
    behind: Option<ProductId>,
    most: i64,
) -> Result<Vec<Planned>> {
    let target = target(tx, account_id, id).await?;
    lock(tx, target).await?;
    let now = tx.now().await?;
    Ok(sqlx::query_as!(
        Planned,
        r#"WITH turned AS MATERIALIZED (
               SELECT turned_number, frozen_at IS NOT NULL AS frozen FROM publishing WHERE account_id = $1 AND wb_warehouse_id = $2
           ), due AS (
               SELECT product_id, CASE WHEN t.frozen THEN 0 ELSE coalesce(s.quantity, 0) END AS quantity,
                      greatest(s.number, t.turned_number) AS number, p.number AS told, p.state, p.due_at
               FROM turned AS t
               CROSS JOIN (SELECT product_id, quantity, number FROM stated_quantities WHERE account_id = $1 AND wb_warehouse_id = $2) AS s
               FULL JOIN (SELECT product_id, number, state, due_at FROM pushed_quantities
                          WHERE account_id = $1 AND wb_warehouse_id = $2) AS p USING (product_id)
           )
           SELECT d.product_id AS "product_id!: ProductId", g.chrt_id AS "chrt_id!: ChrtId", least(coalesce(d.quantity, 0), $3) AS "quantity!",
                  coalesce(d.number, 0) AS "number!"
           FROM due AS d JOIN products AS g ON g.id = d.product_id
           WHERE g.chrt_id IS NOT NULL AND ($4::uuid IS NULL OR d.product_id > $4)
             AND CASE WHEN d.state IS NULL THEN true
                      WHEN d.state IN ('sent', 'unknown') THEN false
                      WHEN d.state = 'confirmed' THEN coalesce(d.number, 0) > d.told
                      ELSE d.due_at IS NULL OR d.due_at <= $5 OR (d.state = 'ignored' AND coalesce(d.number, 0) > d.told) END
           ORDER BY d.product_id LIMIT $6"#,
        target.account_id as _,
        target.wb_warehouse_id as _,
        MOST_UNITS,
        behind as _,
        now,
        most,
    )
    .fetch_all(tx.conn())
    .await?)
}

impl Known {
    /// Takes off what was bought since: orders that Wildberries has by now and that were not known. Rather too much than too
    /// little: what is short is found when everything is compared with what is stated.
    pub fn subtract(&self, rows: &mut [Planned], new: impl Iterator<Item = (WbOrderId, ChrtId)>) {
        let mut bought: HashMap<ChrtId, i32> = HashMap::new();
        for (_, size) in new.filter(|(id, _)| !self.0.contains(id)) {
            *bought.entry(size).or_default() += 1;
        }
        for row in rows {
            row.quantity = (row.quantity - bought.get(&row.chrt_id).copied().unwrap_or(0)).max(0);
        }
    }
}

/// As Wildberries takes it.
pub fn stock(rows: &[Planned]) -> Vec<StockRow> {
    rows.iter().map(|row| StockRow { chrt_id: row.chrt_id, amount: row.quantity }).collect()
}

/// Writes down what is about to be told.
pub async fn send(tx: &mut EnterpriseTx, account_id: AccountId, id: WbWarehouseId, rows: &[Planned]) -> Result<()> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO pushed_quantities (enterprise_id, account_id, wb_warehouse_id, product_id, chrt_id, quantity, number, state, attempts, sent_at)
         SELECT $1, $2, $3, r.product_id, r.chrt_id, r.quantity, r.number, 'sent', 1, $4
         FROM unnest($5::uuid[], $6::bigint[], $7::int[], $8::bigint[]) AS r (product_id, chrt_id, quantity, number)
         ON CONFLICT (enterprise_id, account_id, wb_warehouse_id, product_id) DO UPDATE
         SET chrt_id = EXCLUDED.chrt_id, quantity = EXCLUDED.quantity, number = EXCLUDED.number, state = 'sent',
             attempts = pushed_quantities.attempts + 1, sent_at = EXCLUDED.sent_at, settled_at = NULL, due_at = NULL, code = NULL, detail = NULL",
        enterprise_id as _,
        account_id as _,
        id as _,
        now,
        &rows.iter().map(|row| row.product_id.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.chrt_id.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.quantity).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.number).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Nothing was told after all.
pub async fn take_back(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    id: WbWarehouseId,
    rows: &[Planned],
) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE pushed_quantities SET state = 'ignored', settled_at = $4, attempts = greatest(attempts - 1, 0)
         WHERE account_id = $1 AND wb_warehouse_id = $2 AND product_id = ANY($3) AND state = 'sent'",
        account_id as _,
        id as _,
        &rows.iter().map(|row| row.product_id.0).collect::<Vec<_>>(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The call had no answer: nobody knows what became of these.
pub async fn lose(tx: &mut EnterpriseTx, account_id: AccountId, id: WbWarehouseId, rows: &[Planned]) -> Result<()> {
    sqlx::query!(
        "UPDATE pushed_quantities SET state = 'unknown'
         WHERE account_id = $1 AND wb_warehouse_id = $2 AND product_id = ANY($3) AND state = 'sent'",
        account_id as _,
        id as _,
        &rows.iter().map(|row| row.product_id.0).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Wildberries named sizes that it does not take; of the others of the same call nobody knows.
pub async fn refuse(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    id: WbWarehouseId,
    rows: &[Planned],
    refused: &[RefusedSizes],
) -> Result<()> {
    let now = tx.now().await?;
    for refusal in refused {
        let RefusedSizes { code, detail, sizes } = refusal;
        // Where Wildberries is busy, nothing is wrong with the size.
        let is_busy = refusal.is_busy();
        let wait = match (is_busy, code.as_str()) {
            (true, _) => Some(BUSY),
            (false, "NotFound") => Some(UNKNOWN_SIZE),
            (false, _) => None,
        };
        sqlx::query!(
            "UPDATE pushed_quantities
             SET state = 'refused', code = $4, detail = $5, settled_at = $6, attempts = CASE WHEN $8 THEN greatest(attempts - 1, 0) ELSE attempts END,
                 due_at = coalesce($7, $6::timestamptz + least(power(2, least(attempts, 10))::int, $9) * interval '1 minute')
             WHERE account_id = $1 AND wb_warehouse_id = $2 AND chrt_id = ANY($3) AND state = 'sent'",
            account_id as _,
            id as _,
            &sizes.iter().map(|size| size.0).collect::<Vec<_>>(),
            if code.is_empty() { "refused" } else { code },
            detail,
            now,
            wait.map(|wait| now + wait),
            is_busy,
            LONGEST_WAIT,
        )
        .execute(tx.conn())
        .await?;
    }
    lose(tx, account_id, id, rows).await
}

/// Sizes behind this one that were told and not read back.
pub async fn unsettled(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    id: WbWarehouseId,
    behind: Option<ChrtId>,
    most: i64,
) -> Result<Vec<ChrtId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT chrt_id AS "chrt_id: ChrtId" FROM pushed_quantities
           WHERE account_id = $1 AND wb_warehouse_id = $2 AND state IN ('sent', 'unknown') AND chrt_id > $3 ORDER BY chrt_id LIMIT $4"#,
        account_id as _,
        id as _,
        behind.map_or(i64::MIN, |size| size.0),
        most,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Wildberries was asked about these sizes and shows so many of them. A size that was told and is not shown has its amount if
/// that is zero; else it counts as not told. Less than was told is right where so much was bought since.
pub async fn settle(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    id: WbWarehouseId,
    asked: &[ChrtId],
    shown: &BTreeMap<ChrtId, i64>,
) -> Result<Settled> {
    let now = tx.now().await?;
    let rows = sqlx::query!(
        r#"WITH shown AS (
               SELECT a.chrt_id, s.amount FROM unnest($3::bigint[]) AS a (chrt_id)
               LEFT JOIN unnest($4::bigint[], $5::bigint[]) AS s (chrt_id, amount) USING (chrt_id)
           ), judged AS (
               SELECT p.product_id, s.amount, p.attempts > 1 AS is_repair,
                      CASE WHEN s.amount IS NULL THEN p.quantity = 0
                           ELSE s.amount <= p.quantity
                                AND p.quantity - s.amount <= (SELECT count(*) FROM orders AS o
                                                              WHERE o.account_id = $1 AND o.wb_warehouse_id = $2 AND o.chrt_id = p.chrt_id
                                                                AND o.placed_at >= p.sent_at - interval '1 minute') END AS is_right
               FROM pushed_quantities AS p JOIN shown AS s USING (chrt_id)
               WHERE p.account_id = $1 AND p.wb_warehouse_id = $2 AND p.state IN ('sent', 'unknown')
           )
           UPDATE pushed_quantities AS p
           SET state = CASE WHEN j.is_right THEN 'confirmed' ELSE 'ignored' END, settled_at = $6, seen = coalesce(j.amount, p.seen),
               attempts = CASE WHEN j.is_right THEN 0 ELSE p.attempts END,
               due_at = CASE WHEN NOT j.is_right AND p.attempts >= $7
                             THEN $6::timestamptz + least(power(2, least(p.attempts - $7, 10))::int, $8) * interval '1 minute' END
           FROM judged AS j
           WHERE p.account_id = $1 AND p.wb_warehouse_id = $2 AND p.product_id = j.product_id
           RETURNING p.chrt_id AS "chrt_id: ChrtId", j.is_right AS "is_right!", j.is_repair AS "is_repair!",
                     p.due_at IS NOT NULL AS "is_put_off!""#,
        account_id as _,
        id as _,
        &asked.iter().map(|size| size.0).collect::<Vec<_>>(),
        &shown.keys().map(|size| size.0).collect::<Vec<_>>(),
        &shown.values().copied().collect::<Vec<_>>(),
        now,
        PATIENT,
        LONGEST_WAIT,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut settled = Settled::default();
    for row in rows {
        settled.confirmed += i64::from(row.is_right);
        if row.is_right && row.is_repair {
            settled.repaired.push(row.chrt_id);
        }
        if row.is_put_off {
            settled.put_off.push(row.chrt_id);
        }
    }
    Ok(settled)
}

/// Sizes of the account's products behind this one.
pub async fn sizes(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    behind: Option<ChrtId>,
    most: i64,
) -> Result<Vec<ChrtId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT chrt_id AS "chrt_id!: ChrtId" FROM products
           WHERE account_id = $1 AND chrt_id > $2 AND archived_at IS NULL ORDER BY chrt_id LIMIT $3"#,
        account_id as _,
        behind.map_or(i64::MIN, |size| size.0),
        most,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What Wildberries shows of sizes that nobody is telling it about just now, compared with what is stated: what differs is
/// told again by the next push. A size that it does not show is left as it is.
pub async fn compare(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    id: WbWarehouseId,
    asked_at: DateTime<Utc>,
    shown: &BTreeMap<ChrtId, i64>,
) -> Result<Vec<ChrtId>> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let (sizes, amounts): (Vec<_>, Vec<_>) = shown.iter().map(|(size, amount)| (size.0, *amount)).unzip();
    // What nobody ever told it about: it is what Wildberries had, and is to become what is stated.
    sqlx::query!(
        "INSERT INTO pushed_quantities
             (enterprise_id, account_id, wb_warehouse_id, product_id, chrt_id, quantity, number, state, seen, sent_at, settled_at)
         SELECT $1, $2, $3, g.id, g.chrt_id, least(s.amount, $7), 0, 'confirmed', s.amount, $6, $6
         FROM unnest($4::bigint[], $5::bigint[]) AS s (chrt_id, amount)
         JOIN products AS g ON g.account_id = $2 AND g.chrt_id = s.chrt_id
         ON CONFLICT (enterprise_id, account_id, wb_warehouse_id, product_id) DO NOTHING",
        enterprise_id as _,
        account_id as _,
        id as _,
        &sizes,
        &amounts,
        asked_at,
        i64::from(MOST_UNITS),
    )
    .execute(tx.conn())
    .await?;
    let rows = sqlx::query_scalar!(
        r#"UPDATE pushed_quantities AS p
           SET seen = s.amount,
               state = CASE WHEN d.differs THEN 'ignored' ELSE p.state END,
               attempts = CASE WHEN d.differs THEN p.attempts + 1 ELSE p.attempts END,
               settled_at = CASE WHEN d.differs THEN $6 ELSE p.settled_at END, due_at = NULL
           FROM unnest($3::bigint[], $4::bigint[]) AS s (chrt_id, amount)
           CROSS JOIN LATERAL (
               SELECT q.product_id,
                      s.amount > w.quantity
                      OR w.quantity - s.amount > (SELECT count(*) FROM orders AS o
                                                  WHERE o.account_id = $1 AND o.wb_warehouse_id = $2 AND o.chrt_id = q.chrt_id
                                                    AND o.placed_at >= q.sent_at - interval '1 minute') AS differs
               FROM pushed_quantities AS q
               JOIN publishing AS r ON r.account_id = q.account_id AND r.wb_warehouse_id = q.wb_warehouse_id
               LEFT JOIN stated_quantities AS t
                    ON t.account_id = q.account_id AND t.wb_warehouse_id = q.wb_warehouse_id AND t.product_id = q.product_id
               CROSS JOIN LATERAL (
                   SELECT least(CASE WHEN r.frozen_at IS NULL THEN coalesce(t.quantity, 0) ELSE 0 END, $7) AS quantity
               ) AS w
               WHERE q.account_id = $1 AND q.wb_warehouse_id = $2 AND q.chrt_id = s.chrt_id AND q.state = 'confirmed' AND q.settled_at <= $5
           ) AS d
           WHERE p.account_id = $1 AND p.wb_warehouse_id = $2 AND p.product_id = d.product_id
           RETURNING CASE WHEN d.differs THEN p.chrt_id END AS "chrt_id: ChrtId""#,
        account_id as _,
        id as _,
        &sizes,
        &amounts,
        asked_at,
        now,
        MOST_UNITS,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().flatten().collect())
}

async fn target(tx: &mut EnterpriseTx, account_id: AccountId, id: WbWarehouseId) -> Result<Target> {
    sqlx::query_as!(
        Target,
        "SELECT account_id, wb_warehouse_id, warehouse_id FROM wildberries_warehouses
         WHERE account_id = $1 AND wb_warehouse_id = $2 AND gone_at IS NULL",
        account_id as _,
        id as _,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("Wildberries warehouse"))
}
