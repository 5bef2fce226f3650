//! Reading counts. Of a blind one nothing that is expected is in any answer while it is counted; under review only those see
//! it who may manage or approve it.

use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};

use super::{Count, CountCell, CountLine, CountStatus, HistoryLine, Tally, Totals, store};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, CountId, CountLineId, CountTallyId, ProductId, WarehouseId};
use crate::page::{Page, PageQuery};
use crate::{Error, Result};

/// Which counts to list.
#[derive(Clone, Debug, Default)]
pub struct CountFilter {
    /// In this status.
    pub status: Option<CountStatus>,
    /// In this warehouse.
    pub warehouse_id: Option<WarehouseId>,
}

/// In which state lines are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case", rename = "CountLineState"))]
pub enum LineState {
    /// Nobody has counted them in this round, and nobody said what becomes of them.
    Uncounted,
    /// Somebody has.
    Counted,
    /// Two people counted differently.
    Disputed,
    /// Something else lies there than was known.
    Different,
    /// It does, and has no reason yet.
    Unexplained,
    /// They could not be corrected.
    Problem,
}

/// Which lines to list.
#[derive(Clone, Debug, Default)]
pub struct LineFilter {
    /// In this state.
    pub state: Option<LineState>,
    /// In this cell.
    pub cell_id: Option<CellId>,
    /// Of this product.
    pub product_id: Option<ProductId>,
}

/// Which tallies to list.
#[derive(Clone, Debug, Default)]
pub struct TallyFilter {
    /// Of this line.
    pub count_line_id: Option<CountLineId>,
}

const COUNT: &str = "SELECT k.id, k.warehouse_id, k.name, k.comment, k.scope, k.blind, k.freezes AS freeze, k.status, k.round, k.request_id,
    k.document_id, k.actor, k.created_at, k.started_at, k.posted_at, k.version,
    ARRAY(SELECT t.zone_id FROM count_targets AS t WHERE t.count_id = k.id AND t.zone_id IS NOT NULL ORDER BY t.position) AS zone_ids,
    ARRAY(SELECT t.cell_id FROM count_targets AS t WHERE t.count_id = k.id AND t.cell_id IS NOT NULL ORDER BY t.position) AS cell_ids,
    ARRAY(SELECT t.product_id FROM count_targets AS t WHERE t.count_id = k.id AND t.product_id IS NOT NULL ORDER BY t.position)
        AS product_ids
    FROM counts AS k JOIN requests AS r ON r.id = k.request_id WHERE ";

/// One count, and how far it is.
pub async fn get(tx: &mut EnterpriseTx, id: CountId) -> Result<Count> {
    store::enter(tx, id, Permission::ReadCounts).await?;
    show(tx, id).await
}

/// The same, for a verb that has asked for its own permission.
pub(super) async fn show(tx: &mut EnterpriseTx, id: CountId) -> Result<Count> {
    let mut sql = QueryBuilder::<Postgres>::new(COUNT);
    sql.push("k.id = ").push_bind(id);
    let found: Option<Count> = sql.build_query_as().fetch_optional(tx.conn()).await?;
    let mut count = found.ok_or(Error::NotFound("count"))?;
    count.totals = Some(totals(tx, &count).await?);
    Ok(count)
}

/// Counts in reach, newest first; how far each is, it says itself.
pub async fn list(tx: &mut EnterpriseTx, filter: &CountFilter, query: &PageQuery) -> Result<Page<Count>> {
    let bounds = tx.bounds(Permission::ReadCounts)?;
    let mut sql = QueryBuilder::<Postgres>::new(COUNT);
    sql.push("true");
    if let Some(status) = filter.status {
        sql.push(" AND k.status = ").push_bind(status);
    }
    if let Some(warehouse) = filter.warehouse_id {
        sql.push(" AND k.warehouse_id = ").push_bind(warehouse);
    }
    if let Some(warehouses) = bounds.warehouses {
        sql.push(" AND (k.warehouse_id = ANY(").push_bind(warehouses).push(") OR r.assignee_id = ");
        sql.push_bind(bounds.person).push(")");
    }
    if let Some(before) = query.key::<CountId>()? {
        sql.push(" AND k.id < ").push_bind(before);
    }
    sql.push(" ORDER BY k.id DESC LIMIT ").push_bind(query.limit + 1);
    let rows: Vec<Count> = sql.build_query_as().fetch_all(tx.conn()).await?;
    Ok(query.page(rows, |count| count.id))
}

/// What a reader may know of a count.
struct Seen {
    round: i32,
    hides_expected: bool,
}

