//! Importing products as a session: a file is read into rows, its columns get their meanings, a dry run gives each row its
//! verdict, what is right is written, and as far as nobody touched it since, it can be taken back.
//!
//! ```text
//!  read ──▶ checking ──▶ checked ──▶ committing ──▶ committed ──▶ undoing ──▶ undone
//!   ▲ columns are set ─────┘              └──────── stopped ──────────▲
//! ```
//!
//! The three steps with -ing are jobs: they go page by page, each page with its mark in one transaction, so that a job that
//! was cut off anywhere goes on behind its last page and does nothing twice. Rows name products by their SKU.
//!
//! A job may be cancelled or given up in the middle. Its session says then that it stopped and why, and every way is open
//! again: a step that is asked for once more goes on behind its last page (a dry run from the start), the columns of a
//! stopped dry run can be set, and what a stopped commit has written can be taken back.

mod check;
mod columns;
mod commit;
mod delimited;
mod file;
mod undo;
mod weigh;
mod workbook;

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{CategoryId, JobId, ProductId, ProductImportId};
use crate::jobs::{Job, Queue};
use crate::page::{Page, PageQuery};
use crate::versions::Version;
use crate::{Error, Refusal, Result};

use super::categories;

pub use check::{Seen, check_page};
pub use columns::Column;
pub use commit::commit_page;
pub use file::{MOST_BYTES, MOST_ROWS};
pub use undo::undo_page;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
        #[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
        #[serde(rename_all = "snake_case")]
        #[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
        #[sqlx(type_name = "text", rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }
    };
}

words! {
    /// What kind of file was read.
    ImportFormat {
        /// Text with a delimiter.
        Csv,
        /// A workbook.
        Xlsx,
    }
}

words! {
    /// Where an import is.
    ImportStatus {
        /// Its rows are here and its columns guessed.
        Read,
        /// The dry run is under way.
        Checking,
        /// Each row has its verdict.
        Checked,
        /// Rows are being written.
        Committing,
        /// They are written.
        Committed,
        /// They are being taken back.
        Undoing,
        /// They are taken back, as far as nobody touched them.
        Undone,
    }
}

words! {
    /// What the dry run says of a row.
    RowVerdict {
        /// It will be a new product.
        Create,
        /// It will change a product.
        Change,
        /// Everything is so already.
        Same,
        /// It cannot be written.
        Wrong,
    }
}

words! {
    /// What became of a row.
    RowOutcome {
        /// A new product.
        Created,
        /// A changed product.
        Changed,
        /// Something came between.
        Skipped,
    }
}

words! {
    /// What became of taking a row back.
    UndoOutcome {
        /// It is as it was.
        Undone,
        /// Somebody touched it since, or it is used.
        Kept,
    }
}

/// A session.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    /// Which one.
    pub id: ProductImportId,
    /// As its sender called the file.
    pub file_name: String,
    /// What it was.
    pub format: ImportFormat,
    /// Where it is.
    pub status: ImportStatus,
    /// The names of the columns.
    pub header: Vec<String>,
    /// What they mean.
    pub columns: Columns,
    /// How many rows there are.
    pub rows: i32,
    /// How many the running step has done.
    pub done: i32,
    /// Rows that will be new products.
    pub to_create: i64,
    /// Rows that will change products.
    pub to_change: i64,
    /// Rows that change nothing.
    pub same: i64,
    /// Rows that cannot be written.
    pub wrong: i64,
    /// Rows that were written.
    pub written: i64,
    /// Rows that came too late.
    pub skipped: i64,
    /// Rows that were taken back.
    pub undone: i64,
    /// Rows that could not be taken back.
    pub kept: i64,
    /// The job of the last step.
    pub job_id: Option<JobId>,
    /// Why the step that is under way does not go on: its job was cancelled or given up.
    pub stopped: Option<String>,
    /// Who sent the file.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// How often its status or columns changed.
    pub version: Version,
}

/// The meanings of the columns, as the table writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Columns(pub Vec<Column>);

impl From<Vec<String>> for Columns {
    fn from(codes: Vec<String>) -> Self {
        let known = |code: &String| Column::ALL.iter().find(|column| column.code() == code).copied();
        // What a newer program wrote and this one does not know is nothing to this one.
        Self(codes.iter().map(|code| known(code).unwrap_or(Column::Ignored)).collect())
    }
}

impl From<Columns> for Vec<Column> {
    fn from(columns: Columns) -> Self {
        columns.0
    }
}

