//! What a check found wrong: kept until it agrees again, told as an alarm, and named with its entries.

use std::collections::HashMap;

use uuid::Uuid;

use super::compare::Range;
use super::{Difference, EntryOfPlace, HeldInPlace, KeptInPlace, Named, Place, Recorded};
use crate::Result;
use crate::alarms::{self, AlarmKind};
use crate::db::EnterpriseTx;
use crate::ids::{StockDifferenceId, StockEntryId};
use crate::inventory::EntryKind;

/// Entries and reservations of a place that are named.
const NAMED: i64 = 20;

/// Where somebody looked.
pub(super) enum Looked<'a> {
    /// At every place of a range.
    In(Range),
    /// At these places.
    At(&'a [Place]),
}

/// Keeps what differs of what was looked at, ends what agrees again, and raises or ends the alarm.
pub(super) async fn record(tx: &mut EnterpriseTx, looked: &Looked<'_>, differences: &[Difference]) -> Result<()> {
    keep(tx, differences).await?;
    let [cells, products, lots] = columns(&differences.iter().map(Difference::place).collect::<Vec<_>>());
    let now = tx.now().await?;
    match looked {
        Looked::In(range) => {
            let [[from_cell, from_product, from_lot], [to_cell, to_product, to_lot]] = range.bounds();
            sqlx::query!(
                "UPDATE stock_differences SET ended_at = $1
                 WHERE ended_at IS NULL AND (cell_id, product_id, lot_id) > ($2, $3, $4) AND (cell_id, product_id, lot_id) <= ($5, $6, $7)
                   AND NOT (cell_id, product_id, lot_id) IN (SELECT * FROM unnest($8::uuid[], $9::uuid[], $10::uuid[]))",
                now,
                from_cell,
                from_product,
                from_lot,
                to_cell,
                to_product,
                to_lot,
                &cells,
                &products,
                &lots,
            )
            .execute(tx.conn())
            .await?;
        }
        Looked::At(places) => {
            let [at_cells, at_products, at_lots] = columns(places);
            sqlx::query!(
                "UPDATE stock_differences SET ended_at = $1
                 WHERE ended_at IS NULL AND (cell_id, product_id, lot_id) IN (SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]))
                   AND NOT (cell_id, product_id, lot_id) IN (SELECT * FROM unnest($5::uuid[], $6::uuid[], $7::uuid[]))",
                now,
                &at_cells,
                &at_products,
                &at_lots,
                &cells,
                &products,
                &lots,
            )
            .execute(tx.conn())
            .await?;
        }
    }
    tell(tx).await
}

fn columns(places: &[Place]) -> [Vec<Uuid>; 3] {
    [
        places.iter().map(|(cell, ..)| cell.0).collect(),
        places.iter().map(|(_, product, _)| product.0).collect(),
        places.iter().map(|(.., lot)| lot.0).collect(),
    ]
}

async fn keep(tx: &mut EnterpriseTx, differences: &[Difference]) -> Result<()> {
    if differences.is_empty() {
        return Ok(());
    }
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let [cells, products, lots] = columns(&differences.iter().map(Difference::place).collect::<Vec<_>>());
    sqlx::query!(
        "INSERT INTO stock_differences (enterprise_id, id, cell_id, product_id, lot_id, on_hand, entries, reserved, reservations,
                                        on_hold, holds, found_at, seen_at)
         SELECT $1, d.id, d.cell_id, d.product_id, d.lot_id, d.on_hand, d.entries, d.reserved, d.reservations, d.on_hold, d.holds, $2, $2
         FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
                     $11::bigint[], $12::bigint[])
              AS d (id, cell_id, product_id, lot_id, on_hand, entries, reserved, reservations, on_hold, holds)
         ON CONFLICT (enterprise_id, cell_id, product_id, lot_id) WHERE ended_at IS NULL DO UPDATE
         SET on_hand = EXCLUDED.on_hand, entries = EXCLUDED.entries, reserved = EXCLUDED.reserved,
             reservations = EXCLUDED.reservations, on_hold = EXCLUDED.on_hold, holds = EXCLUDED.holds, seen_at = EXCLUDED.seen_at",
        enterprise_id as _,
        now,
        &differences.iter().map(|_| StockDifferenceId::new().0).collect::<Vec<_>>(),
        &cells,
        &products,
        &lots,
        &differences.iter().map(|one| one.on_hand).collect::<Vec<_>>(),
        &differences.iter().map(|one| one.entries).collect::<Vec<_>>(),
        &differences.iter().map(|one| one.reserved).collect::<Vec<_>>(),
        &differences.iter().map(|one| one.reservations).collect::<Vec<_>>(),
        &differences.iter().map(|one| one.on_hold).collect::<Vec<_>>(),
        &differences.iter().map(|one| one.holds).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One alarm for whatever is wrong; another one only if something new is found after it was seen.
