//! Files that claim too much, come too many at once, or from nobody: refused in words, and the API goes on.

use std::io::{Cursor, Write};

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use it::TestApp;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";

/// The smallest workbook: two texts of which it claims so many, and rows of these numbers.
fn workbook(claim: &str, numbers: &[u32]) -> Result<Vec<u8>> {
    let row = |number: &u32| {
        format!("<row r=\"{number}\"><c r=\"A{number}\" t=\"s\"><v>{}</v></c></row>", u8::from(*number > 1))
    };
    let related = |id: &str, kind: &str, target: &str| {
        format!(
            "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"{id}\" Type=\"{OFFICE}/{kind}\" Target=\"{target}\"/></Relationships>"
        )
    };
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [
        ("_rels/.rels", related("rId1", "officeDocument", "xl/workbook.xml")),
        ("xl/_rels/workbook.xml.rels", related("rId1", "worksheet", "worksheets/sheet1.xml")),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns:r=\"{OFFICE}\"><sheets><sheet name=\"1\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!("<worksheet><sheetData>{}</sheetData></worksheet>", numbers.iter().map(row).collect::<String>()),
        ),
        ("XL/SharedStrings.xml", format!("<sst uniqueCount=\"{claim}\"><si><t>sku</t></si><si><t>A-1</t></si></sst>")),
    ] {
        zip.start_file(name, SimpleFileOptions::default())?;
        zip.write_all(content.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

#[tokio::test]
async fn a_file_that_claims_or_repeats_too_much_is_refused_in_words() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    for (file, why) in [
        (workbook("9000000000000000", &[1, 2])?, "claims to hold too many texts"),
        (workbook("2", &[1, 3, 2])?, "has line 2 behind line 3"),
        (workbook("2", &[1, 2, 3, 2])?, "has line 2 behind line 3"),
        (";".repeat(10 << 20).into_bytes(), "line 1 has more than 16384 columns or 2097152 bytes"),
    ] {
        let answer = client.upload("/product-imports", file).await?;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "invalid"), "{why}: {}", answer.body);
        assert!(answer.body["detail"].as_str().is_some_and(|detail| detail.contains(why)), "{}", answer.body);
    }
    assert_eq!(app.count("SELECT count(*) FROM product_imports").await?, 0);
    let good = client.upload("/product-imports", workbook("2", &[1, 2])?).await?;
    assert_eq!((good.status.as_u16(), &good.body["rows"]), (201, &json!(1)), "{}", good.body);
    Ok(())
}

#[tokio::test]
async fn who_waits_to_have_a_file_read_holds_no_connection() -> Result<()> {
    let app = TestApp::start().await?;
    let client = app.enterprise("Ромашка").await?;
    let turn = shared::products::imports::turn().await?;
    // More than there are connections, and more than fit into the line.
    let mut waiting: FuturesUnordered<_> =
        (0..12).map(|_| client.upload("/product-imports", b"sku;name\nA;B\n".to_vec())).collect();
    for _ in 0..5 {
        let answer = waiting.next().await.context("an answer")??;
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "unavailable"), "{}", answer.body);
    }
    // The other seven are in line now.
    client.get("/products").await?;
    assert_eq!(
        app.count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'")
            .await?,
        0
    );
    drop(turn);
    while let Some(answer) = waiting.next().await {
        assert_eq!(answer?.status.as_u16(), 201);
    }
    Ok(())
}

#[tokio::test]
async fn a_large_body_is_read_of_who_is_recognised_and_of_nobody_else() -> Result<()> {
    let app = TestApp::start().await?;
    let address = app.url.strip_prefix("http://").context("plain")?;
    for (token, key) in [
        ("Bearer wbk_nobody", "Idempotency-Key: 1\r\n"),
        ("Bearer a.b.c", "Idempotency-Key: 2\r\n"),
        ("Basic eA==", "Idempotency-Key: 3\r\n"),
    ] {
        let mut stream = TcpStream::connect(address).await?;
        let head = format!(
            "POST /product-imports HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\n{key}\
             Content-Type: application/octet-stream\r\nContent-Length: 10485760\r\n\r\nsku;"
        );
        stream.write_all(head.as_bytes()).await?;
        // Nothing more comes: whoever wants the rest first waits for it in vain.
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        ensure!(&answer == b"HTTP/1.1 401", "{token}: {}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}