/// A row of the file with what became of it.
#[derive(Clone, Debug)]
pub struct ImportRow {
    /// As the spreadsheet counts.
    pub number: i32,
    /// As they were read.
    pub cells: Vec<String>,
    /// What the dry run says.
    pub verdict: Option<RowVerdict>,
    /// What became of it.
    pub outcome: Option<RowOutcome>,
    /// What became of taking it back.
    pub undo: Option<UndoOutcome>,
    /// Why it is wrong, was skipped or is kept.
    pub reason: Option<String>,
    /// Its product.
    pub product_id: Option<ProductId>,
}

/// Gives each row its verdict.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct CheckImport {
    /// Of this session.
    pub import_id: ProductImportId,
}

impl Job for CheckImport {
    const KIND: &'static str = "products.check_import";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(self.import_id.to_string())
    }
}

/// Writes what is right.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct CommitImport {
    /// Of this session.
    pub import_id: ProductImportId,
}

impl Job for CommitImport {
    const KIND: &'static str = "products.commit_import";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(self.import_id.to_string())
    }
}

/// Takes back what nobody touched.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct UndoImport {
    /// Of this session.
    pub import_id: ProductImportId,
}

impl Job for UndoImport {
    const KIND: &'static str = "products.undo_import";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(self.import_id.to_string())
    }
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Of a hundred.
    pub percent: i32,
    /// Whether that was the last page.
    pub ended: bool,
}

/// Rows on their way from a file into the database, at most.
const BATCH: usize = 1000;
/// One file at a time in one process: so its memory is that of one file.
static READING: Semaphore = Semaphore::const_new(1);
/// Files that wait for it, and the one that is read: they are in memory already.
static LINE: Semaphore = Semaphore::const_new(8);
/// After which somebody who found the line full may try again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// The turn to read a file.
#[derive(Debug)]
pub struct Turn {
    _reading: SemaphorePermit<'static>,
    _line: SemaphorePermit<'static>,
}

/// Waits for the turn to read a file. It is taken before a transaction begins: who waits in line holds no connection.
/// Fails with [`Error::Unavailable`] where the line is long already.
pub async fn turn() -> Result<Turn> {
    let full = |_| Error::Unavailable { what: "the reading of files", retry_after: Some(TRY_AGAIN), source: None };
    let line = LINE.try_acquire().map_err(full)?;
    let reading = READING.acquire().await.map_err(|error| Error::Inconsistent(error.to_string()))?;
    Ok(Turn { _reading: reading, _line: line })
}

/// Reads a file into a new session. All of it is there, or nothing.
pub async fn create(tx: &mut EnterpriseTx, _turn: Turn, file_name: &str, bytes: Vec<u8>) -> Result<Import> {
    tx.require_everywhere(Permission::ManageProducts)?;
    let file_name = file_name.trim();
    if !(1..=200).contains(&file_name.chars().count()) || file_name.contains(char::is_control) {
        return Err(Error::invalid("fileName", "must have 1 to 200 characters"));
    }
    if bytes.len() > MOST_BYTES {
        return Err(Error::invalid("file", format!("has more than {MOST_BYTES} bytes")));
    }
    let (id, format) = (ProductImportId::new(), file::format(&bytes));
    let (send, mut receive) = mpsc::channel::<Vec<file::Line>>(2);
    // A thread of its own: unpacking and reading compute.
    let reading = tokio::task::spawn_blocking(move || {
        let mut batch = Vec::with_capacity(BATCH);
        let read = file::read(&bytes, &mut |line| {
            batch.push(line);
            batch.len() < BATCH || send.blocking_send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_ok()
        });
        // Nobody takes them where the other side has failed, and then says so itself.
        drop(send.blocking_send(batch));
        read
    });
    let mut rows = 0;
    while let Some(mut batch) = receive.recv().await {
        if rows == 0 && !batch.is_empty() {
            let (_, header) = batch.remove(0);
            insert(tx, id, file_name, format, &header).await?;
        }
        insert_rows(tx, id, &batch).await?;
        rows += batch.len();
    }
    // A file at which a parser panics is no table; the panic itself is in the log.
    reading.await.map_err(|_| Error::invalid("file", "cannot be read"))??;
    let rows = i32::try_from(rows).map_err(|_| Error::invalid("file", "has too many rows"))?;
    sqlx::query!("UPDATE product_imports SET rows = $2 WHERE id = $1", id as _, rows).execute(tx.conn()).await?;
    let facts = json!({ "fileName": file_name, "format": format, "rows": rows });
    audit::noted(tx, Action::ProductImportCreated, Object::of("product_import", id), &facts).await?;
    show(tx, id).await
}

