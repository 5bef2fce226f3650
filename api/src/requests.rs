//! Requests over HTTP: units of human work.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{
    CellId, LotId, MoveLineId, OrderId, PickLineId, ProductId, RequestId, UserId, WarehouseId, WbOrderId,
};
use shared::page::PageQuery;
use shared::requests::{
    self, NewPicking, PickLineStatus, Priority, RequestFilter, RequestStatus, RequestType, ScanKind,
};
use shared::versions::Version;
use shared::{Error, counts};

use crate::Tag;
use crate::answers::{Current, Ending, Fresh, List, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::versions::versioned;

shown! {
    /// A unit of human work.
    Request from requests::Request {
        /// Which one.
        id: RequestId,
        /// What it is about.
        r#type: RequestType,
        /// Where it is.
        status: RequestStatus,
        /// How urgent.
        priority: Priority,
        /// In which warehouse.
        warehouse_id: WarehouseId,
        /// Who has it.
        assignee_id: Option<UserId>,
        /// By when.
        due_at: Option<DateTime<Utc>>,
        /// In words.
        comment: Option<String>,
        /// Lines in all.
        lines: i64,
        /// Lines still to be done.
        open_lines: i64,
        /// The code of the cell scanned last.
        at_cell: Option<String>,
        /// Since when.
        created_at: DateTime<Utc>,
        /// When anything changed.
        changed_at: DateTime<Utc>,
        /// How often it was changed: `If-Match` compares it.
        version: Version,
    }
}

versioned!(Request);

shown! {
    /// One step of a picking request.
    PickLine from requests::PickLine {
        /// Which one.
        id: PickLineId,
        /// The pick step, from 1; sticker k belongs to step k.
        position: i32,
        /// For which order.
        order_id: OrderId,
        /// Its number at Wildberries.
        wb_order_id: WbOrderId,
        /// What to take.
        product_id: ProductId,
        /// Its SKU.
        sku: String,
        /// Its name.
        name: String,
        /// Any of these proves it.
        barcodes: Vec<String>,
        /// Out of which cell.
        cell_id: CellId,
        /// The cell's code.
        cell: String,
        /// Where it is.
        status: PickLineStatus,
        /// When it was taken.
        picked_at: Option<DateTime<Utc>>,
        /// By whom.
        picked_by: Option<String>,
    }
}

shown! {
    /// One line of a request's history.
    RequestHistoryLine from requests::HistoryLine {
        /// From where; absent when it was created.
        from_status: Option<RequestStatus>,
        /// To where.
        to_status: RequestStatus,
        /// Who: `user:<id>`, `key:<id>` or `job:<kind>`.
        actor: String,
        /// Why.
        comment: Option<String>,
        /// When.
        occurred_at: DateTime<Utc>,
    }
}

shown! {
    /// The next thing to take, or to put back.
    NextPick from requests::Next {
        /// The pick step.
        position: i32,
        /// The cell's code.
        cell: String,
        /// What to take.
        sku: String,
        /// What it is.
        name: String,
    }
}

shown! {
    /// A unit to put back.
    MoveLine from requests::MoveLine {
        /// Which one.
        id: MoveLineId,
        /// For which order it was picked.
        order_id: Option<OrderId>,
        /// Its number at Wildberries.
        wb_order_id: Option<WbOrderId>,
        /// What.
        product_id: ProductId,
        /// Its SKU.
        sku: String,
        /// Its name.
        name: String,
        /// Any of these proves it.
        barcodes: Vec<String>,
        /// Of which lot.
        lot_id: LotId,
        /// The code of the cell where it lies.
        from: String,
        /// The code of the cell where it came from; once it is put back, where it was put.
        to: String,
        /// Units.
        quantity: i32,
        /// When it was put back.
        moved_at: Option<DateTime<Utc>>,
    }
}

/// What a scan did, and what comes next.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct ScanResult {
    /// The line that was picked by it; absent for a cell.
    pub picked: Option<PickLineId>,
    /// The line that was put back by it; absent for a cell, and where goods are picked.
    pub put_back: Option<MoveLineId>,
    /// Where to go now; absent when everything is taken, or put back.
    pub next: Option<NextPick>,
    /// Lines still open.
    pub open_lines: i64,
}

/// A request to make.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateRequest {
    /// What it is about; `order_picking` is made here, the others follow from what they are about.
    pub r#type: RequestType,
    /// In which warehouse.
    pub warehouse_id: WarehouseId,
    /// These orders; absent: the longest waiting ones.
    #[oai(validator(min_items = 1, max_items = 500))]
    pub order_ids: Option<Vec<OrderId>>,
    /// How many of the longest waiting ones, from 1 to 500.
    #[oai(validator(minimum(value = "1"), maximum(value = "500")))]
    pub count: Option<u32>,
    /// For whom.
    pub assignee_id: Option<UserId>,
    /// How urgent; `medium` if absent.
    pub priority: Option<Priority>,
    /// By when.
    pub due_at: Option<DateTime<Utc>>,
    /// In words.
    #[oai(validator(max_length = 2000))]
    pub comment: Option<String>,
}