async fn tell(tx: &mut EnterpriseTx) -> Result<()> {
    let newest = sqlx::query!(
        r#"SELECT d.id, d.on_hand, d.entries, d.reserved, d.reservations, d.on_hold, d.holds, c.code, p.sku, count(*) OVER () AS "open!"
           FROM stock_differences AS d
           JOIN cells AS c ON c.id = d.cell_id
           JOIN products AS p ON p.id = d.product_id
           WHERE d.ended_at IS NULL
           ORDER BY d.found_at DESC, d.id DESC LIMIT 1"#
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(newest) = newest else { return alarms::end(tx, AlarmKind::StockDifference).await };
    let more = match newest.open - 1 {
        0 => String::new(),
        more => format!("; {more} more"),
    };
    let detail = format!(
        "cell {}, product {}: the balance says {} on hand, {} reserved and {} on hold, its entries sum to {}, its reservations to {} and its holds to {}{more}",
        newest.code,
        newest.sku,
        newest.on_hand,
        newest.reserved,
        newest.on_hold,
        newest.entries,
        newest.reservations,
        newest.holds,
    );
    alarms::raise_unless_open(tx, AlarmKind::StockDifference, &newest.id.to_string(), &detail).await
}

/// How many differences are open in the enterprise.
pub(super) async fn open(tx: &mut EnterpriseTx) -> Result<i64> {
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "open!" FROM stock_differences WHERE ended_at IS NULL"#)
        .fetch_one(tx.conn())
        .await?)
}