/// A count in reach, and what of it is hidden from this reader.
async fn see(tx: &mut EnterpriseTx, id: CountId) -> Result<Seen> {
    store::enter(tx, id, Permission::ReadCounts).await?;
    let row = sqlx::query!("SELECT blind, status, warehouse_id, round FROM counts WHERE id = $1", id as _)
        .fetch_one(tx.conn())
        .await?;
    let hides_expected = row.blind && is_hidden(tx, row.status, row.warehouse_id);
    Ok(Seen { round: row.round, hides_expected })
}

/// Whether what is expected of a blind count is hidden from who asks.
fn is_hidden(tx: &EnterpriseTx, status: CountStatus, warehouse_id: WarehouseId) -> bool {
    let may = |permission| tx.actor().reach(permission).holds_in(Some(warehouse_id));
    match status {
        CountStatus::Planned | CountStatus::Counting => true,
        CountStatus::Review | CountStatus::Posting | CountStatus::Cancelled => {
            !may(Permission::ManageCounts) && !may(Permission::ApproveCounts)
        }
        CountStatus::Posted => false,
    }
}

async fn totals(tx: &mut EnterpriseTx, count: &Count) -> Result<Totals> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM count_cells WHERE count_id = $1) AS "cells!",
                  (SELECT count(*) FROM cells WHERE frozen_count_id = $1) AS "frozen_cells!",
                  count(*) AS "lines!", count(*) FILTER (WHERE counted IS NOT NULL OR kept) AS "counted!",
                  count(*) FILTER (WHERE disputed) AS "disputed!", count(*) FILTER (WHERE difference <> 0) AS "different!",
                  count(*) FILTER (WHERE difference <> 0 AND reason IS NULL) AS "unexplained!",
                  coalesce(sum(difference) FILTER (WHERE difference > 0), 0) AS "plus!",
                  coalesce(-sum(difference) FILTER (WHERE difference < 0), 0) AS "minus!",
                  count(*) FILTER (WHERE entry_id IS NOT NULL) AS "posted!", count(*) FILTER (WHERE problem IS NOT NULL) AS "problems!"
           FROM count_lines WHERE count_id = $1"#,
        count.id as _
    )
    .fetch_one(tx.conn())
    .await?;
    let shown = !(count.blind && is_hidden(tx, count.status, count.warehouse_id));
    let progress = match (count.status, row.lines) {
        (CountStatus::Planned, _) => 0,
        (_, 0) => 100,
        (_, lines) => row.counted * 100 / lines,
    };
    Ok(Totals {
        cells: row.cells,
        frozen_cells: row.frozen_cells,
        lines: row.lines,
        counted: row.counted,
        progress: i32::try_from(progress).unwrap_or(0),
        disputed: row.disputed,
        different: shown.then_some(row.different),
        unexplained: shown.then_some(row.unexplained),
        units_plus: shown.then_some(row.plus),
        units_minus: shown.then_some(row.minus),
        posted: shown.then_some(row.posted),
        problems: shown.then_some(row.problems),
    })
}

/// The lines of a count along the walking path; what was found besides comes at the end.
pub async fn lines(
    tx: &mut EnterpriseTx,
    id: CountId,
    filter: &LineFilter,
    query: &PageQuery,
) -> Result<Page<CountLine>> {
    let seen = see(tx, id).await?;
    let mut sql = QueryBuilder::<Postgres>::new(
        "SELECT l.id, l.cell_id, c.code AS cell, l.product_id, p.sku, p.name, l.lot_id, o.code AS lot, o.expires_on, l.round, l.by_another,
                l.expected_at_start, l.expected, l.counted, l.difference, l.counted_at, l.counted_by, l.disputed, l.kept, l.reason,
                l.comment, l.entry_id, l.problem
         FROM count_lines AS l JOIN cells AS c ON c.id = l.cell_id JOIN products AS p ON p.id = l.product_id JOIN lots AS o ON o.id = l.lot_id
         WHERE l.count_id = ",
    );
    sql.push_bind(id);
    let condition = match filter.state {
        None => "",
        Some(LineState::Different | LineState::Unexplained | LineState::Problem) if seen.hides_expected => {
            return Err(Error::invalid("state", "is not told of a blind count before its review"));
        }
        Some(LineState::Uncounted) => " AND l.counted IS NULL AND NOT l.kept",
        Some(LineState::Counted) => " AND l.counted IS NOT NULL",
        Some(LineState::Disputed) => " AND l.disputed",
        Some(LineState::Different) => " AND l.difference <> 0",
        Some(LineState::Unexplained) => " AND l.difference <> 0 AND l.reason IS NULL",
        Some(LineState::Problem) => " AND l.problem IS NOT NULL",
    };
    sql.push(condition);
    if let Some(cell) = filter.cell_id {
        sql.push(" AND l.cell_id = ").push_bind(cell);
    }
    if let Some(product) = filter.product_id {
        sql.push(" AND l.product_id = ").push_bind(product);
    }
    if let Some(after) = query.key::<CountLineId>()? {
        sql.push(" AND l.id > ").push_bind(after);
    }
    sql.push(" ORDER BY l.id LIMIT ").push_bind(query.limit + 1);
    let rows: Vec<CountLine> = sql.build_query_as().fetch_all(tx.conn()).await?;
    let shown = |line: CountLine| if seen.hides_expected { line.blind() } else { line };
    Ok(query.page(rows, |line| line.id).map(shown))
}

