//! Recomputing. Every comparison is one statement: entries, reservations and balances are written by the same transactions,
//! so one snapshot sees both sides of each or neither.

use uuid::Uuid;

use super::{Difference, Place};
use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, ProductId};

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
    pub fn bounds(self) -> [Uuid; 4] {
        let of = |place: Option<Place>, absent| place.map_or((absent, absent), |(cell, product)| (cell.0, product.0));
        let ((from_cell, from_product), (to_cell, to_product)) = (of(self.from, Uuid::nil()), of(self.to, Uuid::max()));
        [from_cell, from_product, to_cell, to_product]
    }
}

/// What was recomputed, and what of it is wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Compared {
    pub balances: i64,
    pub entries: i64,
    pub reservations: i64,
    pub differences: Vec<Difference>,
}

/// The next so many balances behind a place. Where no more are left, everything behind it: entries without a balance, too.
pub(super) async fn range(tx: &mut EnterpriseTx, from: Option<Place>, size: i64) -> Result<Range> {
    let [cell, product, ..] = Range { from, to: None }.bounds();
    let last = sqlx::query!(
        "SELECT cell_id, product_id FROM balances WHERE (cell_id, product_id) > ($1, $2)
         ORDER BY cell_id, product_id OFFSET $3 LIMIT 1",
        cell,
        product,
        size - 1,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(Range { from, to: last.map(|row| (row.cell_id, row.product_id)) })
}

/// Recomputes every place of the range, in these warehouses.
pub(super) async fn all_in(tx: &mut EnterpriseTx, range: Range, warehouses: Option<&[Uuid]>) -> Result<Compared> {
    let [from_cell, from_product, to_cell, to_product] = range.bounds();
    let row = sqlx::query!(
        r#"WITH came AS (
               SELECT to_cell_id AS cell_id, product_id, sum(quantity)::bigint AS units, count(*) AS sides
               FROM stock_entries
               WHERE to_cell_id IS NOT NULL AND (to_cell_id, product_id) > ($1, $2) AND (to_cell_id, product_id) <= ($3, $4)
               GROUP BY 1, 2
           ), went AS (
               SELECT from_cell_id AS cell_id, product_id, sum(quantity)::bigint AS units, count(*) AS sides
               FROM stock_entries
               WHERE from_cell_id IS NOT NULL AND (from_cell_id, product_id) > ($1, $2) AND (from_cell_id, product_id) <= ($3, $4)
               GROUP BY 1, 2
           ), held AS (
               SELECT cell_id, product_id, sum(quantity)::bigint AS units, count(*) AS sides
               FROM reservations
               WHERE status = 'active' AND (cell_id, product_id) > ($1, $2) AND (cell_id, product_id) <= ($3, $4)
               GROUP BY 1, 2
           ), told AS (
               SELECT cell_id, product_id, sum(on_hand)::bigint AS on_hand, sum(reserved)::bigint AS reserved, count(*) AS rows
               FROM balances
               WHERE (cell_id, product_id) > ($1, $2) AND (cell_id, product_id) <= ($3, $4)
               GROUP BY 1, 2
           ), compared AS (
               SELECT cell_id, product_id, coalesce(t.rows, 0) AS rows,
                      coalesce(t.on_hand, 0) AS on_hand, coalesce(c.units, 0) - coalesce(w.units, 0) AS entries,
                      coalesce(t.reserved, 0) AS reserved, coalesce(h.units, 0) AS reservations,
                      coalesce(c.sides, 0) + coalesce(w.sides, 0) AS sides, coalesce(h.sides, 0) AS holds
               FROM told AS t
               FULL JOIN came AS c USING (cell_id, product_id)
               FULL JOIN went AS w USING (cell_id, product_id)
               FULL JOIN held AS h USING (cell_id, product_id)
           ), reached AS (
               SELECT *, on_hand <> entries OR reserved <> reservations AS differs
               FROM compared AS o
               WHERE $5::uuid[] IS NULL OR EXISTS (SELECT FROM cells AS c WHERE c.id = o.cell_id AND c.warehouse_id = ANY($5))
           )
           SELECT coalesce(sum(rows), 0)::bigint AS "balances!", coalesce(sum(sides), 0)::bigint AS "entries!",
                  coalesce(sum(holds), 0)::bigint AS "reservations!",
                  coalesce(array_agg(cell_id ORDER BY cell_id, product_id) FILTER (WHERE differs), '{}') AS "cells!: Vec<Uuid>",
                  coalesce(array_agg(product_id ORDER BY cell_id, product_id) FILTER (WHERE differs), '{}') AS "products!: Vec<Uuid>",
                  coalesce(array_agg(on_hand ORDER BY cell_id, product_id) FILTER (WHERE differs), '{}') AS "on_hand!: Vec<i64>",
                  coalesce(array_agg(entries ORDER BY cell_id, product_id) FILTER (WHERE differs), '{}') AS "summed!: Vec<i64>",
                  coalesce(array_agg(reserved ORDER BY cell_id, product_id) FILTER (WHERE differs), '{}') AS "reserved!: Vec<i64>",
                  coalesce(array_agg(reservations ORDER BY cell_id, product_id) FILTER (WHERE differs), '{}') AS "held!: Vec<i64>"
           FROM reached"#,
        from_cell,
        from_product,
        to_cell,
        to_product,
        warehouses,
    )
    .fetch_one(tx.conn())
    .await?;
    let differences = (0..row.cells.len()).map(|at| Difference {
        cell_id: CellId(row.cells[at]),
        product_id: ProductId(row.products[at]),
        on_hand: row.on_hand[at],
        entries: row.summed[at],
        reserved: row.reserved[at],
        reservations: row.held[at],
    });
    let differences = differences.collect();
    Ok(Compared { balances: row.balances, entries: row.entries, reservations: row.reservations, differences })
}

