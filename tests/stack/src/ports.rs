//! Free ports on the loopback address. They lie below the range that the system hands to outgoing connections, so that
//! a server that is stopped and started again finds its port still free.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::Context;

/// A port on 127.0.0.1 that nobody listens on now.
pub fn free() -> anyhow::Result<u16> {
    first_free((0..200).map(|_| rand::random_range(20_000..32_000))).context("finding a free port")
}

/// The first of these ports that nobody listens on now.
pub fn first_free(candidates: impl IntoIterator<Item = u16>) -> Option<u16> {
    candidates.into_iter().find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
}
