//! Where everything stands on a map: cells in rows, rows in zones, zones side by side. Whole numbers of pixels only.

use shared::warehouses::{Cell, Fill, FloorPlan, Zone};

/// How wide a map is.
pub(super) const WIDTH: i32 = 1600;
/// What stays free along its edges.
pub(super) const MARGIN: i32 = 56;
/// Inside a zone along its edges.
pub(super) const PADDING: i32 = 24;
/// What the name of a zone takes.
pub(super) const HEAD: i32 = 96;
/// How high a cell is.
pub(super) const CELL_HEIGHT: i32 = 42;
/// Between two zones.
const GAP: i32 = 24;
/// How narrow and how wide a cell may be.
const NARROW: i32 = 26;
const WIDE: i32 = 70;
/// Between rows that stand back to back, and between rows that share an aisle.
const BACKS: i32 = 6;
const AISLE: i32 = 30;
/// Beyond so many cells a row is drawn as one bar.
const MANY: usize = 4000;
const BAR_WIDTH: i32 = 200;

/// A row of cells: all whose codes differ in their last number only.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// What their codes have in common.
    pub name: String,
    /// With the part of the code that is theirs, in its order.
    pub cells: Vec<(&'a Cell, String)>,
}

impl Row<'_> {
    /// Whether the walking path runs against the numbers.
    pub fn is_walked_back(&self) -> bool {
        match (self.cells.first(), self.cells.last()) {
            (Some((first, _)), Some((last, _))) => first.pick_sequence > last.pick_sequence,
            _ => false,
        }
    }

    /// How full its cells are together.
    pub fn fill(&self) -> Fill {
        Fill::of(self.cells.iter().map(|(cell, _)| *cell))
    }
}

/// A rectangle with its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

/// A row with the places of its cells.
#[derive(Debug)]
pub(super) struct Shelf<'a> {
    pub row: Row<'a>,
    /// Of its name.
    pub name: Place,
    /// One for each cell; one for all of them where there are too many.
    pub cells: Vec<Place>,
}

/// A zone with its rows.
#[derive(Debug)]
pub(super) struct Panel<'a> {
    /// Absent: the cells in no zone.
    pub zone: Option<&'a Zone>,
    pub fill: Fill,
    pub place: Place,
    pub shelves: Vec<Shelf<'a>>,
}

/// Everything with its place, and how far down it goes. `top` is where the floor begins.
pub(super) fn lay_out(plan: &FloorPlan, top: i32) -> (Vec<Panel<'_>>, i32) {
    let bars = plan.cells.len() > MANY;
    let mut zones: Vec<(Option<&Zone>, Vec<&Cell>)> = plan.zones.iter().map(|zone| (Some(zone), Vec::new())).collect();
    zones.push((None, Vec::new()));
    for cell in &plan.cells {
        let home = zones.iter().position(|(zone, _)| zone.map(|zone| zone.id) == cell.zone_id);
        if let Some(home) = home {
            zones[home].1.push(cell);
        }
    }
    zones.retain(|(zone, cells)| zone.is_some() || !cells.is_empty());
    let drafts: Vec<_> = zones.into_iter().map(|(zone, cells)| Draft::of(zone, &cells, bars)).collect();

    let (mut panels, mut line, mut y) = (Vec::new(), Vec::new(), top);
    for draft in drafts {
        let taken: i32 = line.iter().map(|draft: &Draft<'_>| draft.width + GAP).sum();
        if !line.is_empty() && taken + draft.width > WIDTH - 2 * MARGIN {
            y = settle(std::mem::take(&mut line), y, &mut panels);
        }
        line.push(draft);
    }
    if !line.is_empty() {
        y = settle(line, y, &mut panels);
    }
    (panels, y)
}

/// Gives the zones of one line their places: together they fill it, and all are as high as the highest.
fn settle<'a>(line: Vec<Draft<'a>>, y: i32, panels: &mut Vec<Panel<'a>>) -> i32 {
    let gaps = GAP * (i32::try_from(line.len()).unwrap_or(1) - 1);
    let natural: i32 = line.iter().map(|draft| draft.width).sum::<i32>().max(1);
    let room = WIDTH - 2 * MARGIN - gaps;
    let (mut x, first) = (MARGIN, panels.len());
    let last = line.len() - 1;
    for (index, draft) in line.into_iter().enumerate() {
        let width = if index == last { WIDTH - MARGIN - x } else { draft.width * room / natural };
        panels.push(draft.settle(x, y, width));
        x += width + GAP;
    }
    let height = panels[first..].iter().map(|panel| panel.place.height).max().unwrap_or(0);
    for panel in &mut panels[first..] {
        panel.place.height = height;
    }
    y + height + GAP
}

