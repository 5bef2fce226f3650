//! Graphics of ZPL: hexadecimal with Zebra's compression (ACS), `:B64:` and `:Z64:`, and the 1-bit sheet they land on.

use std::io::Read;

use anyhow::{Context, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::ZlibDecoder;

/// Largest graphic that is decoded.
const LARGEST: usize = 8 << 20;

/// A 1-bit picture: rows of whole bytes, the highest bit left, 1 is ink.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bitmap {
    /// Dots per row
    pub width: usize,
    /// Rows
    pub height: usize,
    /// `height` rows of `width.div_ceil(8)` bytes
    pub rows: Vec<u8>,
}

impl Bitmap {
    /// An empty sheet.
    pub fn blank(width: usize, height: usize) -> Self {
        Self { width, height, rows: vec![0; width.div_ceil(8) * height] }
    }

    /// Whether there is ink at this dot.
    pub fn ink(&self, x: usize, y: usize) -> bool {
        x < self.width && y < self.height && self.rows[y * self.width.div_ceil(8) + x / 8] & (0x80 >> (x % 8)) != 0
    }

    /// One byte per dot, 0 black and 255 white, as readers of codes want it.
    pub fn luma(&self) -> Vec<u8> {
        let dots = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        dots.map(|(x, y)| if self.ink(x, y) { 0 } else { 255 }).collect()
    }

    /// The picture as a 1-bit PNG.
    pub fn png(&self) -> anyhow::Result<Vec<u8>> {
        let side = |length: usize| u32::try_from(length.max(1)).context("a label larger than a PNG");
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, side(self.width)?, side(self.height)?);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let mut writer = encoder.write_header().context("writing a PNG")?;
        let white: Vec<u8> = self.rows.iter().map(|byte| !byte).collect();
        writer.write_image_data(if white.is_empty() { &[0xFF] } else { &white }).context("writing a PNG")?;
        writer.finish().context("writing a PNG")?;
        Ok(file)
    }

    /// Adds the ink of `other` with its upper left corner at `left`, `top`; what falls off the sheet is lost.
    pub(super) fn draw(&mut self, other: &Self, left: usize, top: usize) {
        let stride = self.width.div_ceil(8);
        for y in 0..other.height.min(self.height.saturating_sub(top)) {
            for x in (0..other.width.min(self.width.saturating_sub(left))).filter(|x| other.ink(*x, y)) {
                self.rows[(top + y) * stride + (left + x) / 8] |= 0x80 >> ((left + x) % 8);
            }
        }
    }
}

/// The parameters of a `^GF` command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Bytes of the whole graphic
    pub total: usize,
    /// Bytes of one row
    pub row: usize,
}

/// Decodes the data of `^GFA` (or, under `^GFC`, the same in base64).
pub(super) fn decode(data: &[u8], shape: Shape) -> anyhow::Result<Bitmap> {
    ensure!(shape.row > 0 && shape.total > 0, "a graphic without a size");
    ensure!(shape.total <= LARGEST, "a graphic of {} bytes", shape.total);
    let text: Vec<u8> = data.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = if let Some(rest) = text.strip_prefix(b":Z64:") {
        let mut bytes = Vec::new();
        let packed = checked(rest)?;
        ZlibDecoder::new(packed.as_slice()).take(LARGEST as u64).read_to_end(&mut bytes).context("inflating Z64")?;
        bytes
    } else if let Some(rest) = text.strip_prefix(b":B64:") {
        checked(rest)?
    } else {
        alternative(&text, shape)?
    };
    Ok(raw(bytes, shape))
}

/// A bitmap of bytes that need no decoding; missing ones are white.
pub(super) fn raw(mut bytes: Vec<u8>, shape: Shape) -> Bitmap {
    let row = shape.row.max(1);
    let height = shape.total.min(LARGEST) / row;
    bytes.resize(height * row, 0);
    Bitmap { width: row * 8, height, rows: bytes }
}

/// `base64:CRC` with the CRC over the base64 text.
fn checked(text: &[u8]) -> anyhow::Result<Vec<u8>> {
    let colon = text.iter().rposition(|byte| *byte == b':').context("a graphic without a checksum")?;
    let (packed, sum) = (&text[..colon], String::from_utf8_lossy(&text[colon + 1..]).into_owned());
    let said = u16::from_str_radix(&sum, 16).context("reading the checksum")?;
    ensure!(said == crc(packed), "the checksum of a graphic is wrong");
    STANDARD.decode(packed).context("reading base64")
}

