//! Recomputing. Every comparison is one statement: entries, reservations and balances are written by the same transactions,
//! so one snapshot sees both sides of each or neither.

use uuid::Uuid;

use super::{Difference, Place};
use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, LotId, ProductId};

/// Places from one, not itself, to another, itself too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// Absent: from the first.
    pub from: Option<Place>,
    /// Absent: to the last.
    pub to: Option<Place>,
}

impl Range {
    /// As two bounds that are always there.
    pub fn bounds(self) -> [[Uuid; 3]; 2] {
        let of =
            |place: Option<Place>, absent| place.map_or([absent; 3], |(cell, product, lot)| [cell.0, product.0, lot.0]);
        [of(self.from, Uuid::nil()), of(self.to, Uuid::max())]
    }
}

/// What was recomputed, and what of it is wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Compared {
    pub balances: i64,
    pub entries: i64,
    pub reservations: i64,
    pub holds: i64,
    pub differences: Vec<Difference>,
}

/// The next so many balances behind a place. Where no more are left, everything behind it: entries without a balance, too.
pub(super) async fn range(tx: &mut EnterpriseTx, from: Option<Place>, size: i64) -> Result<Range> {
    let [[cell, product, lot], _] = Range { from, to: None }.bounds();
    let last = sqlx::query!(
        "SELECT cell_id, product_id, lot_id FROM balances WHERE (cell_id, product_id, lot_id) > ($1, $2, $4)
         ORDER BY cell_id, product_id, lot_id OFFSET $3 LIMIT 1",
        cell,
        product,
        size - 1,
        lot,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(Range { from, to: last.map(|row| (row.cell_id, row.product_id, row.lot_id)) })
}

/// Recomputes every place of the range, in these warehouses.
pub(super) async fn all_in(tx: &mut EnterpriseTx, range: Range, warehouses: Option<&[Uuid]>) -> Result<Compared> {
    let [[from_cell, from_product, from_lot], [to_cell, to_product, to_lot]] = range.bounds();
    let row = sqlx::query!(
        r#"WITH came AS (
               SELECT to_cell_id AS cell_id, product_id, lot_id, sum(quantity)::bigint AS units, count(*) AS sides
               FROM stock_entries
               WHERE to_cell_id IS NOT NULL AND (to_cell_id, product_id, lot_id) > ($1, $2, $3)
                 AND (to_cell_id, product_id, lot_id) <= ($4, $5, $6)
               GROUP BY 1, 2, 3
           ), went AS (
               SELECT from_cell_id AS cell_id, product_id, lot_id, sum(quantity)::bigint AS units, count(*) AS sides
               FROM stock_entries
               WHERE from_cell_id IS NOT NULL AND (from_cell_id, product_id, lot_id) > ($1, $2, $3)
                 AND (from_cell_id, product_id, lot_id) <= ($4, $5, $6)
               GROUP BY 1, 2, 3
           ), promised AS (
               SELECT cell_id, product_id, lot_id, sum(quantity)::bigint AS units, count(*) AS rows
               FROM reservations
               WHERE status = 'active' AND (cell_id, product_id, lot_id) > ($1, $2, $3) AND (cell_id, product_id, lot_id) <= ($4, $5, $6)
               GROUP BY 1, 2, 3
           ), kept AS (
               SELECT cell_id, product_id, lot_id, sum(quantity)::bigint AS units, count(*) AS rows
               FROM holds
               WHERE status = 'active' AND (cell_id, product_id, lot_id) > ($1, $2, $3) AND (cell_id, product_id, lot_id) <= ($4, $5, $6)
               GROUP BY 1, 2, 3
           ), told AS (
               SELECT cell_id, product_id, lot_id, on_hand::bigint AS on_hand, reserved::bigint AS reserved, on_hold::bigint AS on_hold
               FROM balances
               WHERE (cell_id, product_id, lot_id) > ($1, $2, $3) AND (cell_id, product_id, lot_id) <= ($4, $5, $6)
           ), compared AS (
               SELECT cell_id, product_id, lot_id, (t.on_hand IS NOT NULL)::int AS rows,
                      coalesce(t.on_hand, 0) AS on_hand, coalesce(c.units, 0) - coalesce(w.units, 0) AS entries,
                      coalesce(t.reserved, 0) AS reserved, coalesce(r.units, 0) AS reservations,
                      coalesce(t.on_hold, 0) AS on_hold, coalesce(h.units, 0) AS holds,
                      coalesce(c.sides, 0) + coalesce(w.sides, 0) AS sides, coalesce(r.rows, 0) AS promises, coalesce(h.rows, 0) AS keeps
               FROM told AS t
               FULL JOIN came AS c USING (cell_id, product_id, lot_id)
               FULL JOIN went AS w USING (cell_id, product_id, lot_id)
               FULL JOIN promised AS r USING (cell_id, product_id, lot_id)
               FULL JOIN kept AS h USING (cell_id, product_id, lot_id)
           ), reached AS (
               SELECT *, on_hand <> entries OR reserved <> reservations OR on_hold <> holds AS differs
               FROM compared AS o
               WHERE $7::uuid[] IS NULL OR EXISTS (SELECT FROM cells AS c WHERE c.id = o.cell_id AND c.warehouse_id = ANY($7))
           )
           SELECT coalesce(sum(rows), 0)::bigint AS "balances!", coalesce(sum(sides), 0)::bigint AS "entries!",
                  coalesce(sum(promises), 0)::bigint AS "reservations!", coalesce(sum(keeps), 0)::bigint AS "holds!",
                  coalesce(array_agg(cell_id ORDER BY cell_id, product_id, lot_id) FILTER (WHERE differs), '{}') AS "cells!: Vec<Uuid>",
                  coalesce(array_agg(product_id ORDER BY cell_id, product_id, lot_id) FILTER (WHERE differs), '{}') AS "products!: Vec<Uuid>",
                  coalesce(array_agg(lot_id ORDER BY cell_id, product_id, lot_id) FILTER (WHERE differs), '{}') AS "lots!: Vec<Uuid>",
                  coalesce(array_agg(on_hand ORDER BY cell_id, product_id, lot_id) FILTER (WHERE differs), '{}') AS "on_hand!: Vec<i64>",
                  coalesce(array_agg(entries ORDER BY cell_id, product_id, lot_id) FILTER (WHERE differs), '{}') AS "summed!: Vec<i64>",
                  coalesce(array_agg(reserved ORDER BY cell_id, product_id, lot_id) FILTER (WHERE differs), '{}') AS "reserved!: Vec<i64>",
                  coalesce(array_agg(reservations ORDER BY cell_id, product_id, lot_id) FILTER (WHERE differs), '{}') AS "promised!: Vec<i64>",
                  coalesce(array_agg(on_hold ORDER BY cell_id, product_id, lot_id) FILTER (WHERE differs), '{}') AS "on_hold!: Vec<i64>",
                  coalesce(array_agg(holds ORDER BY cell_id, product_id, lot_id) FILTER (WHERE differs), '{}') AS "kept!: Vec<i64>"
           FROM reached"#,
        from_cell,
        from_product,
        from_lot,
        to_cell,
        to_product,
        to_lot,
        warehouses,
    )
    .fetch_one(tx.conn())
    .await?;
    let differences = (0..row.cells.len()).map(|at| Difference {
        cell_id: CellId(row.cells[at]),
        product_id: ProductId(row.products[at]),
        lot_id: LotId(row.lots[at]),
        on_hand: row.on_hand[at],
        entries: row.summed[at],
        reserved: row.reserved[at],
        reservations: row.promised[at],
        on_hold: row.on_hold[at],
        holds: row.kept[at],
    });
    let differences = differences.collect();
    let (balances, entries) = (row.balances, row.entries);
    Ok(Compared { balances, entries, reservations: row.reservations, holds: row.holds, differences })
}

