//! Reading the first sheet of an XLSX, row by row, once it was weighed.

use std::io::Cursor;

use calamine::{DataRef, Reader, Xlsx};

use super::file::{Lines, MOST_COLUMNS, cell, wrong};
use super::weigh::weigh;
use crate::Result;

pub(super) fn read(file: &[u8], lines: &mut Lines<'_>) -> Result<()> {
    weigh(file)?;
    let unreadable = |error: calamine::XlsxError| wrong(format!("cannot be read as XLSX: {error}"));
    let mut workbook = Xlsx::new(Cursor::new(file)).map_err(unreadable)?;
    let sheet = workbook.sheet_names().first().cloned().ok_or_else(|| wrong("has no sheet"))?;
    let mut cells = workbook.worksheet_cells_reader(&sheet).map_err(unreadable)?;
    let (mut at, mut row) = (None, Vec::new());
    while let Some(found) = cells.next_cell().map_err(unreadable)? {
        let (line, column) = found.get_position();
        if at.is_some_and(|at| at != line) {
            let number = usize::try_from(at.unwrap_or(0)).unwrap_or(usize::MAX).saturating_add(1);
            if !lines.line(number, std::mem::take(&mut row))? {
                return Ok(());
            }
        }
        at = Some(line);
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        let text = cell(&shown(found.get_value()), usize::try_from(line).unwrap_or(usize::MAX).saturating_add(1))?;
        if text.is_empty() || column >= MOST_COLUMNS {
            continue;
        }
        if row.len() <= column {
            row.resize(column + 1, String::new());
        }
        row[column] = text;
    }
    if let Some(at) = at {
        lines.line(usize::try_from(at).unwrap_or(usize::MAX).saturating_add(1), row)?;
    }
    Ok(())
}

/// A cell as a person would write it. Barcodes that a spreadsheet took for numbers become digits again.
fn shown(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty | DataRef::Error(_) => String::new(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(flag) => flag.to_string(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        DataRef::Float(number) => number.to_string(),
        DataRef::DateTime(moment) => moment.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::super::file::tests::{lines, why};
    use super::*;

    /// The smallest workbook, with these texts and these rows.
    fn workbook(texts: &str, rows: &str) -> Vec<u8> {
        let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        let package = "http://schemas.openxmlformats.org/package/2006/relationships";
        let related = |parts: &[&str]| {
            let part = |(number, name): (usize, &&str)| {
                let kind = if name.starts_with("work") { "worksheet" } else { "sharedStrings" };
                format!("<Relationship Id=\"rId{number}\" Type=\"{office}/{kind}\" Target=\"{name}.xml\"/>")
            };
            let parts: Vec<_> = parts.iter().enumerate().map(part).collect();
            format!("<Relationships xmlns=\"{package}\">{}</Relationships>", parts.concat())
        };
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let root = format!(
            "<Relationships xmlns=\"{package}\">\
             <Relationship Id=\"rId1\" Type=\"{office}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
        );
        for (name, content) in [
            ("_rels/.rels", root),
            ("xl/_rels/workbook.xml.rels", related(&["worksheets/sheet1", "sharedStrings"])),
            (
                "xl/workbook.xml",
                format!(
                    "<workbook xmlns:r=\"{office}\"><sheets><sheet name=\"1\" sheetId=\"1\" r:id=\"rId0\"/></sheets></workbook>"
                ),
            ),
            ("xl/worksheets/sheet1.xml", format!("<worksheet><sheetData>{rows}</sheetData></worksheet>")),
            ("xl/sharedStrings.xml", texts.to_owned()),
        ] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// A row whose one cell is the text of this number.
    fn row(number: &str, text: u8) -> String {
        format!("<row r=\"{number}\"><c r=\"A{number}\" t=\"s\"><v>{text}</v></c></row>")
    }

    fn two() -> String {
        row("1", 0) + &row("2", 1)
    }

    #[test]
    fn a_workbook_brings_no_words_of_its_own() {
        let plain = workbook("<sst><si><t>sku</t></si><si><t>A &amp; B</t></si></sst>", &two());
        assert_eq!(lines(&plain).unwrap()[1], (2, vec!["A & B".to_owned()]));
        let word = "<!DOCTYPE sst [<!ENTITY word \"lol\"><!ENTITY file SYSTEM \"file:///etc/hostname\">]>";
        for entity in ["word", "file"] {
            let texts = format!("{word}<sst><si><t>sku</t></si><si><t>A&{entity};B</t></si></sst>");
            let read = lines(&workbook(&texts, &two()));
            let is_as_written = |cell: &String| ["AB", "A"].contains(&cell.as_str()) || cell.contains('&');
            assert!(read.is_err() || read.as_ref().is_ok_and(|lines| is_as_written(&lines[1].1[0])), "{read:?}");
        }
    }

    #[test]
    fn what_a_workbook_claims_is_refused_before_room_is_made_for_it() {
        let texts = "<sst uniqueCount=\"9000000000000000\"><si><t>sku</t></si><si><t>A</t></si></sst>";
        assert_eq!(why(&workbook(texts, &two())), "claims to hold too many texts");
    }

    #[test]
    fn rows_come_once_and_in_their_order() {
        let texts = "<sst uniqueCount=\"2\"><si><t>sku</t></si><si><t>A</t></si></sst>";
        for numbers in [["1", "3", "2"], ["2", "3", "2"]] {
            let rows: Vec<_> = numbers.iter().map(|number| row(number, 1)).collect();
            assert_eq!(why(&workbook(texts, &rows.concat())), "has line 2 behind line 3");
        }
    }
}