/// Where a request should go.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct MoveRequest {
    /// The next status.
    pub status: RequestStatus,
    /// Why.
    #[oai(validator(max_length = 2000))]
    pub comment: Option<String>,
}

/// Who should do it.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssignRequest {
    /// Somebody of the enterprise.
    pub assignee_id: UserId,
}

/// One scan.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct Scan {
    /// A cell or an item.
    pub kind: ScanKind,
    /// As the scanner read it.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub code: String,
}

/// Requests.
pub struct Api;

#[OpenApi(tag = "Tag::Requests")]
impl Api {
    /// List requests, newest first
    #[oai(path = "/requests", method = "get", operation_id = "list_requests")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// In this status.
        status: Query<Option<RequestStatus>>,
        /// Of this type.
        r#type: Query<Option<RequestType>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Request>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = requests::list(&mut tx, &RequestFilter { status: status.0, r#type: r#type.0 }, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Make a picking request; its lines stand in walking order
    #[oai(path = "/requests", method = "post", operation_id = "create_request")]
    async fn create(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<CreateRequest>,
    ) -> Result<Fresh<Request>, ApiError> {
        let new = picking(body.0)?;
        let mut tx = db.begin(&actor).await?;
        let request = requests::create_picking(&mut tx, &new).await?;
        tx.answer(Fresh::of(request)).await
    }

    /// Get a request
    #[oai(path = "/requests/:id", method = "get", operation_id = "get_request")]
    async fn get(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<RequestId>,
    ) -> Result<Current<Request>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let request = requests::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Current::of(request))
    }

    /// List the steps of a picking request in walking order
    #[oai(path = "/requests/:id/lines", method = "get", operation_id = "list_request_lines")]
    async fn lines(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<RequestId>,
    ) -> Result<Json<List<PickLine>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let lines = requests::lines(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(List::of(lines)))
    }

    /// List what a request to put back asks for
    #[oai(path = "/requests/:id/moves", method = "get", operation_id = "list_request_moves")]
    async fn moves(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<RequestId>,
    ) -> Result<Json<List<MoveLine>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let moves = requests::moves(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(List::of(moves)))
    }

    /// See what happened to a request
    #[oai(path = "/requests/:id/history", method = "get", operation_id = "get_request_history")]
    async fn history(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<RequestId>,
    ) -> Result<Json<List<RequestHistoryLine>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let history = requests::history(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(List::of(history)))
    }

    /// Give a request to somebody
    #[oai(path = "/requests/:id/assign", method = "post", operation_id = "assign_request")]
    async fn assign(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<RequestId>,
        body: Json<AssignRequest>,
    ) -> Result<Current<Request>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let request = requests::assign(&mut tx, id.0, body.assignee_id).await?;
        tx.answer(Current::of(request)).await
    }

    /// Move a request to its next status; one that asks for a count starts, reviews, approves or cancels it
    #[oai(path = "/requests/:id/status", method = "post", operation_id = "move_request")]
    async fn move_to(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<RequestId>,
        body: Json<MoveRequest>,
    ) -> Result<Current<Request>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let request = counts::move_request(&mut tx, id.0, body.status, body.comment.as_deref()).await?;
        tx.answer(Current::of(request)).await
    }

    /// Scan a cell, then the items taken out of it or put back into it
    #[oai(path = "/requests/:id/scans", method = "post", operation_id = "scan")]
    async fn scan(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<RequestId>,
        body: Json<Scan>,
    ) -> Result<Json<ScanResult>, ApiError> {
        let scan = requests::Scan { kind: body.0.kind, code: body.0.code };
        let mut tx = db.begin(&actor).await?;
        let requests::Scanned { picked, put_back, next, open_lines } = requests::scan(&mut tx, id.0, &scan).await?;
        tx.answer(Json(ScanResult { picked, put_back, next: next.map(Into::into), open_lines })).await
    }
}

fn picking(body: CreateRequest) -> Result<NewPicking, Error> {
    if body.r#type != RequestType::OrderPicking {
        return Err(Error::invalid("type", "only order_picking requests are made directly"));
    }
    if body.order_ids.is_some() == body.count.is_some() {
        return Err(Error::invalid("orderIds", "name either orderIds or count"));
    }
    Ok(NewPicking {
        warehouse_id: body.warehouse_id,
        orders: body.order_ids,
        count: body.count.map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX)),
        assignee_id: body.assignee_id,
        priority: body.priority.unwrap_or(Priority::Medium),
        due_at: body.due_at,
        comment: body.comment,
    })
}
