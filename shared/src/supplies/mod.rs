//! Supplies: what is handed over to Wildberries.
//!
//! ```text
//!  draft ──publish──▶ open ──deliver──▶ delivering ──Wildberries scans it──▶ accepted
//! ```
//!
//! A verb writes the wish and promises a job; the job reads Wildberries, does what is still missing, reads back, and
//! records what it saw. Run twice, killed in between, or raced: it does the rest and nothing again.

mod jobs;
mod look;
mod record;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{AccountId, HistoryId, JobId, OrderId, RequestId, SupplyId, WbShippingPointId};
use crate::orders::OrderStatus;
use crate::{Error, Refusal, Result};

pub use jobs::{DeliverSupply, PublishSupply, SetShipping};
pub use look::{HistoryLine, Supply, SupplyFilter, get, history, list, open_of_account};
pub(crate) use look::{enter, show};
pub use record::{
    Task, note_problem, open_task, record_accepted, record_delivered, record_orders, record_published, record_shipping,
    ship, ship_from,
};

/// Where a supply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum SupplyStatus {
    /// Known only here.
    Draft,
    /// Created at Wildberries.
    Open,
    /// Handed to delivery.
    Delivering,
    /// Wildberries scanned it.
    Accepted,
}

impl SupplyStatus {
    /// The word of the API and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Delivering => "delivering",
            Self::Accepted => "accepted",
        }
    }
}

/// How a supply gets to Wildberries, in Wildberries' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", oai(rename_all = "camelCase"))]
#[sqlx(type_name = "text", rename_all = "camelCase")]
pub enum ShippingType {
    /// The seller brings it.
    SelfShipping,
    /// A transport company brings it.
    TransportCompany,
}

impl ShippingType {
    /// The word of the API, the database and Wildberries.
    pub fn name(self) -> &'static str {
        match self {
            Self::SelfShipping => "selfShipping",
            Self::TransportCompany => "transportCompany",
        }
    }
}

/// A supply to be made: of these orders, or of the orders of a picking request.
#[derive(Clone, Debug)]
pub struct NewSupply {
    /// Unique in the account; absent: made up from the date.
    pub name: Option<String>,
    /// These orders,
    pub orders: Vec<OrderId>,
    /// and those of this request.
    pub request_id: Option<RequestId>,
}

/// A supply and the job that will bring it to Wildberries.
#[derive(Clone, Debug)]
pub struct Promised {
    /// As it stands.
    pub supply: Supply,
    /// What was promised.
    pub job_id: JobId,
}

/// The most orders of one supply here: beyond it, make another one.
pub const MAX_ORDERS: usize = 1000;

struct Candidate {
    id: OrderId,
    wb_order_id: crate::ids::WbOrderId,
    account_id: AccountId,
    status: OrderStatus,
    supply_id: Option<SupplyId>,
    attributes: (crate::ids::WbWarehouseId, i32, i32, bool),
}

/// Makes a draft of orders that may travel together, and promises to create it at Wildberries.
pub async fn create(tx: &mut EnterpriseTx, new: &NewSupply) -> Result<Promised> {
    tx.require(Permission::ManageSupplies)?;
    let candidates = lock_candidates(tx, new).await?;
    let Some(first) = candidates.first() else {
        return Err(Error::invalid("orderIds", "names no order that could be shipped"));
    };
    for order in &candidates {
        check_candidate(order, first)?;
    }
    let (id, enterprise_id, now) = (SupplyId::new(), tx.enterprise_id(), tx.now().await?);
    // The name is how the supply is found again at Wildberries after a lost answer, so it must be ours alone.
    let name = match &new.name {
        Some(name) if name.trim().is_empty() || name.trim().chars().count() > 128 => {
            return Err(Error::invalid("name", "must have 1 to 128 characters"));
        }
        Some(name) => name.trim().to_owned(),
        None => format!("WBA {} {}", now.format("%Y-%m-%d %H:%M"), &id.0.simple().to_string()[24..]),
    };
    let (wb_warehouse_id, cargo_type, cross_border_type, is_b2b) = first.attributes;
    sqlx::query!(
        "INSERT INTO supplies (enterprise_id, id, account_id, name, wb_warehouse_id, cargo_type, cross_border_type, is_b2b, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        enterprise_id as _,
        id as _,
        first.account_id as _,
        name,
        wb_warehouse_id as _,
        cargo_type,
        cross_border_type,
        is_b2b,
        now,
    )
    .execute(tx.conn())
    .await
    .refused_on("supplies_name_key", Refusal::SupplyNameTaken, || format!("there is already a supply «{name}»"))?;
    sqlx::query!(
        "UPDATE orders SET supply_id = $2, changed_at = $3 WHERE id = ANY($1)",
        &candidates.iter().map(|order| order.id.0).collect::<Vec<_>>(),
        id as _,
        now,
    )
    .execute(tx.conn())
    .await?;
    write_history(tx, id, None, SupplyStatus::Draft, None).await?;
    let job_id = tx.enqueue(&PublishSupply { supply_id: id }).await?.job_id;
    let supply = show(tx, id).await?;
    audit::created(tx, Action::SupplyCreated, Object::of("supply", id), &supply).await?;
    Ok(Promised { supply, job_id })
}

