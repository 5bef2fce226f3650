//! Somebody who sends a gigabyte in pieces, without saying how much it will be.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::Figure;
use crate::Stack;

const ALL: usize = 1 << 30;
const PIECE: usize = 64 << 10;

/// How far the upload comes, how soon it is refused, and what it costs in memory.
pub(super) async fn figure(stack: &Stack) -> anyhow::Result<Figure> {
    let before = stack.api.resident_bytes()?;
    let stream = TcpStream::connect(stack.api_url.trim_start_matches("http://")).await.context("connecting")?;
    let (mut read, mut write) = stream.into_split();
    let begin = Instant::now();
    let opening =
        "POST /auth/login HTTP/1.1\r\nhost: wb\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let sending = async {
        let mut sent = 0;
        let piece = [format!("{PIECE:x}\r\n").into_bytes(), vec![b' '; PIECE], b"\r\n".to_vec()].concat();
        if write.write_all(opening.as_bytes()).await.is_ok() {
            while sent < ALL && write.write_all(&piece).await.is_ok() {
                sent += PIECE;
            }
        }
        sent
    };
    let answering = async {
        let mut answer = vec![0; 1 << 10];
        let length = read.read(&mut answer).await.unwrap_or_default();
        let refused = begin.elapsed();
        let is_problem = answer[..length].starts_with(b"HTTP/1.1 413");
        // Until the connection is gone, so that the sender finds out.
        while read.read(&mut answer).await.is_ok_and(|length| length > 0) {}
        (is_problem, refused)
    };
    let (sent, (is_problem, refused)) = tokio::join!(sending, answering);
    let grown = stack.api.resident_bytes()?.saturating_sub(before);
    let answer = if is_problem { "413" } else { "something else" };
    let reached = format!(
        "{answer} after {:.3} s and {} KiB; memory grew by {} KiB",
        refused.as_secs_f64(),
        sent >> 10,
        grown >> 10
    );
    let held = is_problem && refused < Duration::from_secs(1) && grown < 5 << 20;
    Ok(Figure { what: "a gigabyte in pieces", promise: "413 in < 1 s, memory + < 5 MiB", reached, held })
}
