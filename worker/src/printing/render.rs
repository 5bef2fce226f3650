//! Turns an SVG sticker into the black dots of one label.
//!
//! The picture is untrusted: it is limited in size, never makes us open a file or an address, and is refused
//! rather than printed with a part missing. Rendering is pure computing: call it off the async threads.

use std::str;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{self, FontResolver, ImageHrefResolver, Options, Tree, fontdb, roxmltree};

const MAX_SVG_BYTES: usize = 2 * 1024 * 1024;
const MAX_DOTS: u32 = 4000;
const MAX_NODES: u32 = 100_000;
const MAX_DEPTH: usize = 64;
/// Luma below this is ink.
const INK_BELOW: u32 = 128;
const FONT_FAMILY: &str = "PT Sans";

/// One font for every family a sticker may name: what is printed must not depend on the machine.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    let font: &'static [u8] = include_bytes!("../../../shared/fonts/PTSans-Regular.ttf");
    fonts.load_font_source(fontdb::Source::Binary(Arc::new(font)));
    fonts.set_serif_family(FONT_FAMILY);
    fonts.set_sans_serif_family(FONT_FAMILY);
    fonts.set_cursive_family(FONT_FAMILY);
    fonts.set_fantasy_family(FONT_FAMILY);
    fonts.set_monospace_family(FONT_FAMILY);
    Arc::new(fonts)
});

/// Why a picture did not become a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The bytes are not a well-formed SVG document.
    #[error("the sticker is not an SVG picture")]
    NotSvg,
    /// The document is larger, deeper or more elaborate than any sticker.
    #[error("the sticker picture is too large")]
    PictureTooLarge,
    /// The document contains or refers to a raster image or a file, which we do not draw.
    #[error("the sticker refers to another picture")]
    ForeignPicture,
    /// The label has no area, or more than 4000 dots along a side.
    #[error("the label size is not supported")]
    LabelSize,
}

impl RenderError {
    /// The stable name, for storing and for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotSvg => "sticker_not_svg",
            Self::PictureTooLarge => "sticker_too_large",
            Self::ForeignPicture => "sticker_foreign_picture",
            Self::LabelSize => "label_size_unsupported",
        }
    }

    /// A sentence in Russian; the English one is the error itself.
    pub const fn title_ru(&self) -> &'static str {
        match self {
            Self::NotSvg => "Стикер не является картинкой SVG.",
            Self::PictureTooLarge => "Картинка стикера слишком велика.",
            Self::ForeignPicture => "Стикер ссылается на другую картинку.",
            Self::LabelSize => "Такой размер этикетки не поддерживается.",
        }
    }
}

/// The label in the printer and the resolution of its print head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelSize {
    /// Across the print head, millimetres.
    pub width_mm: u32,
    /// Along the feed, millimetres.
    pub height_mm: u32,
    /// Dots per inch: 203, 300, 600.
    pub dpi: u32,
}

impl LabelSize {
    /// Width and height in dots, rounded to the nearest: 58×40 mm at 203 dpi is 464×320.
    ///
    /// Fails with `LabelSize` when a side is empty or longer than 4000 dots.
    pub fn dots(self) -> Result<(u32, u32), RenderError> {
        let side = |mm: u32| -> Result<u32, RenderError> {
            let dots = (u64::from(mm) * u64::from(self.dpi)).saturating_mul(10).saturating_add(127) / 254;
            u32::try_from(dots).ok().filter(|dots| (1..=MAX_DOTS).contains(dots)).ok_or(RenderError::LabelSize)
        };
        Ok((side(self.width_mm)?, side(self.height_mm)?))
    }
}

/// A label as dots: one bit each, 1 is ink, the leftmost dot in the highest bit, rows padded to whole bytes with 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitmap {
    width: u32,
    height: u32,
    bytes: Vec<u8>,
}

impl Bitmap {
    /// Draws a label dot by dot: `ink(x, y)` from the upper left corner. Both sides must be at least 1.
    pub fn draw(width: u32, height: u32, ink: impl Fn(u32, u32) -> bool) -> Self {
        let row_bytes = width.div_ceil(8) as usize;
        let mut bytes = vec![0; row_bytes * height as usize];
        for (y, row) in (0..height).zip(bytes.chunks_exact_mut(row_bytes)) {
            for x in (0..width).filter(|&x| ink(x, y)) {
                row[(x / 8) as usize] |= 0x80 >> (x % 8);
            }
        }
        Self { width, height, bytes }
    }

