//! QR codes of links: as a picture for a page, and in a terminal.

use std::fmt;

use qrcode::EcLevel;
use qrcode::render::unicode;
use qrcode::types::Color;

/// Light modules around a code, as its standard demands.
const QUIET: usize = 4;

/// A QR code. A pay link signed with a key of 2048 bits has about a hundred modules a side.
///
/// ```
/// let code = wallet_client::QrCode::new("vaslogin://{\"type\":\"login\"}")?;
/// assert!(code.to_svg().starts_with("<svg"));
/// assert!(code.to_terminal(80).is_ok());
/// # #[cfg(feature = "png")]
/// assert_eq!(&code.to_png(4)[1..4], b"PNG");
/// # Ok::<(), wallet_client::QrTooLong>(())
/// ```
pub struct QrCode(qrcode::QrCode);

impl fmt::Debug for QrCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QrCode").field("modules", &self.modules()).finish_non_exhaustive()
    }
}

/// The text is too long for a QR code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QrTooLong;

impl fmt::Display for QrTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is too long for a QR code, which holds 2,953 bytes: shorten it")
    }
}

impl std::error::Error for QrTooLong {}

/// A terminal is too narrow for a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooNarrow {
    /// The columns that the code needs.
    pub needs: usize,
}

impl fmt::Display for TooNarrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the QR code needs a terminal of {} columns and {} lines",
            self.needs,
            self.needs.div_ceil(2)
        )
    }
}

impl std::error::Error for TooNarrow {}

/// The size of a module in an SVG document, in pixels: cameras read smaller ones with difficulty.
const PIXELS: usize = 4;

impl QrCode {
    /// The code of a text, with error correction level M (about 15 %); of a long one with level L (about 7 %), which holds 2,953 bytes.
    ///
    /// # Errors
    /// [`QrTooLong`].
    pub fn new(text: &str) -> Result<Self, QrTooLong> {
        let at_level = |level| qrcode::QrCode::with_error_correction_level(text, level);
        at_level(EcLevel::M).or_else(|_| at_level(EcLevel::L)).map(Self).map_err(|_| QrTooLong)
    }

    /// The modules a side, without the light margin.
    pub fn modules(&self) -> usize {
        self.0.width()
    }

    /// The SVG document: one path with one piece per dark run, so that a large code stays small.
    pub fn to_svg(&self) -> String {
        let (modules, colors) = (self.modules(), self.0.to_colors());
        let side = modules + 2 * QUIET;
        let mut path = String::new();
        for (y, row) in colors.chunks_exact(modules).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|a, b| a == b) {
                if run.first() == Some(&Color::Dark) {
                    let length = run.len();
                    path.push_str(&format!("M{} {}h{length}v1h-{length}z", x + QUIET, y + QUIET));
                }
                x += run.len();
            }
        }
        let pixels = side * PIXELS;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{pixels}\" height=\"{pixels}\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
             <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path d=\"{path}\"/></svg>"
        )
    }

    /// As a PNG file (feature `png`), black on white; `module` is the pixels a side of one module.
    #[cfg(feature = "png")]
    pub fn to_png(&self, module: u32) -> Vec<u8> {
        let (modules, pixel) = (self.modules(), module.clamp(1, 64) as usize);
        let side = (modules + 2 * QUIET) * pixel;
        let colors = self.0.to_colors();
        let dark = |x: usize, y: usize| {
            let (x, y) = ((x / pixel).wrapping_sub(QUIET), (y / pixel).wrapping_sub(QUIET));
            x < modules && y < modules && colors[y * modules + x] == Color::Dark
        };
        let mut bits = vec![0xff_u8; side.div_ceil(8) * side];
        for (y, row) in bits.chunks_exact_mut(side.div_ceil(8)).enumerate() {
            for x in (0..side).filter(|x| dark(*x, y)) {
                row[x / 8] &= !(0x80 >> (x % 8));
            }
        }
        let mut out = Vec::new();
        let side = u32::try_from(side).unwrap_or(u32::MAX); // at most 185 modules of 64
        let mut encoder = png::Encoder::new(&mut out, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        // Writing into memory does not fail, and the sizes agree.
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&bits));
        debug_assert!(written.is_ok());
        out
    }

    /// The drawing for a terminal of this many columns, two rows of modules a line.
    ///
    /// # Errors
    /// [`TooNarrow`]: then show a picture.
    pub fn to_terminal(&self, columns: usize) -> Result<String, TooNarrow> {
        let needs = self.modules() + 2 * QUIET;
        if columns < needs {
            return Err(TooNarrow { needs });
        }
        // Terminals are dark more often than light: what is dark in print is not drawn.
        let (dark, light) = (unicode::Dense1x2::Light, unicode::Dense1x2::Dark);
        Ok(self.0.render::<unicode::Dense1x2>().dark_color(dark).light_color(light).build())
    }
}
