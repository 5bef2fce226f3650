//! Writes a label as ZPL: one format with one compressed picture and nothing a name could inject into.

use std::fmt::Write as _;

use super::render::Bitmap;

/// Longest run one count can say: `z` (400) and `Y` (19).
const LONGEST_RUN: usize = 419;

/// The commands that print `bitmap` once. The same dots always give the same bytes.
pub fn label(bitmap: &Bitmap) -> Vec<u8> {
    let (width, height, row) = (bitmap.width(), bitmap.height(), bitmap.row_bytes());
    let total = bitmap.bytes().len();
    let picture = compress(bitmap);
    format!("^XA^PW{width}^LL{height}^LH0,0^FO0,0^GFA,{total},{total},{row},{picture}^FS^PQ1^XZ").into_bytes()
}

/// Zebra's alternative data compression (ACS) of the hex picture: `G`–`Y` count 1–19 and `g`–`z` 20–400 of the digit
/// that follows, `,` and `!` fill the row with white and black, `:` repeats the row above.
fn compress(bitmap: &Bitmap) -> String {
    let mut out = String::with_capacity(bitmap.bytes().len() / 2);
    let mut above: Option<&[u8]> = None;
    for row in bitmap.rows() {
        if above == Some(row) {
            out.push(':');
        } else {
            compress_row(row, &mut out);
        }
        above = Some(row);
    }
    out
}

fn compress_row(row: &[u8], out: &mut String) {
    let digits: Vec<u8> = row.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).collect();
    let mut runs = digits.chunk_by(|a, b| a == b).peekable();
    while let Some(run) = runs.next() {
        match (run[0], runs.peek()) {
            (0x0, None) => out.push(','),
            (0xf, None) => out.push('!'),
            (digit, _) => run.chunks(LONGEST_RUN).for_each(|part| push_run(part.len(), digit, out)),
        }
    }
}

/// `count` is 1 to 419.
fn push_run(count: usize, digit: u8, out: &mut String) {
    const TWENTIES: &[u8; 20] = b"ghijklmnopqrstuvwxyz";
    const ONES: &[u8; 19] = b"GHIJKLMNOPQRSTUVWXY";
    let (twenties, ones) = (count / 20, count % 20);
    if twenties > 0 {
        out.push(char::from(TWENTIES[twenties - 1]));
    }
    if ones > 0 && count > 1 {
        out.push(char::from(ONES[ones - 1]));
    }
    // Writing to a String cannot fail.
    let _ = write!(out, "{digit:X}");
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// Reads a picture back the way the ZPL guide describes it, sharing nothing with the writer.
    fn decompress(text: &str, row_bytes: usize) -> Vec<u8> {
        let row_digits = row_bytes * 2;
        let (mut digits, mut count) = (Vec::<u32>::new(), 0);
        for c in text.chars() {
            let left = row_digits - digits.len() % row_digits;
            match c {
                'G'..='Y' => count += c as usize - 'F' as usize,
                'g'..='z' => count += (c as usize - 'f' as usize) * 20,
                ',' => digits.extend(vec![0; left]),
                '!' => digits.extend(vec![15; left]),
                ':' => {
                    assert_eq!(left, row_digits, "':' stands for a whole row");
                    digits.extend_from_within(digits.len() - row_digits..);
                }
                _ => {
                    let run = count.max(1);
                    assert!(run <= left, "a run ends with its row");
                    digits.extend(vec![c.to_digit(16).unwrap(); run]);
                    count = 0;
                }
            }
        }
        assert_eq!(count, 0, "a count belongs to a digit");
        digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
    }

    fn from_rows(rows: &[&[u8]]) -> Bitmap {
        let width = u32::try_from(rows[0].len() * 8).unwrap();
        Bitmap::draw(width, u32::try_from(rows.len()).unwrap(), |x, y| {
            rows[y as usize][x as usize / 8] & (0x80 >> (x % 8)) != 0
        })
    }

    #[test]
    fn compression_follows_the_guide() {
        let long = [&[0x55; 200][..], &[0x01]].concat();
        let longer = [&[0x55; 220][..], &[0x01]].concat();
        let cases: [(&[&[u8]], &str); 10] = [
            (&[&[0x00, 0x00]], ","),
            (&[&[0xff, 0xff]], "!"),
            (&[&[0x12, 0x34]], "1234"),
            (&[&[0x80, 0x00]], "8,"),
            (&[&[0x0f, 0xff]], "0!"),
            (&[&[0x00, 0x01], &[0x00, 0x01]], "I01:"),
            (&[&[0xaa, 0xaa], &[0x00, 0x00], &[0x00, 0x00]], "JA,:"),
            (&[&[0x11; 10], &[0x11; 11][..10]], "g1:"),
            (&[&long], "z501"),
            (&[&longer], "zY5gG501"),
        ];
        for (rows, expected) in cases {
            let bitmap = from_rows(rows);
            assert_eq!(compress(&bitmap), expected);
            assert_eq!(decompress(expected, bitmap.row_bytes()), bitmap.bytes());
        }
    }

    #[test]
    fn every_run_length_is_read_back() {
        for count in 1..=LONGEST_RUN {
            let mut text = String::new();
            push_run(count, 0xa, &mut text);
            // In a row longer than any run.
            let padded = format!("{text},");
            let read = decompress(&padded, 420);
            let digits: usize = read.iter().map(|b| usize::from(b >> 4 == 0xa) + usize::from(b & 15 == 0xa)).sum();
            assert_eq!(digits, count, "{text}");
        }
    }

    #[test]
    fn random_pictures_survive_the_round_trip() {
        let mut random = StdRng::seed_from_u64(58);
        for _ in 0..300 {
            let (width, height) = (random.random_range(1..1000), random.random_range(1..30));
            let (column, row) = (random.random_range(1..200), random.random_range(1..9));
            let noise: Vec<bool> = (0..1000 * 30).map(|_| random.random_bool(0.4)).collect();
            let bitmap =
                Bitmap::draw(width, height, |x, y| noise[(y / row * row * 1000 + x / column * column) as usize]);
            assert_eq!(
                decompress(&compress(&bitmap), bitmap.row_bytes()),
                bitmap.bytes(),
                "{width}x{height}, blocks of {column}x{row}"
            );
        }
    }

    #[test]
    fn a_label_is_one_format_printed_once() {
        let bitmap = Bitmap::draw(12, 2, |x, y| x == 0 && y == 0);
        let zpl = String::from_utf8(label(&bitmap)).unwrap();
        assert_eq!(zpl, "^XA^PW12^LL2^LH0,0^FO0,0^GFA,4,4,2,8,,^FS^PQ1^XZ");
    }

    #[test]
    fn a_blank_sticker_sized_label_is_small() {
        let zpl = label(&Bitmap::draw(464, 320, |_, _| false));
        assert!(zpl.len() < 400 && zpl == label(&Bitmap::draw(464, 320, |_, _| false)));
    }
}
