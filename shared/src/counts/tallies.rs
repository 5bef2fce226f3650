//! Counting: so many of this in that cell, many rows at once; and a cell that is empty, in one word.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::tally::{self, Found, Place};
use super::{CountScope, TallyKind, store};
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RowRefused;
use crate::ids::{CountId, CountLineId, LotId, ProductId};
use crate::inventory::{self, Item, MAX_LINES, Mode, settle};
use crate::{Error, Refusal, Result, warehouses};

/// So many units were found.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Of what. No lot means the one that is known there; one that nobody has heard of is made.
    pub item: Item,
    /// The code of the cell.
    pub cell: String,
    /// Units; zero where there is none.
    pub quantity: i32,
    /// When it lay so, if not just now: what moved since is no difference.
    pub counted_at: Option<DateTime<Utc>>,
}

/// Takes in what was counted, row by row; the line that each row is about. What was not expected gets a line of its own.
pub async fn count_rows(
    tx: &mut EnterpriseTx,
    id: CountId,
    mode: Mode,
    rows: &[Counted],
) -> Result<Vec<std::result::Result<CountLineId, RowRefused>>> {
    let count = store::join(tx, id).await?;
    if rows.is_empty() || rows.len() > MAX_LINES {
        return Err(Error::invalid("lines", format!("must be 1 to {MAX_LINES}")));
    }
    let now = tx.now().await?;
    for (row, counted) in rows.iter().enumerate() {
        if !(0..=1_000_000).contains(&counted.quantity) {
            return Err(Error::invalid(format!("lines.{row}.quantity"), "must be between 0 and 1000000"));
        }
        if counted.counted_at.is_some_and(|at| at > now || Some(at) < count.started_at) {
            return Err(Error::invalid(
                format!("lines.{row}.countedAt"),
                "must lie between the start of the count and now",
            ));
        }
    }
    let asked: Vec<_> = rows.iter().map(|row| (&row.item, &row.cell)).collect();
    let judged = settle(mode, tally::judge(tx, &count, mode, &asked).await?)?;
    let found = |(place, row): (&std::result::Result<Place, RowRefused>, &Counted)| {
        let &place = place.as_ref().ok()?;
        Some(Found { place, quantity: row.quantity, counted_at: row.counted_at })
    };
    let found: Vec<_> = judged.iter().zip(rows).filter_map(found).collect();
    let lines = tally::keep(tx, &count, TallyKind::Counted, &found).await?;
    let facts =
        json!({ "lines": found.len(), "quantity": found.iter().map(|found| i64::from(found.quantity)).sum::<i64>() });
    audit::noted(tx, Action::CountTallied, Object::of("count", id), &facts).await?;
    let line = |place: Place| {
        lines.get(&place).copied().ok_or_else(|| Error::Inconsistent("a line was counted that is not there".to_owned()))
    };
    judged.into_iter().map(|row| row.map_or_else(|refused| Ok(Err(refused)), |place| line(place).map(Ok))).collect()
}

/// Nothing lies in this cell: everything that is known there and was not counted yet is none. Answers with how many lines
/// that were.
pub async fn empty_cell(tx: &mut EnterpriseTx, id: CountId, code: &str) -> Result<usize> {
    let count = store::join(tx, id).await?;
    let cell = warehouses::find_cell(tx, count.warehouse_id, code.trim())
        .await?
        .ok_or_else(|| Error::refused(Refusal::CellUnknown, format!("the warehouse has no cell {code}")))?;
    if !store::extent(tx, &count, &[cell.id]).await?.cells.contains(&cell.id) {
        return Err(Error::refused(Refusal::CountOutside, format!("cell {code} is none of the count's")));
    }
    inventory::line_up_at(tx, &[cell.id]).await?;
    let (actor, person) = (tx.actor().to_string(), store::person(tx).await?);
    // What came after the start has no line yet.
    let open = sqlx::query!(
        r#"SELECT k.product_id AS "product_id!: ProductId", k.lot_id AS "lot_id!: LotId",
                  coalesce(l.by_another AND EXISTS (SELECT FROM count_tallies AS t
                                                    WHERE t.count_line_id = l.id AND t.round < l.round
                                                      AND (t.person_id = $6 OR t.actor = $5)), false) AS "waits_for_another!"
           FROM (SELECT product_id, lot_id FROM count_lines WHERE count_id = $1 AND cell_id = $2
                 UNION SELECT product_id, lot_id FROM balances WHERE cell_id = $2 AND on_hand > 0) AS k
           LEFT JOIN count_lines AS l ON l.count_id = $1 AND l.cell_id = $2 AND l.lot_id = k.lot_id
           WHERE (l.id IS NULL OR (l.round = $3 AND l.counted IS NULL))
             AND ($4 <> 'products' OR k.product_id IN (SELECT t.product_id FROM count_targets AS t WHERE t.count_id = $1))
           ORDER BY l.id"#,
        id as _,
        cell.id as _,
        count.round,
        count.scope as CountScope,
        actor,
        person as _,
    )
    .fetch_all(tx.conn())
    .await?;
    if open.iter().any(|line| line.waits_for_another) {
        return Err(Error::refused(Refusal::CountRecountByAnother, format!("you have counted cell {code} before")));
    }
    let found = |product_id: ProductId, lot_id: LotId| {
        let place = Place { cell_id: cell.id, product_id, lot_id };
        Found { place, quantity: 0, counted_at: None }
    };
    let found: Vec<_> = open.iter().map(|line| found(line.product_id, line.lot_id)).collect();
    tally::keep(tx, &count, TallyKind::Empty, &found).await?;
    // A frozen cell without a line is let go, too.
    super::freeze::thaw_settled(tx, &count, &[cell.id]).await?;
    let facts = json!({ "emptyCell": cell.code, "lines": found.len() });
    audit::noted(tx, Action::CountTallied, Object::of("count", id), &facts).await?;
    Ok(found.len())
}