impl CountLine {
    fn blind(self) -> Self {
        Self {
            expected_at_start: None,
            expected: None,
            difference: None,
            reason: None,
            comment: None,
            problem: None,
            ..self
        }
    }
}

/// Where a cell stands in its list.
#[derive(Serialize, Deserialize)]
struct Walk(i32, String);

/// The cells of a count along the walking path.
pub async fn cells(tx: &mut EnterpriseTx, id: CountId, query: &PageQuery) -> Result<Page<CountCell>> {
    store::enter(tx, id, Permission::ReadCounts).await?;
    let (sequence, code) =
        query.key::<Walk>()?.map_or((None, None), |Walk(sequence, code)| (Some(sequence), Some(code)));
    let rows = sqlx::query_as!(
        CountCell,
        r#"SELECT o.cell_id, c.code AS cell, c.pick_sequence, c.frozen_count_id IS NOT DISTINCT FROM o.count_id AS "frozen!",
                  t.lines AS "lines!", t.counted AS "counted!"
           FROM count_cells AS o JOIN cells AS c ON c.id = o.cell_id
           CROSS JOIN LATERAL (SELECT count(*) AS lines, count(*) FILTER (WHERE l.counted IS NOT NULL OR l.kept) AS counted
                               FROM count_lines AS l WHERE l.count_id = o.count_id AND l.cell_id = o.cell_id) AS t
           WHERE o.count_id = $1 AND ($2::int IS NULL OR (c.pick_sequence, c.code) > ($2, $3::text))
           ORDER BY c.pick_sequence, c.code LIMIT $4"#,
        id as _,
        sequence,
        code,
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |cell| Walk(cell.pick_sequence, cell.cell.clone())))
}

/// Who counted what and when, oldest first. Of a blind count only what was said in the round that is under way, so that whoever
/// counts again does not look it up.
pub async fn tallies(
    tx: &mut EnterpriseTx,
    id: CountId,
    filter: &TallyFilter,
    query: &PageQuery,
) -> Result<Page<Tally>> {
    let seen = see(tx, id).await?;
    let mut sql = QueryBuilder::<Postgres>::new(
        "SELECT t.id, t.count_line_id, t.round, t.kind, t.quantity, t.expected, t.actor, t.counted_at, t.recorded_at
         FROM count_tallies AS t WHERE t.count_id = ",
    );
    sql.push_bind(id);
    if let Some(line) = filter.count_line_id {
        sql.push(" AND t.count_line_id = ").push_bind(line);
    }
    if seen.hides_expected {
        sql.push(" AND t.round = ").push_bind(seen.round);
    }
    if let Some(after) = query.key::<CountTallyId>()? {
        sql.push(" AND t.id > ").push_bind(after);
    }
    sql.push(" ORDER BY t.id LIMIT ").push_bind(query.limit + 1);
    let rows: Vec<Tally> = sql.build_query_as().fetch_all(tx.conn()).await?;
    let shown = |tally: Tally| if seen.hides_expected { Tally { expected: None, ..tally } } else { tally };
    Ok(query.page(rows, |tally| tally.id).map(shown))
}

/// What happened to a count, oldest first.
pub async fn history(tx: &mut EnterpriseTx, id: CountId) -> Result<Vec<HistoryLine>> {
    store::enter(tx, id, Permission::ReadCounts).await?;
    Ok(sqlx::query_as!(
        HistoryLine,
        "SELECT from_status, to_status, actor, comment, occurred_at FROM count_history WHERE count_id = $1 ORDER BY id",
        id as _
    )
    .fetch_all(tx.conn())
    .await?)
}
