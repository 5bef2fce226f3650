//! Requests: units of human work. A picking request carries its lines in walking order; the pick step decides later in
//! which order stickers leave the printer.
//!
//! ```text
//!  created ─▶ assigned ─▶ in_progress ─▶ in_review ─▶ completed
//!     └────────────────────▲   ▲             └─▶ rejected ─▶ in_progress
//!  any but completed ─▶ cancelled
//! ```

mod counts;
mod look;
mod pick;
mod put_back;
mod scan;
mod store;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{OrderId, RequestId, UserId};
use crate::orders::{self, OrderStatus};
use crate::{Error, Refusal, Result};

pub(crate) use counts::{count_of, expect as expect_request, follow_count, open_count};
pub use look::{HistoryLine, PickLine, Request, RequestFilter, get, history, lines, list};
pub(crate) use look::{enter, show};
pub use pick::{NewPicking, call_back, close_lines, create_picking, undo_picks};
pub use put_back::{MoveLine, moves};
pub use scan::{Next, Scan, ScanKind, Scanned, scan};

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum RequestType {
    /// Unload and count.
    GoodsReceipt,
    /// From cell to cell; also putting back what was picked for a cancelled order.
    StockMove,
    /// Count.
    StockCount,
    /// Write off.
    WriteOff,
    /// Pick orders.
    OrderPicking,
    /// Prepare a supply.
    Supply,
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum RequestStatus {
    /// Nobody has it yet.
    Created,
    /// Somebody has it.
    Assigned,
    /// Somebody works on it.
    InProgress,
    /// It waits for a second look.
    InReview,
    /// The second look said no.
    Rejected,
    /// Done.
    Completed,
    /// Called off.
    Cancelled,
}

impl RequestStatus {
    /// Where it may go from here.
    pub fn next(self) -> &'static [Self] {
        use RequestStatus::{Assigned, Cancelled, Completed, Created, InProgress, InReview, Rejected};
        match self {
            Created => &[Assigned, InProgress, Cancelled],
            Assigned | Rejected => &[InProgress, Cancelled],
            InProgress => &[InReview, Cancelled],
            InReview => &[Completed, Rejected, Cancelled],
            Completed | Cancelled => &[],
        }
    }

    /// The word of the API and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Assigned => "assigned",
            Self::InProgress => "in_progress",
            Self::InReview => "in_review",
            Self::Rejected => "rejected",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Refuses a step that the machine above does not have.
    pub fn check(self, to: Self) -> Result<()> {
        if self.next().contains(&to) {
            return Ok(());
        }
        Err(Error::Refused {
            refusal: Refusal::RequestTransition,
            detail: format!("the request is {}, it cannot become {}", self.name(), to.name()),
            allowed: self.next().iter().map(|status| status.name().to_owned()).collect(),
        })
    }
}

/// How urgent a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Priority {
    /// Now.
    Critical,
    /// Before the rest.
    High,
    /// In turn.
    Medium,
    /// When there is time.
    Low,
}

/// Where a line of a picking request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PickLineStatus {
    /// To be taken.
    Pending,
    /// Scanned out of its cell.
    Picked,
    /// Not found.
    Missing,
    /// Its order was cancelled or left without it.
    Cancelled,
}

/// Gives the request to somebody of the enterprise.
pub async fn assign(tx: &mut EnterpriseTx, id: RequestId, assignee: UserId) -> Result<Request> {
    enter(tx, id, Permission::ManageRequests).await?;
    let store::Locked { status, version, .. } = store::lock(tx, id).await?;
    tx.expect(version)?;
    status.check(RequestStatus::Assigned)?;
    store::assign(tx, id, assignee).await?;
    store::step(tx, id, status, RequestStatus::Assigned, None).await?;
    let (before, after) =
        (json!({ "status": status }), json!({ "status": RequestStatus::Assigned, "assigneeId": assignee }));
    audit::changed(tx, Action::RequestAssigned, Object::of("request", id), &before, &after).await?;
    look::show(tx, id).await
}

/// Moves the request along its machine. A picking request is only put to review when no line is open; cancelling it
/// gives its unpicked orders back to be picked another time.
pub async fn move_to(
    tx: &mut EnterpriseTx,
    id: RequestId,
    to: RequestStatus,
    comment: Option<&str>,
) -> Result<Request> {
    let calls_off = to == RequestStatus::Cancelled;
    enter(tx, id, if calls_off { Permission::ManageRequests } else { Permission::WorkRequests }).await?;
    let store::Locked { status, version, .. } = store::lock(tx, id).await?;
    tx.expect(version)?;
    status.check(to)?;
    match to {
        RequestStatus::Assigned => {
            return Err(Error::invalid("status", "name the assignee with POST /requests/{id}/assign"));
        }
        RequestStatus::InReview => {
            let open = store::open_lines(tx, id).await?;
            if open > 0 {
                return Err(Error::refused(Refusal::RequestHasOpenLines, format!("{open} lines are still to be done")));
            }
        }
        RequestStatus::Cancelled => {
            let orders: Vec<OrderId> = store::cancel_pending_lines(tx, id).await?;
            orders::step(tx, &orders, OrderStatus::Picking, OrderStatus::Reserved, Some("the request was cancelled"))
                .await?;
        }
        RequestStatus::Created | RequestStatus::InProgress | RequestStatus::Rejected | RequestStatus::Completed => {}
    }
    store::step(tx, id, status, to, comment).await?;
    let (before, after) = (json!({ "status": status }), json!({ "status": to, "comment": comment }));
    audit::changed(tx, Action::RequestMoved, Object::of("request", id), &before, &after).await?;
    look::show(tx, id).await
}
