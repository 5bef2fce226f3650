//! Looking at what was counted: what becomes of the rest, what is counted once more, and why the differences are there.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::store::{self, Held};
use super::tally::{self, Found, Place};
use super::{Count, CountReason, CountStatus, checked_comment, look};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{CountId, CountLineId};
use crate::inventory::MAX_LINES;
use crate::{Error, Refusal, Result};

/// What becomes of lines that nobody counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
pub enum Uncounted {
    /// They stay as they are known.
    Keep,
    /// There is none.
    Zero,
}

/// What is counted once more.
#[derive(Clone, Debug, Default)]
pub struct Recount {
    /// These lines; absent: every line with a difference, and every disputed one.
    pub lines: Option<Vec<CountLineId>>,
    /// Whether somebody has to do it who has not counted the line before.
    pub by_another: bool,
    /// Why.
    pub comment: Option<String>,
}

/// Why a difference is there.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The reason.
    pub reason: CountReason,
    /// In words; `other` needs them.
    pub comment: Option<String>,
}

impl Explanation {
    fn check(&self, field: &str) -> Result<()> {
        let length = self.comment.as_deref().map(|comment| comment.trim().chars().count());
        if length.is_some_and(|length| !(1..=1000).contains(&length)) {
            return Err(Error::invalid(field, "must have 1 to 1000 characters"));
        }
        if self.reason == CountReason::Other && length.is_none() {
            return Err(Error::invalid(field, "must say why, as the reason does not"));
        }
        Ok(())
    }
}

/// Ends the counting. It is refused while lines are not counted, unless it is said what becomes of them.
pub async fn review(
    tx: &mut EnterpriseTx,
    id: CountId,
    uncounted: Option<Uncounted>,
    comment: Option<&str>,
) -> Result<Count> {
    let comment = checked_comment(comment)?;
    let held = store::hold(tx, id, Permission::ManageCounts).await?;
    held.status.require(CountStatus::Counting)?;
    settle(tx, &held, uncounted).await?;
    store::step(tx, &held, CountStatus::Review, comment).await?;
    let facts = json!({ "uncounted": uncounted, "comment": comment });
    audit::noted(tx, Action::CountReviewed, Object::of("count", id), &facts).await?;
    look::show(tx, id).await
}

async fn settle(tx: &mut EnterpriseTx, count: &Held, uncounted: Option<Uncounted>) -> Result<()> {
    let open = sqlx::query_as!(
        Place,
        "SELECT cell_id, product_id, lot_id FROM count_lines
         WHERE count_id = $1 AND counted IS NULL AND NOT kept ORDER BY id FOR NO KEY UPDATE",
        count.id as _
    )
    .fetch_all(tx.conn())
    .await?;
    match uncounted {
        _ if open.is_empty() => Ok(()),
        None => Err(Error::refused(
            Refusal::CountUncounted,
            format!("{} lines are not counted: count them, or say what becomes of them", open.len()),
        )),
        Some(Uncounted::Keep) => {
            sqlx::query!(
                "UPDATE count_lines SET kept = true WHERE count_id = $1 AND counted IS NULL AND NOT kept",
                count.id as _
            )
            .execute(tx.conn())
            .await?;
            Ok(())
        }
        Some(Uncounted::Zero) => {
            let found = |place| Found { place, quantity: 0, counted_at: None };
            tally::decide(tx, count, &open.into_iter().map(found).collect::<Vec<_>>()).await
        }
    }
}

/// Opens a round of its own for some lines.
pub async fn recount(tx: &mut EnterpriseTx, id: CountId, asked: &Recount) -> Result<Count> {
    let comment = checked_comment(asked.comment.as_deref())?;
    let held = store::hold(tx, id, Permission::ManageCounts).await?;
    held.status.require(CountStatus::Review)?;
    let lines = asked.lines.as_deref();
    if lines.is_some_and(|lines| lines.is_empty() || lines.len() > MAX_LINES) {
        return Err(Error::invalid("countLineIds", format!("must be 1 to {MAX_LINES}")));
    }
    let opened = open_round(tx, &held, lines, asked.by_another, false).await?;
    match lines {
        Some(lines) if opened != lines.len() => {
            return Err(Error::invalid("countLineIds", "must name lines of this count that are not posted, each once"));
        }
        None if opened == 0 => {
            return Err(Error::refused(Refusal::CountNothingToRecount, "everything was counted as it was known"));
        }
        Some(_) | None => {}
    }
    store::step(tx, &held, CountStatus::Counting, comment).await?;
    let facts = json!({ "lines": opened, "byAnother": asked.by_another, "comment": comment });
    audit::noted(tx, Action::CountRecounted, Object::of("count", id), &facts).await?;
    look::show(tx, id).await
}

