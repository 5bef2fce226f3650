//! How requests come in: HTTP/1.1 over TCP, as the proxy before us speaks it. poem's own server has no limit on how slowly
//! a head may come; this one has, and it ends connections that do not get on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use poem::endpoint::BoxEndpoint;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, EndpointExt, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::guarded::{Guarded, Phase};

/// Connections at once; more wait until others end.
const CONNECTIONS: usize = 4096;
/// The most of a head that is kept in memory. What is larger than `limits` allows, but fits here, is refused in full form
/// by its headers; what does not fit is refused as soon as this is full.
const BUFFER: usize = 64 * 1024;
/// After the system refused a connection, for want of file descriptors mostly.
const BREATH: Duration = Duration::from_millis(50);

/// How long a client may let us wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the first byte of a request, or from connecting, to the end of its head.
    pub head: Duration,
    /// Between two requests. Longer than proxies keep idle connections, so that it is they who end them.
    pub idle: Duration,
    /// Until the next bytes of an answer are taken.
    pub write: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(10), idle: Duration::from_secs(100), write: Duration::from_secs(30) }
    }
}

/// Answers requests until `stop` ends; what was begun by then has `last` to be finished.
pub async fn serve(
    listener: TcpListener,
    app: impl Endpoint<Output = Response> + 'static,
    patience: Patience,
    stop: impl Future<Output = ()>,
    last: Duration,
) {
    let (app, places, connections) =
        (Arc::new(app.boxed()), Arc::new(Semaphore::new(CONNECTIONS)), GracefulShutdown::new());
    tokio::pin!(stop);
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = &mut stop => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let local =
                    listener.local_addr().map_or_else(|_| LocalAddr::default(), |local| LocalAddr(local.into()));
                let connection = connection(stream, local, RemoteAddr(peer.into()), Arc::clone(&app), patience);
                let connection = connections.watch(connection);
                tokio::spawn(async move {
                    let _place = place;
                    if let Err(error) = connection.await {
                        tracing::debug!(%peer, "A connection ended early: {}", shared::telemetry::chain(&error));
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "A connection was not accepted");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(last, connections.shutdown()).await.is_err() {
        tracing::warn!("Some requests did not end in time");
    }
}

fn connection(
    stream: TcpStream,
    local: LocalAddr,
    remote: RemoteAddr,
    app: Arc<BoxEndpoint<'static, Response>>,
    patience: Patience,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    // Answers are small and whole: nothing is gained by waiting for more.
    drop(stream.set_nodelay(true));
    let phase = Arc::new(Phase::default());
    let io = Guarded::new(stream, patience, Arc::clone(&phase));
    let service = hyper::service::service_fn(move |request: poem::http::Request<hyper::body::Incoming>| {
        phase.head_is_complete();
        let (app, phase) = (Arc::clone(&app), Arc::clone(&phase));
        let request = poem::Request::from((request, local.clone(), remote.clone(), Scheme::HTTP));
        async move {
            let response = app.get_response(request).await;
            phase.is_answered();
            Ok::<poem::http::Response<_>, Infallible>(response.into())
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.idle)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(io), service)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use poem::endpoint::make_sync;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::edge::{self, Edge, Rates};
    use crate::routes::Routes;

    const PATIENCE: Patience =
        Patience { head: Duration::from_millis(300), idle: Duration::from_secs(30), write: Duration::from_millis(300) };

    async fn server(answer: impl Fn() -> Response + Send + Sync + 'static) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = "address=1000000".parse().unwrap();
        let rates = Rates::connect(&limits, &"redis://127.0.0.1:9".to_owned().into());
        let edge = Edge { routes: Routes::default(), door: shared::config::Door::default(), rates };
        let app = edge::around(make_sync(move |_| answer()), edge);
        tokio::spawn(serve(listener, app, PATIENCE, std::future::pending(), Duration::ZERO));
        address
    }

    async fn exchange(address: std::net::SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is ended with bytes unread may be reset after its answer.
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    }

    const GOOD: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn two_hundred_who_never_finish_their_requests_are_dropped_and_hold_nobody_up() {
        let address = server(|| Response::builder().body("here")).await;
        let begun = Instant::now();
        let slow = (0..200).map(|number| async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // Half of them say nothing at all.
            if number % 2 == 0 {
                stream.write_all(b"GET / HTTP/1.1\r\nx-slow: ").await.unwrap();
            }
            let mut answer = Vec::new();
            drop(stream.read_to_end(&mut answer).await);
            answer.len()
        });
        let slow = tokio::spawn(futures::future::join_all(slow));
        for _ in 0..20 {
            assert!(exchange(address, GOOD).await.ends_with("here"));
        }
        let answers = tokio::time::timeout(Duration::from_secs(10), slow).await.expect("they are dropped").unwrap();
        assert_eq!(answers, vec![0; 200]);
        assert!(begun.elapsed() >= PATIENCE.head);
    }

    #[tokio::test]
    async fn whoever_drips_is_dropped_although_something_always_comes() {
        let address = server(|| Response::builder().body("here")).await;
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let drip = tokio::spawn(async move {
            while write.write_all(b"x").await.is_ok() {
                tokio::task::yield_now().await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), read.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "it is dropped");
        drip.abort();
    }

    #[tokio::test]
    async fn whoever_does_not_take_the_answer_is_dropped() {
        let address = server(|| Response::builder().body(vec![b'x'; 64 << 20])).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(GOOD).await.unwrap();
        // Nothing is read until the server has lost its patience; then the rest is not there.
        tokio::time::sleep(PATIENCE.write * 3).await;
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        assert!(answer.len() < 64 << 20, "{} bytes", answer.len());
    }

    #[tokio::test]
    async fn a_connection_is_kept_for_the_next_request() {
        let address = server(|| Response::builder().body("here")).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        for _ in 0..3 {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let mut answer = [0; 4096];
            let count = stream.read(&mut answer).await.unwrap();
            assert!(answer[..count].ends_with(b"here"), "{}", String::from_utf8_lossy(&answer[..count]));
            tokio::time::sleep(PATIENCE.head * 2).await;
        }
    }

    #[tokio::test]
    async fn what_is_no_request_is_refused_as_a_problem_with_all_headers() {
        let address = server(|| Response::builder().body("here")).await;
        let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(200));
        let large = format!("GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "b".repeat(100_000));
        let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "b".repeat(70_000));
        for (request, statuses) in [
            (&b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"[..], &["400"][..]),
            (b"GET / HTTP/1.1\r\nbad name: x\r\n\r\n", &["400"]),
            (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", &["400"]),
            (many.as_bytes(), &["431"]),
            (large.as_bytes(), &["431"]),
            (long.as_bytes(), &["414", "431"]),
        ] {
            let answer = exchange(address, request).await;
            let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap_or_default();
            assert!(statuses.contains(&status), "{answer}");
            assert!(answer.contains("x-content-type-options: nosniff") && answer.contains("\"requestId\""), "{answer}");
        }
    }

    #[tokio::test]
    async fn an_endless_body_is_cut_off_while_it_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(
            listener,
            crate::app(crate::tests::state_with(&[])),
            PATIENCE,
            std::future::pending(),
            Duration::ZERO,
        ));
        let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
        write
            .write_all(b"POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
            .await
            .unwrap();
        let sending = tokio::spawn(async move {
            let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
            let mut sent = 0_usize;
            while sent < 1 << 30 && write.write_all(&chunk).await.is_ok() {
                sent += chunk.len();
            }
            sent
        });
        let mut answer = Vec::new();
        drop(tokio::time::timeout(Duration::from_secs(10), read.read_to_end(&mut answer)).await.expect("it ends"));
        let sent = sending.await.unwrap();
        assert!(sent < 64 << 20, "{sent} bytes were taken");
        // The system may throw an answer away that crosses with bytes nobody reads any more.
        if !answer.is_empty() {
            assert!(answer.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer));
        }
    }
}