    /// Dots across.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Dots down.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Bytes in one row.
    pub fn row_bytes(&self) -> usize {
        self.width.div_ceil(8) as usize
    }

    /// All rows, one after the other.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The rows from the top.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.row_bytes())
    }

    /// Whether the dot is black; dots outside the label are white.
    pub fn is_ink(&self, x: u32, y: u32) -> bool {
        let byte = y as usize * self.row_bytes() + (x / 8) as usize;
        x < self.width && y < self.height && self.bytes[byte] & (0x80 >> (x % 8)) != 0
    }

    /// Whether nothing would be printed.
    pub fn is_blank(&self) -> bool {
        self.bytes.iter().all(|&byte| byte == 0)
    }
}

/// Draws `svg` on a white label: as large as fits, proportions kept, centred.
pub fn render(svg: &[u8], label: LabelSize) -> Result<Bitmap, RenderError> {
    let (width, height) = label.dots()?;
    let tree = parse(svg)?;
    let mut pixmap = Pixmap::new(width, height).ok_or(RenderError::LabelSize)?;
    pixmap.fill(Color::WHITE);
    resvg::render(&tree, fit(tree.size(), &pixmap), &mut pixmap.as_mut());
    let pixels = pixmap.pixels();
    Ok(Bitmap::draw(width, height, |x, y| {
        let dot = pixels[(y * width + x) as usize];
        let luma = (u32::from(dot.red()) * 299 + u32::from(dot.green()) * 587 + u32::from(dot.blue()) * 114) / 1000;
        luma < INK_BELOW
    }))
}

#[expect(clippy::cast_precision_loss, reason = "a label is at most 4000 dots wide")]
fn fit(picture: usvg::Size, label: &Pixmap) -> Transform {
    let (width, height) = (label.width() as f32, label.height() as f32);
    let scale = (width / picture.width()).min(height / picture.height());
    let left = (width - picture.width() * scale) / 2.0;
    let top = (height - picture.height() * scale) / 2.0;
    Transform::from_row(scale, 0.0, 0.0, scale, left, top)
}