/// A balance that changed since it was checked, recomputed.
pub(super) struct Changed {
    pub figures: Difference,
    /// Sides of entries summed.
    pub sides: i64,
    /// Reservations summed.
    pub promises: i64,
    /// Holds summed.
    pub keeps: i64,
}

/// Recomputes so many of the balances that changed since they were checked.
pub(super) async fn changed(tx: &mut EnterpriseTx, limit: i64) -> Result<Vec<Changed>> {
    let rows = sqlx::query!(
        r#"SELECT b.cell_id, b.product_id, b.lot_id, b.on_hand::bigint AS "on_hand!", b.reserved::bigint AS "reserved!",
                  b.on_hold::bigint AS "on_hold!", (c.units - w.units) AS "entries!", r.units AS "reservations!", h.units AS "holds!",
                  (c.sides + w.sides) AS "sides!", r.rows AS "promises!", h.rows AS "keeps!"
           FROM (SELECT cell_id, product_id, lot_id, on_hand, reserved, on_hold FROM balances
                 WHERE checked_at IS NULL ORDER BY cell_id, product_id, lot_id LIMIT $1) AS b
           CROSS JOIN LATERAL (SELECT coalesce(sum(e.quantity), 0)::bigint AS units, count(*) AS sides FROM stock_entries AS e
                               WHERE e.to_cell_id = b.cell_id AND e.product_id = b.product_id AND e.lot_id = b.lot_id) AS c
           CROSS JOIN LATERAL (SELECT coalesce(sum(e.quantity), 0)::bigint AS units, count(*) AS sides FROM stock_entries AS e
                               WHERE e.from_cell_id = b.cell_id AND e.product_id = b.product_id AND e.lot_id = b.lot_id) AS w
           CROSS JOIN LATERAL (SELECT coalesce(sum(o.quantity), 0)::bigint AS units, count(*) AS rows FROM reservations AS o
                               WHERE o.status = 'active' AND o.cell_id = b.cell_id AND o.product_id = b.product_id
                                 AND o.lot_id = b.lot_id) AS r
           CROSS JOIN LATERAL (SELECT coalesce(sum(o.quantity), 0)::bigint AS units, count(*) AS rows FROM holds AS o
                               WHERE o.status = 'active' AND o.cell_id = b.cell_id AND o.product_id = b.product_id
                                 AND o.lot_id = b.lot_id) AS h"#,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let changed = rows.into_iter().map(|row| Changed {
        figures: Difference {
            cell_id: row.cell_id,
            product_id: row.product_id,
            lot_id: row.lot_id,
            on_hand: row.on_hand,
            entries: row.entries,
            reserved: row.reserved,
            reservations: row.reservations,
            on_hold: row.on_hold,
            holds: row.holds,
        },
        sides: row.sides,
        promises: row.promises,
        keeps: row.keeps,
    });
    Ok(changed.collect())
}

