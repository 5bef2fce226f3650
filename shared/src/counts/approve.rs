//! The last word: somebody who neither planned nor counted nor reviewed it approves a count or rejects it; and calling one off.

use serde_json::json;

use super::store::{self, Held};
use super::{Count, CountStatus, Uncounted, checked_comment, freeze, look, post, review, start};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{CountId, RequestId};
use crate::requests::{self, Request, RequestStatus};
use crate::{Error, Refusal, Result};

/// Corrects the ledger: at once, or page by page where there is much. Fails with [`Error::RowsRefused`] and does nothing when a
/// line cannot be corrected; where it goes page by page, such lines are left, and the count comes back to review.
pub async fn approve(tx: &mut EnterpriseTx, id: CountId, comment: Option<&str>) -> Result<Count> {
    let comment = checked_comment(comment)?;
    let held = store::hold(tx, id, Permission::ApproveCounts).await?;
    held.status.require(CountStatus::Review)?;
    four_eyes(tx, &held).await?;
    check_settled(tx, &held).await?;
    audit::noted(tx, Action::CountApproved, Object::of("count", id), &json!({ "comment": comment })).await?;
    post::begin(tx, &held, comment).await?;
    look::show(tx, id).await
}

/// Has every difference counted once more, and what was left as it is known.
pub async fn reject(tx: &mut EnterpriseTx, id: CountId, by_another: bool, comment: &str) -> Result<Count> {
    let comment = checked_comment(Some(comment))?;
    let held = store::hold(tx, id, Permission::ApproveCounts).await?;
    held.status.require(CountStatus::Review)?;
    let opened = review::open_round(tx, &held, None, by_another, true).await?;
    store::step(tx, &held, CountStatus::Counting, comment).await?;
    let facts = json!({ "lines": opened, "byAnother": by_another, "comment": comment });
    audit::noted(tx, Action::CountRejected, Object::of("count", id), &facts).await?;
    look::show(tx, id).await
}

/// Calls a count off. What was counted stays written down, the ledger stays as it is, and its cells are let go.
pub async fn cancel(tx: &mut EnterpriseTx, id: CountId, comment: Option<&str>) -> Result<Count> {
    let comment = checked_comment(comment)?;
    let held = store::hold(tx, id, Permission::ManageCounts).await?;
    store::step(tx, &held, CountStatus::Cancelled, comment).await?;
    freeze::thaw_all(tx, id).await?;
    let (before, after) =
        (json!({ "status": held.status }), json!({ "status": CountStatus::Cancelled, "comment": comment }));
    audit::changed(tx, Action::CountCancelled, Object::of("count", id), &before, &after).await?;
    look::show(tx, id).await
}

/// Moves a request along; one that asks for a count acts on it, and completing it posts what was counted.
pub async fn move_request(
    tx: &mut EnterpriseTx,
    id: RequestId,
    to: RequestStatus,
    comment: Option<&str>,
) -> Result<Request> {
    let Some(count) = requests::count_of(tx, id).await? else {
        return requests::move_to(tx, id, to, comment).await;
    };
    let permission = if to == RequestStatus::Cancelled { Permission::ManageRequests } else { Permission::WorkRequests };
    requests::enter(tx, id, permission).await?;
    // The count first, as everybody holds them.
    let held = store::lock(tx, count).await?;
    requests::expect_request(tx, id).await?;
    let status = requests::show(tx, id).await?.status;
    status.check(to)?;
    match to {
        RequestStatus::Created | RequestStatus::Assigned => return requests::move_to(tx, id, to, comment).await,
        RequestStatus::InProgress if held.status == CountStatus::Planned => {
            start::start(tx, count, comment).await?;
        }
        RequestStatus::InProgress => {}
        RequestStatus::InReview => {
            review::review(tx, count, None::<Uncounted>, comment).await?;
        }
        RequestStatus::Rejected => {
            let why = comment.ok_or_else(|| Error::invalid("comment", "must say why"))?;
            reject(tx, count, false, why).await?;
        }
        RequestStatus::Completed => {
            approve(tx, count, comment).await?;
        }
        RequestStatus::Cancelled => {
            cancel(tx, count, comment).await?;
        }
    }
    requests::show(tx, id).await
}

/// Whoever planned, counted or reviewed does not approve; a key stands for the person who made it, on both sides.
async fn four_eyes(tx: &mut EnterpriseTx, count: &Held) -> Result<()> {
    let Some(person) = store::person(tx).await? else {
        return Err(Error::refused(Refusal::FourEyes, "nobody stands behind this approval"));
    };
    let took_part = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM count_tallies WHERE count_id = $1 AND person_id = $2)
               OR EXISTS (SELECT FROM count_history WHERE count_id = $1 AND person_id = $2 AND to_status IN ('planned', 'review'))
                  AS "took_part!""#,
        count.id as _,
        person as _,
    )
    .fetch_one(tx.conn())
    .await?;
    if took_part {
        return Err(Error::refused(
            Refusal::FourEyes,
            "whoever planned, counted or reviewed a count does not approve it",
        ));
    }
    Ok(())
}

async fn check_settled(tx: &mut EnterpriseTx, count: &Held) -> Result<()> {
    let open = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE disputed) AS "disputed!",
                  count(*) FILTER (WHERE difference <> 0 AND reason IS NULL) AS "unexplained!"
           FROM count_lines WHERE count_id = $1"#,
        count.id as _
    )
    .fetch_one(tx.conn())
    .await?;
    if open.disputed > 0 {
        let words = format!("two people counted {} lines differently: have them recounted", open.disputed);
        return Err(Error::refused(Refusal::CountDisputed, words));
    }
    if open.unexplained > 0 {
        return Err(Error::refused(
            Refusal::CountUnexplained,
            format!("{} differences have no reason", open.unexplained),
        ));
    }
    Ok(())
}