fn parse(svg: &[u8]) -> Result<Tree, RenderError> {
    if svg.len() > MAX_SVG_BYTES {
        return Err(RenderError::PictureTooLarge);
    }
    // Text only: usvg would also unpack a gzip file, of any size.
    let text = str::from_utf8(svg).map_err(|_| RenderError::NotSvg)?;
    // A short entity used many times grows without limit.
    if text.contains("<!ENTITY") {
        return Err(RenderError::PictureTooLarge);
    }
    let rules = roxmltree::ParsingOptions { allow_dtd: true, nodes_limit: MAX_NODES, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(text, rules).map_err(|error| match error {
        roxmltree::Error::NodesLimitReached => RenderError::PictureTooLarge,
        _ => RenderError::NotSvg,
    })?;
    if document.descendants().any(|node| node.ancestors().nth(MAX_DEPTH).is_some()) {
        return Err(RenderError::PictureTooLarge);
    }

    let foreign = AtomicBool::new(false);
    let tree = Tree::from_xmltree(&document, &options(&foreign)).map_err(|error| match error {
        usvg::Error::ElementsLimitReached => RenderError::PictureTooLarge,
        _ => RenderError::NotSvg,
    })?;
    if foreign.load(Ordering::Relaxed) { Err(RenderError::ForeignPicture) } else { Ok(tree) }
}

/// Options that open nothing and set `foreign` when the document asks for a picture besides its own shapes.
fn options(foreign: &AtomicBool) -> Options<'_> {
    Options {
        font_family: FONT_FAMILY.to_owned(),
        fontdb: Arc::clone(&FONTS),
        font_resolver: FontResolver::default(),
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| {
                foreign.store(true, Ordering::Relaxed);
                None
            }),
            resolve_string: Box::new(|_, _| {
                foreign.store(true, Ordering::Relaxed);
                None
            }),
        },
        ..Options::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STICKER: LabelSize = LabelSize { width_mm: 58, height_mm: 40, dpi: 203 };

    fn svg(width: u32, height: u32, body: &str) -> Vec<u8> {
        format!(r#"<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}" height="{height}">{body}</svg>"#).into_bytes()
    }

    #[test]
    fn label_sizes_become_dots() {
        for (width_mm, height_mm, dpi, dots) in
            [(58, 40, 203, (464, 320)), (40, 30, 203, (320, 240)), (58, 40, 300, (685, 472)), (40, 30, 300, (472, 354))]
        {
            assert_eq!(LabelSize { width_mm, height_mm, dpi }.dots(), Ok(dots));
        }
        for (width_mm, height_mm, dpi) in [(0, 40, 203), (58, 40, 0), (600, 40, 203), (u32::MAX, 1, u32::MAX)] {
            assert_eq!(LabelSize { width_mm, height_mm, dpi }.dots(), Err(RenderError::LabelSize));
        }
    }

    #[test]
    fn a_picture_is_scaled_and_centred_on_white() {
        let square = svg(100, 100, r#"<rect width="100" height="100"/>"#);
        let label = render(&square, STICKER).unwrap();
        assert_eq!((label.width(), label.height()), (464, 320));
        let ink = |x| label.is_ink(x, 0) && label.is_ink(x, 319);
        assert_eq!([ink(71), ink(72), ink(391), ink(392)], [false, true, true, false]);
    }

    #[test]
    fn only_dark_tones_are_ink() {
        let tones = svg(
            58,
            40,
            r##"<rect width="29" height="40" fill="#7f7f7f"/><rect x="29" width="29" height="40" fill="#808080"/>"##,
        );
        let label = render(&tones, STICKER).unwrap();
        assert!(label.is_ink(10, 10) && !label.is_ink(450, 10));
    }

    #[test]
    fn text_is_drawn_whatever_font_it_names() {
        for font in ["", r#"font-family="Arial""#, r#"font-family="monospace""#, r#"font-weight="bold""#] {
            let text = svg(580, 400, &format!(r#"<text x="20" y="200" font-size="80" {font}>Ёлка 123</text>"#));
            assert!(!render(&text, STICKER).unwrap().is_blank(), "{font}");
        }
    }

    #[test]
    fn another_picture_is_neither_opened_nor_left_out() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let png = "data:image/png;base64,iVBORw0KGgo=";
        for href in [file, "http://127.0.0.1/x.png", "file:///etc/hostname", png] {
            let picture = svg(580, 400, &format!(r#"<image width="9" height="9" xlink:href="{href}"/>"#));
            assert_eq!(render(&picture, STICKER), Err(RenderError::ForeignPicture), "{href}");
        }
        let nested = svg(580, 400, r#"<image width="9" height="9" href="data:image/svg+xml,%3Csvg/%3E"/>"#);
        assert_eq!(render(&nested, STICKER), Err(RenderError::ForeignPicture));
    }

    #[test]
    fn what_is_not_a_picture_is_refused() {
        for bytes in [&b""[..], b"hello", b"<html/>", b"\x1f\x8b\x08", b"\xff\xfe", b"<svg"] {
            assert_eq!(render(bytes, STICKER), Err(RenderError::NotSvg));
        }
    }

    #[test]
    fn elaborate_pictures_are_refused() {
        let deep = format!("{}{}", "<g>".repeat(100), "</g>".repeat(100));
        let entity = br#"<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg xmlns="http://www.w3.org/2000/svg"/>"#.to_vec();
        for picture in [vec![b' '; MAX_SVG_BYTES + 1], svg(1, 1, &deep), svg(1, 1, &"<g/>".repeat(100_001)), entity] {
            assert_eq!(render(&picture, STICKER), Err(RenderError::PictureTooLarge));
        }
    }

    #[test]
    fn a_document_type_is_no_obstacle() {
        let mut picture =
            br#"<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">"#
                .to_vec();
        picture.extend_from_slice(
            br#"<svg xmlns="http://www.w3.org/2000/svg" width="58" height="40"><rect width="58" height="40"/></svg>"#,
        );
        assert!(render(&picture, STICKER).unwrap().is_ink(0, 0));
    }
}
