//! Reading a table out of a file that somebody sent: CSV in whatever a spreadsheet writes, or the first sheet of an XLSX.
//! What the file claims is not believed: it is unpacked once and counted before it is read, row by row.

use std::io::{Cursor, Read};

use calamine::{DataRef, Reader, Xlsx};
use csv::{ReaderBuilder, Trim};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1251};
use zip::ZipArchive;

use super::ImportFormat;
use crate::{Error, Result};

/// Rows with something in them, beside the header.
pub const MOST_ROWS: usize = 100_000;
/// Bytes of a file.
pub const MOST_BYTES: usize = 10 << 20;
const MOST_COLUMNS: usize = 100;
const MOST_LETTERS: usize = 4000;
/// Bytes of all parts of a workbook, unpacked.
const UNPACKED: u64 = 200 << 20;
/// Bytes of the one part that has to be held in memory: the table of texts.
const TEXTS: u64 = 48 << 20;
/// How many times larger than packed; below [`FORGIVEN`] bytes nobody asks.
const RATIO: u64 = 100;
const FORGIVEN: u64 = 10 << 20;
const MOST_PARTS: usize = 1000;
const DELIMITERS: [u8; 4] = [b';', b',', b'\t', b'|'];

/// What is read: the header first, then each row that has something in it, with its number.
pub(super) type Line = (i32, Vec<String>);

/// What kind of file this is, by what it holds; nobody believes names.
pub(super) fn format(file: &[u8]) -> ImportFormat {
    if file.starts_with(b"PK\x03\x04") { ImportFormat::Xlsx } else { ImportFormat::Csv }
}

/// Reads the file and gives each line away at once; stops early if nobody takes them any more.
pub(super) fn read(file: &[u8], take: &mut dyn FnMut(Line) -> bool) -> Result<()> {
    let mut lines = Lines { width: 0, rows: 0, take };
    match format(file) {
        ImportFormat::Xlsx => xlsx(file, &mut lines)?,
        ImportFormat::Csv => csv(file, &mut lines)?,
    }
    match (lines.width, lines.rows) {
        (0, _) => Err(wrong("is empty")),
        (_, 0) => Err(wrong("has no row beneath the header")),
        _ => Ok(()),
    }
}

fn wrong(why: impl Into<String>) -> Error {
    Error::invalid("file", why)
}

struct Lines<'a> {
    /// Columns of the header; 0 before it was there.
    width: usize,
    rows: usize,
    take: &'a mut dyn FnMut(Line) -> bool,
}

impl Lines<'_> {
    /// False once nobody takes lines any more.
    fn line(&mut self, number: usize, mut cells: Vec<String>) -> Result<bool> {
        let filled = cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
        if filled == 0 {
            return Ok(true);
        }
        if self.width == 0 {
            if filled > MOST_COLUMNS {
                return Err(wrong(format!("has more than {MOST_COLUMNS} columns")));
            }
            self.width = filled;
        } else {
            self.rows += 1;
            if self.rows > MOST_ROWS {
                return Err(wrong(format!("has more than {MOST_ROWS} rows")));
            }
        }
        cells.resize(self.width, String::new());
        let number = i32::try_from(number).map_err(|_| wrong("has too many lines"))?;
        Ok((self.take)((number, cells)))
    }
}

/// As text of a cell: without blanks around, and without the apostrophe that keeps it from being a formula.
fn cell(text: &str, number: usize) -> Result<String> {
    let text = text.trim();
    if text.chars().count() > MOST_LETTERS {
        return Err(wrong(format!("line {number} has a cell of more than {MOST_LETTERS} characters")));
    }
    let led = text.strip_prefix('\'').filter(|rest| {
        let first = rest.trim_start_matches([' ', '\u{a0}', '"', '\'']).chars().next();
        first.is_some_and(|first| "=+-@\t\r\n＝＋－＠".contains(first))
    });
    // Postgres keeps no zero in a text.
    Ok(led.unwrap_or(text).replace('\0', ""))
}

fn csv(file: &[u8], lines: &mut Lines<'_>) -> Result<()> {
    let text = decode(file);
    let delimiter = delimiter(&text);
    let mut reader = reader(&text, delimiter);
    let mut record = csv::StringRecord::new();
    let mut count = Count { text: text.as_bytes(), at: 0, line: 0 };
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(wrong(format!("cannot be read as CSV: {error}"))),
        }
        let number = count.line(record.position().map_or(0, |at| usize::try_from(at.byte()).unwrap_or(usize::MAX)));
        let cells = record.iter().map(|text| cell(text, number)).collect::<Result<_>>()?;
        if !lines.line(number, cells)? {
            return Ok(());
        }
    }
}

/// Lines as an editor counts them: the reader's own count is behind where lines are empty, or end with two letters.
struct Count<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl Count<'_> {
    /// The number of the line in which the record behind this place begins; each has another one.
    fn line(&mut self, place: usize) -> usize {
        let (before, behind) = self.text.split_at(place.clamp(self.at, self.text.len()));
        let ends = behind.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        let passed = before[self.at..].iter().chain(ends.clone()).filter(|byte| **byte == b'\n').count();
        self.at = before.len() + ends.count();
        self.line += passed.max(1);
        self.line
    }
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::None)
        .delimiter(delimiter)
        .from_reader(text.as_bytes())
}

/// UTF-8 or UTF-16 where the file says so, UTF-8 where it is that, and else what Russian spreadsheets write.
fn decode(file: &[u8]) -> String {
    let encoding = match Encoding::for_bom(file) {
        Some((encoding, _)) => encoding,
        None if std::str::from_utf8(file).is_ok() => UTF_8,
        None => WINDOWS_1251,
    };
    encoding.decode(file).0.into_owned()
}

