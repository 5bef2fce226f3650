//! An answer that is kept for a while and asked for once at a time.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// The last answer, and when it was given.
#[derive(Debug)]
pub struct Cached<T> {
    life: Duration,
    last: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Cached<T> {
    /// Nothing yet.
    pub fn new(life: Duration) -> Self {
        Self { life, last: Mutex::new(None) }
    }

    /// The last answer while it is fresh, else a new one. Who comes meanwhile waits for the same.
    pub async fn get<F: Future<Output = T>>(&self, ask: impl FnOnce() -> F) -> T {
        let mut last = self.last.lock().await;
        if let Some((given, answer)) = &*last
            && given.elapsed() < self.life
        {
            return answer.clone();
        }
        let answer = ask().await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_who_ask_at_once_cost_one_question() {
        let (cached, asked) = (Cached::new(Duration::from_mins(1)), AtomicU32::new(0));
        let ask = || async {
            tokio::task::yield_now().await;
            asked.fetch_add(1, Ordering::Relaxed)
        };
        let answers = futures::future::join_all((0..10).map(|_| cached.get(ask))).await;
        assert_eq!((answers, asked.load(Ordering::Relaxed)), (vec![0; 10], 1));
    }
}
