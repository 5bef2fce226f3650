//! The label of a cell: its code so large that it is read from the aisle, and a code for the scanner. Drawn in the
//! printer's dots, so that every bar is whole; what is previewed is what is printed.

use std::fmt::Write as _;

use rxing::common::BitMatrix;
use rxing::{BarcodeFormat, EncodeHints, MultiFormatWriter, Writer};

use crate::{Error, Result};

/// What the label of a cell says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellLabel {
    /// What people call it.
    pub code: String,
    /// What the scanner reads.
    pub reading: String,
    /// Where it hangs.
    pub warehouse: String,
    /// In which zone.
    pub zone: Option<String>,
}

/// So many dots a side of so many millimetres has, rounded to the nearest.
pub fn dots(millimetres: i32, dpi: i32) -> i32 {
    (millimetres * dpi * 10 + 127) / 254
}

/// The narrowest bar that cheap scanners read, in dots: a quarter of a millimetre at 203 dpi.
const BAR: i32 = 2;

impl CellLabel {
    /// The label as a picture of so many dots. Bars where they have room and the reading is plain ASCII, else a QR code:
    /// bars have no Cyrillic letters.
    pub fn svg(&self, width: i32, height: i32) -> Result<String> {
        let margin = (width.min(height) / 20).max(6);
        let (inner, tall) = (width - 2 * margin, height - 2 * margin);
        let mut out = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="label-title"><title id="label-title">{}</title><rect width="{width}" height="{height}" fill="#fff"/><g font-family="PT Sans, Arial, sans-serif" fill="#000">"##,
            escaped(&self.code)
        );
        let foot = (tall / 9).max(14);
        let place = match &self.zone {
            Some(zone) => format!("{} · {zone}", self.warehouse),
            None => self.warehouse.clone(),
        };
        text(&mut out, &place, (width / 2, height - margin - foot / 5), inner, foot, "middle");
        let room = tall - foot - margin / 2;
        if let Some((code, bar)) = self.bars(inner) {
            let high = room * 2 / 5;
            let left = (width - columns(&code) * bar) / 2;
            path(&mut out, &code, (left, margin + room - high), (bar, high));
            text(&mut out, &self.code, (width / 2, margin + (room - high) * 5 / 6), inner, room - high, "middle");
        } else {
            let code = qr(&self.reading)?;
            let dot = (room.min(inner / 2) / columns(&code)).max(1);
            let side = dot * columns(&code);
            path(&mut out, &code, (margin, margin + (room - side) / 2), (dot, dot));
            let left = margin + side;
            let middle = (left + (width - margin - left) / 2, margin + room * 2 / 3);
            text(&mut out, &self.code, middle, width - margin - left, room * 2 / 3, "middle");
        }
        out.push_str("</g></svg>");
        Ok(out)
    }

    /// The bars, and how many dots the narrowest has.
    fn bars(&self, room: i32) -> Option<(BitMatrix, i32)> {
        let plain = self.reading.bytes().all(|letter| (b' '..=b'~').contains(&letter));
        let code =
            plain.then(|| MultiFormatWriter.encode(&self.reading, &BarcodeFormat::CODE_128, 0, 0).ok()).flatten()?;
        let bar = room / columns(&code);
        (bar >= BAR).then_some((code, bar.min(6)))
    }
}

fn columns(code: &BitMatrix) -> i32 {
    i32::try_from(code.getWidth()).unwrap_or(i32::MAX).max(1)
}

fn qr(reading: &str) -> Result<BitMatrix> {
    let hints = EncodeHints { CharacterSet: Some("UTF-8".to_owned()), ..EncodeHints::default() };
    MultiFormatWriter
        .encode_with_hints(reading, &BarcodeFormat::QR_CODE, 0, 0, &hints)
        .map_err(|error| Error::Inconsistent(format!("the code of a cell cannot be drawn: {error}")))
}

/// Every run of black as a rectangle.
fn path(out: &mut String, code: &BitMatrix, (left, top): (i32, i32), (wide, high): (i32, i32)) {
    out.push_str(r#"<path shape-rendering="crispEdges" d=""#);
    let mut y = top;
    for row in 0..code.getHeight() {
        let mut x = left;
        let mut run = 0;
        for column in 0..=code.getWidth() {
            if column < code.getWidth() && code.get(column, row) {
                run += wide;
            } else if run > 0 {
                // Writing to a String cannot fail.
                let _ = write!(out, "M{} {y}h{run}v{high}h-{run}z", x - run);
                run = 0;
            }
            x += wide;
        }
        y += high;
    }
    out.push_str(r#""/>"#);
}

/// A line of text as large as it fits.
fn text(out: &mut String, words: &str, (x, y): (i32, i32), wide: i32, high: i32, anchor: &str) {
    let size = (wide * 100 / em_hundredths(words).max(1)).min(high);
    let (words, stroke) = (escaped(words), size / 40);
    let _ = write!(
        out,
        r##"<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" stroke="#000" stroke-width="{stroke}">{words}</text>"##
    );
}

/// How wide the words are in hundredths of their size, on the safe side.
fn em_hundredths(words: &str) -> i32 {
    words
        .chars()
        .map(|letter| match letter {
            ' ' | '.' | ',' | ':' | '·' | '|' | 'I' | 'l' | 'i' => 34,
            '-' | '/' | '(' | ')' => 42,
            '0'..='9' => 58,
            'W' | 'M' | 'Ш' | 'Щ' | 'Ж' | 'М' | 'Ю' | 'Ф' | 'Ы' | 'ш' | 'щ' | 'ж' | 'ю' | '@' | '%' => 96,
            letter if letter.is_uppercase() => 72,
            letter if letter.is_ascii() => 58,
            _ => 64,
        })
        .sum()
}

/// Fit for XML. What no XML document may hold is left out.
fn escaped(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for letter in words.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(code: &str, reading: &str) -> CellLabel {
        CellLabel {
            code: code.to_owned(),
            reading: reading.to_owned(),
            warehouse: "Основной склад".to_owned(),
            zone: Some("Хранение".to_owned()),
        }
    }

    #[test]
    fn sides_become_dots() {
        assert_eq!((dots(58, 203), dots(40, 203), dots(58, 300)), (464, 320, 685));
    }

    #[test]
    fn plain_readings_are_bars_and_others_a_square() {
        let room = dots(58, 203);
        assert!(label("A1-01", "A1-01").bars(room).is_some_and(|(_, bar)| bar >= 3));
        assert!(label("Я-01", "Я-01").bars(room).is_none());
        assert!(label("A1-01", &"9A".repeat(40)).bars(room).is_none(), "no room for so many bars");
    }

    #[test]
    fn what_people_write_does_not_become_markup() {
        let svg = label("<b>&\"1", "A1").svg(464, 320).unwrap();
        assert!(svg.contains("&lt;b&gt;&amp;&quot;1") && !svg.contains("<b>"), "{svg}");
    }
}