/// A zone before it has its place.
struct Draft<'a> {
    zone: Option<&'a Zone>,
    fill: Fill,
    rows: Vec<Row<'a>>,
    bars: bool,
    /// What the name of the longest row takes.
    names: i32,
    longest: i32,
    width: i32,
}

impl<'a> Draft<'a> {
    fn of(zone: Option<&'a Zone>, cells: &[&'a Cell], bars: bool) -> Self {
        let rows = rows(cells);
        let length = |text: &str| i32::try_from(text.chars().count()).unwrap_or(i32::MAX);
        let names = rows.iter().map(|row| length(&row.name).min(16) * 10 + 34).max().unwrap_or(0);
        let longest = rows.iter().map(|row| i32::try_from(row.cells.len()).unwrap_or(i32::MAX)).max().unwrap_or(0);
        let shelf = if bars { names + BAR_WIDTH } else { names + longest.min(100) * WIDE.min(46) };
        let title = zone.map_or(0, |zone| length(&zone.name)) * 13 + 200;
        let width = (shelf.max(title) + 2 * PADDING).clamp(280, WIDTH - 2 * MARGIN);
        Self { zone, fill: Fill::of(cells.iter().copied()), rows, bars, names, longest, width }
    }

    fn settle(self, x: i32, y: i32, width: i32) -> Panel<'a> {
        let (left, inner) = (x + PADDING, width - 2 * PADDING);
        let room = (inner - self.names).max(NARROW);
        let cell = if self.bars { BAR_WIDTH.min(room) } else { (room / self.longest.max(1)).clamp(NARROW, WIDE) };
        let per_line = if self.bars { 1 } else { (room / cell).max(1).min(self.longest.max(1)) };
        let block = self.names + per_line * cell + PADDING;
        let columns = ((inner + PADDING) / block.max(1)).max(1);
        let high = if self.bars { CELL_HEIGHT / 2 } else { CELL_HEIGHT };
        let (mut shelves, mut top, mut lowest) = (Vec::new(), y + HEAD, y + HEAD);
        for (index, row) in self.rows.into_iter().enumerate() {
            let index = i32::try_from(index).unwrap_or(i32::MAX);
            let (line, column) = (index / columns, index % columns);
            if column == 0 && line > 0 {
                // Of two neighbours every second pair shares an aisle.
                top = lowest + if line % 2 == 1 { AISLE } else { BACKS };
            }
            let start = left + column * block;
            let count = if self.bars { 1 } else { i32::try_from(row.cells.len()).unwrap_or(i32::MAX) };
            let at = |place: i32| Place {
                x: start + self.names + place % per_line * cell,
                y: top + place / per_line * (high + 4),
                width: cell,
                height: high,
            };
            let cells: Vec<_> = (0..count).map(at).collect();
            lowest = lowest.max(cells.last().map_or(top, |place| place.y + place.height));
            shelves.push(Shelf { row, name: Place { x: start, y: top, width: self.names, height: high }, cells });
        }
        let place = Place { x, y, width, height: lowest - y + PADDING };
        Panel { zone: self.zone, fill: self.fill, place, shelves }
    }
}

/// Cells by what their codes have in common, rows and cells in the order of people: 2 before 10.
fn rows<'a>(cells: &[&'a Cell]) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for cell in cells {
        let (name, own) = split(&cell.code);
        let index = *known.entry(name.to_owned()).or_insert(rows.len());
        if index == rows.len() {
            rows.push(Row { name: name.to_owned(), cells: Vec::new() });
        }
        rows[index].cells.push((cell, own.to_owned()));
    }
    for row in &mut rows {
        row.cells.sort_by_cached_key(|(_, own)| natural(own));
    }
    rows.sort_by_cached_key(|row| natural(&row.name));
    rows
}

/// A code before its last number, and that number; a code without one is a row by itself.
fn split(code: &str) -> (&str, &str) {
    let digits = code.len() - code.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (row, own) = code.split_at(digits);
    if own.is_empty() { (code, code) } else { (row.trim_end_matches(['-', '.', '/', '_', ' ', ':']), own) }
}

/// Numbers as numbers, the rest as letters.
fn natural(text: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let letters = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        let (words, after) = rest.split_at(letters);
        let digits = after.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(digits);
        parts.push((0, words.to_owned()));
        parts.push((number.parse().unwrap_or(0), String::new()));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_in_which_row_it_stands() {
        assert_eq!(split("A1-01"), ("A1", "01"));
        assert_eq!(split("Ряд 12 / 7"), ("Ряд 12", "7"));
        assert_eq!(split("PACKING"), ("PACKING", "PACKING"));
        assert_eq!(split("17"), ("", "17"));
    }

    #[test]
    fn two_comes_before_ten() {
        let mut codes = ["A10", "A2", "Б1", "A1-10", "A1-9"];
        codes.sort_by_cached_key(|code| natural(code));
        assert_eq!(codes, ["A1-9", "A1-10", "A2", "A10", "Б1"]);
    }
}