/// A balance that changed since it was checked, recomputed.
pub(super) struct Changed {
    pub figures: Difference,
    /// Sides of entries summed.
    pub sides: i64,
    /// Reservations summed.
    pub holds: i64,
}

impl Changed {
    /// Whether the balance is not what its rows say.
    pub fn differs(&self) -> bool {
        self.figures.on_hand != self.figures.entries || self.figures.reserved != self.figures.reservations
    }
}

/// Recomputes so many of the balances that changed since they were checked.
pub(super) async fn changed(tx: &mut EnterpriseTx, limit: i64) -> Result<Vec<Changed>> {
    let rows = sqlx::query!(
        r#"SELECT b.cell_id, b.product_id, t.on_hand AS "on_hand!", t.reserved AS "reserved!",
                  (c.units - w.units) AS "entries!", h.units AS "reservations!", (c.sides + w.sides) AS "sides!", h.sides AS "holds!"
           FROM (SELECT DISTINCT cell_id, product_id FROM balances
                 WHERE checked_at IS NULL ORDER BY cell_id, product_id LIMIT $1) AS b
           CROSS JOIN LATERAL (SELECT sum(o.on_hand)::bigint AS on_hand, sum(o.reserved)::bigint AS reserved FROM balances AS o
                               WHERE o.cell_id = b.cell_id AND o.product_id = b.product_id) AS t
           CROSS JOIN LATERAL (SELECT coalesce(sum(e.quantity), 0)::bigint AS units, count(*) AS sides FROM stock_entries AS e
                               WHERE e.to_cell_id = b.cell_id AND e.product_id = b.product_id) AS c
           CROSS JOIN LATERAL (SELECT coalesce(sum(e.quantity), 0)::bigint AS units, count(*) AS sides FROM stock_entries AS e
                               WHERE e.from_cell_id = b.cell_id AND e.product_id = b.product_id) AS w
           CROSS JOIN LATERAL (SELECT coalesce(sum(r.quantity), 0)::bigint AS units, count(*) AS sides FROM reservations AS r
                               WHERE r.status = 'active' AND r.cell_id = b.cell_id AND r.product_id = b.product_id) AS h"#,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let changed = rows.into_iter().map(|row| Changed {
        figures: Difference {
            cell_id: row.cell_id,
            product_id: row.product_id,
            on_hand: row.on_hand,
            entries: row.entries,
            reserved: row.reserved,
            reservations: row.reservations,
        },
        sides: row.sides,
        holds: row.holds,
    });
    Ok(changed.collect())
}

/// Marks as checked what is still as it was compared. Whoever holds a balance just now is not waited for: it will be
/// looked at again.
pub(super) async fn mark(tx: &mut EnterpriseTx, changed: &[Changed]) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "WITH seen AS (
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[]) AS s (cell_id, product_id, on_hand, reserved)
         ), free AS MATERIALIZED (
             SELECT b.cell_id, b.product_id, b.on_hand, b.reserved
             FROM balances AS b JOIN seen AS s ON (b.cell_id, b.product_id) = (s.cell_id, s.product_id)
             ORDER BY b.cell_id, b.product_id
             FOR NO KEY UPDATE OF b SKIP LOCKED
         ), same AS (
             SELECT cell_id, product_id FROM free GROUP BY 1, 2
             INTERSECT
             SELECT s.cell_id, s.product_id FROM seen AS s
             WHERE (s.on_hand, s.reserved) = (SELECT sum(f.on_hand), sum(f.reserved) FROM free AS f
                                              WHERE (f.cell_id, f.product_id) = (s.cell_id, s.product_id))
         )
         UPDATE balances AS b SET checked_at = $5 FROM same AS o
         WHERE (b.cell_id, b.product_id) = (o.cell_id, o.product_id) AND b.checked_at IS NULL",
        &changed.iter().map(|row| row.figures.cell_id.0).collect::<Vec<_>>(),
        &changed.iter().map(|row| row.figures.product_id.0).collect::<Vec<_>>(),
        &changed.iter().map(|row| row.figures.on_hand).collect::<Vec<_>>(),
        &changed.iter().map(|row| row.figures.reserved).collect::<Vec<_>>(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