async fn insert(
    tx: &mut EnterpriseTx,
    id: ProductImportId,
    file_name: &str,
    format: ImportFormat,
    header: &[String],
) -> Result<()> {
    let (enterprise_id, now, actor) = (tx.enterprise_id(), tx.now().await?, tx.actor().to_string());
    let columns: Vec<_> = columns::guess(header).into_iter().map(|column| column.code().to_owned()).collect();
    sqlx::query!(
        "INSERT INTO product_imports (enterprise_id, id, file_name, format, header, columns, actor, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        enterprise_id as _,
        id as _,
        file_name,
        format as ImportFormat,
        header,
        &columns,
        actor,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn insert_rows(tx: &mut EnterpriseTx, id: ProductImportId, lines: &[file::Line]) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    // An array of arrays has one width: the cells of a row go as JSON.
    let cells: Vec<_> = lines.iter().map(|(_, cells)| json!(cells)).collect();
    sqlx::query!(
        "INSERT INTO product_import_rows (enterprise_id, import_id, number, cells)
         SELECT $1, $2, line.number, ARRAY(SELECT jsonb_array_elements_text(line.cells))
         FROM unnest($3::int[], $4::jsonb[]) AS line (number, cells)",
        enterprise_id as _,
        id as _,
        &lines.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        &cells,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One session.
pub async fn get(tx: &mut EnterpriseTx, id: ProductImportId) -> Result<Import> {
    tx.require(Permission::ManageProducts)?;
    show(tx, id).await
}

async fn show(tx: &mut EnterpriseTx, id: ProductImportId) -> Result<Import> {
    show_all(tx, &[id]).await?.pop().ok_or(Error::NotFound("import"))
}

/// These sessions, newest first.
async fn show_all(tx: &mut EnterpriseTx, ids: &[ProductImportId]) -> Result<Vec<Import>> {
    Ok(sqlx::query_as!(
        Import,
        r#"SELECT i.id, i.file_name, i.format AS "format: ImportFormat", i.status AS "status: ImportStatus", i.header, i.columns, i.rows, i.done,
                  i.to_create, i.to_change, i.same, i.wrong, i.written, i.skipped, i.undone, i.kept, i.job_id,
                  CASE WHEN i.status NOT IN ('checking', 'committing', 'undoing') OR j.state IN ('queued', 'sent', 'running') THEN NULL
                       WHEN j.state = 'cancelled' THEN 'its job was cancelled'
                       ELSE concat_ws(': ', 'its job was given up', j.last_error) END AS stopped,
                  i.actor, i.created_at, i.version
           FROM product_imports AS i LEFT JOIN jobs AS j ON j.id = i.job_id AND j.enterprise_id = i.enterprise_id
           WHERE i.id = ANY($1) ORDER BY i.id DESC"#,
        &ids.iter().map(|id| id.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Sessions, newest first.
pub async fn list(tx: &mut EnterpriseTx, query: &PageQuery) -> Result<Page<Import>> {
    tx.require(Permission::ManageProducts)?;
    let after: Option<ProductImportId> = query.key()?;
    let ids = sqlx::query_scalar!(
        r#"SELECT id AS "id: ProductImportId" FROM product_imports WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2"#,
        after as _,
        query.limit + 1
    )
    .fetch_all(tx.conn())
    .await?;
    let page = query.page(ids, |id| *id);
    Ok(Page { items: show_all(tx, &page.items).await?, next: page.next })
}

/// The rows of a session as they stand in the file; only those with this verdict, if one is named.
pub async fn rows(
    tx: &mut EnterpriseTx,
    id: ProductImportId,
    verdict: Option<RowVerdict>,
    query: &PageQuery,
) -> Result<Page<ImportRow>> {
    tx.require(Permission::ManageProducts)?;
    exists(tx, id).await?;
    let after: Option<i32> = query.key()?;
    let rows = sqlx::query_as!(
        ImportRow,
        r#"SELECT number, cells, verdict AS "verdict: RowVerdict", outcome AS "outcome: RowOutcome", undo AS "undo: UndoOutcome", reason, product_id
           FROM product_import_rows
           WHERE import_id = $1 AND number > coalesce($2, 0) AND ($3::text IS NULL OR verdict = $3)
           ORDER BY number LIMIT $4"#,
        id as _,
        after,
        verdict as Option<RowVerdict>,
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |row| row.number))
}

async fn exists(tx: &mut EnterpriseTx, id: ProductImportId) -> Result<()> {
    sqlx::query_scalar!("SELECT id FROM product_imports WHERE id = $1", id as _)
        .fetch_optional(tx.conn())
        .await?
        .map(|_| ())
        .ok_or(Error::NotFound("import"))
}

/// Says what the columns mean. Verdicts that were given by other meanings are gone, and so is a dry run that stopped.
pub async fn set_columns(tx: &mut EnterpriseTx, id: ProductImportId, columns: &[Column]) -> Result<Import> {
    tx.require_everywhere(Permission::ManageProducts)?;
    let held = hold(tx, id).await?;
    tx.expect(held.version)?;
    held.refuse_unless(&[ImportStatus::Read, ImportStatus::Checked], &[ImportStatus::Checking])?;
    columns::checked(columns, held.columns.len())?;
    let codes = |columns: &[Column]| columns.iter().map(|column| column.code().to_owned()).collect::<Vec<_>>();
    sqlx::query!("UPDATE product_imports SET columns = $2, status = 'read' WHERE id = $1", id as _, &codes(columns))
        .execute(tx.conn())
        .await?;
    forget_verdicts(tx, id).await?;
    let (before, after) = (json!({ "columns": held.columns }), json!({ "columns": columns }));
    let object = Object::of("product_import", id);
    // The same meanings said once more are an act, too.
    if before == after {
        audit::noted(tx, Action::ProductImportColumnsSet, object, &after).await?;
    } else {
        audit::changed(tx, Action::ProductImportColumnsSet, object, &before, &after).await?;
    }
    show(tx, id).await
}

/// Promises the dry run; one that stopped begins again.
pub async fn check(tx: &mut EnterpriseTx, id: ProductImportId) -> Result<Import> {
    tx.require_everywhere(Permission::ManageProducts)?;
    let held = hold(tx, id).await?;
    tx.expect(held.version)?;
    held.refuse_unless(&[ImportStatus::Read, ImportStatus::Checked], &[ImportStatus::Checking])?;
    columns::checked(&held.columns, held.columns.len())?;
    forget_verdicts(tx, id).await?;
    let job = tx.enqueue(&CheckImport { import_id: id }).await?.job_id;
    held.begin(tx, ImportStatus::Checking, job).await?;
    audit::noted(tx, Action::ProductImportChecked, Object::of("product_import", id), &json!({ "jobId": job })).await?;
    show(tx, id).await
}

/// Promises that what is right is written; where that stopped, the rest of it. Rows that are wrong are left out if that is
/// said, else they refuse the whole.
pub async fn commit(tx: &mut EnterpriseTx, id: ProductImportId, without_wrong: bool) -> Result<Import> {
    tx.require_everywhere(Permission::ManageProducts)?;
    let held = hold(tx, id).await?;
    tx.expect(held.version)?;
    held.refuse_unless(&[ImportStatus::Checked], &[ImportStatus::Committing])?;
    let counted = show(tx, id).await?;
    if counted.wrong > 0 && !without_wrong {
        return Err(Error::refused(
            Refusal::ImportHasWrongRows,
            format!("{} rows are wrong: correct them, or say that they are left out", counted.wrong),
        ));
    }
    let job = tx.enqueue(&CommitImport { import_id: id }).await?.job_id;
    held.begin(tx, ImportStatus::Committing, job).await?;
    let facts = json!({ "toCreate": counted.to_create, "toChange": counted.to_change, "jobId": job });
    audit::noted(tx, Action::ProductImportCommitted, Object::of("product_import", id), &facts).await?;
    show(tx, id).await
}

/// Promises that what was written is taken back, as far as nobody touched it since; also of a commit or an undoing that
/// stopped.
pub async fn undo(tx: &mut EnterpriseTx, id: ProductImportId) -> Result<Import> {
    tx.require_everywhere(Permission::ManageProducts)?;
    let held = hold(tx, id).await?;
    tx.expect(held.version)?;
    held.refuse_unless(&[ImportStatus::Committed], &[ImportStatus::Committing, ImportStatus::Undoing])?;
    let job = tx.enqueue(&UndoImport { import_id: id }).await?.job_id;
    held.begin(tx, ImportStatus::Undoing, job).await?;
    audit::noted(tx, Action::ProductImportUndone, Object::of("product_import", id), &json!({ "jobId": job })).await?;
    show(tx, id).await
}

/// Back to before the dry run.
async fn forget_verdicts(tx: &mut EnterpriseTx, id: ProductImportId) -> Result<()> {
    sqlx::query!(
        "UPDATE product_imports SET done = 0, at_row = 0, to_create = 0, to_change = 0, same = 0, wrong = 0 WHERE id = $1",
        id as _
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "UPDATE product_import_rows SET verdict = NULL, reason = NULL, product_id = NULL, seen_version = NULL
         WHERE import_id = $1 AND verdict IS NOT NULL",
        id as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A session that nobody else moves before this transaction ends.
struct Held {
    id: ProductImportId,
    status: ImportStatus,
    /// Whether its step is under way and its job is not any more.
    is_stopped: bool,
    columns: Vec<Column>,
    rows: i32,
    at_row: i32,
    done: i32,
    version: Version,
}

/// What a page adds to the numbers that a session shows.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    to_create: i64,
    to_change: i64,
    same: i64,
    wrong: i64,
    written: i64,
    skipped: i64,
    undone: i64,
    kept: i64,
}

impl Held {
    /// Fails unless the session rests at one of these, or stopped at one of those.
    fn refuse_unless(&self, at: &[ImportStatus], stopped: &[ImportStatus]) -> Result<()> {
        if at.contains(&self.status) || (self.is_stopped && stopped.contains(&self.status)) {
            return Ok(());
        }
        let word = |status: &ImportStatus| format!("{status:?}").to_lowercase();
        Err(Error::Refused {
            refusal: Refusal::ImportTransition,
            detail: format!("the import is {}", word(&self.status)),
            allowed: at.iter().map(word).collect(),
        })
    }

    /// Begins a step, or goes on with the one that stopped.
    async fn begin(&self, tx: &mut EnterpriseTx, status: ImportStatus, job: JobId) -> Result<()> {
        sqlx::query!(
            "UPDATE product_imports
             SET status = $2, job_id = $3, done = CASE WHEN status = $2 THEN done ELSE 0 END, at_row = CASE WHEN status = $2 THEN at_row ELSE 0 END
             WHERE id = $1",
            self.id as _,
            status as ImportStatus,
            job as _,
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }

    /// Notes a page, in its transaction; the last one ends the step.
    async fn page_done(
        &self,
        tx: &mut EnterpriseTx,
        rows: &[i32],
        size: usize,
        ended: ImportStatus,
        counted: Counted,
    ) -> Result<Progress> {
        let is_last = rows.len() < size;
        let done = self.done + i32::try_from(rows.len()).map_err(|error| Error::Inconsistent(error.to_string()))?;
        sqlx::query!(
            "UPDATE product_imports
             SET at_row = $2, done = $3, status = $4, to_create = to_create + $5, to_change = to_change + $6, same = same + $7,
                 wrong = wrong + $8, written = written + $9, skipped = skipped + $10, undone = undone + $11, kept = kept + $12
             WHERE id = $1",
            self.id as _,
            rows.last().copied().unwrap_or(self.at_row),
            done,
            (if is_last { ended } else { self.status }) as ImportStatus,
            counted.to_create,
            counted.to_change,
            counted.same,
            counted.wrong,
            counted.written,
            counted.skipped,
            counted.undone,
            counted.kept,
        )
        .execute(tx.conn())
        .await?;
        Ok(Progress { percent: done.saturating_mul(100) / self.rows.max(1), ended: is_last })
    }
}

async fn hold(tx: &mut EnterpriseTx, id: ProductImportId) -> Result<Held> {
    let row = sqlx::query!(
        r#"SELECT status AS "status: ImportStatus", columns, rows, at_row, done, version,
                  status IN ('checking', 'committing', 'undoing') AND NOT EXISTS (
                      SELECT FROM jobs AS j WHERE j.id = job_id AND j.state IN ('queued', 'sent', 'running')) AS "is_stopped!"
           FROM product_imports WHERE id = $1 FOR NO KEY UPDATE"#,
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("import"))?;
    let columns = Columns::from(row.columns).0;
    let (status, is_stopped, rows, at_row) = (row.status, row.is_stopped, row.rows, row.at_row);
    Ok(Held { id, status, is_stopped, columns, rows, at_row, done: row.done, version: row.version })
}

/// The categories by the names that lead to them.
async fn paths(tx: &mut EnterpriseTx) -> Result<HashMap<String, CategoryId>> {
    let tree = categories::all(tx).await?;
    Ok(tree.into_iter().map(|category| (columns::path(&category.path), category.id)).collect())
}

/// The products that are not archived with these SKUs: an import finds products by nothing else.
async fn by_sku(tx: &mut EnterpriseTx, skus: &[String]) -> Result<HashMap<String, Vec<ProductId>>> {
    let rows =
        sqlx::query!("SELECT sku, id FROM products WHERE sku = ANY($1) AND archived_at IS NULL ORDER BY id", skus)
            .fetch_all(tx.conn())
            .await?;
    let mut found: HashMap<String, Vec<ProductId>> = HashMap::new();
    for row in rows {
        found.entry(row.sku).or_default().push(row.id);
    }
    Ok(found)
}
