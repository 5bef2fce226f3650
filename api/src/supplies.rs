//! Supplies over HTTP. What must happen at Wildberries is promised and answered with 202; the supply shows how far it is.

use chrono::{DateTime, NaiveDate, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{AccountId, JobId, OrderId, RequestId, SupplyId, WbShippingPointId, WbSupplyId, WbWarehouseId};
use shared::page::PageQuery;
use shared::supplies::{self, NewSupply, ShippingType, SupplyFilter, SupplyStatus};
use shared::versions::Version;
use shared::{Error, Refusal, accounts};

use crate::answers::{Accepted, Current, Ending, List, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::versions::versioned;
use crate::{State, Tag, wildberries};

shown! {
    /// What is handed over to Wildberries.
    Supply from supplies::Supply {
        /// Which one.
        id: SupplyId,
        /// Of which seller account.
        account_id: AccountId,
        /// Its name here and at Wildberries.
        name: String,
        /// Where it is.
        status: SupplyStatus,
        /// Its number at Wildberries, once it is created there.
        wb_supply_id: Option<WbSupplyId>,
        /// Of which seller's warehouse its orders are.
        wb_warehouse_id: WbWarehouseId,
        /// 1 small, 2 large, 3 oversized.
        cargo_type: i32,
        /// When it is handed over.
        shipping_date: Option<NaiveDate>,
        /// Where.
        shipping_point_id: Option<WbShippingPointId>,
        /// How.
        shipping_type: Option<ShippingType>,
        /// When Wildberries showed these three.
        shipping_set_at: Option<DateTime<Utc>>,
        /// Orders in it.
        orders: i64,
        /// Of these, seen in it at Wildberries.
        orders_at_wildberries: i64,
        /// When it was handed to delivery.
        delivered_at: Option<DateTime<Utc>>,
        /// When Wildberries scanned it.
        accepted_at: Option<DateTime<Utc>>,
        /// Why the last job did not do it: a code.
        problem_code: Option<String>,
        /// The same in words.
        problem_detail: Option<String>,
        /// Since when.
        created_at: DateTime<Utc>,
        /// How often it was changed: `If-Match` compares it.
        version: Version,
    }
}

versioned!(Supply);

shown! {
    /// One line of a supply's history.
    SupplyHistoryLine from supplies::HistoryLine {
        /// From where; absent when it was created.
        from_status: Option<SupplyStatus>,
        /// To where.
        to_status: SupplyStatus,
        /// Who: `user:<id>`, `key:<id>` or `job:<kind>`.
        actor: String,
        /// Why.
        comment: Option<String>,
        /// When.
        occurred_at: DateTime<Utc>,
    }
}

/// A supply, and the job that will bring it to Wildberries.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct PromisedSupply {
    /// As it stands.
    pub supply: Supply,
    /// What was promised.
    pub job_id: JobId,
}

impl From<supplies::Promised> for PromisedSupply {
    fn from(promised: supplies::Promised) -> Self {
        Self { supply: promised.supply.into(), job_id: promised.job_id }
    }
}

/// A point where a supply can be handed over.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct ShippingPoint {
    /// Its number.
    pub id: WbShippingPointId,
    /// Its name.
    pub name: Option<String>,
    /// Its city.
    pub city: Option<String>,
    /// Its address.
    pub address: Option<String>,
    /// What kind of office it is, in Wildberries' words.
    pub office_type: Option<String>,
    /// Whether it takes supplies on that day.
    pub available: bool,
}

/// A supply to make: of these orders, or of the orders of a picking request.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateSupply {
    /// Unique in the account; made up from the date if absent.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub name: Option<String>,
    /// At most 1000.
    #[oai(validator(max_items = 1000))]
    pub order_ids: Option<Vec<OrderId>>,
    /// A picking request.
    pub request_id: Option<RequestId>,
}

/// When, where and how a supply is handed over.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetShipping {
    /// The day.
    pub date: NaiveDate,
    /// One of the supply's shipping points.
    pub point_id: WbShippingPointId,
    /// How.
    pub r#type: ShippingType,
}

/// Supplies.
pub struct Api;

