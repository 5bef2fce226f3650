//! A workbook that is written while it is sent: a zip without seeking, text beside its cell instead of in one table of all
//! texts. Crates that write workbooks keep them in memory or in a file until the last row is known; this needs a page.

use std::fmt::Write as _;
use std::io::{Error, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use zip::ZipWriter;
use zip::write::{SimpleFileOptions, StreamWriter};

use super::cells::Cell;

/// What a sheet holds, with its header.
const MOST_ROWS: u32 = 1_048_576;
/// What a cell holds.
const MOST_LETTERS: usize = 32_767;
const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// What was written and not yet sent.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Pipe {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) struct Xlsx {
    columns: Vec<(String, &'static str)>,
    pipe: Pipe,
    /// Gone once the end is written.
    zip: Option<ZipWriter<StreamWriter<Pipe>>>,
    sheets: u32,
    row: u32,
    line: String,
}

impl Xlsx {
    pub(super) fn new(columns: Vec<&'static str>) -> Self {
        let pipe = Pipe::default();
        let zip = Some(ZipWriter::new_stream(pipe.clone()));
        let columns = columns.into_iter().enumerate().map(|(index, name)| (letters(index), name)).collect();
        // The first row, or the end, opens the first sheet.
        Self { columns, pipe, zip, sheets: 0, row: MOST_ROWS, line: String::new() }
    }

    pub(super) fn row(&mut self, row: &Value) -> std::io::Result<()> {
        if self.row >= MOST_ROWS {
            self.open_sheet()?;
        }
        self.write_row(|name| Cell::of(row.get(name)))
    }

    pub(super) fn part(&mut self) -> Vec<u8> {
        self.pipe.take()
    }

    pub(super) fn end(&mut self) -> std::io::Result<Vec<u8>> {
        if self.sheets == 0 {
            self.open_sheet()?;
        }
        self.close_sheet()?;
        for (name, content) in package(self.sheets) {
            self.start(&name)?;
            self.write(&content)?;
        }
        if let Some(zip) = self.zip.take() {
            zip.finish().map_err(Error::other)?;
        }
        Ok(self.pipe.take())
    }

    fn open_sheet(&mut self) -> std::io::Result<()> {
        self.close_sheet()?;
        self.sheets += 1;
        self.row = 0;
        self.start(&format!("xl/worksheets/sheet{}.xml", self.sheets))?;
        self.write(&format!("{HEAD}<worksheet xmlns=\"{MAIN}\"><sheetData>"))?;
        self.write_row(|name| Cell::Text(name.to_owned()))
    }

    fn close_sheet(&mut self) -> std::io::Result<()> {
        if self.sheets == 0 { Ok(()) } else { self.write("</sheetData></worksheet>") }
    }

    fn write_row(&mut self, cell: impl Fn(&str) -> Cell) -> std::io::Result<()> {
        self.row += 1;
        let number = self.row;
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        write!(line, "<row r=\"{number}\">").map_err(Error::other)?;
        for (column, name) in &self.columns {
            let cell = cell(name);
            let kind = match &cell {
                Cell::Empty => continue,
                Cell::Number(_) => "",
                Cell::Flag(_) => " t=\"b\"",
                Cell::Text(_) => " t=\"inlineStr\"",
            };
            write!(line, "<c r=\"{column}{number}\"{kind}>").map_err(Error::other)?;
            match &cell {
                Cell::Empty => {}
                Cell::Number(value) => write!(line, "<v>{value}</v>").map_err(Error::other)?,
                Cell::Flag(flag) => write!(line, "<v>{}</v>", u8::from(*flag)).map_err(Error::other)?,
                Cell::Text(text) => {
                    line.push_str("<is><t xml:space=\"preserve\">");
                    escape(text, &mut line);
                    line.push_str("</t></is>");
                }
            }
            line.push_str("</c>");
        }
        line.push_str("</row>");
        self.write(&line)?;
        self.line = line;
        Ok(())
    }

    fn start(&mut self, name: &str) -> std::io::Result<()> {
        let zip = self.zip.as_mut().ok_or_else(|| Error::other("the end is written"))?;
        zip.start_file(name, SimpleFileOptions::default()).map_err(Error::other)
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.zip.as_mut().ok_or_else(|| Error::other("the end is written"))?.write_all(text.as_bytes())
    }
}

/// What a workbook of so many sheets has beside them.
fn package(sheets: u32) -> [(String, String); 4] {
    let each = |part: &dyn Fn(u32) -> String| (1..=sheets).map(part).collect::<String>();
    let sheet_types = each(&|sheet| {
        format!(
            "<Override PartName=\"/xl/worksheets/sheet{sheet}.xml\" \
             ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml\"/>"
        )
    });
    let listed = each(&|sheet| format!("<sheet name=\"Sheet{sheet}\" sheetId=\"{sheet}\" r:id=\"rId{sheet}\"/>"));
    let related = each(&|sheet| {
        format!("<Relationship Id=\"rId{sheet}\" Type=\"{OFFICE}/worksheet\" Target=\"worksheets/sheet{sheet}.xml\"/>")
    });
    [
        (
            "xl/workbook.xml".to_owned(),
            format!("{HEAD}<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets>{listed}</sheets></workbook>"),
        ),
        (
            "xl/_rels/workbook.xml.rels".to_owned(),
            format!("{HEAD}<Relationships xmlns=\"{PACKAGE}/relationships\">{related}</Relationships>"),
        ),
        (
            "_rels/.rels".to_owned(),
            format!(
                "{HEAD}<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" \
                 Type=\"{OFFICE}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "[Content_Types].xml".to_owned(),
            format!(
                "{HEAD}<Types xmlns=\"{PACKAGE}/content-types\">\
                 <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
                 <Default Extension=\"xml\" ContentType=\"application/xml\"/>\
                 <Override PartName=\"/xl/workbook.xml\" \
                 ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml\"/>{sheet_types}</Types>"
            ),
        ),
    ]
}

/// A, B … Z, AA, AB …
fn letters(mut index: usize) -> String {
    let mut name = String::new();
    loop {
        name.insert(0, char::from(b'A' + u8::try_from(index % 26).unwrap_or(0)));
        match (index / 26).checked_sub(1) {
            Some(next) => index = next,
            None => return name,
        }
    }
}

/// Text as XML takes it; what XML does not know at all is left out, and so is what a cell does not hold.
fn escape(text: &str, into: &mut String) {
    for letter in text.chars().take(MOST_LETTERS) {
        match letter {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '\r' => into.push_str("&#13;"),
            '\n' | '\t' | ' '.. if letter != '\u{fffe}' && letter != '\u{ffff}' => into.push(letter),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_as_spreadsheets_name_them() {
        assert_eq!([0, 25, 26, 51, 52, 701, 702].map(letters), ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
    }

    #[test]
    fn text_is_escaped_and_what_xml_does_not_know_is_left_out() {
        let mut text = String::new();
        escape("a<b>&\u{0}\u{1b}\u{ffff}Ё\n", &mut text);
        assert_eq!(text, "a&lt;b&gt;&amp;Ё\n");
    }

    #[test]
    fn memory_holds_a_page_and_not_the_list() {
        let mut xlsx = Xlsx::new(vec!["sku", "name"]);
        let (mut most, mut whole) = (0, 0);
        for page in 0..50 {
            for row in 0..1000 {
                let name = format!("Кружка {page} {row} {}", rand::random::<u64>());
                xlsx.row(&serde_json::json!({ "sku": "A", "name": name })).unwrap();
            }
            let part = xlsx.part().len();
            most = most.max(part);
            whole += part;
        }
        let end = xlsx.end().unwrap().len();
        (most, whole) = (most.max(end), whole + end);
        assert!(most * 20 < whole, "{most} of {whole} bytes were kept at once");
    }
}
