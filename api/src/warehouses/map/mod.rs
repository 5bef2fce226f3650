//! A map of a warehouse as a picture: zones, rows of cells, how full each is and what is blocked. A cell fills up like a
//! glass, so that it is read without colours too; whoever points at one is told what it holds. Nothing but attributes of
//! SVG is used: no style, no script, no file, so it shows wherever pictures do, and prints.

mod floor;
mod words;

use std::fmt::Write as _;

use shared::warehouses::{Cell, Fill, FloorPlan, Purpose};

use self::floor::{HEAD, MARGIN, PADDING, Panel, Place, Shelf, WIDTH, lay_out};
use self::words::{Words, number};

const PAPER: &str = "#f6f3ec";
const INK: &str = "#1f2a37";
const FAINT: &str = "#6b7280";
const LINE: &str = "#cfc8ba";
const CALM: &str = "#a9d9cf";
const BUSY: &str = "#63bbae";
const FULL: &str = "#f0b45b";
const OVER: &str = "#e4674f";
const WARNING: &str = "#a83232";
const TOP: i32 = 196;

/// The whole picture.
pub(super) fn draw(plan: &FloorPlan) -> String {
    let words = Words(plan.language);
    let (panels, end) = lay_out(plan, TOP);
    let height = end + 96;
    let mut out = Picture::default();
    let title = words.title(&plan.warehouse.name);
    let total = Fill::of(&plan.cells);
    out.put(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" xml:lang="{}" role="img" aria-labelledby="map-title map-description"><title id="map-title">{}</title><desc id="map-description">{}</desc>"#,
        words.tag(),
        Escaped(&title),
        Escaped(&description(words, &panels, &total)),
    ));
    out.put(format_args!(
        r##"<defs><pattern id="hatch" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="9" height="9" fill="#fff" fill-opacity=".55"/><rect width="3.6" height="9" fill="{WARNING}"/></pattern><pattern id="dots" width="7" height="7" patternUnits="userSpaceOnUse"><rect width="7" height="7" fill="#e7f1ee"/><circle cx="3.5" cy="3.5" r="1.6" fill="{BUSY}"/></pattern></defs>"##
    ));
    out.put(format_args!(
        r#"<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/><g font-family="PT Sans, Segoe UI, Roboto, Arial, sans-serif" fill="{INK}">"#
    ));
    head(&mut out, plan, words, &total);
    if panels.is_empty() {
        out.text((MARGIN, TOP + 40), 24, FAINT, "start", words.nothing());
    }
    for panel in &panels {
        zone(&mut out, panel, words);
    }
    legend(&mut out, words, end + 28);
    out.put(format_args!("</g></svg>"));
    out.0
}

