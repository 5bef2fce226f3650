//! Faults of the wire: what a client sees that speaks no HTTP of its own.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wildberries::{Fault, FaultKind};

use crate::stage::Stage;

/// Sends a request by hand and reads until the other side ends.
async fn raw(stage: &Stage, method: &str, path: &str, body: &str) -> std::io::Result<Vec<u8>> {
    let mut line = TcpStream::connect(stage.simulator.address()).await?;
    let token = &stage.client.token;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: wb\r\nAuthorization: {token}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    line.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    line.read_to_end(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_reset_is_a_reset_before_and_after_the_work() {
    let stage = Stage::new().await;
    for (kind, supplies) in [(FaultKind::Reset, 0), (FaultKind::ResetAfterCommit, 1)] {
        stage.simulator.fault(Fault::once("/supplies", kind));
        let error = raw(&stage, "POST", "/api/v3/supplies", r#"{"name":"Призрак"}"#).await.unwrap_err();
        assert_eq!((error.kind(), stage.shop.supplies().len()), (std::io::ErrorKind::ConnectionReset, supplies));
    }
    stage.simulator.fault(Fault::once("/supplies", FaultKind::Drop));
    let closed = raw(&stage, "POST", "/api/v3/supplies", r#"{"name":"Никто"}"#).await.unwrap();
    assert_eq!((closed, stage.shop.supplies().len()), (Vec::new(), 1), "a drop ends in good order, with nothing said");
}

#[tokio::test]
async fn a_hanging_answer_never_comes_and_the_simulator_serves_others_meanwhile() {
    let stage = Stage::new().await;
    for (kind, supplies) in [(FaultKind::Hang, 0), (FaultKind::HangAfterCommit, 1)] {
        stage.simulator.fault(Fault::once("/supplies", kind));
        let hanging = raw(&stage, "POST", "/api/v3/supplies", r#"{"name":"Тень"}"#);
        assert!(timeout(Duration::from_millis(300), hanging).await.is_err());
        assert_eq!(stage.client.get("/ping").await.status, 200);
        assert_eq!(stage.shop.supplies().len(), supplies);
    }
    let fault = stage.simulator.exchanges()[0].fault.clone();
    assert_eq!(fault.as_deref(), Some("Hang"), "the exchange is kept all the same");
}

#[tokio::test]
async fn a_body_drips_and_is_whole_in_the_end() {
    let stage = Stage::new().await;
    let order = stage.order();
    stage.simulator.fault(Fault::once("/orders/new", FaultKind::SlowBytes { bytes: 50, millis: 10 }));
    let started = Instant::now();
    let answer = stage.client.get("/api/v3/orders/new").await;
    assert_eq!(answer.body["orders"][0]["id"], order);
    let drops = u64::try_from(answer.text.len() / 50).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(10 * drops) && drops > 10);
}

#[tokio::test]
async fn an_answer_of_twenty_megabytes_is_valid_and_not_kept() {
    let stage = Stage::new().await;
    stage.simulator.fault(Fault::once("/orders/new", FaultKind::Huge { megabytes: 20 }));
    let answer = stage.client.get("/api/v3/orders/new").await;
    assert_eq!((answer.text.len(), &answer.body), (20 << 20, &json!({ "orders": [] })));
    assert!(stage.simulator.exchanges()[0].response.len() < 100);
}

#[tokio::test]
async fn html_comes_with_200_and_with_502() {
    let stage = Stage::new().await;
    for status in [200, 502] {
        stage.simulator.fault(Fault::once("/orders/new", FaultKind::Html { status }));
        let answer = stage.client.get("/api/v3/orders/new").await;
        assert_eq!((answer.status, &answer.body), (status, &Value::Null));
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(answer.text.starts_with("<!DOCTYPE html>"));
    }
}

#[tokio::test]
async fn a_429_may_be_silent_about_when_to_come_back() {
    let stage = Stage::new().await;
    stage.simulator.fault(Fault::once("/orders/new", FaultKind::TooManyBare));
    let answer = stage.client.get("/api/v3/orders/new").await;
    assert_eq!(answer.status, 429);
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("x-ratelimit")));
}