/// CRC-16/XMODEM.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc, _| if crc & 0x8000 != 0 { (crc << 1) ^ 0x1021 } else { crc << 1 },
        )
    })
}

/// Zebra's alternative data compression over hexadecimal digits: `G`–`Y` repeat 1–19 times, `g`–`z` 20–400 times,
/// `,` fills the row with white, `!` with ink, `:` repeats the row above.
fn alternative(text: &[u8], shape: Shape) -> anyhow::Result<Vec<u8>> {
    let width = shape.row * 2;
    let longest = shape.total * 2;
    let mut digits: Vec<u8> = Vec::with_capacity(longest);
    let mut count = 0;
    for byte in text {
        let to_row_end = width - digits.len() % width;
        match byte {
            b'G'..=b'Y' => count += usize::from(byte - b'G') + 1,
            b'g'..=b'z' => count += (usize::from(byte - b'g') + 1) * 20,
            b',' => digits.resize(digits.len() + to_row_end, 0),
            b'!' => digits.resize(digits.len() + to_row_end, 0xF),
            b':' => {
                ensure!(
                    digits.len().is_multiple_of(width) && digits.len() >= width,
                    "a repeated row without a row above"
                );
                digits.extend_from_within(digits.len() - width..);
            }
            _ => {
                let Some(digit) = char::from(*byte).to_digit(16) else {
                    bail!("{:?} in a graphic", char::from(*byte));
                };
                let digit = u8::try_from(digit).expect("a hexadecimal digit");
                digits.resize(digits.len() + count.max(1), digit);
                count = 0;
            }
        }
        ensure!(digits.len() <= longest + width, "a graphic longer than it says");
    }
    digits.resize(longest, 0);
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn rows(data: &str, total: usize, row: usize) -> Vec<u8> {
        decode(data.as_bytes(), Shape { total, row }).unwrap().rows
    }

    #[test]
    fn plain_hexadecimal_is_read() {
        assert_eq!(rows("FF00\r\n0aF0", 4, 2), [0xFF, 0x00, 0x0A, 0xF0]);
    }

    #[test]
    fn counts_repeat_the_next_digit_and_add_up() {
        assert_eq!(rows("HF", 1, 1), [0xFF]);
        assert_eq!(rows("gHF0F", 12, 12), [[0xFF; 11].as_slice(), &[0x0F]].concat());
        assert_eq!(rows("zF", 200, 200), [0xFF; 200]);
    }

    #[test]
    fn rows_are_filled_and_repeated() {
        assert_eq!(rows("F,!8!:,", 10, 2), [0xF0, 0, 0xFF, 0xFF, 0x8F, 0xFF, 0x8F, 0xFF, 0, 0]);
    }

    #[test]
    fn a_short_graphic_is_white_at_the_end() {
        assert_eq!(rows("FF", 3, 1), [0xFF, 0, 0]);
    }

    #[test]
    fn nonsense_is_refused() {
        for data in [":", "F:", "qq?", "zFzFzF", ":Z64:AAAA:0000", ":B64:AAAA", ":B64:/w==:zzzz"] {
            assert!(decode(data.as_bytes(), Shape { total: 4, row: 2 }).is_err(), "{data}");
        }
    }

    #[test]
    fn base64_with_and_without_zlib_is_read() {
        let bytes = [0xAA, 0x55, 0x00, 0xFF];
        let plain = STANDARD.encode(bytes);
        assert_eq!(rows(&format!(":B64:{plain}:{:04X}", crc(plain.as_bytes())), 4, 2), bytes);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        zlib.write_all(&bytes).unwrap();
        let packed = STANDARD.encode(zlib.finish().unwrap());
        assert_eq!(rows(&format!(":Z64:{packed}:{:04x}", crc(packed.as_bytes())), 4, 2), bytes);
    }

    #[test]
    fn the_checksum_is_xmodem() {
        assert_eq!(crc(b"123456789"), 0x31C3);
    }

    #[test]
    fn ink_is_black_in_the_png() {
        let mut sheet = Bitmap::blank(10, 2);
        sheet.draw(&raw(vec![0xC0], Shape { total: 1, row: 1 }), 8, 1);
        assert!(sheet.ink(8, 1) && sheet.ink(9, 1) && !sheet.ink(8, 0));
        let png = sheet.png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut image = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut image).unwrap();
        assert_eq!(image[..2], [0xFF, 0xFF]);
        assert_eq!(image[2..4], [0xFF, 0x3F]);
    }
}