/// The one that divides the first lines into the most columns, each of them.
fn delimiter(text: &str) -> u8 {
    let columns = |delimiter: u8| {
        let records = reader(text, delimiter).into_records().take(20).map_while(std::result::Result::ok);
        records.filter(|record| !record.iter().all(str::is_empty)).map(|record| record.len()).min().unwrap_or(0)
    };
    // The first of equals: what comes first in the list is the likelier one.
    DELIMITERS.into_iter().rev().max_by_key(|delimiter| columns(*delimiter)).unwrap_or(b',')
}

fn xlsx(file: &[u8], lines: &mut Lines<'_>) -> Result<()> {
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

/// Unpacks every part and throws it away, counting: what a workbook says of its size is not believed.
fn weigh(file: &[u8]) -> Result<()> {
    let unreadable = |error: &dyn std::fmt::Display| wrong(format!("cannot be read as XLSX: {error}"));
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(|error| unreadable(&error))?;
    if archive.len() > MOST_PARTS {
        return Err(wrong("has too many parts"));
    }
    let packed = u64::try_from(file.len()).unwrap_or(u64::MAX);
    let mut unpacked = 0;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| unreadable(&error))?;
        let is_of_texts = part.name().map_err(|error| unreadable(&error))?.ends_with("sharedStrings.xml");
        let most = if is_of_texts { TEXTS } else { UNPACKED };
        let most = most.min(UNPACKED - unpacked);
        let size = std::io::copy(&mut part.take(most + 1), &mut std::io::sink()).map_err(|error| unreadable(&error))?;
        unpacked += size;
        if size > most || (unpacked > FORGIVEN && unpacked / packed.max(1) > RATIO) {
            return Err(wrong("becomes too large when it is unpacked"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn lines(file: &[u8]) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        read(file, &mut |line| {
            lines.push(line);
            true
        })?;
        Ok(lines)
    }

    fn why(file: &[u8]) -> String {
        match lines(file) {
            Err(Error::Invalid { field, why }) if field == "file" => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn csv_is_read_in_whatever_a_spreadsheet_writes() {
        let text = "Артикул;Название\r\n\r\nА-1;\"Кружка; синяя\"\r\n;;\r\nА-2;'=1\r\n";
        let (cp1251, _, _) = WINDOWS_1251.encode(text);
        let utf16: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        for file in [text.as_bytes(), &cp1251, &utf16, format!("\u{feff}{text}").as_bytes()] {
            let read = lines(file).unwrap();
            let cells: Vec<Vec<&str>> =
                read.iter().map(|(_, cells)| cells.iter().map(String::as_str).collect()).collect();
            assert_eq!(cells, [["Артикул", "Название"], ["А-1", "Кружка; синяя"], ["А-2", "=1"]]);
            assert_eq!((read[0].0, read[2].0), (1, 5), "lines are counted as the file counts them");
        }
        for delimiter in [",", "\t", "|"] {
            assert_eq!(lines(text.replace(';', delimiter).as_bytes()).unwrap()[0].1.len(), 2, "{delimiter}");
        }
    }

    #[test]
    fn what_is_too_much_is_refused() {
        assert_eq!(why(b""), "is empty");
        assert_eq!(why(b"sku;name\n"), "has no row beneath the header");
        assert!(why(format!("sku\n{}", "a\n".repeat(MOST_ROWS + 1)).as_bytes()).contains("rows"));
        assert!(why(format!("sku\n{}", "a".repeat(MOST_LETTERS + 1)).as_bytes()).contains("line 2"));
        assert!(why("a;".repeat(MOST_COLUMNS + 1).as_bytes()).contains("columns"));
        assert!(why(b"PK\x03\x04 no zip").contains("XLSX"));
    }

    /// The smallest workbook, with these texts.
    fn workbook(texts: &str) -> Vec<u8> {
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
            (
                "xl/worksheets/sheet1.xml",
                "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c></row>\
                 <row r=\"2\"><c r=\"A2\" t=\"s\"><v>1</v></c></row></sheetData></worksheet>"
                    .to_owned(),
            ),
            ("xl/sharedStrings.xml", texts.to_owned()),
        ] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn a_workbook_brings_no_words_of_its_own() {
        let plain = workbook("<sst><si><t>sku</t></si><si><t>A &amp; B</t></si></sst>");
        assert_eq!(lines(&plain).unwrap()[1], (2, vec!["A & B".to_owned()]));
        let word = "<!DOCTYPE sst [<!ENTITY word \"lol\"><!ENTITY file SYSTEM \"file:///etc/hostname\">]>";
        for entity in ["word", "file"] {
            let texts = format!("{word}<sst><si><t>sku</t></si><si><t>A&{entity};B</t></si></sst>");
            let read = lines(&workbook(&texts));
            let is_as_written = |cell: &String| ["AB", "A"].contains(&cell.as_str()) || cell.contains('&');
            assert!(read.is_err() || read.as_ref().is_ok_and(|lines| is_as_written(&lines[1].1[0])), "{read:?}");
        }
    }

    #[test]
    fn a_small_file_that_becomes_a_large_one_is_refused() {
        for (name, size) in [("xl/worksheets/sheet1.xml", 60 << 20), ("xl/sharedStrings.xml", 49 << 20)] {
            let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            let block = vec![b' '; 1 << 20];
            for _ in 0..(size >> 20) {
                zip.write_all(&block).unwrap();
            }
            let bomb = zip.finish().unwrap().into_inner();
            assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
            assert_eq!(why(&bomb), "becomes too large when it is unpacked");
        }
    }
}