/// Has lines counted again: these, or those that differ; those that were left as they are known, too, if that is wanted. Answers
/// with how many. Where there are none, there is no new round.
pub(super) async fn open_round(
    tx: &mut EnterpriseTx,
    count: &Held,
    lines: Option<&[CountLineId]>,
    by_another: bool,
    with_kept: bool,
) -> Result<usize> {
    let ids = lines.map(|lines| lines.iter().map(|line| line.0).collect::<Vec<_>>());
    let opened = sqlx::query!(
        "UPDATE count_lines
         SET round = $2, by_another = $4, counted = NULL, counted_at = NULL, counted_by = NULL, disputed = false, kept = false,
             reason = NULL, comment = NULL, problem = NULL
         WHERE count_id = $1 AND entry_id IS NULL
           AND CASE WHEN $3::uuid[] IS NULL THEN difference <> 0 OR disputed OR (kept AND $5) ELSE id = ANY($3) END",
        count.id as _,
        count.round + 1,
        ids.as_deref(),
        by_another,
        with_kept,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if opened > 0 {
        sqlx::query!("UPDATE counts SET round = round + 1 WHERE id = $1", count.id as _).execute(tx.conn()).await?;
    }
    usize::try_from(opened).map_err(|error| Error::Inconsistent(error.to_string()))
}

/// Says why differences are there: line by line, and of all others that nothing was said of.
pub async fn explain(
    tx: &mut EnterpriseTx,
    id: CountId,
    lines: &[(CountLineId, Explanation)],
    others: Option<&Explanation>,
) -> Result<Count> {
    store::enter(tx, id, Permission::ManageCounts).await?;
    let held = store::lock(tx, id).await?;
    held.status.require(CountStatus::Review)?;
    if lines.len() > MAX_LINES || (lines.is_empty() && others.is_none()) {
        return Err(Error::invalid(
            "lines",
            format!("must be 1 to {MAX_LINES}, unless something is said of the others"),
        ));
    }
    for (row, (_, explanation)) in lines.iter().enumerate() {
        explanation.check(&format!("lines.{row}.comment"))?;
    }
    let told = sqlx::query!(
        "UPDATE count_lines AS l SET reason = e.reason, comment = e.comment
         FROM unnest($2::uuid[], $3::text[], $4::text[]) AS e (id, reason, comment)
         WHERE l.id = e.id AND l.count_id = $1 AND l.difference <> 0 AND l.entry_id IS NULL",
        id as _,
        &lines.iter().map(|(line, _)| line.0).collect::<Vec<_>>(),
        &lines.iter().map(|(_, why)| why.reason.name().to_owned()).collect::<Vec<_>>(),
        &lines.iter().map(|(_, why)| why.comment.as_deref().map(|words| words.trim().to_owned())).collect::<Vec<_>>()
            as &[Option<String>],
    )
    .execute(tx.conn())
    .await?;
    if usize::try_from(told.rows_affected()) != Ok(lines.len()) {
        return Err(Error::invalid("lines", "must name lines of this count with a difference, each once"));
    }
    if let Some(why) = others {
        why.check("others.comment")?;
        sqlx::query!(
            "UPDATE count_lines SET reason = $2, comment = $3
             WHERE count_id = $1 AND difference <> 0 AND reason IS NULL AND entry_id IS NULL",
            id as _,
            why.reason as CountReason,
            why.comment.as_deref().map(str::trim),
        )
        .execute(tx.conn())
        .await?;
    }
    let facts = json!({ "lines": lines.len(), "others": others.map(|why| why.reason) });
    audit::noted(tx, Action::CountExplained, Object::of("count", id), &facts).await?;
    look::show(tx, id).await
}
