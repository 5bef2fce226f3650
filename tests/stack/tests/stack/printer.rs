//! The virtual printer, seen from its port.

use std::time::Duration;

use stack::printer::{Fault, Options, VirtualPrinter};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(5);

fn label(number: usize) -> String {
    format!("^XA^PW16^LL2^FO0,0^GFA,4,4,2,F,:^FS^FO0,0^FD{number}^FS^XZ")
}

fn numbers(printer: &VirtualPrinter) -> Vec<String> {
    printer.labels().iter().map(|label| label.texts()[0].to_owned()).collect()
}

async fn printer() -> (VirtualPrinter, TcpStream) {
    let printer = VirtualPrinter::start(Options::default()).await.unwrap();
    let port = TcpStream::connect(printer.addr()).await.unwrap();
    (printer, port)
}

async fn ask(port: &mut TcpStream, question: &str, end: &str) -> String {
    port.write_all(question.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&answer).ends_with(end) {
            answer.push(port.read_u8().await.unwrap());
        }
    };
    timeout(SOON, reading).await.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn status(port: &mut TcpStream) -> String {
    ask(port, "~HS", "0000,0\x03\r\n").await
}

/// The connection ends in an error, not in an orderly close.
async fn is_reset(mut port: TcpStream) -> bool {
    timeout(SOON, port.read(&mut [0; 64])).await.unwrap().is_err()
}

#[tokio::test]
async fn labels_come_out_in_order_and_are_counted() {
    let (printer, mut port) = printer().await;
    for number in 1..=3 {
        port.write_all(label(number).as_bytes()).await.unwrap();
    }
    port.write_all(b"^XA^FDtwice^PQ2^XZ").await.unwrap();

    printer.wait_for_labels(5, SOON).await.unwrap();

    assert_eq!(numbers(&printer), ["1", "2", "3", "twice", "twice"]);
    assert_eq!(printer.labels()[0].bitmap.rows, [0xF0, 0, 0xF0, 0]);
    let count = ask(&mut port, "! U1 getvar \"odometer.total_label_count\"\r\n", "5\"").await;
    assert_eq!(count, "\"5\"");
    assert_eq!(ask(&mut port, "! U1 getvar \"odometer.unknown\"\r\n", "?\"").await, "\"?\"");
}

