//! A printer that follows a script, and what we make of it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

const IDLE: &str =
    "\x02030,0,0,0308,000,0,0,0,000,0,0,0\x03\r\n\x02001,0,0,0,1,2,6,0,00000000,1,000\x03\r\n\x020000,0\x03\r\n";
const BUSY: &str =
    "\x02030,0,0,0308,001,0,0,0,000,0,0,0\x03\r\n\x02001,0,0,0,1,2,6,0,00000001,1,000\x03\r\n\x020000,0\x03\r\n";
const NO_PAPER: &str =
    "\x02030,1,1,0308,001,0,0,0,000,0,0,0\x03\r\n\x02001,0,0,0,1,2,6,0,00000001,1,000\x03\r\n\x020000,0\x03\r\n";
const LABEL: &[u8] = b"^XA^FO0,0^GFA,1,1,1,8^FS^PQ1^XZ";
/// More than the network takes without a reader.
const HUGE: usize = 64 << 20;

/// What the printer does next.
enum Step {
    /// Receive exactly these bytes.
    Hear(&'static [u8]),
    Say(&'static str),
    /// Receive so many bytes, then break the connection.
    Break(usize),
}
use Step::{Break, Hear, Say};

fn timeouts() -> Timeouts {
    let long = Duration::from_secs(20);
    Timeouts { connect: long, reply: long, send: long, confirm: long, poll: Duration::from_millis(1) }
}

/// For printers that do not answer.
fn impatient() -> Timeouts {
    let short = Duration::from_millis(60);
    Timeouts { reply: short, send: short, confirm: short, ..timeouts() }
}

/// Follows the script, then reads on until the other side hangs up; gives back what it heard after the script.
async fn follow(mut stream: TcpStream, script: Vec<Step>) -> Vec<u8> {
    for step in script {
        match step {
            Hear(expected) => {
                let mut heard = vec![0; expected.len()];
                stream.read_exact(&mut heard).await.unwrap();
                assert_eq!(String::from_utf8_lossy(&heard), String::from_utf8_lossy(expected));
            }
            Say(words) => stream.write_all(words.as_bytes()).await.unwrap(),
            Break(bytes) => {
                stream.read_exact(&mut vec![0; bytes]).await.unwrap();
                return Vec::new();
            }
        }
    }
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.ok();
    rest
}

async fn printer(script: Vec<Step>, timeouts: Timeouts) -> (Connection, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
    let served = tokio::spawn(async move { follow(listener.accept().await.unwrap().0, script).await });
    let allowed = AllowList::parse_demo("127.0.0.1/32").unwrap();
    (Connection::open(&target, &allowed, timeouts).await.unwrap(), served)
}

/// One look at the printer: its status, then its counter.
fn look(status: &'static str, counter: &'static str) -> [Step; 4] {
    [Hear(HOST_STATUS), Say(status), Hear(LABEL_COUNTER), Say(counter)]
}

#[tokio::test]
async fn a_label_is_sent_and_proved() {
    let mut script = Vec::from(look(IDLE, "\"10\""));
    script.push(Hear(LABEL));
    script.extend(look(BUSY, "\"10\""));
    script.extend(look(BUSY, "\"11\""));
    script.extend(look(IDLE, "\"11\""));
    let (mut printer, served) = printer(script, timeouts()).await;

    assert!(printer.status().await.unwrap().is_idle());
    assert_eq!(printer.odometer().await.unwrap(), Some(10));
    printer.send_label(LABEL).await.unwrap();
    assert_eq!(printer.confirm(Some(10), 1).await, Ok(Proof::Counter { before: 10, after: 11 }));
    drop(printer);
    assert_eq!(served.await.unwrap(), b"");
}

#[tokio::test]
async fn faults_are_reported() {
    let (mut printer, _served) = printer(vec![Hear(HOST_STATUS), Say(NO_PAPER)], timeouts()).await;
    let status = printer.status().await.unwrap();
    assert_eq!(status.fault(), Some(PrinterFault::MediaOut));
    assert!(matches!(status, Status::Heard(host) if host.formats_in_buffer == 1 && host.labels_remaining == 1));
}

#[tokio::test]
async fn silence_is_an_answer() {
    let (mut printer, served) = printer(vec![], impatient()).await;
    assert_eq!(printer.status().await.unwrap(), Status::Silent);
    assert_eq!(printer.odometer().await.unwrap(), None);
    printer.send_label(LABEL).await.unwrap();
    assert_eq!(printer.confirm(None, 1).await, Ok(Proof::None));
    drop(printer);
    assert_eq!(served.await.unwrap(), [HOST_STATUS, LABEL_COUNTER, LABEL, HOST_STATUS].concat());
}

#[tokio::test]
async fn gibberish_is_cut_short() {
    let noise: &'static str = "login: ".repeat(20_000).leak();
    let script = vec![Hear(HOST_STATUS), Say("hello\x03\x03\x03"), Hear(LABEL_COUNTER), Say("\"?\""), Say(noise)];
    let (mut printer, _served) = printer(script, timeouts()).await;
    assert_eq!(printer.status().await.unwrap(), Status::Unclear);
    assert_eq!(printer.odometer().await.unwrap(), None);
    assert_eq!(printer.status().await.unwrap(), Status::Unclear);
}

#[tokio::test]
async fn a_printer_that_hung_up_gets_nothing() {
    let (mut printer, _served) = printer(vec![Break(0)], timeouts()).await;
    assert_eq!(printer.status().await.unwrap_err().fault(), PrinterFault::ConnectionLost);
    let nothing = SendError::NothingSent(PrinterFault::ConnectionLost);
    assert_eq!(printer.send_label(LABEL).await, Err(nothing));
    assert_eq!(printer.odometer().await.unwrap_err().fault(), PrinterFault::ConnectionLost);
}

#[tokio::test]
async fn a_break_inside_a_label_is_not_nothing() {
    let (mut printer, _served) = printer(vec![Break(1000)], timeouts()).await;
    let result = printer.send_label(&vec![b'0'; HUGE]).await;
    assert!(matches!(result, Err(SendError::Broken { written }) if (1000..HUGE).contains(&written)), "{result:?}");
    assert!(matches!(printer.confirm(Some(1), 1).await, Err(Uncertain::Fault(PrinterFault::ConnectionLost))));
}

#[tokio::test]
async fn a_printer_that_stops_reading_does_not_hold_us() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
    let allowed = AllowList::parse_demo("127.0.0.1/32").unwrap();
    let mut printer = Connection::open(&target, &allowed, impatient()).await.unwrap();
    let result = printer.send_label(&vec![b'0'; HUGE]).await;
    assert!(matches!(result, Err(SendError::Broken { written }) if written > 0), "{result:?}");
}

#[tokio::test]
async fn a_break_after_the_label_is_settled_by_the_counter() {
    let (mut second, _served) = printer(Vec::from(look(IDLE, "\"11\"")), timeouts()).await;
    assert_eq!(second.confirm(Some(10), 1).await, Ok(Proof::Counter { before: 10, after: 11 }));

    let (mut second, _served) = printer(vec![Hear(HOST_STATUS), Say(IDLE)], timeouts()).await;
    assert_eq!(second.confirm(None, 1).await, Err(Uncertain::NoCounter));
}

#[tokio::test]
async fn a_printer_without_a_counter_proves_nothing() {
    let script = vec![Hear(LABEL), Hear(HOST_STATUS), Say(BUSY), Hear(HOST_STATUS), Say(IDLE)];
    let (mut printer, _served) = printer(script, timeouts()).await;
    printer.send_label(LABEL).await.unwrap();
    assert_eq!(printer.confirm(None, 1).await, Ok(Proof::None));
}

#[tokio::test]
async fn a_printer_that_falls_silent_after_the_label_is_doubted() {
    let script = vec![Hear(HOST_STATUS), Say(IDLE), Hear(LABEL)];
    let patient = Timeouts { reply: Duration::from_millis(500), ..impatient() };
    let (mut printer, _served) = printer(script, patient).await;
    assert!(printer.status().await.unwrap().is_idle());
    printer.send_label(LABEL).await.unwrap();
    assert_eq!(printer.confirm(None, 1).await, Err(Uncertain::Fault(PrinterFault::Silent)));
}

#[tokio::test]
async fn each_doubt_has_its_reason() {
    let (before, moment) = (10, Timeouts { confirm: Duration::ZERO, ..timeouts() });
    for (status, counter, reason) in [
        (IDLE, "\"10\"", Uncertain::NotCounted { before, after: 10 }),
        (IDLE, "\"12\"", Uncertain::CounterJumped { before, after: 12 }),
        (BUSY, "\"3\"", Uncertain::CounterJumped { before, after: 3 }),
        (BUSY, "\"11\"", Uncertain::StillBusy),
        (NO_PAPER, "\"11\"", Uncertain::Fault(PrinterFault::MediaOut)),
        (IDLE, "\"?\"", Uncertain::Fault(PrinterFault::Silent)),
        ("no\x03\x03\x03", "\"11\"", Uncertain::Fault(PrinterFault::Unclear)),
    ] {
        let (mut printer, _served) = printer(Vec::from(look(status, counter)), moment).await;
        assert_eq!(printer.confirm(Some(before), 1).await, Err(reason));
    }
}

#[tokio::test]
async fn a_late_answer_is_not_taken_for_the_next_one() {
    let script =
        vec![Hear(HOST_STATUS), Say(IDLE), Say(IDLE), Hear(LABEL_COUNTER), Say("\"7\""), Hear(HOST_STATUS), Say(BUSY)];
    let (mut printer, _served) = printer(script, timeouts()).await;
    printer.status().await.unwrap();
    // Whether the second answer arrives before or with the counter, it is never read as one.
    assert!(matches!(printer.odometer().await.unwrap(), Some(7) | None));
    assert!(!printer.status().await.unwrap().is_idle());
}

#[tokio::test]
async fn forbidden_and_absent_printers_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let demo = AllowList::parse_demo("127.0.0.1/32").unwrap();
    for (host, allowed) in [
        ("127.0.0.1", &AllowList::parse("192.168.1.0/24").unwrap()),
        ("localhost", &demo),
        ("127.0.0.2", &demo),
        ("::1", &demo),
        ("169.254.169.254", &demo),
    ] {
        let refused = Connection::open(&Target { host: host.to_owned(), port }, allowed, timeouts()).await;
        assert_eq!(refused.unwrap_err().fault(), PrinterFault::AddressRefused, "{host}");
    }
    drop(listener);
    let absent = Connection::open(&Target { host: "127.0.0.1".to_owned(), port }, &demo, timeouts()).await;
    assert_eq!(absent.unwrap_err().fault(), PrinterFault::Unreachable);
}
