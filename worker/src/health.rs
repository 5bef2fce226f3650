//! A worker's own health: is each of its loops at work? Nothing outside is asked.

use std::collections::BTreeMap;
use std::time::Duration;

use poem::http::StatusCode;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::{Data, Json};
use poem::{EndpointExt, IntoResponse, Response, Route, Server, get, handler};
use shared::jobs::Queue;
use tokio_util::sync::CancellationToken;

use crate::pulse::Pulse;

const SILENT_AFTER: Duration = Duration::from_secs(30);

/// Which loops must be at work.
#[derive(Clone, Debug)]
pub struct Loops {
    pulse: Pulse,
    names: Vec<&'static str>,
}

impl Loops {
    /// The loops of a worker that serves these queues.
    pub fn new(pulse: Pulse, queues: &[Queue]) -> Self {
        let names =
            ["presence", "relay", "timers"].into_iter().chain(queues.iter().map(|queue| queue.name())).collect();
        Self { pulse, names }
    }

    /// Seconds since each loop was last at work; absent for one that never was.
    fn ages(&self) -> BTreeMap<&'static str, Option<u64>> {
        let ages = self.pulse.ages();
        self.names.iter().map(|name| (*name, ages.get(name).map(Duration::as_secs))).collect()
    }
}

/// Takes the address.
pub async fn bind(listen: std::net::SocketAddr) -> std::io::Result<impl Acceptor> {
    TcpListener::bind(listen).into_acceptor().await
}

/// Answers `GET /health` until it is stopped.
pub async fn answer(acceptor: impl Acceptor + 'static, loops: Loops, stop: CancellationToken) -> std::io::Result<()> {
    let routes = Route::new().at("/health", get(health)).data(loops);
    Server::new_with_acceptor(acceptor)
        .run_with_graceful_shutdown(routes, stop.cancelled_owned(), Some(Duration::from_secs(1)))
        .await
}

#[handler]
fn health(Data(loops): Data<&Loops>) -> Response {
    let ages = loops.ages();
    let well = ages.values().all(|age| age.is_some_and(|age| age < SILENT_AFTER.as_secs()));
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({ "status": if well { "ok" } else { "failing" }, "secondsSince": ages });
    Json(body).with_header("cache-control", "no-store").with_status(status).into_response()
}
