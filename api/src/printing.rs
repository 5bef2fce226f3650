//! Printers and print jobs over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::Error;
use shared::db::Db;
use shared::ids::{CellId, OrderId, PrintItemId, PrintJobId, PrinterId, RequestId, SupplyId, WarehouseId};
use shared::page::PageQuery;
use shared::printing::{self, ItemStatus, NewPrinter, PrintJobFilter, PrintKind, PrintStatus, Proof, Verdict};
use shared::versions::Version;

use crate::Tag;
use crate::answers::{Accepted, Current, Ending, Fresh, List, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::versions::versioned;

shown! {
    /// A label printer on the network.
    Printer from printing::Printer {
        /// Which one.
        id: PrinterId,
        /// Unique in the enterprise.
        name: String,
        /// Host name or address.
        host: String,
        /// Usually 9100.
        port: i32,
        /// Dots per inch.
        dpi: i32,
        /// Millimetres.
        label_width_mm: i32,
        /// Millimetres.
        label_height_mm: i32,
        /// What is wrong with it, as far as its lane knows: a code.
        fault_code: Option<String>,
        /// The same in Russian.
        fault_detail: Option<String>,
        /// Since when.
        created_at: DateTime<Utc>,
        /// How often it was changed: `If-Match` compares it.
        version: Version,
    }
}

versioned!(Printer);

shown! {
    /// A batch of labels for one printer.
    PrintJob from printing::PrintJob {
        /// Which one.
        id: PrintJobId,
        /// On which printer.
        printer_id: PrinterId,
        /// What it prints.
        kind: PrintKind,
        /// The stickers of this request.
        request_id: Option<RequestId>,
        /// The QR code of this supply.
        supply_id: Option<SupplyId>,
        /// The labels of cells of this warehouse.
        warehouse_id: Option<WarehouseId>,
        /// Where it is.
        status: PrintStatus,
        /// Labels in all.
        labels: i64,
        /// Labels done.
        done: i64,
        /// Labels of which nobody knows: see them in the items and resolve them.
        uncertain: i64,
        /// What it waits for, or why it failed: a code.
        fault_code: Option<String>,
        /// The same in words.
        fault_detail: Option<String>,
        /// Who asked for it.
        actor: String,
        /// When.
        created_at: DateTime<Utc>,
        /// When anything changed.
        changed_at: DateTime<Utc>,
    }
}

shown! {
    /// One label of a print job.
    PrintItem from printing::PrintItem {
        /// Which one.
        id: PrintItemId,
        /// The label's place, from 1.
        position: i32,
        /// Whose sticker.
        order_id: Option<OrderId>,
        /// Whose QR code.
        supply_id: Option<SupplyId>,
        /// Whose label.
        cell_id: Option<CellId>,
        /// What the cell is called.
        cell: Option<String>,
        /// The human code of the sticker.
        sticker: Option<String>,
        /// What the code on the label reads as.
        barcode: Option<String>,
        /// Where it is.
        status: ItemStatus,
        /// How it is known that it was printed; `none`: the printer took the bytes and said nothing.
        proof: Option<Proof>,
        /// Why it is failed, cancelled or uncertain.
        reason: Option<String>,
        /// When its bytes left.
        sent_at: Option<DateTime<Utc>>,
        /// When it was known to be there.
        done_at: Option<DateTime<Utc>>,
    }
}

/// A printer to add.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreatePrinter {
    /// Unique in the enterprise, 1 to 200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
    /// Host name or address, in one of the networks that the installation allows.
    #[oai(validator(min_length = 1, max_length = 253))]
    pub host: String,
    /// Usually 9100.
    #[oai(validator(minimum(value = "1"), maximum(value = "65535")))]
    pub port: i32,
    /// Dots per inch, 203 or 300 as a rule.
    #[oai(validator(minimum(value = "100"), maximum(value = "600")))]
    pub dpi: i32,
    /// Millimetres; absent: as the enterprise's settings say.
    #[oai(validator(minimum(value = "20"), maximum(value = "120")))]
    pub label_width_mm: Option<i32>,
    /// Millimetres; absent: as the enterprise's settings say.
    #[oai(validator(minimum(value = "20"), maximum(value = "200")))]
    pub label_height_mm: Option<i32>,
}

