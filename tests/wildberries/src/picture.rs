//! Draws stickers: a QR code beside a number that a person can read, as SVG, PNG or ZPL.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use qrcode::{Color, EcLevel, QrCode};
use resvg::{tiny_skia, usvg};

const FONT: &[u8] = include_bytes!("../../../shared/fonts/PTSans-Regular.ttf");

static FONTS: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    Arc::new(fonts)
});

/// How a label is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Svg,
    ZplVertical,
    ZplHorizontal,
    Png,
}

impl Format {
    pub(crate) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "svg" => Self::Svg,
            "zplv" => Self::ZplVertical,
            "zplh" => Self::ZplHorizontal,
            "png" => Self::Png,
            _ => return None,
        })
    }
}

/// The two label sizes: 58×40 mm and 40×30 mm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Large,
    Small,
}

impl Size {
    pub(crate) fn of(width: i64, height: i64) -> Option<Self> {
        match (width, height) {
            (58, 40) => Some(Self::Large),
            (40, 30) => Some(Self::Small),
            _ => None,
        }
    }

    /// Width and height in pixels, and the pixels of one module of the QR code.
    fn pixels(self) -> (u32, u32, u32) {
        match self {
            Self::Large => (580, 400, 10),
            // Modules of whole pixels here stay whole at 203 dpi, which is four fifths of it.
            Self::Small => (400, 300, 5),
        }
    }
}

/// A label before it takes a format.
pub(crate) struct Picture {
    size: Size,
    svg: String,
}

impl Picture {
    pub(crate) fn new(size: Size, code: &str, small: &str, large: &str) -> Self {
        let (width, height, module) = size.pixels();
        let qr = QrCode::with_error_correction_level(code, EcLevel::M).expect("a short code fits");
        let modules = u32::try_from(qr.width()).expect("a QR code is small");
        let square = modules * module;
        let left = module * 4;
        let top = (height - square) / 2 / 5 * 5;
        let path = path(&qr, left, top, module);
        let text_left = left + square + module * 3;
        let room = width - text_left - 10;
        // A digit of PT Sans is a little over half as wide as it is high.
        let fitted =
            |text: &str, most: u32| (room * 100 / (u32::try_from(text.chars().count()).unwrap_or(1) * 56)).min(most);
        let big = fitted(large, height * 2 / 5);
        let little = fitted(small, height / 6);
        let baseline = height / 2 + big / 2;
        let svg = format!(
            concat!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">"#,
                r##"<rect width="{width}" height="{height}" fill="#fff"/><path d="{path}" fill="#000" shape-rendering="crispEdges"/>"##,
                r#"<g font-family="PT Sans" fill="black"><text x="{text_left}" y="{above}" font-size="{little}">{small}</text>"#,
                r#"<text x="{text_left}" y="{baseline}" font-size="{big}">{large}</text></g></svg>"#,
            ),
            width = width,
            height = height,
            path = path,
            text_left = text_left,
            above = baseline - big - height / 20,
            little = little,
            small = small,
            baseline = baseline,
            big = big,
            large = large,
        );
        Self { size, svg }
    }

    pub(crate) fn draw(&self, format: Format) -> Vec<u8> {
        let (width, height, _) = self.size.pixels();
        match format {
            Format::Svg => self.svg.clone().into_bytes(),
            Format::Png => png(&self.raster(width, height), width, height),
            Format::ZplHorizontal => {
                let (width, height) = (width * 4 / 5, height * 4 / 5);
                zpl(&self.raster(width, height), width, height)
            }
            Format::ZplVertical => {
                let (width, height) = (width * 4 / 5, height * 4 / 5);
                zpl(&turned(&self.raster(width, height), width, height), height, width)
            }
        }
    }

    /// Grey values, row by row.
    fn raster(&self, width: u32, height: u32) -> Vec<u8> {
        let options =
            usvg::Options { fontdb: FONTS.clone(), font_family: "PT Sans".into(), ..usvg::Options::default() };
        let tree = usvg::Tree::from_str(&self.svg, &options).expect("our own SVG parses");
        let mut pixels = tiny_skia::Pixmap::new(width, height).expect("a label has a size");
        pixels.fill(tiny_skia::Color::WHITE);
        let scale =
            tiny_skia::Transform::from_scale(scale(width, tree.size().width()), scale(height, tree.size().height()));
        resvg::render(&tree, scale, &mut pixels.as_mut());
        pixels.pixels().iter().map(|pixel| pixel.red()).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "labels are a few hundred pixels wide")]
fn scale(wanted: u32, drawn: f32) -> f32 {
    wanted as f32 / drawn
}

/// The dark modules, runs in a row joined.
fn path(qr: &QrCode, left: u32, top: u32, module: u32) -> String {
    let mut path = String::new();
    let mut y = top;
    for row in qr.to_colors().chunks(qr.width()) {
        let mut x = left;
        for run in row.chunk_by(|a, b| a == b) {
            let wide = u32::try_from(run.len()).unwrap_or(0) * module;
            if run[0] == Color::Dark {
                let _ = write!(path, "M{x} {y}h{wide}v{module}h-{wide}z");
            }
            x += wide;
        }
        y += module;
    }
    path
}

fn png(grey: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().expect("writing into memory");
    writer.write_image_data(grey).expect("as many pixels as promised");
    drop(writer);
    file
}

/// Turned a quarter clockwise.
fn turned(grey: &[u8], width: u32, height: u32) -> Vec<u8> {
    let (width, height) = (width as usize, height as usize);
    (0..width).flat_map(|x| (0..height).rev().map(move |y| grey[y * width + x])).collect()
}

fn zpl(grey: &[u8], width: u32, height: u32) -> Vec<u8> {
    let per_row = width.div_ceil(8);
    let total = per_row * height;
    let mut text = format!("^XA^PW{width}^LL{height}^LH0,0^FO0,0^GFA,{total},{total},{per_row},");
    for row in grey.chunks(width as usize) {
        for eight in row.chunks(8) {
            let byte =
                eight.iter().enumerate().fold(0_u8, |byte, (at, value)| byte | u8::from(*value < 128) << (7 - at));
            let _ = write!(text, "{byte:02X}");
        }
    }
    text.push_str("^FS^XZ\n");
    text.into_bytes()
}