/// The oldest open differences in these warehouses.
pub(super) async fn recorded(tx: &mut EnterpriseTx, warehouses: Option<&[Uuid]>, limit: i64) -> Result<Vec<Recorded>> {
    let rows = sqlx::query!(
        "SELECT d.id, d.cell_id, d.product_id, d.lot_id, d.on_hand, d.entries, d.reserved, d.reservations, d.on_hold, d.holds, d.found_at, d.seen_at
         FROM stock_differences AS d
         WHERE d.ended_at IS NULL
           AND ($1::uuid[] IS NULL OR EXISTS (SELECT FROM cells AS c WHERE c.id = d.cell_id AND c.warehouse_id = ANY($1)))
         ORDER BY d.id LIMIT $2",
        warehouses,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let differences = rows.iter().map(|row| Difference {
        cell_id: row.cell_id,
        product_id: row.product_id,
        lot_id: row.lot_id,
        on_hand: row.on_hand,
        entries: row.entries,
        reserved: row.reserved,
        reservations: row.reservations,
        on_hold: row.on_hold,
        holds: row.holds,
    });
    let named = name(tx, differences.collect()).await?;
    let recorded = rows.iter().zip(named);
    Ok(recorded
        .map(|(row, named)| Recorded { id: row.id, named, found_at: row.found_at, seen_at: row.seen_at })
        .collect())
}

/// Adds what each of them is made of.
pub(super) async fn name(tx: &mut EnterpriseTx, differences: Vec<Difference>) -> Result<Vec<Named>> {
    if differences.is_empty() {
        return Ok(Vec::new());
    }
    let [cells, products, lots] = columns(&differences.iter().map(Difference::place).collect::<Vec<_>>());
    let entries = sqlx::query!(
        r#"SELECT p.place AS "place!", e.id AS "id!", e.kind AS "kind!: EntryKind", e.change AS "change!", e.actor AS "actor!",
                  e.occurred_at AS "occurred_at!"
           FROM unnest($1::uuid[], $2::uuid[], $4::uuid[]) WITH ORDINALITY AS p (cell_id, product_id, lot_id, place)
           CROSS JOIN LATERAL (
               (SELECT id, kind, quantity AS change, actor, occurred_at FROM stock_entries
                WHERE to_cell_id = p.cell_id AND product_id = p.product_id AND lot_id = p.lot_id ORDER BY occurred_at DESC, id DESC LIMIT $3)
               UNION ALL
               (SELECT id, kind, -quantity, actor, occurred_at FROM stock_entries
                WHERE from_cell_id = p.cell_id AND product_id = p.product_id AND lot_id = p.lot_id ORDER BY occurred_at DESC, id DESC LIMIT $3)
               ORDER BY occurred_at DESC, id DESC LIMIT $3
           ) AS e
           ORDER BY 1, e.occurred_at DESC, e.id DESC"#,
        &cells,
        &products,
        NAMED,
        &lots,
    )
    .fetch_all(tx.conn())
    .await?;
    let held = sqlx::query!(
        r#"SELECT p.place AS "place!", r.id, r.order_id, r.quantity
           FROM unnest($1::uuid[], $2::uuid[], $4::uuid[]) WITH ORDINALITY AS p (cell_id, product_id, lot_id, place)
           CROSS JOIN LATERAL (SELECT id, order_id, quantity FROM reservations
                               WHERE status = 'active' AND cell_id = p.cell_id AND product_id = p.product_id AND lot_id = p.lot_id
                               ORDER BY id LIMIT $3) AS r
           ORDER BY 1, r.id"#,
        &cells,
        &products,
        NAMED,
        &lots,
    )
    .fetch_all(tx.conn())
    .await?;
    let on_hold = sqlx::query!(
        r#"SELECT p.place AS "place!", h.id, h.reason, h.quantity
           FROM unnest($1::uuid[], $2::uuid[], $4::uuid[]) WITH ORDINALITY AS p (cell_id, product_id, lot_id, place)
           CROSS JOIN LATERAL (SELECT id, reason, quantity FROM holds
                               WHERE status = 'active' AND cell_id = p.cell_id AND product_id = p.product_id AND lot_id = p.lot_id
                               ORDER BY id LIMIT $3) AS h
           ORDER BY 1, h.id"#,
        &cells,
        &products,
        NAMED,
        &lots,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut latest: HashMap<i64, Vec<EntryOfPlace>> = HashMap::new();
    for row in entries {
        latest.entry(row.place).or_default().push(EntryOfPlace {
            id: StockEntryId(row.id),
            kind: row.kind,
            change: row.change,
            actor: row.actor,
            occurred_at: row.occurred_at,
        });
    }
    let mut promises: HashMap<i64, Vec<HeldInPlace>> = HashMap::new();
    for row in held {
        let promise = HeldInPlace { id: row.id, order_id: row.order_id, quantity: row.quantity };
        promises.entry(row.place).or_default().push(promise);
    }
    let mut keeps: HashMap<i64, Vec<KeptInPlace>> = HashMap::new();
    for row in on_hold {
        let kept = KeptInPlace { id: row.id, reason: row.reason, quantity: row.quantity };
        keeps.entry(row.place).or_default().push(kept);
    }
    let places = (1..).zip(differences);
    Ok(places
        .map(|(place, difference)| Named {
            difference,
            latest: latest.remove(&place).unwrap_or_default(),
            held: promises.remove(&place).unwrap_or_default(),
            kept: keeps.remove(&place).unwrap_or_default(),
        })
        .collect())
}
