//! What Wildberries is to be told of the stock, over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{AccountId, ChrtId, ProductId, PublicationId, WarehouseId, WbWarehouseId};
use shared::page::PageQuery;
use shared::publishing::{self, NewRule, PublicationFilter, PublicationStatus, PushState, Quota};
use shared::sync;

use crate::Tag;
use crate::answers::{Ending, NoContent, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;

shown! {
    /// How publishing to a warehouse at Wildberries is ruled, and where it stands.
    PublishingRule from publishing::Rule {
        /// Of which seller account.
        account_id: AccountId,
        /// The warehouse there.
        wb_warehouse_id: WbWarehouseId,
        /// The own warehouse that feeds it; without one nothing is published.
        warehouse_id: Option<WarehouseId>,
        /// Units of each product that are kept back.
        safety: i32,
        /// Units of each product that are published at most; absent: as many as there are.
        quota: Option<i32>,
        /// Its place among the warehouses of the account that the same own warehouse feeds: the smaller has its units first,
        /// up to its quota; what is left goes to the next. Of two at one place the one with the smaller number comes first.
        priority: i32,
        /// Whether the workers state what may be published by themselves, every 15 seconds, and tell Wildberries.
        pushes: bool,
        /// Of the last statement; 0 before the first.
        number: i64,
        /// Since when zero is stated for everything.
        frozen_at: Option<DateTime<Utc>>,
        /// Who froze it: `user:<id>` or `key:<id>`.
        frozen_by: Option<String>,
        /// Why.
        frozen_reason: Option<String>,
    }
}

shown! {
    /// How much of a product may be published, and why.
    Publishable from publishing::Publishable {
        /// Which one.
        product_id: ProductId,
        /// Its size at Wildberries.
        chrt_id: Option<ChrtId>,
        /// Units that orders may have in the own warehouse.
        available: i64,
        /// Units that are kept back.
        safety: i32,
        /// Units that are published at most; of a bundle without a quota of its own, none.
        quota: Option<i32>,
        /// Units that the quotas of bundles keep of it, and those that go to the warehouses before this one, which the same
        /// own warehouse feeds.
        before: i64,
        /// Units that may be published now: the smaller of the quota and what is available less the safety and less what goes
        /// to bundles and to the warehouses before. No unit is publishable twice, in two warehouses or as a part of a bundle.
        publishable: i32,
        /// Units that were stated last; zero while publishing is frozen.
        stated: i32,
        /// By which statement; absent if none was about it.
        number: Option<i64>,
    }
}

shown! {
    /// What is to be published of a product.
    StatedQuantity from publishing::Stated {
        /// Which one.
        product_id: ProductId,
        /// Its size at Wildberries.
        chrt_id: Option<ChrtId>,
        /// Units; zero while publishing is frozen.
        quantity: i32,
        /// By which statement. Whoever pushed a later one must not push this.
        number: i64,
    }
}

shown! {
    /// A size as Wildberries was told of it, and what it made of that.
    PushedQuantity from publishing::Pushed {
        /// Which product.
        product_id: ProductId,
        /// Its size at Wildberries.
        chrt_id: ChrtId,
        /// Units that it was told.
        quantity: i32,
        /// Of the statement that they are from; 0 where nobody stated anything and Wildberries had something.
        number: i64,
        /// What became of it.
        state: PushState,
        /// Calls since Wildberries last showed what it had been told.
        attempts: i32,
        /// Why it does not take it: Wildberries' code.
        code: Option<String>,
        /// The same in Wildberries' words.
        detail: Option<String>,
        /// Units that it showed last; absent where it has shown nothing, which is not zero.
        seen: Option<i64>,
        /// When it was told last.
        sent_at: DateTime<Utc>,
        /// When it became known what came of it.
        settled_at: Option<DateTime<Utc>>,
        /// Until when it is not told again.
        due_at: Option<DateTime<Utc>>,
    }
}

shown! {
    /// A rise that was too large to be stated by whoever asked for it.
    Publication from publishing::Publication {
        /// Which one.
        id: PublicationId,
        /// Of which seller account.
        account_id: AccountId,
        /// For which warehouse there.
        wb_warehouse_id: WbWarehouseId,
        /// What became of it.
        status: PublicationStatus,
        /// Products that rise.
        products: i64,
        /// Units that were stated before, of all products.
        units_before: i64,
        /// Units by which it would raise them.
        units_raised: i64,
        /// Who asked: `user:<id>`, `key:<id>` or `job:<kind>`.
        asked_by: String,
        /// When.
        asked_at: DateTime<Utc>,
        /// Who decided.
        decided_by: Option<String>,
        /// When.
        decided_at: Option<DateTime<Utc>>,
    }
}

shown! {
    /// A product of a rise.
    PublicationLine from publishing::Line {
        /// Which one.
        product_id: ProductId,
        /// Units that were stated.
        was: i32,
        /// Units that would be.
        quantity: i32,
    }
}

/// What a statement did.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Statement {
    /// Of the last statement of this warehouse: this one, if it changed anything.
    pub number: i64,
    /// Products of which more or less is to be published than before.
    pub products: i64,
    /// Units that are published no more.
    pub units_lowered: i64,
    /// Units that are published besides.
    pub units_raised: i64,
    /// What waits for a second person, because it would raise too much.
    pub waiting: Option<Publication>,
}