/// Marks as checked what is still as it was compared. Whoever holds a balance just now is not waited for: it will be
/// looked at again.
pub(super) async fn mark(tx: &mut EnterpriseTx, changed: &[Changed]) -> Result<()> {
    let now = tx.now().await?;
    let figures = || changed.iter().map(|row| row.figures);
    sqlx::query!(
        "WITH seen AS (
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[])
                           AS s (cell_id, product_id, lot_id, on_hand, reserved, on_hold)
         ), same AS MATERIALIZED (
             SELECT b.cell_id, b.product_id, b.lot_id
             FROM balances AS b JOIN seen AS s USING (cell_id, product_id, lot_id)
             WHERE (b.on_hand, b.reserved, b.on_hold) = (s.on_hand, s.reserved, s.on_hold)
             ORDER BY b.cell_id, b.product_id, b.lot_id
             FOR NO KEY UPDATE OF b SKIP LOCKED
         )
         UPDATE balances AS b SET checked_at = $7 FROM same AS o
         WHERE (b.cell_id, b.product_id, b.lot_id) = (o.cell_id, o.product_id, o.lot_id) AND b.checked_at IS NULL",
        &figures().map(|one| one.cell_id.0).collect::<Vec<_>>(),
        &figures().map(|one| one.product_id.0).collect::<Vec<_>>(),
        &figures().map(|one| one.lot_id.0).collect::<Vec<_>>(),
        &figures().map(|one| one.on_hand).collect::<Vec<_>>(),
        &figures().map(|one| one.reserved).collect::<Vec<_>>(),
        &figures().map(|one| one.on_hold).collect::<Vec<_>>(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
