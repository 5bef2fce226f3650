//! What works in the background, and with whom.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use shared::alarms::{self, AlarmFilter, AlarmKind};
use shared::db::Db;
use shared::ids::{PrintJobId, PrinterId, SyncRunId};
use shared::jobs::{self, JobFilter, JobState};
use shared::printing::{self, PrintJobFilter, PrintStatus};
use shared::sync::{self, SyncKind, SyncRunFilter, SyncStatus};
use shared::{accounts, warehouses};

use super::super::{Export, ExportFormat, export};
use super::{listed, whole};
use crate::Tag;
use crate::alarms::Alarm;
use crate::auth::Caller;
use crate::jobs::Job;
use crate::printing::{PrintItem, PrintJob, Printer};
use crate::problem::ApiError;
use crate::sync::{SyncRun, SyncRunItem};
use crate::wildberries::{Account, WildberriesWarehouse};

listed!(AlarmFilter => Alarm, |list, tx, query| Ok(alarms::list(tx, list, query).await?.map(Into::into)));

listed!(JobFilter => Job, |list, tx, query| Ok(jobs::list(tx, list.clone(), query).await?.map(Into::into)));

listed!(SyncRunFilter => SyncRun, |list, tx, query| Ok(sync::list(tx, list, query).await?.map(Into::into)));

struct ItemsOfRun(SyncRunId);
listed!(ItemsOfRun => SyncRunItem, |list, tx, query| Ok(sync::items(tx, list.0, query).await?.map(Into::into)));

listed!(PrintJobFilter => PrintJob, |list, tx, query| Ok(printing::list(tx, list, query).await?.map(Into::into)));

/// The labels of one print job.
struct ItemsOf(PrintJobId);
listed!(ItemsOf => PrintItem, |list, tx, query| Ok(whole(printing::items(tx, list.0).await?)));

struct Printers;
listed!(Printers => Printer, |_list, tx, query| Ok(whole(printing::list_printers(tx).await?)));

struct Accounts;
listed!(Accounts => Account, |_list, tx, query| Ok(whole(accounts::list(tx).await?)));

struct WildberriesWarehouses;
listed!(WildberriesWarehouses => WildberriesWarehouse, |_list, tx, query| Ok(whole(warehouses::list_wildberries(tx).await?)));

/// Exports.
pub struct Api;

#[OpenApi]
impl Api {
    /// Export alarms, newest first
    #[oai(path = "/alarms/export", method = "get", operation_id = "export_alarms", tag = "Tag::Alarms")]
    async fn alarms(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// true: only those that nobody has acknowledged and whose cause is not gone; false: only the others.
        open: Query<Option<bool>>,
        /// Only this kind.
        kind: Query<Option<AlarmKind>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<Alarm>, ApiError> {
        let list = AlarmFilter { open: open.0, kind: kind.0 };
        export(&db, actor, "alarms", format.0.unwrap_or_default(), list).await
    }

    /// Export jobs, newest first
    #[oai(path = "/jobs/export", method = "get", operation_id = "export_jobs", tag = "Tag::Jobs")]
    async fn jobs(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Only these.
        state: Query<Option<JobState>>,
        /// Only this kind.
        #[oai(validator(max_length = 100))]
        kind: Query<Option<String>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<Job>, ApiError> {
        let list = JobFilter { state: state.0, kind: kind.0 };
        export(&db, actor, "jobs", format.0.unwrap_or_default(), list).await
    }

    /// Export sync runs, newest first
    #[oai(path = "/sync-runs/export", method = "get", operation_id = "export_sync_runs", tag = "Tag::Sync")]
    async fn sync_runs(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Of this kind.
        kind: Query<Option<SyncKind>>,
        /// In this status.
        status: Query<Option<SyncStatus>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<SyncRun>, ApiError> {
        let list = SyncRunFilter { kind: kind.0, status: status.0 };
        export(&db, actor, "sync-runs", format.0.unwrap_or_default(), list).await
    }

    /// Export what a sync run could not do, item by item, and what it repaired
    #[oai(
        path = "/sync-runs/:id/items/export",
        method = "get",
        operation_id = "export_sync_run_items",
        tag = "Tag::Sync"
    )]
    async fn sync_run_items(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<SyncRunId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<SyncRunItem>, ApiError> {
        export(&db, actor, "sync-run-items", format.0.unwrap_or_default(), ItemsOfRun(id.0)).await
    }

    /// Export print jobs, newest first
    #[oai(path = "/print-jobs/export", method = "get", operation_id = "export_print_jobs", tag = "Tag::Printing")]
    async fn print_jobs(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// In this status.
        status: Query<Option<PrintStatus>>,
        /// For this printer.
        #[oai(name = "printerId")]
        printer_id: Query<Option<PrinterId>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<PrintJob>, ApiError> {
        let list = PrintJobFilter { status: status.0, printer_id: printer_id.0 };
        export(&db, actor, "print-jobs", format.0.unwrap_or_default(), list).await
    }

    /// Export the labels of a print job in printing order
    #[oai(
        path = "/print-jobs/:id/items/export",
        method = "get",
        operation_id = "export_print_items",
        tag = "Tag::Printing"
    )]
    async fn print_items(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<PrintJobId>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<PrintItem>, ApiError> {
        let list = ItemsOf(id.0);
        export(&db, actor, "print-items", format.0.unwrap_or_default(), list).await
    }

    /// Export printers
    #[oai(path = "/printers/export", method = "get", operation_id = "export_printers", tag = "Tag::Printing")]
    async fn printers(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<Printer>, ApiError> {
        let list = Printers;
        export(&db, actor, "printers", format.0.unwrap_or_default(), list).await
    }

    /// Export seller accounts, without their tokens
    #[oai(
        path = "/wildberries/accounts/export",
        method = "get",
        operation_id = "export_accounts",
        tag = "Tag::Wildberries"
    )]
    async fn accounts(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<Account>, ApiError> {
        let list = Accounts;
        export(&db, actor, "accounts", format.0.unwrap_or_default(), list).await
    }

    /// Export Wildberries' warehouses with the own ones that stand for them
    #[oai(
        path = "/wildberries/warehouses/export",
        method = "get",
        operation_id = "export_wildberries_warehouses",
        tag = "Tag::Wildberries"
    )]
    async fn wildberries_warehouses(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<WildberriesWarehouse>, ApiError> {
        let list = WildberriesWarehouses;
        export(&db, actor, "wildberries-warehouses", format.0.unwrap_or_default(), list).await
    }
}