#[OpenApi(tag = "Tag::Supplies")]
impl Api {
    /// List supplies, newest first
    #[oai(path = "/supplies", method = "get", operation_id = "list_supplies")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// In this status.
        status: Query<Option<SupplyStatus>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Supply>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = supplies::list(&mut tx, &SupplyFilter { status: status.0 }, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Make a supply and have it created at Wildberries
    #[oai(path = "/supplies", method = "post", operation_id = "create_supply")]
    async fn create(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<CreateSupply>,
    ) -> Result<Accepted<PromisedSupply>, ApiError> {
        let CreateSupply { name, order_ids, request_id } = body.0;
        let new = NewSupply { name, orders: order_ids.unwrap_or_default(), request_id };
        let mut tx = db.begin(&actor).await?;
        let promised = supplies::create(&mut tx, &new).await?;
        tx.answer(Accepted::of(promised)).await
    }

    /// Get a supply
    #[oai(path = "/supplies/:id", method = "get", operation_id = "get_supply")]
    async fn get(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<SupplyId>) -> Result<Current<Supply>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let supply = supplies::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Current::of(supply))
    }

    /// See what happened to a supply
    #[oai(path = "/supplies/:id/history", method = "get", operation_id = "get_supply_history")]
    async fn history(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<SupplyId>,
    ) -> Result<Json<List<SupplyHistoryLine>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let history = supplies::history(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(List::of(history)))
    }

    /// Try again to bring a supply and its missing orders to Wildberries
    #[oai(path = "/supplies/:id/publish", method = "post", operation_id = "publish_supply")]
    async fn publish(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<SupplyId>,
    ) -> Result<Accepted<PromisedSupply>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let promised = supplies::publish(&mut tx, id.0).await?;
        tx.answer(Accepted::of(promised)).await
    }

    /// Ask Wildberries where a supply can be handed over
    #[oai(path = "/supplies/:id/shipping-points", method = "get", operation_id = "list_shipping_points")]
    async fn shipping_points(
        &self,
        Caller(actor): Caller,
        state: Data<&State>,
        id: Path<SupplyId>,
        /// The day.
        date: Query<NaiveDate>,
        /// In which city, in Russian as Wildberries names it.
        #[oai(validator(min_length = 1, max_length = 100))]
        city: Query<String>,
    ) -> Result<Json<List<ShippingPoint>>, ApiError> {
        let mut tx = state.db.begin(&actor).await?;
        let supply = supplies::get(&mut tx, id.0).await?;
        let token = accounts::seller_token(&mut tx, &state.config.keyring, supply.account_id).await?;
        let token_of = tx.now().await?;
        tx.commit().await?;
        let number = supply
            .wb_supply_id
            .ok_or_else(|| Error::refused(Refusal::SupplyNotReady, "the supply is not yet created at Wildberries"))?;
        let seller = state.wildberries.seller(token);
        let points = match seller.shipping_points(&number, &city.0, &[], date.0).await {
            Ok(points) => points,
            Err(error) => {
                return Err(wildberries::judged(&state, &actor, supply.account_id, token_of, error).await?.into());
            }
        };
        let items = points.items.into_iter().map(|point| ShippingPoint {
            id: point.id,
            name: point.name,
            city: point.city,
            address: point.address,
            office_type: point.office_type.map(|kind| kind.as_str().to_owned()),
            available: point.available.unwrap_or(true),
        });
        Ok(Json(List { items: items.collect() }))
    }

    /// Set when, where and how a supply is handed over
    #[oai(path = "/supplies/:id/shipping", method = "put", operation_id = "set_shipping")]
    async fn set_shipping(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<SupplyId>,
        body: Json<SetShipping>,
    ) -> Result<Accepted<PromisedSupply>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let promised = supplies::set_shipping(&mut tx, id.0, body.date, body.point_id, body.r#type).await?;
        tx.answer(Accepted::of(promised)).await
    }

    /// Hand a supply to delivery; what would make Wildberries refuse is said before it is asked
    #[oai(path = "/supplies/:id/deliver", method = "post", operation_id = "deliver_supply")]
    async fn deliver(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<SupplyId>,
    ) -> Result<Accepted<PromisedSupply>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let promised = supplies::deliver(&mut tx, id.0).await?;
        tx.answer(Accepted::of(promised)).await
    }
}