#[tokio::test]
async fn labels_are_stored_as_files() {
    let folder = std::env::temp_dir().join(format!("wbprinter-{}", std::process::id()));
    let options = Options { folder: Some(folder.clone()), ..Options::default() };
    let printer = VirtualPrinter::start(options).await.unwrap();
    let mut port = TcpStream::connect(printer.addr()).await.unwrap();
    port.write_all(label(1).as_bytes()).await.unwrap();

    let labels = printer.wait_for_labels(1, SOON).await.unwrap();

    assert_eq!(std::fs::read_to_string(folder.join("000001.zpl")).unwrap(), label(1));
    assert_eq!(labels[0].png.as_deref(), Some(folder.join("000001.png").as_path()));
    assert!(std::fs::read(folder.join("000001.png")).unwrap().starts_with(b"\x89PNG"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn without_paper_labels_wait_and_the_status_says_so() {
    let (printer, mut port) = printer().await;
    printer.fault(Fault::MediaOut);
    port.write_all(format!("{}{}", label(1), label(2)).as_bytes()).await.unwrap();

    let told = status(&mut port).await;

    assert!(told.starts_with("\x02030,1,1,0320,002,"), "{told:?}");
    assert!(ask(&mut port, "~HQES", "\x03").await.contains("1 00000000 00000001"));
    assert!(numbers(&printer).is_empty());
    printer.clear();
    printer.wait_for_labels(2, SOON).await.unwrap();
    assert_eq!(numbers(&printer), ["1", "2"]);
}

#[tokio::test]
async fn waiting_labels_can_be_cancelled() {
    let (printer, mut port) = printer().await;
    printer.fault(Fault::HeadOpen);
    port.write_all(format!("{}^XA^FDhalf", label(1)).as_bytes()).await.unwrap();
    let told = status(&mut port).await;
    assert!(told.contains(",001,0,0,1,000,") && told.contains("\x02001,0,1,0,"), "{told:?}");

    port.write_all(b"~JA").await.unwrap();

    assert!(status(&mut port).await.contains(",000,0,0,0,000,"));
    printer.clear();
    port.write_all(label(2).as_bytes()).await.unwrap();
    printer.wait_for_labels(1, SOON).await.unwrap();
    assert_eq!(numbers(&printer), ["2"]);
}

#[tokio::test]
async fn a_reset_at_any_byte_prints_exactly_what_was_complete() {
    let stream = format!("{}{}", label(1), label(2));
    for bytes in [0, 1, label(1).len() - 1, label(1).len(), label(1).len() + 1, stream.len() - 1] {
        let (printer, mut port) = printer().await;
        printer.fault(Fault::ResetAfter(bytes));
        let _ = port.write_all(stream.as_bytes()).await;

        assert!(is_reset(port).await, "after {bytes}");

        let mut port = TcpStream::connect(printer.addr()).await.unwrap();
        ask(&mut port, "~JX~HQES", "\x03").await;
        let complete = usize::from(bytes >= label(1).len());
        printer.wait_for_labels(complete, SOON).await.unwrap();
        assert_eq!(numbers(&printer).len(), complete, "after {bytes}");
        assert_eq!(printer.odometer(), complete as u64);
    }
}

#[tokio::test]
async fn half_a_label_stays_over_a_broken_connection_until_it_is_cancelled() {
    let (printer, mut port) = printer().await;
    port.write_all(b"^XA^FDhalf").await.unwrap();
    assert!(status(&mut port).await.contains(",000,0,0,1,000,"));
    drop(port);

    let mut port = TcpStream::connect(printer.addr()).await.unwrap();
    assert!(status(&mut port).await.contains(",000,0,0,1,000,"));
    port.write_all(b"~JX").await.unwrap();
    assert!(status(&mut port).await.contains(",000,0,0,0,000,"));
    assert!(numbers(&printer).is_empty());
}

#[tokio::test]
async fn a_crash_before_the_count_prints_without_counting_and_loses_the_rest() {
    let (printer, mut port) = printer().await;
    printer.fault(Fault::CrashBeforeCount);
    port.write_all(format!("{}{}", label(1), label(2)).as_bytes()).await.unwrap();

    assert!(is_reset(port).await);

    assert_eq!(numbers(&printer), ["1"]);
    assert_eq!((printer.odometer(), printer.waiting()), (0, 0));
}

#[tokio::test]
async fn a_stalled_printer_accepts_and_reads_nothing() {
    let printer = VirtualPrinter::start(Options::default()).await.unwrap();
    printer.fault(Fault::Stall);
    let mut port = TcpStream::connect(printer.addr()).await.unwrap();
    let flood = vec![b' '; 64 << 20];
    assert!(timeout(Duration::from_millis(300), port.write_all(&flood)).await.is_err(), "the window closes");
}

#[tokio::test]
async fn a_silent_printer_prints_but_does_not_answer() {
    let (printer, mut port) = printer().await;
    printer.fault(Fault::Silent);
    port.write_all(format!("~HS{}", label(1)).as_bytes()).await.unwrap();
    printer.wait_for_labels(1, SOON).await.unwrap();
    printer.clear();
    assert!(ask(&mut port, "~HQES", "\x03").await.starts_with("\x02\r\n  PRINTER STATUS"));
}

#[tokio::test]
async fn a_printer_that_is_off_refuses_and_comes_back_at_its_address() {
    let (printer, port) = printer().await;
    printer.fault(Fault::Refuse);
    assert!(is_reset(port).await);
    let refused = || async {
        anyhow::ensure!(TcpStream::connect(printer.addr()).await.is_err());
        anyhow::Ok(())
    };
    stack::wait::until_ok("the port closes", SOON, async || refused().await).await.unwrap();

    printer.clear();
    let again = async || Ok(TcpStream::connect(printer.addr()).await?);
    let mut port = stack::wait::until_ok("the port opens", SOON, again).await.unwrap();
    port.write_all(label(1).as_bytes()).await.unwrap();
    printer.wait_for_labels(1, SOON).await.unwrap();
}

#[tokio::test]
async fn speed_is_kept() {
    let options = Options { labels_per_second: Some(50.0), ..Options::default() };
    let printer = VirtualPrinter::start(options).await.unwrap();
    let mut port = TcpStream::connect(printer.addr()).await.unwrap();
    let begin = std::time::Instant::now();
    for number in 0..5 {
        port.write_all(label(number).as_bytes()).await.unwrap();
    }
    printer.wait_for_labels(5, SOON).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_stopped_printer_frees_its_port() {
    let (printer, _port) = printer().await;
    let address = printer.addr();
    printer.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}
