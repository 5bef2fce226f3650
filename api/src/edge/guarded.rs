//! A connection that does not wait for ever. hyper can limit how long a head takes, but counts the silence between two
//! requests as part of it; here the two have limits of their own. hyper also refuses what it cannot read by a bare status:
//! here that becomes a problem with all headers, like everything else that we answer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::connections::Patience;
use super::headers;
use crate::problem::{self, MEDIA_TYPE};

/// How far the request of a connection has come.
#[derive(Debug)]
pub(super) struct Phase(AtomicU8);

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const ANSWERING: u8 = 2;

/// Who connects is expected to speak.
impl Default for Phase {
    fn default() -> Self {
        Self(AtomicU8::new(HEAD))
    }
}

impl Phase {
    pub fn head_is_complete(&self) {
        self.0.store(ANSWERING, Ordering::Relaxed);
    }

    pub fn is_answered(&self) {
        self.0.store(IDLE, Ordering::Relaxed);
    }

    /// Whether these bytes were the first of a request.
    fn bytes_came(&self) -> bool {
        self.0.compare_exchange(IDLE, HEAD, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn is_in_head(&self) -> bool {
        self.0.load(Ordering::Relaxed) == HEAD
    }
}

/// The connection.
pub(super) struct Guarded<S> {
    inner: S,
    patience: Patience,
    phase: Arc<Phase>,
    head: Pin<Box<Sleep>>,
    write: Option<Pin<Box<Sleep>>>,
    refusal: Option<Refusal>,
}

/// Our own refusal on its way out in place of a bare one.
struct Refusal {
    bytes: Vec<u8>,
    written: usize,
    instead_of: usize,
}

impl<S> Guarded<S> {
    pub fn new(inner: S, patience: Patience, phase: Arc<Phase>) -> Self {
        let head = Box::pin(sleep(patience.head));
        Self { inner, patience, phase, head, write: None, refusal: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.inner).poll_read(context, buffer) {
            Poll::Ready(outcome) => {
                if buffer.filled().len() > before && this.phase.bytes_came() {
                    this.head.as_mut().reset(Instant::now() + this.patience.head);
                }
                Poll::Ready(outcome)
            }
            Poll::Pending if this.phase.is_in_head() => match this.head.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Err(slow("the head of a request did not come"))),
                Poll::Pending => Poll::Pending,
            },
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> Guarded<S> {
    /// Writes, and loses patience with a client that takes nothing.
    fn patient_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Poll::Ready(outcome) = Pin::new(&mut self.inner).poll_write(context, bytes) {
            self.write = None;
            return Poll::Ready(outcome);
        }
        let patience = self.patience.write;
        match self.write.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(slow("the answer is not taken"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.refusal.is_none()
            && let Some(status) = bare_refusal(bytes)
        {
            this.refusal = Some(Refusal { bytes: refuse(status), written: 0, instead_of: bytes.len() });
        }
        let Some(mut refusal) = this.refusal.take() else { return this.patient_write(context, bytes) };
        while refusal.written < refusal.bytes.len() {
            match this.patient_write(context, &refusal.bytes[refusal.written..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => refusal.written += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    this.refusal = Some(refusal);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(refusal.instead_of))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

fn slow(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

/// The status of an answer that did not come from our edge: whatever comes from there has a request id in its head.
fn bare_refusal(bytes: &[u8]) -> Option<StatusCode> {
    let status = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let ours = bytes.windows(REQUEST_ID.len()).any(|part| part == REQUEST_ID);
    StatusCode::from_bytes(status).ok().filter(|status| status.is_client_error() && !ours)
}

const REQUEST_ID: &[u8] = b"\r\nx-request-id: ";

fn refuse(status: StatusCode) -> Vec<u8> {
    let request_id = headers::new_request_id();
    let body = problem::unreadable(status, &request_id);
    let mut lines = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)),
        (header::CONTENT_LENGTH, HeaderValue::from(body.len())),
        (header::CONNECTION, HeaderValue::from_static("close")),
    ]);
    headers::dress(&mut lines, &request_id, false);
    let mut bytes = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for (name, value) in &lines {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body.into_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_refusal_is_told_from_our_own_and_from_bodies() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(bare_refusal(bare), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        assert_eq!(bare_refusal(b"HTTP/1.1 404 Not Found\r\nx-request-id: r-1\r\n\r\n"), None);
        assert_eq!(bare_refusal(b"HTTP/1.1 200 OK\r\n\r\n"), None);
        assert_eq!(bare_refusal(b"{\"text\":\"HTTP/1.1 400\"}"), None);
    }

    #[test]
    fn our_refusal_is_whole() {
        let text = String::from_utf8(refuse(StatusCode::BAD_REQUEST)).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 400 Bad Request\r\n") && head.contains("x-content-type-options: nosniff"),
            "{head}"
        );
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["code"], "malformed");
    }
}
