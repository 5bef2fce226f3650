//! Reading a table out of a file that somebody sent: CSV in whatever a spreadsheet writes, or the first sheet of an XLSX.
//! What the file claims is not believed: it is counted while it is read, row by row, and given away at once.

use super::ImportFormat;
use super::{delimited, workbook};
use crate::{Error, Result};

/// Rows with something in them, beside the header.
pub const MOST_ROWS: usize = 100_000;
/// Bytes of a file.
pub const MOST_BYTES: usize = 10 << 20;
pub(super) const MOST_COLUMNS: usize = 100;
/// Thirty addresses of pictures, as our own export writes them, are one cell.
pub(super) const MOST_LETTERS: usize = 64_000;
/// Bytes of all cells together.
const MOST_TEXT: usize = 64 << 20;

/// What is read: the header first, then each row that has something in it, with its number.
pub(super) type Line = (i32, Vec<String>);

/// What kind of file this is, by what it holds; nobody believes names.
pub(super) fn format(file: &[u8]) -> ImportFormat {
    if file.starts_with(b"PK\x03\x04") { ImportFormat::Xlsx } else { ImportFormat::Csv }
}

/// Reads the file and gives each line away at once; stops early if nobody takes them any more.
pub(super) fn read(file: &[u8], take: &mut dyn FnMut(Line) -> bool) -> Result<()> {
    let mut lines = Lines { width: 0, rows: 0, last: 0, text: 0, take };
    match format(file) {
        ImportFormat::Xlsx => workbook::read(file, &mut lines)?,
        ImportFormat::Csv => delimited::read(file, &mut lines)?,
    }
    match (lines.width, lines.rows) {
        (0, _) => Err(wrong("is empty")),
        (_, 0) => Err(wrong("has no row beneath the header")),
        _ => Ok(()),
    }
}

pub(super) fn wrong(why: impl Into<String>) -> Error {
    Error::invalid("file", why)
}

/// Where lines go, and what they amount to.
pub(super) struct Lines<'a> {
    /// Columns of the header; 0 before it was there.
    width: usize,
    rows: usize,
    /// The number of the last one.
    last: usize,
    /// Bytes so far.
    text: usize,
    take: &'a mut dyn FnMut(Line) -> bool,
}

impl Lines<'_> {
    /// False once nobody takes lines any more.
    pub fn line(&mut self, number: usize, mut cells: Vec<String>) -> Result<bool> {
        if number <= self.last {
            return Err(wrong(format!("has line {number} behind line {}", self.last)));
        }
        self.last = number;
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
        self.text += cells.iter().map(String::len).sum::<usize>();
        if self.text > MOST_TEXT {
            return Err(wrong(format!("holds more than {MOST_TEXT} bytes of text")));
        }
        let number = i32::try_from(number).map_err(|_| wrong("has too many lines"))?;
        Ok((self.take)((number, cells)))
    }
}

/// As text of a cell: without blanks around, and without the apostrophe that keeps it from being a formula.
pub(super) fn cell(text: &str, number: usize) -> Result<String> {
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn lines(file: &[u8]) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        read(file, &mut |line| {
            lines.push(line);
            true
        })?;
        Ok(lines)
    }

    pub(in super::super) fn why(file: &[u8]) -> String {
        match lines(file) {
            Err(Error::Invalid { field, why }) if field == "file" => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_too_much_is_refused() {
        assert_eq!(why(b""), "is empty");
        assert_eq!(why(b"sku;name\n"), "has no row beneath the header");
        assert!(why(format!("sku\n{}", "a\n".repeat(MOST_ROWS + 1)).as_bytes()).contains("rows"));
        assert!(why(format!("sku\n{}", "a".repeat(MOST_LETTERS + 1)).as_bytes()).contains("line 2"));
        assert!(why("a;".repeat(MOST_COLUMNS + 1).as_bytes()).contains("columns"));
        assert!(why(format!("sku\n{}", format!("{}\n", "a".repeat(60_000)).repeat(1200)).as_bytes()).contains("text"));
        assert!(why(b"PK\x03\x04 no zip").contains("XLSX"));
    }
}
