//! Weighing a workbook before it is read. A file of ten megabytes may claim any number and become any size: each part is
//! unpacked and parsed once, by the parser that reads it afterwards, and thrown away while it is counted. Whatever would
//! make the reader hold more than its share is refused; no part is believed by its name.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Cursor, Error as IoError, Read};
use std::rc::Rc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::file::wrong;
use crate::Result;

/// Bytes of all parts of a workbook, unpacked.
const UNPACKED: u64 = 200 << 20;
/// How many times larger than packed; below [`FORGIVEN`] bytes nobody asks.
const RATIO: u64 = 100;
const FORGIVEN: u64 = 10 << 20;
const MOST_PARTS: usize = 1000;
/// Bytes between two tags, of a tag, or of a whole cell.
const PIECE: u64 = 1 << 20;
/// The table of texts is held in memory: so many, with so many bytes.
const MOST_TEXTS: usize = 1_000_000;
const TEXTS: u64 = 48 << 20;
/// So are styles, relations, sheets and names.
const MOST_HELD: usize = 200_000;
const HELD: u64 = 16 << 20;
/// Bytes of a part that is no XML, a picture say: its reader would take it for one text.
const PICTURE: u64 = 16 << 20;
const HOLDING: [&str; 12] = [
    "Relationship",
    "border",
    "definedName",
    "dxf",
    "fill",
    "font",
    "gradientFill",
    "numFmt",
    "sheet",
    "srgbClr",
    "sysClr",
    "xf",
];

/// Refuses a workbook that would be too much, and what is none.
pub(super) fn weigh(file: &[u8]) -> Result<()> {
    let unreadable = |error: &dyn std::fmt::Display| wrong(format!("cannot be read as XLSX: {error}"));
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(|error| unreadable(&error))?;
    if archive.len() > MOST_PARTS {
        return Err(wrong("has too many parts"));
    }
    let packed = u64::try_from(file.len()).unwrap_or(u64::MAX);
    let mut scales = Scales::new(UNPACKED.min(FORGIVEN.max(packed.saturating_mul(RATIO))));
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| unreadable(&error))?;
        scales.part(part).map_err(|heavy| match heavy {
            Heavy::TooMuch(what) => wrong(what),
            Heavy::Unreadable(error) => unreadable(&error),
        })?;
    }
    Ok(())
}