/// Tries again to bring a draft or its missing orders to Wildberries.
pub async fn publish(tx: &mut EnterpriseTx, id: SupplyId) -> Result<Promised> {
    enter(tx, id, Permission::ManageSupplies).await?;
    let supply = look::lock(tx, id).await?;
    if matches!(supply.status, SupplyStatus::Delivering | SupplyStatus::Accepted) {
        return Err(Error::refused(Refusal::SupplyTransition, format!("the supply is {}", supply.status.name())));
    }
    record::clear_problem(tx, id).await?;
    let job_id = tx.enqueue(&PublishSupply { supply_id: id }).await?.job_id;
    audit::noted(tx, Action::SupplyPublished, Object::of("supply", id), &json!({ "jobId": job_id })).await?;
    Ok(Promised { supply: show(tx, id).await?, job_id })
}

/// Sets when, where and how the supply is handed over; Wildberries asks for all three before delivery.
pub async fn set_shipping(
    tx: &mut EnterpriseTx,
    id: SupplyId,
    date: NaiveDate,
    point: WbShippingPointId,
    shipping_type: ShippingType,
) -> Result<Promised> {
    enter(tx, id, Permission::ManageSupplies).await?;
    let supply = look::lock(tx, id).await?;
    let today = tx.now().await?.date_naive();
    if date < today - chrono::Duration::days(1) {
        return Err(Error::invalid("date", "lies in the past"));
    }
    match supply.status {
        SupplyStatus::Open | SupplyStatus::Delivering => {}
        SupplyStatus::Draft => {
            return Err(Error::refused(Refusal::SupplyNotReady, "the supply is not yet created at Wildberries"));
        }
        SupplyStatus::Accepted => {
            return Err(Error::refused(Refusal::SupplyTransition, "Wildberries has already scanned the supply"));
        }
    }
    sqlx::query!(
        "UPDATE supplies SET shipping_date = $2, shipping_point_id = $3, shipping_type = $4, shipping_set_at = NULL,
                             problem_code = NULL, problem_detail = NULL
         WHERE id = $1",
        id as _,
        date,
        point as _,
        shipping_type as ShippingType,
    )
    .execute(tx.conn())
    .await?;
    let job_id = tx.enqueue(&SetShipping { supply_id: id }).await?.job_id;
    let set = show(tx, id).await?;
    audit::changed(tx, Action::SupplyShippingSet, Object::of("supply", id), &supply, &set).await?;
    Ok(Promised { supply: set, job_id })
}

/// Hands the supply to delivery. Everything that is known to make Wildberries refuse is said before it is asked.
pub async fn deliver(tx: &mut EnterpriseTx, id: SupplyId) -> Result<Promised> {
    enter(tx, id, Permission::ManageSupplies).await?;
    let supply = look::lock(tx, id).await?;
    if supply.status == SupplyStatus::Delivering || supply.status == SupplyStatus::Accepted {
        return Err(Error::refused(Refusal::SupplyTransition, format!("the supply is {}", supply.status.name())));
    }
    let hindrances = look::hindrances(tx, &supply).await?;
    if !hindrances.is_empty() {
        return Err(Error::Refused {
            refusal: Refusal::SupplyNotReady,
            detail: hindrances.join("; "),
            allowed: Vec::new(),
        });
    }
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE supplies SET deliver_asked_at = coalesce(deliver_asked_at, $2), problem_code = NULL, problem_detail = NULL WHERE id = $1",
        id as _,
        now
    )
    .execute(tx.conn())
    .await?;
    let job_id = tx.enqueue(&DeliverSupply { supply_id: id }).await?.job_id;
    audit::noted(tx, Action::SupplyDelivered, Object::of("supply", id), &json!({ "jobId": job_id })).await?;
    Ok(Promised { supply: show(tx, id).await?, job_id })
}

