//! Reviewing counts over HTTP: what is recounted, why the differences are there, and the word of a second person.

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::counts::{self, CountReason, Explanation, Recount, Uncounted};
use shared::db::Db;
use shared::ids::{CountId, CountLineId};

use super::{Count, CountStep};
use crate::Tag;
use crate::answers::{Current, Ending};
use crate::auth::Caller;
use crate::problem::ApiError;

/// The counting is over.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReviewCount {
    /// What becomes of lines that nobody counted; without it they refuse the review.
    pub uncounted: Option<Uncounted>,
    /// In words.
    #[oai(validator(min_length = 1, max_length = 1000))]
    pub comment: Option<String>,
}

/// What is to be counted once more.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecountLines {
    /// These lines; absent: every line with a difference, and every disputed one.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub count_line_ids: Option<Vec<CountLineId>>,
    /// Whether somebody has to do it who has not counted the line before.
    #[oai(default)]
    pub by_another: bool,
    /// Why.
    #[oai(validator(min_length = 1, max_length = 1000))]
    pub comment: Option<String>,
}

/// Why a line differs.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExplainedLine {
    /// Which one.
    pub count_line_id: CountLineId,
    /// The reason; `other` needs a comment.
    pub reason: CountReason,
    /// In words.
    #[oai(validator(min_length = 1, max_length = 1000))]
    pub comment: Option<String>,
}

/// Why all others differ of which nothing was said.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExplainedOthers {
    /// The reason; `other` needs a comment.
    pub reason: CountReason,
    /// In words.
    #[oai(validator(min_length = 1, max_length = 1000))]
    pub comment: Option<String>,
}

/// Why lines differ.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExplainCount {
    /// Line by line, at most 1000.
    #[oai(default, validator(max_items = 1000))]
    pub lines: Vec<ExplainedLine>,
    /// And every other line with a difference that has no reason yet.
    pub others: Option<ExplainedOthers>,
}

/// Why a count is not approved.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct RejectCount {
    /// In words.
    #[oai(validator(min_length = 1, max_length = 1000))]
    pub comment: String,
    /// Whether somebody has to recount who has not counted the line before.
    #[oai(default)]
    pub by_another: bool,
}

/// Reviewing counts.
pub struct Api;

#[OpenApi(tag = "Tag::Counts")]
impl Api {
    /// End the counting; refused while lines are not counted, unless it is said what becomes of them
    #[oai(path = "/counts/:id/review", method = "post", operation_id = "review_count")]
    async fn review(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        body: Json<ReviewCount>,
    ) -> Result<Current<Count>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let count = counts::review(&mut tx, id.0, body.uncounted, body.comment.as_deref()).await?;
        tx.answer(Current::of(count)).await
    }

    /// Have lines counted once more, in a round of its own
    #[oai(path = "/counts/:id/recount", method = "post", operation_id = "recount_lines")]
    async fn recount(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        body: Json<RecountLines>,
    ) -> Result<Current<Count>, ApiError> {
        let RecountLines { count_line_ids: lines, by_another, comment } = body.0;
        let mut tx = db.begin(&actor).await?;
        let count = counts::recount(&mut tx, id.0, &Recount { lines, by_another, comment }).await?;
        tx.answer(Current::of(count)).await
    }

    /// Say why lines differ; without a reason nothing is posted
    #[oai(path = "/counts/:id/explanations", method = "post", operation_id = "explain_count")]
    async fn explain(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        body: Json<ExplainCount>,
    ) -> Result<Current<Count>, ApiError> {
        let ExplainCount { lines, others } = body.0;
        let line =
            |line: ExplainedLine| (line.count_line_id, Explanation { reason: line.reason, comment: line.comment });
        let lines: Vec<_> = lines.into_iter().map(line).collect();
        let others = others.map(|others| Explanation { reason: others.reason, comment: others.comment });
        let mut tx = db.begin(&actor).await?;
        let count = counts::explain(&mut tx, id.0, &lines, others.as_ref()).await?;
        tx.answer(Current::of(count)).await
    }

    /// Approve what others planned, counted and reviewed, and correct the ledger by it: at once, or page by page where there is much
    #[oai(path = "/counts/:id/approve", method = "post", operation_id = "approve_count")]
    async fn approve(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        body: Json<CountStep>,
    ) -> Result<Current<Count>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let count = counts::approve(&mut tx, id.0, body.comment.as_deref()).await?;
        tx.answer(Current::of(count)).await
    }

    /// Have every difference counted once more instead
    #[oai(path = "/counts/:id/reject", method = "post", operation_id = "reject_count")]
    async fn reject(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<CountId>,
        body: Json<RejectCount>,
    ) -> Result<Current<Count>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let count = counts::reject(&mut tx, id.0, body.by_another, &body.comment).await?;
        tx.answer(Current::of(count)).await
    }
}