/// What somebody hears who does not see the picture.
fn description(words: Words, panels: &[Panel<'_>], total: &Fill) -> String {
    let told = |name: &str, fill: &Fill| {
        let mut told = format!(
            "{name}: {} {}, {} {}, {} {}",
            number(fill.cells),
            words.cells(),
            number(fill.occupied_cells),
            words.occupied(),
            number(fill.units),
            words.units()
        );
        // Writing to a String cannot fail.
        if let Some(percent) = fill.percent() {
            let _ = write!(told, ", {} {percent} %", words.filled());
        }
        if fill.blocked_cells > 0 {
            let _ = write!(told, ", {} {}", number(fill.blocked_cells), words.blocked());
        }
        told
    };
    let zones = panels.iter().map(|panel| told(name_of(panel, words), &panel.fill));
    std::iter::once(told("Σ", total)).chain(zones).collect::<Vec<_>>().join(". ")
}

fn name_of<'a>(panel: &'a Panel<'_>, words: Words) -> &'a str {
    panel.zone.map_or(words.no_zone(), |zone| &zone.name)
}

fn head(out: &mut Picture, plan: &FloorPlan, words: Words, total: &Fill) {
    out.strong((MARGIN, 84), 46, INK, "start", &plan.warehouse.name);
    let place = plan.warehouse.address.as_deref().map_or_else(String::new, |address| format!("{address} · "));
    out.text((MARGIN, 120), 20, FAINT, "start", &format!("{place}{}", words.as_of(plan.at)));
    let mut figures = vec![
        (number(total.cells), words.cells(), INK),
        (number(total.occupied_cells), words.occupied(), INK),
        (number(total.units), words.units(), INK),
    ];
    if let Some(percent) = total.percent() {
        figures.push((format!("{percent}\u{a0}%"), words.filled(), INK));
    }
    if total.blocked_cells > 0 {
        figures.push((number(total.blocked_cells), words.blocked(), WARNING));
    }
    let mut x = WIDTH - MARGIN;
    for (figure, what, colour) in figures.iter().rev() {
        out.strong((x, 84), 38, colour, "end", figure);
        out.text((x, 112), 17, FAINT, "end", what);
        x -= 158;
    }
    out.put(format_args!(r#"<path d="M{MARGIN} 152H{}" stroke="{INK}" stroke-width="2"/>"#, WIDTH - MARGIN));
}

fn accent(purpose: Option<Purpose>) -> &'static str {
    match purpose {
        Some(Purpose::Receiving) => "#2f6f9f",
        Some(Purpose::Storage) => "#0f766e",
        Some(Purpose::Picking) => "#6a4fa3",
        Some(Purpose::Packing) => "#a8660f",
        Some(Purpose::Shipping) => "#2f6b3a",
        Some(Purpose::Quarantine) => WARNING,
        None => FAINT,
    }
}

fn zone(out: &mut Picture, panel: &Panel<'_>, words: Words) {
    let Place { x, y, width, height } = panel.place;
    let purpose = panel.zone.map(|zone| zone.purpose);
    let (name, colour) = (name_of(panel, words), accent(purpose));
    out.put(format_args!(
        r##"<g><title>{}</title><rect x="{x}" y="{y}" width="{width}" height="{height}" rx="14" fill="#fff" stroke="{LINE}"/><path d="M{x} {}v-52a14 14 0 0 1 14-14h{}a14 14 0 0 1 14 14v52" fill="{colour}" fill-opacity=".13"/><rect x="{}" y="{}" width="6" height="34" rx="3" fill="{colour}"/>"##,
        Escaped(name),
        y + 66,
        width - 28,
        x + PADDING - 8,
        y + 16,
    ));
    let left = x + PADDING + 10;
    out.strong((left, y + 33), 22, INK, "start", name);
    let mut told = purpose.map_or_else(String::new, |purpose| format!("{} · ", words.purpose(purpose)));
    // Writing to a String cannot fail.
    let _ =
        write!(told, "{} {} · {} {}", number(panel.fill.cells), words.cells(), number(panel.fill.units), words.units());
    out.text((left, y + 54), 15, FAINT, "start", &told);
    if let Some(percent) = panel.fill.percent() {
        gauge(out, (x + width - PADDING - 110, y + 40), 110, percent);
    }
    for shelf in &panel.shelves {
        row(out, shelf, words);
    }
    if panel.shelves.is_empty() {
        out.text((left, y + HEAD + 8), 15, FAINT, "start", words.nothing());
    }
    out.put(format_args!("</g>"));
}

/// How full a zone is, as a bar with its number.
fn gauge(out: &mut Picture, (x, y): (i32, i32), width: i32, percent: i64) {
    let used = part(width, percent);
    out.put(format_args!(
        r##"<rect x="{x}" y="{y}" width="{width}" height="9" rx="4.5" fill="#fff" stroke="{LINE}"/><rect x="{x}" y="{y}" width="{used}" height="9" rx="4.5" fill="{}"/>"##,
        shade(percent)
    ));
    out.strong((x + width, y - 8), 18, INK, "end", &format!("{percent}\u{a0}%"));
}

fn row(out: &mut Picture, shelf: &Shelf<'_>, words: Words) {
    let Place { x, y, width, height } = shelf.name;
    let base = y + height / 2 + 6;
    let alone = shelf.row.cells.len() == 1 && shelf.row.cells.iter().any(|(cell, own)| cell.code == *own);
    if !alone {
        out.strong((x, base), 17, INK, "start", &shelf.row.name);
        let walk = if shelf.row.is_walked_back() { "‹" } else { "›" };
        out.text((x + width - 14, base), 20, FAINT, "middle", walk);
    }
    if shelf.cells.len() == shelf.row.cells.len() {
        for ((each, own), place) in shelf.row.cells.iter().zip(&shelf.cells) {
            // A cell that stands by itself has room for its whole name.
            let place = if alone { Place { x, width: width + place.width, ..*place } } else { *place };
            cell(out, each, own, place, words);
        }
    } else if let Some(place) = shelf.cells.first() {
        bar(out, shelf, *place, words);
    }
}

/// A row of too many cells to tell them apart.
fn bar(out: &mut Picture, shelf: &Shelf<'_>, Place { x, y, width, height }: Place, words: Words) {
    let fill = shelf.row.fill();
    let percent = fill.percent().unwrap_or(if fill.cells > 0 { fill.occupied_cells * 100 / fill.cells } else { 0 });
    out.put(format_args!(
        r##"<g><title>{}: {} {}, {percent} %</title><rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" fill="#fbfaf7" stroke="{LINE}"/><rect x="{x}" y="{y}" width="{}" height="{height}" rx="3" fill="{}"/>"##,
        Escaped(&shelf.row.name),
        number(fill.cells),
        words.cells(),
        part(width, percent),
        shade(percent),
    ));
    if fill.blocked_cells > 0 {
        let blocked = part(width, (fill.blocked_cells * 100 / fill.cells.max(1)).max(3));
        out.put(format_args!(
            r#"<rect x="{}" y="{y}" width="{blocked}" height="{height}" fill="url(#hatch)"/>"#,
            x + width - blocked
        ));
    }
    out.put(format_args!("</g>"));
}

fn cell(out: &mut Picture, cell: &Cell, own: &str, place: Place, words: Words) {
    let (x, y, width, height) = (place.x + 1, place.y, place.width - 3, place.height);
    out.put(format_args!(
        r##"<g><title>{}</title><rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" fill="#fbfaf7" stroke="{LINE}"/>"##,
        Escaped(&words.cell(cell)),
    ));
    match cell.fill_percent() {
        _ if cell.units == 0 => {}
        Some(percent) => {
            let level = part(height, percent).max(3);
            out.put(format_args!(
                r#"<rect x="{x}" y="{}" width="{width}" height="{level}" rx="4" fill="{}"/>"#,
                y + height - level,
                shade(percent)
            ));
        }
        None => out.put(format_args!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" fill="url(#dots)" stroke="{LINE}"/>"#
        )),
    }
    if cell.blocked_at.is_some() {
        out.put(format_args!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" fill="url(#hatch)" stroke="{WARNING}" stroke-width="2"/>"#
        ));
    }
    let length = i32::try_from(own.chars().count()).unwrap_or(i32::MAX).max(1);
    let size = ((width - 4) * 10 / (length * 6)).clamp(7, 15);
    out.put(format_args!(
        r##"<text x="{}" y="{}" font-size="{size}" text-anchor="middle" stroke="#fff" stroke-opacity=".75" stroke-width="3" stroke-linejoin="round" paint-order="stroke">{}</text></g>"##,
        x + width / 2,
        y + height / 2 + size / 3,
        Escaped(own),
    ));
}

/// So much of a length, never more than all of it.
fn part(length: i32, percent: i64) -> i32 {
    i32::try_from(i64::from(length) * percent.clamp(0, 100) / 100).unwrap_or(length)
}

fn shade(percent: i64) -> &'static str {
    match percent {
        ..=60 => CALM,
        61..=89 => BUSY,
        90..=100 => FULL,
        _ => OVER,
    }
}

fn legend(out: &mut Picture, words: Words, y: i32) {
    let swatches = [
        (Some(("#fbfaf7", 0)), words.empty().to_owned()),
        (Some((CALM, 45)), words.up_to(60)),
        (Some((BUSY, 75)), words.up_to(89)),
        (Some((FULL, 95)), words.full().to_owned()),
        (Some((OVER, 100)), words.over().to_owned()),
        (Some(("url(#dots)", 100)), words.unlimited().to_owned()),
        (Some(("url(#hatch)", 100)), words.is_blocked().to_owned()),
        (None, words.walk().to_owned()),
    ];
    let mut x = MARGIN;
    for (swatch, what) in swatches {
        match swatch {
            Some((fill, percent)) => {
                let level = part(26, percent);
                out.put(format_args!(
                    r##"<rect x="{x}" y="{y}" width="26" height="26" rx="4" fill="#fbfaf7" stroke="{LINE}"/><rect x="{x}" y="{}" width="26" height="{level}" rx="4" fill="{fill}"/>"##,
                    y + 26 - level
                ));
            }
            None => out.text((x + 12, y + 20), 22, FAINT, "middle", "›"),
        }
        out.text((x + 34, y + 19), 16, INK, "start", &what);
        x += 62 + i32::try_from(what.chars().count()).unwrap_or(0) * 8;
    }
}

/// What is drawn so far.
#[derive(Default)]
struct Picture(String);

impl Picture {
    fn put(&mut self, markup: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(markup);
    }

    fn text(&mut self, (x, y): (i32, i32), size: i32, colour: &str, anchor: &str, words: &str) {
        self.put(format_args!(
            r#"<text x="{x}" y="{y}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">{}</text>"#,
            Escaped(words)
        ));
    }

    fn strong(&mut self, (x, y): (i32, i32), size: i32, colour: &str, anchor: &str, words: &str) {
        self.put(format_args!(
            r#"<text x="{x}" y="{y}" font-size="{size}" font-weight="bold" fill="{colour}" text-anchor="{anchor}">{}</text>"#,
            Escaped(words)
        ));
    }
}

/// Fit for XML. What no XML document may hold is left out.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\u{fffe}' | '\u{ffff}' => {}
                letter if letter.is_control() => {}
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
