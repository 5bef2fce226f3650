//! What a printer makes of one format: its commands, its picture and its number of copies.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::graphics::{self, Bitmap, Shape};

/// One label that came out, in the order of the log.
#[derive(Clone, Debug)]
pub struct Label {
    /// Counted from 1
    pub index: usize,
    /// When it came out
    pub at: DateTime<Utc>,
    /// The format as it was received, without host commands that came in between
    pub bytes: Vec<u8>,
    /// SHA-256 of `bytes`, hexadecimal
    pub sha256: String,
    /// The commands, as `("FO", "10,20")`
    pub commands: Vec<(String, String)>,
    /// What is on the paper; only graphics are drawn
    pub bitmap: Bitmap,
    /// Where the picture was stored, if a folder was given
    pub png: Option<PathBuf>,
}

impl Label {
    /// The texts of its fields (`^FD`).
    pub fn texts(&self) -> Vec<&str> {
        self.commands.iter().filter(|(name, _)| name == "FD").map(|(_, text)| text.as_str()).collect()
    }
}

/// A format that waits to be printed.
#[derive(Clone, Debug)]
pub(super) struct Format {
    pub bytes: Vec<u8>,
    pub commands: Vec<(String, String)>,
    pub bitmap: Bitmap,
    pub copies: u32,
}

impl Format {
    /// Reads a whole format. A graphic that makes no sense leaves its place white, as on a real printer.
    pub(super) fn read(bytes: Vec<u8>) -> Self {
        let mut commands = Vec::new();
        let mut pictures = Vec::new();
        let (mut left, mut top, mut width, mut height, mut copies) = (0, 0, None, None, 1);
        let mut rest = bytes.as_slice();
        while let Some(at) = rest.iter().position(|byte| *byte == b'^') {
            rest = &rest[at + 1..];
            let Some((name, tail)) = rest.split_at_checked(2) else { break };
            let end = tail.iter().position(|byte| *byte == b'^').unwrap_or(tail.len());
            let (mut body, mut next) = (&tail[..end], &tail[end..]);
            if name == b"GF"
                && let Some((taken, picture)) = graphic(tail, body)
            {
                (body, next) = tail.split_at(taken);
                pictures.extend(picture.map(|picture| (picture, left, top)));
            }
            let text = String::from_utf8_lossy(body).into_owned();
            let numbers: Vec<usize> = text.split(',').map(|word| word.trim().parse().unwrap_or(0)).collect();
            match name {
                b"FO" => (left, top) = (numbers[0], numbers.get(1).copied().unwrap_or(0)),
                b"PW" => width = Some(numbers[0]),
                b"LL" => height = Some(numbers[0]),
                b"PQ" => copies = u32::try_from(numbers[0].max(1)).unwrap_or(1),
                _ => {}
            }
            commands.push((String::from_utf8_lossy(name).into_owned(), text));
            rest = next;
        }
        let extent = |edge: fn(&(Bitmap, usize, usize)) -> usize| pictures.iter().map(edge).max().unwrap_or(0);
        let width = width.unwrap_or_else(|| extent(|(it, left, _)| left + it.width)).min(8192);
        let height = height.unwrap_or_else(|| extent(|(it, _, top)| top + it.height)).min(32_768);
        let mut bitmap = Bitmap::blank(width, height);
        for (picture, left, top) in &pictures {
            bitmap.draw(picture, *left, *top);
        }
        Self { bytes, commands, bitmap, copies }
    }

    /// The label of one copy.
    pub(super) fn label(&self, index: usize, png: Option<PathBuf>) -> Label {
        Label {
            index,
            at: Utc::now(),
            bytes: self.bytes.clone(),
            sha256: hex::encode(Sha256::digest(&self.bytes)),
            commands: self.commands.clone(),
            bitmap: self.bitmap.clone(),
            png,
        }
    }
}

/// The length of a `^GF` command after its name, and its picture if it makes sense. `tail` is everything that follows,
/// `text` the same up to the next `^`.
fn graphic(tail: &[u8], text: &[u8]) -> Option<(usize, Option<Bitmap>)> {
    let header = tail.iter().enumerate().filter(|(_, byte)| **byte == b',').nth(3)?.0;
    let words: Vec<&str> = std::str::from_utf8(&tail[..header]).ok()?.split(',').collect();
    let number = |index: usize| words.get(index).and_then(|word| word.trim().parse::<usize>().ok());
    let (sent, shape) = (number(1)?, Shape { total: number(2)?, row: number(3)? });
    if words[0] == "B" {
        let data = tail.get(header + 1..(header + 1).checked_add(sent)?)?;
        return Some((header + 1 + sent, Some(graphics::raw(data.to_vec(), shape))));
    }
    Some((text.len(), graphics::decode(text.get(header + 1..)?, shape).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graphic_lands_where_the_field_begins() {
        let format = Format::read(b"^XA^PW16^LL3^FO4,1^GFA,1,1,1,HF^FS^FO0,0^FD\xD0\x96^FS^PQ2^XZ".to_vec());
        assert_eq!((format.bitmap.width, format.bitmap.height, format.copies), (16, 3, 2));
        assert_eq!(format.bitmap.rows, [0, 0, 0x0F, 0xF0, 0, 0]);
        assert_eq!(format.label(1, None).texts(), ["Ж"]);
    }

    #[test]
    fn a_binary_graphic_may_contain_anything() {
        let format = Format::read(b"^XA^FO0,0^GFB,3,3,1,^XZ^FS^XZ".to_vec());
        assert_eq!(format.bitmap.rows, b"^XZ");
        assert_eq!(format.commands.last().unwrap().0, "XZ");
    }

    #[test]
    fn a_broken_graphic_leaves_white() {
        let format = Format::read(b"^XA^PW8^LL1^FO0,0^GFA,1,1,1,??^FS^XZ".to_vec());
        assert_eq!(format.bitmap.rows, [0]);
    }
}
