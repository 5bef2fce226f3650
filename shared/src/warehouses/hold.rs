//! Cells that are out of use, for a while or for good. A blocked cell takes nothing in and gives nothing out; an archived
//! one is empty and not there for daily work.

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::cells::MAX_BATCH;
use super::{Cell, PACKING_CELL, enter_open, look};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{CellId, WarehouseId};
use crate::{Error, Refusal, Result, inventory};

/// What became of one row of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
pub enum Outcome {
    /// It is done.
    Done,
    /// It was so already.
    Unchanged,
    /// It is not done.
    Refused,
}

/// What became of one cell of a batch.
#[derive(Clone, Debug)]
pub struct CellVerdict {
    /// Which one.
    pub cell_id: CellId,
    /// What people call it, if it is there.
    pub code: Option<String>,
    /// Whether it is done.
    pub outcome: Outcome,
    /// Which rule said no; absent where the cell is not there.
    pub refusal: Option<Refusal>,
    /// In words.
    pub detail: Option<String>,
}

impl CellVerdict {
    pub(super) fn of(cell: &Cell, outcome: Outcome) -> Self {
        Self { cell_id: cell.id, code: Some(cell.code.clone()), outcome, refusal: None, detail: None }
    }

    pub(super) fn refused(cell: &Cell, refusal: Refusal, detail: impl Into<String>) -> Self {
        Self { refusal: Some(refusal), detail: Some(detail.into()), ..Self::of(cell, Outcome::Refused) }
    }

    pub(super) fn missing(cell_id: CellId) -> Self {
        let detail = Some("the warehouse has no such cell".to_owned());
        Self { cell_id, code: None, outcome: Outcome::Refused, refusal: Some(Refusal::CellUnknown), detail }
    }
}

/// Holds cells of a warehouse and what lies in them; whoever is just moving something there is waited for. Those that are
/// not there are left out.
///
/// In the order of whoever writes to the ledger: first the products, then the cells. What was put into one of the cells
/// between the two was not waited for, so everything is let go then and waited for again.
pub(super) async fn lock_cells(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, ids: &[CellId]) -> Result<Vec<Cell>> {
    loop {
        sqlx::query("SAVEPOINT cells_held").execute(tx.conn()).await?;
        let ours = inventory::products_in(tx, ids).await?;
        inventory::line_up(tx, &ours).await?;
        let locked: Vec<Uuid> = sqlx::query_scalar!(
            r#"SELECT id AS "id: Uuid" FROM cells WHERE warehouse_id = $1 AND id = ANY($2) ORDER BY id FOR UPDATE"#,
            warehouse_id as _,
            &ids.iter().map(|id| id.0).collect::<Vec<_>>(),
        )
        .fetch_all(tx.conn())
        .await?;
        if inventory::products_in(tx, ids).await?.iter().all(|product| ours.contains(product)) {
            sqlx::query("RELEASE SAVEPOINT cells_held").execute(tx.conn()).await?;
            return look::by_ids(tx, &locked).await;
        }
        sqlx::query("ROLLBACK TO SAVEPOINT cells_held").execute(tx.conn()).await?;
    }
}

/// Judges each of the cells and answers with those to be changed.
async fn judge(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    ids: &[CellId],
    judge: impl Fn(&Cell) -> std::result::Result<Outcome, (Refusal, String)>,
) -> Result<(Vec<CellVerdict>, Vec<Cell>)> {
    enter_open(tx, warehouse_id, Permission::ManageWarehouses).await?;
    if ids.is_empty() || ids.len() > MAX_BATCH {
        return Err(Error::invalid("cellIds", format!("must be 1 to {MAX_BATCH}")));
    }
    let there = lock_cells(tx, warehouse_id, ids).await?;
    let verdict = |id: &CellId| match there.iter().find(|cell| cell.id == *id) {
        None => CellVerdict::missing(*id),
        Some(cell) => match judge(cell) {
            Ok(outcome) => CellVerdict::of(cell, outcome),
            Err((refusal, detail)) => CellVerdict::refused(cell, refusal, detail),
        },
    };
    let verdicts: Vec<_> = ids.iter().map(verdict).collect();
    let done =
        |cell: &Cell| verdicts.iter().any(|verdict| verdict.cell_id == cell.id && verdict.outcome == Outcome::Done);
    let changing = there.iter().filter(|cell| done(cell)).cloned().collect();
    Ok((verdicts, changing))
}

fn built_in(cell: &Cell) -> std::result::Result<(), (Refusal, String)> {
    if cell.code == PACKING_CELL {
        return Err((Refusal::CellBuiltIn, "what is picked waits for packing in this cell".to_owned()));
    }
    Ok(())
}

