//! What a job may use.

use std::time::Duration;

use shared::accounts::{self, Failed};
use shared::db::Db;
use shared::ids::AccountId;
use shared::jobs::{JobRow, lease};
use shared::seal::Keyring;
use shared::wildberries::{CallError, Client, Seller};
use shared::{Error, Result};
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
        }
    }

    /// The seller to ask, or the refusal that says why nobody is asked.
    pub async fn seller(&self, row: &JobRow, account_id: AccountId) -> Result<Seller> {
        let mut tx = self.db.begin(&row.actor()?).await?;
        let token = accounts::seller_token(&mut tx, &self.keyring, account_id).await?;
        Ok(self.wildberries.seller(token))
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