/// Why a workbook is put down.
enum Heavy {
    TooMuch(&'static str),
    Unreadable(IoError),
}

/// What all parts so far weigh.
struct Scales {
    meter: Rc<Meter>,
    texts: usize,
    text_bytes: u64,
    held: usize,
    held_bytes: u64,
}

/// Counts what is read. Beyond a limit nothing more is given out, so that the parser cannot pile it up.
#[derive(Debug, Default)]
struct Meter {
    most: u64,
    all: Cell<u64>,
    piece: Cell<u64>,
    is_over: Cell<bool>,
}

struct Metered<R> {
    inner: R,
    meter: Rc<Meter>,
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.meter.all.get() > self.meter.most || self.meter.piece.get() > PIECE {
            self.meter.is_over.set(true);
            return Err(IoError::other("too much"));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        let more = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.meter.all.set(self.meter.all.get().saturating_add(more));
        self.meter.piece.set(self.meter.piece.get().saturating_add(more));
        self.inner.consume(bytes);
    }
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let there = self.fill_buf()?;
        let taken = there.len().min(into.len());
        into[..taken].copy_from_slice(&there[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

/// What is read of the element whose end is awaited.
struct Open {
    name: String,
    from: u64,
}

impl Scales {
    fn new(most: u64) -> Self {
        let meter = Rc::new(Meter { most, ..Meter::default() });
        Self { meter, texts: 0, text_bytes: 0, held: 0, held_bytes: 0 }
    }

    fn part(&mut self, part: impl Read) -> std::result::Result<(), Heavy> {
        self.meter.piece.set(0);
        let meter = Rc::clone(&self.meter);
        let mut part = Metered { inner: BufReader::new(part), meter };
        let from = self.meter.all.get();
        let begins_as_xml = match part.fill_buf() {
            Ok(start) => start.first().is_none_or(|byte| b"< \t\r\n\xef\xfe\xff".contains(byte)),
            Err(error) => return Err(Heavy::Unreadable(error)),
        };
        if !begins_as_xml {
            return self.drain(part, from.saturating_add(PICTURE));
        }
        let mut reader = Reader::from_reader(part);
        // As calamine sets it: what is an element here is one there.
        let config = reader.config_mut();
        config.check_end_names = false;
        config.check_comments = false;
        config.trim_text(false);
        config.expand_empty_elements = true;
        let (mut buffer, mut open) = (Vec::new(), None);
        loop {
            buffer.clear();
            match reader.read_event_into(&mut buffer) {
                // What is no XML, or not to its end, is not read beyond this either; its bytes are counted all the same.
                Ok(Event::Eof) | Err(_) => break,
                Ok(event) => self.event(&event, &mut open)?,
            }
            self.meter.piece.set(0);
        }
        self.drain(reader.into_inner(), u64::MAX)
    }

    fn drain(&self, mut rest: impl BufRead, most: u64) -> std::result::Result<(), Heavy> {
        loop {
            if self.meter.is_over.get() || self.meter.all.get() > most {
                return Err(Heavy::TooMuch("becomes too large when it is unpacked"));
            }
            let there = match rest.fill_buf() {
                Ok(there) => there.len(),
                Err(_) if self.meter.is_over.get() => continue,
                Err(error) => return Err(Heavy::Unreadable(error)),
            };
            if there == 0 {
                return Ok(());
            }
            rest.consume(there);
            self.meter.piece.set(0);
        }
    }

    fn event(&mut self, event: &Event<'_>, open: &mut Option<Open>) -> std::result::Result<(), Heavy> {
        match event {
            Event::Start(tag) => self.start(tag, open)?,
            Event::End(tag) if open.as_ref().is_some_and(|open| open.name == tag.local_name().as_ref()) => *open = None,
            _ => {}
        }
        let Some(open) = open else { return Ok(()) };
        if self.meter.all.get().saturating_sub(open.from) > PIECE {
            return Err(Heavy::TooMuch("has a cell that is too large"));
        }
        // Counted while it comes, and not when it ends: it may never end.
        match open.name.as_str() {
            "si" => self.text_bytes += self.meter.piece.get(),
            "definedName" => self.held_bytes += self.meter.piece.get(),
            _ => {}
        }
        if self.text_bytes > TEXTS {
            return Err(Heavy::TooMuch("holds too much text"));
        }
        self.judge_held()
    }

    fn start(&mut self, tag: &BytesStart<'_>, open: &mut Option<Open>) -> std::result::Result<(), Heavy> {
        let name = tag.local_name();
        let name = name.as_ref();
        if name == "sst" && claimed(tag.attributes_raw()) > MOST_TEXTS {
            return Err(Heavy::TooMuch("claims to hold too many texts"));
        }
        if name == "si" {
            self.texts += 1;
            if self.texts > MOST_TEXTS {
                return Err(Heavy::TooMuch("holds too many texts"));
            }
        }
        if ["c", "si", "definedName"].contains(&name) {
            *open = Some(Open { name: name.to_owned(), from: self.meter.all.get() });
        }
        if HOLDING.contains(&name) {
            self.held += 1;
            self.held_bytes += self.meter.piece.get();
        }
        self.judge_held()
    }

    fn judge_held(&self) -> std::result::Result<(), Heavy> {
        if self.held > MOST_HELD || self.held_bytes > HELD {
            return Err(Heavy::TooMuch("has too many styles, sheets or names"));
        }
        Ok(())
    }
}

/// The largest number of texts that a tag claims. The reader takes room for so many before it has read one.
fn claimed(attributes: &str) -> usize {
    let said = attributes.match_indices("uniqueCount").filter_map(|(at, word)| {
        let value = attributes[at + word.len()..].trim_start().strip_prefix('=')?.trim_start();
        let value = value.trim_start_matches(['"', '\'', ' ', '+']);
        let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
        // What is too long for a number is too many.
        Some(if digits.is_empty() { 0 } else { digits.parse().unwrap_or(usize::MAX) })
    });
    said.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;
    use crate::Error;

    fn zip(parts: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in parts {
            zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// Stored, so that nothing is refused for how well it was packed.
    fn why(name: &str, content: &[u8]) -> String {
        match weigh(&zip(&[(name, content)], CompressionMethod::Stored)) {
            Err(Error::Invalid { field, why }) if field == "file" => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_table_of_texts_claims_is_not_believed_whatever_it_is_called() {
        for name in ["xl/sharedStrings.xml", "XL/SHAREDSTRINGS.XML", "anything"] {
            for claim in ["1000001", "18446744073709551615", "99999999999999999999999999"] {
                for tag in ["sst", "x:sst"] {
                    let text = format!("<{tag} count=\"1\" uniqueCount = \"{claim}\"><si><t>a</t></si></{tag}>");
                    assert_eq!(why(name, text.as_bytes()), "claims to hold too many texts", "{name} {text}");
                }
            }
            let honest = b"<sst count=\"7\" uniqueCount=\"1\"><si><t>uniqueCount=\"9999999999\"</t></si></sst>";
            assert!(weigh(&zip(&[(name, honest)], CompressionMethod::Stored)).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_the_reader_would_hold_is_bounded_in_number_and_in_bytes() {
        let many = |element: &str, number: usize| format!("<a>{}", element.repeat(number)).into_bytes();
        assert_eq!(why("a.xml", &many("<si/>", MOST_TEXTS + 1)), "holds too many texts");
        let text = format!("<si><t>{}</t></si>", "я".repeat(50_000));
        assert_eq!(why("a.xml", &many(&text, 510)), "holds too much text");
        for name in ["styles.xml", "STYLES.XML", "b"] {
            assert_eq!(why(name, &many("<xf/>", MOST_HELD + 1)), "has too many styles, sheets or names", "{name}");
        }
        let format = format!("<numFmt formatCode=\"{}\"/>", "0".repeat(100_000));
        assert_eq!(why("a.xml", &many(&format, 200)), "has too many styles, sheets or names");
        let name = format!("<definedName>{}</definedName>", "A1".repeat(50_000));
        assert_eq!(why("a.xml", &many(&name, 200)), "has too many styles, sheets or names");
        // As many in two parts as in one.
        let half = many("<si/>", MOST_TEXTS / 2 + 1);
        assert!(weigh(&zip(&[("a", &half), ("b", &half)], CompressionMethod::Stored)).is_err());
    }

    #[test]
    fn no_cell_and_no_tag_grows_without_end() {
        let large = "a".repeat(2 << 20);
        for one in [
            format!("<v>{large}</v>"),
            format!("<v a=\"{large}\"/>"),
            format!("<!--{large}--><v/>"),
            format!("<v/>{large}"),
        ] {
            assert_eq!(why("a.xml", one.as_bytes()), "becomes too large when it is unpacked", "{}", &one[..9]);
        }
        let pieces = "<r><t>много</t></r>".repeat(80_000);
        for cell in ["c", "si"] {
            let cell = format!("<{cell}>{pieces}</{cell}>");
            assert_eq!(why("a.xml", cell.as_bytes()), "has a cell that is too large");
        }
    }

    #[test]
    fn a_small_file_that_becomes_a_large_one_is_refused() {
        let (row, zeros) = ("<row><c><v>1</v></c></row>".repeat(2 << 20), vec![0; 17 << 20]);
        for (name, content) in [("xl/worksheets/sheet1.xml", row.as_bytes()), ("xl/media/1.bmp", &zeros)] {
            let bomb = zip(&[(name, content)], CompressionMethod::Deflated);
            assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
            assert!(matches!(weigh(&bomb), Err(Error::Invalid { .. })), "{name}");
        }
        // A picture is no XML, and none the worse for it.
        assert!(weigh(&zip(&[("xl/media/1.bmp", &zeros[..3 << 20])], CompressionMethod::Stored)).is_ok());
    }
}