impl From<publishing::Statement> for Statement {
    fn from(statement: publishing::Statement) -> Self {
        let publishing::Statement { number, products, units_lowered, units_raised, waiting } = statement;
        Self { number, products, units_lowered, units_raised, waiting: waiting.map(Into::into) }
    }
}

/// What was frozen or thawed.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Turned {
    /// The warehouses at Wildberries that were not so before.
    pub wb_warehouse_ids: Vec<WbWarehouseId>,
}

impl From<publishing::Turned> for Turned {
    fn from(turned: publishing::Turned) -> Self {
        Self { wb_warehouse_ids: turned.wb_warehouse_ids }
    }
}

/// How much may be published.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct SetPublishingRule {
    /// Units of each product that are kept back, from 0 to 1000000.
    #[oai(validator(minimum(value = "0"), maximum(value = "1000000")))]
    pub safety: i32,
    /// Units of each product that are published at most, from 0 to 1000000; absent: as many as there are.
    #[oai(validator(minimum(value = "0"), maximum(value = "1000000")))]
    pub quota: Option<i32>,
    /// Its place among the warehouses of the account that the same own warehouse feeds, from 0 to 1000000, 0 if absent: the
    /// smaller has its units first, up to its quota; what is left goes to the next.
    #[oai(validator(minimum(value = "0"), maximum(value = "1000000")))]
    pub priority: Option<i32>,
    /// Whether the workers state what may be published by themselves, every 15 seconds, and tell Wildberries; absent: as it
    /// is. Whatever Wildberries has in stock there then becomes what is stated, zero where nothing is; a rise that is too
    /// large waits for a second person as ever.
    pub pushes: Option<bool>,
}

/// A quota of one product.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProductQuota {
    /// A product of the seller account.
    pub product_id: ProductId,
    /// Units at most, from 0 to 1000000; absent: the warehouse's quota holds.
    #[oai(validator(minimum(value = "0"), maximum(value = "1000000")))]
    pub quota: Option<i32>,
}

/// Quotas to set, all of them or none.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct SetPublishingQuotas {
    /// At most 1000, each product once.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub items: Vec<ProductQuota>,
}

/// What to freeze, and why.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreezePublishing {
    /// One warehouse at Wildberries; absent: all that you may manage.
    pub wb_warehouse_id: Option<WbWarehouseId>,
    /// Why, 1 to 500 characters.
    #[oai(validator(min_length = 1, max_length = 500))]
    pub reason: String,
}

/// What to thaw.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ThawPublishing {
    /// One warehouse at Wildberries; absent: all that you may manage.
    pub wb_warehouse_id: Option<WbWarehouseId>,
}

/// Publishing.
pub struct Api;

