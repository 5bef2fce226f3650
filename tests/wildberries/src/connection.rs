//! A listener whose connections can be cut from within: an answer that never comes is part of the model.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use poem::http::uri::Scheme;
use poem::listener::Acceptor;
use poem::web::{LocalAddr, RemoteAddr};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// How a connection ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It closes in good order, with the answer missing.
    Cut,
    /// It is reset.
    Reset,
}

type Ends = HashMap<SocketAddr, Arc<OnceLock<End>>>;

/// The connections that are open, by the address of the other side.
#[derive(Clone, Default)]
pub(crate) struct Open(Arc<Mutex<Ends>>);

impl Open {
    /// From now on nothing is written to this connection any more, and it ends like this.
    pub(crate) fn end(&self, remote: &RemoteAddr, how: End) {
        if let Some(end) = remote.as_socket_addr().and_then(|address| self.lock().get(address).cloned()) {
            // The first end is the one that counts.
            let _ = end.set(how);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Door {
    listener: TcpListener,
    local: SocketAddr,
    open: Open,
}

impl Door {
    pub(crate) fn new(listener: TcpListener, open: Open) -> io::Result<Self> {
        Ok(Self { local: listener.local_addr()?, listener, open })
    }
}

impl Acceptor for Door {
    type Io = Line;

    fn local_addr(&self) -> Vec<LocalAddr> {
        vec![LocalAddr(self.local.into())]
    }

    async fn accept(&mut self) -> io::Result<(Line, LocalAddr, RemoteAddr, Scheme)> {
        let (stream, remote) = self.listener.accept().await?;
        stream.set_nodelay(true)?;
        let end = Arc::new(OnceLock::new());
        self.open.lock().insert(remote, end.clone());
        let line = Line { stream, end, remote, open: self.open.clone() };
        Ok((line, LocalAddr(self.local.into()), RemoteAddr(remote.into()), Scheme::HTTP))
    }
}

/// One connection.
pub(crate) struct Line {
    stream: TcpStream,
    end: Arc<OnceLock<End>>,
    remote: SocketAddr,
    open: Open,
}

impl Line {
    fn alive(&self) -> io::Result<()> {
        if self.end.get().is_some() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.open.lock().remove(&self.remote);
        if self.end.get() == Some(&End::Reset) {
            // Without lingering, the system answers whatever the other side says with a reset.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end.get() == Some(&End::Reset) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
