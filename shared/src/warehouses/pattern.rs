//! Rows of cells written in one line: `A1-01…A9-20` is nine rows of twenty. Both ends look alike; what differs between
//! them runs from the one to the other, the last part fastest.
//!
//! Numbers keep their leading zeros, letters run within their own alphabet. The order in which the cells stand on the
//! walking path is either straight (every row from its beginning) or a serpentine (there and back again).

use std::fmt::Write as _;

use crate::{Error, Result};

/// The most cells that one pattern may mean.
pub const MAX_CELLS: usize = 5000;
/// The longest code, in characters.
pub const MAX_CODE: usize = 60;

/// How the walking path goes through the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
pub enum Walk {
    /// Every row from its first cell to its last.
    #[default]
    Straight,
    /// Up one row and down the next.
    Serpentine,
}

/// Codes in the order in which the pattern spells them, and their order on the walking path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// The same in every code.
    Fixed(String),
    /// A number; `width` is how many digits it has at least.
    Numbers { from: u32, to: u32, width: usize },
    /// One letter of an alphabet.
    Letters { from: char, to: char },
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Fixed(_) => 1,
            Self::Numbers { from, to, .. } => (to - from) as usize + 1,
            Self::Letters { from, to } => (u32::from(*to) - u32::from(*from)) as usize + 1,
        }
    }

    fn write(&self, index: usize, code: &mut String) {
        let ahead = u32::try_from(index).unwrap_or(u32::MAX);
        match self {
            Self::Fixed(text) => code.push_str(text),
            Self::Numbers { from, width, .. } => {
                // Writing to a String cannot fail.
                let _ = write!(code, "{:0width$}", from + ahead);
            }
            Self::Letters { from, .. } => code.extend(char::from_u32(u32::from(*from) + ahead)),
        }
    }
}

fn wrong(why: impl std::fmt::Display) -> Error {
    Error::invalid("pattern", why.to_string())
}

impl Pattern {
    /// Reads `first…last`; three dots or two are as good as the sign. Without them it is one code.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let separated = ["…", "...", ".."].iter().find_map(|sign| text.split_once(sign));
        let (first, last) = separated.unwrap_or((text, text));
        let (first, last) = (first.trim(), last.trim());
        for end in [first, last] {
            check_code(end).map_err(wrong)?;
        }
        let (from, to) = (pieces(first), pieces(last));
        if from.len() != to.len() {
            return Err(wrong(format!("has two ends that do not look alike: {first} and {last}")));
        }
        let mut parts: Vec<Part> = Vec::new();
        for (from, to) in from.into_iter().zip(to) {
            match (part(from, to)?, parts.last_mut()) {
                (Part::Fixed(more), Some(Part::Fixed(text))) => text.push_str(&more),
                (part, _) => parts.push(part),
            }
        }
        let pattern = Self { parts };
        let count = pattern.parts.iter().try_fold(1_usize, |count, part| count.checked_mul(part.len()));
        match count {
            Some(count) if count <= MAX_CELLS => Ok(pattern),
            _ => Err(wrong(format!("means more than {MAX_CELLS} cells: make them in several steps"))),
        }
    }

    /// How many cells it means.
    pub fn count(&self) -> usize {
        self.parts.iter().map(Part::len).product()
    }

    /// Every code, the last part running fastest.
    pub fn codes(&self) -> Vec<String> {
        (0..self.count()).map(|index| self.code(index)).collect()
    }

    /// For each of the codes its place on the walking path, from 0.
    pub fn places(&self, walk: Walk) -> Vec<usize> {
        let count = self.count();
        let row = self.parts.iter().rev().map(Part::len).find(|len| *len > 1).unwrap_or(1);
        match walk {
            Walk::Straight => (0..count).collect(),
            Walk::Serpentine => (0..count)
                .map(|index| {
                    let (rows, place) = (index / row, index % row);
                    rows * row + if rows % 2 == 0 { place } else { row - 1 - place }
                })
                .collect(),
        }
    }

    fn code(&self, index: usize) -> String {
        let (mut rest, mut indices) = (index, vec![0; self.parts.len()]);
        for (place, part) in self.parts.iter().enumerate().rev() {
            indices[place] = rest % part.len();
            rest /= part.len();
        }
        let mut code = String::new();
        for (part, index) in self.parts.iter().zip(indices) {
            part.write(index, &mut code);
        }
        code
    }
}

/// Says what is wrong with a code: people read it aloud and scanners type it.
pub(super) fn check_code(code: &str) -> std::result::Result<(), &'static str> {
    if code.trim() != code || code.is_empty() || code.chars().count() > MAX_CODE {
        return Err("must have 1 to 60 characters and no blanks around");
    }
    if code.chars().any(char::is_control) {
        return Err("must have no control characters");
    }
    Ok(())
}

