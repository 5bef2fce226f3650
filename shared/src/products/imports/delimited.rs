//! Reading CSV in whatever a spreadsheet writes. A record goes into room that does not grow: a file of nothing but
//! delimiters is one record of millions of fields, and refused at the first that is too many.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1251};

use super::file::{Lines, cell, wrong};
use crate::Result;

/// As many columns as a spreadsheet has; most of them are empty.
const FIELDS: usize = 16_384;
/// Bytes of a record.
const RECORD: usize = 2 << 20;
/// The first of equals: what comes first is the likelier one.
const DELIMITERS: [u8; 4] = [b';', b',', b'\t', b'|'];
/// Records by which the delimiter is found.
const SAMPLE: usize = 20;

pub(super) fn read(file: &[u8], lines: &mut Lines<'_>) -> Result<()> {
    let text = decode(file);
    let mut records = Records::new(&text, delimiter(&text), RECORD, FIELDS);
    let mut count = Count { text: text.as_bytes(), at: 0, line: 0 };
    loop {
        let place = records.at;
        match records.next() {
            Next::Record => {}
            Next::TooMuch => {
                return Err(wrong(format!(
                    "line {} has more than {FIELDS} columns or {RECORD} bytes",
                    count.line(place)
                )));
            }
            Next::End => return Ok(()),
        }
        let number = count.line(place);
        let cells = records.fields().map(|text| cell(&String::from_utf8_lossy(text), number)).collect::<Result<_>>()?;
        if !lines.line(number, cells)? {
            return Ok(());
        }
    }
}

enum Next {
    Record,
    TooMuch,
    End,
}

/// One record after the other, each in the same room.
struct Records<'a> {
    text: &'a [u8],
    /// How much of it was read.
    at: usize,
    reader: Reader,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Fields of the record.
    number: usize,
}

impl<'a> Records<'a> {
    fn new(text: &'a str, delimiter: u8, bytes: usize, fields: usize) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            bytes: vec![0; bytes],
            ends: vec![0; fields],
            number: 0,
        }
    }

    fn next(&mut self) -> Next {
        let (mut written, mut ended) = (0, 0);
        loop {
            let (result, read, bytes, ends) =
                self.reader.read_record(&self.text[self.at..], &mut self.bytes[written..], &mut self.ends[ended..]);
            self.at += read;
            written += bytes;
            ended += ends;
            match result {
                // Asked once more with nothing, it gives out what has no end of its own.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => return Next::TooMuch,
                ReadRecordResult::Record => {
                    self.number = ended;
                    return Next::Record;
                }
                ReadRecordResult::End => return Next::End,
            }
        }
    }

    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let ends = &self.ends[..self.number];
        ends.iter().enumerate().map(|(index, end)| {
            let from = index.checked_sub(1).map_or(0, |before| ends[before]);
            &self.bytes[from..*end]
        })
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
        let mut records = Records::new(text, delimiter, RECORD, FIELDS);
        let mut fewest: Option<usize> = None;
        for _ in 0..SAMPLE {
            match records.next() {
                Next::Record if records.fields().all(<[u8]>::is_empty) => {}
                Next::Record => fewest = Some(fewest.unwrap_or(usize::MAX).min(records.number)),
                // Whatever divides it so often will be told so by who reads it.
                Next::TooMuch => return FIELDS,
                Next::End => break,
            }
        }
        fewest.unwrap_or(0)
    };
    DELIMITERS.into_iter().rev().max_by_key(|delimiter| columns(*delimiter)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::{lines, why};
    use super::*;

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
        assert_eq!(lines(b"sku;name\nA;B").unwrap()[1].1, ["A", "B"], "the last line needs no end");
    }

    #[test]
    fn a_record_takes_no_more_room_than_there_is() {
        for file in [";".repeat(1 << 20), "sku\n".to_owned() + &"\"\n\";".repeat(1 << 18)] {
            let text = decode(file.as_bytes());
            let mut records = Records::new(&text, b';', RECORD, FIELDS);
            let most = std::iter::from_fn(|| match records.next() {
                Next::Record => Some(records.number),
                Next::TooMuch | Next::End => None,
            });
            assert!(most.max().unwrap_or(0) <= FIELDS);
            assert!(why(file.as_bytes()).contains("columns"), "{}", &file[..5]);
        }
        let quoted = format!("sku\n\"{}\"", "a\n".repeat(RECORD));
        assert!(why(quoted.as_bytes()).contains("bytes"));
        // Empty columns at the end are no columns.
        assert_eq!(lines(format!("sku;name{}\nA;B\n", ";".repeat(200)).as_bytes()).unwrap()[0].1.len(), 2);
    }
}
