//! Importing products over HTTP: send the file, say what its columns mean, look at the verdicts, commit, and take it back.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{Binary, Json};
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{JobId, ProductId, ProductImportId};
use shared::page::PageQuery;
use shared::products::imports::{self, Column, ImportFormat, ImportStatus, RowOutcome, RowVerdict, UndoOutcome};
use shared::versions::Version;

use crate::Tag;
use crate::answers::{Current, Ending, Fresh, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::versions::versioned;

shown! {
    /// A file of products on its way into the catalogue. Rows name products by their SKU; empty cells change nothing.
    ProductImport from imports::Import {
        /// Which one.
        id: ProductImportId,
        /// As its sender called the file.
        file_name: String,
        /// What it was.
        format: ImportFormat,
        /// Where it is.
        status: ImportStatus,
        /// The names of the columns.
        header: Vec<String>,
        /// What each of them means.
        columns: Vec<Column>,
        /// How many rows there are.
        rows: i32,
        /// How many of them the running step has done.
        done: i32,
        /// Rows that will be new products.
        to_create: i64,
        /// Rows that will change products.
        to_change: i64,
        /// Rows that change nothing.
        same: i64,
        /// Rows that cannot be written.
        wrong: i64,
        /// Rows that were written.
        written: i64,
        /// Rows that came too late: somebody else was there first.
        skipped: i64,
        /// Rows that were taken back.
        undone: i64,
        /// Rows that could not be taken back: somebody touched their product since, or something uses it.
        kept: i64,
        /// The job of the last step: `GET /jobs/{id}` says how far it is.
        job_id: Option<JobId>,
        /// Why the step that is under way does not go on: its job was cancelled or given up. Asked for again, the step goes
        /// on; what a stopped commit has written can be taken back.
        stopped: Option<String>,
        /// Who sent the file: `user:<id>` or `key:<id>`.
        actor: String,
        /// When.
        created_at: DateTime<Utc>,
        /// How often its status or its columns changed: `If-Match` compares it.
        version: Version,
    }
}

versioned!(ProductImport);

shown! {
    /// A row of the file with what became of it.
    ProductImportRow from imports::ImportRow {
        /// As the spreadsheet counts, from 1.
        number: i32,
        /// As they were read.
        cells: Vec<String>,
        /// What the dry run says.
        verdict: Option<RowVerdict>,
        /// What became of it.
        outcome: Option<RowOutcome>,
        /// What became of taking it back.
        undo: Option<UndoOutcome>,
        /// Why it is wrong, was skipped or is kept.
        reason: Option<String>,
        /// Its product.
        product_id: Option<ProductId>,
    }
}

/// What the columns mean.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetColumns {
    /// One for each column of the header, `ignored` for those that mean nothing. `sku` must be among them.
    #[oai(validator(min_items = 1, max_items = 100))]
    pub columns: Vec<Column>,
}

/// How to commit.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommitImport {
    /// Leave out the rows that are wrong; without it they refuse the whole.
    #[oai(default)]
    pub without_wrong: bool,
}

/// Imports.
pub struct Api;

#[OpenApi(tag = "Tag::Products")]
impl Api {
    /// List imports, newest first
    #[oai(path = "/product-imports", method = "get", operation_id = "list_product_imports")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<ProductImport>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = imports::list(&mut tx, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Send a file: CSV (UTF-8, UTF-16 or CP1251, any usual delimiter) or XLSX, at most 10 MiB and 100000 rows
    #[oai(path = "/product-imports", method = "post", operation_id = "create_product_import")]
    async fn create(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What the sender calls the file; `import` if absent. What it is, its content says.
        #[oai(name = "fileName", validator(min_length = 1, max_length = 200))]
        file_name: Query<Option<String>>,
        file: Binary<Vec<u8>>,
    ) -> Result<Fresh<ProductImport>, ApiError> {
        let turn = imports::turn().await?;
        let mut tx = db.begin(&actor).await?;
        let name = file_name.0.as_deref().unwrap_or("import");
        let import = imports::create(&mut tx, turn, name, file.0).await?;
        tx.answer(Fresh::of(import)).await
    }

    /// Get an import
    #[oai(path = "/product-imports/:id", method = "get", operation_id = "get_product_import")]
    async fn get(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ProductImportId>,
    ) -> Result<Current<ProductImport>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let import = imports::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Current::of(import))
    }

    /// List the rows of an import as they stand in the file, each with its verdict
    #[oai(path = "/product-imports/:id/rows", method = "get", operation_id = "list_product_import_rows")]
    async fn rows(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ProductImportId>,
        /// Only those with this verdict.
        verdict: Query<Option<RowVerdict>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<ProductImportRow>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let mut tx = db.begin(&actor).await?;
        let page = imports::rows(&mut tx, id.0, verdict.0, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Say what the columns mean; verdicts that were there are gone
    #[oai(path = "/product-imports/:id/columns", method = "put", operation_id = "set_product_import_columns")]
    async fn set_columns(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ProductImportId>,
        body: Json<SetColumns>,
    ) -> Result<Current<ProductImport>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let import = imports::set_columns(&mut tx, id.0, &body.columns).await?;
        tx.answer(Current::of(import)).await
    }

    /// Have each row judged, without writing anything; a check that stopped begins again
    #[oai(path = "/product-imports/:id/check", method = "post", operation_id = "check_product_import")]
    async fn check(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ProductImportId>,
    ) -> Result<Current<ProductImport>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let import = imports::check(&mut tx, id.0).await?;
        tx.answer(Current::of(import)).await
    }

    /// Have the rows written that are right; a commit that stopped goes on
    #[oai(path = "/product-imports/:id/commit", method = "post", operation_id = "commit_product_import")]
    async fn commit(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ProductImportId>,
        body: Json<CommitImport>,
    ) -> Result<Current<ProductImport>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let import = imports::commit(&mut tx, id.0, body.without_wrong).await?;
        tx.answer(Current::of(import)).await
    }

    /// Have everything taken back that nobody touched since: what is new is archived, what was changed is as it was
    #[oai(path = "/product-imports/:id/undo", method = "post", operation_id = "undo_product_import")]
    async fn undo(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ProductImportId>,
    ) -> Result<Current<ProductImport>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let import = imports::undo(&mut tx, id.0).await?;
        tx.answer(Current::of(import)).await
    }
}