async fn note(
    tx: &mut EnterpriseTx,
    action: Action,
    warehouse_id: WarehouseId,
    cells: &[Cell],
    reason: Option<&str>,
) -> Result<()> {
    if cells.is_empty() {
        return Ok(());
    }
    let codes: Vec<_> = cells.iter().map(|cell| cell.code.as_str()).collect();
    let mut facts = json!({ "codes": codes });
    if let Some(reason) = reason {
        facts["reason"] = reason.into();
    }
    audit::noted(tx, action, Object::of("warehouse", warehouse_id), &facts).await
}

fn ids_of(cells: &[Cell]) -> Vec<Uuid> {
    cells.iter().map(|cell| cell.id.0).collect()
}

/// Blocks cells: nothing goes in or out until they are unblocked. What is held there for orders stays held, and cannot be
/// picked meanwhile.
pub async fn block_cells(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    ids: &[CellId],
    reason: &str,
) -> Result<Vec<CellVerdict>> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 {
        return Err(Error::invalid("reason", "must have 1 to 500 characters"));
    }
    let judging = |cell: &Cell| {
        built_in(cell)?;
        let same = cell.blocked_reason.as_deref() == Some(reason);
        Ok(if same { Outcome::Unchanged } else { Outcome::Done })
    };
    let (verdicts, changing) = judge(tx, warehouse_id, ids, judging).await?;
    let (now, actor) = (tx.now().await?, tx.actor().to_string());
    sqlx::query!(
        "UPDATE cells SET blocked_at = $2, blocked_reason = $3, blocked_by = $4 WHERE id = ANY($1)",
        &ids_of(&changing),
        now,
        reason,
        actor,
    )
    .execute(tx.conn())
    .await?;
    note(tx, Action::CellsBlocked, warehouse_id, &changing, Some(reason)).await?;
    Ok(verdicts)
}

/// Opens blocked cells again.
pub async fn unblock_cells(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    ids: &[CellId],
) -> Result<Vec<CellVerdict>> {
    let judging = |cell: &Cell| Ok(if cell.blocked_at.is_some() { Outcome::Done } else { Outcome::Unchanged });
    let (verdicts, changing) = judge(tx, warehouse_id, ids, judging).await?;
    sqlx::query!(
        "UPDATE cells SET blocked_at = NULL, blocked_reason = NULL, blocked_by = NULL WHERE id = ANY($1)",
        &ids_of(&changing),
    )
    .execute(tx.conn())
    .await?;
    note(tx, Action::CellsUnblocked, warehouse_id, &changing, None).await?;
    Ok(verdicts)
}

/// Takes empty cells out of use that nobody is on the way to.
pub async fn archive_cells(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    ids: &[CellId],
) -> Result<Vec<CellVerdict>> {
    enter_open(tx, warehouse_id, Permission::ManageWarehouses).await?;
    // Held before it is asked who is on the way there, so that nobody sets out in between.
    lock_cells(tx, warehouse_id, ids).await?;
    let awaited: Vec<Uuid> = sqlx::query_scalar!(
        r#"SELECT l.cell_id AS "id!: Uuid" FROM pick_lines AS l WHERE l.cell_id = ANY($1) AND l.status = 'pending'
           UNION
           SELECT unnest(ARRAY[m.from_cell_id, m.to_cell_id]) FROM move_lines AS m
           WHERE m.moved_at IS NULL AND (m.from_cell_id = ANY($1) OR m.to_cell_id = ANY($1))"#,
        &ids.iter().map(|id| id.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    let judging = |cell: &Cell| {
        built_in(cell)?;
        if cell.units > 0 {
            let detail =
                format!("{} units lie in cell {}, {} of them held for orders", cell.units, cell.code, cell.reserved);
            return Err((Refusal::CellInUse, detail));
        }
        if awaited.contains(&cell.id.0) {
            return Err((Refusal::CellInUse, format!("an open request leads to cell {}", cell.code)));
        }
        Ok(if cell.archived_at.is_some() { Outcome::Unchanged } else { Outcome::Done })
    };
    let (verdicts, changing) = judge(tx, warehouse_id, ids, judging).await?;
    set_archived(tx, &changing, true).await?;
    note(tx, Action::CellsArchived, warehouse_id, &changing, None).await?;
    Ok(verdicts)
}

/// Takes archived cells into use again.
pub async fn restore_cells(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    ids: &[CellId],
) -> Result<Vec<CellVerdict>> {
    let judging = |cell: &Cell| Ok(if cell.archived_at.is_some() { Outcome::Done } else { Outcome::Unchanged });
    let (verdicts, changing) = judge(tx, warehouse_id, ids, judging).await?;
    set_archived(tx, &changing, false).await?;
    note(tx, Action::CellsRestored, warehouse_id, &changing, None).await?;
    Ok(verdicts)
}

async fn set_archived(tx: &mut EnterpriseTx, cells: &[Cell], archived: bool) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!("UPDATE cells SET archived_at = $2 WHERE id = ANY($1)", &ids_of(cells), archived.then_some(now))
        .execute(tx.conn())
        .await?;
    Ok(())
}
