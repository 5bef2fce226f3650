//! Asking processes that are killed meanwhile: any of them may answer, or nobody.

use std::time::{Duration, Instant};

use anyhow::ensure;
use rand::Rng;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::Value;

use crate::Client;
use crate::client::Answer;

/// A client that insists and has no answer by then has found a fault.
const PATIENCE: Duration = Duration::from_mins(1);

/// Asks whichever process chance names.
pub(super) struct Asker<'a> {
    pub clients: &'a [Client],
    pub chance: StdRng,
}

impl Asker<'_> {
    /// Asks once, under a key or under none; nothing if nobody knows whether it was done.
    pub async fn once(&mut self, method: Method, path: &str, body: Option<Value>, key: Option<&str>) -> Option<Answer> {
        let client = &self.clients[self.chance.random_range(0..self.clients.len())];
        let key = key.map(|key| [("Idempotency-Key", key)]);
        let headers = key.as_ref().map_or(&[][..], |key| &key[..]);
        match client.ask_with(method, path, body, headers).await {
            Ok(answer) if answer.status.is_success() && answer.body.is_object() => Some(answer),
            Ok(answer) if answer.code() == "idempotency_in_progress" && !headers.is_empty() => None,
            // A process that just starts, a pool that is full, or an answer cut off by a kill.
            Ok(answer) if answer.status.is_success() || answer.status.as_u16() == 503 => None,
            Ok(answer) => Some(answer),
            Err(_killed) => None,
        }
    }

    /// Asks under a key until somebody answers.
    pub async fn insist(&mut self, path: &str, body: &Value, key: &str) -> anyhow::Result<Answer> {
        let begin = Instant::now();
        loop {
            if let Some(answer) = self.once(Method::POST, path, Some(body.clone()), Some(key)).await {
                return Ok(answer);
            }
            self.wait(begin).await?;
        }
    }

    /// Reads until somebody answers.
    pub async fn look(&mut self, path: &str) -> anyhow::Result<Value> {
        let begin = Instant::now();
        loop {
            if let Some(answer) = self.once(Method::GET, path, None, None).await {
                ensure!(answer.status.is_success(), "GET {path} was answered {}: {}", answer.status, answer.body);
                return Ok(answer.body);
            }
            self.wait(begin).await?;
        }
    }

    async fn wait(&mut self, begin: Instant) -> anyhow::Result<()> {
        ensure!(begin.elapsed() < PATIENCE, "no answer within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(self.chance.random_range(5..50))).await;
        Ok(())
    }
}