async fn lock_candidates(tx: &mut EnterpriseTx, new: &NewSupply) -> Result<Vec<Candidate>> {
    let named: Vec<_> = new.orders.iter().map(|order| order.0).collect();
    if named.len() > MAX_ORDERS {
        return Err(Error::invalid("orderIds", format!("must be at most {MAX_ORDERS}")));
    }
    if let Some(request_id) = new.request_id {
        crate::requests::enter(tx, request_id, Permission::ManageSupplies).await?;
    }
    let rows = sqlx::query!(
        r#"SELECT id, wb_order_id, account_id, status, supply_id, warehouse_id, wb_warehouse_id, cargo_type, cross_border_type, is_b2b
           FROM orders
           WHERE id = ANY($1)
              OR id IN (SELECT order_id FROM pick_lines WHERE request_id = $2 AND status IN ('pending', 'picked'))
                 AND status NOT IN ('cancelled', 'impossible')
           ORDER BY id
           FOR NO KEY UPDATE"#,
        &named,
        new.request_id as _,
    )
    .fetch_all(tx.conn())
    .await?;
    let reach = tx.require(Permission::ManageSupplies)?;
    let all_there = named.iter().all(|id| rows.iter().any(|row| row.id.0 == *id));
    if !all_there || rows.iter().any(|row| !reach.holds_in(row.warehouse_id)) {
        return Err(Error::NotFound("order"));
    }
    Ok(rows
        .into_iter()
        .map(|row| Candidate {
            id: row.id,
            wb_order_id: row.wb_order_id,
            account_id: row.account_id,
            status: row.status,
            supply_id: row.supply_id,
            attributes: (row.wb_warehouse_id, row.cargo_type, row.cross_border_type, row.is_b2b),
        })
        .collect())
}

/// From reserved to packed an order may enter a supply, with others of the same account and attributes.
fn check_candidate(order: &Candidate, first: &Candidate) -> Result<()> {
    let number = order.wb_order_id;
    match order.status {
        OrderStatus::Reserved | OrderStatus::Picking | OrderStatus::Picked | OrderStatus::Packed => {}
        OrderStatus::Cancelled => {
            return Err(Error::refused(Refusal::OrderCancelled, format!("order {number} is cancelled")));
        }
        OrderStatus::New
        | OrderStatus::OutOfStock
        | OrderStatus::Shipped
        | OrderStatus::Delivered
        | OrderStatus::Impossible
        | OrderStatus::Returned => {
            return Err(Error::refused(Refusal::OrderTransition, format!("order {number} is {}", order.status.name())));
        }
    }
    if order.supply_id.is_some() {
        return Err(Error::refused(Refusal::OrderInAnotherSupply, format!("order {number} is already in a supply")));
    }
    if (order.account_id, order.attributes) != (first.account_id, first.attributes) {
        return Err(Error::refused(
            Refusal::SupplyMixed,
            format!("order {number} cannot travel with order {}", first.wb_order_id),
        ));
    }
    Ok(())
}

async fn write_history(
    tx: &mut EnterpriseTx,
    id: SupplyId,
    from: Option<SupplyStatus>,
    to: SupplyStatus,
    comment: Option<&str>,
) -> Result<()> {
    let (enterprise_id, actor, now) = (tx.enterprise_id(), tx.actor().to_string(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO supply_history (enterprise_id, id, supply_id, from_status, to_status, actor, comment, occurred_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        enterprise_id as _,
        HistoryId::new() as _,
        id as _,
        from as Option<SupplyStatus>,
        to as SupplyStatus,
        actor,
        comment,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
