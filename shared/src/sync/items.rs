//! What a run could not do, item by item, and what it repaired.

use serde::{Deserialize, Serialize};

use super::get;
use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::SyncRunId;
use crate::page::{Page, PageQuery};

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ItemOutcome {
    /// It could not be done.
    Failed,
    /// It had not been as it should be, and is now.
    Repaired,
    /// It is not as it should be; the next push repairs it.
    Differing,
}

/// An item of a run that is worth a word.
#[derive(Clone, Debug)]
pub struct RunItem {
    /// Its place in the run, from 1.
    pub position: i64,
    /// What: a size, an order, a card, by its number at Wildberries.
    pub item: String,
    /// What became of it.
    pub outcome: ItemOutcome,
    /// Why: a word of ours, or Wildberries' code.
    pub code: String,
    /// The same in words.
    pub detail: String,
}

/// The items of a run, in their order.
pub async fn items(tx: &mut EnterpriseTx, id: SyncRunId, query: &PageQuery) -> Result<Page<RunItem>> {
    get(tx, id).await?;
    let after: Option<i64> = query.key()?;
    let rows = sqlx::query_as!(
        RunItem,
        "SELECT position, item, outcome, code, detail FROM sync_run_items
         WHERE run_id = $1 AND position > $2 ORDER BY position LIMIT $3",
        id as _,
        after.unwrap_or(0),
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |row| row.position))
}

/// Adds items to a run, whatever their `position`.
pub async fn note_items(tx: &mut EnterpriseTx, id: SyncRunId, items: &[RunItem]) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    sqlx::query!(
        "INSERT INTO sync_run_items (enterprise_id, run_id, position, item, outcome, code, detail)
         SELECT $1, $2, (SELECT coalesce(max(position), 0) FROM sync_run_items WHERE run_id = $2) + i.n, i.item, i.outcome, i.code, i.detail
         FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY AS i (item, outcome, code, detail, n)",
        enterprise_id as _,
        id as _,
        &items.iter().map(|item| item.item.clone()).collect::<Vec<_>>(),
        &items.iter().map(|item| item.outcome.name().to_owned()).collect::<Vec<_>>(),
        &items.iter().map(|item| item.code.clone()).collect::<Vec<_>>(),
        &items.iter().map(|item| item.detail.clone()).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

impl ItemOutcome {
    fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Repaired => "repaired",
            Self::Differing => "differing",
        }
    }
}
