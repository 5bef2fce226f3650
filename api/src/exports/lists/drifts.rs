//! What Wildberries' answers have that is not known, and what is switched off.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;
use shared::db::Db;
use shared::drifts::quarantine::{self, ItemFilter, ItemKind};
use shared::drifts::{self, DriftFilter};
use shared::ids::AccountId;
use shared::wildberries::DriftKind;

use super::super::{Export, ExportFormat, export};
use super::{listed, whole};
use crate::Tag;
use crate::auth::Caller;
use crate::drifts::{Drift, MethodEnding, QuarantinedItem};
use crate::problem::ApiError;

listed!(DriftFilter => Drift, |list, tx, query| Ok(drifts::list(tx, list, query).await?.map(Into::into)));

listed!(ItemFilter => QuarantinedItem, |list, tx, query| Ok(quarantine::list(tx, list, query).await?.map(Into::into)));

struct Calendar;
listed!(Calendar => MethodEnding, |_list, tx, query| Ok(whole(drifts::calendar(tx)?.to_vec())));

/// Exports.
pub struct Api;

#[OpenApi(tag = "Tag::Wildberries")]
impl Api {
    /// Export what differs in Wildberries' answers, newest first
    #[oai(path = "/wildberries/drifts/export", method = "get", operation_id = "export_drifts")]
    async fn drifts(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// true: only those that nobody has acknowledged; false: only the others.
        open: Query<Option<bool>>,
        /// Only this kind.
        kind: Query<Option<DriftKind>>,
        /// Only in the answers to this seller account.
        #[oai(name = "accountId")]
        account_id: Query<Option<AccountId>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<Drift>, ApiError> {
        let list = DriftFilter { open: open.0, kind: kind.0, account_id: account_id.0 };
        export(&db, actor, "drifts", format.0.unwrap_or_default(), list).await
    }

    /// Export entries of Wildberries' answers that could not be read, newest first
    #[oai(path = "/wildberries/quarantine/export", method = "get", operation_id = "export_quarantine")]
    async fn quarantine(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// true: only those that wait; false: only those that were read after all.
        waiting: Query<Option<bool>>,
        /// Only these.
        kind: Query<Option<ItemKind>>,
        /// Only of this seller account.
        #[oai(name = "accountId")]
        account_id: Query<Option<AccountId>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<QuarantinedItem>, ApiError> {
        let list = ItemFilter { waiting: waiting.0, kind: kind.0, account_id: account_id.0 };
        export(&db, actor, "quarantine", format.0.unwrap_or_default(), list).await
    }

    /// Export what Wildberries has switched off or announced to switch off
    #[oai(path = "/wildberries/calendar/export", method = "get", operation_id = "export_method_endings")]
    async fn calendar(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<MethodEnding>, ApiError> {
        export(&db, actor, "method-endings", format.0.unwrap_or_default(), Calendar).await
    }
}
