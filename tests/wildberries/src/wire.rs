//! The way of an answer out of the port: as a rule whole and at once.

use std::time::Duration;

use poem::http::StatusCode;
use poem::web::RemoteAddr;
use poem::{Body, Response};
use tokio::io::AsyncWriteExt;

use crate::connection::{End, Open};
use crate::reply::Reply;

/// How an answer goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// As it should.
    Whole,
    /// Not at all: the connection closes.
    Cut,
    /// Not at all: the connection is reset.
    Reset,
    /// Not at all, and the connection stays.
    Silence,
    /// A few bytes at a time.
    Drip {
        /// So many at once.
        bytes: usize,
        /// Milliseconds between.
        millis: u64,
    },
    /// With white space behind it until it is so long.
    Padded {
        /// Length of the body.
        bytes: usize,
    },
}

impl Wire {
    /// Sends an answer this way.
    pub(crate) async fn send(self, mut reply: Reply, open: &Open, remote: &RemoteAddr) -> Response {
        match self {
            Self::Whole => {}
            Self::Cut => open.end(remote, End::Cut),
            Self::Reset => open.end(remote, End::Reset),
            // The client's end of the connection ends this, or the end of the simulator does.
            Self::Silence => std::future::pending().await,
            Self::Padded { bytes } => reply.body.resize(reply.body.len().max(bytes), b' '),
            Self::Drip { bytes, millis } => {
                let body = std::mem::take(&mut reply.body);
                let mut response = respond(reply);
                response.set_body(drip(body, bytes, Duration::from_millis(millis)));
                return response;
            }
        }
        respond(reply)
    }
}

/// A body that comes in drops; the one who pours stops when nobody holds the cup any more.
fn drip(body: Vec<u8>, bytes: usize, pause: Duration) -> Body {
    let (mut from, to) = tokio::io::duplex(bytes);
    tokio::spawn(async move {
        for few in body.chunks(bytes) {
            if from.write_all(few).await.is_err() {
                break;
            }
            tokio::time::sleep(pause).await;
        }
    });
    Body::from_async_read(to)
}

pub(crate) fn respond(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::builder().status(status);
    if !reply.content_type.is_empty() {
        response = response.content_type(reply.content_type);
    }
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(reply.body)
}