/// Labels to print: the stickers of a request, or the QR code of a supply.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreatePrintJob {
    /// On which printer.
    pub printer_id: PrinterId,
    /// The stickers of this picking request, in picking order,
    pub request_id: Option<RequestId>,
    /// or the QR code of this supply.
    pub supply_id: Option<SupplyId>,
}

/// What somebody saw at the printer.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct ResolvePrintItem {
    /// The label is there, or it is not and is printed now.
    pub verdict: Verdict,
}

/// Printing.
pub struct Api;

#[OpenApi(tag = "Tag::Printing")]
impl Api {
    /// List printers
    #[oai(path = "/printers", method = "get", operation_id = "list_printers")]
    async fn printers(&self, Caller(actor): Caller, db: Data<&Db>) -> Result<Json<List<Printer>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let printers = printing::list_printers(&mut tx).await?;
        tx.commit().await?;
        Ok(Json(List::of(printers)))
    }

    /// Add a printer
    #[oai(path = "/printers", method = "post", operation_id = "create_printer")]
    async fn add(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<CreatePrinter>,
    ) -> Result<Fresh<Printer>, ApiError> {
        let CreatePrinter { name, host, port, dpi, label_width_mm, label_height_mm } = body.0;
        let new = NewPrinter { name, host, port, dpi, label_width_mm, label_height_mm };
        let mut tx = db.begin(&actor).await?;
        let printer = printing::add(&mut tx, &new).await?;
        tx.answer(Fresh::of(printer)).await
    }

    /// Get a printer
    #[oai(path = "/printers/:id", method = "get", operation_id = "get_printer")]
    async fn printer(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<PrinterId>,
    ) -> Result<Current<Printer>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let printer = printing::get_printer(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Current::of(printer))
    }

    /// List print jobs, newest first
    #[oai(path = "/print-jobs", method = "get", operation_id = "list_print_jobs")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// In this status.
        status: Query<Option<PrintStatus>>,
        /// On this printer.
        #[oai(name = "printerId")]
        printer_id: Query<Option<PrinterId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<PrintJob>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = PrintJobFilter { status: status.0, printer_id: printer_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = printing::list(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Print the stickers of a request or the QR code of a supply; asking again answers with the same print job
    #[oai(path = "/print-jobs", method = "post", operation_id = "create_print_job")]
    async fn print(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<CreatePrintJob>,
    ) -> Result<Accepted<PrintJob>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let job = match (body.request_id, body.supply_id) {
            (Some(request_id), None) => printing::request_stickers(&mut tx, request_id, body.printer_id).await?,
            (None, Some(supply_id)) => printing::request_supply_qr(&mut tx, supply_id, body.printer_id).await?,
            _ => return Err(Error::invalid("requestId", "name either requestId or supplyId").into()),
        };
        tx.answer(Accepted::of(job)).await
    }

    /// Get a print job
    #[oai(path = "/print-jobs/:id", method = "get", operation_id = "get_print_job")]
    async fn get(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<PrintJobId>,
    ) -> Result<Json<PrintJob>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let job = printing::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(job.into()))
    }

    /// List the labels of a print job in their order
    #[oai(path = "/print-jobs/:id/items", method = "get", operation_id = "list_print_items")]
    async fn items(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<PrintJobId>,
    ) -> Result<Json<List<PrintItem>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let items = printing::items(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(List::of(items)))
    }

    /// Say what became of an uncertain label; the printer's lane goes on
    #[oai(path = "/print-jobs/:id/items/:item_id/resolve", method = "post", operation_id = "resolve_print_item")]
    async fn resolve(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<PrintJobId>,
        item_id: Path<PrintItemId>,
        body: Json<ResolvePrintItem>,
    ) -> Result<Json<PrintJob>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let job = printing::resolve(&mut tx, id.0, item_id.0, body.verdict).await?;
        tx.answer(Json(job.into())).await
    }

    /// Take back the labels that were not sent yet
    #[oai(path = "/print-jobs/:id/cancel", method = "post", operation_id = "cancel_print_job")]
    async fn cancel(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<PrintJobId>,
    ) -> Result<Json<PrintJob>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let job = printing::cancel(&mut tx, id.0).await?;
        tx.answer(Json(job.into())).await
    }
}
