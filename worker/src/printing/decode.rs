//! Reads the code back from the dots that are about to be printed, so that a swapped file is noticed before it is
//! stuck on somebody else's parcel.

use std::collections::HashSet;

use rxing::{BarcodeFormat, DecodeHints, helpers};

use super::render::Bitmap;

/// White dots added on each side: readers need a quiet zone, and a sticker's code may touch its edge.
const QUIET: u32 = 24;

/// What the label says, compared with what it should say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// One of the codes on the label is the expected one.
    Matches,
    /// The label carries codes, and none is the expected one; this is the first of them.
    Differs(String),
    /// No code can be read.
    Unreadable,
}

/// The texts of all codes on the label, in no particular order; empty when none can be read.
pub fn read(bitmap: &Bitmap) -> Vec<String> {
    let (width, height) = (bitmap.width() + 2 * QUIET, bitmap.height() + 2 * QUIET);
    let luma = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x.checked_sub(QUIET), y.checked_sub(QUIET))))
        .map(|dot| if matches!(dot, (Some(x), Some(y)) if bitmap.is_ink(x, y)) { 0 } else { 255 })
        .collect();
    let mut hints = DecodeHints {
        TryHarder: Some(true),
        // Only what stickers and labels carry: the weaker codes are "found" in ordinary text.
        PossibleFormats: Some(HashSet::from([
            BarcodeFormat::QR_CODE,
            BarcodeFormat::DATA_MATRIX,
            BarcodeFormat::CODE_128,
            BarcodeFormat::EAN_13,
        ])),
        ..DecodeHints::default()
    };
    helpers::detect_multiple_in_luma_with_hints(luma, width, height, &mut hints)
        .unwrap_or_default()
        .iter()
        .map(|code| code.getText().to_owned())
        .collect()
}

/// Whether the label carries `expected`, the `barcode` text of Wildberries' answer.
pub fn compare(bitmap: &Bitmap, expected: &str) -> Reading {
    let texts = read(bitmap);
    if texts.iter().any(|text| text == expected) {
        return Reading::Matches;
    }
    texts.into_iter().next().map_or(Reading::Unreadable, Reading::Differs)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use rxing::{MultiFormatWriter, Writer};
    use shared::printing::label::CellLabel;

    use super::super::render::{LabelSize, render};
    use super::*;

    /// A sticker like Wildberries': a code on the left, text beside it.
    fn sticker(format: BarcodeFormat, text: &str) -> Vec<u8> {
        let code = MultiFormatWriter.encode(text, &format, 0, 0).unwrap();
        let bars = if format == BarcodeFormat::CODE_128 { 60 } else { 1 };
        let scale = f64::from(300 / code.getWidth().max(1)).max(2.0);
        let mut body = String::new();
        for y in 0..code.getHeight() {
            for x in (0..code.getWidth()).filter(|&x| code.get(x, y)) {
                write!(body, r#"<rect x="{x}" y="{y}" width="1" height="{bars}"/>"#).unwrap();
            }
        }
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="580" height="400"><g transform="translate(20 20) scale({scale})">{body}</g><text x="360" y="360" font-size="60">231648</text></svg>"#
        )
        .into_bytes()
    }

    const SIZES: [LabelSize; 4] = [
        LabelSize { width_mm: 58, height_mm: 40, dpi: 203 },
        LabelSize { width_mm: 40, height_mm: 30, dpi: 203 },
        LabelSize { width_mm: 58, height_mm: 40, dpi: 300 },
        LabelSize { width_mm: 40, height_mm: 30, dpi: 300 },
    ];

    #[test]
    fn a_rendered_sticker_says_its_code() {
        for size in SIZES {
            for text in ["!uKEtQZVx", "$WBMP:1:123:1234567", "WB-GI-1234567"] {
                let label = render(&sticker(BarcodeFormat::QR_CODE, text), size).unwrap();
                assert_eq!(compare(&label, text), Reading::Matches, "{text} {size:?}");
            }
        }
    }

    #[test]
    fn the_label_of_a_cell_is_read_back_whatever_the_printer() {
        let long = "Стеллаж-0001/Полка-02/Ячейка-003".to_owned();
        for size in SIZES {
            let (width, height) = size.dots().unwrap();
            for reading in
                ["A1-01".to_owned(), "MSK-A1-01".to_owned(), "Я-01".to_owned(), "9A".repeat(32), long.clone()]
            {
                let label = CellLabel {
                    code: "A1-01".to_owned(),
                    reading: reading.clone(),
                    warehouse: "Основной склад".to_owned(),
                    zone: Some("Быстрый отбор".to_owned()),
                };
                let svg = label.svg(i32::try_from(width).unwrap(), i32::try_from(height).unwrap()).unwrap();
                let drawn = render(svg.as_bytes(), size).unwrap();
                assert_eq!(compare(&drawn, &reading), Reading::Matches, "{reading} {size:?}");
            }
        }
    }

    #[test]
    fn a_bar_code_is_read_too() {
        let label = render(&sticker(BarcodeFormat::CODE_128, "!uKEtQZVx"), SIZES[2]).unwrap();
        assert_eq!(read(&label), ["!uKEtQZVx"]);
    }

    #[test]
    fn a_swapped_sticker_is_noticed() {
        let label = render(&sticker(BarcodeFormat::QR_CODE, "!other"), SIZES[0]).unwrap();
        assert_eq!(compare(&label, "!uKEtQZVx"), Reading::Differs("!other".to_owned()));
    }

    #[test]
    fn a_label_without_a_code_is_unreadable() {
        let text = br#"<svg xmlns="http://www.w3.org/2000/svg" width="580" height="400"><text x="20" y="200" font-size="90">231648 0399</text></svg>"#;
        for label in
            [render(text, SIZES[0]).unwrap(), Bitmap::draw(464, 320, |_, _| false), Bitmap::draw(1, 1, |_, _| true)]
        {
            assert_eq!(compare(&label, "!uKEtQZVx"), Reading::Unreadable);
        }
    }

    #[test]
    fn a_code_at_the_edge_is_read() {
        let code = MultiFormatWriter.encode("!edge", &BarcodeFormat::QR_CODE, 0, 0).unwrap();
        let (width, height) = (code.getWidth(), code.getHeight());
        let black = |x: u32, y: u32| code.get(x, y);
        let first = (0..width).find(|&i| black(i, i)).unwrap();
        let side = width.min(height) - 2 * first;
        let label = Bitmap::draw(side * 6, side * 6, |x, y| black(first + x / 6, first + y / 6));
        assert_eq!(compare(&label, "!edge"), Reading::Matches);
    }
}
