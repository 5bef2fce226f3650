//! A price list as a spreadsheet writes it, its texts in one table, on its way through the import.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::LONG;
use crate::bench::Figure;
use crate::client::text;
use crate::{Client, Stack};

const ROWS: usize = 100_000;
const MEMORY: u64 = 200_000_000;
const HEADER: [&str; 6] = ["Артикул", "Наименование", "Бренд", "Штрихкод", "Вес, г", "Мин. остаток"];
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const KIND: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml";

/// Reads, checks and writes it; says what that took of memory and of time.
pub(super) async fn figures(stack: &Stack, client: &Client) -> Result<[Figure; 2]> {
    let file = workbook()?;
    let size = file.len() >> 10;
    let programs = [&stack.api, &stack.workers[0]];
    let before = programs.map(crate::programs::Program::resident_bytes);
    let mut begin = Instant::now();
    let mut took = || std::mem::replace(&mut begin, Instant::now()).elapsed().as_secs_f64();
    let answer = client.upload("/product-imports?fileName=price.xlsx", file).await?;
    ensure!(answer.status.as_u16() == 201 && answer.body["rows"] == json!(ROWS), "{}", answer.body);
    let (read, path) = (took(), format!("/product-imports/{}", text(&answer.body, "id")?));
    let step = async |step: &str, ended: &str| {
        client.post(&format!("{path}/{step}"), json!({})).await?;
        client.until(&path, LONG, |import: &Value| import["status"] == ended).await
    };
    step("check", "checked").await?;
    let checked = took();
    let done = step("commit", "committed").await?;
    let written = took();
    ensure!(done["written"] == json!(ROWS), "{done}");
    let mut grown = [0; 2];
    for ((grown, program), before) in grown.iter_mut().zip(programs).zip(before) {
        *grown = program.peak_bytes()?.saturating_sub(before?);
    }
    let [api, worker] = grown.map(|bytes| bytes / 1_000_000);
    Ok([
        Figure {
            what: "memory of the import of 100,000 products from XLSX",
            promise: "< 200 MB each",
            reached: format!(
                "the API that reads {size} KiB + {api} MB, the worker that checks and writes + {worker} MB"
            ),
            held: grown.iter().all(|bytes| *bytes < MEMORY),
        },
        Figure {
            what: "time of the same import",
            promise: "each step < 120 s",
            reached: format!("read {read:.1} s, dry run {checked:.1} s, written {written:.1} s"),
            held: [read, checked, written].iter().all(|seconds| *seconds < 120.0),
        },
    ])
}

/// The barcode of a row.
pub(super) fn barcode(row: usize) -> String {
    format!("46{row:011}")
}

fn workbook() -> Result<Vec<u8>> {
    let (mut texts, mut sheet) = (String::new(), String::new());
    let mut known = 0;
    let mut cell = |sheet: &mut String, column: char, row: usize, text: &str| {
        write!(texts, "<si><t>{text}</t></si>")?;
        write!(sheet, "<c r=\"{column}{row}\" t=\"s\"><v>{known}</v></c>")?;
        known += 1;
        anyhow::Ok(())
    };
    sheet.push_str("<row r=\"1\">");
    for (column, name) in ('A'..).zip(HEADER) {
        cell(&mut sheet, column, 1, name)?;
    }
    sheet.push_str("</row>");
    for number in 0..ROWS {
        let row = number + 2;
        write!(sheet, "<row r=\"{row}\">")?;
        cell(&mut sheet, 'A', row, &format!("PRICE-{number:06}"))?;
        cell(&mut sheet, 'B', row, &format!("Скатерть льняная с вышивкой, {number} × 140 см"))?;
        cell(&mut sheet, 'C', row, &format!("Бренд {}", number % 300))?;
        cell(&mut sheet, 'D', row, &barcode(number))?;
        write!(sheet, "<c r=\"E{row}\"><v>{}</v></c><c r=\"F{row}\"><v>5</v></c></row>", 100 + number % 900)?;
    }
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
    let part = |name: &str| format!("<Override PartName=\"/xl/{name}.xml\" ContentType=\"{KIND}");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [
        (
            "[Content_Types].xml",
            format!(
                "<Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"rels\" \
                 ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>{}.sheet.main+xml\"/>{}.worksheet+xml\"/>{}.sharedStrings+xml\"/></Types>",
                part("workbook"),
                part("worksheets/sheet1"),
                part("sharedStrings")
            ),
        ),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" Type=\"{OFFICE}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets><sheet name=\"Лист1\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" Type=\"{OFFICE}/worksheet\" Target=\"worksheets/sheet1.xml\"/>\
                 <Relationship Id=\"rId2\" Type=\"{OFFICE}/sharedStrings\" Target=\"sharedStrings.xml\"/></Relationships>"
            ),
        ),
        ("xl/worksheets/sheet1.xml", format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{sheet}</sheetData></worksheet>")),
        (
            "xl/sharedStrings.xml",
            format!("<sst xmlns=\"{MAIN}\" count=\"{known}\" uniqueCount=\"{known}\">{texts}</sst>"),
        ),
    ] {
        zip.start_file(name, SimpleFileOptions::default())?;
        zip.write_all(head.as_bytes())?;
        zip.write_all(content.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}
