//! What a job may use.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared::accounts::{self, Failed};
use shared::db::Db;
use shared::ids::AccountId;
use shared::jobs::{JobRow, lease};
use shared::seal::Keyring;
use shared::telemetry::chain;
use shared::wildberries::{CallError, Client, Noticed, Seller};
use shared::{Error, Result, drifts};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::mail::Mail;
use crate::printing::transport::{AllowList, Timeouts};

/// Everything that jobs share. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// The database.
    pub db: Db,
    /// Opens sellers' tokens.
    pub keyring: Keyring,
    /// Wildberries.
    pub wildberries: Client,
    /// Where printers may be.
    pub printers: AllowList,
    /// How long a printer may take for each thing.
    pub printer_timeouts: Timeouts,
    /// The mail server, if there is one.
    pub mail: Option<Mail>,
    /// Where people's clients are.
    pub public_url: Option<Url>,
    /// When a lane looks again at a printer that cannot print.
    pub printer_retry: Duration,
    /// Cancelled when the process gives running jobs up: what is not finished then runs again elsewhere.
    pub stop: CancellationToken,
    /// What the sellers of this job noticed in their answers.
    noticed: Arc<Mutex<Vec<(AccountId, Noticed)>>>,
}

impl Ctx {
    /// What jobs need, with a printer's usual patience.
    pub fn new(db: Db, keyring: Keyring, wildberries: Client, printers: AllowList) -> Self {
        Self {
            db,
            keyring,
            wildberries,
            printers,
            printer_timeouts: Timeouts::default(),
            mail: None,
            public_url: None,
            printer_retry: Duration::from_secs(5),
            stop: CancellationToken::new(),
            noticed: Arc::default(),
        }
    }

    /// The same for one job alone: what it notices is kept in its name.
    pub(crate) fn of_one_job(self) -> Self {
        Self { noticed: Arc::default(), ..self }
    }

    /// The seller to ask, or the refusal that says why nobody is asked.
    pub async fn seller(&self, row: &JobRow, account_id: AccountId) -> Result<Seller> {
        let mut tx = self.db.begin(&row.actor()?).await?;
        let token = accounts::seller_token(&mut tx, &self.keyring, account_id).await?;
        let seller = self.wildberries.seller(token);
        self.noticed.lock().unwrap_or_else(PoisonError::into_inner).push((account_id, seller.noticed()));
        Ok(seller)
    }

    /// Keeps what the job noticed in Wildberries' answers. Whether that works decides nothing about the job.
    pub(crate) async fn keep_noticed(&self, row: &JobRow) {
        let noticed = std::mem::take(&mut *self.noticed.lock().unwrap_or_else(PoisonError::into_inner));
        for (account_id, noticed) in noticed {
            let noticed = noticed.take();
            if noticed.is_empty() {
                continue;
            }
            let kept = async {
                let mut tx = self.db.begin(&row.actor()?).await?;
                drifts::note(&mut tx, account_id, &noticed).await?;
                tx.commit().await
            };
            if let Err(error) = kept.await {
                tracing::warn!("What differs in Wildberries' answers could not be kept: {}", chain(&error));
            }
        }
    }

    /// What a failed call means for the job. It is noted at its account; a token that Wildberries does not accept blocks
    /// the account, so that no further call is made with it.
    pub async fn judge(&self, row: &JobRow, account_id: AccountId, error: CallError) -> Error {
        if let Some(failed) = Failed::of(&error) {
            // The token was read after the job was claimed: one that was stored since then is not judged.
            let token_of = row.run_at - lease::LEASE;
            let recording = async {
                let mut tx = self.db.begin(&row.actor()?).await?;
                accounts::record_failure(&mut tx, account_id, token_of, &failed).await?;
                tx.commit().await
            };
            if let Err(database) = recording.await {
                return database;
            }
        }
        error.into()
    }

    /// Shows how far the job is, in a transaction of its own. Within a step use [`lease::note_progress`] in its transaction.
    pub async fn note_progress(&self, row: &JobRow, percent: i32) -> Result<()> {
        let mut tx = self.db.begin(&row.actor()?).await?;
        lease::note_progress(&mut tx, row.id, row.attempts, percent).await?;
        tx.commit().await
    }
}