#[OpenApi(tag = "Tag::Wildberries")]
impl Api {
    /// Get the rule of a Wildberries warehouse and where publishing stands
    #[oai(path = "/wildberries/warehouses/:wb_warehouse_id/rule", method = "get", operation_id = "get_publishing_rule")]
    async fn rule(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        wb_warehouse_id: Path<WbWarehouseId>,
    ) -> Result<Json<PublishingRule>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let rule = publishing::rule(&mut tx, wb_warehouse_id.0).await?;
        tx.commit().await?;
        Ok(Json(rule.into()))
    }

    /// Set what is kept back, how much is published at most and who comes first, from the next statement on
    #[oai(path = "/wildberries/warehouses/:wb_warehouse_id/rule", method = "put", operation_id = "set_publishing_rule")]
    async fn set_rule(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        wb_warehouse_id: Path<WbWarehouseId>,
        body: Json<SetPublishingRule>,
    ) -> Result<Json<PublishingRule>, ApiError> {
        let SetPublishingRule { safety, quota, priority, pushes } = body.0;
        let new = NewRule { safety, quota, priority: priority.unwrap_or(0), pushes };
        let mut tx = db.begin(&actor).await?;
        let rule = sync::set_publishing_rule(&mut tx, wb_warehouse_id.0, new).await?;
        tx.answer(Json(rule.into())).await
    }

    /// Set quotas of single products, from the next statement on
    #[oai(
        path = "/wildberries/warehouses/:wb_warehouse_id/quotas",
        method = "put",
        operation_id = "set_publishing_quotas"
    )]
    async fn set_quotas(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        wb_warehouse_id: Path<WbWarehouseId>,
        body: Json<SetPublishingQuotas>,
    ) -> Result<NoContent, ApiError> {
        let quota = |ProductQuota { product_id, quota }| Quota { product_id, quota };
        let quotas: Vec<_> = body.0.items.into_iter().map(quota).collect();
        let mut tx = db.begin(&actor).await?;
        publishing::set_quotas(&mut tx, wb_warehouse_id.0, &quotas).await?;
        tx.answer(NoContent::Done).await
    }

    /// List how much of each product may be published in a Wildberries warehouse
    #[oai(
        path = "/wildberries/warehouses/:wb_warehouse_id/publishable",
        method = "get",
        operation_id = "list_publishable"
    )]
    async fn publishable(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        wb_warehouse_id: Path<WbWarehouseId>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Publishable>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = publishing::publishable(&mut tx, wb_warehouse_id.0, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// State what may be published now: less at once, much more when a second person approves it
    ///
    /// Warehouses of an account that the same own warehouse feeds share its stock from their first statements on: by their
    /// priority, and then by their number, each has what those before it leave, up to its quota. A statement of one lowers
    /// what the others state beyond that, under numbers of their own. A frozen one keeps its part for the thaw.
    #[oai(
        path = "/wildberries/warehouses/:wb_warehouse_id/statements",
        method = "post",
        operation_id = "state_publishable"
    )]
    async fn state(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        wb_warehouse_id: Path<WbWarehouseId>,
    ) -> Result<Json<Statement>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let statement = sync::state_publishable(&mut tx, wb_warehouse_id.0).await?;
        tx.answer(Json(statement.into())).await
    }

    /// List what is to be published in a Wildberries warehouse, as it was stated
    ///
    /// In the order of the numbers: whoever has read and pushed every page has pushed everything up to the greatest number
    /// seen, also what was stated while the pages were turned.
    #[oai(path = "/wildberries/warehouses/:wb_warehouse_id/stated", method = "get", operation_id = "list_stated")]
    async fn stated(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        wb_warehouse_id: Path<WbWarehouseId>,
        /// Only what was stated after this number; everything if absent.
        #[oai(validator(minimum(value = "0")))]
        since: Query<Option<i64>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<StatedQuantity>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = publishing::stated(&mut tx, wb_warehouse_id.0, since.0.unwrap_or(0), &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// List the sizes that Wildberries was told of, and what became of it
    #[oai(path = "/wildberries/warehouses/:wb_warehouse_id/pushed", method = "get", operation_id = "list_pushed")]
    async fn pushed(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        wb_warehouse_id: Path<WbWarehouseId>,
        /// In this state.
        state: Query<Option<PushState>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<PushedQuantity>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = publishing::pushed(&mut tx, wb_warehouse_id.0, state.0, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Publish zero of everything from now on
    #[oai(path = "/wildberries/freeze", method = "post", operation_id = "freeze_publishing")]
    async fn freeze(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<FreezePublishing>,
    ) -> Result<Json<Turned>, ApiError> {
        let FreezePublishing { wb_warehouse_id, reason } = body.0;
        let mut tx = db.begin(&actor).await?;
        let turned = sync::freeze_publishing(&mut tx, wb_warehouse_id, &reason).await?;
        tx.answer(Json(turned.into())).await
    }

    /// Publish again what was published before the freeze, as far as it is still there
    #[oai(path = "/wildberries/thaw", method = "post", operation_id = "thaw_publishing")]
    async fn thaw(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<ThawPublishing>,
    ) -> Result<Json<Turned>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let turned = sync::thaw_publishing(&mut tx, body.0.wb_warehouse_id).await?;
        tx.answer(Json(turned.into())).await
    }

    /// List rises that were too large for one person, newest first
    #[oai(path = "/publications", method = "get", operation_id = "list_publications")]
    async fn publications(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// In this state.
        status: Query<Option<PublicationStatus>>,
        /// For this warehouse at Wildberries.
        #[oai(name = "wbWarehouseId")]
        wb_warehouse_id: Query<Option<WbWarehouseId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Publication>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = PublicationFilter { status: status.0, wb_warehouse_id: wb_warehouse_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = publishing::list(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// List the products of a rise
    #[oai(path = "/publications/:id/lines", method = "get", operation_id = "list_publication_lines")]
    async fn lines(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<PublicationId>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<PublicationLine>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = publishing::lines(&mut tx, id.0, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Have a rise stated that somebody else asked for, as far as it is still there
    #[oai(path = "/publications/:id/approve", method = "post", operation_id = "approve_publication")]
    async fn approve(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<PublicationId>,
    ) -> Result<Json<Publication>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let publication = sync::approve_publication(&mut tx, id.0).await?;
        tx.answer(Json(publication.into())).await
    }

    /// Have a rise not stated
    #[oai(path = "/publications/:id/reject", method = "post", operation_id = "reject_publication")]
    async fn reject(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<PublicationId>,
    ) -> Result<Json<Publication>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let publication = publishing::reject(&mut tx, id.0).await?;
        tx.answer(Json(publication.into())).await
    }
}
