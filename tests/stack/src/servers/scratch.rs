//! A private folder without servers, for those who use servers of another process. It vanishes with its owner too.

use std::path::Path;

use anyhow::Context;

use super::{account, folder, guard::Plan, owner::Guard};

/// A folder that is deleted when the value is dropped, and when the process is killed.
#[derive(Debug)]
pub struct Scratch(Guard);

impl Scratch {
    /// Makes the folder.
    pub async fn create() -> anyhow::Result<Self> {
        let making = tokio::task::spawn_blocking(|| {
            let account = account()?;
            let folder = folder::create(false, account)?;
            Guard::start(Plan { folder, account, postgres: None, redis: None })
        });
        Ok(Self(making.await.context("making a folder")??))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.folder()
    }
}
