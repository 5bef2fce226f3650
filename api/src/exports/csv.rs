//! CSV as RFC 4180 has it, with the byte order mark that spreadsheets need to read Cyrillic.

use std::io::Error;

use csv::{Terminator, Writer, WriterBuilder};
use serde_json::Value;

use super::cells::Cell;

pub(super) struct Csv {
    columns: Vec<&'static str>,
    writer: Writer<Vec<u8>>,
}

impl Csv {
    pub(super) fn new(columns: Vec<&'static str>) -> Self {
        let mut writer = writer("\u{feff}".as_bytes().to_vec());
        // Into memory, so that nothing can fail.
        drop(writer.write_record(&columns));
        Self { columns, writer }
    }

    pub(super) fn row(&mut self, row: &Value) -> std::io::Result<()> {
        let cells = self.columns.iter().map(|column| match Cell::of(row.get(*column)) {
            Cell::Empty => String::new(),
            Cell::Number(text) | Cell::Text(text) => text,
            Cell::Flag(flag) => flag.to_string(),
        });
        self.writer.write_record(cells).map_err(Error::other)
    }

    pub(super) fn part(&mut self) -> std::io::Result<Vec<u8>> {
        let full = std::mem::replace(&mut self.writer, writer(Vec::new()));
        full.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

fn writer(buffer: Vec<u8>) -> Writer<Vec<u8>> {
    WriterBuilder::new().terminator(Terminator::CRLF).from_writer(buffer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quotes_commas_and_line_breaks_survive() {
        let mut csv = Csv::new(vec!["sku", "name", "minStock"]);
        csv.row(&json!({ "sku": "A,1", "name": "Кружка \"Ёж\"\nсиняя", "minStock": -3 })).unwrap();
        let mut whole = csv.part().unwrap();
        csv.row(&json!({ "name": "=HYPERLINK(\"http://evil\")" })).unwrap();
        whole.extend(csv.part().unwrap());
        let expected = "\u{feff}sku,name,minStock\r\n\"A,1\",\"Кружка \"\"Ёж\"\"\nсиняя\",-3\r\n\
                        ,\"'=HYPERLINK(\"\"http://evil\"\")\",\r\n";
        assert_eq!(String::from_utf8(whole).unwrap(), expected);
    }
}