/// Digits together, every other character by itself.
fn pieces(code: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(if digits > 0 { digits } else { first.len_utf8() });
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn part(from: &str, to: &str) -> Result<Part> {
    if from == to {
        return Ok(Part::Fixed(from.to_owned()));
    }
    let digits = |piece: &str| piece.bytes().all(|letter| letter.is_ascii_digit());
    if digits(from) && digits(to) {
        return numbers(from, to);
    }
    let (Some(first), Some(last)) = (from.chars().next(), to.chars().next()) else {
        return Err(wrong("has two ends that do not look alike"));
    };
    if alphabet(first).is_none() || alphabet(first) != alphabet(last) {
        return Err(wrong(format!("cannot run from «{from}» to «{to}»: only numbers and letters of one alphabet do")));
    }
    if first > last {
        return Err(wrong(format!("runs backwards from {from} to {to}")));
    }
    Ok(Part::Letters { from: first, to: last })
}

fn numbers(from: &str, to: &str) -> Result<Part> {
    let number = |piece: &str| piece.parse::<u32>().ok().filter(|_| piece.len() <= 6);
    let (Some(first), Some(last)) = (number(from), number(to)) else {
        return Err(wrong("has a number of more than six digits"));
    };
    if first > last {
        return Err(wrong(format!("runs backwards from {from} to {to}")));
    }
    let width = if from.starts_with('0') && from.len() > 1 { from.len() } else { 1 };
    let written = format!("{last:0width$}");
    if written != to {
        return Err(wrong(format!("begins with {from}, so it ends with {written} and not with {to}")));
    }
    Ok(Part::Numbers { from: first, to: last, width })
}

/// The letters among which a letter runs.
fn alphabet(letter: char) -> Option<u8> {
    match letter {
        'A'..='Z' => Some(0),
        'a'..='z' => Some(1),
        'А'..='Я' => Some(2),
        'а'..='я' => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn codes(pattern: &str) -> Vec<String> {
        Pattern::parse(pattern).unwrap().codes()
    }

    fn why(pattern: &str) -> String {
        match Pattern::parse(pattern) {
            Err(Error::Invalid { field, why }) => {
                assert_eq!(field, "pattern");
                why
            }
            other => panic!("{pattern}: {other:?}"),
        }
    }

    #[test]
    fn nine_rows_of_twenty() {
        let codes = codes("A1-01…A9-20");
        assert_eq!(codes.len(), 180);
        assert_eq!([&*codes[0], &*codes[19], &*codes[20], &*codes[179]], ["A1-01", "A1-20", "A2-01", "A9-20"]);
    }

    #[test]
    fn letters_run_in_their_own_alphabet_and_zeros_are_kept() {
        assert_eq!(codes("Б-9 .. Г-10"), ["Б-9", "Б-10", "В-9", "В-10", "Г-9", "Г-10"]);
        assert_eq!(codes("x098...x101"), ["x098", "x099", "x100", "x101"]);
        assert_eq!(codes("Паллета 1"), ["Паллета 1"]);
        assert_eq!(codes("AA…AC"), ["AA", "AB", "AC"]);
    }

    #[test]
    fn what_makes_no_sense_is_said_in_words() {
        assert!(why("A1-01…A9").contains("do not look alike"));
        assert!(why("A9-01…A1-20").contains("backwards from 9 to 1"));
        assert!(why("C…A").contains("backwards"));
        assert!(why("A…Я").contains("one alphabet"));
        assert!(why("A-01…A-5").contains("ends with 05"));
        assert!(why("A-1…A-05").contains("ends with 5"));
        assert!(why("1…9999999").contains("six digits"));
        assert!(why("A1-001…A9-999").contains("5000"));
        assert!(why("A000001…Z999999").contains("5000"), "what would overflow is only counted");
        assert!(why("…A1").contains("characters") && why("A\n1…A\n2").contains("control"));
    }

    #[test]
    fn a_serpentine_comes_back_along_the_next_row() {
        let pattern = Pattern::parse("A1…B3").unwrap();
        assert_eq!(pattern.places(Walk::Straight), [0, 1, 2, 3, 4, 5]);
        assert_eq!(pattern.places(Walk::Serpentine), [0, 1, 2, 5, 4, 3]);
        // The rows are those of what runs, wherever the pattern ends.
        assert_eq!(Pattern::parse("1A-x…2B-x").unwrap().places(Walk::Serpentine), [0, 1, 3, 2]);
    }

    /// Whatever pattern is written: as many codes as were counted, each once, each end where it was said, and every place
    /// of the walk taken once, one row after the other.
    #[test]
    fn every_pattern_keeps_its_promises() {
        for seed in 0..200 {
            let mut random = StdRng::seed_from_u64(seed);
            let (mut first, mut last) = (String::new(), String::new());
            let mut room = MAX_CELLS;
            for place in 0..random.random_range(1..5) {
                if place > 0 {
                    let sign = ["-", "/", ".x", " "][random.random_range(0..4)];
                    first.push_str(sign);
                    last.push_str(sign);
                }
                if random.random_bool(0.5) {
                    let from = random.random_range(0..2000_u32);
                    let to = from + random.random_range(0..u32::try_from(room.min(30)).unwrap());
                    let width = if random.random_bool(0.5) { 4 } else { 1 };
                    write!(first, "{from:0width$}").unwrap();
                    write!(last, "{to:0width$}").unwrap();
                    room /= (to - from + 1) as usize;
                } else {
                    let start = [u32::from('A'), u32::from('а')][random.random_range(0..2)];
                    let ahead = random.random_range(0..u32::try_from(room.min(20)).unwrap());
                    first.extend(char::from_u32(start));
                    last.extend(char::from_u32(start + ahead));
                    room /= ahead as usize + 1;
                }
            }
            let pattern =
                Pattern::parse(&format!("{first}…{last}")).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            let codes = pattern.codes();
            assert_eq!(codes.len(), pattern.count(), "seed {seed}");
            assert_eq!((codes.first(), codes.last()), (Some(&first), Some(&last)), "seed {seed}");
            assert_eq!(codes.iter().collect::<HashSet<_>>().len(), codes.len(), "seed {seed}");
            for walk in [Walk::Straight, Walk::Serpentine] {
                let mut places = pattern.places(walk);
                places.sort_unstable();
                assert!(places.into_iter().eq(0..codes.len()), "seed {seed}: {walk:?}");
            }
        }
    }
}
